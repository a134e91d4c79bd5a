/** Neurons, events, intervals, waveforms and markers of NeuroExplorer files as event tables. */
import { ensure, FuseError } from "../../src/errors.ts";
import type { Attributes, StreamBlock } from "../../src/model/dataset.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { fieldText } from "./ansi-text.ts";
import type { NexHeader, NexVariable } from "./neuroexplorer-header.ts";
import { type ColumnShape, type RecordTable, uniqueName } from "./record-tables.ts";

/** Bytes read of one column at a time. */
const BLOCK_BYTES = 1 << 20;
/** Bytes of the name before the values of a marker field. */
const MARKER_NAME_BYTES = 64;

/** A column: where its values lie, and what is made of their bytes. */
interface Column extends ColumnShape {
  at: number;
  rowBytes: number;
  /** The column's name of its values for the rows in `bytes`; `before` are those of the first column. */
  take(bytes: Uint8Array, count: number, before: Float64Array): NumericArray | string[];
}

/** Checks that `length` bytes of a variable lie inside the file. @throws FuseError */
export function within(source: ByteSource, v: NexVariable, length: number): void {
  ensure(
    Number.isSafeInteger(v.count) && v.count >= 0 && Number.isSafeInteger(v.points) &&
      v.points >= 0 && length >= 0,
    `variable ${v.name} states impossible counts`,
    { source: source.name, found: `${v.count} entries, ${v.points} points` },
  );
  if (!(v.offset + length <= source.size!)) {
    throw new FuseError("Truncated", `the data of variable ${v.name} pass the end of the file`, {
      source: source.name,
      offset: v.offset,
      found: `${Math.max(0, source.size! - v.offset)} bytes`,
      expected: `${length} bytes`,
    });
  }
}

/** Time stamps as numbers. */
export function stampsOf(bytes: Uint8Array, count: number, width: 4 | 8): Float64Array {
  const view = viewOf(bytes);
  return Float64Array.from(
    { length: count },
    (_, i) => width === 4 ? view.getInt32(4 * i, true) : Number(view.getBigInt64(8 * i, true)),
  );
}

/** The table of a variable with time stamps. @throws FuseError where its data do not fit the file */
export async function tableOf(
  source: ByteSource,
  header: NexHeader,
  v: NexVariable,
  name: string,
  signal?: AbortSignal,
): Promise<RecordTable> {
  const columns = await columnsOf(source, header, v, signal);
  const rowBytes = columns.reduce((n, c) => n + c.rowBytes, 0);
  const attributes: Attributes = { kind: v.kind, variable: v.name };
  if (v.wire !== undefined) attributes.wire_number = v.wire;
  if (v.unit !== undefined) attributes.unit_number = v.unit;
  const step = Math.max(1, Math.floor(BLOCK_BYTES / Math.max(...columns.map((c) => c.rowBytes))));
  return {
    name,
    count: v.count,
    rowBytes,
    columns: columns.map(({ at: _a, rowBytes: _r, take: _t, ...shape }) => shape),
    attributes,
    async *read(signal): AsyncGenerator<StreamBlock, undefined> {
      for (let first = 0; first < v.count; first += step) {
        const count = Math.min(step, v.count - first);
        let times = new Float64Array(0);
        for (const column of columns) {
          const bytes = await source.read(
            column.at + first * column.rowBytes,
            count * column.rowBytes,
            { purpose: "bulk", signal },
          );
          const values = column.take(bytes, count, times);
          if (column.name === "time") times = values as Float64Array<ArrayBuffer>;
          yield { field: column.name, values, count };
        }
      }
    },
  };
}

