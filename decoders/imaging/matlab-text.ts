/**
 * MATLAB values written as text, the way ScanImage keeps its settings: `SI.hStackManager.zs = [0 5 10]`.
 *
 * Source: MATLAB's syntax of literals (matrices, cell arrays, chars, logicals); what is not a literal
 * (`<nonscalar struct/object>`, `@(x)x+1`, `scanimage.types.BeamAdjustTypes.None`) stays text.
 */
import type { Json } from "../../src/model/dataset.ts";

/** Depth of nested cells and matrices that is followed. */
const DEEPEST = 16;
/** Longest value that is taken apart; longer ones are kept as text. */
const LONGEST = 1 << 18;

/**
 * The value of a literal: a row vector is a list, a matrix of several rows a list of rows, a cell array
 * likewise. `Inf` and `NaN` stay text because JSON has neither; so does anything that is no literal.
 */
export function parseMatlab(text: string): Json {
  const trimmed = text.trim();
  if (trimmed.length > LONGEST) return trimmed;
  const parser = new Parser(trimmed);
  const value = parser.value(0);
  return value === undefined || !parser.atEnd() ? trimmed : value;
}

/** Numbers of a value as {@link parseMatlab} gives it, row by row; anything else in it is left out. */
export function numbersOf(value: Json | undefined): number[] {
  if (typeof value === "number") return [value];
  if (!Array.isArray(value)) return [];
  return value.flatMap((item) => numbersOf(item));
}

/** Texts of a value, row by row. */
export function textsOf(value: Json | undefined): string[] {
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) return [];
  return value.flatMap((item) => textsOf(item));
}

const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const WORD = /(?:true|false|[+-]?(?:Inf|NaN))(?![\w.])/y;

class Parser {
  #at = 0;

  constructor(readonly text: string) {}

  atEnd(): boolean {
    return this.#at === this.text.length;
  }

  /** The literal at the current place, or undefined when there is none. */
  value(depth: number): Json | undefined {
    const c = this.text[this.#at];
    if (c === "'" || c === '"') return this.#chars(c);
    if (c === "[" || c === "{") return depth < DEEPEST ? this.#rows(c, depth) : undefined;
    const word = this.#match(WORD);
    if (word !== undefined) return word === "true" ? true : word === "false" ? false : word;
    const number = this.#match(NUMBER);
    return number === undefined ? undefined : Number(number);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  /** Chars in quotes; a doubled quote stands for one. */
  #chars(quote: string): string | undefined {
    let out = "";
    for (let i = this.#at + 1; i < this.text.length; i++) {
      if (this.text[i] !== quote) out += this.text[i];
      else if (this.text[i + 1] === quote) out += this.text[i++];
      else {
        this.#at = i + 1;
        return out;
      }
    }
    return undefined;
  }

  #rows(open: string, depth: number): Json | undefined {
    const close = open === "[" ? "]" : "}";
    const rows: Json[][] = [[]];
    this.#at++;
    while (this.#at < this.text.length) {
      const c = this.text[this.#at];
      if (c === close) {
        this.#at++;
        if (rows.length > 1 && rows[rows.length - 1].length === 0) rows.pop();
        return rows.length === 1 ? rows[0] : rows;
      }
      if (c === ";" || c === "\n") {
        rows.push([]);
        this.#at++;
      } else if (c === " " || c === "," || c === "\t" || c === "\r") this.#at++;
      else {
        const item = this.value(depth + 1);
        if (item === undefined) return undefined;
        rows[rows.length - 1].push(item);
      }
    }
    return undefined;
  }
}

/** Lines of `key = value`, in order; lines may end with CR, LF or both. Later keys replace earlier ones. */
export function parseAssignments(text: string): Map<string, string> {
  const out = new Map<string, string>();
  for (const line of text.split(/[\r\n]+/)) {
    const at = line.indexOf("=");
    if (at <= 0) continue;
    out.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return out;
}
