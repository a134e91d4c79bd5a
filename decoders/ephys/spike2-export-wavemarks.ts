/**
 * WaveMark channels of a Spike2 export: each spike a line `"WAVMK" time interval codes`, then its points.
 */
import { FuseError } from "../../src/errors.ts";
import type { StreamBlock } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { ColumnShape } from "./spike2-columns.ts";
import { numberOf, type TextLine } from "./spike2-export-lines.ts";
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

/** A WaveMark channel. @throws FuseError `Corrupt` or `Limit` for spikes that are none */
export async function waveMarkEvents(
  source: ByteSource,
  section: ExportSection,
  warnings: string[],
  signal?: AbortSignal,
): Promise<EventSource> {
  const spikes = section.body.filter(({ word }) => word === "WAVMK").map(({ line }) => line);
  if (spikes.length < section.body.length) {
    warnings.push(
      `${labelOf(section)}: ${section.body.length - spikes.length} lines belong to no spike`,
    );
  }
  for (const spike of spikes) checkSpike(spike, section, source.name);
  const first = spikes.find(({ numbers }) => numbers);
  let rows = 0, traces = 1;
  if (first) {
    const values = pointsOf(await textOf(source, first, signal));
    rows = first.numbers!.lines;
    traces = Math.max(1, Math.round(values.length / rows));
  }
  const [, , interval] = first?.fields ?? [];
  const attributes = eventAttributes(section);
  const rate = rateOf(section, first ? timing(first).interval : NaN);
  if (rate !== undefined) attributes.sampling_frequency = rate;
  if (interval !== undefined && rate === undefined) attributes.interval = interval;
  const columns = columnsOf(section, rows, traces, rate);
  return {
    channel: section,
    count: spikes.length,
    itemBytes: first ? first.numbers!.end - first.offset : 64,
    columns,
    attributes,
    read: (again) => readSpikes(source, spikes, columns, rows * traces, again),
  };
}

function checkSpike(spike: TextLine, section: ExportSection, source: string): void {
  const fail = (tag: "Corrupt" | "Limit", statement: string) =>
    new FuseError(tag, `${labelOf(section)}: ${statement}`, {
      source,
      offset: spike.offset,
      found: spike.fields.join(" ").slice(0, 80),
    });
  if (!Number.isFinite(numberOf(spike.fields[1]))) {
    throw fail("Corrupt", "a spike without its time");
  }
  const bytes = spike.numbers ? spike.numbers.end - spike.numbers.start : 0;
  if (bytes > SPIKE_BYTES) throw fail("Limit", `a spike of ${bytes} bytes`);
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

/** The numbers of a spike's line: an interval before the codes, where it has one. */
function timing({ fields }: TextLine): { time: number; interval: number; codes: number[] } {
  const numbers = fields.slice(1).map(numberOf);
  const [time, ...rest] = numbers;
  const hasInterval = rest.length > CODES || (rest.length > 0 && !Number.isInteger(rest[0]));
  const codes = hasInterval ? rest.slice(1) : rest;
  return {
    time,
    interval: hasInterval ? rest[0] : NaN,
    codes: Array.from({ length: CODES }, (_, i) => codes[i] || 0),
  };
}

async function textOf(
  source: ByteSource,
  { numbers }: TextLine,
  signal?: AbortSignal,
): Promise<string> {
  if (!numbers) return "";
  const { start, end } = numbers;
  return ascii.decode(await source.read(start, end - start, { signal, purpose: "bulk" }));
}

const pointsOf = (text: string) => text.split(/[\s,;]+/).filter((part) => part !== "").map(Number);

async function* readSpikes(
  source: ByteSource,
  spikes: TextLine[],
  columns: ColumnShape[],
  points: number,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock[], undefined> {
  for (let first = 0; first < spikes.length;) {
    let end = first + 1;
    const start = spikes[first].offset;
    const stop = (i: number) => spikes[i].numbers?.end ?? spikes[i].offset;
    while (end < spikes.length && stop(end) - start <= BATCH_BYTES) end++;
    const batch = spikes.slice(first, end);
    const length = Math.max(...batch.map((_, i) => stop(first + i))) - start;
    const bytes = await source.read(start, length, { signal, purpose: "bulk" });
    yield decode(batch, bytes, start, columns, points);
    first = end;
  }
}

function decode(
  batch: TextLine[],
  bytes: Uint8Array,
  start: number,
  columns: ColumnShape[],
  points: number,
): StreamBlock[] {
  const count = batch.length;
  const time = new Float64Array(count);
  const code = new Uint8Array(CODES * count);
  // Points a spike lacks are no numbers.
  const waveform = new Float64Array(points * count).fill(NaN);
  batch.forEach((spike, i) => {
    const { time: seconds, codes } = timing(spike);
    time[i] = seconds;
    code.set(codes, CODES * i);
    if (!spike.numbers) return;
    const text = bytes.subarray(spike.numbers.start - start, spike.numbers.end - start);
    waveform.set(pointsOf(ascii.decode(text)).slice(0, points), points * i);
  });
  const unit = Uint8Array.from({ length: count }, (_, i) => code[CODES * i]);
  const values: Record<string, Float64Array | Uint8Array> = { time, code, unit, waveform };
  return columns.map(({ name }) => ({ field: name, values: values[name], count }));
}
