/** Recordings of the streams of a TDT block, from the places of their records or from `.sev` files. */
import type { Dataset, Recording } from "../../src/model/dataset.ts";
import { type DType, sizeOf } from "../../src/model/dtype.ts";
import {
  type FrameLayout,
  type FrameRun,
  frameTable,
  type Segment,
} from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { Chain, StreamStore } from "./tdt-index.ts";
import type { SevLog } from "./tdt-notes.ts";
import { SEV_HEADER_BYTES, type SevFile } from "./tdt-sev.ts";

/** Index of a source in the dataset, added where it is new. */
export function sourceIndex(dataset: Dataset, source: ByteSource): number {
  const at = dataset.sources.indexOf(source);
  return at >= 0 ? at : dataset.sources.push(source) - 1;
}

interface StreamShape {
  name: string;
  type: DType;
  rate: number;
  channels: number[];
  count: number;
  segments: Segment[];
}

function addRecording(dataset: Dataset, shape: StreamShape, layouts: FrameLayout[]): void {
  const { name, type, rate, channels, count, segments } = shape;
  const joint = layouts.length === 1;
  const recording: Recording = {
    name,
    // A block states no units: what a number means is the experiment's own.
    channels: channels.map((n) => ({ name: `${name}/${n}`, units: "", gain: 1, offset: 0 })),
    samplingFrequency: rate,
    sampleCount: count,
    segments,
    rawType: type,
    parts: layouts.map((layout, i) => ({
      firstChannel: i,
      channelCount: joint ? channels.length : 1,
      layout,
    })),
    attributes: { store: name },
  };
  dataset.recordings.push(recording);
}

const layoutOf = (
  table: number,
  stored: DType,
  samplesPerFrame = 1,
  channelOffsets = [0],
): FrameLayout => ({
  kind: "frames",
  table,
  stored: stored as FrameLayout["stored"],
  littleEndian: true,
  samplesPerFrame,
  channelOffsets,
  sampleStride: sizeOf(stored),
});

/** Adds a stream whose samples lie where its records say: in the `.tev`, or each channel in its own file. */
export function addChains(
  dataset: Dataset,
  store: StreamStore,
  sourceOf: (channel: number) => ByteSource,
): void {
  const chains = [...store.chains.values()].filter((c) => c.count > 0)
    .sort((a, b) => a.channel - b.channel);
  const count = Math.min(...chains.map((c) => c.count));
  const longer = chains.filter((c) => c.count > count);
  if (longer.length) {
    dataset.leftOut.push({
      what: `the last samples of channels ${
        longer.map((c) => c.channel).join(", ")
      } of "${store.name}"`,
      why: `the other channels end after ${count} samples`,
    });
  }
  const shape = {
    ...store,
    channels: chains.map((c) => c.channel),
    count,
    segments: cutSegments(chains[0].segments, count),
  };
  const sources = chains.map((c) => sourceIndex(dataset, sourceOf(c.channel)));
  const places = sources.every((s) => s === sources[0]) ? jointPlaces(chains, store.type) : null;
  if (places) {
    const points = chains[0].lengths[0], width = sizeOf(store.type);
    const frameBytes = chains.length * points * width;
    const first = chains[0].offsets.map((at) => at - places[0]);
    const runs = mergedRuns(sources[0], first, frameBytes);
    const table = dataset.frameTables.push(frameTable(frameBytes, runs)) - 1;
    return addRecording(dataset, shape, [layoutOf(table, store.type, points, places)]);
  }
  const layouts = chains.map(({ offsets, lengths }, i) => {
    const runs = offsets.map((offset, k) => ({
      source: sources[i],
      offset,
      frameCount: lengths[k],
    }));
    const table = dataset.frameTables.push(frameTable(sizeOf(store.type), runs)) - 1;
    return layoutOf(table, store.type);
  });
  addRecording(dataset, shape, layouts);
}

/**
 * Byte of each channel in a round of records, where every round has all channels next to each other in the same
 * order; null otherwise (the order of real blocks may change).
 */
