/** Event channels of a 64-bit SON file (kinds 2 to 8), ready to be read. */
import { FuseError } from "../../src/errors.ts";
import type { StreamBlock } from "../../src/model/dataset.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import type { WasmModule } from "../wasm/instance.ts";
import type { SmrxBlocks } from "./smrx-blocks.ts";
import { BLOCK_BYTES, BLOCK_HEAD_BYTES, type SmrxChannel } from "./smrx-header.ts";
import type { SmrxContext } from "./smrx-tree.ts";
import type { Spike2Clock } from "./spike2-clock.ts";
import { type ColumnShape, columnsOf, markValues, tableAttributes } from "./spike2-columns.ts";
import { label } from "./spike2-model.ts";
import { type Range, readPieces } from "./spike2-pieces.ts";
import type { EventSource } from "./spike2-tables.ts";
import { decodeText } from "./spike2-text.ts";

/** What a pass over events needs besides the channel. */
export interface EventContext {
  file: SmrxContext;
  clock: Spike2Clock;
  wasm: WasmModule;
}

/** Bytes of items decoded together. */
const BATCH_BYTES = 1 << 20;
/** Bytes of tick, codes and what follows them up to the attached data. */
const MARK_BYTES = 16;

/** Bytes attached to each marker that mean something. */
function attachedBytes({ kind, rows, columns }: SmrxChannel): number {
  switch (kind) {
    case "WaveMark":
      return 2 * rows * columns;
    case "RealMark":
      return 4 * rows * columns;
    case "TextMark":
      return rows * columns;
    default:
      return 0;
  }
}

const isCoded = ({ kind }: SmrxChannel) => kind !== "EventFall" && kind !== "EventRise";

/** @throws FuseError `Corrupt` when items are too small for what their kind holds */
export function checkItemBytes(channel: SmrxChannel, source: string): void {
  const least = isCoded(channel) ? MARK_BYTES + attachedBytes(channel) : 8;
  if (channel.itemBytes >= least && channel.itemBytes <= BLOCK_BYTES - BLOCK_HEAD_BYTES) return;
  throw new FuseError("Corrupt", `${label(channel)}: impossible size of its items`, {
    source,
    field: "item size",
    found: `${channel.itemBytes} bytes`,
    expected: `at least ${least} bytes`,
  });
}

/** A channel's events with the columns of its kind. */
export function eventSource(
  context: EventContext,
  channel: SmrxChannel,
  blocks: SmrxBlocks,
): EventSource {
  const { clock } = context;
  const { kind } = channel;
  const columns = columnsOf(channel, clock, isCoded(channel) && kind !== "EventBoth", channel);
  return {
    channel,
    count: blocks.count.reduce((a, b) => a + b, 0),
    itemBytes: channel.itemBytes,
    columns,
    attributes: tableAttributes(
      channel,
      clock,
      kind === "EventBoth" ? channel.initialLow : undefined,
    ),
    read: (signal) => readBatches(context, channel, blocks, columns, signal),
  };
}

async function* readBatches(
  context: EventContext,
  channel: SmrxChannel,
  { offset, count }: SmrxBlocks,
  columns: ColumnShape[],
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock[], undefined> {
  let ranges: Range[] = [], items = 0;
  const decoded = async () => {
    const pieces = await readPieces(context.file.source, ranges, signal);
    const blocks = decode(context, channel, columns, pieces, items);
    ranges = [];
    items = 0;
    return blocks;
  };
  for (let i = 0; i < count.length; i++) {
    if (count[i] === 0) continue;
    if (items > 0 && (items + count[i]) * channel.itemBytes > BATCH_BYTES) yield await decoded();
    ranges.push([offset[i] + BLOCK_HEAD_BYTES, count[i] * channel.itemBytes]);
    items += count[i];
  }
  if (items > 0) yield await decoded();
}

function decode(
  { clock, wasm, file }: EventContext,
  channel: SmrxChannel,
  columns: ColumnShape[],
  pieces: Uint8Array[],
  n: number,
): StreamBlock[] {
  const coded = isCoded(channel);
  const width = attachedBytes(channel);
  const sizes = [n * channel.itemBytes, n * 8, coded ? n * 4 : 0, n * width];
  const pointers = sizes.map((size) => wasm.alloc(size));
  const [input, times, codes, attached] = pointers;
  try {
    let at = input;
    for (const piece of pieces) {
      wasm.view(at, piece.length).set(piece);
      at += piece.length;
    }
    wasm.call("son64_items", [
      input,
      sizes[0],
      n,
      coded ? 2 : 0,
      channel.itemBytes,
      width,
      clock.numerator,
      clock.denominator,
      times,
      codes,
      attached,
    ], { source: file.source.name });
    const copy = (i: number) => wasm.view(pointers[i], sizes[i]).slice();
    const values: Record<string, NumericArray | string[]> = {
      time: new Float64Array(copy(1).buffer),
    };
    if (channel.kind === "EventBoth") values.label = edges(copy(2));
    else if (coded) Object.assign(values, markValues(channel.kind, copy(2), copy(3).buffer));
    if (channel.kind === "TextMark") values.label = texts(copy(3), n, width);
    return columns.map(({ name }) => ({ field: name, values: values[name], count: n }));
  } finally {
    pointers.forEach((pointer, i) => wasm.free(pointer, sizes[i]));
  }
}

/** The first code byte is the level after the edge. */
function edges(codes: Uint8Array): string[] {
  return Array.from({ length: codes.length / 4 }, (_, i) => codes[4 * i] !== 0 ? "rise" : "fall");
}

/** Texts up to their first NUL: what follows it is stale memory. */
function texts(bytes: Uint8Array, count: number, width: number): string[] {
  return Array.from(
    { length: count },
    (_, i) => decodeText(bytes.subarray(i * width, (i + 1) * width), "windows-1252"),
  );
}
