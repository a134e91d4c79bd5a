/**
 * Any HDF5 file: every dataset becomes an array under its own path. Where names, attributes and sizes speak
 * for recordings, these are made of the arrays they concern, and everything else is kept below `source/`.
 */
import { type Attributes, type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import { dtypeOf } from "../../src/model/dtype.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { findStart, textsIn } from "../mapping/evidence.ts";
import { groupOf, groupsAround } from "../mapping/variables.ts";
import { openHdf5 } from "./hdf5/file.ts";
import { ArrayBuilder, type LeafArray } from "./hdf5-arrays.ts";
import { addRecordings, mapArrays } from "./hdf5-recordings.ts";
import { collectTree, type Tree } from "./hdf5-tree.ts";

const FORMAT = "hdf5";

async function open(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { limits, signal, alone } = options;
  const file = await openHdf5(source, { limits, signal, alone });
  const tree = await collectTree(file);
  const dataset = emptyDataset(FORMAT, [source]);
  dataset.leftOut.push(...tree.leftOut);
  const builder = new ArrayBuilder(tree, dataset);
  const arrays = tree.datasets.flatMap((node) => builder.leaves(node));
  const mapping = await mapArrays(tree, arrays, dataset, options.mapping);
  builder.nameDimensions(mapping !== null);
  if (mapping) await addRecordings(dataset, builder, mapping, arrays);
  const prefix = mapping ? "source/" : "";
  for (const array of arrays) {
    if (!mapping?.used.has(array.path)) await builder.add(array, prefix);
  }
  addLargeAttributes(dataset, tree, prefix);
  keepGroups(dataset, tree, arrays, prefix);
  const root = tree.groups.find((g) => g.path === "")?.attributes ?? {};
  describe(dataset, root);
  if (mapping?.startTime) dataset.metadata.startTime = mapping.startTime;
  return dataset;
}

/**
 * Groups that say something or were empty to begin with, and compounds, whose members are arrays inside a
 * group. Groups around arrays come with these.
 */
function keepGroups(dataset: Dataset, tree: Tree, arrays: LeafArray[], prefix: string): void {
  const filled = new Set<string>();
  for (const { path } of tree.datasets) {
    for (const group of groupsAround(groupOf(path))) filled.add(group);
  }
  const compounds = new Set(arrays.filter((a) => a.leaf.names.length > 0).map((a) => a.node));
  const groups = [...tree.groups, ...compounds].filter(({ path, attributes }) =>
    path !== "" && (Object.keys(attributes).length > 0 || !filled.has(path))
  );
  if (groups.length === 0) return;
  dataset.groups = groups.map(({ path, attributes }) => ({ path: prefix + path, attributes }));
}

function addLargeAttributes(dataset: Dataset, tree: Tree, prefix: string): void {
  for (const { path, shape, values } of tree.large) {
    const dims = shape.map((_, i) => `${path.replaceAll("/", "_")}_dim${i}`);
    const layout = { kind: "values" as const, values };
    dataset.arrays.push({ path: prefix + path, dtype: dtypeOf(values), dims, shape, layout });
  }
}

/** What the root's attributes say of the recording, in the vocabulary of the outputs. */
function describe(dataset: Dataset, root: Attributes): void {
  const { metadata } = dataset;
  const text = (...names: string[]) => {
    for (const [name, value] of Object.entries(root)) {
      if (!names.includes(name.toLowerCase().replace(/[^a-z]/g, ""))) continue;
      const texts = textsIn(value);
      if (texts?.some((t) => t.trim() !== "")) return texts.join("; ");
    }
    return undefined;
  };
  const set = <K extends "species" | "experimenter" | "institution" | "notes">(
    key: K,
    value: string | undefined,
  ) => {
    if (value !== undefined) metadata[key] = value;
  };
  set("species", text("species"));
  set("experimenter", text("experimenter", "experimentername", "operator", "author"));
  set("institution", text("institution", "institute", "affiliation"));
  set("notes", text("notes", "note", "comment", "comments", "description", "sessiondescription"));
  const start = findStart(root);
  if (start !== undefined) metadata.startTime = start;
  if (Object.keys(root).length) metadata.header = root;
}

/** The reader. */
export const reader: Reader = { open };
