/** Tags of v5 data elements (MathWorks "MAT-File Format", chapter 1). */
import { FuseError } from "../../src/errors.ts";
import { allocate, type DType, type NumericArray, sizeOf } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { truncated, viewOf } from "../../src/source/source.ts";
import type { ByteCursor } from "./mat-bytes.ts";
import type { MatPart, PackedElement } from "./mat-model.ts";

/** Types of data elements. */
export const MI = {
  int8: 1,
  uint8: 2,
  int16: 3,
  uint16: 4,
  int32: 5,
  uint32: 6,
  single: 7,
  double: 9,
  int64: 12,
  uint64: 13,
  matrix: 14,
  compressed: 15,
  utf8: 16,
  utf16: 17,
  utf32: 18,
} as const;

/** Element types of the numeric data elements. */
export const NUMERIC: Record<number, DType> = {
  [MI.int8]: "int8",
  [MI.uint8]: "uint8",
  [MI.int16]: "int16",
  [MI.uint16]: "uint16",
  [MI.int32]: "int32",
  [MI.uint32]: "uint32",
  [MI.single]: "float32",
  [MI.double]: "float64",
  [MI.int64]: "int64",
  [MI.uint64]: "uint64",
};

/** The head of a data element. */
export interface Tag {
  type: number;
  bytes: number;
  /** Place of the tag. */
  start: number;
  /** Bytes of the data with the filling after them. */
  padded: number;
}

/** Largest payload kept in memory where it would have to be inflated again. */
const KEEP_PACKED = 8 << 20;
/** Largest payload read at once where it can be read when needed. */
const KEEP_FILE = 64 << 10;
/** All payloads kept in memory; beyond it only small ones are. */
const KEEP_ALL = 64 << 20;
/** Payloads kept however many there are. */
const KEEP_ALWAYS = 4096;
/** All payloads kept, small ones too. */
const KEEP_MOST = 512 << 20;

/** What the parsers of one file share: its byte order, and how much it may still take up. */
export class MatContext {
  kept = 0;
  /** Variables, cells and fields so far. */
  nodes = 0;

  constructor(
    readonly source: ByteSource,
    readonly littleEndian: boolean,
    readonly signal?: AbortSignal,
  ) {}

  /** An error at a place of the file, or of what an element inflates to. */
  corrupt(statement: string, offset: number, found?: unknown, expected?: unknown): FuseError {
    return new FuseError("Corrupt", statement, {
      source: this.source.name,
      format: "mat",
      offset,
      found,
      expected,
    });
  }

  /** True when a payload is to be kept in memory; it is counted then. */
  keep(bytes: number, packed: boolean): boolean {
    const most = packed ? KEEP_PACKED : KEEP_FILE;
    const fits = bytes <= most && this.kept + bytes <= KEEP_ALL ||
      bytes <= KEEP_ALWAYS && this.kept + bytes <= KEEP_MOST;
    if (fits) this.kept += bytes;
    return fits;
  }
}

/** Reads the next tag; small elements keep their data in the tag itself. */
export async function readTag(
  cursor: ByteCursor,
  context: MatContext,
): Promise<Tag & { small?: Uint8Array }> {
  const start = cursor.position;
  const head = viewOf((await cursor.read(8)).slice());
  const word = head.getUint32(0, context.littleEndian);
  const bytes = word >>> 16;
  if (bytes !== 0) {
    if (bytes > 4) {
      throw context.corrupt("impossible small element", start, `${bytes} bytes`, "at most 4");
    }
    return {
      type: word & 0xffff,
      bytes,
      start,
      padded: 0,
      small: new Uint8Array(head.buffer, head.byteOffset + 4, bytes),
    };
  }
  const length = head.getUint32(4, context.littleEndian);
  return { type: word, bytes: length, start, padded: Math.ceil(length / 8) * 8 };
}

