/** Finds the recordings in a container whose format says nothing of time series. */
import { timeFactor } from "../tables/csv-units.ts";
import { findEvoked } from "./evoked.ts";
import { findColumnTimes } from "./column-times.ts";
import { type Choice, explanation } from "./explain.ts";
import { findFirstTime, findStart, type Neighbours, readMoment, textsIn } from "./evidence.ts";
import { type Candidate, judge, kinKey, SIGNAL_SCORE } from "./signals.ts";
import { findSweeps } from "./sweeps.ts";
import { findTimestamped } from "./timestamped.ts";
import { isTimeName, readTimeVector, TimeIndex, type TimeVector } from "./time-vectors.ts";
import {
  groupOf,
  type MappedRecording,
  type Mapping,
  nameOf,
  sizeOf,
  type VariableTree,
} from "./variables.ts";

/** Arrays of up to so many elements are asked for their values. */
const SMALL = 4096;

/**
 * The recordings of a tree, or null when nothing speaks clearly for any.
 *
 * Known shapes come first (groups named by moments, trials of evoked potentials), then single arrays, each
 * judged by what says how fast it was sampled, its name, its size and its units. Whatever is chosen is
 * explained, with the arrays that came near. With `layout` only that shape counts.
 */
export async function findRecordings(
  tree: VariableTree,
  layout?: KnownShape,
): Promise<Mapping | null> {
  const { variables, groups } = tree;
  const neighbours: Neighbours = new Map();
  for (const variable of variables) {
    if (sizeOf(variable.shape) > SMALL) continue;
    const group = groupOf(variable.path);
    const list = neighbours.get(group);
    if (list) list.push(variable);
    else neighbours.set(group, [variable]);
  }
  const startTime = findStart(groups.get("") ?? {});
  const known = layout === "evoked" ? null : await findTimestamped(variables, groups, neighbours);
  if (known) {
    return finish(known.recordings, "groups named by moments", known.startTime, [], known.warnings);
  }
  const evoked = layout === "timestamped" ? [] : await findEvoked(variables, groups, neighbours);
  if (evoked.length) {
    return { ...finish(evoked, "trials of evoked potentials", startTime, []), layout: "evoked" };
  }
  return layout === undefined ? await byScore(tree, neighbours, startTime) : null;
}

/** Shapes of HDF5 files that descriptors may name. */
export type KnownShape = "timestamped" | "evoked";

async function byScore(
  tree: VariableTree,
  neighbours: Neighbours,
  startTime: string | undefined,
): Promise<Mapping | null> {
  const { variables, groups } = tree;
  const vectors: TimeVector[] = [];
  // An axis of another array that is in units of time needs no name for it.
  const axes = new Set(variables.flatMap((v) => v.axes ?? []));
  for (const variable of variables) {
    const units = textsIn(variable.attributes.units ?? variable.attributes.unit)?.[0] ?? "";
    const isAxis = axes.has(variable.path) &&
      timeFactor(units.replace(/\s+since\s.*$/i, "")) !== null;
    const vector = await readTimeVector(variable, isAxis ? {} : undefined);
    if (vector) vectors.push(vector);
  }
  const named = variables.filter((v) => isTimeName(nameOf(v.path)));
  const columns = await findColumnTimes(variables, groups, neighbours);
  vectors.push(...columns);
  const times = new TimeIndex(vectors);
  // Numbered cells are a thing of MATLAB's.
  const sweeps = tree.firstNumber === 1
    ? await findSweeps(variables, times, groups, neighbours)
    : [];
  const inSweeps = new Set(sweeps.flatMap((r) => r.signals.map((s) => s.variable.path)));
  const clocks = new Set(vectors.flatMap((v) => v.column ? [] : v.variable.path));
  const candidates: Candidate[] = [];
  for (const variable of variables) {
    if (inSweeps.has(variable.path) || clocks.has(variable.path)) continue;
    const candidate = await judge(variable, times, groups, neighbours, named);
    if (candidate) candidates.push(candidate);
  }
  candidates.sort((a, b) => b.score - a.score);
  const chosen = candidates.filter((c) => c.score >= SIGNAL_SCORE);
  const rivals = candidates.filter((c) => c.score < SIGNAL_SCORE);
  if (chosen.length === 0 && sweeps.length === 0) {
    if (rivals.length) tree.unmapped = explanation([], rivals.map(rivalOf));
    return null;
  }
  // One-channel arrays of one clock are channels of one recording; a matrix is one of its own.
  const kin = Map.groupBy(
    chosen,
    (c) => (c.channelAxis === null ? kinKey(c) : c.variable.path),
  );
  const order = new Map(variables.map((v, i) => [v.path, i]));
  const warnings = sweeps.map((r) =>
    `${r.name}: nothing says when each of its ${r.segments.length} sweeps began: they are laid one after ` +
    "the other"
  );
  const recordings = [...kin.values()].map((group) => {
    group.sort((a, b) => order.get(a.variable.path)! - order.get(b.variable.path)!);
    return recording(group, tree.firstNumber ?? 0, warnings);
  });
  recordings.push(...sweeps);
  recordings.sort((a, b) =>
    order.get(a.signals[0].variable.path)! - order.get(b.signals[0].variable.path)!
  );
  const since = chosen.map((c) => c.time?.since).find((s) => s !== undefined);
  const moment = since === undefined ? undefined : readMoment(since.replace(/\s+UTC$/i, "Z"));
  const epoch = chosen.map((c) => c.time).find((t) => t && isEpoch(t));
  const begin = startTime ?? moment?.iso ??
    (epoch && new Date(Number(epoch.first) * epoch.secondsPerUnit * 1000).toISOString());
  return finish(recordings, "names, attributes and sizes", begin, rivals, warnings);
}

