/** Small datasets over bytes in memory, for tests of the pipeline. */
import { type Dataset, emptyDataset, type Recording } from "../../src/model/dataset.ts";
import { decodedType, sizeOf, type StoredType } from "../../src/model/dtype.ts";
import { type FrameLayout, frameTable } from "../../src/model/layout.ts";
import { MemorySource } from "../../src/source/memory.ts";

/** Pseudo-random bytes, the same for the same seed. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state;
  }
  return out;
}

/** What an interleaved test recording looks like. */
export interface InterleavedSpec {
  stored: StoredType;
  channels: number;
  /** Samples per channel. */
  samples: number;
  littleEndian?: boolean;
  flipSign?: boolean;
  gains?: number[];
  offsets?: number[];
  /** Frames in each run; one run of all samples by default. Runs are 7 bytes apart. */
  runs?: number[];
  name?: string;
}

/** A dataset with one recording of interleaved scans. */
export function interleaved(spec: InterleavedSpec): Dataset {
  const { stored, channels, samples, littleEndian = true, flipSign } = spec;
  const width = sizeOf(stored);
  const frameBytes = width * channels;
  const runs = spec.runs ?? [samples];
  const bytes = noise(frameBytes * samples + 7 * runs.length, channels * 31 + samples);
  if (stored.startsWith("float")) calm(bytes, width, littleEndian);
  const source = new MemorySource(spec.name ?? "test.bin", bytes);
  const dataset = emptyDataset("test", [source]);
  let offset = 0;
  dataset.frameTables.push(frameTable(
    frameBytes,
    runs.map((frameCount) => {
      offset += 7;
      const run = { source: 0, offset, frameCount };
      offset += frameCount * frameBytes;
      return run;
    }),
  ));
  const layout: FrameLayout = {
    kind: "frames",
    table: 0,
    stored,
    littleEndian,
    flipSign,
    samplesPerFrame: 1,
    channelOffsets: Array.from({ length: channels }, (_, c) => c * width),
    sampleStride: width,
  };
  let start = 0;
  const recording: Recording = {
    name: "signals",
    channels: Array.from({ length: channels }, (_, c) => ({
      name: `ch${c + 1}`,
      units: "uV",
      gain: spec.gains?.[c] ?? 1,
      offset: spec.offsets?.[c] ?? 0,
    })),
    samplingFrequency: 1000,
    sampleCount: samples,
    segments: runs.map((length) => {
      const segment = { startIndex: start, length, startSeconds: start / 1000 + (start ? 0.5 : 0) };
      start += length;
      return segment;
    }),
    rawType: decodedType(stored, flipSign),
    parts: [{ firstChannel: 0, channelCount: channels, layout }],
  };
  dataset.recordings.push(recording);
  return dataset;
}

/** Takes the exponents of random floats to small finite values: NaN compares badly. */
function calm(bytes: Uint8Array, width: number, littleEndian: boolean): void {
  for (let at = 0; at + width <= bytes.length; at++) {
    const top = littleEndian ? at + width - 1 : at;
    if ((at - 7) % width === 0 && top < bytes.length) bytes[top] = 0x40;
  }
}
