/**
 * Events, messages and spikes of the older format. Source: Open Ephys GUI documentation, "Open Ephys Format";
 * versions before 0.4 as the loaders its authors published describe them.
 */
import { ensure } from "../../src/errors.ts";
import { type Dataset, eventsFromValues, type StreamBlock } from "../../src/model/dataset.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { HEADER_BYTES, readFields, versionOf } from "./openephys-legacy.ts";
import { addTable, type ColumnShape, type Passes } from "./record-tables.ts";

const EVENT_BYTES = 16, BLOCK_BYTES = 1 << 20;

type Getter = (view: DataView, at: number) => number;

/** TTL and other binary events. @throws FuseError where the file is damaged */
export async function addEvents(
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
  // The number of the recording came with version 0.2.
  const numbered = !(versionOf(fields) < 0.2 && fields.has("version"));
  const rowBytes = numbered ? EVENT_BYTES : EVENT_BYTES - 2;
  const count = Math.floor((source.size! - HEADER_BYTES) / rowBytes);
  const byte = (o: number): Getter => (v, at) => v.getUint8(at + o);
  const columns: [string, Getter][] = [
    ["type", byte(10)],
    ["processor", byte(11)],
    ["state", byte(12)],
    ["channel", byte(13)],
    ...(numbered ? [["recording", (v, at) => v.getUint16(at + 14, true)] as [string, Getter]] : []),
  ];
  await addTable(dataset, passes, {
    name,
    count,
    rowBytes,
    columns: [
      { name: "time", dtype: "float64", units: "s", innerShape: [] },
      { name: "sample_number", dtype: "int64", innerShape: [] },
      ...columns.map(([name]): ColumnShape => ({ name, dtype: "uint16", innerShape: [] })),
    ],
    async *read(signal): AsyncGenerator<StreamBlock, undefined> {
      const step = Math.floor(BLOCK_BYTES / rowBytes);
      for (let first = 0; first < count; first += step) {
        const n = Math.min(step, count - first);
        const view = viewOf(
          await source.read(HEADER_BYTES + first * rowBytes, n * rowBytes, {
            purpose: "bulk",
            signal,
          }),
        );
        const stamps = BigInt64Array.from(
          { length: n },
          (_, i) => view.getBigInt64(i * rowBytes, true),
        );
        const time = Float64Array.from(stamps, (s) => Number(s) / rate);
        yield { field: "time", values: time, count: n };
        yield { field: "sample_number", values: stamps, count: n };
        for (const [field, get] of columns) {
          const values = Uint16Array.from({ length: n }, (_, i) => get(view, i * rowBytes));
          yield { field, values, count: n };
        }
      }
    },
  }, signal);
}

/**
 * Lines "sample number, text", before 0.6 "sample number text". Gives the milliseconds since 1970 of the line that
 * ties them to the computer's clock.
 */
export function addMessages(
  dataset: Dataset,
  text: string,
  name: string,
  rate: number,
): number | undefined {
  const time: number[] = [], label: string[] = [];
  let software: number | undefined;
  for (const line of text.split(/\r?\n/)) {
    const m = /^\s*(-?\d+)\s*,?\s+(.*)$/.exec(line);
    if (!m) continue;
    if (/^Software Time/i.test(m[2])) {
      if (/1970/.test(m[2])) software ??= Number(m[1]);
      continue;
    }
    time.push(Number(m[1]) / (rate || 1));
    label.push(m[2]);
  }
  dataset.events.push(eventsFromValues(name, Float64Array.from(time), { label }));
  return software;
}

/** Where the fields of a spike record are; the versions differ. */
interface SpikeShape {
  /** Byte of the time stamp. */
  stamp: number;
  /** Byte of the number of wires; that of the samples follows it. */
  counts: number;
  /** Bytes before the waveform. */
  head: number;
  /** Bytes of a gain: 4 for floats, 2 for integers. */
  gainBytes: 2 | 4;
  /** Whether the record ends with the number of the recording. */
  numbered: boolean;
}

function spikeShape(version: number): SpikeShape {
  if (version >= 0.4) return { stamp: 1, counts: 19, head: 42, gainBytes: 4, numbered: true };
  return version >= 0.3
    ? { stamp: 13, counts: 23, head: 27, gainBytes: 2, numbered: true }
    : { stamp: 1, counts: 11, head: 15, gainBytes: 2, numbered: version >= 0.2 };
}

