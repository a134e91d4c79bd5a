/** What MATLAB's own classes hold, as plain variables: texts, times, tables (field by field as MATLAB saves them). */
import type { NumericArray } from "../../src/model/dtype.ts";
import {
  type CellNode,
  elementsOf,
  fieldOf,
  type MatNode,
  numberOf,
  type NumericNode,
  type StructNode,
  textOf,
  textsOf,
} from "./mat-model.ts";

/** Properties by name. */
export type Properties = ReadonlyMap<string, MatNode>;
/** Gives the values of an array, or undefined where they are too many. */
type Load = (node: MatNode | undefined) => Promise<NumericArray | undefined>;

/** Moments and categories that are written out as texts. */
const MOST_TEXTS = 1 << 16;
/** Rows of a table whose times are had from a start and a step. */
const MOST_TIMES = 1 << 24;

/**
 * An object as a plain variable; undefined for a class that is kept property by property, or for properties
 * that are not as expected.
 */
export async function plainForm(
  objectClass: string,
  properties: Properties,
  load: Load,
): Promise<MatNode | undefined> {
  switch (objectClass) {
    case "string":
      return strings(await load(properties.get("any")));
    case "datetime":
      return await moments(properties, load);
    case "duration":
      return durations(properties);
    case "categorical":
      return await categories(properties, load);
    case "table":
      return table(properties);
    case "timetable":
      return await timetable(properties.get("any"), load);
    case "containers.Map":
      return serialization(properties.get("serialization"));
  }
  return undefined;
}

function plainText(value: string, matlabClass = "char"): MatNode {
  return { name: "", matlabClass, shape: [1, 1], kind: "char", rows: [value] };
}

function texts(values: string[], shape: number[], matlabClass: string): CellNode {
  const items = values.map((value) => plainText(value));
  return { name: "", matlabClass, shape, kind: "cell", items };
}

function structOf(objectClass: string, fields: Iterable<[string, MatNode]>): StructNode {
  const lists = [...fields].map(([name, node]): [string, MatNode[]] => [name, [node]]);
  return {
    name: "",
    matlabClass: "struct",
    kind: "struct",
    shape: [1, 1],
    objectClass,
    fields: new Map(lists),
  };
}

function numbers(values: Float64Array, shape: number[], units: string): NumericNode {
  const real = { kind: "values" as const, dtype: "float64" as const, values };
  return { name: "", matlabClass: "double", shape, kind: "numeric", real, units };
}

/**
 * string: 64-bit words: version, number of dimensions, sizes, length of each text, and UTF-16 code units
 * four to a word. A missing text has a length no text can have.
 */
function strings(words: NumericArray | undefined): MatNode | undefined {
  if (!(words instanceof BigUint64Array) || words.length < 2) return undefined;
  const rank = Number(words[1]);
  if (rank < 2 || rank > words.length - 2) return undefined;
  const shape = Array.from(words.subarray(2, 2 + rank), Number);
  const count = elementsOf(shape), first = 2 + rank;
  if (!(count <= words.length - first)) return undefined;
  const from = words.byteOffset + 8 * (first + count);
  const units = new Uint16Array(words.buffer, from, 4 * (words.length - first - count));
  const values: string[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const length = Number(words[first + i]);
    const missing = length > units.length - at;
    if (missing && length < 2 ** 48) return undefined;
    values.push(missing ? "<missing>" : decode(units.subarray(at, at + length)));
    if (!missing) at += length;
  }
  return count === 1 ? plainText(values[0], "string") : texts(values, shape, "string");
}

function decode(units: Uint16Array): string {
  const parts: string[] = [];
  for (let at = 0; at < units.length; at += 8192) {
    parts.push(String.fromCharCode(...units.subarray(at, at + 8192)));
  }
  return parts.join("");
}

