/** The outputs there are besides stores, by the names `--to` knows them by. */

/** Outputs that are written front to back, or joined from whole arrays. */
export const SINKS = [
  "npy",
  "npz",
  "mat",
  "raw",
  "f32le",
  "i16le",
  "csv",
  "ndjson",
  "arrow",
  "parquet",
] as const;

/** References over the original bytes: one JSON document, or a folder of parquet files. */
export const REFERENCE_KINDS = ["kerchunk", "kerchunk-parquet"] as const;

/** One of {@link REFERENCE_KINDS}. */
export type ReferenceKind = typeof REFERENCE_KINDS[number];

/** One of {@link SINKS}. */
export type SinkName = typeof SINKS[number];
