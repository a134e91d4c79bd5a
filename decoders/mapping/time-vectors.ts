/** Arrays that hold the time of samples, and what their values mean in seconds. */
import { dtypeOf, type NumericArray } from "../../src/model/dtype.ts";
import { type EvenStep, evenStep } from "../tables/csv-rate.ts";
import { timeFactor } from "../tables/csv-units.ts";
import { textsIn } from "./evidence.ts";
import { groupOf, groupsAround, nameOf, sizeOf, type Variable } from "./variables.ts";

const TIME =
  /^(?:time|times|t|ts|tt|timestamps?|tvec|tvector|time_?(?:vector|vec|axis|base|points?|stamps?|s|sec|secs|seconds|ms|us|data|series)|seconds|secs?|timebase|xtime|elapsed(?:_?time)?)(?:[ _]*[([]?(s|sec|seconds|ms|us|min)[)\]]?)?$/i;

/** "timePlot05", "t_sim", "ecgTime": names that have time in them and do not speak of events or durations. */
const TIMELY =
  /^(?:t_?(?:sim|vec|axis|ax|plot|\d+)|tm|[a-z0-9]+_t|t_[a-z0-9]+|.*time(?:[ _.]?(?:plot|vec|axis|stamps?|base|s)?[ _]?\d*)?|time.*)$/i;
const NO_CLOCK =
  /spike|event|stim|trig|onset|offset|trial|rise|decay|fall|react|respon|constant|tau|date|peak|delay|latenc|durat|interval|isi|start|stop|end|begin|zone|out|unit|label|name|session|file|run/i;

/** Values looked at to tell whether times step evenly. */
const LOOKED_AT = 4096;

/** A vector of times. */
export interface TimeVector {
  variable: Variable;
  length: number;
  secondsPerUnit: number;
  /** Unit as found, and whether it was stated. */
  unit: string;
  assumed: boolean;
  /** First value, in its own unit. */
  first: number | bigint;
  /** The even step of the values looked at, when they have one. */
  step?: EvenStep;
  /** The column of a matrix that it is. */
  column?: { axis: number; index: number; values: NumericArray };
  /** Moment that value 0 stands for ("seconds since ..."), as the file writes it. */
  since?: string;
}

/** True when a name says that an array holds times. */
export function isTimeName(name: string): boolean {
  const text = name.trim();
  return TIME.test(text) || (TIMELY.test(text) && !NO_CLOCK.test(text));
}

/** The unit at the end of a name: "time_ms", "t (us)", "timeMs". */
function unitInName(name: string): string {
  return /(?:[_(\s[]|(?<=[a-z])(?=[MUN]s))(s|sec|secs|seconds|ms|msec|us|usec|ns|min|h)[)\]]?$/i
    .exec(name)?.[1].toLowerCase() ?? "";
}

/** The vector of times a variable is, or undefined when it is none. */
export async function readTimeVector(
  variable: Variable,
  stated?: { unit?: string },
): Promise<TimeVector | undefined> {
  const { shape, dtype, attributes, path } = variable;
  const length = sizeOf(shape);
  const vector = shape.filter((n) => n !== 1).length <= 1;
  const named = stated !== undefined || isTimeName(nameOf(path));
  if (!vector || length < 2 || !named || !/^(?:u?int|float)/.test(dtype)) return undefined;
  const written = textsIn(attributes.units ?? attributes.unit)?.[0]?.trim();
  const since = written && /^(.*?)\s+since\s+(.*)$/i.exec(written);
  const unit = stated?.unit || (since ? since[1] : written) || unitInName(nameOf(path).trim());
  const factor = unit === "" ? { multiply: 1, divide: 1 } : timeFactor(unit);
  if (!factor) return undefined;
  const stored = await variable.slice(0, Math.min(LOOKED_AT, length));
  const head = numbers(stored);
  const [last] = numbers(await variable.slice(length - 1, 1));
  for (let i = 1; i < head.length; i++) if (!(head[i] >= head[i - 1])) return undefined;
  if (!Number.isFinite(head[0]) || !(last >= head[head.length - 1]) || !(last > head[0])) {
    return undefined;
  }
  const seconds = head.map((v) => v * factor.multiply / factor.divide);
  const epsilon = dtype === "float32" ? 2 ** -23 : dtype === "float64" ? 2 ** -52 : 0;
  const largest = Math.abs(seconds[seconds.length - 1]);
  const integer = dtype.includes("int") ? factor.multiply / factor.divide : 0;
  const rounding = { seconds: integer + epsilon * largest };
  const step = evenStep(seconds, rounding) ?? roundedStep(seconds, rounding.seconds);
  // The step must reach to the end too: a pause shows there.
  const end = last * factor.multiply / factor.divide;
  const expected = step && seconds[0] + (length - 1) * step.stepSeconds;
  const slack = step &&
    2 * step.toleranceSeconds + length * step.uncertaintySeconds + epsilon * Math.abs(end) * 4 +
      integer;
  return {
    variable,
    length,
    secondsPerUnit: factor.multiply / factor.divide,
    unit: unit || "s",
    assumed: unit === "",
    first: stored[0],
    ...(step && Math.abs(end - expected!) <= Math.max(slack!, step.stepSeconds / 2)
      ? { step }
      : {}),
    ...(since ? { since: since[2] } : {}),
  };
}

