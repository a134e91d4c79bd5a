/** Groups and arrays of a store, by its metadata (zarr v2 and v3, consolidated or found by their keys). */
import { FuseError } from "../errors.ts";
import type { Attributes, Json } from "../model/dataset.ts";
import type { StoreReader } from "./open-store.ts";

/** What is known of an array without reading values. */
export interface StoredArray {
  path: string;
  zarrFormat: 2 | 3;
  shape: number[];
  /** Shape of the objects: shards where there are any, else chunks. */
  objectShape: number[];
  /** Shape of the chunks that are compressed on their own. */
  chunkShape: number[];
  sharded: boolean;
  dtype: string;
  dims: string[];
  attributes: Attributes;
  /** Between grid numbers in keys. */
  separator: string;
}

/** The nodes of a store. */
export interface StoreNodes {
  zarrFormat: 2 | 3;
  groups: Map<string, Attributes>;
  arrays: StoredArray[];
}

type Document = { [key: string]: Json };

/** Reads the consolidated metadata of a store. @throws FuseError `Corrupt`, `Unsupported`. */
export async function readNodes(store: StoreReader): Promise<StoreNodes> {
  const v3 = await document(store, "zarr.json");
  if (v3) return nodesV3(v3);
  const v2 = await document(store, ".zmetadata");
  if (v2) return nodesV2(v2.metadata as Document);
  throw new FuseError("Unsupported", "the store has no consolidated metadata", {
    source: store.uri,
  });
}

async function document(store: StoreReader, key: string): Promise<Document | null> {
  const bytes = await store.get(key);
  if (!bytes) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new FuseError("Corrupt", `${key} is not JSON`, { source: store.uri, cause });
  }
}

function nodesV3(root: Document): StoreNodes {
  const nodes: StoreNodes = { zarrFormat: 3, groups: new Map(), arrays: [] };
  const consolidated = (root.consolidated_metadata as Document | undefined)?.metadata as
    | Document
    | undefined;
  const all: [string, Document][] = [
    ["", root],
    ...Object.entries(consolidated ?? {}) as [string, Document][],
  ];
  for (const [path, node] of all) {
    const attributes = (node.attributes ?? {}) as Attributes;
    if (node.node_type === "group") nodes.groups.set(path, attributes);
    else nodes.arrays.push(arrayV3(path, node, attributes));
  }
  return nodes;
}

function arrayV3(path: string, node: Document, attributes: Attributes): StoredArray {
  const objectShape = ((node.chunk_grid as Document).configuration as Document)
    .chunk_shape as number[];
  const codecs = node.codecs as Document[];
  const sharding = codecs.find((c) => c.name === "sharding_indexed");
  const encoding = (node.chunk_key_encoding as Document).configuration as Document | undefined;
  return {
    path,
    zarrFormat: 3,
    shape: node.shape as number[],
    objectShape,
    chunkShape: sharding
      ? (sharding.configuration as Document).chunk_shape as number[]
      : objectShape,
    sharded: sharding !== undefined,
    dtype: typeof node.data_type === "string"
      ? node.data_type
      : String((node.data_type as Document).name),
    dims: ((node.dimension_names ?? []) as (string | null)[]).map((d) => d ?? ""),
    attributes,
    separator: String(encoding?.separator ?? "/"),
  };
}

function nodesV2(metadata: Document): StoreNodes {
  const nodes: StoreNodes = { zarrFormat: 2, groups: new Map(), arrays: [] };
  for (const [key, value] of Object.entries(metadata) as [string, Document][]) {
    const [, path, kind] = /^(?:(.*)\/)?\.(zgroup|zarray|zattrs)$/.exec(key) ?? [];
    const attributes = (metadata[path ? `${path}/.zattrs` : ".zattrs"] ?? {}) as Attributes;
    if (kind === "zgroup") nodes.groups.set(path ?? "", attributes);
    if (kind === "zarray") {
      const chunks = value.chunks as number[];
      nodes.arrays.push({
        path: path ?? "",
        zarrFormat: 2,
        shape: value.shape as number[],
        objectShape: chunks,
        chunkShape: chunks,
        sharded: false,
        dtype: String(value.dtype),
        dims: (attributes._ARRAY_DIMENSIONS ?? []) as string[],
        attributes,
        separator: String(value.dimension_separator ?? "."),
      });
    }
  }
  return nodes;
}

/** Key of an object of an array. */
export function storedKey(array: StoredArray, cell: number[]): string {
  const prefix = array.path ? `${array.path}/` : "";
  const numbers = cell.join(array.separator);
  return array.zarrFormat === 3
    ? `${prefix}c${cell.length ? array.separator : ""}${numbers}`
    : `${prefix}${numbers || "0"}`;
}
