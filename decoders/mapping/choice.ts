/** Choosing what the arrays of a container mean: every reading has a score and says why. */
import type { Attributes, Json } from "../../src/model/dataset.ts";

/** One way to read a container's arrays as recordings. */
export interface Candidate {
  /** What the layout is called: "LabChart export". */
  layout: string;
  /** 0 .. 100; below {@link LEAST_SCORE} nothing is mapped. */
  score: number;
  /** What speaks for it, in words. */
  why: string[];
}

/** What a reading must reach to be used. */
export const LEAST_SCORE = 50;

/** The best candidate, the first of equals; undefined when none is good enough. */
export function choose<C extends Candidate>(candidates: readonly C[]): C | undefined {
  let best: C | undefined;
  for (const candidate of candidates) {
    if (candidate.score >= LEAST_SCORE && candidate.score > (best?.score ?? 0)) best = candidate;
  }
  return best;
}

/** The choice and its rivals, for the metadata of the output. */
export function describeChoice(chosen: Candidate, all: readonly Candidate[]): Attributes {
  const plain = ({ layout, score, why }: Candidate): Json => ({ layout, score, why });
  const rivals = all.filter((c) => c !== chosen && c.score > 0).sort((a, b) => b.score - a.score);
  return { auto_mapped: true, mapping: { chosen: plain(chosen), rivals: rivals.map(plain) } };
}
