/** The AcqKnowledge reader, on files written from the format's description. */
import assert from "node:assert/strict";
import { biopac } from "../decoders/ephys/biopac.ts";
import { PROBE_BYTES } from "../decoders/format.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset } from "../src/model/dataset.ts";
import type { ValuesLayout } from "../src/model/layout.ts";
import { MemorySource } from "../src/source/memory.ts";
import {
  type BiopacChannel,
  type BiopacFile,
  biopacFile,
  biopacLayout,
} from "./support/biopac-files.ts";
import { channelSamples } from "./support/materialize.ts";

const integers = (count: number, seed = 1) =>
  Int16Array.from({ length: count }, (_, i) => ((i * 7919 + seed * 12345) % 65536) - 32768);
const floats = (count: number, seed = 1) =>
  Float64Array.from({ length: count }, (_, i) => Math.sin(i / 7 + seed) * 3.3);

const mixed = (ticks: number, counted = Math.ceil): BiopacChannel[] => [
  { name: "ECG", units: "mV", values: integers(ticks), scale: 0.0025, offset: 0.5, number: 4 },
  { name: "RESP", units: "Volts", divider: 8, values: integers(counted(ticks / 8), 2), number: 7 },
  { name: "Rate", units: "BPM", values: floats(ticks), scale: 0.1, offset: 9, number: 40 },
  { name: "EDA", units: "uS", divider: 2, values: integers(counted(ticks / 2), 3), number: 8 },
];

const old: BiopacFile = {
  revision: 45,
  littleEndian: true,
  sampleTimeMs: 0.5,
  channels: mixed(1000),
  markers: [{ sample: 0, text: "Segment 1" }, { sample: 333, text: "dose 5 µg" }],
  journal: "Débit élevé",
};

const modern: BiopacFile = {
  revision: 132,
  littleEndian: false,
  sampleTimeMs: 0.5,
  channels: mixed(1000),
  markers: [
    { sample: 0, text: "Segment 1", style: "apnd", createdMs: Date.UTC(2021, 1, 3, 4, 5, 6, 7) },
    { sample: 500, text: "deep breath — α", style: "rein", channel: 7 },
    { sample: 900, text: "", style: "zzzz", channel: 99 },
  ],
  journal: "<html><body>Journal — β</body></html>",
};

async function open(bytes: Uint8Array, name = "rec.acq"): Promise<Dataset> {
  return await (await biopac.load()).open(new MemorySource(name, bytes), {});
}

const openFile = async (file: BiopacFile) => await open(await biopacFile(file));

const probe = (head: Uint8Array, name = "rec.acq") =>
  biopac.probe({ head: head.subarray(0, PROBE_BYTES), name, size: head.length });

function column(dataset: Dataset, name: string): unknown[] {
  const layout = dataset.events[0].columns.find((c) => c.name === name)?.layout as ValuesLayout;
  return Array.from(layout.values as ArrayLike<unknown>);
}

/** Every channel of `file` is in `dataset`, bit for bit, with its rate and calibration. */
async function assertHolds(dataset: Dataset, file: BiopacFile): Promise<void> {
  const wanted = new Map(file.channels.map((c) => [c.name, c]));
  for (const recording of dataset.recordings) {
    for (const [i, channel] of recording.channels.entries()) {
      const source = wanted.get(channel.name)!;
      wanted.delete(channel.name);
      const integer = source.values instanceof Int16Array;
      assert.equal(recording.sampleCount, source.values.length);
      assert.equal(recording.samplingFrequency, 1000 / file.sampleTimeMs / (source.divider ?? 1));
      assert.equal(channel.units, source.units ?? "");
      assert.equal(channel.gain, integer ? source.scale ?? 1 : 1);
      assert.equal(channel.offset, integer ? source.offset ?? 0 : 0);
      assert.deepEqual(await channelSamples(dataset, recording, i), Array.from(source.values));
    }
  }
  assert.deepEqual([...wanted.keys()], []);
}

