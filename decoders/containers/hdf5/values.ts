/** Stored elements as JavaScript values: attributes, texts, values of variable length. */
import { allocate, type DType, type NumericArray, sizeOf } from "../../../src/model/dtype.ts";
import { viewOf } from "../../../src/source/source.ts";
import { decodeItems } from "./chunk-codec.ts";
import { Cursor } from "./cursor.ts";
import type { Datatype, DatatypeOf, Padding } from "./datatype.ts";
import { isBoolean, itemCoding, numberCoding } from "./elements.ts";
import type { GlobalHeap } from "./global-heap.ts";
import { readReference, type Reference } from "./references.ts";
import type { Storage } from "./storage.ts";

/** A complex number. */
export interface Complex {
  re: number;
  im: number;
}

/**
 * One element: numbers (bigint beyond 2^53), booleans, texts, the names of enumerations, bytes of opaque
 * types, references, objects for compounds, arrays for arrays and sequences.
 */
export type Value =
  | number
  | bigint
  | boolean
  | string
  | Complex
  | Uint8Array
  | Reference
  | Value[]
  | { [member: string]: Value };

/** Elements in C order; numbers of machine types as typed arrays (float16 widened to float32). */
export type Values = NumericArray | Value[];

/** What decoding needs beside the bytes. */
export interface ValueContext {
  storage: Storage;
  heap: GlobalHeap;
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const LATIN = new TextDecoder("windows-1252");

/** Text of bytes: UTF-8, or the Western code page where it is none. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes);
  } catch {
    return LATIN.decode(bytes);
  }
}

/** The text in a field of fixed length. */
export function paddedText(bytes: Uint8Array, padding: Padding): string {
  let end = bytes.length;
  if (padding === "null-terminated") {
    const zero = bytes.indexOf(0);
    if (zero >= 0) end = zero;
  } else {
    const fill = padding === "space-padded" ? 0x20 : 0;
    while (end > 0 && bytes[end - 1] === fill) end--;
  }
  return decodeText(bytes.subarray(0, end));
}

/** Decodes `count` elements of a type from `bytes`, which begin at `address` of the file (or -1). */
export async function decodeValues(
  context: ValueContext,
  type: Datatype,
  bytes: Uint8Array,
  count: number,
  address = 0,
): Promise<Values> {
  const numbers = await decodeNumbers(context, type, bytes, count);
  if (numbers) return numbers;
  const cursor = new Cursor(bytes, context.storage.place(Math.max(0, address)), "values");
  const out: Value[] = [];
  for (let i = 0; i < count; i++) out.push(await decodeOne(context, type, cursor.part(type.size)));
  return out;
}

/** Numbers as a typed array; undefined for other types, complex numbers, booleans and enumerations. */
async function decodeNumbers(
  { storage }: ValueContext,
  type: Datatype,
  bytes: Uint8Array,
  count: number,
): Promise<NumericArray | undefined> {
  if (type.class === "enum") return undefined;
  const coding = numberCoding(type);
  if (!coding || coding.dtype.startsWith("complex")) return undefined;
  const leaf = {
    names: [],
    type,
    inner: [],
    offset: 0,
    arrays: [],
    number: coding,
    attributes: {},
  };
  const held = bytes.subarray(0, count * type.size);
  const { item, dtype } = coding;
  const asIs = item.order === "little" && !item.bits && !item.float;
  const plain = asIs
    ? held
    : await decodeItems(itemCoding(leaf, type.size), held, { source: storage.source.name });
  return typedArray(dtype, plain);
}

/** A typed array over a copy of little-endian bytes; half precision is widened. */
export function typedArray(dtype: DType, bytes: Uint8Array): NumericArray {
  const count = Math.floor(bytes.length / sizeOf(dtype));
  if (dtype === "float16") {
    const view = viewOf(bytes);
    return Float32Array.from({ length: count }, (_, i) => half(view.getUint16(2 * i, true)));
  }
  const out = allocate(dtype, count);
  new Uint8Array(out.buffer).set(bytes.subarray(0, out.byteLength));
  return out;
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + mantissa) * 2 ** (exponent - 25) : mantissa * 2 ** -24);
}

async function decodeOne(context: ValueContext, type: Datatype, cursor: Cursor): Promise<Value> {
  switch (type.class) {
    case "text":
      return paddedText(cursor.bytes, type.padding);
    case "longtext":
      return await longText(context, type, cursor);
    case "sequence": {
      const { count, object } = await sequence(context, cursor);
      if (!object) return [];
      const bytes = object.take(Math.min(object.left, count * type.base.size));
      if (bytes.length < count * type.base.size) {
        throw object.corrupt("a sequence shorter than it says", `${bytes.length} bytes`);
      }
      return [...await decodeValues(context, type.base, bytes, count)] as Value[];
    }
    case "reference":
      return await readReference(cursor, type.kind, context.heap);
    case "enum": {
      const values = await decodeValues(context, type.base, cursor.bytes, 1);
      const value = values[0] as number | bigint;
      if (isBoolean(type)) return Number(value) !== 0;
      const at = type.values.findIndex((v) => BigInt(v) === BigInt(value));
      return at < 0 ? value : type.names[at];
    }
    case "array": {
      const count = type.shape.reduce((n, s) => n * s, 1);
      const flat = [...await decodeValues(context, type.base, cursor.bytes, count)] as Value[];
      return nested(flat, type.shape);
    }
    case "complex":
    case "compound": {
      const coding = numberCoding(type);
      if (coding) {
        const leaf = {
          names: [],
          type,
          inner: [],
          offset: 0,
          arrays: [],
          number: coding,
          attributes: {},
        };
        const place = { source: context.storage.source.name };
        const bytes = await decodeItems(itemCoding(leaf, type.size), cursor.bytes, place);
        const [re, im] = typedArray(coding.dtype === "complex64" ? "float32" : "float64", bytes);
        return { re: re as number, im: im as number };
      }
      const members = type.class === "compound" ? type.members : [
        { name: "r", offset: 0, type: type.base },
        { name: "i", offset: type.base.size, type: type.base },
      ];
      const out: [string, Value][] = [];
      for (const member of members) {
        const part = cursor.bytes.subarray(member.offset, member.offset + member.type.size);
        const [value] = await decodeValues(context, member.type, part, 1);
        out.push([member.name, value]);
      }
      return Object.fromEntries(out);
    }
    case "opaque":
      return cursor.bytes.slice();
    default: {
      const values = await decodeNumbers(context, type, cursor.bytes, 1);
      if (!values) return cursor.bytes.slice();
      return values[0];
    }
  }
}

/** The text of a value of variable length. */
async function longText(
  context: ValueContext,
  type: DatatypeOf<"longtext">,
  cursor: Cursor,
): Promise<string> {
  const { count, object } = await sequence(context, cursor);
  if (!object) return "";
  return paddedText(object.take(Math.min(count, object.left)), type.padding);
}

/** Length and place of a value of variable length. */
export async function sequence(
  { heap }: ValueContext,
  cursor: Cursor,
): Promise<{ count: number; object?: Cursor }> {
  const count = cursor.u32();
  const address = cursor.address();
  const index = cursor.u32();
  if (count === 0 || !address) return { count: 0 };
  return { count, object: await heap.object(address, index) };
}

/** Values of an array type as arrays inside arrays. */
function nested(flat: Value[], shape: number[]): Value[] {
  if (shape.length <= 1) return flat;
  const step = flat.length / shape[0];
  return Array.from(
    { length: shape[0] },
    (_, i) => nested(flat.slice(i * step, (i + 1) * step), shape.slice(1)),
  );
}
