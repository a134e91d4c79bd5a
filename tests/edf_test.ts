import assert from "node:assert/strict";
import { type EdfHeader, readEdfHeader } from "../decoders/ephys/edf-header.ts";
import { parseTals } from "../decoders/ephys/edf-tal.ts";
import { searchRuns } from "../decoders/ephys/edf-times.ts";
import { edf } from "../decoders/ephys/edf.ts";
import { convertFile, MemoryTarget } from "../mod.ts";
import { DEFAULT_LIMITS, isFuseError } from "../src/errors.ts";
import { checkDataset } from "../src/model/check.ts";
import type { Dataset, EventTable } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { buildEdf, type EdfFileSpec, tal } from "./support/edf-files.ts";
import { channelSamples } from "./support/materialize.ts";
import { readArray } from "./support/read-store.ts";

const reader = await edf.load();

async function open(bytes: Uint8Array): Promise<Dataset> {
  const dataset = await reader.open(new MemorySource("rec.edf", bytes), {});
  checkDataset(dataset);
  return dataset;
}

async function convert(bytes: Uint8Array): Promise<MemoryTarget> {
  const target = new MemoryTarget();
  const report = await convertFile(
    new MemorySource("rec.edf", bytes),
    () => Promise.resolve({ target, output: "rec.edf.zarr" }),
  );
  assert.equal(report.status, "ok", report.error?.message);
  return target;
}

const ramp = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);

async function rows(dataset: Dataset, name: string): Promise<Record<string, unknown[]>> {
  const table = dataset.events.find((t) => t.name === name) as EventTable;
  assert.ok(table, `no table ${name} among ${dataset.events.map((t) => t.name)}`);
  const out: Record<string, unknown[]> = Object.fromEntries(table.columns.map((c) => [c.name, []]));
  for (const { name, layout } of table.columns) {
    if (layout.kind === "values") out[name] = [...layout.values];
    else {
      assert.equal(layout.kind, "stream");
      const { stream, field } = layout as { stream: string; field: string };
      for await (const block of dataset.openStream!(stream, {})) {
        if (block.field === field) { for (const value of block.values) out[name].push(value); }
      }
    }
  }
  return out;
}

/** Signals of two rates and an annotation signal between them. */
const mixed: EdfFileSpec = {
  reserved: "EDF+C",
  recording: "Startdate 17-MAR-2021 A12 Jane_Doe Recorder_3",
  records: 3,
  recordSeconds: 10,
  signals: [
    { label: "EEG Fp1", samplesPerRecord: 8, samples: ramp(24, -5), physical: [-100, 100] },
    {
      label: "EDF Annotations",
      samplesPerRecord: 40,
      physical: [-1, 1],
      tals: [
        tal("+0.25", ["", "Recording starts"]) + tal("+2.5", ["stim"], "0.125"),
        tal("+10.25", [""]),
        tal("+20.25", [""]) + tal("+21", ["\u4ef0\u5367", "left@@Resp"]),
      ],
    },
    {
      label: "Resp",
      samplesPerRecord: 2,
      samples: ramp(6, 100),
      units: "l/s",
      physical: [10, -10],
    },
    { label: "EEG Fp2", samplesPerRecord: 8, samples: ramp(24, 50), physical: [-200, 200] },
  ],
};

