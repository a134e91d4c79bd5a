import assert from "node:assert/strict";
import { scanRate, startTimeOf } from "../decoders/ephys/abf-model.ts";
import { abf } from "../decoders/ephys/abf.ts";
import { PROBE_BYTES } from "../decoders/format.ts";
import { convertFile, MemoryTarget } from "../mod.ts";
import { isFuseError } from "../src/errors.ts";
import { checkDataset } from "../src/model/check.ts";
import type { Dataset, EventTable } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { type AbfFile, buildAbf1, buildAbf2 } from "./support/abf-files.ts";
import { channelSamples } from "./support/materialize.ts";
import { readArray } from "./support/read-store.ts";

const reader = await abf.load();

async function open(bytes: Uint8Array): Promise<Dataset> {
  const dataset = await reader.open(new MemorySource("rec.abf", bytes), {});
  checkDataset(dataset);
  return dataset;
}

async function convert(bytes: Uint8Array): Promise<MemoryTarget> {
  const target = new MemoryTarget();
  const report = await convertFile(
    new MemorySource("rec.abf", bytes),
    () => Promise.resolve({ target, output: "rec.abf.zarr" }),
  );
  assert.equal(report.status, "ok", report.error?.message);
  return target;
}

const ramp = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);

function values(table: EventTable, name: string): unknown[] {
  const { layout } = table.columns.find((c) => c.name === name)!;
  assert.equal(layout.kind, "values");
  return [...(layout as { values: ArrayLike<unknown> & Iterable<unknown> }).values];
}

const both: [string, (file: AbfFile) => Uint8Array<ArrayBuffer>][] = [
  ["1", buildAbf1],
  ["2", buildAbf2],
];

