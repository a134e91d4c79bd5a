/**
 * Writes one shard of an array made of stored chunks (HDF5, MAT, zarr): chunks are decoded, their axes
 * put in order, calibrated where the plan says so, and cut into the chunks of the store.
 */
import { DEFAULT_LIMITS } from "../errors.ts";
import { sizeOf } from "../model/dtype.ts";
import {
  cellOf,
  firstRow,
  type GridPiece,
  type Plan,
  type PlannedArray,
  type TaskSet,
} from "../plan/plan.ts";
import type { TaskResult } from "../pool/task-result.ts";
import type { ChunkEncoder } from "../sinks/zarr/chunk-encoder.ts";
import { ObjectSet } from "../sinks/zarr/object-set.ts";
import type { TaskTarget } from "../sinks/targets/open.ts";
import type { ByteSource } from "../source/source.ts";
import { copyPermuted, gridIndex } from "./boxes.ts";
import { ChunkCache } from "./chunk-cache.ts";
import type { WasmBuffer } from "./kernels.ts";

type GridSet = Extract<TaskSet, { kind: "grid" }>;

/** The grid task set of one array on one thread. */
export class GridTask {
  readonly #array: PlannedArray;
  readonly #pieces: { piece: GridPiece; cache: ChunkCache }[];
  readonly #storedBytes: number;
  /** A chunk as stored, before calibration. */
  readonly #raw: WasmBuffer;
  /** A chunk as written; the same buffer when nothing is calibrated. */
  readonly #chunk: WasmBuffer;

