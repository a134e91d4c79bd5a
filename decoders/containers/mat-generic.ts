/**
 * Arrays that are recordings by their names and sizes: a vector of times and arrays as long as it, or a
 * sampling rate and matrices. Every struct is looked at for itself.
 */
import type { Recording } from "../../src/model/dataset.ts";
import { surveyTime } from "../mapping/even-time.ts";
import {
  elementsOf,
  type MatNode,
  numberOf,
  type NumericNode,
  textOf,
  textsOf,
  vectorLength,
} from "./mat-model.ts";
import {
  channel,
  isReal,
  markUsed,
  type MatBuild,
  type MatCandidate,
  type Matrix,
  matrixOf,
  matrixParts,
  timeAxis,
  vectorValues,
} from "./mat-recordings.ts";

/** Variables or fields that belong together. */
export interface Scope {
  /** Path of the struct; "" for the variables of the file. */
  name: string;
  fields: ReadonlyMap<string, MatNode>;
}

const TIME = /^(t|ts|tt|tm|timestamps?|t_?(sim|vec|axis|ax|s|sec|secs|ms|plot)|.*time.*)$/i;
const RATE =
  /^(fs|sf|sr|srate|fsample|hz|rate|f_?samp|.*sampl(e|ing)_?(rate|freq(uency)?)(_?hz)?|fs_?hz)$/i;
const INTERVAL = /^(dt|delta_?t|interval|sampl(e|ing)_?(interval|period)|tstep)$/i;
const LABELS =
  /^(labels?|chan(nel)?s?(_?(names?|labels?))?|names?|titles?|ch_?names?|variable_?names|legend)$/i;
const UNITS = /^(units?|unit_?text|chan(nel)?_?units?|variable_?units|y_?units?)$/i;
const KNOWN =
  /(data|signals?|values?|waves?|waveforms?|traces?|recordings?|samples?|emg|ecg|ekg|eeg|lfp|eng|resp|bp|pressure|force|volt(age)?|current|rr)/i;

/** Shortest run of samples that a rate alone makes a recording. */
const LEAST_SAMPLES = 16;
/** Shortest vector of times. */
const LEAST_TIMES = 3;

/** Arrays that will be one recording. */
interface Find {
  scope: Scope;
  time?: [string, NumericNode];
  rate?: number;
  arrays: { name: string; matrix: Matrix }[];
}

/** Finds arrays with times or a rate in all scopes. */
export function genericCandidates(scopes: readonly Scope[]): MatCandidate[] {
  const timed = scopes.flatMap(findTimed), rated = scopes.flatMap(findRated);
  return [
    candidate("times and arrays of their length", 60, timed),
    candidate("sampling rate and arrays", 52, rated),
  ].filter((c) => c !== undefined);
}

function candidate(layout: string, base: number, finds: Find[]): MatCandidate | undefined {
  if (finds.length === 0) return undefined;
  const why = finds.slice(0, 8).map(({ scope, time, rate, arrays }) => {
    const place = scope.name ? ` in ${scope.name}` : "";
    const names = arrays.map((a) => a.name).join(", ");
    const of = time ? `times ${time[0]}` : `rate ${rate} Hz`;
    return `${of} with ${names}${place}`;
  });
  const named = finds.some((f) => f.arrays.some((a) => KNOWN.test(a.name)));
  const rated = finds.some((f) => f.rate !== undefined && f.time);
  const score = base + (named ? 10 : 0) + (rated ? 10 : 0);
  return {
    layout,
    score,
    why: [...why, ...(named ? ["names of data"] : []), ...(rated ? ["a sampling rate"] : [])],
    build: async (build) => {
      for (const find of finds) await buildFind(build, find);
    },
  };
}

function rateOf({ fields }: Scope): number | undefined {
  for (const [name, node] of fields) {
    const value = numberOf(node);
    if (value === undefined || !Number.isFinite(value) || value <= 0) continue;
    if (RATE.test(name)) return value;
    if (INTERVAL.test(name)) {
      return Math.abs(1 / value - Math.round(1 / value)) < 1e-6 ? Math.round(1 / value) : 1 / value;
    }
  }
  return undefined;
}

