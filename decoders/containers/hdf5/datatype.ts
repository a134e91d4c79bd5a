/** Datatype messages (File Format Specification, IV.A.2.d). */
import type { Cursor } from "./cursor.ts";

/** Byte order of a number. */
export type ByteOrder = "little" | "big" | "vax";

/** How a text fills its bytes. */
export type Padding = "null-terminated" | "null-padded" | "space-padded";

/** A kind of reference; the numbers 2 are those of HDF5 1.12 and later. */
export type ReferenceKind = "object" | "region" | "object2" | "region2" | "attribute";

/** Where the parts of a floating-point number are, in bits from the lowest. */
export interface FloatParts {
  sign: number;
  exponent: number;
  exponentBits: number;
  mantissa: number;
  mantissaBits: number;
  /** 0 none, 1 the leading bit is stored and set, 2 it is implied. */
  normalisation: number;
  bias: number;
}

/** A datatype; `size` is the bytes of an element. */
export type Datatype =
  & { size: number }
  & (
    | {
      class: "integer" | "bitfield";
      order: ByteOrder;
      signed: boolean;
      bitOffset: number;
      precision: number;
    }
    | {
      class: "float";
      order: ByteOrder;
      bitOffset: number;
      precision: number;
      parts: FloatParts;
    }
    | { class: "time"; order: ByteOrder; precision: number }
    | { class: "text"; padding: Padding; utf8: boolean }
    | { class: "opaque"; tag: string }
    | { class: "compound"; members: Member[] }
    | { class: "reference"; kind: ReferenceKind }
    | { class: "enum"; base: Datatype; names: string[]; values: (number | bigint)[] }
    /** Elements of a length of their own, in the global heap. */
    | { class: "sequence"; base: Datatype }
    /** Text of a length of its own, in the global heap. */
    | { class: "longtext"; padding: Padding; utf8: boolean }
    | { class: "array"; base: Datatype; shape: number[] }
    | { class: "complex"; base: Datatype }
  );

/** A member of a compound. */
export interface Member {
  name: string;
  /** Byte of the element at which it begins. */
  offset: number;
  type: Datatype;
}

/** A datatype of one class. */
export type DatatypeOf<C extends Datatype["class"]> = Extract<Datatype, { class: C }>;

/** Most types inside types. */
const DEEPEST = 32;

/** Reads a datatype message. */
export function readDatatype(cursor: Cursor, depth = 0): Datatype {
  if (depth > DEEPEST) throw cursor.corrupt("datatypes inside datatypes without end");
  const head = cursor.u32();
  const version = (head >> 4) & 15;
  const flags = head >>> 8;
  const size = cursor.u32();
  if (version < 1 || version > 5) {
    throw cursor.unsupported("a version of datatypes that is not read", version);
  }
  if (size === 0 && (head & 15) !== 3) throw cursor.corrupt("a datatype of no bytes");
  const lowOrder: ByteOrder = flags & 1 ? "big" : "little";
  const base = () => readDatatype(cursor, depth + 1);
  switch (head & 15) {
    case 0:
    case 4: {
      const bitOffset = cursor.u16(), precision = cursor.u16();
      checkBits(cursor, size, bitOffset, precision);
      const signed = (head & 15) === 0 && (flags & 8) !== 0;
      const kind = (head & 15) === 0 ? "integer" : "bitfield";
      return { class: kind, size, order: lowOrder, signed, bitOffset, precision };
    }
    case 1: {
      const order = flags & 0x40 ? "vax" : lowOrder;
      const bitOffset = cursor.u16(), precision = cursor.u16();
      checkBits(cursor, size, bitOffset, precision);
      const parts: FloatParts = {
        sign: (flags >> 8) & 0xff,
        exponent: cursor.u8(),
        exponentBits: cursor.u8(),
        mantissa: cursor.u8(),
        mantissaBits: cursor.u8(),
        normalisation: (flags >> 4) & 3,
        bias: cursor.u32(),
      };
      return { class: "float", size, order, bitOffset, precision, parts };
    }
    case 2:
      return { class: "time", size, order: lowOrder, precision: cursor.u16() };
    case 3:
      return {
        class: "text",
        size,
        padding: paddingOf(flags & 15),
        utf8: ((flags >> 4) & 15) === 1,
      };
    case 5: {
      const tag = cursor.part(flags & 0xff).text();
      return { class: "opaque", size, tag };
    }
    case 6:
      return { class: "compound", size, members: members(cursor, version, flags, size, depth) };
    case 7: {
      const kinds: ReferenceKind[] = ["object", "region", "object2", "region2", "attribute"];
      const kind = kinds[flags & 15];
      if (!kind) throw cursor.unsupported("a kind of reference that is not read", flags & 15);
      return { class: "reference", size, kind };
    }
    case 8:
      return { size, ...enumeration(cursor, version, flags & 0xffff, base()) };
    case 9: {
      const kind = flags & 15;
      const of = base();
      if (kind === 0) return { class: "sequence", size, base: of };
      const utf8 = ((flags >> 8) & 15) === 1;
      return { class: "longtext", size, padding: paddingOf((flags >> 4) & 15), utf8 };
    }
    case 10: {
      const rank = cursor.u8();
      if (version < 3) cursor.skip(3);
      const shape = Array.from({ length: rank }, () => cursor.u32());
      if (version < 3) cursor.skip(4 * rank);
      const of = base();
      const bytes = shape.reduce((n, s) => n * s, of.size);
      if (bytes !== size) throw cursor.corrupt("an array of another size", `${size} bytes`, bytes);
      return { class: "array", size, base: of, shape };
    }
    case 11: {
      const of = base();
      if (of.class !== "float" || of.size * 2 !== size || ((flags >> 1) & 3) !== 0) {
        throw cursor.unsupported("a complex number that is not two equal floats");
      }
      return { class: "complex", size, base: of };
    }
    default:
      throw cursor.unsupported("a class of datatypes that is not read", head & 15);
  }
}

