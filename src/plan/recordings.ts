/** Recordings -> `signals`, `time`, `channel` and the attributes of their group. */
import { FuseError } from "../errors.ts";
import type { Attributes, Channel, ChannelPart, Json, Recording } from "../model/dataset.ts";
import { sizeOf } from "../model/dtype.ts";
import type { PlanBuilder } from "./builder.ts";
import { decideStorage, type Storage } from "./calibration.ts";
import { roundUp, rowChunk } from "./chunking.ts";
import type { FrameGroups } from "./frame-groups.ts";
import { planGrid } from "./grids.ts";
import type { GridPiece, SignalPart } from "./plan.ts";

/** Adds the arrays of one recording below `prefix` ("" or "name/"). */
export function planRecording(
  builder: PlanBuilder,
  frames: FrameGroups,
  recording: Recording,
  prefix: string,
): void {
  const { channels } = recording;
  const storage = decideStorage(recording, builder.options);
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
  if (recording.parts.some((p) => p.layout.kind === "chunks")) {
    planChunkedSignals(builder, recording, storage, `${prefix}signals`, unit);
    planChannels(builder, recording, prefix);
    planTime(builder, recording, prefix);
    return;
  }
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
  planChannels(builder, recording, prefix);
  if (sweeps) planSweeps(builder, recording, prefix);
  else planTime(builder, recording, prefix);
}

function planChannels(builder: PlanBuilder, recording: Recording, prefix: string): void {
  const { channels } = recording;
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
}

/** Signals of a chunked container: every part a grid with its own axis order. */
function planChunkedSignals(
  builder: PlanBuilder,
  recording: Recording,
  storage: Storage,
  path: string,
  unit: string | null,
): void {
  const { channels, sampleCount, rawType } = recording;
  const pieces = recording.parts.map(({ layout, grid, firstChannel, channelCount }): GridPiece => {
    if (layout.kind !== "chunks" || !grid) {
      throw new FuseError("Unsupported", "chunked and other signals in one recording", {
        array: path,
      });
    }
    const own = channels.slice(firstChannel, firstChannel + channelCount);
    return {
      layout,
      shape: grid.shape,
      permutation: [grid.channelAxis ?? -1, grid.timeAxis],
      start: [
        firstChannel - (grid.firstChannel ?? 0),
        (grid.startSample ?? 0) - (grid.firstSample ?? 0),
      ],
      rows: [firstChannel, firstChannel + channelCount],
      ...(storage.calibrate
        ? {
          calibration: {
            gain: Float64Array.from(own, (c) => c.gain),
            offset: Float64Array.from(own, (c) => c.offset),
          },
        }
        : {}),
    };
  });
  const shape = [channels.length, sampleCount];
  const attributes = { ...storage.attributes, ...(unit ? { units: unit } : {}) };
  const array = { path, dtype: storage.dtype, dims: ["channel", "time"], shape, attributes };
  planGrid(builder, array, rawType, pieces);
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
  if (recording.timeGenerated) {
    attributes.long_name = "sample index: the file gives no time";
    attributes.units = "1";
  }
  if (recording.time) {
    const length = recording.time.kind === "values"
      ? recording.time.values.length
      : recording.sampleCount;
    builder.rows(path, "float64", ["time"], [length], recording.time, attributes);
    return;
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
