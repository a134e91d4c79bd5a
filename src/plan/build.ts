/** Dataset -> Plan: names the groups and arrays of the store, sizes them, and cuts the work into tasks. */
import { FuseError } from "../errors.ts";
import type {
  Attributes,
  Channel,
  ChannelPart,
  Dataset,
  EventTable,
  Json,
  NamedArray,
  Recording,
} from "../model/dataset.ts";
import { type DType, sizeOf } from "../model/dtype.ts";
import { type FrameLayout, type Layout, totalFrames } from "../model/layout.ts";
import { type Provenance, rootAttributes } from "./attributes.ts";
import { decideStorage } from "./calibration.ts";
import {
  type ChunkTargets,
  DEFAULT_TARGETS,
  frameChunking,
  roundUp,
  rowChunk,
} from "./chunking.ts";
import { planImages } from "./images.ts";
import { UniqueNames } from "./names.ts";
import type { ArrayOrigin, Compressor, Plan, PlannedArray, SignalPart } from "./plan.ts";

/** Choices a user has about the output. */
export interface PlanOptions {
  /** Zarr version; 3 unless given. */
  zarrFormat?: 2 | 3;
  /** Sizes of chunks and shards; {@link DEFAULT_TARGETS} unless given. */
  targets?: ChunkTargets;
  /** Codec of the chunks; Blosc with LZ4 unless given. */
  compressor?: Compressor;
  /** Keep the converter's raw integers with `gain` and `offset` per channel. */
  keepRaw?: boolean;
  /** Bytes of a chunk where every chunk is an object of its own (zarr v2). */
  flatChunkBytes?: number;
}

/** State of a plan being built. */
export class PlanBuilder {
  readonly plan: Plan;
  readonly targets: ChunkTargets;
  readonly compressor: Compressor;

  constructor(
    readonly dataset: Dataset,
    readonly options: PlanOptions,
    provenance: Provenance,
  ) {
    const format = options.zarrFormat ?? 3;
    const targets = options.targets ?? DEFAULT_TARGETS;
    // Without shards a chunk is a file: make it larger, so that there are fewer of them.
    this.targets = format === 2
      ? {
        chunkBytes: Math.max(targets.chunkBytes, options.flatChunkBytes ?? 4 << 20),
        shardBytes: targets.shardBytes,
      }
      : targets;
    this.compressor = options.compressor ?? { id: "blosc-lz4" };
    const [source] = dataset.sources;
    this.plan = {
      input: {
        uri: source.uri,
        name: source.name,
        size: source.size ?? null,
        tag: source.tag ?? null,
        format: dataset.format,
        score: provenance.score,
      },
      sources: dataset.sources.map((s) => s.spec ?? null),
      frameTables: dataset.frameTables,
      digital: dataset.digital,
      zarrFormat: format,
      groups: [{ path: "", attributes: rootAttributes(dataset, provenance) }],
      arrays: [],
      documents: { ...dataset.documents },
      tasks: [],
      warnings: [...dataset.warnings],
      leftOut: [...dataset.leftOut],
      outputBytes: 0,
      taskMemoryBytes: 1 << 20,
    };
  }

  get sharded(): boolean {
    return this.plan.zarrFormat === 3;
  }

  /** Adds a group once; later attributes are merged in. */
  group(path: string, attributes: Attributes = {}): void {
    const existing = this.plan.groups.find((g) => g.path === path);
    if (existing) Object.assign(existing.attributes, attributes);
    else {
      const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
      if (parent) this.group(parent);
      this.plan.groups.push({ path, attributes });
    }
  }

  /** Adds an array and gives its index. */
  array(array: Omit<PlannedArray, "compressor"> & { compressor?: Compressor }): number {
    const parent = array.path.includes("/") ? array.path.slice(0, array.path.lastIndexOf("/")) : "";
    if (parent) this.group(parent);
    if (this.plan.arrays.some((a) => a.path === array.path)) {
      throw new FuseError("Corrupt", "two arrays of the output have one name", {
        source: this.plan.input.name,
        array: array.path,
      });
    }
    this.plan.arrays.push({ ...array, compressor: array.compressor ?? this.compressor });
    if (array.dtype !== "string") {
      const count = array.shape.reduce<number>((n, s) => n * (s ?? 0), 1);
      this.plan.outputBytes += count * sizeOf(array.dtype);
    }
    return this.plan.arrays.length - 1;
  }

