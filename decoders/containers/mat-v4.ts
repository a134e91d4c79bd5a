/**
 * MAT-files of level 4: matrices one after the other, each with a header of five integers and its name
 * (MathWorks "MAT-File Format", chapter 2).
 */
import { FuseError } from "../../src/errors.ts";
import { type DType, sizeOf } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { truncated, viewOf } from "../../src/source/source.ts";
import { FileCursor } from "./mat-bytes.ts";
import { decodeValues, MatContext } from "./mat-elements.ts";
import type { MatNode, MatPart, MatVariables, NumericNode } from "./mat-model.ts";
import { charRows, plainText } from "./mat-text.ts";

const HEADER_BYTES = 20;
/** Names end with a zero; longer ones are no names. */
const NAME_BYTES = 4096;
/** Text of one matrix. */
const TEXT_VALUES = 8 << 20;
/** Values of a sparse matrix, which are kept in memory. */
const SPARSE_VALUES = 4 << 20;

/** Element types by the P digit of the type. */
const PRECISIONS: DType[] = ["float64", "float32", "int32", "int16", "uint16", "uint8"];
const CLASSES = ["double", "single", "int32", "int16", "uint16", "uint8"];

/** The five integers at the head of a matrix. */
export interface LevelFourHeader {
  littleEndian: boolean;
  precision: number;
  /** 0 numbers, 1 text, 2 sparse. */
  kind: number;
  rows: number;
  columns: number;
  complex: boolean;
  nameBytes: number;
}

/** Reads the head of a matrix; null when the bytes cannot be one. */
export function levelFour(head: Uint8Array): LevelFourHeader | null {
  if (head.length < HEADER_BYTES) return null;
  const view = viewOf(head);
  for (const littleEndian of [true, false]) {
    const [type, rows, columns, imaginary, nameBytes] = [0, 4, 8, 12, 16].map((at) =>
      view.getUint32(at, littleEndian)
    );
    const [m, o, p, t] = [1000, 100, 10, 1].map((d) => Math.floor(type / d) % 10);
    if (type > 4052 || m !== (littleEndian ? 0 : 1) || o !== 0 || p > 5 || t > 2) continue;
    if (imaginary > 1 || nameBytes < 1 || nameBytes > NAME_BYTES) continue;
    if (rows > 0x7fffffff || columns > 0x7fffffff) continue;
    return {
      littleEndian,
      precision: p,
      kind: t,
      rows,
      columns,
      complex: imaginary === 1,
      nameBytes,
    };
  }
  return null;
}