async function columnsOf(
  source: ByteSource,
  { frequency }: NexHeader,
  v: NexVariable,
  signal?: AbortSignal,
): Promise<Column[]> {
  const { stampBytes, count, offset } = v;
  const seconds = (bytes: Uint8Array, n: number) =>
    stampsOf(bytes, n, stampBytes).map((t) => t / frequency);
  const after = offset + count * stampBytes;
  const columns: Column[] = [{
    name: "time",
    dtype: "float64",
    units: "s",
    innerShape: [],
    at: offset,
    rowBytes: stampBytes,
    take: seconds,
  }];
  if (v.kind === "interval") {
    within(source, v, 2 * count * stampBytes);
    columns.push({
      name: "duration",
      dtype: "float64",
      units: "s",
      innerShape: [],
      at: after,
      rowBytes: stampBytes,
      take: (bytes, n, starts) => seconds(bytes, n).map((end, i) => end - starts[i]),
    });
  } else if (v.kind === "waveform") {
    columns.push(waveformColumn(source, v, after));
  } else if (v.kind === "marker") {
    columns.push(...await markerColumns(source, v, after, signal));
  } else {
    within(source, v, count * stampBytes);
  }
  return columns;
}

function waveformColumn(source: ByteSource, v: NexVariable, at: number): Column {
  const { sample, points, count, gain, zero } = v;
  const rowBytes = points * (sample === "int16" ? 2 : 4);
  within(source, v, count * (v.stampBytes + rowBytes));
  ensure(rowBytes > 0 && rowBytes <= 64 << 20, `waveforms of variable ${v.name} have no length`, {
    source: source.name,
    found: `${points} points`,
  });
  return {
    name: "waveform",
    dtype: sample,
    innerShape: [points],
    innerDims: ["waveform_sample"],
    units: v.units,
    at,
    rowBytes,
    attributes: {
      sampling_frequency: v.rate,
      ...(sample === "int16" ? { scale_factor: gain, add_offset: zero } : {}),
      ...(v.preThresholdSeconds ? { pre_threshold_seconds: v.preThresholdSeconds } : {}),
    },
    take: (bytes, n) => samples(bytes, n * points, sample),
  };
}

function samples(bytes: Uint8Array, count: number, type: "int16" | "float32"): NumericArray {
  const view = viewOf(bytes);
  return type === "int16"
    ? Int16Array.from({ length: count }, (_, i) => view.getInt16(2 * i, true))
    : Float32Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
}

async function markerColumns(
  source: ByteSource,
  v: NexVariable,
  at: number,
  signal?: AbortSignal,
): Promise<Column[]> {
  const { count, markerFields, numericMarkers } = v;
  const rowBytes = numericMarkers ? 4 : v.markerBytes;
  const fieldBytes = MARKER_NAME_BYTES + count * rowBytes;
  ensure(
    markerFields >= 0 && markerFields <= 4096 && rowBytes >= 0 && rowBytes <= 1 << 20,
    `marker variable ${v.name} states impossible fields`,
    { source: source.name, found: `${markerFields} fields of ${rowBytes} bytes` },
  );
  within(source, v, count * v.stampBytes + markerFields * fieldBytes);
  if (!rowBytes) return [];
  const columns: Column[] = [];
  const taken = new Set(["time"]);
  for (let i = 0; i < markerFields; i++) {
    const from = at + i * fieldBytes;
    const name = fieldText(
      await source.read(from, MARKER_NAME_BYTES, { purpose: "header", signal }),
    );
    columns.push({
      name: uniqueName(i === 0 ? "label" : name.replace(/[^\w.-]+/g, "_") || `field_${i}`, taken),
      dtype: numericMarkers ? "uint32" : "string",
      innerShape: [],
      at: from + MARKER_NAME_BYTES,
      rowBytes,
      attributes: { long_name: name },
      take(bytes, n) {
        const view = viewOf(bytes);
        if (numericMarkers) {
          return Uint32Array.from({ length: n }, (_, k) => view.getUint32(4 * k, true));
        }
        return Array.from(
          { length: n },
          (_, k) => fieldText(bytes.subarray(k * rowBytes, (k + 1) * rowBytes)),
        );
      },
    });
  }
  return columns;
}
