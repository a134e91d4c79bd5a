/**
 * The interleaving of uncompressed AcqKnowledge data: at tick `k` of the base clock every channel whose
 * divider divides `k` stores a sample, in channel order. The pattern repeats after the least common
 * multiple of the dividers, up to the end: there, a channel that has all its samples drops out while
 * the others go on, so the last frame may be another pattern than the rest.
 */

/** What the interleaving depends on. */
export interface InterleavedChannel {
  divider: number;
  sampleCount: number;
  sampleBytes: number;
}

/** The repeating pattern: one frame. */
export interface Pattern {
  frameBytes: number;
  /** For each channel, the places of its samples in a frame. */
  places: number[][];
}

/** Most samples of one frame; beyond it the data are read in one forward pass. */
const PATTERN_SAMPLES = 1 << 18;

/** The pattern of the channels, or undefined when it repeats too rarely to be written down. */
export function patternOf(channels: InterleavedChannel[]): Pattern | undefined {
  // Dividers with a common factor leave ticks at which nothing is stored.
  const common = channels.reduce((d, c) => gcd(d, c.divider), 0);
  const dividers = channels.map((c) => c.divider / common);
  let ticks = 1;
  for (const divider of dividers) {
    ticks = (ticks / gcd(ticks, divider)) * divider;
    if (ticks > PATTERN_SAMPLES) return undefined;
  }
  if (dividers.reduce((n, d) => n + ticks / d, 0) > PATTERN_SAMPLES) return undefined;
  const places: number[][] = channels.map(() => []);
  let at = 0;
  for (let tick = 0; tick < ticks; tick++) {
    for (let i = 0; i < dividers.length; i++) {
      if (tick % dividers[i] !== 0) continue;
      places[i].push(at);
      at += channels[i].sampleBytes;
    }
  }
  return { frameBytes: at, places };
}

function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** Goes through the samples in the order they are stored. */
export class InterleaveWalk {
  readonly #taken: Float64Array;
  /** Tick of each channel's next sample; Infinity when it has no more. */
  readonly #due: Float64Array;
  #tick = 0;
  #channel = 0;

  constructor(readonly channels: InterleavedChannel[]) {
    this.#taken = new Float64Array(channels.length);
    this.#due = Float64Array.from(channels, (c) => c.sampleCount > 0 ? 0 : Infinity);
  }

  /** Channel of the next stored sample; -1 at the end. */
  next(): number {
    const { channels } = this;
    while (true) {
      for (let i = this.#channel; i < channels.length; i++) {
        if (this.#due[i] !== this.#tick) continue;
        const taken = ++this.#taken[i];
        const { divider, sampleCount } = channels[i];
        this.#due[i] = taken < sampleCount ? taken * divider : Infinity;
        this.#channel = i + 1;
        return i;
      }
      this.#tick = this.#due.reduce((a, b) => Math.min(a, b), Infinity);
      if (this.#tick === Infinity) return -1;
      this.#channel = 0;
    }
  }
}

/** How the data of a file are cut into whole frames and what is left. */
export interface FrameSplit {
  pattern: Pattern;
  /** Frames of the table, with a cut-off last one where it still follows the pattern. */
  frameCount: number;
  /** Absent when every sample follows the pattern. */
  tail?: TailSplit;
}

/** The samples behind the last whole frame, where they follow another pattern. */
export interface TailSplit {
  /** Byte of the tail, from the start of the data. */
  offset: number;
  lengthBytes: number;
  /** For each channel, the first sample that lies in the tail. */
  firstSample: number[];
  /** For each channel, the places of its samples in the tail. */
  places: number[][];
}

/** Largest tail kept in memory; files with longer ones are read in one forward pass. */
const TAIL_BYTES = 1 << 20;

/** Cuts the data into frames and a tail, or undefined when they are too irregular for that. */
export function splitFrames(channels: InterleavedChannel[]): FrameSplit | undefined {
  const pattern = patternOf(channels);
  if (!pattern) return undefined;
  const { frameBytes, places } = pattern;
  const whole = channels.reduce(
    (n, c, i) => Math.min(n, Math.floor(c.sampleCount / places[i].length)),
    Infinity,
  );
  const firstSample = places.map((p) => whole * p.length);
  const rest = channels.map((c, i) => ({ ...c, sampleCount: c.sampleCount - firstSample[i] }));
  const lengthBytes = rest.reduce((n, c) => n + c.sampleCount * c.sampleBytes, 0);
  if (lengthBytes === 0) return { pattern, frameCount: whole };
  if (lengthBytes > TAIL_BYTES) return undefined;
  const tailPlaces: number[][] = channels.map(() => []);
  const walk = new InterleaveWalk(rest);
  let at = 0, regular = true;
  for (let i = walk.next(); i >= 0; i = walk.next()) {
    regular &&= places[i][tailPlaces[i].length] === at;
    tailPlaces[i].push(at);
    at += channels[i].sampleBytes;
  }
  if (regular) return { pattern, frameCount: whole + 1 };
  // Nothing but a tail: there would be no frame for a task to work on.
  if (whole === 0) return undefined;
  const offset = whole * frameBytes;
  return {
    pattern,
    frameCount: whole,
    tail: { offset, lengthBytes, firstSample, places: tailPlaces },
  };
}
