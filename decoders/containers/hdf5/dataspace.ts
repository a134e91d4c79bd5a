/** Dataspace messages: how many elements, along which dimensions (File Format Specification, IV.A.2.b). */
import type { Cursor } from "./cursor.ts";

/** Most dimensions the library allows. */
const MOST_DIMENSIONS = 32;

/** The extent of a dataset or an attribute. */
export interface Dataspace {
  /** "null": no element at all; "scalar": one, without dimensions. */
  kind: "null" | "scalar" | "simple";
  /** Elements along each dimension. */
  shape: number[];
  /** Most elements along each dimension; Infinity where it may grow for ever. */
  maxShape: number[];
}

/** Reads a dataspace message. */
export function readDataspace(cursor: Cursor): Dataspace {
  const version = cursor.version(1, 2);
  const rank = cursor.u8();
  const flags = cursor.u8();
  let kind: Dataspace["kind"] = rank ? "simple" : "scalar";
  if (version === 2) {
    if (cursor.u8() === 2) kind = "null";
  } else cursor.skip(5);
  if (rank > MOST_DIMENSIONS) throw cursor.corrupt("impossible number of dimensions", rank);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const n = cursor.length();
    if (!Number.isSafeInteger(n)) throw cursor.corrupt("impossible length of a dimension");
    shape.push(n);
  }
  const maxShape = flags & 1 ? shape.map(() => cursor.length()) : [...shape];
  return { kind, shape, maxShape };
}

/** Elements of a dataspace; Infinity when they cannot be counted. */
export function elementCount({ kind, shape }: Dataspace): number {
  if (kind === "null") return 0;
  const count = shape.reduce((n, s) => n * s, 1);
  return Number.isSafeInteger(count) ? count : Infinity;
}
