/**
 * Objects of MATLAB's class system (MCOS): a variable holds only a reference, the properties lie in the
 * file's "subsystem", a list of cells behind a table of classes, objects and names (layout as described in
 * foreverallama/matio, docs/subsystem_data_format.md; checked on files of MATLAB).
 */
import { FuseError, isFuseError } from "../../src/errors.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { viewOf } from "../../src/source/source.ts";
import { plainForm } from "./mat-classes.ts";
import {
  elementsOf,
  fieldOf,
  type MatNode,
  numberOf,
  numbersOf,
  type StructNode,
} from "./mat-model.ts";
import { loadValues } from "./mat-passes.ts";

/** First number of a reference. */
const REFERENCE = 0xdd000000;
/** Objects in objects. */
const DEEPEST = 48;
/** Values, cells and fields that objects may unfold into. */
const MOST_NODES = 1 << 20;
/** Largest array that is read to make sense of an object. */
const MOST_BYTES = 64 << 20;

/** A property as the table has it: index of its name, what the value is, and the value or where it is. */
type Property = [name: number, kind: number, value: number];

/** What a file's references lead to. */
export class ObjectStore {
  readonly #names: string[] = [];
  readonly #classes: string[] = [];
  /** Of each object: numbers of its block of own properties and of what its class made of it. */
  readonly #objects: { saved: number; own: number }[] = [];
  readonly #saved: Property[][];
  readonly #own: Property[][];
  #nodes = 0;
  /** What is referred to and not in the file. */
  readonly lost = new Set<string>();

  /** @throws FuseError `Corrupt` for a table that cannot be. */
  constructor(
    readonly source: ByteSource,
    readonly cells: readonly MatNode[],
    table: Uint8Array,
    littleEndian: boolean,
    readonly signal?: AbortSignal,
  ) {
    const view = viewOf(table);
    const word = (at: number): number => {
      if (at < 0 || at + 4 > table.length) throw this.#wrong(at);
      return view.getUint32(at, littleEndian);
    };
    const [names, saved, objects, own, more, end] = [0, 1, 2, 3, 4, 5].map((i) => word(8 + 4 * i));
    const rising = [40, names, saved, objects, own, more].every((at, i, all) =>
      i === 0 || at >= all[i - 1]
    );
    if (!rising || more > table.length || end > table.length) throw this.#wrong(8);
    let from = 40;
    for (let at = 40; at < names && this.#names.length < word(4); at++) {
      if (table[at] !== 0) continue;
      this.#names.push(new TextDecoder().decode(table.subarray(from, at)));
      from = at + 1;
    }
    for (let at = names; at + 16 <= saved; at += 16) {
      const space = this.#name(word(at)), name = this.#name(word(at + 4));
      this.#classes.push(space ? `${space}.${name}` : name);
    }
    for (let at = objects; at + 24 <= own; at += 24) {
      this.#objects.push({ saved: word(at + 12), own: word(at + 16) });
    }
    const blocks = (start: number, stop: number): Property[][] => {
      const all: Property[][] = [];
      for (let at = start; at + 8 <= stop;) {
        const count = word(at);
        if (count > (stop - at) / 12) throw this.#wrong(at);
        all.push(Array.from({ length: count }, (_, i): Property => {
          const place = at + 4 + 12 * i;
          return [word(place), word(place + 4), word(place + 8)];
        }));
        at += Math.ceil((4 + 12 * count) / 8) * 8;
      }
      return all;
    };
    this.#saved = blocks(saved, objects);
    this.#own = blocks(own, more);
  }

