/** Opens Axon Binary Format files, versions 1 and 2. */
import { DEFAULT_LIMITS, ensure, FuseError, type Limits, toFuseError } from "../../src/errors.ts";
import {
  type Channel,
  type Dataset,
  emptyDataset,
  type NamedArray,
  type Recording,
  type StreamBlock,
} from "../../src/model/dataset.ts";
import { type FrameLayout, frameTable } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { hasText, type OpenOptions, type Reader } from "../format.ts";
import { deltaEvents, tagEvents } from "./abf-events.ts";
import {
  type AbfHeader,
  AbfMode,
  type AbfSection,
  type AbfStimulus,
  MODE_NAMES,
} from "./abf-model.ts";
import { known } from "./abf-protocol.ts";
import { pullStream } from "./pull-stream.ts";
import { findSweeps, type Sweep, sweepRuns, type Sweeps } from "./abf-sweeps.ts";
import { parseV1, V1_HEADER_BYTES } from "./abf-v1.ts";
import { parseV2 } from "./abf-v2.ts";

/** Bytes read first: all of ABF 1's header, and of ABF 2 what lies before the data. */
const HEAD_BYTES = 32_768;
/** Stream that tells the times of a recording whose clock was switched inside the sweeps. */
const TIME_STREAM = "time";
/** Values of a time block. */
const TIME_BLOCK = 65_536;

/** The reader of the format "abf". */
export const reader: Reader = {
  async open(source, options) {
    try {
      return await openFile(source, options);
    } catch (error) {
      throw toFuseError(error, "Corrupt", { source: source.name, format: "abf" });
    }
  },
};

async function openFile(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal, limits = DEFAULT_LIMITS } = options;
  const { size } = source;
  if (size === undefined || source.access !== "random") {
    throw new FuseError("NeedsRandomAccess", "tags and sweeps are listed behind the data", {
      source: source.name,
      remedy: "Save the stream to a file first",
    });
  }
  const head = await source.readUpTo(0, HEAD_BYTES, { signal, purpose: "header" });
  const header = await parseHeader(head, source, size, limits, signal);
  const dataset = emptyDataset("abf", [source]);
  dataset.warnings.push(...header.warnings);
  dataset.leftOut.push(...header.leftOut);
  const scans = countScans(header, source.name, size, dataset.warnings);
  const section = (what: string, place: AbfSection, least: number) =>
    readSection(source, size, limits, dataset.warnings, what, place, least, signal);
  const synch = await section("synch array", header.synch, 8);
  const found = findSweeps(header, synch, scans, dataset.warnings);
  addRecordings(dataset, header, found);
  for (const stimulus of header.stimuli) addStimulus(dataset, header, stimulus, size);
  const tags = await section("tags", header.tags, 64);
  const deltas = await section("parameter changes", header.deltas, 12);
  const tables = [
    tags && tagEvents(header, tags),
    deltas && deltaEvents(header, deltas, dataset.warnings),
  ];
  dataset.events.push(...tables.filter((t) => t !== undefined));
  dataset.metadata = {
    ...(header.startTime ? { startTime: header.startTime } : {}),
    ...(header.comment ? { notes: header.comment } : {}),
    sweepMode: MODE_NAMES[header.mode] ?? `mode ${header.mode}`,
    modality: "electrophysiology",
    header: known({ abf_version: header.version, operation_mode: header.mode, ...header.fields }),
  };
  return dataset;
}

async function parseHeader(
  head: Uint8Array,
  source: ByteSource,
  size: number,
  limits: Limits,
  signal?: AbortSignal,
): Promise<AbfHeader> {
  const place = { source: source.name, format: "abf" };
  const isV1 = hasText(head, 0, "ABF "), isV2 = hasText(head, 0, "ABF2");
  ensure(isV1 || isV2, "does not begin as an ABF file", {
    ...place,
    offset: 0,
    expected: '"ABF " or "ABF2"',
  });
  const least = isV1 ? 2048 : 512;
  if (head.length < least) {
    throw new FuseError("Truncated", "the file ends inside its header", {
      ...place,
      offset: head.length,
      found: `${head.length} bytes`,
      expected: `${least} bytes`,
    });
  }
  const header = isV1
    ? parseV1(head.subarray(0, V1_HEADER_BYTES), source.name)
    : await parseV2(head, source, size, limits, signal);
  const rate = header.samplingFrequency;
  ensure(rate > 0 && Number.isFinite(rate), "no sampling interval", {
    ...place,
    offset: isV1 ? 122 : undefined,
    field: isV1 ? "fADCSampleInterval" : "fADCSequenceInterval",
    found: `a rate of ${rate} Hz`,
  });
  return header;
}

