/** Turns the survey of a table into a Dataset. */
import { FuseError } from "../../src/errors.ts";
import {
  type Attributes,
  type Channel,
  type Dataset,
  emptyDataset,
  type EventColumn,
  type NamedArray,
  type Recording,
} from "../../src/model/dataset.ts";
import type { Layout } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { separatorName } from "./csv-dialect.ts";
import { medianStep } from "./csv-rate.ts";
import { describeRoles, type RoleColumn, type Roles } from "./csv-roles.ts";
import { draftTable } from "./csv-draft.ts";
import { explainRoles } from "./csv-explain.ts";
import { startTime } from "./csv-start.ts";
import { type GeneratedTime, openTableStream, type Outlet, type StreamPlan } from "./csv-stream.ts";
import type { Survey } from "./csv-survey.ts";
import { reportWarnings } from "./csv-warnings.ts";

const STREAM = "table";
const STRAYS = "unparsed_cells";
/** Tables with more columns are not described column by column: their names stand in the store anyway. */
const DESCRIBED_COLUMNS = 512;

const streamed = (field: string): Layout => ({ kind: "stream", stream: STREAM, field });

/** Names as parts of a path: no slashes, no two alike. */
export class PathNames {
  readonly #taken: Set<string>;

  constructor(reserved: string[] = []) {
    this.#taken = new Set(reserved);
  }

