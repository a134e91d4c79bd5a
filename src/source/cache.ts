/**
 * A cache for header reads of remote sources. Headers are read in many small pieces, often in order;
 * blocks with a growing read-ahead turn them into a few requests. Bulk reads go past it, so that data
 * never push headers out.
 */
import { abortedError, checkAborted } from "./retry.ts";
import { type ByteSource, type ReadOptions, truncated } from "./source.ts";
import { WrappedSource } from "./wrapped.ts";

/** Sizes of a header cache, bytes. */
export interface CacheBudget {
  /** Unit of requests and of eviction. */
  blockBytes: number;
  /** Most bytes held. */
  heldBytes: number;
  /** Largest read-ahead; it starts at one block and doubles while reads go on in order. */
  readAheadBytes: number;
}

/** The budget used unless a caller passes another. */
export const DEFAULT_CACHE: CacheBudget = {
  blockBytes: 64 << 10,
  heldBytes: 16 << 20,
  readAheadBytes: 2 << 20,
};

/** One request under way for a run of blocks, shared by all readers that wait for them. */
interface Flight {
  firstBlock: number;
  blockCount: number;
  bytes: Promise<Uint8Array>;
  waiting: number;
  controller: AbortController;
}

/** Random access with cached header reads; wraps sources of known size. */
export class CachedSource extends WrappedSource {
  readonly #budget: CacheBudget;
  readonly #size: number;
  /** Blocks held, the least recently used first. */
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #flights = new Map<number, Flight>();
  #heldBytes = 0;
  #nextBlock = 0;
  #readAheadBytes: number;

  constructor(inner: ByteSource, budget: Partial<CacheBudget> = {}) {
    super(inner);
    if (inner.size === undefined) throw new TypeError("only a source of known size can be cached");
    this.#size = inner.size;
    this.#budget = { ...DEFAULT_CACHE, ...budget };
    this.#readAheadBytes = this.#budget.blockBytes;
  }

