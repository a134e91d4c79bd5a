/**
 * Event and spike folders of the binary format: a .npy file a column, of the same rows. Source: Open Ephys GUI
 * documentation, "Binary Format".
 */
import { FuseError } from "../../src/errors.ts";
import type { Attributes, Dataset, Json, StreamBlock } from "../../src/model/dataset.ts";
import { type NpyFile, npyRows, openNpy, rowLength } from "./openephys-npy.ts";
import { addTable, type ColumnShape, type Passes } from "./record-tables.ts";

/** An object of structure.oebin. */
export type Entry = { [key: string]: Json };

/** Bytes of rows looked at together. */
const BLOCK_BYTES = 1 << 20;
/** What is kept of a description beside the table. */
const KEPT_KEYS = [
  "channel_name",
  "name",
  "description",
  "identifier",
  "type",
  "source_processor",
  "stream_name",
  "initial_state",
  "pre_peak_samples",
  "post_peak_samples",
];

/** The objects of a list of a description. */
export function entriesOf(value: Json | undefined): Entry[] {
  return Array.isArray(value)
    ? value.filter((v): v is Entry => typeof v === "object" && v !== null && !Array.isArray(v))
    : [];
}

/** Folder of an entry, whichever way it is named, without a slash at its end. */
export function folderOf(entry: Entry): string {
  return String(entry.folder_name ?? entry.folder ?? "").replaceAll("\\", "/").replace(/\/+$/, "");
}

/** A .npy file of the recording, opened and added to its sources; null when it is not there. */
export async function siblingNpy(
  dataset: Dataset,
  path: string,
  signal?: AbortSignal,
): Promise<NpyFile | null> {
  const file = await dataset.sources[0].sibling(path);
  if (!file) return null;
  dataset.sources.push(file);
  const opened = await openNpy(file, signal);
  if (opened.unclosed) {
    dataset.warnings.push(
      `${path}: was not closed; ${opened.shape[0]} rows are counted in the file`,
    );
  }
  return opened;
}

/** Names of the files in a folder of events or spikes, old and new, and of the columns they become. */
const COLUMNS: [column: string, files: string[]][] = [
  ["sample_number", ["sample_numbers.npy", "spike_times.npy"]],
  ["state", ["states.npy", "channel_states.npy"]],
  ["channel", ["channels.npy"]],
  ["word", ["full_words.npy", "full_word.npy"]],
  ["label", ["text.npy"]],
  ["data", ["data_array.npy"]],
  ["metadata", ["metadata.npy"]],
  ["electrode", ["electrode_indices.npy", "spike_electrode_indices.npy"]],
  ["unit", ["clusters.npy", "spike_clusters.npy"]],
  ["waveform", ["waveforms.npy", "spike_waveforms.npy"]],
];

