/**
 * References to uncompressed recordings, which lie in frames.
 *
 * Two ways of cutting them are honest. Scans of all channels are chunks of `[time, channel]`: columns that
 * belong to other arrays (a packet's header, a synchronisation word) make the chunk wider than the array,
 * and every reader cuts them off. Samples of a channel that lie together are chunks of `[channel, time]`.
 */
import { decodedType, type DType, sizeOf } from "../../model/dtype.ts";
import { type FrameLayout, type FrameTable, runOf, totalFrames } from "../../model/layout.ts";
import { cellOf } from "../../plan/plan.ts";
import type { Expressed, ReferencedSources } from "./chunk-references.ts";
import { INLINE_BYTES } from "./chunk-references.ts";
import { chunkLength } from "./chunk-length.ts";
import { elementBytes } from "./inline.ts";
import type { Reference } from "./reference.ts";

/** Samples of a piece below which it is short. */
const SHORT_PIECE = 512;

/** Channels that lie in the same frames. */
export interface FramedPart {
  firstChannel: number;
  channelCount: number;
  layout: FrameLayout;
  table: FrameTable;
  /** Samples that were read when the file was opened, C-order `[channelCount, n]`. */
  tail?: { firstSample: number; values: Float64Array };
}

/** An array whose samples lie in frames: `[time]`, `[channel, time]` or `[sweep, channel, time]`. */
export interface FramedSamples {
  dims: string[];
  shape: number[];
  parts: FramedPart[];
}

/** Where some samples lie, and how many lie together from there on. */
interface SamplePlace {
  source: number;
  offset: number;
  together: number;
}

/** Samples of a part as its frames hold them. */
class PartSamples {
  readonly perFrame: number;
  /** Frames of a run follow each other without anything between the samples. */
  readonly seamless: boolean;
  readonly samples: number;

  constructor(
    readonly layout: FrameLayout,
    readonly table: FrameTable,
    /** Bytes from a sample of the chunk to the next. */
    readonly stepBytes: number,
  ) {
    this.perFrame = layout.samplesPerFrame;
    this.seamless = table.frameBytes === this.perFrame * stepBytes;
    this.samples = totalFrames(table) * this.perFrame;
  }

  /** Where sample `sample` of the part's `channel` lies. */
  find(channel: number, sample: number): SamplePlace {
    const { table, perFrame, stepBytes } = this;
    const frame = Math.floor(sample / perFrame), inside = sample - frame * perFrame;
    const run = runOf(table, frame);
    const first = table.firstFrame[run];
    const offset = table.offset[run] + (frame - first) * table.frameBytes +
      this.layout.channelOffsets[channel] + inside * stepBytes;
    const end = this.seamless
      ? (first + table.frameCount[run]) * perFrame
      : sample - inside + perFrame;
    return { source: table.source[run], offset, together: end - sample };
  }

  /** Samples at which runs begin. */
  borders(): Float64Array {
    return this.table.firstFrame.slice(1).map((frame) => frame * this.perFrame);
  }
}

/** How the array is cut. */
interface Cut {
  /** Chunks of scans rather than of samples of a channel. */
  scans: boolean;
  /** Channels in a chunk. */
  channels: number;
  /** Elements of a chunk beside each other in a scan, those that are cut off counted. */
  columns: number;
  parts: PartSamples[];
}