for (const [version, build] of both) {
  /** Interval between scans of `channels` channels as the version stores it. */
  const interval = (scan: number, channels: number) => version === "1" ? scan / channels : scan;

  Deno.test(`ABF ${version}: gap-free channels with their scales, tags and start`, async () => {
    const bytes = build({
      mode: 3,
      inputs: [
        { name: "Im", units: "pA", scale: 0.0005, telegraph: 1, telegraphGain: 5 },
        { name: "T", units: "\xb0C", scale: 0.1, offset: 2.5, physical: 7 },
      ],
      values: ramp(2000, -1000),
      interval: interval(100, 2),
      tags: [[500, "+drug", 1], [1200, "gew\xf6hnlich", 2]],
      milliseconds: 14 * 3600_000 + 6 * 60_000 + 28_730,
      comment: "a comment",
      protocol: "C:\\p.pro",
    });
    const dataset = await open(bytes);
    const [recording] = dataset.recordings;
    assert.equal(dataset.recordings.length, 1);
    assert.equal(recording.samplingFrequency, 10_000);
    assert.equal(recording.sampleCount, 1000);
    assert.equal(recording.sweepLength, undefined);
    assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [
      ["Im", "pA"],
      ["T", "\xb0C"],
    ]);
    const [im, t] = recording.channels;
    assert.equal(im.gain, 10 / 32768 / (Math.fround(0.0005) * 5));
    assert.equal(t.gain, 10 / 32768 / Math.fround(0.1));
    assert.equal(t.offset, 2.5);
    assert.equal(t.attributes!.physical_channel, 7);
    assert.deepEqual((await channelSamples(dataset, recording, 1)).slice(0, 3), [-999, -997, -995]);
    const [tags] = dataset.events;
    // Without a synch unit times count values of all channels.
    assert.deepEqual(values(tags, "time"), [500 * 50 / 1e6, 1200 * 50 / 1e6]);
    assert.deepEqual(values(tags, "label"), ["+drug", "gew\xf6hnlich"]);
    assert.deepEqual(values(tags, "type"), ["comment", "external"]);
    assert.equal(dataset.metadata.startTime, "2020-01-31T14:06:28.730");
    assert.equal(dataset.metadata.notes, "a comment");
    assert.equal(dataset.metadata.header!.protocol_path, "C:\\p.pro");
    assert.deepEqual(dataset.warnings, []);
  });

  Deno.test(`ABF ${version}: equal sweeps begin when the synch array says`, async () => {
    const dataset = await open(build({
      mode: 5,
      inputs: [{ name: "A" }, { name: "B" }],
      values: ramp(60),
      interval: interval(50, 2),
      synchUnit: 12.5,
      synch: [[0, 20], [80_000, 20], [160_000, 20]],
      samplesPerEpisode: 20,
      episodes: 3,
      tags: [[80_000, "t", 0]],
    }));
    const [recording] = dataset.recordings;
    assert.equal(recording.sweepLength, 10);
    assert.deepEqual(recording.segments, [
      { startIndex: 0, length: 10, startSeconds: 0 },
      { startIndex: 10, length: 10, startSeconds: 1 },
      { startIndex: 20, length: 10, startSeconds: 2 },
    ]);
    assert.deepEqual(values(dataset.events[0], "time"), [1]);
    assert.equal(dataset.metadata.sweepMode, "episodic stimulation");
  });

  Deno.test(`ABF ${version}: events of variable length are segments`, async () => {
    const dataset = await open(build({
      mode: 1,
      inputs: [{ name: "A" }, { name: "B" }],
      values: ramp(64),
      interval: interval(100, 2),
      synch: [[2_000, 24], [10_000, 40]],
    }));
    const [recording] = dataset.recordings;
    assert.equal(recording.sweepLength, undefined);
    assert.deepEqual(recording.segments, [
      { startIndex: 0, length: 12, startSeconds: 0.1 },
      { startIndex: 12, length: 20, startSeconds: 0.5 },
    ]);
  });

  Deno.test(`ABF ${version}: gap-free data that were paused; entries without a pause are joined`, async () => {
    const dataset = await open(build({
      mode: 3,
      inputs: [{ name: "A" }],
      values: ramp(60),
      interval: 100,
      synch: [[0, 20], [20, 20], [1000, 20]],
    }));
    assert.deepEqual(dataset.recordings[0].segments, [
      { startIndex: 0, length: 40, startSeconds: 0 },
      { startIndex: 40, length: 20, startSeconds: 0.1 },
    ]);
  });

  Deno.test(`ABF ${version}: floats are physical values, whatever the gains say`, async () => {
    const dataset = await open(build({
      mode: 3,
      isFloat: true,
      inputs: [{ name: "A", units: "mV", scale: 0.01, offset: 3 }],
      values: [0.5, -1.25, 1e6],
      interval: 2480,
    }));
    const [recording] = dataset.recordings;
    assert.equal(recording.rawType, "float32");
    assert.deepEqual([recording.channels[0].gain, recording.channels[0].offset], [1, 0]);
    assert.deepEqual(await channelSamples(dataset, recording, 0), [0.5, -1.25, 1e6]);
    assert.equal(recording.samplingFrequency, 1e6 / 2480);
  });

  Deno.test(`ABF ${version}: the gain of a signal conditioner counts only where there is one`, async () => {
    const input = { name: "A", signalGain: 4, signalOffset: 0.5, offset: 2 };
    const file = { mode: 3, inputs: [input], values: [1], interval: 10 };
    const without = (await open(build(file))).recordings[0].channels[0];
    const with_ = (await open(build({ ...file, signalType: 1 }))).recordings[0].channels[0];
    assert.deepEqual([without.gain, without.offset], [10 / 32768, 2]);
    assert.deepEqual([with_.gain, with_.offset], [10 / 32768 / 4, 1.5]);
  });

  Deno.test(`ABF ${version}: averages are a recording of their own`, async () => {
    const dataset = await open(build({
      mode: 5,
      inputs: [{ name: "A" }],
      values: ramp(30),
      interval: 100,
      synchUnit: 100,
      synch: [[0, 10], [10_000, 10], [-1, 10]],
      samplesPerEpisode: 10,
    }));
    assert.deepEqual(dataset.recordings.map((r) => [r.name, r.sampleCount]), [
      ["recorded", 20],
      ["average", 10],
    ]);
    assert.deepEqual(await channelSamples(dataset, dataset.recordings[1], 0), ramp(10, 20));
  });

  Deno.test(`ABF ${version}: parameters changed while recording`, async () => {
    const dataset = await open(build({
      mode: 3,
      inputs: [{ name: "A" }],
      values: ramp(10),
      interval: 100,
      deltas: [[10, 0, -70.5], [20, 4, 5, true], [30, 102, 2]],
    }));
    const [table] = dataset.events;
    assert.equal(table.name, "parameter_changes");
    assert.deepEqual(values(table, "value"), [-70.5, 5, 2]);
    assert.deepEqual(values(table, "label"), [
      "holding level of output 0",
      "digital outputs",
      "telegraphed gain of input 2",
    ]);
    assert.match(dataset.warnings.join("\n"), /gain of an input was changed 1 times/);
  });

  Deno.test(`ABF ${version}: a played waveform is kept in its own units`, async () => {
    const bytes = build({
      mode: 5,
      inputs: [{ name: "A" }, { name: "B" }],
      values: ramp(40),
      interval: interval(100, 2),
      synchUnit: 100,
      synch: [[0, 20], [50, 20]],
      samplesPerEpisode: 20,
      stimulus: { sweeps: 2, values: ramp(20, -10), units: "mV", scale: 20 },
    });
    const target = await convert(bytes);
    const played = await readArray(target, "stimulus/Cmd 0");
    assert.deepEqual([...played.data as Int16Array], ramp(20, -10));
    assert.deepEqual(played.shape, [2, 10]);
    assert.equal(played.attrs.units, "mV");
    assert.equal(played.attrs.scale_factor, 10 * 20 / 32768);
    const signals = await readArray(target, "signals");
    assert.deepEqual(signals.shape, [2, 2, 10]);
    assert.deepEqual([...signals.data as Int16Array].slice(0, 10), ramp(10).map((i) => 2 * i));
  });

  Deno.test(`ABF ${version}: a cut file gives what is there`, async () => {
    const file: AbfFile = {
      mode: 5,
      inputs: [{ name: "A" }],
      values: ramp(60),
      interval: 100,
      synchUnit: 100,
      synch: [[0, 20], [500, 20], [1000, 20]],
      samplesPerEpisode: 20,
      episodes: 3,
      tags: [[1, "lost", 1]],
    };
    const whole = build(file);
    const data = (await open(whole)).frameTables[0].offset[0];
    const dataset = await open(whole.slice(0, data + 2 * 50));
    assert.equal(dataset.recordings[0].sampleCount, 50);
    assert.deepEqual(dataset.events, []);
    const said = dataset.warnings.join("\n");
    assert.match(said, /it has 50 of the 60 scans/);
    assert.match(said, /synch array .* cannot be in this file/);
    assert.match(said, /tags .* cannot be in this file/);
    // Two sweeps of the header's length, and what there is of the third.
    assert.deepEqual(dataset.recordings[0].segments.map((s) => s.length), [20, 20, 10]);
    await assert.rejects(
      open(whole.slice(0, 300)),
      (e) => isFuseError(e, "Truncated") && /rec\.abf/.test(e.message),
    );
  });

  Deno.test(`ABF ${version}: a recording that was not closed is read to its end`, async () => {
    const dataset = await open(build({
      mode: 3,
      inputs: [{ name: "A" }, { name: "B" }],
      values: ramp(64),
      interval: interval(100, 2),
      valueCount: 0,
    }));
    assert.equal(dataset.recordings[0].sampleCount, 32);
    assert.match(dataset.warnings.join("\n"), /not closed/);
  });

  Deno.test(`ABF ${version}: a damaged synch array and an impossible date are said, not believed`, async () => {
    const dataset = await open(build({
      mode: 5,
      inputs: [{ name: "A" }, { name: "B" }],
      values: ramp(40),
      interval: interval(100, 2),
      synch: [[0, 19], [40, 21]],
      samplesPerEpisode: 20,
      episodes: 2,
      date: 20201341,
    }));
    assert.equal(dataset.metadata.startTime, undefined);
    assert.equal(dataset.recordings[0].sweepLength, 10);
    const said = dataset.warnings.join("\n");
    assert.match(said, /synch array is damaged/);
    assert.match(said, /date is none/);
  });

  Deno.test(`ABF ${version}: the probe is sure of it, and a wrong one is refused by name`, async () => {
    const bytes = build({ mode: 3, inputs: [{}], values: [1, 2], interval: 10 });
    const probe = (head: Uint8Array, name = "x.bin") =>
      abf.probe({ head: head.subarray(0, PROBE_BYTES), name, size: head.length }).score;
    assert.equal(probe(bytes), 250);
    assert.ok(probe(new Uint8Array(400), "x.abf") <= 40);
    await assert.rejects(open(new Uint8Array(9000)), (e) => isFuseError(e, "Corrupt"));
    const none = bytes.slice();
    if (version === "1") new DataView(none.buffer).setInt16(120, 0, true);
    else new DataView(none.buffer).setInt32(100, 0, true);
    await assert.rejects(
      open(none),
      (e) => isFuseError(e, "Corrupt") && /channels/.test(e.message),
    );
  });
}

