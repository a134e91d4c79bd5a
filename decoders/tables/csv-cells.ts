/** What a single cell looks like: number, date, clock, nothing, or text. */

/** Kinds of cells. "missing" is a word for no value, as in "NaN". */
export type CellClass = "empty" | "missing" | "number" | "moment" | "clock" | "text";

/** The mark between whole and fraction. */
export type Decimal = "." | ",";

const PLAIN = /^[+\-\u2212]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?$/;
const PLAIN_COMMA = /^[+\-\u2212]?(?:\d+,?\d*|,\d+)(?:[eEdD][+-]?\d+)?$/;
const GROUPED = /^[+-]?[1-9]\d{0,2}(?:([,' \u00a0\u202f\u2009])\d{3})(?:\1\d{3})*(?:\.\d*)?$/;
const GROUPED_COMMA = /^[+-]?[1-9]\d{0,2}(?:([.' \u00a0\u202f\u2009])\d{3})(?:\1\d{3})*(?:,\d*)?$/;
const INFINITE = /^[+-]?(?:inf|infinity|1\.#inf)$/i;
const MISSING = new Set(
  ("nan +nan -nan na n/a n.a. #n/a #na null none nil missing - -- --- . ? * nan(ind) -nan(ind) " +
    "1.#qnan 1.#ind -1.#ind #num! #value! #div/0!").split(" "),
);
const CLOCK =
  /^[+-]?(?:\d+ (?:days?,? )?)?\d{1,6}:\d{1,2}(?::\d{1,2}(?:[.,:]\d+)?|[.,]\d+)?(?: ?[ap]\.?m\.?)?$/i;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MOMENT = new RegExp(
  "^(\\d{1,2}|\\d{4}|[a-z]{3,9})\\.?[-/. ,_:] ?(\\d{1,2}|[a-z]{3,9})\\.?[-/. ,_:] ?(\\d{4}|\\d{1,2})" +
    "(?:[T ,_:]+(\\d{1,2}):?(\\d{2})(?::?(\\d{2})(?:[.,:](\\d+))?)?(?: ?([ap])\\.?m\\.?)?" +
    "(?: ?(Z|UTC|GMT|(?:UTC|GMT)?[+-]\\d{2}:?\\d{2}|(?:UTC|GMT)?[+-]\\d{2}))?)?$",
  "i",
);
const COMPACT =
  /^(\d{4})(\d{2})(\d{2})[T ](\d{2})(\d{2})(\d{2})(?:[.,](\d+))?()(Z|[+-]\d{2}:?\d{2})?$/;

/** True when the cell is a number with this decimal mark. */
export function isNumber(cell: string, decimal: Decimal): boolean {
  const [plain, grouped] = decimal === "." ? [PLAIN, GROUPED] : [PLAIN_COMMA, GROUPED_COMMA];
  return plain.test(cell) || grouped.test(cell) || INFINITE.test(cell);
}

/** True when the cell is a number without digit groups: no doubt what it means. */
export function isPlainNumber(cell: string, decimal: Decimal): boolean {
  return (decimal === "." ? PLAIN : PLAIN_COMMA).test(cell);
}

/** The kind of a trimmed cell. */
export function classify(cell: string, decimal: Decimal): CellClass {
  if (cell === "") return "empty";
  const first = cell.charCodeAt(0);
  // Letters first: most texts end here.
  if (first > 0x39 && first < 0x7f) {
    if (MISSING.has(cell.toLowerCase())) return "missing";
    if (INFINITE.test(cell)) return "number";
    return dateParts(cell, false) ? "moment" : "text";
  }
  if (isNumber(cell, decimal)) return "number";
  if (MISSING.has(cell.toLowerCase())) return "missing";
  if (cell.length > 48) return "text";
  if (CLOCK.test(cell)) return "clock";
  return dateParts(cell, false) || dateParts(cell, true) ? "moment" : "text";
}

/** Fields of a date cell. */
export interface DateParts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  fractionDigits: number;
  timed: boolean;
  zoned: boolean;
  /** Two numbers before the year, so that their order is a question. */
  ambiguous: boolean;
  milliseconds: number;
}

/** Reads a date, or null; `monthFirst` settles "03/04/2021". */
export function dateParts(cell: string, monthFirst: boolean): DateParts | null {
  const m = MOMENT.exec(cell) ?? COMPACT.exec(cell);
  if (!m) return null;
  const [, first, second, third] = m;
  const word = (text: string) => MONTHS.indexOf(text.slice(0, 3).toLowerCase()) + 1;
  const number = (text: string) => /^\d/.test(text) ? Number(text) : word(text);
  const years = (text: string) =>
    text.length === 4 ? Number(text) : Number(text) + (Number(text) < 69 ? 2000 : 1900);
  let year: number, month: number, day: number, ambiguous = false;
  if (first.length === 4 && /^\d/.test(first)) {
    [year, month, day] = [Number(first), number(second), Number(third)];
  } else {
    // Only dates that start with the year are written with colons, and two digits make no year of four.
    if (cell.charAt(first.length) === ":" || third.length === 1) return null;
    year = years(third);
    if (!/^\d/.test(first)) [month, day] = [word(first), Number(second)];
    else if (!/^\d/.test(second)) [month, day] = [word(second), Number(first)];
    else {
      ambiguous = true;
      [day, month] = monthFirst ? [Number(second), Number(first)] : [Number(first), Number(second)];
    }
  }
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31)) return null;
  const half = m[8]?.toLowerCase();
  const hour = half ? Number(m[4]) % 12 + (half === "p" ? 12 : 0) : Number(m[4] ?? 0);
  const parts = { hour, minute: Number(m[5] ?? 0), second: Number(m[6] ?? 0) };
  if (hour > 24 || parts.minute > 59 || parts.second > 60) return null;
  return {
    year,
    month,
    day,
    ...parts,
    fractionDigits: m[7]?.length ?? 0,
    timed: m[4] !== undefined,
    zoned: Boolean(m[9]),
    ambiguous,
    milliseconds: Date.UTC(year, month - 1, day, hour, parts.minute, parts.second) +
      Number(`0.${m[7] ?? 0}`) * 1000,
  };
}

/** Seconds of a clock cell, roughly (for ordering); NaN when it is none. */
export function clockSeconds(cell: string, minutesSeconds: boolean): number {
  const m = /^([+-]?)(?:(\d+) \D*)?(\d+):(\d+)(?::(\d+))?(?:[.,:](\d+))?(?: ?([ap]))?/i.exec(cell);
  if (!m) return NaN;
  const fraction = Number(`0.${m[6] ?? 0}`);
  const [a, b] = [Number(m[3]), Number(m[4])];
  const short = m[5] === undefined;
  const half = m[7]?.toLowerCase();
  const hours = half ? a % 12 + (half === "p" ? 12 : 0) : a;
  const seconds = short && (minutesSeconds || m[6] !== undefined)
    ? a * 60 + b
    : hours * 3600 + b * 60 + Number(m[5] ?? 0);
  return (Number(m[2] ?? 0) * 86_400 + seconds + fraction) * (m[1] === "-" ? -1 : 1);
}

/** A plain or grouped number; NaN when the cell is none. */
export function numberOf(cell: string, decimal: Decimal): number {
  if (!isNumber(cell, decimal)) return NaN;
  if (INFINITE.test(cell)) return cell.startsWith("-") ? -Infinity : Infinity;
  const plain = decimal === "."
    ? cell.replace(/[,' \u00a0\u202f\u2009]/g, "")
    : cell.replace(/[.' \u00a0\u202f\u2009]/g, "").replace(",", ".");
  return Number(plain.replace("\u2212", "-").replace(/[dD]/, "e"));
}

/** Digits behind the decimal mark, exponent counted in: "1.50e-3" has 5. */
export function printedDecimals(cell: string, decimal: Decimal): number {
  const [mantissa, exponent] = cell.toLowerCase().split("e");
  const at = mantissa.indexOf(decimal);
  return (at < 0 ? 0 : mantissa.length - at - 1) - Number(exponent ?? 0);
}

/** Significant digits as printed: "0.0120" has 3. */
export function significantDigits(cell: string): number {
  return cell.toLowerCase().split("e")[0].replace(/\D/g, "").replace(/^0+/, "").length;
}
