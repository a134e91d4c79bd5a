/**
 * The binary format: structure.oebin (JSON), continuous.dat of int16 [sample, channel], and .npy files
 * of sample numbers, times, events and spikes. Source: Open Ephys GUI documentation, "Binary Format".
 */
import { ensure, FuseError } from "../../src/errors.ts";
import type { Attributes, Dataset, Json, StreamBlock } from "../../src/model/dataset.ts";
import { frameTable, type Segment } from "../../src/model/layout.ts";
import type { OpenOptions } from "../format.ts";
import { type NpyFile, npyRows, openNpy, rowLength } from "./openephys-npy.ts";
import { addTable, type Passes, uniqueName } from "./record-tables.ts";

type Entry = { [key: string]: Json };

/** Largest structure.oebin that is read. */
const MOST_JSON_BYTES = 64 << 20;
/** Values of a .npy file looked at together. */
const BLOCK_VALUES = 1 << 17;

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
  const names = new Set<string>(), tables = new Set<string>();
  const streams = entries(root.continuous);
  for (const entry of streams) {
    const name = uniqueName(folder(entry).split("/").at(-1) || "continuous", names);
    await addStream(dataset, entry, name, signal);
  }
  for (const [key, parent] of [["events", "events"], ["spikes", "spikes"]] as const) {
    for (const entry of entries(root[key])) {
      const label = folder(entry).replaceAll("/", "_") || key;
      await addEvents(dataset, passes, entry, parent, uniqueName(label, tables), signal);
    }
  }
  dataset.metadata.modality = "electrophysiology";
  dataset.metadata.header = { gui_version: root["GUI version"] ?? "unknown" };
}

function entries(value: Json | undefined): Entry[] {
  return Array.isArray(value)
    ? value.filter((v): v is Entry => typeof v === "object" && v !== null && !Array.isArray(v))
    : [];
}

function folder(entry: Entry): string {
  return String(entry.folder_name ?? entry.folder ?? "").replaceAll("\\", "/").replace(/\/+$/, "");
}

async function npy(dataset: Dataset, path: string, signal?: AbortSignal): Promise<NpyFile | null> {
  const file = await dataset.sources[0].sibling(path);
  if (!file) return null;
  dataset.sources.push(file);
  return await openNpy(file, signal);
}

async function addStream(
  dataset: Dataset,
  entry: Entry,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  const [main] = dataset.sources;
  const base = `continuous/${folder(entry)}`;
  const data = await main.sibling(`${base}/continuous.dat`);
  if (!data) {
    dataset.warnings.push(`${base}/continuous.dat: not there; the stream is left out`);
    dataset.leftOut.push({ what: `stream ${name}`, why: "its continuous.dat is missing" });
    return;
  }
  const channels = entries(entry.channels);
  const rate = Number(entry.sample_rate);
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
  const times = await npy(dataset, `${base}/timestamps.npy`, signal);
  const numbers = await npy(dataset, `${base}/sample_numbers.npy`, signal) ??
    (times?.dtype === "int64" ? times : null);
  const seconds = times?.dtype === "float64" ? times : null;
  if (!numbers) {
    dataset.warnings.push(`${base}: no sample numbers; the stream is taken to start at 0`);
  }
  const segments = await segmentsOf(numbers, seconds, count, rate, signal);
  dataset.sources.push(data);
  const table = dataset.frameTables.push(
    frameTable(frameBytes, [{ source: dataset.sources.length - 1, offset: 0, frameCount: count }]),
  ) - 1;
  dataset.recordings.push({
    name,
    channels: channels.map((c, i) => ({
      name: String(c.channel_name ?? `CH${i + 1}`),
      units: typeof c.units === "string" ? c.units : "uV",
      gain: Number(c.bit_volts) || 1,
      offset: 0,
      attributes: { description: c.description ?? "", identifier: c.identifier ?? "" },
    })),
    samplingFrequency: rate,
    sampleCount: count,
    segments,
    rawType: "int16",
    parts: [{
      firstChannel: 0,
      channelCount: channels.length,
      layout: {
        kind: "frames",
        table,
        stored: "int16",
        littleEndian: true,
        samplesPerFrame: 1,
        channelOffsets: channels.map((_, c) => 2 * c),
        sampleStride: frameBytes,
      },
    }],
    attributes: {
      source_processor_name: entry.source_processor_name ?? "",
      ...(typeof entry.stream_name === "string" ? { stream_name: entry.stream_name } : {}),
    },
  });
}

