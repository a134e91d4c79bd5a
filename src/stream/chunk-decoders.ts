/**
 * Turns the stored bytes of one chunk of a {@link ChunkLayout} into plain values: the registry of
 * codec ids. A reader names a codec and its parameters as data; a task asks here for the function.
 */
import { type ErrorPlace, FuseError } from "../errors.ts";
import type { ChunkCodec } from "../model/layout.ts";
import { type DType, sizeOf } from "../model/dtype.ts";

/**
 * Decodes one chunk: little-endian, C order of the chunk shape, always the full chunk (a strip that
 * holds fewer rows is filled up with zeros). `place` says whose bytes these are, for errors.
 *
 * The result may be `encoded` itself or a view of wasm memory: it is valid until the next call of any
 * decoder on the same thread.
 * @throws FuseError `Corrupt`, `Truncated`, `Unsupported` or `Limit`.
 */
export type DecodeChunk = (encoded: Uint8Array, place: ErrorPlace) => Uint8Array;

/** Makes the decoder of one codec for chunks of one shape and element type. */
export type DecoderFactory = (
  codec: ChunkCodec,
  dtype: DType,
  chunkShape: readonly number[],
) => DecodeChunk | Promise<DecodeChunk>;

/** Codec id to factory; the modules are loaded when first needed. */
const FACTORIES: Record<string, () => Promise<DecoderFactory>> = {
  raw: () => Promise.resolve(rawDecoder),
  hdf5: () => import("../../decoders/containers/hdf5/chunk-codec.ts").then((m) => m.hdf5Decoder),
  tiff: () => import("../../decoders/imaging/tiff-chunk.ts").then((m) => m.tiffDecoder),
};

/**
 * The decoder for chunks of `chunkShape` and `dtype` stored with `codec`.
 * @throws FuseError `Unsupported` for a codec id nobody registered, or parameters it cannot decode.
 */
export async function chunkDecoder(
  codec: ChunkCodec,
  dtype: DType,
  chunkShape: readonly number[],
): Promise<DecodeChunk> {
  const load = Object.hasOwn(FACTORIES, codec.id) ? FACTORIES[codec.id] : undefined;
  if (!load) throw new FuseError("Unsupported", "no decoder for this codec", { found: codec.id });
  return await (await load())(codec, dtype, chunkShape);
}

/** Bytes of a decoded chunk. */
export function chunkBytes(dtype: DType, chunkShape: readonly number[]): number {
  return chunkShape.reduce((product, n) => product * n, sizeOf(dtype));
}

/**
 * Uncompressed values in the order of the chunk. Parameters: `littleEndian` (default true),
 * `partial` (default false): fewer bytes than the whole chunk are its first rows, not an error.
 */
const rawDecoder: DecoderFactory = (codec, dtype, chunkShape) => {
  const length = chunkBytes(dtype, chunkShape);
  // The two halves of a complex number are swapped each on its own.
  const width = sizeOf(dtype) / (dtype.startsWith("complex") ? 2 : 1);
  const swap = codec.params.littleEndian === false && width > 1;
  const partial = codec.params.partial === true;
  return (encoded, place) => {
    if (encoded.length < length && !partial) {
      throw new FuseError("Truncated", "the chunk is too short", {
        ...place,
        found: `${encoded.length} bytes`,
        expected: `${length} bytes`,
      });
    }
    if (!swap && encoded.length === length) return encoded;
    if (!swap && encoded.length > length) return encoded.subarray(0, length);
    const out = new Uint8Array(length);
    out.set(encoded.subarray(0, length));
    if (swap) swapBytes(out, width);
    return out;
  };
};

/** Reverses the bytes of every `width`-byte word, in place. */
function swapBytes(bytes: Uint8Array<ArrayBuffer>, width: number): void {
  if (width === 2) {
    const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
    for (let i = 0; i < words.length; i++) words[i] = (words[i] << 8) | (words[i] >>> 8);
    return;
  }
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const turned = (w: number) => (w << 24) | ((w & 0xff00) << 8) | ((w >>> 8) & 0xff00) | (w >>> 24);
  if (width === 4) {
    for (let i = 0; i < words.length; i++) words[i] = turned(words[i]);
    return;
  }
  for (let i = 0; i + 1 < words.length; i += 2) {
    const low = turned(words[i]);
    words[i] = turned(words[i + 1]);
    words[i + 1] = low;
  }
}
