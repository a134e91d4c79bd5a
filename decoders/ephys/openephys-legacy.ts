/**
 * The older format: a 1024-byte text header and equal records in each file, channels listed in
 * structure.openephys. Source: Open Ephys GUI documentation, "Open Ephys Format".
 */
import { ensure, FuseError } from "../../src/errors.ts";
import type { Dataset, StreamBlock } from "../../src/model/dataset.ts";
import { eventsFromValues } from "../../src/model/dataset.ts";
import { frameTable, type Segment } from "../../src/model/layout.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import type { OpenOptions } from "../format.ts";
import { addTable, type ColumnShape, type Passes, uniqueName } from "./record-tables.ts";

const HEADER_BYTES = 1024, EVENT_BYTES = 16, BLOCK_BYTES = 1 << 20;
/** Bytes before and after the samples of a record. */
const HEAD_BYTES = 12, MARKER_BYTES = 10;
/** Most bytes of a description or of messages. */
const MOST_TEXT_BYTES = 64 << 20;

interface LegacyFile {
  source: ByteSource;
  index: number;
  fields: Map<string, string>;
  records: number;
  recordBytes: number;
  samples: number;
}

async function readText(source: ByteSource, signal?: AbortSignal): Promise<string> {
  ensure((source.size ?? 0) <= MOST_TEXT_BYTES, "too large for a text", { source: source.name });
  const bytes = await source.readUpTo(0, source.size ?? MOST_TEXT_BYTES, {
    purpose: "header",
    signal,
  });
  return new TextDecoder().decode(bytes);
}

async function readFields(source: ByteSource, signal?: AbortSignal): Promise<Map<string, string>> {
  if ((source.size ?? 0) < HEADER_BYTES) {
    throw new FuseError("Truncated", "the file ends inside its header", {
      source: source.name,
      found: `${source.size ?? 0} bytes`,
      expected: `${HEADER_BYTES} bytes`,
    });
  }
  const bytes = await source.read(0, HEADER_BYTES, { purpose: "header", signal });
  const text = new TextDecoder("latin1").decode(bytes);
  ensure(text.startsWith("header.format = 'Open Ephys"), "not an Open Ephys file", {
    source: source.name,
    offset: 0,
  });
  const fields = new Map<string, string>();
  for (const [, key, value] of text.matchAll(/header\.(\w+)\s*=\s*([^;]*);/g)) {
    fields.set(key, value.trim().replace(/^'(.*)'$/, "$1"));
  }
  return fields;
}