  /** Bytes of headers held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  override async read(
    offset: number,
    length: number,
    options: ReadOptions = {},
  ): Promise<Uint8Array> {
    if (!this.#isHeaderRead(length, options)) return await this.inner.read(offset, length, options);
    this.#check(offset, length);
    const target = new Uint8Array(length);
    await this.#fill(offset, target, options);
    return target;
  }

  override readUpTo(
    offset: number,
    length: number,
    options: ReadOptions = {},
  ): Promise<Uint8Array> {
    return this.read(offset, Math.max(0, Math.min(length, this.#size - offset)), options);
  }

  override async readInto(
    offset: number,
    target: Uint8Array,
    options: ReadOptions = {},
  ): Promise<void> {
    if (!this.#isHeaderRead(target.length, options)) {
      return await this.inner.readInto(offset, target, options);
    }
    this.#check(offset, target.length);
    await this.#fill(offset, target, options);
  }

  /** Reads of no stated purpose count as header reads while they fit in a block. */
  #isHeaderRead(length: number, options: ReadOptions): boolean {
    if (options.purpose === "bulk") return false;
    if (options.purpose === undefined) return length <= this.#budget.blockBytes;
    // A header of a size that would empty the cache is read once, directly.
    return length <= this.#budget.heldBytes / 4;
  }

  #check(offset: number, length: number): void {
    if (length > 0 && (offset < 0 || !(offset + length <= this.#size))) {
      throw truncated(this, offset, length, this.#size - offset);
    }
  }

  async #fill(offset: number, target: Uint8Array, options: ReadOptions): Promise<void> {
    checkAborted(options.signal, { source: this.uri, offset });
    if (target.length === 0) return;
    const { blockBytes } = this.#budget;
    const first = Math.floor(offset / blockBytes);
    const last = Math.floor((offset + target.length - 1) / blockBytes);
    const copy = (block: number, bytes: Uint8Array) => {
      const start = block * blockBytes;
      const from = Math.max(0, offset - start);
      const to = Math.min(bytes.length, offset + target.length - start);
      target.set(bytes.subarray(from, to), start + from - offset);
    };
    const waits: Promise<void>[] = [];
    for (let block = first; block <= last;) {
      const held = this.#blocks.get(block);
      if (held) {
        this.#blocks.delete(block);
        this.#blocks.set(block, held);
        copy(block, held);
        block++;
        continue;
      }
      const flight = this.#flights.get(block) ?? this.#fetch(block, last);
      const from = block;
      const to = Math.min(last, flight.firstBlock + flight.blockCount - 1);
      waits.push(
        this.#wait(flight, options.signal).then((bytes) => {
          for (let b = from; b <= to; b++) copy(b, this.#cut(flight, bytes, b));
        }),
      );
      block = to + 1;
    }
    this.#nextBlock = last + 1;
    // All are awaited even when one fails, so that no rejection is left unhandled.
    const failed = (await Promise.allSettled(waits)).find((r) => r.status === "rejected");
    if (failed) throw failed.reason;
  }

  #cut(flight: Flight, bytes: Uint8Array, block: number): Uint8Array {
    const start = (block - flight.firstBlock) * this.#budget.blockBytes;
    return bytes.subarray(start, Math.min(bytes.length, start + this.#budget.blockBytes));
  }

  /** Requests the missing blocks from `block` on: what is asked for, plus the read-ahead. */
  #fetch(block: number, lastAsked: number): Flight {
    const { blockBytes, readAheadBytes } = this.#budget;
    this.#readAheadBytes = block === this.#nextBlock && block > 0
      ? Math.min(readAheadBytes, this.#readAheadBytes * 2)
      : blockBytes;
    const end = Math.ceil(this.#size / blockBytes);
    const wanted = Math.max(lastAsked + 1, block + Math.floor(this.#readAheadBytes / blockBytes));
    let blockCount = 1;
    while (
      block + blockCount < Math.min(end, wanted) &&
      !this.#blocks.has(block + blockCount) && !this.#flights.has(block + blockCount)
    ) blockCount++;
    const controller = new AbortController();
    const start = block * blockBytes;
    const length = Math.min(this.#size - start, blockCount * blockBytes);
    const flight: Flight = {
      firstBlock: block,
      blockCount,
      waiting: 0,
      controller,
      bytes: this.inner.read(start, length, { purpose: "header", signal: controller.signal }),
    };
    for (let i = 0; i < blockCount; i++) this.#flights.set(block + i, flight);
    const land = () => {
      for (let i = 0; i < blockCount; i++) {
        if (this.#flights.get(block + i) === flight) this.#flights.delete(block + i);
      }
    };
    flight.bytes.then((bytes) => {
      land();
      for (let i = 0; i < blockCount; i++) {
        this.#hold(block + i, this.#cut(flight, bytes, block + i));
      }
    }, land);
    return flight;
  }

  #hold(block: number, view: Uint8Array): void {
    if (this.#blocks.has(block)) return;
    // A copy of its own: one block kept must not keep a whole read-ahead alive.
    const bytes = view.slice();
    this.#blocks.set(block, bytes);
    this.#heldBytes += bytes.length;
    for (const [oldest, old] of this.#blocks) {
      if (this.#heldBytes <= this.#budget.heldBytes) break;
      this.#blocks.delete(oldest);
      this.#heldBytes -= old.length;
    }
  }

  /** Waits for a shared request; it is given up only when the last one waiting gives up. */
  #wait(flight: Flight, signal?: AbortSignal): Promise<Uint8Array> {
    flight.waiting++;
    if (!signal) return flight.bytes;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        if (--flight.waiting === 0) {
          for (let i = 0; i < flight.blockCount; i++) {
            this.#flights.delete(flight.firstBlock + i);
          }
          flight.controller.abort(signal.reason);
        }
        reject(abortedError(signal, { source: this.uri }));
      };
      signal.addEventListener("abort", onAbort, { once: true });
      flight.bytes.then(resolve, reject).finally(() =>
        signal.removeEventListener("abort", onAbort)
      );
    });
  }

  protected override rewrap(sibling: ByteSource): ByteSource {
    return sibling.access === "random" && sibling.distance === "remote"
      ? new CachedSource(sibling, this.#budget)
      : sibling;
  }

  override async close(): Promise<void> {
    this.#blocks.clear();
    this.#heldBytes = 0;
    await this.inner.close();
  }
}
