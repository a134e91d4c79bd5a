/**
 * The clock of a .ncs file: rate, uninterrupted runs, and how far the stamps of the records stray from both. Small
 * files are read through. Of large ones the stamps at growing distances are asked: while these are where the records
 * before them say, nothing is missing between; where not, the place is closed in by halving.
 */
import { ensure } from "../../src/errors.ts";
import { checkSegments } from "../../src/model/check.ts";
import type { StreamBlock } from "../../src/model/dataset.ts";
import type { Segment } from "../../src/model/layout.ts";
import { viewOf } from "../../src/source/source.ts";
import { field, HEADER_BYTES, type NeuralynxFile } from "./neuralynx-header.ts";

/** Bytes before the samples of a record. */
export const RECORD_HEAD_BYTES = 20;
/** Bytes read at a time. */
const BLOCK_BYTES = 1 << 20;
/** Samples a record may begin early or late without being a pause; stamps are rounded to 1 us. */
const TOLERANCE_SAMPLES = 0.5;
/** Bytes of signals of a session that are read through; of a remote one, bytes of a file. */
const SWEEP_BYTES = 64 << 20, REMOTE_SWEEP_BYTES = 512 << 10;
/** Records at the start of a large file that are all looked at. */
const FIRST_RECORDS = 128;

/** Stamps asked for before a file with so many pauses is read through instead. */
const MOST_LEAPS = 4096;

/** What the records of a file told. */
export interface SignalScan {
  /** The file. */
  file: NeuralynxFile;
  /** Samples a second. */
  rate: number;
  /** Uninterrupted runs, by the stamps; seconds after `zero`. */
  segments: Segment[];
  /** Valid samples of all records. */
  samples: number;
  /** Stamps that go back. */
  backwards: number;
  /** Most samples a stamp is off the even clock of its run. */
  strays: number;
  /** Whether all records but the last are full, so that samples lie in equal frames. */
  framed: boolean;
  /** Valid samples of the last record. */
  lastValid: number;
}

/** Most samples a record of the file can hold. */
export function capacityOf({ recordBytes }: NeuralynxFile): number {
  return (recordBytes - RECORD_HEAD_BYTES) / 2;
}

/** Blocks of whole records of any file of a session. */
export async function* blocksOf(file: NeuralynxFile, signal?: AbortSignal, end = file.records) {
  const { recordBytes, source } = file;
  const step = Math.max(1, Math.floor(BLOCK_BYTES / recordBytes));
  for (let first = 0; first < end; first += step) {
    const count = Math.min(step, end - first);
    const bytes = await source.read(HEADER_BYTES + first * recordBytes, count * recordBytes, {
      purpose: "bulk",
      signal,
    });
    yield { first, count, bytes, view: viewOf(bytes) };
  }
}

interface RecordHead {
  stamp: number;
  valid: number;
}

function headAt(file: NeuralynxFile, view: DataView, at: number, record: number): RecordHead {
  const valid = view.getUint32(at + 16, true), capacity = capacityOf(file);
  ensure(valid <= capacity, "a record claims more samples than it has room for", {
    source: file.source.name,
    offset: HEADER_BYTES + record * file.recordBytes + 16,
    found: valid,
    expected: `at most ${capacity}`,
  });
  return { stamp: Number(view.getBigUint64(at, true)), valid };
}

async function readHead(file: NeuralynxFile, record: number, signal?: AbortSignal) {
  const at = HEADER_BYTES + record * file.recordBytes;
  const options = { purpose: "header", signal } as const;
  const bytes = await file.source.read(at, RECORD_HEAD_BYTES, options);
  return headAt(file, viewOf(bytes), 0, record);
}

/**
 * Finds the runs of a file with at least one record.
 * @param zero microseconds of time 0
 * @param sessionBytes bytes of all signals opened together
 * @throws FuseError where a record claims too many samples
 */
