/** Which column (or pair of columns) is the time, and how its cells become seconds. */
import {
  clockSeconds,
  dateParts,
  numberOf,
  printedDecimals,
  significantDigits,
} from "./csv-cells.ts";
import type { ColumnKind } from "./csv-parser.ts";
import type { Resolution } from "./csv-rate.ts";
import type { HeadColumn, HeadTable } from "./csv-table.ts";
import { timeFactor } from "./csv-units.ts";

/** The time of a table. */
export interface TimeChoice {
  /** Columns that make up the time, with what the parser does with each. */
  parts: { index: number; kind: ColumnKind }[];
  /** Header of the first of them. */
  header: string;
  /** Unit of the cells, or what they are: "ms", "date and time". */
  units: string;
  factor: { multiply: number; divide: number };
  fromFirst: boolean;
  /** What the first row's own time is: a moment of the calendar, a time of day, or neither. */
  origin: "moment" | "day" | "zero";
  zoned: boolean;
  /** Digits behind the seconds. */
  fractionDigits: number;
  resolution: Resolution;
  /** 0..1 and why. */
  score: number;
  why: string;
  /** What was assumed without the file saying so. */
  assumed?: string;
}

const TIME_WORDS =
  /^(?:time|times|timestamps?|t|tsec|tms|ts|seconds?|secs?|elapsed|zeit|temps|tiempo|tempo|clock|datetime|date|ms|msec|millis|milliseconds|minutes|hours|onset|timevector|tvec|timebase|timepoint|timepoints|x_value|xvalue|uhrzeit|datum)$/;
/** Words that turn "time" into a measurement: "reaction time", "time to peak". */
const MEASURES =
  /^(?:reaction|response|latency|duration|rise|fall|decay|delay|peak|half|width|rr|isi|ibi|per|constant|recovery|survival|to|since|between|of|birth|dob|surgery|death|age|interval|total)$/;

/** "time since start": the time of the recording, not a measured one. */
const SINCE_START =
  /^(?:time|elapsed|seconds?|minutes?)\b.*\b(?:since|from)\b.*\b(?:start|begin|beginning|onset|recording|experiment|session|t0)\b/i;

/** Words of a header: split at blanks, signs and capitals. */
function wordsOf(header: string): string[] {
  const lower = header.toLowerCase().trim();
  const words = header.replace(/([a-z\d])([A-Z])/g, "$1 $2").toLowerCase()
    .split(/[^a-z\u00e0-\u00ff\d]+/).filter((w) => w !== "");
  return [lower.replace(/[^a-z_]/g, ""), ...words, ...words.map((w) => w.replace(/\d+$/, ""))];
}

/** 0: not a name for time, 1: one, 0.4: one that may mean a measured time. */
function nameScore(header: string): number {
  const words = wordsOf(header);
  if (SINCE_START.test(header)) return 1;
  if (!words.some((w) => TIME_WORDS.test(w) || /^time(?:stamp)?/.test(w))) return 0;
  return words.some((w) => MEASURES.test(w)) ? 0.4 : 1;
}

interface Order {
  /** Share of steps that do not go back. */
  forward: number;
  /** Share of steps that go ahead. */
  ahead: number;
  even: boolean;
  values: number[];
}

function orderOf(values: number[]): Order {
  const finite = values.filter((v) => Number.isFinite(v));
  let forward = 0, ahead = 0, even = finite.length > 2;
  const step = (finite.at(-1)! - finite[0]) / (finite.length - 1);
  for (let i = 1; i < finite.length; i++) {
    if (finite[i] >= finite[i - 1]) forward++;
    if (finite[i] > finite[i - 1]) ahead++;
    if (Math.abs(finite[i] - finite[i - 1] - step) > Math.abs(step) * 0.02) even = false;
  }
  const steps = Math.max(1, finite.length - 1);
  return { forward: forward / steps, ahead: ahead / steps, even, values: finite };
}

/** A time that is stated, not found: its columns, and what is said of their cells. */
export interface StatedTime {
  columns: number[];
  unit?: string;
  dates?: "day-first" | "month-first";
}

