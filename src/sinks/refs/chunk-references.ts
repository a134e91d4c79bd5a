/** References to stored chunks: TIFF tiles and strips, HDF5 chunks, arrays that lie in one piece. */
import type { Json } from "../../model/dataset.ts";
import { type DType, sizeOf } from "../../model/dtype.ts";
import type { ChunkLayout } from "../../model/layout.ts";
import { cellOf } from "../../plan/plan.ts";
import type { ByteSource } from "../../source/source.ts";
import { chunkDecoder, type DecodeChunk } from "../../stream/chunk-decoders.ts";
import { canInline, elementBytes, encodeInline } from "./inline.ts";
import { type NativeCodec, nativeCodec } from "./native-codecs.ts";
import type { SourcePlace } from "./places.ts";
import type { Reference, ReferenceTable } from "./reference.ts";

/** Bytes of one array that may be kept inside the reference file, before compression. */
export const INLINE_BYTES = 8 << 20;

/** The files references point into. */
export interface ReferencedSources {
  /** Opened, in the order of `Dataset.sources`. */
  sources: ByteSource[];
  /** Their addresses, in the same order. */
  places: SourcePlace[];
}

/** An array as references can express it. */
export interface Expressed extends ReferenceTable {
  /** Names of the dimensions, in the order the bytes lie in. */
  dims: string[];
  /** Elements along them. */
  shape: number[];
  /** Elements of a chunk; may be more than the array has. */
  chunks: number[];
  /** Element type as stored. */
  dtype: DType;
  bigEndian: boolean;
  compressor: Json;
  filters: Json;
  fill: unknown;
}

/** Stored chunks and the array they make up. */
export interface StoredChunks {
  dims: string[];
  shape: number[];
  dtype: DType;
  layout: ChunkLayout;
}

/** Expresses an array of stored chunks; or says why it cannot be. */
export function chunkReferences(
  { dims, shape, dtype, layout }: StoredChunks,
  { sources, places }: ReferencedSources,
): Expressed | { reason: string } {
  const counts = new Float64Array(layout.codecs.length);
  for (let i = 0; i < layout.source.length; i++) {
    const s = layout.source[i];
    if (s < 0) continue;
    counts[layout.codec?.[i] ?? 0]++;
    const place = places[s];
    if ("reason" in place) return place;
  }
  const natives = layout.codecs.map((codec) => nativeCodec(codec, dtype));
  const main = mainCodec(natives, counts);
  if ("reason" in main) return main;
  const same = natives.map((n) => !("reason" in n) && alike(n, main));
  const order = axisOrder(main, dims, layout.chunkShape);
  if (!order) return { reason: "samples of a pixel lie interleaved in an order of their own" };
  const whole = layout.chunkShape.reduce((n, s) => n * s, sizeOf(dtype));
  const bare = main.compressor === null && main.filters.length === 0;
  const stored = gridOf(shape, layout.chunkShape);
  const grid = order.map((axis) => stored[axis]);
  const turned = order.some((axis, i) => axis !== i);

  /** The range of a chunk, or undefined where its bytes have to be kept inside. */
  const rangeOf = (i: number): Reference | undefined => {
    const s = layout.source[i];
    const codec = layout.codec?.[i] ?? 0;
    const native = natives[codec];
    if (!same[codec] || "reason" in native) return undefined;
    const { url, offset } = places[s] as { url: string; offset: number };
    const at = layout.offset[i];
    let length = layout.length[i] - native.trim;
    if (bare && length !== whole) {
      // What follows the last rows is cut off by the reader, whatever it is; but it must be there.
      if (length < whole) {
        const there = at + whole <= (sources[s].size ?? 0);
        if (!there || length < wantedBytes(cellOf(stored, i), shape, layout.chunkShape, dtype)) {
          return undefined;
        }
      }
      length = whole;
    } else if (!bare && native.short) return undefined;
    return { url, offset: offset + at, length };
  };

  let kept = 0, absent = 0;
  for (let i = 0; i < layout.source.length; i++) {
    if (layout.source[i] < 0) absent++;
    else if (!rangeOf(i)) kept++;
  }
  if (kept > 0) {
    const odd = natives.find((_, i) => counts[i] > 0 && !same[i]);
    const why = odd && "reason" in odd
      ? odd.reason
      : odd
      ? "its chunks went through different codecs"
      : "its last strips are shorter than the others";
    if (!canInline(main)) return { reason: why };
    if (kept * whole > INLINE_BYTES) {
      return { reason: `${why}: ${kept} chunks would have to be kept in the reference file` };
    }
  }

  const decoders = new Map<number, Promise<DecodeChunk>>();
  const keep = async (i: number): Promise<Reference> => {
    const codec = layout.codec?.[i] ?? 0;
    let decoder = decoders.get(codec);
    if (!decoder) {
      decoders.set(codec, decoder = chunkDecoder(layout.codecs[codec], dtype, layout.chunkShape));
    }
    const decode = await decoder;
    const source = sources[layout.source[i]];
    const place = { source: source.name, offset: layout.offset[i] };
    let values = decode(await source.read(layout.offset[i], layout.length[i]), place);
    if (turned) values = samplesLast(values, main.samples, sizeOf(dtype));
    return { bytes: await encodeInline(values, dtype, main) };
  };

  const fillChunk = absent > 0 && canInline(main)
    ? async () => {
      const element = layout.fillBytes ?? elementBytes(layout.fill, dtype);
      const values = new Uint8Array(whole);
      if (element.some((b) => b !== 0)) {
        for (let at = 0; at < whole; at += element.length) values.set(element, at);
      }
      return await encodeInline(values, dtype, main);
    }
    : undefined;

  return {
    dims: order.map((axis) => dims[axis]),
    shape: order.map((axis) => shape[axis]),
    chunks: order.map((axis) => layout.chunkShape[axis]),
    dtype,
    bigEndian: main.bigEndian,
    compressor: main.compressor,
    filters: main.filters.length ? main.filters : null,
    // Readers that mask values equal to the fill value would lose real ones: it is named only where it is needed.
    fill: absent > 0 ? fillOf(layout, dtype) : null,
    grid,
    ...(fillChunk ? { fillChunk } : {}),
    at: (index) => {
      const i = turned ? storedIndex(cellOf(grid, index), order, stored) : index;
      return layout.source[i] < 0 ? null : rangeOf(i) ?? keep(i);
    },
  };
}

