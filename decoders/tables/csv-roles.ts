/** What each column becomes: a channel, the time, text beside the data, events, or a plain column. */
import { FuseError } from "../../src/errors.ts";
import type { Attributes } from "../../src/model/dataset.ts";
import type { TableMapping } from "../mapping/descriptor-types.ts";
import { isPlainNumber, numberOf } from "./csv-cells.ts";
import type { ColumnConfig, ColumnKind } from "./csv-parser.ts";
import type { TableRoles } from "./csv-mapping.ts";
import type { HeadColumn, HeadTable } from "./csv-table.ts";
import { timeCandidates, type TimeChoice } from "./csv-time.ts";

/** What a table is. */
export type TableShape =
  /** Channels over time. */
  | "series"
  /** Things that happened at times: no numbers beside the time, or onset and duration. */
  | "events"
  /** Rows without an order in time. */
  | "table";

/** A column and its part in the dataset. */
export interface RoleColumn extends HeadColumn {
  role: "signal" | "kept" | "time" | "text" | "unused";
  /** Filled now and then only: its cells are events, too. */
  marker: boolean;
  /** Name no other column has. */
  uniqueName: string;
  /** Calibration a descriptor states. */
  gain?: number;
  offset?: number;
}

/** The parts of all columns. */
export interface Roles {
  shape: TableShape;
  why: string;
  time: TimeChoice | null;
  /** Other columns that might have been the time, best first. */
  rivals: TimeChoice[];
  columns: RoleColumn[];
  /** Rate that a line above the table states. */
  statedRate?: { hz: number; startSeconds: number; from: string; byMapping?: boolean };
  /** The descriptor the roles come from. */
  stated?: TableRoles;
}

const MARKER = /mark|event|trigger|stim|label|annot|comment|note|code|ttl|flag|tag/i;
/** Times of events rather than of samples. */
const EVENT_TIMES =
  /^(?:spike|event|stim(?:ulus)?|trigger|lick|pulse|beat|peak|burst)s?[\s_]*(?:time|onset)/i;
/** First columns by which other things than time are told apart. */
const OTHER_AXIS =
  /^(?:freq(?:uency|uencies)?|wave ?length|wave ?number|distance|depth|dose|conc(?:entration)?|potential|e ?vs|angle|bin(?: ?cent(?:er|re)s?)?|age)\b/i;
/** A column filled in fewer rows than this is sparse. */
const SPARSE = 0.5;
/** Columns of a table that become arrays of their own. */
const MOST_ARRAYS = 256;

/** Decides the roles; `small`: the counts of the whole file are known, so empty columns are empty. */
export function findRoles(table: HeadTable, small: boolean, stated?: TableRoles): Roles {
  const given = stated?.mapping.time;
  const byColumn = given && "column" in given ? given : undefined;
  const [time = null, ...rivals] = given && !byColumn ? [] : timeCandidates(
    table,
    byColumn && { columns: stated!.time, unit: byColumn.unit, dates: byColumn.dates },
  );
  if (byColumn && !time) {
    const [column] = stated!.time;
    throw new FuseError("Usage", "the column the mapping names for the time holds none", {
      field: "time",
      found: table.columns[column].header || `column ${column}`,
    });
  }
  const rate = given && !byColumn ? rateOf(given) : statedRate(table);
  // Elapsed seconds beside a date say the same once more.
  const second = new Set(time ? rivals.filter(isSure).flatMap((r) => r.parts[0].index) : []);
  const inTime = new Set(time?.parts.map((p) => p.index));
  const names = new Map<string, number>();
  const columns = table.columns.map((column): RoleColumn => {
    const count = (names.get(column.name) ?? 0) + 1;
    names.set(column.name, count);
    const sparse = column.filled < SPARSE * table.rows.length;
    const own = stated?.signals?.get(column.index);
    const role = inTime.has(column.index)
      ? "time"
      : own
      ? "signal"
      : column.class === "number"
      ? (!stated && (isRowNumber(table, column) || second.has(column.index))
        ? "kept"
        : stated?.signals || isOutside(stated?.range, column.index)
        ? "kept"
        : "signal")
      : column.class === "empty" && small && table.rows.length > 0
      ? "unused"
      : "text";
    const uniqueName = count === 1 ? column.name : `${column.name} (${count})`;
    const marker = stated?.mapping.events
      ? stated.events.has(column.index)
      : sparse && (role === "text" || (role === "signal" && MARKER.test(column.header)));
    if (!own) return { ...column, role, marker, uniqueName };
    const { name = uniqueName, unit: units = column.units, gain, offset } = own;
    return { ...column, role, marker, uniqueName: name, units, gain, offset };
  });
  // A descriptor that says nothing of the shape means channels over time.
  const { shape, why } = stated
    ? { shape: stated.mapping.shape ?? "series" as const, why: "the mapping says so" }
    : findShape(table, columns, time, !time && rate !== null);
  return {
    shape,
    why,
    time,
    rivals,
    columns,
    ...(stated ? { stated } : {}),
    ...(rate && shape === "series" ? { statedRate: rate } : {}),
  };
}

