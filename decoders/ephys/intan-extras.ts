/**
 * What lies beside the samples of a split recording: spikes found while recording, live notes, and the
 * settings of the acquisition software.
 *
 * Source: Intan "RHX Data Acquisition Software: Data File Formats", "Spike data" and "Live notes".
 */
import { FuseError } from "../../src/errors.ts";
import {
  type Attributes,
  type Dataset,
  type EventColumn,
  eventsFromValues,
  type EventTable,
  type StreamBlock,
} from "../../src/model/dataset.ts";
import type { Segment } from "../../src/model/layout.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import type { FileSet } from "./intan-files.ts";
import { enabledChannels, type IntanHeader } from "./intan-model.ts";
import { type IntanLayout, nameOf } from "./intan-signals.ts";
import { secondsAt } from "./intan-timestamps.ts";

/** First four bytes of `spike.dat` and of `spike-A-000.dat`. */
const SPIKE_MAGIC = { all: 0x18f8474b, single: 0x18f88c00 };
/** Longest list of names in a spike file's header. */
const SPIKE_HEADER_BYTES = 1 << 16;
/** Texts beside the data longer than this are left alone. */
const TEXT_BYTES = 4 << 20;
const PIECE_BYTES = 1 << 20;
const STREAM_PREFIX = "spikes:";

/** Where the records of a spike file lie. */
interface SpikeFile {
  source: ByteSource;
  /** Bytes of the channel name that begins each record; 0 when the file is of one channel. */
  nameBytes: number;
  channelNames: string[];
  sampleRate: number;
  samplesBefore: number;
  samplesAfter: number;
  headerBytes: number;
  recordBytes: number;
  count: number;
}

/** Adds spikes, notes and settings of the folder to `dataset`. */
export async function addExtras(
  dataset: Dataset,
  header: IntanHeader,
  files: FileSet,
  about: { segments: Segment[]; layout: IntanLayout; signal?: AbortSignal },
): Promise<void> {
  const streams = new Map<string, SpikeFile>();
  const names = new Map(enabledChannels(header, "amplifier").map((c) => [c.nativeName, nameOf(c)]));
  const spikeNames = about.layout === "one file per channel"
    ? enabledChannels(header, "amplifier").map((c) => `spike-${c.nativeName}.dat`)
    : ["spike.dat"];
  for (const name of spikeNames) {
    const source = files.get(name);
    if (!source?.size) continue;
    const spikes = await readSpikeHeader(source, about.signal);
    if (typeof spikes === "string") {
      dataset.leftOut.push({ what: name, why: spikes });
      continue;
    }
    if ((source.size - spikes.headerBytes) % spikes.recordBytes) {
      dataset.warnings.push(`${name} ends inside a spike: its last bytes are left out`);
    }
    dataset.sources.push(source);
    streams.set(STREAM_PREFIX + name, spikes);
    dataset.events.push(spikeTable(name, spikes, names));
  }
  if (streams.size) {
    dataset.openStream = (id, options) => {
      const spikes = streams.get(id);
      if (!spikes) throw new FuseError("Usage", "no such stream", { found: id });
      return spikeStream(spikes, names, options.signal);
    };
  }
  await addTexts(dataset, header, files, about);
}