Deno.test("EDF+: signals of one rate are a recording, all in one table of data records", async () => {
  const dataset = await open(buildEdf(mixed));
  assert.equal(dataset.frameTables.length, 1);
  assert.deepEqual(
    dataset.recordings.map((r) => [r.name, r.samplingFrequency, r.channels.map((c) => c.name)]),
    [["signals_0.8hz", 0.8, ["EEG Fp1", "EEG Fp2"]], ["signals_0.2hz", 0.2, ["Resp"]]],
  );
  const [eeg, resp] = dataset.recordings;
  assert.deepEqual(await channelSamples(dataset, eeg, 1), ramp(24, 50));
  assert.deepEqual(await channelSamples(dataset, resp, 0), ramp(6, 100));
  assert.equal(eeg.channels[0].gain, 200 / 65535);
  assert.equal(eeg.channels[0].offset, -100 + 200 / 65535 * 32768);
  assert.equal(resp.channels[0].gain, -20 / 65535);
  assert.equal(resp.channels[0].units, "l/s");
  // The first record tells the fraction of the second the header leaves out.
  assert.deepEqual(eeg.segments, [{ startIndex: 0, length: 24, startSeconds: 0.25 }]);
  assert.deepEqual(await rows(dataset, "annotations"), {
    time: [0.25, 2.5, 21, 21],
    duration: [NaN, 0.125, NaN, NaN],
    label: ["Recording starts", "stim", "\u4ef0\u5367", "left"],
    channel: ["", "", "", "Resp"],
  });
  assert.equal(dataset.metadata.startTime, "2021-03-17T14:25:36");
  assert.equal(dataset.metadata.experimenter, "Jane Doe");
  assert.equal(dataset.metadata.header!.equipment, "Recorder 3");
  assert.deepEqual(dataset.warnings, []);
});

Deno.test("EDF+: physical values, times and names in the store", async () => {
  const target = await convert(buildEdf(mixed));
  const eeg = await readArray(target, "signals_0.8hz/signals");
  const gains = [200 / 65535, 400 / 65535], offsets = [-100, -200];
  for (let i = 0; i < 24; i++) {
    for (const c of [0, 1]) {
      const expected = offsets[c] + gains[c] * ((c ? 50 : -5) + i + 32768);
      assert.ok(Math.abs(Number(eeg.data[c * 24 + i]) - expected) < 1e-5);
    }
  }
  const time = await readArray(target, "signals_0.8hz/time");
  assert.deepEqual([...time.data].slice(0, 3), [0.25, 1.5, 2.75]);
});

Deno.test("EDF+D: records begin when their annotations say", async () => {
  const starts = [0, 1, 5.5, 6.5004, 100];
  const dataset = await open(buildEdf({
    reserved: "EDF+D",
    records: 5,
    signals: [
      { label: "EMG", samplesPerRecord: 10, samples: ramp(50) },
      {
        label: "EDF Annotations",
        samplesPerRecord: 20,
        tals: starts.map((s, i) => tal(`+${s}`, [""]) + (i === 2 ? tal("+5.75", ["x"]) : "")),
      },
      { label: "slow", samplesPerRecord: 2, samples: ramp(10) },
    ],
  }));
  const [fast, slow] = dataset.recordings;
  assert.deepEqual(fast.segments, [
    { startIndex: 0, length: 20, startSeconds: 0 },
    { startIndex: 20, length: 20, startSeconds: 5.5 },
    { startIndex: 40, length: 10, startSeconds: 100 },
  ]);
  assert.deepEqual(slow.segments.map((s) => [s.startIndex, s.length]), [[0, 4], [4, 4], [8, 2]]);
  assert.deepEqual((await rows(dataset, "annotations")).time, [5.75]);
});

Deno.test("EDF+D: pauses of long files are found by bisection", async () => {
  const records = 3000;
  const starts: number[] = [];
  for (let r = 0, t = 0.5; r < records; r++, t += 1) {
    if (r === 700 || r === 701 || r === 2500) t += 7.25;
    starts.push(t);
  }
  const samples = 2000;
  const bytes = buildEdf({
    reserved: "EDF+D",
    records,
    signals: [
      { label: "EMG", samplesPerRecord: samples },
      {
        label: "EDF Annotations",
        samplesPerRecord: 8,
        tals: starts.map((s) => tal(`+${s}`, [""])),
      },
    ],
  });
  const source = new MemorySource("rec.edf", bytes);
  let reads = 0;
  const read = source.read.bind(source);
  source.read = (...args) => (reads++, read(...args));
  const header: EdfHeader = await readEdfHeader(source, bytes.length, DEFAULT_LIMITS, []);
  const { dataOffset, recordBytes } = header;
  const slots = { source, dataOffset, recordBytes, records, offset: 2 * samples, length: 16 };
  reads = 0;
  const runs = await searchRuns(header, slots, []);
  assert.deepEqual(runs, [
    { firstRecord: 0, records: 700, startSeconds: 0.5 },
    { firstRecord: 700, records: 1, startSeconds: starts[700] },
    { firstRecord: 701, records: 1799, startSeconds: starts[701] },
    { firstRecord: 2500, records: 500, startSeconds: starts[2500] },
  ]);
  assert.ok(reads < 100, `${reads} reads`);
  // The same through the reader, with the annotations left to a stream.
  const dataset = await open(bytes);
  assert.deepEqual(dataset.recordings[0].segments.map((s) => s.startSeconds), [
    0.5,
    starts[700],
    starts[701],
    starts[2500],
  ]);
  assert.equal(dataset.events[0].count, null);
  assert.deepEqual((await rows(dataset, "annotations")).time, []);
});

