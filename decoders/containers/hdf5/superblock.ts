/** Finds and reads the superblock (HDF5 File Format Specification, II.A). */
import { FuseError } from "../../../src/errors.ts";
import { checkSum } from "./checksum.ts";
import type { Cursor } from "./cursor.ts";
import type { Storage } from "./storage.ts";

/** First bytes of a superblock. */
export const SIGNATURE = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);

/** Most bytes a superblock takes. */
const LONGEST = 160;
/** Last place a superblock is looked for. */
const FARTHEST = 1 << 30;

/** What the superblock says. */
export interface Superblock {
  /** 0 to 3. */
  version: number;
  /** Byte of the file at which it begins: the file's base. */
  offset: number;
  /** Address of the root group's object header. */
  root: number;
  /** Address of the superblock extension's object header. */
  extension?: number;
  /** Address of the driver information block (versions 0 and 1). */
  driver?: number;
}

/** True when `bytes` has the signature at `offset`. */
export function hasSignature(bytes: Uint8Array, offset = 0): boolean {
  return bytes.length >= offset + SIGNATURE.length &&
    SIGNATURE.every((b, i) => bytes[offset + i] === b);
}

/**
 * Reads the superblock at byte 0, 512, 1024, 2048 ..., and sets the base and the field widths of `storage`.
 * @throws FuseError `Corrupt` when there is none, `Truncated` when the file ends before what it says.
 */
export async function readSuperblock(storage: Storage): Promise<Superblock> {
  const { source, size } = storage;
  for (let offset = 0; offset + SIGNATURE.length <= size && offset <= FARTHEST;) {
    if (hasSignature(await storage.read(offset, SIGNATURE.length))) {
      storage.base = offset;
      return parse(storage, await storage.cursorUpTo(0, LONGEST, "superblock"), offset);
    }
    offset = offset === 0 ? 512 : offset * 2;
  }
  throw new FuseError("Corrupt", "no HDF5 superblock in this file", { source: source.name });
}

function parse(storage: Storage, cursor: Cursor, offset: number): Superblock {
  cursor.skip(SIGNATURE.length);
  const version = cursor.version(0, 1, 2, 3);
  const widths = () => {
    for (const key of ["offsetBytes", "lengthBytes"] as const) {
      const width = cursor.u8();
      if (![2, 4, 8].includes(width)) {
        throw cursor.corrupt("impossible width of addresses", width, "2, 4 or 8");
      }
      storage[key] = width;
      cursor.place[key] = width;
    }
  };
  if (version >= 2) {
    widths();
    cursor.skip(1); // consistency flags
    const base = cursor.address() ?? 0;
    const extension = cursor.address();
    const end = cursor.address() ?? Infinity;
    const root = cursor.someAddress("the root group");
    checkSum(cursor);
    checkEnd(storage, end - base);
    return { version, offset, root, ...(extension === undefined ? {} : { extension }) };
  }
  cursor.skip(4); // versions of free space, root entry, shared header; reserved
  widths();
  cursor.skip(1 + 2 + 2 + 4); // reserved, leaf K, internal K, flags
  if (version === 1) cursor.skip(4);
  const base = cursor.address() ?? 0;
  cursor.address(); // free space
  const end = cursor.address() ?? Infinity;
  const driver = cursor.address();
  cursor.address(); // name of the root, which has none
  const root = cursor.someAddress("the root group");
  checkEnd(storage, end - base);
  return { version, offset, root, ...(driver === undefined ? {} : { driver }) };
}

/**
 * A file cut short is refused as the HDF5 library refuses it. `end` counts from the base the file was
 * written with; where the superblock is found counts for everything else.
 */
function checkEnd({ source, base, size }: Storage, end: number): void {
  if (base + end <= size) return;
  throw new FuseError("Truncated", "the file ends too early", {
    source: source.name,
    found: `${size} bytes`,
    expected: Number.isFinite(end) ? `${base + end} bytes` : "a length in the superblock",
  });
}
