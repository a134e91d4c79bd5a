/** Recordings out of MATLAB arrays: which way round a matrix lies, and how its samples are had. */
import type { Channel, ChannelPart, Dataset, Recording } from "../../src/model/dataset.ts";
import { type DType, sizeOf } from "../../src/model/dtype.ts";
import { frameTable } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { bandLayout, type Passes } from "./mat-arrays.ts";
import { elementsOf, type MatNode, type NumericNode } from "./mat-model.ts";
import { loadValues, type PassPiece } from "./mat-passes.ts";

/** What a mapping builds into. */
export interface MatBuild {
  dataset: Dataset;
  passes: Passes;
  /** Arrays whose values a recording holds to the bit: not kept a second time. */
  used: Set<MatNode>;
  signal?: AbortSignal;
}

/** A reading of the variables, and what makes it so. */
export interface MatCandidate {
  /** What descriptors call it: "labchart". */
  id: string;
  /** What the layout is called: "LabChart export". */
  layout: string;
  /** 0 .. 100. */
  score: number;
  /** What speaks for it, in words. */
  why: string[];
  /** Adds recordings and events. */
  build(build: MatBuild): Promise<void> | void;
}

/** Time vectors up to this size are looked at value by value. */
const TIME_VALUES = 4 << 20;

/** Arrays that are joined into one are kept as they were, too, up to this size. */
const TWICE_BYTES = 256 << 20;

/**
 * Notes that a recording holds these arrays. A single one need not be kept a second time; of several that
 * were joined, or of one whose axes were, the originals stay unless they are very large.
 */
export function markUsed(build: MatBuild, nodes: readonly NumericNode[], joined: boolean): void {
  const bytes = nodes.reduce((n, { shape, real }) => n + elementsOf(shape) * sizeOf(real.dtype), 0);
  if (joined && bytes <= TWICE_BYTES) return;
  for (const node of nodes) build.used.add(node);
}

/** A channel without calibration. */
export function channel(name: string, units = ""): Channel {
  return { name, units, gain: 1, offset: 0 };
}

/** True for real numbers. */
export function isReal(node: MatNode | undefined): node is NumericNode {
  return node?.kind === "numeric" && !node.imaginary && node.matlabClass !== "logical" &&
    !node.real.dtype.startsWith("complex");
}

/** Type of samples that come from arrays of these types. */
export function commonType(nodes: readonly NumericNode[]): DType {
  const types = new Set(nodes.map((n) => n.real.dtype));
  return types.size === 1 ? [...types][0] : "float64";
}

/** A matrix as `[channels x samples]`; further axes than two are more samples. */
export interface Matrix {
  node: NumericNode;
  /** Axis of the samples: 0 for a column a channel, 1 for a row a channel. */
  timeAxis: 0 | 1;
  channels: number;
  samples: number;
}

/** A matrix by the axis of its samples. */
export function matrixOf(node: NumericNode, timeAxis: 0 | 1): Matrix {
  const [rows] = node.shape, rest = elementsOf(node.shape.slice(1));
  return timeAxis === 0
    ? { node, timeAxis, channels: rest, samples: rows }
    : { node, timeAxis, channels: rows, samples: rest };
}

/** Samples of matrices one below the other; all but one must have one channel if several are given. */
export function matrixParts(
  build: MatBuild,
  recording: string,
  matrices: readonly Matrix[],
): { parts: ChannelPart[]; rawType: DType } {
  const rawType = commonType(matrices.map((m) => m.node));
  const grids = matrices.map((m) => (m.node.real.dtype === rawType ? gridPart(m) : undefined));
  let firstChannel = 0;
  const parts: ChannelPart[] = [];
  if (grids.every((g) => g !== undefined)) {
    matrices.forEach((m, i) => {
      parts.push({ ...grids[i]!, firstChannel, channelCount: m.channels });
      firstChannel += m.channels;
    });
    return { parts, rawType };
  }
  for (const { node, timeAxis, channels, samples } of matrices) {
    if (timeAxis === 1) {
      const pieces = [{ node, first: 0, count: channels * samples }];
      parts.push(streamPart(build, recording, firstChannel, channels, rawType, pieces));
    } else {
      for (let c = 0; c < channels; c++) {
        const pieces = [{ node, first: c * samples, count: samples }];
        parts.push(streamPart(build, recording, firstChannel + c, 1, rawType, pieces));
      }
    }
    firstChannel += channels;
  }
  return { parts, rawType };
}

