/** From command-line arguments to the files of a job: a SPARC dataset, folders, files, URLs. */
import { resolve } from "node:path";
import { FuseError } from "../errors.ts";
import type { JobInput } from "../job.ts";
import { openSource, type SourceOptions } from "../source/open.ts";
import type { ByteSource } from "../source/source.ts";
import { s3OptionsFromEnvironment } from "../source/s3-access.ts";
import { globMatcher } from "./glob.ts";
import type { FlagValues } from "./flags.ts";
import type { LocalDatasets } from "./local-datasets.ts";

/** The files a command works on. */
export interface Inputs {
  files: JobInput[];
  /** Several files below one place: a report is written. */
  collection: boolean;
  /** What the inputs are, for messages: "SPARC dataset 224 version 1". */
  title: string;
}

/** Files that carry an SDS dataset's metadata rather than data. */
const SDS_METADATA =
  /^(manifest|subjects|samples|sites|performances|dataset_description|submission|code_description|code_parameters|resources|curation)\.(xlsx|csv|tsv|json)$/i;

/** Service settings from flags and environment. */
export function sourceOptions(flags: FlagValues, signal?: AbortSignal): SourceOptions {
  const s3 = s3OptionsFromEnvironment((name) => Deno.env.get(name));
  if (flags.s3Endpoint) s3.endpoint = String(flags.s3Endpoint);
  return { signal, s3 };
}

/** Resolves arguments. @throws FuseError `Usage`, `Network`. */
export async function resolveInputs(
  args: string[],
  flags: FlagValues,
  signal?: AbortSignal,
): Promise<Inputs> {
  if (args.length === 0) {
    throw new FuseError("Usage", "nothing to do: name a dataset, a file or a folder");
  }
  const inputs = /^\d+$/.test(args[0]) && !exists(args[0])
    ? await (await import("./sparc-inputs.ts")).datasetInputs(
      Number(args[0]),
      args.slice(1),
      flags,
      signal,
    )
    : await namedInputs(args, flags, signal);
  const include = globMatcher(flags.include as string[] | undefined);
  const exclude = globMatcher(flags.exclude as string[] | undefined);
  const files = inputs.files.filter((f) => (!include || include(f.path)) && !exclude?.(f.path));
  if (files.length === 0) {
    throw new FuseError("Usage", "no files match", {
      source: inputs.title,
      expected: args.slice(1).join(" ") || undefined,
    });
  }
  return { ...inputs, files };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

async function namedInputs(
  args: string[],
  flags: FlagValues,
  signal?: AbortSignal,
): Promise<Inputs> {
  const options = sourceOptions(flags, signal);
  const files: JobInput[] = [];
  // What an earlier run wrote below the input is no input.
  const leaveOut = flags.outputDir === undefined ? undefined : resolve(String(flags.outputDir));
  const bucketOut = /^s3:/i.test(String(flags.outputDir))
    ? `${String(flags.outputDir).replace(/\/+$/, "")}/`
    : undefined;
  const contextOf = localContext();
  let collection = args.length > 1;
  for (const arg of args) {
    const below = /^s3:/i.test(arg)
      ? await (await import("./s3-inputs.ts")).prefixFiles(arg, options, isOutput, bucketOut)
      : null;
    if (below) {
      collection = true;
      files.push(...below.map((f) => isDatasetMetadata(f.path) ? { ...f, skip: METADATA } : f));
      continue;
    }
    const stat = /^[a-z][a-z0-9+.-]*:\/\//i.test(arg) || arg === "-" ? undefined : statOf(arg);
    if (stat?.isDirectory) {
      collection = true;
      files.push(...folderFiles({ root: arg, options, leaveOut, contextOf }));
    } else {
      files.push({
        path: arg === "-" ? "stdin" : baseName(arg),
        uri: stat ? resolve(arg) : arg,
        size: stat?.size,
        open: arg === "-"
          ? openOnce(() => openSource(arg, options), signal)
          : () => openSource(arg, options),
        ...(stat ? { context: contextOf(resolve(arg)) } : {}),
      });
    }
  }
  return {
    files: distinct(files),
    collection,
    title: args.length === 1 ? args[0] : `${args.length} inputs`,
  };
}

/** What the SPARC dataset around a local file says of it; its tables are read once for all files. */
function localContext(): (path: string) => JobInput["context"] {
  let datasets: Promise<LocalDatasets> | undefined;
  return (path) => async () => {
    datasets ??= import("./local-datasets.ts").then((m) => new m.LocalDatasets());
    return await (await datasets).contextOf(path);
  };
}

/** What comes through a pipe comes once: whoever opens it gets the same source. */
function openOnce(
  open: () => Promise<ByteSource>,
  signal: AbortSignal | undefined,
): () => Promise<ByteSource> {
  let opened: Promise<ByteSource> | undefined;
  // A pipe may be silent for long: an interruption does not wait for it.
  signal?.addEventListener("abort", () => void opened?.then((s) => s.close()), { once: true });
  return () => opened ??= open();
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    // A missing file is reported as its own result, so that the others go on.
    return undefined;
  }
}