/** Runs of samples whose numbers follow each other; their times by `seconds` where the clocks were synchronised. */
async function segmentsOf(
  numbers: NpyFile | null,
  seconds: NpyFile | null,
  count: number,
  rate: number,
  signal?: AbortSignal,
): Promise<Segment[]> {
  const known = Math.min(count, numbers?.shape[0] ?? 0);
  if (!numbers || numbers.dtype !== "int64" || !known) {
    return [{ startIndex: 0, length: count, startSeconds: 0 }];
  }
  const starts: { at: number; number: number }[] = [];
  let due: number | null = null;
  for (let first = 0; first < known; first += BLOCK_VALUES) {
    const n = Math.min(BLOCK_VALUES, known - first);
    const values = await npyRows(numbers, first, n, signal) as BigInt64Array;
    for (let i = 0; i < n; i++) {
      const number = Number(values[i]);
      if (number !== due) starts.push({ at: first + i, number });
      due = number + 1;
    }
  }
  const segments: Segment[] = [];
  for (const [i, { at, number }] of starts.entries()) {
    let startSeconds = number / rate;
    if (seconds && at < seconds.shape[0]) {
      const [time] = await npyRows(seconds, at, 1, signal) as Float64Array;
      // Clocks that were not synchronised have times below 0.
      if (time >= 0) startSeconds = time;
    }
    segments.push({ startIndex: at, length: (starts[i + 1]?.at ?? count) - at, startSeconds });
  }
  return segments;
}

/** Names of the files in a folder of events or spikes, old and new, and of the columns they become. */
const COLUMNS: [column: string, files: string[]][] = [
  ["sample_number", ["sample_numbers.npy", "spike_times.npy"]],
  ["state", ["states.npy", "channel_states.npy"]],
  ["channel", ["channels.npy"]],
  ["word", ["full_words.npy"]],
  ["label", ["text.npy"]],
  ["data", ["data_array.npy"]],
  ["metadata", ["metadata.npy"]],
  ["electrode", ["electrode_indices.npy", "spike_electrode_indices.npy"]],
  ["unit", ["clusters.npy", "spike_clusters.npy"]],
  ["waveform", ["waveforms.npy", "spike_waveforms.npy"]],
];

async function addEvents(
  dataset: Dataset,
  passes: Passes,
  entry: Entry,
  parent: string,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  const base = `${parent}/${folder(entry)}`;
  const found: { name: string; file: NpyFile }[] = [];
  for (const [column, files] of COLUMNS) {
    for (const path of files) {
      try {
        const file = await npy(dataset, `${base}/${path}`, signal);
        if (file) found.push({ name: column, file });
      } catch (error) {
        if (!(error instanceof FuseError) || error.tag === "Aborted") throw error;
        dataset.leftOut.push({ what: `${base}/${path}`, why: error.message });
      }
    }
  }
  const times = await npy(dataset, `${base}/timestamps.npy`, signal);
  if (times?.dtype === "int64") found.unshift({ name: "sample_number", file: times });
  const numbers = found.find((c) => c.name === "sample_number")?.file;
  const clock = times?.dtype === "float64" ? times : numbers;
  if (!clock) {
    dataset.leftOut.push({ what: base, why: "it has no times" });
    return;
  }
  const rate = Number(entry.sample_rate) || dataset.recordings[0]?.samplingFrequency || 1;
  const count = clock.shape[0] ?? 0;
  const columns = found.filter(({ name, file }, i) => {
    const fits = file.shape[0] === count && found.findIndex((c) => c.name === name) === i;
    if (!fits && file.shape[0] !== count) {
      dataset.warnings.push(`${base}/${file.source.name}: has other rows than the times; left out`);
    }
    return fits;
  });
  const bitVolts = Number(entries(entry.channels)[0]?.bit_volts);
  const attributes: Attributes = { folder: base };
  for (const key of ["channel_name", "description", "identifier", "type", "source_processor"]) {
    if (typeof entry[key] === "string") attributes[key] = entry[key];
  }
  await addTable(dataset, passes, {
    name,
    count,
    rowBytes: columns.reduce((n, { file }) => n + file.width * rowLength(file), 8),
    columns: [
      { name: "time", dtype: "float64", units: "s", innerShape: [] },
      ...columns.map(({ name, file }) => ({
        name,
        dtype: file.dtype,
        innerShape: file.shape.slice(1),
        ...(name === "waveform" && bitVolts > 0
          ? { units: "uV", attributes: { scale_factor: bitVolts, add_offset: 0 } }
          : {}),
      })),
    ],
    attributes,
    async *read(signal): AsyncGenerator<StreamBlock, undefined> {
      const widest = Math.max(1, ...columns.map(({ file }) => rowLength(file)));
      const step = Math.max(1, Math.floor(BLOCK_VALUES / widest));
      for (let first = 0; first < count; first += step) {
        const n = Math.min(step, count - first);
        const stamps = await npyRows(clock, first, n, signal);
        const values = Float64Array.from(
          stamps as ArrayLike<number | bigint>,
          (t) => clock === times && clock.dtype === "float64" ? Number(t) : Number(t) / rate,
        );
        // Times below 0: the clocks were not synchronised, only the sample numbers count.
        if (clock !== numbers && numbers?.shape[0] === count && values.some((t) => t < 0)) {
          const own = await npyRows(numbers, first, n, signal) as ArrayLike<number | bigint>;
          for (let i = 0; i < n; i++) if (values[i] < 0) values[i] = Number(own[i]) / rate;
        }
        yield { field: "time", values, count: n };
        for (const { name, file } of columns) {
          yield { field: name, values: await npyRows(file, first, n, signal), count: n };
        }
      }
    },
  }, signal);
}
