/** Opens an ADInstruments LabChart binary file: two headers and interleaved samples. */
import { DEFAULT_LIMITS, FuseError, type Limits } from "../../src/errors.ts";
import { type Attributes, type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import { type FrameLayout, frameTable } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { frameStream } from "../../src/stream/frame-stream.ts";
import type { OpenOptions, Reader } from "../format.ts";
import {
  type AdibinChannel,
  type AdibinHeader,
  CHANNEL_BYTES,
  HEAD_BYTES,
  parseChannels,
  parseHead,
} from "./adibin-header.ts";

const FORMAT = "adibin";

/** The reader of the format "adibin". */
export const reader: Reader = { open: openFile };

async function openFile(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const dataset = emptyDataset(FORMAT, [source]);
  const { signal, limits = DEFAULT_LIMITS } = options;
  const header = await readHeader(source, limits, signal);
  const { channels, stored, sampleBytes, hasTime } = header;
  const columns = channels.length + (hasTime ? 1 : 0);
  const frameBytes = columns * sampleBytes;
  const offset = HEAD_BYTES + CHANNEL_BYTES * channels.length;
  const count = sampleCount(source, header, offset, frameBytes, dataset);
  const layout: Omit<FrameLayout, "kind" | "table"> = {
    stored,
    littleEndian: true,
    samplesPerFrame: 1,
    channelOffsets: channels.map((_, i) => (i + columns - channels.length) * sampleBytes),
    sampleStride: 0,
  };
  const piped = source.access === "forward";
  if (piped) {
    const pass = { source, offset, frameBytes, frameCount: count, layout, field: FORMAT };
    dataset.openStream = (_id, streamOptions) =>
      frameStream({ ...pass, signal: streamOptions.signal });
  } else {
    dataset.frameTables.push(
      frameTable(frameBytes, [{ source: 0, offset, frameCount: count! }]),
    );
  }
  // Time zero is the trigger; -0 would look odd.
  const startSeconds = 0 - header.preTriggerSeconds;
  dataset.recordings.push({
    name: "signals",
    channels: channels.map((channel) => ({
      name: channel.title,
      units: channel.units,
      ...calibration(header, channel, dataset.warnings),
      attributes: attributesOf(channel),
    })),
    samplingFrequency: header.rate,
    sampleCount: count,
    segments: count === null ? [] : [{ startIndex: 0, length: count, startSeconds }],
    rawType: stored,
    parts: [{
      firstChannel: 0,
      channelCount: channels.length,
      layout: piped
        ? { kind: "stream", stream: FORMAT, field: FORMAT }
        : { kind: "frames", table: 0, ...layout },
    }],
  });
  if (hasTime) addTimeColumn(dataset, layout, count, piped);
  describe(dataset, header);
  return dataset;
}

async function readHeader(
  source: ByteSource,
  limits: Limits,
  signal?: AbortSignal,
): Promise<AdibinHeader> {
  const options = { signal, purpose: "header" } as const;
  const short = (bytes: Uint8Array, expected: number) =>
    new FuseError("Truncated", "the file ends inside its header", {
      source: source.name,
      offset: bytes.length,
      found: `${bytes.length} bytes`,
      expected: `${expected} bytes`,
    });
  const start = await source.readUpTo(0, HEAD_BYTES, options);
  if (start.length < HEAD_BYTES) throw short(start, HEAD_BYTES);
  const head = parseHead(start, source.name, limits);
  const length = HEAD_BYTES + CHANNEL_BYTES * head.channelCount;
  const bytes = await source.readUpTo(0, length, options);
  if (bytes.length < length) throw short(bytes, length);
  return { ...head, channels: parseChannels(bytes, head.channelCount) };
}

/** Samples per channel; null for a pipe whose header does not say. */
function sampleCount(
  source: ByteSource,
  header: AdibinHeader,
  offset: number,
  frameBytes: number,
  dataset: Dataset,
): number | null {
  const stated = header.samplesPerChannel;
  if (source.size === undefined) return stated > 0 ? stated : null;
  const there = Math.floor((source.size - offset) / frameBytes);
  if (stated > there) {
    throw new FuseError("Truncated", "the file ends before its samples do", {
      source: source.name,
      offset: source.size,
      field: "SamplesPerChannel",
      found: `${there} samples of each channel`,
      expected: `${stated}`,
    });
  }
  if (stated === 0 && there > 0) {
    dataset.warnings.push(
      `the header counts no samples (it is written last): the ${there} in the file are taken`,
    );
    return there;
  }
  const rest = source.size - offset - stated * frameBytes;
  if (rest > 0) {
    dataset.leftOut.push({
      what: `${rest} bytes after the samples`,
      why: "more than the header counts",
    });
  }
  return stated;
}

/** The file's formula is `scale * (sample + offset)`: the offset is in steps of the converter. */
function calibration(
  { stored }: AdibinHeader,
  { title, scale, offset }: AdibinChannel,
  warnings: string[],
): { gain: number; offset: number } {
  if (stored === "int16") return { gain: scale, offset: scale * offset };
  if (scale !== 1 || offset !== 0) {
    warnings.push(
      `channel "${title}" states a scale of ${scale} and an offset of ${offset}: they are for 16-bit ` +
        "samples and not applied to floating-point ones",
    );
  }
  return { gain: 1, offset: 0 };
}

function attributesOf(channel: AdibinChannel): Attributes {
  const attributes: Attributes = {};
  if (channel.rangeLow !== channel.rangeHigh) {
    attributes.range = [channel.rangeLow, channel.rangeHigh];
  }
  return attributes;
}

function addTimeColumn(
  dataset: Dataset,
  layout: Omit<FrameLayout, "kind" | "table">,
  count: number | null,
  piped: boolean,
): void {
  if (piped) {
    dataset.leftOut.push({ what: "the time column", why: "it can be had from a file, not a pipe" });
    return;
  }
  dataset.arrays.push({
    path: "source/time_column",
    dtype: layout.stored as "float32" | "float64",
    dims: ["time"],
    shape: [count],
    layout: { kind: "frames", table: 0, ...layout, channelOffsets: [0] },
    units: "s",
    attributes: { long_name: "time of each sample as the file's first column gives it" },
  });
}

function describe(dataset: Dataset, header: AdibinHeader): void {
  dataset.metadata = {
    ...(header.triggerTime === undefined ? {} : { startTime: header.triggerTime }),
    header: {
      version: header.version,
      seconds_per_tick: header.secondsPerTick,
      pre_trigger_seconds: header.preTriggerSeconds,
      time_column: header.hasTime,
      data_format: header.stored,
      ...(header.triggerTime === undefined ? {} : { start_time_of: "trigger, time 0" }),
    },
  };
}
