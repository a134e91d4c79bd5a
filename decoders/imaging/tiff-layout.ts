/**
 * From pages to the chunk table of an image: which tile or strip, at which byte, is which part of the
 * array, and how it is decoded.
 */
import { FuseError } from "../../src/errors.ts";
import type { ImageLevel, ImageSeries } from "../../src/model/dataset.ts";
import { sizeOf } from "../../src/model/dtype.ts";
import type { ChunkCodec } from "../../src/model/layout.ts";
import type { TiffChunkParams } from "./tiff-chunk.ts";
import { mostDecoded } from "./tiff-compressions.ts";
import type { TiffFile } from "./tiff-file.ts";
import {
  BAND_ROWS,
  chunkSamples,
  isBanded,
  type PageKind,
  pixelBits,
  storedBytes,
  subsampled,
  type TiffPage,
} from "./tiff-page.ts";

/** One 2-D image (of one or more samples, one or more slices) at its place in an array. */
export interface Plane {
  tiff: TiffFile;
  /** Index into `Dataset.sources`. */
  source: number;
  page: TiffPage;
  /** Uncompressed planes that follow the page's own without directories: bytes to add. */
  shift?: number;
}

/** Sizes of the outer axes; `c` counts planes, each of which may hold several samples. */
export interface OuterSizes {
  t: number;
  c: number;
  z: number;
}

/** Bytes of a band an uncompressed image is cut into. */
const BAND_BYTES = 4 << 20;
/** Bytes a tile or strip may claim to decode to whatever its length. */
const FREE_BYTES = 1 << 20;
/** Entries one chunk table may have. */
const MOST_CHUNKS = 1 << 26;

/** The axes that exist: those longer than 1, and y and x always. */
export function axesOf(outer: OuterSizes, kind: PageKind): ImageSeries["axes"] {
  const axes: ImageSeries["axes"] = [];
  if (outer.t > 1) axes.push("t");
  if (outer.c * kind.samples > 1) axes.push("c");
  if (outer.z * kind.depth > 1) axes.push("z");
  return [...axes, "y", "x"];
}

/** True when two pages can lie in the same array. */
export function sameShape(a: PageKind, b: PageKind): boolean {
  return a.width === b.width && a.height === b.height && a.depth === b.depth &&
    a.samples === b.samples && a.dtype === b.dtype;
}

/** True when the chunks of two pages make one grid. */
export function sameGrid(a: PageKind, b: PageKind): boolean {
  return a.separate === b.separate && a.chunkWidth === b.chunkWidth &&
    a.chunkRows === b.chunkRows && a.chunkDepth === b.chunkDepth;
}

/** The grid of chunks all planes of an image share. */
interface Cut {
  width: number;
  rows: number;
  depth: number;
  across: number;
  down: number;
  deep: number;
  /** Bytes from one band to the next, when uncompressed strips are cut anew. */
  bandBytes?: number;
  /** Bands are parts of one compressed strip: each is decoded from the strip's start. */
  inStrip?: boolean;
}

/**
 * The chunk table of one resolution.
 * @param planes in C order of `[t][c][z]`; null where the image has no such plane (it reads as the fill value).
 * @throws FuseError `Unsupported` when the planes do not fit together, `Limit` for absurd sizes.
 */
