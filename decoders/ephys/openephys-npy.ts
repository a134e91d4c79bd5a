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
  /** Sizes of its dimensions. */
  shape: number[];
}

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
  const text = new TextDecoder("latin1").decode(head.subarray(start, start + length));
  const descr = /'descr':\s*'([<>|=])?([a-zA-Z])(\d+)'/.exec(text);
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
  const [, order, kind, digits] = descr ?? [];
  const code = `${kind}${digits}`;
  const dtype: DType | undefined = kind === "S" || kind === "U" ? "string" : TYPES[code];
  if (
    !dtype || shapeText === undefined || order === ">" || text.includes("'fortran_order': True")
  ) {
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
  const width = kind === "U" ? 4 * Number(digits) : Number(digits);
  const bytes = width * shape.reduce((a, b) => a * b, 1), available = source.size! - start - length;
  if (!(bytes <= available)) {
    throw new FuseError("Truncated", "the file ends before its array does", {
      source: source.name,
      offset: start + length,
      found: `${Math.max(0, available)} bytes`,
      expected: `${bytes} bytes`,
    });
  }
  return { source, offset: start + length, dtype, width, wideText: kind === "U", shape };
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
  if (file.dtype === "string") {
    const decoder = new TextDecoder();
    return Array.from({ length: elements }, (_, i) => {
      const one = bytes.subarray(i * width, (i + 1) * width);
      if (!file.wideText) return decoder.decode(one).replace(/\0+$/, "");
      const view = viewOf(one);
      const codes = Array.from({ length: width / 4 }, (_, k) => view.getUint32(4 * k, true));
      return codes.filter((c) => c > 0 && c < 0x110000).map((c) => String.fromCodePoint(c)).join(
        "",
      );
    });
  }
  const out = allocate(file.dtype, elements);
  new Uint8Array(out.buffer).set(bytes);
  return out;
}
