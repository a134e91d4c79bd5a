/** Items of event blocks, batch by batch, as columns. */
import type { StreamBlock } from "../../src/model/dataset.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import { viewOf } from "../../src/source/source.ts";
import type { WasmModule } from "../wasm/instance.ts";
import { BLOCK_HEAD_BYTES, type BlockList, type ChainContext } from "./spike2-chains.ts";
import { type ColumnShape, markValues } from "./spike2-columns.ts";
import type { Spike2Channel } from "./spike2-header.ts";
import { type Range, readPieces } from "./spike2-pieces.ts";
import { decodeText } from "./spike2-text.ts";

/** Where the events of a channel are. */
export interface ChainEvents {
  channel: Spike2Channel;
  list: BlockList;
  columns: ColumnShape[];
  /** Bytes from one item to the next. */
  itemBytes: number;
  /** Each block begins with a rise (EventBoth); else undefined. */
  risesFirst?: (block: number) => boolean;
}

/** Bytes of an item of an event channel that mean something. */
function usedBytes(channel: Spike2Channel): number {
  switch (channel.kind) {
    case "EventFall":
    case "EventRise":
    case "EventBoth":
      return 4;
    case "Marker":
      return 8;
    default:
      return 8 + channel.extraBytes;
  }
}

/**
 * Bytes from one item of an event channel to the next. CED's library fills markers up to whole 32-bit
 * words; where that makes a difference, the time of a block's last item, which its head repeats, tells
 * whether the writer did.
 */
export async function itemBytesOf(
  { source, size, header, signal }: ChainContext,
  channel: Spike2Channel,
  list: BlockList,
): Promise<number> {
  const used = usedBytes(channel);
  const filled = (used + 3) & ~3;
  if (filled === used) return used;
  for (let i = 0; i < list.count; i++) {
    const last = list.items[i] - 1;
    if (last < 1) continue;
    const hasTime = async (width: number) => {
      const at = list.offset[i] + BLOCK_HEAD_BYTES + last * width;
      if (at + 4 > size) return false;
      const bytes = await source.read(at, 4, { signal, purpose: "header" });
      return viewOf(bytes).getInt32(0, header.littleEndian) === list.endTick[i];
    };
    return await hasTime(filled) || !await hasTime(used) ? filled : used;
  }
  return list.count > 0 && list.items[0] > 0 ? used : filled;
}

/** Bytes of items decoded together. */
const BATCH_BYTES = 1 << 20;
/** Blocks of a batch when they have to be read one by one. */
const BATCH_BLOCKS = 64;

/** Consecutive blocks of a chain that are read and decoded together. */
interface Batch {
  first: number;
  /** One past the last block. */
  end: number;
  items: number;
}

/**
 * Yields the columns of a channel's events, one list of stream blocks per batch.
 * @throws FuseError as the source does
 */
export async function* readBatches(
  context: ChainContext,
  source: ChainEvents,
): AsyncGenerator<StreamBlock[], undefined> {
  const { list, itemBytes: width } = source;
  for (let first = 0; first < list.count;) {
    const batch: Batch = { first, end: first, items: 0 };
    while (
      batch.end < list.count && batch.end - first < BATCH_BLOCKS &&
      (batch.end === first || (batch.items + list.items[batch.end]) * width <= BATCH_BYTES)
    ) batch.items += list.items[batch.end++];
    first = batch.end;
    if (batch.items === 0) continue;
    const payloads = await readPayloads(context, source, batch, width);
    yield decode(context, source, batch, payloads);
  }
}

/** The items of each block. */
function readPayloads(
  context: ChainContext,
  source: ChainEvents,
  batch: Batch,
  width: number,
): Promise<Uint8Array[]> {
  const { list } = source;
  const ranges: Range[] = [];
  for (let i = batch.first; i < batch.end; i++) {
    if (list.items[i] > 0) {
      ranges.push([list.offset[i] + BLOCK_HEAD_BYTES, list.items[i] * width]);
    }
  }
  return readPieces(context.source, ranges, context.signal);
}