/** Whole scans that are in the file. */
function countScans(
  header: AbfHeader,
  name: string,
  size: number,
  warnings: string[],
): number {
  const { dataOffset, valueCount, channels, isFloat } = header;
  const frameBytes = channels.length * (isFloat ? 4 : 2);
  if (dataOffset > size || (valueCount > 0 && dataOffset === size)) {
    throw new FuseError("Truncated", "the file ends before its data", {
      source: name,
      format: "abf",
      offset: dataOffset,
      found: `${size} bytes`,
    });
  }
  const there = Math.floor((size - dataOffset) / frameBytes);
  if (valueCount <= 0) {
    // The count is written when the recording ends; nothing can follow the data before that.
    if (there > 0) {
      warnings.push(
        `the header counts no samples (the recording was not closed): the ${there} scans up to the ` +
          "end of the file are taken",
      );
    }
    return there;
  }
  const promised = Math.floor(valueCount / channels.length);
  if (promised * channels.length !== valueCount) {
    warnings.push(`the data end inside a scan of the channels, which is left out`);
  }
  if (promised <= there) return promised;
  warnings.push(`the file is cut: it has ${there} of the ${promised} scans its header promises`);
  return there;
}

/** Bytes of a section whose loss does no harm to the samples; undefined with a warning when it is not there. */
async function readSection(
  source: ByteSource,
  size: number,
  limits: Limits,
  warnings: string[],
  what: string,
  { offset, entryBytes, count }: AbfSection,
  least: number,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (count <= 0) return undefined;
  const length = entryBytes * count;
  if (entryBytes < least || offset <= 0 || offset + length > size || length > limits.headerBytes) {
    warnings.push(
      `the ${what} (${count} entries of ${entryBytes} bytes at byte ${offset}) cannot be in this ` +
        `file of ${size} bytes: left out`,
    );
    return undefined;
  }
  const bytes = await source.read(offset, length, { signal, purpose: "header" });
  if (entryBytes === least || what !== "synch array") return bytes;
  const packed = new Uint8Array(count * least);
  for (let i = 0; i < count; i++) {
    packed.set(bytes.subarray(i * entryBytes, i * entryBytes + least), i * least);
  }
  return packed;
}

function addRecordings(dataset: Dataset, header: AbfHeader, { sweeps, averages }: Sweeps): void {
  const frameBytes = header.channels.length * (header.isFloat ? 4 : 2);
  const add = (name: string, list: Sweep[]) => {
    const table = dataset.frameTables.push(
      frameTable(frameBytes, sweepRuns(list, header.dataOffset, frameBytes)),
    ) - 1;
    dataset.recordings.push(recording(header, name, list, table, dataset));
  };
  if (sweeps.length > 0 || averages.length === 0) add("recorded", sweeps);
  if (averages.length > 0) add("average", averages);
}

function recording(
  header: AbfHeader,
  name: string,
  sweeps: Sweep[],
  table: number,
  dataset: Dataset,
): Recording {
  const { isFloat, channels, samplingFrequency } = header;
  const width = isFloat ? 4 : 2;
  const stored = isFloat ? "float32" : "int16";
  const layout: FrameLayout = {
    kind: "frames",
    table,
    stored,
    littleEndian: true,
    samplesPerFrame: 1,
    channelOffsets: channels.map((_, i) => i * width),
    sampleStride: 0,
  };
  let index = 0;
  const segments = sweeps.map(({ scans, startSeconds }) => {
    const segment = { startIndex: index, length: scans, startSeconds };
    index += scans;
    return segment;
  });
  const isEqual = sweeps.length > 1 && sweeps.every((s) => s.scans === sweeps[0].scans);
  const isSwept = isEqual && header.mode !== AbfMode.gapFree && header.mode !== AbfMode.variable;
  const result: Recording = {
    name,
    channels: channels.map((_, i) => channelOf(header, i, dataset.warnings)),
    samplingFrequency,
    sampleCount: index,
    segments,
    rawType: stored,
    ...(isSwept ? { sweepLength: sweeps[0].scans } : {}),
    parts: [{ firstChannel: 0, channelCount: channels.length, layout }],
    ...(name === "average" ? { attributes: { averaged: true } } : {}),
  };
  if (!splitScan(header)) return result;
  dataset.warnings.push(
    `the clock was switched inside the sweeps, from ${samplingFrequency} to ` +
      `${header.secondFrequency} Hz: the time axis shows it, the sampling frequency is that of the start`,
  );
  delete result.sweepLength;
  const id = `${TIME_STREAM}_${name}`;
  result.time = { kind: "stream", stream: id, field: "time" };
  const others = dataset.openStream;
  dataset.openStream = (asked, options) => {
    if (asked === id) return splitTimes(header, sweeps);
    if (others) return others(asked, options);
    throw new FuseError("Usage", `no stream "${asked}"`, { source: dataset.sources[0].name });
  };
  return result;
}

