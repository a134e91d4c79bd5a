/** The clock of a SON file: ticks to seconds, rounded once. */

/** Seconds of one tick as a fraction, so that times and rates suffer a single rounding. */
export interface Spike2Clock {
  /** Seconds are `ticks * numerator / denominator`. */
  numerator: number;
  denominator: number;
}

/** Largest numerator for which `ticks * numerator` is exact with 31-bit ticks. */
const EXACT = 2 ** 22;

/**
 * The clock of `usPerTime` time units of `timeBase` seconds a tick (SON header fields `usPerTime` and
 * `dTimeBase`). A time base that is the nearest double to a short decimal (1e-5, 2.5e-6) or to one
 * over a whole number is taken as that fraction, because the file can only have meant it.
 */
export function clockOf(usPerTime: number, timeBase: number): Spike2Clock {
  for (let digits = 0; digits <= 12; digits++) {
    const scale = 10 ** digits;
    const mantissa = Math.round(timeBase * scale);
    if (mantissa / scale === timeBase) {
      const numerator = mantissa * usPerTime;
      if (mantissa > 0 && numerator <= EXACT) return { numerator, denominator: scale };
      break;
    }
  }
  const frequency = Math.round(1 / timeBase);
  if (1 / frequency === timeBase) return { numerator: usPerTime, denominator: frequency };
  return { numerator: usPerTime * timeBase, denominator: 1 };
}

/** Seconds of `ticks` since the file's time zero. */
export function secondsOf(clock: Spike2Clock, ticks: number): number {
  return ticks * clock.numerator / clock.denominator;
}

/** Samples per second at one sample every `ticks` ticks. */
export function rateOf(clock: Spike2Clock, ticks: number): number {
  return clock.denominator / (clock.numerator * ticks);
}
