/**
 * Where the sample counter of an Intan recording jumps.
 *
 * Every data block (traditional layout) and every sample (`time.dat`) carries the counter of the
 * amplifier clock. A recording without pauses counts up by one throughout; a pause or lost data is a
 * jump. Reading every counter of a long recording would mean reading the whole file, so stretches
 * whose ends are as far apart as their length says are taken to be whole, and only the others are
 * halved until the jump is found. Small and near recordings are read in full instead.
 */
import type { Segment } from "../../src/model/layout.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";

/** Counters at equal steps through a file: one per data block, or one per sample. */
export interface TimestampTrack {
  source: ByteSource;
  /** Byte offset of the first counter. */
  offset: number;
  /** Bytes from one counter to the next. */
  strideBytes: number;
  /** Number of counters. */
  units: number;
  /** Samples from one counter to the next while nothing is lost. */
  samplesPerUnit: number;
  /** Whether the first counter is a signed number; later ones are taken relative to it. */
  signed: boolean;
  /** Near files are read through up to this many bytes; {@link SWEEP_BYTES} when absent. */
  sweepBytes?: number;
  signal?: AbortSignal;
}

/** An uninterrupted run of units that begins at counter `ticks` (samples since the recording's zero). */
export interface TimeRun {
  firstUnit: number;
  ticks: number;
}

/** What a track's counters tell. */
export interface TimeRuns {
  runs: TimeRun[];
  units: number;
  samplesPerUnit: number;
  /** The counter falls back somewhere: stretches of time overlap. */
  stepsBack: boolean;
  /** Every counter was looked at. */
  complete: boolean;
}

/** Near files whose counters lie within this many bytes are read through. */
const SWEEP_BYTES = 64 << 20;
/** Counters of near files read one by one at most. */
const SWEEP_READS = 32_768;
const PIECE_BYTES = 1 << 20;
/** Counters looked at before halving begins. */
const FIRST_PROBES = { local: 1024, remote: 8 };
/** Reads under way at once. */
const CONCURRENCY = 32;

/** Finds the runs of a track with at least one unit. */
export async function findRuns(track: TimestampTrack): Promise<TimeRuns> {
  const { units, samplesPerUnit } = track;
  const local = track.source.distance === "local";
  const bytes = units * track.strideBytes;
  const { sweepBytes } = track;
  const sweep = local
    ? bytes <= (sweepBytes ?? SWEEP_BYTES) || sweepBytes === undefined && units <= SWEEP_READS
    : bytes <= 65_536 || units <= FIRST_PROBES.remote;
  let starts = await (sweep ? sweepTrack(track) : halveTrack(track));
  let complete = sweep;
  const most = sweepBytes === undefined ? 8 * SWEEP_READS : SWEEP_READS;
  if (!sweep && local && starts.some((s) => s.gap < 0) && units <= most) {
    // Halving rests on a counter that never falls back.
    starts = await sweepTrack(track);
    complete = true;
  }
  const runs: TimeRun[] = [];
  let stepsBack = false;
  for (const start of starts) {
    const last = runs.at(-1);
    if (!last) {
      runs.push({ firstUnit: 0, ticks: track.signed ? start.counter : start.counter >>> 0 });
      continue;
    }
    const elapsed = (start.unit - last.firstUnit) * samplesPerUnit;
    runs.push({ firstUnit: start.unit, ticks: last.ticks + elapsed + start.gap });
    stepsBack ||= start.gap < 0;
  }
  return { runs, units, samplesPerUnit, stepsBack, complete };
}

/** The first unit of a run, its counter (32 bits, signed) and how far it is off the run before. */
interface RunStart {
  unit: number;
  counter: number;
  gap: number;
}

/** Counters are compared modulo 2^32, so one that rolls over does not look like a jump. */
function gapBetween(from: number, to: number, samples: number): number {
  return (to - from - samples) | 0;
}

async function readCounter(track: TimestampTrack, unit: number): Promise<number> {
  const bytes = await track.source.read(track.offset + unit * track.strideBytes, 4, {
    purpose: "header",
    signal: track.signal,
  });
  return viewOf(bytes).getInt32(0, true);
}

