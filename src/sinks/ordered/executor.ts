/** Runs tasks whose chunks come back to the thread that asked for them. */
import { INLINE_BYTES } from "../../convert.ts";
import type { Dataset } from "../../model/dataset.ts";
import { type Plan, taskCount } from "../../plan/plan.ts";
import type { TaskExecutor } from "../../pool/execute.ts";
import type { WorkerPool } from "../../pool/pool.ts";
import { TaskRunner } from "../../pool/task-runner.ts";
import { openSpec } from "../../source/open.ts";
import { MemoryTarget } from "../targets/memory.ts";

/** An executor over a pool, or on this thread when the input is small or cannot be opened twice. */
export function ownerExecutor(
  plan: Plan,
  dataset: Dataset,
  pool: WorkerPool | undefined,
): TaskExecutor & { close(): Promise<void> } {
  const bytes = Math.max(plan.outputBytes, plan.input.size ?? Infinity);
  const reopens = plan.sources.every((s) => s !== null && s.kind !== "memory" && s.kind !== "blob");
  if (pool && reopens && bytes > INLINE_BYTES && taskCount(plan) > 1) {
    const job = pool.begin(plan, { kind: "owner" });
    return {
      concurrency: pool.size * pool.tasksPerWorker + 1,
      run: (index) => pool.run(job, index),
      close: () => Promise.resolve(pool.end(job)),
    };
  }
  const runner = new TaskRunner(plan, new MemoryTarget(), { openSource: openSpec, dataset });
  return { concurrency: 1, run: (index) => runner.run(index), close: () => runner.close() };
}
