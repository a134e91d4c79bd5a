/** Event channels of a SON file (kinds 2 to 8) as event tables, in memory when small, else streamed. */
import { FuseError } from "../../src/errors.ts";
import type { Attributes, EventColumn, EventTable, StreamBlock } from "../../src/model/dataset.ts";
import { allocate, type NumericArray } from "../../src/model/dtype.ts";
import type { BlockList, ChainContext } from "./spike2-chains.ts";
import { rateOf } from "./spike2-clock.ts";
import type { Spike2Channel, Spike2Header } from "./spike2-header.ts";
import { type ColumnShape, type EventSource, itemBytes, readBatches } from "./spike2-items.ts";
import { channelAttributes, label } from "./spike2-waves.ts";

/** Bytes of event data of a file that are read at once and kept; what goes past them is streamed. */
const IN_MEMORY_BYTES = 4 << 20;

/** Tables, and the channels behind the streamed ones by stream id. */
export interface Events {
  tables: EventTable[];
  streams: Map<string, EventSource>;
}

/**
 * Event tables of all event channels.
 * @throws FuseError `Truncated` or `Corrupt` when blocks hold more than file or format allow
 */
export async function readEvents(context: ChainContext, lists: BlockList[]): Promise<Events> {
  const { header } = context;
  const events: Events = { tables: [], streams: new Map() };
  const sources: EventSource[] = [];
  header.channels.forEach((channel, i) => {
    if (channel.kind === "Adc" || channel.kind === "RealWave" || channel.kind === "Off") return;
    checkBlocks(context, channel, lists[i]);
    sources.push({
      channel,
      list: lists[i],
      count: lists[i].total(),
      columns: columnsOf(header, channel, context.warnings),
      risesFirst: channel.kind === "EventBoth" ? levels(channel, lists[i], context) : undefined,
    });
  });
  const names = tableNames(sources.map((source) => source.channel));
  let room = IN_MEMORY_BYTES;
  for (const [i, source] of sources.entries()) {
    const bytes = source.count * itemBytes(source.channel);
    const stream = `channel-${source.channel.number}`;
    let columns: EventColumn[];
    if (bytes <= room) {
      room -= bytes;
      columns = await inMemory(context, source);
    } else {
      events.streams.set(stream, source);
      columns = source.columns.map((column) => ({
        ...column,
        layout: { kind: "stream", stream, field: column.name },
      }));
    }
    events.tables.push({
      name: names[i],
      count: source.count,
      columns,
      attributes: attributesOf(header, source),
    });
  }
  return events;
}

