/** Arrays made of stored chunks (HDF5, MAT, zarr). */
import type { DType } from "../model/dtype.ts";
import { sizeOf } from "../model/dtype.ts";
import type { PlanBuilder } from "./builder.ts";
import { gridChunking } from "./chunking.ts";
import type { GridPiece, PlannedArray } from "./plan.ts";

/** Adds an array made of stored chunks, and its tasks. */
export function planGrid(
  builder: PlanBuilder,
  array: Pick<PlannedArray, "path" | "dtype" | "dims" | "shape" | "attributes">,
  stored: DType,
  pieces: GridPiece[],
): void {
  const shape = array.shape as number[];
  const [first] = pieces;
  const own = first.permutation.map((from) => (from < 0 ? 1 : first.layout.chunkShape[from]));
  const { chunks, shards } = gridChunking(shape, own, sizeOf(array.dtype), builder.targets);
  const index = builder.array({
    ...array,
    chunks,
    shards: builder.sharded ? shards : null,
    origin: { kind: "grid", stored, pieces },
  });
  const span = builder.plan.arrays[index].shards ?? chunks;
  const count = shape.reduce((n, s, i) => n * Math.ceil(s / span[i]), 1);
  if (count > 0) builder.plan.tasks.push({ kind: "grid", array: index, count });
  builder.plan.taskMemoryBytes = Math.max(builder.plan.taskMemoryBytes, 64 << 20);
}
