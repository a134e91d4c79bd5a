import assert from "node:assert/strict";
import { neuroexplorer } from "../decoders/ephys/neuroexplorer.ts";
import { reader } from "../decoders/ephys/neuroexplorer-reader.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { channelSamples } from "./support/materialize.ts";

/** A variable's header fields and its data. */
interface Spec {
  type: number;
  name: string;
  count: number;
  data: ArrayBufferView[];
  rate?: number;
  points?: number;
  fields?: number;
  markerBytes?: number;
  float?: boolean;
}

const bytesOf = (v: ArrayBufferView) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
const text = (s: string, length: number) => {
  const out = new Uint8Array(length);
  out.set(new TextEncoder().encode(s));
  return out;
};

/** A file with 1000 stamps a second; .nex5 with 64-bit stamps and metadata. */
function nexFile(specs: Spec[], wide = false): Uint8Array {
  const [fileBytes, variableBytes] = wide ? [356, 244] : [544, 208];
  const parts = specs.map((s) => s.data.map(bytesOf));
  const dataBytes = parts.flat().reduce((n, p) => n + p.length, 0);
  const meta = text(wide ? '{"file": {"writerSoftware": "test"}}' : "", wide ? 36 : 0);
  const start = fileBytes + specs.length * variableBytes;
  const out = new Uint8Array(start + dataBytes + meta.length);
  const view = new DataView(out.buffer);
  out.set(text(wide ? "NEX5" : "NEX1", 4));
  view.setInt32(4, wide ? 501 : 106, true);
  out.set(text("a comment", 256), 8);
  view.setFloat64(264, 1000, true);
  view.setInt32(280, specs.length, true);
  if (wide) view.setBigUint64(284, BigInt(start + dataBytes), true);
  let at = start;
  specs.forEach((s, i) => {
    const h = fileBytes + i * variableBytes;
    view.setInt32(h, s.type, true);
    view.setInt32(h + 4, wide ? 500 : 106, true);
    out.set(text(s.name, 64), h + 8);
    if (wide) {
      view.setBigUint64(h + 72, BigInt(at), true);
      view.setBigUint64(h + 80, BigInt(s.count), true);
      view.setInt32(h + 88, 1, true);
      view.setInt32(h + 92, s.float ? 1 : 0, true);
      view.setFloat64(h + 96, s.rate ?? 0, true);
      out.set(text("uV", 32), h + 104);
      view.setFloat64(h + 136, 0.5, true);
      view.setFloat64(h + 144, 2, true);
      view.setBigUint64(h + 152, BigInt(s.points ?? 0), true);
      view.setInt32(h + 168, 1, true);
      view.setInt32(h + 172, s.fields ?? 0, true);
    } else {
      view.setUint32(h + 72, at, true);
      view.setInt32(h + 76, s.count, true);
      view.setFloat64(h + 112, s.rate ?? 0, true);
      view.setFloat64(h + 120, 0.25, true);
      view.setInt32(h + 128, s.points ?? 0, true);
      view.setInt32(h + 132, s.fields ?? 0, true);
      view.setInt32(h + 136, s.markerBytes ?? 0, true);
      view.setFloat64(h + 140, -1, true);
    }
    for (const part of parts[i]) {
      out.set(part, at);
      at += part.length;
    }
  });
  out.set(meta, at);
  return out;
}

const open = (bytes: Uint8Array): Promise<Dataset> =>
  reader.open(new MemorySource("a.nex", bytes), {});

const values = (dataset: Dataset, table: string, column: string) => {
  const { layout } = dataset.events.find((t) => t.name === table)!.columns
    .find((c) => c.name === column)!;
  return Array.from((layout as { values: ArrayLike<unknown> }).values);
};

Deno.test("both magics are sure", () => {
  const score = (bytes: Uint8Array) =>
    neuroexplorer.probe({ head: bytes, name: "a.bin", size: bytes.length }).score;
  assert.deepEqual([score(nexFile([])), score(nexFile([], true)), score(text("NEX", 9))], [
    250,
    250,
    0,
  ]);
});

