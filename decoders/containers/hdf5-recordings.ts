/** Turns what the mapping found in an HDF5 file into recordings. */
import type { Attributes, Channel, Dataset, Recording } from "../../src/model/dataset.ts";
import { FuseError } from "../../src/errors.ts";
import type { MappingUse } from "../mapping/descriptor-types.ts";
import { draftArrays } from "../mapping/draft.ts";
import { findRecordings, type KnownShape } from "../mapping/map.ts";
import { resolveMapping } from "../mapping/resolve.ts";
import { secondsOf } from "../mapping/time-vectors.ts";
import {
  type MappedRecording,
  type Mapping,
  nameOf,
  type Variable,
  type VariableTree,
} from "../mapping/variables.ts";
import type { ArrayBuilder, LeafArray } from "./hdf5-arrays.ts";
import { textBlocks, timeBlocks } from "./hdf5-passes.ts";
import type { Tree } from "./hdf5-tree.ts";

/** Times read when the file is opened; longer vectors are read on the way. */
const SMALL_TIMES = 65_536;

/** The mapping of a file's arrays, or null when nothing speaks for recordings. */
export async function mapArrays(
  tree: Tree,
  arrays: LeafArray[],
  dataset: Dataset,
  use?: MappingUse,
): Promise<Mapping | null> {
  const source = dataset.sources[0].name;
  const variables = arrays.filter((a) => a.node.dataset.kind !== "null").map(variableOf);
  const groups: VariableTree["groups"] = new Map(tree.groups.map((g) => [g.path, g.attributes]));
  const descriptor = use?.descriptor.kind === "hdf5" ? use.descriptor : undefined;
  if (!descriptor) {
    const found: VariableTree = { variables, groups };
    const mapping = await findRecordings(found);
    if (found.unmapped !== undefined) dataset.metadata.mapping = found.unmapped;
    return mapping;
  }
  const { layout } = descriptor;
  if (layout === undefined) return await resolveMapping({ variables, groups }, descriptor, source);
  const mapping = isKnown(layout) ? await findRecordings({ variables, groups }, layout) : null;
  if (mapping) return mapping;
  throw new FuseError("Usage", "the file does not have the layout the mapping names", {
    source,
    field: "layout",
    found: layout,
    expected: "timestamped or evoked, and a file of that shape",
  });
}

function isKnown(layout: string): layout is KnownShape {
  return layout === "timestamped" || layout === "evoked";
}

function variableOf(array: LeafArray): Variable {
  const { path, node, leaf, shape } = array;
  const { dataset } = node;
  const texts = leaf.type.class === "text" || leaf.type.class === "longtext";
  return {
    path,
    shape,
    dtype: leaf.number?.dtype ?? (texts ? "string" : "bool"),
    attributes: { ...(leaf.names.length ? {} : node.attributes) },
    axes: node.axes,
    streamable: leaf.number !== undefined && dataset.kind === "simple" &&
      dataset.header.external === undefined,
    async values() {
      if (leaf.number) return await dataset.readNumbers(leaf);
      const all: string[] = [];
      for await (const block of textBlocks(dataset, leaf)) all.push(...block.values as string[]);
      return all;
    },
    slice(from, count) {
      const axis = dataset.extent.findIndex((n) => n > 1);
      const start = dataset.extent.map((_, i) => (i === axis ? from : 0));
      const extent = dataset.extent.map((_, i) => (i === axis ? count : 1));
      return dataset.readLeaf(leaf, start, extent);
    },
    ...(leaf.number && dataset.extent.length === 2 && shape.length === 2
      ? {
        column: (axis: number, index: number) =>
          dataset.readLeaf(
            leaf,
            dataset.extent.map((_, i) => (i === axis ? index : 0)),
            dataset.extent.map((n, i) => (i === axis ? 1 : n)),
          ),
      }
      : {}),
  };
}

/** Adds the recordings of a mapping to a dataset. */
export async function addRecordings(
  dataset: Dataset,
  builder: ArrayBuilder,
  mapping: Mapping,
  arrays: LeafArray[],
): Promise<void> {
  const byPath = new Map(arrays.map((a) => [a.path, a]));
  for (const mapped of mapping.recordings) {
    dataset.recordings.push(await recordingOf(builder, mapped, byPath));
  }
  dataset.events.push(...mapping.events ?? []);
  dataset.warnings.push(...mapping.warnings);
  const { name } = dataset.sources[0];
  dataset.draftMapping = () => draftArrays("hdf5", name, mapping);
  dataset.metadata.autoMapped = true;
  dataset.metadata.mapping = mapping.explanation;
}

async function recordingOf(
  builder: ArrayBuilder,
  mapped: MappedRecording,
  byPath: Map<string, LeafArray>,
): Promise<Recording> {
  const channels = new Array<Channel>(mapped.channelCount);
  const parts: Recording["parts"] = [];
  const sources: Record<string, Attributes> = {};
  let rawType: Recording["rawType"] = "float64";
  for (const signal of mapped.signals) {
    const array = byPath.get(signal.variable.path)!;
    const { leaf, node, shape } = array;
    const layout = await node.dataset.layout(leaf, await builder.sourceOf(array));
    rawType = leaf.number!.dtype;
    const { channelAxis, timeAxis, startSample } = signal;
    const count = channelAxis === null ? 1 : shape[channelAxis];
    parts.push({
      firstChannel: signal.firstChannel,
      channelCount: count,
      layout,
      grid: { shape, channelAxis, timeAxis, ...(startSample ? { startSample } : {}) },
    });
    if (Object.keys(signal.variable.attributes).length) {
      sources[array.path] = signal.variable.attributes;
    }
    for (let i = 0; i < count; i++) {
      channels[signal.firstChannel + i] = {
        name: signal.names[i],
        units: signal.units[i],
        gain: signal.gain,
        offset: signal.offset,
        ...(mapped.signals.length === mapped.channelCount && mapped.channelCount > 1
          ? { attributes: { source: array.path } }
          : {}),
      };
    }
  }
  const attributes: Attributes = {
    ...mapped.attributes,
    source_arrays: [...new Set(mapped.signals.map((s) => s.variable.path))],
    ...(Object.keys(sources).length ? { source_attributes: sources } : {}),
  };
  return {
    name: mapped.name || nameOf(mapped.signals[0].variable.path),
    channels,
    samplingFrequency: mapped.samplingFrequency,
    sampleCount: mapped.sampleCount,
    segments: mapped.segments,
    rawType,
    parts,
    ...(mapped.time ? { time: await timeOf(builder, mapped.time, byPath) } : {}),
    ...(mapped.timeGenerated ? { timeGenerated: true } : {}),
    attributes,
  };
}

async function timeOf(
  builder: ArrayBuilder,
  time: NonNullable<MappedRecording["time"]>,
  byPath: Map<string, LeafArray>,
): Promise<NonNullable<Recording["time"]>> {
  const { secondsPerUnit, zero, column } = time;
  if (column) return { kind: "values", values: secondsOf(column.values, secondsPerUnit, zero) };
  const { node: { dataset }, leaf, path } = byPath.get(time.variable.path)!;
  if (dataset.count <= SMALL_TIMES) {
    const values = await dataset.readNumbers(leaf);
    return { kind: "values", values: secondsOf(values, secondsPerUnit, zero) };
  }
  const stream = `time:${path}`;
  builder.addPass(stream, () => timeBlocks(dataset, leaf, secondsPerUnit, zero));
  return { kind: "stream", stream, field: "values" };
}
