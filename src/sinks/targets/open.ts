/** Opens, in a worker, the target that the owner of a plan described. */
import { PartialDirectory } from "./directory.ts";
import { MemoryTarget } from "./memory.ts";
import { S3TaskTarget } from "./s3-task-target.ts";
import type { Target, TargetSpec } from "./target.ts";

/** What a task needs of a target. */
export type TaskTarget = Pick<Target, "create" | "put"> & {
  objects?: Map<string, Uint8Array<ArrayBuffer>>;
  /** Gives buffers of earlier objects back. */
  reuse?(buffers: ArrayBuffer[]): void;
  /** Holds a task back while too much of it waits to be written; absent where writing is immediate. */
  drain?(): Promise<void>;
  /** Waits until all objects of a task are there; absent where they are when they are closed. */
  settle?(): Promise<void>;
};

/** A target for tasks: the folder or the bucket itself, or memory whose objects travel to the owner. */
export function openTarget(spec: TargetSpec): TaskTarget {
  switch (spec.kind) {
    case "directory":
      return new PartialDirectory(spec.path);
    case "s3":
      return new S3TaskTarget(spec.place);
    case "owner":
      return new MemoryTarget();
  }
}
