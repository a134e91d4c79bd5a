/**
 * MAT-files of version 7.3: HDF5 behind a block of 512 bytes. Arrays lie in MATLAB's order, so that their
 * HDF5 shape is MATLAB's reversed; what is in cells and struct arrays lies in `#refs#`.
 */
import { FuseError } from "../../src/errors.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions } from "../format.ts";
import type { Attribute } from "./hdf5/attributes.ts";
import { Dataset5 } from "./hdf5/dataset.ts";
import { type Leaf, leavesOf } from "./hdf5/elements.ts";
import { type Hdf5File, type Object5, openHdf5 } from "./hdf5/file.ts";
import { Group } from "./hdf5/group.ts";
import { isReference } from "./hdf5/references.ts";
import {
  elementsOf,
  type MatNode,
  type MatPart,
  type MatVariables,
  type NumericNode,
  type StructNode,
} from "./mat-model.ts";
import { charRows, decodeChars } from "./mat-text.ts";
import { resolveObjects } from "./mat-objects.ts";
import { functionHandle } from "./mat-parser.ts";
import { headerText } from "./mat-v5.ts";

/** Arrays up to this size are kept in memory. */
const KEEP_BYTES = 64 << 10;
/** All arrays kept in memory. */
const KEEP_ALL = 64 << 20;
/** Text of one array. */
const TEXT_BYTES = 32 << 20;
/** Structs in structs, cells in cells. */
const DEEPEST = 64;
/** Variables, cells and fields of one file. */
const MOST_NODES = 1 << 20;
/** Groups of the file's own. */
const OWN = new Set(["#refs#", "#subsystem#"]);

/** MATLAB's class names by element type, for arrays that do not say theirs. */
const CLASSES: Record<string, string> = { float64: "double", float32: "single", bool: "logical" };

type Attributes5 = Map<string, Attribute>;

/** Reads the variables of a 7.3 file. Of large arrays only the place is taken down. */
export async function readLevelSeven(
  source: ByteSource,
  head: Uint8Array,
  { signal, limits }: OpenOptions,
): Promise<MatVariables> {
  const file = await openHdf5(source, { signal, limits });
  const parser = new ObjectParser(file);
  const variables: MatNode[] = [];
  for (const name of (await file.root.links()).keys()) {
    if (OWN.has(name)) continue;
    const object = await file.root.child(name);
    variables.push(await parser.node(object, name, 0));
  }
  const { warnings } = parser;
  const open = () => parser.objectCells();
  const resolved = await resolveObjects(variables, warnings, source, true, open, signal);
  return { version: "7.3", header: headerText(head), variables: resolved, warnings };
}

/** Turns HDF5 objects into variables. */
class ObjectParser {
  readonly warnings: string[] = [];
  #kept = 0;
  #nodes = 0;

  constructor(readonly file: Hdf5File) {}

  async node(object: Object5 | null, name: string, depth: number): Promise<MatNode> {
    if (depth > DEEPEST || ++this.#nodes > MOST_NODES) {
      throw new FuseError("Limit", "more variables, cells and fields than allowed", {
        source: this.file.source.name,
        format: "mat",
        array: name,
      });
    }
    if (object instanceof Group) return await this.#group(object, name, depth);
    if (object instanceof Dataset5) return await this.#dataset(object, name, depth);
    return opaque(name, "unknown", "a link that leads to no array");
  }

  /** Cells with the properties of all objects. */
  async objectCells(): Promise<MatNode[] | undefined> {
    const system = await this.file.root.child("#subsystem#");
    const cells = system instanceof Group ? await system.child("MCOS") : null;
    if (!(cells instanceof Dataset5) || cells.type.class !== "reference") return undefined;
    const items: MatNode[] = [];
    for (const part of await this.#references(cells)) {
      items.push(await this.node(await part(), "", 1));
    }
    return items;
  }