/** Arrays of a scope that can be samples. */
function samplesOf({ fields }: Scope): [string, NumericNode][] {
  const found: [string, NumericNode][] = [];
  for (const [name, node] of fields) {
    if (isReal(node) && node.shape.length === 2 && elementsOf(node.shape) >= LEAST_TIMES) {
      found.push([name, node]);
    }
  }
  return found;
}

function findTimed(scope: Scope): Find[] {
  const all = samplesOf(scope);
  const times = all.filter(([name, node]) =>
    TIME.test(name) && (vectorLength(node) ?? 0) >= LEAST_TIMES
  );
  const rate = rateOf(scope);
  const finds = new Map<NumericNode, Find>();
  for (const time of times) finds.set(time[1], { scope, time, rate, arrays: [] });
  for (const [name, node] of all) {
    if (finds.has(node)) continue;
    const fitting = times.filter(([, t]) => node.shape.includes(vectorLength(t)!));
    if (fitting.length === 0) continue;
    // Of several time vectors of one length the one with the same number or name part.
    const best = fitting.toSorted((a, b) => likeness(b[0], name) - likeness(a[0], name))[0];
    const length = vectorLength(best[1])!;
    const find = finds.get(best[1])!;
    const axis = axisOfTime(scope, node, length);
    find.arrays.push({ name, matrix: matrixOf(node, axis) });
  }
  return [...finds.values()].filter((f) => f.arrays.length > 0);
}

/** How much two names have in common: the same digits, or the same beginning or end. */
function likeness(time: string, name: string): number {
  const digits = (text: string) => text.match(/\d+/g)?.join() ?? "";
  const parts = (text: string) => text.toLowerCase().split(/time|plot|[_\d]+|^t/).filter(Boolean);
  const shared = parts(time).some((p) => name.toLowerCase().includes(p));
  return (digits(time) === digits(name) ? 2 : 0) + (shared ? 1 : 0);
}

/** The axis along which time runs: as long as the times, not as long as the labels. */
function axisOfTime(scope: Scope, node: NumericNode, length: number): 0 | 1 {
  const [rows, columns] = node.shape;
  if (rows !== length) return 1;
  if (columns !== length) return 0;
  const labels = labelsOf(scope, rows);
  return labels ? 1 : 0;
}

function findRated(scope: Scope): Find[] {
  const rate = rateOf(scope);
  if (rate === undefined) return [];
  const finds: Find[] = [];
  const vectors = new Map<number, Find>();
  for (const [name, node] of samplesOf(scope)) {
    if (TIME.test(name)) continue;
    const length = vectorLength(node);
    const [rows, columns] = node.shape;
    if (length === undefined) {
      const labelled = labelsOf(scope, rows) ? 1 : labelsOf(scope, columns) ? 0 : undefined;
      const axis = labelled ?? (columns > rows ? 1 : 0);
      const matrix = matrixOf(node, axis);
      if (matrix.samples >= LEAST_SAMPLES && matrix.samples > matrix.channels) {
        finds.push({ scope, rate, arrays: [{ name, matrix }] });
      }
    } else if (length >= LEAST_SAMPLES) {
      let find = vectors.get(length);
      if (!find) {
        find = { scope, rate, arrays: [] };
        vectors.set(length, find);
        finds.push(find);
      }
      find.arrays.push({ name, matrix: matrixOf(node, rows === 1 ? 1 : 0) });
    }
  }
  return finds;
}

function labelsOf({ fields }: Scope, count: number): string[] | undefined {
  for (const [name, node] of fields) {
    if (!LABELS.test(name)) continue;
    const texts = textsOf(node);
    if (texts?.length === count) return texts;
  }
  return undefined;
}

