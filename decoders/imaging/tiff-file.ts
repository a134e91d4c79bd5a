/** A TIFF file's pages and the places of their tiles and strips, gathered in packed tables. */
import { DEFAULT_LIMITS, FuseError, isFuseError } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { compressionName, isDecoded } from "./tiff-compressions.ts";
import {
  type Ifd,
  type IfdEntry,
  MOST_IFDS,
  numberAt,
  readHeader,
  readIfd,
  readNumbers,
  type TiffBytes,
  typeBytes,
  walkIfds,
} from "./tiff-ifd.ts";
import {
  BAND_ROWS,
  chunkCount,
  isBanded,
  kindKey,
  type PageKind,
  readKind,
  storedBytes,
  type TiffPage,
} from "./tiff-page.ts";
import { readOldJpeg, type WholeStream } from "./tiff-ojpeg.ts";
import { Tag, tagName } from "./tiff-tags.ts";
import { HeaderWindow } from "./tiff-window.ts";

/** Numbers that are appended one after another. */
export class NumberList {
  #data = new Float64Array(64);
  length = 0;

  push(value: number): void {
    if (this.length === this.#data.length) {
      const grown = new Float64Array(this.length * 2);
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data[this.length++] = value;
  }

  at(index: number): number {
    return this.#data[index];
  }

  set(index: number, value: number): void {
    this.#data[index] = value;
  }
}

/** A parsed file: no sample has been read. */
export interface TiffFile {
  bytes: TiffBytes;
  source: ByteSource;
  /** The first directory, for the fields that describe the whole file. */
  first: Ifd;
  /** Pages of the main chain that hold an image we can describe. */
  pages: TiffPage[];
  /** Byte offset of every chunk of every page; page `p` starts at `p.firstChunk`. 0: absent. */
  offsets: NumberList;
  /** Stored bytes of every chunk. */
  lengths: NumberList;
  warnings: string[];
  leftOut: { what: string; why: string }[];
}

/** What a caller may ask of {@link readTiff}. */
export interface ReadTiffOptions {
  signal?: AbortSignal;
  /** Sees every directory of the main chain while it is at hand, with its place in the chain. */
  visit?: (ifd: Ifd, index: number) => Promise<void> | void;
  /** Mends what a maker is known to get wrong in a page before its chunks are looked up. */
  amend?: (kind: PageKind, ifd: Ifd) => void;
  /** Bytes a decoded chunk may have; {@link DEFAULT_LIMITS} unless given. */
  chunkBytes?: number;
}

/** Reads the header. */
export async function readTiffBytes(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<TiffBytes> {
  const window = new HeaderWindow(source, signal);
  const head = await window.read(0, Math.min(16, window.size));
  return { window, ...readHeader(head, source.name) };
}

/**
 * Reads all directories of a file.
 * @throws FuseError `Corrupt` or `Truncated` when there is no readable image in it.
 */
export async function readTiff(
  source: ByteSource,
  options: ReadTiffOptions = {},
): Promise<TiffFile> {
  const bytes = await readTiffBytes(source, options.signal);
  const file = {
    bytes,
    source,
    pages: [],
    offsets: new NumberList(),
    lengths: new NumberList(),
    warnings: [],
    leftOut: [],
  } as unknown as TiffFile;
  const reading = new PageReading(file, options);
  if (bytes.firstIfd === 0) {
    throw new FuseError("Corrupt", "the file has no image file directory", {
      source: source.name,
      format: "tiff",
      offset: bytes.big ? 8 : 4,
    });
  }
  let index = 0, problem: unknown;
  for await (const ifd of walkIfds(bytes, bytes.firstIfd, (w) => file.warnings.push(w))) {
    options.signal?.throwIfAborted();
    file.first ??= ifd;
    await options.visit?.(ifd, index);
    try {
      if (index > 0 && !ifd.has(Tag.ImageWidth)) {
        file.leftOut.push({ what: `directory ${index}`, why: "it describes no image" });
      } else file.pages.push(await reading.page(ifd, index));
    } catch (error) {
      if (!isFuseError(error, "Unsupported")) throw error;
      problem ??= error;
      file.leftOut.push({ what: `page ${index}`, why: error.message });
    }
    index++;
  }
  if (file.pages.length === 0) throw problem;
  return file;
}

/** Turns directories into pages, sharing equal kinds. */
class PageReading {
  #kinds = new Map<string, PageKind>();
  #seen = new Set<number>();

  constructor(readonly file: TiffFile, readonly options: ReadTiffOptions) {}

  async page(ifd: Ifd, index: number, level = 0): Promise<TiffPage> {
    this.#seen.add(ifd.offset);
    const read = await readKind(ifd);
    this.options.amend?.(read, ifd);
    if (!isDecoded(read.compression)) {
      throw new FuseError("Unsupported", "a TIFF compression that is not decoded", {
        source: this.file.source.name,
        format: "tiff",
        offset: ifd.offset,
        field: "Compression",
        found: compressionName(read.compression),
      });
    }
    const whole = await readOldJpeg(ifd, read);
    const key = kindKey(read);
    const kind = this.#kinds.get(key) ?? read;
    this.#kinds.set(key, kind);
    const firstChunk = whole
      ? appendChunk(this.file, whole)
      : await readChunkTable(this.file, ifd, kind, this.options.chunkBytes);
    const old = await ifd.number(Tag.SubfileType, 1);
    return {
      index,
      offset: ifd.offset,
      kind,
      subfile: await ifd.number(Tag.NewSubfileType, old === 2 ? 1 : old === 3 ? 2 : 0),
      firstChunk,
      description: ifd.entries.get(Tag.ImageDescription),
      subPages: await this.#subPages(ifd, index, level),
    };
  }

  /** Directories the SubIFDs field names (TIFF Technical Note 1), with the chains they start. */
  async #subPages(ifd: Ifd, index: number, level: number): Promise<TiffPage[]> {
    const pages: TiffPage[] = [];
    const entry = ifd.entries.get(Tag.SubIFDs);
    if (!entry || level >= 8 || this.#seen.has(-entry.at)) return pages;
    // A list that several pages share is followed once.
    this.#seen.add(-entry.at);
    for (const first of await readNumbers(ifd.file, entry, 4096)) {
      if (first < 8 || this.#seen.has(first) || this.#seen.size > MOST_IFDS) continue;
      this.#seen.add(first);
      try {
        const sub = await readIfd(ifd.file, first);
        if (sub.has(Tag.ImageWidth)) pages.push(await this.page(sub, index, level + 1));
      } catch (error) {
        if (!isFuseError(error)) throw error;
        this.file.leftOut.push({ what: `sub-image of page ${index}`, why: error.message });
      }
    }
    return pages;
  }
}

/**
 * Appends a page's chunk offsets and lengths to the tables, checked against the file.
 * @returns the place of its first chunk.
 */
async function readChunkTable(
  file: TiffFile,
  ifd: Ifd,
  kind: PageKind,
  limit = DEFAULT_LIMITS.chunkBytes,
): Promise<number> {
  const { window } = file.bytes;
  const place = { source: window.source.name, format: "tiff", offset: ifd.offset };
  const rows = isBanded(kind) ? BAND_ROWS : kind.chunkRows;
  const decoded = kind.chunkWidth * rows * kind.chunkDepth * Math.ceil(pixelBytes(kind));
  const cut = kind.compression === 1 && !kind.tiled;
  if (decoded > limit && !cut) {
    throw new FuseError("Limit", "a tile or strip is too large to decode as one piece", {
      ...place,
      found: `${kind.chunkWidth} x ${kind.chunkRows} pixels, ${decoded} bytes`,
      expected: `at most ${limit} bytes`,
    });
  }
  const wanted = chunkCount(kind);
  const offsets = ifd.entries.get(Tag.TileOffsets) ?? ifd.entries.get(Tag.StripOffsets);
  const counts = ifd.entries.get(Tag.TileByteCounts) ?? ifd.entries.get(Tag.StripByteCounts);
  const first = file.offsets.length;
  if (!offsets || offsets.count < wanted) {
    throw new FuseError("Corrupt", "the directory does not say where all tiles or strips are", {
      ...place,
      field: tagName(offsets?.tag ?? (kind.tiled ? Tag.TileOffsets : Tag.StripOffsets)),
      found: `${offsets?.count ?? 0} offsets`,
      expected: wanted,
    });
  }
  // Every chunk has an entry of its own in the file; tables that are shared over and over do not.
  if (first + wanted > window.size) {
    throw new FuseError(
      "Limit",
      "the directories name more tiles or strips than the file can hold",
      {
        ...place,
        found: first + wanted,
        expected: `at most ${window.size}`,
      },
    );
  }
  await appendTable(file, offsets, wanted, file.offsets);
  if (counts) await appendTable(file, counts, Math.min(wanted, counts.count), file.lengths);
  for (let i = file.lengths.length; i < file.offsets.length; i++) file.lengths.push(0);
  mendLengths(file, kind, first, counts?.count ?? 0);
  return first;
}

/** Appends the only chunk of a page. */
function appendChunk(file: TiffFile, { offset, length }: WholeStream): number {
  file.offsets.push(offset);
  file.lengths.push(length);
  return file.offsets.length - 1;
}

function pixelBytes(kind: PageKind): number {
  const width = Math.max(1, kind.bits / 8);
  return kind.separate ? width : width * kind.samples;
}

/** Reads a long table piece by piece. */
async function appendTable(
  file: TiffFile,
  entry: IfdEntry,
  count: number,
  into: NumberList,
): Promise<void> {
  const width = typeBytes(entry.type);
  file.bytes.window.check(entry.at, count * width, tagName(entry.tag));
  const step = 1 << 18;
  for (let done = 0; done < count; done += step) {
    const n = Math.min(step, count - done);
    const at = entry.at + done * width;
    const bytes = await file.bytes.window.read(at, n * width, tagName(entry.tag));
    const view = viewOf(bytes);
    for (let i = 0; i < n; i++) {
      into.push(numberAt(view, i * width, entry.type, file.bytes.littleEndian));
    }
  }
}

/** Compressions whose decoders notice missing data: LZW, deflate, PackBits, LZMA, zstd. */
const LOSSLESS = [5, 8, 32946, 50013, 32773, 34925, 34926, 50000];

/**
 * Replaces lengths that are missing or cannot be: uncompressed chunks have the size their pixels
 * need, whatever the directory says; compressed ones without a length run to the end of the file.
 */
function mendLengths(file: TiffFile, kind: PageKind, first: number, given: number): void {
  const size = file.bytes.window.size;
  const name = file.source.name;
  const perPlane = kind.across * kind.down;
  for (let i = first; i < file.offsets.length; i++) {
    const offset = file.offsets.at(i);
    let length = file.lengths.at(i);
    const inTable = i - first < given;
    if (offset === 0 || (length === 0 && inTable && kind.tiled)) {
      file.offsets.set(i, 0);
      file.lengths.set(i, 0);
      continue;
    }
    if (kind.compression === 1) {
      const row = Math.floor(((i - first) % perPlane) / kind.across) * kind.chunkRows;
      const rows = kind.tiled ? kind.chunkRows : Math.min(kind.chunkRows, kind.height - row);
      length = storedBytes(kind, rows);
    } else if (length === 0) {
      length = Math.max(0, size - offset);
    }
    // Only lossless streams tell on their own when they end too early.
    const clamped = Math.min(length, size - offset);
    if (clamped > 0 && LOSSLESS.includes(kind.compression)) length = clamped;
    if (offset + length > size) {
      throw new FuseError("Truncated", "a tile or strip lies past the end of the file", {
        source: name,
        format: "tiff",
        offset,
        found: `${size} bytes in the file`,
        expected: `${length} bytes there`,
      });
    }
    file.lengths.set(i, length);
  }
}
