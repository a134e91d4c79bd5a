/**
 * Measurements of a session. Keys are compared without case: versions differ in it. Values are in the
 * unit that `Unit.Type` names ("MicroAmpere"), though `Unit.S` says "A".
 */
import { ensure, FuseError } from "../../src/errors.ts";
import type { Attributes, Channel, Dataset, Json, StreamBlock } from "../../src/model/dataset.ts";
import { openPasses, type Passes, uniqueName } from "../ephys/record-tables.ts";

type Entry = { [key: string]: Json };

/** An array of a measurement. */
interface Values {
  name: string;
  units: string;
  quantity: string;
  arrayType: number;
  values: Float64Array;
  /** Of each reading: whether it was in range (0), and which range it was taken in. */
  readings: [name: string, meaning: string, values: Int32Array][];
}

/** Scans inside scans. */
const MOST_SCANS = 8;
/** 1970 in ticks of 100 ns since the year 1. */
const UNIX_TICKS = 621_355_968_000_000_000n;

/** Fills a dataset from the JSON of a session. @throws FuseError where it is not one */
export function fillSession(dataset: Dataset, text: string, mostItems: number): void {
  const [source] = dataset.sources;
  let root: Json;
  try {
    // Ticks are larger than a number can hold exactly.
    root = JSON.parse(text.replace(/("(?:utc)?timestamp"\s*:\s*)(\d+)/gi, '$1"$2"')) as Json;
  } catch (cause) {
    throw new FuseError("Corrupt", "the session is not valid JSON", { source: source.name, cause });
  }
  const measurements = list(get(root, "measurements"));
  ensure(measurements.length <= mostItems, "too many measurements", {
    source: source.name,
    found: measurements.length,
  });
  const passes: Passes = new Map();
  const groups: NonNullable<Dataset["groups"]> = [];
  measurements.forEach((measurement, i) => {
    const path = `measurement_${i + 1}`;
    const method = get(measurement, "method");
    const attributes: Attributes = {
      title: words(get(measurement, "title")),
      device_serial: words(get(measurement, "deviceserial")),
      device_firmware: words(get(measurement, "devicefw")),
      type: words(get(measurement, "type")),
      ...(typeof method === "string" ? { method } : {}),
    };
    const local = dateOf(get(measurement, "timestamp"));
    const utc = dateOf(get(measurement, "utctimestamp"));
    if (local) attributes.time_stamp = local;
    if (utc) attributes.utc_time_stamp = `${utc}Z`;
    if (utc || local) dataset.metadata.startTime ??= utc ? `${utc}Z` : local!;
    groups.push({ path, attributes });
    addArrays(dataset, passes, path, valuesOf(dataset, get(measurement, "dataset")));
    list(get(measurement, "curves")).forEach((curve, k) => {
      const title = words(get(curve, "title"));
      const [x, y] = ["xaxisdataarray", "yaxisdataarray"].map((key) =>
        arrayOf(dataset, get(curve, key))
      );
      for (const [axis, array] of [["x", x], ["y", y]] as const) {
        if (array) addArray(dataset, `${path}/curve_${k + 1}/${axis}`, array, { curve: title });
      }
      if (list(get(curve, "peaklist")).length) {
        dataset.leftOut.push({ what: `peaks of curve ${title}`, why: "peaks are not converted" });
      }
    });
    list(get(measurement, "eisdatalist")).forEach((eis, k) => {
      addImpedance(dataset, groups, `${path}/impedance_${k + 1}`, eis, 0);
    });
  });
  dataset.groups = groups;
  dataset.metadata.header = { core_version: words(get(root, "coreversion")) };
  dataset.openStream = openPasses("palmsens", passes);
}

/** Impedance data, with the scans they are made of: one for each potential, temperature or time. */
function addImpedance(
  dataset: Dataset,
  groups: NonNullable<Dataset["groups"]>,
  path: string,
  eis: Json,
  depth: number,
): void {
  const title = words(get(eis, "title"));
  if (title) groups.push({ path, attributes: { title } });
  const names = new Set<string>();
  for (const array of valuesOf(dataset, get(eis, "dataset"))) {
    addArray(dataset, `${path}/${safe(array.name, names)}`, array);
  }
  const scans = list(get(eis, "subscans"));
  if (depth >= MOST_SCANS) {
    if (scans.length) dataset.leftOut.push({ what: `scans of ${path}`, why: "scans without end" });
    return;
  }
  scans.forEach((scan, i) =>
    addImpedance(dataset, groups, `${path}/scan_${i + 1}`, scan, depth + 1)
  );
}

