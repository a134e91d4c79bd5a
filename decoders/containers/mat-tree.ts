/** MATLAB variables as the arrays the mapping looks at: fields of structs lie in groups. */
import type { Attributes } from "../../src/model/dataset.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { Variable, VariableTree } from "../mapping/variables.ts";
import {
  elementsOf,
  fieldOf,
  type MatNode,
  type NumericNode,
  type StructNode,
  textsOf,
} from "./mat-model.ts";
import { loadValues } from "./mat-passes.ts";
import { isReal } from "./mat-recordings.ts";

/** Structs in structs whose fields may be recordings. */
const DEPTH = 4;
/** Elements of a struct array or a cell that are looked at one by one. */
const ELEMENTS = 256;
/** Arrays looked at. */
const MOST_VARIABLES = 65_536;
/** Longest text that is an attribute of its group. */
const TEXT = 1000;

/** The arrays of a file, and the nodes behind them. */
export interface MatTree extends VariableTree {
  /** Numeric nodes by path. */
  nodes: Map<string, NumericNode>;
}

/** The tree of a file's variables: "a", "s/field", "s/2/field" for struct arrays, "c/1" for cells. */
export function treeOf(
  variables: readonly MatNode[],
  sources: readonly ByteSource[],
  signal?: AbortSignal,
): MatTree {
  const tree: MatTree = {
    variables: [],
    groups: new Map<string, Attributes>([["", {}]]),
    nodes: new Map(),
    firstNumber: 1,
    mixedTypes: true,
  };
  const visit = (node: MatNode, path: string, group: string, depth: number): void => {
    if (tree.variables.length >= MOST_VARIABLES) return;
    if (node.kind === "numeric") {
      tree.nodes.set(path, node);
      tree.variables.push(numeric(node, path, sources, signal));
      return;
    }
    const texts = node.kind === "char" || node.kind === "cell" ? textsOf(node) : undefined;
    if (texts) {
      tree.variables.push(textual(texts, path));
      const own = path.slice(path.lastIndexOf("/") + 1);
      if (texts.length === 1 && texts[0].length <= TEXT) tree.groups.get(group)![own] = texts[0];
      return;
    }
    const times = node.kind === "struct" ? timesOf(node) : undefined;
    if (times) return visit(times, path, group, depth);
    if (depth >= DEPTH) return;
    if (node.kind === "cell") {
      if (node.items.length > ELEMENTS) return;
      tree.groups.set(path, {});
      node.items.forEach((item, i) => visit(item, `${path}/${i + 1}`, path, depth + 1));
    } else if (node.kind === "struct") {
      const count = Math.min(elementsOf(node.shape), ELEMENTS);
      for (let i = 0; i < count; i++) {
        const place = count === 1 ? path : `${path}/${i + 1}`;
        tree.groups.set(place, {});
        for (const [field, items] of node.fields) {
          if (items[i]) visit(items[i], `${place}/${plain(field)}`, place, depth + 1);
        }
      }
    }
  };
  for (const node of variables) visit(node, plain(node.name || "unnamed"), "", 0);
  return tree;
}

/** The numbers of a datetime or a duration, which are times under the name of the object itself. */
function timesOf(node: StructNode): MatNode | undefined {
  return node.objectClass === "datetime"
    ? fieldOf(node, "data")
    : node.objectClass === "duration"
    ? fieldOf(node, "millis")
    : undefined;
}

const plain = (name: string) => name.replaceAll("/", "_");

function numeric(
  node: NumericNode,
  path: string,
  sources: readonly ByteSource[],
  signal?: AbortSignal,
): Variable {
  const load = (first: number, count: number): Promise<NumericArray> =>
    loadValues(sources, node, first, count, signal);
  return {
    path,
    shape: node.shape,
    dtype: isReal(node) ? node.real.dtype : "bool",
    attributes: node.units ? { units: node.units } : {},
    streamable: isReal(node) && node.shape.length === 2 && elementsOf(node.shape) > 0,
    values: () => load(0, elementsOf(node.shape)),
    slice: load,
    async column(axis, index) {
      const [rows, columns] = node.shape;
      if (axis === 1) return await load(index * rows, rows);
      const all = await load(0, rows * columns);
      return Float64Array.from({ length: columns }, (_, i) => Number(all[i * rows + index]));
    },
  };
}

function textual(texts: string[], path: string): Variable {
  return {
    path,
    shape: [texts.length],
    dtype: "string",
    attributes: {},
    streamable: false,
    values: () => Promise.resolve(texts),
    slice: () => Promise.resolve(new Float64Array(0)),
  };
}