  async #group(group: Group, name: string, depth: number): Promise<MatNode> {
    const attributes = await group.attributes();
    const matlabClass = textAttribute(attributes, "MATLAB_class") ?? "struct";
    if (attributes.has("MATLAB_sparse")) return await this.#sparse(group, attributes, name);
    const fields = new Map<string, MatNode[]>();
    let shape = [1, 1];
    for (const field of await fieldNames(group, attributes)) {
      const object = await group.child(field);
      const parts = await this.#elements(object);
      if (!parts) {
        fields.set(field, [await this.node(object, "", depth + 1)]);
        continue;
      }
      shape = parts.shape;
      const items: MatNode[] = [];
      for (const part of parts.objects) items.push(await this.node(await part(), "", depth + 1));
      fields.set(field, items);
    }
    const count = elementsOf(shape);
    for (const [field, items] of fields) {
      if (items.length === count) continue;
      this.warnings.push(`${name}.${field} has ${items.length} elements in a struct of ${count}`);
      while (items.length < count) items.push(empty());
      items.length = count;
    }
    const objectClass = matlabClass === "struct" ? {} : { objectClass: matlabClass };
    const node: StructNode = { name, matlabClass: "struct", shape, kind: "struct", fields };
    if (matlabClass === "function_handle") return opaque(name, matlabClass, functionHandle(node));
    if (fields.has("EnumerationInstanceTag")) return object(name, matlabClass, node);
    return { ...node, ...objectClass };
  }

  /** References of a struct array's field, which say no class of their own; null for a plain field. */
  async #elements(object: Object5 | null) {
    if (!(object instanceof Dataset5) || object.type.class !== "reference") return null;
    if ((await object.attributes()).has("MATLAB_class")) return null;
    return { shape: matlabShape(object), objects: await this.#references(object) };
  }

  async #references(dataset: Dataset5): Promise<(() => Promise<Object5 | null>)[]> {
    const { path, file } = dataset;
    return [...await dataset.readAll()].map((value, i) => async () => {
      if (!isReference(value) || value.address === undefined) return null;
      return await file.object(value.address, `${path}{${i + 1}}`);
    });
  }

  async #sparse(group: Group, attributes: Attributes5, name: string): Promise<MatNode> {
    const part = async (member: string): Promise<NumericNode> => {
      const object = await group.child(member);
      if (!object) return { ...empty(), shape: [0, 1] };
      const node = await this.node(object, "", 1);
      if (node.kind === "numeric") return node;
      throw new FuseError("Corrupt", "a sparse matrix without numbers", {
        source: this.file.source.name,
        array: `${group.path}/${member}`,
      });
    };
    const rows = Number(attributes.get("MATLAB_sparse")?.values[0] ?? 0);
    const indptr = await part("jc");
    const shape = [rows, Math.max(0, elementsOf(indptr.shape) - 1)];
    const [numbers, indices] = [await part("data"), await part("ir")];
    const logical = textAttribute(attributes, "MATLAB_class") === "logical";
    const values = logical ? { ...numbers, matlabClass: "logical" } : numbers;
    return { name, matlabClass: "sparse", shape, kind: "sparse", indices, indptr, values };
  }

  async #dataset(dataset: Dataset5, name: string, depth: number): Promise<MatNode> {
    const attributes = await dataset.attributes();
    const stated = textAttribute(attributes, "MATLAB_class");
    if (Number(attributes.get("MATLAB_object_decode")?.values[0] ?? 0) > 0) {
      const plain = dataset.type.class === "integer" && !dataset.obstacle();
      return object(
        name,
        stated,
        plain ? await this.#numbers(dataset, "", matlabShape(dataset), "uint32") : undefined,
      );
    }
    const obstacle = dataset.obstacle();
    if (obstacle) return opaque(name, stated ?? "unknown", obstacle.what);
    if (dataset.header.external) {
      return opaque(name, stated ?? "unknown", "its values are in another file");
    }
    if (Number(attributes.get("MATLAB_empty")?.values[0] ?? 0) > 0) {
      return await this.#empty(dataset, name, stated ?? "double");
    }
    const shape = matlabShape(dataset);
    if (dataset.type.class === "reference") {
      const items: MatNode[] = [];
      for (const part of await this.#references(dataset)) {
        items.push(await this.node(await part(), "", depth + 1));
      }
      return { name, matlabClass: "cell", shape, kind: "cell", items };
    }
    if (stated === "char" || (!stated && ["text", "longtext"].includes(dataset.type.class))) {
      return await this.#chars(dataset, name, shape);
    }
    return await this.#numbers(dataset, name, shape, stated);
  }

  async #chars(dataset: Dataset5, name: string, shape: number[]): Promise<MatNode> {
    const base = { name, matlabClass: "char", shape };
    if (dataset.bytes > TEXT_BYTES) return opaque(name, "char", "text longer than is kept");
    const values = await dataset.readAll();
    if (Array.isArray(values)) {
      return { ...base, kind: "char", rows: values.map(String), shape: [values.length, 1] };
    }
    const codes = Uint32Array.from(values as Uint16Array, Number);
    const wide = dataset.type.size > 2;
    const bytes = new Uint8Array(wide ? codes.buffer : Uint16Array.from(codes).buffer);
    const text = decodeChars(bytes, wide ? "utf32" : "utf16", true);
    return { ...base, kind: "char", rows: charRows(text, shape) };
  }

  async #numbers(
    dataset: Dataset5,
    name: string,
    shape: number[],
    stated: string | undefined,
  ): Promise<MatNode> {
    const leaves = leavesOf(dataset.type);
    const [leaf, other] = leaves ?? [];
    const names = leaves?.map((l) => l.names.join("/")).join(" ");
    if (names === "real imag" && leaf.number && leaf.inner.length + other.inner.length === 0) {
      return await this.#pairs(dataset, name, shape, stated, [leaf, other]);
    }
    const dtype = leaf?.number?.dtype;
    if (!leaf || !dtype || leaves!.length !== 1 || leaf.inner.length > 0) {
      return opaque(name, stated ?? "unknown", "elements of a kind that MATLAB does not write");
    }
    const base = { name, matlabClass: stated ?? CLASSES[dtype] ?? dtype, shape };
    const { count, bytes } = dataset;
    const fits = (bytes <= KEEP_BYTES && this.#kept + bytes <= KEEP_ALL) || count <= 1;
    if (fits && !dtype.startsWith("complex")) {
      const values = await dataset.readAll();
      if (!Array.isArray(values) && values.length === count) {
        this.#kept += bytes;
        return { ...base, kind: "numeric", real: { kind: "values", dtype, values } };
      }
    }
    if (count === 0) return { ...empty(), ...base };
    const layout = await dataset.layout(leaf, 0);
    const real = { kind: "grid" as const, dtype, layout, shape: dataset.extent };
    return { ...base, kind: "numeric", real };
  }

  /** Complex integers: their parts are members of a compound. */
  async #pairs(
    dataset: Dataset5,
    name: string,
    shape: number[],
    stated: string | undefined,
    leaves: Leaf[],
  ): Promise<MatNode> {
    const parts: MatPart[] = [];
    for (const leaf of leaves) {
      const { dtype } = leaf.number!;
      const layout = await dataset.layout(leaf, 0);
      parts.push({ kind: "grid", dtype, layout, shape: dataset.extent });
    }
    const [real, imaginary] = parts;
    const base = { name, matlabClass: stated ?? real.dtype, shape };
    return { ...base, kind: "numeric", real, imaginary };
  }

  /** Nothing, of a size: the values are the sizes. */
  async #empty(dataset: Dataset5, name: string, matlabClass: string): Promise<MatNode> {
    const sizes = dataset.count <= 64 ? Array.from(await dataset.readAll(), Number) : [0, 0];
    const sound = sizes.length >= 2 && sizes.every((n) => Number.isSafeInteger(n) && n >= 0) &&
      sizes.includes(0);
    const base = { name, matlabClass, shape: sound ? sizes : [0, 0] };
    if (matlabClass === "char") return { ...base, kind: "char", rows: [] };
    if (matlabClass === "cell") return { ...base, kind: "cell", items: [] };
    if (matlabClass === "struct") {
      const names = await fieldNames(undefined, await dataset.attributes());
      return { ...base, kind: "struct", fields: new Map(names.map((n) => [n, []])) };
    }
    return { ...empty(), ...base };
  }
}

