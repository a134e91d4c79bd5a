/** Tables under descriptors: drafts that change nothing, descriptors that do, and those that do not fit. */
import assert from "node:assert/strict";
import { checkDescriptor } from "../decoders/mapping/descriptor.ts";
import type { MappingDescriptor } from "../decoders/mapping/descriptor-types.ts";
import { useDescriptor } from "../decoders/mapping/descriptor.ts";
import { openDataset } from "../src/identify.ts";
import type { Dataset, StreamBlock } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { lines, utf16, wave } from "./support/tables.ts";

type Content = string | Uint8Array;

async function open(content: Content, mapping?: unknown, name = "t.csv"): Promise<Dataset> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const use = mapping === undefined
    ? undefined
    : await useDescriptor(checkDescriptor(mapping, "test"), "test");
  return (await openDataset(new MemorySource(name, bytes), { mapping: use })).dataset;
}

/** All values a dataset's only stream yields, by field. */
async function values(dataset: Dataset): Promise<Record<string, unknown[]>> {
  const fields: Record<string, unknown[]> = {};
  const ids = new Set(
    [
      ...dataset.recordings.flatMap((r) => [...r.parts.map((p) => p.layout), r.time]),
      ...dataset.arrays.map((a) => a.layout),
      ...dataset.events.flatMap((e) => e.columns.map((c) => c.layout)),
    ].flatMap((l) => l && "stream" in l ? [l.stream] : []),
  );
  for (const id of ids) {
    for await (const block of dataset.openStream!(id, {}) as ReadableStream<StreamBlock>) {
      (fields[block.field] ??= []).push(...block.values as Float64Array);
    }
  }
  return fields;
}

/** What an output is made of, apart from how it was found out. */
function contents(dataset: Dataset): unknown {
  const { recordings, arrays, events, leftOut, metadata } = dataset;
  const { mapping: _mapping, autoMapped: _auto, ...rest } = metadata;
  return JSON.parse(JSON.stringify({ recordings, arrays, events, leftOut, metadata: rest }));
}

const TABLES: Record<string, Content> = {
  "units in brackets": "t (ms),EMG (mV),P [mmHg]\n" +
    lines(60, (i) => `${i * 2},${wave(i)},${i % 7}`),
  "a row of units": "t,a,b\ns,mV,uV\n" + lines(60, (i) => `${(i / 50).toFixed(2)},${wave(i)},${i}`),
  "no header, UTF-16, tabs": utf16(
    lines(40, (i) => `${(i / 100).toFixed(2)}\t${wave(i)}\t${i % 5}`),
  ),
  "decimal comma": "Zeit (s);Kraft (N)\n" +
    lines(40, (i) => `${(i / 10).toFixed(1).replace(".", ",")};${wave(i).replace(".", ",")}`),
  "no time": lines(50, (i) => `${wave(i)},${i}`),
  "a stated rate": "Rate: 250 Hz\n\na,b\n" + lines(70, (i) => `${wave(i)},${wave(i + 5)}`),
  "clocks past midnight": "Time,x,y\n" +
    lines(
      40,
      (i) => `${i < 20 ? "23:59" : "00:00"}:${String((i + 40) % 60).padStart(2, "0")},1,${i}`,
    ),
  "half-day clocks": " Time,n,state,p1 (cmH2O)\n" +
    lines(40, (i) => `11:59:${String(20 + i).padStart(2, "0")}.500 PM,${i},a,${wave(i)}`),
  "ISO stamps": "when,v\n" +
    lines(40, (i) => `2020-01-02T03:04:${String(i).padStart(2, "0")}.250Z,${wave(i)}`),
  "date and clock": "Date,Clock,v\n" +
    lines(30, (i) => `21.03.2020,10:00:${String(i).padStart(2, "0")},${wave(i)}`),
  "counts since 1970": "timestamp,v\n" + lines(30, (i) => `${1600000000000 + 10 * i},${wave(i)}`),
  "markers": "time,v,note\n" + lines(50, (i) => `${i / 10},${wave(i)},${i % 25 ? "" : "start"}`),
  "names that come twice": "t,v,v,\n" + lines(40, (i) => `${i / 10},${i},${wave(i)},3`),
  "missing values": "t,v,w\n" +
    lines(40, (i) => `${i / 10},${i % 3 ? wave(i) : ""},${i % 4 ? 1 : "NA"}`),
  "quoted newlines": 't,"EMG\nleft (mV)",c\n' +
    lines(40, (i) => `${i / 10},${wave(i)},"a ""b""\nc"`),
  "long": "time (s),channel,value\n" +
    lines(40, (i) => `${(i >> 1) / 10},${i % 2 ? "left" : "right"},${wave(i)}`),
  "events": "onset,duration,label\n" + lines(9, (i) => `${i},0.5,go`),
  "no time series": "subject,age,weight\na,3,20\nb,4,21\nc,9,25\n",
  "a preamble": "Recorder X\nDate,2021/03/17\n\nTime (s),A (V)\n" +
    lines(40, (i) => `${(i / 200).toFixed(3)},${wave(i)}`),
};

