/**
 * A conversion as data: which arrays go where, in which chunks and shards, by which tasks, with what
 * memory. A plan does no I/O; printing it is `--dry-run`, running it is the executor's work.
 */
import type { MappingUse } from "../../decoders/mapping/descriptor-types.ts";
import type { Attributes, DigitalLines } from "../model/dataset.ts";
import type { DType } from "../model/dtype.ts";
import type {
  ChunkLayout,
  ClockLayout,
  FrameLayout,
  FrameTable,
  StreamLayout,
  ValuesLayout,
} from "../model/layout.ts";
import type { SourceSpec } from "../source/source.ts";

/** How chunks are compressed. */
export type Compressor =
  | { id: "none" }
  /**
   * Blosc frames: lz4 over bit planes, or over the values as they are where runs of equal values are
   * the rule (labels, digital words). Read by zarr-python, zarrita and tensorstore.
   */
  | { id: "blosc-lz4"; filter?: "none" }
  | { id: "zstd"; level: number }
  | { id: "gzip"; level: number };

/** Channels of a recording that share a layout, with their calibration. */
export interface SignalPart {
  /** Index into the array's channels. */
  firstChannel: number;
  /** Channels of this part. */
  channelCount: number;
  /** Where their samples are. */
  layout: FrameLayout | StreamLayout;
  /** Per channel; absent when samples are stored as they are. */
  calibration?: { gain: Float64Array; offset: Float64Array };
  /** The last samples, read when the file was opened, where its frame pattern breaks off. */
  tail?: { firstSample: number; values: Float64Array };
}

/** A stored grid of chunks and its place in an array. */
export interface GridPiece {
  /** Where its chunks are. */
  layout: ChunkLayout;
  /** Shape of the stored array. */
  shape: number[];
  /** Axis `i` of the array is axis `permutation[i]` of the stored one; -1: it has none. */
  permutation: number[];
  /** Where the stored array begins in the array; below 0 when its first values are not wanted. */
  start: number[];
  /** Indexes of the array's first axis that the piece fills, the end not among them; all it has when absent. */
  rows?: [first: number, end: number];
  /** Per index of the array's first axis inside the piece; absent when values stay as they are. */
  calibration?: { gain: Float64Array; offset: Float64Array };
}

/** Index of the array's first axis at which a piece's own values begin. */
export function firstRow({ rows, start }: GridPiece): number {
  return rows ? rows[0] : start[0];
}

/** What fills an array. */
export type ArrayOrigin =
  | { kind: "signals"; parts: SignalPart[] }
  | { kind: "grid"; stored: DType; pieces: GridPiece[] }
  | { kind: "image"; layout: ChunkLayout }
  /** A pyramid level made from the level before it. */
  | { kind: "reduced"; from: number; method: "mean" | "nearest" }
  | ClockLayout
  | StreamLayout
  | ValuesLayout
  /** Edge times (`time`), levels or labels of one bit of digital words. */
  | { kind: "edges"; words: number; bit: number; field: "time" | "label" };

/** One array of the store. */
export interface PlannedArray {
  /** Path in the store. */
  path: string;
  /** Element type as stored. */
  dtype: DType;
  /** Name of each dimension. */
  dims: string[];
  /** The growing dimension is null where only a pass tells its length. */
  shape: (number | null)[];
  /** Shape of a chunk, the unit of compression. */
  chunks: number[];
  /** Shard shape, a multiple of `chunks`; null for one object a chunk. */
  shards: number[] | null;
  /** Codec of the chunks. */
  compressor: Compressor;
  /** Attributes of the array. */
  attributes: Attributes;
  /** Where its values come from. */
  origin: ArrayOrigin;
}

/** One group of the store, the root ("") first. */
export interface PlannedGroup {
  /** Path in the store; "" is the root. */
  path: string;
  /** Attributes of the group. */
  attributes: Attributes;
}

/** Tasks of one kind. Each task is independent and writes whole objects. */
export type TaskSet =
  /** Task k converts frames `[k * framesPerTask, ...)` of every listed array at once. */
  | {
    kind: "frames";
    arrays: number[];
    frameCount: number;
    framesPerTask: number;
    framesPerWindow: number;
    /** Digital words whose edges are collected on the way: index into `Plan.digital`. */
    digital: number[];
    count: number;
  }
  /**
   * Task k fills cell k of the grid of `region`s of level 0 (`levels[0]`), and what that gives of the
   * reduced levels after it.
   */
  | { kind: "image"; levels: number[]; region: number[]; count: number }
  /** Task k writes shard k of an array made of stored chunks. */
  | { kind: "grid"; array: number; count: number }
  /** Task k writes shard k of a time axis. */
  | { kind: "clock"; array: number; count: number }
  /** One forward pass that feeds all listed arrays. */
  | { kind: "stream"; stream: string; arrays: number[]; count: 1 };

/** A serialisable conversion. */
export interface Plan {
  /** The file that is converted, and what it was recognised as. */
  input: {
    uri: string;
    name: string;
    size: number | null;
    /** ETag or time of change: tells a changed input from the one that was planned. */
    tag: string | null;
    format: string;
    score: number;
    /** The mapping descriptor it is read by. */
    mapping?: MappingUse;
  };
  /** How a worker opens each source again; null where it cannot. */
  sources: (SourceSpec | null)[];
  /** Frame runs that layouts point to by index. */
  frameTables: FrameTable[];
  /** Digital words whose edges are to be found. */
  digital: DigitalLines[];
  /** Zarr version of the store. */
  zarrFormat: 2 | 3;
  /** Groups, the root first. */
  groups: PlannedGroup[];
  /** Arrays; tasks name them by index. */
  arrays: PlannedArray[];
  /** Documents kept beside the data: key -> text. */
  documents: Record<string, string>;
  /** The work, in sets of like tasks. */
  tasks: TaskSet[];
  /** What was doubtful or repaired. */
  warnings: string[];
  /** What is in the file and not converted, and why. */
  leftOut: { what: string; why: string }[];
  /** Bytes of all arrays before compression; what is unknown counts as the input's size. */
  outputBytes: number;
  /** Work buffers of one task at its peak, bytes. */
  taskMemoryBytes: number;
}

/** Number of tasks in a plan. */
export function taskCount(plan: Plan): number {
  return plan.tasks.reduce((n, set) => n + set.count, 0);
}

/** The set and the number inside it of a plan's `index`-th task. */
export function taskAt(plan: Plan, index: number): { set: TaskSet; k: number } {
  for (const set of plan.tasks) {
    if (index < set.count) return { set, k: index };
    index -= set.count;
  }
  throw new RangeError(`task ${index} is not in the plan`);
}

/** Shape of the grid of objects (shards, or chunks where there are none) of an array. */
export function objectGrid(array: PlannedArray): number[] {
  const size = array.shards ?? array.chunks;
  return array.shape.map((n, i) => Math.max(1, Math.ceil((n ?? 0) / size[i])));
}

/** Coordinates of cell `index` of a grid in C order. */
export function cellOf(grid: number[], index: number): number[] {
  const cell = new Array<number>(grid.length);
  for (let i = grid.length - 1; i >= 0; i--) {
    cell[i] = index % grid[i];
    index = Math.floor(index / grid[i]);
  }
  return cell;
}