/** Data of an element that is needed at once. */
export async function readPayload(
  cursor: ByteCursor,
  context: MatContext,
  most: number,
  ...types: number[]
): Promise<{ bytes: Uint8Array; tag: Tag }> {
  const tag = await readTag(cursor, context);
  if (!types.includes(tag.type)) {
    throw context.corrupt("an element of another type", tag.start, tag.type, types.join(" or "));
  }
  if (tag.small) return { bytes: tag.small, tag };
  if (tag.bytes > most) {
    throw context.corrupt(
      "an element larger than its kind can be",
      tag.start,
      tag.bytes,
      `at most ${most}`,
    );
  }
  // The last element of a variable may lack its filling.
  const bytes = (await cursor.read(tag.bytes)).slice();
  await cursor.skip(tag.padded - tag.bytes);
  return { bytes, tag };
}

/** Integers of a dimensions or index element. */
export async function readIntegers(
  cursor: ByteCursor,
  context: MatContext,
  most: number,
): Promise<number[]> {
  const { bytes, tag } = await readPayload(cursor, context, most, MI.int32, MI.uint32);
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => {
    const n = view.getInt32(i * 4, context.littleEndian);
    if (n < 0) throw context.corrupt("a negative size", tag.start, n);
    return n;
  });
}

/**
 * Real or imaginary values of an array: kept when they are few, else where they are. `count` is how many
 * there must be; `end` where the next element begins. So many `truths` are a byte each, whatever type the tag
 * states: MATLAB calls those of sparse matrices doubles.
 */
export async function readPart(
  cursor: ByteCursor,
  context: MatContext,
  element: PackedElement | undefined,
  count?: number,
  truths?: number,
): Promise<{ part: MatPart; count: number; end: number }> {
  const tag = await readTag(cursor, context);
  const dtype = tag.bytes === truths ? "uint8" : NUMERIC[tag.type];
  if (!dtype) {
    if (tag.bytes === 0 && !count) {
      const values = new Float64Array(0);
      return { part: { kind: "values", dtype: "float64", values }, count: 0, end: cursor.position };
    }
    throw context.corrupt("numbers of an unknown type", tag.start, tag.type);
  }
  const width = sizeOf(dtype);
  const found = Math.floor(tag.bytes / width);
  if (count !== undefined && tag.bytes !== count * width) {
    throw context.corrupt(
      "another number of values than the array's size asks for",
      tag.start,
      `${tag.bytes} bytes`,
      `${count} x ${width}`,
    );
  }
  const { littleEndian } = context;
  if (tag.small) {
    const values = decodeValues(tag.small, dtype, littleEndian);
    return { part: { kind: "values", dtype, values }, count: found, end: cursor.position };
  }
  const offset = cursor.position, end = offset + tag.padded;
  if (!context.keep(tag.bytes, element !== undefined)) {
    const part: MatPart = element
      ? { kind: "packed", dtype, element, offset, littleEndian }
      : { kind: "file", dtype, offset, littleEndian };
    const size = context.source.size;
    if (!element && size !== undefined && offset + tag.bytes > size) {
      throw truncated(context.source, offset, tag.bytes, size - offset);
    }
    return { part, count: found, end };
  }
  const values = decodeValues(await cursor.read(tag.bytes), dtype, littleEndian);
  return { part: { kind: "values", dtype, values }, count: found, end };
}

/** A typed array of its own from bytes in either order. */
export function decodeValues(
  bytes: Uint8Array,
  dtype: DType,
  littleEndian: boolean,
): NumericArray {
  const out = allocate(dtype, Math.floor(bytes.length / sizeOf(dtype)));
  const raw = new Uint8Array(out.buffer);
  raw.set(bytes.subarray(0, raw.length));
  const width = sizeOf(dtype);
  if (!littleEndian && width > 1) {
    for (let at = 0; at < raw.length; at += width) raw.subarray(at, at + width).reverse();
  }
  return out;
}
