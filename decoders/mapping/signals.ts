/** Which arrays are signals: candidates with a score and the reasons for it. */
import type { Attributes } from "../../src/model/dataset.ts";
import {
  findNames,
  findRate,
  findScale,
  findUnits,
  findUnitsBeside,
  type Found,
  isMeasured,
  type Neighbours,
  unitInName,
} from "./evidence.ts";
import {
  fittedUnit,
  isTimeName,
  type TimeIndex,
  timeMatch,
  type TimeVector,
} from "./time-vectors.ts";
import { groupOf, nameOf, sizeOf, type Variable } from "./variables.ts";

/** From this score on an array is taken for a signal. */
export const SIGNAL_SCORE = 60;

const SIGNAL =
  /(?:^|[^a-z])(?:signals?|data|val|raw|traces?|waveforms?|waves?|ecg|ekg|eeg|emg|eog|egg|eng|lfp|mua|ieeg|ecog|ppg|bvp|gsr|eda|resp(?:iration)?|pressure|volt(?:age|s)?|current|potential|neural|recordings?|analog|adc|samples|series|force|flow|temp(?:erature)?|hr|heart_?rate|bp|abp|lvp|vm|im|membrane|fluorescence|dff|sweeps?|channels?|ch\d+|chan\d*|ad\d+|fp\d+|wb\d+|spkc\d+|timeseries|values|y|v|i)(?:$|[^a-z])/i;
const OTHER =
  /(?:^|[^a-z])(?:spikes?|events?|markers?|triggers?|idx|index|indices|ids?|labels?|electrodes?|positions?|coordinates?|coords?|xyz|locations?|thresholds?|map(?:ping)?|frame_?nos?|frames?|freqs?|frequenc(?:y|ies)|lat(?:itude)?|lon(?:gitude)?|bins?|edges|mask|hist(?:ogram)?|weights?|templates?|units?|clusters?|trials?|spectr(?:um|a|ogram)|psd|power)(?:$|[^a-z])/i;

/** An array that may be a signal. */
export interface Candidate {
  variable: Variable;
  timeAxis: number;
  channelAxis: number | null;
  time?: TimeVector;
  rate?: Found<number>;
  names?: Found<string[]>;
  units: string[];
  gain: number;
  offset: number;
  score: number;
  why: string[];
}

/** Names that stand for signals even where nothing tells their rate. */
const CLEAR_SIGNAL =
  /^(?:[lr]_?)?(?:raw_?)?(?:signals?|val|traces?|waveforms?|recordings?|ecg|ekg|eeg|emg|eog|egg|eng|lfp|ieeg|ecog|ppg|voltages?|membrane_?potential|neural)(?:_?(?:data|raw|signals?|traces?|filt(?:ered)?|mv|uv|v|\d+))*$/i;
/** Channels that names are looked for. */
const MOST_NAMED = 4096;
/** Channels of one array. */
const MOST_CHANNELS = 65_536;

/**
 * What an array speaks for as a signal; null for arrays that cannot be one at all. `named`: all arrays that
 * are called times, clocks or not.
 */
