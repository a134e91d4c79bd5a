/** Annotations of EDF+ and triggers of BioSemi's status channel, in one forward pass each. */
import type { EventColumn, EventTable, StreamBlock } from "../../src/model/dataset.ts";
import type { DType, NumericArray } from "../../src/model/dtype.ts";
import type { EdfHeader, EdfSignal } from "./edf-header.ts";
import { readPieces, readSlots, type Slots } from "./edf-slots.ts";
import { parseTals } from "./edf-tal.ts";
import { type RecordRun, RunCollector } from "./edf-times.ts";

/** Ids of the streams. */
export const ANNOTATIONS = "annotations", TRIGGERS = "triggers";

/** Columns of a table and what they hold; text has type "string". */
const COLUMNS: Record<string, Record<string, { dtype: DType; units?: string }>> = {
  [ANNOTATIONS]: {
    time: { dtype: "float64", units: "s" },
    duration: { dtype: "float64", units: "s" },
    label: { dtype: "string" },
    channel: { dtype: "string" },
  },
  [TRIGGERS]: {
    time: { dtype: "float64", units: "s" },
    code: { dtype: "uint16" },
  },
};

/** Events of a block. */
const BLOCK = 4096;
/** Bytes of status words looked at in one piece: whole words. */
const PIECE_BYTES = 3 << 20;

/** What a pass over the annotations finds beside them. */
export interface AnnotationPass {
  blocks: AsyncGenerator<StreamBlock>;
  /** Runs of records, once the blocks are through. */
  runs: RunCollector;
}

/** Gathers events and gives them out as blocks of their fields. */
class EventBuffer {
  readonly #rows: Record<string, (number | string)[]> = {};

  constructor(readonly stream: string) {
    this.#clear();
  }

  #clear(): void {
    for (const column of Object.keys(COLUMNS[this.stream])) this.#rows[column] = [];
  }

  get count(): number {
    return this.#rows.time.length;
  }

  push(row: Record<string, number | string>): void {
    for (const [column, values] of Object.entries(this.#rows)) values.push(row[column]);
  }

  *take(): Generator<StreamBlock> {
    const { count } = this;
    if (count === 0) return;
    for (const [column, { dtype }] of Object.entries(COLUMNS[this.stream])) {
      const rows = this.#rows[column];
      const values: NumericArray | string[] = dtype === "string"
        ? rows as string[]
        : dtype === "uint16"
        ? Uint16Array.from(rows as number[])
        : Float64Array.from(rows as number[]);
      yield { field: `${this.stream}/${column}`, values, count };
    }
    this.#clear();
  }
}

/**
 * Reads the annotations of all records; a text may name the signal it belongs to ("text@@label").
 * @param groups the annotation signals, those that lie beside each other in one
 */
export function readAnnotations(
  header: EdfHeader,
  groups: Slots[],
  signal?: AbortSignal,
): AnnotationPass {
  const runs = new RunCollector(header);
  const labels = new Set(header.signals.map((s) => s.label));
  /** Places of the annotation signals in each group. */
  const places = groups.map(({ offset, length }) =>
    header.signals
      .filter((s) => s.isAnnotation && s.offset >= offset && s.offset < offset + length)
      .map((s) => [s.offset - offset, s.samplesPerRecord * header.sampleBytes])
  );
  async function* read(): AsyncGenerator<StreamBlock> {
    const buffer = new EventBuffer(ANNOTATIONS);
    const parts = groups.map((slots) => readSlots(slots, 0, header.records, signal));
    let damaged = 0;
    for (let record = 0; record < header.records; record++) {
      for (const [g, part] of parts.entries()) {
        const bytes: Uint8Array = (await part.next()).value;
        for (const [i, [from, length]] of places[g].entries()) {
          const lists = parseTals(bytes.subarray(from, from + length));
          if (g === 0 && i === 0) runs.add(lists.recordStart);
          damaged += lists.damaged;
          for (const { onset, duration, text } of lists.annotations) {
            buffer.push({ time: onset, duration, ...splitLabel(text, labels) });
          }
        }
      }
      if (buffer.count >= BLOCK) yield* buffer.take();
    }
    yield* buffer.take();
    if (damaged) {
      const text = `${damaged} annotation lists are damaged: they are left out`;
      yield { field: "warnings", values: [text], count: 1 };
    }
  }
  return { blocks: read(), runs };
}

/** An annotation of one signal ends with "@@" and its label (EDF+, standard texts). */
function splitLabel(text: string, labels: Set<string>): { label: string; channel: string } {
  const at = text.lastIndexOf("@@");
  const channel = at < 0 ? "" : text.slice(at + 2).trim();
  return channel && labels.has(channel)
    ? { label: text.slice(0, at), channel }
    : { label: text, channel: "" };
}

/** Changes of the low 16 bits of the status words: the trigger inputs of BioSemi's receiver. */
export async function* readTriggers(
  header: EdfHeader,
  status: EdfSignal,
  slots: Slots,
  runs: RecordRun[],
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  const buffer = new EventBuffer(TRIGGERS);
  const rate = status.samplesPerRecord / header.recordSeconds;
  const perRecord = status.samplesPerRecord;
  let previous = 0, sample = 0, run = 0;
  for await (const bytes of readPieces(slots, PIECE_BYTES, signal)) {
    for (let at = 0; at + 3 <= bytes.length; at += 3, sample++) {
      const code = bytes[at] | (bytes[at + 1] << 8);
      if (code === previous) continue;
      previous = code;
      const record = Math.floor(sample / perRecord);
      while (record >= runs[run].firstRecord + runs[run].records) run++;
      const { firstRecord, startSeconds } = runs[run];
      buffer.push({ time: startSeconds + (sample - firstRecord * perRecord) / rate, code });
      if (buffer.count >= BLOCK) yield* buffer.take();
    }
  }
  yield* buffer.take();
}

/** A table whose columns a pass over the file fills. */
export function streamedTable(stream: string): EventTable {
  return {
    name: stream,
    count: null,
    columns: Object.entries(COLUMNS[stream]).map(([name, { dtype, units }]): EventColumn => ({
      name,
      dtype,
      innerShape: [],
      layout: { kind: "stream", stream, field: `${stream}/${name}` },
      ...(units ? { units } : {}),
    })),
  };
}

/** The table of a pass, held in memory; undefined when it found no events. */
export async function collectTable(
  stream: string,
  blocks: AsyncGenerator<StreamBlock>,
  warnings: string[],
): Promise<EventTable | undefined> {
  const parts = new Map<string, (NumericArray | string[])[]>();
  let count = 0;
  for await (const block of blocks) {
    if (block.field === "warnings") {
      warnings.push(...block.values as string[]);
      continue;
    }
    const list = parts.get(block.field) ?? [];
    list.push(block.values);
    parts.set(block.field, list);
    if (block.field === `${stream}/time`) count += block.count;
  }
  if (count === 0) return undefined;
  const table = streamedTable(stream);
  for (const column of table.columns) {
    const own = parts.get(`${stream}/${column.name}`)!;
    column.layout = { kind: "values", values: concatenate(own, column.dtype) };
  }
  return { ...table, count };
}

function concatenate(parts: (NumericArray | string[])[], dtype: DType): NumericArray | string[] {
  if (dtype === "string") return (parts as string[][]).flat();
  const count = parts.reduce((n, p) => n + p.length, 0);
  const out = dtype === "uint16" ? new Uint16Array(count) : new Float64Array(count);
  let at = 0;
  for (const part of parts) {
    out.set(part as Float64Array, at);
    at += part.length;
  }
  return out;
}