/** Fills a dataset from a description or from one file. @throws FuseError where they make no sense */
export async function readLegacy(
  dataset: Dataset,
  passes: Passes,
  { signal }: OpenOptions,
): Promise<void> {
  const [main] = dataset.sources;
  const described = main.name.toLowerCase().endsWith(".openephys");
  const members: ByteSource[] = [];
  if (described) {
    const xml = await readText(main, signal);
    const names = new Set([...xml.matchAll(/\bfilename\s*=\s*"([^"]+)"/g)].map((m) => m[1]));
    names.add("messages.events");
    for (const raw of names) {
      const name = raw.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
      if (!/\.(continuous|events|spikes)$/.test(name)) continue;
      const member = await main.sibling(name);
      if (member) {
        dataset.sources.push(member);
        members.push(member);
      } else if (name !== "messages.events") dataset.warnings.push(`${name}: not there; left out`);
    }
    ensure(members.length > 0, "none of the files it names is there", { source: main.name });
  } else members.push(main);
  const signals: LegacyFile[] = [];
  const indexOf = (member: ByteSource) => dataset.sources.indexOf(member);
  for (const member of members.filter((m) => m.name.endsWith(".continuous"))) {
    signals.push(await openContinuous(member, indexOf(member), dataset.warnings, signal));
  }
  await addSignals(dataset, signals, signal);
  const rate = dataset.recordings[0]?.samplingFrequency ?? 0;
  const names = new Set<string>();
  for (const member of members) {
    const name = member.name.replace(/\.\w+$/, "");
    if (member.name.endsWith(".spikes")) {
      await addSpikes(dataset, passes, member, uniqueName(name, names), rate, signal);
    } else if (member.name.endsWith(".events")) {
      const start = await member.readUpTo(0, 13, { purpose: "header", signal });
      const binary = new TextDecoder("latin1").decode(start) === "header.format";
      if (binary) await addEvents(dataset, passes, member, uniqueName(name, names), rate, signal);
      else addMessages(dataset, await readText(member, signal), uniqueName(name, names), rate);
    }
  }
  dataset.metadata.modality = "electrophysiology";
  if (signals.length) dataset.metadata.header = Object.fromEntries(signals[0].fields);
}

async function openContinuous(
  source: ByteSource,
  index: number,
  warnings: string[],
  signal?: AbortSignal,
): Promise<LegacyFile> {
  const fields = await readFields(source, signal);
  const samples = Number(fields.get("blockLength") ?? 1024);
  ensure(Number.isInteger(samples) && samples > 0 && samples <= 65_535, "impossible block length", {
    source: source.name,
    field: "blockLength",
    found: fields.get("blockLength"),
  });
  const recordBytes = HEAD_BYTES + 2 * samples + MARKER_BYTES;
  const bytes = source.size! - HEADER_BYTES, rest = bytes % recordBytes;
  if (rest) warnings.push(`${source.name}: the file ends inside a record (${rest} bytes of it)`);
  return { source, index, fields, samples, recordBytes, records: (bytes - rest) / recordBytes };
}

async function addSignals(
  dataset: Dataset,
  files: LegacyFile[],
  signal?: AbortSignal,
): Promise<void> {
  const groups = new Map<string, { files: LegacyFile[]; segments: Segment[]; rate: number }>();
  for (const file of files) {
    const rate = Number(file.fields.get("sampleRate"));
    ensure(rate > 0 && Number.isFinite(rate), "the file states no sampling rate", {
      source: file.source.name,
      field: "sampleRate",
      found: file.fields.get("sampleRate") ?? "nothing",
    });
    if (!file.records) {
      dataset.leftOut.push({ what: file.source.name, why: "it holds no samples" });
      continue;
    }
    const segments = await segmentsOf(file, rate, signal);
    const shape = segments.map((s) => `${s.startIndex}@${s.startSeconds}`).join(" ");
    const key = `${rate} ${file.records} ${file.samples} ${shape}`;
    const group = groups.get(key) ?? { files: [], segments, rate };
    group.files.push(file);
    groups.set(key, group);
  }
  const names = new Set<string>();
  for (const { files, segments, rate } of groups.values()) {
    const [{ samples, records, recordBytes }] = files;
    dataset.recordings.push({
      name: uniqueName(groups.size === 1 ? "continuous" : `continuous_${rate}hz`, names),
      channels: files.map(({ fields, source }) => {
        const name = fields.get("channel") || source.name.replace(/\.\w+$/, "");
        return {
          name,
          // Voltages of analog inputs are in volts, those of electrodes in microvolts.
          units: /^ADC/i.test(name) ? "V" : "uV",
          gain: Number(fields.get("bitVolts")) || 1,
          offset: 0,
        };
      }),
      samplingFrequency: rate,
      sampleCount: records * samples,
      segments,
      rawType: "int16",
      parts: files.map((file, i) => ({
        firstChannel: i,
        channelCount: 1,
        layout: {
          kind: "frames",
          table: dataset.frameTables.push(
            frameTable(recordBytes, [{
              source: file.index,
              offset: HEADER_BYTES,
              frameCount: records,
            }]),
          ) - 1,
          stored: "int16",
          littleEndian: false,
          samplesPerFrame: samples,
          channelOffsets: [HEAD_BYTES],
          sampleStride: 2,
        },
      })),
    });
  }
}

async function segmentsOf(
  { source, records, recordBytes, samples }: LegacyFile,
  rate: number,
  signal?: AbortSignal,
): Promise<Segment[]> {
  const step = Math.max(1, Math.floor(BLOCK_BYTES / recordBytes));
  const segments: Segment[] = [];
  let due = NaN;
  for (let first = 0; first < records; first += step) {
    const count = Math.min(step, records - first), at = HEADER_BYTES + first * recordBytes;
    const view = viewOf(
      await source.read(at, count * recordBytes, { purpose: "bulk", signal }),
    );
    for (let i = 0; i < count; i++) {
      const stamp = Number(view.getBigInt64(i * recordBytes, true));
      const n = view.getUint16(i * recordBytes + 8, true);
      ensure(n === samples, "a record of another length than the header states", {
        source: source.name,
        offset: at + i * recordBytes + 8,
        found: n,
        expected: samples,
      });
      if (stamp !== due) {
        const startIndex = (first + i) * samples;
        segments.push({ startIndex, length: 0, startSeconds: stamp / rate });
      }
      segments[segments.length - 1].length += samples;
      due = stamp + samples;
    }
  }
  return segments;
}

type Getter = (view: DataView, at: number) => number;

async function addEvents(
  dataset: Dataset,
  passes: Passes,
  source: ByteSource,
  name: string,
  streamRate: number,
  signal?: AbortSignal,
): Promise<void> {
  const fields = await readFields(source, signal);
  const rate = Number(fields.get("sampleRate")) || streamRate || 1;
  if (rate === 1) dataset.warnings.push(`${source.name}: no rate; times are sample numbers`);
  const count = Math.floor((source.size! - HEADER_BYTES) / EVENT_BYTES);
  const byte = (o: number): Getter => (v, at) => v.getUint8(at + o);
  const columns: [string, Getter][] = [
    ["type", byte(10)],
    ["processor", byte(11)],
    ["state", byte(12)],
    ["channel", byte(13)],
    ["recording", (v, at) => v.getUint16(at + 14, true)],
  ];
  await addTable(dataset, passes, {
    name,
    count,
    rowBytes: EVENT_BYTES,
    columns: [
      { name: "time", dtype: "float64", units: "s", innerShape: [] },
      { name: "sample_number", dtype: "int64", innerShape: [] },
      ...columns.map(([name]): ColumnShape => ({ name, dtype: "uint16", innerShape: [] })),
    ],
    async *read(signal): AsyncGenerator<StreamBlock, undefined> {
      const step = BLOCK_BYTES / EVENT_BYTES;
      for (let first = 0; first < count; first += step) {
        const n = Math.min(step, count - first);
        const view = viewOf(
          await source.read(HEADER_BYTES + first * EVENT_BYTES, n * EVENT_BYTES, {
            purpose: "bulk",
            signal,
          }),
        );
        const stamps = BigInt64Array.from(
          { length: n },
          (_, i) => view.getBigInt64(i * EVENT_BYTES, true),
        );
        const time = Float64Array.from(stamps, (s) => Number(s) / rate);
        yield { field: "time", values: time, count: n };
        yield { field: "sample_number", values: stamps, count: n };
        for (const [field, get] of columns) {
          const values = Uint16Array.from({ length: n }, (_, i) => get(view, i * EVENT_BYTES));
          yield { field, values, count: n };
        }
      }
    },
  }, signal);
}

/** Lines "sample number, text"; the first, of the computer's clock, gives the date. */
function addMessages(dataset: Dataset, text: string, name: string, rate: number): void {
  const time: number[] = [], label: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const m = /^\s*(\d+)\s*,?\s+(.*)$/.exec(line);
    if (!m) continue;
    if (/^Software Time/i.test(m[2])) {
      const date = new Date(Number(m[1]));
      if (/1970/.test(m[2]) && !isNaN(date.getTime())) {
        dataset.metadata.startTime = date.toISOString();
      }
      continue;
    }
    time.push(Number(m[1]) / (rate || 1));
    label.push(m[2]);
  }
  dataset.events.push(eventsFromValues(name, Float64Array.from(time), { label }));
}

