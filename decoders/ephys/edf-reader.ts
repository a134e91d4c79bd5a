/** Opens EDF, EDF+, BDF and BDF+ files. */
import { DEFAULT_LIMITS, FuseError, toFuseError } from "../../src/errors.ts";
import { type Channel, type Dataset, emptyDataset, type Json } from "../../src/model/dataset.ts";
import {
  type FrameLayout,
  type FrameRun,
  frameTable,
  type Segment,
} from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import {
  ANNOTATIONS,
  collectTable,
  readAnnotations,
  readTriggers,
  streamedTable,
  TRIGGERS,
} from "./edf-events.ts";
import { type EdfHeader, type EdfSignal, readEdfHeader } from "./edf-header.ts";
import { passBytes, type Slots } from "./edf-slots.ts";
import { type RecordRun, recordStart, searchRuns } from "./edf-times.ts";
import { pullStream } from "./pull-stream.ts";

/** Data records from this size on are taken apart by signals, so that a window need not hold a whole one. */
const LARGE_RECORD = 4 << 20;
/** Bytes a pass for events may read while the file is opened, and bytes of annotations held in memory. */
const PASS_BYTES = 8 << 20, HELD_BYTES = 2 << 20;
/** Bytes of annotations in one record, which are parsed in one piece. */
const MOST_ANNOTATION_BYTES = 16 << 20;

/** Bits of BioSemi's status word beside the triggers in its low 16. */
const STATUS_LINES = [
  { bit: 16, name: "epoch" },
  { bit: 20, name: "cms_in_range" },
  { bit: 22, name: "battery_low" },
];

/** The reader of the format "edf". */
export const reader: Reader = {
  async open(source, options) {
    try {
      return await openFile(source, options);
    } catch (error) {
      throw toFuseError(error, "Corrupt", { source: source.name, format: "edf" });
    }
  },
};

async function openFile(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal, limits = DEFAULT_LIMITS } = options;
  const { size } = source;
  if (size === undefined || source.access !== "random") {
    throw new FuseError("NeedsRandomAccess", "signals and annotations take several passes", {
      source: source.name,
      remedy: "Save the stream to a file first",
    });
  }
  const dataset = emptyDataset("edf", [source]);
  const header = await readEdfHeader(source, size, limits, dataset.warnings, signal);
  const groups = annotationGroups(source, header);
  const runs = await annotate(dataset, header, groups, signal);
  const status = header.sampleBytes === 3
    ? header.signals.find((s) => /^status$/i.test(s.label) && s.samplesPerRecord > 0)
    : undefined;
  addRecordings(dataset, header, runs, status);
  const statusSlots = status && slotsFor(source, header, status.offset, lengthOf(header, status));
  if (status) await addStatus(dataset, header, runs, status, statusSlots!, signal);
  dataset.openStream = (id, { signal }) => {
    if (id === ANNOTATIONS && groups.length > 0) {
      return pullStream(readAnnotations(header, groups, signal).blocks);
    }
    if (id === TRIGGERS && status) {
      return pullStream(readTriggers(header, status, statusSlots!, runs, signal));
    }
    throw new FuseError("Usage", `no stream "${id}"`, { source: source.name, format: "edf" });
  };
  describe(dataset, header);
  return dataset;
}

function lengthOf(header: EdfHeader, signal: EdfSignal): number {
  return signal.samplesPerRecord * header.sampleBytes;
}

function slotsFor(source: ByteSource, header: EdfHeader, offset: number, length: number): Slots {
  const { dataOffset, recordBytes, records } = header;
  return { source, dataOffset, recordBytes, records, offset, length };
}

/** Where the annotation signals are in the records: those that lie beside each other together. */
function annotationGroups(source: ByteSource, header: EdfHeader): Slots[] {
  const groups: Slots[] = [];
  for (const signal of header.signals) {
    const length = lengthOf(header, signal);
    if (!signal.isAnnotation || length === 0) continue;
    const last = groups.at(-1);
    if (last && last.offset + last.length === signal.offset) last.length += length;
    else groups.push(slotsFor(source, header, signal.offset, length));
  }
  const large = groups.find((g) => g.length > MOST_ANNOTATION_BYTES);
  if (large) {
    throw new FuseError("Limit", "annotations of one data record are larger than allowed", {
      source: source.name,
      format: "edf",
      offset: header.dataOffset + large.offset,
      found: `${large.length} bytes`,
      expected: `at most ${MOST_ANNOTATION_BYTES}`,
    });
  }
  return groups;
}