function decode(
  context: ChainContext,
  source: ChainEvents,
  batch: Batch,
  payloads: Uint8Array[],
): StreamBlock[] {
  const { wasm, header } = context;
  const { channel, itemBytes: width } = source;
  const coded = width >= 8;
  const extraBytes = coded ? width - 8 : 0;
  const elementBytes = channel.kind === "WaveMark" ? 2 : channel.kind === "RealMark" ? 4 : 1;
  const n = batch.items;
  const input = wasm.alloc(n * width);
  const times = wasm.alloc(n * 8);
  const codes = coded ? wasm.alloc(n * 4) : 0;
  const extra = extraBytes > 0 ? wasm.alloc(n * extraBytes) : 0;
  try {
    let at = 0;
    for (const payload of payloads) {
      wasm.view(input, n * width).set(payload, at);
      at += payload.length;
    }
    wasm.call("son32_items", [
      input,
      n * width,
      n,
      (header.littleEndian ? 1 : 0) | (coded ? 2 : 0),
      extraBytes,
      elementBytes,
      header.clock.numerator,
      header.clock.denominator,
      times,
      codes,
      extra,
    ], { source: context.source.name });
    const copy = (ptr: number, bytes: number) => wasm.view(ptr, bytes).slice();
    const values: Record<string, NumericArray | string[]> = {
      time: new Float64Array(copy(times, n * 8).buffer),
    };
    if (channel.kind === "EventBoth") values.label = edges(source, batch);
    if (coded) {
      const attached = whole(copy(extra, n * extraBytes), n, channel.extraBytes, elementBytes);
      Object.assign(values, markValues(channel.kind, copy(codes, n * 4), attached));
    }
    if (channel.kind === "TextMark") {
      values.label = texts(wasm, extra, n, extraBytes, channel.extraBytes, context);
    }
    return source.columns.map(({ name }) => ({ field: name, values: values[name], count: n }));
  } finally {
    wasm.free(input, n * width);
    wasm.free(times, n * 8);
    if (coded) wasm.free(codes, n * 4);
    if (extraBytes > 0) wasm.free(extra, n * extraBytes);
  }
}

/** The bytes of whole elements only: what else stands at the end of each item is padding. */
function whole(
  extra: Uint8Array<ArrayBuffer>,
  items: number,
  extraBytes: number,
  elementBytes: number,
): ArrayBuffer {
  const width = extra.length / items;
  const used = extraBytes - extraBytes % elementBytes;
  if (used === width) return extra.buffer;
  const out = new Uint8Array(items * used);
  for (let i = 0; i < items; i++) {
    out.set(extra.subarray(i * width, i * width + used), i * used);
  }
  return out.buffer;
}

function edges(source: ChainEvents, batch: Batch): string[] {
  const out: string[] = [];
  for (let block = batch.first; block < batch.end; block++) {
    const rises = source.risesFirst!(block);
    for (let i = 0; i < source.list.items[block]; i++) {
      out.push((i % 2 === 0) === rises ? "rise" : "fall");
    }
  }
  return out;
}

function texts(
  wasm: WasmModule,
  extra: number,
  count: number,
  width: number,
  textBytes: number,
  context: ChainContext,
): string[] {
  if (width === 0) return Array.from({ length: count }, () => "");
  const lengths = wasm.alloc(count * 4);
  try {
    wasm.call("son32_text_lengths", [extra, count, width, lengths]);
    const used = new Uint32Array(wasm.view(lengths, count * 4).slice().buffer);
    const bytes = wasm.view(extra, count * width);
    return Array.from(
      used,
      (length, i) =>
        decodeText(
          bytes.subarray(i * width, i * width + Math.min(length, textBytes)),
          context.header.charset,
        ),
    );
  } finally {
    wasm.free(lengths, count * 4);
  }
}
