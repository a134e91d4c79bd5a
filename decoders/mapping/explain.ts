/** How a mapping was found out, in one form for all readers: for the outputs and for `inspect`. */
import type { Json } from "../../src/model/dataset.ts";

/** A choice, or one that came near. */
export interface Choice {
  /** What is taken for what: `time: column "t"`. */
  what: string;
  /** 0 .. 100 and more; larger is surer. */
  score: number;
  /** What speaks for it, in words. */
  why: string[];
  /** Score it would have needed. */
  needed?: number;
  /** Whatever else tells of it. */
  more?: Record<string, Json>;
}

/** Rivals that are named. */
const MOST_RIVALS = 8;

/** The record of a choice made by names, sizes and values. */
export function explanation(
  chosen: readonly Choice[],
  rivals: readonly Choice[],
  more: Record<string, Json> = {},
): Json {
  const plain = ({ what, score, why, needed, more = {} }: Choice): Json => ({
    what,
    score: Math.round(score),
    why,
    ...(needed === undefined ? {} : { needed }),
    ...more,
  });
  return {
    by: "heuristics",
    ...more,
    chosen: chosen.map(plain),
    rivals: rivals.toSorted((a, b) => b.score - a.score).slice(0, MOST_RIVALS).map(plain),
  };
}
