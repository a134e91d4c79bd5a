/**
 * Tables in long format: one row per time and subject (or channel), so that time starts again or
 * stands still from row to row. Told apart by a key column, they are ordinary recordings.
 */
import { FuseError } from "../../src/errors.ts";
import {
  type Dataset,
  emptyDataset,
  type Json,
  type StreamBlock,
} from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { channelsOf, describe, PathNames, signalColumns } from "./csv-dataset.ts";
import { draftTable } from "./csv-draft.ts";
import { parseTable } from "./csv-parser.ts";
import { evenStep, medianStep } from "./csv-rate.ts";
import type { RoleColumn, Roles } from "./csv-roles.ts";
import { SMALL_BYTES, type Survey } from "./csv-survey.ts";
import { isUnit } from "./csv-units.ts";

/** Most groups a key may make. */
const MOST_GROUPS = 512;
/** Fewest rows of a group: fewer are a table of conditions, not a recording. */
const LEAST_ROWS = 3;
/** Share of steps that stand still before rows at the same time count as several subjects. */
const STILL_SHARE = 0.3;
const KEY_WORDS =
  /subject|animal|rat|mouse|pig|patient|participant|\bid\b|channel|electrode|sensor|signal|variable|trial|sweep|group|session|unit|cell|run|block|condition/i;
const CHANNEL_WORDS = /channel|electrode|sensor|signal|variable|measure|lead|probe/i;

/** All columns of a small table, in memory. */
interface Columns {
  time: Float64Array;
  numbers: Float64Array[];
  texts: string[][];
}

/** Rows that belong together. */
interface Group {
  key: string;
  rows: number[];
}

interface Grouping {
  by: RoleColumn[];
  groups: Group[];
  /** All groups have the same times, so they are channels of one recording. */
  shared: boolean;
}

/** The dataset of a small table in long format, or null when it is not one. */
export async function longDataset(
  source: ByteSource,
  survey: Survey,
  signal?: AbortSignal,
): Promise<Dataset | null> {
  const { roles, whole, times, report } = survey;
  if (roles.stated) return await statedLong(source, survey, signal);
  if (!whole || !roles.time || roles.shape !== "series" || report.missingTimes > 0) return null;
  let still = 0;
  for (let i = 1; i < times.length; i++) if (times[i] === times[i - 1]) still++;
  if (report.backwardSteps === 0 && still < STILL_SHARE * times.length) return null;
  const columns = await readColumns(source, survey, signal);
  const grouping = findGroups(survey, columns);
  return grouping ? buildLong(source, survey, columns, grouping) : null;
}

/** A table that a descriptor says is long; null when it says nothing of the kind. */
async function statedLong(
  source: ByteSource,
  survey: Survey,
  signal?: AbortSignal,
): Promise<Dataset | null> {
  const { roles, whole, range } = survey;
  const by = roles.stated!.groupBy.map((i) => roles.columns[i]);
  if (by.length === 0) return null;
  if (!whole) {
    throw new FuseError("Limit", "tables in long format are sorted in memory", {
      source: source.name,
      found: `${(source.size ?? 0) - range.from} bytes`,
      expected: `at most ${SMALL_BYTES}`,
    });
  }
  const columns = await readColumns(source, survey, signal);
  const values = by.map((column) => keyValues(survey, columns, column));
  const groups = groupRows(values, roles.time ? columns.time : undefined);
  if (!groups) {
    throw new FuseError("Usage", "sorted as the mapping says, times still fall from row to row", {
      source: source.name,
      field: "group_by",
      found: by.map((c) => c.uniqueName).join(", "),
    });
  }
  // Without a time the rows of a group count.
  const { hz = 1, startSeconds = 0 } = roles.statedRate ?? {};
  if (!roles.time) {
    for (const { rows } of groups) {
      rows.forEach((row, i) => columns.time[row] = startSeconds + i / hz);
    }
  }
  return buildLong(source, survey, columns, {
    by,
    groups,
    shared: areShared(groups, columns.time),
  });
}

/** Cells of a key column, one a row. */
function keyValues({ roles }: Survey, columns: Columns, column: RoleColumn): (string | number)[] {
  const texts = roles.columns.filter((c) => c.role === "text");
  const at = texts.indexOf(column);
  if (at >= 0) return columns.texts[at];
  if (column.role === "time") return [...columns.time];
  return [...columns.numbers[numberColumns(roles).indexOf(column)] ?? []];
}

/** Columns the parser hands out as numbers, in its order. */
function numberColumns({ columns }: Roles): RoleColumn[] {
  return columns.filter((c) => c.role === "signal" || c.role === "kept");
}