function checkBits(cursor: Cursor, size: number, offset: number, precision: number): void {
  if (precision > 0 && offset + precision <= 8 * size) return;
  throw cursor.corrupt(
    "a number with bits outside its bytes",
    `${precision} bits from bit ${offset}`,
    `within ${size} bytes`,
  );
}

function paddingOf(code: number): Padding {
  return code === 2 ? "space-padded" : code === 1 ? "null-padded" : "null-terminated";
}

function members(
  cursor: Cursor,
  version: number,
  count: number,
  size: number,
  depth: number,
): Member[] {
  const found: Member[] = [];
  const offsetBytes = version < 3
    ? 4
    : size < 0x100
    ? 1
    : size < 0x10000
    ? 2
    : size < 0x1000000
    ? 3
    : 4;
  for (let i = 0; i < (count & 0xffff); i++) {
    const start = cursor.at;
    const name = cursor.text();
    if (version < 3) cursor.align(start);
    const offset = cursor.uint(offsetBytes);
    const shape: number[] = [];
    if (version === 1) {
      const rank = cursor.u8();
      if (rank > 4) throw cursor.corrupt("impossible number of dimensions", rank);
      cursor.skip(3 + 4 + 4);
      const all = Array.from({ length: 4 }, () => cursor.u32());
      shape.push(...all.slice(0, rank));
    }
    let type = readDatatype(cursor, depth + 1);
    if (shape.length) {
      const bytes = shape.reduce((n, s) => n * s, type.size);
      type = { class: "array", size: bytes, base: type, shape };
    }
    if (offset + type.size > size) {
      throw cursor.corrupt("a member outside its compound", `${name} at ${offset}`, size);
    }
    found.push({ name, offset, type });
  }
  return found;
}

function enumeration(
  cursor: Cursor,
  version: number,
  count: number,
  base: Datatype,
): { class: "enum"; base: Datatype; names: string[]; values: (number | bigint)[] } {
  if (base.class !== "integer" && base.class !== "bitfield") {
    throw cursor.unsupported("an enumeration of something other than integers", base.class);
  }
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const start = cursor.at;
    names.push(cursor.text());
    if (version < 3) cursor.align(start);
  }
  const values = names.map(() => integerOf(cursor.take(base.size), base));
  return { class: "enum", base, names, values };
}

/** The value of a stored integer: a bigint where a double cannot hold it. */
export function integerOf(
  bytes: Uint8Array,
  type: DatatypeOf<"integer" | "bitfield">,
): number | bigint {
  let value = 0n;
  const n = bytes.length;
  for (let i = 0; i < n; i++) {
    value = (value << 8n) | BigInt(bytes[type.order === "big" ? i : n - 1 - i]);
  }
  value >>= BigInt(type.bitOffset);
  value = type.signed
    ? BigInt.asIntN(type.precision, value)
    : BigInt.asUintN(type.precision, value);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