/** Adds the annotations, and finds when the records begin: all of them where there can be pauses. */
async function annotate(
  dataset: Dataset,
  header: EdfHeader,
  groups: Slots[],
  signal?: AbortSignal,
): Promise<RecordRun[]> {
  const { records, plus, recordSeconds } = header;
  const plain = [{ firstRecord: 0, records, startSeconds: 0 }];
  const [slots] = groups;
  if (!slots) {
    if (plus === "+D") {
      dataset.warnings.push(
        "the recording has pauses and no annotation signal that tells when: its records are joined",
      );
    }
    return plain;
  }
  const passed = groups.reduce((n, g) => n + passBytes(g), 0);
  const held = groups.reduce((n, g) => n + g.length * records, 0);
  let found: RecordRun[] = [];
  if (passed <= PASS_BYTES && held <= HELD_BYTES) {
    const pass = readAnnotations(header, groups, signal);
    const table = await collectTable(ANNOTATIONS, pass.blocks, dataset.warnings);
    if (table) dataset.events.push(table);
    if (plus === "+D") {
      dataset.warnings.push(...pass.runs.warnings());
      found = pass.runs.runs;
    }
  } else {
    dataset.events.push(streamedTable(ANNOTATIONS));
    if (plus === "+D") found = await searchRuns(header, slots, dataset.warnings, signal);
  }
  if (found.length > 0 || records === 0) return found.length > 0 ? found : plain;
  // The start of a file is given in whole seconds; the first record tells the rest (EDF+, 2.2.4).
  const [first, last] = await Promise.all(
    [0, records - 1].map((record) => recordStart(slots, record, signal)),
  );
  plain[0].startSeconds = first ?? 0;
  const expected = (first ?? 0) + (records - 1) * recordSeconds;
  if (recordSeconds > 0 && last !== undefined && Math.abs(last - expected) > recordSeconds / 2) {
    dataset.warnings.push(
      `the recording is marked as continuous, and its last data record says it begins at ${last} s ` +
        `in place of ${expected} s: no pause is taken`,
    );
  }
  return plain;
}

/** Signals of one rate are one recording; all recordings live in the same frames, the data records. */
function addRecordings(
  dataset: Dataset,
  header: EdfHeader,
  runs: RecordRun[],
  status: EdfSignal | undefined,
): void {
  const { signals, recordSeconds, recordBytes, records, dataOffset } = header;
  const groups = new Map<number, EdfSignal[]>();
  for (const signal of signals) {
    if (signal.isAnnotation || signal === status) continue;
    if (signal.samplesPerRecord === 0) {
      dataset.leftOut.push({ what: `signal "${signal.label}"`, why: "it has no samples" });
      continue;
    }
    const group = groups.get(signal.samplesPerRecord);
    if (group) group.push(signal);
    else groups.set(signal.samplesPerRecord, [signal]);
  }
  const isLarge = recordBytes >= LARGE_RECORD;
  if (!isLarge) {
    const frames: FrameRun[] = [{ source: 0, offset: dataOffset, frameCount: records }];
    dataset.frameTables.push(frameTable(recordBytes, frames));
  }
  for (const [samplesPerRecord, own] of groups) {
    const rate = recordSeconds > 0 ? samplesPerRecord / recordSeconds : null;
    const label = rate === null
      ? `${samplesPerRecord}_a_record`
      : `${Number(rate.toPrecision(6))}hz`;
    const segments = segmentsOf(runs, samplesPerRecord);
    dataset.recordings.push({
      name: `signals_${label}`,
      channels: own.map((s) => channelOf(s, dataset.warnings)),
      samplingFrequency: rate,
      sampleCount: records * samplesPerRecord,
      segments: rate === null
        ? [{ startIndex: 0, length: records * samplesPerRecord, startSeconds: 0 }]
        : segments,
      rawType: header.sampleBytes === 3 ? "int32" : "int16",
      ...(header.sampleBytes === 3 ? { significantBits: 24 } : {}),
      parts: isLarge
        ? own.map((signal, i) => ({
          firstChannel: i,
          channelCount: 1,
          layout: aloneLayout(dataset, header, signal),
        }))
        : [{ firstChannel: 0, channelCount: own.length, layout: recordLayout(header, own) }],
      ...(rate === null ? { timeGenerated: true } : {}),
    });
  }
}

/** Samples of signals inside the data records. */
function recordLayout(header: EdfHeader, signals: EdfSignal[]): FrameLayout {
  return {
    kind: "frames",
    table: 0,
    stored: header.sampleBytes === 3 ? "int24" : "int16",
    littleEndian: true,
    samplesPerFrame: signals[0].samplesPerRecord,
    channelOffsets: signals.map((s) => s.offset),
    sampleStride: header.sampleBytes,
  };
}

