/**
 * The host's side of the push parser in `decoders/rust/tables`: writes a file's bytes into wasm
 * memory and takes whole columns out, one block of rows at a time.
 */
import { FuseError } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { loadWasm, type WasmModule } from "../wasm/instance.ts";

/** What the parser does with a column. */
export type ColumnKind =
  | { kind: "skip" }
  /** Becomes a column of doubles. */
  | { kind: "number" }
  | { kind: "text" }
  /** A number that times a factor is the time. */
  | { kind: "time" }
  /** A date, with or without a time of day; parts of the time in one row add up. */
  | { kind: "moment"; order: "day-first" | "month-first" }
  /** "hh:mm:ss.sss"; `two`: what a clock of two fields means. */
  | { kind: "clock"; two: "hours-minutes" | "minutes-seconds" }
  /** Units of 10^`exponent` nanoseconds since 1970. */
  | { kind: "epoch"; exponent: number };

/** A column as the parser is told of it. */
export type ColumnConfig = ColumnKind & { decimal: "." | "," };

/** Everything the parser must know of a table. */
export interface TableConfig {
  /** "bytes": UTF-8, Latin-1 and other supersets of ASCII. */
  encoding: "bytes" | "utf-16le" | "utf-16be";
  /** One ASCII character, or "blanks" for any run of blanks. */
  separator: string;
  quote: boolean;
  /** Prefixes of lines that are no rows. */
  comments: string[];
  columns: ColumnConfig[];
  /** Time in seconds = cell * multiply / divide. */
  timeFactor: { multiply: number; divide: number };
  /** The constant step of the time, seconds, checked in every row. */
  expected?: { stepSeconds: number; toleranceSeconds: number };
  /** Dates and clocks count from the first row; else from zero. */
  fromFirst: boolean;
  /** Count texts that are numbers, too. */
  inspectTexts?: boolean;
}

/** What a pass found odd, and counts per column. */
export interface TableReport {
  rows: number;
  strayCells: number;
  commentLines: number;
  emptyRecords: number;
  shortRows: number;
  longRows: number;
  openQuotes: number;
  stepViolations: number;
  /** -1 when there is none. */
  firstViolation: number;
  worstStepSeconds: number;
  backwardSteps: number;
  firstBackward: number;
  missingTimes: number;
  midnights: number;
  roundedIntegers: number;
  /** First moment, in nanoseconds since 1970 (or since midnight); undefined without moments. */
  base?: bigint;
  columns: { filled: number; bad: number; numeric: number }[];
}

/** A cell that did not fit its column, or a comment line among the rows (`column` undefined). */
export interface StrayCell {
  row: number;
  column?: number;
  text: string;
}

const KINDS = { skip: 0, number: 1, text: 2, time: 3, moment: 4, clock: 5, epoch: 6 };
const BLOCK_NUMBERS = 1 << 17;
const PIECE_BYTES = 1 << 20;
const COMMENT = 0xffffffff;
const REPORT_COUNTS = 17;

/** Rows the parser gathers before it hands a block over. */
export function blockRows(numberColumns: number): number {
  return Math.max(64, Math.min(65_536, Math.floor(BLOCK_NUMBERS / Math.max(1, numberColumns))));
}

function encodeConfig(config: TableConfig): Uint8Array {
  const { columns } = config;
  const comments = new TextEncoder().encode(config.comments.map((c) => `${c}\n`).join(""));
  const bytes = new Uint8Array(48 + 4 * columns.length + comments.length);
  const view = viewOf(bytes);
  bytes[0] = { "bytes": 0, "utf-16le": 1, "utf-16be": 2 }[config.encoding];
  bytes[1] = config.separator === "blanks" ? 0 : config.separator.charCodeAt(0);
  bytes[2] = config.quote ? 0x22 : 0;
  bytes[3] = (config.fromFirst ? 1 : 0) | (config.inspectTexts ? 2 : 0);
  view.setUint32(4, blockRows(columns.filter((c) => c.kind === "number").length), true);
  view.setFloat64(8, config.timeFactor.multiply, true);
  view.setFloat64(16, config.timeFactor.divide, true);
  view.setFloat64(24, config.expected?.stepSeconds ?? 0, true);
  view.setFloat64(32, config.expected?.toleranceSeconds ?? 0, true);
  view.setUint32(40, columns.length, true);
  view.setUint32(44, comments.length, true);
  columns.forEach((column, i) => {
    let detail = 0;
    if (column.kind === "moment") detail = column.order === "month-first" ? 1 : 0;
    if (column.kind === "clock") detail = column.two === "minutes-seconds" ? 1 : 0;
    if (column.kind === "epoch") detail = column.exponent;
    bytes.set([KINDS[column.kind], detail, column.decimal.charCodeAt(0)], 48 + 4 * i);
  });
  bytes.set(comments, 48 + 4 * columns.length);
  return bytes;
}

