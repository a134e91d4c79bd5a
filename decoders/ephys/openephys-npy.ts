/** Arrays of NumPy's .npy files, as Open Ephys writes them. Source: NumPy, "The NPY format", versions 1 to 3. */
import { ensure, FuseError } from "../../src/errors.ts";
import { allocate, type DType, type NumericArray } from "../../src/model/dtype.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { hasText } from "../format.ts";

/** A .npy file and its header. */
export interface NpyFile {
  /** The file. */
  source: ByteSource;
  /** First byte of the values. */
  offset: number;
  /** Element type; "string" for fixed-length text. */
  dtype: DType;
  /** Bytes of an element. */
  width: number;
  /** Whether text elements are of four bytes a character. */
  wideText: boolean;
  /** Fields of a structured array; each of its rows is then a text of JSON. */
  fields?: NpyField[];
  /** Sizes of its dimensions. */
  shape: number[];
  /** Whether the file holds more rows than its header says, which are then counted. */
  unclosed: boolean;
}

/** A field of the rows of a structured array. */
export interface NpyField {
  /** Its name. */
  name: string;
  /** Its place in the row, bytes. */
  at: number;
  /** Element type; "string" for text. */
  dtype: DType;
  /** Bytes of an element. */
  width: number;
  /** Whether text is of four bytes a character. */
  wideText: boolean;
  /** Elements of the field; undefined for a plain value. */
  length?: number;
}

/** Fields and bytes of a row that are read. */
const MOST_FIELDS = 1024, MOST_ROW_BYTES = 1 << 20;

const TYPES: Record<string, DType> = {
  b1: "uint8",
  i1: "int8",
  u1: "uint8",
  i2: "int16",
  u2: "uint16",
  i4: "int32",
  u4: "uint32",
  i8: "int64",
  u8: "uint64",
  f4: "float32",
  f8: "float64",
};

/** Reads the header of a .npy file. @throws FuseError where it is none, or of a kind that is not written here */
export async function openNpy(source: ByteSource, signal?: AbortSignal): Promise<NpyFile> {
  const head = await source.readUpTo(0, 4096, { purpose: "header", signal });
  ensure(hasText(head, 1, "NUMPY") && head.length >= 12, "not a NumPy file", {
    source: source.name,
    offset: 0,
  });
  const wide = head[6] >= 2;
  const start = wide ? 12 : 10;
  const length = wide ? viewOf(head).getUint32(8, true) : viewOf(head).getUint16(8, true);
  const described = start + length <= head.length
    ? head.subarray(start, start + length)
    : await source.readUpTo(start, Math.min(length, MOST_ROW_BYTES), { purpose: "header", signal });
  const text = new TextDecoder("latin1").decode(described);
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(text.slice(text.indexOf("'shape'")))?.[1];
  const plain = typeOf(/'descr':\s*'([^']*)'/.exec(text)?.[1] ?? "");
  const fields = plain ? undefined : fieldsOf(text);
  if (!(plain || fields) || shapeText === undefined || text.includes("'fortran_order': True")) {
    throw new FuseError("Unsupported", "a NumPy array of an unusual kind", {
      source: source.name,
      offset: start,
      found: text.trim().slice(0, 100),
    });
  }
  const shape = shapeText.split(",").map((s) => s.trim()).filter(Boolean).map(Number);
  ensure(shape.every((n) => Number.isSafeInteger(n) && n >= 0), "an impossible array shape", {
    source: source.name,
    offset: start,
    found: shapeText,
  });
  const last = fields?.at(-1);
  const width = plain?.width ?? last!.at + last!.width * (last!.length ?? 1);
  const bytes = width * shape.reduce((a, b) => a * b, 1), available = source.size! - start - length;
  if (!(bytes <= available)) {
    throw new FuseError("Truncated", "the file ends before its array does", {
      source: source.name,
      offset: start + length,
      found: `${Math.max(0, available)} bytes`,
      expected: `${bytes} bytes`,
    });
  }
  // The number of rows is written last: after a crash it is that of the beginning.
  const rowBytes = width * shape.slice(1).reduce((a, b) => a * b, 1);
  const unclosed = shape.length > 0 && rowBytes > 0 && available >= bytes + rowBytes;
  if (unclosed) shape[0] = Math.floor(available / rowBytes);
  const dtype = plain?.dtype ?? "string", wideText = plain?.wideText ?? false;
  return {
    source,
    offset: start + length,
    dtype,
    width,
    wideText,
    shape,
    unclosed,
    ...(fields ? { fields } : {}),
  };
}

