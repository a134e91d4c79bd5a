/** Where the sweeps of an ABF file are in its data, and when each began. */
import type { FrameRun } from "../../src/model/layout.ts";
import { viewOf } from "../../src/source/source.ts";
import { type AbfHeader, AbfMode } from "./abf-model.ts";

/** A run of scans of all channels. */
export interface Sweep {
  /** Scan of the data it begins with. */
  firstScan: number;
  /** Scans. */
  scans: number;
  startSeconds: number;
}

/** The sweeps that were recorded, and those that are the average of others. */
export interface Sweeps {
  sweeps: Sweep[];
  averages: Sweep[];
}

/** What lStart holds for a sweep that was averaged (ABF_AVERAGESWEEPSTART). */
const AVERAGE_START = -1;

/** Seconds of a time in the synch array, a tag or a delta (ABFH_SynchCountToMS). */
export function synchSeconds(header: AbfHeader, count: number): number {
  return header.synchUnit > 0 ? count * header.synchUnit / 1e6 : count * header.valueInterval / 1e6;
}

/**
 * The sweeps of the first `scans` scans of the data.
 * @param synch the synch array: start and length of each sweep, 32-bit numbers in pairs; undefined: none
 */
export function findSweeps(
  header: AbfHeader,
  synch: Uint8Array | undefined,
  scans: number,
  warnings: string[],
): Sweeps {
  const listed = synch && readSynch(header, synch, warnings);
  const found = listed ?? equalSweeps(header, scans);
  const sweeps: Sweep[] = [], averages: Sweep[] = [];
  let scan = 0;
  for (const { start, length } of found) {
    const fits = Math.min(length, scans - scan);
    if (fits < length) warnings.push(cutSweep(sweeps.length + averages.length, length, fits));
    if (fits <= 0) break;
    const isAverage = start === undefined;
    (isAverage ? averages : sweeps).push({
      firstScan: scan,
      scans: fits,
      startSeconds: start ?? 0,
    });
    scan += fits;
  }
  if (scan < scans) {
    if (listed) {
      warnings.push(
        `the synch array accounts for ${scan} of ${scans} scans: the others follow as one more run`,
      );
    }
    const last = sweeps.at(-1);
    const startSeconds = last ? last.startSeconds + last.scans / header.samplingFrequency : 0;
    sweeps.push({ firstScan: scan, scans: scans - scan, startSeconds });
  }
  return { sweeps: header.mode === AbfMode.gapFree ? joined(header, sweeps) : sweeps, averages };
}

function cutSweep(index: number, length: number, found: number): string {
  return `sweep ${index + 1} has ${Math.max(0, found)} of its ${length} scans: the data end there`;
}

interface Listed {
  /** Seconds; undefined for an average. */
  start: number | undefined;
  /** Scans. */
  length: number;
}

/** Entries of the synch array; undefined when their lengths cannot be those of this file's data. */
function readSynch(
  header: AbfHeader,
  bytes: Uint8Array,
  warnings: string[],
): Listed[] | undefined {
  const view = viewOf(bytes);
  const channels = header.channels.length;
  const entries = Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) => ({
    start: view.getInt32(8 * i, true),
    length: view.getInt32(8 * i + 4, true),
  }));
  // Lengths count values. Programs that converted statistics files wrote them as times, in synch units or in
  // microseconds: then they add up to the data only after division.
  const total = entries.reduce((n, e) => n + e.length, 0);
  const scales = header.synchUnit > 0
    ? [1, header.synchUnit / header.valueInterval, 1 / header.synchUnit]
    : [1];
  const scale = scales.find((s) => Math.abs(total * s - header.valueCount) < entries.length) ?? 1;
  const lengthOf = (length: number) =>
    scale === 1 ? length / channels : Math.round(length * scale / channels);
  const listed = entries.map(({ start, length }): Listed => ({
    start: start === AVERAGE_START ? undefined : synchSeconds(header, start),
    length: lengthOf(length),
  }));
  const odd = listed.findIndex(({ length }) => !Number.isInteger(length) || length < 0);
  if (odd >= 0) {
    warnings.push(
      `the synch array is damaged (entry ${odd + 1} states ${entries[odd].length} values for ` +
        `${channels} channels): it is not used`,
    );
    return undefined;
  }
  return listed.filter(({ length }) => length > 0);
}

/** Sweeps of a file without a synch array: one, or as many as the header states, of equal length. */
function equalSweeps(header: AbfHeader, scans: number): Listed[] {
  const { mode, samplesPerEpisode, episodes, channels, samplingFrequency, startToStart } = header;
  const length = samplesPerEpisode / channels.length;
  const isSwept = mode === AbfMode.episodic || mode === AbfMode.oscilloscope ||
    mode === AbfMode.fixed;
  if (!isSwept || !Number.isInteger(length) || length <= 0 || length > scans) {
    return scans > 0 ? [{ start: 0, length: scans }] : [];
  }
  const count = Math.min(Math.max(1, episodes), Math.floor(scans / length));
  const step = Math.max(startToStart, length / samplingFrequency);
  return Array.from({ length: count }, (_, i) => ({ start: i * step, length }));
}

/** Gap-free data have a synch array when they were paused; entries without a pause between are one run. */
function joined(header: AbfHeader, sweeps: Sweep[]): Sweep[] {
  const rate = header.samplingFrequency;
  const runs: Sweep[] = [];
  for (const sweep of sweeps) {
    const last = runs.at(-1);
    const gap = last && sweep.startSeconds - (last.startSeconds + last.scans / rate);
    if (last && Math.abs(gap!) < 0.5 / rate) last.scans += sweep.scans;
    else runs.push({ ...sweep });
  }
  return runs;
}

/** Runs of frames of the given sweeps; sweeps that follow each other in the file are one run. */
export function sweepRuns(sweeps: Sweep[], dataOffset: number, frameBytes: number): FrameRun[] {
  const runs: FrameRun[] = [];
  for (const { firstScan, scans } of sweeps) {
    const offset = dataOffset + firstScan * frameBytes;
    const last = runs.at(-1);
    if (last && last.offset + last.frameCount * frameBytes === offset) last.frameCount += scans;
    else runs.push({ source: 0, offset, frameCount: scans });
  }
  return runs;
}