/** Bytes of a chunk up to the last element that is inside the array. */
function wantedBytes(cell: number[], shape: number[], chunks: number[], dtype: DType): number {
  let last = 0;
  shape.forEach((n, i) => {
    last = last * chunks[i] + Math.min(chunks[i], n - cell[i] * chunks[i]) - 1;
  });
  return (last + 1) * sizeOf(dtype);
}

/** The codec most chunks have; a reason when that has no equivalent. */
function mainCodec(
  natives: (NativeCodec | { reason: string })[],
  counts: Float64Array,
): NativeCodec | { reason: string } {
  let best = 0, most = -1;
  natives.forEach((native, i) => {
    const together = "reason" in native ? counts[i] : natives.reduce(
      (n, other, k) => n + (!("reason" in other) && alike(native, other) ? counts[k] : 0),
      0,
    );
    if (together > most) [best, most] = [i, together];
  });
  return natives[best] ?? { reason: "it has no chunks" };
}

function alike(a: NativeCodec, b: NativeCodec): boolean {
  return a.bigEndian === b.bigEndian && a.samples === b.samples &&
    JSON.stringify([a.compressor, a.filters]) === JSON.stringify([b.compressor, b.filters]);
}

/** Axes in the order the bytes lie in; undefined when the samples of a pixel are no axis of their own. */
function axisOrder(
  { samples }: NativeCodec,
  dims: string[],
  chunkShape: number[],
): number[] | undefined {
  const axes = dims.map((_, i) => i);
  if (samples === 1) return axes;
  const channel = dims.indexOf("c");
  if (channel < 0 || chunkShape[channel] !== samples) return undefined;
  return [...axes.filter((axis) => axis !== channel), channel];
}

/** Values of a chunk from samples first to samples last. */
function samplesLast(values: Uint8Array, samples: number, width: number): Uint8Array {
  const out = new Uint8Array(values.length);
  const pixels = values.length / (samples * width);
  for (let s = 0; s < samples; s++) {
    for (let p = 0; p < pixels; p++) {
      const from = (s * pixels + p) * width, to = (p * samples + s) * width;
      for (let k = 0; k < width; k++) out[to + k] = values[from + k];
    }
  }
  return out;
}

function gridOf(shape: number[], chunks: number[]): number[] {
  return shape.map((n, i) => Math.ceil(n / chunks[i]));
}

function storedIndex(cell: number[], order: number[], grid: number[]): number {
  const own = new Array<number>(grid.length);
  order.forEach((axis, i) => own[axis] = cell[i]);
  return own.reduce((n, c, axis) => n * grid[axis] + c, 0);
}

/** The fill value as zarr v2 writes it; null for zero, which is what readers take when nothing is said. */
function fillOf({ fill, fillBytes }: ChunkLayout, dtype: DType): unknown {
  if (!fillBytes) return fill === 0 ? null : dtype === "bool" ? true : fill;
  const view = new DataView(fillBytes.slice().buffer);
  switch (dtype) {
    case "bool":
      return view.getUint8(0) !== 0;
    case "int8":
      return view.getInt8(0);
    case "uint8":
      return view.getUint8(0);
    case "int16":
      return view.getInt16(0, true);
    case "uint16":
      return view.getUint16(0, true);
    case "int32":
      return view.getInt32(0, true);
    case "uint32":
      return view.getUint32(0, true);
    case "int64":
      return view.getBigInt64(0, true);
    case "uint64":
      return view.getBigUint64(0, true);
    case "float16":
      return new Float16Array(fillBytes.slice().buffer)[0];
    case "float32":
      return view.getFloat32(0, true);
    case "float64":
      return view.getFloat64(0, true);
    case "complex64":
      return [view.getFloat32(0, true), view.getFloat32(4, true)];
    case "complex128":
      return [view.getFloat64(0, true), view.getFloat64(8, true)];
    default:
      return null;
  }
}
