/**
 * Many files, one job: identifies all, converts each set of files once, goes on when one is bad, and
 * reports every one of them.
 */
import type { MappingUse } from "../decoders/mapping/descriptor-types.ts";
import type { Candidate } from "./identify.ts";
import { identify, OPEN_SCORE } from "./identify.ts";
import { convertFile, type ConvertOptions, type Destination, type PlannedFile } from "./convert.ts";
import { FuseError, toFuseError } from "./errors.ts";
import type { FileReport, ProgressListener } from "./events.ts";
import type { DatasetContext } from "./plan/attributes.ts";
import type { WorkerPool } from "./pool/pool.ts";
import { inLanes } from "./stream/lanes.ts";
import type { ByteSource } from "./source/source.ts";

/** One file of a job. */
export interface JobInput {
  /** Path that names the output, with forward slashes: below primary/ or the input's own. */
  path: string;
  /** Where the file is; equal addresses are one file. */
  uri: string;
  /** Bytes, where known without opening. */
  size?: number;
  /** sha256 where the dataset's manifest states it. */
  sha256?: string;
  /** Opens the file anew. */
  open(): Promise<ByteSource>;
  /** What its columns, arrays or bytes mean. */
  mapping?: MappingUse;
  /** What the dataset the file belongs to says of it. */
  context?: () => Promise<DatasetContext | undefined>;
  /** Why this file is not converted (dataset metadata); reported as skipped. */
  skip?: string;
}

/** How a job is run. */
export interface JobOptions extends Omit<ConvertOptions, "context" | "label"> {
  /** Workers to run tasks on; without them everything runs on this thread. */
  pool?: WorkerPool;
  /** Opens the place for one file's output; null when it is there already and not to be replaced. */
  makeTarget(input: JobInput, planned: PlannedFile): Promise<Destination | null>;
  /** Files under way at a time. */
  concurrency?: number;
}

/** A file and the formats that could read it. */
export interface Identified {
  input: JobInput;
  /** Best first; none for files that are skipped, and for pipes. */
  candidates: Candidate[];
  /** Why it could not be looked at. */
  error?: FuseError;
}

/** Heads fetched at a time while identifying. */
export const PROBES_AT_A_TIME = 8;

/**
 * Runs a job; reports come in the order of `inputs`.
 * @throws FuseError `Aborted` only.
 */
export async function runJob(inputs: JobInput[], options: JobOptions): Promise<FileReport[]> {
  const started = performance.now();
  const bytes = inputs.reduce((n, i) => n + (i.size ?? 0), 0);
  options.onEvent?.({ type: "job", files: inputs.length, bytes });
  const identified = await identifyAll(inputs, options.signal);
  const reports = new Map<JobInput, FileReport>();
  const claimed = new Map<string, string>();
  const order = inOpeningOrder(identified);
  const running = new Set<Promise<void>>();
  /** Why the job ends early: files that are bad do not end it. */
  let ended: unknown;
  for (const file of order) {
    while (running.size >= (options.concurrency ?? 1)) await Promise.race(running);
    if (options.signal?.aborted) ended ??= new FuseError("Aborted", "cancelled");
    if (ended) break;
    const opened = Promise.withResolvers<void>();
    const work = convertOne(file, options, claimed, opened.resolve).then((report) => {
      reports.set(file.input, report);
    }, (error) => {
      ended ??= error;
    }).finally(() => {
      opened.resolve();
      running.delete(work);
    });
    running.add(work);
    // Members of a set are known once it is open: the next file waits for that, not for the end.
    await opened.promise;
  }
  await Promise.all(running);
  if (ended) throw ended;
  for (const { input } of identified.filter((f) => f.input.skip)) {
    reports.set(input, finish(plainReport(input, "skipped", null, [input.skip!]), options.onEvent));
  }
  const all = inputs.map((i) => reports.get(i)!);
  const count = (status: FileReport["status"]) => all.filter((r) => r.status === status).length;
  options.onEvent?.({
    type: "job-end",
    ok: count("ok"),
    failed: count("failed"),
    unsupported: count("unsupported"),
    skipped: count("skipped"),
    seconds: (performance.now() - started) / 1000,
  });
  return all;
}

