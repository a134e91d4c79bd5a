/** Arrays made of frames -> task sets that read the bytes once for all arrays in them. */
import { sizeOf } from "../model/dtype.ts";
import { type FrameLayout, totalFrames } from "../model/layout.ts";
import type { PlanBuilder } from "./builder.ts";
import { frameChunking, roundUp } from "./chunking.ts";
import type { SignalPart } from "./plan.ts";

/** Collects arrays made of frames, and puts those that share tables into one task set. */
export class FrameGroups {
  readonly #groups: { arrays: number[]; tables: Set<number> }[] = [];

  constructor(readonly builder: PlanBuilder) {}

  #layouts(index: number): FrameLayout[] {
    const origin = this.builder.plan.arrays[index].origin as {
      kind: "signals";
      parts: SignalPart[];
    };
    return origin.parts.map((p) => p.layout as FrameLayout);
  }

  add(index: number): void {
    const tables = new Set(this.#layouts(index).map((l) => l.table));
    if (this.builder.plan.arrays[index].shape.length === 3) {
      this.#planSweeps(index, tables);
      return;
    }
    const merged = { arrays: [index], tables };
    for (let i = this.#groups.length - 1; i >= 0; i--) {
      const group = this.#groups[i];
      if ([...group.tables].some((t) => tables.has(t))) {
        merged.arrays.unshift(...group.arrays);
        group.tables.forEach((t) => merged.tables.add(t));
        this.#groups.splice(i, 1);
      }
    }
    this.#groups.push(merged);
  }

  finish(): void {
    for (const group of this.#groups) this.#plan(group.arrays, [...group.tables]);
  }

  /** Sweeps are tasks of their own: a window is a sweep, a chunk some channels of it. */
  #planSweeps(index: number, tables: Set<number>): void {
    const { builder } = this;
    const array = builder.plan.arrays[index];
    const [sweeps, channels, length] = array.shape as number[];
    const sweepBytes = length * sizeOf(array.dtype);
    const { chunkBytes, shardBytes } = builder.targets;
    const perChunk = Math.max(1, Math.min(channels, Math.floor(chunkBytes / sweepBytes)));
    const wide = roundUp(channels, perChunk);
    const perTask = Math.max(1, Math.min(sweeps, Math.floor(shardBytes / (wide * sweepBytes))));
    const count = Math.ceil(sweeps / perTask);
    array.chunks = [1, perChunk, length];
    array.shards = builder.sharded && (perTask > 1 || wide > perChunk)
      ? [perTask, wide, length]
      : null;
    const frameBytes = [...tables].reduce((n, t) => n + builder.plan.frameTables[t].frameBytes, 0);
    const memory = length * frameBytes + (wide + 2 * perChunk) * sweepBytes;
    builder.plan.taskMemoryBytes = Math.max(builder.plan.taskMemoryBytes, memory);
    builder.plan.tasks.unshift({
      kind: "frames",
      arrays: [index],
      frameCount: sweeps * length,
      framesPerTask: perTask * length,
      framesPerWindow: length,
      digital: [],
      count,
    });
  }

  #plan(arrays: number[], tables: number[]): void {
    const { builder } = this;
    const { plan } = builder;
    // Tails reach past the last whole frame.
    const frameCount = Math.max(
      ...tables.map((t) => totalFrames(plan.frameTables[t])),
      ...arrays.map((index) =>
        Math.ceil((plan.arrays[index].shape.at(-1) ?? 0) / this.#layouts(index)[0].samplesPerFrame)
      ),
    );
    const frameBytes = tables.reduce((n, t) => n + plan.frameTables[t].frameBytes, 0);
    const sizes = arrays.map((index) => {
      const array = plan.arrays[index];
      return {
        channels: array.shape.length === 2 ? Math.max(1, array.shape[0] ?? 1) : 1,
        elementBytes: sizeOf(array.dtype),
        samplesPerFrame: this.#layouts(index)[0].samplesPerFrame,
      };
    });
    const chunking = frameChunking(sizes, frameCount, frameBytes, builder.targets);
    const tasks = Math.max(1, Math.ceil(frameCount / chunking.framesPerTask));
    let memory = chunking.framesPerWindow * frameBytes;
    arrays.forEach((index, i) => {
      const array = plan.arrays[index];
      const { channels, samples } = chunking.chunks[i];
      const shardSamples = chunking.framesPerTask * sizes[i].samplesPerFrame;
      const flat = array.shape.length === 1;
      array.chunks = flat ? [samples] : [channels, samples];
      const wide = roundUp(sizes[i].channels, channels);
      const whole = samples === shardSamples && wide === channels;
      array.shards = builder.sharded && !(whole && tasks === 1)
        ? (flat ? [shardSamples] : [wide, shardSamples])
        : null;
      memory += (wide + 2 * channels) * samples * sizes[i].elementBytes;
    });
    plan.taskMemoryBytes = Math.max(plan.taskMemoryBytes, memory);
    const digital = plan.digital.flatMap((d, i) =>
      arrays.some((a) => plan.arrays[a].path === d.array) ? [i] : []
    );
    plan.tasks.unshift({
      kind: "frames",
      arrays,
      frameCount,
      framesPerTask: chunking.framesPerTask,
      framesPerWindow: chunking.framesPerWindow,
      digital,
      count: tasks,
    });
  }
}
