/**
 * The binary format: structure.oebin (JSON), continuous.dat of int16 [sample, channel], and .npy files
 * of sample numbers, times, events and spikes. Source: Open Ephys GUI documentation, "Binary Format".
 */
import { ensure, FuseError, isFuseError } from "../../src/errors.ts";
import type { Channel, Dataset, Recording } from "../../src/model/dataset.ts";
import { frameTable, type Segment } from "../../src/model/layout.ts";
import type { OpenOptions } from "../format.ts";
import {
  channelKind,
  counterSegments,
  momentOfZero,
  parseSyncMessages,
  synchronise,
  type SyncMessages,
  timeBlocks,
  usualUnits,
} from "./openephys-clock.ts";
import type { NpyFile } from "./openephys-npy.ts";
import { addEvents, entriesOf, type Entry, folderOf, siblingNpy } from "./openephys-tables.ts";
import { type Passes, uniqueName } from "./record-tables.ts";

/** Largest structure.oebin that is read. */
const MOST_JSON_BYTES = 64 << 20;
/** Most bytes of sync_messages.txt that are read. */
const MOST_SYNC_BYTES = 1 << 20;
/** Channels a description may claim without listing them. */
const MOST_CHANNELS = 65_536;

/** Fills a dataset from structure.oebin. @throws FuseError where it or its files make no sense */
export async function readBinary(
  dataset: Dataset,
  passes: Passes,
  { signal }: OpenOptions,
): Promise<void> {
  const [source] = dataset.sources;
  ensure((source.size ?? 0) <= MOST_JSON_BYTES, "too large for a description", {
    source: source.name,
    found: source.size,
  });
  const bytes = await source.readUpTo(0, source.size ?? MOST_JSON_BYTES, {
    purpose: "header",
    signal,
  });
  let root: Entry;
  try {
    root = JSON.parse(new TextDecoder().decode(bytes)) as Entry;
    if (typeof root !== "object" || root === null) throw new Error("not an object");
  } catch (cause) {
    throw new FuseError("Corrupt", "the description is not valid JSON", {
      source: source.name,
      cause,
    });
  }
  const sync = await readSync(dataset, signal);
  const names = new Set<string>(), tables = new Set<string>();
  const streams = entriesOf(root.continuous);
  for (const entry of streams) await addStream(dataset, passes, entry, sync, names, signal);
  for (const key of ["events", "spikes"] as const) {
    for (const entry of entriesOf(root[key])) {
      const label = folderOf(entry).replaceAll("/", "_") || key;
      try {
        await addEvents(dataset, passes, entry, key, uniqueName(label, tables), streams, signal);
      } catch (error) {
        if (!isFuseError(error, "Corrupt", "Truncated", "Unsupported")) throw error;
        dataset.warnings.push(error.message);
        dataset.leftOut.push({ what: `${key}/${folderOf(entry)}`, why: error.statement });
      }
    }
  }
  describe(dataset, root, sync);
}

async function readSync(dataset: Dataset, signal?: AbortSignal): Promise<SyncMessages> {
  const file = await dataset.sources[0].sibling("sync_messages.txt");
  if (!file) return { starts: [] };
  dataset.sources.push(file);
  const bytes = await file.readUpTo(0, MOST_SYNC_BYTES, { purpose: "header", signal });
  return parseSyncMessages(new TextDecoder().decode(bytes));
}

function describe(dataset: Dataset, root: Entry, { softwareMs, starts }: SyncMessages): void {
  const { metadata } = dataset;
  metadata.modality = "electrophysiology";
  metadata.header = {
    gui_version: root["GUI version"] ?? "unknown",
    ...(softwareMs === undefined ? {} : { software_time_ms: softwareMs }),
    ...(starts.length ? { stream_starts: starts.map((s) => ({ ...s })) } : {}),
  };
  if (softwareMs === undefined) return;
  const first = dataset.recordings.map((r) => r.segments[0]?.startSeconds ?? 0);
  const start = momentOfZero(softwareMs, first.length ? Math.min(...first) : 0);
  if (start) metadata.startTime = start;
}

