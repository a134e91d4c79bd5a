/** Columns on their way to a table: pieces come as they are decoded and leave in step with the others. */
import { FuseError } from "../../errors.ts";
import { allocate, type DType, dtypeOf, type NumericArray, sizeOf } from "../../model/dtype.ts";
import type { ColumnValues } from "./table.ts";

/** Most bytes that may wait in one feed for the other columns of its rows. */
const MOST_WAITING_BYTES = 512 << 20;
/** What a string of unknown length counts for. */
const STRING_BYTES = 64;

interface Piece {
  columns: ColumnValues[];
  rows: number;
  /** Rows that have left. */
  taken: number;
  /** Called when all of them have been read. */
  read?: () => void;
}

/** Consecutive columns of a table that come together. */
export class Feed {
  readonly #pieces: Piece[] = [];
  readonly #left: Piece[] = [];
  #waitingBytes = 0;
  /** True when nothing more will come. */
  ended = false;
  /** Rows that have come. */
  pushed = 0;

  constructor(
    /** Name of the table, for messages. */
    readonly table: string,
    /** Columns a piece has. */
    readonly width: number,
    /** Id of the stream that fills it; undefined when the tasks or the plan do. */
    readonly stream?: string,
  ) {}

  /** Rows that can be taken at once. */
  get ready(): number {
    const [first] = this.#pieces;
    return first ? first.rows - first.taken : 0;
  }

  /** True when all rows have left and no more will come. */
  get spent(): boolean {
    return this.ended && this.#pieces.length === 0;
  }

  /**
   * @param read called when the columns are needed no more (see {@link Feed.release})
   * @throws FuseError `Limit` when more waits than may.
   */
  push(columns: ColumnValues[], rows: number, read?: () => void): void {
    if (rows === 0) return;
    this.#pieces.push({ columns, rows, taken: 0, read });
    this.pushed += rows;
    this.#waitingBytes += weight(columns);
    if (this.stream !== undefined && this.#waitingBytes > MOST_WAITING_BYTES) {
      throw new FuseError("Limit", "the columns of a row lie too far apart in the file", {
        array: this.table,
        found: `${this.#waitingBytes} bytes waiting`,
        expected: `at most ${MOST_WAITING_BYTES}`,
        remedy: "Convert to zarr or npz, which take columns one by one",
      });
    }
  }

  /** The next `rows` rows (at most {@link Feed.ready}). */
  take(rows: number): ColumnValues[] {
    const first = this.#pieces[0];
    const { taken } = first;
    const columns = taken === 0 && rows === first.rows
      ? first.columns
      : first.columns.map((c) => part(c, taken, taken + rows));
    first.taken += rows;
    if (first.taken === first.rows) {
      this.#pieces.shift();
      this.#waitingBytes -= weight(first.columns);
      if (first.read) this.#left.push(first);
    }
    return columns;
  }

  /** Says that what was taken has been written. */
  release(): void {
    for (const piece of this.#left.splice(0)) piece.read!();
  }
}

function part(values: ColumnValues, from: number, to: number): ColumnValues {
  return Array.isArray(values) ? values.slice(from, to) : values.subarray(from, to);
}

function weight(columns: ColumnValues[]): number {
  return columns.reduce(
    (n, c) => n + (Array.isArray(c) ? c.length * STRING_BYTES : c.byteLength),
    0,
  );
}

/** The columns of C-order `[channel, rows]` values. */
export function channelColumns(values: ColumnValues, channels: number): ColumnValues[] {
  const rows = values.length / channels;
  return Array.from({ length: channels }, (_, c) => part(values, c * rows, (c + 1) * rows));
}

/** The columns of C-order `[row, ...inner]` values. */
export function innerColumns(values: ColumnValues, inner: number): ColumnValues[] {
  if (inner === 1) return [values];
  const rows = values.length / inner;
  return Array.from({ length: inner }, (_, k) => {
    if (Array.isArray(values)) return Array.from({ length: rows }, (_, i) => values[i * inner + k]);
    const column = new (values.constructor as new (n: number) => NumericArray)(rows);
    for (let i = 0; i < rows; i++) column[i] = values[i * inner + k];
    return column;
  });
}

/** Values in the type of their column: readers may hand over wider ones. */
export function asType(values: ColumnValues, dtype: DType): ColumnValues {
  if (Array.isArray(values) || dtypeOf(values) === dtype) return values;
  const out = allocate(dtype, values.length);
  const big = typeof out[0] === "bigint";
  for (let i = 0; i < out.length; i++) out[i] = big ? BigInt(values[i]) : Number(values[i]);
  return out;
}

/** Bytes of an uncompressed chunk as values; half floats are widened to single ones. */
export function chunkValues(dtype: DType, bytes: Uint8Array): NumericArray {
  const { buffer, byteOffset } = bytes;
  const length = bytes.length / sizeOf(dtype);
  switch (dtype) {
    case "int8":
      return new Int8Array(buffer, byteOffset, length);
    case "bool":
    case "uint8":
      return new Uint8Array(buffer, byteOffset, length);
    case "int16":
      return new Int16Array(buffer, byteOffset, length);
    case "uint16":
      return new Uint16Array(buffer, byteOffset, length);
    case "int32":
      return new Int32Array(buffer, byteOffset, length);
    case "uint32":
      return new Uint32Array(buffer, byteOffset, length);
    case "int64":
      return new BigInt64Array(buffer, byteOffset, length);
    case "uint64":
      return new BigUint64Array(buffer, byteOffset, length);
    case "float16":
      return Float32Array.from(new Float16Array(buffer as ArrayBuffer, byteOffset, length));
    case "float32":
      return new Float32Array(buffer, byteOffset, length);
    case "float64":
      return new Float64Array(buffer, byteOffset, length);
    default:
      throw new FuseError("Unsupported", `columns of ${dtype}`, {
        remedy: "Convert to zarr or npz",
      });
  }
}

/** The type {@link chunkValues} gives for a stored type. @throws FuseError `Unsupported` for complex numbers. */
export function columnType(dtype: DType, name: string): DType {
  if (dtype === "float16") return "float32";
  if (dtype === "bool") return "uint8";
  if (dtype.startsWith("complex")) {
    throw new FuseError("Unsupported", "complex numbers in a table", {
      array: name,
      remedy: "Convert to zarr or npz",
    });
  }
  return dtype;
}