export function buildLevel(
  planes: (Plane | null)[],
  outer: OuterSizes,
  axes: ImageSeries["axes"],
): ImageLevel {
  const present = planes.filter((p) => p !== null);
  const { kind } = present[0].page;
  const place = { source: present[0].tiff.source.name, format: "tiff" };
  for (const plane of present) {
    if (!sameShape(kind, plane.page.kind)) {
      throw new FuseError("Unsupported", "planes of one image differ in size or type", {
        ...place,
        offset: plane.page.offset,
        found: describe(plane.page.kind),
        expected: describe(kind),
      });
    }
  }
  const cut = bandCut(present, kind) ?? stripCut(present, kind) ?? nativeCut(present, kind, place);
  const groups = kind.separate ? kind.samples : 1;
  const grid = {
    t: outer.t,
    c: outer.c * groups,
    z: outer.z * cut.deep,
    y: cut.down,
    x: cut.across,
  };
  const total = grid.t * grid.c * grid.z * grid.y * grid.x;
  if (total > MOST_CHUNKS) {
    throw new FuseError("Limit", "an image has too many tiles or strips", {
      ...place,
      found: total,
      expected: `at most ${MOST_CHUNKS}`,
    });
  }
  const source = new Int32Array(total).fill(-1);
  const offset = new Float64Array(total);
  const length = new Float64Array(total);
  const codec = new Uint16Array(total);
  const codecs = new CodecList(kind, cut);
  let at = 0;
  for (let t = 0; t < outer.t; t++) {
    for (let c = 0; c < outer.c; c++) {
      for (let group = 0; group < groups; group++) {
        for (let z = 0; z < outer.z; z++) {
          const plane = planes[(t * outer.c + c) * outer.z + z];
          for (let k = 0; k < cut.deep; k++) {
            for (let y = 0; y < cut.down; y++) {
              for (let x = 0; x < cut.across; x++, at++) {
                const chunk = plane && chunkOf(plane, cut, group, k, y, x);
                if (!chunk) continue;
                source[at] = plane.source;
                offset[at] = chunk.offset;
                length[at] = chunk.length;
                const skipped = cut.inStrip ? y * cut.rows : 0;
                codec[at] = codecs.index(plane.page.kind, chunk.rows, skipped, plane.tiff);
              }
            }
          }
        }
      }
    }
  }
  const sizes = {
    t: [outer.t, 1],
    c: [outer.c * kind.samples, chunkSamples(kind)],
    z: [outer.z * kind.depth, cut.depth],
    y: [kind.height, cut.rows],
    x: [kind.width, cut.width],
  };
  return {
    shape: axes.map((axis) => sizes[axis][0]),
    layout: {
      kind: "chunks",
      chunkShape: axes.map((axis) => sizes[axis][1]),
      source,
      offset,
      length,
      ...(codecs.list.length > 1 ? { codec } : {}),
      codecs: codecs.list,
      fill: Number.isFinite(kind.noData) || kind.dtype.startsWith("float") ? kind.noData ?? 0 : 0,
    },
  };
}

function describe(kind: PageKind): string {
  return `${kind.width}x${kind.height}x${kind.samples} ${kind.dtype}`;
}

function nativeCut(planes: Plane[], kind: PageKind, place: object): Cut {
  for (const { page } of planes) {
    if (!sameGrid(kind, page.kind)) {
      throw new FuseError("Unsupported", "planes of one image have tiles of different sizes", {
        ...place,
        offset: page.offset,
        found: `${page.kind.chunkWidth}x${page.kind.chunkRows}`,
        expected: `${kind.chunkWidth}x${kind.chunkRows}`,
      });
    }
  }
  return {
    width: kind.chunkWidth,
    rows: kind.chunkRows,
    depth: kind.chunkDepth,
    across: kind.across,
    down: kind.down,
    deep: kind.deep,
  };
}

/** Bands of a strip that is too large to be held decoded. */
function stripCut(planes: Plane[], kind: PageKind): Cut | undefined {
  if (!planes.every(({ page }) => isBanded(page.kind) && page.kind.separate === kind.separate)) {
    return undefined;
  }
  const down = Math.ceil(kind.height / BAND_ROWS);
  return { width: kind.width, rows: BAND_ROWS, depth: 1, across: 1, down, deep: 1, inStrip: true };
}

/**
 * Uncompressed strips that follow each other are cut into bands of whole rows instead: neither a
 * strip for each row nor one strip for the whole image is a good unit of work.
 */
function bandCut(planes: Plane[], kind: PageKind): Cut | undefined {
  const rowBytes = Math.ceil(kind.width * pixelBits(kind) / 8);
  for (const { tiff, page } of planes) {
    const own = page.kind;
    if (own.compression !== 1 || own.tiled || own.depth > 1 || subsampled(own)) return undefined;
    if (own.separate !== kind.separate || own.fillOrder !== kind.fillOrder) return undefined;
    for (let g = 0; g < (own.separate ? own.samples : 1); g++) {
      const first = page.firstChunk + g * own.down;
      if (tiff.offsets.at(first) === 0) return undefined;
      for (let i = first + 1; i < first + own.down; i++) {
        if (tiff.offsets.at(i) !== tiff.offsets.at(i - 1) + tiff.lengths.at(i - 1)) {
          return undefined;
        }
      }
    }
  }
  let rows = kind.height;
  if (rowBytes * rows > BAND_BYTES) {
    rows = 2 ** Math.max(0, Math.floor(Math.log2(BAND_BYTES / rowBytes)));
  }
  return {
    width: kind.width,
    rows,
    depth: 1,
    across: 1,
    down: Math.ceil(kind.height / rows),
    deep: 1,
    bandBytes: rowBytes * rows,
  };
}