/** Spikes with their waveforms in microvolts. @throws FuseError where the file is damaged */
export async function addSpikes(
  dataset: Dataset,
  passes: Passes,
  source: ByteSource,
  name: string,
  streamRate: number,
  signal?: AbortSignal,
): Promise<void> {
  const fields = await readFields(source, signal);
  const version = fields.has("version") ? versionOf(fields) : 0.4;
  const shape = spikeShape(version), sorted = version >= 0.4;
  const bytes = source.size! - HEADER_BYTES;
  if (bytes < shape.head) {
    dataset.leftOut.push({ what: source.name, why: "it holds no spikes" });
    return;
  }
  const head = viewOf(await source.read(HEADER_BYTES, shape.head, { purpose: "header", signal }));
  const wires = head.getUint16(shape.counts, true),
    samples = head.getUint16(shape.counts + 2, true);
  const size = wires * samples;
  const gainAt = shape.head + 2 * size, thresholdAt = gainAt + shape.gainBytes * wires;
  const rowBytes = thresholdAt + 2 * wires + (shape.numbered ? 2 : 0);
  ensure(size > 0 && rowBytes <= BLOCK_BYTES, "impossible spike records", {
    source: source.name,
    offset: HEADER_BYTES + shape.counts,
    found: `${wires} channels of ${samples} samples`,
  });
  const rate = Number(fields.get("sampleRate")) || streamRate || 1;
  const count = Math.floor(bytes / rowBytes);
  const number = (name: string, get: Getter): [string, Getter] => [name, get];
  const u16 = (o: number): Getter => (v, at) => v.getUint16(at + o, true);
  const columns = [
    ...(sorted ? [number("unit", u16(23)), number("electrode", u16(25))] : []),
    number("source", u16(shape.counts - 2)),
    ...(shape.numbered ? [number("recording", u16(rowBytes - 2))] : []),
  ];
  const gain = shape.gainBytes === 4
    ? (v: DataView, at: number) => v.getFloat32(at, true)
    : (v: DataView, at: number) => v.getUint16(at, true);
  await addTable(dataset, passes, {
    name,
    count,
    rowBytes,
    columns: [
      { name: "time", dtype: "float64", units: "s", innerShape: [] },
      { name: "sample_number", dtype: "int64", innerShape: [] },
      ...columns.map(([name]): ColumnShape => ({ name, dtype: "uint16", innerShape: [] })),
      { name: "threshold", dtype: "uint16", innerShape: [wires], innerDims: ["electrode_wire"] },
      {
        name: "waveform",
        dtype: "float32",
        units: "uV",
        innerShape: [wires, samples],
        innerDims: ["electrode_wire", "waveform_sample"],
      },
    ],
    attributes: {
      sampling_frequency: rate,
      ...(fields.get("electrode") ? { electrode_name: fields.get("electrode")! } : {}),
    },
    async *read(signal): AsyncGenerator<StreamBlock, undefined> {
      const step = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
      for (let first = 0; first < count; first += step) {
        const n = Math.min(step, count - first), at = HEADER_BYTES + first * rowBytes;
        const view = viewOf(await source.read(at, n * rowBytes, { purpose: "bulk", signal }));
        const stamps = new BigInt64Array(n), threshold = new Uint16Array(n * wires);
        const waveform = new Float32Array(n * size);
        for (let i = 0; i < n; i++) {
          const o = i * rowBytes;
          ensure(
            view.getUint16(o + shape.counts, true) === wires &&
              view.getUint16(o + shape.counts + 2, true) === samples,
            "a spike record of another size than the first",
            { source: source.name, offset: at + o + shape.counts },
          );
          stamps[i] = view.getBigInt64(o + shape.stamp, true);
          for (let w = 0; w < wires; w++) {
            const step = 1000 / (gain(view, o + gainAt + shape.gainBytes * w) || 1);
            threshold[i * wires + w] = view.getUint16(o + thresholdAt + 2 * w, true);
            for (let k = w * samples; k < (w + 1) * samples; k++) {
              const raw = view.getUint16(o + shape.head + 2 * k, true);
              waveform[i * size + k] = (raw - 32_768) * step;
            }
          }
        }
        yield {
          field: "time",
          values: Float64Array.from(stamps, (s) => Number(s) / rate),
          count: n,
        };
        yield { field: "sample_number", values: stamps, count: n };
        for (const [field, get] of columns) {
          const values = Uint16Array.from({ length: n }, (_, i) => get(view, i * rowBytes));
          yield { field, values, count: n };
        }
        yield { field: "threshold", values: threshold, count: n };
        yield { field: "waveform", values: waveform, count: n };
      }
    },
  }, signal);
}
