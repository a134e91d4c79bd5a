/**
 * What one image file directory says of its image: size, sample type, compression, and the grid of
 * tiles or strips. Pages that agree in all of it share one {@link PageKind}.
 *
 * Source: TIFF 6.0; Adobe Photoshop TIFF Technical Notes (2002) for predictor 3; SGI's ImageDepth and
 * TileDepth; GDAL's LERC and nodata tags.
 */
import { FuseError } from "../../src/errors.ts";
import type { DType } from "../../src/model/dtype.ts";
import { type Ifd, type IfdEntry, readBytes, type TiffBytes } from "./tiff-ifd.ts";
import { Tag } from "./tiff-tags.ts";

/** Photometric interpretations the reader acts on. */
export const Photometric = { MinIsWhite: 0, MinIsBlack: 1, Rgb: 2, Palette: 3, YCbCr: 6 } as const;

/** Compressions that know predictors: LZW, deflate, LZMA, zstd. Beside others the tag means nothing. */
const PREDICTED = [5, 8, 32946, 50013, 34925, 34926, 50000];

/** Compressions that can be read piece by piece: LZW, deflate, PackBits, LZMA, zstd. */
const SEQUENTIAL = [5, 8, 32946, 50013, 32773, 34925, 34926, 50000];

/** Decoded bytes from which a strip is read in bands. */
const LARGE_STRIP_BYTES = 64 << 20;

/** Rows of a band of a large compressed strip: those of a shard, so that each band is decoded for one. */
export const BAND_ROWS = 4096;

/** True when a page is one compressed strip too large to be held decoded. */
export function isBanded(kind: PageKind): boolean {
  return !kind.tiled && kind.down === 1 && kind.depth === 1 && !subsampled(kind) &&
    SEQUENTIAL.includes(kind.compression) && kind.chunkRows > BAND_ROWS &&
    storedBytes(kind, kind.chunkRows) > LARGE_STRIP_BYTES;
}

/** Everything pages must share to lie in one array, and what their chunks need to be decoded. */
export interface PageKind {
  width: number;
  height: number;
  /** Slices inside the page (SGI ImageDepth). */
  depth: number;
  samples: number;
  /** PlanarConfiguration 2: each sample has chunks of its own. */
  separate: boolean;
  bits: number;
  /** Bits of each sample, when they differ. */
  sampleBits?: number[];
  format: number;
  dtype: DType;
  compression: number;
  predictor: number;
  photometric: number;
  fillOrder: number;
  orientation: number;
  tiled: boolean;
  chunkWidth: number;
  chunkRows: number;
  chunkDepth: number;
  /** Chunks along x, y and z of one sample plane. */
  across: number;
  down: number;
  deep: number;
  subsampling: [number, number];
  extraSamples: number[];
  faxOptions: number;
  lercInner: number;
  luma?: number[];
  reference?: number[];
  tables?: Uint8Array;
  /** The value of pixels GDAL calls absent. */
  noData?: number;
}

/** Chunks of a whole page. */
export function chunkCount(kind: PageKind): number {
  return kind.across * kind.down * kind.deep * (kind.separate ? kind.samples : 1);
}

/** Samples interleaved in one chunk. */
export function chunkSamples(kind: PageKind): number {
  return kind.separate ? 1 : kind.samples;
}

/** Bits of one stored pixel of a chunk. */
export function pixelBits(kind: PageKind): number {
  if (kind.separate) return kind.bits;
  return kind.sampleBits?.reduce((a, b) => a + b, 0) ?? kind.bits * kind.samples;
}

/** True when chroma is stored coarser than luma outside of a JPEG stream. */
export function subsampled(kind: PageKind): boolean {
  return kind.photometric === Photometric.YCbCr && ![6, 7].includes(kind.compression) &&
    kind.samples === 3 && !kind.separate && kind.bits === 8 &&
    kind.subsampling[0] * kind.subsampling[1] > 1;
}

/** Bytes of `rows` rows of a chunk once decompressed. */
export function storedBytes(kind: PageKind, rows: number): number {
  if (subsampled(kind)) {
    const [h, v] = kind.subsampling;
    return Math.ceil(kind.chunkWidth / h) * Math.ceil(rows / v) * (h * v + 2);
  }
  return Math.ceil(kind.chunkWidth * pixelBits(kind) / 8) * rows * kind.chunkDepth;
}