Deno.test("EDF+: annotations of large files stream in blocks, and again", async () => {
  const records = 5000;
  const bytes = buildEdf({
    reserved: "EDF+C",
    records,
    signals: [
      { label: "EEG", samplesPerRecord: 850 },
      {
        label: "EDF Annotations",
        samplesPerRecord: 20,
        tals: ramp(records).map((r) => tal(`+${r}`, [""]) + tal(`+${r}.5`, [`n${r}`], "2")),
      },
    ],
  });
  const dataset = await open(bytes);
  assert.equal(dataset.events[0].count, null);
  for (let pass = 0; pass < 2; pass++) {
    const { time, label, duration } = await rows(dataset, "annotations");
    assert.equal(time.length, records);
    assert.deepEqual([time[4999], label[4999], duration[4999]], [4999.5, "n4999", 2]);
  }
  const target = await convert(bytes);
  const times = await readArray(target, "events/annotations/time");
  assert.equal(times.shape[0], records);
  assert.equal(times.data[1234], 1234.5);
});

Deno.test("EDF+C: records that tell of a pause the header denies give a warning", async () => {
  const dataset = await open(buildEdf({
    reserved: "EDF+C",
    records: 2,
    signals: [
      { label: "x", samplesPerRecord: 4 },
      { label: "EDF Annotations", samplesPerRecord: 8, tals: [tal("+0", [""]), tal("+9", [""])] },
    ],
  }));
  assert.equal(dataset.recordings[0].segments.length, 1);
  assert.match(dataset.warnings.join("\n"), /marked as continuous/);
});

Deno.test("EDF+: annotations alone, in records without duration", async () => {
  const dataset = await open(buildEdf({
    reserved: "EDF+C",
    recordSeconds: 0,
    records: 1,
    signals: [{
      label: "EDF Annotations",
      samplesPerRecord: 60,
      tals: [tal("+0", [""]) + tal("+0", ["Sleep stage W"], "30630") + tal("-5", ["before"])],
    }],
  }));
  assert.deepEqual(dataset.recordings, []);
  assert.deepEqual((await rows(dataset, "annotations")).time, [0, -5]);
  assert.deepEqual(dataset.warnings, []);
});

Deno.test("BDF: 24-bit samples, status words, their flags and triggers", async () => {
  const words = [0x110000, 0x100005, 0x100005, 0x500000, 0x900300, 0x900300].map((w) =>
    w << 8 >> 8
  );
  const bytes = buildEdf({
    bdf: true,
    records: 2,
    recordSeconds: 1,
    signals: [
      { label: "Fp1", samplesPerRecord: 3, samples: [-8388608, 8388607, -1, 0, 1, 2] },
      { label: "Status", samplesPerRecord: 3, samples: words, units: "Boolean" },
    ],
  });
  const dataset = await open(bytes);
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => c.name), ["Fp1"]);
  assert.equal(recording.significantBits, 24);
  assert.deepEqual(await channelSamples(dataset, recording, 0), [-8388608, 8388607, -1, 0, 1, 2]);
  assert.deepEqual(await rows(dataset, "triggers"), {
    time: [1 / 3, 1, 4 / 3],
    code: [5, 0, 0x300],
  });
  const target = await convert(bytes);
  const stored = await readArray(target, "digital/Status");
  assert.deepEqual([...stored.data], words);
  const low = await readArray(target, "events/battery_low/time");
  assert.deepEqual([...low.data], [1, 4 / 3]);
  const epoch = await readArray(target, "events/epoch/label");
  assert.deepEqual([...epoch.data], ["fall"]);
});

