/**
 * The hot loops, in wasm: frames to channels, calibration, image halving, Blosc frames, checksums and
 * edges of digital lines. Data stay in wasm memory between the steps; only pointers cross over.
 *
 * A pointer stays valid until its buffer is freed; a *view* of memory only until the next call that
 * may allocate. Take views late and drop them early.
 */
import { loadWasm, newWasm, type WasmModule } from "../../decoders/wasm/instance.ts";
import { type ErrorPlace, FuseError } from "../errors.ts";
import { decodedType, type DType, sizeOf, type StoredType } from "../model/dtype.ts";
import type { FrameLayout } from "../model/layout.ts";

const CODES: Partial<Record<StoredType, number>> = {
  int8: 0,
  uint8: 1,
  int16: 2,
  uint16: 3,
  int24: 4,
  uint24: 5,
  int32: 6,
  uint32: 7,
  int64: 8,
  uint64: 9,
  float32: 10,
  float64: 11,
  alaw: 12,
  mulaw: 13,
  float16: 14,
  complex64: 15,
  complex128: 16,
};

const OUTPUTS = { raw: 0, float32: 1, float64: 2 } as const;
const FILTERS = { none: 0, shuffle: 1, bitshuffle: 2 } as const;

function codeOf(type: DType | StoredType): number {
  const code = type === "bool" ? CODES.uint8 : CODES[type as StoredType];
  if (code === undefined) throw new FuseError("Usage", "no kernel for this type", { found: type });
  return code;
}

/** A piece of wasm memory, aligned to 16 bytes; not cleared. */
export interface WasmBuffer {
  /** Address in wasm memory. */
  readonly ptr: number;
  /** Bytes. */
  readonly length: number;
  /** The bytes; valid until the next allocation in the module. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Gives the memory back; further calls do nothing. */
  free(): void;
}

/** What to gather, and what to make of it. */
export interface GatherSpec {
  /** Where the samples of a frame are. */
  layout: Pick<
    FrameLayout,
    | "stored"
    | "littleEndian"
    | "flipSign"
    | "signMagnitude"
    | "bit"
    | "samplesPerFrame"
    | "channelOffsets"
    | "sampleStride"
    | "sampleOffsets"
  >;
  /** Bytes from one frame to the next. */
  frameBytes: number;
  /** "raw" (the decoded type), or `raw * gain[c] + offset[c]` computed in float64. */
  output: "raw" | "float32" | "float64";
  /** One per channel offset; needed unless `output` is "raw". */
  gain?: ArrayLike<number>;
  /** In physical units, one per channel offset. */
  offset?: ArrayLike<number>;
}

/** One call of a {@link FrameGather}. */
export interface GatherWindow {
  /** Address and length of bytes that begin at a frame's start. */
  src: number;
  /** Bytes of whole frames, and of a last one that may be cut short. */
  srcLength: number;
  /** Sample of the channel, counted from the first frame of `src`. */
  firstSample: number;
  /** Samples of every channel. */
  sampleCount: number;
  /** Address and length of the rows; row `c` begins at element `c * dstStride + dstFirst`. */
  dst: number;
  /** Bytes that may be written to `dst`. */
  dstLength: number;
  /** Elements from one row to the next. */
  dstStride: number;
  /** First element written in each row; 0 when absent. */
  dstFirst?: number;
}

/**
 * How a Blosc frame is made. "bitshuffle" suits samples, pixels and times; label images and digital
 * words, which repeat whole elements, pack smaller and faster with "none".
 */
export interface BloscOptions {
  /** Bytes of an element. */
  typeSize: number;
  /** What is done to a block before it is compressed. */
  filter: keyof typeof FILTERS;
  /** Bytes; 0 or absent: 64 KiB, or 1 MiB for 8-byte columns that pack better so (times). */
  blockSize?: number;
  /** 1 (default) and up: faster and larger. */
  acceleration?: number;
}

/** A band of an image in a bigger buffer; strides are in pixels. */
export interface ImageBand {
  /** Element type of the pixels. */
  dtype: DType;
  /** Pixels in a row. */
  width: number;
  /** Rows; even except in the last band of an image. */
  height: number;
  /** Address of the first pixel. */
  src: number;
  /** Bytes that may be read from `src`. */
  srcLength: number;
  /** Pixels from one source row to the next. */
  srcStride: number;
  /** Address of the first pixel of the smaller image. */
  dst: number;
  /** Bytes that may be written to `dst`. */
  dstLength: number;
  /** Pixels from one row of the smaller image to the next. */
  dstStride: number;
}