Deno.test(".nex: every kind of variable", async () => {
  const dataset = await open(nexFile([
    { type: 0, name: "sig1a", count: 3, data: [Int32Array.of(3, 10, 2000)] },
    { type: 1, name: "Stim", count: 1, data: [Int32Array.of(500)] },
    { type: 2, name: "Epoch", count: 2, data: [Int32Array.of(100, 300, 150, 900)] },
    {
      type: 3,
      name: "wf",
      count: 2,
      rate: 20_000,
      points: 3,
      data: [Int32Array.of(5, 7), Int16Array.of(1, 2, 3, 4, 5, 6)],
    },
    { type: 4, name: "pop", count: 1, data: [Float64Array.of(1)] },
    {
      type: 6,
      name: "Key",
      count: 2,
      fields: 1,
      markerBytes: 4,
      data: [Int32Array.of(1, 2), text("DIO", 64), text("12\0\x0034\0\0", 8)],
    },
    {
      type: 5,
      name: "LFP",
      count: 3,
      rate: 500,
      points: 6,
      // The second fragment follows the first, the third begins after a pause.
      data: [
        Int32Array.of(100, 104, 200),
        Int32Array.of(0, 2, 4),
        Int16Array.of(1, -2, 3, -4, 5, -6),
      ],
    },
  ]));
  assert.deepEqual(values(dataset, "sig1a", "time"), [0.003, 0.01, 2]);
  assert.deepEqual(values(dataset, "Epoch", "duration").map((d) => Math.round(1000 * Number(d))), [
    50,
    600,
  ]);
  assert.deepEqual(values(dataset, "wf", "waveform"), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(values(dataset, "Key", "label"), ["12", "34"]);
  const [weights] = dataset.arrays;
  assert.deepEqual([weights.path, weights.shape], ["population_vectors/pop", [1]]);
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 4, startSeconds: 0.1 },
    { startIndex: 4, length: 2, startSeconds: 0.2 },
  ]);
  const { gain, offset, units } = recording.channels[0];
  assert.deepEqual([gain, offset, units], [0.25, -1, "mV"]);
  assert.deepEqual(await channelSamples(dataset, recording, 0), [1, -2, 3, -4, 5, -6]);
});

Deno.test(".nex5: 64-bit stamps, floats in their own unit, numeric markers, metadata", async () => {
  const dataset = await open(nexFile([
    { type: 0, name: "n", count: 1, data: [BigInt64Array.of(5_000_000_000n)] },
    {
      type: 5,
      name: "f",
      count: 1,
      rate: 1000,
      points: 2,
      float: true,
      data: [BigInt64Array.of(0n), Uint32Array.of(0), Float32Array.of(0.5, -0.5)],
    },
    {
      type: 5,
      name: "i",
      count: 1,
      rate: 1000,
      points: 2,
      data: [BigInt64Array.of(0n), Uint32Array.of(0), Int16Array.of(7, 8)],
    },
    {
      type: 6,
      name: "m",
      count: 1,
      fields: 1,
      data: [BigInt64Array.of(1n), text("code", 64), Uint32Array.of(77)],
    },
  ], true));
  assert.deepEqual(values(dataset, "n", "time"), [5e6]);
  assert.deepEqual(values(dataset, "m", "label"), [77]);
  const [float, int] = dataset.recordings;
  assert.deepEqual(await channelSamples(dataset, float, 0), [0.5, -0.5]);
  assert.deepEqual([float.channels[0].gain, float.channels[0].offset], [1, 0]);
  assert.deepEqual(await channelSamples(dataset, int, 0), [7, 8]);
  assert.deepEqual([int.channels[0].gain, int.channels[0].offset, int.channels[0].units], [
    0.5,
    2,
    "uV",
  ]);
  assert.deepEqual(dataset.metadata.header?.metadata, { file: { writerSoftware: "test" } });
});

Deno.test("damage is named", async () => {
  const neuron = { type: 0, name: "n", count: 3, data: [Int32Array.of(1, 2, 3)] };
  const fails = (bytes: Uint8Array, tag: string) =>
    assert.rejects(open(bytes), (e) => isFuseError(e) && e.tag === tag);
  await fails(nexFile([{ ...neuron, count: 4 }]), "Truncated");
  await fails(nexFile([{ ...neuron, count: -1 }]), "Corrupt");
  await fails(nexFile([{ ...neuron, type: 9 }]), "Corrupt");
  await fails(nexFile([neuron]).subarray(0, 600), "Truncated");
  const many = nexFile([neuron]);
  new DataView(many.buffer).setInt32(280, 2e9, true);
  await fails(many, "Limit");
});
