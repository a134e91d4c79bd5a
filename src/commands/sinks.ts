/** The outputs that are no stores: what `--to` chooses besides zarr, how it is planned, and where it goes. */
import type { ConvertOptions, OwnDestination, PlannedFile } from "../convert.ts";
import { FuseError } from "../errors.ts";
import type { Dataset } from "../model/dataset.ts";
import type { DType } from "../model/dtype.ts";
import { type Plan, taskCount } from "../plan/plan.ts";
import { type SinkName, SINKS } from "../sinks/names.ts";
import { npyType } from "../sinks/npy/format.ts";
import { chooseArray, chooseTables, onlyArrays } from "../sinks/ordered/choose.ts";
import { type TableDefinition, type TableOptions, tablesOf } from "../sinks/ordered/definition.ts";
import type { ByteOutput } from "../sinks/ordered/output.ts";
import { tablesOnly } from "../sinks/ordered/prepare.ts";
import { framesOnly } from "../sinks/ordered/sequencer.ts";
import { DescribedSink } from "../sinks/ordered/sidecar.ts";
import type { OrderedSink, TableHead } from "../sinks/ordered/table.ts";
import type { Target } from "../sinks/targets/target.ts";
import type { FlagValues } from "./flags.ts";
import { LOCAL, type OutputPlace, STDOUT } from "./places.ts";
import { passTables, runStore } from "./table-pass.ts";

/** The sink the flags choose; undefined for stores. */
export function sinkOf(flags: FlagValues): SinkName | undefined {
  return SINKS.find((name) => name === flags.to);
}

/** Text takes raw integers and multiplies by itself: an integer that comes again is already text. */
const SCALED: ReadonlySet<SinkName> = new Set(["csv", "ndjson"]);
/** Only the samples, without a column of times. */
const SAMPLES: ReadonlySet<SinkName> = new Set(["npy", "raw", "f32le", "i16le"]);
/** Fit for a terminal. */
const TEXT: ReadonlySet<SinkName> = new Set(["csv", "ndjson"]);

/** Bytes of samples a task hands over: a few are under way at a time, and stay in the processor's cache. */
const TASK_BYTES = 1 << 20;
/** Bytes of a chunk file of outputs that are joined from them. */
const CHUNK_FILE_BYTES = 4 << 20;

/** How a sink wants its input planned. */
export function sinkPlanning(sink: SinkName, flags: FlagValues): Partial<ConvertOptions> {
  const raw = flags.keep === "raw" || sink === "i16le";
  const tables = sink !== "npz" && sink !== "npy" && sink !== "mat";
  const whole = sink === "npz" || sink === "mat";
  return {
    to: sink,
    zarrFormat: 2,
    compressor: { id: "none" },
    targets: whole
      ? { chunkBytes: CHUNK_FILE_BYTES, shardBytes: CHUNK_FILE_BYTES, windowBytes: TASK_BYTES }
      : { chunkBytes: TASK_BYTES, shardBytes: TASK_BYTES, windowBytes: TASK_BYTES },
    flatChunkBytes: whole ? CHUNK_FILE_BYTES : TASK_BYTES,
    keepRaw: raw || SCALED.has(sink),
    physical: !raw,
    ...(tables ? { prepare: (dataset: Dataset) => tablesOnly(dataset, sink) } : {}),
  };
}

/** Where the output of one file goes. */
export interface SinkPlace {
  /** Path of the output without the sink's extension; null for standard output. */
  base: string | null;
  overwrite: boolean;
  /** What takes the files; the file system by default. */
  at?: OutputPlace;
}

/** What takes the files of a job, and the path of one of them. */
function placeOf({ place }: Job, rest: string): { at: OutputPlace; path: string } {
  return place.base === null
    ? { at: STDOUT, path: "-" }
    : { at: place.at ?? LOCAL, path: place.base + rest };
}

/** What a sink needs to open an output for a planned file. */
interface Job {
  sink: SinkName;
  flags: FlagValues;
  planned: PlannedFile;
  place: SinkPlace;
}

