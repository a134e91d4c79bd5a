/** Opens, in a worker, the target that the owner of a plan described. */
import { PartialDirectory } from "./directory.ts";
import { MemoryTarget } from "./memory.ts";
import type { Target, TargetSpec } from "./target.ts";

/** What a task needs of a target. */
export type TaskTarget = Pick<Target, "create" | "put"> & {
  objects?: Map<string, Uint8Array<ArrayBuffer>>;
  /** Gives buffers of earlier objects back. */
  reuse?(buffers: ArrayBuffer[]): void;
};

/** A target for tasks: the folder itself, or memory whose objects travel to the owner. */
export function openTarget(spec: TargetSpec): TaskTarget {
  return spec.kind === "directory" ? new PartialDirectory(spec.path) : new MemoryTarget();
}