Deno.test("acq: every version reads the same samples, names, rates and calibration", async () => {
  for (const revision of [30, 34, 35, 36, 38, 41, 42, 43, 45, 61, 84, 108, 121, 124, 128, 132]) {
    for (const littleEndian of [true, false]) {
      for (const compressed of revision >= 41 ? [false, true] : [false]) {
        const base = revision >= 61 ? modern : old;
        const channels = revision >= 38
          ? base.channels
          : base.channels.filter((c) => (c.divider ?? 1) === 1);
        const file = { ...base, revision, littleEndian, compressed, channels };
        const bytes = await biopacFile({ ...file, encode: littleEndian ? undefined : utf8OrAscii });
        assert.ok(probe(bytes).score >= 200, `revision ${revision}: ${probe(bytes).score}`);
        const dataset = await open(bytes);
        await assertHolds(dataset, file);
        assert.deepEqual(dataset.warnings, [], `revision ${revision}`);
        assert.equal(dataset.events[0].count, base.markers!.length);
        assert.equal(dataset.metadata.header?.compressed, compressed);
        assert.ok(Object.values(dataset.documents!)[0].includes("Journal") || base === old);
      }
    }
  }
});

/** Macintosh text is neither Latin-1 nor UTF-8; the plain part is the same in all. */
const utf8OrAscii = (text: string) => new TextEncoder().encode(text);

Deno.test("acq: markers, journal and text of version 3", async () => {
  const dataset = await openFile(old);
  assert.deepEqual(column(dataset, "time"), [0, 0.1665]);
  assert.deepEqual(column(dataset, "label"), ["Segment 1", "dose 5 µg"]);
  assert.deepEqual(column(dataset, "sample"), [0, 333]);
  assert.deepEqual(dataset.documents, { "journal.txt": "Débit élevé" });
  assert.match(dataset.metadata.notes!, /journal\.txt/);
  assert.equal(dataset.metadata.startTime, undefined);
});

Deno.test("acq: marker styles, channels by order number and dates of version 5", async () => {
  const channels = mixed(1000).map((c) => c.number === 7 ? { ...c, number: 2, order: 7 } : c);
  const dataset = await openFile({ ...modern, channels });
  assert.deepEqual(column(dataset, "time"), [0, 0.25, 0.45]);
  assert.deepEqual(column(dataset, "label"), ["Segment 1", "deep breath — α", ""]);
  assert.deepEqual(column(dataset, "code"), ["apnd", "rein", "zzzz"]);
  assert.deepEqual(column(dataset, "type"), ["Append", "Inspire Start", "Unknown"]);
  assert.deepEqual(column(dataset, "channel"), ["", "RESP", ""]);
  assert.deepEqual(column(dataset, "channel_order"), [-1, 7, 99]);
  assert.deepEqual(column(dataset, "created"), ["2021-02-03T04:05:06.007Z", "", ""]);
  assert.equal(dataset.metadata.startTime, "2021-02-03T04:05:06.007Z");
  assert.deepEqual(Object.keys(dataset.documents!), ["journal.html"]);
});

Deno.test("acq: the journal of every version", async () => {
  for (const revision of [38, 45, 61, 84, 108, 124, 128, 132]) {
    for (const journal of ["plain notes\nline 2", "<!DOCTYPE HTML><p>x</p>", ""]) {
      for (const markers of [[], modern.markers!.slice(0, 1)]) {
        const file = { ...modern, revision, littleEndian: revision < 61, journal, markers };
        const dataset = await openFile(file);
        const name = journal.startsWith("<") ? "journal.html" : "journal.txt";
        const expected = journal ? { [name]: journal } : undefined;
        assert.deepEqual(dataset.documents, expected, `${revision}`);
        assert.deepEqual(dataset.warnings, [], `${revision}`);
      }
    }
  }
});

Deno.test("acq: one rate is one recording, several rates are named by their rate", async () => {
  const one = await openFile({
    ...old,
    channels: [1, 2, 3].map((n) => ({ name: `c${n}`, values: integers(10, n) })),
  });
  assert.deepEqual(one.recordings.map((r) => [r.name, r.rawType]), [["signals", "int16"]]);
  assert.equal(one.recordings[0].parts.length, 1);
  const several = await openFile({ ...old, sampleTimeMs: 8 });
  assert.deepEqual(
    several.recordings.map((r) => [r.name, r.rawType, r.channels.map((c) => c.name)]),
    [
      ["signals_125hz", "float64", ["ECG", "Rate"]],
      ["signals_15_625hz", "int16", ["RESP"]],
      ["signals_62_5hz", "int16", ["EDA"]],
    ],
  );
  assert.equal(several.frameTables.length, 1);
});