/** datetime: milliseconds since 1970, with what a double cannot hold of them in the imaginary part. */
async function moments(properties: Properties, load: Load): Promise<MatNode | undefined> {
  const data = properties.get("data");
  if (data?.kind !== "numeric") return undefined;
  const fields = new Map(properties);
  const zone = textOf(properties.get("tz")) ?? "";
  const notes = { long_name: `milliseconds since 1970-01-01T00:00:00${zone ? "Z" : ""}` };
  fields.set("data", { ...data, units: "ms", notes });
  const count = elementsOf(data.shape);
  const milliseconds = count <= MOST_TEXTS ? await doubled(data, load) : undefined;
  if (milliseconds) {
    const written = Array.from(
      milliseconds.whole,
      (ms, i) => isoText(ms, milliseconds.rest?.[i] ?? 0, zone !== ""),
    );
    fields.set("text", texts(written, data.shape, "datetime"));
  }
  return structOf("datetime", fields);
}

/** Numbers as sums of two doubles, which MATLAB keeps as complex ones. */
async function doubled(
  node: NumericNode,
  load: Load,
): Promise<{ whole: Float64Array; rest?: Float64Array } | undefined> {
  const { real, imaginary } = node;
  const values = await load({ ...node, imaginary: undefined });
  if (!values) return undefined;
  // Elements of the HDF5 files are complex themselves: pairs, as bytes.
  if (real.dtype === "complex128") {
    const pairs = new Float64Array(values.slice().buffer as ArrayBuffer);
    return {
      whole: pairs.filter((_, i) => i % 2 === 0),
      rest: pairs.filter((_, i) => i % 2 === 1),
    };
  }
  const whole = Float64Array.from(values as Float64Array, Number);
  const more = imaginary && await load({ ...node, real: imaginary, imaginary: undefined });
  return more ? { whole, rest: Float64Array.from(more as Float64Array, Number) } : { whole };
}

/** ISO 8601 with as many digits of a second as the number has, up to nanoseconds. */
function isoText(milliseconds: number, rest: number, zoned: boolean): string {
  if (Number.isNaN(milliseconds)) return "NaT";
  let whole = Math.floor(milliseconds);
  let nanoseconds = Math.round((milliseconds - whole + rest) * 1e6);
  const carry = Math.floor(nanoseconds / 1e6);
  whole += carry;
  nanoseconds -= carry * 1e6;
  if (!(Math.abs(whole) <= 8.64e15)) return milliseconds > 0 ? "Inf" : "-Inf";
  const second = new Date(whole).toISOString().replace("Z", "");
  const digits = second.slice(second.indexOf(".") + 1) + String(nanoseconds).padStart(6, "0");
  const fraction = digits.replace(/0+$/, "");
  return second.slice(0, second.indexOf(".")) + (fraction && `.${fraction}`) + (zoned ? "Z" : "");
}

/** duration: milliseconds. */
function durations(properties: Properties): MatNode | undefined {
  const millis = properties.get("millis");
  if (millis?.kind !== "numeric") return undefined;
  return structOf("duration", new Map(properties).set("millis", { ...millis, units: "ms" }));
}

/** categorical: numbers of categories, from 1; 0 is none. */
async function categories(properties: Properties, load: Load): Promise<MatNode | undefined> {
  const codes = properties.get("codes"), names = textsOf(properties.get("categoryNames"));
  if (codes?.kind !== "numeric" || !names) return undefined;
  const values = elementsOf(codes.shape) <= MOST_TEXTS ? await load(codes) : undefined;
  const fields = new Map(properties);
  if (values) {
    const written = Array.from(
      values as Uint8Array,
      (code) => names[Number(code) - 1] ?? "<undefined>",
    );
    fields.set("text", texts(written, codes.shape, "categorical"));
  }
  return structOf("categorical", fields);
}

/** containers.Map: keys and values. */
function serialization(node: MatNode | undefined): MatNode | undefined {
  if (node?.kind !== "struct" || !fieldOf(node, "keys")) return undefined;
  return { ...node, objectClass: "containers.Map" };
}