/** Seconds from which on times without an origin are taken to count from 1970: years after it. */
const EPOCH_SECONDS = 5e8;

/** True for times of the calendar: they are stored from the first one on. */
export function isEpoch({ first, secondsPerUnit, since }: TimeVector): boolean {
  const seconds = Number(first) * secondsPerUnit;
  return since === undefined && seconds > EPOCH_SECONDS && seconds < 8e9;
}

function recording(group: Candidate[], number: number, warnings: string[]): MappedRecording {
  const [first] = group;
  const { variable, timeAxis, time, rate } = first;
  const sampleCount = variable.shape[timeAxis];
  const path = variable.path;
  let firstChannel = 0;
  const signals = group.map((c) => {
    const count = c.channelAxis === null ? 1 : c.variable.shape[c.channelAxis];
    const name = nameOf(c.variable.path);
    const names = c.names?.value ??
      (count === 1 ? [name] : Array.from({ length: count }, (_, i) => `${name}_${i + number}`));
    const signal = {
      variable: c.variable,
      channelAxis: c.channelAxis,
      timeAxis: c.timeAxis,
      names,
      units: c.units,
      gain: c.gain,
      offset: c.offset,
      firstChannel,
      startSample: 0,
    };
    firstChannel += count;
    return signal;
  });
  const name = group.length === 1 ? path.replaceAll("/", "_") : groupOf(path).replaceAll("/", "_");
  const measured = time?.step?.rateHz;
  if (time?.assumed) {
    warnings.push(`${time.variable.path} states no unit: its values are taken for seconds`);
  }
  if (rate && measured && Math.abs(measured / rate.value - 1) > 1e-3) {
    warnings.push(
      `${path}: ${rate.value} Hz by ${rate.where}, but the times of ${
        time!.variable.path
      } step by ` +
        `${1 / measured} s; the times are kept, the rate is theirs`,
    );
  }
  const clocked = time !== undefined || rate !== undefined;
  const contradicted = rate && measured && Math.abs(measured / rate.value - 1) > 1e-3;
  const startSeconds = time
    ? (isEpoch(time) ? 0 : Number(time.first) * time.secondsPerUnit)
    : rate
    ? findFirstTime(variable.attributes) ?? 0
    : 0;
  return {
    name: name || "signals",
    signals,
    channelCount: firstChannel,
    sampleCount,
    samplingFrequency: (contradicted ? measured : rate?.value ?? measured) ?? null,
    segments: [{ startIndex: 0, length: sampleCount, startSeconds }],
    ...(time
      ? {
        time: {
          variable: time.variable,
          secondsPerUnit: time.secondsPerUnit,
          zero: isEpoch(time) ? time.first : 0,
          ...(time.column ? { column: time.column } : {}),
        },
      }
      : {}),
    timeGenerated: !clocked,
    attributes: {},
    score: Math.max(...group.map((c) => c.score)),
    why: first.why,
  };
}

function rivalOf({ variable, score, why }: Candidate): Choice {
  return { what: `signal ${variable.path}`, score, needed: SIGNAL_SCORE, why };
}

/** The first of some names. */
function listed(names: string[]): string {
  return names.slice(0, 8).join(", ") + (names.length > 8 ? `, ... (${names.length})` : "");
}

/** A mapping with its explanation. */
export function finish(
  recordings: MappedRecording[],
  method: string,
  startTime: string | undefined,
  rivals: Candidate[],
  warnings: string[] = [],
): Mapping {
  const used = new Set(recordings.flatMap((r) => [
    ...r.signals.map((s) => s.variable.path),
    ...(r.time ? [r.time.variable.path] : []),
  ]));
  const chosen = recordings.map((r): Choice => ({
    what: `recording ${r.name}: ${listed(r.signals.map((s) => s.variable.path))}`,
    score: r.score,
    why: r.why,
    more: {
      signals: r.signals.slice(0, 64).map((s) => s.variable.path),
      time: r.time?.variable.path ?? (r.timeGenerated ? "none: sample index" : "sampling rate"),
      sampling_frequency: r.samplingFrequency,
    },
  }));
  return {
    recordings,
    used,
    ...(startTime === undefined ? {} : { startTime }),
    warnings: [...new Set(warnings)],
    explanation: explanation(chosen, rivals.map(rivalOf), { method }),
  };
}