/** Where one chunk of a plane lies and how many rows it holds; undefined when it is absent. */
function chunkOf(
  plane: Plane,
  cut: Cut,
  group: number,
  z: number,
  y: number,
  x: number,
): { offset: number; length: number; rows: number } | undefined {
  const { tiff, page, shift = 0 } = plane;
  const { kind } = page;
  const rows = kind.tiled ? cut.rows : Math.min(cut.rows, kind.height - y * cut.rows);
  if (cut.bandBytes !== undefined) {
    const first = tiff.offsets.at(page.firstChunk + group * kind.down) + shift;
    return {
      offset: first + y * cut.bandBytes,
      length: cut.bandBytes / cut.rows * rows,
      rows,
    };
  }
  const row = cut.inStrip ? 0 : y;
  const at = page.firstChunk + ((group * kind.deep + z) * kind.down + row) * kind.across + x;
  const offset = tiff.offsets.at(at);
  if (offset === 0) return undefined;
  const length = kind.compression === 1 ? storedBytes(kind, rows) : tiff.lengths.at(at);
  const decoded = storedBytes(kind, cut.inStrip ? Math.min(kind.chunkRows, kind.height) : rows);
  if (decoded > FREE_BYTES && mostDecoded(kind.compression, length) < decoded) {
    throw new FuseError("Truncated", "a tile or strip is too short for what it decodes to", {
      source: tiff.source.name,
      format: "tiff",
      offset: offset + shift,
      found: `${length} bytes`,
      expected: `${decoded} bytes, compressed`,
    });
  }
  return { offset: offset + shift, length, rows };
}

/** The distinct decoders of a level's chunks. */
class CodecList {
  readonly list: ChunkCodec[] = [];
  #known = new Map<PageKind, Map<string, number>>();

  constructor(readonly kind: PageKind, readonly cut: Cut) {}

  index(kind: PageKind, rows: number, skipped: number, tiff: TiffFile): number {
    let known = this.#known.get(kind);
    if (!known) this.#known.set(kind, known = new Map());
    const key = `${rows} ${skipped} ${tiff.bytes.littleEndian}`;
    let index = known.get(key);
    if (index === undefined) {
      const made = makeCodec(kind, rows, this.cut.rows, tiff.bytes.littleEndian);
      if (skipped > 0) made.params.skippedRows = skipped;
      const text = JSON.stringify([made.id, made.params, [...made.shared ?? []]]);
      index = this.list.findIndex((c) =>
        JSON.stringify([c.id, c.params, [...c.shared ?? []]]) === text
      );
      if (index < 0) {
        if (this.list.length > 0xffff) {
          throw new FuseError("Limit", "an image has too many kinds of tiles or strips", {
            source: tiff.source.name,
            format: "tiff",
            expected: "at most 65536",
          });
        }
        index = this.list.push(made) - 1;
      }
      known.set(key, index);
    }
    return index;
  }
}

/** The decoder of chunks of a kind that hold `rows` of `fullRows` rows. */
export function makeCodec(
  kind: PageKind,
  rows: number,
  fullRows: number,
  littleEndian: boolean,
): ChunkCodec {
  const width = sizeOf(kind.dtype);
  const plain = kind.compression === 1 && chunkSamples(kind) === 1 && kind.bits === width * 8 &&
    kind.format !== 5 && kind.fillOrder === 1 && !subsampled(kind);
  if (plain) {
    const params: Record<string, unknown> = { littleEndian: littleEndian || width === 1 };
    if (rows < fullRows) params.partial = true;
    return { id: "raw", params };
  }
  const params: TiffChunkParams = {
    compression: kind.compression,
    predictor: kind.predictor,
    bits: kind.bits,
    format: kind.format,
    samples: chunkSamples(kind),
    photometric: kind.photometric,
  };
  if (!littleEndian) params.bigEndian = true;
  if (kind.fillOrder !== 1) params.fillOrder = kind.fillOrder;
  if (kind.sampleBits) params.sampleBits = kind.sampleBits;
  if (rows < fullRows) params.storedRows = rows * kind.chunkDepth;
  if (kind.photometric === 6) {
    params.subsampling = kind.subsampling;
    if (kind.luma) params.luma = kind.luma;
    if (kind.reference?.length === 6) params.reference = kind.reference;
  }
  if (kind.faxOptions) params.faxOptions = kind.faxOptions;
  if (kind.lercInner) params.lercInner = kind.lercInner;
  if (kind.extraSamples.some((e) => e === 1 || e === 2)) params.alpha = true;
  return {
    id: "tiff",
    params: params as unknown as Record<string, unknown>,
    ...(kind.tables ? { shared: kind.tables } : {}),
  };
}
