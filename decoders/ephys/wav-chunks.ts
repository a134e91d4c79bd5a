/** Walks the chunks of a RIFF, RIFX, RF64 or BW64 file without reading what is in them. */
import { FuseError } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";

/** One chunk of the file. */
export interface RiffChunk {
  /** Four characters, "fmt ". */
  id: string;
  /** Type of a LIST chunk: "INFO", "adtl". */
  list?: string;
  /** Byte offset of the payload (of a LIST: after its type). */
  offset: number;
  /** Payload bytes the file promises. */
  size: number;
  /** Payload bytes the file has. */
  available: number;
  /** The size field holds no size: written by a stream that could not go back. */
  unknownSize?: boolean;
}

/** What {@link walkRiff} found. */
export interface RiffFile {
  id: "RIFF" | "RIFX" | "RF64" | "BW64";
  littleEndian: boolean;
  chunks: RiffChunk[];
  warnings: string[];
  /** Bytes the header promises behind the samples, where these come in order and must be read first. */
  behindBytes?: number;
}

/** Size field of RF64 that refers to the ds64 chunk, and of streams of unknown length. */
const NO_SIZE = 0xffffffff;
/** Where 32-bit sizes start again from 0. */
const WRAP = 2 ** 32;
/** Most bytes of a ds64 chunk that are looked at: 87,000 entries of its table. */
const DS64_BYTES = 1 << 20;
/** Bytes read at once while walking: headers, format and most metadata lie in the first of them. */
const WINDOW_BYTES = 65_536;
/** More chunks than any writer makes; a file of garbage ends the walk here. */
const MOST_CHUNKS = 10_000;

/** Reads at most `limit` payload bytes of a chunk. */
export function readChunkBytes(
  source: ByteSource,
  chunk: RiffChunk,
  limit: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  return source.read(chunk.offset, Math.min(limit, chunk.available), { signal, purpose: "header" });
}

/** 64-bit sizes of RF64/BW64 by chunk id (EBU Tech 3306 section 3). */
interface Sizes64 {
  data: number;
  table: Map<string, number[]>;
}

/**
 * Lists the chunks of a WAVE file in file order; those of a pipe up to the samples.
 * @throws FuseError `Corrupt` when it is no WAVE file, `Truncated` when it ends inside a chunk header
 * or a chunk that comes before the samples.
 */
export async function walkRiff(source: ByteSource, signal?: AbortSignal): Promise<RiffFile> {
  const window = new Window(source, signal);
  const head = await window.at(0, 12);
  const id = text(head, 0);
  if (!["RIFF", "RIFX", "RF64", "BW64"].includes(id) || text(head, 8) !== "WAVE") {
    throw new FuseError("Corrupt", "not a WAVE file", {
      source: source.name,
      offset: 0,
      found: `${id} ${text(head, 8)}`,
      expected: "RIFF, RIFX, RF64 or BW64 of form WAVE",
    });
  }
  const file: RiffFile = {
    id: id as RiffFile["id"],
    littleEndian: id !== "RIFX",
    chunks: [],
    warnings: [],
  };
  const end = source.size ?? Infinity;
  let sizes: Sizes64 | undefined;
  let at = 12;
  while (at < end && file.chunks.length < MOST_CHUNKS) {
    const seenData = file.chunks.some((c) => c.id === "data");
    const start = await window.at(at, 4);
    if (end === Infinity && start.length < 4) throw truncatedHeader(source, at, start.length);
    if (end - at < 8 || !isChunkId(start)) {
      if (seenData) {
        file.warnings.push(`${end - at} bytes after the last chunk are no chunk and are ignored`);
        break;
      }
      if (end - at < 8) throw truncatedHeader(source, at, end - at);
      throw new FuseError("Corrupt", "not a chunk", {
        source: source.name,
        offset: at,
        found: text(start, 0),
        expected: "four printable characters",
      });
    }
    const header = await window.at(at, 8);
    const chunkId = text(header, 0);
    const stated = viewOf(header).getUint32(4, file.littleEndian);
    const chunk: RiffChunk = { id: chunkId, offset: at + 8, size: stated, available: stated };
    if (stated === NO_SIZE && sizes) {
      const size64 = chunkId === "data" ? sizes.data : sizes.table.get(chunkId)?.shift();
      if (size64 !== undefined) chunk.size = size64;
    }
    const room = end - chunk.offset;
    let known = true;
    if (chunkId === "data") known = await hasSize(chunk, room, file.littleEndian, window);
    if (!known) chunk.unknownSize = true;
    chunk.available = known ? Math.min(chunk.size, room) : room;
    if (chunk.available < chunk.size && chunkId !== "data") {
      if (!seenData) {
        throw new FuseError("Truncated", `the file ends inside the chunk "${chunkId}"`, {
          source: source.name,
          offset: chunk.offset,
          found: `${room} bytes`,
          expected: `${chunk.size} bytes`,
        });
      }
      file.warnings.push(
        `chunk "${chunkId}" promises ${chunk.size} bytes and the file has ${room}: what is there is read`,
      );
    }
    if (chunkId === "ds64") {
      sizes = parseSizes64(await window.at(chunk.offset, Math.min(DS64_BYTES, chunk.available)));
    }
    const next = source.access === "forward" && chunkId === "data"
      ? chunk.offset + chunk.available
      : await nextChunk(chunk, end, window, file.warnings);
    if (chunkId === "LIST" && chunk.available >= 4) {
      chunk.list = text(await window.at(chunk.offset, 4), 0);
      chunk.offset += 4;
      chunk.size -= 4;
      chunk.available -= 4;
    }
    file.chunks.push(chunk);
    at = next;
    if (source.access === "forward" && chunkId === "data") {
      const stated = viewOf(head).getUint32(4, file.littleEndian);
      const behind = isPlaceholder(stated) ? 0 : 8 + stated - at;
      if (behind >= 8) file.behindBytes = behind;
      break;
    }
  }
  return file;
}