Deno.test("acq: duplicate names stay, a cut UTF-8 name loses only its broken character", async () => {
  const channels = [
    { name: "Analog input", values: integers(5) },
    { name: "Analog input", values: integers(5, 2) },
    { name: `${"x".repeat(38)}—`, values: integers(5, 3) },
  ];
  const { recordings } = await openFile({ ...modern, channels });
  assert.deepEqual(recordings[0].channels.map((c) => c.name), [
    "Analog input",
    "Analog input",
    "x".repeat(38),
  ]);
});

Deno.test("acq: a pattern cut off at the end needs no tail", async () => {
  for (const ticks of [1, 7, 8, 9, 1001, 1005]) {
    const file = { ...old, channels: mixed(ticks) };
    const dataset = await openFile(file);
    assert.ok(dataset.recordings.every((r) => r.parts.every((p) => !p.tail)), `${ticks} ticks`);
    await assertHolds(dataset, file);
  }
});

Deno.test("acq: channels that miss their last sample change the last pattern, not the samples", async () => {
  let tails = 0;
  for (const littleEndian of [true, false]) {
    for (const ticks of [63, 1001, 1002, 1007]) {
      const file = {
        ...old,
        littleEndian,
        encode: utf8OrAscii,
        channels: mixed(ticks, Math.floor),
      };
      const dataset = await openFile(file);
      await assertHolds(dataset, file);
      for (const { parts } of dataset.recordings) tails += parts.filter((p) => p.tail).length;
      assert.equal(dataset.events[0].count, 2);
    }
  }
  assert.ok(tails > 0);
});

Deno.test("acq: channels of any lengths and dividers come out whole", async () => {
  // A small generator of its own, so that every run sees the same files.
  let state = 42;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 60; round++) {
    const channels = Array.from({ length: 1 + random(5) }, (_, i): BiopacChannel => {
      const divider = [1, 1, 2, 3, 4, 16][random(6)];
      const count = random(400) >> random(3);
      const values = random(3) === 0 ? floats(count, i) : integers(count, i);
      return { name: `c${i}`, divider, values };
    });
    const file = { ...modern, channels, markers: [], littleEndian: random(2) === 0 };
    const dataset = await openFile(file);
    await assertHolds(dataset, file);
  }
});

Deno.test("acq: very unequal lengths and patterns without end are taken apart in one pass", async () => {
  const unequal: BiopacChannel[] = [
    { name: "long", values: integers(700_000) },
    { name: "short", values: integers(10, 2), divider: 2 },
    { name: "calc", values: floats(70_000), divider: 10 },
  ];
  const coprime: BiopacChannel[] = [32749, 32719, 1].map((divider, i) => ({
    name: `c${i}`,
    divider,
    values: integers(Math.ceil(70_000 / divider), i),
  }));
  for (const channels of [unequal, coprime]) {
    const file = { ...modern, channels };
    const dataset = await openFile(file);
    assert.ok(dataset.recordings.every((r) => r.parts.every((p) => p.layout.kind === "stream")));
    assert.match(dataset.warnings[0], /one forward pass/);
    await assertHolds(dataset, file);
  }
});

Deno.test("acq: integer channels beside floats stream in the recording's type", async () => {
  const file = { ...modern, compressed: true };
  const dataset = await openFile(file);
  const [recording] = dataset.recordings;
  assert.equal(recording.rawType, "float64");
  for (const { layout } of recording.parts) {
    assert.equal(layout.kind, "stream");
    if (layout.kind !== "stream") continue;
    for await (const block of dataset.openStream!(layout.stream, {})) {
      assert.ok(block.values instanceof Float64Array);
    }
  }
});

Deno.test("acq: padding records, junk before the sample types and type 0 are read over", async () => {
  for (const [paddings, statedPaddings] of [[0, 0], [1, 1], [3, 3], [2, 0], [1, 0]]) {
    const file = { ...modern, paddings, statedPaddings, floatCode: 0 as const };
    await assertHolds(await openFile(file), file);
  }
  const file = { ...old, junkBytes: 37 };
  const dataset = await openFile(file);
  await assertHolds(dataset, file);
  assert.match(dataset.warnings.join(), /skipped 37 unknown bytes/);
});