Deno.test("BDF+: annotation bytes in 24-bit samples, several annotation signals", async () => {
  const dataset = await open(buildEdf({
    bdf: true,
    reserved: "BDF+C",
    records: 2,
    signals: [
      {
        label: "BDF Annotations",
        samplesPerRecord: 12,
        tals: [tal("+0", [""]) + tal("+0.5", ["a"]), tal("+1", [""])],
      },
      { label: "C3", samplesPerRecord: 4, samples: ramp(8) },
      {
        label: "BDF Annotations",
        samplesPerRecord: 12,
        tals: [tal("+0.75", ["b"]), tal("+1.5", ["c"])],
      },
    ],
  }));
  const { time, label } = await rows(dataset, "annotations");
  assert.deepEqual([time, label], [[0.5, 0.75, 1.5], ["a", "b", "c"]]);
});

Deno.test("BDF: status words of large records are looked at in pieces", async () => {
  const n = 1_500_000;
  const dataset = await open(buildEdf({
    bdf: true,
    records: 2,
    recordSeconds: 1500,
    signals: [{
      label: "Status",
      samplesPerRecord: n,
      samples: ramp(2 * n).map((i) => i === 1_200_000 || i >= n + 5 ? 7 : 0),
    }],
  }));
  assert.deepEqual(await rows(dataset, "triggers"), {
    time: [1200, 1200.001, 1500.005],
    code: [7, 0, 7],
  });
});

Deno.test("EDF: records larger than a window are taken apart by signals", async () => {
  const n = 1_200_000;
  const samples = ramp(2 * n).map((i) => i % 30_000);
  const bytes = buildEdf({
    records: 2,
    recordSeconds: 600,
    signals: [
      { label: "a", samplesPerRecord: n, samples },
      { label: "b", samplesPerRecord: n / 2, samples: samples.slice(0, n) },
      { label: "c", samplesPerRecord: n, samples: samples.map((v) => -v) },
    ],
  });
  const target = await convert(bytes);
  const { data, shape } = await readArray(target, "signals_2000hz/signals");
  assert.deepEqual(shape, [2, 2 * n]);
  assert.equal(data[n + 12_345], (n + 12_345) % 30_000);
  assert.equal(data[2 * n + n + 12_345], -((n + 12_345) % 30_000));
  assert.equal((await readArray(target, "signals_1000hz/signals")).data[n - 1], (n - 1) % 30_000);
});

const plain: EdfFileSpec = {
  records: 4,
  signals: [{ label: "x", samplesPerRecord: 10, samples: ramp(40) }],
};

Deno.test("EDF: the number of records is that of the file", async () => {
  const counts = async (spec: Partial<EdfFileSpec>, cut = 0) => {
    const bytes = buildEdf({ ...plain, ...spec });
    const dataset = await open(bytes.slice(0, bytes.length - cut));
    return [dataset.recordings[0].sampleCount, dataset.warnings.join("\n")] as const;
  };
  assert.deepEqual(await counts({}), [40, ""]);
  for (
    const [spec, cut, count, said] of [
      [{ statedRecords: -1 }, 0, 40, /not closed/],
      [{ statedRecords: -1 }, 5, 30, /incomplete record/],
      [{ statedRecords: 6 }, 0, 40, /4 of the 6 records/],
      [{ statedRecords: 2 }, 0, 40, /all are taken/],
      [{ statedRecords: "" }, 0, 40, /not given/],
    ] as const
  ) {
    const [found, warnings] = await counts(spec, cut);
    assert.equal(found, count);
    assert.match(warnings, said);
  }
});

