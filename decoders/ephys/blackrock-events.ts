/**
 * Event tables of a NEV file: spikes with their waveforms, digital and serial inputs, comments, video
 * and tracking data, and whatever else it holds. Small files are read into memory; large ones are
 * given as one forward pass that feeds all tables.
 */
import type {
  Attributes,
  EventColumn,
  EventTable,
  Json,
  StreamBlock,
} from "../../src/model/dataset.ts";
import { type DType, dtypeOf, type NumericArray } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { decodeText } from "./blackrock-fields.ts";
import { type NevElectrode, type NevHeader, nevPacketHead } from "./blackrock-nev-header.ts";
import { inputLabel } from "./blackrock-nsx-header.ts";
import {
  analogInputs,
  hasStimulationIds,
  nevExtent,
  type NevRows,
  type NevTable,
  scanNev,
  waveformShape,
} from "./blackrock-nev-scan.ts";

/** Data of files up to this size are held in memory, so that their tables have known lengths. */
const IN_MEMORY_BYTES = 4 << 20;

type Values = NumericArray | string[];

interface ColumnSpec {
  name: string;
  dtype: DType;
  units?: string;
  inner?: { name: string; size: number };
  attributes?: Attributes;
  take(rows: NevRows): Values;
}

interface TableSpec {
  name: string;
  from: NevTable;
  columns: ColumnSpec[];
  attributes: Attributes;
}

/** How event times are counted. */
export interface EventClock {
  /** Time stamp that is time 0. */
  zero: bigint;
  /** Whether stamps count from 1970 (PTP): their own times are then kept beside those from zero. */
  unix: boolean;
}

const u16 = (column: number) => (rows: NevRows): Values => Uint16Array.from(rows.number(column));
const u8 = (column: number) => (rows: NevRows): Values => Uint8Array.from(rows.number(column));
const u32 = (column: number) => (rows: NevRows): Values => rows.number(column);

function rowsAs(bytes: Uint8Array, bytesPerValue: 1 | 2 | 4): NumericArray {
  if (bytesPerValue === 1) return new Int8Array(bytes.buffer);
  return bytesPerValue === 2 ? new Int16Array(bytes.buffer) : new Int32Array(bytes.buffer);
}

/** The columns every table begins with. */
function timeColumns(clock: EventClock): ColumnSpec[] {
  const time: ColumnSpec = {
    name: "time",
    dtype: "float64",
    units: "s",
    take: (r) => r.time(),
  };
  if (!clock.unix) return [time];
  return [time, {
    name: "unix_time",
    dtype: "float64",
    units: "s",
    attributes: { long_name: "the file's own clock: seconds since 1970-01-01 UTC" },
    take: (r) => r.clock(),
  }];
}

function waveformColumn(header: NevHeader, electrodes: NevElectrode[]): ColumnSpec {
  const { samples, bytesPerSample } = waveformShape(header);
  const gains = [...new Set(electrodes.map((e) => e.microvoltsPerCount))];
  const shared = gains.length === 1 && gains[0] !== null ? gains[0] : null;
  return {
    name: "waveform",
    dtype: bytesPerSample === 1 ? "int8" : bytesPerSample === 2 ? "int16" : "int32",
    inner: { name: "waveform_sample", size: samples },
    ...(shared !== null ? { units: "uV" } : {}),
    attributes: {
      sampling_frequency: header.waveformFrequency,
      ...(shared !== null
        ? { scale_factor: shared, add_offset: 0 }
        : { long_name: "counts; microvolts per count of each electrode are in the group" }),
    },
    take: (r) => rowsAs(r.rows(), bytesPerSample),
  };
}

function electrodeAttributes(electrodes: NevElectrode[]): Attributes {
  if (!electrodes.length) return {};
  const lengths = new Set(electrodes.map((e) => e.samples));
  return {
    electrode_ids: electrodes.map((e) => e.id),
    electrode_labels: electrodes.map((e) => e.label),
    electrode_microvolts_per_count: electrodes.map((e): Json => e.microvoltsPerCount),
    // Shorter waveforms than the longest are followed by zeros.
    ...(lengths.size > 1 ? { electrode_waveform_samples: electrodes.map((e) => e.samples) } : {}),
  };
}

