/** From command-line arguments to the files of a job: a SPARC dataset, folders, files, URLs. */
import { FuseError } from "../errors.ts";
import type { JobInput } from "../job.ts";
import { openSource, type SourceOptions } from "../source/open.ts";
import type { ByteSource } from "../source/source.ts";
import { s3OptionsFromEnvironment } from "../source/s3-access.ts";
import { globMatcher } from "./glob.ts";
import type { FlagValues } from "./flags.ts";

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
    : localInputs(args, flags, signal);
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

function localInputs(args: string[], flags: FlagValues, signal?: AbortSignal): Inputs {
  const options = sourceOptions(flags, signal);
  const files: JobInput[] = [];
  let collection = args.length > 1;
  for (const arg of args) {
    const stat = /^[a-z][a-z0-9+.-]*:\/\//i.test(arg) || arg === "-" ? undefined : statOf(arg);
    if (stat?.isDirectory) {
      collection = true;
      files.push(...folderFiles(arg, "", options));
    } else {
      files.push({
        path: arg === "-" ? "stdin" : baseName(arg),
        uri: stat ? Deno.realPathSync(arg) : arg,
        size: stat?.size,
        open: arg === "-"
          ? openOnce(() => openSource(arg, options))
          : () => openSource(arg, options),
      });
    }
  }
  return {
    files: distinct(files),
    collection,
    title: args.length === 1 ? args[0] : `${args.length} inputs`,
  };
}

/** What comes through a pipe comes once: whoever opens it gets the same source. */
function openOnce(open: () => Promise<ByteSource>): () => Promise<ByteSource> {
  let opened: Promise<ByteSource> | undefined;
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

function* folderFiles(root: string, below: string, options: SourceOptions): Generator<JobInput> {
  const entries = [...Deno.readDirSync(below ? `${root}/${below}` : root)].sort((
    a,
    b,
  ) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (entry.name.startsWith(".") || /\.(zarr|partial)$/.test(entry.name)) continue;
    if (entry.isDirectory) yield* folderFiles(root, path, options);
    else if (entry.isFile) {
      const full = `${root}/${path}`;
      yield {
        path,
        uri: Deno.realPathSync(full),
        size: Deno.statSync(full).size,
        open: () => openSource(full, options),
        ...(isDatasetMetadata(path) ? { skip: "dataset metadata, not data" } : {}),
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
  const seen = new Map<string, number>();
  const unique: JobInput[] = [];
  for (const file of files) {
    if (unique.some((f) => f.uri === file.uri)) continue;
    const count = (seen.get(file.path) ?? 0) + 1;
    seen.set(file.path, count);
    unique.push(count === 1 ? file : { ...file, path: `${count}/${file.path}` });
  }
  return unique;
}