/** Reads a spike file's header; a text says why its records cannot be read. */
async function readSpikeHeader(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<SpikeFile | string> {
  const bytes = await source.readUpTo(0, SPIKE_HEADER_BYTES, { purpose: "header", signal });
  if (bytes.length < 6) return "it is too short for a spike file";
  const view = viewOf(bytes);
  const magic = view.getUint32(0, true), version = view.getUint16(4, true);
  if (magic !== SPIKE_MAGIC.all && magic !== SPIKE_MAGIC.single) {
    return `it does not begin like a spike file (0x${magic.toString(16)})`;
  }
  if (version !== 1) return `its version ${version} is not described by Intan's documents`;
  let at = 6;
  const texts: string[] = [];
  for (let i = 0; i < 3; i++) {
    const end = bytes.indexOf(0, at);
    if (end < 0) return "its header does not end";
    texts.push(new TextDecoder().decode(bytes.subarray(at, end)));
    at = end + 1;
  }
  if (at + 12 > bytes.length) return "its header does not end";
  const channelNames = texts[1].split(",");
  const [samplesBefore, samplesAfter] = [
    view.getUint32(at + 4, true),
    view.getUint32(at + 8, true),
  ];
  if (samplesBefore + samplesAfter > PIECE_BYTES / 4) return "its snapshots are impossibly long";
  const encode = (name: string) => new TextEncoder().encode(name).length;
  const nameBytes = magic === SPIKE_MAGIC.all ? encode(channelNames[0]) : 0;
  if (nameBytes && channelNames.some((name) => encode(name) !== nameBytes)) {
    return "its channel names differ in length, so that its records cannot be told apart";
  }
  const headerBytes = at + 12;
  const recordBytes = nameBytes + 5 + 2 * (samplesBefore + samplesAfter);
  return {
    source,
    nameBytes,
    channelNames,
    sampleRate: view.getFloat32(at, true),
    samplesBefore,
    samplesAfter,
    headerBytes,
    recordBytes,
    count: Math.floor((source.size! - headerBytes) / recordBytes),
  };
}

function spikeTable(file: string, spikes: SpikeFile, names: Map<string, string>): EventTable {
  const column = (
    name: string,
    dtype: EventColumn["dtype"],
    more: Partial<EventColumn> = {},
  ): EventColumn => ({
    name,
    dtype,
    innerShape: [],
    layout: { kind: "stream", stream: STREAM_PREFIX + file, field: `${file}/${name}` },
    ...more,
  });
  const columns = [
    column("time", "float64", { units: "s" }),
    column("unit", "uint8", {
      attributes: {
        flag_masks: [1, 2, 4, 8, 64, 128],
        flag_meanings: "unit_1 unit_2 unit_3 unit_4 unclassified likely_artifact",
      },
    }),
  ];
  const snapshot = spikes.samplesBefore + spikes.samplesAfter;
  if (snapshot) {
    columns.push(column("waveform", "int16", {
      units: "uV",
      innerShape: [snapshot],
      innerDims: ["sample"],
      attributes: { scale_factor: 0.195, samples_before_detection: spikes.samplesBefore },
    }));
  }
  const attributes: Attributes = { sampling_frequency: spikes.sampleRate };
  if (spikes.nameBytes) columns.push(column("channel", "string"));
  else {
    const [native] = spikes.channelNames;
    attributes.native_name = native;
    attributes.channel_name = names.get(native) ?? native;
  }
  const name = spikes.nameBytes ? "spikes" : `spikes ${spikes.channelNames[0]}`;
  return { name, count: spikes.count, columns, attributes };
}

function spikeStream(
  spikes: SpikeFile,
  names: Map<string, string>,
  signal?: AbortSignal,
): ReadableStream<StreamBlock> {
  const { source, nameBytes, headerBytes, recordBytes, count, sampleRate } = spikes;
  const snapshot = spikes.samplesBefore + spikes.samplesAfter;
  const most = Math.max(1, Math.floor(PIECE_BYTES / recordBytes));
  const decoder = new TextDecoder();
  let done = 0;
  return new ReadableStream<StreamBlock>({
    async pull(controller) {
      const n = Math.min(most, count - done);
      if (n <= 0) return controller.close();
      const bytes = await source.read(headerBytes + done * recordBytes, n * recordBytes, {
        purpose: "bulk",
        signal,
      });
      done += n;
      const view = viewOf(bytes);
      const time = new Float64Array(n), unit = new Uint8Array(n);
      const waveform = new Int16Array(n * snapshot);
      const channel: string[] = [];
      for (let i = 0; i < n; i++) {
        let at = i * recordBytes;
        if (nameBytes) {
          const native = decoder.decode(bytes.subarray(at, at + nameBytes));
          channel.push(names.get(native) ?? native);
        }
        at += nameBytes;
        time[i] = view.getInt32(at, true) / sampleRate;
        unit[i] = bytes[at + 4];
        for (let k = 0; k < snapshot; k++) {
          waveform[i * snapshot + k] = view.getUint16(at + 5 + 2 * k, true) ^ 0x8000;
        }
      }
      const field = (name: string) => `${source.name}/${name}`;
      controller.enqueue({ field: field("time"), values: time, count: n });
      controller.enqueue({ field: field("unit"), values: unit, count: n });
      if (snapshot) controller.enqueue({ field: field("waveform"), values: waveform, count: n });
      if (nameBytes) controller.enqueue({ field: field("channel"), values: channel, count: n });
    },
  }, { highWaterMark: 0 });
}

/** Live notes become events, the settings a document; other files of the folder are named. */
async function addTexts(
  dataset: Dataset,
  header: IntanHeader,
  files: FileSet,
  about: { segments: Segment[]; signal?: AbortSignal },
): Promise<void> {
  const noteFiles = (files.names ?? ["notes.txt"]).filter((n) => /^notes.*\.txt$/i.test(n)).sort();
  const wanted = [...noteFiles, "settings.xml"];
  await files.look(wanted);
  const read = async (name: string): Promise<string | undefined> => {
    const source = files.get(name);
    if (!source?.size) return undefined;
    if (source.size > TEXT_BYTES) {
      dataset.leftOut.push({ what: name, why: `it is longer than ${TEXT_BYTES} bytes` });
      return undefined;
    }
    const bytes = await source.read(0, source.size, { purpose: "header", signal: about.signal });
    return new TextDecoder(name.endsWith(".xml") ? "utf-8" : "latin1").decode(bytes);
  };
  const times: number[] = [], labels: string[] = [];
  for (const name of noteFiles) {
    for (const line of (await read(name) ?? "").split(/\r?\n/)) {
      const m = /^(-?\d+), ?[\d:]+, ?(.*)$/.exec(line);
      if (!m) continue;
      times.push(secondsAt(about.segments, header.sampleRate, Number(m[1])));
      labels.push(m[2]);
    }
  }
  if (times.length) {
    dataset.events.push(
      eventsFromValues("live_notes", Float64Array.from(times), { label: labels }),
    );
  }
  const settings = await read("settings.xml");
  if (settings !== undefined) dataset.documents = { "source/settings.xml": settings };
  for (const what of files.unknown()) {
    if (/\.dat$/i.test(what)) {
      dataset.leftOut.push({
        what,
        why: "the header does not name this file among those of its layout",
      });
    }
  }
}
