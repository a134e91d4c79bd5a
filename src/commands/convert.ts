/** `convert`: files to stores, with progress, a report and an exit status. */
import { join } from "node:path";
import { mkdirSync } from "node:fs";
import { planFile, type PlannedFile } from "../convert.ts";
import { FuseError, toFuseError } from "../errors.ts";
import type { FileReport } from "../events.ts";
import { type JobInput, type JobOptions, runJob } from "../job.ts";
import type { Selection } from "../model/select.ts";
import { DEFAULT_TARGETS } from "../plan/chunking.ts";
import type { Compressor } from "../plan/plan.ts";
import { WorkerPool } from "../pool/pool.ts";
import { keyBelow } from "../sinks/targets/s3-place.ts";
import { outputClosed } from "../sinks/targets/stdout.ts";
import { bucketFiles, openBucket, s3Root, uploadReport } from "./bucket.ts";
import { openDestination } from "./destination.ts";
import { type FlagValues, parseSeconds, parseSize } from "./flags.ts";
import { type Inputs, resolveInputs } from "./inputs.ts";
import { mappingForFile } from "./mapping-flags.ts";
import { interruptSignal } from "./interrupt.ts";
import { planText } from "./plan-text.ts";
import { progressListener } from "./progress.ts";
import { openReferences, referenceKindOf, referencePath, referencePlanning } from "./references.ts";
import { STDOUT } from "./places.ts";
import { checkStdout, openSink, sinkOf, sinkPlanning, zipElsewhere } from "./sinks.ts";

/** Workers with the runtime around them, bytes; measured (docs/performance.md). */
const WORKER_BYTES = 60 << 20;

/** Runs `convert`. */
export async function convertCommand(args: string[], flags: FlagValues): Promise<number> {
  const interrupt = interruptSignal();
  try {
    const options = conversionOptions(flags);
    const inputs = await resolveInputs(args, flags, interrupt.signal);
    if (options.mapping && inputs.collection) {
      for (const file of inputs.files) {
        file.mapping = mappingForFile(options.mapping, file.path) ?? file.mapping;
      }
      options.mapping = undefined;
    }
    if (flags.dryRun) return await dryRun(inputs, options, flags);
    return await convertAll(inputs, { ...options, signal: interrupt.signal }, flags);
  } finally {
    interrupt.dispose();
  }
}

/** What the flags say of a conversion. */
export type Options = Omit<JobOptions, "makeTarget">;

/** Conversion options from flags. @throws FuseError `Usage`. */
export function conversionOptions(flags: FlagValues): Options {
  const bytes = (key: "chunkBytes" | "shardBytes", fallback: number) => {
    if (flags[key] === undefined) return fallback;
    const size = parseSize(String(flags[key]));
    if (!size) {
      throw new FuseError("Usage", `--${key.replace("B", "-b")} takes a size such as 4MiB`, {
        found: flags[key],
      });
    }
    return size;
  };
  const sink = sinkOf(flags);
  const references = referenceKindOf(flags);
  return {
    zarrFormat: flags.zarrFormat === "2" ? 2 : 3,
    compressor: parseCompressor(String(flags.compressor ?? "blosc-lz4")),
    targets: {
      chunkBytes: bytes("chunkBytes", DEFAULT_TARGETS.chunkBytes),
      shardBytes: bytes("shardBytes", DEFAULT_TARGETS.shardBytes),
    },
    keepRaw: flags.keep === "raw",
    format: flags.format as string | undefined,
    mapping: flags.mappingUse,
    selection: selection(flags),
    onCopy: (message) => {
      if (!flags.quiet) console.error(message);
    },
    ...(sink ? sinkPlanning(sink, flags) : {}),
    ...(references ? referencePlanning(references) : {}),
  };
}

