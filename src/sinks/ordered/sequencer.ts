/**
 * Gives tables their rows in order. Frames are decoded by the plan's tasks, in parallel, and taken in
 * task order; streams are pulled only as far as their rows are wanted, so that a slow consumer holds
 * back everything and memory stays bounded.
 */
import { FuseError } from "../../errors.ts";
import type { Dataset, StreamBlock } from "../../model/dataset.ts";
import type { ClockLayout } from "../../model/layout.ts";
import { type Plan, taskAt, taskCount, type TaskSet } from "../../plan/plan.ts";
import type { Outcome } from "../../pool/execute.ts";
import type { TaskResult } from "../../pool/task-result.ts";
import { fillTimes } from "../../stream/clock-task.ts";
import { pickRows } from "../../stream/pick-rows.ts";
import { WARNINGS_FIELD } from "../../stream/stream-task.ts";
import type { StoredArray } from "../targets/chunk-files.ts";
import { elementBytes } from "../npy/format.ts";
import { objectKey } from "../zarr/metadata.ts";
import type { FeedSource, TableDefinition } from "./definition.ts";
import type { OwnerExecutor } from "./executor.ts";
import { asType, channelColumns, chunkValues, Feed, innerColumns } from "./feed.ts";
import type { ColumnValues, OrderedSink } from "./table.ts";

/** Most cells of a block: a few megabytes, also as text. */
const BLOCK_CELLS = 2 ** 18;

/** Bytes read from chunk files at a time. */
const STORED_BYTES = 4 << 20;

/** A table and what writes it. */
export interface TableOutput {
  table: TableDefinition;
  sink: OrderedSink;
}

/** Arrays in chunk files. */
export interface StoredArrays {
  arrays: StoredArray[];
  /** Values of a box of one of them, in C order. */
  readBox(array: StoredArray, origin: number[], extent: number[]): Uint8Array;
}

/** What a run needs beside its tables. */
export interface TableRun {
  /** A plan of frames tasks only; see {@link framesOnly}. */
  plan: Plan;
  dataset: Dataset;
  executor: OwnerExecutor;
  /** Arrays that were written to chunk files first. */
  stored?: StoredArrays;
  signal?: AbortSignal;
  onTask?: (done: number, total: number, result: TaskResult) => void;
}

/** The plan with only the tasks that give frames to some of `tables`. */
export function framesOnly(plan: Plan, tables: TableDefinition[]): Plan {
  const wanted = new Set(
    tables.flatMap((t) => t.feeds.map((f) => (f.source.kind === "frames" ? f.source.array : -1))),
  );
  const tasks = plan.tasks.flatMap((set): TaskSet[] => {
    if (set.kind !== "frames") return [];
    const arrays = set.arrays.filter((a) => wanted.has(a));
    return arrays.length ? [{ ...set, arrays, digital: [] }] : [];
  });
  return { ...plan, tasks };
}

/**
 * Writes `outputs`; the sinks are finished on success and aborted on any failure.
 * @throws FuseError of the first task, stream or sink that failed.
 */
export async function runTables(outputs: TableOutput[], run: TableRun): Promise<Outcome> {
  const sequencer = new Sequencer(outputs, run);
  try {
    return await sequencer.run();
  } catch (error) {
    for (const { sink } of outputs) await sink.abort();
    if (run.signal?.aborted) {
      throw new FuseError("Aborted", "cancelled", { source: run.plan.input.name });
    }
    throw error;
  } finally {
    sequencer.close();
  }
}

interface Running {
  table: TableDefinition;
  sink: OrderedSink;
  /** Null where times come from segments. */
  feeds: { source: FeedSource; feed: Feed | null }[];
  rows: number;
  /** Times of a block, made anew for each. */
  times: Float64Array;
}

class Sequencer {
  readonly #tables: Running[];
  readonly #streams = new Map<string, ReadableStreamDefaultReader<StreamBlock>>();
  readonly #outcome: Outcome = { bytesRead: 0, bytesWritten: 0, warnings: [] };

