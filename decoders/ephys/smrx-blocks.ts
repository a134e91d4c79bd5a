/** What the data blocks of a 64-bit SON file hold: runs of samples, or a number of items. */
import { FuseError } from "../../src/errors.ts";
import { viewOf } from "../../src/source/source.ts";
import type { WasmModule } from "../wasm/instance.ts";
import { BLOCK_BYTES, BLOCK_HEAD_BYTES, type SmrxChannel } from "./smrx-header.ts";
import type { SmrxContext } from "./smrx-tree.ts";
import { isWaveform, label } from "./spike2-model.ts";

const CURSOR_BYTES = 32;
const RUN_BYTES = 24;
/** Runs of one sample, the most a block can hold: head, sample and padding take 24 bytes. */
const MOST_RUNS = Math.floor((BLOCK_BYTES - BLOCK_HEAD_BYTES) / 24) + 1;

/** A channel's blocks in order of time, with what their heads say. */
export interface SmrxBlocks {
  /** Byte offset of each block. */
  offset: Float64Array;
  /** Items of each block; for waveforms, runs. */
  count: Uint32Array;
  /** Waveforms only. */
  runs?: RunList;
}

/** The runs of a channel's blocks, in the order the blocks were read. */
export class RunList {
  length = 0;
  /** Byte offset of each run's first sample in the file, its first tick, and its samples. */
  offset = new Float64Array(16);
  tick = new Float64Array(16);
  samples = new Uint32Array(16);
  /** 0 goes on in its block, 1 after a pause, 2 before the run ahead of it ends. */
  start = new Uint8Array(16);
  /** By block: its first run, its first tick, and the tick after its last sample. */
  readonly firstRun: Uint32Array;
  readonly firstTick: BigInt64Array;
  readonly endTick: BigInt64Array;

  constructor(blocks: number) {
    this.firstRun = new Uint32Array(blocks);
    this.firstTick = new BigInt64Array(blocks);
    this.endTick = new BigInt64Array(blocks);
  }

  push(offset: number, tick: number, samples: number, start: number): void {
    if (this.length === this.tick.length) {
      const grow = <T extends Float64Array | Uint32Array | Uint8Array>(old: T, next: T): T => {
        next.set(old);
        return next;
      };
      const room = this.length * 2;
      this.offset = grow(this.offset, new Float64Array(room));
      this.tick = grow(this.tick, new Float64Array(room));
      this.samples = grow(this.samples, new Uint32Array(room));
      this.start = grow(this.start, new Uint8Array(room));
    }
    this.offset[this.length] = offset;
    this.tick[this.length] = tick;
    this.samples[this.length] = samples;
    this.start[this.length++] = start;
  }
}

/**
 * Reads the heads of all blocks in the order of the file: a local file by the heads alone, a remote
 * one whole, because so many small requests would take longer.
 * @throws FuseError `Corrupt` for blocks that are another channel's or cannot hold what they claim
 */
export async function readBlocks(
  context: SmrxContext,
  wasm: WasmModule,
  channels: SmrxChannel[],
  lists: Float64Array[],
): Promise<SmrxBlocks[]> {
  const found = channels.map((channel, i): SmrxBlocks => ({
    offset: lists[i],
    count: new Uint32Array(lists[i].length),
    ...(isWaveform(channel.kind) ? { runs: new RunList(lists[i].length) } : {}),
  }));
  const order = inFileOrder(lists);
  const walk = new HeadWalk(context, wasm, channels, found);
  try {
    await (context.source.distance === "local" ? walk.local(order) : walk.remote(order));
  } finally {
    walk.close();
  }
  return found;
}

/** A block: index of its channel, its place in the channel's list, and its byte offset. */
interface Order {
  channel: Uint32Array;
  block: Uint32Array;
  offset: Float64Array;
}

function inFileOrder(lists: Float64Array[]): Order {
  const total = lists.reduce((n, list) => n + list.length, 0);
  const channel = new Uint32Array(total), block = new Uint32Array(total);
  let at = 0;
  lists.forEach((list, i) =>
    list.forEach((_, k) => {
      channel[at] = i;
      block[at++] = k;
    })
  );
  const sorted = new Uint32Array(total).map((_, i) => i)
    .sort((a, b) => lists[channel[a]][block[a]] - lists[channel[b]][block[b]]);
  return {
    channel: sorted.map((i) => channel[i]),
    block: sorted.map((i) => block[i]),
    offset: Float64Array.from(sorted, (i) => lists[channel[i]][block[i]]),
  };
}

/** Bytes of a block that hold its head and that of its first run. */
const HEADS_BYTES = 2 * BLOCK_HEAD_BYTES;
/** Bytes of a remote file read at once, and how many such pieces are asked for ahead. */
const SPAN_BYTES = 1 << 20;
const AHEAD = 4;

class HeadWalk {
  readonly #cursor: number;
  readonly #runs: number;
  readonly #block: number;
  readonly #stale: number[];

  constructor(
    readonly context: SmrxContext,
    readonly wasm: WasmModule,
    readonly channels: SmrxChannel[],
    readonly found: SmrxBlocks[],
  ) {
    this.#stale = channels.map(() => 0);
    this.#cursor = wasm.alloc(CURSOR_BYTES);
    this.#runs = wasm.alloc(MOST_RUNS * RUN_BYTES);
    this.#block = wasm.alloc(BLOCK_BYTES);
  }

