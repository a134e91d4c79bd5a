/**
 * A source that only flows forward, with a sliding window over what has just passed: enough to probe a
 * format and to read headers and data in order, in bounded memory.
 */
import { FuseError } from "../errors.ts";
import { checkAborted } from "./retry.ts";
import { piecesStream } from "./ranges.ts";
import {
  type ByteSource,
  type ReadOptions,
  type SourceSpec,
  type SourceStats,
  truncated,
} from "./source.ts";

/** Bytes kept behind the furthest byte read. */
export const FORWARD_WINDOW_BYTES = 16 << 20;

/** What makes up a {@link ForwardSource}. */
export interface ForwardParts {
  name: string;
  uri: string;
  size?: number;
  distance: "local" | "remote";
  spec?: SourceSpec;
  tag?: string;
  stats?: SourceStats;
  windowBytes?: number;
  /** Starts a pass from byte 0; called once only, unless `again`. */
  pass(signal: AbortSignal): AsyncGenerator<Uint8Array>;
  /** True when a further pass from the start can be had. */
  again: boolean;
  /** Why there is no random access: "the server ignores byte ranges". */
  why: string;
  sibling?(relativePath: string): Promise<ByteSource | null>;
  siblingNames?(): Promise<string[] | null>;
  onClose?(): Promise<void>;
}

interface Piece {
  start: number;
  bytes: Uint8Array;
}

/**
 * Bytes that come in order. Reads may go back as far as the window; further back they throw
 * `NeedsRandomAccess`. `stream` starts a pass of its own where passes can be repeated, and shares the
 * window otherwise.
 */