Deno.test("acq: marker positions before the start are kept, signed, with a warning", async () => {
  const markers = [{ sample: -34304, text: "wrapped" }, { sample: 900, text: "fine" }];
  const dataset = await openFile({ ...modern, markers });
  assert.deepEqual(column(dataset, "time"), [-17.152, 0.45]);
  assert.match(dataset.warnings.join(), /1 of 2 markers are placed outside/);
});

Deno.test("acq: a resumed recording names its runs and says that pauses are not in its axis", async () => {
  const markers = [
    ...modern.markers!,
    { sample: 501, text: "Segment 2", style: "apnd", createdMs: Date.UTC(2021, 1, 4) },
  ];
  const dataset = await openFile({ ...modern, markers });
  const [fast, , half] = dataset.recordings;
  assert.deepEqual(fast.segments, [
    { startIndex: 0, length: 501, startSeconds: 0 },
    { startIndex: 501, length: 499, startSeconds: 0.2505 },
  ]);
  assert.deepEqual(half.segments.map((s) => s.startIndex), [0, 251]);
  assert.deepEqual(fast.attributes?.resumed, [{ time: 0.2505, clock: "2021-02-04T00:00:00.000Z" }]);
  assert.match(dataset.warnings.join(), /paused and resumed 1 time/);
});

Deno.test("acq: an axis that is not time, a first-sample offset and a zero scale are told", async () => {
  const channels = [{ name: "x", values: integers(4), scale: 0 }];
  const dataset = await openFile({ ...old, channels, horizontalAxis: 2, firstTimeOffsetMs: 1500 });
  const warnings = dataset.warnings.join("\n");
  assert.match(warnings, /no usable scale/);
  assert.match(warnings, /frequency, not time/);
  assert.match(warnings, /first sample at 1500 ms/);
  assert.equal(dataset.recordings[0].channels[0].gain, 1);
});

Deno.test("acq: damage behind the samples costs the markers only", async () => {
  for (const file of [old, modern]) {
    const { bytes, markers, journal } = await biopacLayout(file);
    for (const end of [markers, markers + 3, markers + 20, journal, journal + 5]) {
      const dataset = await open(bytes.slice(0, end));
      await assertHolds(dataset, file);
      assert.equal(dataset.warnings.length, 1, dataset.warnings.join());
      assert.equal(dataset.events.length, end >= journal ? 1 : 0);
    }
    const damaged = bytes.slice();
    damaged.fill(0xee, markers, markers + 8);
    await assertHolds(await open(damaged), file);
    const unmarked = await biopacLayout({ ...file, compressed: true });
    unmarked.bytes.fill(0xee, unmarked.markers, unmarked.markers + 8);
    const found = await open(unmarked.bytes);
    await assertHolds(found, file);
    assert.match(found.warnings.join("\n"), /found by search/);
  }
});

async function refused(bytes: Uint8Array, tag: string, words: RegExp): Promise<void> {
  await assert.rejects(open(bytes), (error: unknown) => {
    assert.ok(isFuseError(error), String(error));
    assert.equal(error.tag, tag);
    assert.match(error.message, words);
    assert.match(error.message, /^rec\.acq: .* at byte \d+/);
    return true;
  });
}

Deno.test("acq: damaged headers are refused with place, field and finding", async () => {
  const { bytes, channelHeaders, types, data, snapshots } = await biopacLayout(modern);
  const patched = (change: (view: DataView) => void) => {
    const copy = bytes.slice();
    change(new DataView(copy.buffer));
    return copy;
  };
  await refused(bytes.slice(0, data + 100), "Truncated", /channel data.*found \d+ bytes/);
  await refused(bytes.slice(0, 5000), "Truncated", /ends too early|channel headers/);
  await refused(bytes.slice(0, 40), "Truncated", /graph header/);
  await refused(patched((v) => v.setInt32(2, 7)), "Corrupt", /not an AcqKnowledge file/);
  await refused(patched((v) => v.setInt16(10, 0)), "Corrupt", /no channels/);
  await refused(patched((v) => v.setInt16(10, 30000)), "Truncated", /channel headers/);
  await refused(patched((v) => v.setFloat64(16, NaN)), "Corrupt", /dSampleTime/);
  await refused(patched((v) => v.setFloat64(16, -1)), "Corrupt", /found -1/);
  await refused(patched((v) => v.setInt32(6, -5)), "Corrupt", /lExtItemHeaderLen/);
  const channel = channelHeaders[1];
  await refused(patched((v) => v.setInt32(channel, 2)), "Corrupt", /record length/);
  await refused(patched((v) => v.setInt32(channel + 88, -1)), "Corrupt", /lBufLength/);
  await refused(patched((v) => v.setInt32(channel + 88, 2 ** 31 - 1)), "Truncated", /channel data/);
  await refused(patched((v) => v.setInt16(types, 3)), "Corrupt", /sample types/);
  await refused(patched((v) => v.setInt32(972, 1)), "Corrupt", /no compressed data/);
  assert.ok(snapshots > 0);
});