/** Changes of digital lines, copied out of wasm memory. */
export interface EdgeList {
  /** Index of the word in which the line changed, from the first word given. */
  index: Uint32Array;
  /** Number of the line. */
  bit: Uint8Array;
  /** The line's new level. */
  level: Uint8Array;
}

/** Order of the words in the block {@link FrameGather} hands to the kernel (`GatherParams`). */
const PARAM = {
  src: 0,
  srcLength: 1,
  frameBytes: 2,
  samplesPerFrame: 3,
  channelOffsets: 4,
  channelCount: 5,
  sampleStride: 6,
  sampleOffsets: 7,
  stored: 8,
  flags: 9,
  magnitudeBits: 10,
  signBit: 11,
  output: 12,
  gains: 13,
  offsets: 14,
  dst: 15,
  dstLength: 16,
  dstStride: 17,
  dstFirst: 18,
  firstSample: 19,
  sampleCount: 20,
} as const;
const PARAM_WORDS = 21;

const WORDS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };

/** A prepared gather: the layout's tables lie in wasm memory until {@link FrameGather.free}. */
export class FrameGather {
  readonly #kernels: Kernels;
  readonly #block: WasmBuffer;
  readonly #params: Uint32Array;
  readonly #paramsAt: number;
  readonly #bit: number | undefined;
  /** Element type of the rows. */
  readonly dtype: DType;
  /** Rows written by a run. */
  readonly channelCount: number;

  /**
   * Puts the layout's tables into wasm memory.
   * @throws FuseError `Usage` when the spec contradicts itself.
   */
  constructor(kernels: Kernels, spec: GatherSpec) {
    const { layout } = spec;
    const n = layout.channelOffsets.length;
    const places = layout.sampleOffsets;
    if (places && places.length !== layout.samplesPerFrame) {
      throw new FuseError("Usage", "sample offsets do not match the samples of a frame", {
        found: places.length,
        expected: layout.samplesPerFrame,
      });
    }
    const calibrated = spec.output !== "raw";
    if (calibrated && (spec.gain?.length !== n || spec.offset?.length !== n)) {
      throw new FuseError("Usage", "a gain and an offset are needed for every channel");
    }
    if (layout.bit !== undefined && (calibrated || !/^uint(8|16|32)$/.test(layout.stored))) {
      throw new FuseError("Usage", "single bits are taken from raw unsigned words only", {
        found: `${layout.stored}, ${spec.output}`,
      });
    }
    this.#bit = layout.bit;
    this.#kernels = kernels;
    this.channelCount = n;
    this.dtype = spec.output !== "raw"
      ? spec.output
      : layout.signMagnitude
      ? "int16"
      : decodedType(layout.stored, layout.flipSign);
    const doubles = calibrated ? 2 * n * 8 : 0;
    const words = PARAM_WORDS + n + (places?.length ?? 0);
    this.#block = kernels.alloc(doubles + words * 4);
    const { ptr } = this.#block;
    const bytes = this.#block.bytes;
    if (calibrated) {
      const values = new Float64Array(bytes.buffer, ptr, 2 * n);
      values.set(spec.gain!, 0);
      values.set(spec.offset!, n);
    }
    this.#paramsAt = ptr + doubles;
    const tables = ptr + doubles + PARAM_WORDS * 4;
    new Uint32Array(bytes.buffer, tables, n).set(layout.channelOffsets);
    if (places) new Uint32Array(bytes.buffer, tables + n * 4, places.length).set(places);
    const p = this.#params = new Uint32Array(PARAM_WORDS);
    p[PARAM.frameBytes] = spec.frameBytes;
    p[PARAM.samplesPerFrame] = layout.samplesPerFrame;
    p[PARAM.channelOffsets] = tables;
    p[PARAM.channelCount] = n;
    p[PARAM.sampleStride] = layout.sampleStride;
    p[PARAM.sampleOffsets] = places ? tables + n * 4 : 0;
    p[PARAM.stored] = codeOf(layout.stored);
    p[PARAM.flags] = (layout.littleEndian ? 0 : 1) | (layout.flipSign ? 2 : 0);
    p[PARAM.magnitudeBits] = layout.signMagnitude?.magnitudeBits ?? 0;
    p[PARAM.signBit] = layout.signMagnitude?.signBit ?? 0;
    p[PARAM.output] = OUTPUTS[spec.output];
    p[PARAM.gains] = calibrated ? ptr : 0;
    p[PARAM.offsets] = calibrated ? ptr + n * 8 : 0;
  }

