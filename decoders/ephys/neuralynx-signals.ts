/**
 * Signals of .ncs files: records of a 64-bit time stamp in microseconds, channel number, rate, number of
 * valid samples and (usually) 512 samples of 16 bits. Source: Neuralynx, "Data File Formats", "CSC".
 */
import { ensure } from "../../src/errors.ts";
import type {
  Channel,
  ChannelPart,
  Dataset,
  Recording,
  StreamBlock,
} from "../../src/model/dataset.ts";
import { frameTable, type Segment } from "../../src/model/layout.ts";
import { viewOf } from "../../src/source/source.ts";
import { field, HEADER_BYTES, type NeuralynxFile } from "./neuralynx-header.ts";
import { type Passes, uniqueName } from "./record-tables.ts";

/** Bytes before the samples of a record. */
const RECORD_HEAD_BYTES = 20;
/** Bytes read at a time. */
const BLOCK_BYTES = 1 << 20;
/** Samples a record may begin early or late without being a pause; stamps are rounded to 1 us. */
const TOLERANCE_SAMPLES = 0.5;

/** What a pass over the records of a file told. */
export interface SignalScan {
  /** The file. */
  file: NeuralynxFile;
  /** Microseconds of each record. */
  stamps: Float64Array;
  /** Valid samples of each record. */
  valid: Uint16Array | Uint32Array;
  /** Samples a second. */
  rate: number;
}

async function* recordBlocks(file: NeuralynxFile, signal?: AbortSignal) {
  const { recordBytes, records, source } = file;
  const step = Math.max(1, Math.floor(BLOCK_BYTES / recordBytes));
  for (let first = 0; first < records; first += step) {
    const count = Math.min(step, records - first);
    const bytes = await source.read(HEADER_BYTES + first * recordBytes, count * recordBytes, {
      purpose: "bulk",
      signal,
    });
    yield { first, count, bytes, view: viewOf(bytes) };
  }
}

/** Blocks of whole records of any file of a session. */
export const blocksOf = recordBlocks;

/** Reads stamps and lengths of all records. @throws FuseError where a record claims too many samples */
export async function scanSignal(
  file: NeuralynxFile,
  warnings: string[],
  signal?: AbortSignal,
): Promise<SignalScan> {
  const { recordBytes, records, source } = file;
  const capacity = (recordBytes - RECORD_HEAD_BYTES) / 2;
  const stamps = new Float64Array(records), valid = new Uint32Array(records);
  let recordRate = 0;
  for await (const { first, count, view } of recordBlocks(file, signal)) {
    for (let i = 0; i < count; i++) {
      const at = i * recordBytes;
      stamps[first + i] = Number(view.getBigUint64(at, true));
      if (first + i === 0) recordRate = view.getUint32(at + 12, true);
      const n = view.getUint32(at + 16, true);
      ensure(n <= capacity, "a record claims more samples than it has room for", {
        source: source.name,
        offset: HEADER_BYTES + (first + i) * recordBytes + 16,
        found: n,
        expected: `at most ${capacity}`,
      });
      valid[first + i] = n;
    }
  }
  const stated = Number(field(file, "SamplingFrequency"));
  let rate = stated > 0 && Number.isFinite(stated) ? stated : recordRate;
  ensure(rate > 0, "the file states no sampling rate", {
    source: source.name,
    field: "-SamplingFrequency",
    found: field(file, "SamplingFrequency") ?? "nothing",
  });
  const measured = usualRate(stamps, valid);
  // A nominal rate (1000 Hz for what is really 1017.25 Hz) would make every record a piece of its own.
  if (measured && Math.abs(capacity / measured - capacity / rate) * rate > TOLERANCE_SAMPLES) {
    warnings.push(
      `${source.name}: the header states ${rate} Hz, the time stamps follow ${measured} Hz; ` +
        "the rate of the stamps is taken",
    );
    rate = measured;
  }
  return { file, stamps, valid, rate };
}