Deno.test("acq: damaged compressed data are refused, none are made up", async () => {
  for (const file of [{ ...old, compressed: true }, { ...modern, compressed: true }]) {
    const { bytes, snapshots } = await biopacLayout(file);
    await refused(bytes.slice(0, bytes.length - 1), "Truncated", /data of channel 4/);
    await refused(bytes.slice(0, snapshots), "Corrupt", /no compressed data/);
    const dataset = await open(bytes);
    const stream = (dataset.recordings[0].parts[0].layout as { stream: string }).stream;
    const pass = async (damaged: Uint8Array) => {
      const opened = await open(damaged);
      for await (const _ of opened.openStream!(stream, {}));
    };
    await pass(bytes);
    const at = bytes.findIndex((b, i) => i > snapshots && b === 0x78 && bytes[i + 1] === 0x9c);
    const broken = bytes.slice();
    broken.fill(0, at + 40, at + 80);
    await assert.rejects(pass(broken), (e) => isFuseError(e, "Corrupt") && /ECG/.test(e.message));
    // The header promises fewer, then more samples than the stream holds.
    const promise = at - "ECG".length - "mV".length - 8;
    for (const count of [900, 1100]) {
      const lying = bytes.slice();
      new DataView(lying.buffer).setInt32(promise, 2 * count, file.littleEndian);
      await assert.rejects(pass(lying), (e) => isFuseError(e, "Corrupt") && /ECG/.test(e.message));
    }
  }
});

Deno.test("acq: any damage ends in an error of ours or in a dataset", async () => {
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  const small = (file: BiopacFile) => ({ ...file, channels: mixed(40, Math.floor) });
  for (const file of [old, modern, { ...old, compressed: true }, { ...modern, compressed: true }]) {
    const { bytes, markers, data } = await biopacLayout(small(file));
    const places = [
      () => random(200),
      () => data - random(Math.min(data, 8000)) - 1,
      () => markers + random(bytes.length - markers),
    ];
    for (let round = 0; round < 120; round++) {
      const copy = bytes.slice(0, round % 10 === 0 ? random(bytes.length) : bytes.length);
      for (let k = 0; k < 3; k++) {
        const at = places[random(3)]();
        if (at < copy.length) copy[at] = [0, 0xff, 0x7f, 0x80, random(256)][random(5)];
      }
      probe(copy);
      try {
        const dataset = await open(copy);
        for (const recording of dataset.recordings) {
          if (recording.sampleCount! > 1e5) continue;
          for (let i = 0; i < recording.channels.length; i++) {
            await channelSamples(dataset, recording, i);
          }
        }
      } catch (error) {
        assert.ok(isFuseError(error), `${(error as Error).stack}`);
      }
    }
  }
});

Deno.test("acq: headers, tail, markers and journal are had in few reads", async () => {
  const bytes = await biopacFile({ ...modern, channels: mixed(200_003, Math.floor) });
  const source = new MemorySource("rec.acq", bytes);
  const reads: number[] = [];
  const read = source.read.bind(source);
  source.read = (offset, length, options) => {
    reads.push(length);
    assert.equal(options?.purpose, "header");
    return read(offset, length, options);
  };
  await (await biopac.load()).open(source, {});
  assert.ok(reads.length <= 2, `${reads.length} reads`);
  assert.ok(reads.every((n) => n < 100_000));
});

Deno.test("acq: other files named .acq are not taken", () => {
  const ctf = new Uint8Array(4096);
  ctf.set(new TextEncoder().encode("WS1_"));
  assert.equal(probe(ctf).score, 0);
  assert.equal(probe(new Uint8Array(0)).score, 0);
  assert.equal(probe(new Uint8Array(4096)).score, 0);
  const almost = new Uint8Array(4096);
  new DataView(almost.buffer).setInt32(2, 45, true);
  assert.equal(probe(almost).score, 0);
});