/** Expresses an array of samples in frames; or says why it cannot be. */
export function frameReferences(
  { dims, shape, parts }: FramedSamples,
  { sources, places }: ReferencedSources,
): Expressed | { reason: string } {
  const [{ layout: first }] = parts;
  const obstacle = wordObstacle(parts) ?? placeObstacle(parts, places);
  if (obstacle) return { reason: obstacle };
  const length = shape[shape.length - 1];
  const rows = shape.length === 3 ? shape[0] : 1;
  const cut = cutOf(parts);
  if ("reason" in cut) return cut;
  if (cut.parts.some((p, i) => p.samples < (parts[i].tail?.firstSample ?? length * rows))) {
    return { reason: "its last samples break the pattern of the others" };
  }
  const width = sizeOf(first.stored);
  const perPart = cut.scans ? cut.columns * width : cut.channels * width;
  const n = chunkLength({
    length,
    rows,
    stepBytes: perPart,
    period: cut.parts.every((p) => p.seamless)
      ? 0
      : cut.parts.reduce((n, p) => (p.seamless ? n : n === 0 ? p.perFrame : gcd(n, p.perFrame)), 0),
    borders: cut.parts.map((p) => p.borders()),
    inlineBytes: Math.floor(INLINE_BYTES / parts.length),
  });
  if (typeof n !== "number") return n;
  // Channels lie together only where a chunk is a frame's samples.
  if (cut.channels > 1 && !cut.scans && n !== first.samplesPerFrame) cut.channels = 1;

  const expressed = shapes(dims, shape, n, cut);
  const grid = expressed.shape.map((s, i) => Math.ceil(s / expressed.chunks[i]));
  const bytes = expressed.chunks.reduce((product, s) => product * s, width);
  const rowBytes = cut.scans ? cut.columns * width : width * cut.channels;
  /** Bytes of `count` samples up to the last one that counts. */
  const wanted = (count: number) =>
    cut.scans ? (count - 1) * rowBytes + parts[0].channelCount * width : count * rowBytes;

  const at = (index: number): Reference | Promise<Reference> => {
    const cell = cellOf(grid, index);
    const rank = grid.length;
    const row = rank === 3 ? cell[0] : 0;
    const time = cut.scans ? cell[rank - 2] : cell[rank - 1];
    const channel = cut.scans || rank === 1 ? 0 : cell[rank - 2] * cut.channels;
    const count = Math.min(n, length - time * n);
    const sample = row * length + time * n;
    const number = partOf(parts, channel);
    const part = cut.parts[number];
    const own = channel - parts[number].firstChannel;
    const tail = parts[number].tail;
    if (tail && sample + count > tail.firstSample) return collect(number, own, sample, count);
    const place = part.find(own, sample);
    const known = places[place.source] as { url: string; offset: number };
    const there = place.offset + bytes <= (sources[place.source].size ?? 0);
    if (place.together >= count && there) {
      return { url: known.url, offset: known.offset + place.offset, length: bytes };
    }
    return collect(number, own, sample, count);
  };

  /** Samples that lie in several places, or at the end of the file, as a whole chunk. */
  const collect = async (
    number: number,
    channel: number,
    sample: number,
    count: number,
  ): Promise<Reference> => {
    const out = new Uint8Array(bytes);
    const part = cut.parts[number];
    const { tail, channelCount } = parts[number];
    if (!cut.scans && cut.channels > 1 && !tail) {
      const { source, offset } = part.find(channel, sample);
      out.set(await sources[source].readUpTo(offset, bytes));
      return { bytes: out };
    }
    const inFrames = Math.min(count, (tail?.firstSample ?? Infinity) - sample);
    for (let done = 0; done < inFrames;) {
      const { source, offset, together } = part.find(channel, sample + done);
      const step = Math.min(inFrames - done, together);
      // Many small pieces lie near each other: they are read in blocks.
      const purpose = step < SHORT_PIECE ? "header" : "bulk";
      const piece = await sources[source].read(offset, wanted(step), { purpose });
      out.set(piece, done * rowBytes);
      done += step;
    }
    if (!tail) return { bytes: out };
    const known = tail.values.length / channelCount;
    for (let k = Math.max(0, inFrames); k < count; k++) {
      for (let c = 0; c < (cut.scans ? channelCount : 1); c++) {
        const value = tail.values[(channel + c) * known + sample + k - tail.firstSample];
        writeSample(out, k * rowBytes + c * width, first, value);
      }
    }
    return { bytes: out };
  };

  return {
    ...expressed,
    dtype: first.stored as DType,
    bigEndian: !first.littleEndian && width > 1,
    compressor: null,
    filters: null,
    fill: null,
    grid,
    at,
  };
}

