/** Arrays that hold the time of samples, and what their values mean in seconds. */
import { type EvenStep, evenStep } from "../tables/csv-rate.ts";
import { timeFactor } from "../tables/csv-units.ts";
import { textsIn } from "./evidence.ts";
import { groupOf, nameOf, sizeOf, type Variable } from "./variables.ts";

const TIME =
  /^(?:time|times|t|ts|tt|timestamps?|tvec|tvector|time_?(?:vector|vec|axis|base|points?|stamps?|s|sec|secs|seconds|ms|us|data|series)|seconds|secs?|timebase|xtime|elapsed(?:_?time)?)(?:[ _]*[([]?(s|sec|seconds|ms|us|min)[)\]]?)?$/i;

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
  /** Moment that value 0 stands for ("seconds since ..."), as the file writes it. */
  since?: string;
}

/** True when a name says that an array holds times. */
export function isTimeName(name: string): boolean {
  return TIME.test(name.trim());
}

/** The vector of times a variable is, or undefined when it is none. */
export async function readTimeVector(variable: Variable): Promise<TimeVector | undefined> {
  const { shape, dtype, attributes, path } = variable;
  const length = sizeOf(shape);
  const vector = shape.filter((n) => n !== 1).length <= 1;
  const match = TIME.exec(nameOf(path).trim());
  if (!vector || length < 2 || !match || !/^(?:u?int|float)/.test(dtype)) return undefined;
  const stated = textsIn(attributes.units ?? attributes.unit)?.[0]?.trim();
  const since = stated && /^(.*?)\s+since\s+(.*)$/i.exec(stated);
  const suffix = match[1] ?? /_?(s|sec|seconds|ms|us)$/.exec(nameOf(path).toLowerCase())?.[1];
  const unit = (since ? since[1] : stated) || (/[_(\s[]/.test(nameOf(path)) ? suffix : "") || "";
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
  const step = evenStep(seconds, { seconds: integer + epsilon * largest });
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

function numbers(values: ArrayLike<number | bigint>): Float64Array {
  return Float64Array.from({ length: values.length }, (_, i) => Number(values[i]));
}

/** How well a vector of times goes with an array: 0 when it does not. */
export function timeMatch(vector: TimeVector, variable: Variable): { axis: number; score: number } {
  const none = { axis: -1, score: 0 };
  const { shape, axes } = variable;
  const { path } = vector.variable;
  const named = axes?.findIndex((axis) => axis === path) ?? -1;
  if (named >= 0 && shape[named] === vector.length) return { axis: named, score: 60 };
  const fitting = shape.flatMap((n, i) => (n === vector.length ? [i] : []));
  if (fitting.length === 0 || vector.length < 2) return none;
  // Of two axes that fit, the first is the time as most programs write it.
  const [axis] = fitting;
  const own = groupOf(variable.path), its = groupOf(path);
  if (own === its) return { axis, score: fitting.length > 1 ? 40 : 50 };
  if (its === "" || own.startsWith(`${its}/`)) return { axis, score: fitting.length > 1 ? 25 : 35 };
  return none;
}