  close(): void {
    this.wasm.free(this.#cursor, CURSOR_BYTES);
    this.wasm.free(this.#runs, MOST_RUNS * RUN_BYTES);
    this.wasm.free(this.#block, BLOCK_BYTES);
    this.#stale.forEach((blocks, i) => {
      if (blocks === 0) return;
      this.context.warnings.push(
        `${
          label(this.channels[i])
        }: ${blocks} data blocks bear the mark of an earlier channel in ` +
          "its place; taken, because the index lists them",
      );
    });
  }

  async local(order: Order): Promise<void> {
    const { source, size, signal } = this.context;
    const options = { signal, purpose: "bulk" } as const;
    const heads = new Uint8Array(HEADS_BYTES);
    for (let i = 0; i < order.offset.length; i++) {
      const offset = order.offset[i];
      const head = heads.subarray(0, Math.min(HEADS_BYTES, size - offset));
      await source.readInto(offset, head, options);
      if (!this.#take(order, i, head)) {
        this.#take(order, i, await source.readUpTo(offset, BLOCK_BYTES, options));
      }
    }
  }

  async remote(order: Order): Promise<void> {
    const { source, size, signal } = this.context;
    const spans = spansOf(order.offset);
    const pending = new Map<number, Promise<Uint8Array>>();
    const ask = (k: number) => {
      if (k >= spans.length || pending.has(k)) return;
      const { offset, end } = spans[k];
      const piece = source.read(offset, Math.min(end, size) - offset, { signal, purpose: "bulk" });
      piece.catch(() => {});
      pending.set(k, piece);
    };
    for (let k = 0; k < spans.length; k++) {
      for (let next = k; next <= k + AHEAD; next++) ask(next);
      const bytes = await pending.get(k)!;
      pending.delete(k);
      const { offset, first, last } = spans[k];
      for (let i = first; i <= last; i++) {
        const from = order.offset[i] - offset;
        this.#take(order, i, bytes.subarray(from, from + BLOCK_BYTES));
      }
    }
  }

  /** Notes what a block holds; false when `bytes` are too few to tell. */
  #take(order: Order, i: number, bytes: Uint8Array): boolean {
    const offset = order.offset[i];
    const index = order.channel[i];
    const channel = this.channels[index];
    const blocks = this.found[index];
    const block = order.block[i];
    const view = viewOf(bytes);
    const word = view.getUint16(8, true);
    const level = (view.getUint32(0, true) >> 8) & 7;
    if (word !== channel.index || level !== 0) {
      throw new FuseError("Corrupt", `${label(channel)}: its index leads to something else`, {
        source: this.context.source.name,
        offset,
        found: `channel ${word + 1}, level ${level}`,
        expected: `a data block of channel ${channel.number}`,
      });
    }
    const count = view.getUint32(12, true);
    const room = Math.min(BLOCK_BYTES, this.context.size - offset);
    if (!blocks.runs) {
      this.#checkItems(channel, offset, count, room);
      blocks.count[block] = count;
    } else {
      if (count > 1 && bytes.length < room) return false;
      blocks.count[block] = this.#takeRuns(channel, blocks.runs, block, offset, bytes, room);
    }
    if (view.getUint16(10, true) !== channel.generation) this.#stale[index]++;
    return true;
  }

  #checkItems(channel: SmrxChannel, offset: number, count: number, room: number): void {
    const needed = BLOCK_HEAD_BYTES + count * channel.itemBytes;
    if (needed <= room) return;
    const cut = needed <= BLOCK_BYTES;
    throw new FuseError(
      cut ? "Truncated" : "Corrupt",
      `${label(channel)}: ${
        cut ? "the file ends inside" : "more items than fit into"
      } a data block`,
      {
        source: this.context.source.name,
        offset,
        found: `${count} items of ${channel.itemBytes} bytes`,
        expected: `at most ${room} bytes in all`,
      },
    );
  }

  #takeRuns(
    channel: SmrxChannel,
    list: RunList,
    block: number,
    offset: number,
    bytes: Uint8Array,
    room: number,
  ): number {
    const { wasm } = this;
    wasm.view(this.#block, bytes.length).set(bytes);
    const cursor = viewOf(wasm.view(this.#cursor, CURSOR_BYTES));
    cursor.setBigInt64(16, BigInt(channel.divide), true);
    cursor.setUint32(24, 0, true);
    const width = channel.kind === "Adc" ? 2 : 4;
    const count = wasm.call("son64_runs", [
      this.#block,
      bytes.length,
      room,
      width,
      this.#cursor,
      this.#runs,
      MOST_RUNS,
    ], { source: this.context.source.name, offset, array: channel.title });
    const runs = viewOf(wasm.view(this.#runs, count * RUN_BYTES));
    list.firstRun[block] = list.length;
    list.firstTick[block] = cursor.getBigInt64(0, true);
    list.endTick[block] = cursor.getBigInt64(8, true);
    for (let at = 0; at < count * RUN_BYTES; at += RUN_BYTES) {
      list.push(
        offset + runs.getUint32(at + 8, true),
        runs.getFloat64(at, true),
        runs.getUint32(at + 12, true),
        runs.getUint32(at + 16, true),
      );
    }
    return count;
  }
}

/** Neighbouring blocks that are read together; `first` and `last` count in the file's order. */
function spansOf(offsets: Float64Array): {
  offset: number;
  end: number;
  first: number;
  last: number;
}[] {
  const spans: { offset: number; end: number; first: number; last: number }[] = [];
  offsets.forEach((offset, i) => {
    const span = spans.at(-1);
    const end = offset + BLOCK_BYTES;
    const joins = span && offset <= span.end + BLOCK_BYTES && end - span.offset <= SPAN_BYTES;
    if (joins) Object.assign(span, { end: Math.max(span.end, end), last: i });
    else spans.push({ offset, end, first: i, last: i });
  });
  return spans;
}
