/** Extensible arrays of chunks (File Format Specification, VII.D; sizes of blocks after H5EApkg.h). */
import { checkSum } from "./checksum.ts";
import type { Cursor } from "./cursor.ts";
import { bitAt, openBlock, type TakeEntry, tooMany } from "./fixed-array.ts";
import { pooled, type Storage } from "./storage.ts";

/** Entries of one data block, and where they begin. */
interface DataBlock {
  address: number;
  /** Number of its first entry. */
  first: number;
  entries: number;
  /** Which of its pages are written; absent when it has none. */
  pages?: boolean[];
}

interface Header {
  filtered: boolean;
  entryBytes: number;
  /** Bytes of the "block offset" field. */
  placeBytes: number;
  pageEntries: number;
}

/** Reads the array whose header is at `address`. */
export async function readExtensibleArray(
  storage: Storage,
  address: number,
  most: number,
  take: TakeEntry,
): Promise<void> {
  const { offsetBytes, lengthBytes } = storage;
  const head = await storage.cursor(
    address,
    16 + 6 * lengthBytes + offsetBytes,
    "extensible array",
  );
  head.signature("EAHD");
  head.version(0);
  const filtered = head.u8() === 1;
  const entryBytes = head.u8();
  const bits = head.u8();
  const inIndex = head.u8();
  const smallest = head.u8();
  const fewestPointers = head.u8();
  const pageBits = head.u8();
  for (let i = 0; i < 4; i++) head.length();
  const used = head.length();
  head.length();
  const index = head.address();
  checkSum(head);
  const power = (n: number) => n > 0 && Number.isInteger(Math.log2(n));
  if (
    entryBytes < offsetBytes || bits > 64 || pageBits > 30 || !power(smallest) ||
    !power(fewestPointers)
  ) {
    throw head.corrupt("impossible sizes");
  }
  if (index === undefined || used === 0) return;
  if (used > 2 * most + 65_536) throw tooMany(storage, address, used, most);
  const header: Header = {
    filtered,
    entryBytes,
    placeBytes: Math.ceil(bits / 8),
    pageEntries: 2 ** pageBits,
  };

  // Super block u has 2^(u/2) data blocks of 2^((u+1)/2) times the smallest number of entries.
  const superBlocks = 1 + bits - Math.log2(smallest);
  const direct = 2 * Math.log2(fewestPointers);
  const directBlocks = 2 * (fewestPointers - 1);
  const prefix = 6 + offsetBytes;
  const length = prefix + inIndex * entryBytes + directBlocks * offsetBytes +
    (superBlocks - direct) * offsetBytes + 4;
  const cursor = await storage.cursor(index, length, "extensible array index");
  openBlock(cursor, "EAIB", length);
  cursor.at = prefix;
  for (let i = 0; i < inIndex; i++) {
    const entry = cursor.part(entryBytes);
    if (i < used) take(i, entry, filtered, entryBytes);
  }
  const blocks: DataBlock[] = [];
  let first = inIndex;
  for (let u = 0; u < superBlocks && first < used; u++) {
    const count = 2 ** Math.floor(u / 2);
    const entries = 2 ** Math.floor((u + 1) / 2) * smallest;
    if (u < direct) {
      for (let k = 0; k < count; k++) {
        const block = cursor.address();
        if (block !== undefined) {
          blocks.push({ address: block, first: first + k * entries, entries });
        }
      }
    } else {
      const block = cursor.address();
      if (block !== undefined) {
        blocks.push(...await readSuperBlock(storage, block, header, first, count, entries));
      }
    }
    first += count * entries;
  }
  await pooled(blocks, (block) => readBlock(storage, block, header, used, take));
}

async function readSuperBlock(
  storage: Storage,
  address: number,
  header: Header,
  first: number,
  count: number,
  entries: number,
): Promise<DataBlock[]> {
  const { offsetBytes } = storage;
  const pages = entries > header.pageEntries ? entries / header.pageEntries : 0;
  const bitmapBytes = pages ? count * Math.ceil(pages / 8) : 0;
  const prefix = 6 + offsetBytes + header.placeBytes;
  const length = prefix + bitmapBytes + count * offsetBytes + 4;
  const cursor = await storage.cursor(address, length, "extensible array super block");
  openBlock(cursor, "EASB", length);
  cursor.at = prefix;
  const bitmap = cursor.take(bitmapBytes);
  const blocks: DataBlock[] = [];
  for (let k = 0; k < count; k++) {
    const block = cursor.address();
    if (block === undefined) continue;
    const written = Array.from({ length: pages }, (_, p) => bitAt(bitmap, k * pages + p));
    const place = { address: block, first: first + k * entries, entries };
    blocks.push(pages ? { ...place, pages: written } : place);
  }
  return blocks;
}

async function readBlock(
  storage: Storage,
  { address, first, entries, pages }: DataBlock,
  header: Header,
  used: number,
  take: TakeEntry,
): Promise<void> {
  const { filtered, entryBytes, pageEntries } = header;
  if (first >= used) return;
  const prefix = 6 + storage.offsetBytes + header.placeBytes;
  const each = (cursor: Cursor, from: number, n: number) => {
    for (let i = 0; i < n; i++) {
      const entry = cursor.part(entryBytes);
      if (from + i < used) take(from + i, entry, filtered, entryBytes);
    }
  };
  if (!pages) {
    const length = prefix + entries * entryBytes + 4;
    const cursor = await storage.cursor(address, length, "extensible array block");
    openBlock(cursor, "EADB", length);
    cursor.at = prefix;
    return each(cursor, first, entries);
  }
  const pageBytes = pageEntries * entryBytes + 4;
  for (const [p, written] of pages.entries()) {
    if (!written || first + p * pageEntries >= used) continue;
    const at = address + prefix + 4 + p * pageBytes;
    const cursor = await storage.cursor(at, pageBytes, "extensible array page");
    cursor.at = pageBytes - 4;
    checkSum(cursor);
    cursor.at = 0;
    each(cursor, first + p * pageEntries, pageEntries);
  }
}