/** Adds the table of a folder of events or spikes; what it lacks is said. @throws FuseError `Aborted` */
export async function addEvents(
  dataset: Dataset,
  passes: Passes,
  entry: Entry,
  parent: string,
  name: string,
  streams: Entry[],
  signal?: AbortSignal,
): Promise<void> {
  const base = `${parent}/${folderOf(entry)}`;
  const found: { name: string; file: NpyFile }[] = [];
  for (const [column, files] of COLUMNS) {
    for (const path of files) {
      try {
        const file = await siblingNpy(dataset, `${base}/${path}`, signal);
        if (file) found.push({ name: column, file });
      } catch (error) {
        if (!(error instanceof FuseError) || error.tag === "Aborted") throw error;
        dataset.leftOut.push({ what: `${base}/${path}`, why: error.message });
      }
    }
  }
  const times = await siblingNpy(dataset, `${base}/timestamps.npy`, signal);
  if (times?.dtype === "int64") found.unshift({ name: "sample_number", file: times });
  const numbers = found.find((c) => c.name === "sample_number")?.file;
  const clock = times?.dtype === "float64" ? times : numbers;
  if (!clock) {
    dataset.leftOut.push({ what: base, why: "it has no times" });
    return;
  }
  const stream = streams.find((s) => s.stream_name === entry.stream_name);
  const rate = Number(entry.sample_rate) || Number(stream?.sample_rate) ||
    dataset.recordings[0]?.samplingFrequency || 1;
  const { columns, count } = fitting(found, clock.shape[0] ?? 0, base, dataset);
  const rowBytes = columns.reduce((n, { file }) => n + file.width * rowLength(file), 8);
  const { length: wires } = sourceChannels(entry);
  const attributes: Attributes = { folder: base };
  for (const key of KEPT_KEYS) {
    const value = entry[key];
    if (typeof value === "string" || typeof value === "number") attributes[key] = value;
  }
  if (parent === "spikes") {
    attributes.sampling_frequency = rate;
    if (wires) attributes.channels = sourceChannels(entry).map((c) => c.name);
  }
  await addTable(dataset, passes, {
    name,
    count,
    rowBytes,
    columns: [
      { name: "time", dtype: "float64", units: "s", innerShape: [] },
      ...columns.map(({ name, file }): ColumnShape => ({
        name,
        dtype: file.dtype,
        innerShape: file.shape.slice(1),
        ...(name === "waveform" ? waveformShape(entry, streams, file) : {}),
      })),
    ],
    attributes,
    async *read(signal): AsyncGenerator<StreamBlock, undefined> {
      const step = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
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

/** The columns that have a row for each time; those a crash left shorter or longer end together. */
function fitting(
  found: { name: string; file: NpyFile }[],
  rows: number,
  base: string,
  dataset: Dataset,
): { columns: { name: string; file: NpyFile }[]; count: number } {
  const first = found.filter(({ name }, i) => found.findIndex((c) => c.name === name) === i);
  const crashed = first.some(({ file }) => file.unclosed);
  const held = first.filter(({ file }) => (file.shape[0] ?? 0) > 0).map(({ file }) =>
    file.shape[0]
  );
  const count = crashed ? Math.min(rows, ...held) : rows;
  const columns = first.filter(({ file }) => {
    const fits = file.shape.length > 0 &&
      (crashed ? file.shape[0] >= count : file.shape[0] === count);
    if (!fits) {
      dataset.warnings.push(`${base}/${file.source.name}: has other rows than the times; left out`);
      dataset.leftOut.push({
        what: `${base}/${file.source.name}`,
        why: "other rows than the times",
      });
    }
    return fits;
  });
  return { columns, count };
}

/** The wires of an electrode, with their bits in microvolts where the description says so. */
function sourceChannels(entry: Entry): { name: string; bitVolts: number; entry: Entry }[] {
  const listed = entriesOf(entry.source_channels);
  const nested = entriesOf(entry.channels);
  const inner = nested.flatMap((c) => entriesOf(c.source_channels));
  return (listed.length ? listed : inner.length ? inner : nested).map((c) => ({
    name: String(c.channel_name ?? c.name ?? ""),
    bitVolts: Number(c.bit_volts),
    entry: c,
  }));
}

function waveformShape(entry: Entry, streams: Entry[], file: NpyFile): Partial<ColumnShape> {
  const wires = sourceChannels(entry);
  let steps = wires.map((c) => c.bitVolts);
  if (!steps.some((v) => v > 0)) {
    // Before 0.6 only the places of the channels in their stream are given.
    steps = wires.map(({ entry: c }) => {
      const processor = c.source_processor_id;
      const stream = streams.find((s) => s.source_processor_id === processor) ?? streams[0];
      const place = Number(c.source_processor_index ?? c.source_channel_index);
      return Number(entriesOf(stream?.channels)[place]?.bit_volts);
    });
  }
  const known = steps.length > 0 && steps.every((v) => v > 0);
  const innerDims = file.shape.length === 3
    ? ["electrode_wire", "waveform_sample"]
    : file.shape.length === 2
    ? ["waveform_sample"]
    : undefined;
  return {
    ...(innerDims ? { innerDims } : {}),
    ...(known && steps.every((v) => v === steps[0])
      ? { units: "uV", attributes: { scale_factor: steps[0], add_offset: 0 } }
      : { attributes: { long_name: "counts", ...(known ? { bit_volts: steps } : {}) } }),
  };
}