export class ForwardSource implements ByteSource {
  readonly access = "forward";
  readonly name: string;
  readonly uri: string;
  readonly size: number | undefined;
  readonly distance: "local" | "remote";
  readonly spec: SourceSpec | undefined;
  readonly tag?: string;
  readonly stats?: SourceStats;
  readonly windowBytes: number;
  #parts: ForwardParts;
  #closed = new AbortController();
  #pass: AsyncGenerator<Uint8Array> | undefined;
  #window: Piece[] = [];
  #position = 0;
  #ended = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: ForwardParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.uri = parts.uri;
    this.size = parts.size;
    this.distance = parts.distance;
    this.spec = parts.spec;
    this.tag = parts.tag;
    this.stats = parts.stats;
    this.windowBytes = parts.windowBytes ?? FORWARD_WINDOW_BYTES;
  }

  /** Runs reads one after the other: they share the window and the one pass. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  #checkOpen(): void {
    if (this.#closed.signal.aborted) {
      throw new FuseError("Usage", "source is closed", { source: this.uri });
    }
  }

  /** Appends the next piece of the pass to the window; false at the end. */
  async #pull(): Promise<boolean> {
    if (this.#ended) return false;
    this.#pass ??= this.#parts.pass(this.#closed.signal);
    const { done, value } = await this.#pass.next();
    if (done) {
      this.#ended = true;
      return false;
    }
    this.#window.push({ start: this.#position, bytes: value });
    this.#position += value.length;
    const keepFrom = this.#position - this.windowBytes;
    let drop = 0;
    while (drop < this.#window.length - 1 && this.#window[drop + 1].start <= keepFrom) drop++;
    if (drop > 0) this.#window.splice(0, drop);
    return true;
  }

  /** What of `[at, end)` lies in one piece of the window, pulling until there is some; null at the end. */
  async #pieceAt(at: number, end: number, signal?: AbortSignal): Promise<Uint8Array | null> {
    while (at >= this.#position) {
      checkAborted(signal, { source: this.uri, offset: at });
      this.#checkOpen();
      if (!(await this.#pull())) return null;
    }
    const first = this.#window[0]?.start ?? this.#position;
    if (at < first) throw this.#behind(at, first);
    let low = 0;
    let high = this.#window.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#window[middle].start <= at) low = middle;
      else high = middle - 1;
    }
    const { start, bytes } = this.#window[low];
    return bytes.subarray(at - start, Math.min(bytes.length, end - start));
  }

  #behind(at: number, first: number): FuseError {
    return new FuseError(
      "NeedsRandomAccess",
      `${this.#parts.why}, and these bytes have already passed`,
      {
        source: this.name,
        offset: at,
        found: `a window that starts at byte ${first}`,
        remedy: "Save it to a file first, or let it be copied to a temporary file.",
      },
    );
  }

  async #collect(offset: number, length: number, options: ReadOptions): Promise<Uint8Array> {
    this.#checkOpen();
    const pieces: Uint8Array[] = [];
    let at = offset;
    while (at < offset + length) {
      const piece = await this.#pieceAt(at, offset + length, options.signal);
      if (!piece) break;
      pieces.push(piece);
      at += piece.length;
    }
    if (pieces.length === 1) return pieces[0].slice();
    const all = new Uint8Array(at - offset);
    let done = 0;
    for (const piece of pieces) {
      all.set(piece, done);
      done += piece.length;
    }
    return all;
  }

  #checkRange(offset: number, length: number): void {
    if (offset < 0 || (this.size !== undefined && offset + length > this.size)) {
      throw truncated(this, offset, length, (this.size ?? 0) - offset);
    }
  }

  async read(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    this.#checkRange(offset, length);
    const bytes = await this.#inTurn(() => this.#collect(offset, length, options));
    if (bytes.length < length) throw truncated(this, offset, length, bytes.length);
    return bytes;
  }

  readUpTo(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    const rest = this.size === undefined ? length : Math.max(0, this.size - offset);
    return this.#inTurn(() => this.#collect(offset, Math.min(length, rest), options));
  }

  async readInto(offset: number, target: Uint8Array, options: ReadOptions = {}): Promise<void> {
    this.#checkRange(offset, target.length);
    await this.#inTurn(async () => {
      this.#checkOpen();
      let done = 0;
      while (done < target.length) {
        const piece = await this.#pieceAt(offset + done, offset + target.length, options.signal);
        if (!piece) throw truncated(this, offset, target.length, done);
        target.set(piece, done);
        done += piece.length;
      }
    });
  }

  stream(offset: number, length = Infinity, options: ReadOptions = {}): ReadableStream<Uint8Array> {
    this.#checkOpen();
    const end = offset + length;
    return piecesStream(
      this.#parts.again ? this.#ownPass(offset, end, options) : this.#shared(offset, end, options),
      // A pipe is not waited on before its bytes are wanted: the reader of the output may be gone by then.
      this.distance === "local" ? 0 : 1,
    );
  }

  async *#ownPass(offset: number, end: number, options: ReadOptions): AsyncGenerator<Uint8Array> {
    const closed = this.#closed.signal;
    const signal = options.signal ? AbortSignal.any([options.signal, closed]) : closed;
    const pass = this.#parts.pass(signal);
    let at = 0;
    try {
      while (at < end) {
        checkAborted(signal, { source: this.uri, offset: at });
        const { done, value } = await pass.next();
        if (done) return;
        const from = Math.min(value.length, Math.max(0, offset - at));
        const to = Math.min(value.length, end - at);
        at += value.length;
        if (to > from) yield value.subarray(from, to);
      }
    } finally {
      await pass.return(undefined);
    }
  }

  async *#shared(offset: number, end: number, options: ReadOptions): AsyncGenerator<Uint8Array> {
    let at = offset;
    while (at < end) {
      const piece = await this.#inTurn(() => this.#pieceAt(at, end, options.signal));
      if (!piece) return;
      at += piece.length;
      // A copy: the consumer may transfer its buffer while the window still shows it.
      yield piece.slice();
    }
  }

  sibling(relativePath: string): Promise<ByteSource | null> {
    return this.#parts.sibling?.(relativePath) ?? Promise.resolve(null);
  }

  siblingNames(): Promise<string[] | null> {
    return this.#parts.siblingNames?.() ?? Promise.resolve(null);
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new FuseError("Usage", "source is closed", { source: this.uri }));
    this.#window = [];
    await this.#pass?.return(undefined).catch(() => {});
    await this.#parts.onClose?.();
  }
}
