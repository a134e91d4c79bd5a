/**
 * The headers of a LabChart binary file: 68 bytes, then 96 a channel, packed and little-endian
 * (ADInstruments, ADIBinaryFormat.h: CFWBINARY and CFWBCHANNEL).
 */
import { ensure, FuseError, type Limits } from "../../src/errors.ts";
import { viewOf } from "../../src/source/source.ts";
import { hasText } from "../format.ts";
import { fieldText } from "./ansi-text.ts";
import { clockOf, rateOf } from "./spike2-clock.ts";

/** Bytes of the file header, and of each channel's. */
export const HEAD_BYTES = 68, CHANNEL_BYTES = 96;

const FORMATS = { 1: ["float64", 8], 2: ["float32", 4], 3: ["int16", 2] } as const;

/** One channel: `value = scale * (sample + offset)` for 16-bit samples. */
export interface AdibinChannel {
  title: string;
  units: string;
  scale: number;
  offset: number;
  rangeHigh: number;
  rangeLow: number;
}

/** What the file header says. */
export interface AdibinHead {
  version: number;
  secondsPerTick: number;
  /** Samples a second. */
  rate: number;
  /** ISO 8601 without zone; undefined when the fields are no date. */
  triggerTime: string | undefined;
  /** Seconds of data before the trigger. */
  preTriggerSeconds: number;
  channelCount: number;
  /** 0 where the writer did not come back to fill it in. */
  samplesPerChannel: number;
  /** The first column is time, beside the channels. */
  hasTime: boolean;
  stored: "float64" | "float32" | "int16";
  sampleBytes: number;
}

/** Both headers. */
export interface AdibinHeader extends AdibinHead {
  channels: AdibinChannel[];
}

/** Reads the file header. @throws FuseError `Corrupt`, `Unsupported` or `Limit` */
export function parseHead(bytes: Uint8Array, source: string, limits: Limits): AdibinHead {
  const view = viewOf(bytes);
  ensure(hasText(bytes, 0, "CFWB"), "not a LabChart binary file", {
    source,
    offset: 0,
    expected: '"CFWB"',
  });
  const version = view.getInt32(4, true);
  if (version !== 1) {
    throw new FuseError("Unsupported", "a LabChart binary file of another version", {
      source,
      offset: 4,
      field: "Version",
      found: version,
      expected: 1,
    });
  }
  const secondsPerTick = view.getFloat64(8, true);
  ensure(secondsPerTick > 0 && secondsPerTick < Infinity, "impossible sampling interval", {
    source,
    offset: 8,
    field: "secsPerTick",
    found: secondsPerTick,
    expected: "a positive number of seconds",
  });
  const preTriggerSeconds = view.getFloat64(44, true);
  ensure(Number.isFinite(preTriggerSeconds), "impossible time before the trigger", {
    source,
    offset: 44,
    field: "trigger",
    found: preTriggerSeconds,
    expected: "a number of seconds",
  });
  const [channelCount, samplesPerChannel, timeChannel, format] = [52, 56, 60, 64].map((at) =>
    view.getInt32(at, true)
  );
  ensure(channelCount >= 1, "impossible number of channels", {
    source,
    offset: 52,
    field: "NChannels",
    found: channelCount,
    expected: "1 or more",
  });
  if (channelCount > limits.items) {
    throw new FuseError("Limit", "more channels than allowed", {
      source,
      offset: 52,
      found: channelCount,
      expected: `at most ${limits.items}`,
    });
  }
  ensure(samplesPerChannel >= 0, "impossible number of samples", {
    source,
    offset: 56,
    field: "SamplesPerChannel",
    found: samplesPerChannel,
    expected: "0 or more",
  });
  ensure(format === 1 || format === 2 || format === 3, "unknown data format", {
    source,
    offset: 64,
    field: "DataFormat",
    found: format,
    expected: "1 (double), 2 (float) or 3 (16-bit integer)",
  });
  const [stored, sampleBytes] = FORMATS[format];
  ensure(timeChannel === 0 || stored !== "int16", "a time column of 16-bit integers", {
    source,
    offset: 60,
    field: "TimeChannel",
    found: timeChannel,
    expected: "0 for 16-bit samples",
  });
  return {
    version,
    secondsPerTick,
    rate: rateOf(clockOf(1, secondsPerTick), 1),
    triggerTime: dateOf(view),
    preTriggerSeconds,
    channelCount,
    samplesPerChannel,
    hasTime: timeChannel !== 0,
    stored,
    sampleBytes,
  };
}

/** Reads the channel headers of a file whose first bytes are `bytes`. */
export function parseChannels(bytes: Uint8Array, count: number): AdibinChannel[] {
  const view = viewOf(bytes);
  return Array.from({ length: count }, (_, i) => {
    const at = HEAD_BYTES + CHANNEL_BYTES * i;
    return {
      title: fieldText(bytes.subarray(at, at + 32)) || `channel_${i + 1}`,
      units: fieldText(bytes.subarray(at + 32, at + 64)),
      scale: view.getFloat64(at + 64, true),
      offset: view.getFloat64(at + 72, true),
      rangeHigh: view.getFloat64(at + 80, true),
      rangeLow: view.getFloat64(at + 88, true),
    };
  });
}

function dateOf(view: DataView): string | undefined {
  const [year, month, day, hour, minute] = [16, 20, 24, 28, 32].map((at) =>
    view.getInt32(at, true)
  );
  const second = view.getFloat64(36, true);
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const valid = year >= 1900 && year < 10_000 && month >= 1 && month <= 12 && day >= 1 &&
    day <= days && hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 &&
    second < 60;
  if (!valid) return undefined;
  const two = (n: number) => String(n).padStart(2, "0");
  // Microseconds, without what binary fractions add, and never rounded up into the next minute.
  const micros = Math.min(Math.round(second * 1e6), 59_999_999);
  const fraction = String(micros % 1e6).padStart(6, "0").replace(/0{1,3}$/, "");
  const seconds = two(Math.floor(micros / 1e6));
  return `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${seconds}.${fraction}`;
}
