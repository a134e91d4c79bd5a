/** Bytes that lie in several places of a file, read as if they lay in one. */
import { type ByteSource, truncated } from "../../src/source/source.ts";

/** A piece: where it begins in the whole, and where it lies in the file. */
export interface Extent {
  start: number;
  offset: number;
  length: number;
}

/** Bytes fetched at once while a pass goes forward. */
const WINDOW_BYTES = 1 << 20;
/** Windows of a remote file asked for ahead. */
const AHEAD = 3;

/** Reads a stream of extents; passes that go forward cost one read a window. */
export class ExtentReader {
  readonly size: number;
  /** Kept from read to read, for a pass over gigabytes would leave as much to the garbage collector. */
  #buffer: Uint8Array = new Uint8Array(0);
  /** The part of the buffer that holds bytes from `#start` on. */
  #window: Uint8Array = new Uint8Array(0);
  #start = 0;
  #pending = new Map<number, Promise<Uint8Array>>();

  constructor(
    readonly source: ByteSource,
    readonly extents: Extent[],
    readonly signal?: AbortSignal,
  ) {
    const last = extents.at(-1);
    this.size = last ? last.start + last.length : 0;
  }

  /** `length` bytes at `start`; valid until the next call. @throws FuseError `Truncated` */
  async read(start: number, length: number): Promise<Uint8Array> {
    if (start + length > this.size) {
      throw truncated(this.source, this.placeOf(start), length, this.size - start);
    }
    const from = start - this.#start;
    if (from >= 0 && from + length <= this.#window.length) {
      return this.#window.subarray(from, from + length);
    }
    // What is there already is kept when the pass only goes on.
    const kept = from >= 0 && from < this.#window.length ? this.#window.length - from : 0;
    const wanted = Math.min(Math.max(length, kept + WINDOW_BYTES), this.size - start);
    const old = this.#buffer;
    // What is kept may grow by a few bytes at every step: the buffer doubles, or each step would need another.
    if (old.length < wanted) this.#buffer = new Uint8Array(Math.max(wanted, 2 * old.length));
    const next = this.#buffer.subarray(0, wanted);
    if (kept > 0) next.set(old.subarray(from, from + kept));
    this.#window = new Uint8Array(0);
    await this.#fill(start + kept, next.subarray(kept));
    this.#window = next;
    this.#start = start;
    return next.subarray(0, length);
  }

  /** Byte of the file where byte `start` of the stream lies. */
  placeOf(start: number): number {
    const extent = this.extents[this.#find(start)];
    return extent ? extent.offset + (start - extent.start) : 0;
  }

  #find(start: number): number {
    let low = 0, high = this.extents.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.extents[middle].start <= start) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async #fill(start: number, target: Uint8Array): Promise<void> {
    if (this.source.distance === "local") return await this.#direct(start, target);
    let filled = 0;
    while (filled < target.length) {
      const cell = Math.floor((start + filled) / WINDOW_BYTES);
      for (const old of this.#pending.keys()) {
        if (old < cell || old > cell + AHEAD) this.#pending.delete(old);
      }
      for (let k = cell; k <= cell + AHEAD && k * WINDOW_BYTES < this.size; k++) this.#ask(k);
      const bytes = await this.#pending.get(cell)!;
      const from = start + filled - cell * WINDOW_BYTES;
      const part = bytes.subarray(from, from + target.length - filled);
      target.set(part, filled);
      filled += part.length;
    }
  }

  #ask(cell: number): void {
    if (this.#pending.has(cell)) return;
    const start = cell * WINDOW_BYTES;
    const bytes = new Uint8Array(Math.min(WINDOW_BYTES, this.size - start));
    const piece = this.#direct(start, bytes).then(() => bytes);
    piece.catch(() => {});
    this.#pending.set(cell, piece);
  }

  async #direct(start: number, target: Uint8Array): Promise<void> {
    const options = { signal: this.signal, purpose: "bulk" } as const;
    let filled = 0;
    for (let i = this.#find(start); filled < target.length; i++) {
      const extent = this.extents[i];
      const skip = start + filled - extent.start;
      const length = Math.min(extent.length - skip, target.length - filled);
      const offset = extent.offset + skip;
      await this.source.readInto(offset, target.subarray(filled, filled + length), options);
      filled += length;
    }
  }
}