export async function scanSignal(
  file: NeuralynxFile,
  zero: number,
  sessionBytes: number,
  warnings: string[],
  signal?: AbortSignal,
): Promise<SignalScan> {
  const bytes = file.records * file.recordBytes;
  const sweep = file.records <= FIRST_RECORDS ||
    (file.source.distance === "local" ? sessionBytes <= SWEEP_BYTES : bytes <= REMOTE_SWEEP_BYTES);
  const first: RecordHead[] = [];
  for await (
    const { count, view } of blocksOf(file, signal, Math.min(FIRST_RECORDS, file.records))
  ) {
    for (let i = 0; i < count; i++) {
      first.push(
        headAt(file, view, i * file.recordBytes, first.length),
      );
    }
  }
  const rate = await rateOf(file, first, warnings, signal);
  const runs = new Runs(file, rate, zero);
  if (sweep || !await leap(file, runs, first, signal)) {
    runs.reset();
    let record = 0;
    for await (const { count, view } of blocksOf(file, signal)) {
      for (let i = 0; i < count; i++, record++) {
        runs.take(record, headAt(file, view, i * file.recordBytes, record));
      }
    }
  }
  checkSegments(runs.segments.length, { source: file.source.name, format: "neuralynx" });
  return runs.result();
}

/** The stated rate, or that of the stamps where they contradict it. */
async function rateOf(
  file: NeuralynxFile,
  first: RecordHead[],
  warnings: string[],
  signal?: AbortSignal,
): Promise<number> {
  const { source } = file;
  const stated = Number(field(file, "SamplingFrequency"));
  let recordRate = 0;
  if (!(stated > 0 && Number.isFinite(stated))) {
    const head = await source.read(HEADER_BYTES + 12, 4, { purpose: "header", signal });
    recordRate = viewOf(head).getUint32(0, true);
  }
  const rate = recordRate || stated;
  ensure(rate > 0, "the file states no sampling rate", {
    source: source.name,
    field: "-SamplingFrequency",
    found: field(file, "SamplingFrequency") ?? "nothing",
  });
  const measured = usualRate(first);
  const capacity = capacityOf(file);
  // A nominal rate (1000 Hz for what is really 1017.25 Hz) would make every record a piece of its own.
  if (measured && Math.abs(capacity / measured - capacity / rate) * rate > TOLERANCE_SAMPLES) {
    warnings.push(
      `${source.name}: the stamps of records follow ${measured} Hz, not the stated ${rate} Hz; ` +
        "the rate of the stamps is taken",
    );
    return measured;
  }
  return rate;
}

/** Samples a second by the median distance of records that follow each other; null for too few. */
function usualRate(records: RecordHead[]): number | null {
  if (records.length < 8) return null;
  const rates: number[] = [];
  for (let i = 0; i + 1 < records.length; i++) {
    const us = records[i + 1].stamp - records[i].stamp;
    if (us > 0 && records[i].valid > 0) rates.push(records[i].valid * 1e6 / us);
  }
  if (rates.length < 7) return null;
  rates.sort((a, b) => a - b);
  const median = rates[rates.length >> 1];
  const near = rates.filter((r) => Math.abs(r - median) <= median * 1e-3);
  if (near.length * 2 <= rates.length) return null;
  // Steps rounded to microseconds: the mean of those around the median is finer than any of them.
  return near.every((r) => r === median)
    ? median
    : near.length / near.reduce((sum, r) => sum + 1 / r, 0);
}

/** Collects the runs of records that are shown to it, each with all between it and the one before. */
class Runs {
  segments: Segment[] = [];
  #samples = 0;
  #backwards = 0;
  #strays = 0;
  #framed = true;
  #last: RecordHead = { stamp: NaN, valid: 0 };
  readonly tolerance: number;
  readonly capacity: number;

  constructor(readonly file: NeuralynxFile, readonly rate: number, readonly zero: number) {
    this.tolerance = Math.max(2, TOLERANCE_SAMPLES * 1e6 / rate);
    this.capacity = capacityOf(file);
  }

  reset(): void {
    this.segments = [];
    this.#samples = this.#backwards = this.#strays = 0;
    this.#framed = true;
    this.#last = { stamp: NaN, valid: 0 };
  }

