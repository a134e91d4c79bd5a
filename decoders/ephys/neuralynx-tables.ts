/**
 * Tables of Neuralynx files: spikes with waveforms and features, events with TTL words, tracked
 * positions. Source: Neuralynx, "Data File Formats", sections "Spike", "Event" and "Video Tracker".
 */
import { ensure } from "../../src/errors.ts";
import type { StreamBlock } from "../../src/model/dataset.ts";
import { dtypeOf, type NumericArray } from "../../src/model/dtype.ts";
import { fieldText } from "./ansi-text.ts";
import { field, type NeuralynxFile } from "./neuralynx-header.ts";
import { blocksOf } from "./neuralynx-scan.ts";
import type { ColumnShape, RecordTable } from "./record-tables.ts";

type Values = NumericArray | string[];

/** A block of records: bytes and how many. */
interface Rows {
  bytes: Uint8Array;
  view: DataView;
  count: number;
  recordBytes: number;
}

interface Column extends ColumnShape {
  take(rows: Rows): Values;
}

/** Byte of the time stamp in a record. */
export function stampOffset(file: NeuralynxFile): number {
  return file.kind === "signal" || file.kind === "spikes" ? 0 : 6;
}

/** A column of `size` numbers a record. */
function numbers(
  name: string,
  into: (count: number) => NumericArray,
  width: number,
  at: number,
  get: (view: DataView, at: number) => number,
  shape: { inner?: [string, number][]; units?: string; attributes?: ColumnShape["attributes"] } =
    {},
): Column {
  const { inner = [], units, attributes } = shape;
  const size = inner.reduce((n, [, length]) => n * length, 1);
  return {
    name,
    dtype: dtypeOf(into(0)),
    innerShape: inner.map(([, length]) => length),
    ...(inner.length ? { innerDims: inner.map(([dim]) => dim) } : {}),
    ...(units ? { units } : {}),
    ...(attributes ? { attributes } : {}),
    take({ view, count, recordBytes }) {
      const out = into(count * size);
      for (let i = 0; i < count; i++) {
        const from = i * recordBytes + at;
        for (let k = 0; k < size; k++) out[i * size + k] = get(view, from + k * width);
      }
      return out;
    },
  };
}

const i32 = (n: number) => new Int32Array(n), u32 = (n: number) => new Uint32Array(n);
const i16 = (n: number) => new Int16Array(n), u16 = (n: number) => new Uint16Array(n);
const getI32 = (v: DataView, at: number) => v.getInt32(at, true);
const getU32 = (v: DataView, at: number) => v.getUint32(at, true);
const getI16 = (v: DataView, at: number) => v.getInt16(at, true);
const getU16 = (v: DataView, at: number) => v.getUint16(at, true);

function timeColumns(at: number, zero: number): Column[] {
  const stamps = (rows: Rows) =>
    BigUint64Array.from(
      { length: rows.count },
      (_, i) => rows.view.getBigUint64(i * rows.recordBytes + at, true),
    );
  return [{
    name: "time",
    dtype: "float64",
    units: "s",
    innerShape: [],
    take: (rows) => Float64Array.from(stamps(rows), (t) => (Number(t) - zero) / 1e6),
  }, {
    name: "clock_time",
    dtype: "float64",
    units: "s",
    innerShape: [],
    attributes: { long_name: "time on the recorder's own clock" },
    take: (rows) => Float64Array.from(stamps(rows), (t) => Number(t) / 1e6),
  }, {
    name: "timestamp",
    dtype: "uint64",
    units: "us",
    innerShape: [],
    attributes: { long_name: "time stamp as stored" },
    take: stamps,
  }];
}

function eventColumns(): Column[] {
  return [
    {
      name: "label",
      dtype: "string",
      innerShape: [],
      take: ({ bytes, count, recordBytes }) =>
        Array.from({ length: count }, (_, i) => {
          const at = i * recordBytes + 56;
          return fieldText(bytes.subarray(at, at + 128));
        }),
    },
    numbers("event_id", i16, 2, 14, getI16),
    numbers("ttl", u16, 2, 16, getU16),
    {
      ...numbers("extra", i32, 4, 24, getI32, { inner: [["extra_index", 8]] }),
      attributes: { long_name: "extra values of the event" },
    },
  ];
}

function positionColumns(): Column[] {
  return [
    numbers("x", i32, 4, 1616, getI32, { units: "pixel" }),
    numbers("y", i32, 4, 1620, getI32, { units: "pixel" }),
    numbers("angle", i32, 4, 1624, getI32, {
      units: "degree",
      attributes: { long_name: "head direction, clockwise from the positive y axis" },
    }),
    numbers("targets", i32, 4, 1628, getI32, {
      inner: [["target", 50]],
      attributes: { long_name: "coloured targets, bit fields as stored" },
    }),
    numbers("points", u32, 4, 14, getU32, {
      inner: [["point", 400]],
      attributes: { long_name: "points of the video tracker, bit fields as stored" },
    }),
  ];
}

function spikeColumns(file: NeuralynxFile): Column[] {
  const words = (file.recordBytes - 48) / 2;
  const stated = Number(field(file, "WaveformLength"));
  const length = stated > 0 && words % stated === 0 ? stated : 32;
  ensure(words % length === 0, "spike records do not hold whole waveforms", {
    source: file.source.name,
    field: "-RecordSize",
    found: file.recordBytes,
  });
  const channels = words / length;
  const inverted = /^true$/i.test(field(file, "InputInverted") ?? "");
  const volts = (field(file, "ADBitVolts") ?? "").split(/\s+/).filter(Boolean).map(Number);
  const known = volts.length > 0 && volts.every((v) => v > 0 && Number.isFinite(v));
  const gains = known ? volts.map((v) => v * (inverted ? -1 : 1)) : [];
  const shared = known && gains.every((g) => g === gains[0]);
  const rate = Number(field(file, "SamplingFrequency"));
  return [
    numbers("unit", u32, 4, 12, getU32, {
      attributes: { long_name: "number of the cell the spike was sorted to, 0 for none" },
    }),
    numbers("electrode", u32, 4, 8, getU32, {
      attributes: { long_name: "number of the acquisition entity" },
    }),
    numbers("features", i32, 4, 16, getI32, { inner: [["feature", 8]] }),
    numbers("waveform", i16, 2, 48, getI16, {
      inner: [["waveform_sample", length], ["electrode_wire", channels]],
      ...(shared ? { units: "V" } : {}),
      attributes: {
        ...(rate > 0 ? { sampling_frequency: rate } : {}),
        ...(shared
          ? { scale_factor: gains[0], add_offset: 0 }
          : known
          ? { long_name: "counts", volts_per_count: gains }
          : { long_name: "counts" }),
      },
    }),
  ];
}

/** The table of a file whose records are events. */
export function tableOf(file: NeuralynxFile, name: string, zero: number): RecordTable {
  const columns = [
    ...timeColumns(stampOffset(file), zero),
    ...(file.kind === "events"
      ? eventColumns()
      : file.kind === "positions"
      ? positionColumns()
      : spikeColumns(file)),
  ];
  return {
    name,
    count: file.records,
    rowBytes: file.recordBytes,
    columns: columns.map(({ take: _, ...shape }) => shape),
    attributes: { file: file.source.name, acquisition_entity: file.entity },
    async *read(signal): AsyncGenerator<StreamBlock, undefined> {
      for await (const { bytes, view, count } of blocksOf(file, signal)) {
        const rows = { bytes, view, count, recordBytes: file.recordBytes };
        for (const column of columns) {
          yield { field: column.name, values: column.take(rows), count };
        }
      }
    },
  };
}
