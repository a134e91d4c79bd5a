/**
 * TIFF structure: the header, image file directories (IFDs), and the values of their fields.
 *
 * Source: TIFF Revision 6.0 section 2; BigTIFF design (43 in place of 42, 8-byte offsets). Writers mix
 * the integer types of offsets and counts freely, so every numeric type is accepted for every tag.
 */
import { FuseError } from "../../src/errors.ts";
import { viewOf } from "../../src/source/source.ts";
import { tagName } from "./tiff-tags.ts";
import type { HeaderWindow } from "./tiff-window.ts";

/** The first bytes of the file. */
export interface TiffHeader {
  littleEndian: boolean;
  /** BigTIFF: 8-byte offsets and counts. */
  big: boolean;
  /** Byte offset of the first directory. */
  firstIfd: number;
}

/** One field of a directory; its values lie at `at`, in the entry itself when they fit. */
export interface IfdEntry {
  tag: number;
  type: number;
  count: number;
  at: number;
}

/** Bytes of one value of each field type; 0 where the number means nothing. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 2, 8, 8, 8, 8];

/** Bytes of one value, 0 for an unknown type. */
export function typeBytes(type: number): number {
  return TYPE_BYTES[type] ?? 0;
}

/** Directories of a remote file fetched at once, at first and at most. */
const FIRST_BATCH = 16, LARGEST_BATCH = 256;

/** Directories a file may hold: far above any recording, low enough to bound memory. */
export const MOST_IFDS = 1 << 20;

/** Reads the header; `head` holds at least the first 16 bytes, or the whole of a shorter file. */
export function readHeader(head: Uint8Array, name: string): TiffHeader {
  const view = viewOf(head);
  const mark = head.length >= 8 ? view.getUint16(0, true) : 0;
  if (mark !== 0x4949 && mark !== 0x4d4d) {
    throw new FuseError("Corrupt", "this is not a TIFF file", {
      source: name,
      format: "tiff",
      offset: 0,
      found: String.fromCharCode(...head.subarray(0, 2)),
      expected: "II or MM",
    });
  }
  const littleEndian = mark === 0x4949;
  const version = view.getUint16(2, littleEndian);
  const big = version === 43;
  // 42 by the specification; the others are makers' marks on an otherwise plain structure.
  if (!big && ![42, 0x55, 0x4f52, 0x5352].includes(version)) {
    throw new FuseError("Corrupt", "unknown TIFF version", {
      source: name,
      format: "tiff",
      offset: 2,
      found: version,
      expected: "42 or 43",
    });
  }
  if (!big) return { littleEndian, big, firstIfd: view.getUint32(4, littleEndian) };
  if (head.length < 16 || view.getUint16(4, littleEndian) !== 8) {
    throw new FuseError("Corrupt", "a BigTIFF header is incomplete", {
      source: name,
      format: "tiff",
      offset: 4,
      found: head.length < 16 ? `${head.length} bytes` : view.getUint16(4, littleEndian),
      expected: "8-byte offsets",
    });
  }
  return { littleEndian, big, firstIfd: Number(view.getBigUint64(8, littleEndian)) };
}

/** A file being read: where its bytes are and how its numbers lie in them. */
export interface TiffBytes extends TiffHeader {
  window: HeaderWindow;
}

/** One directory: its fields by tag, and the offset of the next one. */
export class Ifd {
  readonly entries: Map<number, IfdEntry> = new Map();
  /** Further fields of the same tag (Micro-Manager writes ImageDescription twice). */
  readonly repeated: IfdEntry[] = [];
  next = 0;

  constructor(readonly file: TiffBytes, readonly offset: number) {}

  has(tag: number): boolean {
    return this.entries.has(tag);
  }

  /** Values of a numeric field, or undefined when the directory has none. At most `most` of them. */
  async numbers(tag: number, most = 65_536): Promise<number[] | undefined> {
    const entry = this.entries.get(tag);
    return entry && await readNumbers(this.file, entry, most);
  }

