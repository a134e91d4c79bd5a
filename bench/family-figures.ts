/** What bench/families.ts measured last, kept for the docs. */

/** One family of formats on a generated file. */
export interface FamilyFigures {
  /** Name in bench/families/make.py. */
  family: string;
  /** Size of the file that is timed. */
  megabytes: number;
  megabytesPerSecond: number;
  /** The usual Python reader, with zarr-python; null when there is none. */
  peer: string | null;
  /** How many times faster than it. */
  timesPeer: number | null;
  peerPeakMebibytes: number | null;
  peakMebibytes: number;
  /** Peak memory of all processes for the file of 2 GB. */
  largePeakMebibytes: number;
}

/** Where the figures are kept. */
export const FIGURES = new URL("families.json", import.meta.url);

/** The figures kept; none before the first run. */
export function readFigures(): FamilyFigures[] {
  try {
    return JSON.parse(Deno.readTextFileSync(FIGURES));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
