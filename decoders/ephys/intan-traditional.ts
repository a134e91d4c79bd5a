/**
 * The traditional layout: header and data blocks in one `.rhd` or `.rhs` file. A block holds 60 or 128
 * samples of everything: counters, then each kind of signal channel by channel, then the digital words.
 * A recording of many minutes is cut into files of its own length; each is converted for itself, and
 * its counters say where it belongs.
 *
 * Source: Intan application notes "Data File Formats" (RHD2000, RHS2000, RHX), "Traditional Intan File
 * Format".
 */
import { FuseError } from "../../src/errors.ts";
import {
  type Attributes,
  type Channel,
  type Dataset,
  emptyDataset,
} from "../../src/model/dataset.ts";
import { decodedType, type DType, type StoredType } from "../../src/model/dtype.ts";
import { type FrameLayout, frameTable } from "../../src/model/layout.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { enabledChannels, type IntanChannel, type IntanHeader } from "./intan-model.ts";
import {
  AMPLIFIER,
  amplifierAttributes,
  ANALOG_OUT,
  analogInScale,
  AUXILIARY,
  DC_AMPLIFIER,
  digitalLines,
  levelChannels,
  metadataOf,
  nameStamp,
  recordingOf,
  type Scale,
  scaledChannels,
  scaleWarnings,
  STIMULATION_CURRENT,
  stimulationLines,
  stimulationScale,
  stimulationWordAttributes,
  stimulationWordsPath,
  SUPPLY,
  TEMPERATURE,
} from "./intan-signals.ts";
import { findRuns, segmentsOf, type TimeRuns, timeWarnings } from "./intan-timestamps.ts";

/** One kind of signal inside a block. */
interface Field {
  name: string;
  channels: Channel[];
  stored: StoredType;
  /** What the words become, when it is not their stored type. */
  decode?: Pick<FrameLayout, "flipSign" | "signMagnitude">;
  /** Samples of a channel in a block. */
  samples: number;
  /** Byte offset of the first channel in the block. */
  offset: number;
  attributes?: Attributes;
}

/** Places of everything in a block. */
export interface BlockMap {
  blockBytes: number;
  fields: Field[];
  /** Byte offset of the stimulation words (RHS with amplifiers). */
  stimulation?: number;
  digital: { name: "digital_in" | "digital_out"; channels: IntanChannel[]; offset: number }[];
}

/** Works out what lies where in a block of this header. */
export function mapBlock(header: IntanHeader): BlockMap {
  const n = header.samplesPerBlock;
  const of = (kind: IntanChannel["kind"]) => enabledChannels(header, kind);
  const map: BlockMap = { blockBytes: 4 * n, fields: [], digital: [] };
  const add = (
    name: string,
    channels: Channel[],
    samples: number,
    more: Partial<Field> = {},
  ): number => {
    const offset = map.blockBytes;
    if (channels.length) {
      map.fields.push({ name, channels, samples, offset, stored: "uint16", ...more });
    }
    map.blockBytes += 2 * samples * channels.length;
    return offset;
  };
  const scaled = (kind: IntanChannel["kind"], scale: Scale) => scaledChannels(of(kind), scale);

  const amplifiers = of("amplifier");
  add("amplifier", scaledChannels(amplifiers, AMPLIFIER), n, {
    decode: { flipSign: true },
    attributes: amplifierAttributes(header),
  });
  if (header.rhs) {
    if (header.dcSaved) add("dc_amplifier", scaledChannels(amplifiers, DC_AMPLIFIER), n);
    const steps = stimulationScale(header).scale;
    const stimulation = add("stimulation", scaledChannels(amplifiers, steps), n, {
      decode: { signMagnitude: STIMULATION_CURRENT },
    });
    if (amplifiers.length) map.stimulation = stimulation;
  } else {
    add("auxiliary", scaled("auxiliary", AUXILIARY), n / 4);
    add("supply", scaled("supply", SUPPLY), 1);
    const sensors = Array.from({ length: header.temperatureSensors }, (_, i): Channel => ({
      name: `temperature-${i + 1}`,
      ...TEMPERATURE,
    }));
    add("temperature", sensors, 1, { stored: "int16" });
  }
  add("analog_in", scaled("analog_in", analogInScale(header).scale), n);
  if (header.rhs) add("analog_out", scaled("analog_out", ANALOG_OUT), n);
  for (const name of ["digital_in", "digital_out"] as const) {
    const channels = of(name);
    if (!channels.length) continue;
    map.digital.push({ name, channels, offset: map.blockBytes });
    map.blockBytes += 2 * n;
  }
  return map;
}

/**
 * Builds the Dataset of a traditional file.
 * @throws FuseError `Truncated` when not even one data block is there
 */