/** The columns that may be the time, best first; only the stated one where one is. */
export function timeCandidates(table: HeadTable, stated?: StatedTime): TimeChoice[] {
  // Of a date and a clock, the date comes first and finds the clock beside it.
  const first = stated && (stated.columns.find((i) => table.columns[i].class === "moment") ??
    stated.columns[0]);
  const candidates = table.columns.flatMap((column) => {
    if (stated && column.index !== first) return [];
    const cells = table.rows.map((r) => r.cells[column.index] ?? "").filter((c) => c !== "");
    if ((cells.length < 0.5 * table.rows.length && !stated) || cells.length === 0) return [];
    const choice = column.class === "moment"
      ? momentTime(column, cells, table, stated)
      : column.class === "clock"
      ? clockTime(column, cells, stated)
      : column.class === "number" || column.class === "wide-integer"
      ? numberTime(column, cells, table, stated)
      : null;
    return choice ? [choice] : [];
  });
  return candidates.sort((a, b) => b.score - a.score);
}

function numberTime(
  column: HeadColumn,
  cells: string[],
  table: HeadTable,
  stated?: StatedTime,
): TimeChoice | null {
  const { header, index, decimal } = column;
  const named = stated ? 1 : header === "" ? 0 : nameScore(header);
  const bare = header.trim().toLowerCase();
  const unitText = stated?.unit ??
    (column.units !== ""
      ? column.units
      : /(?:^|[\s_.\-(/])(s|sec|secs|seconds|ms|msec|milliseconds|us|\u00b5s|\u03bcs|usec|ns|min|mins|minutes|h|hr|hrs|hours)\)?$/i
        .exec(header)?.[1] ?? (/^t(?:ime)?(ms|us|ns|sec|min)$/.exec(bare)?.[1] ?? ""));
  const unit = timeFactor(unitText);
  const order = orderOf(cells.map((c) => numberOf(c, decimal)));
  const { values } = order;
  if (values.length < 1) return null;
  const base = {
    header: header || column.name,
    zoned: false,
    fractionDigits: 0,
  };
  const epoch = named === 1 ? epochExponent(values[0], unitText) : null;
  if (epoch && (stated || order.forward >= 0.5)) {
    return {
      ...base,
      parts: [{ index, kind: { kind: "epoch", exponent: epoch.exponent } }],
      units: `${epoch.unit} since 1970`,
      factor: { multiply: 1, divide: 1 },
      fromFirst: true,
      origin: "moment",
      zoned: true,
      fractionDigits: Math.max(
        0,
        9 - epoch.exponent + Math.max(...cells.map((c) => printedDecimals(c, decimal))),
      ),
      resolution: { seconds: 10 ** (epoch.exponent - 9 - decimalsOf(cells, decimal)) },
      score: 0.9,
      why: `"${header}" counts ${epoch.unit} since 1970`,
      ...(unitText ? {} : { assumed: `${epoch.unit} since 1970, by the size of the numbers` }),
    };
  }
  if (column.class === "wide-integer") return null;
  let score = 0, why = "", assumed: string | undefined;
  if (named > 0) {
    // A time that runs again for each subject goes back now and then; a measured time does so often.
    if (!stated && order.forward < (named === 1 ? 0.5 : 1)) return null;
    if (named < 1 && order.ahead < 1) return null;
    score = 0.6 * named + (unit ? 0.2 : 0) + (order.ahead > 0.95 ? 0.1 : 0) +
      (index === 0 ? 0.05 : 0);
    why = stated ? `"${header || column.name}" is stated` : `"${header}" names a time`;
    if (!unit) assumed = "seconds, because the file names no unit";
  } else if (unit && header !== "" && order.ahead === 1 && values.length > 2) {
    score = 0.5 + (index === 0 ? 0.05 : 0);
    why = `"${header}" rises in a unit of time`;
  } else if (header === "" && index === 0 && table.columns.length > 1 && order.even) {
    const step = values[1] - values[0];
    // Row numbers are no time.
    if (!(step > 0) || values.length < 3 || (step === 1 && Number.isInteger(values[0]))) {
      return null;
    }
    if (Number.isInteger(step)) return null;
    score = 0.4;
    why = "the first column has no name and rises by even steps";
    assumed = "time in seconds, because it rises by even steps";
  } else return null;
  const factor = unit ?? { multiply: 1, divide: 1 };
  return {
    ...base,
    parts: [{ index, kind: { kind: "time" } }],
    units: unit ? unitText : "s",
    factor,
    fromFirst: false,
    origin: "zero",
    resolution: printedResolution(cells, decimal, factor.multiply / factor.divide),
    score,
    why,
    ...(assumed ? { assumed } : {}),
  };
}

