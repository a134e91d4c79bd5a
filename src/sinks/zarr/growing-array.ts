/**
 * An array written front to back along one axis, its length known only at the end. Arrays that end
 * within their first chunk get a chunk of just their size.
 */
import type { NumericArray } from "../../model/dtype.ts";
import { allocate, sizeOf } from "../../model/dtype.ts";
import { roundUp } from "../../plan/chunking.ts";
import type { Plan, PlannedArray } from "../../plan/plan.ts";
import type { FinalShape } from "../../pool/task-result.ts";
import type { Target } from "../targets/target.ts";
import type { ChunkEncoder } from "./chunk-encoder.ts";
import { ObjectSet } from "./object-set.ts";

/** Which rows of a `[channel, time]` array a growing part holds; [0, 1] for arrays that grow along their first axis. */
export interface GrowingPart {
  /** Rows (channels) of a block, each `count` values. */
  rows: number;
  /** First row in the array. */
  firstRow: number;
  /** True for `[channel, time]` arrays, false for `[event, ...inner]`. */
  channels: boolean;
}

/** One array (or a channel part of it) being written. */
export class GrowingArray {
  readonly array: PlannedArray;
  readonly #axis: number;
  /** Values of one step along the growing axis. */
  readonly #inner: number;
  /** Items of the buffer for one step: types without a typed array are held as their bytes. */
  readonly #items: number;
  readonly #capacity: number;
  #buffer: NumericArray | string[];
  /** Steps the buffer can hold at present. */
  #room: number;
  #filled = 0;
  #chunk = 0;
  #length = 0;
  #objects: ObjectSet | undefined;

  constructor(
    readonly plan: Plan,
    readonly index: number,
    readonly target: Pick<Target, "create">,
    readonly encoder: ChunkEncoder,
    readonly part: GrowingPart = { rows: 1, firstRow: 0, channels: false },
  ) {
    this.array = plan.arrays[index];
    this.#axis = part.channels ? 1 : 0;
    this.#inner = part.channels
      ? 1
      : this.array.shape.slice(1).reduce<number>((n, s) => n * (s ?? 1), 1);
    const { dtype } = this.array;
    const asBytes = dtype.startsWith("complex") || dtype === "float16";
    this.#items = this.#inner * (asBytes ? sizeOf(dtype) : 1);
    this.#capacity = this.array.chunks[this.#axis];
    this.#room = Math.min(this.#capacity, 1024);
    this.#buffer = this.#allocate(this.#room);
  }

  #allocate(room: number): NumericArray | string[] {
    const count = room * this.#inner * this.part.rows;
    return this.array.dtype === "string" ? [] : allocate(this.array.dtype, count);
  }

  /** Appends `values`: C-order `[rows, count]`, or `[count, ...inner]`. */
  append(values: NumericArray | string[]): void {
    const { rows } = this.part;
    const count = values.length / (rows * this.#items);
    let taken = 0;
    while (taken < count) {
      const n = Math.min(count - taken, this.#capacity - this.#filled);
      this.#reserve(this.#filled + n);
      for (let row = 0; row < rows; row++) {
        const from = (row * count + taken) * this.#items;
        const to = (row * this.#room + this.#filled) * this.#items;
        if (Array.isArray(this.#buffer)) {
          for (const text of (values as string[]).slice(from, from + n * this.#items)) {
            this.#buffer.push(text);
          }
        } else {
          this.#buffer.set(
            (values as Float64Array).subarray(from, from + n * this.#items) as never,
            to,
          );
        }
      }
      this.#filled += n;
      taken += n;
      if (this.#filled === this.#capacity) this.#flush();
    }
    this.#length += count;
  }

  #reserve(steps: number): void {
    if (steps <= this.#room) return;
    const room = Math.min(this.#capacity, Math.max(steps, this.#room * 2));
    const next = this.#allocate(room);
    if (!Array.isArray(next)) {
      const old = this.#buffer as Float64Array;
      for (let row = 0; row < this.part.rows; row++) {
        const from = row * this.#room * this.#items;
        (next as Float64Array).set(
          old.subarray(from, from + this.#filled * this.#items),
          row * room * this.#items,
        );
      }
      this.#buffer = next;
    }
    this.#room = room;
  }

  /** Encodes the buffered chunk, filled up to `#capacity` steps. */
  #flush(): void {
    this.#reserve(this.#capacity);
    this.#objects ??= new ObjectSet(this.plan, this.array, this.target, this.encoder);
    this.#emit(this.#objects, this.#capacity, this.array.chunks[0]);
    this.#chunk++;
    this.#filled = 0;
    if (Array.isArray(this.#buffer)) this.#buffer = [];
    else (this.#buffer as Float64Array).fill(typeof this.#buffer[0] === "bigint" ? 0n as never : 0);
  }

  #emit(objects: ObjectSet, steps: number, chunkRows: number): void {
    const { encoder, array, part } = this;
    if (Array.isArray(this.#buffer)) {
      const missing = steps * this.#inner - this.#buffer.length;
      const padded = [...this.#buffer, ...new Array<string>(missing).fill("")];
      objects.put(
        [this.#chunk, ...array.shape.slice(1).map(() => 0)],
        encoder.encodeStrings(padded),
      );
      return;
    }
    const rowsPerChunk = part.channels ? chunkRows : 1;
    const width = sizeOf(array.dtype) * this.#inner;
    const bytes = new Uint8Array(this.#buffer.buffer as ArrayBuffer);
    for (let row = 0; row < part.rows; row += rowsPerChunk) {
      const count = Math.min(rowsPerChunk, part.rows - row);
      const cell = part.channels
        ? [(part.firstRow + row) / rowsPerChunk, this.#chunk]
        : [this.#chunk, ...array.shape.slice(1).map(() => 0)];
      const encoded = encoder.encodeWith(
        rowsPerChunk * steps * width,
        (chunk) => {
          for (let r = 0; r < count; r++) {
            const from = (row + r) * this.#room * width;
            chunk.set(
              bytes.subarray(from, from + Math.min(steps, this.#room) * width),
              r * steps * width,
            );
          }
        },
        sizeOf(array.dtype),
        array.compressor,
      );
      objects.put(cell, encoded);
    }
  }

  /** Writes what is left and tells the final shape and extents. */
  finish(): FinalShape {
    const { array, part } = this;
    const shape = array.shape.map((n, i) => (i === this.#axis ? this.#length : n ?? 0));
    let { chunks, shards } = array;
    if (this.#chunk === 0) {
      // All of it fits in one chunk: no larger than it needs to be, and no shard around it.
      const step = part.channels || this.#inner > 1 || array.dtype === "string" ? 1 : 8;
      const steps = Math.max(1, Math.min(this.#capacity, roundUp(this.#filled, step)));
      chunks = chunks.map((n, i) => (i === this.#axis ? steps : n));
      shards = null;
      if (this.#filled > 0) {
        this.#reserve(steps);
        const objects = new ObjectSet(this.plan, array, this.target, this.encoder, {
          chunks,
          shards,
        });
        this.#emit(objects, steps, chunks[0]);
        objects.close();
        this.#objects = objects;
      }
    } else {
      if (this.#filled > 0) this.#flush();
      this.#objects?.close();
    }
    return { array: this.index, shape, chunks, shards };
  }

  /** Bytes written so far. */
  get bytesWritten(): number {
    return this.#objects?.bytesWritten ?? 0;
  }

  /** Objects that are whole, with their lengths. */
  get written(): { key: string; length: number }[] {
    return this.#objects?.written ?? [];
  }

  abort(): void {
    this.#objects?.abort();
  }
}
