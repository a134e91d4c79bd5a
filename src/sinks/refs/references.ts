/**
 * References (kerchunk): a zarr v2 store whose chunks are ranges of the original file, for every array
 * whose chunks plain codecs can decode where they lie. What cannot be expressed is left out and said.
 *
 * Interleaved scans are referenced as `[time, channel]`, just as they lie: no codec is needed. A last
 * chunk that is shorter than the others is kept inside the reference file, filled up.
 */
import type { Attributes, Dataset, Json } from "../../model/dataset.ts";
import { decodedType, type DType, type NumericArray, sizeOf } from "../../model/dtype.ts";
import type { ChunkLayout, FrameLayout } from "../../model/layout.ts";
import { cellOf, type Plan, type PlannedArray } from "../../plan/plan.ts";
import { fillTimes } from "../../stream/clock-task.ts";
import { zarrayDocument } from "../zarr/metadata.ts";
import { vlenUtf8 } from "../zarr/strings.ts";
import { nativeCodec } from "./native-codecs.ts";

/** A key of the store: text, or a range of a file. */
export type Reference = string | [url: string] | [url: string, offset: number, length: number];

/** A whole set of references. */
export interface References {
  refs: Map<string, Reference>;
  /** Arrays that could not be expressed. */
  leftOut: { what: string; why: string }[];
}

/** Bytes of a referenced chunk of interleaved scans. */
const CHUNK_BYTES = 1 << 20;
/** Time axes up to this many samples are kept inside the reference file. */
const INLINE_TIMES = 1 << 20;

/**
 * Makes the references of a planned file.
 * @param urls address of each source, in the order of `dataset.sources`
 */
export async function makeReferences(
  plan: Plan,
  dataset: Dataset,
  urls: string[],
): Promise<References> {
  const out: References = { refs: new Map(), leftOut: [...plan.leftOut] };
  for (const { path, attributes } of plan.groups) {
    out.refs.set(keyIn(path, ".zgroup"), JSON.stringify({ zarr_format: 2 }));
    out.refs.set(keyIn(path, ".zattrs"), text(attributes));
  }
  for (const array of plan.arrays) {
    const why = await addArray(array, plan, dataset, urls, out);
    if (why) out.leftOut.push({ what: array.path, why });
  }
  const root = plan.groups[0].attributes;
  out.refs.set(
    ".zattrs",
    text({ ...root, references_left_out: out.leftOut.map((l) => ({ ...l })) }),
  );
  return out;
}

async function addArray(
  array: PlannedArray,
  plan: Plan,
  dataset: Dataset,
  urls: string[],
  out: References,
): Promise<string | null> {
  const { origin } = array;
  switch (origin.kind) {
    case "values":
      addValues(array, origin.values, out);
      return null;
    case "clock": {
      const [length] = array.shape;
      if (length === null || length > INLINE_TIMES) {
        return "a long generated time axis has no bytes to refer to: sampling_frequency and segments tell the times";
      }
      const times = new Float64Array(length);
      fillTimes(origin, 0, times);
      addInline(array, [length], times, out);
      return null;
    }
    case "image":
      return addChunks(array, array.shape as number[], origin.layout, urls, out);
    case "grid": {
      const [piece] = origin.pieces;
      const plain = origin.pieces.length === 1 && !piece.calibration &&
        piece.start.every((s) => s === 0);
      if (!plain || piece.permutation.some((axis) => axis < 0)) {
        return "several stored arrays make up this one";
      }
      const dims = piece.permutation.map((_, i) => array.dims[piece.permutation.indexOf(i)]);
      return addChunks({ ...array, dims }, piece.shape, piece.layout, urls, out);
    }
    case "signals":
      if (
        origin.parts.length !== 1 || origin.parts[0].layout.kind !== "frames" ||
        origin.parts[0].tail
      ) {
        return "the channels lie in several places of the file";
      }
      return await addFrames(array, origin.parts[0].layout, plan, dataset, urls, out);
    default:
      return "the values have to be decoded";
  }
}

function addChunks(
  array: PlannedArray,
  shape: number[],
  layout: ChunkLayout,
  urls: string[],
  out: References,
): string | null {
  const codecs = layout.codecs.map((c) => nativeCodec(c, array.dtype, layout.chunkShape));
  const [first] = codecs;
  for (const codec of codecs) {
    if ("reason" in codec) return codec.reason;
    if (JSON.stringify(codec) !== JSON.stringify(first)) {
      return "its chunks are compressed in several ways";
    }
  }
  if ("reason" in first) return first.reason;
  const document = {
    ...zarrayDocument({ ...array, chunks: layout.chunkShape, compressor: { id: "none" } }, shape),
    compressor: first.compressor,
    filters: first.filters,
    fill_value: layout.fill,
    dtype: typeOf(array.dtype, first.bigEndian),
  };
  addMetadata(array, document, out);
  const grid = shape.map((n, i) => Math.max(1, Math.ceil(n / layout.chunkShape[i])));
  for (let i = 0; i < layout.source.length; i++) {
    if (layout.source[i] < 0) continue;
    const key = keyIn(array.path, cellOf(grid, i).join("."));
    out.refs.set(key, [urls[layout.source[i]], layout.offset[i], layout.length[i]]);
  }
  return null;
}

