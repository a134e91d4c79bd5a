/** Decoded source chunks, kept while neighbouring output chunks still need them. */
import { FuseError } from "../errors.ts";
import type { DType } from "../model/dtype.ts";
import type { ChunkLayout } from "../model/layout.ts";
import type { ByteSource } from "../source/source.ts";
import { chunkDecoder, type DecodeChunk } from "./chunk-decoders.ts";

/** Bytes of decoded chunks a task keeps. */
export const CACHE_BYTES = 48 << 20;

/** Reads and decodes the chunks of one layout, with a small cache. */
export class ChunkCache {
  readonly #decoded = new Map<number, Uint8Array>();
  readonly #decoders = new Map<number, DecodeChunk>();
  readonly #fetching = new Map<number, Promise<Uint8Array>>();
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

  /** Begins to read entries that will be asked for soon. */
  prefetch(entries: Iterable<number>): void {
    for (const i of entries) {
      if (!this.has(i) || this.#decoded.has(i) || this.#fetching.has(i)) continue;
      const read = this.#read(i);
      read.catch(() => {});
      this.#fetching.set(i, read);
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
   * The decoded values of entry `i`; with `keep` they may be asked for again.
   * A result that is not kept is valid until the next call.
   */
  async get(i: number, keep: boolean): Promise<Uint8Array> {
    const known = this.#decoded.get(i);
    if (known) {
      this.#decoded.delete(i);
      this.#decoded.set(i, known);
      return known;
    }
    const encoded = await (this.#fetching.get(i) ?? this.#read(i));
    this.#fetching.delete(i);
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
    if (!keep) return values;
    const copy = values.slice();
    this.#decoded.set(i, copy);
    this.#bytes += copy.length;
    for (const [old, bytes] of this.#decoded) {
      if (this.#bytes <= CACHE_BYTES || old === i) break;
      this.#decoded.delete(old);
      this.#bytes -= bytes.length;
    }
    return copy;
  }

  /** Forgets decoded chunks. */
  clear(): void {
    this.#decoded.clear();
    this.#fetching.clear();
    this.#last = undefined;
    this.#bytes = 0;
  }
}
