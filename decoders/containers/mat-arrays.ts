/** Variables as arrays of a store, under `source/`: structs are groups, cells numbered, texts strings. */
import type { Attributes, Dataset, NamedArray } from "../../src/model/dataset.ts";
import { allocate, type DType, type NumericArray, sizeOf } from "../../src/model/dtype.ts";
import type { ChunkLayout } from "../../src/model/layout.ts";
import {
  dtypeOfNode,
  elementsOf,
  type MatNode,
  type MatPart,
  type NumericNode,
  type SparseNode,
  type StructNode,
} from "./mat-model.ts";
import { complexBytes, type PassJob } from "./mat-passes.ts";

/** Bytes of a virtual chunk of values that lie in the file as they are. */
const BAND_BYTES = 4 << 20;
/** Struct arrays with more values than this become columns, where their fields allow it. */
const NUMBERED = 256;
/** Longest row of an array that grows. */
const ROW_BYTES = 4 << 20;

/** The passes a file's arrays need, by stream id. */
export type Passes = Map<string, PassJob[]>;

/** Cuts values that lie in a row in the file into chunks; `shape` slowest axis first. */
export function bandLayout(
  shape: readonly number[],
  dtype: DType,
  offset: number,
  littleEndian: boolean,
): ChunkLayout {
  const width = sizeOf(dtype);
  let axis = shape.length - 1, inner = 1;
  while (axis > 0 && inner * shape[axis] * width <= BAND_BYTES) inner *= shape[axis--];
  const rows = Math.max(1, Math.min(shape[axis], Math.floor(BAND_BYTES / (inner * width))));
  const chunkShape = shape.map((n, i) => (i < axis ? 1 : i === axis ? rows : n));
  const outer = elementsOf(shape.slice(0, axis));
  const bands = Math.ceil(shape[axis] / rows);
  const count = outer * bands;
  const layout: ChunkLayout = {
    kind: "chunks",
    chunkShape,
    source: new Int32Array(count),
    offset: new Float64Array(count),
    length: new Float64Array(count),
    codecs: [{ id: "raw", params: { littleEndian, partial: true } }],
    fill: 0,
  };
  for (let i = 0; i < count; i++) {
    const first = Math.floor(i / bands) * shape[axis] + (i % bands) * rows;
    const n = Math.min(rows, shape[axis] - (i % bands) * rows);
    layout.offset[i] = offset + first * inner * width;
    layout.length[i] = n * inner * width;
  }
  return layout;
}

/** Chunks of a part whose values need no pass: shape and axes are MATLAB's reversed. */
export function gridOf(node: NumericNode): ChunkLayout | undefined {
  const { real, imaginary } = node;
  if (imaginary || elementsOf(node.shape) === 0) return undefined;
  if (real.kind === "grid") return real.layout;
  if (real.kind !== "file") return undefined;
  return bandLayout([...node.shape].reverse(), real.dtype, real.offset, real.littleEndian);
}

/** Writes variables into a dataset's arrays. */
export class ArrayWriter {
  constructor(
    readonly dataset: Dataset,
    readonly passes: Passes,
    /** What a recording holds already. */
    readonly used: ReadonlySet<MatNode>,
  ) {}

