/** What an HDF5 file holds, collected in one walk: groups, datasets, attributes, links. */
import { FuseError } from "../../src/errors.ts";
import type { Attributes, Json } from "../../src/model/dataset.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import { type Attribute, attributeJson } from "./hdf5/attributes.ts";
import { Dataset5 } from "./hdf5/dataset.ts";
import type { Hdf5File } from "./hdf5/file.ts";
import { isReference } from "./hdf5/references.ts";
import { walk } from "./hdf5/walk.ts";

/** A dataset under the path it gets in the store. */
export interface TreeDataset {
  /** Path without the leading slash. */
  path: string;
  dataset: Dataset5;
  attributes: Attributes;
  /** Paths of the dimension scales of each axis, "" where there is none. */
  axes: string[];
  /** True for a dimension scale. */
  scale: boolean;
}

/** An attribute too large to be one: kept as an array. */
export interface LargeAttribute {
  path: string;
  shape: number[];
  values: NumericArray | string[];
}

/** The file's tree. */
export interface Tree {
  groups: { path: string; attributes: Attributes }[];
  datasets: TreeDataset[];
  large: LargeAttribute[];
  leftOut: { what: string; why: string }[];
}

/** Elements of an attribute from which on it is kept as an array. */
const LARGE = 4096;

/** Attributes that only tie dimension scales to datasets; the ties become names of dimensions. */
const STRUCTURE = new Set([
  "DIMENSION_LIST",
  "REFERENCE_LIST",
  "DIMENSION_LABELS",
  "CLASS",
  "NAME",
]);
const NETCDF = /^_(?:Netcdf4Dimid|Netcdf4Coordinates|nc3_strict|NCProperties)$/;

/** Walks the file. @throws FuseError `Limit` for more objects than allowed. */
export async function collectTree(file: Hdf5File): Promise<Tree> {
  const tree: Tree = { groups: [], datasets: [], large: [], leftOut: [] };
  const links = new Map<string, Record<string, string>>();
  const { items } = file.storage.limits;
  const note = (path: string, target: string) => {
    const [group, name] = split(path);
    const own = links.get(group) ?? {};
    own[name] = target;
    links.set(group, own);
  };
  const plain = (path: string) => path.replace(/^\//, "");
  await walk(file, {
    async group(group) {
      const path = plain(group.path);
      const all = await group.attributes(unreadOf(tree, path));
      const { attributes } = await readAll(file, path, all, tree);
      tree.groups.push({ path, attributes });
    },
    async dataset(dataset) {
      if (tree.datasets.length >= items) {
        throw new FuseError("Limit", "more datasets than allowed", {
          source: file.source.name,
          expected: `at most ${items}`,
        });
      }
      tree.datasets.push(await treeDataset(file, plain(dataset.path), dataset, tree));
    },
    unread(path, error) {
      tree.leftOut.push({ what: plain(path), why: error.message });
    },
    async link(path, link, met) {
      if (link.kind === "hard") return note(path, met ?? "");
      if (link.kind === "soft") {
        note(path, link.target);
        return;
      }
      if (link.kind === "user") {
        tree.leftOut.push({
          what: plain(path),
          why: `a link of type ${link.type}, which is private`,
        });
        return;
      }
      const what = `${plain(path)} (in ${link.file})`;
      const object = await file.get(path).catch((error) => String(error.message ?? error));
      if (object instanceof Dataset5) {
        tree.datasets.push(await treeDataset(object.file, plain(path), object, tree));
      } else {
        const why = typeof object === "string"
          ? object
          : object === null
          ? "the other file or the object in it is not there"
          : "a group of another file: convert that file by itself";
        tree.leftOut.push({ what, why });
      }
    },
  });
  for (const group of tree.groups) {
    const own = links.get(group.path);
    if (own) group.attributes.hdf5_links = own;
  }
  return tree;
}

/** Attributes that are not read are left out with their reason. */
function unreadOf(tree: Tree, path: string) {
  return (error: FuseError) => {
    tree.leftOut.push({ what: `an attribute of ${path || "the root"}`, why: error.message });
  };
}

function split(path: string): [string, string] {
  const at = path.lastIndexOf("/");
  return [path.slice(0, at).replace(/^\//, ""), path.slice(at + 1)];
}

async function treeDataset(
  file: Hdf5File,
  path: string,
  dataset: Dataset5,
  tree: Tree,
): Promise<TreeDataset> {
  const all = await dataset.attributes(unreadOf(tree, path));
  const { attributes } = await readAll(file, path, all, tree);
  const scale = textOf(all.get("CLASS")) === "DIMENSION_SCALE";
  return { path, dataset, attributes, axes: await axesOf(file, dataset, all), scale };
}

/** Attributes as JSON; the large ones are set aside. */
async function readAll(
  file: Hdf5File,
  path: string,
  all: Map<string, Attribute>,
  tree: Tree,
): Promise<{ attributes: Attributes }> {
  const scale = textOf(all.get("CLASS")) === "DIMENSION_SCALE";
  const entries: [string, Json][] = [];
  for (const [name, attribute] of all) {
    if (NETCDF.test(name) || name === "DIMENSION_LIST" || name === "REFERENCE_LIST") continue;
    if (scale && STRUCTURE.has(name)) continue;
    const { values, shape } = attribute;
    const plain = !Array.isArray(values) || values.every((v) => typeof v === "string");
    if (values.length > LARGE && plain) {
      tree.large.push({
        path: `${path ? `${path}_` : ""}attributes/${name}`,
        shape,
        values: values as NumericArray | string[],
      });
      continue;
    }
    const json = await attributeJson(attribute, (address) => file.pathOf(address));
    // netCDF and others write every number as a list of one.
    const bare = Array.isArray(json) && json.length === 1 && typeof json[0] === "number";
    entries.push([name, bare ? json[0] : json]);
  }
  return { attributes: Object.fromEntries(entries.flatMap(plainFill)) };
}

/**
 * Readers of zarr expect `_FillValue` in a form of their own; `missing_value` says the same (CF conventions).
 * NaN masks nothing that is not NaN already.
 */
function plainFill(
  [name, value]: [string, Json],
  _: number,
  all: [string, Json][],
): [string, Json][] {
  if (name !== "_FillValue") return [[name, value]];
  if (typeof value !== "number" || Number.isNaN(value)) return [];
  return all.some(([n]) => n === "missing_value")
    ? [["fill_value", value]]
    : [["missing_value", value]];
}

function textOf(attribute: Attribute | undefined): string | undefined {
  const [value] = attribute?.values ?? [];
  return typeof value === "string" ? value : undefined;
}

/** The dimension scales attached to a dataset, or the labels of its axes. */
async function axesOf(
  file: Hdf5File,
  dataset: Dataset5,
  all: Map<string, Attribute>,
): Promise<string[]> {
  const axes = dataset.shape.map(() => "");
  const lists = all.get("DIMENSION_LIST")?.values;
  if (Array.isArray(lists)) {
    for (const [axis, list] of lists.entries()) {
      const [reference] = Array.isArray(list) ? list : [];
      if (axis >= axes.length || !isReference(reference) || reference.address === undefined) {
        continue;
      }
      axes[axis] = (await file.pathOf(reference.address))?.replace(/^\//, "") ?? "";
    }
  }
  return axes;
}
