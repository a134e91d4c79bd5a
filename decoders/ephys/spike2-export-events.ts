/** Event channels of a Spike2 export: rows of a time and what belongs to it. */
import type { StreamBlock } from "../../src/model/dataset.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { parseTable, type TableConfig, type TableParser } from "../tables/csv-parser.ts";
import type { ColumnShape } from "./spike2-columns.ts";
import { numberOf, type NumberRange, splitFields } from "./spike2-export-lines.ts";
import { type ExportSection, rangesOf } from "./spike2-export-sections.ts";
import { labelOf, sectionAttributes } from "./spike2-export-waves.ts";
import { decodeText } from "./spike2-text.ts";
import type { EventSource } from "./spike2-tables.ts";

/** Bytes in which the first row of a channel must end. */
const ROW_BYTES = 65_536;
const CODES = 4;

/** What the fields of a row are. */
interface RowShape {
  separator: string;
  /** By field, time first: a number or a text. */
  texts: boolean[];
  /** Places among the numbers (time is 0) of codes and of other values. */
  codes: number[];
  values: number[];
  /** Place among the texts of the label; -1 for none. */
  label: number;
}

/** A channel of rows that begin with their time. */
export async function rowEvents(
  source: ByteSource,
  section: ExportSection,
  warnings: string[],
  signal?: AbortSignal,
): Promise<EventSource> {
  const ranges = rangesOf(section.body);
  const strangers = section.body.filter(({ word }) => word !== "HEAD").length;
  if (strangers > 0) {
    warnings.push(
      `${labelOf(section)}: ${strangers} lines among its events do not begin with a time`,
    );
  }
  const shape = ranges.length > 0
    ? shapeOf(section, await firstLine(source, ranges[0], signal))
    : shapeOf(section, "");
  const count = ranges.reduce((sum, range) => sum + range.lines, 0);
  const bytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  return {
    channel: section,
    count,
    itemBytes: count > 0 ? Math.ceil(bytes / count) : 1,
    columns: columnsOf(section, shape),
    attributes: eventAttributes(section),
    read: (again) => readRows(source, section, ranges, shape, again),
  };
}

/** What the file says of an event channel. */
export function eventAttributes(section: ExportSection) {
  const attributes = sectionAttributes(section);
  if (section.units) attributes.units = section.units;
  if (section.kind === "Evt-") attributes.edge = "falling";
  if (section.kind === "Evt+") attributes.edge = "rising";
  return attributes;
}

async function firstLine(
  source: ByteSource,
  { start, end }: NumberRange,
  signal?: AbortSignal,
): Promise<string> {
  const length = Math.min(ROW_BYTES, end - start);
  const bytes = await source.read(start, length, { signal, purpose: "header" });
  const [line] = decodeText(bytes, "windows-1252").split(/\r?\n|\r/);
  return line;
}

/** Kinds whose rows may have codes behind the time: some programs call markers events. */
function isMarker(kind: string): boolean {
  return /mark|^evt|^level/i.test(kind);
}

function shapeOf({ kind }: ExportSection, line: string): RowShape {
  const { quoted } = splitFields(line);
  const numbers = quoted.flatMap((inQuotes, i) => inQuotes ? [] : [i]);
  const coded = isMarker(kind) && numbers.length > CODES;
  const texts = quoted.filter(Boolean).length;
  return {
    separator: /^\s*[^\t,; ]+([\t,;])/.exec(line)?.[1] ?? (quoted.length > 1 ? "blanks" : "\t"),
    texts: quoted.length > 0 ? quoted : [false],
    codes: coded ? [1, 2, 3, 4] : [],
    values: numbers.map((_, i) => i).slice(coded ? 1 + CODES : 1),
    // The text comes last where there are several.
    label: texts - 1,
  };
}

/** Kinds whose first code is a key. */
function hasKeys({ kind }: ExportSection): boolean {
  return kind === "Marker" || /^(?:evt|level)/i.test(kind);
}