function decimalsOf(cells: string[], decimal: "." | ","): number {
  return cells.reduce((most, c) => Math.max(most, printedDecimals(c, decimal)), -18);
}

/** The finest printed digit, and whether digits are counted from the front instead. */
function printedResolution(
  cells: string[],
  decimal: "." | ",",
  scale: number,
): Resolution {
  const decimals = decimalsOf(cells, decimal);
  const resolution: Resolution = { seconds: scale * 10 ** -decimals };
  const large = cells.map((c) => ({ c, v: Math.abs(numberOf(c, decimal)) }))
    .filter(({ v }) => v >= 1);
  const decade = Math.floor(Math.log10(large.reduce((m, { v }) => Math.max(m, v), 1)));
  const top = large.filter(({ v }) => Math.floor(Math.log10(v)) === decade).map(({ c }) => c);
  const significant = cells.reduce((most, c) => Math.max(most, significantDigits(c)), 0);
  const topSignificant = top.reduce((most, c) => Math.max(most, significantDigits(c)), 0);
  if (
    top.length >= 3 && significant >= 5 && topSignificant === significant &&
    decimalsOf(top, decimal) < decimals
  ) resolution.significantDigits = significant;
  return resolution;
}

/** Units of a count since 1970 by its size (between 1983 and 2100), unless the header says otherwise. */
function epochExponent(
  value: number,
  unit: string,
): { exponent: number; unit: string } | null {
  const scales: [number, number, string, RegExp][] = [
    [1, 9, "seconds", /^(?:s|secs?|seconds?)?$/i],
    [1e3, 6, "milliseconds", /^(?:ms|msec|milliseconds)?$/i],
    [1e6, 3, "microseconds", /^(?:us|\u00b5s|\u03bcs|usec|microseconds)?$/i],
    [1e9, 0, "nanoseconds", /^(?:ns|nsec|nanoseconds)?$/i],
  ];
  for (const [scale, exponent, name, units] of scales) {
    if (value > 4.1e8 * scale && value < 4.1e9 * scale && units.test(unit)) {
      return { exponent, unit: name };
    }
  }
  return null;
}

function momentTime(
  column: HeadColumn,
  cells: string[],
  table: HeadTable,
  stated?: StatedTime,
): TimeChoice | null {
  const order: { monthFirst: boolean; assumed?: string } = stated?.dates
    ? { monthFirst: stated.dates === "month-first" }
    : dateOrder(cells);
  const parts = cells.map((c) => dateParts(c, order.monthFirst));
  const sequence = orderOf(parts.map((p) => p?.milliseconds ?? NaN));
  const named = nameScore(column.header);
  if (!stated && named < 1 && wordsOf(column.header).some((w) => MEASURES.test(w))) return null;
  const timed = parts.some((p) => p?.timed);
  const clock = timed ? undefined : clockBeside(column, table, stated);
  if (!stated) {
    if (sequence.forward < 0.5 || (named === 0 && sequence.forward < 0.95)) return null;
    if (!timed && !clock && (cells.length < 3 || sequence.ahead < 0.95)) return null;
  }
  const kind: ColumnKind = {
    kind: "moment",
    order: order.monthFirst ? "month-first" : "day-first",
  };
  const clockCells = clock
    ? table.rows.map((r) => r.cells[clock.index] ?? "").filter((c) => c !== "")
    : [];
  const fractionDigits = clock
    ? clockResolution(clockCells).digits
    : parts.reduce((most, p) => Math.max(most, p?.fractionDigits ?? 0), 0);
  return {
    parts: [
      { index: column.index, kind },
      ...(clock ? [{ index: clock.index, kind: clockKind(clock, clockCells) }] : []),
    ],
    header: clock ? `${column.header} ${clock.header}`.trim() : column.header || column.name,
    units: clock ? "date and clock" : timed ? "date and time" : "date",
    factor: { multiply: 1, divide: 1 },
    fromFirst: true,
    origin: "moment",
    zoned: parts.every((p) => p === null || p.zoned),
    fractionDigits,
    resolution: {
      seconds: clock ? clockResolution(clockCells).seconds : timed ? 10 ** -fractionDigits : 86_400,
    },
    score: 0.65 + 0.2 * named + (column.index === 0 ? 0.05 : 0),
    why: `"${column.header || column.name}" holds dates${
      clock ? ` and "${clock.header}" clocks` : ""
    }`,
    ...(order.assumed ? { assumed: order.assumed } : {}),
  };
}

