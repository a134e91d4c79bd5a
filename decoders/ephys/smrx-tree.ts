/** The lookup trees of a 64-bit SON file: where each channel's data blocks are. */
import { type ErrorDetails, FuseError } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { BLOCK_BYTES, BLOCK_HEAD_BYTES, type SmrxChannel, wide } from "./smrx-header.ts";
import { label } from "./spike2-model.ts";

/** Bytes of a lookup slot: a head and up to 255 pairs of first time and offset. */
const SLOT_BYTES = 4096;
const MOST_ENTRIES = 255;
/** Channels of a remote file whose trees are read at once. */
const AT_ONCE = 16;

/** Everything a walk needs to know of the file. */
export interface SmrxContext {
  source: ByteSource;
  size: number;
  signal?: AbortSignal;
  /** Takes what was doubtful or repaired. */
  warnings: string[];
}

/**
 * Byte offsets of the data blocks of each channel, in order of time.
 * @throws FuseError `Corrupt` for a tree that contradicts the format, `Truncated` for one that leads
 * past the end of the file
 */
export async function walkTrees(
  context: SmrxContext,
  channels: SmrxChannel[],
): Promise<Float64Array[]> {
  checkTotal(context, channels);
  const lists: Float64Array[] = [];
  const step = context.source.distance === "remote" ? AT_ONCE : 1;
  for (let i = 0; i < channels.length; i += step) {
    lists.push(
      ...await Promise.all(
        channels.slice(i, i + step).map((channel) => new TreeWalk(context, channel).run()),
      ),
    );
  }
  return lists;
}

/** Every block belongs to one channel, so no more can be in use than the file has room for. */
function checkTotal({ source, size }: SmrxContext, channels: SmrxChannel[]): void {
  const room = Math.floor(size / BLOCK_BYTES) + 1;
  const blocks = channels.reduce((sum, channel) => sum + channel.blocks, 0);
  if (blocks <= room) return;
  throw new FuseError(
    "Truncated",
    "the channels have more data blocks than the file has room for",
    {
      source: source.name,
      field: "blocks in use",
      found: blocks,
      expected: `at most ${room}`,
    },
  );
}

class TreeWalk {
  readonly #blocks: Float64Array;
  #found = 0;
  #visits = 0;

  constructor(readonly context: SmrxContext, readonly channel: SmrxChannel) {
    const { root, blocks } = channel;
    this.#blocks = new Float64Array(root === 0 ? 0 : blocks);
  }

  async run(): Promise<Float64Array> {
    if (this.#blocks.length > 0) await this.#visit(this.channel.root, null);
    if (this.#found < this.#blocks.length) {
      this.context.warnings.push(
        `${
          label(this.channel)
        }: its index lists ${this.#found} data blocks, the channel table says ` +
          `${this.#blocks.length}`,
      );
    }
    return this.#blocks.subarray(0, this.#found);
  }

  /** Collects the blocks below a slot; `level` is what its parent expects, null at the root. */
  async #visit(offset: number, level: number | null): Promise<void> {
    const { source, size, signal } = this.context;
    // Slots past the blocks in use are left over from an earlier life of the channel, never visited.
    if (++this.#visits > 8 * this.#blocks.length + 8) {
      throw this.#fail("Corrupt", "its index has too many empty slots or runs in a circle", {
        offset,
      });
    }
    if (offset < BLOCK_BYTES || offset + SLOT_BYTES > size) {
      throw this.#fail("Truncated", "its index leads past the end of the file", {
        offset,
        found: `${size} bytes`,
        expected: `at least ${offset + SLOT_BYTES} bytes`,
      });
    }
    const bytes = await source.read(offset, SLOT_BYTES, { signal, purpose: "header" });
    const view = viewOf(bytes);
    const own = (view.getUint32(0, true) >> 8) & 7;
    const channel = view.getUint16(8, true);
    const entries = view.getUint32(12, true);
    if (channel !== this.channel.index || entries > MOST_ENTRIES || own < 1) {
      throw this.#fail("Corrupt", "its index leads to something else", {
        offset,
        found: `channel ${channel + 1}, level ${own}, ${entries} entries`,
        expected: `a lookup slot of channel ${this.channel.number}`,
      });
    }
    if (level !== null && own !== level) {
      throw this.#fail("Corrupt", "its index skips a level", {
        offset,
        found: own,
        expected: level,
      });
    }
    for (let i = 0; i < entries && this.#found < this.#blocks.length; i++) {
      const child = wide(view, BLOCK_HEAD_BYTES + 16 * i + 8);
      if (own > 1) await this.#visit(child, own - 1);
      else if (child >= BLOCK_BYTES && child + BLOCK_HEAD_BYTES <= size) {
        this.#blocks[this.#found++] = child;
      } else {
        throw this.#fail("Truncated", "a data block lies past the end of the file", {
          offset: child,
          found: `${size} bytes`,
          expected: `at least ${child + BLOCK_BYTES} bytes`,
        });
      }
    }
  }

  #fail(tag: "Corrupt" | "Truncated", statement: string, details: ErrorDetails): FuseError {
    return new FuseError(tag, `${label(this.channel)}: ${statement}`, {
      source: this.context.source.name,
      ...details,
    });
  }
}