function baseName(input: string): string {
  const clean = /^[a-z][a-z0-9+.-]*:\/\//i.test(input) ? input.replace(/[?#].*$/, "") : input;
  const name = clean.replace(/[/\\]+$/, "").split(/[/\\]/).pop() || "input";
  try {
    return clean === input ? name : decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** A folder that is searched for files. */
interface Walk {
  root: string;
  options: SourceOptions;
  /** Absolute path of a folder that is passed over. */
  leaveOut?: string;
  contextOf: (path: string) => JobInput["context"];
}

/** Stores this program wrote, and what a run is writing. */
const OUTPUTS = /\.zarr(\.zip)?$|\.refs\.(json|parquet)$|\.partial$|\.writing$/;

/** True for names that are passed over: hidden ones, stores, and what is being written. */
function isOutput(name: string): boolean {
  return name.startsWith(".") || OUTPUTS.test(name);
}

/** Why the spreadsheets of a dataset are not converted. */
const METADATA = "dataset metadata, not data";

/**
 * The files below a folder, by name. Links are followed, as datasets kept by git-annex or DataLad are
 * made of them; `parents` are the real paths above, so that a link to one of them ends the search.
 */
function* folderFiles(walk: Walk, below = "", parents: string[] = []): Generator<JobInput> {
  const folder = below ? `${walk.root}/${below}` : walk.root;
  const real = Deno.realPathSync(folder);
  if (parents.includes(real)) return;
  const names = [...Deno.readDirSync(folder)].map((entry) => entry.name);
  for (const name of names.sort()) {
    const path = below ? `${below}/${name}` : name;
    const full = resolve(walk.root, path);
    if (isOutput(name) || full === walk.leaveOut) continue;
    const stat = statOf(full);
    if (stat?.isDirectory) yield* folderFiles(walk, path, [...parents, real]);
    // A link that leads nowhere is a file that is missing, and reported so.
    else if (stat === undefined || stat.isFile) {
      yield {
        path,
        uri: full,
        size: stat?.size,
        open: () => openSource(full, walk.options),
        context: walk.contextOf(full),
        ...(isDatasetMetadata(path) ? { skip: METADATA } : {}),
      };
    }
  }
}

/** True for the spreadsheets that describe an SDS dataset. */
export function isDatasetMetadata(path: string): boolean {
  return SDS_METADATA.test(path.split("/").pop()!);
}

/** Inputs with equal names from different places keep apart by a number. */
function distinct(files: JobInput[]): JobInput[] {
  const uris = new Set<string>(), paths = new Set<string>();
  const unique: JobInput[] = [];
  for (const file of files) {
    if (uris.has(file.uri)) continue;
    uris.add(file.uri);
    let path = file.path;
    for (let n = 2; paths.has(path); n++) path = `${n}/${file.path}`;
    paths.add(path);
    unique.push({ ...file, path });
  }
  return unique;
}