/** @throws FuseError `Usage` for anything but blosc-lz4, zstd[:LEVEL], gzip[:LEVEL], none. */
export function parseCompressor(text: string): Compressor {
  const m = /^(blosc-lz4|none|zstd|gzip)(?::(\d+))?$/.exec(text);
  const level = m?.[2] === undefined ? undefined : Number(m[2]);
  if (m?.[1] === "zstd" && (level ?? 3) >= 1 && (level ?? 3) <= 22) {
    return { id: "zstd", level: level ?? 3 };
  }
  if (m?.[1] === "gzip" && (level ?? 6) >= 1 && (level ?? 6) <= 9) {
    return { id: "gzip", level: level ?? 6 };
  }
  if (m && level === undefined && (m[1] === "none" || m[1] === "blosc-lz4")) return { id: m[1] };
  throw new FuseError("Usage", "no such compressor", {
    found: text,
    expected: "blosc-lz4, zstd[:1-22], gzip[:1-9] or none",
  });
}

function selection(flags: FlagValues): Selection | undefined {
  const time = (key: "from" | "until") => {
    if (flags[key] === undefined) return undefined;
    const seconds = parseSeconds(String(flags[key]));
    if (seconds === undefined) {
      throw new FuseError("Usage", `--${key} takes seconds`, { found: flags[key] });
    }
    return seconds;
  };
  const channels = flags.channels === undefined
    ? undefined
    : String(flags.channels).split(",").map((c) => c.trim()).filter((c) => c !== "");
  const picked: Selection = { channels, fromSeconds: time("from"), untilSeconds: time("until") };
  return Object.values(picked).some((v) => v !== undefined) ? picked : undefined;
}

/** Where the output of an input goes, without its extension: a key where the root is a bucket. */
function outputBase(root: string, input: JobInput): string {
  const bucket = s3Root(root);
  // Keys have forward slashes whatever the system's paths have.
  if (bucket || root === "") return keyBelow(bucket?.prefix ?? "", input.path);
  return join(root, ...input.path.split("/"));
}

/** Where the output of an input goes: the full file name stays, so no two inputs share one. */
export function outputPath(
  root: string,
  input: JobInput,
  planned: PlannedFile,
  zip: boolean,
): string {
  const image = planned.plan.groups[0].attributes;
  const isImage = planned.dataset.images.length > 0 && planned.dataset.recordings.length === 0 &&
    image !== undefined;
  return outputBase(root, input) + (isImage ? ".ome.zarr" : ".zarr") +
    (zip ? ".zip" : "");
}