  take(name: string): string {
    // deno-lint-ignore no-control-regex
    let plain = name.replace(/[/\\\u0000-\u001f]+/g, "_").trim().replace(/^\.+$/, "_");
    if (plain === "" || plain.startsWith("__") || /^zarr\.json$|^\.z/.test(plain)) {
      plain = `column ${plain}`.trim();
    }
    let unique = plain;
    for (let i = 2; this.#taken.has(unique); i++) unique = `${plain} (${i})`;
    this.#taken.add(unique);
    return unique;
  }
}

/** The dataset of a table that is not in long format. */
export function buildDataset(source: ByteSource, survey: Survey): Dataset {
  const dataset = emptyDataset("csv", [source]);
  describe(dataset, survey);
  const { roles, whole, report } = survey;
  const rows = whole ? report.rows : null;
  const outlets: Outlet[] = [];
  const generated = generatedTime(survey);
  const parts = new Parts(survey, outlets);
  if (roles.shape === "series") {
    const signals = signalColumns(roles);
    if (signals.length === 0) throw noSignals(source, roles);
    const kept = parts.numbers.filter((c) => !signals.includes(c));
    const places = kept.length || roles.stated?.signals
      ? signals.map((c) => parts.place(c))
      : undefined;
    dataset.recordings.push(recordingOf(survey, rows, outlets, generated, places));
    for (const column of kept) addNumber(dataset, parts, column, rows);
    for (const column of parts.texts) addText(dataset, parts, column, "source/", "time", rows);
    for (const column of parts.markers) addEvents(dataset, parts, column);
  } else if (roles.shape === "events") {
    addEventTable(dataset, parts, rows);
  } else {
    for (const column of roles.columns) addColumn(dataset, parts, column, rows);
  }
  addStrays(dataset, survey, outlets, parts.sourceNames);
  for (const column of roles.columns) {
    if (column.role === "unused") {
      dataset.leftOut.push({ what: `column "${column.uniqueName}"`, why: "it is empty" });
    }
  }
  const plan: StreamPlan = {
    range: survey.range,
    config: survey.config,
    outlets,
    ...(generated ? { generated } : {}),
    ...(whole
      ? {}
      : { judge: (r) => reportWarnings(r, roles.time !== null, `source/${STRAYS}`, survey.rate) }),
  };
  dataset.openStream = (_id, { signal }) => openTableStream(source, plan, signal);
  dataset.draftMapping = () => draftTable(source.name, survey);
  return dataset;
}

/** Metadata and warnings, the same for all shapes. */
export function describe(dataset: Dataset, survey: Survey): void {
  const { head, dialect, table, roles, warnings, whole, report, rate } = survey;
  const wide = roles.columns.length > DESCRIBED_COLUMNS;
  const header: Attributes = {
    encoding: head.encoding === "utf-8" && head.markBytes ? "utf-8-sig" : head.encoding,
    separator: separatorName(dialect.separator),
    decimal: dialect.decimal,
    line_end: dialect.lineEnd,
    dialect_fit: Math.round(dialect.fit * 100) / 100,
    dialect_because: dialect.why,
    table_starts_at_byte: survey.range.from,
    table_starts_because: table.why,
    ...(whole ? { rows: report.rows } : {}),
    ...(table.headerRows.length && !wide ? { header_rows: table.headerRows } : {}),
    ...describeRoles(roles, wide),
    ...(table.comments.length ? { comments: table.comments } : {}),
    ...(Object.keys(table.preamble).length ? { preamble: table.preamble } : {}),
    ...(table.preambleLines.length ? { preamble_lines: table.preambleLines } : {}),
    ...(rate ? { dt_s: rate.stepSeconds, sampling_frequency_because: rate.why } : {}),
  };
  const start = startTime(survey);
  if (start.startTime) dataset.metadata.startTime = start.startTime;
  if (start.timeOfDay) header.start_time_of_day = start.timeOfDay;
  dataset.metadata.header = header;
  if (!roles.stated) {
    dataset.metadata.autoMapped = true;
    dataset.metadata.mapping = explainRoles(roles, rate);
  }
  dataset.warnings.push(...warnings);
  if (whole) {
    dataset.warnings.push(...reportWarnings(report, roles.time !== null, `source/${STRAYS}`));
  }
  if (roles.time?.assumed) {
    dataset.warnings.push(
      `"${roles.time.header}" is taken as the time; assumed: ${roles.time.assumed}`,
    );
  }
  const stated = roles.statedRate;
  if (stated && !roles.time && !stated.byMapping) {
    dataset.warnings.push(`no time column: the rate is taken from the line "${stated.from}"`);
  } else if (stated && rate && Math.abs(stated.hz / rate.rateHz - 1) > 0.01) {
    dataset.warnings.push(
      `the times step at ${rate.rateHz} Hz, but a line above the table says "${stated.from}"`,
    );
  }
  if (!roles.stated && roles.shape === "table" && roles.columns.some((c) => c.role === "signal")) {
    dataset.warnings.push(`kept as plain columns, not as signals: ${roles.why}`);
  }
}

function generatedTime({ roles }: Survey): GeneratedTime | undefined {
  if (roles.time) return undefined;
  const { statedRate } = roles;
  return { startSeconds: statedRate?.startSeconds ?? 0, rateHz: statedRate?.hz ?? null };
}

/** Columns by what they become, with their places among the parser's columns. */
class Parts {
  readonly numbers: RoleColumn[];
  readonly texts: RoleColumn[];
  readonly markers: RoleColumn[];
  readonly #places = new Map<RoleColumn, number>();
  /** Names in `source/`, or of the columns of a plain table. */
  readonly sourceNames: PathNames;