/** The element type of samples of `bits` bits in a SampleFormat; undefined for none of ours. */
export function sampleType(format: number, bits: number): DType | undefined {
  if (format === 1 || format === 4 || format === 2) {
    const sign = format === 2 ? "int" : "uint";
    for (const width of [8, 16, 32, 64]) if (bits <= width) return `${sign}${width}` as DType;
    return undefined;
  }
  if (format === 3) {
    return ({ 16: "float16", 24: "float32", 32: "float32", 64: "float64" } as const)[bits];
  }
  if (format === 5 && bits % 2 === 0) {
    return bits <= 48 ? "complex64" : bits <= 64 ? "complex128" : undefined;
  }
  if (format === 6) return ({ 64: "complex64", 128: "complex128" } as const)[bits];
  return undefined;
}

/** Reads the description of a directory's image. */
export async function readKind(ifd: Ifd): Promise<PageKind> {
  const source = ifd.file.window.source.name;
  const fail = (
    tag: "Corrupt" | "Unsupported",
    statement: string,
    field: string,
    found: unknown,
    expected?: unknown,
  ) =>
    new FuseError(tag, statement, {
      source,
      format: "tiff",
      offset: ifd.offset,
      field,
      found,
      expected,
    });
  const positive = async (tag: number, name: string, otherwise?: number): Promise<number> => {
    const value = await ifd.number(tag) ?? otherwise;
    if (value === undefined) {
      throw fail("Corrupt", "a page lacks a required field", name, "nothing");
    }
    if (!Number.isInteger(value) || value < 1 || value > 0x7fffffff) {
      throw fail("Corrupt", "a page has no sensible size", name, value, "1 to 2147483647");
    }
    return value;
  };

  const width = await positive(Tag.ImageWidth, "ImageWidth");
  const height = await positive(Tag.ImageLength, "ImageLength");
  const depth = await positive(Tag.ImageDepth, "ImageDepth", 1);
  const samples = await positive(Tag.SamplesPerPixel, "SamplesPerPixel", 1);
  if (samples > 65_535) throw fail("Corrupt", "too many samples", "SamplesPerPixel", samples);
  const allBits = await ifd.numbers(Tag.BitsPerSample) ?? [1];
  const formats = await ifd.numbers(Tag.SampleFormat) ?? [1];
  const planar = await ifd.number(Tag.PlanarConfiguration, 1);
  if (planar !== 1 && planar !== 2) {
    throw fail("Corrupt", "unknown PlanarConfiguration", "PlanarConfiguration", planar, "1 or 2");
  }
  const used = allBits.slice(0, samples);
  const bits = Math.max(...used);
  const mixed = used.length === samples && used.some((b) => b !== bits);
  const format = formats[0] === 0 ? 1 : formats[0];
  if (formats.slice(0, samples).some((f) => f !== formats[0])) {
    throw fail("Unsupported", "samples of different kinds in one pixel", "SampleFormat", formats);
  }
  const dtype = sampleType(format, bits);
  if (!dtype || used.some((b) => b < 1)) {
    throw fail(
      bits < 1 || bits > 128 ? "Corrupt" : "Unsupported",
      "no element type for these samples",
      "BitsPerSample, SampleFormat",
      `${bits} bits, format ${format}`,
    );
  }
  if (mixed && (planar === 2 || bits > 32)) {
    throw fail("Unsupported", "samples of different depths", "BitsPerSample", used.join(","));
  }

  const tiled = ifd.has(Tag.TileWidth) || ifd.has(Tag.TileOffsets);
  const chunkWidth = tiled ? await positive(Tag.TileWidth, "TileWidth") : width;
  const chunkRows = tiled
    ? await positive(Tag.TileLength, "TileLength")
    : Math.min(height, await ifd.number(Tag.RowsPerStrip, height) || height);
  const chunkDepth = tiled ? await positive(Tag.TileDepth, "TileDepth", 1) : 1;
  const subsampling = await ifd.numbers(Tag.YCbCrSubSampling, 2) ?? [2, 2];
  const photometric = await ifd.number(Tag.Photometric, samples >= 3 ? Photometric.Rgb : 1);
  const lerc = await ifd.numbers(Tag.LercParameters, 2);
  const noData = Number.parseFloat(await ifd.text(Tag.GdalNoData, 4096) ?? "");
  const compression = await ifd.number(Tag.Compression, 1);
  if ((compression === 6 || compression === 7) && planar === 1 && samples > 4) {
    throw fail(
      "Corrupt",
      "more samples than a JPEG picture has",
      "SamplesPerPixel",
      samples,
      "1 to 4",
    );
  }
  return {
    width,
    height,
    depth,
    samples,
    separate: planar === 2 && samples > 1,
    bits,
    sampleBits: mixed ? used : undefined,
    format,
    dtype,
    compression,
    predictor: PREDICTED.includes(compression) ? await ifd.number(Tag.Predictor, 1) || 1 : 1,
    photometric,
    fillOrder: await ifd.number(Tag.FillOrder, 1),
    orientation: await ifd.number(Tag.Orientation, 1),
    tiled,
    chunkWidth,
    chunkRows,
    chunkDepth,
    across: Math.ceil(width / chunkWidth),
    down: Math.ceil(height / chunkRows),
    deep: Math.ceil(depth / chunkDepth),
    subsampling: photometric === Photometric.YCbCr
      ? [Math.max(1, subsampling[0]), Math.max(1, subsampling[1] ?? subsampling[0])]
      : [1, 1],
    extraSamples: await ifd.numbers(Tag.ExtraSamples, 64) ?? [],
    faxOptions: await ifd.number(Tag.T4Options) ?? await ifd.number(Tag.T6Options, 0),
    lercInner: lerc?.[1] ?? 0,
    luma: await ifd.numbers(Tag.YCbCrCoefficients, 3),
    reference: await ifd.numbers(Tag.ReferenceBlackWhite, 6),
    tables: await sharedTables(ifd),
    noData: Number.isNaN(noData) ? undefined : noData,
  };
}

