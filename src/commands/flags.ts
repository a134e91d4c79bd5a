/** Every flag of every verb: the one table that help, parsing and completions come from. */

import type { MappingUse } from "../../decoders/mapping/descriptor-types.ts";
import { REFERENCE_KINDS, SINKS } from "../sinks/names.ts";

/** One flag. */
export interface Flag {
  /** Long name without dashes. */
  name: string;
  short?: string;
  /** Placeholder of its value; absent for switches. */
  value?: string;
  /** The value may be left out. */
  optionalValue?: boolean;
  /** May be given several times. */
  many?: boolean;
  choices?: string[];
  default?: string;
  help: string;
  /** Old names that still work. */
  alias?: string;
  /** Shown only by `--help`, not by `-h`. */
  rare?: boolean;
}

/** Flags by name. */
export const FLAGS = {
  outputDir: {
    name: "output-dir",
    short: "o",
    value: "DIR",
    default: "./output",
    help: "folder or s3://bucket/prefix the outputs go to; - for standard output",
  },
  to: {
    name: "to",
    value: "SINK",
    choices: ["zarr", "zarr.zip", ...SINKS, ...REFERENCE_KINDS],
    default: "zarr",
    alias: "file-format",
    help: "what to write: a zarr folder, one zarr.zip file, or another kind of file",
  },
  sliceTo: {
    name: "to",
    value: "KIND",
    choices: [...SINKS],
    help: "kind of output (csv on a terminal, else npy)",
  },
  array: {
    name: "array",
    value: "NAME",
    help: "only this recording, event table or array, where an output holds one",
  },
  zarrFormat: {
    name: "zarr-format",
    value: "N",
    choices: ["2", "3"],
    default: "3",
    help: "zarr version: 3 (sharded; OME-Zarr 0.5) or 2 (OME-Zarr 0.4)",
  },
  matVersion: {
    name: "mat-version",
    value: "N",
    choices: ["5", "7.3"],
    help: "version of a .mat output: 5, or 7.3 (HDF5) where a variable passes 2 GiB",
    rare: true,
  },
  compressor: {
    name: "compressor",
    value: "CODEC",
    default: "blosc-lz4",
    help: "blosc-lz4, zstd[:LEVEL], gzip[:LEVEL] or none",
  },
  chunkBytes: {
    name: "chunk-bytes",
    value: "SIZE",
    help: "bytes of a chunk before compression (1MiB)",
    rare: true,
  },
  shardBytes: {
    name: "shard-bytes",
    value: "SIZE",
    help: "bytes of a shard before compression (64MiB)",
    rare: true,
  },
  keep: {
    name: "keep",
    value: "WHAT",
    choices: ["raw"],
    help: "raw: keep the converter's integers, with gain and offset per channel",
    rare: true,
  },
  channels: {
    name: "channels",
    value: "LIST",
    help: "only these channels: names or numbers from 0, with commas",
  },
  from: { name: "from", value: "SECONDS", help: "only from this time of the recording" },
  until: { name: "until", value: "SECONDS", help: "only until this time of the recording" },
  format: {
    name: "format",
    value: "ID",
    help: "read as this format, whatever the bytes look like (see `formats`)",
  },
  mapping: {
    name: "mapping",
    value: "FILE",
    help:
      "descriptor that says what columns or arrays mean: a JSON file, or a shipped one (sparc-305)",
  },
  writeDescriptor: {
    name: "write-descriptor",
    value: "FILE",
    optionalValue: true,
    help: "draft a mapping descriptor from what was found (FILE, or standard output)",
  },
  dtype: {
    name: "dtype",
    value: "TYPE",
    help:
      "read a flat file of samples of this type: int16, float32, >i2 ...; --channels N counts them",
  },
  channelCount: {
    name: "channel-count",
    value: "N",
    help: "channels of a flat file, where --channels picks some of them",
    rare: true,
  },
  rate: { name: "rate", value: "HZ", help: "samples per second of a flat file", rare: true },
  order: {
    name: "order",
    value: "ORDER",
    choices: ["sample-major", "channel-major", "interleaved", "planar"],
    help:
      "how a flat file lies: all channels of a sample (sample-major), or a channel after the other",
    rare: true,
  },
  byteOrder: {
    name: "byte-order",
    value: "ORDER",
    choices: ["little", "big"],
    help: "byte order of a flat file (little)",
    rare: true,
  },
  headerBytes: {
    name: "header-bytes",
    value: "N",
    help: "bytes before the samples of a flat file (0)",
    rare: true,
  },
  gain: {
    name: "gain",
    value: "NUMBER",
    help: "physical units of one step of a flat file; one for each channel with commas",
    rare: true,
  },
  units: {
    name: "units",
    value: "UNIT",
    help: "unit of the samples of a flat file; one for each channel with commas",
    rare: true,
  },
  overwrite: { name: "overwrite", help: "replace outputs that are there already" },
  resume: { name: "resume", help: "go on with an interrupted run of the same conversion" },
  planFile: {
    name: "plan-file",
    value: "FILE",
    help: "where the plan is written (OUTPUT.plan.json)",
  },
  tasks: {
    name: "tasks",
    value: "LIST",
    help: "tasks to run: 0-9,12; all unfinished ones by default",
  },
  part: {
    name: "part",
    value: "K/N",
    help: "run the K-th of N equal shares of the tasks, K from 0",
  },
  picture: { name: "picture", value: "FILE", help: "draw into this .svg or .png file" },
  refsTo: {
    name: "to",
    value: "KIND",
    choices: [...REFERENCE_KINDS, "parquet"],
    default: "kerchunk",
    help: "one JSON file, or a folder of parquet files for very many chunks",
  },
  baseUrl: {
    name: "base-url",
    value: "URL",
    help: "address of the folder in which readers find the files (where they are now)",
  },
  against: { name: "against", value: "INPUT", help: "compare with the original, exactly" },
  stats: { name: "stats", help: "say how many bytes and requests it took" },
  jobs: { name: "jobs", short: "j", value: "N", help: "workers (one a core)" },
  memory: {
    name: "memory",
    value: "SIZE",
    help: "bound for work buffers; fewer workers where they would pass it",
    rare: true,
  },
  include: { name: "include", value: "GLOB", many: true, help: "only files whose path matches" },
  exclude: { name: "exclude", value: "GLOB", many: true, help: "not the files whose path matches" },
  dryRun: { name: "dry-run", help: "print the plan with sizes and memory, and write nothing" },
  json: { name: "json", help: "one JSON object a line on stdout" },
  quiet: { name: "quiet", short: "q", help: "no progress; errors only" },
  datasetVersion: {
    name: "dataset-version",
    value: "N",
    help: "version of a SPARC dataset (the latest)",
  },
  discoverUrl: {
    name: "discover-url",
    value: "URL",
    help: "Pennsieve Discover service to ask (or SPARC_FUSE_DISCOVER_URL)",
    rare: true,
  },
  s3Endpoint: {
    name: "s3-endpoint",
    value: "URL",
    help: "S3 service to read from (or AWS_ENDPOINT_URL_S3)",
    rare: true,
  },
} as const satisfies Record<string, Flag>;

/** Name of a flag in the table. */
export type FlagKey = keyof typeof FLAGS;

/** Values as the parser hands them over, by the camel-cased long name. */
export type FlagValues = Partial<Record<FlagKey, string | string[] | boolean>> & {
  /** What `--mapping` or the flags of a flat file stand for. */
  mappingUse?: MappingUse;
};

const UNITS: Record<string, number> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Bytes of "64MiB", "8M", "1000000"; undefined when it is no size. */
export function parseSize(text: string): number | undefined {
  const m = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text.trim());
  return m ? Math.round(Number(m[1]) * UNITS[m[2].toLowerCase()]) : undefined;
}

/** Seconds of "1.5", "1.5s", "200ms", "2min"; undefined when it is no time. */
export function parseSeconds(text: string): number | undefined {
  const m = /^(-?\d+(?:\.\d+)?)\s*(ms|s|min|h)?$/.exec(text.trim());
  if (!m) return undefined;
  return Number(m[1]) *
    { ms: 0.001, s: 1, min: 60, h: 3600 }[(m[2] ?? "s") as "ms" | "s" | "min" | "h"];
}