/**
 * The destination of a planned file; null when an output is there and is not to be replaced.
 * @throws FuseError `Usage` when one array must be named, `Unsupported` when the sink cannot hold it.
 */
export async function openSink(
  sink: SinkName,
  flags: FlagValues,
  planned: PlannedFile,
  place: SinkPlace,
): Promise<OwnDestination | null> {
  if (place.base === null && !TEXT.has(sink)) refuseTerminal(sink);
  const job: Job = { sink, flags, planned, place };
  const physical = flags.keep !== "raw";
  if (sink === "npz") {
    return await joined(
      job,
      "",
      planned.plan,
      async (folder, output) => {
        const { NpzTarget } = await import("../sinks/targets/arrays.ts");
        return new NpzTarget(folder, output, physical);
      },
    );
  }
  if (sink === "mat") {
    const version = flags.matVersion as "5" | "7.3" | undefined;
    return await joined(
      job,
      "",
      planned.plan,
      async (folder, output) => {
        const { MatTarget } = await import("../sinks/targets/mat.ts");
        return new MatTarget(folder, output, physical, version);
      },
    );
  }
  if (sink !== "npy") return await tables(job);
  const index = chooseArray(planned.plan, flags.array as string | undefined);
  const { path } = planned.plan.arrays[index];
  const table = tablesOf(planned.plan, planned.dataset, { time: false, values: valuesOf(job) })
    .find((t) => t.head.name === path);
  if (table && table.feeds.every((f) => f.source.kind !== "stored")) {
    return await tables(job, [table]);
  }
  const name = flags.array === undefined || path === "signals"
    ? ""
    : `.${path.replaceAll("/", ".")}`;
  const plan = onlyArrays(planned.plan, [index]);
  return await joined(job, name, plan, async (folder, output) => {
    const { NpyTarget } = await import("../sinks/targets/arrays.ts");
    return new NpyTarget(folder, output, physical, path);
  });
}

/** An output joined from chunk files: all arrays, or one that is not a recording's signals. */
async function joined(
  job: Job,
  name: string,
  plan: Plan,
  makeTarget: (folder: string, output: () => Promise<ByteOutput>) => Promise<Target>,
): Promise<OwnDestination | null> {
  const { at, path } = placeOf(job, `${name}.${job.sink}`);
  if (!job.place.overwrite && await at.exists(path)) return null;
  return {
    output: at.nameOf(path),
    tasks: taskCount(plan),
    run: async (execution) => {
      const target = await makeTarget(
        at.workFolder(path),
        () => at.open(path, execution.signal),
      );
      return await runStore(plan, job.planned, target, execution);
    },
  };
}

/** Tables written front to back, each to a file of its own. */
async function tables(job: Job, only?: TableDefinition[]): Promise<OwnDestination | null> {
  const { sink, flags, planned, place } = job;
  const { dataset } = planned;
  const wanted = flags.array as string | undefined;
  const found = only ??
    chooseTables(
      tablesOf(planned.plan, dataset, { time: !SAMPLES.has(sink), values: valuesOf(job) })
        .filter((t) => !SAMPLES.has(sink) || t.kind === "recording"),
      wanted,
      { source: planned.plan.input.name, single: place.base === null },
    );
  if (found.length === 0) {
    throw new FuseError("Unsupported", `the file has no samples for ${sink}`, {
      source: planned.plan.input.name,
    });
  }
  const files = found.map((t) => placeOf(job, `${suffix(t)}.${sink}`));
  const [first] = files;
  if (!place.overwrite) {
    for (const { at, path } of files) if (await at.exists(path)) return null;
  }
  return {
    output: first.at.nameOf(first.path),
    ...(found.length > 1 ? { outputs: files.map(({ at, path }) => at.nameOf(path)) } : {}),
    tasks: taskCount(framesOnly(planned.plan, found)),
    run: (execution) =>
      passTables(
        planned,
        found,
        (table, i) => openTableSink(job, table.head, files[i].path, execution.signal),
        () => first.at.workFolder(first.path),
        execution,
      ),
  };
}

