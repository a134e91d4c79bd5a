/** Forward passes over datasets whose values are no numbers of fixed size: texts, references, sequences. */
import type { Json, StreamBlock } from "../../src/model/dataset.ts";
import { allocate, type DType, type NumericArray } from "../../src/model/dtype.ts";
import { secondsOf } from "../mapping/time-vectors.ts";
import { valueJson } from "./hdf5/attributes.ts";
import type { Dataset5 } from "./hdf5/dataset.ts";
import { type Leaf, leavesOf } from "./hdf5/elements.ts";
import type { Complex, Value } from "./hdf5/values.ts";

/** Stored bytes decoded at a time. */
const PIECE_BYTES = 4 << 20;
/** Elements decoded at a time. */
const PIECE_ELEMENTS = 16_384;

/** Rows of a dataset that are decoded at a time: whole chunks where they are not too large. */
async function* pieces(dataset: Dataset5): AsyncGenerator<{ start: number[]; shape: number[] }> {
  const { extent } = dataset;
  if (extent.some((n) => n === 0)) return;
  const row = extent.slice(1).reduce((a, b) => a * b, 1);
  const fits = Math.max(
    1,
    Math.min(
      Math.floor(PIECE_BYTES / (row * dataset.type.size)),
      Math.floor(PIECE_ELEMENTS / row),
    ),
  );
  const { chunkShape: [chunkRows] } = await dataset.chunks();
  const rows = chunkRows <= fits ? fits - fits % chunkRows : fits;
  for (let at = 0; at < extent[0]; at += rows) {
    const count = Math.min(rows, extent[0] - at);
    yield { start: [at, ...extent.slice(1).map(() => 0)], shape: [count, ...extent.slice(1)] };
  }
}

/** What a leaf picks out of a decoded element: the values inside all arrays around it. */
function pick(value: Value, names: string[], depth: number): Value[] {
  if (Array.isArray(value) && depth > 0) return value.flatMap((v) => pick(v, names, depth - 1));
  if (names.length === 0) return [value];
  const member = (value as { [name: string]: Value })[names[0]];
  return pick(member, names.slice(1), depth);
}

/** All items of one leaf in some elements. */
function itemsOf(values: ArrayLike<Value>, leaf: Leaf): Value[] {
  const out: Value[] = [];
  for (let i = 0; i < values.length; i++) {
    for (const item of pick(values[i], leaf.names, leaf.arrays.length)) out.push(item);
  }
  return out;
}

async function textsOf(dataset: Dataset5, items: Value[]): Promise<string[]> {
  const out: string[] = [];
  for (const item of items) {
    if (typeof item === "string") out.push(item);
    else {
      const json: Json = await valueJson(item, (address) => dataset.file.pathOf(address));
      out.push(typeof json === "string" ? json : JSON.stringify(json));
    }
  }
  return out;
}

/** Texts of a leaf (references as paths), in order, a block at a time. */
export async function* textBlocks(dataset: Dataset5, leaf: Leaf): AsyncGenerator<StreamBlock> {
  for await (const { start, shape } of pieces(dataset)) {
    const values = await dataset.read(start, shape) as Value[];
    const texts = await textsOf(dataset, itemsOf(values, leaf));
    yield { field: "values", values: texts, count: shape[0] };
  }
}

/** One array that holds a part of the items of all sequences: the items, or a member of compound items. */
export interface SequencePart {
  /** Field of the pass. */
  field: string;
  /** Members on the way to it. */
  leaf: Leaf;
  dtype: DType;
}

/** The parts of a leaf's sequences; undefined when they are sequences of sequences. */
export function sequenceParts(leaf: Leaf): SequencePart[] | undefined {
  if (leaf.type.class !== "sequence") return undefined;
  const { base } = leaf.type;
  // Names of an enumeration say more than its numbers where there is no attribute to explain them.
  const leaves = leavesOf(base)?.map((
    l,
  ) => (l.type.class === "enum" ? { ...l, number: undefined } : l));
  if (!leaves || leaves.some((l) => l.type.class === "sequence")) return undefined;
  return leaves.map((l): SequencePart => {
    const dtype = l.number?.dtype ?? "string";
    return {
      field: ["values", ...l.names].join("/"),
      leaf: l,
      dtype: dtype === "float16" ? "float32" : dtype,
    };
  });
}

/** The items of all sequences of a leaf, one after the other, and how many each has. */
export async function* sequenceBlocks(
  dataset: Dataset5,
  leaf: Leaf,
  parts: SequencePart[],
): AsyncGenerator<StreamBlock> {
  for await (const { start, shape } of pieces(dataset)) {
    const values = await dataset.read(start, shape) as Value[];
    const sequences = itemsOf(values, leaf) as Value[][];
    const lengths = Uint32Array.from(sequences, (s) => s.length);
    yield { field: "lengths", values: lengths, count: shape[0] };
    const items = sequences.flat();
    if (items.length === 0) continue;
    for (const { field, leaf: part, dtype } of parts) {
      const own = itemsOf(items, part);
      const block = dtype === "string" ? await textsOf(dataset, own) : numbersOf(dtype, own);
      yield { field, values: block, count: items.length };
    }
  }
}

/** Numbers of a type as a typed array. */
function numbersOf(type: DType, items: Value[]): NumericArray {
  if (type === "complex64" || type === "complex128") {
    const parts = (items as Complex[]).flatMap(({ re, im }) => [re, im]);
    const pairs = type === "complex64" ? Float32Array.from(parts) : Float64Array.from(parts);
    return new Uint8Array(pairs.buffer);
  }
  // Opaque items are bytes: they lie one after the other.
  const flat = items.flatMap((v) => (v instanceof Uint8Array ? [...v] : [v]));
  const out = allocate(type, flat.length);
  const big = type === "int64" || type === "uint64";
  for (let i = 0; i < flat.length; i++) {
    out[i] = (big ? BigInt(flat[i] as number) : Number(flat[i])) as never;
  }
  return out;
}

/** Times of a vector in seconds, a block at a time. */
export async function* timeBlocks(
  dataset: Dataset5,
  leaf: Leaf,
  secondsPerUnit: number,
  zero: number | bigint,
): AsyncGenerator<StreamBlock> {
  for await (const { start, shape } of longPieces(dataset)) {
    const values = await dataset.readLeaf(leaf, start, shape);
    const seconds = secondsOf(values, secondsPerUnit, zero);
    yield { field: "values", values: seconds, count: seconds.length };
  }
}

/** Pieces along the only long axis of a vector. */
async function* longPieces(
  dataset: Dataset5,
): AsyncGenerator<{ start: number[]; shape: number[] }> {
  const { extent } = dataset;
  const axis = extent.findIndex((n) => n > 1);
  const { chunkShape } = await dataset.chunks();
  const chunk = axis < 0 ? 1 : chunkShape[axis];
  const fits = Math.max(1, Math.floor(PIECE_BYTES / dataset.type.size));
  const step = chunk <= fits ? fits - fits % chunk : fits;
  const length = axis < 0 ? 1 : extent[axis];
  for (let at = 0; at < length; at += step) {
    const count = Math.min(step, length - at);
    yield {
      start: extent.map((_, i) => (i === axis ? at : 0)),
      shape: extent.map((_, i) => (i === axis ? count : 1)),
    };
  }
}