async function readColumns(
  source: ByteSource,
  survey: Survey,
  signal?: AbortSignal,
): Promise<Columns> {
  const { config, range, report } = survey;
  const count = (kind: string) => config.columns.filter((c) => c.kind === kind).length;
  const columns: Columns = {
    time: new Float64Array(report.rows),
    numbers: Array.from({ length: count("number") }, () => new Float64Array(report.rows)),
    texts: Array.from({ length: count("text") }, () => []),
  };
  let row = 0;
  for await (const parser of parseTable(source, range, config, () => {}, signal)) {
    if (survey.roles.time) columns.time.set(parser.time(), row);
    columns.numbers.forEach((c, i) => c.set(parser.numberColumn(i), row));
    columns.texts.forEach((c, i) => parser.texts(i).forEach((text) => c.push(text)));
    row += parser.rows;
  }
  return columns;
}

/** The first key under which the times of every group rise. */
function findGroups(survey: Survey, columns: Columns): Grouping | null {
  const { roles } = survey;
  const texts = roles.columns.filter((c) => c.role === "text");
  const numbers = roles.columns.filter((c) => c.role === "signal");
  const keyed: { column: RoleColumn; values: (string | number)[] }[] = [];
  texts.forEach((column, i) => keyed.push({ column, values: columns.texts[i] }));
  numbers.forEach((column, i) => {
    const values = columns.numbers[i];
    const whole = KEY_WORDS.test(column.header) && values.every(Number.isInteger);
    if (whole && numbers.length > 1) keyed.push({ column, values: [...values] });
  });
  const full = keyed.filter(({ values }) => values.every((v) => v !== ""));
  const tries = [...full.map((k) => [k]), ...(full.length > 1 ? [full] : [])];
  for (const keys of tries) {
    const groups = groupRows(keys.map((k) => k.values), columns.time);
    if (!groups) continue;
    if (groups.length < 2 || groups.some((g) => g.rows.length < LEAST_ROWS)) continue;
    const shared = areShared(groups, columns.time);
    return { by: keys.map((k) => k.column), groups, shared };
  }
  return null;
}

/** True when all groups have the same times. */
function areShared(groups: Group[], time: Float64Array): boolean {
  const [first] = groups;
  return groups.every(({ rows }) =>
    rows.length === first.rows.length &&
    rows.every((row, i) => time[row] === time[first.rows[i]])
  );
}

/** Rows by their keys, or null for too many keys and for times that do not rise within one. */
function groupRows(keys: (string | number)[][], time: Float64Array | undefined): Group[] | null {
  const groups = new Map<string, Group>();
  for (let row = 0; row < keys[0].length; row++) {
    const key = keys.map((k) => String(k[row])).join(" ");
    let group = groups.get(key);
    if (!group) {
      if (groups.size >= MOST_GROUPS) return null;
      groups.set(key, group = { key, rows: [] });
    }
    const last = group.rows.at(-1);
    if (time && last !== undefined && !(time[row] > time[last])) return null;
    group.rows.push(row);
  }
  return groups.size ? [...groups.values()] : null;
}

function buildLong(
  source: ByteSource,
  survey: Survey,
  columns: Columns,
  grouping: Grouping,
): Dataset {
  const dataset = emptyDataset("csv", [source]);
  // Going back in time is what long tables do.
  describe(dataset, {
    ...survey,
    rate: null,
    report: { ...survey.report, backwardSteps: 0 },
  });
  const { by, groups, shared } = grouping;
  const { roles } = survey;
  const keyNames = by.map((c) => c.uniqueName).join(" and ");
  dataset.metadata.header!.long_format_key = by.map((c) => c.uniqueName);
  if (!roles.stated) explainKey(dataset, keyNames, groups.length, shared);
  dataset.warnings.push(
    `a table in long format: its rows are sorted into ${groups.length} ` +
      `${shared ? "sets of channels" : "recordings"} by "${keyNames}"; ` +
      `the columns as they are stand in source/`,
  );
  const values = signalColumns(roles).filter((c) => !by.includes(c));
  if (values.length === 0) {
    throw new FuseError("Usage", "under the mapping no column is a signal", {
      source: source.name,
    });
  }
  const placeOf = new Map(numberColumns(roles).map((c, i) => [c, i]));
  const unitOf = (group: Group) => unitColumn(survey, columns, group);
  const short = values.length === 1 && by.length === 1 && CHANNEL_WORDS.test(by[0].header);
  const channels = (group: Group) =>
    channelsOf(values).map((channel) => ({
      ...channel,
      units: channel.units || unitOf(group),
      attributes: { ...channel.attributes, [keyNames]: group.key },
    }));
  const sets = shared ? [groups] : groups.map((g) => [g]);
  sets.forEach((members, set) => {
    const time = Float64Array.from(members[0].rows, (row) => columns.time[row]);
    const rate = roles.time ? evenStep(time, roles.time.resolution) : roles.statedRate &&
      { rateHz: roles.statedRate.hz };
    const median = rate || !roles.time ? undefined : medianStep(time);
    const all = members.flatMap((group) =>
      channels(group).map((channel) => ({
        ...channel,
        name: !shared ? channel.name : short ? group.key : `${channel.name} ${group.key}`,
      }))
    );
    dataset.recordings.push({
      name: shared ? "table" : members[0].key,
      channels: all,
      samplingFrequency: rate?.rateHz ?? null,
      sampleCount: time.length,
      segments: [{ startIndex: 0, length: time.length, startSeconds: time[0] }],
      rawType: "float64",
      parts: [{
        firstChannel: 0,
        channelCount: all.length,
        layout: { kind: "stream", stream: "long", field: `${set}/signals` },
      }],
      time: { kind: "stream", stream: "long", field: `${set}/time` },
      ...(roles.time || rate ? {} : { timeGenerated: true }),
      attributes: {
        ...(shared ? {} : { [keyNames]: members[0].key }),
        ...(median === undefined ? {} : { median_step_seconds: median }),
      },
    });
  });
  addSource(dataset, survey);
  dataset.draftMapping = () => draftTable(source.name, survey, by);
  dataset.openStream = (_id, { signal }) => {
    const passes = longBlocks(source, survey, sets, values.map((c) => placeOf.get(c)!), signal);
    return new ReadableStream<StreamBlock>({
      async pull(controller) {
        const next = await passes.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await passes.return(undefined);
      },
    }, { highWaterMark: 1 });
  };
  return dataset;
}