  /** The first value of a field, or `otherwise`. */
  async number(tag: number, otherwise: number): Promise<number>;
  async number(tag: number): Promise<number | undefined>;
  async number(tag: number, otherwise?: number): Promise<number | undefined> {
    const entry = this.entries.get(tag);
    if (!entry || entry.count === 0) return otherwise;
    return (await readNumbers(this.file, entry, 1))[0] ?? otherwise;
  }

  /**
   * One over a rational field, undefined when it has none or is not positive: the step of a
   * resolution, from its own integers so that 80/13 gives 0.1625.
   */
  async reciprocal(tag: number): Promise<number | undefined> {
    const entry = this.entries.get(tag);
    if (!entry) return undefined;
    if (entry.type !== 5 && entry.type !== 10) {
      const value = (await readNumbers(this.file, entry, 1))[0];
      return value > 0 && Number.isFinite(value) ? 1 / value : undefined;
    }
    const { littleEndian: le } = this.file;
    const view = await this.file.window.view(entry.at, 8, tagName(tag));
    const over = view.getUint32(0, le), under = view.getUint32(4, le);
    return over > 0 && under > 0 ? under / over : undefined;
  }

  /** A text field without its closing NULs; bytes that are not UTF-8 are taken as Latin-1. */
  async text(tag: number, mostBytes = 1 << 26): Promise<string | undefined> {
    const entry = this.entries.get(tag);
    return entry && await readText(this.file, entry, mostBytes);
  }

  /** The raw bytes of a field. */
  async bytes(tag: number, mostBytes = 1 << 26): Promise<Uint8Array | undefined> {
    const entry = this.entries.get(tag);
    return entry && await readBytes(this.file, entry, mostBytes);
  }
}

/** Raw bytes of a field, with a `Limit` error above `most`. */
export async function readBytes(
  file: TiffBytes,
  entry: IfdEntry,
  most: number,
): Promise<Uint8Array> {
  const length = entry.count * typeBytes(entry.type);
  if (length > most) {
    throw new FuseError("Limit", "a field of the directory is too large", {
      source: file.window.source.name,
      format: "tiff",
      field: tagName(entry.tag),
      offset: entry.at,
      found: `${length} bytes`,
      expected: `at most ${most}`,
    });
  }
  return await file.window.read(entry.at, length, tagName(entry.tag));
}

/** A text field; see {@link Ifd.text}. */
export async function readText(file: TiffBytes, entry: IfdEntry, most: number): Promise<string> {
  return decodeText(await readBytes(file, entry, most));
}

/** Text without closing NULs: UTF-8 where it is that, else Latin-1. */
export function decodeText(bytes: Uint8Array): string {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  const used = bytes.subarray(0, end);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(used);
  } catch {
    return new TextDecoder("latin1").decode(used);
  }
}

/** Numbers of a field of any numeric type; rationals as quotients. At most `most` are read. */
export async function readNumbers(
  file: TiffBytes,
  entry: IfdEntry,
  most: number,
): Promise<number[]> {
  const width = typeBytes(entry.type);
  const count = Math.min(entry.count, most);
  const view = viewOf(await file.window.read(entry.at, count * width, tagName(entry.tag)));
  const out: number[] = new Array(count);
  for (let i = 0; i < count; i++) {
    out[i] = numberAt(view, i * width, entry.type, file.littleEndian);
  }
  return out;
}

/** One value of a numeric field type. */
export function numberAt(view: DataView, at: number, type: number, le: boolean): number {
  switch (type) {
    case 3:
      return view.getUint16(at, le);
    case 4:
    case 13:
      return view.getUint32(at, le);
    case 5:
      return quotient(view.getUint32(at, le), view.getUint32(at + 4, le));
    case 6:
      return view.getInt8(at);
    case 8:
      return view.getInt16(at, le);
    case 9:
      return view.getInt32(at, le);
    case 10:
      return quotient(view.getInt32(at, le), view.getInt32(at + 4, le));
    case 11:
      return view.getFloat32(at, le);
    case 12:
      return view.getFloat64(at, le);
    case 16:
    case 18:
      return Number(view.getBigUint64(at, le));
    case 17:
      return Number(view.getBigInt64(at, le));
    default:
      return view.getUint8(at);
  }
}

function quotient(numerator: number, denominator: number): number {
  return denominator === 0 ? (numerator === 0 ? 0 : Infinity) : numerator / denominator;
}