  /** Adds an array whose first dimension holds rows: values in memory, or a stream. */
  rows(
    path: string,
    dtype: DType,
    dims: string[],
    shape: (number | null)[],
    origin: ArrayOrigin,
    attributes: Attributes = {},
  ): number {
    const inner = shape.slice(1).map((n) => n ?? 1);
    const rowBytes = inner.reduce((a, b) => a * b, dtype === "string" ? 64 : sizeOf(dtype));
    const length = shape[0];
    const rows = rowChunk(rowBytes, this.targets);
    const fits = length !== null && length <= rows;
    const chunks = [fits ? Math.max(1, length) : rows, ...inner.map((n) => Math.max(1, n))];
    const shards = this.sharded && !fits && dtype !== "string"
      ? [
        rows * Math.max(1, Math.floor(this.targets.shardBytes / (rows * rowBytes))),
        ...chunks.slice(1),
      ]
      : null;
    return this.array({ path, dtype, dims, shape, chunks, shards, attributes, origin });
  }
}

/** The plan of a dataset's conversion. */
export function buildPlan(dataset: Dataset, options: PlanOptions, provenance: Provenance): Plan {
  const builder = new PlanBuilder(dataset, options, provenance);
  const names = new UniqueNames();
  for (const reserved of ["events", "source", "OME"]) names.take(reserved);
  const frames = new FrameGroups(builder);
  const single = dataset.recordings.length === 1;
  for (const recording of dataset.recordings) {
    const prefix = single ? "" : `${names.take(recording.name, "recording")}/`;
    planRecording(builder, frames, recording, prefix);
  }
  for (const array of dataset.arrays) planNamedArray(builder, frames, array);
  planEvents(builder, dataset);
  frames.finish();
  planStreams(builder);
  planImages(builder, dataset);
  builder.plan.taskMemoryBytes = Math.max(
    builder.plan.taskMemoryBytes,
    ...builder.plan.arrays.map(
      (a) => 2 * a.chunks.reduce((n, s) => n * s, a.dtype === "string" ? 1 : sizeOf(a.dtype)),
    ),
  );
  return builder.plan;
}

function planRecording(
  builder: PlanBuilder,
  frames: FrameGroups,
  recording: Recording,
  prefix: string,
): void {
  const { channels } = recording;
  const storage = decideStorage(recording, builder.options.keepRaw);
  const unit = channels.length && channels.every((c) => c.units === channels[0].units)
    ? channels[0].units
    : null;
  builder.group(prefix.replace(/\/$/, ""), {
    ...recording.attributes,
    sampling_frequency: recording.samplingFrequency ?? "unknown",
    channel_names: channels.map((c) => c.name),
    channel_units: channels.map((c) => c.units),
    time_units: "s",
    segments: recording.segments.map((s) => ({
      start_index: s.startIndex,
      length: s.length,
      start_time: s.startSeconds,
    })),
    ...channelAttributes(channels),
  });
  const parts = recording.parts.map((part): SignalPart =>
    signalPart(part, channels, storage.calibrate)
  );
  const sweeps = sweepCount(recording, sizeOf(storage.dtype));
  const signals = builder.array({
    path: `${prefix}signals`,
    dtype: storage.dtype,
    dims: sweeps ? ["sweep", "channel", "time"] : ["channel", "time"],
    shape: sweeps
      ? [sweeps, channels.length, recording.sweepLength!]
      : [channels.length, recording.sampleCount],
    chunks: sweeps ? [1, 1, 1] : [1, 1],
    shards: null,
    attributes: { ...storage.attributes, ...(unit ? { units: unit } : {}) },
    origin: { kind: "signals", parts },
  });
  if (parts.every((p) => p.layout.kind === "frames")) frames.add(signals);
  else streamChunks(builder, signals);
  builder.rows(`${prefix}channel`, "string", ["channel"], [channels.length], {
    kind: "values",
    values: channels.map((c) => c.name),
  });
  if (builder.options.keepRaw) {
    for (const key of ["gain", "offset"] as const) {
      const values = Float64Array.from(channels, (c) => c[key]);
      builder.rows(`${prefix}${key}`, "float64", ["channel"], [channels.length], {
        kind: "values",
        values,
      });
    }
  }
  if (sweeps) planSweeps(builder, recording, prefix);
  else planTime(builder, recording, prefix);
}

/** Bytes of a sweep of all channels up to which sweeps get a dimension of their own. */
const SWEEP_BYTES = 64 << 20;

