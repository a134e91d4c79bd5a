/**
 * Everything that is decided before a table is converted: its writing, its shape, the parts of its
 * columns, its time and rate. Small files are gone through whole, large ones at their ends.
 */
import { FuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { type Dialect, findDialect } from "./csv-dialect.ts";
import { decodeHead, type TextHead } from "./csv-encoding.ts";
import { parseTable, type TableConfig, type TableRange, type TableReport } from "./csv-parser.ts";
import { type EvenStep, evenStep } from "./csv-rate.ts";
import type { TableMapping } from "../mapping/descriptor-types.ts";
import { findColumns } from "./csv-mapping.ts";
import { columnConfigs, findRoles, type Roles } from "./csv-roles.ts";
import { findTable, type HeadTable } from "./csv-table.ts";

/** Bytes of the head the decisions rest on; more where lines are so long that it holds too few. */
const HEAD_BYTES = [256 << 10, 1 << 20, 4 << 20];
/** Rows a head should hold. */
const HEAD_ROWS = 8;
/** Files up to this size are gone through once before they are converted, for exact counts. */
export const SMALL_BYTES = 8 << 20;
/** Bytes of the end of a large file that are looked at. */
const TAIL_BYTES = 64 << 10;
/** Rows below a table that may be no rows of it. */
const FOOTER_ROWS = 8;
/** Below this, a head is no table. */
const LEAST_FIT = 0.3;

/** What is known of a table before its conversion. */
export interface Survey {
  head: TextHead;
  dialect: Dialect;
  table: HeadTable;
  roles: Roles;
  range: TableRange;
  config: TableConfig;
  /** True when `report` and `times` cover the whole file. */
  whole: boolean;
  report: TableReport;
  /** Times of all rows, or of those of the head. */
  times: Float64Array;
  rate: EvenStep | null;
  warnings: string[];
}

function noTable(source: ByteSource, why: string): FuseError {
  return new FuseError("UnknownFormat", `not a table of delimited text: ${why}`, {
    source: source.name,
    format: "csv",
  });
}

/** The head of a table, or why it is none. */
export function readHead(
  bytes: Uint8Array,
  complete: boolean,
  stated?: TableMapping,
): { head: TextHead; dialect: Dialect; table: HeadTable } | { why: string } {
  const head = decodeHead(bytes, complete);
  if ("why" in head) return { why: `it ${head.why}` };
  const dialect = findDialect(head, stated);
  if (!dialect) return { why: "no line of it has a separator" };
  if (dialect.fit < LEAST_FIT && !stated) return { why: `under the best separator ${dialect.why}` };
  const table = findTable(dialect, stated);
  if (!table || (table.rows.length === 0 && table.headerRows.length === 0)) {
    return { why: "it has no rows" };
  }
  if (!stated && table.columns.length === 1 && table.columns[0].class !== "number") {
    return { why: "it has a single column without numbers" };
  }
  return { head, dialect, table };
}

/**
 * Surveys a source.
 * @throws FuseError `UnknownFormat` when it holds no table.
 */
export async function surveyTable(
  source: ByteSource,
  signal?: AbortSignal,
  mapping?: TableMapping,
): Promise<Survey> {
  let bytes = new Uint8Array(0), complete = false;
  let read: ReturnType<typeof readHead> = { why: "it is empty" };
  for (const length of HEAD_BYTES) {
    bytes = new Uint8Array(await source.readUpTo(0, length, { signal, purpose: "header" }));
    if (bytes.length === 0) break;
    complete = bytes.length < length || bytes.length === source.size;
    read = readHead(bytes, complete, mapping);
    if (complete || (!("why" in read) && read.table.rows.length >= HEAD_ROWS)) break;
  }
  if ("why" in read) throw noTable(source, read.why);
  const { head, dialect, table } = read;
  const whole = complete || (source.size !== undefined && source.size <= SMALL_BYTES);
  const from = table.start < 0 ? bytes.length : head.byteOffset(table.start);
  const range: TableRange = { from };
  const seen: TableRange = whole
    ? { from, ...(complete ? { to: bytes.length } : {}) }
    : { from, to: head.byteOffset(table.rows.at(-1)?.end ?? 0) };

  const stated = mapping && findColumns(table, mapping, source.name);
  let roles = findRoles(table, whole && complete, stated);
  let config = configOf(head, dialect, roles);
  let pass = await runPass(source, seen, config, signal);
  for (let round = 0; whole && round < 3 && revise(table, pass.report); round++) {
    roles = findRoles(table, true, stated);
    config = configOf(head, dialect, roles);
    pass = await runPass(source, seen, config, signal);
  }
  const survey: Survey = {
    head,
    dialect,
    table,
    roles,
    range,
    config: { ...config, inspectTexts: false },
    whole,
    ...pass,
    rate: null,
    warnings: [],
  };
  await findRate(source, survey, signal);
  return survey;
}

function configOf(head: TextHead, dialect: Dialect, roles: Roles): TableConfig {
  return {
    encoding: head.encoding === "utf-16le" || head.encoding === "utf-16be"
      ? head.encoding
      : "bytes",
    separator: dialect.separator,
    quote: true,
    comments: bodyComments(dialect, roles),
    columns: columnConfigs(roles),
    timeFactor: roles.time?.factor ?? { multiply: 1, divide: 1 },
    fromFirst: roles.time?.fromFirst ?? true,
    inspectTexts: true,
  };
}

/** Comments may come among the rows, too; "#" does so even where the head has none. */
function bodyComments(dialect: Dialect, roles: Roles): string[] {
  const texts = roles.columns[0]?.role === "text";
  return [...new Set([...dialect.comments, ...(texts ? [] : ["#"])])];
}

async function runPass(
  source: ByteSource,
  range: TableRange,
  config: TableConfig,
  signal?: AbortSignal,
): Promise<{ report: TableReport; times: Float64Array }> {
  const blocks: Float64Array[] = [];
  const timed = config.columns.some((c) => !["skip", "number", "text"].includes(c.kind));
  let report: TableReport | undefined;
  const finish = (parser: { report(): TableReport }) => report = parser.report();
  for await (const parser of parseTable(source, range, config, finish, signal)) {
    if (timed) blocks.push(parser.time());
  }
  const times = new Float64Array(blocks.reduce((n, b) => n + b.length, 0));
  let at = 0;
  for (const block of blocks) {
    times.set(block, at);
    at += block.length;
  }
  return { report: report!, times };
}

/** Corrects the classes of columns by the counts of the whole file; true when one changed. */
function revise(table: HeadTable, report: TableReport): boolean {
  let changed = false;
  table.columns.forEach((column, i) => {
    const { filled, bad, numeric } = report.columns[i];
    let next = column.class;
    if (column.class === "number" && bad > 0.2 * filled) next = "text";
    else if ((column.class === "moment" || column.class === "clock") && bad > 0.2 * filled) {
      next = "text";
    } else if (column.class === "empty" && filled > 0) {
      next = numeric === filled ? "number" : "text";
    } else if (column.class === "text" && filled > 0 && numeric === filled) next = "number";
    if (next === column.class) {
      // Sparse or not is judged by the whole file.
      if (column.blank === undefined && report.rows) {
        column.filled = filled * table.rows.length / report.rows;
      }
      return;
    }
    column.class = next;
    column.filled = filled;
    changed = true;
  });
  return changed;
}

/** Decides the rate from all times, or for large files from both ends. */
async function findRate(source: ByteSource, survey: Survey, signal?: AbortSignal): Promise<void> {
  const { roles, times, whole } = survey;
  if (!roles.time || roles.shape !== "series") return;
  const rate = evenStep(withoutFooter(times), roles.time.resolution);
  if (!rate) return;
  if (!whole) {
    const doubt = await doubtOfTail(source, survey, rate, signal);
    if (doubt) {
      survey.warnings.push(`no sampling frequency is given: ${doubt}`);
      return;
    }
    survey.config.expected = {
      stepSeconds: rate.stepSeconds,
      toleranceSeconds: 2 * rate.toleranceSeconds,
    };
  }
  survey.rate = rate;
}

/** Times without those of the last rows that have none: means and other remarks below a table. */
function withoutFooter(times: Float64Array): Float64Array {
  let n = times.length;
  while (n > 0 && n > times.length - FOOTER_ROWS && Number.isNaN(times[n - 1])) n--;
  return times.subarray(0, n);
}

/** Why the end of a large file speaks against the step of its head; undefined when it does not. */
async function doubtOfTail(
  source: ByteSource,
  survey: Survey,
  rate: EvenStep,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { size } = source;
  if (size === undefined || source.access !== "random") return undefined;
  const range = await tailRange(source, size, survey, signal);
  if (!range) return undefined;
  const { times: tail, report } = await runPass(source, range, survey.config, signal);
  const even = evenStep(withoutFooter(tail), survey.roles.time!.resolution);
  const allowed = rate.uncertaintySeconds + (even?.uncertaintySeconds ?? 0) +
    1e-6 * rate.stepSeconds;
  if (!even) return "the times at the end of the file do not step evenly";
  if (Math.abs(even.stepSeconds - rate.stepSeconds) > allowed) {
    return `times step by ${rate.stepSeconds} s at the start and ${even.stepSeconds} s at the end`;
  }
  if (survey.roles.time!.origin === "day") return undefined;
  const shift = Number((report.base ?? 0n) - (survey.report.base ?? 0n)) / 1e9;
  // As many rows as times: with a break in between, the bytes would not suffice or be too many.
  const headBytes = survey.head.byteOffset(survey.table.rows.at(-1)!.end) - survey.range.from;
  const rowBytes = (headBytes / survey.times.length + (range.to - range.from) / tail.length) / 2;
  const byBytes = (size - survey.range.from) / rowBytes;
  const byTimes = (shift + withoutFooter(tail).at(-1)! - survey.times[0]) / rate.stepSeconds + 1;
  if (byTimes > 1.5 * byBytes || byTimes < byBytes / 1.5) {
    return `the times tell of ${Math.round(byTimes)} rows, the size of the file of about ` +
      `${Math.round(byBytes)}`;
  }
  return undefined;
}

/** The last whole lines of a file. */
async function tailRange(
  source: ByteSource,
  size: number,
  { head }: Survey,
  signal?: AbortSignal,
): Promise<{ from: number; to: number } | null> {
  const wide = head.encoding.startsWith("utf-16");
  const at = size - TAIL_BYTES + (wide ? (TAIL_BYTES - size + head.markBytes) & 1 : 0);
  const bytes = await source.read(at, size - at, { signal, purpose: "header" });
  const step = wide ? 2 : 1;
  const low = head.encoding === "utf-16be" ? 1 : 0;
  for (let i = 0; i + step <= bytes.length; i += step) {
    const isEnd = bytes[i + low] === 10 || bytes[i + low] === 13;
    if (isEnd && (!wide || bytes[i + 1 - low] === 0)) return { from: at + i + step, to: size };
  }
  return null;
}