/** The even step of times that were rounded to decimals before they were stored. */
function roundedStep(seconds: Float64Array, slack: number): EvenStep | undefined {
  for (let digits = 1; digits <= 7; digits++) {
    const unit = 10 ** -digits;
    const fits = seconds.every((v) => Math.abs(v - Math.round(v / unit) * unit) <= slack * 4);
    if (fits) return evenStep(seconds, { seconds: unit }) ?? undefined;
  }
  return undefined;
}

/** Samples per second of times in seconds, when they step evenly; null when they do not. */
export function rateOfTimes(seconds: Float64Array): number | null {
  if (seconds.length < 3 || !seconds.every(Number.isFinite)) return null;
  const slack = 2 ** -52 * Math.abs(seconds[seconds.length - 1]);
  return (evenStep(seconds, { seconds: slack }) ?? roundedStep(seconds, slack))?.rateHz ?? null;
}

/**
 * The same times in the unit under which they step at a stated rate, where they state no unit themselves:
 * 0, 1, 2 ... at 1000 Hz are milliseconds.
 */
export function fittedUnit(vector: TimeVector, rateHz: number): TimeVector {
  const { step, assumed, secondsPerUnit } = vector;
  if (!assumed || !step) return vector;
  const units: [string, number][] = [["s", 1], ["ms", 1e-3], ["us", 1e-6], ["ns", 1e-9], [
    "min",
    60,
  ]];
  const fitting = units.find(([, scale]) => Math.abs(step.rateHz / scale / rateHz - 1) <= 0.01);
  if (!fitting || fitting[1] === 1) return vector;
  const [unit, scale] = fitting;
  const scaled = {
    ...step,
    stepSeconds: step.stepSeconds * scale,
    rateHz: step.rateHz / scale,
    toleranceSeconds: step.toleranceSeconds * scale,
    uncertaintySeconds: step.uncertaintySeconds * scale,
  };
  return { ...vector, unit, secondsPerUnit: secondsPerUnit * scale, step: scaled, assumed: false };
}

/** How much the names of times and of an array have in common: the same digits, a part of the name. */
export function likeness(time: string, name: string): number {
  const digits = (text: string) => text.match(/\d+/g)?.join() ?? "";
  const parts = (text: string) => text.toLowerCase().split(/time|plot|[_\d]+|^t/).filter(Boolean);
  const shared = parts(time).some((p) => name.toLowerCase().includes(p));
  const numbered = digits(time) !== "" && digits(time) === digits(name);
  return (numbered ? 10 : digits(time) !== digits(name) ? -5 : 0) + (shared ? 5 : 0);
}

/** Times in seconds since the value that is second 0. */
export function secondsOf(
  values: NumericArray,
  secondsPerUnit: number,
  zero: number | bigint,
): Float64Array {
  const scale = Math.round(1 / secondsPerUnit);
  // Dividing by a whole number of units a second rounds once; multiplying by 0.001 would twice.
  const whole = scale > 0 && Math.abs(scale * secondsPerUnit - 1) < 1e-9;
  const big = dtypeOf(values).endsWith("64") && dtypeOf(values).includes("int");
  return Float64Array.from({ length: values.length }, (_, i) => {
    const value = big
      ? Number((values as BigInt64Array)[i] - BigInt(zero))
      : Number(values[i]) - Number(zero);
    return whole ? value / scale : value * secondsPerUnit;
  });
}

function numbers(values: ArrayLike<number | bigint>): Float64Array {
  return Float64Array.from({ length: values.length }, (_, i) => Number(values[i]));
}

/** Vectors of times by the group they are in, so that an array is compared with those that may be its own. */
export class TimeIndex {
  readonly #byGroup: Map<string, TimeVector[]>;
  readonly #byPath: Map<string, TimeVector>;

  constructor(vectors: readonly TimeVector[]) {
    this.#byGroup = Map.groupBy(vectors, (v) => groupOf(v.variable.path));
    this.#byPath = new Map(vectors.map((v) => [v.variable.path, v]));
  }

  /** Those of its own group and of all around it, and those that are its axes. */
  near({ path, axes }: Variable): TimeVector[] {
    const around = groupsAround(groupOf(path)).flatMap((g) => this.#byGroup.get(g) ?? []);
    const named = (axes ?? []).flatMap((axis) => this.#byPath.get(axis) ?? []);
    return named.length ? [...new Set([...named, ...around])] : around;
  }
}

/** How well a vector of times goes with an array: 0 when it does not. */
export function timeMatch(vector: TimeVector, variable: Variable): { axis: number; score: number } {
  const none = { axis: -1, score: 0 };
  if (vector.column) {
    const own = vector.variable.path === variable.path;
    return own ? { axis: 1 - vector.column.axis, score: 60 } : none;
  }
  const { shape, axes } = variable;
  const { path } = vector.variable;
  const named = axes?.findIndex((axis) => axis === path) ?? -1;
  if (named >= 0 && shape[named] === vector.length) return { axis: named, score: 60 };
  const fitting = shape.flatMap((n, i) => (n === vector.length ? [i] : []));
  if (fitting.length === 0 || vector.length < 2) return none;
  // Of two axes that fit, the first is the time as most programs write it.
  const [axis] = fitting;
  const own = groupOf(variable.path), its = groupOf(path);
  const near = own === its, around = its === "" || own.startsWith(`${its}/`);
  if (near || around) {
    const points = (near ? 55 : 35) - (fitting.length > 1 ? (near ? 15 : 10) : 0);
    return { axis, score: points + likeness(nameOf(path), nameOf(variable.path)) };
  }
  return none;
}
