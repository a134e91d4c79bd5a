/**
 * Joins reads that are asked for together and lie near each other into one request: tiles of one row,
 * chunks of one shard. A request costs a round trip, the bytes of a small gap next to nothing.
 */
import { abortedError, checkAborted } from "./retry.ts";
import { type ByteSource, type ReadOptions, truncated } from "./source.ts";
import { WrappedSource } from "./wrapped.ts";

/** Which reads are joined, bytes. */
export interface CoalesceBudget {
  /** Largest gap between two reads that is read along with them. */
  gapBytes: number;
  /** Largest joined request; reads of this size or more go alone, straight into their target. */
  requestBytes: number;
  /** Most bytes of joined requests under way at a time. */
  inFlightBytes: number;
}

/** The budget used unless a caller passes another. */
export const DEFAULT_COALESCE: CoalesceBudget = {
  gapBytes: 32 << 10,
  requestBytes: 4 << 20,
  inFlightBytes: 32 << 20,
};

interface Ask {
  offset: number;
  target: Uint8Array;
  signal?: AbortSignal;
  resolve(): void;
  reject(error: unknown): void;
}

interface Batch {
  start: number;
  end: number;
  asks: Ask[];
}

/** A source whose near, simultaneous bulk reads share requests. */
export class CoalescedSource extends WrappedSource {
  readonly #budget: CoalesceBudget;
  #asks: Ask[] = [];
  #scheduled = false;
  #queue: Batch[] = [];
  #inFlightBytes = 0;

  constructor(inner: ByteSource, budget: Partial<CoalesceBudget> = {}) {
    super(inner);
    this.#budget = { ...DEFAULT_COALESCE, ...budget };
  }

  override async read(
    offset: number,
    length: number,
    options: ReadOptions = {},
  ): Promise<Uint8Array> {
    this.#check(offset, length);
    if (length >= this.#budget.requestBytes) return await this.inner.read(offset, length, options);
    const target = new Uint8Array(length);
    await this.readInto(offset, target, options);
    return target;
  }

  override readUpTo(
    offset: number,
    length: number,
    options: ReadOptions = {},
  ): Promise<Uint8Array> {
    if (this.size === undefined) return this.inner.readUpTo(offset, length, options);
    return this.read(offset, Math.max(0, Math.min(length, this.size - offset)), options);
  }

  override async readInto(
    offset: number,
    target: Uint8Array,
    options: ReadOptions = {},
  ): Promise<void> {
    this.#check(offset, target.length);
    checkAborted(options.signal, { source: this.uri, offset });
    if (target.length === 0) return;
    // Header reads are gathered by the header cache above already, and wait for nobody.
    if (target.length >= this.#budget.requestBytes || options.purpose === "header") {
      return await this.inner.readInto(offset, target, options);
    }
    await new Promise<void>((resolve, reject) => {
      this.#asks.push({ offset, target, signal: options.signal, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      // Reads issued in one turn, and in the microtasks it sets off, form one batch.
      setTimeout(() => this.#flush(), 0);
    });
  }

  protected override rewrap(sibling: ByteSource): ByteSource {
    return sibling.access === "random" && sibling.distance === "remote"
      ? new CoalescedSource(sibling, this.#budget)
      : sibling;
  }

  #check(offset: number, length: number): void {
    if (length > 0 && (offset < 0 || (this.size !== undefined && offset + length > this.size))) {
      throw truncated(this, offset, length, (this.size ?? 0) - offset);
    }
  }

  #flush(): void {
    this.#scheduled = false;
    const asks = this.#asks.sort((a, b) => a.offset - b.offset);
    this.#asks = [];
    let batch: Batch | undefined;
    for (const ask of asks) {
      const end = ask.offset + ask.target.length;
      if (
        batch && ask.offset <= batch.end + this.#budget.gapBytes &&
        Math.max(end, batch.end) - batch.start <= this.#budget.requestBytes
      ) {
        batch.asks.push(ask);
        batch.end = Math.max(batch.end, end);
      } else {
        batch = { start: ask.offset, end, asks: [ask] };
        this.#queue.push(batch);
      }
    }
    this.#run();
  }

  #run(): void {
    while (this.#queue.length > 0) {
      const batch = this.#queue[0];
      const length = batch.end - batch.start;
      const fits = this.#inFlightBytes + length <= this.#budget.inFlightBytes;
      if (!fits && this.#inFlightBytes > 0) return;
      this.#queue.shift();
      this.#inFlightBytes += length;
      this.#send(batch).finally(() => {
        this.#inFlightBytes -= length;
        this.#run();
      });
    }
  }

  async #send(batch: Batch): Promise<void> {
    const live = batch.asks.filter((ask) => !settleAborted(ask, this.uri));
    if (live.length === 0) return;
    const controller = new AbortController();
    let waiting = live.length;
    const listeners = live.map((ask) => {
      const onAbort = () => {
        settleAborted(ask, this.uri);
        if (--waiting === 0) controller.abort(ask.signal!.reason);
      };
      ask.signal?.addEventListener("abort", onAbort, { once: true });
      return () => ask.signal?.removeEventListener("abort", onAbort);
    });
    const options: ReadOptions = { purpose: "bulk", signal: controller.signal };
    try {
      if (live.length === 1) {
        await this.inner.readInto(live[0].offset, live[0].target, options);
      } else {
        const bytes = await this.inner.read(batch.start, batch.end - batch.start, options);
        for (const { offset, target } of live) {
          const from = offset - batch.start;
          target.set(bytes.subarray(from, from + target.length));
        }
      }
      for (const ask of live) ask.resolve();
    } catch (error) {
      for (const ask of live) ask.reject(error);
    } finally {
      for (const remove of listeners) remove();
    }
  }
}

/** Rejects an ask whose signal is aborted; true when it was. */
function settleAborted(ask: Ask, source: string): boolean {
  if (!ask.signal?.aborted) return false;
  ask.reject(abortedError(ask.signal, { source, offset: ask.offset }));
  return true;
}