/** Scan of a sweep from which on the second clock runs; 0 when there is none (fADCSecondSampleInterval). */
function splitScan(header: AbfHeader): number {
  const { secondFrequency: second, samplingFrequency: first, clockChange, channels } = header;
  if (header.mode !== AbfMode.episodic || second <= 0 || second === first) return 0;
  const scan = Math.floor(clockChange / channels.length);
  return scan > 0 && scan * channels.length < header.samplesPerEpisode ? scan : 0;
}

function splitTimes(header: AbfHeader, sweeps: Sweep[]): ReadableStream<StreamBlock> {
  const split = splitScan(header);
  const { samplingFrequency: first, secondFrequency: second } = header;
  return pullStream((function* (): Generator<StreamBlock> {
    for (const { scans, startSeconds } of sweeps) {
      for (let from = 0; from < scans; from += TIME_BLOCK) {
        const values = Float64Array.from(
          { length: Math.min(TIME_BLOCK, scans - from) },
          (_, i) => {
            const scan = from + i;
            return startSeconds + Math.min(scan, split) / first +
              Math.max(0, scan - split) / second;
          },
        );
        yield { field: "time", values, count: values.length };
      }
    }
  })());
}

/** Physical value = raw * gain + offset (ABFH_GetADCtoUUFactors). */
function channelOf(header: AbfHeader, index: number, warnings: string[]): Channel {
  const channel = header.channels[index];
  const name = channel.name || `ch${channel.physical}`;
  const base = { name, units: channel.units, attributes: channel.attributes };
  if (header.isFloat) return { ...base, gain: 1, offset: 0 };
  const isConditioned = header.signalType !== 0;
  let volts = channel.instrumentScale * channel.programmableGain;
  if (isConditioned) volts *= channel.signalGain;
  if (channel.telegraphEnable === 1) volts *= channel.telegraphGain;
  else if (channel.telegraphEnable !== 0) {
    warnings.push(
      `channel ${name}: its telegraph is neither on nor off (${channel.telegraphEnable}): not applied`,
    );
  }
  const gain = header.adcRange / header.adcResolution / volts;
  if (!Number.isFinite(gain) || gain === 0) {
    warnings.push(`channel ${name}: its scale is not given: the converter's numbers are kept`);
    return { ...base, units: "", gain: 1, offset: 0 };
  }
  const offset = channel.instrumentOffset - (isConditioned ? channel.signalOffset : 0);
  return { ...base, gain, offset };
}

/** A played waveform: `[sweep, sample]`, one stored chunk a sweep (ABF_ReadDACFileEpi). */
function addStimulus(
  dataset: Dataset,
  header: AbfHeader,
  stimulus: AbfStimulus,
  size: number,
): void {
  const length = Math.floor(header.samplesPerEpisode / header.channels.length);
  const { name, units, offset, gain, zero, sweeps } = stimulus;
  const bytes = length * 2;
  const whole = bytes > 0 ? Math.min(sweeps, Math.floor((size - offset) / bytes)) : 0;
  if (whole < 1) {
    dataset.leftOut.push({
      what: `the stimulus of ${name}`,
      why: `it lies outside the file (byte ${offset})`,
    });
    return;
  }
  const array: NamedArray = {
    path: `stimulus/${name.replaceAll("/", "_")}`,
    dtype: "int16",
    dims: ["stimulus_sweep", "sample"],
    shape: [whole, length],
    layout: {
      kind: "chunks",
      chunkShape: [1, length],
      source: new Int32Array(whole),
      offset: Float64Array.from({ length: whole }, (_, i) => offset + i * bytes),
      length: new Float64Array(whole).fill(bytes),
      codecs: [{ id: "raw", params: {} }],
      fill: 0,
    },
    units,
    attributes: {
      ...(Number.isFinite(gain) && gain !== 0 ? { scale_factor: gain, add_offset: zero } : {}),
      long_name: `waveform played at output ${name}`,
      sampling_frequency: header.samplingFrequency,
      ...stimulus.attributes,
    },
  };
  dataset.arrays.push(array);
}
