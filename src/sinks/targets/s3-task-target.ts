/**
 * Objects of tasks, sent to a bucket by the worker that makes them: in parts, while they are written, so that
 * no shard is ever held whole.
 */
import { FuseError } from "../../errors.ts";
import { keyBelow, type S3Place } from "./s3-place.ts";
import { S3Bucket } from "./s3-bucket.ts";
import { S3Output } from "./s3-output.ts";
import type { ObjectWriter } from "./target.ts";

/** Bytes of full parts of an object that may be under way before a task is held back. */
const SENDING_BYTES = 5 << 20;
/** Objects being finished before a task is held back. */
const FINISHING = 1;

/** What a task needs of a target, below an S3 prefix. */
export class S3TaskTarget {
  #bucket: S3Bucket | undefined;
  /** Writes that want to hold the task back. */
  readonly #holding = new Set<Promise<void>>();
  readonly #finishing = new Set<Promise<void>>();
  readonly #spare: ArrayBuffer[] = [];
  #failure: unknown;

  constructor(readonly place: S3Place) {}

  /**
   * Begins an object, after {@link S3TaskTarget.drain} has come back once; it is there when it is closed and
   * {@link S3TaskTarget.settle} has come back.
   */
  create(key: string): ObjectWriter {
    if (!this.#bucket) throw new FuseError("Usage", "the bucket has not been opened");
    const full = keyBelow(this.place.prefix, key);
    const output = new S3Output(this.#bucket, full, undefined, SENDING_BYTES, this.#spare);
    return {
      get length() {
        return output.length;
      },
      write: (bytes) => {
        const held = output.write(bytes);
        if (held) this.#follow(this.#holding, held);
      },
      close: () =>
        this.#follow(
          this.#finishing,
          output.finish().catch(async (error) => {
            await output.abort();
            throw error;
          }),
        ),
      abort: () => this.#follow(this.#finishing, output.abort()),
    };
  }

  put(key: string, bytes: Uint8Array): void {
    const writer = this.create(key);
    writer.write(bytes);
    writer.close();
  }

  #follow(set: Set<Promise<void>>, work: Promise<void>): void {
    const step: Promise<void> = work.catch((error) => {
      this.#failure ??= error;
    }).finally(() => set.delete(step));
    set.add(step);
  }

  /** Waits while too much is on its way. @throws FuseError `Sink` of any object that could not be sent. */
  async drain(): Promise<void> {
    this.#bucket ??= await S3Bucket.of(this.place.bucket, this.place.s3);
    if (this.#failure === undefined) await Promise.all(this.#holding);
    while (this.#failure === undefined && this.#finishing.size > FINISHING) {
      await Promise.race(this.#finishing);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits for everything; then the next task may begin. @throws FuseError as {@link S3TaskTarget.drain}. */
  async settle(): Promise<void> {
    await Promise.all([...this.#holding, ...this.#finishing]);
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }
}