/** What a sink is given of calibrated integers. */
function valuesOf({ sink, flags }: Job): TableOptions["values"] {
  if (flags.keep === "raw" || sink === "i16le") return "raw";
  return SCALED.has(sink) ? "scaled" : "physical";
}

/** What a table adds to the name of its file: nothing for the only recording. */
function suffix({ head, kind }: TableDefinition): string {
  const name = kind === "recording" ? head.name.replace(/\/?signals$/, "") : head.name;
  return name === "" ? "" : `.${name.replaceAll("/", ".")}`;
}

async function openTableSink(
  job: Job,
  head: TableHead,
  path: string,
  signal: AbortSignal | undefined,
): Promise<OrderedSink> {
  const { sink, flags } = job;
  const { at } = placeOf(job, "");
  const output: ByteOutput = await at.open(path, signal);
  try {
    switch (sink) {
      case "csv":
        return new (await import("../sinks/ordered/csv.ts")).CsvSink(head, output);
      case "ndjson":
        return new (await import("../sinks/ordered/ndjson.ts")).NdjsonSink(head, output);
      case "arrow":
        return new (await import("../sinks/ordered/arrow.ts")).ArrowSink(head, output);
      case "parquet": {
        const { ParquetSink } = await import("../sinks/ordered/parquet.ts");
        const { parseCompressor } = await import("./convert.ts");
        const codec = parseCompressor(String(flags.compressor ?? "blosc-lz4"));
        return new ParquetSink(head, output, codec);
      }
      case "npy":
        return new (await import("../sinks/ordered/npy.ts")).NpySink(head, output);
      default: {
        const { RawSink } = await import("../sinks/ordered/raw.ts");
        const dtype = sampleType(sink, flags, head);
        const samples = new RawSink(head, output, dtype);
        if (at === STDOUT) return samples;
        const description = await at.open(`${path}.json`, signal);
        return new DescribedSink(head, samples, description, () => ({
          format: "raw samples without a header",
          sample_type: npyType(dtype),
          order: "interleaved: all channels of a sample, then all of the next",
        }));
      }
    }
  } catch (error) {
    await output.abort();
    throw error;
  }
}

/** Type of the samples of a raw output. @throws FuseError `Unsupported` when `i16le` cannot hold them. */
function sampleType(sink: SinkName, flags: FlagValues, head: TableHead): DType {
  const { dtype } = head.columns[0];
  if (sink === "f32le" || (sink === "raw" && flags.keep !== "raw")) return "float32";
  if (sink === "i16le" && dtype !== "int16") {
    throw new FuseError("Unsupported", `the samples are ${dtype}, not 16-bit integers`, {
      array: head.name,
      remedy: "Use --to raw --keep raw, or --to f32le",
    });
  }
  return dtype;
}

/**
 * A store as one zip that is no local file. It is collected in a temporary folder first, because the root's
 * metadata go first and are known last.
 */
export function zipElsewhere(planned: PlannedFile, at: OutputPlace, path: string): OwnDestination {
  if (at === STDOUT) refuseTerminal("zarr.zip");
  return {
    output: at.nameOf(path),
    tasks: taskCount(planned.plan),
    run: async (execution) => {
      const { ZipTarget } = await import("../sinks/targets/zip.ts");
      const target = new ZipTarget(at.workFolder(path), () => at.open(path, execution.signal));
      return await runStore(planned.plan, planned, target, execution);
    },
  };
}

function refuseTerminal(sink: string): void {
  if (!Deno.stdout.isTerminal()) return;
  throw new FuseError("Usage", `${sink} is not for a terminal`, {
    remedy: "Send standard output to a file or another program",
  });
}

/** Makes sure that standard output is asked for in a way it can be used. @throws FuseError `Usage`. */
export function checkStdout(flags: FlagValues, files: number): void {
  if (flags.to === "zarr") {
    throw new FuseError("Usage", "a folder cannot go to standard output", {
      expected: `--to zarr.zip, ${SINKS.join(", ")}`,
    });
  }
  if (files !== 1) {
    throw new FuseError("Usage", "standard output takes one input", { found: `${files} files` });
  }
}
