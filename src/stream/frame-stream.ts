/**
 * Frames that come in order and perhaps without a known end (a pipe): decoded as they arrive, so that
 * what has been written by a recorder is through at once.
 */
import type { StreamBlock } from "../model/dataset.ts";
import { allocate } from "../model/dtype.ts";
import type { FrameLayout } from "../model/layout.ts";
import { type ByteSource, truncated } from "../source/source.ts";
import { type FrameGather, Kernels, type WasmBuffer } from "./kernels.ts";
import { WARNINGS_FIELD } from "./stream-task.ts";

/** Bytes decoded at a time, at most. */
const BATCH_BYTES = 1 << 20;

/** Where the frames are, and what they hold. */
export interface FramePass {
  source: ByteSource;
  /** Byte offset of the first frame. */
  offset: number;
  frameBytes: number;
  /** Null: up to the end of the source. */
  frameCount: number | null;
  layout: Omit<FrameLayout, "kind" | "table">;
  /** Field under which the samples are given. */
  field: string;
  signal?: AbortSignal;
}

/**
 * The samples of all channels, in blocks as they arrive.
 * @throws FuseError `Truncated` when a known number of frames does not come.
 */
export function frameStream(pass: FramePass): ReadableStream<StreamBlock> {
  const blocks = frameBlocks(pass);
  return new ReadableStream<StreamBlock>({
    async pull(controller) {
      const { done, value } = await blocks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await blocks.return(undefined);
    },
  }, { highWaterMark: 0 });
}

async function* frameBlocks(pass: FramePass): AsyncGenerator<StreamBlock> {
  const { source, offset, frameBytes, frameCount, field } = pass;
  const length = frameCount === null ? undefined : frameCount * frameBytes;
  const decoder = new FrameDecoder(await Kernels.load(), pass);
  let rest = new Uint8Array(0);
  let seen = 0;
  const pieces = source.stream(offset, length, { signal: pass.signal, purpose: "bulk" });
  try {
    for await (const piece of pieces) {
      seen += piece.length;
      let bytes = piece;
      if (rest.length) {
        bytes = new Uint8Array(rest.length + piece.length);
        bytes.set(rest);
        bytes.set(piece, rest.length);
      }
      const whole = bytes.length - bytes.length % frameBytes;
      const step = Math.max(frameBytes, BATCH_BYTES - BATCH_BYTES % frameBytes);
      for (let at = 0; at < whole; at += step) {
        yield decoder.decode(bytes.subarray(at, Math.min(whole, at + step)), offset, field);
      }
      rest = bytes.slice(whole);
    }
  } finally {
    decoder.free();
  }
  if (length !== undefined && seen < length) throw truncated(source, offset, length, seen);
  if (rest.length) {
    yield {
      field: WARNINGS_FIELD,
      values: [
        `the samples end with ${rest.length} bytes of an incomplete frame, which are left out`,
      ],
      count: 1,
    };
  }
}

/** Frames to channel rows, through wasm memory that is kept from block to block. */
class FrameDecoder {
  readonly #gather: FrameGather;
  #input: WasmBuffer | undefined;
  #output: WasmBuffer | undefined;

  constructor(readonly kernels: Kernels, readonly pass: FramePass) {
    const { layout, frameBytes } = pass;
    this.#gather = kernels.gather({ layout, frameBytes, output: "raw" });
  }

  decode(bytes: Uint8Array, offset: number, field: string): StreamBlock {
    const { frameBytes, layout, source } = this.pass;
    const { channelCount, dtype } = this.#gather;
    const count = bytes.length / frameBytes * layout.samplesPerFrame;
    const values = allocate(dtype, channelCount * count);
    this.#input = this.#room(this.#input, bytes.length);
    this.#output = this.#room(this.#output, values.byteLength);
    this.#input.bytes.set(bytes);
    this.#gather.run({
      src: this.#input.ptr,
      srcLength: bytes.length,
      firstSample: 0,
      sampleCount: count,
      dst: this.#output.ptr,
      dstLength: this.#output.length,
      dstStride: count,
    }, { source: source.name, offset });
    new Uint8Array(values.buffer).set(this.#output.bytes.subarray(0, values.byteLength));
    return { field, values, count };
  }

  #room(have: WasmBuffer | undefined, length: number): WasmBuffer {
    if (have && have.length >= length) return have;
    have?.free();
    return this.kernels.alloc(length);
  }

  free(): void {
    this.#input?.free();
    this.#output?.free();
    this.#gather.free();
  }
}