/** What tables a NEV file can have, and how their columns are taken from the decoder's. */
function tableSpecs(header: NevHeader, clock: EventClock): TableSpec[] {
  const times = timeColumns(clock);
  const stimulates = hasStimulationIds(header);
  const isStimulation = (e: NevElectrode) => stimulates && e.id > 5120 && e.id <= 5632;
  const known = [...header.electrodes.values()].filter((e) => e.bytesPerSample !== null);
  const label = (id: number) => header.electrodes.get(id)?.label ?? inputLabel(id);
  const channel = (offset: number): ColumnSpec => ({
    name: "channel",
    dtype: "string",
    take: (r) => Array.from(r.number(0), (id) => label(id + offset)),
  });
  const electrode: ColumnSpec = { name: "electrode", dtype: "uint16", take: u16(0) };
  const code16: ColumnSpec = { name: "code", dtype: "uint16", take: u16(0) };
  const spiking = known.filter((e) => !isStimulation(e));
  const stimulating = known.filter(isStimulation);
  const specs: TableSpec[] = [{
    name: "spikes",
    from: "spikes",
    columns: [
      ...times,
      channel(0),
      electrode,
      {
        name: "unit",
        dtype: "uint8",
        attributes: { long_name: "sorted unit: 0 unsorted, 1-16 sorted, 255 noise" },
        take: u8(1),
      },
      waveformColumn(header, spiking),
    ],
    attributes: electrodeAttributes(spiking),
  }];
  if (stimulates) {
    specs.push({
      name: "stimulation",
      from: "stimulation",
      columns: [...times, channel(5120), electrode, waveformColumn(header, stimulating)],
      attributes: electrodeAttributes(stimulating),
    });
  }
  specs.push(...inputSpecs(header, times), {
    name: "comments",
    from: "comments",
    columns: [
      ...times,
      {
        name: "label",
        dtype: "string",
        take: (r) => {
          const charset = r.number(1);
          return r.text().map((t, i) => decodeText(t, charset[i] === 1));
        },
      },
      {
        name: "code",
        dtype: "uint32",
        attributes: {
          long_name: "colour (RGBA) where flag is 0, else the tick when the comment was begun",
        },
        take: u32(0),
      },
      { name: "flag", dtype: "uint8", take: u8(2) },
      {
        name: "character_set",
        dtype: "uint8",
        attributes: { long_name: "0 ANSI, 1 UTF-16, 255 region of interest (NeuroMotive)" },
        take: u8(1),
      },
    ],
    attributes: {},
  }, {
    name: "video_sync",
    from: "video",
    columns: [
      ...times,
      { name: "file_number", dtype: "uint16", take: u16(0) },
      { name: "frame_number", dtype: "uint32", take: u32(1) },
      { name: "elapsed_time", dtype: "uint32", units: "ms", take: u32(2) },
      { name: "source_id", dtype: "uint32", take: u32(3) },
    ],
    attributes: {},
  });
  const points = Math.floor((header.packetBytes - nevPacketHead(header.wide) - 8) / 2);
  if (points >= 0) {
    specs.push({
      name: "tracking",
      from: "tracking",
      columns: [
        ...times,
        { name: "parent_id", dtype: "uint16", take: u16(0) },
        { name: "node_id", dtype: "uint16", take: u16(1) },
        { name: "node_count", dtype: "uint16", take: u16(2) },
        { name: "point_count", dtype: "uint16", take: u16(3) },
        ...(points > 0
          ? [{
            name: "points",
            dtype: "uint16" as const,
            inner: { name: "coordinate", size: points },
            take: (r: NevRows) => new Uint16Array(r.rows().buffer),
          }]
          : []),
      ],
      attributes: {},
    });
  }
  // Two texts an entry: the application's name (3.0), and what it says.
  const text = (part: number): ColumnSpec["take"] => (r) =>
    r.text(part, 2).map((t) => decodeText(t).trim());
  const application: ColumnSpec = { name: "application", dtype: "string", take: text(0) };
  const entry: ColumnSpec = { name: "label", dtype: "string", take: text(1) };
  specs.push(
    {
      name: "button_trigger",
      from: "button",
      columns: [...times, { name: "label", dtype: "string", take: buttonLabels }, code16],
      attributes: {},
    },
    {
      // 0xFFFB: configuration changes before 3.0, log entries since.
      name: header.wide ? "log" : "configuration",
      from: "log",
      columns: [...times, entry, code16, ...(header.wide ? [application] : [])],
      attributes: {},
    },
    {
      name: header.wide ? "configuration" : "configuration_changes",
      from: "configuration",
      columns: [...times, entry, code16, ...(header.wide ? [application] : [])],
      attributes: {},
    },
    { name: "recording", from: "recording", columns: [...times, code16], attributes: {} },
    {
      name: "other_packets",
      from: "unknown",
      columns: [
        ...times,
        { name: "code", dtype: "uint16", take: u16(0) },
        {
          name: "payload",
          dtype: "uint8",
          inner: { name: "byte", size: header.packetBytes - nevPacketHead(header.wide) },
          take: (r) => r.rows(),
        },
      ],
      attributes: { long_name: "packets of kinds the specification does not describe, as stored" },
    },
  );
  return specs;
}

function buttonLabels(rows: NevRows): string[] {
  return Array.from(rows.number(0), (code) => ["", "press", "reset"][code] || String(code));
}

