/** What names, attributes and neighbours say of a signal: rate, units, channel names, scale, start. */
import type { Attributes, Json } from "../../src/model/dataset.ts";
import { isUnit, splitHeader, timeFactor } from "../tables/csv-units.ts";
import { groupOf, groupsAround, nameOf, sizeOf, type Variable } from "./variables.ts";

/** A statement with where it comes from. */
export interface Found<T> {
  value: T;
  /** "attribute fs of signals", "the scalar sampling_rate beside it". */
  where: string;
  /** How near to the signal: 0 on itself, 1 in its group, 2 further out. */
  distance: number;
}

const RATE =
  /^(?:fs|sf|sfreq|srate|samplerate|samprate|samplingrate|samplingfreq(?:uency)?|samplefreq(?:uency)?|sampfreq|sampling|acqrate|acquisitionrate|acquisitionfrequency|adcrate|datarate|framerate|samplespersec(?:ond)?|fsample|fsamp|adfreq(?:uency)?|sr|hz|rate|fps|freqsampling|ratehz|samplehz)$/;
const INTERVAL =
  /^(?:dt|si|isi|deltat|sampleinterval|samplinginterval|samplingperiod|sampleperiod|sampletime|samplingtime|tsample|tickinterval|interval|timestep|tstep)$/;
const RATE_UNITS: Record<string, number> = { hz: 1, khz: 1e3, mhz: 1e6, "1/s": 1, "samples/s": 1 };
const CHANNEL_NAMES =
  /^(?:channel(?:s|names?|labels?|ids?)?|chan(?:nels|names?|labels?)?|chnames?|labels?|columns?|columnnames?|headers?|colnames?|names?|variablenames?|legend|signalnames?|titles?|electrodenames?|leads?|fields?)$/;
const UNITS =
  /^(?:units?|unittexts?|variableunits?|yunits?|chanunits?|channelunits?|unitsofmeasure(?:ment)?|physicalunits?|igorwaveunits|ylabelunits?)$/;
const SCALE = /^(?:scale|scalefactor|scalingfactor|conversion|conversionfactor|lsb|voltsperbit)$/;
const OFFSET = /^(?:offset|addoffset|scaleoffset|dcoffset)$/;
const FIRST_TIME = /^(?:startingtime|starttime|start|t0|tstart|x0|xstart|timeoffset|timestart)$/;
const START =
  /^(?:start|starttime|startdate|startdatetime|sessionstarttime|recordingstart(?:time)?|recordingdate|recordingtime|date|datetime|timestamp|acquisitiondate|creationtime|timestampsreferencetime|begintime)$/;

