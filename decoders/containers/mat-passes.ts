/** Forward passes over the values of MATLAB arrays, in bounded memory, wherever the values are. */
import type { StreamBlock } from "../../src/model/dataset.ts";
import { allocate, type DType, type NumericArray, sizeOf } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { copyPermuted } from "../../src/stream/boxes.ts";
import { ChunkCache } from "../../src/stream/chunk-cache.ts";
import { DEFAULT_LIMITS } from "../../src/errors.ts";
import { InflateCursor } from "./mat-bytes.ts";
import { decodeValues } from "./mat-elements.ts";
import type { MatPart, NumericNode, PackedElement } from "./mat-model.ts";

/** Bytes of a block of values. */
const BLOCK_BYTES = 1 << 20;
/** Elements inflated at the same time: two for complex numbers, whose imaginary parts come last. */
const OPEN_CURSORS = 4;

/** A run of values of an array in MATLAB's order that goes to one field. */
export interface PassPiece {
  node: NumericNode;
  /** First value. */
  first: number;
  /** Values; a multiple of the job's `step`. */
  count: number;
}

/** What one field of a stream is fed from. */
export interface PassJob {
  field: string;
  dtype: DType;
  /** Values of one row: of one sample of all channels, or of one step of an array. */
  step: number;
  /** True where the values of a step are channels: blocks are then `[channel, count]`. */
  channels: boolean;
  pieces: PassPiece[];
  /** Factor of the values; 1 when absent. */
  scale?: number;
}

/** Reads runs of values; forward runs of one array cost one pass. */
class PartReader {
  readonly #cursors = new Map<string, InflateCursor>();
  readonly #bands = new Map<MatPart, { row: number; bytes: Uint8Array; cache: ChunkCache }>();

  constructor(
    readonly sources: readonly ByteSource[],
    readonly signal?: AbortSignal,
  ) {}

  async read(part: MatPart, slot: number, first: number, count: number): Promise<NumericArray> {
    const { dtype } = part;
    const width = sizeOf(dtype);
    switch (part.kind) {
      case "values":
        return part.values.slice(first, first + count);
      case "file": {
        const bytes = await this.sources[0].read(part.offset + first * width, count * width, {
          purpose: "bulk",
          signal: this.signal,
        });
        return decodeValues(bytes, dtype, part.littleEndian);
      }
      case "packed": {
        const at = part.offset + first * width;
        const cursor = await this.#cursor(part.element, slot, at);
        await cursor.skip(at - cursor.position);
        return decodeValues(await cursor.read(count * width), dtype, part.littleEndian);
      }
      case "grid":
        return await this.#grid(part, first, count);
    }
  }

  async #cursor(element: PackedElement, slot: number, at: number): Promise<InflateCursor> {
    const key = `${element.offset}:${slot}`;
    const open = this.#cursors.get(key);
    if (open && open.position <= at) return open;
    await open?.close();
    this.#cursors.delete(key);
    if (this.#cursors.size >= OPEN_CURSORS) {
      const [[oldest, cursor]] = this.#cursors;
      await cursor.close();
      this.#cursors.delete(oldest);
    }
    const cursor = new InflateCursor(this.sources[0], element, this.signal);
    this.#cursors.set(key, cursor);
    return cursor;
  }

  /** Values in chunks: a row of chunks is decoded at a time. */
  async #grid(
    part: Extract<MatPart, { kind: "grid" }>,
    first: number,
    count: number,
  ): Promise<NumericArray> {
    const width = sizeOf(part.dtype);
    const { layout, shape } = part;
    const rows = layout.chunkShape[0];
    const bandValues = rows * shape.slice(1).reduce((a, b) => a * b, 1);
    const out = allocate(part.dtype, count);
    const target = new Uint8Array(out.buffer);
    for (let done = 0; done < count;) {
      const row = Math.floor((first + done) / bandValues);
      const from = (first + done) - row * bandValues;
      const n = Math.min(count - done, bandValues - from);
      const band = await this.#band(part, row, bandValues * width);
      target.set(band.subarray(from * width, (from + n) * width), done * width);
      done += n;
    }
    return out;
  }

  async #band(
    part: Extract<MatPart, { kind: "grid" }>,
    row: number,
    bytes: number,
  ): Promise<Uint8Array> {
    const { layout, shape, dtype } = part;
    let held = this.#bands.get(part);
    if (held?.row === row) return held.bytes;
    held ??= {
      row,
      bytes: new Uint8Array(bytes),
      cache: new ChunkCache(
        layout,
        dtype,
        (i) => Promise.resolve(this.sources[i]),
        "signals",
        DEFAULT_LIMITS.chunkBytes,
      ),
    };
    held.row = row;
    held.bytes.fill(0);
    this.#bands.set(part, held);
    const { chunkShape } = layout;
    const grid = shape.map((n, i) => Math.max(1, Math.ceil(n / chunkShape[i])));
    const across = grid.slice(1).reduce((a, b) => a * b, 1);
    const bandShape = [chunkShape[0], ...shape.slice(1)];
    for (let k = 0; k < across; k++) {
      const entry = row * across + k;
      if (!held.cache.has(entry)) continue;
      let values = new Uint8Array(0);
      // What is kept is the cache's own, until it is cleared.
      await held.cache.use(entry, true, (kept) => values = kept as Uint8Array<ArrayBuffer>);
      const origin = shape.map(() => 0);
      let rest = entry;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        origin[axis] = (rest % grid[axis]) * chunkShape[axis];
        rest = Math.floor(rest / grid[axis]);
      }
      copyPermuted(
        { bytes: values, origin, shape: chunkShape },
        {
          bytes: held.bytes,
          origin: shape.map((_, i) => (i === 0 ? row * chunkShape[0] : 0)),
          shape: bandShape,
        },
        shape,
        shape.map((_, i) => i),
        sizeOf(dtype),
      );
    }
    held.cache.clear();
    return held.bytes;
  }

  async close(): Promise<void> {
    for (const cursor of this.#cursors.values()) await cursor.close();
    this.#cursors.clear();
  }
}

