/**
 * Where the data blocks of a SON file are: every channel's chain of blocks, walked from head to head.
 *
 * All chains are walked at once in file order, through windows of bytes that grow while the blocks
 * lie close together, so that a local file is read once in order at most and a remote one in few
 * requests. Memory grows with the number of blocks only.
 */
import { type ErrorDetails, FuseError } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import type { WasmModule } from "../wasm/instance.ts";
import type { Spike2Channel, Spike2Header } from "./spike2-header.ts";
import { WindowReader } from "./spike2-windows.ts";

/** Bytes of a data block's head. */
export const BLOCK_HEAD_BYTES = 20;

const CURSOR_BYTES = 56;
const ROW_BYTES = 24;
const ROWS = 8192;
const WALKING = 0, ENDED = 1, STRAY = 2, LOOP = 3;

/** The data blocks of one channel, in the order of its chain. */
export class BlockList {
  count = 0;
  /** Byte offset of each block's head. */
  offset = new Float64Array(16);
  startTick = new Int32Array(16);
  endTick = new Int32Array(16);
  items = new Uint16Array(16);
  /** The channel word; bit 8 says the level is low before the block's first event. */
  word = new Uint16Array(16);
  /** Blocks past the last one the channel table names. */
  beyond = 0;

  push(offset: number, start: number, end: number, items: number, word: number): void {
    if (this.count === this.offset.length) this.#resize(this.count * 2);
    this.offset[this.count] = offset;
    this.startTick[this.count] = start;
    this.endTick[this.count] = end;
    this.items[this.count] = items;
    this.word[this.count++] = word;
  }

  /** Items in all blocks. */
  total(): number {
    let sum = 0;
    for (let i = 0; i < this.count; i++) sum += this.items[i];
    return sum;
  }

  /** Gives back the room kept for more blocks. */
  trim(): void {
    this.#resize(this.count);
  }

  #resize(length: number): void {
    const grown = <T extends Float64Array | Int32Array | Uint16Array>(old: T, next: T): T => {
      next.set(old.subarray(0, Math.min(old.length, next.length)));
      return next;
    };
    this.offset = grown(this.offset, new Float64Array(length));
    this.startTick = grown(this.startTick, new Int32Array(length));
    this.endTick = grown(this.endTick, new Int32Array(length));
    this.items = grown(this.items, new Uint16Array(length));
    this.word = grown(this.word, new Uint16Array(length));
  }
}

/** Everything a walk needs to know of the file. */
export interface ChainContext {
  source: ByteSource;
  size: number;
  header: Spike2Header;
  wasm: WasmModule;
  signal?: AbortSignal;
  /** Takes what was doubtful or repaired. */
  warnings: string[];
}

/**
 * Walks the chains of all channels.
 * @returns one list per channel, in the order of `header.channels`
 * @throws FuseError `Corrupt` for loops and links to another channel, `Truncated` for blocks past the
 * end of the file
 */
export async function walkChains(context: ChainContext): Promise<BlockList[]> {
  const { header, wasm, size } = context;
  const channels = header.channels;
  const lists = channels.map(() => new BlockList());
  if (channels.length === 0) return lists;
  const cursors = wasm.alloc(channels.length * CURSOR_BYTES);
  const rows = wasm.alloc(ROWS * ROW_BYTES);
  const windows = new WindowReader(context.source, size, wasm, context.signal);
  try {
    channels.forEach((channel, i) =>
      putCursor(wasm, cursors + i * CURSOR_BYTES, channel, context.size)
    );
    const flags = header.littleEndian ? 1 : 0;
    for (;;) {
      const next = nextHead(context, cursors);
      if (next < 0) break;
      const window = await windows.at(next);
      for (let count = ROWS; count === ROWS;) {
        count = wasm.call("son32_scan", [
          window.ptr,
          window.length,
          window.offset,
          header.pointerUnit,
          flags,
          cursors,
          channels.length,
          rows,
          ROWS,
        ]);
        takeRows(viewOf(wasm.view(rows, count * ROW_BYTES)), count, lists);
      }
    }
    await finish(context, lists);
  } finally {
    windows.close();
    wasm.free(rows, ROWS * ROW_BYTES);
    wasm.free(cursors, channels.length * CURSOR_BYTES);
  }
  lists.forEach((list) => list.trim());
  return lists;
}

function putCursor(wasm: WasmModule, ptr: number, channel: Spike2Channel, size: number): void {
  const view = viewOf(wasm.view(ptr, CURSOR_BYTES));
  const empty = channel.firstBlock < 0;
  view.setFloat64(0, channel.firstBlock, true);
  view.setFloat64(8, -1, true);
  view.setFloat64(16, channel.lastBlock < size ? channel.lastBlock : -1, true);
  view.setFloat64(24, -1, true);
  view.setUint32(32, 0, true);
  view.setUint32(36, 1, true);
  view.setUint32(40, channel.number & 0x1ff, true);
  view.setUint32(44, empty ? ENDED : WALKING, true);
  view.setInt32(48, 0, true);
  view.setUint32(52, 0, true);
}

function takeRows(view: DataView, count: number, lists: BlockList[]): void {
  for (let i = 0; i < count; i++) {
    const at = i * ROW_BYTES;
    const list = lists[view.getUint16(at + 20, true)];
    list.push(
      view.getFloat64(at, true),
      view.getInt32(at + 8, true),
      view.getInt32(at + 12, true),
      view.getUint16(at + 16, true),
      view.getUint16(at + 18, true),
    );
    list.beyond += view.getUint16(at + 22, true);
  }
}