/** Stores a value as the samples beside it are stored. */
function writeSample(
  bytes: Uint8Array,
  at: number,
  { stored, littleEndian, flipSign }: FrameLayout,
  value: number,
): void {
  const width = sizeOf(stored);
  const own = bytes.subarray(at, at + width);
  own.set(elementBytes(flipSign ? value + 2 ** (8 * width - 1) : value, stored as DType));
  if (!littleEndian) own.reverse();
}

/** Why the words of the parts are no elements of any plain type. */
function wordObstacle(parts: FramedPart[]): string | undefined {
  const [{ layout: first }] = parts;
  for (const { layout } of parts) {
    const { stored, signMagnitude, bit } = layout;
    if (signMagnitude) return "its words hold a magnitude and a sign";
    if (bit !== undefined) return "each value is one bit of a word";
    if (decodedType(stored) !== stored) return `${stored} words have no plain equivalent`;
    if (stored !== first.stored || layout.littleEndian !== first.littleEndian) {
      return "its channels are stored in several types";
    }
  }
  return undefined;
}

function placeObstacle(
  parts: FramedPart[],
  places: ReferencedSources["places"],
): string | undefined {
  for (const { table } of parts) {
    for (const source of new Set(table.source)) {
      const place = places[source];
      if ("reason" in place) return place.reason;
    }
  }
  return undefined;
}

function cutOf(parts: FramedPart[]): Cut | { reason: string } {
  const [{ layout, channelCount }] = parts;
  const width = sizeOf(layout.stored);
  const samples = parts.map((p) => new PartSamples(p.layout, p.table, sampleStep(p, width)));
  // Samples of a channel side by side.
  const rowsOf = (p: FramedPart, s: PartSamples) =>
    !p.layout.sampleOffsets && s.stepBytes === width && (s.perFrame > 1 || s.seamless);
  if (parts.every((p, i) => rowsOf(p, samples[i]))) {
    const block = layout.samplesPerFrame * width;
    const stacked = parts.length === 1 && channelCount > 1 && !parts[0].tail &&
      layout.channelOffsets.every((o, c) => o === layout.channelOffsets[0] + c * block);
    return { scans: false, channels: stacked ? channelCount : 1, columns: 1, parts: samples };
  }
  if (parts.length > 1) return { reason: "its channels lie in several places of the file" };
  const step = samples[0].stepBytes;
  const together = layout.channelOffsets.every((o, c) =>
    o === layout.channelOffsets[0] + c * width
  );
  if (layout.sampleOffsets || !together || step < channelCount * width) {
    return { reason: "its samples do not lie in plain scans of all channels" };
  }
  if (step % width !== 0) {
    return { reason: `a scan is ${step} bytes long, which is no whole number of samples` };
  }
  return { scans: true, channels: channelCount, columns: step / width, parts: samples };
}

/** Bytes from a sample of a channel to its next. */
function sampleStep({ layout, table }: FramedPart, width: number): number {
  if (layout.samplesPerFrame > 1) return layout.sampleStride;
  // A frame of one channel's one sample: its frames are its samples.
  return table.frameBytes === width ? width : table.frameBytes;
}

/** Names and sizes of the array's dimensions as the bytes lie. */
function shapes(
  dims: string[],
  shape: number[],
  n: number,
  { scans, channels, columns }: Cut,
): Pick<Expressed, "dims" | "shape" | "chunks"> {
  const outer = shape.length === 3 ? [1] : [];
  if (!scans) {
    return { dims, shape, chunks: shape.length === 1 ? [n] : [...outer, channels, n] };
  }
  const time = dims.length - 1;
  if (shape.length === 1) {
    return { dims: [dims[0], "word"], shape: [shape[0], 1], chunks: [n, columns] };
  }
  const turned = <T>(list: T[]): T[] => [...list.slice(0, -2), list[time], list[time - 1]];
  return { dims: turned(dims), shape: turned(shape), chunks: [...outer, n, columns] };
}

function partOf(parts: FramedPart[], channel: number): number {
  let low = 0, high = parts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (parts[middle].firstChannel <= channel) low = middle;
    else high = middle - 1;
  }
  return low;
}

function gcd(a: number, b: number): number {
  while (b) [a, b] = [b, a % b];
  return a;
}
