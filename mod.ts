/**
 * SPARC FUSE as a library: open recordings and images of neuroscience, look inside, plan and run
 * conversions to Zarr and OME-Zarr, without the command line.
 *
 * ```ts
 * import { convert, inspect } from "./mod.ts";
 *
 * const { recordings } = await inspect("recording.ns5");
 * console.log(recordings[0].samplingFrequency, recordings[0].channels.map((c) => c.name));
 *
 * const report = await convert("recording.ns5", "recording.ns5.zarr");
 * if (report.status !== "ok") throw new Error(report.error?.message);
 * ```
 *
 * @module
 */
import { convertFile, type ConvertOptions } from "./src/convert.ts";
import type { FileReport } from "./src/events.ts";
import { openDataset } from "./src/identify.ts";
import type { Dataset } from "./src/model/dataset.ts";
import { WorkerPool } from "./src/pool/pool.ts";
import type { Target } from "./src/sinks/targets/target.ts";
import { openSource, type SourceInput, type SourceOptions } from "./src/source/open.ts";

export { DEFAULT_LIMITS, FuseError, isFuseError } from "./src/errors.ts";
export type { ErrorDetails, ErrorPlace, ErrorTag, Limits } from "./src/errors.ts";
export type { FileReport, ProgressEvent, ProgressListener } from "./src/events.ts";
export { FORMATS as formats } from "./decoders/registry.ts";
export type {
  FormatDescriptor,
  OpenOptions,
  ProbeInput,
  ProbeResult,
  Reader,
} from "./decoders/format.ts";
export { checkDescriptor, readDescriptor, useDescriptor } from "./decoders/mapping/descriptor.ts";
export type * from "./decoders/mapping/descriptor-types.ts";
export { identify, openDataset } from "./src/identify.ts";
export type { Candidate, Opened } from "./src/identify.ts";
export { convertFile, planFile } from "./src/convert.ts";
export type {
  ConvertOptions,
  Destination,
  Execution,
  OwnDestination,
  PlannedFile,
  StoreDestination,
} from "./src/convert.ts";
export { runJob } from "./src/job.ts";
export type { JobInput, JobOptions } from "./src/job.ts";
export type { Selection } from "./src/model/select.ts";
export { openSource, openSpec } from "./src/source/open.ts";
export type { SourceInput, SourceOptions } from "./src/source/open.ts";
export type {
  ByteSource,
  ReadOptions,
  S3Options,
  SourceSpec,
  SourceStats,
  UrlRenewal,
} from "./src/source/source.ts";
export type { CacheBudget } from "./src/source/cache.ts";
export type { CoalesceBudget } from "./src/source/coalesce.ts";
export type { RetryPolicy } from "./src/source/retry.ts";
export { MemoryTarget } from "./src/sinks/targets/memory.ts";
export type { ObjectWriter, Target, TargetSpec } from "./src/sinks/targets/target.ts";
export type { S3Place } from "./src/sinks/targets/s3-place.ts";
export { WorkerPool } from "./src/pool/pool.ts";
export type { WorkerFactory } from "./src/pool/pool.ts";
export { buildPlan } from "./src/plan/build.ts";
export type { PlanOptions } from "./src/plan/build.ts";
export type { DatasetContext, Provenance } from "./src/plan/attributes.ts";
export type { ChunkTargets } from "./src/plan/chunking.ts";
export type {
  ArrayOrigin,
  Compressor,
  GridPiece,
  Plan,
  PlannedArray,
  PlannedGroup,
  SignalPart,
  TaskSet,
} from "./src/plan/plan.ts";
export { executePlan } from "./src/pool/execute.ts";
export type { Outcome, TaskExecutor } from "./src/pool/execute.ts";
export type {
  EdgeRun,
  FinalShape,
  PyramidTip,
  TaskResult,
  WordBounds,
} from "./src/pool/task-result.ts";
export { DiscoverClient } from "./src/sparc/discover.ts";
export type { DiscoverOptions } from "./src/sparc/discover.ts";
export type * from "./src/sparc/discover-types.ts";
export { listDataset, selectFiles } from "./src/sparc/dataset-files.ts";
export type { DatasetFile, DatasetListing, DatasetSelection } from "./src/sparc/dataset-files.ts";
export { openDatasetFile } from "./src/sparc/dataset-sources.ts";
export type { DatasetAccess } from "./src/sparc/dataset-sources.ts";
export { setWasmFetcher } from "./decoders/wasm/instance.ts";
export type { WasmFetcher } from "./decoders/wasm/instance.ts";
export { setNativeCodecs } from "./src/sinks/zarr/native-codecs.ts";
export type { NativeCodecs } from "./src/sinks/zarr/native-codecs.ts";
export type * from "./src/model/dataset.ts";
export type * from "./src/model/dtype.ts";
export type * from "./src/model/layout.ts";

/**
 * What is inside a file: recordings, events, images and other arrays with names, units and rates.
 * Only headers are read.
 *
 * @param input a path, URL, `s3://` address, Blob or open source
 * @throws FuseError `UnknownFormat`, `Unsupported`, `Corrupt`, `Truncated`, `Limit`, `Network`, `Usage`
 */
export async function inspect(
  input: SourceInput,
  options: SourceOptions & { format?: string } = {},
): Promise<Dataset> {
  const source = await openSource(input, options);
  return (await openDataset(source, options)).dataset;
}

/**
 * Converts one file to a Zarr (or OME-Zarr) store.
 *
 * @param input a path, URL, `s3://` address, Blob or open source
 * @param output path of the store (a folder, or a file when it ends in `.zip`), or a Target of your own
 * @returns the report; what is wrong with the file is in it rather than thrown
 * @throws FuseError `Aborted` when the signal aborts, `Usage` and `Network` when the input cannot be opened
 */
export async function convert(
  input: SourceInput,
  output: string | Target,
  options: ConvertOptions & { source?: SourceOptions; workers?: number } = {},
): Promise<FileReport> {
  const source = await openSource(input, { signal: options.signal, ...options.source });
  const pool = options.workers === 0
    ? undefined
    : new WorkerPool(options.workers ?? (navigator.hardwareConcurrency || 2));
  try {
    return await convertFile(source, async () => {
      const target = typeof output === "string" ? await openOutput(output) : output;
      return { target, output: typeof output === "string" ? output : "target" };
    }, { ...options, pool });
  } finally {
    pool?.close();
    await source.close();
  }
}

async function openOutput(path: string): Promise<Target> {
  if (path.endsWith(".zip")) {
    return (await import("./src/sinks/targets/zip.ts")).ZipTarget.file(path);
  }
  return new (await import("./src/sinks/targets/directory.ts")).DirectoryTarget(path);
}