/** A name without its signs and capitals, and the unit at its end: "Sampling_Rate_(kHz)". */
function normal(name: string): { key: string; unit: string } {
  const lower = name.toLowerCase();
  const match = /^(.*?)[\s_]*[([]?(hz|khz|mhz|seconds|secs?|msecs?|ms|usecs?|us|µs|ns|s)[)\]]?$/
    .exec(lower);
  const bare = (text: string) => text.replace(/[^a-z0-9]/g, "");
  if (match && bare(match[1]) !== "" && /[\s_([]/.test(lower.slice(match[1].length))) {
    return { key: bare(match[1]), unit: match[2] };
  }
  const joined = bare(lower);
  const hz = /^(.+?)(k?hz)$/.exec(joined);
  return hz ? { key: hz[1], unit: hz[2] } : { key: joined, unit: "" };
}

/** The only number of a value. */
export function numberIn(value: Json | undefined): number | undefined {
  if (Array.isArray(value)) return value.length === 1 ? numberIn(value[0]) : undefined;
  if (typeof value === "string") {
    const text = value.trim();
    return text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
  }
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Texts of a value: a list, or one text with separators. */
export function textsIn(value: Json | undefined): string[] | undefined {
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === "string")) {
    return (value as string[]).map((v) => v.trim());
  }
  return undefined;
}

/** A rate in Hz stated under a name, or undefined. */
function rateFrom(name: string, number: number, statedUnit: string): number | undefined {
  if (!(number > 0)) return undefined;
  const { key, unit: suffix } = normal(name);
  const unit = (statedUnit || suffix).toLowerCase().trim();
  if (RATE.test(key)) {
    const factor = unit === "" ? 1 : RATE_UNITS[unit];
    return factor && number * factor;
  }
  if (INTERVAL.test(key) && suffix !== "hz") {
    const factor = unit === "" ? { multiply: 1, divide: 1 } : timeFactor(unit);
    if (!factor || (unit === "" && (number >= 1 || /^(?:interval|i?si)$/.test(key)))) {
      return undefined;
    }
    return (factor.divide / factor.multiply) / number;
  }
  return undefined;
}

/** A rate among the attributes of one thing. */
export function rateOf(attributes: Attributes): { name: string; value: number } | undefined {
  const igor = igorRate(attributes);
  if (igor !== undefined) return { name: "IGORWaveScaling", value: igor };
  for (const [name, json] of Object.entries(attributes)) {
    // "200 Hz" has its unit behind it.
    const written = typeof json === "string"
      ? /^([\d.eE+-]+)\s*([a-zµ/]+)$/i.exec(json.trim())
      : null;
    const number = numberIn(written ? written[1] : json);
    if (number === undefined) continue;
    const unit = written?.[2] ?? attributes[`${name}_units`] ?? attributes[`${name}_unit`];
    const value = rateFrom(name, number, typeof unit === "string" ? unit : "");
    if (value !== undefined) return { name, value };
  }
  return undefined;
}

/** When the first sample was taken, seconds, as attributes of an array say. */
export function findFirstTime(attributes: Attributes): number | undefined {
  for (const [name, json] of Object.entries(attributes)) {
    if (!FIRST_TIME.test(normal(name).key)) continue;
    const unit = normal(name).unit;
    const factor = unit === "" ? { multiply: 1, divide: 1 } : timeFactor(unit);
    const number = numberIn(json);
    // Larger numbers count from 1970: they are moments.
    if (number !== undefined && factor && Math.abs(number) < 1e8) {
      return number * factor.multiply / factor.divide;
    }
  }
  return undefined;
}

/** Igor Pro's scaling of a wave's first dimension, when that is a time: `[[max, min], [delta, offset], ...]`. */
function igorRate(attributes: Attributes): number | undefined {
  const scaling = attributes.IGORWaveScaling, units = textsIn(attributes.IGORWaveUnits);
  if (!Array.isArray(scaling) || !Array.isArray(scaling[1]) || !units?.[1]) return undefined;
  const delta = numberIn(scaling[1][0]);
  const factor = timeFactor(units[1]);
  return delta !== undefined && delta > 0 && factor
    ? factor.divide / factor.multiply / delta
    : undefined;
}

/** Small variables by the group they are in. */
export type Neighbours = Map<string, Variable[]>;

/** Longest list of rates. */
const MOST_RATES = 256;

/** Groups that hold settings of what lies beside them. */
const SETTINGS =
  /^(?:settings|metadata|meta|info|parameters|params|header|config|general|properties)$/i;

/** What tells rates, found once for all arrays of a container. */
interface Tellers {
  /** Small arrays with the name of a rate or an interval, by group; it may have a signal's name about it. */
  rates: Map<string, Variable[]>;
  /** Small arrays of texts, by group. */
  texts: Map<string, Variable[]>;
  /** Groups of settings by the group they are in. */
  settings: Map<string, string[]>;
  /** The only value of a small array; undefined when it has several. */
  valueOf(variable: Variable): Promise<string | number | bigint | undefined>;
}

const known = new WeakMap<Neighbours, Tellers>();

function tellersOf(neighbours: Neighbours, groups: Map<string, Attributes>): Tellers {
  const found = known.get(neighbours);
  if (found) return found;
  const settings = new Map<string, string[]>();
  const rates = new Map<string, Variable[]>(), texts = new Map<string, Variable[]>();
  for (const group of new Set([...neighbours.keys(), ...groups.keys()])) {
    if (group === "" || !SETTINGS.test(nameOf(group))) continue;
    const parent = groupOf(group);
    settings.set(parent, [...settings.get(parent) ?? [], group]);
  }
  for (const [group, all] of neighbours) {
    const telling = all.filter(({ shape, dtype, path }) => {
      // One rate for all channels may be written once for each.
      const size = sizeOf(shape);
      return size >= 1 && size <= (dtype === "string" ? 1 : MOST_RATES) && mayTell(nameOf(path));
    });
    if (telling.length) rates.set(group, telling);
    const written = all.filter(({ dtype }) => dtype === "string");
    if (written.length) texts.set(group, written);
  }
  const values = new Map<Variable, Promise<string | number | bigint | undefined>>();
  const only = async (variable: Variable) => {
    const all = await variable.values() as ArrayLike<string | number | bigint>;
    for (let i = 1; i < all.length; i++) if (all[i] !== all[0]) return undefined;
    return all[0];
  };
  const tellers: Tellers = {
    rates,
    texts,
    settings,
    valueOf(variable) {
      let value = values.get(variable);
      if (!value) values.set(variable, value = only(variable));
      return value;
    },
  };
  known.set(neighbours, tellers);
  return tellers;
}

/** True for a name that is one of a rate, whole or up to or from one of its underscores. */
function mayTell(name: string): boolean {
  const tells = (part: string) => {
    const { key } = normal(part);
    return RATE.test(key) || INTERVAL.test(key);
  };
  if (tells(name)) return true;
  for (let at = name.indexOf("_"); at > 0; at = name.indexOf("_", at + 1)) {
    if (tells(name.slice(0, at)) || tells(name.slice(at + 1))) return true;
  }
  return false;
}

/** A name without that of a signal in front of it or behind it: "fs_emg" -> "fs". */
function withoutName(name: string, signal: string): string {
  const lower = name.toLowerCase(), own = signal.toLowerCase();
  if (own.length < 2 || lower === own) return name;
  if (lower.endsWith(`_${own}`)) return name.slice(0, -own.length - 1);
  if (lower.startsWith(`${own}_`)) return name.slice(own.length + 1);
  return name;
}

/** The sampling rate that is nearest to a variable. */
export async function findRate(
  variable: Variable,
  groups: Map<string, Attributes>,
  neighbours: Neighbours,
): Promise<Found<number> | undefined> {
  const own = rateOf(variable.attributes);
  if (own) return { value: own.value, where: `its attribute ${own.name}`, distance: 0 };
  let distance = 1, near: Found<number> | undefined;
  for (const group of groupsAround(groupOf(variable.path))) {
    const place = group === "" ? "the root" : `group ${group}`;
    const tellers = tellersOf(neighbours, groups);
    for (const from of [group, ...tellers.settings.get(group) ?? []]) {
      for (const other of tellers.rates.get(from) ?? []) {
        const full = nameOf(other.path);
        const name = from === group ? withoutName(full, nameOf(variable.path)) : full;
        if (!RATE.test(normal(name).key) && !INTERVAL.test(normal(name).key)) continue;
        const named = name !== full;
        const value = await tellers.valueOf(other);
        if (value === undefined) continue;
        const unit = other.attributes.units ?? other.attributes.unit ??
          groups.get(from)?.[`${full}_units`] ?? groups.get(from)?.[`${full}_unit`];
        const number = numberIn(typeof value === "bigint" ? Number(value) : value);
        const rate = number === undefined
          ? undefined
          : rateFrom(name, number, typeof unit === "string" ? unit : "");
        if (rate === undefined) continue;
        const found = { value: rate, where: `the scalar ${other.path}`, distance };
        // A rate that bears the signal's name is its own: "fs_emg" beside "emg".
        if (named) return { ...found, distance: 0 };
        near ??= found;
      }
      if (near) return near;
      const stated = rateOf(groups.get(from) ?? {});
      if (stated) {
        return { value: stated.value, where: `attribute ${stated.name} of ${place}`, distance };
      }
    }
    distance++;
  }
  return undefined;
}

/** Names of `count` channels: an attribute, or an array of texts beside the signal. */
export async function findNames(
  variable: Variable,
  count: number,
  neighbours: Neighbours,
  groups: Map<string, Attributes>,
): Promise<Found<string[]> | undefined> {
  const among = (attributes: Attributes) => {
    for (const [name, json] of Object.entries(attributes)) {
      if (!CHANNEL_NAMES.test(normal(name).key)) continue;
      const texts = textsIn(json);
      const split = texts?.length === 1 && count > 1 ? texts[0].split(/[,;\t|]\s*/) : texts;
      if (split?.length === count) return { name, texts: split };
    }
    return undefined;
  };
  const own = among(variable.attributes);
  if (own) return { value: own.texts, where: `its attribute ${own.name}`, distance: 0 };
  const group = groupOf(variable.path);
  for (const other of tellersOf(neighbours, groups).texts.get(group) ?? []) {
    if (sizeOf(other.shape) !== count) continue;
    if (!CHANNEL_NAMES.test(normal(nameOf(other.path)).key)) continue;
    const texts = (await other.values()) as string[];
    return { value: texts.map((t) => t.trim()), where: `the texts in ${other.path}`, distance: 1 };
  }
  const around = among(groups.get(group) ?? {});
  return around &&
    { value: around.texts, where: `attribute ${around.name} of its group`, distance: 1 };
}

/** Units of `count` channels in texts beside the signal, or in attributes of its group. */
export async function findUnitsBeside(
  variable: Variable,
  count: number,
  neighbours: Neighbours,
  groups: Map<string, Attributes>,
): Promise<string[]> {
  const group = groupOf(variable.path), own = normal(nameOf(variable.path)).key;
  for (const other of tellersOf(neighbours, groups).texts.get(group) ?? []) {
    if (sizeOf(other.shape) !== count && sizeOf(other.shape) !== 1) {
      continue;
    }
    const { key } = normal(nameOf(other.path));
    const its = /^(.+?)units?$/.exec(key)?.[1];
    if (!UNITS.test(key) && its !== own) continue;
    const texts = (await other.values() as string[]).map((t) => t.trim());
    if (texts.length === count) return texts;
    if (texts.length === 1 && texts[0] !== "") return new Array<string>(count).fill(texts[0]);
  }
  return findUnits(groups.get(group) ?? {}, count);
}

/** The unit at the end of a name: "Pressure_mmHg". */
export function unitInName(name: string): string {
  const { units } = splitHeader(name);
  return isMeasured(units) ? units : "";
}

/** Units of `count` channels; one unit serves all. */
export function findUnits(attributes: Attributes, count: number): string[] {
  for (const [name, json] of Object.entries(attributes)) {
    if (!UNITS.test(normal(name).key) && name.toLowerCase() !== "units") continue;
    const texts = textsIn(json);
    if (!texts) continue;
    if (texts.length === count) return texts.map((t) => t.trim());
    if (name === "IGORWaveUnits" || texts.length === 1) {
      return new Array(count).fill(texts[0].trim());
    }
  }
  return new Array(count).fill("");
}

/** Scale and offset of stored integers, as CF, NWB and others write them. */
export function findScale(variable: Variable): { gain: number; offset: number; why?: string } {
  const attributes = Object.entries(variable.attributes);
  const get = (pattern: RegExp) => {
    const hit = attributes.find(([name, value]) =>
      pattern.test(normal(name).key) && numberIn(value) !== undefined
    );
    return hit && { name: hit[0], value: numberIn(hit[1])! };
  };
  const scale = get(SCALE), offset = get(OFFSET);
  const whole = /^u?int/.test(variable.dtype);
  const packed = scale && (whole || /factor/i.test(scale.name));
  if (!packed || scale.value === 0) return { gain: 1, offset: 0 };
  return {
    gain: scale.value,
    offset: offset?.value ?? 0,
    why: `scaled by its attribute ${scale.name}${offset ? ` and ${offset.name}` : ""}`,
  };
}

/** True for a text that reads as a unit of something measured. */
export function isMeasured(units: string): boolean {
  return units !== "" && isUnit(units) && !timeFactor(units);
}

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d:?\d\d)?$/;