async function convertAll(inputs: Inputs, options: Options, flags: FlagValues): Promise<number> {
  const root = String(flags.outputDir ?? "./output");
  const bucket = s3Root(root);
  const sink = sinkOf(flags);
  const references = referenceKindOf(flags);
  const stdout = root === "-";
  if (stdout) checkStdout(flags, inputs.files.length);
  const progress = progressListener(flags, inputs);
  const jobs = workers(flags);
  const remote = inputs.files.some((f) => /^[a-z][a-z0-9+.-]*:\/\//i.test(f.uri));
  const pool = new WorkerPool(jobs, undefined, 1);
  let reports: FileReport[];
  try {
    reports = await runJob(inputs.files, {
      ...options,
      pool,
      concurrency: remote ? Math.max(2, jobs) : jobs,
      onEvent: progress.listen,
      makeTarget: async (input, planned) => {
        if (sink || references) {
          const base = stdout ? null : outputBase(root, input);
          const at = bucket ? bucketFiles(bucket, flags) : undefined;
          const place = { base, at, overwrite: flags.overwrite === true };
          return references
            ? openReferences(planned, { kind: references, ...place })
            : openSink(sink!, flags, planned, place);
        }
        const zip = flags.to === "zarr.zip";
        if (stdout) return zipElsewhere(planned, STDOUT, "-");
        if (bucket) {
          return await openBucket(bucket, outputPath("", input, planned, zip), planned, flags);
        }
        return openDestination(outputPath(root, input, planned, zip), planned, {
          zip,
          overwrite: flags.overwrite === true,
          resume: flags.resume === true,
        });
      },
    });
  } catch (error) {
    // Nobody reads on: what was wanted has been written.
    if (outputClosed(error)) return 0;
    throw error;
  } finally {
    pool.close();
    progress.close();
  }
  if (inputs.collection && bucket) await uploadReport(bucket, inputs.title, reports, flags);
  else if (inputs.collection && !stdout) {
    mkdirSync(root, { recursive: true });
    Deno.writeTextFileSync(
      join(root, "report.json"),
      JSON.stringify({ title: inputs.title, files: reports }, null, 2) + "\n",
    );
  }
  return exitStatus(reports, inputs.collection);
}

/** 1 when a file failed, or when one that was named, or everything, could not be read. */
function exitStatus(reports: FileReport[], collection: boolean): number {
  const unread = reports.some((r) => r.status === "unsupported");
  // An output that was there already is a file that was read once.
  const read = reports.some((r) => r.status === "ok" || (r.status === "skipped" && r.descriptor));
  const failed = reports.some((r) => r.status === "failed");
  return failed || (unread && !(collection && read)) ? 1 : 0;
}

/** Workers to use, from `--jobs` and `--memory`. @throws FuseError `Usage`. */
export function workers(flags: FlagValues): number {
  const cores = navigator.hardwareConcurrency || 2;
  const wanted = flags.jobs === undefined ? cores : Number(flags.jobs);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > 256) {
    throw new FuseError("Usage", "--jobs takes a number from 1 to 256", { found: flags.jobs });
  }
  if (flags.memory === undefined) return wanted;
  const memory = parseSize(String(flags.memory));
  if (!memory) {
    throw new FuseError("Usage", "--memory takes a size such as 1GiB", { found: flags.memory });
  }
  return Math.max(1, Math.min(wanted, Math.floor(memory / (2 * WORKER_BYTES))));
}

async function dryRun(inputs: Inputs, options: Options, flags: FlagValues): Promise<number> {
  let status = 0;
  const root = String(flags.outputDir ?? "./output");
  const jobs = workers(flags);
  for (const input of inputs.files) {
    if (input.skip) {
      if (!flags.json) console.log(`${input.path}: skipped (${input.skip})`);
      continue;
    }
    try {
      const source = await input.open();
      try {
        const planned = await planFile(source, {
          ...options,
          mapping: input.mapping ?? options.mapping,
          context: input.context,
        });
        const sink = sinkOf(flags);
        const references = referenceKindOf(flags);
        const path = references
          ? referencePath(outputBase(root, input), references)
          : sink === undefined
          ? outputPath(root, input, planned, flags.to === "zarr.zip")
          : `${outputBase(root, input)}.${sink}`;
        const bucket = s3Root(root);
        const output = root === "-" ? root : bucket ? `s3://${bucket.bucket}/${path}` : path;
        const peak = WORKER_BYTES + jobs * (WORKER_BYTES + planned.plan.taskMemoryBytes);
        if (flags.json) {
          console.log(
            JSON.stringify(
              { path: input.path, output, peakMemoryBytes: peak, plan: planned.plan },
              arrays,
            ),
          );
        } else console.log(planText(input.path, output, planned, peak));
      } finally {
        await source.close();
      }
    } catch (error) {
      const failure = toFuseError(error, "Corrupt", { source: input.path });
      if (flags.json) console.log(JSON.stringify({ path: input.path, error: failure.toJSON() }));
      else console.log(`${input.path}: ${failure.message}`);
      if (!inputs.collection || !["Unsupported", "UnknownFormat"].includes(failure.tag)) status = 1;
    }
  }
  return status;
}

/** Typed arrays of a plan as JSON lists. */
function arrays(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as unknown as ArrayLike<number>, Number)
    : value;
}