Deno.test("mapping: a draft of what was found gives the same data", async (t) => {
  for (const [name, content] of Object.entries(TABLES)) {
    await t.step(name, async () => {
      const found = await open(content);
      const draft = JSON.parse(JSON.stringify(found.draftMapping!())) as MappingDescriptor;
      const drafted = await open(content, draft);
      assert.deepEqual(contents(drafted), contents(found));
      assert.deepEqual(await values(drafted), await values(found));
      assert.equal(found.metadata.autoMapped, true);
      assert.equal(drafted.metadata.autoMapped, false);
      const { by, chosen } = found.metadata.mapping as { by: string; chosen: { score: number }[] };
      assert.equal(by, "heuristics");
      assert(chosen.length > 0 && chosen.every((c) => c.score >= 0));
      assert.match(
        JSON.stringify(drafted.metadata.mapping),
        /"by":"descriptor".*"sha256":"[0-9a-f]{64}"/,
      );
    });
  }
});

Deno.test("mapping: columns are chosen, named, scaled and ordered as a descriptor says", async () => {
  const text = "n,clock_ms,EMG (mV),junk,note\n" +
    lines(20, (i) => `${i},${5 * i},${i / 4},${i * 7},${i === 3 ? "stim" : "-"}`);
  const dataset = await open(text, {
    name: "mine",
    kind: "table",
    time: { column: 1, unit: "ms" },
    signals: [
      { column: "EMG (mV)", name: "emg", unit: "V", gain: 0.001 },
      { column: "n", name: "count" },
    ],
    events: ["note"],
    start_time: "2024-05-06T07:08:09Z",
    metadata: { species: "rat" },
  });
  const [recording] = dataset.recordings;
  assert.deepEqual(
    recording.channels.map(({ name, units, gain }) => [name, units, gain]),
    [["emg", "V", 0.001], ["count", "", 1]],
  );
  assert.equal(recording.samplingFrequency, 200);
  assert.equal(dataset.metadata.startTime, "2024-05-06T07:08:09Z");
  assert.equal(dataset.metadata.species, "rat");
  // What no mapping uses is kept.
  assert.deepEqual(dataset.arrays.map((a) => a.path).sort(), ["source/junk", "source/note"]);
  const all = await values(dataset);
  assert.deepEqual(all.signals.slice(0, 3), [0, 0.25, 0.5]);
  assert.deepEqual(all.signals.slice(20, 23), [0, 1, 2]);
  assert.deepEqual(all["number/3"] ?? all["number/2"], Array.from({ length: 20 }, (_, i) => 7 * i));
});

Deno.test("mapping: columns that count the rows are kept beside the signals", async () => {
  for (const header of [",time,v", "Sample,time,v", "row number,time,v"]) {
    const dataset = await open(`${header}\n` + lines(30, (i) => `${i},${i / 10},${wave(i)}`));
    assert.deepEqual(dataset.recordings[0].channels.map((c) => c.name), ["v"], header);
    assert.equal(dataset.arrays.length, 1);
  }
  const used = await open("Sample,v\n" + lines(90, (i) => `${3 * i},${wave(i)}`));
  assert.equal(used.recordings[0].channels.length, 2, "counts in threes");
});

Deno.test("mapping: a stated rate, a stated index, and long tables without times", async () => {
  const text = "a,b\n" + lines(12, (i) => `${i},${i * i}`);
  const rated = await open(text, {
    name: "r",
    kind: "table",
    time: { rate_hz: 10, start_s: -0.5 },
  });
  assert.equal(rated.recordings[0].samplingFrequency, 10);
  assert.equal(rated.recordings[0].segments[0].startSeconds, -0.5);
  assert.equal(rated.recordings[0].timeGenerated, undefined);
  const indexed = await open(text, { name: "i", kind: "table", time: { index: true } });
  assert.equal(indexed.recordings[0].timeGenerated, true);
  assert.equal(indexed.recordings[0].samplingFrequency, null);
  const long = await open("ch,set,delta\n" + lines(12, (i) => `${"ABC"[i % 3]},x,${i}`), {
    name: "l",
    kind: "table",
    time: { index: true },
    group_by: ["ch"],
    signals: [{ column: "delta" }],
  });
  assert.deepEqual(long.recordings[0].channels.map((c) => c.name), [
    "delta A",
    "delta B",
    "delta C",
  ]);
  assert.equal(long.recordings[0].timeGenerated, true);
  assert.deepEqual((await values(long))["0/signals"], [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
});

Deno.test("mapping: what does not fit is refused by name, with names that are near", async () => {
  const text = "Time (s),EMG left,EMG right\n" + lines(20, (i) => `${i},${i},${i}`);
  const fails = (mapping: Record<string, unknown>, message: RegExp, content: Content = text) =>
    assert.rejects(open(content, { name: "m", kind: "table", ...mapping }), message);
  await fails({ time: { column: "Tme" } }, /column.*\(time\).*"Tme".*"Time \(s\)"/);
  await fails({ signals: [{ column: "EMG" }] }, /"EMG".*"EMG left", "EMG right"/);
  await fails({ signals: [{ column: 9 }] }, /found 9, expected 0 to 2/);
  await fails({ time: { column: "w" } }, /holds none.*"?w/, "w,v\n" + lines(20, (i) => `ab,${i}`));
  await fails(
    { signals: [{ column: "v" }] },
    /several columns.*1, 2/,
    "t,v,v\n" + lines(9, (i) => `${i},1,2`),
  );
  await fails({ colour: 3 }, /colour/);
  await fails({ time: { column: "a", unit: "fortnight" } }, /time\.unit|fortnight/);
  await fails({ kind: "hdf5", recordings: [] }, /not for this file.*CSV.*expected HDF5/);
});