/** A forward pass over one channel's events, in bounded memory. */
export function streamEvents(
  context: ChainContext,
  source: EventSource,
): ReadableStream<StreamBlock> {
  const blocks = readBatches(context, source);
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

async function inMemory(context: ChainContext, source: EventSource): Promise<EventColumn[]> {
  const values = source.columns.map((column): NumericArray | string[] =>
    column.dtype === "string"
      ? []
      : allocate(column.dtype, source.count * column.innerShape.reduce((a, b) => a * b, 1))
  );
  const filled = source.columns.map(() => 0);
  for await (const blocks of readBatches(context, source)) {
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

function checkBlocks(context: ChainContext, channel: Spike2Channel, list: BlockList): void {
  const bytes = itemBytes(channel);
  for (let i = 0; i < list.count; i++) {
    const offset = list.offset[i];
    const length = 20 + list.items[i] * bytes;
    // A block's size on disk is a 16-bit number of bytes.
    if (length > 65_536) {
      throw new FuseError("Corrupt", `${label(channel)}: a data block cannot hold its items`, {
        source: context.source.name,
        offset,
        field: "items",
        found: `${list.items[i]} items of ${bytes} bytes`,
        expected: "at most 64 KiB in all",
      });
    }
    if (offset + length > context.size) {
      throw new FuseError("Truncated", `${label(channel)}: events lie past the end of the file`, {
        source: context.source.name,
        offset,
        found: `${context.size} bytes`,
        expected: `${offset + length} bytes`,
      });
    }
  }
}

/**
 * Which way the first event of each block goes. Events alternate, from the level the channel table
 * says was there before the first one; bit 8 of a block's channel word repeats the level for the
 * block and is what counts when events between blocks are missing.
 */
function levels(
  channel: Spike2Channel,
  list: BlockList,
  context: ChainContext,
): (block: number) => boolean {
  const stored = (block: number) => (list.word[block] & 0x100) !== 0;
  const alternating = new Uint8Array(list.count);
  let low = channel.initialLow, marked = false, agree = true;
  for (let i = 0; i < list.count; i++) {
    alternating[i] = low ? 1 : 0;
    if (stored(i)) marked = true;
    if (stored(i) !== low) agree = false;
    if (list.items[i] % 2 === 1) low = !low;
  }
  if (agree || !marked) return (block) => alternating[block] === 1;
  context.warnings.push(
    `${
      label(channel)
    }: levels do not alternate from block to block; each block's own level is taken`,
  );
  return stored;
}

function columnsOf(
  header: Spike2Header,
  channel: Spike2Channel,
  warnings: string[],
): ColumnShape[] {
  const columns: ColumnShape[] = [{ name: "time", dtype: "float64", innerShape: [], units: "s" }];
  const text = (name: string) => columns.push({ name, dtype: "string", innerShape: [] });
  if (channel.kind === "EventBoth") text("label");
  if (itemBytes(channel) < 8) return columns;
  columns.push({ name: "code", dtype: "uint8", innerShape: [4], innerDims: ["code_layer"] });
  switch (channel.kind) {
    case "Marker":
      text("label");
      text("character");
      break;
    case "TextMark":
      text("label");
      break;
    case "RealMark":
      if (channel.extraBytes < 4) break;
      columns.push({
        name: "value",
        dtype: "float32",
        innerShape: [Math.floor(channel.extraBytes / 4)],
        innerDims: ["item"],
        units: channel.units,
      });
      break;
    case "WaveMark":
      columns.push({ name: "unit", dtype: "uint8", innerShape: [] });
      if (channel.extraBytes >= 2) columns.push(waveformColumn(header, channel, warnings));
      break;
  }
  return columns;
}

function waveformColumn(
  header: Spike2Header,
  channel: Spike2Channel,
  warnings: string[],
): ColumnShape {
  const values = Math.floor(channel.extraBytes / 2);
  let traces = channel.traces;
  if (values % traces !== 0) {
    warnings.push(
      `${label(channel)}: ${values} points do not divide into ${traces} traces; kept as one`,
    );
    traces = 1;
  }
  const attributes: Attributes = {
    pre_trigger_samples: channel.preTrigger,
    time_of: "first sample",
  };
  if (channel.divide > 0) attributes.sampling_frequency = rateOf(header.clock, channel.divide);
  if (Number.isFinite(channel.scale) && Number.isFinite(channel.offset)) {
    attributes.scale_factor = channel.scale / 6553.6;
    attributes.add_offset = channel.offset;
  }
  return {
    name: "waveform",
    dtype: "int16",
    innerShape: [values / traces, traces],
    innerDims: ["sample", "trace"],
    units: channel.units,
    attributes,
  };
}

function attributesOf(header: Spike2Header, source: EventSource): Attributes {
  const { channel } = source;
  const attributes = channelAttributes(channel);
  if (channel.units) attributes.units = channel.units;
  if (channel.kind === "EventFall") attributes.edge = "falling";
  if (channel.kind === "EventRise") attributes.edge = "rising";
  if (source.risesFirst) {
    const low = source.list.count > 0 ? source.risesFirst(0) : channel.initialLow;
    attributes.initial_level = low ? "low" : "high";
  }
  if (channel.kind === "WaveMark" && channel.divide > 0) {
    attributes.sampling_frequency = rateOf(header.clock, channel.divide);
    attributes.pre_trigger_samples = channel.preTrigger;
  }
  return attributes;
}

/** A name per channel: its title, with the channel number where titles repeat or are missing. */
function tableNames(channels: Spike2Channel[]): string[] {
  const plain = channels.map((channel) =>
    // deno-lint-ignore no-control-regex
    channel.title.replace(/[\/\\\x00-\x1f\x7f]+/g, "_").replace(/^\.+/, "_")
  );
  const key = (name: string) => name.toLowerCase();
  const taken = new Set(plain.map(key));
  return plain.map((name, i) => {
    const { number } = channels[i];
    const repeated = plain.filter((other) => key(other) === key(name)).length > 1;
    if (name !== "" && !repeated) return name;
    let full = name === "" ? `channel_${number}` : `${name}_${number}`;
    while (taken.has(key(full))) full += "_";
    taken.add(key(full));
    return full;
  });
}