/** MATLAB's size of an array: its HDF5 shape reversed; a single number is 1 x 1. */
function matlabShape({ shape }: Dataset5): number[] {
  return shape.length === 0 ? [1, 1] : [...shape].reverse();
}

function empty(): NumericNode {
  const values: NumericArray = new Float64Array(0);
  const real = { kind: "values" as const, dtype: "float64" as const, values };
  return { name: "", matlabClass: "double", shape: [0, 0], kind: "numeric", real };
}

function opaque(name: string, matlabClass: string, why: string): MatNode {
  return { name, matlabClass, shape: [1, 1], kind: "opaque", why };
}

/** An object whose properties are in the subsystem. */
function object(name: string, matlabClass = "object", reference: MatNode | undefined): MatNode {
  const why = `a ${matlabClass} object can be read by MATLAB only`;
  const base = { name, matlabClass, shape: [1, 1], kind: "opaque" as const, why };
  return reference ? { ...base, reference } : base;
}

function textAttribute(attributes: Attributes5, name: string): string | undefined {
  const value = attributes.get(name)?.values[0];
  return typeof value === "string" ? value : undefined;
}

/** Names of fields in MATLAB's order: the file lists them, a text of single characters each. */
async function fieldNames(
  group: Group | undefined,
  attributes: Attributes5,
): Promise<string[]> {
  const listed = [...attributes.get("MATLAB_fields")?.values ?? []].map((value) =>
    Array.isArray(value) ? value.join("") : String(value)
  );
  if (!group) return listed;
  const names = new Set((await group.links()).keys());
  const ordered = listed.filter((name) => names.delete(name));
  return [...ordered, ...names];
}
