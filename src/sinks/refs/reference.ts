/** What a set of references is made of. */
import { FuseError } from "../../errors.ts";
import type { Json } from "../../model/dataset.ts";

/** Where the bytes of a chunk are: a range of a file, or inside the reference file itself. */
export type Reference =
  | { url: string; offset: number; length: number }
  | { bytes: Uint8Array };

/** The chunks of one array, by their number in C order of the chunk grid. */
export interface ReferenceTable {
  /** Chunks along each dimension; [] for a scalar. */
  grid: number[];
  /** The chunk's place; null where it is absent and the fill value stands for it. */
  at(index: number): Reference | null | Promise<Reference | null>;
  /** The stored bytes of a chunk of fill values, where some are absent and such a chunk can be made. */
  fillChunk?(): Promise<Uint8Array>;
}

/** An array with its place in the store. */
export interface ReferenceArray extends ReferenceTable {
  /** Path in the store. */
  path: string;
}

/**
 * A zarr v2 store over other files. Documents are held, chunks are told one by one: there may be
 * millions of them.
 */
export interface References {
  /** `.zgroup`, `.zarray` and `.zattrs` documents by key. */
  metadata: Map<string, Json>;
  /** Documents kept beside the data (OME-XML): key and text. The parquet form has no place for them. */
  documents: [key: string, text: string][];
  /** Arrays with their chunks. */
  arrays: ReferenceArray[];
  /** Arrays that refer to bytes of files. */
  referred: number;
  /** What could not be expressed, and why; what the conversion leaves out comes first. */
  leftOut: { what: string; why: string }[];
}

/** Chunks of an array, absent ones counted. */
export function chunkCount({ grid }: ReferenceTable): number {
  return grid.reduce((n, s) => n * s, 1);
}

/** Every chunk that is there, in order. @throws FuseError `Aborted`. */
export async function* chunksOf(
  table: ReferenceTable,
  signal?: AbortSignal,
): AsyncGenerator<{ index: number; reference: Reference }[]> {
  const count = chunkCount(table);
  let batch: { index: number; reference: Reference }[] = [];
  for (let index = 0; index < count; index++) {
    const found = table.at(index);
    const reference = found instanceof Promise ? await found : found;
    if (!reference) continue;
    batch.push({ index, reference });
    // What is kept inside may be large: no more than one of these is held.
    if (batch.length >= BATCH || "bytes" in reference) {
      yield batch;
      batch = [];
      if (signal?.aborted) throw new FuseError("Aborted", "cancelled");
    }
  }
  if (batch.length) yield batch;
}

/** Ranges handed over at once. */
const BATCH = 1024;

/** JSON text; what JSON has no number for is a string, integers beyond 2^53 are written in full. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, v) => {
    if (typeof v === "bigint") {
      const { rawJSON } = JSON as { rawJSON?: (text: string) => unknown };
      return rawJSON ? rawJSON(String(v)) : Number(v);
    }
    return typeof v === "number" && !Number.isFinite(v) ? String(v) : v;
  });
}