/** True for a column that would be the time if no better one were there. */
function isSure({ score, parts: [{ kind }] }: TimeChoice): boolean {
  return score >= 0.85 && kind.kind === "time";
}

/** True for a column that only counts the rows: without a name, or called so. */
function isRowNumber(table: HeadTable, column: HeadColumn): boolean {
  const called = column.header === ""
    ? column.index === 0 && table.headerRows.length > 0
    : /^(?:#|no\.?|nr\.?|index|idx|row|record|sample|frame|point)[ _]?(?:#|no\.?|nr\.?|num(?:ber)?|index|idx|id)?$/i
      .test(column.header.trim());
  if (!called || table.columns.length < 2 || table.rows.length < 3) return false;
  const values = table.rows.map((r) => numberOf(r.cells[column.index] ?? "", column.decimal));
  return Number.isInteger(values[0]) && values.every((v, i) => v === values[0] + i);
}

function isOutside(range: [number, number] | undefined, index: number): boolean {
  return range !== undefined && (index < range[0] || index > range[1]);
}

function findShape(
  table: HeadTable,
  columns: RoleColumn[],
  time: TimeChoice | null,
  rated: boolean,
): { shape: TableShape; why: string } {
  const numbers = columns.filter((c) => c.role === "signal");
  const texts = columns.filter((c) => c.role === "text" && c.class !== "empty");
  if (time) {
    const has = (pattern: RegExp) => columns.some((c) => pattern.test(c.header.trim()));
    if (has(/^onset\b/i) && has(/^duration\b/i)) {
      return { shape: "events", why: "it has onsets and durations" };
    }
    if (numbers.length === 0) {
      return texts.length
        ? { shape: "events", why: "it has texts at times and no numbers" }
        : { shape: "table", why: "it has times and nothing else" };
    }
    if (EVENT_TIMES.test(time.header)) {
      return { shape: "events", why: `"${time.header}" tells when something happened` };
    }
    return { shape: "series", why: time.why };
  }
  const other = OTHER_AXIS.exec(columns.find((c) => c.role === "signal")?.header.trim() ?? "")?.[0];
  if (other && !rated) return { shape: "table", why: `its rows go by ${other}, not by time` };
  if (numbers.length === 0) return { shape: "table", why: "it has no numbers" };
  if (rated) return { shape: "series", why: "the file states a sampling rate" };
  if (numbers.length > MOST_ARRAYS) {
    return { shape: "series", why: "it has too many columns to be arrays of their own" };
  }
  const rows = table.rows.length;
  const smooth = numbers.filter((c) => smoothness(table, c) > 0.5);
  const none = "there is no time column";
  if (texts.length === 0) {
    if (table.headerRows.length === 0 && rows >= 16) {
      return { shape: "series", why: `${none}, and all ${rows} rows seen are nothing but numbers` };
    }
    if (rows >= 64 || (rows >= 16 && smooth.length)) {
      return { shape: "series", why: `${none}, but the columns are long runs of numbers` };
    }
    return { shape: "table", why: `${none} and the columns are short` };
  }
  if (rows >= 64 && texts.length <= numbers.length && smooth.length) {
    const name = smooth[0].name;
    return { shape: "series", why: `${none}, but "${name}" changes smoothly from row to row` };
  }
  return { shape: "table", why: `${none} and the numbers do not look like signals` };
}

/** Correlation of a column with itself one row on; 0 for constants and row numbers. */
function smoothness(table: HeadTable, column: HeadColumn): number {
  const values = table.rows.slice(0, 5000)
    .map((r) => numberOf(r.cells[column.index] ?? "", column.decimal))
    .filter((v) => Number.isFinite(v));
  const n = values.length;
  if (n < 16) return 0;
  const counting = values.every((v, i) => i === 0 || v - values[i - 1] === values[1] - values[0]);
  if (counting) return 0;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  let own = 0, next = 0;
  for (let i = 0; i < n; i++) {
    own += (values[i] - mean) ** 2;
    if (i > 0) next += (values[i] - mean) * (values[i - 1] - mean);
  }
  return own > 0 ? next / own : 0;
}

const RATE =
  /^(?:sampl(?:e|es|ing)?[\s_-]*(?:rate|freq\w*)|rate|fs|srate|freq\w*)\s*(?:[([]\s*(k?hz)\s*[)\]])?$/i;
const STEP =
  /^(?:interval|sampl(?:e|ing)[\s_-]*(?:interval|period|time)|delta[_ ]?[xt]|dt|x[_ ]?increment)\s*(?:[([]\s*(\w+)\s*[)\]])?$/i;

/** The rate a descriptor states. */
function rateOf(time: NonNullable<TableMapping["time"]>): Roles["statedRate"] | null {
  if (!("rate_hz" in time)) return null;
  const { rate_hz: hz, start_s: startSeconds = 0 } = time;
  return { hz, startSeconds, from: "the mapping", byMapping: true };
}

/** A sampling rate that a line above the table states. */
function statedRate(
  table: HeadTable,
): { hz: number; startSeconds: number; from: string } | null {
  const pairs: [string, string][] = Object.entries(table.preamble).map(([key, value]) => [
    key,
    String(Array.isArray(value) ? value[0] : value),
  ]);
  for (const comment of table.comments) {
    const pair = /^([^:=]{1,60}?)\s*[:=]\s*(.+)$/.exec(comment);
    if (pair) pairs.push([pair[1], pair[2]]);
  }
  const start = numberLike(pairs.find(([key]) => /^x0$/i.test(key.trim()))?.[1] ?? "")?.value ?? 0;
  for (const [key, text] of pairs) {
    const found = numberLike(text);
    if (!found || !(found.value > 0)) continue;
    const rate = RATE.exec(key.trim());
    if (rate) {
      const unit = (found.unit || rate[1] || "Hz").toLowerCase();
      const scale = { hz: 1, khz: 1000, "s/s": 1, sps: 1, "samples/s": 1 }[unit];
      if (scale) return { hz: found.value * scale, startSeconds: start, from: `${key}: ${text}` };
    }
    const step = STEP.exec(key.trim());
    if (step) {
      const unit = (found.unit || step[1] || "s").toLowerCase();
      const seconds =
        { s: 1, sec: 1, seconds: 1, ms: 1e3, msec: 1e3, us: 1e6, "\u00b5s": 1e6 }[unit];
      if (seconds) {
        return { hz: seconds / found.value, startSeconds: start, from: `${key}: ${text}` };
      }
    }
  }
  return null;
}

function numberLike(text: string): { value: number; unit: string } | null {
  const m = /^([+-]?[\d.,]+(?:[eE][+-]?\d+)?)\s*([^\d\s]\S*)?$/.exec(text.trim());
  if (!m) return null;
  const decimal = isPlainNumber(m[1], ".") ? "." : ",";
  const value = numberOf(m[1], decimal);
  return Number.isNaN(value) ? null : { value, unit: m[2] ?? "" };
}

/** What the parser is told of each column. */
export function columnConfigs(roles: Roles): ColumnConfig[] {
  const { time } = roles;
  return roles.columns.map(({ index, role, decimal }): ColumnConfig => {
    const part = time?.parts.find((p) => p.index === index)?.kind;
    const kind: ColumnKind = part ??
      (role === "signal" || role === "kept"
        ? { kind: "number" }
        : role === "text"
        ? { kind: "text" }
        : {
          kind: "skip",
        });
    return { ...kind, decimal };
  });
}

/** The choices as JSON, for the metadata of the dataset; `brief`: not column by column. */
export function describeRoles(roles: Roles, brief = false): Attributes {
  return {
    table_is: roles.shape,
    ...(brief ? {} : {
      columns: roles.columns.map((c) => ({
        header: c.header,
        name: c.uniqueName,
        units: c.units,
        holds: c.class,
        becomes: c.role,
        ...(c.decimal === "," ? { decimal: "," } : {}),
        ...(c.comment ? { comment: c.comment } : {}),
      })),
    }),
    ...(roles.time
      ? {
        time_column: roles.time.header,
        time_column_units: roles.time.units,
      }
      : {}),
  };
}