/**
 * Reads the directory at `offset`.
 * @throws FuseError `Truncated` or `Corrupt` when it does not lie in the file or has no fields.
 */
export async function readIfd(file: TiffBytes, offset: number): Promise<Ifd> {
  const { window, littleEndian: le, big } = file;
  const place = { source: window.source.name, format: "tiff", offset };
  const countBytes = big ? 8 : 2, entryBytes = big ? 20 : 12, offsetBytes = big ? 8 : 4;
  const head = await window.view(offset, countBytes, "image file directory");
  const count = big ? Number(head.getBigUint64(0, le)) : head.getUint16(0, le);
  if (count === 0 || count > 65_535) {
    throw new FuseError("Corrupt", "an image file directory has no sensible number of fields", {
      ...place,
      found: count,
      expected: "1 to 65535",
    });
  }
  const start = offset + countBytes;
  const view = await window.view(start, count * entryBytes, "image file directory");
  const ifd = new Ifd(file, offset);
  const inline = big ? 8 : 4;
  for (let i = 0; i < count; i++) {
    const at = i * entryBytes;
    const tag = view.getUint16(at, le), type = view.getUint16(at + 2, le);
    const values = big ? Number(view.getBigUint64(at + 4, le)) : view.getUint32(at + 4, le);
    const length = values * typeBytes(type);
    if (length === 0) continue;
    const field = at + (big ? 12 : 8);
    const entry: IfdEntry = { tag, type, count: values, at: start + field };
    if (length > inline) {
      entry.at = big ? Number(view.getBigUint64(field, le)) : view.getUint32(field, le);
    }
    if (ifd.entries.has(tag)) ifd.repeated.push(entry);
    else ifd.entries.set(tag, entry);
  }
  // A file cut right after its last directory has no next pointer; that ends the chain as well.
  const end = start + count * entryBytes;
  if (end + offsetBytes <= window.size) {
    const tail = await window.view(end, offsetBytes);
    ifd.next = big ? Number(tail.getBigUint64(0, le)) : tail.getUint32(0, le);
  }
  return ifd;
}

/**
 * Follows the chain of directories from `first`. A chain that runs in a circle, or past the end of
 * the file, ends there, and `warn` is told; a first directory that cannot be read is an error.
 */
export async function* walkIfds(
  file: TiffBytes,
  first: number,
  warn: (text: string) => void,
): AsyncGenerator<Ifd> {
  const seen = new Set<number>();
  const remote = file.window.source.distance === "remote";
  let offset = first, stride = 0, equal = 0, fetched = 0, batch = FIRST_BATCH;
  while (offset !== 0) {
    if (seen.has(offset)) {
      warn(`the chain of directories turns back to byte ${offset}: reading stops there`);
      return;
    }
    if (seen.size >= MOST_IFDS) {
      throw new FuseError("Limit", "too many directories", {
        source: file.window.source.name,
        format: "tiff",
        found: `more than ${MOST_IFDS}`,
      });
    }
    seen.add(offset);
    let ifd: Ifd;
    try {
      ifd = await readIfd(file, offset);
    } catch (error) {
      if (seen.size === 1 || !(error instanceof FuseError)) throw error;
      if (error.tag !== "Truncated" && error.tag !== "Corrupt") throw error;
      warn(`directory ${seen.size} cannot be read and ends the chain: ${error.statement}`);
      return;
    }
    yield ifd;
    // Recordings write their pages at equal distances: fetch guessed directories together, more at a
    // time as guesses come true, and let the chain itself say whether they were right.
    if (remote) {
      equal = ifd.next - offset === stride ? equal + 1 : 0;
      stride = ifd.next - offset;
      if (equal === 0) [batch, fetched] = [FIRST_BATCH, 0];
      if (equal >= 4 && stride > 65_536 && --fetched < 0) {
        fetched = batch - 1;
        const guesses = Array.from({ length: batch }, (_, k) => ifd.next + k * stride);
        await file.window.ahead(guesses, 4096);
        batch = Math.min(LARGEST_BATCH, batch * 2);
      }
    }
    offset = ifd.next;
  }
}
