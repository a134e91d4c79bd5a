/**
 * Signals of .ncs files: records of a 64-bit time stamp in microseconds, channel number, rate, number of
 * valid samples and (usually) 512 samples of 16 bits. Source: Neuralynx, "Data File Formats", "CSC".
 */
import type {
  Attributes,
  Channel,
  ChannelPart,
  Dataset,
  Recording,
  StreamBlock,
} from "../../src/model/dataset.ts";
import { frameTable } from "../../src/model/layout.ts";
import { viewOf } from "../../src/source/source.ts";
import { field, HEADER_BYTES, type NeuralynxFile } from "./neuralynx-header.ts";
import {
  blocksOf,
  capacityOf,
  RECORD_HEAD_BYTES,
  sampleTimes,
  type SignalScan,
} from "./neuralynx-scan.ts";
import { type Passes, uniqueName } from "./record-tables.ts";

/** Adds the recordings of all signal files: one for all that share clock, rate and pauses. */
export async function addSignals(
  dataset: Dataset,
  passes: Passes,
  scans: SignalScan[],
  zero: number,
  signal?: AbortSignal,
): Promise<void> {
  const groups = new Map<string, SignalScan[]>();
  for (const scan of scans) {
    const { segments, samples, backwards, rate } = scan;
    const { name } = scan.file.source;
    if (backwards) {
      dataset.warnings.push(
        `${name}: time stamps go back ${backwards === 1 ? "once" : `${backwards} times`}; ` +
          "segments keep the start times the file states",
      );
    }
    if (!samples) {
      dataset.leftOut.push({ what: name, why: "it holds no samples" });
      continue;
    }
    const shape = segments.map((s) => `${s.startIndex}@${s.startSeconds}`).join(" ");
    const key = `${rate} ${samples} ${unitsOf(scan.file)} ${scan.strays.toFixed(3)} ${shape}`;
    groups.set(key, [...groups.get(key) ?? [], scan]);
  }
  const names = new Set<string>();
  for (const scans of groups.values()) {
    const [{ segments, samples, rate, strays }] = scans;
    const name = groups.size === 1
      ? "signals"
      : uniqueName(scans.length === 1 ? scans[0].file.entity : `signals_${rate}hz`, names);
    const channels = scans.map((s) => channelOf(s.file, dataset.warnings));
    const framed = scans.every((s) => s.framed);
    const parts: ChannelPart[] = [];
    for (const [i, scan] of scans.entries()) {
      parts.push(
        framed
          ? await framedPart(dataset, scan, i, samples, signal)
          : streamedPart(passes, scan, i),
      );
    }
    const recording: Recording = {
      name,
      channels,
      samplingFrequency: rate,
      sampleCount: samples,
      segments,
      rawType: "int16",
      parts,
    };
    if (strays) {
      const stream = `${name}/time`;
      passes.set(stream, (s) => sampleTimes(scans[0], zero, s));
      recording.time = { kind: "stream", stream, field: "time" };
      dataset.warnings.push(
        `${scans[0].file.source.name}: stamps stray up to ${
          strays.toFixed(1)
        } samples from an even ` +
          `${rate} Hz clock; the time axis is made of the stamps of the records`,
      );
    }
    dataset.recordings.push(recording);
  }
}

function unitsOf(file: NeuralynxFile): string {
  return Number(field(file, "ADBitVolts")?.split(/\s+/)[0]) > 0 ? "V" : "";
}

function channelOf(file: NeuralynxFile, warnings: string[]): Channel {
  const inverted = /^true$/i.test(field(file, "InputInverted") ?? "");
  const volts = Number(field(file, "ADBitVolts")?.split(/\s+/)[0]);
  const known = volts > 0 && Number.isFinite(volts);
  if (!known) {
    warnings.push(`${file.source.name}: no -ADBitVolts; the values are raw counts`);
  }
  return {
    name: file.entity,
    units: known ? "V" : "",
    gain: (known ? volts : 1) * (inverted ? -1 : 1),
    offset: 0,
    attributes: { file: file.source.name, input_inverted: inverted, ...settingsOf(file) },
  };
}

/** How the channel was filtered, as the header writes it. */
const SETTINGS: [key: string, field: RegExp][] = [
  ["ad_channel", /^adchannel$/],
  ["input_range_uv", /^inputrange$/],
  ["reference_channel", /^referencechannel$/],
  ["low_cut_enabled", /^dsplowcutfilterenabled$/],
  ["low_cut_hz", /^dsplowcutfrequency$/],
  ["high_cut_enabled", /^dsphighcutfilterenabled$/],
  ["high_cut_hz", /^dsphighcutfrequency$/],
  ["filter_delay_compensated", /^dspdelaycompensation$/],
  ["filter_delay_us", /^dspfilterdelay_.{1,2}s$/],
];

function settingsOf({ fields }: NeuralynxFile): Attributes {
  const out: Attributes = {};
  for (const [key, value] of fields) {
    const kept = SETTINGS.find(([, name]) => name.test(key))?.[0];
    if (kept) out[kept] = value;
  }
  return out;
}

async function framedPart(
  dataset: Dataset,
  { file, lastValid }: SignalScan,
  firstChannel: number,
  samples: number,
  signal?: AbortSignal,
): Promise<ChannelPart> {
  const samplesPerFrame = capacityOf(file);
  const last = file.records - 1, short = lastValid !== samplesPerFrame;
  const table = dataset.frameTables.push(
    frameTable(file.recordBytes, [{
      source: file.index,
      offset: HEADER_BYTES,
      frameCount: file.records - (short ? 1 : 0),
    }]),
  ) - 1;
  const part: ChannelPart = {
    firstChannel,
    channelCount: 1,
    layout: {
      kind: "frames",
      table,
      stored: "int16",
      littleEndian: true,
      samplesPerFrame,
      channelOffsets: [RECORD_HEAD_BYTES],
      sampleStride: 2,
    },
  };
  if (short && lastValid > 0) {
    const at = HEADER_BYTES + last * file.recordBytes + RECORD_HEAD_BYTES;
    const view = viewOf(await file.source.read(at, 2 * lastValid, { purpose: "header", signal }));
    const values = Float64Array.from({ length: lastValid }, (_, i) => view.getInt16(2 * i, true));
    part.tail = { firstSample: samples - lastValid, values };
  }
  return part;
}

function streamedPart(passes: Passes, { file }: SignalScan, firstChannel: number): ChannelPart {
  const stream = `signals/${file.source.name}`;
  passes.set(stream, (signal) => validSamples(file, signal));
  return {
    firstChannel,
    channelCount: 1,
    layout: { kind: "stream", stream, field: file.source.name },
  };
}

/** The valid samples of all records, in order. */
async function* validSamples(
  file: NeuralynxFile,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock, undefined> {
  const capacity = capacityOf(file);
  for await (const { count, view } of blocksOf(file, signal)) {
    const values = new Int16Array(count * capacity);
    let filled = 0;
    for (let i = 0; i < count; i++) {
      const at = i * file.recordBytes;
      const n = Math.min(capacity, view.getUint32(at + 16, true));
      for (let k = 0; k < n; k++) {
        values[filled++] = view.getInt16(at + RECORD_HEAD_BYTES + 2 * k, true);
      }
    }
    yield { field: file.source.name, values: values.subarray(0, filled), count: filled };
  }
}
