/** Which stored chunks plain zarr v2 codecs (those of numcodecs) decode as they lie in the file. */
import type { Json } from "../../model/dataset.ts";
import { type DType, sizeOf } from "../../model/dtype.ts";
import type { ChunkCodec } from "../../model/layout.ts";

/** How a reader of references decodes a chunk. */
export interface NativeCodec {
  /** Codec of the bytes; null for none. */
  compressor: Record<string, Json> | null;
  /** Filters in the order they were applied. */
  filters: Record<string, Json>[];
  /** Most significant byte first. */
  bigEndian: boolean;
  /** Bytes at the end of the stored chunk that belong to no codec (a checksum). */
  trim: number;
  /** The chunk decodes to fewer bytes than its shape says. */
  short: boolean;
  /** Samples of a pixel that lie interleaved: the channel axis is the last one. */
  samples: number;
}

/** The zarr v2 codecs of one stored codec; or why there are none. */
export function nativeCodec(codec: ChunkCodec, dtype: DType): NativeCodec | { reason: string } {
  const { params } = codec;
  switch (codec.id) {
    case "raw":
      return plain({
        bigEndian: params.littleEndian === false,
        short: params.partial === true,
      });
    case "hdf5":
      return hdf5Codec(params as unknown as Hdf5Params, dtype);
    case "tiff":
      return tiffCodec(params as unknown as TiffParams, dtype);
    default:
      return { reason: `codec ${codec.id} has no plain equivalent` };
  }
}

function plain(known: Partial<NativeCodec>): NativeCodec {
  return {
    compressor: null,
    filters: [],
    bigEndian: false,
    trim: 0,
    short: false,
    samples: 1,
    ...known,
  };
}

/** Parameters of the codec "hdf5" that matter here. */
interface Hdf5Params {
  filters: { id: number; values: number[] }[];
  coding: {
    elementBytes: number;
    offset: number;
    arrays: { count: number; stride: number }[];
    itemBytes: number;
    outBytes: number;
    order: string;
    bits?: unknown;
    float?: unknown;
  };
  partial?: boolean;
}

/** Compressors of HDF5's Blosc filter by their number (c-blosc's `blosc.h`). */
const BLOSC = ["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"];

const NO_EQUIVALENT: Record<number, string> = {
  4: "szip",
  5: "nbit",
  6: "scaleoffset",
  32000: "lzf",
  32004: "lz4 in frames of HDF5's own",
  32008: "bitshuffle in frames of HDF5's own",
};

function hdf5Codec(
  { filters, coding, partial }: Hdf5Params,
  dtype: DType,
): NativeCodec | { reason: string } {
  const { elementBytes, offset, arrays, itemBytes, outBytes, order, bits, float } = coding;
  let width = itemBytes;
  for (const { count, stride } of [...arrays].reverse()) {
    if (stride !== width) return { reason: "its items do not lie side by side" };
    width *= count;
  }
  if (offset !== 0 || width !== elementBytes) return { reason: "it is a member of a compound" };
  if (bits || float || itemBytes !== outBytes || itemBytes !== sizeOf(dtype) || order === "vax") {
    return { reason: "its numbers are of a type no machine has" };
  }
  const made = plain({ bigEndian: order === "big", short: partial === true });
  for (const [i, { id, values }] of filters.entries()) {
    const last = i === filters.length - 1;
    const found = hdf5Filter(id, values, elementBytes);
    if (found === null) continue;
    // A checksum behind everything else is simply not read.
    if (id === 3 && last) made.trim = 4;
    else if ("reason" in found) return { reason: String(found.reason) };
    else if (last || (i === filters.length - 2 && filters[i + 1].id === 3)) {
      if (id === 2) made.filters.push(found);
      else made.compressor = found;
    } else made.filters.push(found);
  }
  return made;
}

/** One filter as numcodecs has it; null where it does nothing. */
function hdf5Filter(
  id: number,
  values: number[],
  elementBytes: number,
): Record<string, Json> | null {
  switch (id) {
    case 1:
      return { id: "zlib", level: Math.min(values[0] ?? 6, 9) };
    case 2: {
      const elementsize = values[0] || elementBytes;
      return elementsize > 1 ? { id: "shuffle", elementsize } : null;
    }
    case 3:
      return { id: "fletcher32" };
    case 307:
      return { id: "bz2", level: Math.min(Math.max(values[0] ?? 9, 1), 9) };
    case 32001: {
      const cname = BLOSC[values[6] ?? 0];
      if (!cname) return { reason: `compressor ${values[6]} of Blosc is unknown` };
      // numcodecs is built without it.
      if (cname === "snappy") return { reason: "snappy in Blosc has no plain equivalent" };
      return { id: "blosc", cname, clevel: values[4] ?? 5, shuffle: values[5] ?? 1, blocksize: 0 };
    }
    case 32015:
      return { id: "zstd", level: values[0] ?? 3 };
    // Both only rounded the values before they were stored.
    case 32022:
    case 32023:
      return null;
    default:
      return { reason: `${NO_EQUIVALENT[id] ?? `filter ${id}`} has no plain equivalent` };
  }
}

/** Parameters of the codec "tiff" that matter here: values of the tags of these names. */
interface TiffParams {
  compression: number;
  predictor?: number;
  bits: number;
  sampleBits?: number[];
  samples: number;
  fillOrder?: number;
  bigEndian?: boolean;
  photometric?: number;
  skippedRows?: number;
  storedRows?: number;
}

const TIFF_COMPRESSIONS: Record<number, string> = {
  2: "CCITT RLE",
  3: "CCITT fax",
  4: "CCITT fax",
  5: "LZW",
  6: "JPEG",
  7: "JPEG",
  32773: "PackBits",
  34712: "JPEG 2000",
  33003: "JPEG 2000",
  33005: "JPEG 2000",
  50001: "WebP",
  34925: "LZMA",
  34887: "LERC",
};

function tiffCodec(p: TiffParams, dtype: DType): NativeCodec | { reason: string } {
  const compressor = tiffCompressor(p.compression);
  if (compressor === undefined) {
    const name = TIFF_COMPRESSIONS[p.compression] ?? `TIFF compression ${p.compression}`;
    return { reason: `${name} has no plain equivalent` };
  }
  if (p.bits !== sizeOf(dtype) * 8 || p.sampleBits) {
    return { reason: `${p.bits}-bit samples are packed` };
  }
  if (p.photometric === 6) return { reason: "its pixels are stored as luma and chroma" };
  if ((p.predictor ?? 1) !== 1) {
    return { reason: `TIFF predictor ${p.predictor} has no plain equivalent` };
  }
  if ((p.fillOrder ?? 1) !== 1) return { reason: "bits are in reverse order" };
  if (p.skippedRows) return { reason: "one strip holds the whole image" };
  return plain({
    compressor,
    bigEndian: p.bigEndian === true && sizeOf(dtype) > 1,
    short: p.storedRows !== undefined,
    samples: p.samples,
  });
}

/** Null for none, undefined where there is no equivalent. */
function tiffCompressor(compression: number): Record<string, Json> | null | undefined {
  switch (compression) {
    case 1:
      return null;
    case 8:
    case 32946:
      return { id: "zlib", level: 6 };
    case 50000:
      return { id: "zstd", level: 3 };
    default:
      return undefined;
  }
}