async function sweepTrack(track: TimestampTrack): Promise<RunStart[]> {
  const { strideBytes, units, samplesPerUnit } = track;
  const starts: RunStart[] = [];
  let last = 0;
  const visit = (unit: number, counter: number) => {
    const gap = unit ? gapBetween(last, counter, samplesPerUnit) : 0;
    if (unit === 0 || gap !== 0) starts.push({ unit, counter, gap });
    last = counter;
  };
  if (units * strideBytes > SWEEP_BYTES && strideBytes > 4096) {
    for (let unit = 0; unit < units; unit++) visit(unit, await readCounter(track, unit));
    return starts;
  }
  const piece = Math.max(1, Math.floor(PIECE_BYTES / strideBytes));
  for (let unit = 0; unit < units; unit += piece) {
    const count = Math.min(piece, units - unit);
    const bytes = await track.source.read(
      track.offset + unit * strideBytes,
      (count - 1) * strideBytes + 4,
      { purpose: "bulk", signal: track.signal },
    );
    const view = viewOf(bytes);
    for (let i = 0; i < count; i++) visit(unit + i, view.getInt32(i * strideBytes, true));
  }
  return starts;
}

async function halveTrack(track: TimestampTrack): Promise<RunStart[]> {
  const { units, samplesPerUnit } = track;
  const counters = new Map<number, number>();
  const read = async (wanted: number[]) => {
    const batch = track.source.distance === "local" ? 1 : CONCURRENCY;
    for (let i = 0; i < wanted.length; i += batch) {
      await Promise.all(
        wanted.slice(i, i + batch).map(async (unit) => {
          counters.set(unit, await readCounter(track, unit));
        }),
      );
    }
  };
  const probes = Math.min(units, FIRST_PROBES[track.source.distance]);
  const first = [
    ...new Set(
      Array.from({ length: probes }, (_, i) => Math.round(i * (units - 1) / (probes - 1))),
    ),
  ];
  await read(first);
  const starts: RunStart[] = [{ unit: 0, counter: counters.get(0)!, gap: 0 }];
  let open: [number, number][] = first.slice(1).map((unit, i) => [first[i], unit]);
  while (open.length) {
    const halves: [number, number][] = [];
    const middles: number[] = [];
    for (const [from, to] of open) {
      const samples = (to - from) * samplesPerUnit;
      const gap = gapBetween(counters.get(from)!, counters.get(to)!, samples);
      if (gap === 0) continue;
      if (to === from + 1) {
        starts.push({ unit: to, counter: counters.get(to)!, gap });
        continue;
      }
      const middle = Math.floor((from + to) / 2);
      middles.push(middle);
      halves.push([from, middle], [middle, to]);
    }
    await read(middles);
    open = halves;
  }
  return starts.sort((a, b) => a.unit - b.unit);
}

/**
 * Segments of a stream of `count` samples that has `samples` samples per unit of the track.
 * A stream longer than its track goes on without a pause; a shorter one ends where it ends.
 * @param tickRate counter ticks per second
 */
export function segmentsOf(
  times: TimeRuns,
  tickRate: number,
  samples: number,
  count: number,
): Segment[] {
  const segments: Segment[] = [];
  times.runs.forEach((run, i) => {
    const startIndex = run.firstUnit * samples;
    const next = times.runs[i + 1];
    const end = next ? Math.min(count, next.firstUnit * samples) : count;
    if (end <= startIndex && !(i === 0 && count === 0)) return;
    segments.push({ startIndex, length: end - startIndex, startSeconds: run.ticks / tickRate });
  });
  return segments;
}

/**
 * Segments of a stream that keeps every `factor`-th sample of a track with one counter per sample.
 */
export function decimatedSegments(
  times: TimeRuns,
  tickRate: number,
  factor: number,
  count: number,
): Segment[] {
  const segments: Segment[] = [];
  times.runs.forEach((run, i) => {
    const startIndex = Math.ceil(run.firstUnit / factor);
    const next = times.runs[i + 1];
    const end = next ? Math.min(count, Math.ceil(next.firstUnit / factor)) : count;
    if (end <= startIndex) return;
    const late = startIndex * factor - run.firstUnit;
    segments.push({
      startIndex,
      length: end - startIndex,
      startSeconds: (run.ticks + late) / tickRate,
    });
  });
  return segments;
}

/** Seconds at sample `index` of a recording with these segments. */
export function secondsAt(segments: Segment[], samplingFrequency: number, index: number): number {
  let at: Segment = { startIndex: 0, length: 0, startSeconds: 0 };
  for (const segment of segments) {
    if (segment.startIndex <= index || segment === segments[0]) at = segment;
  }
  return at.startSeconds + (index - at.startIndex) / samplingFrequency;
}

/** What a user should know of the counters. */
export function timeWarnings(times: TimeRuns): string[] {
  const warnings: string[] = [];
  if (times.stepsBack) {
    warnings.push(
      "the sample counter falls back within the file: stretches of time overlap" +
        (times.complete ? "" : ", and not every fall may have been found"),
    );
  }
  return warnings;
}