function unitsOf({ fields }: Scope, count: number): string[] {
  for (const [name, node] of fields) {
    if (!UNITS.test(name)) continue;
    const texts = textsOf(node);
    if (texts?.length === count) return texts;
    const one = textOf(node);
    if (one !== undefined) return new Array<string>(count).fill(one);
  }
  return new Array<string>(count).fill("");
}

async function buildFind(build: MatBuild, find: Find): Promise<void> {
  const { scope, arrays } = find;
  const clock = await clockOf(build, find);
  // Matrices are recordings of their own; vectors of one type stand side by side.
  const groups = new Map<string, Find["arrays"]>();
  for (const array of arrays) {
    const { channels, node } = array.matrix;
    const key = channels === 1 ? `vectors of ${node.real.dtype}` : array.name;
    groups.set(key, [...(groups.get(key) ?? []), array]);
  }
  for (const members of groups.values()) {
    const [{ name, matrix: { samples } }] = members;
    const path = [scope.name, name].filter(Boolean).join("_");
    const id = `${path} ${build.dataset.recordings.length}`;
    const { parts, rawType } = matrixParts(build, id, members.map((m) => m.matrix));
    const channels = members.reduce((n, m) => n + m.matrix.channels, 0);
    const labels = members.length === 1 ? labelsOf(scope, channels) : undefined;
    const units = unitsOf(scope, channels);
    const names = members.flatMap((m) =>
      m.matrix.channels === 1
        ? [m.name]
        : Array.from({ length: m.matrix.channels }, (_, i) => `${m.name} ${i + 1}`)
    );
    markUsed(build, members.map((m) => m.matrix.node), members.length > 1);
    build.dataset.recordings.push({
      name: path,
      channels: names.map((own, i) => channel(labels?.[i] || own, units[i])),
      samplingFrequency: clock.rate,
      sampleCount: samples,
      segments: [{ startIndex: 0, length: samples, startSeconds: clock.start }],
      rawType,
      parts,
      ...(clock.time ? { time: clock.time(id) } : {}),
    });
  }
}

/** Units of a time vector by the end of its name. */
function timeScale(name: string): number | undefined {
  if (/(_|\b)(ms|msec|millis(econds)?)$/i.test(name)) return 1e-3;
  if (/(_|\b)(us|usec|micros(econds)?)$/i.test(name)) return 1e-6;
  if (/(_|\b)(min|minutes)$/i.test(name)) return 60;
  return undefined;
}

/** The rate and the times of a find. */
async function clockOf(build: MatBuild, { time, rate }: Find): Promise<{
  rate: number | null;
  start: number;
  time?: (recording: string) => Recording["time"];
}> {
  if (!time) return { rate: rate ?? null, start: 0 };
  const { warnings } = build.dataset;
  const [name, node] = time;
  const values = await vectorValues(build, node);
  if (!values) {
    return {
      rate: rate ?? null,
      start: 0,
      time: (recording) => timeAxis(build, recording, node, undefined, timeScale(name) ?? 1),
    };
  }
  const survey = surveyTime(values);
  let scale = timeScale(name);
  const seen = survey.rate;
  const stated = rate;
  if (seen !== null && stated !== undefined) {
    const near = (a: number, b: number) => Math.abs(a - b) <= 0.01 * b;
    scale ??= [1, 1e-3, 1e-6, 60].find((s) => near(seen / s, stated));
    if (!near(seen / (scale ?? 1), stated)) {
      warnings.push(
        `${name} steps at ${seen / (scale ?? 1)} a second, the rate in the file is ${rate} Hz: ` +
          "the times are kept, the rate is that of the times",
      );
      rate = undefined;
    }
  } else if (!survey.ascending) {
    warnings.push(`the times ${name} do not ascend: they are kept as they are`);
  }
  const own = scale ?? 1;
  return {
    rate: (survey.rate === null ? null : rate) ?? (seen === null ? null : seen / own),
    start: Number.isFinite(values[0]) ? values[0] * own : 0,
    time: (recording) => timeAxis(build, recording, node, values, own),
  };
}
