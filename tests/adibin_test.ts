import assert from "node:assert/strict";
import { adibin } from "../decoders/ephys/adibin.ts";
import { FORMATS } from "../decoders/registry.ts";
import { isFuseError } from "../src/errors.ts";
import { openDataset } from "../src/identify.ts";
import type { Dataset } from "../src/model/dataset.ts";
import type { FrameLayout } from "../src/model/layout.ts";
import { ForwardSource } from "../src/source/forward.ts";
import { MemorySource } from "../src/source/memory.ts";
import { type AdibinSpec, buildAdibin } from "./support/adibin-files.ts";
import { openBytes } from "./support/convert-memory.ts";
import { channelSamples, frameChannel } from "./support/materialize.ts";

const open = (spec: AdibinSpec, name = "x.adibin") => openBytes(name, buildAdibin(spec));
const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

const two = (samples: number[], more: Partial<AdibinSpec> = {}): AdibinSpec => ({
  channels: [{ title: "a", samples }, { title: "b", samples: samples.map((v) => -v) }],
  ...more,
});

Deno.test("adibin: 16-bit samples, offset added before the scale", async () => {
  const dataset = await open({
    channels: [
      { title: "Druck", units: "mmHg", scale: 0.0125, offset: 40, samples: [-32768, 32767, 5] },
      { title: latin1("Temp\0old"), units: latin1("°C"), scale: 2, samples: [1, 2, 3] },
      { title: "", range: [-5, 5], samples: [7, 8, 9] },
    ],
  });
  assert.deepEqual(dataset.warnings, []);
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units, c.gain, c.offset]), [
    ["Druck", "mmHg", 0.0125, 0.5],
    ["Temp", "°C", 2, 0],
    ["channel_3", "V", 1, 0],
  ]);
  assert.deepEqual(recording.channels[2].attributes, { range: [-5, 5] });
  assert.equal(recording.samplingFrequency, 1000);
  assert.deepEqual(recording.segments, [{ startIndex: 0, length: 3, startSeconds: 0 }]);
  assert.deepEqual(await channelSamples(dataset, recording, 0), [-32768, 32767, 5]);
  assert.deepEqual(await channelSamples(dataset, recording, 2), [7, 8, 9]);
  assert.equal(dataset.metadata.startTime, "2026-11-21T09:05:07.250");
});

Deno.test("adibin: floats as they are, time before the trigger, the time column kept", async () => {
  for (const format of [1, 2]) {
    const values = [0.5, -1e-3, 1e30].map((v) => (format === 2 ? Math.fround(v) : v));
    const dataset = await open(
      two(values, { format, preTrigger: 0.25, secondsPerTick: 1 / 240, times: [0, 1, 2] }),
    );
    const [recording] = dataset.recordings;
    assert.equal(recording.samplingFrequency, 240);
    assert.equal(recording.segments[0].startSeconds, -0.25);
    assert.equal(recording.rawType, format === 1 ? "float64" : "float32");
    assert.deepEqual(await channelSamples(dataset, recording, 0), values);
    assert.deepEqual(await channelSamples(dataset, recording, 1), values.map((v) => -v));
    const [time] = dataset.arrays;
    assert.equal(time.path, "source/time_column");
    assert.deepEqual(await frameChannel(dataset, time.layout as FrameLayout, 0, 3), [0, 1, 2]);
  }
  const scaled = await open({
    format: 2,
    channels: [{ title: "x", scale: 3, offset: 1, samples: [1] }],
  });
  assert.equal(scaled.recordings[0].channels[0].gain, 1);
  assert.match(scaled.warnings.join(), /not applied to floating-point/);
});

Deno.test("adibin: dates that are none are left away", async () => {
  const start = async (trigger: number[]) => (await open(two([1], { trigger }))).metadata.startTime;
  assert.equal(await start([2025, 2, 3, 23, 59, 59.5]), "2025-02-03T23:59:59.500");
  assert.equal(await start([2024, 2, 29, 0, 0, 59.9999999]), "2024-02-29T00:00:59.999999");
  for (const bad of [[0, 0, 0, 0, 0, 0], [2025, 2, 29, 0, 0, 0], [2025, 1, 1, 24, 0, 0]]) {
    assert.equal(await start(bad), undefined);
  }
  assert.equal(await start([2025, 1, 1, 0, 0, NaN]), undefined);
});

