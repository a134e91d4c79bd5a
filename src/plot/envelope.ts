/** Lowest and highest value of each channel in each column of a picture, found in one pass. */
import type { OrderedSink, TableBlock, TableHead } from "../sinks/ordered/table.ts";

/** One channel reduced to the columns of a picture. */
export interface Trace {
  name: string;
  units: string;
  /** Per column; NaN where no sample falls. */
  low: Float64Array;
  high: Float64Array;
}

/** Collects envelopes of all channels of a recording. */
export class EnvelopeSink implements OrderedSink {
  readonly bytesWritten = 0;
  readonly traces: Trace[] = [];
  /** Time of the first and the last sample, seconds. */
  firstSeconds = NaN;
  lastSeconds = NaN;
  readonly #columns: { index: number; gain: number; offset: number }[] = [];
  readonly #time: number;

  /** @param rows samples a channel, or what is to be taken for it where nobody knows */
  constructor(readonly head: TableHead, readonly width: number, readonly rows: number) {
    this.#time = head.columns.findIndex((c) => c.role === "time");
    head.columns.forEach((column, index) => {
      if (column.role !== "channel") return;
      this.#columns.push({
        index,
        gain: column.scale?.gain ?? 1,
        offset: column.scale?.offset ?? 0,
      });
      this.traces.push({
        name: column.name,
        units: column.units,
        low: new Float64Array(width).fill(NaN),
        high: new Float64Array(width).fill(NaN),
      });
    });
  }

  begin(): void {}

  block({ firstRow, rows, columns }: TableBlock): void {
    if (this.#time >= 0 && rows > 0) {
      const times = columns[this.#time] as Float64Array;
      if (firstRow === 0) this.firstSeconds = Number(times[0]);
      this.lastSeconds = Number(times[rows - 1]);
    }
    this.#columns.forEach(({ index, gain, offset }, c) => {
      const values = columns[index] as Float64Array;
      const { low, high } = this.traces[c];
      for (let i = 0; i < rows; i++) {
        const x = Math.min(this.width - 1, Math.floor((firstRow + i) * this.width / this.rows));
        const value = Number(values[i]) * gain + offset;
        if (!(low[x] <= value)) low[x] = value;
        if (!(high[x] >= value)) high[x] = value;
      }
    });
  }

  finish(): void {}

  abort(): void {}
}

/** Lowest and highest value of a trace; [0, 1] for one without values. */
export function rangeOf(trace: Trace): [number, number] {
  let low = Infinity, high = -Infinity;
  for (let x = 0; x < trace.low.length; x++) {
    if (trace.low[x] < low) low = trace.low[x];
    if (trace.high[x] > high) high = trace.high[x];
  }
  if (!(low <= high)) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}
