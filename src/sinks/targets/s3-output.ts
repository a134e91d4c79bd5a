/**
 * One output as one object, sent in parts while it is written. The first part is kept until the end, so
 * that a header whose numbers are only known then can still be put right; nothing is spooled to a disk,
 * and the object appears when the last part is there.
 */
import { FuseError } from "../../errors.ts";
import { checkAborted } from "../../source/retry.ts";
import type { ByteOutput } from "../ordered/output.ts";
import type { S3Bucket, S3Parts } from "./s3-bucket.ts";

/** Bytes of a part (S3 takes parts from 5 MiB). */
const PART_BYTES = 5 << 20;
/** Parts of one size; then they double, because an object has at most 10,000. */
const PARTS_OF_A_SIZE = 1500;
const MOST_PARTS = 10_000;
/** Bytes of full parts that may wait or be under way before the work is held back. */
const SENDING_BYTES = 3 * PART_BYTES;
/** Buffers kept for parts to come. */
const SPARE = 3;
/** What a part begins with: most outputs are small. */
const FIRST_BYTES = 256 << 10;

/** Bytes of part `number`, from 1. */
export function partBytes(number: number): number {
  return PART_BYTES * 2 ** Math.floor((number - 1) / PARTS_OF_A_SIZE);
}

/** An object being written front to back. */
export class S3Output implements ByteOutput {
  readonly seekable = true;
  length = 0;
  #number = 1;
  #part: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  #held = 0;
  /** Part 1, once it is full. */
  #first: Uint8Array<ArrayBuffer> | undefined;
  #parts: Promise<S3Parts> | undefined;
  readonly #queue: { number: number; part: Uint8Array<ArrayBuffer> }[] = [];
  readonly #sending = new Set<Promise<void>>();
  /** Bytes of full parts that have not been sent. */
  #unsent = 0;
  #failure: unknown;
  /** Ends requests when the output is dropped. */
  readonly #dropped = new AbortController();
  readonly #signal: AbortSignal;

  /**
   * @param signal ends the writing early
   * @param mostUnsent bytes of full parts that may wait or be under way before the work is held back;
   *   as many parts as are in them are under way at a time
   * @param spare buffers of parts that have been sent, for parts to come, of this output and others
   */
  constructor(
    readonly bucket: S3Bucket,
    readonly key: string,
    readonly signal?: AbortSignal,
    readonly mostUnsent: number = SENDING_BYTES,
    readonly spare: ArrayBuffer[] = [],
  ) {
    const { signal: dropped } = this.#dropped;
    this.#signal = signal ? AbortSignal.any([signal, dropped]) : dropped;
  }

  /**
   * Takes the bytes at once; the promise, if there is one, holds back who would write more.
   * @throws FuseError `Sink` of any part that could not be sent, `Aborted`.
   */
  write(bytes: Uint8Array): void | Promise<void> {
    this.#check();
    this.length += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + partBytes(this.#number) - this.#held);
      this.#keep(piece);
      at += piece.length;
      if (this.#held === partBytes(this.#number)) this.#endPart();
    }
    if (this.#unsent > this.mostUnsent) return this.#drain(this.mostUnsent);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    checkAborted(this.signal, { source: this.bucket.uri(this.key) });
  }

  #keep(bytes: Uint8Array): void {
    const needed = this.#held + bytes.length;
    if (needed > this.#part.length) {
      const most = partBytes(this.#number);
      const grown = this.#spareOf(most) ??
        new Uint8Array(Math.min(most, Math.max(needed, 4 * this.#part.length)));
      grown.set(this.#part.subarray(0, this.#held));
      this.#part = grown;
    }
    this.#part.set(bytes, this.#held);
    this.#held = needed;
  }

  /** Takes the full part away: to keep, or to send. */
  #endPart(): void {
    const part = this.#part.subarray(0, this.#held);
    const number = this.#number++;
    if (this.#number > MOST_PARTS) {
      throw new FuseError("Sink", "the output is larger than an object may be", {
        source: this.bucket.uri(this.key),
        found: `${this.length} bytes so far`,
        remedy: "Convert a part of the time, or to zarr",
      });
    }
    this.#part = this.#spareOf(partBytes(this.#number)) ?? new Uint8Array(FIRST_BYTES);
    this.#held = 0;
    if (number === 1) this.#first = part;
    else this.#send(number, part);
  }

  #spareOf(size: number): Uint8Array<ArrayBuffer> | undefined {
    const at = this.spare.findIndex((buffer) => buffer.byteLength === size);
    return at < 0 ? undefined : new Uint8Array(this.spare.splice(at, 1)[0]);
  }

  #recycle({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (buffer.byteLength >= PART_BYTES && this.spare.length < SPARE) this.spare.push(buffer);
  }

  #send(number: number, part: Uint8Array<ArrayBuffer>): void {
    this.#queue.push({ number, part });
    this.#unsent += part.length;
    this.#pump();
  }

  /** Starts requests for parts that wait. */
  #pump(): void {
    const most = Math.max(1, Math.floor(this.mostUnsent / PART_BYTES));
    while (this.#queue.length && this.#sending.size < most && this.#failure === undefined) {
      const { number, part } = this.#queue.shift()!;
      const sent: Promise<void> = this.#sendPart(number, part).catch((error) => {
        this.#failure ??= error;
      }).finally(() => {
        this.#unsent -= part.length;
        this.#sending.delete(sent);
        this.#pump();
      });
      this.#sending.add(sent);
    }
  }

  async #sendPart(number: number, part: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#parts ??= this.bucket.beginParts(this.key);
    await (await this.#parts).put(number, part, this.#signal);
    this.#recycle(part);
  }

  async #drain(most: number): Promise<void> {
    while (this.#unsent > most && this.#failure === undefined) await Promise.race(this.#sending);
    this.#check();
  }

  patch(bytes: Uint8Array): void {
    const place = this.#first ?? this.#part.subarray(0, this.#held);
    if (bytes.length > place.length) {
      throw new FuseError("Sink", "an object can only be gone back in within its first part", {
        source: this.bucket.uri(this.key),
      });
    }
    place.set(bytes);
  }

  async finish(): Promise<void> {
    this.#check();
    const rest = this.#part.subarray(0, this.#held);
    if (!this.#first) {
      await this.bucket.put(this.key, rest, this.#signal);
      return this.#recycle(this.#part);
    }
    if (this.#number === 2 && rest.length === 0) {
      return await this.bucket.put(this.key, this.#first, this.#signal);
    }
    if (rest.length) this.#send(this.#number, rest);
    this.#send(1, this.#first);
    await this.#drain(0);
    await (await this.#parts!).complete();
    this.#parts = undefined;
  }

  /** Drops what was sent; no object appears. */
  async abort(): Promise<void> {
    this.#failure ??= new FuseError("Aborted", "dropped", { source: this.bucket.uri(this.key) });
    this.#dropped.abort(this.#failure);
    this.#queue.length = 0;
    this.#part = new Uint8Array(0);
    this.#held = 0;
    await Promise.allSettled(this.#sending);
    const parts = await this.#parts?.catch(() => undefined);
    this.#parts = undefined;
    await parts?.abort();
  }
}
