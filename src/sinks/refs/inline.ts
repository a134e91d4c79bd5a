/** Chunks that are kept inside the reference file, stored as the array's other chunks are. */
import { type DType, sizeOf } from "../../model/dtype.ts";
import type { NativeCodec } from "./native-codecs.ts";

/** Largest raw block of a zstd frame (RFC 8878, 3.1.1.2.4). */
const ZSTD_BLOCK = 128 << 10;

/** True when {@link encodeInline} can make chunks of this codec. */
export function canInline({ compressor, filters }: NativeCodec): boolean {
  const known = compressor === null || ["zlib", "zstd", "blosc"].includes(String(compressor.id));
  return known && filters.every((f) => f.id === "shuffle");
}

/**
 * The stored bytes of a chunk, given its values.
 * @param values little-endian, in the order of the stored chunk; not kept
 */
export async function encodeInline(
  values: Uint8Array,
  dtype: DType,
  { compressor, filters, bigEndian }: NativeCodec,
): Promise<Uint8Array> {
  let bytes: Uint8Array = values.slice();
  if (bigEndian) swapWords(bytes, sizeOf(dtype) / (dtype.startsWith("complex") ? 2 : 1));
  for (const filter of filters) bytes = shuffled(bytes, filter.elementsize as number);
  if (compressor?.id === "zlib") return await deflated(bytes);
  if (compressor?.id === "blosc") return bloscStored(bytes, sizeOf(dtype));
  return compressor?.id === "zstd" ? zstdStored(bytes) : bytes;
}

/** A number as the little-endian bytes of an element. */
export function elementBytes(value: number, dtype: DType): Uint8Array {
  const bytes = new Uint8Array(sizeOf(dtype));
  const view = new DataView(bytes.buffer);
  if (dtype === "float32" || dtype === "complex64") view.setFloat32(0, value, true);
  else if (dtype === "float64" || dtype === "complex128") view.setFloat64(0, value, true);
  else if (dtype === "float16") bytes.set(new Uint8Array(Float16Array.of(value).buffer));
  else if (bytes.length === 8) view.setBigInt64(0, BigInt(Math.trunc(value)), true);
  else {
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = Math.floor(Math.trunc(value) / 2 ** (8 * i)) % 256;
    }
  }
  return bytes;
}

/** Reverses the bytes of every word, in place. */
export function swapWords(bytes: Uint8Array, width: number): void {
  for (let at = 0; width > 1 && at + width <= bytes.length; at += width) {
    bytes.subarray(at, at + width).reverse();
  }
}

/** The bytes of all elements, first those of the lowest place. */
export function shuffled(bytes: Uint8Array, width: number): Uint8Array {
  const out = bytes.slice();
  const count = Math.floor(bytes.length / width);
  for (let k = 0, to = 0; k < width; k++) {
    for (let i = 0; i < count; i++) out[to++] = bytes[i * width + k];
  }
  return out;
}

/** A zlib stream. */
export async function deflated(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream()
    .pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A zstd frame of raw blocks, with the length of its content (RFC 8878). */
export function zstdStored(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / ZSTD_BLOCK));
  const out = new Uint8Array(9 + 3 * blocks + bytes.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, 0xfd2fb528, true);
  // One segment, a content size of four bytes.
  out[4] = 0xa0;
  view.setUint32(5, bytes.length, true);
  let at = 9;
  for (let i = 0; i < blocks; i++) {
    const block = bytes.subarray(i * ZSTD_BLOCK, (i + 1) * ZSTD_BLOCK);
    const head = (block.length << 3) | (i === blocks - 1 ? 1 : 0);
    out[at++] = head & 0xff;
    out[at++] = (head >> 8) & 0xff;
    out[at++] = head >> 16;
    out.set(block, at);
    at += block.length;
  }
  return out;
}

/** A Blosc frame that holds its bytes uncompressed (c-blosc, README_HEADER: bit 1 of the flags). */
export function bloscStored(bytes: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(16 + bytes.length);
  out.set([2, 1, 2, Math.min(width, 255)]);
  const view = new DataView(out.buffer);
  view.setUint32(4, bytes.length, true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, out.length, true);
  out.set(bytes, 16);
  return out;
}

/** `base64:...`, as reference files hold bytes. */
export function base64Text(bytes: Uint8Array): string {
  let characters = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    characters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return `base64:${btoa(characters)}`;
}