/** Number of equal sweeps to store as a dimension; 0 when the recording is not made of such. */
function sweepCount(recording: Recording, elementBytes: number): number {
  const { sweepLength, sampleCount, parts, segments, channels, time } = recording;
  if (!sweepLength || !sampleCount || sampleCount % sweepLength !== 0 || time) return 0;
  const plain = parts.every((p) =>
    p.layout.kind === "frames" && p.layout.samplesPerFrame === 1 && !p.tail
  );
  const fits = sweepLength * channels.length * elementBytes <= SWEEP_BYTES;
  return plain && fits && segments.length === sampleCount / sweepLength ? segments.length : 0;
}

/** Time inside a sweep, and when each sweep begins. */
function planSweeps(builder: PlanBuilder, recording: Recording, prefix: string): void {
  const { sweepLength, samplingFrequency, segments } = recording;
  const clock = {
    ...recording,
    sampleCount: sweepLength!,
    segments: [{ startIndex: 0, length: sweepLength!, startSeconds: 0 }],
  };
  planTime(builder, clock, prefix);
  const time = builder.plan.arrays[builder.plan.arrays.length - 1];
  if (samplingFrequency !== null) time.attributes.long_name = "time since the start of the sweep";
  const values = Float64Array.from(segments, (s) => s.startSeconds);
  builder.rows(`${prefix}sweep_start`, "float64", ["sweep"], [segments.length], {
    kind: "values",
    values,
  }, {
    units: "s",
    long_name: "start of the sweep since the start of the recording",
  });
}

/** Attributes that differ from channel to channel, as one list each. */
function channelAttributes(channels: Channel[]): Attributes {
  const keys = new Set(channels.flatMap((c) => Object.keys(c.attributes ?? {})));
  const lists: Attributes = {};
  for (const key of keys) {
    lists[`channel_${key}`] = channels.map((c): Json => c.attributes?.[key] ?? null);
  }
  return lists;
}

function signalPart(part: ChannelPart, channels: Channel[], calibrate: boolean): SignalPart {
  const { layout, firstChannel, channelCount } = part;
  if (layout.kind !== "frames" && layout.kind !== "stream") {
    throw new FuseError("Unsupported", `signals of kind ${layout.kind} cannot be converted`);
  }
  const own = channels.slice(firstChannel, firstChannel + channelCount);
  return {
    firstChannel,
    channelCount,
    layout,
    ...(calibrate
      ? {
        calibration: {
          gain: Float64Array.from(own, (c) => c.gain),
          offset: Float64Array.from(own, (c) => c.offset),
        },
      }
      : {}),
    ...(part.tail ? { tail: part.tail } : {}),
  };
}

function planTime(builder: PlanBuilder, recording: Recording, prefix: string): void {
  const attributes: Attributes = { units: "s", long_name: "time since the start of the recording" };
  const path = `${prefix}time`;
  if (recording.time) {
    const length = recording.time.kind === "values"
      ? recording.time.values.length
      : recording.sampleCount;
    builder.rows(path, "float64", ["time"], [length], recording.time, attributes);
    return;
  }
  if (recording.timeGenerated) {
    attributes.long_name = "sample index: the file gives no time";
    attributes.units = "1";
  }
  const index = builder.rows(path, "float64", ["time"], [recording.sampleCount], {
    kind: "clock",
    samplingFrequency: recording.timeGenerated ? 1 : recording.samplingFrequency ?? 1,
    segments: recording.segments,
  }, attributes);
  const { shards, chunks, shape } = builder.plan.arrays[index];
  if (shape[0] !== null) {
    const count = Math.max(1, Math.ceil(shape[0] / (shards ?? chunks)[0]));
    builder.plan.tasks.push({ kind: "clock", array: index, count });
  }
}

function planNamedArray(builder: PlanBuilder, frames: FrameGroups, array: NamedArray): void {
  const attributes: Attributes = {
    ...array.attributes,
    ...(array.units ? { units: array.units } : {}),
  };
  const { layout, path, dtype, dims, shape } = array;
  if (layout.kind === "frames") {
    const index = builder.array({
      path,
      dtype,
      dims,
      shape,
      chunks: [1],
      shards: null,
      attributes,
      origin: {
        kind: "signals",
        parts: [{ firstChannel: 0, channelCount: layout.channelOffsets.length, layout }],
      },
    });
    frames.add(index);
  } else if (layout.kind === "chunks") {
    throw new FuseError("Unsupported", "chunked arrays outside images", { array: path });
  } else {
    builder.rows(path, dtype, dims, shape, layout, attributes);
  }
}

