/** When the data records of an EDF+ file begin: runs of records without a pause. */
import { FuseError } from "../../src/errors.ts";
import type { EdfHeader } from "./edf-header.ts";
import { readSlots, type Slots } from "./edf-slots.ts";
import { parseTals } from "./edf-tal.ts";

/** Records that follow each other without a pause. */
export interface RecordRun {
  firstRecord: number;
  records: number;
  /** Start of its first record, seconds after the header's start. */
  startSeconds: number;
}

/** Runs a recording may have. */
const MOST_RUNS = 1 << 18;
/** Bytes of records that are read in one piece rather than searched. */
const PIECE_BYTES = 1 << 20;

/**
 * Collects runs from the starts of records in order; `undefined`: the record does not say, and follows the one
 * before.
 */
export class RunCollector {
  readonly runs: RecordRun[] = [];
  /** Records without a time of their own. */
  missing = 0;
  /** Records that begin before the one before them ends. */
  overlaps = 0;
  readonly #tolerance: number;

  constructor(readonly header: EdfHeader) {
    this.#tolerance = toleranceOf(header);
  }

  /** Takes `count` records of which the first begins at `start`, without a pause between them. */
  add(start: number | undefined, count = 1): void {
    const last = this.runs.at(-1);
    if (start === undefined) this.missing++;
    if (!last) {
      this.runs.push({ firstRecord: 0, records: count, startSeconds: start ?? 0 });
      return;
    }
    const expected = last.startSeconds + last.records * this.header.recordSeconds;
    const jump = start === undefined ? 0 : start - expected;
    if (Math.abs(jump) <= this.#tolerance) {
      last.records += count;
      return;
    }
    if (jump < 0) this.overlaps++;
    if (this.runs.length >= MOST_RUNS) {
      throw new FuseError("Limit", "more pauses than allowed", {
        found: `more than ${MOST_RUNS}`,
        expected: `at most ${MOST_RUNS}`,
      });
    }
    this.runs.push({
      firstRecord: last.firstRecord + last.records,
      records: count,
      startSeconds: start!,
    });
  }

  /** What was doubtful, in words. */
  warnings(): string[] {
    const { missing, overlaps } = this;
    return [
      ...(missing
        ? [`${missing} data records state no time of their own: they follow the ones before`]
        : []),
      ...(overlaps
        ? [`${overlaps} data records begin before the ones before them end: times overlap`]
        : []),
    ];
  }
}

/** Half a sample of the fastest signal: starts are written in decimals. */
function toleranceOf({ signals, recordSeconds }: EdfHeader): number {
  const most = Math.max(
    1,
    ...signals.filter((s) => !s.isAnnotation).map((s) => s.samplesPerRecord),
  );
  return Math.max(recordSeconds / most / 2, 1e-9);
}

/** When a record says it begins; undefined when it does not. */
export async function recordStart(
  slots: Slots,
  record: number,
  signal?: AbortSignal,
): Promise<number | undefined> {
  for await (const bytes of readSlots(slots, record, record + 1, signal)) {
    return parseTals(bytes).recordStart;
  }
}

/**
 * The runs of a discontinuous file, by bisection: records lie in order of time, so that two of them whose
 * distance is that of the records between have no pause between.
 */
export async function searchRuns(
  header: EdfHeader,
  slots: Slots,
  warnings: string[],
  signal?: AbortSignal,
): Promise<RecordRun[]> {
  const { records, recordSeconds } = header;
  const piece = Math.max(2, Math.floor(PIECE_BYTES / header.recordBytes));
  const collector = new RunCollector(header);
  const tolerance = toleranceOf(header);
  const startOf = (record: number) => recordStart(slots, record, signal);
  /** Collects records `[first, last]`, the starts of which are known. */
  const walk = async (
    first: number,
    firstStart: number | undefined,
    last: number,
    lastStart: number | undefined,
  ): Promise<void> => {
    const span = last - first;
    const isOne = firstStart !== undefined && lastStart !== undefined &&
      Math.abs(lastStart - firstStart - span * recordSeconds) <= tolerance;
    if (isOne) {
      collector.add(firstStart, span + 1);
    } else if (span < piece) {
      for await (const bytes of readSlots(slots, first, last + 1, signal)) {
        collector.add(parseTals(bytes).recordStart);
      }
    } else {
      const middle = first + (span >> 1);
      const [left, right] = await Promise.all([startOf(middle), startOf(middle + 1)]);
      await walk(first, firstStart, middle, left);
      await walk(middle + 1, right, last, lastStart);
    }
  };
  if (records > 0) {
    const [first, last] = await Promise.all([startOf(0), startOf(records - 1)]);
    await walk(0, first, records - 1, last);
  }
  warnings.push(...collector.warnings());
  return collector.runs;
}
