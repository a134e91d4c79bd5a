/**
 * When the samples of a stream were taken: runs of sample numbers, synchronised times beside them, and the
 * messages that tie both to the computer's clock. Source: Open Ephys GUI documentation, "Binary Format".
 */
import type { StreamBlock } from "../../src/model/dataset.ts";
import { checkSegments } from "../../src/model/check.ts";
import type { Segment } from "../../src/model/layout.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { findRuns, segmentsOf, timeWarnings } from "./intan-timestamps.ts";
import { type NpyFile, npyRows } from "./openephys-npy.ts";

/** Times a stream is asked at, to see whether they keep an even step: a request each where they are remote. */
const PROBES = { local: 256, remote: 12 };
/** Values of a block of times. */
const BLOCK_VALUES = 1 << 17;
/** Samples a time may be off an even clock. */
const TOLERANCE_SAMPLES = 0.5;
/** Bytes of counters that are read in full. */
export const COUNTER_BYTES = 64 << 20;

/** Sample counters at equal steps through a file. */
export interface Counters {
  /** The file. */
  source: ByteSource;
  /** First byte of the first counter, a 64-bit integer. */
  offset: number;
  /** Bytes from one to the next. */
  strideBytes: number;
  /** How many. */
  count: number;
  /** Samples from one to the next. */
  samples: number;
  /** Bytes up to which all counters are read; else jumps are searched by halving. */
  sweepBytes?: number;
}

/** Runs of samples whose counters follow each other; times are counters over `rate`. */
export async function counterSegments(
  counters: Counters,
  total: number,
  rate: number,
  warnings: string[],
  signal?: AbortSignal,
): Promise<Segment[]> {
  const { source, offset, strideBytes, count, samples, sweepBytes } = counters;
  if (!count) return [{ startIndex: 0, length: total, startSeconds: 0 }];
  const head = await source.read(offset, 8, { purpose: "header", signal });
  const first = Number(viewOf(head).getBigInt64(0, true));
  const runs = await findRuns({
    source,
    offset,
    strideBytes,
    units: count,
    samplesPerUnit: samples,
    signed: true,
    sweepBytes,
    signal,
  });
  const base = first - runs.runs[0].ticks;
  for (const run of runs.runs) run.ticks += base;
  warnings.push(...timeWarnings(runs).map((w) => `${source.name}: ${w}`));
  checkSegments(runs.runs.length, { source: source.name, format: "openephys" });
  return segmentsOf(runs, rate, samples, total);
}

/**
 * Gives segments the times of `seconds`, a time for each sample; those of a clock that was not synchronised
 * are below 0 and do not count. Tells how many samples the times stray from an even step.
 */
export async function synchronise(
  segments: Segment[],
  seconds: NpyFile,
  rate: number,
  signal?: AbortSignal,
): Promise<number> {
  const known = seconds.shape[0];
  const at = async (index: number) => (await npyRows(seconds, index, 1, signal) as Float64Array)[0];
  let strays = 0;
  for (const segment of segments) {
    const { startIndex, length } = segment;
    const end = Math.min(startIndex + length, known) - 1;
    if (end < startIndex) continue;
    const start = await at(startIndex);
    if (!(start >= 0)) continue;
    segment.startSeconds = start;
    const probes = Math.min(
      Math.ceil(PROBES[seconds.source.distance] / segments.length),
      end - startIndex,
    );
    for (let i = 1; i <= probes; i++) {
      const index = startIndex + Math.round((end - startIndex) * i / probes);
      const off = (await at(index) - start) * rate - (index - startIndex);
      strays = Math.max(strays, Math.abs(off));
    }
  }
  return strays > TOLERANCE_SAMPLES && known >= totalOf(segments) ? strays : 0;
}

function totalOf(segments: Segment[]): number {
  const last = segments.at(-1);
  return last ? last.startIndex + last.length : 0;
}

/** The times themselves, as the field "time". */
export async function* timeBlocks(
  seconds: NpyFile,
  count: number,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock, undefined> {
  for (let first = 0; first < count; first += BLOCK_VALUES) {
    const n = Math.min(BLOCK_VALUES, count - first);
    const values = await npyRows(seconds, first, n, signal) as Float64Array;
    yield { field: "time", values, count: n };
  }
}

/** What sync_messages.txt says. */
export interface SyncMessages {
  /** Milliseconds since 1970 when the recording began. */
  softwareMs?: number;
  /** First sample of each stream, by its name or the number of its processor. */
  starts: { name: string; processor: string; sample: number; rate: number }[];
}

/**
 * Parses sync_messages.txt or the first lines of messages.events. Since 0.6: "Software Time (milliseconds since
 * midnight Jan 1st 1970 UTC): 166..." and "Start Time for NAME (100) - STREAM @ 30000 Hz: 123"; before:
 * "Processor: NAME Id: 100 subProcessor: 0 start time: 123@30000Hz".
 */
export function parseSyncMessages(text: string): SyncMessages {
  const out: SyncMessages = { starts: [] };
  for (const line of text.split(/\r?\n/)) {
    const software = /Software time[^:]*1970[^:]*:\s*(\d+)/i.exec(line);
    if (software) out.softwareMs = Number(software[1]);
    const now = /^Start Time for\s+.*\((\d+)\)\s*-\s*(.*?)\s*@\s*([\d.]+)\s*Hz:\s*(-?\d+)/i.exec(
      line,
    );
    const old = /^Processor:.*\bId:\s*(\d+).*start time:\s*(-?\d+)@([\d.]+)\s*Hz/i.exec(line);
    if (now) {
      const [, processor, name, rate, sample] = now;
      out.starts.push({ name, processor, sample: Number(sample), rate: Number(rate) });
    } else if (old) {
      const [, processor, sample, rate] = old;
      out.starts.push({ name: "", processor, sample: Number(sample), rate: Number(rate) });
    }
  }
  return out;
}

/** The moment of time zero, ISO 8601: recording began `startSeconds` after it. */
export function momentOfZero(softwareMs: number, startSeconds: number): string | undefined {
  const date = new Date(softwareMs - Math.round(startSeconds * 1000));
  return isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** What a channel measures, by its name: rows of one recording are of one kind. */
export function channelKind(name: string): "" | "adc" | "aux" | "sync" {
  if (/(^|_)SYNC$/i.test(name)) return "sync";
  // "AI0": analog inputs of National Instruments' boards.
  if (/ADC/i.test(name) || /^AI\d+$/i.test(name)) return "adc";
  return /(^|_)AUX\d*$/i.test(name) ? "aux" : "";
}

/** Unit of a channel the file states none for: electrodes are in microvolts, other inputs in volts. */
export function usualUnits(name: string): string {
  const kind = channelKind(name);
  return kind === "" ? "uV" : kind === "sync" ? "" : "V";
}