/** What "<i8" and its like mean; undefined for big-endian and other kinds. */
function typeOf(descr: string): Pick<NpyField, "dtype" | "width" | "wideText"> | undefined {
  const [, order, kind, digits] = /^([<>|=])?([a-zA-Z])(\d+)$/.exec(descr) ?? [];
  const text = kind === "S" || kind === "U";
  const dtype: DType | undefined = text ? "string" : TYPES[`${kind}${digits}`];
  if (!dtype || order === ">" && Number(digits) > 1) return undefined;
  return { dtype, width: Number(digits) * (kind === "U" ? 4 : 1), wideText: kind === "U" };
}

/** Fields of `'descr': [('name', '<i4'), ('more', '|u1', (8,))]`; undefined where there are none. */
function fieldsOf(text: string): NpyField[] | undefined {
  const list = /'descr':\s*\[(.*?)\]/s.exec(text)?.[1];
  if (list === undefined) return undefined;
  const fields: NpyField[] = [];
  let at = 0;
  const one = /\(\s*'([^']*)'\s*,\s*'([^']*)'\s*(?:,\s*\(?([\d,\s]*)\)?)?\s*\)/g;
  for (const [, name, descr, sizes] of list.matchAll(one)) {
    const type = typeOf(descr);
    if (!type) return undefined;
    const counts = (sizes ?? "").split(",").map((s) => s.trim()).filter(Boolean).map(Number);
    const length = counts.length ? counts.reduce((a, b) => a * b, 1) : undefined;
    fields.push({ name, at, ...type, ...(length === undefined ? {} : { length }) });
    at += type.width * (length ?? 1);
    if (fields.length > MOST_FIELDS || !(at <= MOST_ROW_BYTES)) return undefined;
  }
  return fields.length ? fields : undefined;
}

/** A row of a structured array as JSON. */
function rowText(fields: NpyField[], row: Uint8Array): string {
  const out: Record<string, unknown> = {};
  for (const { name, at, dtype, width, wideText, length } of fields) {
    const bytes = row.subarray(at, at + width * (length ?? 1));
    const values = valuesOf(bytes, dtype, width, wideText);
    const plain = Array.from(
      values as ArrayLike<unknown>,
      (v) => typeof v === "bigint" ? Number(v) : v,
    );
    Object.defineProperty(out, name, {
      value: length === undefined ? plain[0] : plain,
      enumerable: true,
    });
  }
  return JSON.stringify(out);
}

/** Elements of `bytes`. */
function valuesOf(
  bytes: Uint8Array,
  dtype: DType,
  width: number,
  wideText: boolean,
): NumericArray | string[] {
  const elements = width ? bytes.length / width : 0;
  if (dtype !== "string") {
    const out = allocate(dtype, elements);
    new Uint8Array(out.buffer).set(bytes);
    return out;
  }
  const decoder = new TextDecoder();
  return Array.from({ length: elements }, (_, i) => {
    const one = bytes.subarray(i * width, (i + 1) * width);
    if (!wideText) return decoder.decode(one).replace(/\0+$/, "");
    const view = viewOf(one);
    const codes = Array.from({ length: width / 4 }, (_, k) => view.getUint32(4 * k, true));
    return codes.filter((c) => c > 0 && c < 0x110000).map((c) => String.fromCodePoint(c)).join("");
  });
}

/** Elements of one row (all dimensions after the first). */
export function rowLength({ shape }: NpyFile): number {
  return shape.slice(1).reduce((a, b) => a * b, 1);
}

/** Rows `first .. first + count - 1`. */
export async function npyRows(
  file: NpyFile,
  first: number,
  count: number,
  signal?: AbortSignal,
): Promise<NumericArray | string[]> {
  const elements = count * rowLength(file), { width } = file;
  const bytes = await file.source.read(
    file.offset + first * rowLength(file) * width,
    elements * width,
    { purpose: "bulk", signal },
  );
  const { fields, dtype, wideText } = file;
  if (fields) {
    return Array.from(
      { length: elements },
      (_, i) => rowText(fields, bytes.subarray(i * width, (i + 1) * width)),
    );
  }
  // Text of no characters has no bytes.
  if (dtype === "string" && !width) return new Array<string>(elements).fill("");
  return valuesOf(bytes, dtype, width, wideText);
}