/** The lowest offset any chain goes on at, or -1 when all have ended. */
function nextHead(context: ChainContext, cursors: number): number {
  const { header, wasm, size } = context;
  const view = viewOf(wasm.view(cursors, header.channels.length * CURSOR_BYTES));
  let lowest = Infinity;
  header.channels.forEach((channel, i) => {
    const at = i * CURSOR_BYTES;
    const state = view.getUint32(at + 44, true);
    if (state === ENDED) return;
    const next = view.getFloat64(at, true);
    const previous = view.getFloat64(at + 8, true);
    const from = previous < 0 ? "the channel table" : `the block at byte ${previous}`;
    if (state === STRAY) {
      throw broken(context, channel, "Corrupt", "a link leads to a block of another channel", {
        offset: next,
        expected: `a block of channel ${channel.number}, linked from ${from}`,
      });
    }
    if (state === LOOP) {
      throw broken(context, channel, "Corrupt", "the chain of data blocks runs in a circle", {
        offset: next,
      });
    }
    if (next + BLOCK_HEAD_BYTES > size) {
      if (view.getUint32(at + 52, true) !== 0) return view.setUint32(at + 44, ENDED, true);
      throw broken(context, channel, "Truncated", `${from} links past the end of the file`, {
        offset: next,
        found: `${size} bytes`,
        expected: `at least ${next + BLOCK_HEAD_BYTES} bytes`,
      });
    }
    lowest = Math.min(lowest, next);
  });
  return lowest === Infinity ? -1 : lowest;
}

function broken(
  context: ChainContext,
  channel: Spike2Channel,
  tag: "Corrupt" | "Truncated",
  statement: string,
  details: ErrorDetails,
): FuseError {
  return new FuseError(tag, `channel ${channel.number} "${channel.title}": ${statement}`, {
    source: context.source.name,
    ...details,
  });
}

/** Compares what was found with what the channel table promises, and links up what is missing. */
async function finish(context: ChainContext, lists: BlockList[]): Promise<void> {
  const { header, size, warnings } = context;
  for (const [i, channel] of header.channels.entries()) {
    const list = lists[i];
    const where = `channel ${channel.number} "${channel.title}"`;
    const tail = list.count > 0 ? list.offset[list.count - 1] : -1;
    // Below system id 9 the table counts modulo 65536.
    const counted = (list.count & 0xffff) === (channel.blocks & 0xffff);
    if (list.beyond > 0) {
      warnings.push(
        `${where}: ${list.beyond} data blocks follow the last one the channel table names; taken`,
      );
    } else if (tail !== channel.lastBlock && !counted) {
      if (channel.lastBlock > 0 && channel.lastBlock < size) {
        await linkBackwards(context, channel, list);
      } else {
        warnings.push(`${where}: ${list.count} data blocks found, ${channel.blocks} expected`);
      }
    }
    if (!inOrder(list)) {
      warnings.push(`${where}: its data blocks are not in order of time; kept as linked`);
    }
  }
}

function inOrder(list: BlockList): boolean {
  for (let k = 1; k < list.count; k++) {
    if (list.startTick[k] < list.startTick[k - 1]) return false;
  }
  return true;
}

/**
 * Files that were not closed may lack forward links ("fast write" fills them in at the end); each
 * block also names its predecessor, so the missing part is found from the last block back.
 */
async function linkBackwards(
  context: ChainContext,
  channel: Spike2Channel,
  list: BlockList,
): Promise<void> {
  const { source, header, size, warnings, signal } = context;
  const tail = list.count > 0 ? list.offset[list.count - 1] : -1;
  const seen = new Set<number>();
  const found: [number, number, number, number, number][] = [];
  let at = channel.lastBlock;
  while (at > 0 && at !== tail) {
    const fail = (statement: string) =>
      broken(context, channel, "Corrupt", statement, {
        offset: at,
        expected: `a chain of ${channel.blocks} blocks up to byte ${channel.lastBlock}`,
        found: `${list.count} linked blocks`,
      });
    if (seen.has(at)) throw fail("the backward links of its data blocks run in a circle");
    if (at + BLOCK_HEAD_BYTES > size) throw fail("a data block lies past the end of the file");
    seen.add(at);
    const bytes = await source.read(at, BLOCK_HEAD_BYTES, { signal, purpose: "header" });
    const view = viewOf(bytes);
    const le = header.littleEndian;
    const word = view.getUint16(16, le);
    if ((word & 0xff) + ((word & 0x200) >> 1) !== channel.number) {
      throw fail("its chain of data blocks is broken");
    }
    found.push([at, view.getInt32(8, le), view.getInt32(12, le), view.getUint16(18, le), word]);
    const predecessor = view.getInt32(0, le);
    at = predecessor > 0 ? predecessor * header.pointerUnit : -1;
  }
  if (at !== tail) {
    throw broken(context, channel, "Corrupt", "its chain of data blocks is broken", {
      offset: tail,
      expected: `a link towards the last block at byte ${channel.lastBlock}`,
    });
  }
  for (const block of found.reverse()) list.push(...block);
  warnings.push(
    `channel ${channel.number} "${channel.title}": ${found.length} data blocks lacked forward ` +
      "links (the file was not closed); linked by their backward links",
  );
}
