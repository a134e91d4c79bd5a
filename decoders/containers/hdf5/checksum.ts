/** The checksum of HDF5 metadata: Bob Jenkins' lookup3 ("hashlittle", public domain), first value 0. */
import type { Cursor } from "./cursor.ts";

/** The checksum of `bytes`. */
export function lookup3(bytes: Uint8Array): number {
  const n = bytes.length;
  let a = (0xdeadbeef + n) | 0, b = a, c = a;
  let at = 0;
  const word = (i: number) =>
    (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16) |
    ((bytes[i + 3] ?? 0) << 24);
  const turn = (x: number, bits: number) => (x << bits) | (x >>> (32 - bits));
  for (; n - at > 12; at += 12) {
    a = (a + word(at)) | 0;
    b = (b + word(at + 4)) | 0;
    c = (c + word(at + 8)) | 0;
    a = ((a - c) | 0) ^ turn(c, 4);
    c = (c + b) | 0;
    b = ((b - a) | 0) ^ turn(a, 6);
    a = (a + c) | 0;
    c = ((c - b) | 0) ^ turn(b, 8);
    b = (b + a) | 0;
    a = ((a - c) | 0) ^ turn(c, 16);
    c = (c + b) | 0;
    b = ((b - a) | 0) ^ turn(a, 19);
    a = (a + c) | 0;
    c = ((c - b) | 0) ^ turn(b, 4);
    b = (b + a) | 0;
  }
  if (at === n) return c >>> 0;
  a = (a + word(at)) | 0;
  b = (b + word(at + 4)) | 0;
  c = (c + word(at + 8)) | 0;
  c = ((c ^ b) - turn(b, 14)) | 0;
  a = ((a ^ c) - turn(c, 11)) | 0;
  b = ((b ^ a) - turn(a, 25)) | 0;
  c = ((c ^ b) - turn(b, 16)) | 0;
  a = ((a ^ c) - turn(c, 4)) | 0;
  b = ((b ^ a) - turn(a, 14)) | 0;
  c = ((c ^ b) - turn(b, 24)) | 0;
  return c >>> 0;
}

/** Reads the checksum at the cursor and compares it with that of the bytes from `start` to there. */
export function checkSum(cursor: Cursor, start = 0): void {
  const found = lookup3(cursor.bytes.subarray(start, cursor.at));
  const stored = cursor.u32();
  if (stored !== found) {
    throw cursor.corrupt("the checksum does not match", hex(found), hex(stored));
  }
}

function hex(n: number): string {
  return n.toString(16).padStart(8, "0");
}
