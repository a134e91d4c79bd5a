/**
 * Joins the shares that tasks have of the pyramid levels too small for one task to own, and writes
 * these levels plane by plane as soon as a plane is whole.
 */
import { sizeOf } from "../../model/dtype.ts";
import type { Plan, PlannedArray, TaskSet } from "../../plan/plan.ts";
import type { FinalShape, TaskResult } from "../../pool/task-result.ts";
import { taskAt } from "../../plan/plan.ts";
import { copyBox } from "../../stream/boxes.ts";
import type { WasmBuffer } from "../../stream/kernels.ts";
import type { Target } from "../targets/target.ts";
import type { ChunkEncoder } from "./chunk-encoder.ts";
import { ObjectSet } from "./object-set.ts";

interface Plane {
  bytes: Uint8Array;
  height: number;
  width: number;
  /** Pixels still to come. */
  missing: number;
}

/** Takes tips as they come, in any order. */
export class TipJoiner {
  readonly #planes = new Map<string, Plane>();
  readonly #objects = new Map<number, ObjectSet>();

  constructor(readonly plan: Plan, readonly target: Target, readonly encoder: ChunkEncoder) {}

  take(result: TaskResult): void {
    if (result.tips.length === 0) return;
    const set = taskAt(this.plan, result.index).set as Extract<TaskSet, { kind: "image" }>;
    for (const tip of result.tips) {
      const array = this.plan.arrays[set.levels[tip.level]];
      const [height, width] = array.shape.slice(-2) as number[];
      const lead = tip.start.slice(0, -2);
      const key = `${set.levels[tip.level]}/${lead}`;
      const elementBytes = sizeOf(array.dtype);
      let plane = this.#planes.get(key);
      if (!plane) {
        plane = {
          bytes: new Uint8Array(height * width * elementBytes),
          height,
          width,
          missing: height * width,
        };
        this.#planes.set(key, plane);
      }
      copyBox(
        { bytes: tip.bytes, origin: tip.start.slice(-2), shape: tip.shape.slice(-2) },
        { bytes: plane.bytes, origin: [0, 0], shape: [height, width] },
        [height, width],
        elementBytes,
      );
      plane.missing -= tip.shape.slice(-2).reduce((a, b) => a * b, 1);
      if (plane.missing === 0) {
        this.#planes.delete(key);
        this.#write(set.levels.slice(tip.level), lead, plane, elementBytes);
      }
    }
  }

  #write(levels: number[], lead: number[], plane: Plane, elementBytes: number): void {
    const { kernels } = this.encoder;
    let { height, width } = plane;
    let buffer = kernels.put(plane.bytes);
    levels.forEach((index, i) => {
      const array = this.plan.arrays[index];
      this.#writeLevel(
        index,
        array,
        lead,
        buffer,
        height,
        width,
      );
      if (i + 1 === levels.length) return;
      const [h, w] = [Math.ceil(height / 2), Math.ceil(width / 2)];
      const next = kernels.alloc(h * w * elementBytes);
      const { method } = array.origin as { method: "mean" | "nearest" };
      kernels.downsample2x2({
        dtype: array.dtype,
        width,
        height,
        src: buffer.ptr,
        srcLength: buffer.length,
        srcStride: width,
        dst: next.ptr,
        dstLength: next.length,
        dstStride: w,
      }, method === "mean" ? "mean" : "first");
      buffer.free();
      [buffer, height, width] = [next, h, w];
    });
    buffer.free();
  }

  #writeLevel(
    index: number,
    array: PlannedArray,
    lead: number[],
    plane: WasmBuffer,
    height: number,
    width: number,
  ): void {
    let objects = this.#objects.get(index);
    if (!objects) {
      objects = new ObjectSet(this.plan, array, this.target, this.encoder);
      this.#objects.set(index, objects);
    }
    const [cy, cx] = array.chunks.slice(-2);
    const elementBytes = sizeOf(array.dtype);
    for (let y = 0; y < height; y += cy) {
      for (let x = 0; x < width; x += cx) {
        const encoded = this.encoder.encodeWith(
          cy * cx * elementBytes,
          (bytes) =>
            copyBox(
              { bytes: plane.bytes, origin: [0, 0], shape: [height, width] },
              { bytes, origin: [y, x], shape: [cy, cx] },
              [height, width],
              elementBytes,
            ),
          elementBytes,
          array.compressor,
        );
        objects.put([...lead, y / cy, x / cx], encoded);
      }
    }
  }

  /** Closes the objects of the joined levels. */
  finish(): FinalShape[] {
    for (const objects of this.#objects.values()) objects.close();
    return [];
  }
}
