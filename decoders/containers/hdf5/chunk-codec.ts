/** Decodes HDF5 chunks in wasm: the codec "hdf5" of the chunk decoders. */
import type { ErrorPlace } from "../../../src/errors.ts";
import { FuseError, isFuseError } from "../../../src/errors.ts";
import { type DType, sizeOf } from "../../../src/model/dtype.ts";
import type { ChunkCodec } from "../../../src/model/layout.ts";
import type { DecodeChunk } from "../../../src/stream/chunk-decoders.ts";
import { loadWasm, type WasmModule } from "../../wasm/instance.ts";
import { regionsBy } from "../../wasm/regions.ts";
import type { ByteOrder, FloatParts } from "./datatype.ts";

/** How the wanted items of an element are stored: the words 2 to 19 of `params.rs`. */
export interface ItemCoding {
  /** Bytes of a stored element. */
  elementBytes: number;
  /** Byte of the wanted member inside the element. */
  offset: number;
  /** Arrays around an item, outermost first: count and stride in bytes. */
  arrays: { count: number; stride: number }[];
  /** Bytes of a stored item. */
  itemBytes: number;
  /** Bytes of an item in the output. */
  outBytes: number;
  order: ByteOrder;
  /** Bytes that are turned together; absent: those of an item. */
  turnBytes?: number;
  /** An integer in some of the bits. */
  bits?: { offset: number; precision: number; signed: boolean };
  /** A floating-point number that no machine type is. */
  float?: FloatParts;
}

/** Parameters of the codec "hdf5". */
export interface Hdf5ChunkParams {
  /** Filters in the order they were applied, without those the chunk skipped. */
  filters: { id: number; values: number[] }[];
  /** How the elements are stored. */
  coding: ItemCoding;
  /** Fewer bytes are the chunk's first elements, not an error. */
  partial?: boolean;
}

const regionsOf = regionsBy("words", "input", "output");

const ORDERS: ByteOrder[] = ["little", "big", "vax"];

/** The parameter block of `params.rs`; without a coding the unfiltered bytes are wanted. */
function packWords(
  filters: { id: number; values: number[] }[],
  rawBytes: number,
  partial: boolean,
  coding?: ItemCoding,
): Uint8Array {
  const c = coding;
  const words = [rawBytes, partial ? 1 : 0, c?.elementBytes ?? 0, c?.offset ?? 0];
  const f = c?.float;
  words.push(f ? 2 : c?.bits ? 1 : 0, c?.itemBytes ?? 0, c?.outBytes ?? 0);
  words.push(c ? ORDERS.indexOf(c.order) : 0, c?.turnBytes ?? c?.itemBytes ?? 0);
  words.push(c?.bits?.offset ?? 0, c?.bits?.precision ?? 0, c?.bits?.signed ? 1 : 0);
  words.push(f?.sign ?? 0, f?.exponent ?? 0, f?.exponentBits ?? 0, f?.mantissa ?? 0);
  words.push(f?.mantissaBits ?? 0, f?.normalisation ?? 0, f?.bias ?? 0);
  words.push(c?.arrays.length ?? 0, ...(c?.arrays ?? []).flatMap((a) => [a.count, a.stride]));
  words.push(filters.length);
  for (const { id, values } of filters) words.push(id, values.length, ...values);
  return new Uint8Array(Uint32Array.from(words).buffer);
}

function run(
  module: WasmModule,
  words: Uint8Array,
  chunk: Uint8Array,
  outLength: number,
  place: ErrorPlace,
): Uint8Array {
  const r = regionsOf(module);
  const to = r.output.reserve(outLength);
  const from = r.input.put(chunk);
  const block = r.words.put(words);
  try {
    const args = [block, words.length / 4, from, chunk.length, to, outLength];
    return module.view(to, module.call("hdf5_decode", args, place));
  } catch (cause) {
    if (isFuseError(cause)) throw cause;
    throw new FuseError("Corrupt", "the chunk cannot be decoded", { ...place, cause });
  }
}

/** The decoder of one kind of chunk; `codec.params` is a {@link Hdf5ChunkParams}. */
export async function hdf5Decoder(
  codec: ChunkCodec,
  dtype: DType,
  chunkShape: readonly number[],
): Promise<DecodeChunk> {
  const { filters, coding, partial = false } = codec.params as unknown as Hdf5ChunkParams;
  const module = await loadWasm("containers");
  const outLength = chunkShape.reduce((n, s) => n * s, sizeOf(dtype));
  const items = coding.arrays.reduce((n, a) => n * a.count, 1);
  const elements = outLength / (items * coding.outBytes);
  const words = packWords(filters, elements * coding.elementBytes, partial, coding);
  return (encoded, place) => run(module, words, encoded, outLength, place);
}

/** A chunk of `length` bytes without its filters, as a copy. */
export async function decodeChunkBytes(
  filters: { id: number; values: number[] }[],
  bytes: Uint8Array,
  length: number,
  place: ErrorPlace,
): Promise<Uint8Array> {
  if (filters.length === 0 && bytes.length === length) return bytes;
  const module = await loadWasm("containers");
  return run(module, packWords(filters, length, false), bytes, length, place).slice();
}

/** Elements of unfiltered bytes as little-endian numbers, as a copy. */
export async function decodeItems(
  coding: ItemCoding,
  bytes: Uint8Array,
  place: ErrorPlace,
): Promise<Uint8Array> {
  const module = await loadWasm("containers");
  const elements = Math.floor(bytes.length / coding.elementBytes);
  const items = coding.arrays.reduce((n, a) => n * a.count, 1);
  const length = elements * items * coding.outBytes;
  return run(
    module,
    packWords([], elements * coding.elementBytes, false, coding),
    bytes,
    length,
    place,
  )
    .slice();
}