/** Reads the variables of a level-4 file. @throws FuseError `Corrupt`, `Truncated` or `Limit`. */
export async function readLevelFour(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<MatVariables> {
  const cursor = new FileCursor(source, 0, signal);
  const found: MatVariables = { version: "4", header: "", variables: [], warnings: [] };
  const size = source.size ?? Infinity;
  let kept = 0;
  while (cursor.position < size) {
    const start = cursor.position;
    const header = levelFour(await cursor.read(HEADER_BYTES));
    if (!header) {
      throw new FuseError("Corrupt", "not a matrix of level 4", {
        source: source.name,
        format: "mat",
        offset: start,
      });
    }
    const context = new MatContext(source, header.littleEndian, signal);
    context.kept = kept;
    const name = plainText(await cursor.read(header.nameBytes));
    const dtype = PRECISIONS[header.precision];
    const count = header.rows * header.columns;
    const bytes = count * sizeOf(dtype) * (header.complex ? 2 : 1);
    const data = cursor.position;
    if (data + bytes > size) throw truncated(source, data, bytes, size - data);
    found.variables.push(await readMatrix(cursor, context, header, name));
    kept = context.kept;
    await cursor.skip(data + bytes - cursor.position);
  }
  return found;
}

async function readMatrix(
  cursor: FileCursor,
  context: MatContext,
  header: LevelFourHeader,
  name: string,
): Promise<MatNode> {
  const { littleEndian, precision, kind, rows, columns, complex } = header;
  const dtype = PRECISIONS[precision];
  const count = rows * columns, width = sizeOf(dtype);
  const shape = [rows, columns];
  const base = { name, shape, matlabClass: CLASSES[precision] };
  if (kind === 1) {
    if (count > TEXT_VALUES) return { ...base, kind: "opaque", why: "text longer than is kept" };
    const codes = decodeValues(await cursor.read(count * width), dtype, littleEndian);
    const text = Array.from(codes as Float64Array, character).join("");
    return { ...base, matlabClass: "char", kind: "char", rows: charRows(text, shape) };
  }
  if (kind === 2) return await readSparse(cursor, context, header, name);
  const part = async (): Promise<MatPart> => {
    const offset = cursor.position, bytes = count * width;
    if (!context.keep(bytes, false)) {
      await cursor.skip(bytes);
      return { kind: "file", dtype, offset, littleEndian };
    }
    return {
      kind: "values",
      dtype,
      values: decodeValues(await cursor.read(bytes), dtype, littleEndian),
    };
  };
  const real = await part();
  return { ...base, kind: "numeric", real, ...(complex ? { imaginary: await part() } : {}) };
}

function character(code: number): string {
  return code >= 0 && code <= 0x10ffff ? String.fromCodePoint(Math.floor(code)) : "\ufffd";
}

/**
 * A sparse matrix: columns of row numbers, column numbers, values and perhaps imaginary values; the last
 * row gives the size. Numbers count from 1.
 */
async function readSparse(
  cursor: FileCursor,
  context: MatContext,
  { littleEndian, precision, rows, columns }: LevelFourHeader,
  name: string,
): Promise<MatNode> {
  const dtype = PRECISIONS[precision];
  const at = cursor.position;
  if (columns < 3 || columns > 4 || rows < 1) {
    throw context.corrupt("impossible sparse matrix", at, `${rows} x ${columns}`, "n x 3 or n x 4");
  }
  if (rows > SPARSE_VALUES) {
    const why = "a sparse matrix larger than is kept";
    return { name, matlabClass: "sparse", shape: [rows, columns], kind: "opaque", why };
  }
  const all = decodeValues(
    await cursor.read(rows * columns * sizeOf(dtype)),
    dtype,
    littleEndian,
  ) as Float64Array;
  const count = rows - 1;
  const column = (c: number) => all.slice(c * rows, c * rows + count);
  const shape = [all[count], all[rows + count]];
  const i = Int32Array.from(column(0), (n) => n - 1), j = Int32Array.from(column(1), (n) => n - 1);
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0 && n <= 1 << 28)) {
    throw context.corrupt("impossible size of a sparse matrix", at, shape.join(" x "));
  }
  const order = Array.from({ length: count }, (_, k) => k).sort((a, b) =>
    j[a] - j[b] || i[a] - i[b]
  );
  const indptr = new Int32Array(shape[1] + 1);
  for (let k = 0; k < count; k++) {
    if (j[k] < 0 || j[k] >= shape[1] || i[k] < 0 || i[k] >= shape[0]) {
      throw context.corrupt("a value outside its sparse matrix", at, `${i[k] + 1}, ${j[k] + 1}`);
    }
    indptr[j[k] + 1]++;
  }
  for (let c = 0; c < shape[1]; c++) indptr[c + 1] += indptr[c];
  const values = (from: Float64Array): MatPart => ({
    kind: "values",
    dtype,
    values: from.map((_, k) => from[order[k]]),
  });
  const numeric = (real: MatPart, length: number, imaginary?: MatPart): NumericNode => ({
    name: "",
    matlabClass: real.dtype === "int32" ? "int32" : "double",
    shape: [length, 1],
    kind: "numeric",
    real,
    ...(imaginary ? { imaginary } : {}),
  });
  const rowsOf: MatPart = {
    kind: "values",
    dtype: "int32",
    values: Int32Array.from(order, (k) => i[k]),
  };
  return {
    name,
    matlabClass: "sparse",
    shape,
    kind: "sparse",
    indices: numeric(rowsOf, count),
    indptr: numeric({ kind: "values", dtype: "int32", values: indptr }, shape[1] + 1),
    values: numeric(values(column(2)), count, columns === 4 ? values(column(3)) : undefined),
  };
}
