/**
 * WaveMark channels of a Spike2 export: each spike a line `"WAVMK" time interval codes`, then its points.
 */
import { FuseError } from "../../src/errors.ts";
import type { StreamBlock } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { ColumnShape } from "./spike2-columns.ts";
import { numberOf, type SpikeIndex, splitFields } from "./spike2-export-lines.ts";
import type { ExportSection } from "./spike2-export-sections.ts";
import { eventAttributes } from "./spike2-export-events.ts";
import { labelOf } from "./spike2-export-waves.ts";
import type { EventSource } from "./spike2-tables.ts";

/** Bytes of text taken apart at once. */
const BATCH_BYTES = 1 << 20;
/** Most bytes of one spike that are believed. */
const SPIKE_BYTES = 1 << 22;
const CODES = 4;

const ascii = new TextDecoder("windows-1252");

/** A spike as its text has it. */
interface Spike {
  time: number;
  /** Seconds from point to point; NaN where it is not stated. */
  interval: number;
  codes: number[];
  /** Points, traces of one time side by side. */
  points: number[];
  /** Lines of points. */
  rows: number;
}

/** A WaveMark channel. @throws FuseError `Corrupt` or `Limit` for spikes that are none */
export async function waveMarkEvents(
  source: ByteSource,
  section: ExportSection,
  warnings: string[],
  signal?: AbortSignal,
): Promise<EventSource> {
  const rows = section.body.flatMap(({ line }) => line.spikes ?? []);
  if (rows.length < section.body.length) {
    warnings.push(
      `${labelOf(section)}: ${section.body.length - rows.length} lines belong to no spike`,
    );
  }
  const first = await firstSpike(source, section, rows, signal);
  const height = first?.rows ?? 0;
  const width = height > 0 ? Math.max(1, Math.round(first!.points.length / height)) : 1;
  const rate = rateOf(section, first?.interval ?? NaN);
  const attributes = eventAttributes(section);
  if (rate !== undefined) attributes.sampling_frequency = rate;
  const columns = columnsOf(section, height, width, rate);
  const count = rows.reduce((sum, { length }) => sum + length, 0);
  const bytes = rows.reduce((sum, row) => sum + row.end[row.length - 1] - row.start[0], 0);
  return {
    channel: section,
    count,
    itemBytes: count > 0 ? Math.ceil(bytes / count) : 1,
    columns,
    attributes,
    read: (again) => readSpikes(source, section, rows, columns, height * width, again),
  };
}

/** The first spike with points, or the first at all: it tells the shape of the others. */
async function firstSpike(
  source: ByteSource,
  section: ExportSection,
  rows: SpikeIndex[],
  signal?: AbortSignal,
): Promise<Spike | undefined> {
  const row = rows.find(({ lines, length }) => lines.subarray(0, length).some((n) => n > 0)) ??
    rows[0];
  if (!row) return undefined;
  const i = Math.max(0, row.lines.subarray(0, row.length).findIndex((n) => n > 0));
  checkSize(source, section, row, i);
  const length = row.end[i] - row.start[i];
  const bytes = await source.read(row.start[i], length, { signal, purpose: "bulk" });
  return parseSpike(bytes, row.start[i], section, source.name);
}

function checkSize(
  source: ByteSource,
  section: ExportSection,
  row: SpikeIndex,
  i: number,
): void {
  const bytes = row.end[i] - row.start[i];
  if (bytes <= SPIKE_BYTES) return;
  throw new FuseError("Limit", `${labelOf(section)}: a spike is too long`, {
    source: source.name,
    offset: row.start[i],
    found: `${bytes} bytes`,
    expected: `at most ${SPIKE_BYTES}`,
  });
}

/** Takes the line and the points of a spike apart. */
function parseSpike(
  bytes: Uint8Array,
  offset: number,
  section: ExportSection,
  source: string,
): Spike {
  const text = ascii.decode(bytes);
  const [line, ...points] = text.split(/[\r\n]+/);
  const [time, ...rest] = splitFields(line).fields.slice(1).map(numberOf);
  if (!Number.isFinite(time)) {
    throw new FuseError("Corrupt", `${labelOf(section)}: a spike without its time`, {
      source,
      offset,
      found: line.slice(0, 80),
    });
  }
  // An interval stands before the codes, where the line has one.
  const hasInterval = rest.length > CODES || (rest.length > 0 && !Number.isInteger(rest[0]));
  const codes = hasInterval ? rest.slice(1) : rest;
  const filled = points.filter((row) => row.trim() !== "");
  return {
    time,
    interval: hasInterval ? rest[0] : NaN,
    codes: Array.from({ length: CODES }, (_, i) => codes[i] || 0),
    points: filled.flatMap((row) => row.trim().split(/[\s,;]+/).map(Number)),
    rows: filled.length,
  };
}

/** The true interval is printed to few decimals; the rate of the channel's head is better. */
function rateOf(section: ExportSection, interval: number): number | undefined {
  const stated = section.summary?.rate ?? NaN;
  if (stated > 0) return stated;
  if (section.idealRate > 0) return section.idealRate;
  return interval > 0 ? 1 / interval : undefined;
}

function columnsOf(
  section: ExportSection,
  rows: number,
  traces: number,
  rate: number | undefined,
): ColumnShape[] {
  const columns: ColumnShape[] = [
    { name: "time", dtype: "float64", innerShape: [], units: "s" },
    { name: "code", dtype: "uint8", innerShape: [CODES], innerDims: ["code_layer"] },
    { name: "unit", dtype: "uint8", innerShape: [] },
  ];
  if (rows === 0) return columns;
  columns.push({
    name: "waveform",
    dtype: "float64",
    innerShape: [rows, traces],
    innerDims: ["sample", "trace"],
    units: section.units,
    attributes: {
      time_of: "first sample",
      ...(rate === undefined ? {} : { sampling_frequency: rate }),
    },
  });
  return columns;
}

async function* readSpikes(
  source: ByteSource,
  section: ExportSection,
  rows: SpikeIndex[],
  columns: ColumnShape[],
  points: number,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock[], undefined> {
  for (const row of rows) {
    for (let first = 0; first < row.length;) {
      checkSize(source, section, row, first);
      const start = row.start[first];
      let end = first + 1;
      while (end < row.length && row.end[end] - start <= BATCH_BYTES) end++;
      const length = row.end[end - 1] - start;
      const bytes = await source.read(start, length, { signal, purpose: "bulk" });
      const spikes = Array.from({ length: end - first }, (_, k) => {
        const [from, to] = [row.start[first + k], row.end[first + k]];
        return parseSpike(bytes.subarray(from - start, to - start), from, section, source.name);
      });
      yield blocksOf(spikes, columns, points);
      first = end;
    }
  }
}

function blocksOf(spikes: Spike[], columns: ColumnShape[], points: number): StreamBlock[] {
  const count = spikes.length;
  const code = new Uint8Array(CODES * count);
  // Points a spike lacks are no numbers.
  const waveform = new Float64Array(points * count).fill(NaN);
  spikes.forEach((spike, i) => {
    code.set(spike.codes, CODES * i);
    waveform.set(spike.points.slice(0, points), points * i);
  });
  const values: Record<string, Float64Array | Uint8Array> = {
    time: Float64Array.from(spikes, (spike) => spike.time),
    code,
    unit: Uint8Array.from(spikes, (spike) => spike.codes[0]),
    waveform,
  };
  return columns.map(({ name }) => ({ field: name, values: values[name], count }));
}
