/** Bytes already in memory. */
import { type ByteSource, type ReadOptions, type SourceSpec, truncated } from "./source.ts";
import { siblingPath } from "./urls.ts";

/** A source over bytes in memory; `siblings` are other files of its set, by relative path. */
export class MemorySource implements ByteSource {
  readonly access = "random";
  readonly distance = "local";
  readonly size: number;
  readonly spec: SourceSpec;

  constructor(
    readonly name: string,
    readonly bytes: Uint8Array,
    readonly siblings: Record<string, Uint8Array> = {},
  ) {
    this.size = bytes.length;
    this.spec = { kind: "memory", name, bytes };
  }

  get uri(): string {
    return `memory:${this.name}`;
  }

  read(offset: number, length: number, _options?: ReadOptions): Promise<Uint8Array> {
    if (offset < 0 || offset + length > this.size) {
      return Promise.reject(truncated(this, offset, length, this.size - offset));
    }
    return Promise.resolve(this.bytes.subarray(offset, offset + length));
  }

  readUpTo(offset: number, length: number): Promise<Uint8Array> {
    return Promise.resolve(this.bytes.subarray(offset, Math.min(this.size, offset + length)));
  }

  readInto(offset: number, target: Uint8Array): Promise<void> {
    if (offset < 0 || offset + target.length > this.size) {
      return Promise.reject(truncated(this, offset, target.length, this.size - offset));
    }
    target.set(this.bytes.subarray(offset, offset + target.length));
    return Promise.resolve();
  }

  stream(offset: number, length = Infinity): ReadableStream<Uint8Array> {
    return rangeStream(this, offset, Math.min(length, Math.max(0, this.size - offset)));
  }

  sibling(relativePath: string): Promise<ByteSource | null> {
    const path = siblingPath(relativePath);
    const bytes = path !== undefined && Object.hasOwn(this.siblings, path)
      ? this.siblings[path]
      : undefined;
    return Promise.resolve(
      bytes ? new MemorySource(path!, bytes, { ...this.siblings, [this.name]: this.bytes }) : null,
    );
  }

  siblingNames(): Promise<string[] | null> {
    return Promise.resolve([this.name, ...Object.keys(this.siblings)]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Bytes a range stream asks its source for at a time. */
export const STREAM_PIECE_BYTES = 1 << 20;

/** A byte-counted stream that pulls pieces from a source's `read`. */
export function rangeStream(
  source: Pick<ByteSource, "read">,
  offset: number,
  length: number,
  options: ReadOptions = {},
): ReadableStream<Uint8Array> {
  const end = offset + length;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (offset >= end) return controller.close();
      const piece = await source.read(offset, Math.min(STREAM_PIECE_BYTES, end - offset), options);
      offset += piece.length;
      controller.enqueue(piece);
    },
  }, new ByteLengthQueuingStrategy({ highWaterMark: STREAM_PIECE_BYTES }));
}
