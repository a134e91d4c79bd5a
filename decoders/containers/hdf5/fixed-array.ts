/** Fixed arrays of chunks (File Format Specification, VII.C). */
import { FuseError } from "../../../src/errors.ts";
import { checkSum } from "./checksum.ts";
import type { Cursor } from "./cursor.ts";
import { pooled, type Storage } from "./storage.ts";

/** Called with each entry: its number, a cursor on it, whether it is filtered, and its bytes. */
export type TakeEntry = (
  index: number,
  entry: Cursor,
  filtered: boolean,
  entryBytes: number,
) => void;

/** Reads the array whose header is at `address`. */
export async function readFixedArray(
  storage: Storage,
  address: number,
  most: number,
  take: TakeEntry,
): Promise<void> {
  const { offsetBytes, lengthBytes } = storage;
  const head = await storage.cursor(address, 12 + lengthBytes + offsetBytes, "fixed array");
  head.signature("FAHD");
  head.version(0);
  const filtered = head.u8() === 1;
  const entryBytes = head.u8();
  const pageBits = head.u8();
  const count = head.length();
  const block = head.address();
  checkSum(head);
  if (block === undefined) return;
  if (entryBytes < offsetBytes || pageBits > 30) throw head.corrupt("impossible sizes");
  if (count > 64 * most) throw tooMany(storage, address, count, most);
  const pageEntries = 2 ** pageBits;
  const entries = (cursor: Cursor, from: number, n: number) => {
    for (let i = 0; i < n; i++) take(from + i, cursor.part(entryBytes), filtered, entryBytes);
  };
  const prefix = 6 + offsetBytes;
  if (count <= pageEntries) {
    const length = prefix + count * entryBytes + 4;
    const cursor = await storage.cursor(block, length, "fixed array block");
    openBlock(cursor, "FADB", length);
    cursor.at = prefix;
    entries(cursor, 0, count);
    return;
  }
  const pages = Math.ceil(count / pageEntries);
  const bitmapBytes = Math.ceil(pages / 8);
  const length = prefix + bitmapBytes + 4;
  const cursor = await storage.cursor(block, length, "fixed array block");
  openBlock(cursor, "FADB", length);
  cursor.at = prefix;
  const bitmap = cursor.take(bitmapBytes);
  const used: number[] = [];
  for (let page = 0; page < pages; page++) if (bitAt(bitmap, page)) used.push(page);
  if (used.length * pageEntries > 2 * most + pageEntries) {
    throw tooMany(storage, address, used.length * pageEntries, most);
  }
  const pageBytes = pageEntries * entryBytes + 4;
  await pooled(used, async (page) => {
    const n = Math.min(pageEntries, count - page * pageEntries);
    const at = block + length + page * pageBytes;
    const body = await storage.cursor(at, n * entryBytes + 4, "fixed array page");
    body.at = n * entryBytes;
    checkSum(body);
    body.at = 0;
    entries(body, page * pageEntries, n);
  });
}

/** Checks a block's signature, version and checksum. */
export function openBlock(cursor: Cursor, signature: string, length: number): void {
  cursor.signature(signature);
  cursor.version(0);
  cursor.at = length - 4;
  checkSum(cursor);
}

/** A bit of a bitmap, the highest of each byte first. */
export function bitAt(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[index >> 3] >> (7 - (index & 7))) & 1) === 1;
}

/** The error for an index with more entries than allowed. */
export function tooMany(storage: Storage, address: number, found: number, most: number): FuseError {
  return new FuseError("Limit", "an index has more entries than allowed", {
    source: storage.source.name,
    offset: storage.base + address,
    found,
    expected: `at most ${most}`,
  });
}
