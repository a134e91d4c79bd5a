/** Bytes of a MAT-file in order: as they lie in the file, or as a zlib element inflates to them. */
import { FuseError, isFuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { truncated } from "../../src/source/source.ts";
import type { PackedElement } from "./mat-model.ts";

/** Compressed bytes given to the inflater at once: it may answer with a thousand times as many. */
const FEED_BYTES = 16 << 10;

/** Bytes read ahead of a parser. */
const AHEAD_BYTES = 64 << 10;

/** Bytes read or skipped in order. */
export interface ByteCursor {
  /** Bytes from the start of the file or of the inflated element. */
  readonly position: number;
  /** The next `length` bytes; valid until the next read. */
  read(length: number): Promise<Uint8Array>;
  /** Passes over bytes. */
  skip(length: number): Promise<void>;
}

/** A cursor in the file itself. */
export class FileCursor implements ByteCursor {
  #buffer = new Uint8Array(0);
  #start = 0;

  constructor(
    readonly source: ByteSource,
    public position: number,
    readonly signal?: AbortSignal,
  ) {}

  async read(length: number): Promise<Uint8Array> {
    const { source, position, signal } = this;
    const { size } = source;
    if (size !== undefined && position + length > size) {
      throw truncated(source, position, length, size - position);
    }
    if (position < this.#start || position + length > this.#start + this.#buffer.length) {
      this.#buffer = await source.readUpTo(position, Math.max(length, AHEAD_BYTES), {
        purpose: "header",
        signal,
      }) as Uint8Array<ArrayBuffer>;
      this.#start = position;
      if (this.#buffer.length < length) {
        throw truncated(source, position, length, this.#buffer.length);
      }
    }
    const at = position - this.#start;
    this.position += length;
    return this.#buffer.subarray(at, at + length);
  }

  skip(length: number): Promise<void> {
    this.position += length;
    return Promise.resolve();
  }
}

/** A cursor in what an element inflates to; bounded memory, forward only. */
export class InflateCursor implements ByteCursor {
  position = 0;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #sourceError: unknown;

  constructor(
    readonly source: ByteSource,
    readonly element: PackedElement,
    readonly signal?: AbortSignal,
  ) {
    const inflater = new DecompressionStream("deflate");
    this.#reader = this.#pieces().pipeThrough(inflater).getReader();
  }

  #pieces(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const { source, element, signal } = this;
    const reader = source.stream(element.offset, element.length, { purpose: "bulk", signal })
      .getReader();
    let piece = new Uint8Array(0);
    return new ReadableStream({
      pull: async (controller) => {
        try {
          while (piece.length === 0) {
            const { done, value } = await reader.read();
            if (done) return controller.close();
            piece = value as Uint8Array<ArrayBuffer>;
          }
          controller.enqueue(piece.slice(0, FEED_BYTES));
          piece = piece.subarray(FEED_BYTES);
        } catch (error) {
          this.#sourceError = error;
          controller.error(error);
        }
      },
      cancel: () => reader.cancel().catch(() => {}),
    }, { highWaterMark: 0 });
  }

  #damaged(statement: string, cause?: unknown): FuseError {
    return new FuseError("Corrupt", statement, {
      source: this.source.name,
      format: "mat",
      offset: this.element.offset,
      found: `${this.position} bytes before it`,
      cause,
    });
  }

  /** Loads the next bytes; false at the end. */
  async #load(): Promise<boolean> {
    while (this.#at >= this.#chunk.length) {
      try {
        const { done, value } = await this.#reader.read();
        if (done) return false;
        this.#chunk = value;
        this.#at = 0;
      } catch (error) {
        this.signal?.throwIfAborted();
        if (isFuseError(this.#sourceError)) throw this.#sourceError;
        throw this.#damaged("the zlib data of a variable are damaged", error);
      }
    }
    return true;
  }

  async read(length: number): Promise<Uint8Array> {
    if (this.#at + length <= this.#chunk.length) {
      const out = this.#chunk.subarray(this.#at, this.#at + length);
      this.#at += length;
      this.position += length;
      return out;
    }
    const out = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (!await this.#load()) throw this.#damaged("the zlib data of a variable end too early");
      const n = Math.min(length - filled, this.#chunk.length - this.#at);
      out.set(this.#chunk.subarray(this.#at, this.#at + n), filled);
      this.#at += n;
      this.position += n;
      filled += n;
    }
    return out;
  }

  async skip(length: number): Promise<void> {
    let left = length;
    while (left > 0) {
      if (!await this.#load()) throw this.#damaged("the zlib data of a variable end too early");
      const n = Math.min(left, this.#chunk.length - this.#at);
      this.#at += n;
      this.position += n;
      left -= n;
    }
  }

  /** Inflates up to about `most` further bytes, so that damage is found; true when they end there. */
  async drain(most: number): Promise<boolean> {
    const end = this.position + most;
    while (this.position < end) {
      if (!await this.#load()) return true;
      this.position += this.#chunk.length - this.#at;
      this.#at = this.#chunk.length;
    }
    return false;
  }

  /** Stops inflating. */
  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}
