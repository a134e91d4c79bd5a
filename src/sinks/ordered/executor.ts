/** Runs tasks whose chunks come back to the thread that asked for them. */
import { INLINE_BYTES } from "../../convert.ts";
import type { Dataset } from "../../model/dataset.ts";
import { type Plan, taskCount } from "../../plan/plan.ts";
import type { TaskExecutor } from "../../pool/execute.ts";
import type { WorkerPool } from "../../pool/pool.ts";
import type { TaskResult } from "../../pool/task-result.ts";
import { TaskRunner } from "../../pool/task-runner.ts";
import { openSpec } from "../../source/open.ts";
import { MemoryTarget } from "../targets/memory.ts";

/** An executor whose results are read and given back. */
export interface OwnerExecutor extends TaskExecutor {
  /** Takes the buffer of an object that has been read, for a task to come. */
  giveBack(bytes: Uint8Array<ArrayBuffer>): void;
  close(): Promise<void>;
}

/** Buffers on their way back to the tasks. */
class UsedBuffers {
  readonly #buffers: ArrayBuffer[] = [];
  /** Objects a task gives: what the next one is given buffers for. */
  #perTask = 0;

  add(bytes: Uint8Array<ArrayBuffer>): void {
    this.#buffers.push(bytes.buffer);
  }

  /** Runs a task with as many of the buffers as it needs. */
  async lend(run: (used: ArrayBuffer[]) => Promise<TaskResult>): Promise<TaskResult> {
    const result = await run(this.#buffers.splice(0, this.#perTask));
    this.#perTask = Math.max(this.#perTask, result.objects.length);
    return result;
  }
}

/** An executor over a pool, or on this thread when the input is small or cannot be opened twice. */
export function ownerExecutor(
  plan: Plan,
  dataset: Dataset,
  pool: WorkerPool | undefined,
): OwnerExecutor {
  const used = new UsedBuffers();
  const giveBack = (bytes: Uint8Array<ArrayBuffer>) => used.add(bytes);
  const bytes = Math.max(plan.outputBytes, plan.input.size ?? Infinity);
  const reopens = plan.sources.every((s) => s !== null && s.kind !== "memory" && s.kind !== "blob");
  if (pool && reopens && bytes > INLINE_BYTES && taskCount(plan) > 1) {
    const job = pool.begin(plan, { kind: "owner" });
    return {
      concurrency: pool.size * pool.tasksPerWorker + 1,
      run: (index) => used.lend((buffers) => pool.run(job, index, buffers)),
      giveBack,
      close: () => Promise.resolve(pool.end(job)),
    };
  }
  const runner = new TaskRunner(plan, new MemoryTarget(), { openSource: openSpec, dataset });
  return {
    concurrency: 1,
    run: (index) => used.lend((buffers) => runner.run(index, buffers)),
    giveBack,
    close: () => runner.close(),
  };
}