/** table: variables by name, with their units. */
function table(properties: Properties): MatNode | undefined {
  const props = properties.get("props");
  const columns = columnsOf(
    properties.get("data"),
    properties.get("varnames"),
    fieldOf(props, "VariableUnits"),
    fieldOf(props, "VariableDescriptions"),
  );
  if (!columns) return undefined;
  const rows = textsOf(properties.get("rownames"));
  if (rows?.length) columns.push(["row_names", texts(rows, [rows.length, 1], "cell")]);
  return structOf("table", columns);
}

function columnsOf(
  data: MatNode | undefined,
  names: MatNode | undefined,
  units: MatNode | undefined,
  descriptions: MatNode | undefined,
): [string, MatNode][] | undefined {
  const titles = textsOf(names);
  if (data?.kind !== "cell" || titles?.length !== data.items.length) return undefined;
  const unitTexts = textsOf(units) ?? [], notes = textsOf(descriptions) ?? [];
  const taken = new Set<string>();
  return data.items.map((item, i): [string, MatNode] => {
    let title = titles[i] || `column ${i + 1}`;
    while (taken.has(title)) title += "_";
    taken.add(title);
    return [title, {
      ...item,
      ...(unitTexts[i] ? { units: unitTexts[i] } : {}),
      ...(notes[i] ? { notes: { long_name: notes[i] } } : {}),
    }];
  });
}

/** timetable: variables over times, which are given one by one or by a start and a step. */
async function timetable(node: MatNode | undefined, load: Load): Promise<MatNode | undefined> {
  const columns = columnsOf(
    fieldOf(node, "data"),
    fieldOf(node, "varNames"),
    fieldOf(node, "varUnits"),
    fieldOf(node, "varDescriptions"),
  );
  if (!columns) return undefined;
  const times = fieldOf(node, "rowTimes");
  const [title = "Time"] = textsOf(fieldOf(node, "dimNames")) ?? [];
  const rows = numberOf(fieldOf(node, "numRows")) ?? 0;
  const rate = fieldOf(times, "specifiedAsRate") && numberOf(fieldOf(times, "specifiedAsRate"));
  const hertz = numberOf(fieldOf(times, "sampleRate"));
  const stated: [string, MatNode][] = rate && hertz !== undefined
    ? [["SampleRate", numbers(Float64Array.of(hertz), [1, 1], "Hz")]]
    : [];
  const seconds = await secondsOf(times, rows, load);
  if (!seconds) return structOf("timetable", [[title, times ?? plainText("")], ...columns]);
  const all: [string, MatNode][] = [[title, seconds], ...stated];
  const written = fieldOf(times, "text");
  if (written) all.push([`${title} as text`, written]);
  return structOf("timetable", [...all, ...columns.filter(([name]) => name !== title)]);
}

/** Times of rows in seconds: since 1970 for moments, else as the durations are. */
async function secondsOf(
  times: MatNode | undefined,
  rows: number,
  load: Load,
): Promise<NumericNode | undefined> {
  const start = fieldOf(times, "origin");
  if (!start) {
    const milliseconds = await millisecondsOf(times, load);
    if (!milliseconds) return undefined;
    return numbers(milliseconds.map((ms) => ms / 1000), [milliseconds.length, 1], "s");
  }
  const [origin] = await millisecondsOf(start, load) ?? [];
  const [step] = await millisecondsOf(fieldOf(times, "stepSize"), load) ?? [];
  const rate = numberOf(fieldOf(times, "sampleRate"));
  const asRate = numberOf(fieldOf(times, "specifiedAsRate"));
  if (origin === undefined || !(rows >= 0 && rows <= MOST_TIMES)) return undefined;
  if (asRate ? !(rate! > 0) : step === undefined || Number.isNaN(step)) return undefined;
  const values = Float64Array.from(
    { length: rows },
    (_, i) => asRate ? origin / 1000 + i / rate! : (origin + i * step!) / 1000,
  );
  return numbers(values, [rows, 1], "s");
}

async function millisecondsOf(node: MatNode | undefined, load: Load) {
  const data = fieldOf(node, "data") ?? fieldOf(node, "millis");
  if (data?.kind !== "numeric") return undefined;
  const found = await doubled(data, load);
  return found?.whole.map((v, i) => v + (found.rest?.[i] ?? 0));
}