Deno.test("adibin: a header filled in late, and bytes behind the samples", async () => {
  const late = await open(two([1, 2, 3], { samples: 0 }));
  assert.equal(late.recordings[0].sampleCount, 3);
  assert.match(late.warnings.join(), /the 3 in the file are taken/);
  const more = await open(two([1, 2, 3], { trailingBytes: 5, samples: 2 }));
  assert.equal(more.recordings[0].sampleCount, 2);
  assert.equal(more.leftOut[0].what, "9 bytes after the samples");
});

Deno.test("adibin: through a pipe", async () => {
  for (const samples of [undefined, 0]) {
    const bytes = buildAdibin(two([1, -2, 300], { samples }));
    const source = new ForwardSource({
      name: "x.adibin",
      uri: "-",
      distance: "local",
      again: false,
      why: "a pipe",
      async *pass() {
        for (let at = 0; at < bytes.length; at += 50) yield bytes.subarray(at, at + 50);
      },
    });
    const dataset: Dataset = (await openDataset(source)).dataset;
    const [recording] = dataset.recordings;
    assert.equal(recording.sampleCount, samples === 0 ? null : 3);
    const blocks = [];
    for await (const block of dataset.openStream!("adibin", {})) blocks.push(...block.values);
    assert.deepEqual(blocks, [1, -2, 300, -1, 2, -300]);
  }
});

Deno.test("adibin: what contradicts the format is refused with its place", async () => {
  const cases: [RegExp, (view: DataView) => void][] = [
    [/another version.*found 2/, (v) => v.setInt32(4, 2, true)],
    [/sampling interval/, (v) => v.setFloat64(8, 0, true)],
    [/sampling interval/, (v) => v.setFloat64(8, NaN, true)],
    [/time before the trigger/, (v) => v.setFloat64(44, Infinity, true)],
    [/number of channels/, (v) => v.setInt32(52, 0, true)],
    [/more channels than allowed/, (v) => v.setInt32(52, 0x7fffffff, true)],
    [/ends inside its header/, (v) => v.setInt32(52, 1000, true)],
    [/number of samples/, (v) => v.setInt32(56, -1, true)],
    [/ends before its samples.*found 3 samples.*expected 4/, (v) => v.setInt32(56, 4, true)],
    [/time column of 16-bit/, (v) => v.setInt32(60, 1, true)],
    [/unknown data format/, (v) => v.setInt32(64, 4, true)],
  ];
  for (const [message, spoil] of cases) {
    const bytes = buildAdibin(two([1, 2, 3]));
    spoil(new DataView(bytes.buffer));
    const reader = await adibin.load();
    await assert.rejects(reader.open(new MemorySource("bad.adibin", bytes), {}), (error) => {
      assert.ok(isFuseError(error));
      assert.match(error.message, message);
      assert.match(error.message, /bad\.adibin/);
      return true;
    });
  }
  await assert.rejects(
    openBytes("x.adibin", buildAdibin(two([1])).subarray(0, 40)),
    (error) => isFuseError(error, "Truncated"),
  );
});

Deno.test("ADInstruments files nobody has described are named and refused", async () => {
  const noise = Uint8Array.from({ length: 600 }, (_, i) => (i * 37) % 251);
  for (
    const [name, message] of [
      ["a.adidat", /an ADIDat file.*not public.*\.adibin/],
      ["A.ADIDATX", /an ADIDat file/],
      ["a.adiset", /settings file: how to record/],
    ] as const
  ) {
    await assert.rejects(openBytes(name, noise), (error) => {
      assert.ok(isFuseError(error, "Unsupported"));
      assert.match(error.message, message);
      return true;
    });
    // Bytes that are known win over the name.
    assert.equal((await openBytes(name, buildAdibin(two([1])))).format, "adibin");
  }
  assert.ok(FORMATS.some((f) => f.id === "adidat"));
});
