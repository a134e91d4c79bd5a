/** Which stored chunks plain zarr v2 codecs decode as they lie in the file. */
import type { Json } from "../../model/dataset.ts";
import type { DType } from "../../model/dtype.ts";
import type { ChunkCodec } from "../../model/layout.ts";
import { sizeOf } from "../../model/dtype.ts";

/** How a reader of references decodes a chunk; or why it cannot. */
export type NativeCodec =
  | { compressor: Json; filters: Json; bigEndian: boolean }
  | { reason: string };

/** The zarr v2 codecs of one stored codec (numcodecs names). */
export function nativeCodec(codec: ChunkCodec, dtype: DType, chunkShape: number[]): NativeCodec {
  if (codec.id === "raw") {
    return { compressor: null, filters: null, bigEndian: codec.params.littleEndian === false };
  }
  if (codec.id !== "tiff") return { reason: `codec ${codec.id} has no plain equivalent` };
  const p = codec.params as {
    compression: number;
    predictor?: number;
    bits: number;
    samples: number;
    fillOrder?: number;
    bigEndian?: boolean;
    skippedRows?: number;
    storedRows?: number;
  };
  if (p.bits !== sizeOf(dtype) * 8) return { reason: `${p.bits}-bit samples are packed` };
  if (p.samples > 1) return { reason: "samples of a pixel lie interleaved" };
  if ((p.predictor ?? 1) !== 1) {
    return { reason: `predictor ${p.predictor} has no plain equivalent` };
  }
  if ((p.fillOrder ?? 1) !== 1) return { reason: "bits are in reverse order" };
  if (p.skippedRows || (p.storedRows && p.storedRows !== chunkShape[chunkShape.length - 2])) {
    return { reason: "the last strip is shorter than the others" };
  }
  const bigEndian = p.bigEndian === true;
  if (p.compression === 1) return { compressor: null, filters: null, bigEndian };
  if (p.compression === 8 || p.compression === 32946) {
    return { compressor: { id: "zlib", level: 6 }, filters: null, bigEndian };
  }
  if (p.compression === 50000) {
    return { compressor: { id: "zstd", level: 3 }, filters: null, bigEndian };
  }
  return { reason: `TIFF compression ${p.compression} has no plain equivalent` };
}
