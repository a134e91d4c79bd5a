import assert from "node:assert/strict";
import { extended } from "../decoders/ephys/adicht-mac-scales.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { openBytes } from "./support/convert-memory.ts";
import { buildMacDocument, type MacSpec } from "./support/labchart-mac-files.ts";
import { channelSamples } from "./support/materialize.ts";

const open = (spec: MacSpec) => openBytes("recording", buildMacDocument(spec));
const wave = (n: number, k = 7) =>
  Array.from({ length: n }, (_, i) => Math.round(9000 * Math.sin(i * k / 100)) - (i % 3));

async function samples(dataset: Dataset, title: string): Promise<(number | bigint)[]> {
  for (const recording of dataset.recordings) {
    const i = recording.channels.findIndex((c) => c.name === title);
    if (i >= 0) return await channelSamples(dataset, recording, i);
  }
  throw new Error(`no channel ${title}`);
}

const spec = (): MacSpec => ({
  channels: [
    { title: "EMG", base: "mV", fullScale: 10.24 },
    {
      title: "Pes",
      step: 40,
      fullScale: 2.048,
      units: { name: "cmH2O", slope: -12.25, offset: 0.375 },
    },
    { title: "off", units: { name: "kPa", slope: 3, offset: 1, on: false } },
    { title: "plain", plain: [1] },
    { title: "Pdi", step: 0 },
  ],
  records: [
    {
      ticks: 33_000,
      start: 1_500_000_000.125,
      samples: [wave(33_000), wave(825, 3), wave(33_000, 5), wave(33_000, 11)],
      comments: [
        { tick: 5, text: "sniff \x8e", mask: 2 },
        { tick: 20_000 },
        { tick: 20_001, text: "end" },
      ],
    },
    // One storage block tells no rate: it is the neighbour's.
    {
      ticks: 4000,
      start: 1_500_000_100,
      samples: [wave(4000), wave(100, 3), wave(4000, 5), wave(4000, 11)],
    },
  ],
});

Deno.test("adicht: a Macintosh document", async () => {
  const dataset = await open(spec());
  assert.deepEqual(dataset.warnings, []);
  assert.deepEqual(
    dataset.recordings.map((r) => [r.name, r.samplingFrequency, r.channels.map((c) => c.name)]),
    [
      ["recorded_4000hz", 4000, ["EMG", "off"]],
      ["recorded_100hz", 100, ["Pes"]],
      ["calculated_4000hz", 4000, ["plain"]],
    ],
  );
  const [fast, slow, plain] = dataset.recordings;
  assert.deepEqual(fast.segments, [
    { startIndex: 0, length: 33_000, startSeconds: 0 },
    { startIndex: 33_000, length: 4000, startSeconds: 99.875 },
  ]);
  assert.equal(slow.sampleCount, 925);
  const [emg, off] = fast.channels;
  assert.deepEqual([emg.units, emg.gain, emg.offset], ["mV", 10.24 / 32_768, 0]);
  assert.deepEqual([off.units, off.gain, off.offset], ["V", 10.24 / 32_768, 0]);
  const [pes] = slow.channels;
  assert.deepEqual([pes.units, pes.gain, pes.offset], ["cmH2O", -12.25 * 2.048 / 32_768, 0.375]);
  assert.deepEqual(await samples(dataset, "EMG"), [...wave(33_000), ...wave(4000)]);
  assert.deepEqual(await samples(dataset, "Pes"), [...wave(825, 3), ...wave(100, 3)]);
  assert.equal(plain.rawType, "float32");
  assert.deepEqual(await samples(dataset, "plain"), [...wave(33_000, 11), ...wave(4000, 11)]);
  const [time, label, channel] = dataset.events.find((t) => t.name === "comments")!.columns
    .map((c) => [...(c.layout as unknown as { values: Iterable<unknown> }).values]);
  assert.deepEqual(time, [0.00125, 5, 5.00025]);
  assert.deepEqual(label, ["sniff é", "", "end"]);
  assert.deepEqual(channel, [1, -1, -1]);
  assert.equal(dataset.metadata.startTime, "2017-07-14T02:40:00.125");
  assert.equal(dataset.metadata.header!.created_by, "LabChart 7.0");
  assert.match(dataset.leftOut[0].why, /a calculated channel/);
});

Deno.test("adicht: a Macintosh document of one short block has no clock", async () => {
  const dataset = await open({
    channels: [{ title: "a" }],
    records: [{ ticks: 10, start: 0, samples: [wave(10)] }],
  });
  const [recording] = dataset.recordings;
  assert.equal(recording.samplingFrequency, null);
  assert.equal(recording.timeGenerated, true);
  assert.match(dataset.warnings.join(), /nothing in the document tells its sampling rate/);
  assert.deepEqual(await samples(dataset, "a"), wave(10));
});

Deno.test("adicht: Macintosh settings files and damage are refused in words", async () => {
  await assert.rejects(
    openBytes("x", buildMacDocument({ channels: [], records: [] })),
    (e) => isFuseError(e, "Unsupported") && /settings file/.test(e.message),
  );
  const good = buildMacDocument(spec());
  const view = new DataView(good.buffer);
  const table = view.getUint32(24);
  const entry = (type: string) => {
    for (let at = table; at < good.length; at += 14) {
      if (String.fromCharCode(...good.subarray(at, at + 4)) === type) return at;
    }
    throw new Error(type);
  };
  const map = view.getUint32(entry("Map4") + 6);
  const cases: [RegExp, (v: DataView) => void][] = [
    [/table of contents lies past/, (v) => v.setUint32(24, 0xfffffff0)],
    [/chunk Map4 lies past/, (v) => v.setUint32(entry("Map4") + 10, 0x7fffffff)],
    [/samples lie past the end/, (v) => v.setUint32(map, 0x7fffffff)],
    [/samples in a form not known.*found 7/, (v) => v.setUint16(map + 18, 7)],
  ];
  for (const [message, spoil] of cases) {
    const bytes = good.slice();
    spoil(new DataView(bytes.buffer));
    await assert.rejects(openBytes("bad", bytes), (error) => {
      assert.ok(isFuseError(error), String(error));
      assert.match(error.message, message);
      return true;
    });
  }
  const unmarked = good.slice();
  unmarked[view.getUint32(map)] = 2;
  await assert.rejects(
    samples(await openBytes("bad", unmarked), "EMG"),
    /packed samples begin with another mark/,
  );
  // A range nobody defined, and a comment list that is none: said, and the rest goes on.
  const odd = good.slice();
  new DataView(odd.buffer).setUint16(map + 16, 99);
  new DataView(odd.buffer).setUint32(view.getUint32(entry("Alc2") + 6) + 30, good.length - 2);
  const dataset = await openBytes("odd", odd);
  assert.match(dataset.warnings.join(), /range 99 or unit 0 is not in the document's lists/);
  assert.match(dataset.warnings.join(), /comments of record 1 could not be read/);
});

Deno.test("adicht: 80-bit floats", () => {
  const of = (...bytes: number[]) => extended(new DataView(Uint8Array.from(bytes).buffer), 0);
  assert.equal(of(0x3f, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0), 1);
  assert.equal(of(0xc0, 0x00, 0xc0, 0, 0, 0, 0, 0, 0, 0), -3);
  assert.equal(of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
  assert.equal(of(0x7f, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0), Infinity);
  assert.ok(Number.isNaN(of(0x7f, 0xff, 0xc0, 0, 0, 0, 0, 0, 0, 0)));
  assert.equal(of(0x3b, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0), 2 ** -1025);
});