Deno.test("ABF 1: what follows a short header are samples, not gains", async () => {
  const values = new Array(4000).fill(1);
  const dataset = await open(buildAbf1({
    version: 1.3,
    mode: 5,
    inputs: [{ name: "", units: "pA", scale: 0.01 }],
    values,
    interval: 20,
    samplesPerEpisode: 2000,
    episodes: 2,
    date: 180618,
    comment: "short",
  }));
  const [recording] = dataset.recordings;
  assert.equal(recording.channels[0].gain, 10 / 32768 / Math.fround(0.01));
  assert.equal(recording.channels[0].name, "ch0");
  assert.equal(recording.sweepLength, 2000);
  assert.equal(recording.segments[1].startSeconds, 0.04);
  assert.equal(dataset.metadata.startTime, "2018-06-18T00:00:00.000");
  assert.equal(dataset.metadata.notes, "short");
});

Deno.test("ABF 1: the autosampled gain of old headers is a telegraph", async () => {
  const dataset = await open(buildAbf1({
    version: 1.5,
    mode: 3,
    inputs: [{ name: "A" }, { name: "B", telegraph: 2, telegraphGain: 20 }],
    values: ramp(10),
    interval: 20,
  }));
  const [a, b] = dataset.recordings[0].channels;
  assert.deepEqual([a.gain, b.gain], [10 / 32768, 10 / 32768 / 20]);
});

