/** PCM of five, six and seven bytes, widened to 64 bits in a forward pass: no array type is so wide. */
import type { StreamBlock } from "../../src/model/dataset.ts";
import { type ByteSource, truncated } from "../../src/source/source.ts";
import { WARNINGS_FIELD } from "../../src/stream/stream-task.ts";
import { pullStream } from "./pull-stream.ts";

/** Bytes widened at a time, at most. */
const BATCH_BYTES = 1 << 20;

/** Where the samples are. */
export interface WidePass {
  source: ByteSource;
  /** Byte offset of the first frame. */
  offset: number;
  channels: number;
  sampleBytes: number;
  /** Null: up to the end of the source. */
  frameCount: number | null;
  littleEndian: boolean;
  /** Field under which the samples are given. */
  field: string;
  signal?: AbortSignal;
}

/** The samples of all channels as 64-bit integers of the same value. @throws FuseError `Truncated` */
export function wideSamples(pass: WidePass): ReadableStream<StreamBlock> {
  return pullStream(blocks(pass));
}

async function* blocks(pass: WidePass): AsyncGenerator<StreamBlock> {
  const { source, offset, channels, sampleBytes, frameCount, signal } = pass;
  const frameBytes = channels * sampleBytes;
  const length = frameCount === null ? undefined : frameCount * frameBytes;
  const step = Math.max(frameBytes, BATCH_BYTES - BATCH_BYTES % frameBytes);
  let rest = new Uint8Array(0), seen = 0;
  for await (const piece of source.stream(offset, length, { signal, purpose: "bulk" })) {
    seen += piece.length;
    const bytes = new Uint8Array(rest.length + piece.length);
    bytes.set(rest);
    bytes.set(piece, rest.length);
    const whole = bytes.length - bytes.length % frameBytes;
    for (let at = 0; at < whole; at += step) {
      yield widened(bytes.subarray(at, Math.min(whole, at + step)), pass);
    }
    rest = bytes.slice(whole);
  }
  if (length !== undefined && seen < length) throw truncated(source, offset, length, seen);
  if (rest.length > 0) {
    const lost =
      `the samples end with ${rest.length} bytes of an incomplete frame, which are left out`;
    yield { field: WARNINGS_FIELD, values: [lost], count: 1 };
  }
}

function widened(frames: Uint8Array, pass: WidePass): StreamBlock {
  const { channels, sampleBytes, littleEndian, field } = pass;
  const count = frames.length / (channels * sampleBytes);
  const values = new BigInt64Array(channels * count);
  // Machines this runs on are little-endian.
  const out = new Uint8Array(values.buffer);
  let at = 0;
  for (let frame = 0; frame < count; frame++) {
    for (let channel = 0; channel < channels; channel++) {
      const to = 8 * (channel * count + frame);
      for (let i = 0; i < sampleBytes; i++) {
        out[to + i] = frames[at + (littleEndian ? i : sampleBytes - 1 - i)];
      }
      if (out[to + sampleBytes - 1] & 0x80) out.fill(0xff, to + sampleBytes, to + 8);
      at += sampleBytes;
    }
  }
  return { field, values, count };
}
