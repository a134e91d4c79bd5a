/**
 * Zip archives of stored members (APPNOTE.TXT 6.3.10), written front to back: sizes are told beforehand,
 * checksums follow the data in a descriptor, and sizes or offsets past 4 GiB take the zip64 fields. A
 * member's pieces go straight to the output, so one buffer serves them all.
 */
import * as zlib from "node:zlib";
import { FuseError } from "../../errors.ts";
import type { ByteOutput } from "../ordered/output.ts";

const LOCAL = 0x04034b50, DESCRIPTOR = 0x08074b50, CENTRAL = 0x02014b50;
const END64 = 0x06064b50, LOCATOR64 = 0x07064b50, END = 0x06054b50;
/** Zip64 extra field. */
const EXTRA64 = 0x0001;
/** Checksum and sizes follow the data; names are UTF-8. */
const FLAGS = 0x0808;
/** Version of the specification a reader needs: 4.5 for zip64, 2.0 otherwise. */
const VERSION64 = 45, VERSION = 20;
/** "See the zip64 field." */
const MANY = 0xffff_ffff, MANY_MEMBERS = 0xffff;

interface Entry {
  name: Uint8Array;
  size: number;
  crc: number;
  offset: number;
  /** Date and time as MS-DOS has them. */
  modified: [time: number, date: number];
}

/** Little-endian fields one after the other: [bytes, value]. */
function fields(...parts: ([2 | 4 | 8, number] | Uint8Array)[]): Uint8Array {
  const out = new Uint8Array(
    parts.reduce((n, p) => n + (p instanceof Uint8Array ? p.length : p[0]), 0),
  );
  const view = new DataView(out.buffer);
  let at = 0;
  for (const part of parts) {
    if (part instanceof Uint8Array) out.set(part, at);
    else if (part[0] === 2) view.setUint16(at, part[1], true);
    else if (part[0] === 4) view.setUint32(at, part[1], true);
    else view.setBigUint64(at, BigInt(part[1]), true);
    at += part instanceof Uint8Array ? part.length : part[0];
  }
  return out;
}

function dosTime(date: Date): [time: number, date: number] {
  const year = Math.max(1980, date.getFullYear());
  return [
    date.getHours() << 11 | date.getMinutes() << 5 | date.getSeconds() >> 1,
    (year - 1980) << 9 | (date.getMonth() + 1) << 5 | date.getDate(),
  ];
}

/** Writes one archive. */
export class ZipWriter {
  readonly #entries: Entry[] = [];

  constructor(readonly output: ByteOutput) {}

  /**
   * Writes a member of `size` bytes. A piece may be reused when the next is asked for.
   * @throws FuseError `Sink` when the pieces are not `size` bytes together.
   */
  async add(
    name: string,
    size: number,
    pieces: Iterable<Uint8Array>,
    modified: Date = new Date(),
  ): Promise<void> {
    const entry: Entry = {
      name: new TextEncoder().encode(name),
      size,
      crc: 0,
      offset: this.output.length,
      modified: dosTime(modified),
    };
    const wide = size >= MANY;
    await this.output.write(fields(
      [4, LOCAL],
      [2, wide ? VERSION64 : VERSION],
      [2, FLAGS],
      [2, 0],
      [2, entry.modified[0]],
      [2, entry.modified[1]],
      [4, 0],
      // The descriptor after the data tells the sizes; in zip64 the field of this header says how wide.
      [4, wide ? MANY : 0],
      [4, wide ? MANY : 0],
      [2, entry.name.length],
      [2, wide ? 20 : 0],
      entry.name,
      ...(wide ? [fields([2, EXTRA64], [2, 16], [8, 0], [8, 0])] : []),
    ));
    let written = 0;
    for (const piece of pieces) {
      entry.crc = crc32(piece, entry.crc);
      written += piece.length;
      await this.output.write(piece);
    }
    if (written !== size) {
      throw new FuseError("Sink", "a member of the zip is not as long as was said", {
        array: name,
        found: written,
        expected: size,
      });
    }
    const width = wide ? 8 : 4;
    await this.output.write(
      fields([4, DESCRIPTOR], [4, entry.crc], [width, size], [width, size]),
    );
    this.#entries.push(entry);
  }

  /** Writes the directory that ends the archive. */
  async finish(): Promise<void> {
    const start = this.output.length;
    for (const entry of this.#entries) await this.output.write(centralHeader(entry));
    const length = this.output.length - start;
    const count = this.#entries.length;
    if (count >= MANY_MEMBERS || start + length >= MANY) {
      const at = this.output.length;
      await this.output.write(fields(
        [4, END64],
        [8, 44],
        [2, VERSION64],
        [2, VERSION64],
        [4, 0],
        [4, 0],
        [8, count],
        [8, count],
        [8, length],
        [8, start],
      ));
      await this.output.write(fields([4, LOCATOR64], [4, 0], [8, at], [4, 1]));
    }
    await this.output.write(fields(
      [4, END],
      [2, 0],
      [2, 0],
      [2, Math.min(count, MANY_MEMBERS)],
      [2, Math.min(count, MANY_MEMBERS)],
      [4, Math.min(length, MANY)],
      [4, Math.min(start, MANY)],
      [2, 0],
    ));
  }
}

function centralHeader({ name, size, crc, offset, modified }: Entry): Uint8Array {
  const wide = size >= MANY || offset >= MANY;
  return fields(
    [4, CENTRAL],
    [2, wide ? VERSION64 : VERSION],
    [2, wide ? VERSION64 : VERSION],
    [2, FLAGS],
    [2, 0],
    [2, modified[0]],
    [2, modified[1]],
    [4, crc],
    [4, wide ? MANY : size],
    [4, wide ? MANY : size],
    [2, name.length],
    [2, wide ? 28 : 0],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, wide ? MANY : offset],
    name,
    ...(wide ? [fields([2, EXTRA64], [2, 24], [8, size], [8, size], [8, offset])] : []),
  );
}

/** CRC-32 of bytes after bytes whose CRC-32 is `before`; Node 20 before 20.15 has none of its own. */
export function crc32(bytes: Uint8Array, before: number): number {
  return zlib.crc32 ? zlib.crc32(bytes, before) : tableCrc32(bytes, before);
}

let table: Uint32Array | undefined;

/** The same by a table of 256 words (ISO 3309). */
export function tableCrc32(bytes: Uint8Array, before: number): number {
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ n >>> 1 : n >>> 1;
    return n;
  });
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]) & 0xff] ^ crc >>> 8;
  return ~crc >>> 0;
}
