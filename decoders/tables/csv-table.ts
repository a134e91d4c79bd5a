/** Where the table starts in the head, which rows above it name its columns, and what came before. */
import type { Attributes, Json } from "../../src/model/dataset.ts";
import { type CellClass, classify, type Decimal, isPlainNumber } from "./csv-cells.ts";
import type { Dialect, Record } from "./csv-dialect.ts";
import { bareUnit, isUnit, splitHeader } from "./csv-units.ts";

/** What the cells of a column are. "wide-integer": whole numbers past 2^53, kept as text. */
export type ColumnClass = "number" | "moment" | "clock" | "text" | "empty" | "wide-integer";

/** A column as the head shows it. */
export interface HeadColumn {
  index: number;
  /** Its header cell (or cells, joined), exactly; "" when there is none. */
  header: string;
  /** Without the unit; "column 3" when the file gives no name. */
  name: string;
  units: string;
  class: ColumnClass;
  decimal: Decimal;
  /** Cells of the head that are not empty. */
  filled: number;
  /** A word for "no value" that most cells hold, in a column of texts. */
  blank?: string;
  /** Extra header rows below the names ("comments" of some exporters). */
  comment?: string;
}

/** The shape of a table. */
export interface HeadTable {
  columns: HeadColumn[];
  /** Data records of the head. */
  rows: Record[];
  /** Character index of the first data record. */
  start: number;
  headerRows: string[][];
  /** Records above the header. */
  skippedRows: number;
  /** Lines above the header, as they are. */
  preambleLines: string[];
  /** The same as keys and values where they have such. */
  preamble: Attributes;
  comments: string[];
  why: string;
}

/** Share of odd cells a data row may have before it counts as no data row. */
const ODD_SHARE = 0.34;
const HEADER_ROWS = 4;
/** Columns beyond the common width that single rows may have. */
const MORE_COLUMNS = 8;

/** Trailing empty cells do not count as width. */
function trimmedWidth(cells: string[]): number {
  let n = cells.length;
  while (n > 0 && cells[n - 1] === "") n--;
  return n;
}

function commonWidth(records: Record[]): number {
  const counts = new Map<number, number>();
  for (const { cells } of records) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0][0];
}

/** Reads the structure of a head; null when it holds no record. */
export function findTable(dialect: Dialect, stated: StatedRows = {}): HeadTable | null {
  const { records, decimal } = dialect;
  if (records.length === 0) return null;
  const lower = records.slice(Math.floor(records.length / 2));
  const width = commonWidth(lower.length >= 3 ? lower : records);
  const classes = columnClasses(lower, width, decimal);
  const { start, header } = statedRows(records, stated) ??
    foundRows(records, width, classes, decimal);
  const rows = records.slice(start);
  const first = start - header.length;
  // Remarks behind the last column of some rows are a column, too.
  const widest = rows.reduce((w, r) => Math.max(w, trimmedWidth(r.cells)), width);
  let columns = describeColumns(rows, Math.min(widest, width + MORE_COLUMNS), decimal);
  // Widths counted with a trailing separator: an unnamed empty last column is no column.
  while (
    columns.length > 1 && columns.at(-1)!.class === "empty" &&
    header.every((h) => (h.cells[columns.length - 1] ?? "") === "")
  ) columns = columns.slice(0, -1);
  const names = header.map((h) => h.cells);
  const above = records.slice(0, first);
  const preamble = readPreamble(above);
  nameColumns(columns, names, preamble, dialect, rows);
  return {
    columns,
    rows,
    start: rows[0]?.start ?? -1,
    headerRows: names,
    skippedRows: first,
    preambleLines: above.map((r) =>
      r.cells.slice(0, Math.max(1, trimmedWidth(r.cells))).join("\t")
    ),
    preamble,
    comments: dialect.commentLines.map((c) => c.text.slice(c.prefix.length).trim()),
    why: header.length
      ? `${header.length} header row${header.length > 1 ? "s" : ""} above rows of ${width} cells`
      : `no header: the first of the rows of ${width} cells has values`,
  };
}

/** What is said of the rows above the data, so that it need not be found out. */
export interface StatedRows {
  skip_rows?: number;
  header_rows?: number;
}

