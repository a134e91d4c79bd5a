/** One file, from an open source to a finished store. */
import type { OpenOptions } from "../decoders/format.ts";
import type { MappingUse } from "../decoders/mapping/descriptor-types.ts";
import { FuseError, toFuseError } from "./errors.ts";
import type { FileReport, ProgressListener } from "./events.ts";
import { openDataset, type Opened } from "./identify.ts";
import type { Attributes, Dataset } from "./model/dataset.ts";
import { selectFrom, type Selection } from "./model/select.ts";
import { DEFAULT_TARGETS } from "./plan/chunking.ts";
import type { DatasetContext } from "./plan/attributes.ts";
import { buildPlan, type PlanOptions } from "./plan/build.ts";
import { type Plan, taskCount } from "./plan/plan.ts";
import { executePlan, type Outcome, type TaskExecutor } from "./pool/execute.ts";
import type { WorkerPool } from "./pool/pool.ts";
import type { TaskResult } from "./pool/task-result.ts";
import { TaskRunner } from "./pool/task-runner.ts";
import type { Target } from "./sinks/targets/target.ts";
import { openSpec } from "./source/open.ts";
import type { ByteSource } from "./source/source.ts";

/** How a file is to be converted. */
export interface ConvertOptions extends PlanOptions, OpenOptions {
  /** Format id, when it should not be found out. */
  format?: string;
  /** The kind of output, where it is no store. */
  to?: string;
  /** Channels and times to keep. */
  selection?: Selection;
  /** Shapes what is planned to the output; runs after selection. */
  prepare?: (dataset: Dataset) => Dataset;
  /** Told when a pipe is copied to a temporary file, because its format needs random access. */
  onCopy?: (message: string) => void;
  /** What the dataset the file belongs to says of it; asked for once the file is open. */
  context?: () => Promise<DatasetContext | undefined>;
  /** Told of progress, warnings and the end. */
  onEvent?: ProgressListener;
  /** Name of the file in events and reports; the source's name by default. */
  label?: string;
}

/** A planned conversion with what it needs to run. */
export interface PlannedFile {
  /** What will be written, and from which bytes. */
  plan: Plan;
  /** The file as it was opened, before selection. */
  opened: Opened;
  /** The dataset after selection. */
  dataset: Dataset;
}

/** What runs a conversion, and hears of it. */
export interface Execution {
  /** Workers to run tasks on. */
  pool?: WorkerPool;
  /** Ends the conversion early. */
  signal?: AbortSignal;
  /** Told after each task. */
  onTask(done: number, tasks: number, result: TaskResult): void;
}

/** Where a conversion goes. */
export type Destination = StoreDestination | OwnDestination;

/** An output that is not a store, and writes itself. */
export interface OwnDestination {
  /** Its name in the report. */
  output: string;
  /** All files, where there are several. */
  outputs?: string[];
  /** Tasks it runs. */
  tasks: number;
  /** Converts; cleans up after itself when it fails. */
  run(execution: Execution): Promise<Outcome>;
}

/** A store of chunks. */
export interface StoreDestination {
  /** Where the keys go. */
  target: Target;
  /** Its name in the report. */
  output: string;
  /** Remembers finished tasks, so that an interrupted conversion can go on. */
  journal?: { around(executor: TaskExecutor): TaskExecutor; end(): void };
}

/** Inputs up to this size are converted on the calling thread: a worker would cost more than it gives. */
export const INLINE_BYTES = 4 << 20;

/**
 * Opens a source and plans its conversion without reading any sample.
 * @throws FuseError as `openDataset` does.
 */
export async function planFile(
  source: ByteSource,
  options: ConvertOptions = {},
): Promise<PlannedFile> {
  const opened = await openDataset(source, options);
  try {
    return await planOpened(opened, source, options);
  } catch (error) {
    await closeMembers(opened, source);
    throw error;
  }
}

/** Closes what was opened beside `source`: the members of its set, and a copy made of it. */
async function closeMembers({ dataset }: Opened, source: ByteSource): Promise<void> {
  for (const member of dataset.sources) if (member !== source) await member.close();
}

async function planOpened(
  opened: Opened,
  source: ByteSource,
  options: ConvertOptions,
): Promise<PlannedFile> {
  const selected = options.selection
    ? selectFrom(opened.dataset, options.selection)
    : opened.dataset;
  const dataset = options.prepare?.(selected) ?? selected;
  if (opened.ties.length) {
    dataset.warnings.push(
      `as likely ${
        opened.ties.map((t) => t.format.name).join(", ")
      } by its first bytes: --format chooses`,
    );
  }
  if (
    !dataset.recordings.length && !dataset.images.length && !dataset.events.length &&
    !dataset.arrays.length
  ) {
    const [first, ...more] = dataset.leftOut;
    throw new FuseError("Unsupported", "the file holds nothing that can be converted", {
      source: source.name,
      format: dataset.format,
      ...(first
        ? { found: `${first.what}: ${first.why}${more.length ? `, and ${more.length} more` : ""}` }
        : {}),
    });
  }
  const plan = buildPlan(dataset, options, {
    score: opened.candidate.score,
    why: opened.candidate.why,
    convertedAt: new Date().toISOString(),
    conversion: conversionAttributes(options, opened.mapping),
    dataset: await options.context?.(),
  });
  if (opened.mapping) plan.input.mapping = opened.mapping;
  return { plan, opened, dataset };
}

