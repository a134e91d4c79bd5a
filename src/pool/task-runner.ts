/** Runs single tasks of one plan on one thread: in a worker, or inline. */
import { FORMATS } from "../../decoders/registry.ts";
import { FuseError, toFuseError } from "../errors.ts";
import type { Dataset } from "../model/dataset.ts";
import { type Plan, taskAt } from "../plan/plan.ts";
import { ChunkEncoder } from "../sinks/zarr/chunk-encoder.ts";
import type { TaskTarget } from "../sinks/targets/open.ts";
import type { ByteSource, SourceSpec } from "../source/source.ts";
import { runClockTask } from "../stream/clock-task.ts";
import { FramesTask } from "../stream/frames-task.ts";
import { GridTask } from "../stream/grid-task.ts";
import { ImageTask } from "../stream/image-task.ts";
import { runStreamTask } from "../stream/stream-task.ts";
import { emptyResult, type TaskResult } from "./task-result.ts";

/** What a runner is given beside the plan. */
export interface RunnerHost {
  openSource(spec: SourceSpec): Promise<ByteSource>;
  /** The dataset the plan was made from, where this thread has it. */
  dataset?: Dataset;
}

/** Runs tasks; sources and buffers are kept from task to task until {@link TaskRunner.close}. */
export class TaskRunner {
  readonly #sources = new Map<number, Promise<ByteSource>>();
  readonly #prepared = new Map<number, FramesTask | GridTask | ImageTask>();
  #encoder: Promise<ChunkEncoder> | undefined;
  #dataset: Promise<Dataset> | undefined;
  /** Tasks with shared buffers run one at a time on a thread. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(readonly plan: Plan, readonly target: TaskTarget, readonly host: RunnerHost) {}

  /** Runs task `index` of the plan; `used` are buffers of earlier results. */
  run(index: number, used: ArrayBuffer[] = []): Promise<TaskResult> {
    this.target.reuse?.(used);
    const turn = this.#turn.then(() => this.#run(index));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #run(index: number): Promise<TaskResult> {
    const { plan, target } = this;
    const result = emptyResult(index);
    try {
      const { set, k } = taskAt(plan, index);
      await target.drain?.();
      const encoder = await (this.#encoder ??= ChunkEncoder.create());
      switch (set.kind) {
        case "frames":
        case "grid":
        case "image": {
          const at = plan.tasks.indexOf(set);
          let task = this.#prepared.get(at);
          if (!task) {
            const source = (i: number) => this.#source(i);
            task = set.kind === "frames"
              ? new FramesTask(plan, set, target, encoder, source)
              : set.kind === "grid"
              ? new GridTask(plan, set, target, encoder, source)
              : new ImageTask(plan, set, target, encoder, source);
            this.#prepared.set(at, task);
          }
          await task.run(k, result);
          break;
        }
        case "clock":
          runClockTask(plan, set.array, k, target, encoder, result);
          break;
        case "stream":
          await runStreamTask(plan, set, await this.#openDataset(), target, encoder, result);
      }
      await target.settle?.();
    } catch (error) {
      await target.settle?.().catch(() => {});
      throw toFuseError(error, "Corrupt", { source: plan.input.name, format: plan.input.format });
    }
    if (target.objects) {
      for (const [key, bytes] of target.objects) result.objects.push({ key, bytes });
      target.objects.clear();
    }
    return result;
  }

  #source(index: number): Promise<ByteSource> {
    if (this.host.dataset) return Promise.resolve(this.host.dataset.sources[index]);
    let source = this.#sources.get(index);
    if (!source) {
      const spec = this.plan.sources[index];
      if (!spec) throw new FuseError("Usage", "this input cannot be opened again in a worker");
      source = this.host.openSource(spec);
      this.#sources.set(index, source);
    }
    return source;
  }

  #openDataset(): Promise<Dataset> {
    if (this.host.dataset) return Promise.resolve(this.host.dataset);
    return this.#dataset ??= (async () => {
      const format = FORMATS.find((f) => f.id === this.plan.input.format);
      if (!format) throw new FuseError("UnknownFormat", `no reader for ${this.plan.input.format}`);
      const { mapping } = this.plan.input;
      return await (await format.load()).open(await this.#source(0), { mapping });
    })();
  }

  /** Gives back buffers and sources (not those of the host's dataset). */
  async close(): Promise<void> {
    await this.#turn;
    for (const task of this.#prepared.values()) task.free();
    this.#prepared.clear();
    (await this.#encoder)?.free();
    for (const source of this.#sources.values()) await (await source).close();
    for (const source of (await this.#dataset)?.sources.slice(1) ?? []) await source.close();
  }
}
