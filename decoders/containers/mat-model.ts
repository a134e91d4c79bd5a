/** MATLAB variables as this reader sees them, whatever version of MAT-file they come from. */
import type { Attributes } from "../../src/model/dataset.ts";
import type { DType, NumericArray } from "../../src/model/dtype.ts";
import type { ChunkLayout } from "../../src/model/layout.ts";

/** A zlib element of a v5 file: the variables inside are had by inflating it from its start. */
export interface PackedElement {
  /** First byte of the zlib stream in the file. */
  offset: number;
  /** Bytes of the zlib stream. */
  length: number;
}

/** Where the real or the imaginary values of an array are, in MATLAB's order: first subscript fastest. */
export type MatPart =
  /** In memory. */
  | { kind: "values"; dtype: DType; values: NumericArray }
  /** In the file as they are. */
  | { kind: "file"; dtype: DType; offset: number; littleEndian: boolean }
  /** At a place of what an element inflates to. */
  | {
    kind: "packed";
    dtype: DType;
    element: PackedElement;
    offset: number;
    littleEndian: boolean;
  }
  /** In the chunks of an HDF5 dataset, whose shape is MATLAB's reversed. */
  | { kind: "grid"; dtype: DType; layout: ChunkLayout; shape: number[] };

/** What every variable has. */
interface NodeBase {
  /** Name of the variable, or "" for what lies in a cell or a field. */
  name: string;
  /** MATLAB's name of the class: "double", "int16", "logical", "struct" ... */
  matlabClass: string;
  /** As MATLAB's size() gives it. */
  shape: number[];
  /** Unit of the values, where a table states it. */
  units?: string;
  /** What else is known of it, in the words of the store's attributes. */
  notes?: Attributes;
}

/** Numbers or truth values. The stored type may be narrower than the class; the values are the same. */
export interface NumericNode extends NodeBase {
  kind: "numeric";
  real: MatPart;
  imaginary?: MatPart;
}

/** Text, a string for each row. */
export interface CharNode extends NodeBase {
  kind: "char";
  rows: string[];
}

/** A cell array: items in MATLAB's order. */
export interface CellNode extends NodeBase {
  kind: "cell";
  items: MatNode[];
}

/** A struct array or an old-style object: for each field its values, in MATLAB's order of the elements. */
export interface StructNode extends NodeBase {
  kind: "struct";
  /** Class of an object. */
  objectClass?: string;
  fields: Map<string, MatNode[]>;
}

/** A sparse matrix by compressed columns. */
export interface SparseNode extends NodeBase {
  kind: "sparse";
  /** Row of each value, from 0. */
  indices: NumericNode;
  /** Index of the first value of each column, and their number. */
  indptr: NumericNode;
  values: NumericNode;
}

/** What cannot be read without MATLAB, or has not been found in the objects' own part of the file yet. */
export interface OpaqueNode extends NodeBase {
  kind: "opaque";
  /** What it is, for the list of what is left out. */
  why: string;
  /** Of an object of MATLAB's class system: where its properties are. */
  reference?: MatNode;
}

/** A variable, or what lies in a cell or a field. */
export type MatNode = NumericNode | CharNode | CellNode | StructNode | SparseNode | OpaqueNode;

/** A file's variables. */
export interface MatVariables {
  /** "4", "5" or "7.3". */
  version: string;
  /** Text at the head of the file; "" for v4. */
  header: string;
  variables: MatNode[];
  warnings: string[];
}

/** Product of the sizes. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** The type an array of this node has in a store. */
export function dtypeOfNode(node: NumericNode): DType {
  if (node.imaginary) return node.matlabClass === "single" ? "complex64" : "complex128";
  return node.matlabClass === "logical" && node.real.dtype === "uint8" ? "bool" : node.real.dtype;
}

/** True for one element. */
export function isScalar(node: MatNode | undefined): node is NumericNode {
  return node?.kind === "numeric" && elementsOf(node.shape) === 1;
}

/** Length of an array all of whose sizes but one are 1; undefined for others. */
export function vectorLength(node: MatNode): number | undefined {
  const long = node.shape.filter((n) => n !== 1);
  if (long.length > 1) return undefined;
  return long[0] ?? 1;
}

/** Values in memory as numbers; undefined when they are elsewhere or complex. */
export function numbersOf(node: MatNode | undefined): number[] | undefined {
  if (node?.kind !== "numeric" || node.imaginary || node.real.kind !== "values") return undefined;
  return Array.from(node.real.values as Float64Array, Number);
}

/** The only number of a node. */
export function numberOf(node: MatNode | undefined): number | undefined {
  return isScalar(node) ? numbersOf(node)?.[0] : undefined;
}

/** The texts of a char array or a cell of them, without the blanks that fill rows up; undefined for others. */
export function textsOf(node: MatNode | undefined): string[] | undefined {
  if (node?.kind === "char") return node.rows.map((r) => r.trim());
  if (node?.kind !== "cell") return undefined;
  const texts: string[] = [];
  for (const item of node.items) {
    if (item.kind === "char") texts.push(item.rows.map((r) => r.trim()).join(" "));
    else if (elementsOf(item.shape) === 0) texts.push("");
    else return undefined;
  }
  return texts;
}

/** The only text of a node. */
export function textOf(node: MatNode | undefined): string | undefined {
  const texts = textsOf(node);
  if (!texts || texts.length > 1) return undefined;
  return texts[0] ?? "";
}

/** A field of a struct with one element. */
export function fieldOf(node: MatNode | undefined, name: string): MatNode | undefined {
  if (node?.kind !== "struct" || elementsOf(node.shape) !== 1) return undefined;
  return node.fields.get(name)?.[0];
}
