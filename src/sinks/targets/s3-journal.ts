/**
 * The journal of a conversion into a bucket, below the store's own prefix: the plan, and a record for
 * each task whose objects are up. A run that was killed goes on from here, on any machine.
 */
import { FuseError } from "../../errors.ts";
import { fromJson, toJson } from "../../plan/plan-json.ts";
import type { Plan } from "../../plan/plan.ts";
import type { TaskExecutor } from "../../pool/execute.ts";
import { emptyResult, type TaskResult } from "../../pool/task-result.ts";
import { openSpec } from "../../source/open.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import { keyBelow, type S3Place } from "./s3-place.ts";

/** Folder of the journal below the store's prefix. */
export const JOURNAL = ".journal";

/** What takes the objects of finished tasks. */
export interface ObjectUploader {
  upload(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Waits until no more than `budget` bytes are on their way. */
  drain(budget: number): Promise<void>;
}

/** The records of a conversion below a prefix. */
export class S3Journal {
  constructor(
    readonly place: S3Place,
    readonly bucket: S3Bucket,
    /** Lengths of the objects an earlier run has left, by full key. */
    readonly kept: ReadonlyMap<string, number>,
    readonly uploader?: ObjectUploader,
  ) {}

  #key(name: string): string {
    return keyBelow(this.place.prefix, name);
  }

  async #read<T>(name: string): Promise<T> {
    const { bucket, s3 } = this.place;
    const key = this.#key(`${JOURNAL}/${name}`);
    const source = await openSpec({ kind: "s3", bucket, key, s3 }, { cache: false });
    try {
      return fromJson<T>(new TextDecoder().decode(await source.read(0, source.size!)));
    } catch (cause) {
      throw new FuseError("Sink", "the journal of the earlier run cannot be read", {
        source: source.uri,
        remedy: "--overwrite begins anew",
        cause,
      });
    } finally {
      await source.close();
    }
  }

  async #write(name: string, value: unknown): Promise<void> {
    await this.uploader!.upload(
      `${JOURNAL}/${name}`,
      new TextEncoder().encode(toJson(value)) as Uint8Array<ArrayBuffer>,
    );
  }

  /** Writes the plan: from now on the conversion can be gone on with. */
  async begin(plan: Plan): Promise<void> {
    await this.#write("plan.json", plan);
  }

  /** The plan of the earlier run. */
  async plan(): Promise<Plan> {
    return await this.#read<Plan>("plan.json");
  }

  /** The result of a task the earlier run finished; null when its objects are not what they were. */
  async #result(index: number): Promise<TaskResult | null> {
    const name = `task-${index}.json`;
    if (!this.kept.has(this.#key(`${JOURNAL}/${name}`))) return null;
    const result = await this.#read<TaskResult>(name);
    const whole = result.written.every(({ key, length }) =>
      this.kept.get(this.#key(key)) === length
    );
    return whole ? { ...emptyResult(index), ...result } : null;
  }

  /**
   * An executor that takes finished tasks from the journal. The objects of the others are uploaded before
   * their record is, so that a record means whole objects.
   */
  around(inner: TaskExecutor): TaskExecutor {
    return {
      concurrency: inner.concurrency,
      run: async (index) => {
        const known = await this.#result(index);
        if (known) return known;
        const result = await inner.run(index);
        const written = new Map(result.written.map(({ key, length }) => [key, length]));
        for (const { key, bytes } of result.objects) {
          written.set(key, bytes.length);
          await this.uploader!.upload(key, bytes);
        }
        // A task on this thread gave its objects to the target itself.
        if (result.objects.length === 0 && written.size) await this.uploader!.drain(0);
        const done: TaskResult = {
          ...result,
          written: [...written].map(([key, length]) => ({ key, length })),
          objects: [],
        };
        await this.#write(`task-${index}.json`, done);
        return done;
      },
    };
  }

  /** The records are removed by the store they belong to, when it is finished. */
  end(): void {}
}
