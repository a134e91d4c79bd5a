/** Byte ranges of a remote object over an unreliable connection: retried, resumed, counted. */
import { FuseError } from "../errors.ts";
import { awaitRetry, checkAborted, type RetryPolicy, TransientFailure } from "./retry.ts";
import {
  type ByteSource,
  type ReadOptions,
  type SourceSpec,
  type SourceStats,
  truncated,
} from "./source.ts";

/** How one protocol answers a range; errors that may pass are thrown as TransientFailure. */
export interface RangeTransport {
  /** Opens bytes `[start, end)`; the body may be longer (the rest is dropped) or be cut. */
  open(start: number, end: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

/** What a pass over a range needs to know. */
export interface RangePass {
  transport: RangeTransport;
  /** URI for messages. */
  source: string;
  policy: RetryPolicy;
  stats: SourceStats;
  signal?: AbortSignal;
}

/** Fresh counters. */
export function newStats(): SourceStats {
  return { requests: 0, bytes: 0, retries: 0 };
}

/**
 * Yields the bytes of `[start, end)` in order, in pieces as they arrive. A body that is cut goes on in
 * a new request from where it stopped; only failures without progress count towards giving up.
 */
export async function* readRange(
  pass: RangePass,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  let at = start;
  let failures = 0;
  while (at < end) {
    checkAborted(pass.signal, { source: pass.source, offset: at });
    const request = new AbortController();
    const onAbort = () => request.abort(pass.signal!.reason);
    pass.signal?.addEventListener("abort", onAbort, { once: true });
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    try {
      pass.stats.requests++;
      const guard = <T>(wait: Promise<T>) => withinSilence(wait, pass.policy.stallMillis, request);
      reader = (await guard(pass.transport.open(at, end, request.signal))).getReader();
      while (at < end) {
        const { done, value } = await guard(reader.read());
        if (done) throw new TransientFailure(`the body ended ${end - at} bytes early`);
        pass.stats.bytes += value.length;
        const piece = value.length > end - at ? value.subarray(0, end - at) : value;
        if (piece.length === 0) continue;
        at += piece.length;
        failures = 0;
        yield piece;
      }
    } catch (error) {
      failures++;
      await awaitRetry(
        error,
        failures,
        pass.policy,
        { source: pass.source, offset: at },
        pass.signal,
      );
      pass.stats.retries++;
    } finally {
      pass.signal?.removeEventListener("abort", onAbort);
      // Cancelling closes the connection when the body was not read to its end.
      await reader?.cancel().catch(() => {});
      if (!reader) request.abort();
    }
  }
}

async function withinSilence<T>(
  wait: Promise<T>,
  millis: number,
  request: AbortController,
): Promise<T> {
  let timer: number | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const failure = new TransientFailure(`no byte for ${millis / 1000} s`);
      reject(failure);
      request.abort(failure);
    }, millis) as unknown as number;
  });
  try {
    return await Promise.race([wait, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** A ReadableStream over an async generator of pieces, pulled one piece ahead at most, or not at all. */
export function piecesStream(
  pieces: AsyncGenerator<Uint8Array>,
  ahead: 0 | 1 = 1,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  }, new ByteLengthQueuingStrategy({ highWaterMark: ahead }));
}

/** A remote object of known size whose service answers ranges. */
export abstract class RangeSource implements ByteSource {
  readonly access: "random" | "forward" = "random";
  readonly distance = "remote";
  abstract readonly name: string;
  abstract readonly uri: string;
  abstract readonly size: number;
  abstract readonly spec: SourceSpec | undefined;
  abstract readonly tag?: string;
  #closed = new AbortController();

  protected constructor(protected readonly policy: RetryPolicy, readonly stats: SourceStats) {}

  protected abstract readonly transport: RangeTransport;
  abstract sibling(relativePath: string): Promise<ByteSource | null>;
  abstract siblingNames(): Promise<string[] | null>;

  #pass(options: ReadOptions): RangePass {
    if (this.#closed.signal.aborted) {
      throw new FuseError("Usage", "source is closed", { source: this.uri });
    }
    const signal = options.signal
      ? AbortSignal.any([options.signal, this.#closed.signal])
      : this.#closed.signal;
    return {
      transport: this.transport,
      source: this.uri,
      policy: this.policy,
      stats: this.stats,
      signal,
    };
  }

  async read(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    // Checked before allocating: a length from a damaged header must not take memory.
    this.#check(offset, length);
    const target = new Uint8Array(length);
    await this.readInto(offset, target, options);
    return target;
  }

  readUpTo(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    return this.read(offset, Math.max(0, Math.min(length, this.size - offset)), options);
  }

  async readInto(offset: number, target: Uint8Array, options: ReadOptions = {}): Promise<void> {
    this.#check(offset, target.length);
    let done = 0;
    for await (const piece of readRange(this.#pass(options), offset, offset + target.length)) {
      target.set(piece, done);
      done += piece.length;
    }
  }

  stream(offset: number, length = Infinity, options: ReadOptions = {}): ReadableStream<Uint8Array> {
    const end = Math.min(this.size, offset + length);
    return piecesStream(readRange(this.#pass(options), offset, end));
  }

  #check(offset: number, length: number): void {
    if (length === 0 && offset <= this.size) return;
    if (offset < 0 || !(offset + length <= this.size)) {
      throw truncated(this, offset, length, this.size - offset);
    }
  }

  close(): Promise<void> {
    this.#closed.abort(new FuseError("Usage", "source is closed", { source: this.uri }));
    return Promise.resolve();
  }
}