async function addStream(
  dataset: Dataset,
  passes: Passes,
  entry: Entry,
  sync: SyncMessages,
  names: Set<string>,
  signal?: AbortSignal,
): Promise<void> {
  const [main] = dataset.sources;
  const base = `continuous/${folderOf(entry)}`;
  const name = folderOf(entry).split("/").at(-1) || "continuous";
  const data = await main.sibling(`${base}/continuous.dat`);
  if (!data) {
    dataset.warnings.push(`${base}/continuous.dat: not there; the stream is left out`);
    dataset.leftOut.push({ what: `stream ${name}`, why: "its continuous.dat is missing" });
    return;
  }
  const rate = Number(entry.sample_rate);
  const channels = channelsOf(entry, data.size!, `${base}: `, dataset.warnings);
  ensure(
    channels.length > 0 && rate > 0 && Number.isFinite(rate),
    `stream ${name}: no channels or rate`,
    {
      source: main.name,
      found: `${channels.length} channels at ${entry.sample_rate} Hz`,
    },
  );
  const frameBytes = 2 * channels.length;
  const rest = data.size! % frameBytes;
  const count = (data.size! - rest) / frameBytes;
  if (rest) {
    dataset.warnings.push(`${base}/continuous.dat ends inside a sample (${rest} bytes of it)`);
  }
  if (!count) {
    dataset.leftOut.push({ what: `stream ${name}`, why: "it holds no samples" });
    return;
  }
  const times = await siblingNpy(dataset, `${base}/timestamps.npy`, signal);
  const numbers = await siblingNpy(dataset, `${base}/sample_numbers.npy`, signal) ??
    (times?.dtype === "int64" ? times : null);
  const seconds = times?.dtype === "float64"
    ? times
    : await siblingNpy(dataset, `${base}/synchronized_timestamps.npy`, signal);
  const segments = await segmentsOf(dataset, entry, numbers, count, rate, sync, signal);
  const strays = seconds?.dtype === "float64"
    ? await synchronise(segments, seconds, rate, signal)
    : 0;
  dataset.sources.push(data);
  const table = dataset.frameTables.push(
    frameTable(frameBytes, [{ source: dataset.sources.length - 1, offset: 0, frameCount: count }]),
  ) - 1;
  const groups = Map.groupBy(channels.keys(), (i) => channels[i].kind);
  for (const [kind, places] of groups) {
    const recording: Recording = {
      name: uniqueName(groups.size === 1 || !kind ? name : `${name}_${kind}`, names),
      channels: places.map((i) => channels[i].channel),
      samplingFrequency: rate,
      sampleCount: count,
      segments,
      rawType: "int16",
      parts: [{
        firstChannel: 0,
        channelCount: places.length,
        layout: {
          kind: "frames",
          table,
          stored: "int16",
          littleEndian: true,
          samplesPerFrame: 1,
          channelOffsets: places.map((i) => 2 * i),
          sampleStride: frameBytes,
        },
      }],
      attributes: {
        source_processor_name: entry.source_processor_name ?? "",
        ...(typeof entry.stream_name === "string" ? { stream_name: entry.stream_name } : {}),
      },
    };
    if (strays && seconds) {
      const stream = `${recording.name}/time`;
      passes.set(stream, (s) => timeBlocks(seconds, count, s));
      recording.time = { kind: "stream", stream, field: "time" };
    }
    dataset.recordings.push(recording);
  }
  if (strays) {
    dataset.warnings.push(
      `${base}: synchronised times stray up to ${strays.toFixed(1)} samples from an even ` +
        `${rate} Hz clock; the time axis is made of the times themselves`,
    );
  }
}

/** Channels of a stream with their kinds; as many as the samples are interleaved from. */
function channelsOf(
  entry: Entry,
  bytes: number,
  place: string,
  warnings: string[],
): { channel: Channel; kind: string }[] {
  const listed = entriesOf(entry.channels);
  const stated = Number(entry.num_channels);
  let count = listed.length;
  if (Number.isInteger(stated) && stated > 0 && stated !== count && stated <= MOST_CHANNELS) {
    // Whichever of both divides the file is how it was written.
    if (!count || bytes % (2 * count) !== 0 && bytes % (2 * stated) === 0) count = stated;
    warnings.push(
      `${place}${stated} channels are stated and ${listed.length} are listed; ${count} are read`,
    );
  }
  return Array.from({ length: count }, (_, i) => {
    const c = listed[i] ?? {};
    const name = String(c.channel_name ?? `CH${i + 1}`);
    const units = typeof c.units === "string" && c.units !== "" ? c.units : usualUnits(name);
    return {
      kind: channelKind(name),
      channel: {
        name,
        units,
        gain: Number(c.bit_volts) || 1,
        offset: 0,
        attributes: { description: c.description ?? "", identifier: c.identifier ?? "" },
      },
    };
  });
}

/** Runs of samples, by their numbers, else from where the messages say the stream began. */
async function segmentsOf(
  dataset: Dataset,
  entry: Entry,
  numbers: NpyFile | null,
  count: number,
  rate: number,
  { starts }: SyncMessages,
  signal?: AbortSignal,
): Promise<Segment[]> {
  const known = Math.min(count, numbers?.shape[0] ?? 0);
  if (numbers?.dtype === "int64" && known) {
    if (known < count) {
      dataset.warnings.push(
        `${numbers.source.name} of ${folderOf(entry)}: ${known} numbers for ${count} samples`,
      );
    }
    const counters = {
      source: numbers.source,
      offset: numbers.offset,
      strideBytes: 8,
      count: known,
      samples: 1,
    };
    return await counterSegments(counters, count, rate, dataset.warnings, signal);
  }
  const processor = String(entry.source_processor_id ?? "");
  const stream = typeof entry.stream_name === "string" ? entry.stream_name : "";
  const start = starts.find((s) => s.name && s.name === stream && s.processor === processor) ??
    starts.find((s) => s.name ? s.name === stream : s.processor === processor);
  dataset.warnings.push(
    `continuous/${folderOf(entry)}: no sample numbers; the stream is taken to start at ` +
      (start ? `sample ${start.sample}, as sync_messages.txt says` : "0"),
  );
  return [{ startIndex: 0, length: count, startSeconds: start ? start.sample / rate : 0 }];
}
