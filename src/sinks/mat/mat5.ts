/** MAT-files of version 5 (MathWorks, "MAT-File Format", level 5): a header and one element a variable. */
import type { ByteOutput } from "../ordered/output.ts";
import type { NumericVariable, StructVariable, TextVariable, Variable } from "./variables.ts";

/** Bytes a variable of version 5 can have. */
export const LARGEST = 2 ** 31 - 1;

/** Array classes and the data types their values have (tables 1-1 and 1-3). */
const CLASS: Record<string, [arrayClass: number, dataType: number]> = {
  double: [6, 9],
  single: [7, 7],
  int8: [8, 1],
  uint8: [9, 2],
  int16: [10, 3],
  uint16: [11, 4],
  int32: [12, 5],
  uint32: [13, 6],
  int64: [14, 12],
  uint64: [15, 13],
  logical: [9, 2],
};
const MATRIX = 14, CELL = 1, STRUCT = 2, CHAR = 4;
const LOGICAL_FLAG = 0x200;

function pad8(n: number): number {
  return Math.ceil(n / 8) * 8;
}

/** A sub-element: tag, data, padding. */
function element(type: number, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(8 + pad8(data.length));
  const view = new DataView(out.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, data.length, true);
  out.set(data, 8);
  return out;
}

function words(values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

function joined(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Flags, dimensions and name of a matrix element. */
function preamble(arrayClass: number, flags: number, dims: number[], name: string): Uint8Array {
  return joined([
    element(6, words([arrayClass | flags, 0])),
    element(5, words(dims)),
    element(1, new TextEncoder().encode(name)),
  ]);
}

function tag(length: number): Uint8Array {
  return words([MATRIX, length]);
}

function charMatrix(text: string, name = ""): Uint8Array {
  const codes = new Uint16Array(text.length);
  for (let i = 0; i < text.length; i++) codes[i] = text.charCodeAt(i);
  const body = joined([
    preamble(CHAR, 0, [text.length ? 1 : 0, text.length], name),
    element(4, new Uint8Array(codes.buffer)),
  ]);
  return joined([tag(body.length), body]);
}

/** Bytes of a numeric variable's element after its tag. */
function numericLength(variable: NumericVariable): number {
  const count = variable.dims.reduce((a, b) => a * b, 1);
  const head = preamble(6, 0, variable.dims, variable.name).length;
  return head + 8 + pad8(count * variable.elementBytes);
}

/** True when every variable fits version 5. */
export function fitsMat5(variables: Variable[]): boolean {
  return variables.every((v) => v.kind !== "numeric" || numericLength(v) <= LARGEST);
}

/** Writes a whole file. */
export async function writeMat5(
  variables: Variable[],
  output: ByteOutput,
  text: string,
): Promise<void> {
  const header = new Uint8Array(128).fill(0x20, 0, 116);
  header.set(new TextEncoder().encode(`MATLAB 5.0 MAT-file, ${text}`).subarray(0, 116));
  new DataView(header.buffer).setUint16(124, 0x0100, true);
  header.set([0x49, 0x4d], 126);
  await output.write(header);
  for (const variable of variables) {
    if (variable.kind === "numeric") await writeNumeric(variable, output);
    else if (variable.kind === "text") await writeText(variable, output);
    else await output.write(structMatrix(variable));
  }
}

async function writeNumeric(variable: NumericVariable, output: ByteOutput): Promise<void> {
  const [arrayClass, dataType] = CLASS[variable.type];
  const flags = variable.type === "logical" ? LOGICAL_FLAG : 0;
  const bytes = variable.dims.reduce((a, b) => a * b, variable.elementBytes);
  await output.write(tag(numericLength(variable)));
  await output.write(preamble(arrayClass, flags, variable.dims, variable.name));
  await output.write(words([dataType, bytes]));
  for (const piece of variable.pieces()) await output.write(piece);
  if (bytes % 8) await output.write(new Uint8Array(8 - (bytes % 8)));
}

/** Two passes over the strings: the length of an element stands before it. */
async function writeText(variable: TextVariable, output: ByteOutput): Promise<void> {
  const head = preamble(CELL, 0, [variable.count, 1], variable.name);
  let length = head.length;
  for (const values of variable.values()) {
    for (const value of values) length += charMatrix(value).length;
  }
  await output.write(tag(length));
  await output.write(head);
  for (const values of variable.values()) {
    await output.write(joined(values.map((v) => charMatrix(v))));
  }
}

function structMatrix({ name, fields }: StructVariable): Uint8Array {
  const width = 64;
  const names = new Uint8Array(width * fields.length);
  fields.forEach(([field], i) => names.set(new TextEncoder().encode(field), i * width));
  const body = joined([
    preamble(STRUCT, 0, [1, 1], name),
    // The length of the names is always a small element: its size and type share one word.
    words([4 << 16 | 5, width]),
    element(1, names),
    ...fields.map(([, value]) => charMatrix(value)),
  ]);
  return joined([tag(body.length), body]);
}
