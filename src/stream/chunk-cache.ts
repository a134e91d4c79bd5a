/** Decoded source chunks, kept while neighbouring output chunks still need them. */
import { FuseError } from "../errors.ts";
import type { DType } from "../model/dtype.ts";
import type { ChunkLayout } from "../model/layout.ts";
import type { ByteSource } from "../source/source.ts";
import { chunkDecoder, type DecodeChunk } from "./chunk-decoders.ts";

/** Bytes of decoded chunks a task keeps. */
export const CACHE_BYTES = 48 << 20;
/** Buffers of each kind kept for use again: what is thrown away stays in memory until it is collected. */
const SPARES = 6;

/** Bytes and entries of a window that is read ahead. */
const WINDOW_BYTES = 8 << 20, WINDOW_ENTRIES = 4096;
/** Bytes read at once, and bytes between entries that are read along. */
const RUN_BYTES = 4 << 20, RUN_GAP = 16 << 10;

/** Entries grouped into runs that lie close together in one file, in the order of the file. */
function runsOf(entries: number[], { source, offset, length }: ChunkLayout): number[][] {
  const sorted = entries.toSorted((a, b) => source[a] - source[b] || offset[a] - offset[b]);
  const runs: number[][] = [];
  let end = 0;
  for (const i of sorted) {
    const run = runs.at(-1);
    const close = run !== undefined && source[run[0]] === source[i] &&
      offset[i] - end <= RUN_GAP && offset[i] + length[i] - offset[run[0]] <= RUN_BYTES;
    end = Math.max(close ? end : 0, offset[i] + length[i]);
    if (close) run.push(i);
    else runs.push([i]);
  }
  return runs;
}

/** Stored bytes on their way, and whom they belong to. */
interface Fetch {
  bytes: Promise<Uint8Array>;
  run?: Run;
}

/** Entries read together into one buffer. */
interface Run {
  buffer: Uint8Array<ArrayBuffer>;
  /** Entries that were not asked for yet. */
  left: number;
}

/** Reads and decodes the chunks of one layout, with a small cache. */
export class ChunkCache {
  readonly #decoded = new Map<number, Uint8Array<ArrayBuffer>>();
  readonly #decoders = new Map<number, DecodeChunk>();
  readonly #fetching = new Map<number, Fetch>();
  /** Buffers of runs, and of decoded chunks, for use again. */
  readonly #spareRuns: Uint8Array<ArrayBuffer>[] = [];
  readonly #spareChunks: Uint8Array<ArrayBuffer>[] = [];
  /** The run whose bytes the last result may show. */
  #shown: Run | undefined;
  /** The stored bytes that were read last. */
  #last: { source: number; offset: number; length: number; bytes: Promise<Uint8Array> } | undefined;
  #bytes = 0;
  bytesRead = 0;

  constructor(
    readonly layout: ChunkLayout,
    readonly dtype: DType,
    readonly source: (index: number) => Promise<ByteSource>,
    readonly arrayPath: string,
    readonly limitBytes: number,
  ) {}

  /** True when entry `i` is in the file. */
  has(i: number): boolean {
    return this.layout.source[i] >= 0;
  }

  /** Begins to read entries that will be asked for soon; neighbours in the file are read together. */
  prefetch(entries: Iterable<number>): void {
    const wanted: number[] = [];
    for (const i of entries) {
      if (this.has(i) && !this.#decoded.has(i) && !this.#fetching.has(i)) wanted.push(i);
    }
    for (const run of runsOf(wanted, this.layout)) {
      // Larger ones are bands of a strip, decoded from the same bytes, or huge.
      if (this.layout.length[run[0]] > RUN_BYTES) {
        this.#begin(run[0], { bytes: this.#read(run[0]) });
      } else this.#beginRun(run);
    }
  }

  /**
   * Begins to read a window of a list of entries, from its index `from` on.
   * @returns index behind the window
   */
  prefetchWindow(entries: readonly number[], from: number): number {
    let to = from, bytes = 0;
    while (to < entries.length && to - from < WINDOW_ENTRIES && bytes < WINDOW_BYTES) {
      const i = entries[to++];
      if (this.has(i)) bytes += this.layout.length[i];
    }
    this.prefetch(entries.slice(from, to));
    return to;
  }

  #begin(i: number, fetch: Fetch): void {
    fetch.bytes.catch(() => {});
    this.#fetching.set(i, fetch);
  }