function jointPlaces(chains: Chain[], type: DType): number[] | null {
  if (chains.length < 2) return null;
  const [{ offsets, lengths }] = chains;
  const bytes = lengths[0] * sizeOf(type);
  const shifts = chains.map((c) => c.offsets[0] - offsets[0]);
  const lowest = Math.min(...shifts);
  const places = shifts.map((shift) => shift - lowest);
  const inOrder = [...places].sort((a, b) => a - b).every((place, i) => place === i * bytes);
  const isRegular = inOrder && chains.every((chain, c) =>
    chain.offsets.length === offsets.length &&
    chain.lengths.every((n) => n === lengths[0]) &&
    chain.offsets.every((at, k) => at - offsets[k] === shifts[c])
  );
  return isRegular ? places : null;
}

function mergedRuns(source: number, starts: number[], frameBytes: number): FrameRun[] {
  const runs: FrameRun[] = [];
  for (const offset of starts) {
    const last = runs.at(-1);
    if (last && last.offset + last.frameCount * frameBytes === offset) last.frameCount++;
    else runs.push({ source, offset, frameCount: 1 });
  }
  return runs;
}

function cutSegments(segments: Segment[], count: number): Segment[] {
  return segments.filter((s) => s.startIndex < count)
    .map((s) => ({ ...s, length: Math.min(s.length, count - s.startIndex) }));
}

/**
 * Takes away what an index promises beyond the end of its `.tev`, as a recorder that was cut off leaves it.
 * @returns Samples that are not there.
 */
export function clipChains(store: StreamStore, size: number): number {
  const width = sizeOf(store.type);
  let lost = 0;
  for (const chain of store.chains.values()) {
    const cut = chain.offsets.findIndex((at, k) => at + chain.lengths[k] * width > size);
    if (cut < 0) continue;
    const rest = Math.max(0, Math.floor((size - chain.offsets[cut]) / width));
    const { count } = chain;
    chain.offsets.length = chain.lengths.length = rest > 0 ? cut + 1 : cut;
    if (rest > 0) chain.lengths[cut] = rest;
    chain.count = chain.lengths.reduce((a, b) => a + b, 0);
    chain.segments = cutSegments(chain.segments, chain.count);
    lost += count - chain.count;
  }
  return lost;
}

/** Uninterrupted runs of a file whose recorder lost samples on the way. */
function loggedSegments(
  count: number,
  rate: number,
  startSeconds: number,
  log?: SevLog,
): Segment[] {
  if (!log) return [{ startIndex: 0, length: count, startSeconds }];
  const segments: Segment[] = [];
  let startIndex = 0, first = log.first;
  const add = (length: number) => {
    if (length > 0) {
      segments.push({ startIndex, length, startSeconds: startSeconds + (first - 1) / rate });
    }
    startIndex += Math.max(0, length);
  };
  for (const [last, next] of log.gaps) {
    add(Math.min(last - first + 1, count - startIndex));
    first = next;
  }
  add(count - startIndex);
  return segments;
}

/**
 * Adds a stream that is known by its `.sev` files alone, hours of a channel one after the other; `log` tells
 * of samples that the recorder lost.
 */
export function addSevStream(
  dataset: Dataset,
  files: SevFile[],
  startSeconds = 0,
  log?: SevLog,
): void {
  const [{ name: { store }, type, rate }] = files;
  const channels = [...new Set(files.map((f) => f.name.channel))].sort((a, b) => a - b);
  const rows = channels.map((channel) =>
    files.filter((f) => f.name.channel === channel).sort((a, b) => a.name.hour - b.name.hour)
  );
  const counts = rows.map((row) => row.reduce((n, f) => n + f.count, 0));
  const count = Math.min(...counts);
  if (counts.some((n) => n !== count)) {
    dataset.leftOut.push({
      what: `the last samples of some channels of "${store}"`,
      why: `the shortest channel ends after ${count} samples`,
    });
  }
  const layouts = rows.map((row) => {
    const runs = row.map((file) => ({
      source: sourceIndex(dataset, file.source),
      offset: SEV_HEADER_BYTES,
      frameCount: file.count,
    }));
    return layoutOf(dataset.frameTables.push(frameTable(sizeOf(type), runs)) - 1, type);
  });
  const segments = loggedSegments(count, rate, startSeconds, log);
  addRecording(dataset, { name: store, type, rate, channels, count, segments }, layouts);
}