export async function judge(
  variable: Variable,
  times: TimeIndex,
  groups: Map<string, Attributes>,
  neighbours: Neighbours,
  named: readonly Variable[] = [],
): Promise<Candidate | null> {
  const { shape, dtype, path, streamable, attributes } = variable;
  const long = shape.flatMap((n, i) => (n > 1 ? [i] : []));
  if (!streamable || !/^(?:u?int|float)/.test(dtype) || long.length === 0 || long.length > 2) {
    return null;
  }
  if (isTimeName(nameOf(path)) && long.length === 1) return null;
  const why: string[] = [];
  let score = 0;
  const add = (points: number, reason: string) => {
    score += points;
    why.push(`${points > 0 ? "+" : ""}${points} ${reason}`);
  };

  let time: TimeVector | undefined, timeAxis = -1, best = 0;
  for (const vector of times.near(variable)) {
    const match = timeMatch(vector, variable);
    if (match.score > best && long.includes(match.axis)) {
      [time, timeAxis, best] = [vector, match.axis, match.score];
    }
  }
  if (time) add(best, `${time.variable.path} holds a time for each of its samples`);
  const rate = await findRate(variable, groups, neighbours);
  if (rate) {
    const points = rate.distance === 0 ? 45 : rate.distance === 1 ? 40 : 30;
    add(time ? 10 : points, `${rate.value} Hz by ${rate.where}`);
    if (time) time = fittedUnit(time, rate.value);
  }
  if (!time && !rate) {
    // Times that are no clock speak against making one up.
    const timed = named.some((v) => shape.includes(sizeOf(v.shape)));
    if (timed) return null;
    if (CLEAR_SIGNAL.test(nameOf(path))) add(30, "its name alone says that it is a signal");
    else {
      // Names for its channels and a name of signals together speak for one, too.
      const [a, b] = long;
      const named = b !== undefined && SIGNAL.test(nameOf(path)) &&
        await namedAxis(variable, a, b, neighbours, groups) !== undefined;
      if (!named) return null;
      add(15, "its channels have names");
    }
  }
  const square = time !== undefined && long.length === 2 && shape[long[0]] === shape[long[1]];
  if (timeAxis < 0 || square) {
    const [a, b] = long;
    // As many names as an axis is long: that axis is the channels.
    const labelled = b === undefined
      ? undefined
      : await namedAxis(variable, a, b, neighbours, groups);
    timeAxis = labelled !== undefined
      ? (labelled === a ? b : a)
      : square
      ? timeAxis
      : b === undefined || shape[a] >= shape[b]
      ? a
      : b;
    const other = long.find((axis) => axis !== timeAxis);
    if (
      !square && other !== undefined && labelled === undefined && shape[timeAxis] < 2 * shape[other]
    ) {
      add(-20, "neither axis is much longer than the other");
    }
  }
  const other = long.find((axis) => axis !== timeAxis);
  const channelAxis = other ?? null;
  const count = other === undefined ? 1 : shape[other];
  if (count > MOST_CHANNELS) return null;

  const samples = shape[timeAxis];
  add(
    samples >= 1000 ? 10 : samples >= 100 ? 5 : samples >= 32 ? 0 : time ? -5 : -20,
    `${samples} samples`,
  );
  if (dtype.startsWith("float") || dtype === "int16") add(5, `stored as ${dtype}`);
  if (dtype === "uint8" || dtype.endsWith("64") && dtype.includes("int")) {
    add(-10, `stored as ${dtype}`);
  }
  const name = nameOf(path);
  if (OTHER.test(name)) add(-40, "its name speaks of something else");
  else if (SIGNAL.test(name)) add(20, "its name speaks of a signal");
  const names = count > 1 ? await findNames(variable, count, neighbours, groups) : undefined;
  if (names) add(20, `${count} channel names by ${names.where}`);
  const own = findUnits(attributes, count);
  const inNames = (names?.value ?? (count === 1 ? [name] : [])).map(unitInName);
  const units = own.some((u) => u !== "")
    ? own
    : inNames.some((u) => u !== "")
    ? inNames
    : await findUnitsBeside(variable, count, neighbours, groups);
  const measured = units.find(isMeasured);
  if (measured) add(10, `in ${measured}`);
  const axis = channelAxis === null ? "" : variable.axes?.[channelAxis] ?? "";
  if (axis !== "" && !/chan|elec|signal|lead|sensor|roi|cell|unit/i.test(axis)) {
    add(-40, `its other axis is ${axis}`);
  }
  const { gain, offset, why: scaled } = findScale(variable);
  if (scaled) why.push(scaled);
  return {
    variable,
    timeAxis,
    channelAxis,
    ...(time ? { time } : {}),
    ...(rate ? { rate } : {}),
    ...(names ? { names } : {}),
    units,
    gain,
    offset,
    score,
    why,
  };
}

/** Which of two axes is as long as there are channel names; undefined when none or both are. */
async function namedAxis(
  variable: Variable,
  a: number,
  b: number,
  neighbours: Neighbours,
  groups: Map<string, Attributes>,
): Promise<number | undefined> {
  const { shape } = variable;
  if (shape[a] === shape[b]) {
    // The rows of a square matrix are its channels where there are names for them.
    return await findNames(variable, shape[a], neighbours, groups) ? a : undefined;
  }
  const of = async (axis: number) =>
    shape[axis] <= MOST_NAMED && await findNames(variable, shape[axis], neighbours, groups);
  const [first, second] = [await of(a), await of(b)];
  return first && !second ? a : second && !first ? b : undefined;
}

/** What keeps two one-channel arrays from being channels of one recording. */
export function kinKey(c: Candidate): string {
  const { variable, timeAxis, time, rate } = c;
  return JSON.stringify([
    groupOf(variable.path),
    variable.dtype,
    sizeOf(variable.shape),
    variable.shape.length,
    timeAxis,
    time?.variable.path ?? "",
    rate?.value ?? "",
  ]);
}
