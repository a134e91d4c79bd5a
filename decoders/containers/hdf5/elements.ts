/** What the elements of a datatype are made of: numbers, texts, references, and where they are inside. */
import type { Attributes, Json } from "../../../src/model/dataset.ts";
import { type DType, sizeOf } from "../../../src/model/dtype.ts";
import type { ItemCoding } from "./chunk-codec.ts";
import type { Datatype, DatatypeOf, FloatParts } from "./datatype.ts";

/** A number type as the pipeline knows it, and how it is stored. */
export interface NumberCoding {
  dtype: DType;
  /** One item; its place inside an element is up to the leaf. */
  item: Pick<ItemCoding, "itemBytes" | "outBytes" | "order" | "turnBytes" | "bits" | "float">;
  /** What is lost, when the stored type holds more than any number type here. */
  loss?: string;
}

/** A part of an element that becomes an array of its own. */
export interface Leaf {
  /** Names of the members on the way; empty for types that are no compounds. */
  names: string[];
  /** Type of an item, arrays taken off. */
  type: Datatype;
  /** Sizes of the arrays around an item: dimensions behind those of the dataset. */
  inner: number[];
  /** Byte of the element at which the first item begins. */
  offset: number;
  /** Arrays around an item with their strides, outermost first. */
  arrays: { count: number; stride: number }[];
  /** How items are stored, when they are numbers. */
  number?: NumberCoding;
  /** What the type says beyond the element type: names of an enumeration, tag of an opaque type. */
  attributes: Attributes;
}

/** Most parts of one element. */
const MOST_LEAVES = 4096;

const IEEE: Record<number, Omit<FloatParts, "mantissa" | "normalisation">> = {
  2: { sign: 15, exponent: 10, exponentBits: 5, mantissaBits: 10, bias: 15 },
  4: { sign: 31, exponent: 23, exponentBits: 8, mantissaBits: 23, bias: 127 },
  8: { sign: 63, exponent: 52, exponentBits: 11, mantissaBits: 52, bias: 1023 },
};

function isIeee({ size, parts }: DatatypeOf<"float">): boolean {
  const want = IEEE[size];
  return want !== undefined && parts.mantissa === 0 && parts.normalisation === 2 &&
    parts.sign === want.sign && parts.exponent === want.exponent && parts.bias === want.bias &&
    parts.exponentBits === want.exponentBits && parts.mantissaBits === want.mantissaBits;
}

/** How numbers of a type are stored, or undefined for types that are not numbers. */
export function numberCoding(type: Datatype): NumberCoding | undefined {
  switch (type.class) {
    case "integer":
    case "bitfield":
      return integerCoding(type);
    case "time":
      if (type.size !== 4 && type.size !== 8) return undefined;
      return plain(type.size === 4 ? "int32" : "int64", type.size, type.order);
    case "float":
      return floatCoding(type);
    case "enum": {
      const coding = numberCoding(type.base);
      return coding && isBoolean(type) ? { ...coding, dtype: "bool" } : coding;
    }
    case "complex":
      return complexCoding(type.base, type.size);
    case "compound": {
      const pair = complexPair(type);
      return pair && complexCoding(pair, type.size);
    }
    case "opaque":
      return /^NUMPY:[<>|=]?[mM]8/.test(type.tag) && type.size === 8
        ? plain("int64", 8, type.tag.includes(">") ? "big" : "little")
        : undefined;
    default:
      return undefined;
  }
}

function plain(dtype: DType, size: number, order: ItemCoding["order"]): NumberCoding {
  return { dtype, item: { itemBytes: size, outBytes: size, order } };
}

function integerCoding(type: DatatypeOf<"integer" | "bitfield">): NumberCoding | undefined {
  const { size, precision, bitOffset, signed, order } = type;
  const prefix = signed ? "int" : "uint";
  const whole = bitOffset === 0 && precision === 8 * size;
  if (whole && [1, 2, 4, 8].includes(size)) {
    return plain(`${prefix}${8 * size}` as DType, size, order);
  }
  // As wide as it is stored, which is what other readers give it.
  const width = [8, 16, 32, 64].find((bits) => bits >= 8 * size) ?? (precision <= 64 ? 64 : 0);
  if (!width || size > 16) return undefined;
  const bits = { offset: bitOffset, precision, signed };
  return {
    dtype: `${prefix}${width}` as DType,
    item: { itemBytes: size, outBytes: width / 8, order, bits },
  };
}

function floatCoding(type: DatatypeOf<"float">): NumberCoding | undefined {
  const { size, order, parts } = type;
  if (isIeee(type) && order !== "vax") {
    return plain(`float${8 * size}` as DType, size, order);
  }
  if (size > 16 || parts.mantissaBits > 112 || parts.exponentBits > 31) return undefined;
  const small = parts.exponentBits <= 8 && parts.mantissaBits <= 23 && parts.bias <= 127;
  const explicit = parts.normalisation === 2 ? 0 : 1;
  const loses = parts.mantissaBits - explicit > 52 || parts.exponentBits > 11;
  return {
    dtype: small ? "float32" : "float64",
    item: { itemBytes: size, outBytes: small ? 4 : 8, order, float: parts },
    ...(loses ? { loss: `floats of ${8 * size} bits are rounded to 64 bits` } : {}),
  };
}