Deno.test("EDF: header quirks are repaired and said", async () => {
  const opened = async (spec: Partial<EdfFileSpec>) => {
    const dataset = await open(buildEdf({ ...plain, ...spec }));
    return { dataset, said: dataset.warnings.join("\n") };
  };
  const comma = await opened({ recordSeconds: "0,5" });
  assert.equal(comma.dataset.recordings[0].samplingFrequency, 20);
  const none = await opened({ recordSeconds: 0 });
  assert.equal(none.dataset.recordings[0].samplingFrequency, null);
  assert.equal(none.dataset.recordings[0].timeGenerated, true);
  assert.match(none.said, /duration .* not given/);
  const wrong = await opened({ statedHeaderBytes: 300 });
  assert.deepEqual((await channelSamples(wrong.dataset, wrong.dataset.recordings[0], 0))[1], 1);
  assert.match(wrong.said, /states its own length/);
  const longer = await opened({ padding: 256, statedHeaderBytes: 768 });
  assert.deepEqual((await channelSamples(longer.dataset, longer.dataset.recordings[0], 0))[1], 1);
  const flat = await opened({
    signals: [{ ...plain.signals[0], physical: [0, 0] }, {
      label: "empty",
      samplesPerRecord: 0,
    }],
  });
  const [channel] = flat.dataset.recordings[0].channels;
  assert.deepEqual([channel.gain, channel.units, channel.attributes!.stated_units], [1, "", "uV"]);
  assert.match(flat.said, /give no scale/);
  assert.match(flat.dataset.leftOut[0].what, /empty/);
});

Deno.test("EDF: dates of both centuries, of EDF+, and of nobody", async () => {
  const start = async (spec: Partial<EdfFileSpec>) =>
    (await open(buildEdf({ ...plain, ...spec }))).metadata.startTime;
  assert.equal(await start({ date: "02.01.85", recording: "" }), "1985-01-02T14:25:36");
  assert.equal(await start({ date: "02.01.84", recording: "" }), "2084-01-02T14:25:36");
  assert.equal(
    await start({ reserved: "EDF+C", date: "02.01.yy", recording: "Startdate 02-JAN-2091 X X X" }),
    "2091-01-02T14:25:36",
  );
  assert.equal(
    await start({ reserved: "EDF+C", date: "01.01.85", recording: "Startdate X X X X" }),
    undefined,
  );
  assert.equal(await start({ date: "31.02.21" }), undefined);
});

Deno.test("EDF: annotation lists, whole and damaged", () => {
  const bytes = new TextEncoder().encode(
    `${tal("+1", ["", "a"])}\0\0${tal("+2.5", ["b"], "1")}nonsense\x14x\x14\0+3\x14c\x14`,
  );
  assert.deepEqual(parseTals(bytes), {
    recordStart: 1,
    annotations: [
      { onset: 1, duration: NaN, text: "a" },
      { onset: 2.5, duration: 1, text: "b" },
      { onset: 3, duration: NaN, text: "c" },
    ],
    damaged: 1,
  });
  assert.equal(parseTals(new Uint8Array(20)).recordStart, undefined);
});

Deno.test("EDF: refusals name the place, and the probe is sure of both kinds", async () => {
  const good = buildEdf(plain);
  const broken = (at: number, text: string) => {
    const bytes = good.slice();
    bytes.set(new TextEncoder().encode(text), at);
    return bytes;
  };
  await assert.rejects(open(good.slice(0, 100)), (e) => isFuseError(e, "Truncated"));
  await assert.rejects(open(good.slice(0, 400)), (e) => isFuseError(e, "Truncated"));
  await assert.rejects(
    open(broken(252, "-1  ")),
    (e) => isFuseError(e, "Corrupt") && e.where.offset === 252,
  );
  await assert.rejects(open(broken(256 + 216, "ten     ")), (e) => isFuseError(e, "Corrupt"));
  await assert.rejects(open(broken(256 + 216, "0       ")), (e) => isFuseError(e, "Corrupt"));
  const probe = (head: Uint8Array, name = "x") =>
    edf.probe({ head: head.subarray(0, 16_384), name, size: head.length }).score;
  assert.equal(probe(good), 250);
  assert.equal(probe(buildEdf({ ...plain, bdf: true })), 250);
  assert.ok(probe(new Uint8Array(300), "a.rec") <= 40);
});
