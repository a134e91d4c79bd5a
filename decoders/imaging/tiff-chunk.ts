/** Decodes TIFF tiles and strips in wasm: the codec "tiff" of the chunk decoders. */
import { type ErrorPlace, FuseError, isFuseError } from "../../src/errors.ts";
import type { ChunkCodec } from "../../src/model/layout.ts";
import { type DType, sizeOf } from "../../src/model/dtype.ts";
import type { DecodeChunk } from "../../src/stream/chunk-decoders.ts";
import { loadWasm, type WasmName } from "../wasm/instance.ts";
import { regionsBy } from "../wasm/regions.ts";

/** What a tile or strip needs beside its bytes; values of the TIFF tags of these names. */
export interface TiffChunkParams {
  compression: number;
  predictor?: number;
  /** BitsPerSample: the widest. */
  bits: number;
  /** BitsPerSample of each sample, when they differ. */
  sampleBits?: number[];
  /** SampleFormat. */
  format: number;
  /** Samples interleaved in the chunk: SamplesPerPixel, or 1 for separate planes. */
  samples: number;
  fillOrder?: number;
  bigEndian?: boolean;
  photometric?: number;
  /** Rows the chunk holds when they are fewer than its shape says (last strip). */
  storedRows?: number;
  /** Rows of the strip before the chunk, when the chunk is a band of a strip. */
  skippedRows?: number;
  /** YCbCrSubSampling. */
  subsampling?: [number, number];
  /** T4Options or T6Options. */
  faxOptions?: number;
  /** Second compression inside LERC: 0 none, 1 deflate, 2 zstd. */
  lercInner?: number;
  /** YCbCrCoefficients. */
  luma?: number[];
  /** ReferenceBlackWhite. */
  reference?: number[];
  /** True when the last sample is an alpha channel. */
  alpha?: boolean;
}

/** Compressions of modules that are loaded only for them: JPEG 2000, WebP and PNG; JPEG XL. */
const RARE = new Set([33003, 33004, 33005, 34712, 34927, 50001, 34933]);
const JPEG_XL = new Set([50002, 52546]);

function moduleOf(compression: number): WasmName {
  if (JPEG_XL.has(compression)) return "imaging_jxl";
  return RARE.has(compression) ? "imaging_rare" : "imaging";
}

/** Fixed words of the parameter block; see `params.rs`. */
const WORDS = 32;
/** Word that holds the address of the JPEG tables; their length follows. */
const TABLES = 14;

/** BT.601, the default of YCbCrCoefficients. */
const LUMA = [0.299, 0.587, 0.114];
/** No headroom: the default of ReferenceBlackWhite for RGB; for YCbCr the chroma is centred. */
const REFERENCE = [0, 255, 128, 255, 128, 255];

const regionsOf = regionsBy("params", "tables", "input", "output");

function packParams(
  p: TiffChunkParams,
  width: number,
  rows: number,
  outWidth: number,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(WORDS + (p.sampleBits?.length ?? 0));
  const floats = new Float32Array(words.buffer);
  words.set([
    p.compression,
    p.predictor ?? 1,
    p.bits,
    p.format,
    p.samples,
    p.fillOrder ?? 1,
    p.bigEndian ? 1 : 0,
    p.photometric ?? 1,
    width,
    rows,
    p.storedRows ?? rows,
    p.subsampling?.[0] ?? 1,
    p.subsampling?.[1] ?? 1,
    outWidth,
    0,
    0,
    p.faxOptions ?? 0,
    p.lercInner ?? 0,
  ]);
  floats.set(p.luma ?? LUMA, 18);
  floats.set(p.reference ?? REFERENCE, 21);
  words[27] = p.alpha ? 1 : 0;
  words[28] = p.skippedRows ?? 0;
  words.set(p.sampleBits ?? [], WORDS);
  return words;
}

/** The decoder of one kind of TIFF chunk; `codec.params` is a {@link TiffChunkParams}. */
export async function tiffDecoder(
  codec: ChunkCodec,
  dtype: DType,
  chunkShape: readonly number[],
): Promise<DecodeChunk> {
  const p = codec.params as unknown as TiffChunkParams;
  const module = await loadWasm(moduleOf(p.compression));
  const { params, tables, input, output } = regionsOf(module);
  const width = chunkShape[chunkShape.length - 1];
  const values = chunkShape.reduce((product, n) => product * n, 1);
  const rows = values / (width * p.samples);
  const outLength = values * sizeOf(dtype);
  const words = packParams(p, width, rows, sizeOf(dtype));
  const shared = codec.shared ?? new Uint8Array(0);
  return (encoded: Uint8Array, place: ErrorPlace) => {
    const to = output.reserve(outLength);
    const from = input.put(encoded);
    words[TABLES] = tables.put(shared);
    words[TABLES + 1] = shared.length;
    const block = params.put(new Uint8Array(words.buffer));
    try {
      module.call("tiff_decode", [block, words.length, from, encoded.length, to, outLength], place);
    } catch (cause) {
      if (isFuseError(cause)) throw cause;
      throw new FuseError("Corrupt", "the tile or strip cannot be decoded", { ...place, cause });
    }
    return module.view(to, outLength);
  };
}
