/** Whether a vector of times is a clock, and how fast it ticks. */

/** What a vector of times tells. */
export interface TimeVector {
  /** Never falls, and every value is a number. */
  ascending: boolean;
  /** Values a unit of its time; null when the steps differ. */
  rate: number | null;
}

/** Deviation from even steps that rounding explains, in steps. */
const ROUNDING = 0.05;

/** Looks at all values of a time vector. */
export function surveyTime(times: ArrayLike<number>): TimeVector {
  const n = times.length;
  let ascending = n > 0 && Number.isFinite(times[0]);
  for (let i = 1; i < n && ascending; i++) {
    ascending = Number.isFinite(times[i]) && times[i] >= times[i - 1];
  }
  if (!ascending || n < 3) return { ascending, rate: null };
  const step = (times[n - 1] - times[0]) / (n - 1);
  if (!(step > 0)) return { ascending, rate: null };
  for (let i = 1; i < n; i++) {
    if (Math.abs(times[i] - times[0] - i * step) > ROUNDING * step) {
      return { ascending, rate: null };
    }
  }
  return { ascending, rate: roundRate(1 / step) };
}

/** A rate without the noise of its division: the shortest number within a millionth. */
export function roundRate(rate: number): number {
  for (let digits = 1; digits <= 12; digits++) {
    const short = Number(rate.toPrecision(digits));
    if (Math.abs(short - rate) <= 1e-6 * rate / 100) return short;
  }
  return rate;
}