  /** Adds what is in a variable, with everything below it. */
  add(node: MatNode, given: string): void {
    if (this.used.has(node)) return;
    const group = node.kind === "struct" || (node.kind === "cell" && !plainTexts(node.items));
    // A group may not have the name of a coordinate that the groups above hand down.
    const path = group && /\/(time|channel|sweep)$/.test(given) ? `${given}_` : given;
    switch (node.kind) {
      case "numeric":
        return this.#numeric(node, path);
      case "char":
        return this.#texts(node.rows, [node.rows.length], path, node);
      case "cell":
        return this.#cell(node.items, node.shape, path, node);
      case "struct":
        return this.#struct(node, path);
      case "sparse":
        return this.#sparse(node, path);
      case "opaque":
        this.dataset.leftOut.push({ what: path.replace(/^source\//, ""), why: node.why });
        // Its name and class stay, so that nothing of the file goes unmentioned.
        this.#texts([`${node.matlabClass}: ${node.why}`], [1], path, node);
    }
  }

  #numeric(node: NumericNode, path: string, more: Attributes = {}): void {
    const dtype = dtypeOfNode(node);
    const { real, imaginary } = node;
    const nothing = elementsOf(node.shape) === 0;
    const shape = nothing ? [0] : node.shape;
    const attributes = {
      ...describe(node),
      ...(nothing ? { matlab_size: node.shape } : {}),
      ...more,
    };
    const units = node.units ? { units: node.units } : {};
    const base = { path, dtype, dims: dimsOf(path, shape), shape, attributes, ...units };
    const layout = gridOf(node);
    if (layout) {
      const permutation = shape.map((_, i) => shape.length - 1 - i);
      this.dataset.arrays.push({ ...base, layout, permutation });
    } else if (real.kind === "values" && (!imaginary || imaginary.kind === "values")) {
      const columns = imaginary
        ? complexBytes(real.values, (imaginary as typeof real).values, dtype)
        : dtype === "bool"
        ? Uint8Array.from(real.values as Uint8Array, (v) => (v ? 1 : 0))
        : real.values;
      const values = rowOrder(columns, shape, sizeOf(dtype));
      this.dataset.arrays.push({ ...base, layout: { kind: "values", values } });
    } else this.#stream(node, base);
  }

  /** Values only a pass gives: in the file's order, which is the reverse of MATLAB's subscripts. */
  #stream(node: NumericNode, base: Omit<NamedArray, "layout">): void {
    const { shape } = node;
    const { path, dtype } = base;
    const count = elementsOf(shape);
    const column = elementsOf(shape.slice(1)) === 1;
    let stored = column ? shape : [...shape].reverse();
    const note: Attributes = {};
    if (elementsOf(stored.slice(1)) * sizeOf(dtype) > ROW_BYTES) {
      stored = [count];
      note.matlab_size = shape;
      note.axis_order = "one axis, MATLAB's column-major order";
    } else if (!column) note.axis_order = "reversed: MATLAB's last subscript comes first";
    const names = dimsOf(path, shape);
    const dims = stored.length === 1
      ? [`${dimensionWord(path)}_element`]
      : column
      ? names
      : names.reverse();
    const stream = streamOf(node.real);
    const step = elementsOf(stored.slice(1));
    const job = { field: path, dtype, step, channels: false, pieces: [{ node, first: 0, count }] };
    this.passes.set(stream, [...(this.passes.get(stream) ?? []), job]);
    this.dataset.arrays.push({
      ...base,
      dims,
      shape: stored,
      attributes: { ...base.attributes, ...note },
      layout: { kind: "stream", stream, field: path },
    });
  }

  #texts(values: string[], shape: number[], path: string, node: MatNode): void {
    const dims = shape.length === 1 ? [`${dimensionWord(path)}_row`] : dimsOf(path, shape);
    const attributes = describe(node);
    this.dataset.arrays.push({
      path,
      dtype: "string",
      dims,
      shape,
      layout: { kind: "values", values },
      attributes,
    });
  }

  #cell(items: MatNode[], shape: number[], path: string, node: MatNode): void {
    const texts = plainTexts(items);
    if (texts && items.length > 0) {
      return this.#texts(rowOrderTexts(texts, shape), shape, path, node);
    }
    if (items.length === 0) return this.#texts([], [0], path, node);
    const stacked = items.length > NUMBERED ? stack(items, shape) : undefined;
    if (stacked) return this.#numeric(stacked, path, describe(node));
    items.forEach((item, i) => this.add(item, `${path}/${i + 1}`));
  }

  #struct(node: StructNode, path: string): void {
    const count = elementsOf(node.shape);
    const values = count * node.fields.size;
    if (values === 0) {
      return this.#texts([...node.fields.keys()], [node.fields.size], `${path}/field_names`, node);
    }
    if (node.objectClass) {
      const groups = this.dataset.groups ??= [];
      groups.push({ path, attributes: describe(node) });
    }
    for (const [name, items] of node.fields) {
      const field = name.replaceAll("/", "_");
      if (count === 1) this.add(items[0], `${path}/${field}`);
      else if (values > NUMBERED) this.#cell(items, node.shape, `${path}/${field}`, node);
      else items.forEach((item, i) => this.add(item, `${path}/${i + 1}/${field}`));
    }
  }

  #sparse(node: SparseNode, path: string): void {
    const note = { sparse: "compressed columns", matlab_size: node.shape };
    this.#numeric(node.values, `${path}/data`, note);
    this.#numeric(node.indices, `${path}/indices`, note);
    this.#numeric(node.indptr, `${path}/indptr`, note);
  }
}

