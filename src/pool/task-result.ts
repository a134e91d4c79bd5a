/** What a task hands back to the thread that runs the plan. */

/** Edges of one bit of digital words, inside one task: sample indexes and new levels. */
export interface EdgeRun {
  /** Index into `Plan.digital`. */
  digital: number;
  /** Bit of the words, counted from the lowest. */
  bit: number;
  /** Index of the sample at which the new level begins. */
  samples: Float64Array;
  /** 1 rising, 0 falling. */
  levels: Uint8Array;
}

/** Level of each line at the first and the last sample of a task, to join tasks without losing an edge. */
export interface WordBounds {
  /** Index into `Plan.digital`. */
  digital: number;
  /** Index of the first sample the task saw. */
  firstSample: number;
  /** The word there. */
  first: number;
  /** The last word it saw. */
  last: number;
}

/** A task's share of the first pyramid level that several tasks must join. */
export interface PyramidTip {
  /** Index into the task set's `levels`. */
  level: number;
  /** Origin of the share in that level. */
  start: number[];
  /** Extent of the share. */
  shape: number[];
  /** Its pixels in C order. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** Final extents of an array whose length only the pass told. */
export interface FinalShape {
  /** Index into `Plan.arrays`. */
  array: number;
  /** The extents. */
  shape: number[];
  /** Shape of a chunk. */
  chunks: number[];
  /** Shape of a shard; null where every chunk is an object. */
  shards: number[] | null;
}

/** The outcome of one task. */
export interface TaskResult {
  /** Number of the task in its plan. */
  index: number;
  /** Bytes read from the sources. */
  bytesRead: number;
  /** Bytes of objects the task wrote itself. */
  bytesWritten: number;
  /** Edges of digital lines. */
  edges: EdgeRun[];
  /** Words at both ends, to join tasks by. */
  bounds: WordBounds[];
  /** Shares of pyramid levels that several tasks make. */
  tips: PyramidTip[];
  /** Extents only the pass told. */
  shapes: FinalShape[];
  /** What was doubtful. */
  warnings: string[];
  /** Objects the task has written, with their lengths. */
  written: { key: string; length: number }[];
  /** Objects for a target only the owner can write. */
  objects: { key: string; bytes: Uint8Array<ArrayBuffer> }[];
}

/** An empty result to fill. */
export function emptyResult(index: number): TaskResult {
  return {
    index,
    bytesRead: 0,
    bytesWritten: 0,
    edges: [],
    bounds: [],
    tips: [],
    shapes: [],
    warnings: [],
    written: [],
    objects: [],
  };
}

/** Buffers of a result that can be moved between threads instead of copied. */
export function transferables(result: TaskResult): ArrayBuffer[] {
  return [
    ...result.edges.flatMap((e) => [e.samples.buffer, e.levels.buffer]),
    ...result.tips.map((t) => t.bytes.buffer),
    ...result.objects.map((o) => o.bytes.buffer),
  ] as ArrayBuffer[];
}