function planEvents(builder: PlanBuilder, dataset: Dataset): void {
  const names = new UniqueNames();
  const add = (table: EventTable) => {
    const name = names.take(table.name, "events");
    builder.group(`events/${name}`, eventAttributes(table.name, table.attributes));
    for (const column of table.columns) {
      builder.rows(
        `events/${name}/${column.name}`,
        column.dtype,
        ["event", ...(column.innerDims ?? column.innerShape.map((_, i) => `dim_${i + 1}`))],
        [table.count, ...column.innerShape],
        originOf(column.layout),
        { ...column.attributes, ...(column.units ? { units: column.units } : {}) },
      );
    }
  };
  dataset.events.forEach(add);
  dataset.digital.forEach((digital) => {
    const words = builder.plan.arrays.findIndex((a) => a.path === digital.array);
    for (const line of digital.lines) {
      const name = names.take(line.name, `bit_${line.bit}`);
      builder.group(`events/${name}`, {
        ...eventAttributes(line.name, line.attributes),
        bit: line.bit,
      });
      for (const field of ["time", "label"] as const) {
        builder.rows(
          `events/${name}/${field}`,
          field === "time" ? "float64" : "string",
          ["event"],
          [null],
          { kind: "edges", words, bit: line.bit, field },
          field === "time" ? { units: "s" } : {},
        );
      }
    }
  });
}

/** `coordinates` keeps xarray's datatree from showing the signals' time axis in place of the events' own. */
function eventAttributes(name: string, own: Attributes = {}): Attributes {
  return { ...own, name, coordinates: "time" };
}

function originOf(layout: Layout): ArrayOrigin {
  if (layout.kind === "values" || layout.kind === "stream" || layout.kind === "clock") {
    return layout;
  }
  throw new FuseError("Unsupported", `event columns of kind ${layout.kind}`);
}

/** Chunks of signals that a forward pass feeds: one chunk row per part. */
function streamChunks(builder: PlanBuilder, index: number): void {
  const array = builder.plan.arrays[index];
  const { parts } = array.origin as { kind: "signals"; parts: SignalPart[] };
  const [channels, samples] = array.shape as [number, number | null];
  const channelsPerChunk = parts.length > 1 ? 1 : channels;
  if (parts.length > 1 && parts.some((p) => p.channelCount > 1)) {
    throw new FuseError("Unsupported", "several streams of several channels", {
      array: array.path,
    });
  }
  const width = sizeOf(array.dtype);
  const rows = rowChunk(channelsPerChunk * width, builder.targets);
  const length = samples !== null && samples <= rows ? roundUp(Math.max(1, samples), 8) : rows;
  array.chunks = [channelsPerChunk, length];
  const spread = Math.max(
    1,
    Math.floor(builder.targets.shardBytes / (length * channelsPerChunk * width)),
  );
  array.shards = builder.sharded && (samples === null || samples > length)
    ? [channelsPerChunk, length * spread]
    : null;
}

/** One task set per stream, feeding every array that draws on it. */
function planStreams(builder: PlanBuilder): void {
  const streams = new Map<string, number[]>();
  builder.plan.arrays.forEach((array, index) => {
    const layouts = array.origin.kind === "stream"
      ? [array.origin]
      : array.origin.kind === "signals"
      ? array.origin.parts.map((p) => p.layout).filter((l) => l.kind === "stream")
      : [];
    for (const { stream } of layouts) {
      const list = streams.get(stream) ?? [];
      if (!list.includes(index)) list.push(index);
      streams.set(stream, list);
    }
  });
  for (const [stream, arrays] of streams) {
    builder.plan.tasks.push({ kind: "stream", stream, arrays, count: 1 });
  }
}

/** Collects arrays made of frames, and puts those that share tables into one task set. */
class FrameGroups {
  readonly #groups: { arrays: number[]; tables: Set<number> }[] = [];

  constructor(readonly builder: PlanBuilder) {}

