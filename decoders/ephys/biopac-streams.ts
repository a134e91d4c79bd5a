/** Forward passes over AcqKnowledge data that no frame pattern describes. */
import { FuseError } from "../../src/errors.ts";
import type { StreamBlock } from "../../src/model/dataset.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { InterleaveWalk } from "./biopac-interleave.ts";
import type { ChannelHeader } from "./biopac-headers.ts";
import type { CompressedChannel } from "./biopac-snapshots.ts";

/** A channel and the type its blocks are to have. */
export interface StreamChannel {
  header: ChannelHeader;
  field: string;
  /** "float64" also for integer samples that share an array with floats. */
  blockType: "int16" | "float64";
}

/** Samples of a channel's block at most. */
const BLOCK_SAMPLES = 1 << 16;
/** Compressed bytes inflated at once: deflate makes at most 1032 bytes of one, all of them one chunk. */
const PIECE_BYTES = 1 << 13;
/** Samples of all channels' blocks together, for files of very many channels. */
const ALL_SAMPLES = 1 << 22;

/** The chunks of a byte stream, for `for await` in engines whose streams are not iterable. */
async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let finished = false;
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
    finished = true;
  } finally {
    if (!finished) await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

/** A stream of what a generator yields, pulled one item at a time. */
export function streamOf<T>(items: AsyncGenerator<T>): ReadableStream<T> {
  return new ReadableStream<T>({
    async pull(controller) {
      const { done, value } = await items.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await items.return(undefined);
    },
  }, { highWaterMark: 0 });
}

/** Inflates the samples of one channel, block by block. */
export async function* inflateChannel(
  source: ByteSource,
  data: CompressedChannel,
  channel: StreamChannel,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  const { sampleBytes, name } = channel.header;
  let carry = new Uint8Array(0), total = 0;
  const damaged = (statement: string, cause?: unknown) =>
    new FuseError("Corrupt", `${statement} of channel "${name}"`, {
      source: source.name,
      format: "acq",
      offset: data.offset,
      found: `${total} bytes`,
      expected: `${data.rawBytes} bytes`,
      cause,
    });
  const compressed = source.stream(data.offset, data.lengthBytes, { purpose: "bulk", signal });
  // What goes wrong in the source must not be taken for damaged data.
  let sourceError: unknown;
  const watched = streamOf((async function* () {
    try {
      for await (const chunk of chunksOf(compressed)) {
        for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
          yield chunk.subarray(at, at + PIECE_BYTES) as Uint8Array<ArrayBuffer>;
        }
      }
    } catch (error) {
      sourceError = error;
      throw error;
    }
  })());
  const chunks = chunksOf(watched.pipeThrough(new DecompressionStream("deflate")));
  while (true) {
    let item: IteratorResult<Uint8Array>;
    try {
      item = await chunks.next();
    } catch (error) {
      signal?.throwIfAborted();
      throw sourceError ?? damaged("the zlib stream is damaged: data", error);
    }
    if (item.done) break;
    const bytes = item.value;
    total += bytes.length;
    if (total > data.rawBytes) {
      await chunks.return(undefined);
      throw damaged("the zlib stream holds more than its header says: data");
    }
    // A sample may lie across two chunks.
    const joined = carry.length > 0 ? join(carry, bytes) : bytes;
    const count = Math.floor(joined.length / sampleBytes);
    carry = joined.slice(count * sampleBytes);
    if (count === 0) continue;
    const values = littleEndianValues(joined.slice(0, count * sampleBytes), channel);
    yield { field: channel.field, values, count };
  }
  if (total !== data.rawBytes) throw damaged("the zlib stream ends too early: data");
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** Samples of a buffer of their own (engines that run this are little-endian, as the samples are). */
function littleEndianValues(bytes: Uint8Array, channel: StreamChannel): Int16Array | Float64Array {
  if (channel.header.sampleBytes === 8) return new Float64Array(bytes.buffer);
  const integers = new Int16Array(bytes.buffer);
  return channel.blockType === "int16" ? integers : Float64Array.from(integers);
}

/** Samples of one channel, collected into blocks. */
class Block {
  #values: Int16Array | Float64Array;
  #length = 0;

  constructor(readonly channel: StreamChannel, readonly capacity: number) {
    this.#values = this.#fresh();
  }

  #fresh(): Int16Array | Float64Array {
    return this.channel.blockType === "int16"
      ? new Int16Array(this.capacity)
      : new Float64Array(this.capacity);
  }

  push(value: number): StreamBlock | undefined {
    this.#values[this.#length++] = value;
    return this.#length === this.capacity ? this.flush() : undefined;
  }

  flush(): StreamBlock | undefined {
    if (this.#length === 0) return undefined;
    const values = this.#values.subarray(0, this.#length);
    this.#values = this.#fresh();
    this.#length = 0;
    return { field: this.channel.field, values, count: values.length };
  }
}

/** Takes interleaved samples apart in one pass, for channels of very different lengths. */
export async function* deinterleave(
  source: ByteSource,
  offset: number,
  channels: StreamChannel[],
  littleEndian: boolean,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  const capacity = Math.max(
    64,
    Math.min(BLOCK_SAMPLES, Math.floor(ALL_SAMPLES / channels.length)),
  );
  const blocks = channels.map((c) => new Block(c, Math.min(capacity, c.header.sampleCount)));
  const widths = channels.map((c) => c.header.sampleBytes);
  const length = channels.reduce((n, c) => n + c.header.sampleCount * c.header.sampleBytes, 0);
  const walk = new InterleaveWalk(channels.map((c) => c.header));
  const carry = new Uint8Array(8);
  let channel = walk.next(), kept = 0;
  for await (const bytes of chunksOf(source.stream(offset, length, { purpose: "bulk", signal }))) {
    const view = viewOf(bytes);
    let at = 0;
    while (channel >= 0) {
      const width = widths[channel];
      let value: number;
      if (kept > 0 || at + width > bytes.length) {
        while (kept < width && at < bytes.length) carry[kept++] = bytes[at++];
        if (kept < width) break;
        value = sampleAt(viewOf(carry), 0, width, littleEndian);
        kept = 0;
      } else {
        value = sampleAt(view, at, width, littleEndian);
        at += width;
      }
      const full = blocks[channel].push(value);
      if (full) yield full;
      channel = walk.next();
    }
  }
  if (channel >= 0) {
    throw new FuseError("Truncated", "the data end too early", {
      source: source.name,
      format: "acq",
      offset,
      expected: `${length} bytes`,
    });
  }
  for (const block of blocks) {
    const last = block.flush();
    if (last) yield last;
  }
}

/** One stored sample: 2 bytes are an integer, 8 a double. */
export function sampleAt(
  view: DataView,
  at: number,
  sampleBytes: number,
  littleEndian: boolean,
): number {
  return sampleBytes === 2 ? view.getInt16(at, littleEndian) : view.getFloat64(at, littleEndian);
}