  /**
   * Writes `sampleCount` values to each row.
   * @throws FuseError `Truncated` when samples lie past the end of `src`.
   */
  run(window: GatherWindow, place: ErrorPlace = {}): void {
    const p = this.#params;
    p[PARAM.src] = window.src;
    p[PARAM.srcLength] = window.srcLength;
    p[PARAM.dst] = window.dst;
    p[PARAM.dstLength] = window.dstLength;
    p[PARAM.dstStride] = window.dstStride;
    p[PARAM.dstFirst] = window.dstFirst ?? 0;
    p[PARAM.firstSample] = window.firstSample;
    p[PARAM.sampleCount] = window.sampleCount;
    new Uint32Array(this.#kernels.wasm.memory.buffer, this.#paramsAt, PARAM_WORDS).set(p);
    this.#kernels.wasm.call("gather_frames", [this.#paramsAt], place);
    if (this.#bit !== undefined) this.#keepBit(this.#bit, window);
  }

  /** Reduces the gathered words to one bit each. */
  #keepBit(bit: number, window: GatherWindow): void {
    const { dst, dstStride, dstFirst = 0, sampleCount } = window;
    const words = WORDS[this.dtype as keyof typeof WORDS];
    for (let c = 0; c < this.channelCount; c++) {
      const at = dst + (c * dstStride + dstFirst) * words.BYTES_PER_ELEMENT;
      const row = new words(this.#kernels.wasm.memory.buffer, at, sampleCount);
      for (let i = 0; i < sampleCount; i++) row[i] = (row[i] >>> bit) & 1;
    }
  }

  /** Gives the tables back. */
  free(): void {
    this.#block.free();
  }
}

/** The kernels of one wasm instance. Not shared between threads. */
export class Kernels {
  /** Wraps a loaded `chunk_codecs` module. */
  constructor(readonly wasm: WasmModule) {}

  /** This thread's shared instance. */
  static async load(): Promise<Kernels> {
    return new Kernels(await loadWasm("chunk_codecs"));
  }

  /** An instance with a memory of its own, given back when dropped. */
  static async fresh(): Promise<Kernels> {
    return new Kernels(await newWasm("chunk_codecs"));
  }

  /**
   * A new buffer.
   * @throws FuseError `Limit` when wasm memory cannot grow so far.
   */
  alloc(length: number): WasmBuffer {
    const { wasm } = this;
    const ptr = wasm.alloc(length);
    let live = true;
    return {
      ptr,
      length,
      get bytes() {
        return wasm.view(ptr, length);
      },
      free() {
        if (live) wasm.free(ptr, length);
        live = false;
      },
    };
  }

  /** Copies bytes into a new buffer. */
  put(bytes: Uint8Array): WasmBuffer {
    const buffer = this.alloc(bytes.length);
    buffer.bytes.set(bytes);
    return buffer;
  }

  /** Copies bytes out of wasm memory. */
  take(ptr: number, length: number): Uint8Array<ArrayBuffer> {
    return this.wasm.memory.slice(ptr, ptr + length);
  }

  /** Prepares the de-interleaving of a frame layout. */
  gather(spec: GatherSpec): FrameGather {
    return new FrameGather(this, spec);
  }

  /**
   * Decoded values to calibrated ones: `raw * gain + offset` in float64, rounded once.
   * @throws FuseError `Unsupported` for types that are not real numbers.
   */
  calibrate(
    from: { dtype: DType; ptr: number; count: number },
    to: { dtype: "float32" | "float64"; ptr: number },
    gain: number,
    offset: number,
  ): void {
    const { count } = from;
    this.wasm.call("calibrate_values", [
      from.ptr,
      count * sizeOf(from.dtype),
      codeOf(from.dtype),
      count,
      gain,
      offset,
      OUTPUTS[to.dtype],
      to.ptr,
      count * sizeOf(to.dtype),
    ]);
  }

  /**
   * Halves a band of an image to `ceil(height / 2)` rows of `ceil(width / 2)` pixels: "mean" of the
   * pixels that exist (integers rounded half up), or the "first" (top left) for labels.
   */
  downsample2x2(band: ImageBand, method: "mean" | "first"): void {
    this.wasm.call("downsample2x2", [
      band.src,
      band.srcLength,
      codeOf(band.dtype),
      method === "mean" ? 0 : 1,
      band.width,
      band.height,
      band.srcStride,
      band.dstStride,
      band.dst,
      band.dstLength,
    ]);
  }

  /** Bytes that hold any Blosc frame of `length` bytes. */
  bloscBound(length: number): number {
    return length + 16;
  }

  /** Makes one Blosc 1 frame (lz4 inside) in `dst`; returns its length. */
  bloscEncode(
    src: number,
    length: number,
    dst: number,
    capacity: number,
    options: BloscOptions,
  ): number {
    return this.wasm.call("blosc_encode", [
      src,
      length,
      dst,
      capacity,
      options.typeSize,
      FILTERS[options.filter],
      options.blockSize ?? 0,
      options.acceleration ?? 1,
    ]);
  }

  /** Bytes a Blosc frame decodes to. */
  bloscDecodedLength(src: number, length: number, place: ErrorPlace = {}): number {
    return this.wasm.call("blosc_decoded_length", [src, length], place);
  }

  /**
   * Decodes a Blosc 1 frame; returns the bytes written.
   * @throws FuseError `Unsupported` for frames with another compressor than lz4 inside.
   */
  bloscDecode(
    src: number,
    length: number,
    dst: number,
    capacity: number,
    place: ErrorPlace = {},
  ): number {
    return this.wasm.call("blosc_decode", [src, length, dst, capacity], place);
  }

  /** {@link Kernels.bloscEncode} of bytes outside wasm memory. */
  bloscEncodeBytes(bytes: Uint8Array, options: BloscOptions): Uint8Array<ArrayBuffer> {
    const src = this.put(bytes);
    try {
      const dst = this.alloc(this.bloscBound(bytes.length));
      try {
        return this.take(
          dst.ptr,
          this.bloscEncode(src.ptr, bytes.length, dst.ptr, dst.length, options),
        );
      } finally {
        dst.free();
      }
    } finally {
      src.free();
    }
  }

  /** {@link Kernels.bloscDecode} of bytes outside wasm memory; `limit` bounds the decoded length. */
  bloscDecodeBytes(
    bytes: Uint8Array,
    limit: number,
    place: ErrorPlace = {},
  ): Uint8Array<ArrayBuffer> {
    const src = this.put(bytes);
    try {
      const length = this.bloscDecodedLength(src.ptr, bytes.length, place);
      if (length > limit) {
        throw new FuseError("Limit", "a compressed chunk decodes to more than it may", {
          ...place,
          found: `${length} bytes`,
          expected: `at most ${limit}`,
        });
      }
      const dst = this.alloc(length);
      try {
        this.bloscDecode(src.ptr, bytes.length, dst.ptr, length, place);
        return this.take(dst.ptr, length);
      } finally {
        dst.free();
      }
    } finally {
      src.free();
    }
  }

  /** CRC-32C of `length` bytes at `ptr`, continued from `seed` (the checksum of what came before). */
  crc32c(ptr: number, length: number, seed = 0): number {
    return this.wasm.exports.crc32c(ptr, length, seed) >>> 0;
  }

  /** CRC-32C of bytes outside wasm memory. */
  crc32cBytes(bytes: Uint8Array, seed = 0): number {
    return this.wasm.with(bytes, (ptr) => this.crc32c(ptr, bytes.length, seed));
  }

  /** Reverses the bytes of each `unit`-byte word in place. */
  byteswap(ptr: number, length: number, unit: number): void {
    this.wasm.call("byteswap", [ptr, length, unit]);
  }

  /**
   * Calls `emit` with the changes of the lines in `mask` between `previous` and the `count` words at
   * `ptr` (aligned; little endian), in batches of at most `batch` changes.
   */
  findEdges(
    ptr: number,
    count: number,
    wordBytes: 1 | 2 | 4,
    previous: number,
    mask: number,
    emit: (edges: EdgeList) => void,
    batch = 65_536,
  ): void {
    const room = Math.max(32, batch);
    const out = this.alloc(room * 6 + 4);
    const [index, bit, level, consumedAt] = [
      out.ptr + 4,
      out.ptr + 4 + room * 4,
      out.ptr + 4 + room * 5,
      out.ptr,
    ];
    try {
      let done = 0, last = previous;
      while (done < count) {
        const found = this.wasm.call("find_edges", [
          ptr + done * wordBytes,
          count - done,
          wordBytes,
          last,
          mask,
          index,
          bit,
          level,
          room,
          consumedAt,
        ]);
        const view = new DataView(this.wasm.memory.buffer);
        const consumed = view.getUint32(consumedAt, true);
        if (found > 0) {
          const indices = new Uint32Array(this.wasm.memory.buffer, index, found).slice();
          if (done > 0) { for (let i = 0; i < found; i++) indices[i] += done; }
          emit({ index: indices, bit: this.take(bit, found), level: this.take(level, found) });
        }
        done += consumed;
        if (done < count) last = wordAt(view, ptr + (done - 1) * wordBytes, wordBytes);
      }
    } finally {
      out.free();
    }
  }
}

function wordAt(view: DataView, at: number, bytes: 1 | 2 | 4): number {
  if (bytes === 1) return view.getUint8(at);
  return bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
}
