/** Event tables whose rows a generator yields: held in memory when small, one forward pass when large. */
import { FuseError } from "../../src/errors.ts";
import type {
  Attributes,
  Dataset,
  EventColumn,
  EventTable,
  StreamBlock,
} from "../../src/model/dataset.ts";
import { allocate, type NumericArray } from "../../src/model/dtype.ts";
import { pullStream } from "./pull-stream.ts";

/** Bytes of rows up to which a table is held in memory. */
const IN_MEMORY_BYTES = 4 << 20;

/** A column without its values. */
export type ColumnShape = Omit<EventColumn, "layout">;

/** A table, and how its rows are read. */
export interface RecordTable {
  /** Name of the table; also the id of its stream. */
  name: string;
  /** Rows. */
  count: number;
  /** Bytes of one row in the file. */
  rowBytes: number;
  /** Columns, in order. */
  columns: ColumnShape[];
  /** Attributes of the group. */
  attributes?: Attributes;
  /** A forward pass: a block of every column in turn, in bounded memory. */
  read(signal?: AbortSignal): AsyncGenerator<StreamBlock, undefined>;
}

/** Passes over a file by the id of their stream. */
export type Passes = Map<string, (signal?: AbortSignal) => AsyncGenerator<StreamBlock, undefined>>;

/** Adds a table to a dataset, and to `passes` when it is too large to hold. @throws FuseError as the pass does */
export async function addTable(
  dataset: Dataset,
  passes: Passes,
  table: RecordTable,
  signal?: AbortSignal,
): Promise<void> {
  const { name, count, columns, attributes } = table;
  const event: EventTable = { name, count, columns: [], ...(attributes ? { attributes } : {}) };
  if (count * table.rowBytes <= IN_MEMORY_BYTES) {
    event.columns = await held(table, signal);
  } else {
    const stream = `events/${name}`;
    passes.set(stream, (s) => table.read(s));
    event.columns = columns.map((column) => ({
      ...column,
      layout: { kind: "stream", stream, field: column.name },
    }));
  }
  dataset.events.push(event);
}

async function held(table: RecordTable, signal?: AbortSignal): Promise<EventColumn[]> {
  const values = table.columns.map((column): NumericArray | string[] =>
    column.dtype === "string"
      ? []
      : allocate(column.dtype, table.count * column.innerShape.reduce((a, b) => a * b, 1))
  );
  const filled = table.columns.map(() => 0);
  for await (const block of table.read(signal)) {
    const i = table.columns.findIndex((column) => column.name === block.field);
    const into = values[i];
    if (Array.isArray(into)) { for (const text of block.values as string[]) into.push(text); }
    else into.set(block.values as never, filled[i]);
    filled[i] += block.values.length;
  }
  return table.columns.map((column, i) => ({
    ...column,
    layout: { kind: "values", values: values[i] },
  }));
}

/** `Dataset.openStream` over passes. */
export function openPasses(format: string, passes: Passes): NonNullable<Dataset["openStream"]> {
  return (id, { signal }) => {
    const pass = passes.get(id);
    if (!pass) throw new FuseError("Usage", "there is no such stream", { format, found: id });
    return pullStream(pass(signal));
  };
}

/** A name that `taken` does not hold yet, which is then added: "a", "a_2", "a_3". */
export function uniqueName(name: string, taken: Set<string>): string {
  let unique = name;
  for (let i = 2; taken.has(unique); i++) unique = `${name}_${i}`;
  taken.add(unique);
  return unique;
}