/** The choices of a conversion as they are recorded in its output. */
function conversionAttributes(options: ConvertOptions, mapping?: MappingUse): Attributes {
  const { zarrFormat = 3, targets = DEFAULT_TARGETS, compressor, selection, format } = options;
  // Text multiplies raw integers by itself, so what it is given is not what it writes.
  const keepRaw = options.keepRaw && !options.physical;
  return {
    ...(options.to ? { to: options.to } : {
      zarr_format: zarrFormat,
      chunk_bytes: targets.chunkBytes,
      shard_bytes: targets.shardBytes,
      compressor: { ...(compressor ?? { id: "blosc-lz4" }) },
    }),
    ...(keepRaw ? { keep: "raw" } : {}),
    ...(format ? { format } : {}),
    ...(mapping ? { mapping: { ...mapping } as unknown as Attributes } : {}),
    ...(selection?.channels ? { channels: selection.channels } : {}),
    ...(selection?.fromSeconds !== undefined ? { from: selection.fromSeconds } : {}),
    ...(selection?.untilSeconds !== undefined ? { until: selection.untilSeconds } : {}),
  };
}

/** An executor over a pool, or on this thread when the input is small or cannot be opened twice. */
export function chooseExecutor(
  planned: PlannedFile,
  target: Target,
  pool: WorkerPool | undefined,
): TaskExecutor & { close(): Promise<void> } {
  const { plan, dataset } = planned;
  const bytes = Math.max(plan.outputBytes, plan.input.size ?? Infinity);
  const reopens = plan.sources.every((s) => s !== null && s.kind !== "memory" && s.kind !== "blob");
  if (pool && reopens && bytes > INLINE_BYTES && taskCount(plan) > 0) {
    const job = pool.begin(plan, target.spec);
    return {
      // One more than there are workers, so that none waits for the next task.
      concurrency: pool.size * pool.tasksPerWorker + 1,
      run: (index) => pool.run(job, index),
      close: () => Promise.resolve(pool.end(job)),
    };
  }
  const runner = new TaskRunner(plan, {
    create: (k) => target.create(k),
    put: (k, b) => target.put(k, b),
    drain: target.drain && (() => target.drain!()),
  }, {
    openSource: openSpec,
    dataset,
  });
  return { concurrency: 1, run: (index) => runner.run(index), close: () => runner.close() };
}

async function writeStore(
  planned: PlannedFile,
  { target, journal }: StoreDestination,
  { pool, signal, onTask }: Execution,
): Promise<Outcome> {
  const executor = chooseExecutor(planned, target, pool);
  try {
    // Going on with an earlier run means its plan.
    return await executePlan(planned.plan, target, executor, { signal, journal, onTask });
  } finally {
    await executor.close();
  }
}

/**
 * Converts an open source into `target` and reports. Never throws for what is wrong with the file: the
 * report says it, and the target is left without anything that opens.
 */
export async function convertFile(
  source: ByteSource,
  makeTarget: (planned: PlannedFile) => Promise<Destination>,
  options: ConvertOptions & { pool?: WorkerPool } = {},
): Promise<FileReport> {
  const label = options.label ?? source.name;
  const started = performance.now();
  const report: FileReport = {
    path: label,
    uri: source.uri,
    format: null,
    descriptor: null,
    score: null,
    status: "failed",
    error: null,
    output: null,
    bytesIn: 0,
    bytesOut: 0,
    seconds: 0,
    etag: source.distance === "remote" ? source.tag ?? null : null,
    sha256: null,
    warnings: [],
  };
  let planned: PlannedFile | undefined;
  try {
    planned = await planFile(source, options);
    const { opened } = planned;
    Object.assign(report, {
      format: opened.candidate.format.name,
      descriptor: opened.candidate.format.id,
      score: opened.candidate.score,
      warnings: [...planned.plan.warnings],
    });
    const destination = await makeTarget(planned);
    options.onEvent?.({
      type: "file-start",
      file: label,
      format: opened.candidate.format.id,
      bytes: source.size ?? 0,
      tasks: "run" in destination ? destination.tasks : taskCount(planned.plan),
    });
    const execution: Execution = {
      pool: options.pool,
      signal: options.signal,
      onTask: (done, tasks, result) =>
        options.onEvent?.({
          type: "task",
          file: label,
          done,
          tasks,
          bytesRead: result.bytesRead,
          bytesWritten: result.bytesWritten,
        }),
    };
    const outcome = "run" in destination
      ? await destination.run(execution)
      : await writeStore(planned, destination, execution);
    report.bytesIn = outcome.bytesRead;
    report.bytesOut = outcome.bytesWritten;
    report.warnings.push(...outcome.warnings);
    report.output = destination.output;
    if ("run" in destination && destination.outputs) report.outputs = destination.outputs;
    report.status = "ok";
  } catch (error) {
    const failure = toFuseError(error, "Corrupt", { source: source.name });
    if (failure.tag === "Aborted") throw failure;
    // Whatever an interrupted read looks like, it is no fault of the file.
    if (options.signal?.aborted) {
      throw new FuseError("Aborted", "cancelled", { source: source.name, cause: failure });
    }
    report.status = failure.tag === "UnknownFormat" || failure.tag === "Unsupported"
      ? "unsupported"
      : "failed";
    report.error = { tag: failure.tag, message: failure.message };
  } finally {
    if (planned) await closeMembers(planned.opened, source);
  }
  report.seconds = (performance.now() - started) / 1000;
  for (const message of report.warnings) {
    options.onEvent?.({ type: "warning", file: label, message });
  }
  options.onEvent?.({ type: "file-end", file: label, report });
  return report;
}