/** The header and the first data record where they are stated: both counts are needed. */
function statedRows(
  records: Record[],
  { skip_rows: skip, header_rows: count }: StatedRows,
): { start: number; header: Record[] } | undefined {
  if (skip === undefined && count === undefined) return undefined;
  const first = Math.min(skip ?? 0, records.length);
  const start = Math.min(first + (count ?? 1), records.length);
  return { start, header: records.slice(first, start) };
}

function foundRows(
  records: Record[],
  width: number,
  classes: CellClass[],
  decimal: Decimal,
): { start: number; header: Record[] } {
  const { start, headless } = tableStart(records, width, classes, decimal);
  return { start, header: headless ? [] : headerAbove(records, start, width, classes, decimal) };
}

/** Class of each column over some records of the common width. */
function columnClasses(records: Record[], width: number, decimal: Decimal): CellClass[] {
  return Array.from({ length: width }, (_, i) => {
    const counts = new Map<CellClass, number>();
    let filled = 0;
    for (const { cells } of records) {
      if (Math.abs(cells.length - width) > 1) continue;
      const kind = classify(cells[i] ?? "", decimal);
      if (kind === "empty") continue;
      filled++;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    const missing = counts.get("missing") ?? 0;
    if (filled === 0) return "empty";
    for (const kind of ["number", "moment", "clock"] as const) {
      const n = counts.get(kind) ?? 0;
      if (n > 0 && (n + missing) >= 0.8 * filled) return kind;
    }
    return missing === filled ? "number" : "text";
  });
}

/** True when a record could be a data row of columns of these classes. */
function fits(
  cells: string[],
  width: number,
  classes: CellClass[],
  decimal: Decimal,
): { fits: boolean; odd: number } {
  const shape = cells.length === width || Math.abs(cells.length - width) === 1 ||
    trimmedWidth(cells) === width;
  let odd = 0, typed = 0;
  classes.forEach((kind, i) => {
    if (kind === "text") return;
    const own = classify(cells[i] ?? "", decimal);
    if (own === "empty" || own === "missing") return;
    if (own === kind) typed++;
    else odd++;
  });
  return { fits: shape && typed > 0 && odd <= ODD_SHARE * (typed + odd), odd };
}

/** Index of the first data record; `headless` when nothing above it can be a header. */
function tableStart(
  records: Record[],
  width: number,
  classes: CellClass[],
  decimal: Decimal,
): { start: number; headless: boolean } {
  const typed = classes.some((c) => c !== "text" && c !== "empty");
  if (!typed) {
    // Only texts: the first record of full width names the columns.
    const first = Math.max(0, records.findIndex((r) => trimmedWidth(r.cells) >= width - 1));
    return { start: Math.min(first + 1, records.length), headless: false };
  }
  const judged = (i: number) => fits(records[i].cells, width, classes, decimal);
  const run = (i: number, length: number) => {
    for (let k = i; k < Math.min(i + length, records.length); k++) {
      if (!judged(k).fits) return false;
    }
    return true;
  };
  // Rows that fit one after the other are a table; a lucky line of a preamble is not.
  const found = [4, 2, 1].map((length) => records.findIndex((_, i) => run(i, length)));
  const start = found.find((i) => i >= 0) ?? records.length;
  // A header of numbers ("time,1,2,3") fits but for its words: the rows below have none.
  if (start < records.length && judged(start).odd > 0) {
    const below = records.slice(start + 1, start + 21);
    if (below.length > 1 && below.every((r) => fits(r.cells, width, classes, decimal).odd === 0)) {
      return { start: start + 1, headless: false };
    }
  }
  return { start, headless: start === 0 };
}

/** The records right above the table that name its columns. */
function headerAbove(
  records: Record[],
  start: number,
  width: number,
  classes: CellClass[],
  decimal: Decimal,
): Record[] {
  const header: Record[] = [];
  for (let i = start - 1; i >= 0 && header.length < HEADER_ROWS; i--) {
    const { cells } = records[i];
    const own = trimmedWidth(cells);
    const wide = width === 1 ? own === 1 : own >= 2 && own >= Math.min(width - 2, width * 0.6);
    if (!wide || cells.length > width + 1) break;
    const values = cells.filter((c) => {
      const kind = classify(c, decimal);
      return kind === "number" || kind === "moment" || kind === "clock";
    }).length;
    // Column names may be numbers, but then they stand next to the table and not all are.
    if (values > 0 && (header.length > 0 || values === own)) break;
    if (values > 0 && isKeyValue(cells, classes)) break;
    if (own > 1 && /[=:]$/.test(cells[0])) break;
    header.unshift(records[i]);
    // Rows of one-column tables above the name are remarks.
    if (
      width === 1 || (records[start]?.afterBlank && header.length === 1 && records[i].afterBlank)
    ) {
      break;
    }
    if (i < start && records[i].afterBlank) break;
  }
  return header;
}

/** "Date,2021/03/17": a name and a value, not two names. */
function isKeyValue(cells: string[], classes: CellClass[]): boolean {
  return trimmedWidth(cells) === 2 && classes.length === 2;
}

function describeColumns(rows: Record[], width: number, decimal: Decimal): HeadColumn[] {
  return Array.from({ length: width }, (_, index) => {
    const cells = rows.map((r) => r.cells[index] ?? "").filter((c) => c !== "");
    const own = columnDecimal(cells, decimal);
    const [kind] = columnClasses(
      rows.map((r) => ({ ...r, cells: [r.cells[index] ?? ""] })),
      1,
      own,
    );
    let kept: ColumnClass = kind === "missing" ? "number" : kind;
    if (kind === "number" && cells.some(isWideInteger)) kept = "wide-integer";
    const blank = kept === "text" ? blankWord(cells, own) : undefined;
    return {
      index,
      header: "",
      name: `column ${index + 1}`,
      units: "",
      class: kept,
      decimal: own,
      filled: blank === undefined ? cells.length : cells.filter((c) => c !== blank).length,
      ...(blank === undefined ? {} : { blank }),
    };
  });
}

/** The word for "no value" in more than half of the cells: texts stand only now and then. */
function blankWord(cells: string[], decimal: Decimal): string | undefined {
  const counts = new Map<string, number>();
  for (const cell of cells) {
    if (classify(cell, decimal) === "missing") counts.set(cell, (counts.get(cell) ?? 0) + 1);
  }
  return [...counts].find(([, n]) => n > cells.length / 2)?.[0];
}

/** Columns may differ in their decimal mark: time from a logger, values from a spreadsheet. */
function columnDecimal(cells: string[], decimal: Decimal): Decimal {
  let point = 0, comma = 0;
  for (const cell of cells) {
    if (cell.includes(".") && isPlainNumber(cell, ".")) point++;
    else if (cell.includes(",") && isPlainNumber(cell, ",")) comma++;
  }
  if (decimal === "." && comma > 0 && point === 0) {
    const grouped = cells.every((c) => !c.includes(",") || /^[+-]?[1-9]\d{0,2}(,\d{3})+$/.test(c));
    return grouped ? "." : ",";
  }
  return decimal === "," && point > 0 && comma === 0 ? "." : decimal;
}

/** A whole number no double equals: 2^53 has sixteen digits. */
function isWideInteger(cell: string): boolean {
  if (!/^[+-]?\d{16,}$/.test(cell)) return false;
  const near = Number(cell);
  return !Number.isFinite(near) || BigInt(near) !== BigInt(cell);
}

/** Names and units from the header rows, from a commented header, or from the preamble. */
function nameColumns(
  columns: HeadColumn[],
  header: string[][],
  preamble: Attributes,
  dialect: Dialect,
  rows: Record[],
): void {
  let names = header;
  if (names.length === 0) names = commentedHeader(dialect, columns, rows);
  names = shiftRowNames(names, columns);
  const unitRow = names.length > 1 ? names.findIndex((cells, i) => i > 0 && isUnitRow(cells)) : -1;
  const title = unitRow > 0 ? names.slice(0, unitRow) : names;
  const below = unitRow > 0 ? names.slice(unitRow + 1) : [];
  for (const column of columns) {
    const parts = title.map((cells) => cells[column.index] ?? "").filter((c) => c !== "");
    column.header = [...new Set(parts)].join(" ").replace(/\s+/g, " ");
    if (column.header !== "") {
      const split = splitHeader(column.header);
      column.name = split.name;
      column.units = split.units;
    }
    const unit = unitRow > 0 ? bareUnit(names[unitRow][column.index] ?? "") : "";
    if (unit !== "" && unit !== "-") {
      column.units = unit;
      if (column.header !== "") column.name = column.header;
    }
    const comment = below.map((cells) => cells[column.index] ?? "").filter((c) => c !== "");
    if (comment.length) column.comment = comment.join(" ");
  }
  if (names.length === 0) labChartNames(columns, preamble);
  if (/^x_value$/i.test(columns[0].header)) labViewUnits(columns, preamble);
}

/** Values of a preamble line that has one for each column. */
function preambleList(preamble: Attributes, key: string): string[] {
  const value = preamble[key];
  return Array.isArray(value) ? value.map(String) : value === undefined ? [] : [String(value)];
}

/** LabVIEW measurement file: units of the channels stand in the line "Y_Unit_Label". */
function labViewUnits(columns: HeadColumn[], preamble: Attributes): void {
  preambleList(preamble, "Y_Unit_Label").forEach((unit, i) => {
    const column = columns[i + 1];
    if (column && column.units === "") column.units = unit;
  });
}

/** R writes no name above the column of row names: the other names stand one column to the left. */
function shiftRowNames(names: string[][], columns: HeadColumn[]): string[][] {
  const [first, last] = [columns[0], columns[columns.length - 1]];
  const short = names.length > 0 && names.every((cells) => cells.length === columns.length - 1);
  const rowNames = first.class === "text" && last.class === "number";
  return short && rowNames ? names.map((cells) => ["", ...cells]) : names;
}

/** A row of units under the names: most cells are units, as in "s, mV, mmHg". */
function isUnitRow(cells: string[]): boolean {
  const filled = cells.filter((c) => c !== "");
  const units = filled.filter((c) => c === "-" || isUnit(bareUnit(c)));
  const bracketed = filled.filter((c) => /^[([].*[)\]]$/.test(c));
  return filled.length > 0 &&
    (units.length >= 0.5 * filled.length || bracketed.length === filled.length);
}

/** "# time value": the last comment before the table, when it has a word for each column. */
function commentedHeader(dialect: Dialect, columns: HeadColumn[], rows: Record[]): string[][] {
  const line = dialect.commentLines.filter((c) => c.start < (rows[0]?.start ?? 0)).at(-1);
  if (!line) return [];
  const text = line.text.slice(line.prefix.length).trim();
  const pattern = dialect.separator === "blanks" ? /[ \t]+/ : dialect.separator;
  const cells = text.split(pattern).map((c) => c.trim().replace(/^"(.*)"$/, "$1"));
  const wordy = cells.every((c) => c !== "" && classify(c, dialect.decimal) === "text");
  return columns.length > 1 && cells.length === columns.length && wordy ? [cells] : [];
}

/** LabChart text export: names and units stand in "ChannelTitle=", "UnitName=" and "Range=" lines. */
function labChartNames(columns: HeadColumn[], preamble: Attributes): void {
  const titles = preambleList(preamble, "ChannelTitle");
  if (titles.length === 0 || titles.length >= columns.length + 1) return;
  const units = preambleList(preamble, "UnitName"), ranges = preambleList(preamble, "Range");
  columns[0].name = columns[0].header = "Time";
  const remarks = columns[titles.length + 1];
  if (remarks) remarks.name = remarks.header = "Comments";
  titles.forEach((title, i) => {
    const column = columns[i + 1];
    if (!column) return;
    column.name = column.header = title || column.name;
    const range = /\s(\S+)$/.exec(ranges[i] ?? "")?.[1] ?? "";
    column.units = units[i] && units[i] !== "*" ? units[i] : isUnit(range) ? range : "";
  });
}

/** Lines above the table as keys and values: "Date,2021/03/17", "Rate: 100 Hz", "Interval=\t0.001 s". */
export function readPreamble(records: Record[]): Attributes {
  const preamble: Attributes = {};
  for (const { cells } of records) {
    const filled = cells.slice(0, trimmedWidth(cells));
    if (filled.length === 0) continue;
    let key = filled[0], values: string[] = filled.slice(1);
    if (values.length === 0) {
      const pair = /^([^:=]{1,60}?)\s*[:=]\s*(.+)$/.exec(key);
      if (!pair) continue;
      [, key, values] = [pair[0], pair[1], [pair[2]]];
    }
    key = key.replace(/[:=]\s*$/, "").trim();
    if (key === "" || key in preamble) continue;
    const value: Json = values.length === 1 ? values[0] : values;
    preamble[key] = value;
  }
  return preamble;
}
