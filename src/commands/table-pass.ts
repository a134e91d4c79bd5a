/** Runs of plans for outputs that are no stores: into chunk files, and as rows of tables. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseExecutor, type Execution, type PlannedFile } from "../convert.ts";
import type { Plan } from "../plan/plan.ts";
import { executePlan, type Outcome } from "../pool/execute.ts";
import { onlyArrays } from "../sinks/ordered/choose.ts";
import type { TableDefinition } from "../sinks/ordered/definition.ts";
import { ownerExecutor } from "../sinks/ordered/executor.ts";
import { framesOnly, runTables, type TableOutput } from "../sinks/ordered/sequencer.ts";
import type { OrderedSink } from "../sinks/ordered/table.ts";
import { StagingTarget } from "../sinks/targets/staging.ts";
import type { Target } from "../sinks/targets/target.ts";

/** A new folder among the system's temporary files, for chunk files of outputs that are no local files. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "sparc-fuse-"));
}

/** Writes the arrays of `plan` into `target`. */
export async function runStore(
  plan: Plan,
  planned: PlannedFile,
  target: Target,
  { pool, signal, onTask }: Execution,
): Promise<Outcome> {
  const executor = chooseExecutor({ ...planned, plan }, target, pool);
  try {
    return await executePlan(plan, target, executor, { signal, onTask });
  } finally {
    await executor.close();
  }
}

/**
 * Gives tables their rows, in one pass. Arrays in stored chunks, whose order may be any, are written to
 * chunk files first, in the folder `workFolder` makes.
 * @param openSink opens the sink of table `i`, when the pass begins
 */
export async function passTables(
  planned: PlannedFile,
  tables: TableDefinition[],
  openSink: (table: TableDefinition, i: number) => Promise<OrderedSink>,
  workFolder: () => string,
  execution: Execution,
): Promise<Outcome> {
  const { dataset } = planned;
  const { pool, signal, onTask } = execution;
  const stored = tables.flatMap((t) =>
    t.feeds.flatMap(({ source }) => (source.kind === "stored" ? [source.array] : []))
  );
  const staging = stored.length ? new StagingTarget(workFolder()) : undefined;
  const outputs: TableOutput[] = [];
  try {
    const before = staging &&
      await runStore(onlyArrays(planned.plan, stored), planned, staging, execution);
    const plan = framesOnly(planned.plan, tables);
    const executor = ownerExecutor(plan, dataset, pool);
    try {
      for (const [i, table] of tables.entries()) {
        outputs.push({ table, sink: await openSink(table, i) });
      }
      const parts = { plan, dataset, executor, stored: staging, signal, onTask };
      const outcome = await runTables(outputs, parts);
      outcome.bytesRead += before?.bytesRead ?? 0;
      outcome.warnings.push(...before?.warnings ?? []);
      return outcome;
    } finally {
      await executor.close();
    }
  } catch (error) {
    for (const { sink } of outputs) await sink.abort();
    throw error;
  } finally {
    staging?.remove();
  }
}
