/** The header of a `.npy` file (NEP 1, and numpy.lib.format: versions 1.0 and 2.0). */
import type { DType } from "../../model/dtype.ts";

/** What a header says of the array behind it. */
export interface NpyHeader {
  /** Type as NumPy writes it: "<i2", "<U12". */
  descr: string;
  /** True when the first index varies fastest. */
  fortranOrder: boolean;
  shape: number[];
}

const DESCR: Partial<Record<DType, string>> = {
  bool: "|b1",
  int8: "|i1",
  uint8: "|u1",
  int16: "<i2",
  uint16: "<u2",
  int32: "<i4",
  uint32: "<u4",
  int64: "<i8",
  uint64: "<u8",
  float16: "<f2",
  float32: "<f4",
  float64: "<f8",
  complex64: "<c8",
  complex128: "<c16",
};

/** NumPy's name of an element type; `characters` is the width of strings, in code points. */
export function npyType(dtype: DType, characters = 1): string {
  return DESCR[dtype] ?? `<U${Math.max(1, characters)}`;
}

/** The element type a NumPy name of a number stands for. */
export function dtypeOfNpy(descr: string): DType {
  const found = Object.entries(DESCR).find(([, name]) => name === descr);
  if (!found) throw new TypeError(`no element type for ${descr}`);
  return found[0] as DType;
}

/** Bytes of an element of a NumPy type, other than text. */
export function elementBytes(descr: string): number {
  return Number(descr.slice(2));
}

/** Digits kept free for each extent of a header that is written before the extents are known. */
const DIGITS = 16;
/** Headers end at a multiple of this, so that the data behind them are aligned. */
const ALIGNMENT = 64;

/**
 * The bytes of a header. `lengthBytes` makes it as long as an earlier one that it replaces;
 * `npyHeaderRoom` says how long a header must be to take any extents.
 */
export function npyHeader(header: NpyHeader, lengthBytes = 0): Uint8Array<ArrayBuffer> {
  const { descr, fortranOrder, shape } = header;
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': ${fortranOrder ? "True" : "False"}, ` +
    `'shape': (${extents}), }`;
  // Version 2.0 has a length of four bytes instead of two.
  const fixed = text.length + 1 + 10 > 0xffff ? 12 : 10;
  const needed = Math.ceil((fixed + text.length + 1) / ALIGNMENT) * ALIGNMENT;
  const total = Math.max(needed, lengthBytes);
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, fixed === 10 ? 1 : 2, 0]);
  const view = new DataView(bytes.buffer);
  if (fixed === 10) view.setUint16(8, total - fixed, true);
  else view.setUint32(8, total - fixed, true);
  bytes.set(new TextEncoder().encode(text), fixed);
  bytes[total - 1] = 0x0a;
  return bytes;
}

/** Bytes of a header of this rank and type that any extents fit into. */
export function npyHeaderRoom(descr: string, rank: number): number {
  const shape = new Array<number>(rank).fill(10 ** (DIGITS - 1));
  return npyHeader({ descr, fortranOrder: true, shape }).length;
}

/** Strings as NumPy's fixed-width code points (`<U`), padded with zeros. */
export function fixedWidthText(values: string[], characters: number): Uint8Array<ArrayBuffer> {
  const codes = new Uint32Array(values.length * characters);
  values.forEach((value, row) => {
    let at = row * characters;
    for (const character of value) codes[at++] = character.codePointAt(0)!;
  });
  return new Uint8Array(codes.buffer);
}

/** Code points of a string: its width in a `<U` array. */
export function codePoints(value: string): number {
  let n = 0;
  for (const _ of value) n++;
  return n;
}