/** Arrays over a rising time are a recording, others arrays of their own. */
function addArrays(dataset: Dataset, passes: Passes, path: string, arrays: Values[]): void {
  const time = arrays.find((a) => a.arrayType === 0 && rises(a.values));
  const over = time
    ? arrays.filter((a) => a !== time && a.values.length === time.values.length)
    : [];
  if (time && over.length) {
    const count = time.values.length;
    const stream = path;
    passes.set(stream, async function* (): AsyncGenerator<StreamBlock, undefined> {
      const values = new Float64Array(over.length * count);
      over.forEach((array, c) => values.set(array.values, c * count));
      yield await Promise.resolve({ field: "signals", values, count });
    });
    dataset.recordings.push({
      name: `${path}_signals`,
      channels: over.map((array): Channel => ({
        name: array.name,
        units: array.units,
        gain: 1,
        offset: 0,
        attributes: { quantity: array.quantity, array_type: array.arrayType },
      })),
      samplingFrequency: null,
      sampleCount: count,
      segments: [{ startIndex: 0, length: count, startSeconds: time.values[0] }],
      rawType: "float64",
      parts: [{
        firstChannel: 0,
        channelCount: over.length,
        layout: { kind: "stream", stream, field: "signals" },
      }],
      time: { kind: "values", values: time.values },
    });
  }
  if (time && over.length) {
    const taken = new Set<string>();
    for (const array of over) {
      addReadings(dataset, `${path}/readings/${safe(array.name, taken)}`, array);
    }
  }
  const names = new Set<string>();
  for (const array of arrays) {
    if (array === time && over.length || over.includes(array)) continue;
    addArray(dataset, `${path}/data/${safe(array.name, names)}`, array);
  }
}

function addArray(dataset: Dataset, path: string, array: Values, more: Attributes = {}): void {
  dataset.arrays.push({
    path,
    dtype: "float64",
    dims: ["point"],
    shape: [array.values.length],
    layout: { kind: "values", values: array.values },
    ...(array.units ? { units: array.units } : {}),
    attributes: { long_name: array.name, quantity: array.quantity, ...more },
  });
  addReadings(dataset, path, array);
}

function addReadings(dataset: Dataset, path: string, { readings }: Values): void {
  for (const [name, meaning, values] of readings) {
    dataset.arrays.push({
      path: `${path}_${name}`,
      dtype: "int32",
      dims: ["point"],
      shape: [values.length],
      layout: { kind: "values", values },
      attributes: { long_name: meaning },
    });
  }
}

/** What the file notes of readings beside their values, by the key in each. */
const READINGS: [key: string, name: string, meaning: string][] = [
  ["s", "status", "0 where the reading was in range, else the device's mark"],
  ["c", "current_range", "number of the current range"],
  ["r", "potential_range", "number of the potential range"],
  ["t", "timing", "the device's mark of its timing"],
];

function valuesOf(dataset: Dataset, set: Json | undefined): Values[] {
  return list(get(set, "values")).map((v) => arrayOf(dataset, v)).filter((v) => v !== null);
}

function arrayOf(dataset: Dataset, entry: Json | undefined): Values | null {
  const rows = list(get(entry, "datavalues"));
  if (!rows.length) return null;
  const name = words(get(entry, "description"));
  const values = new Float64Array(rows.length);
  let missing = 0;
  rows.forEach((row, i) => {
    const v = get(row, "v");
    const number = typeof v === "number" ? v : typeof v === "string" ? Number(v) : NaN;
    if (Number.isNaN(number) && v !== "NaN") missing++;
    values[i] = number;
  });
  if (missing) {
    dataset.warnings.push(`${name}: ${missing} values are no numbers and are kept as NaN`);
  }
  const unit = get(entry, "unit");
  const readings = READINGS.flatMap(([key, label, meaning]): Values["readings"] => {
    const noted = rows.map((row) => get(row, key));
    if (!noted.some((v) => Number.isInteger(v))) return [];
    return [[label, meaning, Int32Array.from(noted, (v) => Number.isInteger(v) ? Number(v) : -1)]];
  });
  return {
    name,
    units: unitOf(unit),
    quantity: words(get(unit, "q")),
    arrayType: Number(get(entry, "arraytype") ?? -1),
    values,
    readings,
  };
}

const PREFIXES: Record<string, string> = {
  Pico: "p",
  Nano: "n",
  Micro: "u",
  Milli: "m",
  Kilo: "k",
  Mega: "M",
};
const BASES: Record<string, string> = {
  Ampere: "A",
  Volt: "V",
  Coulomb: "C",
  Farad: "F",
  FahradReal: "F",
  FahradImaginary: "F",
  Ohm: "Ohm",
  Hertz: "Hz",
  Time: "s",
  Second: "s",
};

function unitOf(unit: Json | undefined): string {
  const type = words(get(unit, "type")).split(".").at(-1)!;
  const m = /^(Pico|Nano|Micro|Milli|Kilo|Mega)?(.*)$/.exec(type)!;
  const base = Object.hasOwn(BASES, m[2]) ? BASES[m[2]] : undefined;
  return base ? (m[1] ? PREFIXES[m[1]] : "") + base : words(get(unit, "s"));
}

function get(value: Json | undefined, key: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const found = Object.keys(value).find((k) => k.toLowerCase() === key);
  return found === undefined ? undefined : (value as Entry)[found];
}

function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function words(value: Json | undefined): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function safe(name: string, taken: Set<string>): string {
  return uniqueName(name.replace(/[^\w.-]+/g, "_") || "values", taken);
}

function rises(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (!(values[i] > values[i - 1])) return false;
  return values.length > 1 && Number.isFinite(values[0]);
}

/** .NET ticks as an ISO date without a zone. */
function dateOf(ticks: Json | undefined): string | null {
  if (typeof ticks !== "string" || !/^\d{1,19}$/.test(ticks)) return null;
  const since = BigInt(ticks) - UNIX_TICKS;
  const seconds = since / 10_000_000n, rest = since % 10_000_000n;
  if (since < 0n || seconds > 253_402_300_799n) return null;
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${date}.${String(rest).padStart(7, "0")}`;
}