  constructor(
    readonly plan: Plan,
    readonly set: GridSet,
    readonly target: TaskTarget,
    readonly encoder: ChunkEncoder,
    readonly source: (index: number) => Promise<ByteSource>,
  ) {
    this.#array = plan.arrays[set.array];
    const { pieces, stored } = this.#array.origin as {
      pieces: GridPiece[];
      stored: PlannedArray["dtype"];
    };
    this.#pieces = pieces.map((piece) => ({
      piece,
      cache: new ChunkCache(
        piece.layout,
        stored,
        source,
        this.#array.path,
        DEFAULT_LIMITS.chunkBytes,
      ),
    }));
    this.#storedBytes = sizeOf(stored);
    const count = this.#array.chunks.reduce((a, b) => a * b, 1);
    this.#raw = encoder.kernels.alloc(count * this.#storedBytes);
    this.#chunk = pieces.some((p) => p.calibration)
      ? encoder.kernels.alloc(count * sizeOf(this.#array.dtype))
      : this.#raw;
  }

  /** Runs task `k` of the set. */
  async run(k: number, result: TaskResult): Promise<void> {
    const { chunks, shards } = this.#array;
    const shape = this.#array.shape as number[];
    const span = shards ?? chunks;
    const cell = cellOf(shape.map((n, i) => Math.max(1, Math.ceil(n / span[i]))), k);
    const start = cell.map((c, i) => c * span[i]);
    const end = start.map((s, i) => Math.min(shape[i], s + span[i]));
    const objects = new ObjectSet(this.plan, this.#array, this.target, this.encoder);
    const before = this.#pieces.reduce((n, p) => n + p.cache.bytesRead, 0);
    try {
      for (const origin of chunkOrigins(start, end, chunks)) {
        await this.#assemble(origin);
        const encoded = this.encoder.encodeAt(
          this.#chunk.ptr,
          this.#chunk.length,
          sizeOf(this.#array.dtype),
          this.#array.compressor,
        );
        objects.put(origin.map((o, i) => o / chunks[i]), encoded);
        await this.target.drain?.();
      }
      objects.close();
    } catch (error) {
      objects.abort();
      throw error;
    } finally {
      for (const { cache } of this.#pieces) cache.clear();
    }
    result.bytesWritten += objects.bytesWritten;
    result.written.push(...objects.written);
    result.bytesRead += this.#pieces.reduce((n, p) => n + p.cache.bytesRead, 0) - before;
  }

  async #assemble(origin: number[]): Promise<void> {
    const { chunks } = this.#array;
    const shape = this.#array.shape as number[];
    this.#raw.bytes.fill(0);
    for (const { piece, cache } of this.#pieces) {
      const { layout, permutation, start } = piece;
      // The part of the output chunk that lies in the piece, in the piece's own axes.
      const low = piece.shape.map(() => 0), high = piece.shape.map(() => 1);
      let outside = false;
      permutation.forEach((axis, i) => {
        const extent = axis < 0 ? 1 : piece.shape[axis];
        const [first, end] = rowsOf(piece, i, shape[i]);
        const from = Math.max(0, Math.max(origin[i], first) - start[i]);
        const to = Math.min(extent, Math.min(origin[i] + chunks[i], end) - start[i]);
        if (to <= from) outside = true;
        if (axis >= 0) [low[axis], high[axis]] = [from, to];
      });
      if (outside) continue;
      const entries = overlapping(low, high, piece.shape, layout.chunkShape);
      // Two windows are under way: one being decoded, one being read.
      let decoded = 0, read = cache.prefetchWindow(entries, 0);
      for (const [k, i] of entries.entries()) {
        if (k === decoded) {
          decoded = read;
          read = cache.prefetchWindow(entries, read);
        }
        if (!cache.has(i)) {
          if (layout.fill !== 0 || layout.fillBytes) this.#fill(piece, i, origin);
          continue;
        }
        // A stored chunk that serves one output chunk only is not worth keeping.
        const keep = !this.#isInside(piece, i, origin);
        await cache.use(i, keep, (values) => this.#copy(values, piece, i, origin));
      }
    }
    if (this.#chunk !== this.#raw) this.#calibrate(origin);
  }

  /** True when all values of a stored chunk go to the output chunk at `origin`. */
  #isInside(piece: GridPiece, entry: number, origin: number[]): boolean {
    const { chunks } = this.#array;
    const at = originOf(piece, entry);
    return piece.permutation.every((axis, i) => {
      if (axis < 0) return true;
      const [first, end] = rowsOf(piece, i, Infinity);
      const stored = Math.min(piece.shape[axis], at[axis] + piece.layout.chunkShape[axis]);
      const from = Math.max(first, at[axis] + piece.start[i]);
      const to = Math.min(end, stored + piece.start[i]);
      return from >= origin[i] && to <= origin[i] + chunks[i];
    });
  }

  #copy(values: Uint8Array, piece: GridPiece, entry: number, origin: number[]): void {
    const { chunkShape } = piece.layout;
    const { chunks } = this.#array;
    const at = originOf(piece, entry);
    // The rows of the output chunk that are the piece's; they lie together, as the first axis is outermost.
    const [first, end] = rowsOf(piece, 0, Infinity);
    const low = Math.max(origin[0], first), high = Math.min(origin[0] + chunks[0], end);
    if (high <= low) return;
    const rowBytes = this.#raw.length / chunks[0];
    copyPermuted(
      { bytes: values, origin: at, shape: chunkShape },
      {
        bytes: this.#raw.bytes.subarray(
          (low - origin[0]) * rowBytes,
          (high - origin[0]) * rowBytes,
        ),
        origin: origin.map((o, i) => (i === 0 ? low : o) - piece.start[i]),
        shape: chunks.with(0, high - low),
      },
      piece.shape,
      piece.permutation,
      this.#storedBytes,
    );
  }

  /** An absent chunk stands for its fill value. */
  #fill(piece: GridPiece, entry: number, origin: number[]): void {
    const { chunkShape, fill, fillBytes } = piece.layout;
    const { stored } = this.#array.origin as { stored: PlannedArray["dtype"] };
    const count = chunkShape.reduce((a, b) => a * b, 1);
    const bytes = new Uint8Array(count * this.#storedBytes);
    const view = new DataView(bytes.buffer);
    for (let i = 0; fillBytes && i < count; i++) bytes.set(fillBytes, i * this.#storedBytes);
    for (let i = 0; !fillBytes && i < count; i++) {
      const at = i * this.#storedBytes;
      if (stored === "float32") view.setFloat32(at, fill, true);
      else if (stored === "float64") view.setFloat64(at, fill, true);
      else if (this.#storedBytes === 8) view.setBigInt64(at, BigInt(Math.trunc(fill)), true);
      else if (this.#storedBytes === 4) view.setInt32(at, fill, true);
      else if (this.#storedBytes === 2) view.setInt16(at, fill, true);
      else view.setInt8(at, fill);
    }
    this.#copy(bytes, piece, entry, origin);
  }

  #calibrate(origin: number[]): void {
    const { kernels } = this.encoder;
    const { chunks, dtype } = this.#array;
    const { stored } = this.#array.origin as { stored: PlannedArray["dtype"] };
    const row = chunks.slice(1).reduce((a, b) => a * b, 1);
    const width = sizeOf(dtype);
    for (let r = 0; r < chunks[0]; r++) {
      const channel = origin[0] + r;
      const piece = this.#pieces.map((p) => p.piece).find((p) => {
        const first = firstRow(p);
        return p.calibration && channel >= first && channel < first + p.calibration.gain.length;
      });
      const index = piece ? channel - firstRow(piece) : 0;
      const gain = piece?.calibration?.gain[index] ?? 1;
      const offset = piece?.calibration?.offset[index] ?? 0;
      kernels.calibrate(
        { dtype: stored, ptr: this.#raw.ptr + r * row * this.#storedBytes, count: row },
        { dtype: dtype as "float32" | "float64", ptr: this.#chunk.ptr + r * row * width },
        gain,
        offset,
      );
    }
  }

  free(): void {
    if (this.#chunk !== this.#raw) this.#chunk.free();
    this.#raw.free();
    for (const { cache } of this.#pieces) cache.clear();
  }
}

/** Indexes of axis `i` of the array that a piece may fill: those below `length`. */
function rowsOf({ rows }: GridPiece, i: number, length: number): [first: number, end: number] {
  return i === 0 && rows ? [rows[0], Math.min(rows[1], length)] : [-Infinity, length];
}

/** First element of a stored chunk, in the axes of its piece. */
function originOf({ shape, layout: { chunkShape } }: GridPiece, entry: number): number[] {
  const grid = shape.map((n, i) => Math.max(1, Math.ceil(n / chunkShape[i])));
  return cellOf(grid, entry).map((c, i) => c * chunkShape[i]);
}

/** Origins of the chunks of a region; the last axis outermost, so that channels of one time come together. */
function* chunkOrigins(start: number[], end: number[], chunks: number[]): Generator<number[]> {
  const at = [...start];
  if (start.some((s, i) => end[i] <= s)) return;
  for (;;) {
    yield [...at];
    let axis = 0;
    while (axis < at.length && (at[axis] += chunks[axis]) >= end[axis]) at[axis] = start[axis++];
    if (axis === at.length) return;
  }
}

/** Grid indexes of the stored chunks that overlap a box. */
function overlapping(
  low: number[],
  high: number[],
  shape: number[],
  chunkShape: number[],
): number[] {
  const found: number[] = [];
  const walk = (axis: number, cell: number[]) => {
    if (axis === shape.length) return void found.push(gridIndex(cell, shape, chunkShape));
    const first = Math.floor(low[axis] / chunkShape[axis]);
    const last = Math.floor((high[axis] - 1) / chunkShape[axis]);
    for (let c = first; c <= last; c++) walk(axis + 1, [...cell, c]);
  };
  walk(0, []);
  return found;
}