/** The pass that reaches a part: one for an element, whatever is wanted of it. */
function streamOf(part: MatPart): string {
  return part.kind === "packed" ? `element ${part.element.offset}` : "values";
}

function describe(node: MatNode): Attributes {
  const object = node.kind === "struct" && node.objectClass;
  const { matlabClass, notes } = node;
  return { matlab_class: matlabClass, ...(object ? { matlab_object: object } : {}), ...notes };
}

/** The path as a word: a group and the groups in it must not give one dimension two sizes. */
function dimensionWord(path: string): string {
  return path.replace(/^source\//, "").replaceAll("/", "_");
}

/** Dimensions of an array have names of their own: arrays of one group differ in length. */
function dimsOf(path: string, shape: readonly number[]): string[] {
  const name = dimensionWord(path);
  const known = ["row", "column", "page"];
  return shape.map((_, i) => `${name}_${known[i] ?? `axis${i + 1}`}`);
}

/** Values from MATLAB's order, first subscript fastest, into rows, last one fastest. */
export function rowOrder(
  values: NumericArray,
  shape: readonly number[],
  width: number,
): NumericArray {
  if (shape.filter((n) => n !== 1).length <= 1) return values;
  const out = values.slice();
  const perValue = width / values.BYTES_PER_ELEMENT;
  forEachPlace(shape, (to, from) => {
    for (let k = 0; k < perValue; k++) out[to * perValue + k] = values[from * perValue + k];
  });
  return out;
}

function rowOrderTexts(values: string[], shape: readonly number[]): string[] {
  const out = values.slice();
  forEachPlace(shape, (to, from) => void (out[to] = values[from]));
  return out;
}

/** Every place of an array in row order, with its place in MATLAB's order. */
function forEachPlace(shape: readonly number[], visit: (to: number, from: number) => void): void {
  const count = elementsOf(shape);
  const strides: number[] = [];
  shape.reduce((stride, n) => (strides.push(stride), stride * n), 1);
  const at = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < count; to++) {
    visit(to, from);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++at[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      at[axis] = 0;
    }
  }
}

/** The texts of cells that hold nothing but a line of text each. */
function plainTexts(items: MatNode[]): string[] | undefined {
  const texts: string[] = [];
  for (const item of items) {
    if (item.kind !== "char" || item.rows.length > 1) return undefined;
    texts.push(item.rows[0] ?? "");
  }
  return texts;
}

/** Scalars of one type as one array; undefined for anything else. */
function stack(items: MatNode[], shape: number[]): NumericNode | undefined {
  const types = new Set<DType>();
  for (const item of items) {
    if (item.kind !== "numeric" || item.imaginary || item.real.kind !== "values") return undefined;
    const count = elementsOf(item.shape);
    if (count > 1) return undefined;
    // Nothing among numbers is a number that is missing.
    types.add(count === 0 ? "float64" : item.real.dtype);
  }
  const wide = types.has("int64") || types.has("uint64");
  if (wide && types.size > 1) return undefined;
  const dtype = types.size === 1 ? [...types][0] : "float64";
  const values = allocate(dtype, items.length);
  items.forEach((item, i) => {
    const [value] = ((item as NumericNode).real as { values: Float64Array }).values;
    values[i] = (value ?? NaN) as never;
    if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) {
      values[i] = Number(value ?? NaN);
    }
  });
  const { matlabClass } = items[0];
  return { name: "", matlabClass, shape, kind: "numeric", real: { kind: "values", dtype, values } };
}
