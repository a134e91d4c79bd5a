/** Sources that give the same bytes in other pieces. */
import type { ByteSource, ReadOptions } from "../../src/source/source.ts";
import { WrappedSource } from "../../src/source/wrapped.ts";

/** Sizes of pieces, drawn one after the other. */
export type PieceSizes = () => number;

/** Pieces of 1 to `most` bytes; short ones are as likely as long ones. */
export function pieceSizes(random: () => number, most: number): PieceSizes {
  return () => 1 + Math.floor(Math.exp(random() * Math.log(most)));
}

/** A stream of `bytes` in pieces of the sizes drawn, each in a buffer of its own. */
export function piecesOf(bytes: Uint8Array, sizes: PieceSizes): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      const end = Math.min(bytes.length, at + sizes());
      controller.enqueue(moved(bytes.subarray(at, end)));
      at = end;
    },
  }, { highWaterMark: 0 });
}

/** The bytes at an odd place of a larger buffer, so that nobody can count on alignment. */
function moved(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const room = new Uint8Array(bytes.length + 7).fill(0xa5);
  room.set(bytes, 3);
  return room.subarray(3, 3 + bytes.length);
}

/**
 * Passes on what `inner` gives, late and in pieces: streams in those drawn, reads as copies at odd
 * places. As a remote source it also fills targets piece by piece.
 */
export class SplitSource extends WrappedSource {
  /** Reads and pieces of streams so far. */
  given = 0;

  constructor(
    inner: ByteSource,
    readonly sizes: PieceSizes,
    readonly as: "local" | "remote",
  ) {
    super(inner);
  }

  override get distance(): "local" | "remote" {
    return this.as;
  }

  override async read(offset: number, length: number, options?: ReadOptions): Promise<Uint8Array> {
    await this.#late();
    this.given++;
    return moved(await this.inner.read(offset, length, options));
  }

  override async readUpTo(
    offset: number,
    length: number,
    options?: ReadOptions,
  ): Promise<Uint8Array> {
    await this.#late();
    this.given++;
    return moved(await this.inner.readUpTo(offset, length, options));
  }

  override async readInto(
    offset: number,
    target: Uint8Array,
    options?: ReadOptions,
  ): Promise<void> {
    this.given++;
    if (this.as === "local") return await this.inner.readInto(offset, target, options);
    // One read first, so that a range past the end fails before anything is written.
    const bytes = await this.inner.read(offset, target.length, options);
    for (let at = 0; at < bytes.length;) {
      // Many tiny pieces would only take time.
      const end = Math.min(bytes.length, at + Math.max(this.sizes(), bytes.length >> 4));
      await this.#late();
      target.set(bytes.subarray(at, end), at);
      at = end;
    }
  }

  override stream(
    offset: number,
    length = Infinity,
    options?: ReadOptions,
  ): ReadableStream<Uint8Array> {
    const source = this.inner, sizes = this.sizes;
    const count = () => this.given++;
    const end = Math.min(offset + length, source.size ?? Infinity);
    let at = offset;
    return new ReadableStream({
      async pull(controller) {
        if (at >= end) return controller.close();
        const bytes = await source.readUpTo(at, Math.min(sizes(), end - at), options);
        if (!bytes.length) return controller.close();
        controller.enqueue(moved(bytes));
        count();
        at += bytes.length;
      },
    }, { highWaterMark: 0 });
  }

  protected override rewrap(sibling: ByteSource): ByteSource {
    return new SplitSource(sibling, this.sizes, this.as);
  }

  /** Lets others go first, now and then. */
  async #late(): Promise<void> {
    for (let turns = this.sizes() & 3; turns > 0; turns--) await Promise.resolve();
  }
}
