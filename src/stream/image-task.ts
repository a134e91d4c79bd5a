/**
 * Converts one region of an image: stored chunks are decoded, cut into the chunks of the store, and on
 * the way halved into the region's share of every smaller level.
 */
import { DEFAULT_LIMITS } from "../errors.ts";
import { sizeOf } from "../model/dtype.ts";
import type { ChunkLayout } from "../model/layout.ts";
import { reducedRegion } from "../plan/images.ts";
import { cellOf, type Plan, type PlannedArray, type TaskSet } from "../plan/plan.ts";
import type { PyramidTip, TaskResult } from "../pool/task-result.ts";
import type { ChunkEncoder } from "../sinks/zarr/chunk-encoder.ts";
import { ObjectSet } from "../sinks/zarr/object-set.ts";
import type { TaskTarget } from "../sinks/targets/open.ts";
import type { ByteSource } from "../source/source.ts";
import { ChunkCache } from "./chunk-cache.ts";
import { copyBox, gridIndex } from "./boxes.ts";
import type { WasmBuffer } from "./kernels.ts";

type ImageSet = Extract<TaskSet, { kind: "image" }>;

/** A plane of a reduced level under way: the region's share of it. */
interface ReducedPlane {
  buffer: WasmBuffer;
  width: number;
  height: number;
}

/** The image task set of one level on one thread; buffers are kept from task to task. */
export class ImageTask {
  readonly #base: PlannedArray;
  readonly #layout: ChunkLayout;
  readonly #cache: ChunkCache;
  readonly #elementBytes: number;
  readonly #chunk: WasmBuffer;
  /** Source and store have the same chunks: no cutting needed. */
  readonly #aligned: boolean;
  /** Levels below the base that a task writes itself; the one after them is shared by tasks. */
  readonly #own: number;