/** Adds the key to the record of the choice. */
function explainKey(dataset: Dataset, names: string, groups: number, shared: boolean): void {
  const { mapping } = dataset.metadata;
  if (!mapping || typeof mapping !== "object" || Array.isArray(mapping)) return;
  (mapping.chosen as Json[]).push({
    what: `long format: rows sorted by "${names}"`,
    score: shared ? 90 : 70,
    why: [`time rises within each of its ${groups} values${shared ? ", over the same times" : ""}`],
  });
}

/** The unit a text column named "unit" gives for all rows of a group; "" when it does not. */
function unitColumn({ roles }: Survey, columns: Columns, group: Group): string {
  const texts = roles.columns.filter((c) => c.role === "text");
  const at = texts.findIndex((c) => /^units?$/i.test(c.header.trim()));
  if (at < 0) return "";
  const units = new Set(group.rows.map((row) => columns.texts[at][row]));
  const [unit] = units;
  return units.size === 1 && isUnit(unit) ? unit : "";
}

/** The file's own columns beside the sorted ones: nothing is lost by sorting. */
function addSource(dataset: Dataset, { roles, report }: Survey): void {
  const names = new PathNames();
  const counts = { text: 0, signal: 0 };
  let timed = false;
  for (const column of roles.columns) {
    if (column.role === "unused") {
      dataset.leftOut.push({ what: `column "${column.uniqueName}"`, why: "it is empty" });
      continue;
    }
    if (column.role === "time") {
      if (timed) continue;
      timed = true;
    }
    const text = column.role === "text";
    const kind = text ? "text" : "signal";
    const field = column.role === "time" ? "source/time" : `source/${kind}/${counts[kind]++}`;
    dataset.arrays.push({
      path: `source/${names.take(column.uniqueName)}`,
      dtype: text ? "string" : "float64",
      dims: ["row"],
      shape: [report.rows],
      layout: { kind: "stream", stream: "long", field },
      ...(column.role === "time" ? { units: "s" } : column.units ? { units: column.units } : {}),
      attributes: { long_name: column.header || column.name, column: column.index + 1 },
    });
  }
}

async function* longBlocks(
  source: ByteSource,
  survey: Survey,
  sets: Group[][],
  places: number[],
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  const columns = await readColumns(source, survey, signal);
  for (const [set, members] of sets.entries()) {
    const { rows } = members[0];
    const count = rows.length;
    const values = new Float64Array(members.length * places.length * count);
    let at = 0;
    for (const group of members) {
      for (const place of places) {
        for (const row of group.rows) values[at++] = columns.numbers[place][row];
      }
    }
    yield { field: `${set}/signals`, values, count };
    yield {
      field: `${set}/time`,
      values: Float64Array.from(rows, (row) => columns.time[row]),
      count,
    };
  }
  const count = survey.report.rows;
  yield { field: "source/time", values: columns.time, count };
  for (const [i, values] of columns.numbers.entries()) {
    yield { field: `source/signal/${i}`, values, count };
  }
  for (const [i, values] of columns.texts.entries()) {
    yield { field: `source/text/${i}`, values, count };
  }
}
