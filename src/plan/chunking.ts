/**
 * Sizes of chunks and shards. A chunk is what a reader of the store must decompress to see any value
 * of it; a shard is one object. Both are chosen in bytes, so that thousands of channels and one
 * channel alike give chunks that are quick to read and few objects.
 */

/** Byte targets of a conversion. */
export interface ChunkTargets {
  /** One chunk before compression. */
  chunkBytes: number;
  /** One shard before compression. */
  shardBytes: number;
  /** Samples of all channels a task holds at once, where it is not to be {@link WINDOW_BYTES}. */
  windowBytes?: number;
}

/** Chunks of 1 MiB in shards of 64 MiB: tens of milliseconds to fetch, thousands of samples a read. */
export const DEFAULT_TARGETS: ChunkTargets = { chunkBytes: 1 << 20, shardBytes: 64 << 20 };

/** Bytes of samples of all channels a task holds at once: one chunk row. */
const WINDOW_BYTES = 8 << 20;

/** The largest power of two that is at most `n`, at least 1. */
export function powerOfTwoFloor(n: number): number {
  return n < 2 ? 1 : 2 ** Math.floor(Math.log2(n));
}

/** The smallest multiple of `step` that is at least `n`. */
export function roundUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}

/** One array of a frame group, as far as sizes go. */
export interface FrameArraySize {
  channels: number;
  elementBytes: number;
  samplesPerFrame: number;
}

/** Chunk and shard extents of the arrays of a frame group. */
export interface FrameChunking {
  framesPerWindow: number;
  framesPerTask: number;
  /** Per array: channels and samples of a chunk. */
  chunks: { channels: number; samples: number }[];
}

/**
 * Extents for arrays that live in the same frames: every array's shard holds the same frames, every
 * chunk a whole number of windows, so one pass over the frames fills all arrays.
 */
export function frameChunking(
  arrays: FrameArraySize[],
  frameCount: number,
  frameBytes: number,
  targets: ChunkTargets,
): FrameChunking {
  const bytesPerFrame = arrays.map((a) => a.channels * a.elementBytes * a.samplesPerFrame);
  const largest = bytesPerFrame.indexOf(Math.max(...bytesPerFrame));
  const main = arrays[largest];
  const perFrame = Math.max(bytesPerFrame[largest], frameBytes);
  const windowBytes = targets.windowBytes ?? Math.max(WINDOW_BYTES, targets.chunkBytes);
  const windowFrames = Math.floor(windowBytes / perFrame);
  const chunkFrames = Math.floor(
    targets.chunkBytes / (main.elementBytes * main.samplesPerFrame),
  );
  let framesPerWindow = powerOfTwoFloor(Math.min(windowFrames, chunkFrames));
  // Whole multiples of eight samples keep bit planes whole.
  const step = 8 / gcd(8, main.samplesPerFrame);
  if (framesPerWindow >= frameCount) framesPerWindow = roundUp(Math.max(1, frameCount), step);
  const total = bytesPerFrame.reduce((a, b) => a + b, 0);
  const wanted = powerOfTwoFloor(targets.shardBytes / (total * framesPerWindow));
  const windows = Math.max(1, Math.ceil(frameCount / framesPerWindow));
  const windowsPerTask = Math.min(wanted, 2 ** Math.ceil(Math.log2(windows)));
  const chunks = arrays.map((a) => {
    const rowBytes = a.elementBytes * a.samplesPerFrame * framesPerWindow;
    const span = Math.min(
      windowsPerTask,
      powerOfTwoFloor(targets.chunkBytes / (rowBytes * a.channels)),
    );
    const samples = framesPerWindow * a.samplesPerFrame * span;
    const channels = Math.max(
      1,
      Math.min(a.channels, Math.floor(targets.chunkBytes / (samples * a.elementBytes))),
    );
    return { channels, samples };
  });
  return { framesPerWindow, framesPerTask: framesPerWindow * windowsPerTask, chunks };
}

function gcd(a: number, b: number): number {
  return b ? gcd(b, a % b) : a;
}

/** Rows of a chunk of a growing one-dimensional array. */
export function rowChunk(rowBytes: number, targets: ChunkTargets): number {
  return Math.max(8, powerOfTwoFloor(targets.chunkBytes / Math.max(1, rowBytes)));
}

/** Smallest and largest stored chunk that is taken over as it is, bytes. */
const OWN_CHUNK = [64 << 10, 8 << 20];

