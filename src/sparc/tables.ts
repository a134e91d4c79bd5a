/** Small metadata tables of a dataset: xlsx, csv, tsv or json, read into rows of text. */
import { FuseError } from "../errors.ts";

/** One row: column header (lower case, single spaces) to text; empty cells are left out. */
export type TableRow = Record<string, string>;

/** Cells of a table as text, row by row. */
export type Cells = string[][];

/** Largest table read, bytes. */
export const TABLE_BYTES = 32 << 20;

/**
 * Cells of a table file, by its extension.
 * @throws FuseError `Corrupt` when the bytes are not such a file, `Unsupported` for other extensions.
 */
export async function readCells(name: string, bytes: Uint8Array): Promise<Cells> {
  const extension = /\.([a-z]+)$/i.exec(name)?.[1].toLowerCase();
  switch (extension) {
    case "xlsx": {
      const { readSheet } = await import("read-excel-file/universal");
      try {
        const sheet = await readSheet(new Blob([bytes.slice()]));
        return sheet.map((row) => row.map(cellText));
      } catch (cause) {
        throw new FuseError("Corrupt", "not a readable spreadsheet", { source: name, cause });
      }
    }
    case "csv":
      return parseDelimited(decodeText(bytes), ",");
    case "tsv":
      return parseDelimited(decodeText(bytes), "\t");
    case "json":
      return jsonCells(name, decodeText(bytes));
    default:
      throw new FuseError("Unsupported", "not a kind of table the dataset structure knows", {
        source: name,
        expected: ".xlsx, .csv, .tsv or .json",
      });
  }
}

/** Rows under the headers of the first row that has any. */
export function tableRows(cells: Cells): TableRow[] {
  const head = cells.findIndex((row) => row.some((cell) => cell !== ""));
  if (head < 0) return [];
  const headers = cells[head].map(normaliseHeader);
  const rows: TableRow[] = [];
  for (const cellsOfRow of cells.slice(head + 1)) {
    const row: TableRow = {};
    cellsOfRow.forEach((cell, i) => {
      if (cell !== "" && headers[i]) row[headers[i]] ??= cell;
    });
    if (Object.keys(row).length > 0) rows.push(row);
  }
  return rows;
}

/**
 * Elements of a vertical table (dataset_description): names in the first column, values from the
 * "Value" column on.
 */
export function verticalValues(cells: Cells): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const head = cells.findIndex((row) => row.some((cell) => normaliseHeader(cell) === "value"));
  const first = head < 0 ? 1 : cells[head].findIndex((cell) => normaliseHeader(cell) === "value");
  for (const row of cells.slice(head + 1)) {
    const element = normaliseHeader(row[0] ?? "");
    const given = row.slice(first).filter((cell) => cell !== "");
    if (element && given.length > 0 && !values.has(element)) values.set(element, given);
  }
  return values;
}

/** Headers differ in case, spaces and underscores between versions of the structure. */
export function normaliseHeader(header: string): string {
  return header.trim().toLowerCase().replace(/[\s_]+/g, " ");
}

function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return "";
  if (cell instanceof Date) {
    const iso = cell.toISOString();
    return iso.endsWith("T00:00:00.000Z") ? iso.slice(0, 10) : iso;
  }
  return String(cell).trim();
}

/** UTF-8, or UTF-16 where a byte order mark says so. */
function decodeText(bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe
    ? "utf-16le"
    : bytes[0] === 0xfe && bytes[1] === 0xff
    ? "utf-16be"
    : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

/** Cells of delimited text with quoted fields (RFC 4180). */
function parseDelimited(text: string, delimiter: string): Cells {
  const rows: Cells = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  const endCell = () => {
    row.push(cell.trim());
    cell = "";
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') cell += text[++i];
      else quoted = false;
    } else if (c === '"' && cell.trim() === "") {
      quoted = true;
      cell = "";
    } else if (c === delimiter) endCell();
    else if (c === "\n" || c === "\r") {
      if (c === "\r" && text[i + 1] === "\n") i++;
      endCell();
      rows.push(row);
      row = [];
    } else cell += c;
  }
  if (cell !== "" || row.length > 0) {
    endCell();
    rows.push(row);
  }
  return rows;
}

/** A list of objects, alone or as the only list of an object, as cells under their keys. */
function jsonCells(name: string, text: string): Cells {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FuseError("Corrupt", "not JSON", { source: name, cause });
  }
  if (!Array.isArray(value) && value !== null && typeof value === "object") {
    const lists = Object.values(value).filter(Array.isArray);
    // An object without lists is one vertical table: dataset_description.json.
    if (lists.length === 0) {
      return Object.entries(value).map(([key, item]) => [key, cellText(item)]);
    }
    value = lists[0];
  }
  const items = (value as unknown[]).filter((item) => item !== null && typeof item === "object");
  const keys = [...new Set(items.flatMap((item) => Object.keys(item as object)))];
  const rows = items.map((item) =>
    keys.map((key) => {
      const cell = (item as Record<string, unknown>)[key];
      return cellText(cell !== null && typeof cell === "object" ? JSON.stringify(cell) : cell);
    })
  );
  return [keys, ...rows];
}