export async function openTraditional(
  source: ByteSource,
  header: IntanHeader,
  signal?: AbortSignal,
): Promise<Dataset> {
  const dataset = emptyDataset(header.rhs ? "intan_rhs" : "intan_rhd", [source]);
  const map = mapBlock(header);
  const dataBytes = source.size! - header.headerBytes;
  const blocks = Math.floor(dataBytes / map.blockBytes);
  if (blocks === 0) {
    throw new FuseError("Truncated", "no whole data block after the header", {
      source: source.name,
      offset: header.headerBytes,
      found: `${dataBytes} bytes`,
      expected: `blocks of ${map.blockBytes} bytes`,
    });
  }
  const rest = dataBytes - blocks * map.blockBytes;
  if (rest) {
    dataset.warnings.push(
      `the last data block is incomplete: its ${rest} bytes of ${map.blockBytes} are left out`,
    );
  }
  dataset.warnings.push(...scaleWarnings(header));
  const times = await findRuns({
    source,
    offset: header.headerBytes,
    strideBytes: map.blockBytes,
    units: blocks,
    samplesPerUnit: header.samplesPerBlock,
    signed: header.signedTimestamps,
    signal,
  });
  dataset.warnings.push(...timeWarnings(times));
  for (const block of new Set([0, blocks - 1])) {
    const steps = await stepsInside(source, header, map, block, signal);
    if (steps) {
      dataset.warnings.push(
        `the counters inside data block ${block} do not count up by one at ${steps} places; ` +
          `times there follow the block's first counter`,
      );
    }
  }
  dataset.frameTables.push(frameTable(map.blockBytes, [
    { source: 0, offset: header.headerBytes, frameCount: blocks },
  ]));
  addBlocks(dataset, header, map, times);
  const first = times.runs[0].ticks / header.sampleRate;
  dataset.metadata = metadataOf(header, "traditional", nameStamp(source.name, first));
  return dataset;
}

function addBlocks(dataset: Dataset, header: IntanHeader, map: BlockMap, times: TimeRuns): void {
  const n = header.samplesPerBlock, rate = header.sampleRate;
  const layout = (
    stored: StoredType,
    samplesPerFrame: number,
    channelOffsets: number[],
    decode: Field["decode"] = {},
  ): FrameLayout => ({
    kind: "frames",
    table: 0,
    stored,
    littleEndian: true,
    ...decode,
    samplesPerFrame,
    channelOffsets,
    sampleStride: stored === "int32" || stored === "uint32" ? 4 : 2,
  });
  for (const field of map.fields) {
    const { name, channels, stored, decode, samples, offset } = field;
    const sampleCount = times.units * samples;
    const offsets = channels.map((_, i) => offset + i * 2 * samples);
    const rawType: DType = decode?.signMagnitude ? "int16" : decodedType(stored, decode?.flipSign);
    dataset.recordings.push(recordingOf({
      name,
      rawType,
      samplingFrequency: rate / (n / samples),
      sampleCount,
      segments: segmentsOf(times, rate, samples, sampleCount),
      parts: [{
        firstChannel: 0,
        channelCount: channels.length,
        layout: layout(stored, samples, offsets, decode),
      }],
      attributes: field.attributes,
    }, channels));
  }
  const count = times.units * n;
  const segments = segmentsOf(times, rate, n, count);
  const words = (path: string, offset: number, attributes: Attributes, stored: StoredType) => {
    dataset.arrays.push({
      path,
      dtype: stored as DType,
      dims: ["time"],
      shape: [count],
      layout: layout(stored, n, [offset]),
      attributes: { sampling_frequency: rate, ...attributes },
    });
    return path;
  };
  for (const { name, channels, offset } of map.digital) {
    const path = words(`${name}/words`, offset, {}, "uint16");
    dataset.recordings.push(recordingOf({
      name,
      rawType: "uint16",
      samplingFrequency: rate,
      sampleCount: count,
      segments,
      parts: channels.map((c, i) => ({
        firstChannel: i,
        channelCount: 1,
        layout: { ...layout("uint16", n, [offset]), bit: c.nativeOrder },
      })),
    }, levelChannels(channels)));
    dataset.digital.push(digitalLines(path, channels, rate, segments));
  }
  if (map.stimulation !== undefined) {
    enabledChannels(header, "amplifier").forEach((channel, i) => {
      const path = words(
        stimulationWordsPath(channel),
        map.stimulation! + i * 2 * n,
        stimulationWordAttributes(channel, header),
        "uint16",
      );
      dataset.digital.push(stimulationLines(path, channel, rate, segments));
    });
  }
  words("source/timestamps", 0, {
    long_name: "sample counter",
    units: "samples",
  }, header.signedTimestamps ? "int32" : "uint32");
}

/** Places inside a block where the counter does not count up by one. */
export async function stepsInside(
  source: ByteSource,
  header: IntanHeader,
  map: BlockMap,
  block: number,
  signal?: AbortSignal,
): Promise<number> {
  const n = header.samplesPerBlock;
  const at = header.headerBytes + block * map.blockBytes;
  const view = viewOf(await source.read(at, 4 * n, { purpose: "header", signal }));
  let steps = 0;
  for (let k = 1; k < n; k++) {
    const step = view.getInt32(4 * k, true) - view.getInt32(4 * k - 4, true);
    if ((step - 1) | 0) steps++;
  }
  return steps;
}