/** Samples of one signal as frames of their own: one run in each data record. */
function aloneLayout(dataset: Dataset, header: EdfHeader, signal: EdfSignal): FrameLayout {
  const { dataOffset, recordBytes, records, sampleBytes } = header;
  const runs = Array.from({ length: records }, (_, i): FrameRun => ({
    source: 0,
    offset: dataOffset + i * recordBytes + signal.offset,
    frameCount: signal.samplesPerRecord,
  }));
  const table = dataset.frameTables.push(frameTable(sampleBytes, runs)) - 1;
  return {
    kind: "frames",
    table,
    stored: sampleBytes === 3 ? "int24" : "int16",
    littleEndian: true,
    samplesPerFrame: 1,
    channelOffsets: [0],
    sampleStride: 0,
  };
}

function segmentsOf(runs: RecordRun[], samplesPerRecord: number): Segment[] {
  return runs.map(({ firstRecord, records, startSeconds }) => ({
    startIndex: firstRecord * samplesPerRecord,
    length: records * samplesPerRecord,
    startSeconds,
  }));
}

/** Physical value = raw * gain + offset, by the two ranges the header gives. */
function channelOf(signal: EdfSignal, warnings: string[]): Channel {
  const { physicalMin, physicalMax, digitalMin, digitalMax, units, label } = signal;
  const attributes: Record<string, Json> = {
    transducer: signal.transducer,
    prefilter: signal.prefilter,
    physical_range: [physicalMin ?? null, physicalMax ?? null],
    digital_range: [digitalMin ?? null, digitalMax ?? null],
  };
  const gain = (physicalMax! - physicalMin!) / (digitalMax! - digitalMin!);
  const offset = physicalMin! - gain * digitalMin!;
  if (Number.isFinite(gain) && gain !== 0 && Number.isFinite(offset)) {
    if (/^filtered$/i.test(units)) {
      warnings.push(
        `signal "${label}" is stored as logarithms ("${signal.prefilter}"): they are kept as they are`,
      );
    }
    return { name: label, units, gain, offset, attributes };
  }
  warnings.push(
    `signal "${label}": its ranges (physical ${physicalMin} to ${physicalMax}, digital ${digitalMin} ` +
      `to ${digitalMax}) give no scale: the converter's numbers are kept, without a unit`,
  );
  attributes.stated_units = units;
  return { name: label, units: "", gain: 1, offset: 0, attributes };
}

/** The words of BioSemi's status channel, the flags among their bits, and the triggers. */
async function addStatus(
  dataset: Dataset,
  header: EdfHeader,
  runs: RecordRun[],
  status: EdfSignal,
  slots: Slots,
  signal?: AbortSignal,
): Promise<void> {
  const { recordBytes, recordSeconds, records } = header;
  const count = records * status.samplesPerRecord;
  const layout = recordBytes >= LARGE_RECORD
    ? aloneLayout(dataset, header, status)
    : recordLayout(header, [status]);
  const path = "digital/Status";
  const rate = recordSeconds > 0 ? status.samplesPerRecord / recordSeconds : null;
  dataset.arrays.push({
    path,
    dtype: "int32",
    dims: ["time"],
    shape: [count],
    layout,
    ...(status.units ? { units: status.units } : {}),
    attributes: {
      long_name:
        "status words: triggers in bits 0 to 15, epoch 16, CMS in range 20, battery low 22",
      sampling_frequency: rate ?? "unknown",
      transducer: status.transducer,
    },
  });
  if (rate === null) return;
  const segments = segmentsOf(runs, status.samplesPerRecord);
  dataset.digital.push({ array: path, samplingFrequency: rate, segments, lines: STATUS_LINES });
  if (passBytes(slots) > PASS_BYTES) {
    dataset.events.push(streamedTable(TRIGGERS));
    return;
  }
  const blocks = readTriggers(header, status, slots, runs, signal);
  const table = await collectTable(TRIGGERS, blocks, dataset.warnings);
  if (table) dataset.events.push(table);
}

function describe(dataset: Dataset, header: EdfHeader): void {
  const [, , technician, equipment] = header.plus
    ? header.recording.replace(/^Startdate\s+/i, "").split(" ")
    : [];
  const told = (text: string | undefined) =>
    text && text !== "X" ? text.replaceAll("_", " ") : undefined;
  const person = told(technician), device = told(equipment);
  dataset.metadata = {
    ...(header.startTime ? { startTime: header.startTime } : {}),
    ...(person ? { experimenter: person } : {}),
    header: {
      format: `${header.sampleBytes === 3 ? "BDF" : "EDF"}${header.plus}`,
      patient: header.patient,
      recording: header.recording,
      reserved: header.reserved,
      records: header.records,
      record_seconds: header.recordSeconds,
      ...(device ? { equipment: device } : {}),
    },
  };
}