  constructor(
    readonly plan: Plan,
    readonly set: ImageSet,
    readonly target: TaskTarget,
    readonly encoder: ChunkEncoder,
    readonly source: (index: number) => Promise<ByteSource>,
  ) {
    this.#base = plan.arrays[set.levels[0]];
    this.#layout = (this.#base.origin as { kind: "image"; layout: ChunkLayout }).layout;
    this.#cache = new ChunkCache(
      this.#layout,
      this.#base.dtype,
      source,
      this.#base.path,
      DEFAULT_LIMITS.chunkBytes,
    );
    this.#elementBytes = sizeOf(this.#base.dtype);
    this.#chunk = encoder.kernels.alloc(
      this.#base.chunks.reduce((a, b) => a * b, this.#elementBytes),
    );
    this.#aligned = this.#layout.chunkShape.every((n, i) => n === this.#base.chunks[i]);
    this.#own = ownLevels(plan, set);
  }

  /** Runs task `k` of the set. */
  async run(k: number, result: TaskResult): Promise<void> {
    const { plan, set } = this;
    const base = this.#base;
    const shape = base.shape as number[];
    const grid = shape.map((n, i) => Math.max(1, Math.ceil(n / set.region[i])));
    const cell = cellOf(grid, k);
    const start = cell.map((c, i) => c * set.region[i]);
    const end = start.map((s, i) => Math.min(shape[i], s + set.region[i]));
    const levels = set.levels.slice(0, this.#own + 1).map((i) => plan.arrays[i]);
    const objects = levels.map((array) => new ObjectSet(plan, array, this.target, this.encoder));
    const read = this.#cache.bytesRead;
    try {
      for (
        const block of leadBlocks(start.slice(0, -2), end.slice(0, -2), this.#layout.chunkShape)
      ) {
        const planes = block.map(() => this.#reducedPlane(start, end));
        await this.#level0(block, start, end, objects[0], planes);
        block.forEach((lead, i) => {
          const plane = planes[i];
          if (plane) this.#reduce(lead, plane, start, objects, result);
        });
        await this.target.drain?.();
      }
      for (const set of objects) {
        set.close();
        result.bytesWritten += set.bytesWritten;
        result.written.push(...set.written);
      }
    } catch (error) {
      objects.forEach((o) => o.abort());
      throw error;
    } finally {
      this.#cache.clear();
    }
    result.bytesRead += this.#cache.bytesRead - read;
  }

  #reducedPlane(start: number[], end: number[]): ReducedPlane | undefined {
    if (this.set.levels.length < 2) return undefined;
    const [height, width] = end.slice(-2).map((e, i) => Math.ceil((e - start.slice(-2)[i]) / 2));
    return {
      buffer: this.encoder.kernels.alloc(width * height * this.#elementBytes),
      width,
      height,
    };
  }

  /** Writes the level-0 chunks of planes `leads`, and halves each into its plane. */
  async #level0(
    leads: number[][],
    start: number[],
    end: number[],
    objects: ObjectSet,
    planes: (ReducedPlane | undefined)[],
  ): Promise<void> {
    const { chunks } = this.#base;
    const [cy, cx] = chunks.slice(-2);
    const [y0, x0] = start.slice(-2), [y1, x1] = end.slice(-2);
    const cells: [number, number][] = [];
    for (let y = y0; y < y1; y += cy) for (let x = x0; x < x1; x += cx) cells.push([y, x]);
    const ahead = 4;
    for (let n = 0; n < cells.length; n++) {
      for (const [y, x] of cells.slice(n === 0 ? 0 : n + ahead, n + ahead + 1)) {
        this.#cache.prefetch(leads.flatMap((lead) => this.#entries([...lead, y, x])));
      }
      const [y, x] = cells[n];
      for (const [i, lead] of leads.entries()) {
        const origin = [...lead, y, x];
        const present = await this.#assemble(origin);
        const plane = planes[i];
        if (present) {
          const encoded = this.encoder.encodeAt(
            this.#chunk.ptr,
            this.#chunk.length,
            this.#elementBytes,
            this.#base.compressor,
          );
          objects.put(origin.map((o, a) => o / chunks[a]), encoded);
        }
        if (plane) {
          this.#halve(
            { ptr: this.#chunk.ptr, length: this.#chunk.length, stride: cx },
            Math.min(cx, x1 - x),
            Math.min(cy, y1 - y),
            plane,
            (y - y0) / 2,
            (x - x0) / 2,
          );
        }
      }
    }
  }

  /** Source chunks that overlap the output chunk at `origin`. */
  #entries(origin: number[]): number[] {
    const { chunkShape } = this.#layout;
    const shape = this.#base.shape as number[];
    const { chunks } = this.#base;
    const from = origin.map((o, i) => Math.floor(o / chunkShape[i]));
    const to = origin.map((o, i) =>
      Math.floor((Math.min(shape[i], o + chunks[i]) - 1) / chunkShape[i])
    );
    const found: number[] = [];
    const walk = (axis: number, cell: number[]) => {
      if (axis === cell.length) return void found.push(gridIndex(cell, shape, chunkShape));
      for (let c = from[axis]; c <= to[axis]; c++) walk(axis + 1, cell.with(axis, c));
    };
    walk(0, from);
    return found;
  }

  /** Fills the chunk buffer with the values at `origin`; false when none of them is stored. */
  async #assemble(origin: number[]): Promise<boolean> {
    const { chunkShape, fill } = this.#layout;
    const shape = this.#base.shape as number[];
    const { chunks } = this.#base;
    const entries = this.#entries(origin);
    const present = entries.some((i) => this.#cache.has(i));
    const whole = entries.length === 1 && present && this.#aligned;
    const inside = origin.every((o, i) => o + chunks[i] <= shape[i]);
    if (!whole || !inside) this.#fill(present ? 0 : fill);
    if (!present) return fill !== 0;
    for (const i of entries) {
      if (!this.#cache.has(i)) continue;
      // A stored chunk that serves one output chunk only is not worth keeping.
      await this.#cache.use(i, !whole, (values) => {
        const target = this.#chunk.bytes;
        if (whole && inside) return target.set(values);
        const cell = cellOf(shape.map((n, a) => Math.ceil(n / chunkShape[a])), i);
        copyBox(
          { bytes: values, origin: cell.map((c, a) => c * chunkShape[a]), shape: chunkShape },
          { bytes: target, origin, shape: chunks },
          shape,
          this.#elementBytes,
        );
      });
    }
    return true;
  }

  #fill(value: number): void {
    const { bytes } = this.#chunk;
    if (value === 0) return void bytes.fill(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, this.#elementBytes);
    const type = this.#base.dtype;
    if (type === "float32") view.setFloat32(0, value, true);
    else if (type === "float64") view.setFloat64(0, value, true);
    else {for (let i = 0; i < Math.min(4, this.#elementBytes); i++) {
        view.setUint8(i, (value >> (8 * i)) & 255);
      }}
    for (let n = this.#elementBytes; n < bytes.length; n *= 2) {
      bytes.copyWithin(n, 0, Math.min(n, bytes.length - n));
    }
  }

  #halve(
    from: { ptr: number; length: number; stride: number },
    width: number,
    height: number,
    plane: ReducedPlane,
    row: number,
    column: number,
  ): void {
    const first = this.plan.arrays[this.set.levels[1]].origin as { method: "mean" | "nearest" };
    const at = (row * plane.width + column) * this.#elementBytes;
    this.encoder.kernels.downsample2x2({
      dtype: this.#base.dtype,
      width,
      height,
      src: from.ptr,
      srcLength: from.length,
      srcStride: from.stride,
      dst: plane.buffer.ptr + at,
      dstLength: plane.buffer.length - at,
      dstStride: plane.width,
    }, first.method === "mean" ? "mean" : "first");
  }

  /** Writes a plane's share of each level the task owns, and hands back its share of the next. */
  #reduce(
    lead: number[],
    plane: ReducedPlane,
    start: number[],
    objects: ObjectSet[],
    result: TaskResult,
  ): void {
    const { kernels } = this.encoder;
    let current = plane;
    for (let level = 1; level < this.set.levels.length; level++) {
      const array = this.plan.arrays[this.set.levels[level]];
      const origin = start.slice(-2).map((s) => s / 2 ** level);
      if (level > this.#own) {
        const tip: PyramidTip = {
          level,
          start: [...lead, ...origin],
          shape: [...lead.map(() => 1), current.height, current.width],
          bytes: kernels.take(
            current.buffer.ptr,
            current.width * current.height * this.#elementBytes,
          ),
        };
        result.tips.push(tip);
        break;
      }
      this.#writePlane(array, lead, origin, current, objects[level]);
      if (level + 1 === this.set.levels.length) break;
      const next = {
        width: Math.ceil(current.width / 2),
        height: Math.ceil(current.height / 2),
        buffer: kernels.alloc(
          Math.ceil(current.width / 2) * Math.ceil(current.height / 2) * this.#elementBytes,
        ),
      };
      this.#halve(
        { ptr: current.buffer.ptr, length: current.buffer.length, stride: current.width },
        current.width,
        current.height,
        next,
        0,
        0,
      );
      current.buffer.free();
      current = next;
    }
    current.buffer.free();
  }

  #writePlane(
    array: PlannedArray,
    lead: number[],
    origin: number[],
    plane: ReducedPlane,
    objects: ObjectSet,
  ): void {
    const [cy, cx] = array.chunks.slice(-2);
    const from = { origin: [0, 0], shape: [plane.height, plane.width] };
    for (let y = 0; y < plane.height; y += cy) {
      for (let x = 0; x < plane.width; x += cx) {
        const encoded = this.encoder.encodeWith(
          cy * cx * this.#elementBytes,
          (bytes) =>
            copyBox(
              { ...from, bytes: plane.buffer.bytes },
              { bytes, origin: [y, x], shape: [cy, cx] },
              from.shape,
              this.#elementBytes,
            ),
          this.#elementBytes,
          array.compressor,
        );
        objects.put([...lead, (origin[0] + y) / cy, (origin[1] + x) / cx], encoded);
      }
    }
  }

  free(): void {
    this.#chunk.free();
    this.#cache.clear();
  }
}

/** Levels below the base whose chunks lie wholly inside a task's region. */
export function ownLevels(plan: Plan, set: ImageSet): number {
  let own = 0;
  for (let level = 1; level < set.levels.length; level++) {
    const { shape, chunks } = plan.arrays[set.levels[level]];
    const part = reducedRegion(set.region, level);
    const fits = shape.every((n, i) =>
      i < shape.length - 2 || n! <= part[i] || part[i] % chunks[i] === 0
    );
    if (!fits) break;
    own = level;
  }
  return own;
}

/** Leading indexes of a region, grouped by the stored chunk that holds their planes. */
function leadBlocks(start: number[], end: number[], chunkShape: number[]): number[][][] {
  let blocks: number[][][] = [[[]]];
  start.forEach((from, axis) => {
    const groups: number[][] = [];
    for (let i = from; i < end[axis]; i++) {
      const fresh = i === from ||
        Math.floor(i / chunkShape[axis]) !== Math.floor((i - 1) / chunkShape[axis]);
      if (fresh) groups.push([]);
      groups[groups.length - 1].push(i);
    }
    blocks = blocks.flatMap((block) =>
      groups.map((group) => block.flatMap((lead) => group.map((i) => [...lead, i])))
    );
  });
  return blocks;
}