/** A moment written in the manner of ISO 8601. */
export interface Moment {
  /** Seconds since 1970, as far as whole. */
  seconds: number;
  /** The rest, in seconds. */
  fraction: number;
  /** As ISO 8601 with a "T", with the zone the text gives. */
  iso: string;
}

/** Reads a moment; undefined for any other text. */
export function readMoment(text: string): Moment | undefined {
  const m = ISO.exec(text.trim());
  if (!m) return undefined;
  const [, year, month, day, hour, minute, second = "00", digits = "", zone = ""] = m;
  const offset = zone.length > 1
    ? (zone[0] === "-" ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)))
    : 0;
  const utc = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second) / 1000;
  if (Number.isNaN(utc) || +month > 12 || +day > 31 || +hour > 24) return undefined;
  const named = zone && zone !== "Z" && !zone.includes(":")
    ? `${zone.slice(0, 3)}:${zone.slice(3)}`
    : zone;
  return {
    seconds: utc - offset * 60,
    fraction: digits ? Number(`0.${digits}`) : 0,
    iso: `${year}-${month}-${day}T${hour}:${minute}:${second}${digits ? `.${digits}` : ""}${named}`,
  };
}

/** Seconds from one moment to another. */
export function secondsBetween(from: Moment, to: Moment): number {
  const whole = to.seconds - from.seconds;
  // Written digits are decimal: the difference is rounded to what nine of them can tell.
  return Math.round((whole + (to.fraction - from.fraction)) * 1e9) / 1e9;
}

/** A start of the recording among attributes. */
export function findStart(attributes: Attributes): string | undefined {
  for (const [name, value] of Object.entries(attributes)) {
    if (!START.test(normal(name).key)) continue;
    const texts = textsIn(value);
    const moment = texts?.length === 1 ? readMoment(texts[0]) : undefined;
    if (moment) return moment.iso;
  }
  return undefined;
}
