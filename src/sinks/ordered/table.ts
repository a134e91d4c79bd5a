/**
 * Rows in order: what every sink that writes front to back is given. A recording is a table of its
 * time and its channels, a table of events one of its columns.
 */
import type { Attributes } from "../../model/dataset.ts";
import type { DType, NumericArray } from "../../model/dtype.ts";

/** One column of a table. */
export interface TableColumn {
  /** Different from the names of all other columns. */
  name: string;
  /** Unit of the values as they are written; "" for none. */
  units: string;
  /** Type of the values in blocks. */
  dtype: DType;
  role: "time" | "channel" | "field";
  /** What is written is `value * gain + offset`; absent when values are written as they come. */
  scale?: { gain: number; offset: number };
  /** Anything else known of the column. */
  attributes: Attributes;
}

/** What is known of a table before its rows. */
export interface TableHead {
  /** "signals", "amplifier/signals", "events/spikes". */
  name: string;
  columns: TableColumn[];
  /** Null when only the pass tells. */
  rows: number | null;
  /** Attributes of the recording or event table. */
  attributes: Attributes;
  /** Attributes of the file: the vocabulary every output carries. */
  root: Attributes;
}

/** Values of one column. */
export type ColumnValues = NumericArray | string[];

/** Consecutive rows; the arrays are the sink's until the promise it returned is fulfilled. */
export interface TableBlock {
  firstRow: number;
  rows: number;
  /** One array of `rows` values a column. */
  columns: ColumnValues[];
}

/** Writes one table, front to back. Knows no formats of recordings. */
export interface OrderedSink {
  begin(): void | Promise<void>;
  block(block: TableBlock): void | Promise<void>;
  /** Writes what ends the output; `rows` is the number of rows there were. */
  finish(rows: number): void | Promise<void>;
  /** Drops what was written. */
  abort(): void | Promise<void>;
  /** Bytes written so far. */
  readonly bytesWritten: number;
}

/** Type in which a column's values are written. */
export function writtenType(column: TableColumn): DType {
  return column.scale ? "float64" : column.dtype;
}
