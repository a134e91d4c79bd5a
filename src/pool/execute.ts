/**
 * Runs a plan: hands out its tasks, joins what they return, and writes the metadata that makes the
 * store openable last of all.
 */
import { FuseError, isFuseError } from "../errors.ts";
import type { Plan } from "../plan/plan.ts";
import { taskCount } from "../plan/plan.ts";
import { metadataDocuments } from "../sinks/zarr/metadata.ts";
import { EdgeJoiner } from "../sinks/zarr/edge-joiner.ts";
import { GrowingArray } from "../sinks/zarr/growing-array.ts";
import { TipJoiner } from "../sinks/zarr/tip-joiner.ts";
import { ChunkEncoder } from "../sinks/zarr/chunk-encoder.ts";
import type { Target } from "../sinks/targets/target.ts";
import type { TaskResult } from "./task-result.ts";

/** What runs single tasks: a worker pool or the inline runner. */
export interface TaskExecutor {
  /** Tasks worth having under way at once. */
  readonly concurrency: number;
  /** Runs task `index` of the plan. */
  run(index: number): Promise<TaskResult>;
}

/** Totals of an executed plan. */
export interface Outcome {
  /** Bytes read from the sources. */
  bytesRead: number;
  /** Bytes of all objects written. */
  bytesWritten: number;
  /** What tasks found doubtful. */
  warnings: string[];
}

/**
 * Executes `plan` into `target`; the target is finished on success and aborted on any failure.
 * @throws FuseError of the first task that failed.
 */
export async function executePlan(
  plan: Plan,
  target: Target,
  executor: TaskExecutor,
  options: {
    signal?: AbortSignal;
    onTask?: (done: number, total: number, result: TaskResult) => void;
    /** Record of finished tasks; an interrupted conversion is then left to be gone on with. */
    journal?: { around(executor: TaskExecutor): TaskExecutor; end(): void };
  } = {},
): Promise<Outcome> {
  try {
    const { journal } = options;
    const joined = await runTasks(plan, target, journal?.around(executor) ?? executor, options);
    dropEmptyTables(plan, joined.shapes);
    const { sparc_fuse: own } = plan.groups[0].attributes as {
      sparc_fuse?: { warnings?: string[] };
    };
    own?.warnings?.push(...joined.outcome.warnings);
    for (const { key, bytes } of metadataDocuments(plan, joined.shapes)) {
      target.put(key, bytes);
      joined.outcome.bytesWritten += bytes.length;
    }
    journal?.end();
    await target.finish();
    return joined.outcome;
  } catch (error) {
    if (options.journal && isFuseError(error, "Aborted")) {
      await target.suspend?.();
      throw new FuseError("Aborted", error.statement, {
        ...error.details,
        remedy: "What is done is kept: --resume goes on from here",
      });
    }
    await target.abort();
    throw error;
  }
}

