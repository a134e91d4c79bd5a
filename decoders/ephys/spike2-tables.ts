/** Event channels of either SON filing system as event tables: in memory when small, else streamed. */
import type { Attributes, EventColumn, EventTable, StreamBlock } from "../../src/model/dataset.ts";
import { allocate, type NumericArray } from "../../src/model/dtype.ts";
import { type ColumnShape, tableNames } from "./spike2-columns.ts";
import type { SonChannel } from "./spike2-model.ts";

/**
 * Bytes of events of a file that are read at once and kept; what goes past them is streamed. What is kept
 * is in the plan, and goes with it to every worker.
 */
const IN_MEMORY_BYTES = 2 << 20;
/** Bytes a time and a text take in memory, at least. */
const TIME_BYTES = 8, TEXT_BYTES = 32;

/** An event channel ready to be read. */
export interface EventSource {
  channel: Pick<SonChannel, "number" | "title">;
  count: number;
  /** Bytes of one event in the file. */
  itemBytes: number;
  columns: ColumnShape[];
  attributes: Attributes;
  /** A forward pass over the events: lists of one block a column, in bounded memory. */
  read(signal?: AbortSignal): AsyncGenerator<StreamBlock[], undefined>;
}

/** Tables, and the channels behind the streamed ones by stream id. */
export interface Events {
  tables: EventTable[];
  streams: Map<string, EventSource>;
}

/** Event tables of all event channels. @throws FuseError as their passes do */
export async function buildTables(sources: EventSource[], signal?: AbortSignal): Promise<Events> {
  const events: Events = { tables: [], streams: new Map() };
  const names = tableNames(sources.map((source) => source.channel));
  let room = IN_MEMORY_BYTES;
  for (const [i, source] of sources.entries()) {
    const { channel, count, attributes } = source;
    const texts = source.columns.filter(({ dtype }) => dtype === "string").length;
    const bytes = count * (source.itemBytes + TIME_BYTES + TEXT_BYTES * texts);
    const stream = `channel-${channel.number}`;
    let columns: EventColumn[];
    if (bytes <= room) {
      room -= bytes;
      columns = await inMemory(source, signal);
    } else {
      events.streams.set(stream, source);
      columns = source.columns.map((column) => ({
        ...column,
        layout: { kind: "stream", stream, field: column.name },
      }));
    }
    events.tables.push({ name: names[i], count, columns, attributes });
  }
  return events;
}

/** A forward pass over one channel's events, in bounded memory. */
export function streamEvents(
  source: EventSource,
  signal?: AbortSignal,
): ReadableStream<StreamBlock> {
  const blocks = source.read(signal);
  let queue: StreamBlock[] = [];
  return new ReadableStream<StreamBlock>({
    async pull(controller) {
      while (queue.length === 0) {
        const { value, done } = await blocks.next();
        if (done) return controller.close();
        queue = value;
      }
      controller.enqueue(queue.shift()!);
    },
    async cancel() {
      await blocks.return(undefined);
    },
  }, { highWaterMark: 0 });
}

async function inMemory(source: EventSource, signal?: AbortSignal): Promise<EventColumn[]> {
  const values = source.columns.map((column): NumericArray | string[] =>
    column.dtype === "string"
      ? []
      : allocate(column.dtype, source.count * column.innerShape.reduce((a, b) => a * b, 1))
  );
  const filled = source.columns.map(() => 0);
  for await (const blocks of source.read(signal)) {
    for (const block of blocks) {
      const i = source.columns.findIndex((column) => column.name === block.field);
      const target = values[i];
      if (Array.isArray(target)) {
        for (const text of block.values as string[]) target.push(text);
      } else {
        (target as Float64Array).set(block.values as Float64Array, filled[i]);
        filled[i] += block.values.length;
      }
    }
  }
  return source.columns.map((column, i) => ({
    ...column,
    layout: { kind: "values", values: values[i] },
  }));
}