function inputSpecs(header: NevHeader, times: ColumnSpec[]): TableSpec[] {
  const inputs = analogInputs(header);
  const columns: ColumnSpec[] = [
    ...times,
    { name: "label", dtype: "string", take: (r) => Array.from(r.number(0), String) },
    { name: "code", dtype: "uint16", take: u16(0) },
    {
      name: "reason",
      dtype: "uint8",
      attributes: {
        long_name: "bit 0 parallel port, bits 1-5 analog inputs, bit 6 periodic, bit 7 serial port",
      },
      take: u8(1),
    },
    ...(inputs
      ? [{
        name: "analog",
        dtype: "int16" as const,
        units: "mV",
        inner: { name: "input", size: inputs },
        take: (r: NevRows) => new Int16Array(r.rows().buffer),
      }]
      : []),
  ];
  const table = (name: string, from: NevTable, line?: string): TableSpec => ({
    name,
    from,
    columns,
    attributes: line ? { line_label: line } : {},
  });
  return [
    table("digital_input_port", "digital", header.parallelLabel),
    table("serial_input_port", "serial", header.serialLabel),
    table("other_inputs", "other"),
  ];
}

/** Blocks of all tables, in file order. */
async function* blocks(
  source: ByteSource,
  header: NevHeader,
  clock: EventClock,
  specs: TableSpec[],
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock[]> {
  const collect = (tables: Map<NevTable, NevRows>): StreamBlock[] => {
    const out: StreamBlock[] = [];
    for (const spec of specs) {
      const rows = tables.get(spec.from);
      if (!rows) continue;
      for (const column of spec.columns) {
        out.push({
          field: `${spec.name}.${column.name}`,
          values: column.take(rows),
          count: rows.count,
        });
      }
    }
    return out;
  };
  yield* scanNev(source, header, clock.zero, collect, signal);
}

function column(spec: ColumnSpec, layout: EventColumn["layout"]): EventColumn {
  return {
    name: spec.name,
    dtype: spec.dtype,
    ...(spec.units ? { units: spec.units } : {}),
    innerShape: spec.inner ? [spec.inner.size] : [],
    ...(spec.inner ? { innerDims: [spec.inner.name] } : {}),
    layout,
    ...(spec.attributes ? { attributes: spec.attributes } : {}),
  };
}

/** The event tables of a NEV file, and how to open the pass that feeds those not held in memory. */
export async function nevEvents(
  source: ByteSource,
  header: NevHeader,
  clock: EventClock,
  stream: string,
  warnings: string[],
  signal?: AbortSignal,
): Promise<{ tables: EventTable[]; open?(signal?: AbortSignal): AsyncGenerator<StreamBlock[]> }> {
  const specs = tableSpecs(header, clock);
  const { packets, restBytes } = nevExtent(source, header);
  if (restBytes) {
    warnings.push(`${source.name}: the file ends inside a data packet (${restBytes} bytes of it)`);
  }
  if (packets * header.packetBytes > IN_MEMORY_BYTES) {
    return {
      tables: specs.map((spec) => ({
        name: spec.name,
        count: null,
        columns: spec.columns.map((c) =>
          column(c, { kind: "stream", stream, field: `${spec.name}.${c.name}` })
        ),
        attributes: spec.attributes,
      })),
      open: (signal) => blocks(source, header, clock, specs, signal),
    };
  }
  const parts = new Map<string, StreamBlock[]>();
  for await (const list of blocks(source, header, clock, specs, signal)) {
    for (const block of list) {
      const have = parts.get(block.field);
      if (have) have.push(block);
      else parts.set(block.field, [block]);
    }
  }
  const tables: EventTable[] = [];
  for (const spec of specs) {
    const count = (parts.get(`${spec.name}.time`) ?? []).reduce((n, b) => n + b.count, 0);
    if (!count) continue;
    const columns = spec.columns.map((c) =>
      column(c, { kind: "values", values: joined(parts.get(`${spec.name}.${c.name}`)!) })
    );
    tables.push({ name: spec.name, count, columns, attributes: spec.attributes });
  }
  warnOfResets(tables, source.name, warnings);
  return { tables };
}

function joined(list: StreamBlock[]): Values {
  if (list.length === 1) return list[0].values;
  if (Array.isArray(list[0].values)) return list.flatMap((b) => b.values as string[]);
  const numeric = list.map((b) => b.values as NumericArray);
  const Type = numeric[0].constructor as new (n: number) => NumericArray;
  const all = new Type(numeric.reduce((n, v) => n + v.length, 0));
  let at = 0;
  for (const values of numeric) {
    (all as Float64Array).set(values as Float64Array, at);
    at += values.length;
  }
  return all;
}

function warnOfResets(tables: EventTable[], name: string, warnings: string[]): void {
  for (const table of tables) {
    const layout = table.columns[0].layout;
    if (layout.kind !== "values" || dtypeOf(layout.values) !== "float64") continue;
    const times = layout.values as Float64Array;
    const back = times.findIndex((t, i) => i > 0 && t < times[i - 1]);
    if (back > 0) {
      warnings.push(
        `${name}: times of ${table.name} go back at event ${back} ` +
          `(${times[back - 1]} s to ${times[back]} s): a reset of the clock, or late entries`,
      );
    }
  }
}
