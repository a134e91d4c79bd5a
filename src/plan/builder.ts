/** A plan while it is being built: groups, arrays, and the choices all of them share. */
import { FuseError } from "../errors.ts";
import type { Attributes, Dataset } from "../model/dataset.ts";
import { type DType, sizeOf } from "../model/dtype.ts";
import { type Provenance, rootAttributes } from "./attributes.ts";
import { type ChunkTargets, DEFAULT_TARGETS, rowChunk } from "./chunking.ts";
import type { ArrayOrigin, Compressor, Plan, PlannedArray, PlannedGroup } from "./plan.ts";

/** Choices a user has about the output. */
export interface PlanOptions {
  /** Zarr version; 3 unless given. */
  zarrFormat?: 2 | 3;
  /** Sizes of chunks and shards; {@link DEFAULT_TARGETS} unless given. */
  targets?: ChunkTargets;
  /** Codec of the chunks; Blosc with LZ4 unless given. */
  compressor?: Compressor;
  /** Keep the converter's raw integers with `gain` and `offset` per channel. */
  keepRaw?: boolean;
  /** Multiply calibrated integers out: for outputs that have no place for a scale. */
  physical?: boolean;
  /** Bytes of a chunk where every chunk is an object of its own (zarr v2). */
  flatChunkBytes?: number;
}

/** State of a plan being built. */
export class PlanBuilder {
  readonly plan: Plan;
  readonly targets: ChunkTargets;
  readonly compressor: Compressor;
  /** Groups and arrays by path: a file may hold tens of thousands. */
  readonly #groups = new Map<string, PlannedGroup>();
  readonly #arrays = new Set<string>();

  constructor(
    readonly dataset: Dataset,
    readonly options: PlanOptions,
    provenance: Provenance,
  ) {
    const format = options.zarrFormat ?? 3;
    const targets = options.targets ?? DEFAULT_TARGETS;
    // Without shards a chunk is a file: make it larger, so that there are fewer of them.
    this.targets = format === 2
      ? {
        ...targets,
        chunkBytes: Math.max(targets.chunkBytes, options.flatChunkBytes ?? 4 << 20),
      }
      : targets;
    this.compressor = options.compressor ?? { id: "blosc-lz4" };
    const [source] = dataset.sources;
    this.plan = {
      input: {
        uri: source.uri,
        name: source.name,
        size: source.size ?? null,
        tag: source.tag ?? null,
        format: dataset.format,
        score: provenance.score,
      },
      sources: dataset.sources.map((s) => s.spec ?? null),
      frameTables: dataset.frameTables,
      digital: dataset.digital,
      zarrFormat: format,
      groups: [{ path: "", attributes: rootAttributes(dataset, provenance) }],
      arrays: [],
      documents: { ...dataset.documents },
      tasks: [],
      warnings: [...dataset.warnings],
      leftOut: [...dataset.leftOut],
      outputBytes: 0,
      taskMemoryBytes: 1 << 20,
    };
    this.#groups.set("", this.plan.groups[0]);
  }

  /** The compressor for arrays in which runs of equal values are the rule. */
  get runsCompressor(): Compressor {
    return this.compressor.id === "blosc-lz4"
      ? { id: "blosc-lz4", filter: "none" }
      : this.compressor;
  }

  get sharded(): boolean {
    return this.plan.zarrFormat === 3;
  }

  /** Adds a group once; later attributes are merged in. */
  group(path: string, attributes: Attributes = {}): void {
    const existing = this.#groups.get(path);
    if (existing) return void Object.assign(existing.attributes, attributes);
    if (this.#arrays.has(path)) throw this.#clash(path);
    const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
    if (parent) this.group(parent);
    const group = { path, attributes };
    this.plan.groups.push(group);
    this.#groups.set(path, group);
  }

  /** Adds an array and gives its index. */
  array(array: Omit<PlannedArray, "compressor"> & { compressor?: Compressor }): number {
    const parent = array.path.includes("/") ? array.path.slice(0, array.path.lastIndexOf("/")) : "";
    if (parent) this.group(parent);
    if (this.#arrays.has(array.path) || this.#groups.has(array.path)) throw this.#clash(array.path);
    this.#arrays.add(array.path);
    this.plan.arrays.push({ ...array, compressor: array.compressor ?? this.compressor });
    if (array.dtype !== "string") {
      const count = array.shape.reduce<number>((n, s) => n * (s ?? 0), 1);
      this.plan.outputBytes += count * sizeOf(array.dtype);
    }
    return this.plan.arrays.length - 1;
  }

  #clash(path: string): FuseError {
    return new FuseError("Corrupt", "two parts of the output have one name", {
      source: this.plan.input.name,
      array: path,
    });
  }

  /** Adds an array whose first dimension holds rows: values in memory, or a stream. */
  rows(
    path: string,
    dtype: DType,
    dims: string[],
    shape: (number | null)[],
    origin: ArrayOrigin,
    attributes: Attributes = {},
  ): number {
    const inner = shape.slice(1).map((n) => n ?? 1);
    const rowBytes = inner.reduce((a, b) => a * b, dtype === "string" ? 64 : sizeOf(dtype));
    const length = shape[0];
    const rows = rowChunk(rowBytes, this.targets);
    const fits = length !== null && length <= rows;
    const chunks = [fits ? Math.max(1, length) : rows, ...inner.map((n) => Math.max(1, n))];
    const shards = this.sharded && !fits && dtype !== "string"
      ? [
        rows * Math.max(1, Math.floor(this.targets.shardBytes / (rows * rowBytes))),
        ...chunks.slice(1),
      ]
      : null;
    return this.array({ path, dtype, dims, shape, chunks, shards, attributes, origin });
  }
}
