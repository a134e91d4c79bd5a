/** MAT-files of version 7.3: HDF5 behind a block of 512 bytes, dimensions in reverse, classes as attributes. */
import type { ByteOutput } from "../ordered/output.ts";
import { Hdf5Writer } from "./hdf5-writer.ts";
import type { StructVariable, TextVariable, Variable } from "./variables.ts";

/** Bytes before the HDF5 superblock. */
const USER_BLOCK = 512;
/** Where MATLAB keeps what cells point to. */
const REFERENCES = "#refs#";

/** Writes a whole file; the output must be seekable. */
export async function writeMat73(
  variables: Variable[],
  output: ByteOutput,
  text: string,
): Promise<void> {
  await output.write(userBlock(text));
  const writer = new Hdf5Writer(output, USER_BLOCK);
  await writer.begin();
  const links: [string, number][] = [];
  const referred: [string, number][] = [];
  for (const variable of variables) {
    links.push([variable.name, await writeVariable(variable, writer, referred)]);
  }
  if (referred.length) links.unshift([REFERENCES, await writer.group(referred)]);
  const root = await writer.group(links);
  const head = userBlock(text);
  const superblock = writer.superblock(root);
  const start = new Uint8Array(head.length + superblock.length);
  start.set(head);
  start.set(superblock, head.length);
  output.patch(start);
}

function userBlock(text: string): Uint8Array {
  const block = new Uint8Array(USER_BLOCK).fill(0x20, 0, 116);
  block.set(
    new TextEncoder().encode(`MATLAB 7.3 MAT-file, ${text} HDF5 schema 1.00 .`).subarray(0, 116),
  );
  new DataView(block.buffer).setUint16(124, 0x0200, true);
  block.set([0x49, 0x4d], 126);
  return block;
}

async function writeVariable(
  variable: Variable,
  writer: Hdf5Writer,
  referred: [string, number][],
): Promise<number> {
  switch (variable.kind) {
    case "numeric": {
      const reversed = [...variable.dims].reverse();
      const decode: [string, number][] = variable.type === "logical"
        ? [["MATLAB_int_decode", 1]]
        : [];
      return await writer.dataset(variable.type, reversed, variable.pieces(), [[
        "MATLAB_class",
        variable.type,
      ], ...decode]);
    }
    case "text":
      return await writeCells(variable, writer, referred);
    case "struct":
      return await writeStruct(variable, writer);
  }
}

async function writeChar(text: string, writer: Hdf5Writer): Promise<number> {
  const codes = new Uint16Array(text.length);
  for (let i = 0; i < text.length; i++) codes[i] = text.charCodeAt(i);
  if (text.length === 0) {
    // MATLAB stores the size of what is empty.
    const size = new Uint8Array(BigUint64Array.of(0n, 0n).buffer);
    return await writer.dataset("uint64", [2], [size], [["MATLAB_class", "char"], [
      "MATLAB_empty",
      1,
    ]]);
  }
  return await writer.dataset("char", [text.length, 1], [new Uint8Array(codes.buffer)], [
    ["MATLAB_class", "char"],
    ["MATLAB_int_decode", 2],
  ]);
}

async function writeCells(
  variable: TextVariable,
  writer: Hdf5Writer,
  referred: [string, number][],
): Promise<number> {
  const addresses: number[] = [];
  for (const values of variable.values()) {
    for (const value of values) {
      const address = await writeChar(value, writer);
      // MATLAB takes any name here; Octave, which follows no references, finds the texts by this one.
      referred.push([`${variable.name}_${addresses.length + 1}`, address]);
      addresses.push(address);
    }
  }
  return await writer.references(addresses, [1, addresses.length], [["MATLAB_class", "cell"]]);
}

async function writeStruct({ fields }: StructVariable, writer: Hdf5Writer): Promise<number> {
  const links: [string, number][] = [];
  for (const [name, value] of fields) links.push([name, await writeChar(value, writer)]);
  return await writer.group(links, [["MATLAB_class", "struct"]]);
}