/** Bytes of a spike record before its waveform. */
const SPIKE_HEAD_BYTES = 42;

async function addSpikes(
  dataset: Dataset,
  passes: Passes,
  source: ByteSource,
  name: string,
  streamRate: number,
  signal?: AbortSignal,
): Promise<void> {
  const fields = await readFields(source, signal);
  const bytes = source.size! - HEADER_BYTES;
  if (bytes < SPIKE_HEAD_BYTES) {
    dataset.leftOut.push({ what: source.name, why: "it holds no spikes" });
    return;
  }
  const head = viewOf(
    await source.read(HEADER_BYTES, SPIKE_HEAD_BYTES, { purpose: "header", signal }),
  );
  const wires = head.getUint16(19, true), samples = head.getUint16(21, true);
  const size = wires * samples;
  const rowBytes = SPIKE_HEAD_BYTES + 2 * size + 6 * wires + 2;
  ensure(size > 0 && rowBytes <= BLOCK_BYTES, "impossible spike records", {
    source: source.name,
    offset: HEADER_BYTES + 19,
    found: `${wires} channels of ${samples} samples`,
  });
  const rate = Number(fields.get("sampleRate")) || streamRate || 1;
  const count = Math.floor(bytes / rowBytes);
  const shape = (name: string): ColumnShape => ({ name, dtype: "uint16", innerShape: [] });
  await addTable(dataset, passes, {
    name,
    count,
    rowBytes,
    columns: [
      { name: "time", dtype: "float64", units: "s", innerShape: [] },
      shape("unit"),
      shape("electrode"),
      {
        name: "waveform",
        dtype: "float32",
        units: "uV",
        innerShape: [wires, samples],
        innerDims: ["electrode_wire", "waveform_sample"],
      },
    ],
    async *read(signal): AsyncGenerator<StreamBlock, undefined> {
      const step = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
      for (let first = 0; first < count; first += step) {
        const n = Math.min(step, count - first), at = HEADER_BYTES + first * rowBytes;
        const view = viewOf(await source.read(at, n * rowBytes, { purpose: "bulk", signal }));
        const time = new Float64Array(n), unit = new Uint16Array(n), electrode = new Uint16Array(n);
        const waveform = new Float32Array(n * size);
        for (let i = 0; i < n; i++) {
          const o = i * rowBytes;
          ensure(
            view.getUint16(o + 19, true) === wires && view.getUint16(o + 21, true) === samples,
            "a spike record of another size than the first",
            { source: source.name, offset: at + o + 19 },
          );
          time[i] = Number(view.getBigInt64(o + 1, true)) / rate;
          unit[i] = view.getUint16(o + 23, true);
          electrode[i] = view.getUint16(o + 25, true);
          for (let w = 0; w < wires; w++) {
            const gain = view.getFloat32(o + SPIKE_HEAD_BYTES + 2 * size + 4 * w, true) || 1;
            for (let k = w * samples; k < (w + 1) * samples; k++) {
              const raw = view.getUint16(o + SPIKE_HEAD_BYTES + 2 * k, true);
              waveform[i * size + k] = (raw - 32_768) / gain * 1000;
            }
          }
        }
        yield { field: "time", values: time, count: n };
        yield { field: "unit", values: unit, count: n };
        yield { field: "electrode", values: electrode, count: n };
        yield { field: "waveform", values: waveform, count: n };
      }
    },
  }, signal);
}