  constructor(readonly survey: Survey, readonly outlets: Outlet[]) {
    const { columns, shape } = survey.roles;
    this.sourceNames = new PathNames(shape === "table" ? ["source", "events", "OME"] : []);
    this.numbers = columns.filter((c) => c.role === "signal" || c.role === "kept");
    this.texts = columns.filter((c) => c.role === "text");
    this.markers = columns.filter((c) => c.marker);
    this.texts.forEach((column, i) => this.#places.set(column, i));
    this.numbers.forEach((column, i) => this.#places.set(column, i));
  }

  /** Place of a column among the text or number columns of the parser. */
  place(column: RoleColumn): number {
    return this.#places.get(column) ?? -1;
  }
}

/** Columns that are channels, in the order a descriptor lists them, or that of the table. */
export function signalColumns({ columns, stated }: Roles): RoleColumn[] {
  const listed = stated?.signals;
  return listed
    ? [...listed.keys()].map((i) => columns[i])
    : columns.filter((c) => c.role === "signal");
}

function noSignals(source: ByteSource, { columns }: Roles): FuseError {
  return new FuseError("Usage", "under the mapping no column is a signal", {
    source: source.name,
    found: columns.map((c) => `${c.uniqueName} (${c.class})`).slice(0, 8).join(", "),
  });
}

/** Channels of the number columns. */
export function channelsOf(columns: RoleColumn[]): Channel[] {
  return columns.map((column): Channel => ({
    name: column.uniqueName,
    units: column.units,
    gain: column.gain ?? 1,
    offset: column.offset ?? 0,
    attributes: {
      header: column.header,
      ...(column.comment ? { comment: column.comment } : {}),
    },
  }));
}

function recordingOf(
  survey: Survey,
  rows: number | null,
  outlets: Outlet[],
  generated: GeneratedTime | undefined,
  places: number[] | undefined,
): Recording {
  const { roles, rate, times } = survey;
  const channels = channelsOf(signalColumns(roles));
  outlets.push({ kind: "signals", field: "signals", ...(places ? { columns: places } : {}) });
  const start = generated ? generated.startSeconds : times[0] ?? 0;
  const median = rate || generated ? undefined : medianStep(times);
  // With a known length, made-up time needs no pass.
  const explicit = !generated || rows === null;
  if (explicit) outlets.push({ kind: "time", field: "time" });
  return {
    name: "table",
    channels,
    samplingFrequency: rate?.rateHz ?? generated?.rateHz ?? null,
    sampleCount: rows,
    segments: rows === null ? [] : [{ startIndex: 0, length: rows, startSeconds: start }],
    rawType: "float64",
    parts: [{ firstChannel: 0, channelCount: channels.length, layout: streamed("signals") }],
    ...(explicit ? { time: { kind: "stream", stream: STREAM, field: "time" } as const } : {}),
    ...(generated && generated.rateHz === null ? { timeGenerated: true } : {}),
    attributes: median === undefined ? {} : { median_step_seconds: median },
  };
}

/** A column of numbers that a descriptor leaves out of the signals. */
function addNumber(dataset: Dataset, parts: Parts, column: RoleColumn, rows: number | null): void {
  const place = parts.place(column);
  const field = `number/${place}`;
  parts.outlets.push({ kind: "number", field, column: place });
  dataset.arrays.push({
    path: `source/${parts.sourceNames.take(column.uniqueName)}`,
    dtype: "float64",
    dims: ["time"],
    shape: [rows],
    layout: streamed(field),
    ...(column.units ? { units: column.units } : {}),
    attributes: attributesOf(column),
  });
}

function addText(
  dataset: Dataset,
  parts: Parts,
  column: RoleColumn,
  folder: string,
  dim: string,
  rows: number | null,
): void {
  const place = parts.place(column);
  const field = `text/${place}`;
  parts.outlets.push({ kind: "text", field, column: place });
  const names = parts.sourceNames;
  dataset.arrays.push({
    path: `${folder}${names.take(column.uniqueName)}`,
    dtype: "string",
    dims: [dim],
    shape: [rows],
    layout: streamed(field),
    attributes: attributesOf(column),
  });
}

function attributesOf(column: RoleColumn): Attributes {
  return { long_name: column.header || column.name, column: column.index + 1 };
}

/** A sparse column as events; the number of them is the number of its cells. */
function addEvents(dataset: Dataset, parts: Parts, column: RoleColumn): void {
  const { whole, report } = parts.survey;
  const place = parts.place(column);
  const text = column.role === "text";
  const field = `events/${column.index}`;
  const { filled, bad } = report.columns[column.index];
  const count = whole ? filled - bad : null;
  if (count === 0) return;
  const { blank } = column;
  parts.outlets.push(
    text
      ? { kind: "text-events", field, column: place, ...(blank === undefined ? {} : { blank }) }
      : { kind: "number-events", field, column: place },
  );
  const make = (name: string, dtype: EventColumn["dtype"], units?: string): EventColumn => ({
    name,
    dtype,
    innerShape: [],
    layout: streamed(`${field}/${name}`),
    ...(units ? { units } : {}),
  });
  dataset.events.push({
    name: column.uniqueName,
    // Words for "no value" are filled cells but no events.
    count: text && blank === undefined ? count : null,
    columns: [
      make("time", "float64", "s"),
      text ? make("label", "string") : make("code", "float64", column.units),
    ],
    attributes: attributesOf(column),
  });
}

/** A table of events: each row one event. */
function addEventTable(dataset: Dataset, parts: Parts, rows: number | null): void {
  const { roles } = parts.survey;
  parts.outlets.push({ kind: "time", field: "time" });
  const names = new PathNames(["time"]);
  const columns: EventColumn[] = [{
    name: "time",
    dtype: "float64",
    units: "s",
    innerShape: [],
    layout: streamed("time"),
  }];
  let labelled: boolean = false;
  for (const column of roles.columns) {
    if (column.role === "time" || column.role === "unused") continue;
    const text = column.role === "text";
    const place = parts.place(column);
    const field = `${text ? "text" : "number"}/${place}`;
    parts.outlets.push({ kind: text ? "text" : "number", field, column: place });
    const duration = /^duration\b/i.test(column.header);
    const label: boolean = text && !labelled && column.class === "text";
    labelled ||= label;
    columns.push({
      name: names.take(duration ? "duration" : label ? "label" : column.uniqueName),
      dtype: text ? "string" : "float64",
      innerShape: [],
      layout: streamed(field),
      ...(column.units ? { units: column.units } : duration ? { units: "s" } : {}),
      attributes: attributesOf(column),
    });
  }
  dataset.events.push({
    name: dataset.sources[0].name.replace(/\.[^.]*$/, "") || "events",
    count: rows,
    columns,
  });
}

/** A column of a table without time, as an array of its own. */
function addColumn(
  dataset: Dataset,
  parts: Parts,
  column: RoleColumn,
  rows: number | null,
): void {
  if (column.role === "text") return addText(dataset, parts, column, "", "row", rows);
  const time = column.role === "time";
  const second = time && column.index !== parts.survey.roles.time?.parts[0].index;
  if (column.role === "unused" || second) return;
  const place = parts.place(column);
  const field = time ? "time" : `number/${place}`;
  parts.outlets.push(time ? { kind: "time", field } : { kind: "number", field, column: place });
  const units = time ? "s" : column.units;
  const array: NamedArray = {
    path: parts.sourceNames.take(column.uniqueName),
    dtype: "float64",
    dims: ["row"],
    shape: [rows],
    layout: streamed(field),
    ...(units ? { units } : {}),
    attributes: attributesOf(column),
  };
  dataset.arrays.push(array);
}

/** Cells that did not fit: known to exist in small files, possible in large ones. */
function addStrays(
  dataset: Dataset,
  survey: Survey,
  outlets: Outlet[],
  names: PathNames,
): void {
  const count = survey.report.strayCells + survey.report.commentLines;
  if (survey.whole && count === 0) return;
  const shape = survey.whole ? Math.min(1000, count) : null;
  outlets.push({
    kind: "strays",
    field: "strays",
    names: survey.roles.columns.map((c) => c.uniqueName),
  });
  const folder = `source/${names.take(STRAYS)}`;
  for (const name of ["row", "column", "text"]) {
    dataset.arrays.push({
      path: `${folder}/${name}`,
      dtype: name === "row" ? "float64" : "string",
      dims: ["cell"],
      shape: [shape],
      layout: streamed(`strays/${name}`),
      attributes: { long_name: `${name} of a cell that does not fit its column` },
    });
  }
}