/** Which of two numbers before the year is the month: the one that never passes twelve. */
function dateOrder(cells: string[]): { monthFirst: boolean; assumed?: string } {
  let ambiguous = false, first = 0, second = 0;
  const changes = [new Set<string>(), new Set<string>()];
  for (const cell of cells) {
    const m = /^(\d{1,2})[-/. ](\d{1,2})[-/. ]/.exec(cell);
    if (!m) continue;
    ambiguous = true;
    first = Math.max(first, Number(m[1]));
    second = Math.max(second, Number(m[2]));
    changes[0].add(m[1]);
    changes[1].add(m[2]);
  }
  if (!ambiguous || first > 12) return { monthFirst: false };
  if (second > 12) return { monthFirst: true };
  // Days change more often than months.
  if (changes[0].size !== changes[1].size) {
    const monthFirst = changes[1].size > changes[0].size;
    return {
      monthFirst,
      assumed: `${monthFirst ? "month" : "day"} first, because the other number changes more often`,
    };
  }
  const point = cells.some((c) => /^\d{1,2}\./.test(c));
  return {
    monthFirst: !point,
    assumed: `${point ? "day" : "month"} first: the dates fit both orders`,
  };
}

/** A clock column next to a date column without times of day. */
function clockBeside(
  column: HeadColumn,
  table: HeadTable,
  stated?: StatedTime,
): HeadColumn | undefined {
  return table.columns.filter((c) =>
    c.class === "clock" && (!stated || stated.columns.includes(c.index))
  )
    .sort((a, b) => Math.abs(a.index - column.index) - Math.abs(b.index - column.index))[0];
}

function clockKind(column: HeadColumn, cells: string[]): ColumnKind & { kind: "clock" } {
  const short = cells.filter((c) => /^[+-]?\d+:\d+$/.test(c));
  const minutes = cells.some((c) => /^[+-]?\d+:\d+[.,]\d/.test(c)) ||
    short.some((c) => Number(/^[+-]?(\d+)/.exec(c)![1]) > 23) ||
    /mm:ss|min/i.test(column.header);
  return { kind: "clock", two: minutes ? "minutes-seconds" : "hours-minutes" };
}

function clockResolution(cells: string[]): { seconds: number; digits: number } {
  const digits = cells.reduce((most, c) => {
    const m = /:\d+[.,](\d+)|:\d+:\d+:(\d+)/.exec(c);
    return Math.max(most, (m?.[1] ?? m?.[2] ?? "").length);
  }, 0);
  return { seconds: 10 ** -digits, digits };
}

function clockTime(
  column: HeadColumn,
  cells: string[],
  stated?: StatedTime,
): TimeChoice | null {
  const kind = clockKind(column, cells);
  const minutes = kind.two === "minutes-seconds";
  const seconds = cells.map((c) => clockSeconds(c, minutes));
  const order = orderOf(seconds);
  if (order.values.length === 0) return null;
  const named = column.header === "" ? 0 : nameScore(column.header);
  // Passing midnight is one step back.
  if (!stated) {
    if (order.forward < 0.9 && !(named > 0 && order.forward >= 0.5)) return null;
    if (named < 1 && order.ahead < 0.9) return null;
  }
  const short = cells.every((c) => /^[+-]?\d+:\d+$/.test(c));
  const elapsed = minutes || order.values[0] < 3600 || order.values.some((v) => v > 86_400) ||
    /elapsed|relative|since|duration/i.test(column.header);
  const { seconds: unit, digits } = clockResolution(cells);
  return {
    parts: [{ index: column.index, kind }],
    header: column.header || column.name,
    units: elapsed ? "clock" : "time of day",
    factor: { multiply: 1, divide: 1 },
    fromFirst: !elapsed,
    origin: elapsed ? "zero" : "day",
    zoned: false,
    fractionDigits: digits,
    resolution: { seconds: short && !minutes ? 60 : unit },
    score: 0.6 + 0.2 * named + (column.index === 0 ? 0.05 : 0),
    why: `"${column.header || column.name}" holds clock times`,
    ...(short
      ? { assumed: `${minutes ? "minutes:seconds" : "hours:minutes"} for clocks of two numbers` }
      : {}),
  };
}