async function addFrames(
  array: PlannedArray,
  layout: FrameLayout,
  plan: Plan,
  dataset: Dataset,
  urls: string[],
  out: References,
): Promise<string | null> {
  const table = plan.frameTables[layout.table];
  const width = sizeOf(layout.stored);
  const channels = layout.channelOffsets.length;
  if (
    decodedType(layout.stored, layout.flipSign) !== layout.stored || layout.signMagnitude ||
    layout.bit !== undefined
  ) {
    return `${layout.stored} words have no plain equivalent`;
  }
  const dense = layout.samplesPerFrame === 1 && table.frameBytes === width * channels &&
    layout.channelOffsets.every((o, c) => o === c * width);
  if (!dense) return "samples do not lie in plain scans of all channels";
  const { calibration } =
    (array.origin as { parts: { calibration?: { gain: Float64Array; offset: Float64Array } }[] })
      .parts[0];
  const samples = array.shape.at(-1)!;
  const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / table.frameBytes));
  const runs = table.firstFrame.length;
  for (let r = 0; r + 1 < runs; r++) {
    if (table.frameCount[r] % perChunk !== 0) {
      return "pauses of the file do not fall on chunk borders";
    }
  }
  const flat = array.shape.length === 1;
  const shape = flat ? [samples] : [samples, channels];
  const dims = flat ? array.dims : ["time", "channel"];
  const raw: PlannedArray = {
    ...array,
    dtype: layout.stored as DType,
    chunks: flat ? [perChunk] : [perChunk, channels],
    compressor: { id: "none" },
  };
  const attributes = { ...array.attributes, ...calibrationAttributes(array, calibration) };
  if (calibration) {
    // Each channel has its own scale: raw numbers are referred to, the scales lie beside them.
    addPerChannel(array, calibration, out);
  }
  const document = {
    ...zarrayDocument(raw, shape),
    dtype: typeOf(raw.dtype, !layout.littleEndian),
  };
  addMetadata({ ...raw, dims, attributes }, document, out);
  for (let chunk = 0; chunk * perChunk < samples; chunk++) {
    const frame = chunk * perChunk;
    const count = Math.min(perChunk, samples - frame);
    let run = 0;
    while (run + 1 < runs && table.firstFrame[run + 1] <= frame) run++;
    const offset = table.offset[run] + (frame - table.firstFrame[run]) * table.frameBytes;
    const key = keyIn(array.path, flat ? String(chunk) : `${chunk}.0`);
    if (count === perChunk) {
      out.refs.set(key, [urls[table.source[run]], offset, count * table.frameBytes]);
    } else {
      const bytes = new Uint8Array(perChunk * table.frameBytes);
      bytes.set(await dataset.sources[table.source[run]].read(offset, count * table.frameBytes));
      out.refs.set(key, inline(bytes));
    }
  }
  return null;
}

function calibrationAttributes(
  array: PlannedArray,
  calibration: { gain: Float64Array; offset: Float64Array } | undefined,
): Attributes {
  return calibration
    ? {
      comment:
        `raw numbers: multiply by ${array.path}_gain and add ${array.path}_offset of each channel`,
    }
    : {};
}

function addPerChannel(
  array: PlannedArray,
  calibration: { gain: Float64Array; offset: Float64Array },
  out: References,
): void {
  for (const key of ["gain", "offset"] as const) {
    const values = calibration[key];
    addInline(
      {
        ...array,
        path: `${array.path}_${key}`,
        dtype: "float64",
        dims: ["channel"],
        attributes: {},
      },
      [values.length],
      values,
      out,
    );
  }
}

function addValues(array: PlannedArray, values: NumericArray | string[], out: References): void {
  const shape = array.shape as number[];
  if (Array.isArray(values)) {
    const document = zarrayDocument({
      ...array,
      chunks: [Math.max(1, values.length)],
      compressor: { id: "none" },
    }, shape);
    addMetadata(array, document, out);
    if (values.length) out.refs.set(keyIn(array.path, "0"), inline(vlenUtf8(values)));
    return;
  }
  addInline(array, shape, values, out);
}

function addInline(
  array: PlannedArray,
  shape: number[],
  values: NumericArray,
  out: References,
): void {
  const chunks = shape.map((n) => Math.max(1, n));
  addMetadata(array, zarrayDocument({ ...array, chunks, compressor: { id: "none" } }, shape), out);
  const bytes = new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
  if (bytes.length) out.refs.set(keyIn(array.path, shape.map(() => 0).join(".")), inline(bytes));
}

function addMetadata(
  array: Pick<PlannedArray, "path" | "dims" | "attributes">,
  document: Record<string, Json>,
  out: References,
): void {
  // Readers of the parquet form know no other separator.
  out.refs.set(keyIn(array.path, ".zarray"), text({ ...document, dimension_separator: "." }));
  out.refs.set(
    keyIn(array.path, ".zattrs"),
    text({ _ARRAY_DIMENSIONS: array.dims, ...array.attributes }),
  );
}

function typeOf(dtype: DType, bigEndian: boolean): string {
  const size = sizeOf(dtype);
  const letter = dtype.startsWith("complex") ? "c" : dtype === "bool" ? "b" : dtype[0];
  return `${size === 1 ? "|" : bigEndian ? ">" : "<"}${letter}${size}`;
}

function inline(bytes: Uint8Array): string {
  let characters = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    characters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return `base64:${btoa(characters)}`;
}

function keyIn(path: string, name: string): string {
  return path ? `${path}/${name}` : name;
}

function text(value: unknown): string {
  return JSON.stringify(
    value,
    (_k, v) => (typeof v === "number" && !Number.isFinite(v) ? String(v) : v),
  );
}

/** The kerchunk JSON document (version 1). */
export function referenceJson({ refs }: References): string {
  return JSON.stringify({ version: 1, refs: Object.fromEntries(refs) });
}
