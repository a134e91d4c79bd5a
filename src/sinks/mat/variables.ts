/** What goes into a MAT file: variables with legal names, their sizes and their values column by column. */
import type { Attributes, Json } from "../../model/dataset.ts";
import type { StoredArray } from "../targets/chunk-files.ts";

/** Longest name MATLAB takes (`namelengthmax`). */
const NAME_LENGTH = 63;
const KEYWORDS = new Set(
  "break case catch classdef continue else elseif end for function global if otherwise parfor persistent return spmd switch try while"
    .split(" "),
);

/** Gives names MATLAB takes, each once: letters, digits and underscores, a letter first. */
export class LegalNames {
  readonly #taken = new Set<string>();

  take(name: string): string {
    let base = name.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(
      /[^A-Za-z0-9_]+/g,
      "_",
    )
      .replace(/^_+|_+$/g, "");
    if (!/^[A-Za-z]/.test(base)) base = base === "" ? "unnamed" : `x${base}`;
    if (KEYWORDS.has(base)) base = `x_${base}`;
    base = base.slice(0, NAME_LENGTH);
    let candidate = base;
    for (let n = 2; this.#taken.has(candidate.toLowerCase()); n++) {
      const suffix = `_${n}`;
      candidate = base.slice(0, NAME_LENGTH - suffix.length) + suffix;
    }
    this.#taken.add(candidate.toLowerCase());
    return candidate;
  }
}

/** MATLAB's classes by NumPy's names of types. */
export const CLASSES: Record<string, string> = {
  f8: "double",
  f4: "single",
  i1: "int8",
  u1: "uint8",
  i2: "int16",
  u2: "uint16",
  i4: "int32",
  u4: "uint32",
  i8: "int64",
  u8: "uint64",
  b1: "logical",
};

/** A variable of numbers. */
export interface NumericVariable {
  kind: "numeric";
  name: string;
  /** MATLAB's class. */
  type: string;
  /** At least two. */
  dims: number[];
  elementBytes: number;
  /** Values in column-major order, little endian; a piece is valid until the next is asked for. */
  pieces(): Iterable<Uint8Array>;
}

/** A variable of strings: a column of cells. */
export interface TextVariable {
  kind: "text";
  name: string;
  values(): Iterable<string[]>;
  count: number;
}

/** A struct of strings. */
export interface StructVariable {
  kind: "struct";
  name: string;
  fields: [name: string, value: string][];
}

/** Anything a MAT file is given. */
export type Variable = NumericVariable | TextVariable | StructVariable;

/** Attributes as a struct of chars: strings as they are, everything else as JSON. */
export function attributeFields(attributes: Attributes): [string, string][] {
  const names = new LegalNames();
  return Object.entries(attributes).map(([key, value]): [string, string] => [
    names.take(key),
    typeof value === "string" ? value : JSON.stringify(value as Json),
  ]);
}

/** Dimensions of an array in MATLAB, which has none below two: a column. */
export function matlabDims(array: Pick<StoredArray, "shape">): number[] {
  const { shape } = array;
  if (shape.length >= 2) return shape;
  return shape.length === 1 ? [shape[0], 1] : [1, 1];
}