  constructor(outputs: TableOutput[], readonly parts: TableRun) {
    this.#tables = outputs.map(({ table, sink }) => ({
      table,
      sink,
      rows: 0,
      times: new Float64Array(0),
      feeds: table.feeds.map(({ source, width }) => {
        const stream = source.kind === "stream" ? source.stream : undefined;
        const feed = source.kind === "clock" ? null : new Feed(table.head.name, width, stream);
        if (source.kind === "values") {
          const columns = innerColumns(source.values, width).map((c, i) => typed(c, source, i));
          feed!.push(columns, columns[0].length);
          feed!.ended = true;
        }
        return { source, feed };
      }),
    }));
  }

  async run(): Promise<Outcome> {
    const { signal, plan } = this.parts;
    // A pipe may be silent for long: an interruption ends the wait for it.
    signal?.addEventListener("abort", () => this.close(), { once: true });
    for (const { sink } of this.#tables) await sink.begin();
    await this.#runTasks();
    for (const { feed } of this.#feedsOf("frames")) feed!.ended = true;
    for (const table of this.#tables) {
      while (!this.#spent(table)) {
        signal?.throwIfAborted();
        if (!await this.#advance(table)) break;
      }
    }
    for (const table of this.#tables) {
      this.#check(table);
      await table.sink.finish(table.rows);
    }
    this.#outcome.bytesWritten = this.#tables.reduce((n, t) => n + t.sink.bytesWritten, 0);
    if (this.#streams.size) this.#outcome.bytesRead += plan.input.size ?? 0;
    return this.#outcome;
  }

  #feedsOf(kind: FeedSource["kind"]): Running["feeds"] {
    return this.#tables.flatMap((t) => t.feeds).filter((f) => f.source.kind === kind);
  }

  /** Runs the frames tasks, as many at a time as the executor likes, and takes them in order. */
  async #runTasks(): Promise<void> {
    const { plan, executor, signal, onTask } = this.parts;
    const total = taskCount(plan);
    const running: Promise<TaskResult>[] = [];
    let next = 0, done = 0;
    try {
      while (next < total || running.length) {
        signal?.throwIfAborted();
        while (next < total && running.length < executor.concurrency) {
          const task = executor.run(next++);
          task.catch(() => {});
          running.push(task);
        }
        const result = await running[0];
        running.shift();
        await this.#take(result, done++);
        this.#outcome.bytesRead += result.bytesRead;
        onTask?.(done, total, { ...result, bytesWritten: 0 });
      }
    } finally {
      await Promise.allSettled(running);
    }
  }

  async #take(result: TaskResult, index: number): Promise<void> {
    const { set, k } = taskAt(this.parts.plan, index);
    if (set.kind !== "frames") return;
    const objects = new Map(result.objects.map(({ key, bytes }) => [key, bytes]));
    this.#note(result.warnings);
    for (const table of this.#tables) {
      for (const { source, feed } of table.feeds) {
        if (source.kind === "frames" && set.arrays.includes(source.array)) {
          this.#pushFrames(source, feed!, k * set.framesPerTask, set.framesPerTask, objects);
        }
      }
      while (await this.#emit(table, true));
    }
  }

  /** The chunks of a task, as columns. */
  #pushFrames(
    source: Extract<FeedSource, { kind: "frames" }>,
    feed: Feed,
    firstFrame: number,
    frames: number,
    objects: Map<string, Uint8Array<ArrayBuffer>>,
  ): void {
    const { plan, executor } = this.parts;
    const array = plan.arrays[source.array];
    const [channels, samples] = array.shape as number[];
    const [perChunk, chunkSamples] = array.chunks;
    const end = Math.min(samples, (firstFrame + frames) * source.samplesPerFrame);
    for (let at = firstFrame * source.samplesPerFrame; at < end; at += chunkSamples) {
      const rows = Math.min(chunkSamples, end - at);
      const columns: ColumnValues[] = [];
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      for (let first = 0; first < channels; first += perChunk) {
        const key = objectKey(plan, array, [first / perChunk, at / chunkSamples]);
        const bytes = objects.get(key);
        if (!bytes) throw new FuseError("Sink", "a task gave no chunk", { array: key });
        chunks.push(bytes);
        const values = chunkValues(array.dtype, bytes);
        for (let c = 0; c < Math.min(perChunk, channels - first); c++) {
          columns.push(values.subarray(c * chunkSamples, c * chunkSamples + rows));
        }
      }
      feed.push(columns, rows, () => chunks.forEach((bytes) => executor.giveBack(bytes)));
    }
  }

  /** Brings a table forward: writes rows, or pulls the stream that holds them back. False at its end. */
  async #advance(table: Running): Promise<boolean> {
    if (await this.#emit(table, false)) return true;
    const late = table.feeds.find(({ feed }) => feed && feed.ready === 0 && !feed.ended);
    if (late?.source.kind === "stored") {
      this.#readStored(late.feed!, late.source.array);
      return true;
    }
    if (late?.source.kind !== "stream") return false;
    await this.#pull(late.source.stream);
    // What else the stream brought leaves as soon as its rows are whole.
    for (const other of this.#tables) {
      if (other !== table) {
        while (await this.#emit(other, false));
      }
    }
    return true;
  }

  /** Writes rows whose columns are all there; with `pulling`, fetches what streams owe them first. */
  async #emit(table: Running, pulling: boolean): Promise<boolean> {
    const real = table.feeds.filter((f) => f.feed !== null);
    if (pulling && real.some(({ feed, source }) => source.kind === "frames" && feed!.ready > 0)) {
      for (const { feed, source } of real) {
        while (source.kind === "stream" && feed!.ready === 0 && !feed!.ended) {
          await this.#pull(source.stream);
        }
      }
    }
    const most = Math.max(1, Math.floor(BLOCK_CELLS / table.table.head.columns.length));
    const rows = Math.min(most, ...real.map(({ feed }) => feed!.ready));
    if (real.length === 0 || rows === 0) return false;
    const columns = table.feeds.flatMap(({ source, feed }) =>
      feed ? feed.take(rows) : [times((source as { clock: ClockLayout }).clock, table, rows)]
    );
    await table.sink.block({ firstRow: table.rows, rows, columns });
    for (const { feed } of real) feed!.release();
    table.rows += rows;
    return true;
  }

  #spent(table: Running): boolean {
    return table.feeds.every(({ feed }) => !feed || feed.spent);
  }

  /** Takes the next block of a stream to the feeds it is for. */
  async #pull(id: string): Promise<void> {
    const { dataset, signal } = this.parts;
    let reader = this.#streams.get(id);
    if (!reader) {
      if (!dataset.openStream) {
        throw new FuseError("Unsupported", "the reader has no stream", { found: id });
      }
      reader = dataset.openStream(id, { signal }).getReader();
      this.#streams.set(id, reader);
    }
    const { done, value } = await reader.read();
    signal?.throwIfAborted();
    const mine = this.#feedsOf("stream").filter(({ feed }) => feed!.stream === id);
    if (done) {
      mine.forEach(({ feed }) => feed!.ended = true);
      return;
    }
    if (value.field === WARNINGS_FIELD) return this.#note(value.values as string[]);
    for (const { source, feed } of mine) {
      if (source.kind !== "stream" || source.field !== value.field) continue;
      const columns = source.channels
        ? channelColumns(pickRows(value, source.rows).values, feed!.width)
        : innerColumns(value.values, feed!.width);
      feed!.push(columns.map((c, i) => typed(c, source, i)), value.count);
    }
  }

  /** The next rows of an array that lies in chunk files. */
  #readStored(feed: Feed, index: number): void {
    const { plan, stored } = this.parts;
    const { path } = plan.arrays[index];
    const array = stored?.arrays.find((a) => a.path === path);
    if (!stored || !array) {
      throw new FuseError("Sink", "the array was not written", { array: path });
    }
    const [channels, samples] = array.shape;
    const [, span] = array.chunks;
    const budget = Math.max(1, Math.floor(STORED_BYTES / (channels * elementBytes(array.descr))));
    // Whole chunks where they fit, so that none is read twice.
    const reach = budget < span ? budget : budget - budget % span;
    const rows = Math.min(reach, samples - feed.pushed);
    if (rows > 0) {
      const bytes = stored.readBox(array, [0, feed.pushed], [channels, rows]);
      feed.push(channelColumns(chunkValues(plan.arrays[index].dtype, bytes), channels), rows);
    }
    feed.ended = feed.pushed >= samples;
  }

  #note(warnings: string[]): void {
    for (const warning of warnings) {
      if (!this.#outcome.warnings.includes(warning)) this.#outcome.warnings.push(warning);
    }
  }

  /** All columns end together, and where the header said. */
  #check(table: Running): void {
    const { head } = table.table;
    const place = { source: this.parts.plan.input.name, array: head.name };
    if (head.rows !== null && table.rows < head.rows) {
      throw new FuseError("Truncated", "the file holds fewer values than its header says", {
        ...place,
        found: table.rows,
        expected: head.rows,
      });
    }
    if (!this.#spent(table) || (head.rows !== null && table.rows > head.rows)) {
      throw new FuseError("Corrupt", "the columns of a table are of different lengths", {
        ...place,
        found: table.rows,
        expected: head.rows ?? "one length",
      });
    }
  }

  /** Ends the streams; one that waits for its source ends when the source is closed. */
  close(): void {
    for (const reader of this.#streams.values()) void reader.cancel().catch(() => {});
  }
}

/** Times of the next `count` rows; a table has one time, so its buffer serves every block. */
function times(clock: ClockLayout, table: Running, count: number): Float64Array {
  if (table.times.length < count) table.times = new Float64Array(count);
  const out = table.times.subarray(0, count);
  fillTimes(clock, table.rows, out);
  return out;
}

/** Values of column `index` in the type of their column, multiplied out where the plan says so. */
function typed(
  values: ColumnValues,
  source: Extract<FeedSource, { kind: "stream" | "values" }>,
  index: number,
): ColumnValues {
  const { calibration, dtype } = source;
  if (!calibration) return asType(values, dtype);
  const gain = calibration.gain[index], offset = calibration.offset[index];
  const out = dtype === "float32"
    ? new Float32Array(values.length)
    : new Float64Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(values[i]) * gain + offset;
  return out;
}
