/** How a table is written: separator, decimal mark, comments, found by trying what fits best. */
import { type CellClass, classify, type Decimal, isPlainNumber } from "./csv-cells.ts";
import type { TextHead } from "./csv-encoding.ts";

/** A character, or any run of blanks. */
export type Separator = "," | ";" | "\t" | "|" | "blanks";

/** One record of the head: a line, or more where quotes hold newlines. */
export interface Record {
  cells: string[];
  /** Index of its first character in the head's text. */
  start: number;
  /** Index behind its line end. */
  end: number;
  /** A blank line lies between this record and the one before it. */
  afterBlank: boolean;
}

/** A comment line, without its prefix. */
export interface CommentLine {
  prefix: string;
  text: string;
  start: number;
}

/** What was decided about the writing of a table. */
export interface Dialect {
  separator: Separator;
  decimal: Decimal;
  comments: string[];
  lineEnd: "LF" | "CRLF" | "CR";
  /** 0..1: how well the head fits. */
  fit: number;
  why: string;
  records: Record[];
  commentLines: CommentLine[];
}

/** What is said of the writing, so that it need not be found out. */
export interface StatedDialect {
  separator?: Separator;
  decimal?: Decimal;
}

const SEPARATORS: Separator[] = ["\t", ",", ";", "|", "blanks"];
const PREFIXES = ["#", "%", "//", ";"];
/** Records looked at when separators are compared. */
const SAMPLE = 300;

/** Name of a separator, for people. */
export function separatorName(separator: Separator): string {
  return { ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", blanks: "blanks" }[separator];
}

/** Takes the head apart with one separator; an unfinished last record is left out. */
export function splitRecords(
  head: TextHead,
  separator: Separator,
  comments: string[],
): { records: Record[]; commentLines: CommentLine[] } {
  const { text } = head;
  const records: Record[] = [];
  const commentLines: CommentLine[] = [];
  const blanks = separator === "blanks";
  const n = text.length;
  let at = 0;
  let afterBlank = false;
  while (at < n) {
    const start = at;
    const line = lineAt(text, at);
    const trimmed = line.trim();
    const lineEnd = at + line.length;
    const done = head.complete || lineEnd < n;
    if (trimmed === "") {
      afterBlank ||= line.length > 0 || !(at > 0 && text[at - 1] === "\r");
      at = lineEnd + 1;
      if (lineEnd + 1 < n && text[lineEnd] === "\r" && text[lineEnd + 1] === "\n") at++;
      continue;
    }
    const prefix = comments.find((p) => trimmed.startsWith(p));
    if (prefix) {
      if (done) commentLines.push({ prefix, text: head.show(trimmed), start });
      at = lineEnd + 1;
      continue;
    }
    const cells: string[] = [];
    let p = blanks ? start + (line.length - line.trimStart().length) : start;
    let complete = false;
    for (;;) {
      const cell = readCell(text, p, separator);
      cells.push(head.show(cell.text));
      p = cell.next;
      if (cell.ends !== "separator") {
        complete = cell.ends === "line" || (cell.ends === "input" && head.complete);
        break;
      }
    }
    at = p;
    // The newline of a CRLF is no blank line.
    if (text[at - 1] === "\r" && text[at] === "\n") at++;
    if (complete) records.push({ cells, start, end: at, afterBlank });
    afterBlank = false;
  }
  return { records, commentLines };
}

function lineAt(text: string, from: number): string {
  let to = from;
  while (to < text.length && text[to] !== "\n" && text[to] !== "\r") to++;
  return text.slice(from, to);
}

interface RawCell {
  text: string;
  next: number;
  ends: "separator" | "line" | "input";
}

function readCell(text: string, from: number, separator: Separator): RawCell {
  const n = text.length;
  const blanks = separator === "blanks";
  const isBlank = (c: string) => c === " " || (c === "\t" && separator !== "\t");
  let p = from;
  while (p < n && isBlank(text[p])) p++;
  let content = "";
  if (text[p] === '"') {
    const close = closingQuote(text, p);
    if (close > 0) {
      content = text.slice(p + 1, close).replaceAll('""', '"');
      p = close + 1;
    }
  }
  const start = p;
  while (p < n) {
    const c = text[p];
    if (c === "\n" || c === "\r" || (blanks ? isBlank(c) : c === separator)) break;
    p++;
  }
  content = (content + text.slice(start, p)).trim();
  if (blanks) { while (p < n && isBlank(text[p])) p++; }
  if (p >= n) return { text: content, next: n, ends: "input" };
  if (text[p] === "\n" || text[p] === "\r") return { text: content, next: p + 1, ends: "line" };
  return { text: content, next: blanks ? p : p + 1, ends: "separator" };
}

/** Index of the quote that closes the one at `open`, or -1. */
function closingQuote(text: string, open: number): number {
  for (let p = open + 1;;) {
    const close = text.indexOf('"', p);
    if (close < 0) return -1;
    if (text[close + 1] !== '"') return close;
    p = close + 2;
  }
}

/** Comment prefixes in use: lines of the head that start with them, unless most lines do. */
function commentPrefixes(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/, 400).map((l) => l.trimStart()).filter((l) => l !== "");
  return PREFIXES.filter((prefix) => {
    // A semicolon separates more often than it comments: only at the top, followed by words.
    const hits = prefix === ";"
      ? (/^;\s*[A-Za-z]/.test(lines[0] ?? "") ? lines.filter((l) => l.startsWith(";")).length : 0)
      : lines.filter((l) => l.startsWith(prefix)).length;
    return hits > 0 && hits < lines.length * 0.6;
  });
}

