/**
 * Where the values of an array are: pure, serialisable descriptions a task can carry to a worker.
 *
 * Five kinds, and each says what can be done with it:
 * `frames` and `chunks` give streaming, random access and virtual references; `stream` gives one
 * forward pass; `clock` and `values` need no source at all.
 */
import type { DType, NumericArray, StoredType } from "./dtype.ts";

/**
 * A run of equal-sized frames. A *frame* is the repeating unit of an interleaved recording: one scan
 * of all channels (Blackrock, WAV), one data block (Intan, EDF), one packet (Blackrock PTP), one
 * least-common-multiple pattern (BIOPAC). Frames are numbered through all runs; run `i` holds frames
 * `firstFrame[i] .. firstFrame[i] + frameCount[i] - 1`, contiguous from byte `offset[i]` of source
 * `source[i]`.
 */
export interface FrameTable {
  /** Bytes from one frame to the next inside a run. */
  frameBytes: number;
  /** Index into `Dataset.sources` for each run. */
  source: Uint16Array;
  /** Byte offset of each run's first frame. */
  offset: Float64Array;
  /** Number of each run's first frame; ascending, starting at 0. */
  firstFrame: Float64Array;
  /** Frames in each run. */
  frameCount: Float64Array;
}

/**
 * The samples of some channels inside the frames of a table. Sample `k` (0 <= k < samplesPerFrame)
 * of channel `c` in a frame lies at
 * `channelOffsets[c] + (sampleOffsets?.[k] ?? k * sampleStride)` bytes from the frame's start, and
 * is sample `frame * samplesPerFrame + k` of the channel.
 */
export interface FrameLayout {
  /** Names this layout. */
  kind: "frames";
  /** Index into `Dataset.frameTables`. */
  table: number;
  /** How a sample is stored. */
  stored: StoredType;
  /** Byte order of a sample. */
  littleEndian: boolean;
  /** Offset-binary words: the top bit is inverted, so unsigned words become signed numbers. */
  flipSign?: boolean;
  /**
   * 16-bit words that hold a magnitude in their low `magnitudeBits` bits and its sign in bit `signBit`
   * (1 is negative), other bits meaning other things: they become int16 (Intan stimulation words).
   */
  signMagnitude?: { magnitudeBits: number; signBit: number };
  /** One bit of each unsigned word, as 0 or 1 in the stored type: the level of a digital line. */
  bit?: number;
  /** Samples of each channel in a frame. */
  samplesPerFrame: number;
  /** Byte of each channel's first sample, from the frame's start. */
  channelOffsets: number[];
  /** Bytes from a channel's sample to its next in the frame. */
  sampleStride: number;
  /** Irregular places of the samples inside a frame, relative to the channel's offset (BIOPAC). */
  sampleOffsets?: number[];
}

/** How the bytes of one chunk become values; `id` names a decoder of `src/stream/chunk-decoders.ts`. */
export interface ChunkCodec {
  /** Name of the decoder. */
  id: string;
  /** Parameters the decoder understands: plain JSON. */
  params: Record<string, unknown>;
  /** Shared bytes such as JPEG tables. */
  shared?: Uint8Array;
}

/**
 * A grid of independently stored chunks (TIFF tiles and strips, HDF5 chunks, zarr). The decoded chunk
 * is C-order in `chunkShape`; edge chunks are decoded whole and cropped. Entries are in C order of the grid.
 */
export interface ChunkLayout {
  /** Names this layout. */
  kind: "chunks";
  /** Shape of a decoded chunk, in the order of the array's axes. */
  chunkShape: number[];
  /** Index into `Dataset.sources`, or -1 where the chunk is absent and `fill` stands for it. */
  source: Int32Array;
  /** First byte of each chunk. */
  offset: Float64Array;
  /** Stored bytes of each chunk. */
  length: Float64Array;
  /** Index into `codecs`; absent when all entries use codec 0. */
  codec?: Uint16Array;
  /** Ways the chunks are decoded. */
  codecs: ChunkCodec[];
  /** Value of absent chunks. */
  fill: number;
  /** The same as the little-endian bytes of an element, for values a number cannot hold; it counts before `fill`. */
  fillBytes?: Uint8Array;
}

/** Values only a forward pass of the reader yields: field `field` of stream `stream`. */
export interface StreamLayout {
  /** Names this layout. */
  kind: "stream";
  /** Id that `Dataset.openStream` takes. */
  stream: string;
  /** Field of its blocks that holds the values. */
  field: string;
  /** For fields of channels: only these of them, by their place in a block; all when absent. */
  rows?: number[];
}

/** A time axis made from segments: `startSeconds + k / samplingFrequency` inside each. */
export interface ClockLayout {
  /** Names this layout. */
  kind: "clock";
  /** Samples a second, Hz. */
  samplingFrequency: number;
  /** Uninterrupted runs. */
  segments: Segment[];
}

/** Small values held in memory: names, settings, a few events. */
export interface ValuesLayout {
  /** Names this layout. */
  kind: "values";
  /** The values in C order. */
  values: NumericArray | string[];
}

/** Any of the five. */
export type Layout = FrameLayout | ChunkLayout | StreamLayout | ClockLayout | ValuesLayout;

/** One uninterrupted run of samples; `startSeconds` counts from the recording's start. */
export interface Segment {
  /** Index of the run's first sample. */
  startIndex: number;
  /** Samples in the run. */
  length: number;
  /** Time of its first sample, seconds. */
  startSeconds: number;
}

/** One run of frames, as readers collect them. */
export interface FrameRun {
  /** Index into `Dataset.sources`. */
  source: number;
  /** Byte offset of the first frame. */
  offset: number;
  /** Frames in the run. */
  frameCount: number;
}

/** Packs runs, in time order, into a {@link FrameTable}. */
export function frameTable(frameBytes: number, runs: FrameRun[]): FrameTable {
  const n = runs.length;
  const table: FrameTable = {
    frameBytes,
    source: new Uint16Array(n),
    offset: new Float64Array(n),
    firstFrame: new Float64Array(n),
    frameCount: new Float64Array(n),
  };
  let frame = 0;
  runs.forEach((run, i) => {
    table.source[i] = run.source;
    table.offset[i] = run.offset;
    table.firstFrame[i] = frame;
    table.frameCount[i] = run.frameCount;
    frame += run.frameCount;
  });
  return table;
}

/** Frames in all runs of a table. */
export function totalFrames(table: FrameTable): number {
  const last = table.firstFrame.length - 1;
  return last < 0 ? 0 : table.firstFrame[last] + table.frameCount[last];
}

/** Index of the run that holds `frame`, by bisection. */
export function runOf(table: FrameTable, frame: number): number {
  let low = 0, high = table.firstFrame.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (table.firstFrame[middle] <= frame) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Element type and layout of values, for arrays that are not time series or images. */
export interface TypedLayout {
  /** Element type. */
  dtype: DType;
  /** Where the values are. */
  layout: Layout;
}
