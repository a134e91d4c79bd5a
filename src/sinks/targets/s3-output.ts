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
const PART_BYTES = 8 << 20;
/** Parts of one size; then they double, because an object has at most 10,000. */
const PARTS_OF_A_SIZE = 2000;
const MOST_PARTS = 10_000;
/** Bytes of parts under way before the work is held back; one part may always be. */
const SENDING_BYTES = 4 * PART_BYTES;

/** Bytes of part `number`, from 1. */
export function partBytes(number: number): number {
  return PART_BYTES * 2 ** Math.floor((number - 1) / PARTS_OF_A_SIZE);
}

/** An object being written front to back. */
export class S3Output implements ByteOutput {
  readonly seekable = true;
  length = 0;
  #number = 1;
  #part = new Uint8Array(256 << 10);
  #held = 0;
  /** Part 1, once it is full. */
  #first: Uint8Array<ArrayBuffer> | undefined;
  #parts: Promise<S3Parts> | undefined;
  readonly #sending = new Map<Promise<void>, number>();
  #failure: unknown;
  /** Ends requests when the output is dropped. */
  readonly #dropped = new AbortController();
  readonly #signal: AbortSignal;

  /** @param signal ends the writing early */
  constructor(readonly bucket: S3Bucket, readonly key: string, readonly signal?: AbortSignal) {
    const { signal: dropped } = this.#dropped;
    this.#signal = signal ? AbortSignal.any([signal, dropped]) : dropped;
  }

  /** @throws FuseError `Sink` of any part that could not be sent, `Aborted`. */
  write(bytes: Uint8Array): void | Promise<void> {
    this.#check();
    this.length += bytes.length;
    const room = partBytes(this.#number) - this.#held;
    if (bytes.length < room) return this.#keep(bytes);
    return this.#writeParts(bytes);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    checkAborted(this.signal, { source: this.bucket.uri(this.key) });
  }

  #keep(bytes: Uint8Array): void {
    const needed = this.#held + bytes.length;
    if (needed > this.#part.length) {
      const most = partBytes(this.#number);
      const grown = new Uint8Array(Math.min(most, Math.max(needed, 2 * this.#part.length)));
      grown.set(this.#part.subarray(0, this.#held));
      this.#part = grown;
    }
    this.#part.set(bytes, this.#held);
    this.#held = needed;
  }

  async #writeParts(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const size = partBytes(this.#number);
      const piece = bytes.subarray(at, at + size - this.#held);
      this.#keep(piece);
      at += piece.length;
      if (this.#held < size) break;
      await this.#endPart();
    }
  }

  /** Takes the full part away: to keep, or to send. */
  async #endPart(): Promise<void> {
    const part = this.#part.subarray(0, this.#held);
    const number = this.#number++;
    this.#part = new Uint8Array(partBytes(number));
    this.#held = 0;
    if (number === 1) this.#first = part;
    else await this.#send(number, part);
    if (this.#number > MOST_PARTS) {
      throw new FuseError("Sink", "the output is larger than an object may be", {
        source: this.bucket.uri(this.key),
        found: `${this.length} bytes so far`,
        remedy: "Convert a part of the time, or to zarr",
      });
    }
  }

  /** Sends a part, waiting while too many are under way. */
  async #send(number: number, part: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#parts ??= this.bucket.beginParts(this.key, this.#signal);
    const parts = await this.#parts;
    const sent: Promise<void> = parts.put(number, part, this.#signal).catch((error) => {
      this.#failure ??= error;
    }).finally(() => this.#sending.delete(sent));
    this.#sending.set(sent, part.length);
    while (this.#underWay() > SENDING_BYTES) await Promise.race(this.#sending.keys());
    this.#check();
  }

  #underWay(): number {
    return [...this.#sending.values()].reduce((a, b) => a + b, 0);
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
    if (!this.#first) return await this.bucket.put(this.key, rest, this.#signal);
    if (!this.#parts && rest.length === 0) {
      return await this.bucket.put(this.key, this.#first, this.#signal);
    }
    if (rest.length) await this.#send(this.#number, rest);
    await this.#send(1, this.#first);
    await Promise.all(this.#sending.keys());
    this.#check();
    await (await this.#parts!).complete(this.#signal);
    this.#parts = undefined;
  }

  /** Drops what was sent; no object appears. */
  async abort(): Promise<void> {
    this.#failure ??= new FuseError("Aborted", "dropped", { source: this.bucket.uri(this.key) });
    this.#dropped.abort(this.#failure);
    this.#part = new Uint8Array(0);
    this.#held = 0;
    await Promise.allSettled(this.#sending.keys());
    const parts = await this.#parts?.catch(() => undefined);
    this.#parts = undefined;
    await parts?.abort();
  }
}