/** Finds the dialect of a head; null when nothing in it looks like a table. */
export function findDialect(head: TextHead, stated: StatedDialect = {}): Dialect | null {
  const comments = commentPrefixes(head.text);
  let best: Dialect | null = null;
  for (const separator of stated.separator ? [stated.separator] : SEPARATORS) {
    // A comma that never comes leaves one column whole, where blanks would cut its header.
    if (
      !stated.separator && separator !== "blanks" && separator !== "," &&
      !head.text.includes(separator)
    ) continue;
    const own = separator === ";" ? comments.filter((c) => c !== ";") : comments;
    const { records, commentLines } = splitRecords(head, separator, own);
    if (records.length === 0) continue;
    const sample = records.length <= SAMPLE
      ? records
      : [...records.slice(0, SAMPLE / 3), ...records.slice(-SAMPLE * 2 / 3)];
    const decimal = stated.decimal ?? findDecimal(sample, separator);
    const { fit, why } = judge(sample, decimal);
    if (!best || fit > best.fit + 1e-9) {
      const lineEnd = /\r\n/.test(head.text) ? "CRLF" : /\n/.test(head.text) ? "LF" : "CR";
      best = {
        separator,
        decimal,
        comments: own,
        lineEnd: /[\r\n]/.test(head.text) ? lineEnd : "LF",
        fit,
        why,
        records,
        commentLines,
      };
    }
  }
  return best;
}

/** The mark under which more cells are plain numbers; cells that are whole numbers do not vote. */
function findDecimal(records: Record[], separator: Separator): Decimal {
  let point = 0, comma = 0;
  for (const { cells } of records) {
    for (const cell of cells) {
      if (cell.includes(".") && isPlainNumber(cell, ".")) point++;
      else if (cell.includes(",") && isPlainNumber(cell, ",")) comma++;
    }
  }
  // Between commas only quoted cells can hold one, and then grouping is as likely.
  return comma > point * (separator === "," ? 4 : 1) ? "," : ".";
}

const TYPED: CellClass[] = ["number", "moment", "clock", "missing"];

/** How well records form a table: same width, typed cells, more than one column. */
function judge(records: Record[], decimal: Decimal): { fit: number; why: string } {
  const body = records.slice(Math.min(Math.floor(records.length / 5), 50));
  const widths = new Map<number, number>();
  for (const { cells } of body) widths.set(cells.length, (widths.get(cells.length) ?? 0) + 1);
  const [width, hits] = [...widths].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0];
  // Rows may lack their last empty cells, or have a trailing separator.
  const near = body.filter(({ cells }) => Math.abs(cells.length - width) === 1).length;
  const even = (hits + near * 0.5) / body.length;
  let typed = 0, filled = 0;
  for (const { cells } of body) {
    for (const cell of cells) {
      const kind = classify(cell, decimal);
      if (kind !== "empty") filled++;
      if (TYPED.includes(kind)) typed++;
    }
  }
  const share = filled ? typed / filled : 0;
  const columns = width > 1 ? 1 : 0.45;
  return {
    fit: even * columns * (0.35 + 0.65 * share),
    why: `${Math.round(even * 100)} % of the rows have ${width} cells, ` +
      `${Math.round(share * 100)} % of the cells are numbers or times`,
  };
}