/** Tables the reader could only announce, and in which the pass found nothing, are left out. */
function dropEmptyTables(plan: Plan, shapes: number[][]): void {
  const empty = plan.groups.filter(({ path }) => {
    if (!/^(events|source)\//.test(path)) return false;
    const own = plan.arrays.flatMap((a, i) => (a.path.startsWith(`${path}/`) ? [i] : []));
    return own.length > 0 &&
      own.every((i) => plan.arrays[i].origin.kind === "stream" && shapes[i][0] === 0);
  }).map((g) => g.path);
  const dropped = (path: string) => empty.some((e) => path === e || path.startsWith(`${e}/`));
  plan.groups = plan.groups.filter((g) => !dropped(g.path));
  for (let i = plan.arrays.length - 1; i >= 0; i--) {
    if (!dropped(plan.arrays[i].path)) continue;
    plan.arrays.splice(i, 1);
    shapes.splice(i, 1);
  }
}

async function runTasks(
  plan: Plan,
  target: Target,
  executor: TaskExecutor,
  { signal, onTask }: Parameters<typeof executePlan>[3] & object,
): Promise<{ outcome: Outcome; shapes: number[][] }> {
  const outcome: Outcome = { bytesRead: 0, bytesWritten: 0, warnings: [] };
  const encoder = await ChunkEncoder.create();
  const edges = new EdgeJoiner(plan, target, encoder);
  const tips = new TipJoiner(plan, target, encoder);
  const shapes = plan.arrays.map((a) => a.shape.map((n) => n ?? -1));
  const total = taskCount(plan);
  let done = 0;

  const take = async (result: TaskResult) => {
    for (const { key, bytes } of result.objects) target.put(key, bytes);
    for (const final of result.shapes) {
      Object.assign(plan.arrays[final.array], { chunks: final.chunks, shards: final.shards });
      shapes[final.array] = final.shape;
    }
    outcome.bytesRead += result.bytesRead;
    outcome.bytesWritten += result.bytesWritten;
    for (const warning of result.warnings) {
      if (!outcome.warnings.includes(warning)) outcome.warnings.push(warning);
    }
    await edges.take(result);
    await tips.take(result);
    await target.drain?.();
    done++;
    onTask?.(done, total, result);
  };

  // Results are taken in task order, so that joined arrays grow in order; a slow task holds back at
  // most `concurrency` results.
  const running: { index: number; promise: Promise<TaskResult> }[] = [];
  let next = 0;
  try {
    while (next < total || running.length) {
      if (signal?.aborted) throw new FuseError("Aborted", "cancelled", { source: plan.input.name });
      while (next < total && running.length < executor.concurrency) {
        const promise = executor.run(next);
        promise.catch(() => {});
        running.push({ index: next++, promise });
      }
      await take(await running[0].promise);
      running.shift();
    }
  } catch (error) {
    await Promise.allSettled(running.map((r) => r.promise));
    if (signal?.aborted) throw new FuseError("Aborted", "cancelled", { source: plan.input.name });
    throw error;
  }
  for (const final of [...edges.finish(), ...await tips.finish()]) {
    Object.assign(plan.arrays[final.array], { chunks: final.chunks, shards: final.shards });
    shapes[final.array] = final.shape;
  }
  for (const [index, array] of plan.arrays.entries()) {
    if (array.origin.kind === "values") {
      // Nothing to write, and nothing to count rows by.
      if (array.shape.slice(1).includes(0)) continue;
      const rows = new GrowingArray(plan, index, target, encoder);
      rows.append(array.origin.values);
      const final = rows.finish();
      Object.assign(array, { chunks: final.chunks, shards: final.shards });
      // A shape with inner dimensions is the plan's own; rows only count the first.
      shapes[index] = final.shape;
    }
  }
  outcome.bytesWritten += encoder.bytesWritten;
  finishClocks(plan, target, encoder, shapes);
  return { outcome, shapes };
}

/** Generated time axes whose length only the pass told follow their signals. */
function finishClocks(plan: Plan, target: Target, encoder: ChunkEncoder, shapes: number[][]): void {
  plan.arrays.forEach((array, index) => {
    if (array.origin.kind !== "clock" || array.shape[0] !== null) return;
    const signals = plan.arrays.findIndex((a) => a.path === array.path.replace(/time$/, "signals"));
    const length = shapes[signals][1];
    const rows = new GrowingArray(plan, index, target, encoder);
    const { samplingFrequency, segments } = array.origin;
    const start = segments[0]?.startSeconds ?? 0;
    const piece = new Float64Array(65_536);
    for (let at = 0; at < length; at += piece.length) {
      const n = Math.min(piece.length, length - at);
      for (let i = 0; i < n; i++) piece[i] = start + (at + i) / samplingFrequency;
      rows.append(piece.subarray(0, n));
    }
    const final = rows.finish();
    Object.assign(array, { chunks: final.chunks, shards: final.shards });
    shapes[index] = final.shape;
  });
}