function columnsOf(section: ExportSection, shape: RowShape): ColumnShape[] {
  const columns: ColumnShape[] = [{ name: "time", dtype: "float64", innerShape: [], units: "s" }];
  const text = (name: string) => columns.push({ name, dtype: "string", innerShape: [] });
  if (shape.codes.length > 0) {
    columns.push({ name: "code", dtype: "uint8", innerShape: [CODES], innerDims: ["code_layer"] });
  }
  const keys = hasKeys(section) && shape.codes.length > 0;
  if (shape.label >= 0 || keys) text("label");
  if (keys) text("character");
  if (shape.values.length > 0) {
    columns.push({
      name: "value",
      dtype: "float64",
      innerShape: [shape.values.length],
      innerDims: ["item"],
      units: section.units,
    });
  }
  return columns;
}

async function* readRows(
  source: ByteSource,
  section: ExportSection,
  ranges: NumberRange[],
  shape: RowShape,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock[], undefined> {
  const columns = columnsOf(section, shape);
  const config: TableConfig = {
    encoding: "bytes",
    separator: shape.separator,
    quote: true,
    comments: [],
    columns: shape.texts.map((text) => ({ kind: text ? "text" : "number", decimal: "." })),
    timeFactor: { multiply: 1, divide: 1 },
    fromFirst: false,
  };
  for (const { start, end } of ranges) {
    const passes = parseTable(source, { from: start, to: end }, config, () => {}, signal);
    for await (const parser of passes) {
      const values = rowValues(parser, section, shape);
      yield columns.map(({ name }) => ({ field: name, values: values[name], count: parser.rows }));
    }
  }
}

function rowValues(
  parser: TableParser,
  section: ExportSection,
  shape: RowShape,
): Record<string, NumericArray | string[]> {
  const { rows } = parser;
  const values: Record<string, NumericArray | string[]> = { time: parser.numberColumn(0) };
  let codes = new Uint8Array(0);
  if (shape.codes.length > 0) {
    codes = new Uint8Array(CODES * rows);
    shape.codes.forEach((place, k) =>
      parser.numberColumn(place).forEach((code, i) => codes[CODES * i + k] = code)
    );
    values.code = codes;
  }
  const width = shape.values.length;
  if (width > 0) {
    const numbers = new Float64Array(width * rows);
    shape.values.forEach((place, k) =>
      parser.numberColumn(place).forEach((value, i) => numbers[width * i + k] = value)
    );
    values.value = numbers;
  }
  if (shape.label >= 0) values.label = parser.texts(shape.label);
  if (hasKeys(section) && codes.length > 0) {
    const first = (i: number) => codes[CODES * i];
    values.label ??= Array.from({ length: rows }, (_, i) => String(first(i)));
    values.character = Array.from(
      { length: rows },
      (_, i) => first(i) >= 0x20 && first(i) < 0x7f ? String.fromCharCode(first(i)) : "",
    );
  }
  return values;
}

/** A level channel whose rows begin with the level: the lines have been read already. */
export function levelEvents(section: ExportSection, warnings: string[]): EventSource {
  const rows = section.body.filter(({ line }) => line.fields.length > 0)
    .map(({ line: { fields } }) => ({ level: fields[0], time: numberOf(fields[1]) }));
  // A level alone is the one before the first edge.
  const edges = rows.filter(({ time }) => Number.isFinite(time));
  const bare = section.body.reduce((sum, { line }) => sum + (line.numbers?.lines ?? 0), 0);
  if (bare > 0) {
    warnings.push(`${labelOf(section)}: ${bare} lines without a level are passed over`);
  }
  const attributes = eventAttributes(section);
  const initial = rows.find(({ time }) => !Number.isFinite(time));
  if (initial) attributes.initial_level = initial.level.toLowerCase();
  const labels = edges.map(({ level }) =>
    /^(?:high|on)$/i.test(level) ? "rise" : /^(?:low|off)$/i.test(level) ? "fall" : level
  );
  return {
    channel: section,
    count: edges.length,
    itemBytes: 16,
    columns: [
      { name: "time", dtype: "float64", innerShape: [], units: "s" },
      { name: "label", dtype: "string", innerShape: [] },
    ],
    attributes,
    read: () => oneBatch(Float64Array.from(edges, (edge) => edge.time), labels),
  };
}

async function* oneBatch(
  time: Float64Array,
  label: string[],
): AsyncGenerator<StreamBlock[], undefined> {
  const count = time.length;
  if (count === 0) return;
  yield [{ field: "time", values: time, count }, { field: "label", values: label, count }];
}
