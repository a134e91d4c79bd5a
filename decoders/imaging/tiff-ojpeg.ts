/**
 * Old-style JPEG (compression 6, TIFF 6.0 section 22): the stream is either somewhere in the file as a
 * whole, or its tables are named by tags and the strips hold bare entropy-coded data.
 *
 * Writers followed the section so differently that Technical Note 2 replaced it; what is read here is
 * what libtiff reads.
 */
import { FuseError } from "../../src/errors.ts";
import type { Ifd } from "./tiff-ifd.ts";
import { internTables, type PageKind } from "./tiff-page.ts";
import { Tag } from "./tiff-tags.ts";

/** Old-style compression, and the one whose chunks are whole JPEG streams. */
const OLD_JPEG = 6;
const JPEG = 7;

/** Where a page's only chunk is, when the page is one JPEG stream. */
export interface WholeStream {
  offset: number;
  length: number;
}

/**
 * Finds the stream or the tables of an old-style JPEG page.
 * @returns the place of the whole stream, after making the page one chunk; or undefined, after putting
 * the header its strips lack into `kind.tables`. Pages of other compressions are left alone.
 */
export async function readOldJpeg(ifd: Ifd, kind: PageKind): Promise<WholeStream | undefined> {
  if (kind.compression !== OLD_JPEG) return undefined;
  const whole = await findStream(ifd);
  if (whole) {
    Object.assign(kind, {
      compression: JPEG,
      tiled: false,
      separate: false,
      chunkWidth: kind.width,
      chunkRows: kind.height,
      across: 1,
      down: 1,
    });
    return whole;
  }
  kind.tables = internTables(ifd.file, await buildHeader(ifd, kind));
  return undefined;
}

/** A stream that begins at JPEGInterchangeFormat and holds its scan. */
async function findStream(ifd: Ifd): Promise<WholeStream | undefined> {
  const { window } = ifd.file;
  const offset = await ifd.number(Tag.JPEGInterchangeFormat, 0);
  if (offset < 8 || offset + 4 > window.size) return undefined;
  const head = await window.read(offset, 2);
  if (head[0] !== 0xff || head[1] !== 0xd8) return undefined;
  const strips = await ifd.numbers(Tag.StripOffsets) ?? await ifd.numbers(Tag.TileOffsets) ?? [];
  const counts = await ifd.numbers(Tag.StripByteCounts) ?? await ifd.numbers(Tag.TileByteCounts) ??
    [];
  // The stated length may cover the headers only: the stream goes on to the end of the last strip.
  const ends = strips.map((s, i) => s + (counts[i] ?? 0)).filter((end) => end <= window.size);
  const stated = offset + await ifd.number(Tag.JPEGInterchangeFormatLength, 0);
  const end = Math.min(window.size, Math.max(stated, ...ends));
  return end > offset + 2 ? { offset, length: end - offset } : undefined;
}

/** SOI, tables, frame and scan headers from the JPEG tags; the decoder sets the height of each strip. */
async function buildHeader(ifd: Ifd, kind: PageKind): Promise<Uint8Array> {
  const { window } = ifd.file;
  const process = await ifd.number(Tag.JPEGProc, 1);
  const components = kind.separate ? 1 : kind.samples;
  const out: number[] = [0xff, 0xd8];
  const segment = (code: number, payload: ArrayLike<number>) => {
    out.push(0xff, code, (payload.length + 2) >> 8, (payload.length + 2) & 255);
    out.push(...Array.from(payload));
  };
  const table = async (tag: number, name: string, i: number): Promise<Uint8Array> => {
    const at = (await ifd.numbers(tag))?.[i];
    if (at === undefined) {
      throw new FuseError("Corrupt", "an old-style JPEG page lacks its tables", {
        source: window.source.name,
        format: "tiff",
        offset: ifd.offset,
        field: name,
      });
    }
    if (tag === Tag.JPEGQTables) return await window.read(at, 64, name);
    const counts = await window.read(at, 16, name);
    return await window.read(at, 16 + counts.reduce((a, b) => a + b, 0), name);
  };
  const lossless = process === 14;
  for (let i = 0; i < components; i++) {
    if (!lossless) segment(0xdb, [i, ...await table(Tag.JPEGQTables, "JPEGQTables", i)]);
    segment(0xc4, [i, ...await table(Tag.JPEGDCTables, "JPEGDCTables", i)]);
    if (!lossless) segment(0xc4, [16 + i, ...await table(Tag.JPEGACTables, "JPEGACTables", i)]);
  }
  const restart = await ifd.number(Tag.JPEGRestartInterval, 0);
  if (restart > 0) segment(0xdd, [restart >> 8, restart & 255]);
  const [h, v] = components === 3 && !lossless ? kind.subsampling : [1, 1];
  const frame = [
    kind.bits,
    kind.chunkRows >> 8,
    kind.chunkRows & 255,
    kind.chunkWidth >> 8,
    kind.chunkWidth & 255,
    components,
  ];
  const scan = [components];
  for (let i = 0; i < components; i++) {
    frame.push(i + 1, i === 0 ? h * 16 + v : 0x11, i);
    scan.push(i + 1, lossless ? i * 16 : i * 17);
  }
  const predictor = (await ifd.numbers(517))?.[0] ?? 1;
  segment(lossless ? 0xc3 : 0xc0, frame);
  segment(0xda, lossless ? [...scan, predictor, 0, 0] : [...scan, 0, 63, 0]);
  return Uint8Array.from(out);
}