/** One pass over a table; {@link TableParser.close} gives its memory back. */
export class TableParser {
  readonly #wasm: WasmModule;
  readonly #handle: number;
  readonly #config: TableConfig;
  readonly #numbers: number;
  readonly #place: string;
  #open = true;

  constructor(wasm: WasmModule, config: TableConfig, place: string) {
    this.#wasm = wasm;
    this.#config = config;
    this.#place = place;
    this.#numbers = config.columns.filter((c) => c.kind === "number").length;
    const bytes = encodeConfig(config);
    this.#handle = wasm.with(
      bytes,
      (ptr) => wasm.call("tables_open", [ptr, bytes.length], { source: place }),
    );
  }

  /** A view of wasm memory to write the next `length` bytes of the file into. */
  room(length: number): Uint8Array<ArrayBuffer> {
    const ptr = this.#wasm.exports.tables_room(this.#handle, length) >>> 0;
    if (ptr === 0) throw new FuseError("Limit", "no room for more text", { source: this.#place });
    return this.#wasm.view(ptr, length);
  }

  /** Parses the `length` bytes written; `last`: none follow. */
  push(length: number, last: boolean): "needs-input" | "block-full" | "finished" {
    const state = this.#wasm.call("tables_push", [this.#handle, length, last ? 1 : 0], {
      source: this.#place,
    });
    return (["needs-input", "block-full", "finished"] as const)[state];
  }

  /** Rows of the block. */
  get rows(): number {
    return this.#wasm.exports.tables_rows(this.#handle);
  }

  #doubles(ptr: number, count: number): Float64Array<ArrayBuffer> {
    return new Float64Array(this.#wasm.memory.buffer, ptr >>> 0, count);
  }

  /** The number columns of the block, C order `[column, row]`. */
  numbers(): Float64Array<ArrayBuffer> {
    const { rows } = this;
    const { exports } = this.#wasm;
    const stride = exports.tables_stride(this.#handle);
    const all = this.#doubles(exports.tables_numbers(this.#handle), stride * this.#numbers);
    const values = new Float64Array(rows * this.#numbers);
    for (let c = 0; c < this.#numbers; c++) {
      values.set(all.subarray(c * stride, c * stride + rows), c * rows);
    }
    return values;
  }

  /** One number column of the block. */
  numberColumn(column: number): Float64Array<ArrayBuffer> {
    const { exports } = this.#wasm;
    const stride = exports.tables_stride(this.#handle);
    const all = this.#doubles(exports.tables_numbers(this.#handle), stride * this.#numbers);
    return all.slice(column * stride, column * stride + this.rows);
  }

  /** Times of the block's rows, seconds. */
  time(): Float64Array<ArrayBuffer> {
    return this.#doubles(this.#wasm.exports.tables_time(this.#handle), this.rows).slice();
  }

  /** Text column `column` (counted among text columns) of the block. */
  texts(column: number): string[] {
    return this.#cut(column);
  }

  #cut(column: number): string[] {
    const { exports } = this.#wasm;
    const [bytes, length, ends, count] = [0, 1, 2, 3].map((what) =>
      exports.tables_text(this.#handle, column, what) >>> 0
    );
    const all = new TextDecoder().decode(this.#wasm.view(bytes, length));
    const stops = new Uint32Array(this.#wasm.memory.buffer, ends, count);
    const texts = new Array<string>(count);
    for (let i = 0, from = 0; i < count; from = stops[i++]) texts[i] = all.slice(from, stops[i]);
    return texts;
  }

  /** Empties the block. */
  clear(): void {
    this.#wasm.exports.tables_clear(this.#handle);
  }

  /** Counts since the start of the table. */
  report(): TableReport {
    const columns = this.#config.columns.length;
    const ptr = this.#wasm.exports.tables_report(this.#handle);
    const n = this.#doubles(ptr, REPORT_COUNTS + 3 * columns).slice();
    return {
      rows: n[0],
      strayCells: n[1] - n[2],
      commentLines: n[2],
      emptyRecords: n[3],
      shortRows: n[4],
      longRows: n[5],
      openQuotes: n[6],
      stepViolations: n[7],
      firstViolation: n[8],
      worstStepSeconds: n[9],
      backwardSteps: n[10],
      firstBackward: n[11],
      missingTimes: n[12],
      midnights: n[13],
      roundedIntegers: n[14],
      ...(Number.isNaN(n[15]) ? {} : { base: BigInt(n[15]) * 1_000_000_000n + BigInt(n[16]) }),
      columns: Array.from({ length: columns }, (_, i) => ({
        filled: n[REPORT_COUNTS + 3 * i],
        bad: n[REPORT_COUNTS + 3 * i + 1],
        numeric: n[REPORT_COUNTS + 3 * i + 2],
      })),
    };
  }

  /** The first thousand cells that did not fit, and comment lines among the rows. */
  strays(): StrayCell[] {
    const texts = this.#cut(COMMENT);
    const rows = this.#doubles(
      this.#wasm.exports.tables_strays(this.#handle, 0),
      texts.length,
    ).slice();
    const columns = new Uint32Array(
      this.#wasm.memory.buffer,
      this.#wasm.exports.tables_strays(this.#handle, 1) >>> 0,
      texts.length,
    );
    return texts.map((text, i) => ({
      row: rows[i],
      ...(columns[i] === COMMENT ? {} : { column: columns[i] }),
      text,
    }));
  }

  /** Gives the parser's memory back; calling it twice does nothing. */
  close(): void {
    if (this.#open) this.#wasm.exports.tables_close(this.#handle);
    this.#open = false;
  }
}

/** Where to read a table from. */
export interface TableRange {
  /** Byte offset of the first record. */
  from: number;
  /** End of the bytes; undefined: the end of the source. */
  to?: number;
}

/**
 * Parses a range of a source and yields the parser whenever its block holds rows; the block is
 * cleared when the caller comes back. Ends after the last row, with the parser's report still there
 * for `finish`.
 * @throws FuseError `Limit` for lines beyond 4 MiB, `Aborted` when cancelled.
 */
export async function* parseTable(
  source: ByteSource,
  range: TableRange,
  config: TableConfig,
  finish: (parser: TableParser) => void,
  signal?: AbortSignal,
): AsyncGenerator<TableParser> {
  const parser = new TableParser(await loadWasm("tables"), config, source.name);
  try {
    for await (const { length, last } of pieces(source, range, parser, signal)) {
      let state = parser.push(length, last);
      while (state === "block-full") {
        yield parser;
        parser.clear();
        state = parser.push(0, last);
      }
    }
    if (parser.rows) {
      yield parser;
      parser.clear();
    }
    finish(parser);
  } finally {
    parser.close();
  }
}

/** Writes the source's bytes into the parser, piece by piece. */
async function* pieces(
  source: ByteSource,
  { from, to }: TableRange,
  parser: TableParser,
  signal?: AbortSignal,
): AsyncGenerator<{ length: number; last: boolean }> {
  const end = to ?? source.size;
  if (end !== undefined && source.distance === "local" && source.access === "random") {
    // Local sources fill wasm memory directly: they finish before anything else can make it grow.
    for (let at = from; at < end; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, end - at);
      await source.readInto(at, parser.room(length), { signal, purpose: "bulk" });
      yield { length, last: at + length >= end };
    }
    if (from >= end) yield { length: 0, last: true };
    return;
  }
  const length = end === undefined ? undefined : end - from;
  for await (const piece of source.stream(from, length, { signal, purpose: "bulk" })) {
    for (let at = 0; at < piece.length; at += PIECE_BYTES) {
      const part = piece.subarray(at, at + PIECE_BYTES);
      parser.room(part.length).set(part);
      yield { length: part.length, last: false };
    }
  }
  yield { length: 0, last: true };
}