/**
 * The files that are not skipped, recognised ones first and the largest member of a set before its
 * smaller ones: it opens the set.
 */
export function inOpeningOrder(identified: Identified[]): Identified[] {
  return identified.filter((f) => !f.input.skip).sort(byRank);
}

/** Looks at the heads of files, several at a time. */
export async function identifyAll(inputs: JobInput[], signal?: AbortSignal): Promise<Identified[]> {
  return await Array.fromAsync(inLanes(inputs, PROBES_AT_A_TIME, async (input) => {
    const found: Identified = { input, candidates: [] };
    if (input.skip) return found;
    try {
      const source = await input.open();
      try {
        // A pipe's head can only be read once: the conversion identifies it.
        if (source.access === "random") found.candidates = await identify(source, signal);
      } finally {
        if (source.access === "random") await source.close();
      }
    } catch (error) {
      found.error = toFuseError(error, "Network", { source: input.path });
    }
    return found;
  }));
}

function byRank(a: Identified, b: Identified): number {
  const rank = (f: Identified): number => {
    const best = f.candidates[0];
    if (!best || best.score < OPEN_SCORE) return 2;
    const extension = /\.[^./]*$/.exec(f.input.path.toLowerCase())?.[0] ?? "";
    return best.format.memberExtensions?.includes(extension) ? 1 : 0;
  };
  const folder = (f: Identified) => f.input.path.slice(0, f.input.path.lastIndexOf("/") + 1);
  const stem = (f: Identified) => f.input.path.replace(/\.[^./]*$/, "");
  return rank(a) - rank(b) || compare(folder(a), folder(b)) || compare(stem(a), stem(b)) ||
    (b.input.size ?? 0) - (a.input.size ?? 0) || compare(a.input.path, b.input.path);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function convertOne(
  file: Identified,
  options: JobOptions,
  claimed: Map<string, string>,
  opened: () => void,
): Promise<FileReport> {
  const { input } = file;
  const owner = claimed.get(input.uri);
  if (owner !== undefined) {
    return finish(
      plainReport(input, "skipped", null, [`converted as part of ${owner}`]),
      options.onEvent,
    );
  }
  if (file.error) return finish(plainReport(input, "failed", file.error), options.onEvent);
  let present: string | undefined;
  try {
    const source = await input.open();
    try {
      const report = await convertFile(source, async (planned) => {
        for (const member of planned.opened.dataset.sources.slice(1)) {
          claimed.set(member.uri, input.path);
        }
        opened();
        const made = await options.makeTarget(input, planned);
        if (made) return made;
        present = "the output is there already (--overwrite replaces it)";
        throw new FuseError("Usage", present, { source: input.path });
      }, {
        ...options,
        mapping: input.mapping ?? options.mapping,
        label: input.path,
        context: input.context,
        onEvent: (event) => {
          // Reports are sent once, by this job.
          if (event.type !== "file-end") options.onEvent?.(event);
        },
      });
      report.sha256 = input.sha256 ?? null;
      if (present) Object.assign(report, { status: "skipped", error: null, warnings: [present] });
      return finish(report, options.onEvent);
    } finally {
      await source.close();
    }
  } catch (error) {
    const failure = toFuseError(error, "Network", { source: input.path });
    if (failure.tag === "Aborted") throw failure;
    return finish(plainReport(input, "failed", failure), options.onEvent);
  }
}

function plainReport(
  input: JobInput,
  status: FileReport["status"],
  error: FuseError | null,
  warnings: string[] = [],
): FileReport {
  return {
    path: input.path,
    uri: input.uri,
    format: null,
    descriptor: null,
    score: null,
    status,
    error: error && { tag: error.tag, message: error.message },
    output: null,
    bytesIn: 0,
    bytesOut: 0,
    seconds: 0,
    etag: null,
    sha256: input.sha256 ?? null,
    warnings,
  };
}

function finish(report: FileReport, onEvent?: ProgressListener): FileReport {
  onEvent?.({ type: "file-end", file: report.path, report });
  return report;
}