/**
 * False when the size field of a data chunk holds none and the samples run to the end of the file:
 * all ones, zero with samples behind it (zero with a fitting chunk behind it is a recording without
 * samples), or the low 32 bits of a length past 4 GiB.
 */
async function hasSize(
  chunk: RiffChunk,
  room: number,
  littleEndian: boolean,
  window: Window,
): Promise<boolean> {
  if (room === Infinity) return await pipeHasSize(chunk, window);
  if (chunk.size === NO_SIZE) return room === NO_SIZE;
  if (chunk.size === 0) {
    if (room < 8) return room === 0;
    const next = await window.at(chunk.offset, 8);
    return isChunkId(next) && viewOf(next).getUint32(4, littleEndian) <= room - 8;
  }
  const beyond = room - chunk.size;
  return !(beyond >= WRAP && beyond % WRAP <= 1);
}

/** True for the sizes that stand for "not known" in the header of a stream. */
function isPlaceholder(size: number): boolean {
  return (size >= 0x7fff0000 && size <= 0x80000000) || (size >= 0xffff0000 && size <= NO_SIZE);
}

/** Chunks that may follow an empty data chunk. */
const FOLLOWING = new Set(["LIST", "cue ", "bext", "iXML", "id3 ", "ID3 ", "fact", "smpl", "JUNK"]);

/**
 * False for the sizes that programs write into a pipe because they cannot know better: all ones (ffmpeg),
 * about 2 GiB (SoX writes 0x7ffff000, arecord 0x7fffff00, both in whole frames), and zero with samples
 * behind it.
 */
async function pipeHasSize(chunk: RiffChunk, window: Window): Promise<boolean> {
  const { size } = chunk;
  if (isPlaceholder(size) || !Number.isSafeInteger(size)) return false;
  if (size > 0) return true;
  const next = await window.at(chunk.offset, 4);
  return next.length < 4 || FOLLOWING.has(text(next, 0));
}

/** Where the next chunk starts: padded to an even offset, except by writers that forget to. */
async function nextChunk(
  chunk: RiffChunk,
  end: number,
  window: Window,
  warnings: string[],
): Promise<number> {
  const stop = chunk.offset + chunk.available;
  if (chunk.available % 2 === 0 || stop + 5 > end) return stop + (chunk.available % 2);
  const bytes = await window.at(stop, 5);
  if (isChunkId(bytes.subarray(1)) || !isChunkId(bytes)) return stop + 1;
  warnings.push(`the pad byte after the chunk "${chunk.id}" of odd size is missing`);
  return stop;
}

function parseSizes64(bytes: Uint8Array): Sizes64 {
  const view = viewOf(bytes);
  const u64 = (at: number) =>
    at + 8 <= bytes.length ? view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32 : 0;
  const sizes: Sizes64 = { data: u64(8), table: new Map() };
  const entries = bytes.length >= 28 ? view.getUint32(24, true) : 0;
  for (let i = 0, at = 28; i < entries && at + 12 <= bytes.length; i++, at += 12) {
    const id = text(bytes, at);
    sizes.table.set(id, [...(sizes.table.get(id) ?? []), u64(at + 4)]);
  }
  return sizes;
}

function truncatedHeader(source: ByteSource, at: number, found: number): FuseError {
  return new FuseError("Truncated", "the file ends inside a chunk header", {
    source: source.name,
    offset: at,
    found: `${found} bytes`,
    expected: "8 bytes",
  });
}

/** Four characters as text. */
export function text(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function isChunkId(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  for (let i = 0; i < 4; i++) if (bytes[i] < 0x20 || bytes[i] > 0x7e) return false;
  return true;
}

/** Small reads served from a window, so that walking costs one read per region of the file. */
class Window {
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(readonly source: ByteSource, readonly signal?: AbortSignal) {}

  /** Bytes `[at, at + length)`, fewer at the end of the file. */
  async at(at: number, length: number): Promise<Uint8Array> {
    if (at < this.#start || at + length > this.#start + this.#bytes.length) {
      // What a pipe has not yet brought is not waited for.
      const ahead = this.source.access === "forward" ? length : WINDOW_BYTES;
      this.#bytes = await this.source.readUpTo(at, Math.max(length, ahead), {
        signal: this.signal,
        purpose: "header",
      });
      this.#start = at;
    }
    return this.#bytes.subarray(at - this.#start, at - this.#start + length);
  }
}