/** Bytes JPEG tables may have: four of each kind are less than 3 kB. */
const MOST_TABLE_BYTES = 1 << 16;

interface KnownTables {
  at: Map<number, Uint8Array>;
  same: Map<string, Uint8Array>;
}

/** A file's JPEG tables by place and by content: thousands of pages share a few. */
const tablesOf = new WeakMap<TiffBytes, KnownTables>();
const numberOf = new WeakMap<Uint8Array, number>();
let tablesSeen = 0;

/** JPEGTables of a page: the same array for equal tables. */
async function sharedTables(ifd: Ifd): Promise<Uint8Array | undefined> {
  const entry = ifd.entries.get(Tag.JPEGTables);
  if (!entry) return undefined;
  const there = tablesOf.get(ifd.file)?.at.get(entry.at);
  if (there) return there;
  const tables = internTables(
    ifd.file,
    (await readBytes(ifd.file, entry, MOST_TABLE_BYTES)).slice(),
  );
  tablesOf.get(ifd.file)!.at.set(entry.at, tables);
  return tables;
}

/** The array of a file that has the same content: pages that share tables are of one kind. */
export function internTables(file: TiffBytes, bytes: Uint8Array): Uint8Array {
  let known = tablesOf.get(file);
  if (!known) tablesOf.set(file, known = { at: new Map(), same: new Map() });
  const content = decodeBinary(bytes);
  const tables = known.same.get(content) ?? bytes;
  known.same.set(content, tables);
  return tables;
}

function decodeBinary(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  }
  return text;
}

/** A text that is equal for equal kinds. */
export function kindKey(kind: PageKind): string {
  return JSON.stringify(kind, (_, value) => {
    if (!(value instanceof Uint8Array)) return value;
    if (!numberOf.has(value)) numberOf.set(value, ++tablesSeen);
    return numberOf.get(value);
  });
}

/** One image of the file. */
export interface TiffPage {
  /** Place in the chain; sub-directories have the place of their parent. */
  index: number;
  /** Byte offset of its directory. */
  offset: number;
  kind: PageKind;
  /** NewSubfileType: bit 0 reduced resolution, bit 1 one page of many, bit 2 mask. */
  subfile: number;
  /** Place of its first chunk in the file's chunk tables. */
  firstChunk: number;
  subPages: TiffPage[];
  description?: IfdEntry;
}
