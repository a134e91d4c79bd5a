/** Event channels of a 32-bit SON file (kinds 2 to 8), ready to be read. */
import { FuseError } from "../../src/errors.ts";
import type { BlockList, ChainContext } from "./spike2-chains.ts";
import { type Attached, columnsOf, tableAttributes } from "./spike2-columns.ts";
import type { Spike2Channel } from "./spike2-header.ts";
import { type ChainEvents, itemBytesOf, readBatches } from "./spike2-items.ts";
import { isWaveform, label } from "./spike2-model.ts";
import { buildTables, type Events, type EventSource } from "./spike2-tables.ts";

/**
 * Event tables of all event channels.
 * @throws FuseError `Truncated` or `Corrupt` when blocks hold more than file or format allow
 */
export async function readEvents(context: ChainContext, lists: BlockList[]): Promise<Events> {
  const sources: EventSource[] = [];
  for (const [i, channel] of context.header.channels.entries()) {
    if (isWaveform(channel.kind) || channel.kind === "Off") continue;
    const itemBytes = await itemBytesOf(context, channel, lists[i]);
    checkBlocks(context, channel, lists[i], itemBytes);
    sources.push(sourceOf(context, channel, lists[i], itemBytes));
  }
  return await buildTables(sources, context.signal);
}

function sourceOf(
  context: ChainContext,
  channel: Spike2Channel,
  list: BlockList,
  width: number,
): EventSource {
  const { clock } = context.header;
  const columns = columnsOf(channel, clock, width >= 8, attachedTo(channel, context.warnings));
  const events: ChainEvents = { channel, list, columns, itemBytes: width };
  let initialLow: boolean | undefined;
  if (channel.kind === "EventBoth") {
    events.risesFirst = levels(channel, list, context);
    initialLow = list.count > 0 ? events.risesFirst(0) : channel.initialLow;
  }
  return {
    channel,
    count: list.total(),
    itemBytes: width,
    columns,
    attributes: tableAttributes(channel, clock, initialLow),
    read: (signal) => readBatches({ ...context, signal }, events),
  };
}

function attachedTo(channel: Spike2Channel, warnings: string[]): Attached {
  if (channel.kind === "RealMark") return { rows: channel.extraBytes >> 2, columns: 1 };
  if (channel.kind !== "WaveMark") return { rows: 0, columns: 1 };
  const values = channel.extraBytes >> 1;
  if (values % channel.traces === 0) {
    return { rows: values / channel.traces, columns: channel.traces };
  }
  warnings.push(
    `${label(channel)}: ${values} points do not divide into ${channel.traces} traces; kept as one`,
  );
  return { rows: values, columns: 1 };
}

function checkBlocks(
  context: ChainContext,
  channel: Spike2Channel,
  list: BlockList,
  bytes: number,
): void {
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
