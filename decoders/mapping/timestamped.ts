/**
 * Groups named by the moment they were recorded at, each with the same arrays: one recording an array name,
 * one segment a group. The shape of SPARC datasets 349 and 380 (`subject/ISO time/{ecg, hr, neural}`).
 */
import type { Attributes } from "../../src/model/dataset.ts";
import type { Segment } from "../../src/model/layout.ts";
import {
  findNames,
  findRate,
  findScale,
  findUnits,
  type Moment,
  type Neighbours,
  readMoment,
  secondsBetween,
} from "./evidence.ts";
import { groupOf, type MappedRecording, nameOf, type Variable } from "./variables.ts";

/**
 * Rates and units of datasets whose files do not state them, from the published description of the datasets
 * (SPARC 349 and 380). They are believed only when the lengths of the arrays bear them out.
 */
const DESCRIBED: Record<string, { rateHz: number; units: string; label: string }> = {
  ecg: { rateHz: 1000, units: "mV", label: "ECG" },
  hr: { rateHz: 500, units: "bpm", label: "HR" },
  neural: { rateHz: 30_000, units: "uV", label: "NEURAL" },
};

/** How far the lengths of one group's arrays may be apart, as a share. */
const TOLERANCE = 0.01;

/** The reason of a rate that is not in the file. */
const PUBLISHED = "the rate as published for this kind of file";

interface Take {
  moment: Moment;
  group: string;
  arrays: Map<string, Variable>;
}

/** What was found in groups named by moments. */
export interface Timestamped {
  recordings: MappedRecording[];
  startTime: string;
  warnings: string[];
}

/** Recordings of such groups; null when there are none. */
export async function findTimestamped(
  variables: Variable[],
  groups: Map<string, Attributes>,
  neighbours: Neighbours,
): Promise<Timestamped | null> {
  const byParent = new Map<string, Map<string, Take>>();
  for (const variable of variables) {
    const group = groupOf(variable.path);
    const moment = readMoment(nameOf(group));
    if (!moment || !isSeries(variable)) continue;
    const parent = groupOf(group);
    let takes = byParent.get(parent);
    if (!takes) byParent.set(parent, takes = new Map());
    let take = takes.get(group);
    if (!take) takes.set(group, take = { moment, group, arrays: new Map() });
    take.arrays.set(nameOf(variable.path), variable);
  }
  if (byParent.size === 0) return null;
  const all = [...byParent].map(([parent, takes]) => ({
    parent,
    takes: sorted([...takes.values()]),
  }));
  const [start] = sorted(all.flatMap((p) => p.takes));
  const recordings: MappedRecording[] = [];
  const warnings: string[] = [];
  for (const { parent, takes } of all) {
    const described = isDescribed(takes);
    const names = [...new Set(takes.flatMap((t) => [...t.arrays.keys()]))];
    for (const name of names) {
      const label = all.length > 1 ? `${nameOf(parent)}_${name}` : name;
      const found = await recordingOf(
        name,
        label,
        takes,
        start.moment,
        described,
        groups,
        neighbours,
      );
      if (found) recordings.push(found);
    }
    if (described && recordings.some((r) => r.why.includes(PUBLISHED))) {
      warnings.push(
        `${
          parent || "the file"
        } states no sampling rates or units: those of the published description of ` +
          "SPARC datasets 349 and 380 are used (ecg 1000 Hz, hr 500 Hz, neural 30000 Hz), which the " +
          "lengths of the arrays bear out",
      );
    }
  }
  return recordings.length ? { recordings, startTime: start.moment.iso, warnings } : null;
}

function sorted(takes: Take[]): Take[] {
  return takes.sort((a, b) =>
    a.moment.seconds - b.moment.seconds || a.moment.fraction - b.moment.fraction
  );
}

function isSeries({ shape, dtype, streamable }: Variable): boolean {
  return streamable && /^(?:u?int|float)/.test(dtype) && shape.length >= 1 && shape.length <= 2 &&
    Math.max(...shape) >= 2;
}

/** True when every group has arrays of these names only, in lengths that fit their rates. */
function isDescribed(takes: Take[]): boolean {
  return takes.every(({ arrays }) => {
    const seconds = [...arrays].map(([name, v]) =>
      Object.hasOwn(DESCRIBED, name) ? v.shape[0] / DESCRIBED[name].rateHz : NaN
    );
    const longest = Math.max(...seconds);
    return seconds.length >= 2 &&
      seconds.every((s) => Math.abs(s - longest) <= TOLERANCE * longest);
  });
}

async function recordingOf(
  name: string,
  label: string,
  takes: Take[],
  start: Moment,
  described: boolean,
  groups: Map<string, Attributes>,
  neighbours: Neighbours,
): Promise<MappedRecording | null> {
  const having = takes.filter((t) => t.arrays.has(name));
  const [first] = having.map((t) => t.arrays.get(name)!);
  const fixed = described ? DESCRIBED[name] : undefined;
  // The axis of the samples is the first of two, unless only the second changes from group to group.
  const rank = first.shape.length;
  const varies = (axis: number) =>
    having.some((t) => t.arrays.get(name)!.shape[axis] !== first.shape[axis]);
  const timeAxis = rank === 2 && (varies(1) || (!varies(0) && first.shape[1] > 4 * first.shape[0]))
    ? 1
    : 0;
  const channelAxis = rank === 2 ? 1 - timeAxis : null;
  const count = channelAxis === null ? 1 : first.shape[channelAxis];
  const alike = having.filter((t) => {
    const v = t.arrays.get(name)!;
    return v.shape.length === rank && v.dtype === first.dtype &&
      (channelAxis === null || v.shape[channelAxis] === count);
  });
  if (count > 1024 || alike.length !== having.length) return null;

  const stated = await findRate(first, groups, neighbours);
  const rate = stated?.value ?? fixed?.rateHz ?? null;
  const names = (await findNames(first, count, neighbours, groups))?.value ??
    Array.from({ length: count }, (_, i) => {
      const text = fixed?.label ?? name;
      return count === 1 ? text : fixed ? `${text}${i + 1}` : `${text}_${i + 1}`;
    });
  const own = findUnits(first.attributes, count);
  const units = own.some((u) => u !== "") || !fixed ? own : own.map(() => fixed.units);
  const { gain, offset } = findScale(first);
  const segments: Segment[] = [];
  const signals: MappedRecording["signals"] = [];
  let index = 0;
  for (const take of alike) {
    const variable = take.arrays.get(name)!;
    const length = variable.shape[timeAxis];
    const startSeconds = rate === null ? index : secondsBetween(start, take.moment);
    segments.push({ startIndex: index, length, startSeconds });
    const place = { firstChannel: 0, startSample: index };
    signals.push({ variable, channelAxis, timeAxis, names, units, gain, offset, ...place });
    index += length;
  }
  const why = [`${alike.length} groups are named by the moment they were recorded at`];
  if (stated) why.push(`${stated.value} Hz by ${stated.where}`);
  else if (fixed) why.push(PUBLISHED);
  return {
    name: label,
    signals,
    channelCount: count,
    sampleCount: index,
    samplingFrequency: rate,
    segments: rate === null ? [{ startIndex: 0, length: index, startSeconds: 0 }] : segments,
    timeGenerated: rate === null,
    attributes: {
      segment_groups: alike.map((t) => t.group),
      segment_starts: alike.map((t) => t.moment.iso),
    },
    score: 100,
    why,
  };
}