/** A matrix whose values can be reached in any order. */
function gridPart(
  { node, timeAxis, channels, samples }: Matrix,
): Pick<ChannelPart, "layout" | "grid"> | undefined {
  const { real } = node;
  if (real.kind === "file") {
    // The file's order is MATLAB's reversed: of [channels x samples] it is sample by sample.
    const shape = timeAxis === 1 ? [samples, channels] : [channels, samples];
    const layout = bandLayout(shape, real.dtype, real.offset, real.littleEndian);
    return { layout, grid: { shape, channelAxis: timeAxis, timeAxis: 1 - timeAxis } };
  }
  if (real.kind !== "grid" || real.shape.length !== 2) return undefined;
  return {
    layout: real.layout,
    grid: { shape: real.shape, channelAxis: timeAxis, timeAxis: 1 - timeAxis },
  };
}

/** Channels fed by a pass. */
export function streamPart(
  build: MatBuild,
  recording: string,
  firstChannel: number,
  channelCount: number,
  dtype: DType,
  pieces: PassPiece[],
): ChannelPart {
  const stream = `recording ${recording}`, field = `channel ${firstChannel}`;
  const job = { field, dtype, step: channelCount, channels: true, pieces };
  build.passes.set(stream, [...(build.passes.get(stream) ?? []), job]);
  return { firstChannel, channelCount, layout: { kind: "stream", stream, field } };
}

/** Runs of values that lie in the file as they are, as frames of `channels` values; undefined for others. */
export function framePart(
  build: MatBuild,
  firstChannel: number,
  channels: number,
  pieces: readonly PassPiece[],
): ChannelPart | undefined {
  const { dataset } = build;
  const real = pieces[0]?.node.real;
  if (real?.kind !== "file" || real.dtype === "bool" || real.dtype === "string") return undefined;
  const { dtype, littleEndian } = real;
  const width = sizeOf(dtype);
  const runs = [];
  for (const { node, first, count } of pieces) {
    const own = node.real;
    if (own.kind !== "file" || own.dtype !== dtype || own.littleEndian !== littleEndian) {
      return undefined;
    }
    runs.push({ source: 0, offset: own.offset + first * width, frameCount: count / channels });
  }
  const table = dataset.frameTables.push(frameTable(channels * width, runs)) - 1;
  return {
    firstChannel,
    channelCount: channels,
    layout: {
      kind: "frames",
      table,
      stored: dtype,
      littleEndian,
      samplesPerFrame: 1,
      channelOffsets: Array.from({ length: channels }, (_, i) => i * width),
      sampleStride: width,
    },
  };
}

/** Values of a vector; undefined when there are too many to look at. */
export async function vectorValues(
  build: MatBuild,
  node: NumericNode,
): Promise<Float64Array | undefined> {
  const count = elementsOf(node.shape);
  if (count > TIME_VALUES) return undefined;
  const values = await loadValues(build.dataset.sources, node, 0, count, build.signal);
  return Float64Array.from(values as Float64Array, Number);
}

/** The time axis of a recording as the file gives it, in seconds. */
export function timeAxis(
  build: MatBuild,
  recording: string,
  node: NumericNode,
  values: Float64Array | undefined,
  scale: number,
): Recording["time"] {
  if (node.real.dtype === "float64" && scale === 1) build.used.add(node);
  if (values) {
    return { kind: "values", values: scale === 1 ? values : values.map((v) => v * scale) };
  }
  const stream = `time ${recording}`;
  const pieces = [{ node, first: 0, count: elementsOf(node.shape) }];
  const job = { field: "time", dtype: "float64" as const, step: 1, channels: false, pieces, scale };
  build.passes.set(stream, [job]);
  return { kind: "stream", stream, field: "time" };
}

/** A source of values beside the file that was opened; its index. */
export function addSource(build: MatBuild, source: ByteSource): number {
  return build.dataset.sources.push(source) - 1;
}