/** Samples a second by the median distance of records that follow each other; null for too few. */
function usualRate(stamps: Float64Array, valid: Uint32Array): number | null {
  if (stamps.length < 8) return null;
  const rates: number[] = [];
  const step = Math.max(1, Math.floor(stamps.length / 4096));
  for (let i = 0; i + 1 < stamps.length; i += step) {
    const us = stamps[i + 1] - stamps[i];
    if (us > 0 && valid[i] > 0) rates.push(valid[i] * 1e6 / us);
  }
  if (rates.length < 7) return null;
  rates.sort((a, b) => a - b);
  const median = rates[rates.length >> 1];
  const near = rates.filter((r) => Math.abs(r - median) <= median * 1e-3).length;
  return near * 2 > rates.length ? median : null;
}

/** Uninterrupted runs; `backwards` counts stamps that go back. */
export function signalSegments(
  { stamps, valid, rate }: SignalScan,
  zero: number,
): { segments: Segment[]; samples: number; backwards: number } {
  const segments: Segment[] = [];
  const tolerance = Math.max(2, TOLERANCE_SAMPLES * 1e6 / rate);
  let samples = 0, expected = NaN, backwards = 0;
  for (let i = 0; i < stamps.length; i++) {
    const n = valid[i];
    if (n === 0) continue;
    const off = stamps[i] - expected;
    if (!(Math.abs(off) <= tolerance)) {
      if (off < 0) backwards++;
      segments.push({
        startIndex: samples,
        length: 0,
        startSeconds: (stamps[i] - zero) / 1e6,
      });
    }
    segments[segments.length - 1].length += n;
    samples += n;
    expected = stamps[i] + n * 1e6 / rate;
  }
  return { segments, samples, backwards };
}

/** Adds the recordings of all signal files: one for all that share clock, rate and pauses. */
export async function addSignals(
  dataset: Dataset,
  passes: Passes,
  scans: SignalScan[],
  zero: number,
  signal?: AbortSignal,
): Promise<void> {
  const groups = new Map<string, { scans: SignalScan[]; segments: Segment[]; samples: number }>();
  for (const scan of scans) {
    const { segments, samples, backwards } = signalSegments(scan, zero);
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
    const key = `${scan.rate} ${samples} ${unitsOf(scan.file)} ${shape}`;
    const group = groups.get(key) ?? { scans: [], segments, samples };
    group.scans.push(scan);
    groups.set(key, group);
  }
  const names = new Set<string>();
  for (const { scans, segments, samples } of groups.values()) {
    const name = groups.size === 1
      ? "signals"
      : uniqueName(scans.length === 1 ? scans[0].file.entity : `signals_${scans[0].rate}hz`, names);
    const channels = scans.map((s) => channelOf(s.file, dataset.warnings));
    const framed = scans.every(isFramed);
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
      samplingFrequency: scans[0].rate,
      sampleCount: samples,
      segments,
      rawType: "int16",
      parts,
    };
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
    attributes: { file: file.source.name, input_inverted: inverted },
  };
}

/** Only the last record may be short, for the samples to lie in equal frames. */
function isFramed({ file, valid }: SignalScan): boolean {
  const capacity = (file.recordBytes - RECORD_HEAD_BYTES) / 2;
  for (let i = 0; i + 1 < valid.length; i++) if (valid[i] !== capacity) return false;
  return valid.length > 0 && (valid.length > 1 || valid[0] === capacity);
}

async function framedPart(
  dataset: Dataset,
  { file, valid }: SignalScan,
  firstChannel: number,
  samples: number,
  signal?: AbortSignal,
): Promise<ChannelPart> {
  const samplesPerFrame = (file.recordBytes - RECORD_HEAD_BYTES) / 2;
  const last = valid.length - 1, short = valid[last] !== samplesPerFrame;
  const table = dataset.frameTables.push(
    frameTable(file.recordBytes, [{
      source: file.index,
      offset: HEADER_BYTES,
      frameCount: valid.length - (short ? 1 : 0),
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
  if (short && valid[last] > 0) {
    const at = HEADER_BYTES + last * file.recordBytes + RECORD_HEAD_BYTES;
    const view = viewOf(await file.source.read(at, 2 * valid[last], { purpose: "header", signal }));
    const values = Float64Array.from({ length: valid[last] }, (_, i) => view.getInt16(2 * i, true));
    part.tail = { firstSample: samples - valid[last], values };
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
  const capacity = (file.recordBytes - RECORD_HEAD_BYTES) / 2;
  for await (const { count, view } of recordBlocks(file, signal)) {
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