  #layouts(index: number): FrameLayout[] {
    const origin = this.builder.plan.arrays[index].origin as {
      kind: "signals";
      parts: SignalPart[];
    };
    return origin.parts.map((p) => p.layout as FrameLayout);
  }

  add(index: number): void {
    const tables = new Set(this.#layouts(index).map((l) => l.table));
    if (this.builder.plan.arrays[index].shape.length === 3) {
      this.#planSweeps(index, tables);
      return;
    }
    const merged = { arrays: [index], tables };
    for (let i = this.#groups.length - 1; i >= 0; i--) {
      const group = this.#groups[i];
      if ([...group.tables].some((t) => tables.has(t))) {
        merged.arrays.unshift(...group.arrays);
        group.tables.forEach((t) => merged.tables.add(t));
        this.#groups.splice(i, 1);
      }
    }
    this.#groups.push(merged);
  }

  finish(): void {
    for (const group of this.#groups) this.#plan(group.arrays, [...group.tables]);
  }

  /** Sweeps are tasks of their own: a window is a sweep, a chunk some channels of it. */
  #planSweeps(index: number, tables: Set<number>): void {
    const { builder } = this;
    const array = builder.plan.arrays[index];
    const [sweeps, channels, length] = array.shape as number[];
    const sweepBytes = length * sizeOf(array.dtype);
    const { chunkBytes, shardBytes } = builder.targets;
    const perChunk = Math.max(1, Math.min(channels, Math.floor(chunkBytes / sweepBytes)));
    const wide = roundUp(channels, perChunk);
    const perTask = Math.max(1, Math.min(sweeps, Math.floor(shardBytes / (wide * sweepBytes))));
    const count = Math.ceil(sweeps / perTask);
    array.chunks = [1, perChunk, length];
    array.shards = builder.sharded && (perTask > 1 || wide > perChunk)
      ? [perTask, wide, length]
      : null;
    const frameBytes = [...tables].reduce((n, t) => n + builder.plan.frameTables[t].frameBytes, 0);
    const memory = length * frameBytes + (wide + 2 * perChunk) * sweepBytes;
    builder.plan.taskMemoryBytes = Math.max(builder.plan.taskMemoryBytes, memory);
    builder.plan.tasks.unshift({
      kind: "frames",
      arrays: [index],
      frameCount: sweeps * length,
      framesPerTask: perTask * length,
      framesPerWindow: length,
      digital: [],
      count,
    });
  }

  #plan(arrays: number[], tables: number[]): void {
    const { builder } = this;
    const { plan } = builder;
    // Tails reach past the last whole frame.
    const frameCount = Math.max(
      ...tables.map((t) => totalFrames(plan.frameTables[t])),
      ...arrays.map((index) =>
        Math.ceil((plan.arrays[index].shape.at(-1) ?? 0) / this.#layouts(index)[0].samplesPerFrame)
      ),
    );
    const frameBytes = tables.reduce((n, t) => n + plan.frameTables[t].frameBytes, 0);
    const sizes = arrays.map((index) => {
      const array = plan.arrays[index];
      return {
        channels: array.shape.length === 2 ? Math.max(1, array.shape[0] ?? 1) : 1,
        elementBytes: sizeOf(array.dtype),
        samplesPerFrame: this.#layouts(index)[0].samplesPerFrame,
      };
    });
    const chunking = frameChunking(sizes, frameCount, frameBytes, builder.targets);
    const tasks = Math.max(1, Math.ceil(frameCount / chunking.framesPerTask));
    let memory = chunking.framesPerWindow * frameBytes;
    arrays.forEach((index, i) => {
      const array = plan.arrays[index];
      const { channels, samples } = chunking.chunks[i];
      const shardSamples = chunking.framesPerTask * sizes[i].samplesPerFrame;
      const flat = array.shape.length === 1;
      array.chunks = flat ? [samples] : [channels, samples];
      const wide = roundUp(sizes[i].channels, channels);
      const whole = samples === shardSamples && wide === channels;
      array.shards = builder.sharded && !(whole && tasks === 1)
        ? (flat ? [shardSamples] : [wide, shardSamples])
        : null;
      memory += (wide + 2 * channels) * samples * sizes[i].elementBytes;
    });
    plan.taskMemoryBytes = Math.max(plan.taskMemoryBytes, memory);
    const digital = plan.digital.flatMap((d, i) =>
      arrays.some((a) => plan.arrays[a].path === d.array) ? [i] : []
    );
    plan.tasks.unshift({
      kind: "frames",
      arrays,
      frameCount,
      framesPerTask: chunking.framesPerTask,
      framesPerWindow: chunking.framesPerWindow,
      digital,
      count: tasks,
    });
  }
}