function complexCoding(part: Datatype, size: number): NumberCoding | undefined {
  if (part.class !== "float" || !isIeee(part) || part.size < 4 || part.order === "vax") {
    return undefined;
  }
  const dtype = part.size === 4 ? "complex64" : "complex128";
  const { order } = part;
  return { dtype, item: { itemBytes: size, outBytes: size, order, turnBytes: part.size } };
}

/** The type of both parts, for a compound of a real and an imaginary part as h5py and MATLAB write it. */
function complexPair({ members, size }: DatatypeOf<"compound">): Datatype | undefined {
  if (members.length !== 2) return undefined;
  const [a, b] = members;
  const named = ["r i", "re im", "real imag"].includes(`${a.name} ${b.name}`);
  const alike = a.type.class === "float" && b.type.class === "float" &&
    a.type.size === b.type.size && a.type.order === b.type.order;
  return named && alike && a.offset === 0 && b.offset === a.type.size && size === 2 * a.type.size
    ? a.type
    : undefined;
}

/** True for the enumeration in which h5py and others keep booleans. */
export function isBoolean({ base, names, values }: DatatypeOf<"enum">): boolean {
  if (base.size !== 1 || names.length !== 2) return false;
  const of = (name: string) => Number(values[names.findIndex((n) => n.toUpperCase() === name)]);
  return of("FALSE") === 0 && of("TRUE") === 1;
}

/** The parts of an element, in order; undefined when there are too many. */
export function leavesOf(type: Datatype): Leaf[] | undefined {
  const leaves: Leaf[] = [];
  const walk = (
    of: Datatype,
    names: string[],
    offset: number,
    inner: number[],
    arrays: Leaf["arrays"],
  ): boolean => {
    if (leaves.length > MOST_LEAVES) return false;
    const number = numberCoding(of);
    if (!number && of.class === "compound") {
      return of.members.every((m) =>
        walk(m.type, [...names, m.name], offset + m.offset, inner, arrays)
      );
    }
    if (!number && of.class === "complex") {
      const half = of.base.size;
      return ["r", "i"].every((part, i) =>
        walk(of.base, [...names, part], offset + i * half, inner, arrays)
      );
    }
    if (of.class === "array") {
      const strides = of.shape.map((_, i) =>
        of.shape.slice(i + 1).reduce((n, s) => n * s, of.base.size)
      );
      const own = of.shape.map((count, i) => ({ count, stride: strides[i] }));
      return walk(of.base, names, offset, [...inner, ...of.shape], [...arrays, ...own]);
    }
    if (!number && of.class === "opaque") {
      // Bytes nobody can name: as many numbers.
      const bytes = plain("uint8", 1, "little");
      const own = { count: of.size, stride: 1 };
      leaves.push({
        names,
        type: of,
        inner: [...inner, of.size],
        offset,
        arrays: [...arrays, own],
        number: bytes,
        attributes: of.tag ? { opaque_tag: of.tag } : {},
      });
      return true;
    }
    leaves.push({
      names,
      type: of,
      inner,
      offset,
      arrays,
      ...(number ? { number } : {}),
      attributes: typeAttributes(of),
    });
    return true;
  };
  return walk(type, [], 0, [], []) ? leaves : undefined;
}

function typeAttributes(type: Datatype): Attributes {
  if (type.class === "enum" && !isBoolean(type)) {
    const mapping: Record<string, Json> = {};
    type.names.forEach((name, i) => {
      const value = type.values[i];
      mapping[name] = typeof value === "bigint" ? String(value) : value;
    });
    return { enum: mapping };
  }
  if (type.class === "time") return { hdf5_class: "time" };
  if (type.class === "bitfield") return { hdf5_class: "bitfield" };
  if (type.class === "opaque") return { numpy_dtype: type.tag.replace(/^NUMPY:/, "") };
  return {};
}

/** How the items of a leaf are stored inside elements of `elementBytes`. */
export function itemCoding(leaf: Leaf, elementBytes: number): ItemCoding {
  const { offset, arrays, number } = leaf;
  if (!number) throw new TypeError("not numbers");
  return { elementBytes, offset, arrays, ...number.item };
}

/** True when elements are just what the codec "raw" reads: whole machine types in one order. */
export function isRaw(leaf: Leaf, elementBytes: number): boolean {
  const { number, arrays, offset } = leaf;
  if (!number || number.item.bits || number.item.float || number.item.order === "vax") return false;
  const width = sizeOf(number.dtype);
  const packed = arrays.every(({ stride }, i) =>
    stride === arrays.slice(i + 1).reduce((n, a) => n * a.count, width)
  );
  const items = arrays.reduce((n, a) => n * a.count, 1);
  return packed && offset === 0 && items * width === elementBytes &&
    number.item.itemBytes === width;
}
