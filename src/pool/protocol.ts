/** Messages between the thread that runs a plan and its workers. */
import type { FuseError } from "../errors.ts";
import type { Plan } from "../plan/plan.ts";
import type { TargetSpec } from "../sinks/targets/target.ts";
import type { TaskResult } from "./task-result.ts";

/** What a worker is asked. */
export type Request =
  /** Makes a plan known under `job`; sent once per worker and plan. */
  | { type: "job"; job: number; plan: Plan; target: TargetSpec }
  /** `used`: buffers of earlier results, for those to come. */
  | { type: "task"; job: number; index: number; id: number; used: ArrayBuffer[] }
  | { type: "end-job"; job: number };

/** What a worker answers. */
export type Response =
  | { type: "ready" }
  | { type: "done"; id: number; result: TaskResult }
  | { type: "failed"; id: number; error: ReturnType<FuseError["toJSON"]> };
