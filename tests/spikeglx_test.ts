import assert from "node:assert/strict";
import { isFuseError } from "../src/errors.ts";
import { openDataset } from "../src/identify.ts";
import type { Dataset } from "../src/model/dataset.ts";
import type { FrameLayout } from "../src/model/layout.ts";
import { MemorySource } from "../src/source/memory.ts";
import { compressedScans } from "./support/acquisition-files.ts";
import { convertDataset } from "./support/convert-memory.ts";
import { channelSamples, frameChannel } from "./support/materialize.ts";

/** Scans of `channels` samples: sample `k` of channel `c` is `1000 * c + k`. */
function scans(channels: number, count: number): Uint8Array {
  const values = new Int16Array(channels * count);
  for (let k = 0; k < count; k++) {
    for (let c = 0; c < channels; c++) values[k * channels + c] = 1000 * c + k;
  }
  return new Uint8Array(values.buffer);
}

function metaText(fields: Record<string, string | number>): Uint8Array {
  const all = {
    fileCreateTime: "2024-05-06T07:08:09",
    fileName: "D:/x.bin",
    fileTimeSecs: 1,
    ...fields,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key}=${value}\r\n`);
  return new TextEncoder().encode(lines.join(""));
}

const imec = (fields: Record<string, string | number> = {}) => ({
  typeThis: "imec",
  fileSizeBytes: 30,
  nSavedChans: 3,
  imSampRate: 30000.39,
  imAiRangeMax: 0.6,
  imDatPrb_type: 0,
  acqApLfSy: "4,4,1",
  snsApLfSy: "2,0,1",
  snsSaveChanSubset: "1,3,8",
  "~imroTbl": "(0,4)(0 0 0 500 250 1)(1 0 0 1000 250 1)(2 0 0 500 250 1)(3 0 0 250 125 1)",
  "~snsChanMap": "(4,4,1)(AP1;1:0)(AP3;3:1)(SY0;8:2)",
  ...fields,
});

const BASE = "run_g0_t0.imec0.ap";
const open = async (
  fields: Record<string, string | number>,
  bytes: Uint8Array,
  { base = BASE, byMeta = false } = {},
): Promise<Dataset> => {
  const files = { [`${base}.meta`]: metaText(fields), [`${base}.bin`]: bytes };
  const main = `${base}.${byMeta ? "meta" : "bin"}`;
  const { [main]: first, ...others } = files;
  return (await openDataset(new MemorySource(main, first, others))).dataset;
};

Deno.test("spikeglx: a subset of a probe's channels, each with its gain, from either file", async () => {
  for (const byMeta of [false, true]) {
    const dataset = await open(imec(), scans(3, 5), { byMeta });
    assert.equal(dataset.format, "spikeglx");
    assert.deepEqual(dataset.warnings, []);
    const [recording] = dataset.recordings;
    assert.deepEqual(recording.channels.map((c) => [c.name, c.units, c.gain]), [
      ["AP1", "uV", 0.6e6 / 512 / 1000],
      ["AP3", "uV", 0.6e6 / 512 / 250],
    ]);
    assert.equal(recording.samplingFrequency, 30000.39);
    assert.deepEqual(await channelSamples(dataset, recording, 1), [1000, 1001, 1002, 1003, 1004]);
    const [words] = dataset.arrays;
    assert.equal(words.path, "digital/SY0");
    assert.deepEqual(
      await frameChannel(dataset, words.layout as FrameLayout, 0, 5),
      [2000, 2001, 2002, 2003, 2004],
    );
    assert.ok(dataset.digital[0].lines.some((l) => l.bit === 6 && l.name === "SY0_sync"));
    assert.equal(dataset.metadata.startTime, "2024-05-06T07:08:09");
  }
});

Deno.test("spikeglx: gains of the LF band and of later probes", async () => {
  const gainOf = async (fields: Record<string, string | number>) =>
    (await open(imec(fields), scans(3, 5))).recordings[0].channels.map((c) => c.gain);
  assert.deepEqual(
    await gainOf({
      snsApLfSy: "0,2,1",
      snsSaveChanSubset: "4,7,8",
      "~snsChanMap": "(4,4,1)(LF0;4:0)(LF3;7:1)(SY0;8:2)",
    }),
    [0.6e6 / 512 / 250, 0.6e6 / 512 / 125],
  );
  const later = {
    acqApLfSy: "4,0,1",
    snsSaveChanSubset: "0,1,4",
    imAiRangeMax: 0.5,
    "~imroTbl": "(24,2)(0 0 0 0 0)(1 1 0 0 1)",
  };
  const two = (gain: number) => [gain, gain];
  assert.deepEqual(await gainOf({ ...later, imDatPrb_type: 24 }), two(0.5e6 / 8192 / 80));
  assert.deepEqual(
    await gainOf({ ...later, imDatPrb_type: 2013, imMaxInt: 2048, imChan0apGain: 100 }),
    two(0.5e6 / 2048 / 100),
  );
  assert.deepEqual(await gainOf({ ...later, imDatPrb_type: 2020 }), two(0.5e6 / 2048 / 100));
  assert.deepEqual(
    await gainOf({ imDatPrb_type: 1110, "~imroTbl": "(1110,2,0,500,250,1)(0 0 0)(1 0 0)" }),
    two(0.6e6 / 512 / 500),
  );
  const unknown = await open(
    imec({ ...later, imDatPrb_type: 9999, "~imroTbl": "(9999,2)(0 0 0)" }),
    scans(3, 5),
  );
  assert.match(unknown.warnings[0], /no AP gain/);
  assert.deepEqual(unknown.recordings[0].channels.map((c) => [c.gain, c.units]), [[1, ""], [
    1,
    "",
  ]]);
});

Deno.test("spikeglx: NI inputs by kind, digital lines of two devices as events", async () => {
  const bytes = scans(4, 4);
  const words = new Int16Array(bytes.buffer);
  // Line 1 of the first device rises at scan 1; line 0 of the second, a byte higher, at scan 2.
  [0, 2, 0x102, 0x100].forEach((word, k) => words[4 * k + 3] = word);
  const dataset = await open(
    {
      typeThis: "nidq",
      fileSizeBytes: 32,
      nSavedChans: 4,
      niSampRate: 25000,
      niAiRangeMax: 5,
      niMNGain: 200,
      niMAGain: 2,
      acqMnMaXaDw: "1,1,1,1",
      snsMnMaXaDw: "1,1,1,1",
      snsSaveChanSubset: "all",
      niXDBytes1: 1,
      niXDChans1: "0:1",
      niXDBytes2: 1,
      niXDChans2: "0",
      "~snsChanMap": "(1,1,1,1,1)(MN0C0;0:0)(MA0C0;1:1)(XA0;2:2)(XD0;3:3)",
    },
    bytes,
    { base: "run_g0_t0.nidq" },
  );
  assert.deepEqual(
    dataset.recordings.map((r) => [r.name, r.channels[0].name, r.channels[0].gain]),
    [["mn", "MN0C0", 5 / 32768 / 200], ["ma", "MA0C0", 5 / 32768 / 2], ["xa", "XA0", 5 / 32768]],
  );
  assert.deepEqual(dataset.digital[0].lines.map((l) => [l.bit, l.name]), [
    [0, "XD0_line0"],
    [1, "XD0_line1"],
    [8, "XD0_device2_line0"],
  ]);
  const target = await convertDataset(dataset);
  assert.ok([...target.objects.keys()].some((key) => key.includes("XD0_device2_line0")));
});

Deno.test("spikeglx: sizes that do not agree, fields that are wrong", async () => {
  const short = await open(imec({ fileSizeBytes: 0 }), scans(3, 5).subarray(0, 29));
  assert.equal(short.recordings[0].sampleCount, 4);
  assert.match(short.warnings[0], /counts 0 bytes/);
  assert.match(short.leftOut[0].what, /last 5 bytes/);
  const fails = (fields: Record<string, string | number>, tag: "Truncated" | "Corrupt") =>
    assert.rejects(open(imec(fields), scans(3, 5)), (e) => isFuseError(e, tag));
  await fails({ fileSizeBytes: 60 }, "Truncated");
  await fails({ nSavedChans: 4 }, "Corrupt");
  await fails({ snsApLfSy: "a,b,c" }, "Corrupt");
  await fails({ snsSaveChanSubset: "0:999999999" }, "Corrupt");
  await fails({ imSampRate: "" }, "Corrupt");
  await fails({ typeThis: "toString" }, "Corrupt");
  const alone = openDataset(new MemorySource(`${BASE}.meta`, metaText(imec())));
  await assert.rejects(alone, (e) => isFuseError(e, "Truncated"));
});

Deno.test("spikeglx: compressed samples, words and edges, from any file of the set", async () => {
  const scans = Array.from({ length: 70 }, (_, k) => [32_767 - 900 * k, k, k >= 40 ? 64 : 0])
    .map((row) => row.map((v) => v << 16 >> 16));
  for (const [spatial, order] of [[false, "F"], [true, "F"], [true, "C"]] as const) {
    const { cbin, ch } = compressedScans(scans, 32, spatial, order);
    const files: Record<string, Uint8Array> = {
      [`${BASE}.cbin`]: cbin,
      [`${BASE}.ch`]: ch,
      [`${BASE}.meta`]: metaText(imec()),
    };
    for (const main of Object.keys(files)) {
      const { dataset } = await openDataset(new MemorySource(main, files[main], files));
      const [recording] = dataset.recordings;
      assert.equal(dataset.format, "spikeglx");
      assert.deepEqual(recording.channels.map((c) => c.name), ["AP1", "AP3"]);
      assert.equal(recording.sampleCount, 70);
      const read = new Map<string, unknown[]>();
      for await (const { field, values, count } of dataset.openStream!("samples", {})) {
        const all = Array.from(values as ArrayLike<unknown>);
        const kept = field === "samples" ? all.slice(0, 2 * count) : all;
        read.set(field, [...read.get(field) ?? [], ...kept]);
      }
      const first = [0, 32, 64].flatMap((from) => {
        const chunk = scans.slice(from, from + 32);
        return [0, 1].flatMap((c) => chunk.map((row) => row[c]));
      });
      assert.deepEqual(read.get("samples"), first);
      assert.deepEqual(read.get("word_2"), scans.map((row) => row[2]));
      assert.deepEqual(read.get("SY0_sync/time"), [40 / 30000.39]);
      assert.deepEqual(read.get("SY0_sync/label"), ["rise"]);
      assert.ok(dataset.events.some((e) => e.name === "SY0_sync"));
    }
  }
  const { cbin, ch } = compressedScans(scans, 32, false, "F");
  const fails = async (description: Uint8Array, samples: Uint8Array, tag: string) => {
    const files: Record<string, Uint8Array> = {
      [`${BASE}.cbin`]: samples,
      [`${BASE}.ch`]: description,
      [`${BASE}.meta`]: metaText(imec()),
    };
    await assert.rejects(async () => {
      const source = new MemorySource(`${BASE}.cbin`, samples, files);
      const { dataset } = await openDataset(source);
      for await (const _ of dataset.openStream!("samples", {}));
    }, (e) => isFuseError(e) && e.tag === tag);
  };
  await fails(ch.subarray(0, 40), cbin, "Corrupt");
  await fails(ch, cbin.subarray(0, -1), "Truncated");
  await fails(ch, new Uint8Array(cbin.length), "Corrupt");
  const text = new TextDecoder().decode(ch);
  await fails(new TextEncoder().encode(text.replace("[0,32,", "[0,31,")), cbin, "Corrupt");
  await fails(new TextEncoder().encode(text.replace('"int16"', '"float32"')), cbin, "Unsupported");
});