/**
 * Chunks and shards of an array of any rank made of stored chunks: the stored chunk where its size is
 * sensible, several of them where they are small, else whole trailing axes up to the target; shards grow
 * along the first axes.
 * @param own the stored chunk shape in the array's axes
 */
export function gridChunking(
  shape: number[],
  own: number[],
  elementBytes: number,
  targets: ChunkTargets,
): { chunks: number[]; shards: number[] | null } {
  const bytesOf = (extent: number[]) => extent.reduce((n, s) => n * s, elementBytes);
  const clipped = own.map((n, i) => Math.max(1, Math.min(n, shape[i])));
  const keep = bytesOf(clipped) >= OWN_CHUNK[0] && bytesOf(clipped) <= OWN_CHUNK[1];
  // Small stored chunks are joined, so that each is decoded for one chunk of the store only.
  const least = bytesOf(clipped) < OWN_CHUNK[0] ? clipped : shape.map(() => 1);
  const chunks = keep ? clipped : filled([...least], shape, targets.chunkBytes / elementBytes);
  const shards = filled([...chunks], shape, targets.shardBytes / elementBytes);
  const single = shape.every((n, i) => n <= chunks[i]);
  return { chunks, shards: single ? null : shards };
}

/** Grows an extent, last axis first, in whole multiples, up to the shape and a number of elements. */
function filled(extent: number[], shape: number[], elements: number): number[] {
  const out = [...extent];
  for (let i = shape.length - 1; i >= 0; i--) {
    const rest = elements / out.reduce((a, b) => a * b, 1);
    const multiple = Math.max(
      1,
      Math.min(Math.floor(rest), Math.ceil(Math.max(1, shape[i]) / out[i])),
    );
    out[i] *= multiple;
    if (out[i] < shape[i]) break;
  }
  return out;
}

/** Chunk and shard shape of an image level. */
export interface ImageChunking {
  chunks: number[];
  shards: number[];
}

/** Edge of an image chunk where the file's own tiles do not suggest one. */
const TILE = 512;

/**
 * Chunks follow the file's tiles where these are of useful size; shards cover about 4096 x 4096
 * pixels of a plane, or several planes where planes are small.
 * @param shape level-0 shape; the last two axes are y and x
 * @param sourceChunk the file's own chunk shape, same axes
 */
export function imageChunking(
  shape: number[],
  sourceChunk: number[],
  elementBytes: number,
  targets: ChunkTargets,
): ImageChunking {
  const rank = shape.length;
  const edge = (axis: number) => {
    const own = sourceChunk[axis];
    // Multiples of 16, so that chunk borders stay whole pixels in the halved levels.
    const tiled = own >= 128 && own <= 2048 && own % 16 === 0 && sourceChunk[rank - 1] <= 2048;
    return Math.min(tiled ? own : TILE, shape[axis]);
  };
  const chunks = shape.map((_, i) => (i < rank - 2 ? 1 : edge(i)));
  const spread = (axis: number) => {
    const count = Math.ceil(shape[axis] / chunks[axis]);
    const span = powerOfTwoFloor(Math.max(1, 4096 / chunks[axis]));
    return chunks[axis] * Math.min(span, 2 ** Math.ceil(Math.log2(count)));
  };
  const shards = shape.map((_, i) => (i < rank - 2 ? 1 : spread(i)));
  let bytes = elementBytes * shards[rank - 2] * shards[rank - 1];
  // Several planes a shard, the last leading axis first, as long as the shard stays within its target.
  for (let i = rank - 3; i >= 0; i--) {
    const span = Math.max(
      Math.min(sourceChunk[i], shape[i]),
      Math.min(shape[i], Math.floor(targets.shardBytes / bytes)),
    );
    shards[i] = Math.max(1, span);
    bytes *= shards[i];
    if (shards[i] < shape[i]) break;
  }
  return { chunks, shards };
}

/** Shapes of the pyramid below `shape`: halved, rounding up, until a plane fits in one chunk. */
export function reducedShapes(shape: number[], chunks: number[]): number[][] {
  const rank = shape.length;
  const levels: number[][] = [];
  let last = shape;
  const limit = Math.max(256, Math.min(chunks[rank - 1], chunks[rank - 2], TILE));
  while (Math.max(last[rank - 1], last[rank - 2]) > limit) {
    last = last.map((n, i) => (i >= rank - 2 ? Math.ceil(n / 2) : n));
    levels.push(last);
  }
  return levels;
}