  #wrong(offset: number): FuseError {
    return new FuseError("Corrupt", "the table of the file's objects is wrong", {
      source: this.source.name,
      format: "mat",
      offset,
    });
  }

  #name(index: number): string {
    return index > 0 ? this.#names[index - 1] ?? "" : "";
  }

  /** Values of an array of the objects' part; undefined when they are too many, or none. */
  readonly load = async (node: MatNode | undefined): Promise<NumericArray | undefined> => {
    if (node?.kind !== "numeric") return undefined;
    if (node.real.kind === "values") return node.real.values;
    const count = elementsOf(node.shape);
    if (count * 8 > MOST_BYTES) return undefined;
    return await loadValues([this.source], node, 0, count, this.signal);
  };

  /** A variable with what its references lead to; `inside`: bare references count as such. */
  async resolve(node: MatNode, inside: boolean, depth = 0): Promise<MatNode> {
    if (depth > DEEPEST || ++this.#nodes > MOST_NODES) {
      const why = "objects inside each other without end, or too many of them";
      return { ...node, matlabClass: node.matlabClass, kind: "opaque", why };
    }
    if (node.kind === "opaque" && node.reference) {
      const object = await this.#object(node.reference, depth);
      return object ? { ...object, name: node.name } : node;
    }
    if (node.kind === "cell") {
      const items: MatNode[] = [];
      for (const item of node.items) items.push(await this.resolve(item, inside, depth + 1));
      return { ...node, items };
    }
    if (node.kind === "struct") {
      const found = inside ? await this.#object(node, depth) : undefined;
      if (found) return { ...found, name: node.name };
      const fields = new Map<string, MatNode[]>();
      for (const [name, values] of node.fields) {
        const items: MatNode[] = [];
        for (const item of values) items.push(await this.resolve(item, inside, depth + 1));
        fields.set(name, items);
      }
      return { ...node, fields };
    }
    if (inside && node.kind === "numeric") return await this.#object(node, depth) ?? node;
    return node;
  }

  /** What a reference leads to; undefined when it is none. */
  async #object(reference: MatNode, depth: number): Promise<MatNode | undefined> {
    if (reference.kind === "struct") return this.#enumeration(reference);
    if (reference.kind !== "numeric" || reference.real.dtype !== "uint32") return undefined;
    const words = numbersOf(reference);
    if (!words || words.length < 5 || words[0] !== REFERENCE) return undefined;
    const rank = words[1], shape = words.slice(2, 2 + rank);
    const count = elementsOf(shape);
    if (rank < 2 || words.length !== 3 + rank + count) return undefined;
    const classId = words[words.length - 1];
    const objectClass = this.#classes[classId] ?? "";
    const elements: Map<string, MatNode>[] = [];
    for (const id of words.slice(2 + rank, -1)) {
      elements.push(await this.#properties(id, classId, depth));
    }
    if (count === 1) {
      const plain = await plainForm(objectClass, elements[0], this.load);
      if (plain) return plain;
    }
    const names = new Set(elements.flatMap((properties) => [...properties.keys()]));
    const fields = new Map([...names].map((name): [string, MatNode[]] => [
      name,
      elements.map((properties) => properties.get(name) ?? nothing()),
    ]));
    return { name: "", matlabClass: "struct", kind: "struct", shape, objectClass, fields };
  }

  /** Properties of an object: those of its class, and above them its own. */
  async #properties(id: number, classId: number, depth: number): Promise<Map<string, MatNode>> {
    const properties = new Map<string, MatNode>();
    const defaults = this.cells.at(-1);
    const usual = defaults?.kind === "cell" ? defaults.items[classId] : undefined;
    if (usual?.kind === "struct" && elementsOf(usual.shape) === 1) {
      for (const [name, [value]] of usual.fields) {
        properties.set(name, await this.resolve(value, true, depth + 1));
      }
    }
    if (id >= this.#objects.length) this.lost.add(`object ${id}`);
    const { saved = 0, own = 0 } = this.#objects[id] ?? {};
    for (const [name, kind, value] of (saved ? this.#saved[saved] : this.#own[own]) ?? []) {
      // The first two cells are the table and a reserved one.
      const held = kind === 1 ? this.cells[value + 2] : undefined;
      if (kind === 1 && !held) this.lost.add(`property ${this.#name(name)} of object ${id}`);
      const node = kind === 0
        ? text(this.#name(value))
        : held
        ? await this.resolve(held, true, depth + 1)
        : scalar(value);
      properties.set(this.#name(name) || `property ${name}`, node);
    }
    return properties;
  }

  /** Members of an enumeration, by name. */
  #enumeration(node: StructNode): MatNode | undefined {
    if (numberOf(fieldOf(node, "EnumerationInstanceTag")) !== REFERENCE) return undefined;
    const names = numbersOf(fieldOf(node, "ValueNames")) ?? [];
    const indices = fieldOf(node, "ValueIndices");
    const places = numbersOf(indices) ?? [];
    const items = places.map((i) => text(this.#name(names[i] ?? 0)));
    const matlabClass = this.#classes[numberOf(fieldOf(node, "ClassName")) ?? 0] ?? "enumeration";
    return { name: "", matlabClass, shape: indices!.shape, kind: "cell", items };
  }
}

function nothing(): MatNode {
  const real = { kind: "values" as const, dtype: "float64" as const, values: new Float64Array(0) };
  return { name: "", matlabClass: "double", shape: [0, 0], kind: "numeric", real };
}

function text(value: string): MatNode {
  return { name: "", matlabClass: "char", shape: [1, value.length], kind: "char", rows: [value] };
}

function scalar(value: number): MatNode {
  const real = {
    kind: "values" as const,
    dtype: "uint32" as const,
    values: Uint32Array.of(value),
  };
  return { name: "", matlabClass: "uint32", shape: [1, 1], kind: "numeric", real };
}

/** True for a variable that is, or has in it, an object whose properties are elsewhere. */
export function refersToObjects(node: MatNode): boolean {
  if (node.kind === "opaque") return node.reference !== undefined;
  if (node.kind === "cell") return node.items.some(refersToObjects);
  if (node.kind !== "struct") return false;
  for (const items of node.fields.values()) if (items.some(refersToObjects)) return true;
  return false;
}

/**
 * Puts objects in the place of references. `open` reads the cells of the subsystem; where that fails,
 * the objects are left out with a warning and everything else stays.
 */
export async function resolveObjects(
  variables: readonly MatNode[],
  warnings: string[],
  source: ByteSource,
  littleEndian: boolean,
  open: () => Promise<readonly MatNode[] | undefined>,
  signal?: AbortSignal,
): Promise<MatNode[]> {
  if (!variables.some(refersToObjects)) return [...variables];
  try {
    const cells = await open() ?? [];
    const [table] = cells;
    if (table?.kind !== "numeric" || table.real.dtype !== "uint8" || elementsOf(table.shape) < 40) {
      throw new FuseError("Corrupt", "the file has no table of its objects", {
        source: source.name,
        format: "mat",
      });
    }
    const count = elementsOf(table.shape);
    const bytes = table.real.kind === "values" || count > MOST_BYTES
      ? (table.real as { values?: Uint8Array }).values
      : await loadValues([source], table, 0, count, signal) as Uint8Array;
    if (!bytes) throw new FuseError("Limit", "the table of the file's objects is too large");
    const store = new ObjectStore(source, cells, bytes, littleEndian, signal);
    const resolved: MatNode[] = [];
    for (const node of variables) {
      resolved.push(refersToObjects(node) ? await store.resolve(node, false) : node);
    }
    if (store.lost.size) {
      const some = [...store.lost].slice(0, 5).join(", ");
      warnings.push(`not in the file, though variables refer to it: ${some}`);
    }
    return resolved;
  } catch (error) {
    if (!isFuseError(error, "Corrupt", "Truncated", "Limit", "Unsupported")) throw error;
    warnings.push(`the properties of the file's objects could not be read: ${error.message}`);
    return [...variables];
  }
}
