/** Whether times step evenly, as far as their printed digits can tell, and at what rate. */

/** How finely times are printed. */
export interface Resolution {
  /** One unit of the last printed digit, seconds. */
  seconds: number;
  /** Set when times are printed with so many significant digits instead of fixed decimals. */
  significantDigits?: number;
}

/** An even step. */
export interface EvenStep {
  stepSeconds: number;
  /** Samples per second: the simplest number the printed digits allow. */
  rateHz: number;
  /** How far a single step may be off because of rounding in print. */
  toleranceSeconds: number;
  /** How far the mean step itself may be off. */
  uncertaintySeconds: number;
  why: string;
}

/** Steps may differ by this share of a step: the rounding of doubles that were added up. */
const STEP_SLACK = 1e-6;
/**
 * Width of the band of rounded times in printed units: one, and a little for the line itself, which leans
 * where halves are rounded now up, now down.
 */
const ROUNDING = 1.05;
/** Largest share of a step that the mean step may be uncertain by, when steps differ in print. */
const SURE = 1e-3;

/** Size of the last printed digit of times up to `largest`. */
export function resolutionAt(resolution: Resolution, largest: number): number {
  const { seconds, significantDigits } = resolution;
  if (significantDigits === undefined || largest === 0) return seconds;
  return Math.max(seconds, 10 ** (Math.floor(Math.log10(largest)) + 1 - significantDigits));
}

/**
 * The even step of `times` (seconds, in row order), or null when steps differ by more than the
 * rounding of their printed digits, or are too few to tell.
 */
export function evenStep(times: Float64Array, resolution: Resolution): EvenStep | null {
  const n = times.length;
  if (n < 3) return null;
  const first = times[0], span = times[n - 1] - first;
  if (!(span > 0) || !Number.isFinite(span)) return null;
  const largest = Math.max(Math.abs(first), Math.abs(times[n - 1]));
  const unit = resolutionAt(resolution, largest);
  const { slope, spread } = fitLine(times);
  const step = slope;
  if (!(step > 0) || !Number.isFinite(spread)) return null;
  const slack = STEP_SLACK * step + 16 * Number.EPSILON * largest;
  const exact = spread <= slack;
  // Rounding moves each time by half a unit, cutting by up to one; both keep them in a band of one.
  if (!exact && spread > unit * ROUNDING + slack) return null;
  if (!exact && (unit > 0.6 * step || unit / ((n - 1) * step) > SURE)) return null;
  const uncertainty = exact
    ? Math.max(spread / (n - 1), 4 * Number.EPSILON * largest, 1e-12 * step)
    : unit / (n - 1);
  const rateHz = simplestRate(span / (n - 1), uncertainty);
  return {
    stepSeconds: 1 / rateHz,
    rateHz,
    toleranceSeconds: (exact ? 0 : unit * ROUNDING) + slack,
    uncertaintySeconds: uncertainty,
    why: exact
      ? `${n} times step by ${1 / rateHz} s`
      : `${n} times step by ${1 / rateHz} s within their printed digits (${unit} s)`,
  };
}

/** Least-squares slope of times over their index, and the width of the band around the line. */
function fitLine(times: Float64Array): { slope: number; spread: number } {
  const n = times.length;
  const first = times[0], middle = (n - 1) / 2;
  let product = 0;
  for (let i = 0; i < n; i++) product += (i - middle) * (times[i] - first);
  const slope = product / (n * (n * n - 1) / 12);
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < n; i++) {
    const off = times[i] - first - slope * i;
    if (off < low) low = off;
    if (off > high) high = off;
    if (Number.isNaN(off)) return { slope, spread: NaN };
  }
  return { slope, spread: high - low };
}

/** The rate with the fewest digits, or that of the step with the fewest digits, within what is known. */
function simplestRate(step: number, uncertainty: number): number {
  const low = 1 / (step + uncertainty), high = 1 / Math.max(step - uncertainty, step / 2);
  const rate = simplest(low, high, 1 / step);
  const period = simplest(step - uncertainty, step + uncertainty, step);
  return rate.digits <= period.digits ? rate.value : 1 / period.value;
}

function simplest(low: number, high: number, middle: number): { value: number; digits: number } {
  for (let digits = 1; digits <= 17; digits++) {
    const value = Number(middle.toPrecision(digits));
    if (value >= low && value <= high) return { value, digits };
  }
  return { value: middle, digits: 17 };
}

/** Median of the positive steps, for tables that do not step evenly; undefined when there are none. */
export function medianStep(times: Float64Array): number | undefined {
  const steps: number[] = [];
  const stride = Math.max(1, Math.floor(times.length / 100_000));
  for (let i = 1; i < times.length; i += stride) {
    const step = times[i] - times[i - 1];
    if (step > 0) steps.push(step);
  }
  steps.sort((a, b) => a - b);
  const median = steps[steps.length >> 1];
  // Nine digits are more than steps that differ can bear.
  return median === undefined ? undefined : Number(median.toPrecision(9));
}