  /** The next record of the file. */
  take(record: number, head: RecordHead): void {
    if (head.valid < this.capacity && (record < this.file.records - 1 || record === 0)) {
      this.#framed = false;
    }
    if (head.valid > 0) {
      const off = head.stamp - (this.#last.stamp + this.#last.valid * 1e6 / this.rate);
      if (!(Math.abs(off) <= this.tolerance)) this.#begin(head, off);
      else this.#stray(head);
      this.segments[this.segments.length - 1].length += head.valid;
      this.#samples += head.valid;
      this.#last = head;
    } else if (record === this.file.records - 1) this.#last = { ...this.#last, valid: 0 };
  }

  /** A record that continues the last one over `full` records between and including that one. */
  skipTo(head: RecordHead, full: number): void {
    this.segments[this.segments.length - 1].length += (full - 1) * this.capacity;
    this.#samples += (full - 1) * this.capacity;
    this.#stray(head);
    this.segments[this.segments.length - 1].length += head.valid;
    this.#samples += head.valid;
    this.#last = head;
  }

  #begin(head: RecordHead, off: number): void {
    if (off < 0) this.#backwards++;
    const startSeconds = (head.stamp - this.zero) / 1e6;
    this.segments.push({ startIndex: this.#samples, length: 0, startSeconds });
  }

  #stray(head: RecordHead): void {
    const { startSeconds, length } = this.segments[this.segments.length - 1];
    const due = this.zero + startSeconds * 1e6 + length * 1e6 / this.rate;
    const off = Math.abs(head.stamp - due);
    if (off > this.tolerance) this.#strays = Math.max(this.#strays, off * this.rate / 1e6);
  }

  result(): SignalScan {
    return {
      file: this.file,
      rate: this.rate,
      segments: this.segments,
      samples: this.#samples,
      backwards: this.#backwards,
      strays: this.#strays,
      framed: this.#framed,
      lastValid: this.#last.valid,
    };
  }
}

/**
 * Goes through a large file by leaps; false where that will not do: a record that is not the last is short, others of
 * which leaps may miss, or there are too many pauses.
 */
async function leap(
  file: NeuralynxFile,
  runs: Runs,
  first: RecordHead[],
  signal?: AbortSignal,
): Promise<boolean> {
  const { records } = file, { capacity, rate, tolerance } = runs;
  const isShort = (head: RecordHead, at: number) => head.valid < capacity && at < records - 1;
  for (const [i, head] of first.entries()) {
    if (isShort(head, i)) return false;
    runs.take(i, head);
  }
  let at = first.length - 1, last = first[at];
  // Microseconds of a record, measured over as many as are known to follow each other.
  let period = capacity * 1e6 / rate, known = 0;
  const measure = (from: number, fromStamp: number) => {
    if (at - from <= known) return;
    known = at - from;
    period = (last.stamp - fromStamp) / known;
  };
  let runAt = at, runStamp = last.stamp;
  const runLength = Math.round(runs.segments[runs.segments.length - 1].length / capacity);
  runAt = at + 1 - runLength;
  runStamp = first[runAt].stamp;
  measure(runAt, runStamp);
  let step = Math.max(1, known), reads = 0;
  while (at < records - 1) {
    if (++reads > Math.max(MOST_LEAPS, records / 64)) return false;
    const to = Math.min(records - 1, at + step);
    const head = await readHead(file, to, signal);
    if (isShort(head, to)) return false;
    const off = head.stamp - last.stamp - (to - at) * period;
    const usual = to - at === 1 ? head.stamp - last.stamp - capacity * 1e6 / rate : off;
    if (Math.min(Math.abs(off), Math.abs(usual)) <= tolerance) {
      if (head.valid > 0) runs.skipTo(head, to - at);
      else if (to - at > 1) {
        // An empty last record: those before it are a leap of their own.
        step = to - at - 1;
        continue;
      } else runs.take(to, head);
      at = to;
      if (head.valid > 0) last = head;
      measure(runAt, runStamp);
      step = Math.max(step * 2, 1);
      if (step > known * 2) step = Math.max(1, known);
    } else if (to - at > 1) step = Math.floor((to - at) / 2);
    else {
      runs.take(to, head);
      at = runAt = to;
      runStamp = head.stamp;
      if (head.valid > 0) last = head;
      step = Math.max(1, known);
    }
  }
  return true;
}

/** The time of each valid sample in seconds after `zero`, by the stamp of its record: field "time". */
export async function* sampleTimes(
  { file, rate }: SignalScan,
  zero: number,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock, undefined> {
  const capacity = capacityOf(file);
  for await (const { count, view } of blocksOf(file, signal)) {
    const values = new Float64Array(count * capacity);
    let filled = 0;
    for (let i = 0; i < count; i++) {
      const at = i * file.recordBytes;
      const start = (Number(view.getBigUint64(at, true)) - zero) / 1e6;
      const n = Math.min(capacity, view.getUint32(at + 16, true));
      for (let k = 0; k < n; k++) values[filled++] = start + k / rate;
    }
    yield { field: "time", values: values.subarray(0, filled), count: filled };
  }
}
