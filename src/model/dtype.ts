/** Element types of arrays, and of samples as files store them. */

/** Element type of an array in a Dataset or a store. */
export type DType =
  | "bool"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float16"
  | "float32"
  | "float64"
  | "complex64"
  | "complex128"
  | "string";

/**
 * How a sample lies in the file. Beyond the numeric types: packed 24-bit words (widened to 32 bits,
 * value unchanged) and the two G.711 laws (expanded to linear int16).
 */
export type StoredType = Exclude<DType, "string" | "bool"> | "int24" | "uint24" | "alaw" | "mulaw";

const SIZES: Record<string, number> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int24: 3,
  uint24: 3,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
  complex64: 8,
  complex128: 16,
  alaw: 1,
  mulaw: 1,
};

/** Bytes of one element; throws for "string", which has no fixed size. */
export function sizeOf(type: DType | StoredType): number {
  const size = SIZES[type];
  if (size === undefined) throw new TypeError(`no fixed element size for ${type}`);
  return size;
}

/** The array type a stored type is read into (`flipSign`: offset-binary words become signed). */
export function decodedType(stored: StoredType, flipSign = false): DType {
  switch (stored) {
    case "int24":
      return "int32";
    case "uint24":
      return "uint32";
    case "alaw":
    case "mulaw":
      return "int16";
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
      return flipSign ? (stored.slice(1) as DType) : stored;
    default:
      return stored;
  }
}

/** Significant bits of an integer type, or undefined for floats. */
export function integerBits(type: StoredType): number | undefined {
  const m = /^u?int(\d+)$/.exec(type);
  if (m) return Number(m[1]);
  return type === "alaw" || type === "mulaw" ? 16 : undefined;
}

/** Typed arrays a block of numbers can be held in. */
export type NumericArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

const NAMES: [new (n: number) => NumericArray, DType][] = [
  [Int8Array, "int8"],
  [Uint8Array, "uint8"],
  [Int16Array, "int16"],
  [Uint16Array, "uint16"],
  [Int32Array, "int32"],
  [Uint32Array, "uint32"],
  [BigInt64Array, "int64"],
  [BigUint64Array, "uint64"],
  [Float32Array, "float32"],
  [Float64Array, "float64"],
];

/** The element type of a typed array. */
export function dtypeOf(values: NumericArray | string[]): DType {
  if (Array.isArray(values)) return "string";
  const hit = NAMES.find(([ctor]) => values instanceof ctor);
  if (!hit) throw new TypeError("not a numeric typed array");
  return hit[1];
}

/** A zero-filled typed array of a numeric type (complex and float16 are held as their raw bytes). */
export function allocate(type: DType, length: number): NumericArray {
  const hit = NAMES.find(([, name]) => name === type);
  if (hit) return new hit[0](length);
  return new Uint8Array(length * sizeOf(type));
}