Deno.test("ABF 1: a sampling sequence that names one input twice is not followed", async () => {
  const dataset = await open(buildAbf1({
    mode: 3,
    inputs: [{ name: "A", physical: 0 }, { name: "B", physical: 0 }],
    values: ramp(10),
    interval: 20,
  }));
  assert.deepEqual(
    dataset.recordings[0].channels.map((c) => c.attributes!.physical_channel),
    [0, 1],
  );
  assert.match(dataset.warnings.join("\n"), /sampling sequence/);
});

Deno.test("ABF 1: a clock switched inside the sweeps shows in the time axis", async () => {
  const bytes = buildAbf1({
    mode: 5,
    inputs: [{ name: "A" }],
    values: ramp(20),
    interval: 100,
    secondInterval: 400,
    clockChange: 6,
    synchUnit: 100,
    synch: [[0, 10], [10_000, 10]],
    samplesPerEpisode: 10,
    episodes: 2,
  });
  const dataset = await open(bytes);
  assert.equal(dataset.recordings[0].sweepLength, undefined);
  const time = [...(await readArray(await convert(bytes), "time")).data as Float64Array];
  const sweep = [0, 1, 2, 3, 4, 5, 6, 10, 14, 18].map((n) => n * 1e-4);
  assert.deepEqual(time.map((t) => Math.round(t * 1e7)), [
    ...sweep.map((t) => Math.round(t * 1e7)),
    ...sweep.map((t) => Math.round((1 + t) * 1e7)),
  ]);
});

Deno.test("ABF: lengths of a synch array may be times", async () => {
  for (const [first, second] of [[20, 40], [500, 1000]]) {
    const dataset = await open(buildAbf2({
      mode: 1,
      inputs: [{ name: "A" }],
      values: ramp(30),
      interval: 100,
      synchUnit: 50,
      synch: [[0, first], [4000, second]],
    }));
    assert.deepEqual(dataset.recordings[0].segments.map((s) => [s.length, s.startSeconds]), [
      [10, 0],
      [20, 0.2],
    ]);
  }
});

Deno.test("ABF: intervals are freed from the rounding to 32-bit floats, and only from that", () => {
  assert.equal(scanRate(Math.fround(1e6 / 30_000), 1), 30_000);
  assert.equal(scanRate(Math.fround(50 / 3), 3), 20_000);
  assert.equal(scanRate(Math.fround(33.3), 1), 1e7 / 333);
  assert.equal(scanRate(2480, 1), 1e6 / 2480);
  assert.equal(scanRate(Math.fround(12.3456), 1), 1e6 / Math.fround(12.3456));
});

Deno.test("ABF: dates of both lengths, and what is none", () => {
  assert.equal(startTimeOf(20171116, 1), "2017-11-16T00:00:00.001");
  assert.equal(startTimeOf(981231, 0), "1998-12-31T00:00:00.000");
  assert.equal(startTimeOf(20170230, 0), undefined);
  assert.equal(startTimeOf(-1, -1), undefined);
  assert.equal(startTimeOf(0xffffffff, 0), undefined);
});