  /** Reads a run of entries at once. */
  #beginRun(entries: number[]): void {
    const { source, offset, length } = this.layout;
    const start = offset[entries[0]];
    const end = entries.reduce((most, i) => Math.max(most, offset[i] + length[i]), start);
    const fits = this.#spareRuns.findIndex((b) => b.length >= end - start);
    const [buffer] = fits >= 0
      ? this.#spareRuns.splice(fits, 1)
      : [new Uint8Array(entries.length > 1 ? Math.max(RUN_BYTES, end - start) : end - start)];
    const run = { buffer, left: entries.length };
    const target = buffer.subarray(0, end - start);
    const read = this.source(source[entries[0]]).then((s) =>
      s.readInto(start, target, { purpose: "bulk" })
    );
    for (const i of entries) {
      const at = offset[i] - start;
      this.bytesRead += length[i];
      this.#begin(i, { bytes: read.then(() => target.subarray(at, at + length[i])), run });
    }
  }

  /** The last result is not looked at any more: a run that was used up lends its buffer to the next. */
  #settle(): void {
    const run = this.#shown;
    this.#shown = undefined;
    if (run && --run.left === 0 && this.#spareRuns.length < SPARES) {
      this.#spareRuns.push(run.buffer);
    }
  }

  async #read(i: number): Promise<Uint8Array> {
    const { layout } = this;
    const source = await this.source(layout.source[i]);
    const length = layout.length[i];
    if (length > this.limitBytes) {
      throw new FuseError("Limit", "a stored chunk is larger than allowed", {
        source: source.name,
        offset: layout.offset[i],
        found: `${length} bytes`,
        expected: `at most ${this.limitBytes}`,
      });
    }
    // Bands of one strip are decoded from the same bytes, one after the other.
    const same = this.#last?.source === layout.source[i] &&
      this.#last.offset === layout.offset[i] &&
      this.#last.length === length;
    if (same) return await this.#last!.bytes;
    this.bytesRead += length;
    const bytes = source.read(layout.offset[i], length, { purpose: "bulk" });
    this.#last = { source: layout.source[i], offset: layout.offset[i], length, bytes };
    return await bytes;
  }

  /**
   * Hands the decoded values of entry `i` to `use`; with `keep` they may be asked for again without reading.
   *
   * `use` is called at once, and the values are valid only while it runs: they lie in the decoder's memory,
   * and the tasks of other files on the same thread decode into it whenever this one waits.
   */
  async use(i: number, keep: boolean, use: (values: Uint8Array) => void): Promise<void> {
    this.#settle();
    const known = this.#decoded.get(i);
    if (known) {
      this.#decoded.delete(i);
      this.#decoded.set(i, known);
      return use(known);
    }
    const fetch = this.#fetching.get(i);
    const encoded = await (fetch?.bytes ?? this.#read(i));
    this.#fetching.delete(i);
    this.#shown = fetch?.run;
    const { layout } = this;
    const codec = layout.codec?.[i] ?? 0;
    let decode = this.#decoders.get(codec);
    if (!decode) {
      decode = await chunkDecoder(layout.codecs[codec], this.dtype, layout.chunkShape);
      this.#decoders.set(codec, decode);
    }
    const source = await this.source(layout.source[i]);
    const values = decode(encoded, {
      source: source.name,
      offset: layout.offset[i],
      array: this.arrayPath,
    });
    use(keep ? this.#keep(i, values) : values);
  }

  #keep(i: number, values: Uint8Array): Uint8Array {
    const spare = this.#spareChunks.pop();
    const copy = spare?.length === values.length ? spare : new Uint8Array(values.length);
    copy.set(values);
    this.#decoded.set(i, copy);
    this.#bytes += copy.length;
    for (const [old, bytes] of this.#decoded) {
      if (this.#bytes <= CACHE_BYTES || old === i) break;
      this.#decoded.delete(old);
      this.#bytes -= bytes.length;
      if (this.#spareChunks.length < SPARES) this.#spareChunks.push(bytes);
    }
    return copy;
  }

  /** Forgets decoded chunks. */
  clear(): void {
    this.#settle();
    for (const bytes of this.#decoded.values()) {
      if (this.#spareChunks.length < SPARES) this.#spareChunks.push(bytes);
    }
    this.#decoded.clear();
    this.#fetching.clear();
    this.#last = undefined;
    this.#bytes = 0;
  }
}
