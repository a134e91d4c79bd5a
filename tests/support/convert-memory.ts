/** Opens bytes as a file and converts them into memory. */
import type { Dataset } from "../../src/model/dataset.ts";
import { openDataset } from "../../src/identify.ts";
import { buildPlan, type PlanOptions } from "../../src/plan/build.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { executePlan } from "../../src/pool/execute.ts";
import { TaskRunner } from "../../src/pool/task-runner.ts";
import { MemoryTarget } from "../../src/sinks/targets/memory.ts";
import { MemorySource } from "../../src/source/memory.ts";
import { openSpec } from "../../src/source/open.ts";

/** What tests say of where their data come from. */
export const PROVENANCE = { score: 255, why: "test", convertedAt: "2026-01-01T00:00:00Z" };

/** The dataset of a file. */
export async function openBytes(name: string, bytes: Uint8Array): Promise<Dataset> {
  return (await openDataset(new MemorySource(name, bytes))).dataset;
}

/** The store a dataset becomes. */
export async function convertDataset(
  dataset: Dataset,
  options: PlanOptions = {},
): Promise<MemoryTarget> {
  return (await convertPlanned(dataset, options)).target;
}

/** The store a dataset becomes, and the plan it was made by. */
export async function convertPlanned(
  dataset: Dataset,
  options: PlanOptions = {},
): Promise<{ target: MemoryTarget; plan: Plan }> {
  const plan = buildPlan(dataset, options, PROVENANCE);
  const target = new MemoryTarget();
  const runner = new TaskRunner(plan, {
    create: (key) => target.create(key),
    put: (key, bytes) => target.put(key, bytes),
  }, { openSource: openSpec, dataset });
  await executePlan(plan, target, { concurrency: 1, run: (i) => runner.run(i) });
  await runner.close();
  return { target, plan };
}