/** Runs the jobs of one stream, in the order in which their values lie in the file. */
export async function* runPass(
  sources: readonly ByteSource[],
  jobs: readonly PassJob[],
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  const reader = new PartReader(sources, signal);
  const ordered = [...jobs].sort((a, b) => placeOf(a) - placeOf(b));
  try {
    for (const job of ordered) {
      for (const { node, first, count } of job.pieces) {
        const width = sizeOf(job.dtype);
        const rows = Math.max(1, Math.floor(BLOCK_BYTES / (width * job.step)));
        for (let done = 0; done < count;) {
          signal?.throwIfAborted();
          const n = Math.min(count - done, rows * job.step);
          const values = await readValues(reader, node, first + done, n, job.dtype);
          const { scale = 1 } = job;
          if (scale !== 1) {
            values.forEach((v, i) => void (values[i] = (Number(v) * scale) as never));
          }
          const steps = Math.floor(n / job.step);
          yield {
            field: job.field,
            values: job.channels && job.step > 1 ? turned(values, job.step) : values,
            count: steps,
          };
          done += n;
        }
      }
    }
  } finally {
    await reader.close();
  }
}

/** A run of real values of one array. */
export async function loadValues(
  sources: readonly ByteSource[],
  { real }: NumericNode,
  first: number,
  count: number,
  signal?: AbortSignal,
): Promise<NumericArray> {
  const reader = new PartReader(sources, signal);
  try {
    return await reader.read(real, 0, first, count);
  } finally {
    await reader.close();
  }
}

/** Where a job begins, for ordering: first by element, then inside it. */
function placeOf({ pieces }: PassJob): number {
  const [piece] = pieces;
  if (!piece) return 0;
  const { real } = piece.node;
  if (real.kind === "file") return real.offset + piece.first;
  if (real.kind !== "packed") return 0;
  // Elements are shorter than 4 GiB, what they inflate to is not much longer.
  return real.element.offset + (real.offset + piece.first * sizeOf(real.dtype)) / 2 ** 40;
}

async function readValues(
  reader: PartReader,
  { real, imaginary }: NumericNode,
  first: number,
  count: number,
  dtype: DType,
): Promise<NumericArray> {
  const values = await reader.read(real, 0, first, count);
  if (!imaginary) return inType(values, real.dtype, dtype);
  return complexBytes(values, await reader.read(imaginary, 1, first, count), dtype);
}

/** Values in another type; the same array when it has that type. */
export function inType(values: NumericArray, from: DType, dtype: DType): NumericArray {
  if (from === dtype || dtype === "bool") return values;
  const out = allocate(dtype, values.length);
  if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
    for (let i = 0; i < out.length; i++) out[i] = BigInt(values[i]);
  } else {
    for (let i = 0; i < out.length; i++) out[i] = Number(values[i]);
  }
  return out;
}

/** Real and imaginary values side by side, as the bytes of complex numbers. */
export function complexBytes(
  real: NumericArray,
  imaginary: NumericArray,
  dtype: DType,
): Uint8Array {
  const out = dtype === "complex64"
    ? new Float32Array(real.length * 2)
    : new Float64Array(real.length * 2);
  for (let i = 0; i < real.length; i++) {
    out[2 * i] = Number(real[i]);
    out[2 * i + 1] = Number(imaginary[i]);
  }
  return new Uint8Array(out.buffer);
}

/** Values sample by sample as values channel by channel. */
function turned(values: NumericArray, channels: number): NumericArray {
  const samples = values.length / channels;
  const out = values.slice();
  for (let c = 0; c < channels; c++) {
    for (let s = 0, from = c, to = c * samples; s < samples; s++, from += channels) {
      out[to + s] = values[from];
    }
  }
  return out;
}
