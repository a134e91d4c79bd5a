/**
 * Zarr metadata documents: v3 (core specification 3.0, sharding ZEP 2, consolidated metadata as
 * zarr-python and zarrita read it) and v2 (`.zarray`, `.zgroup`, `.zattrs`, `.zmetadata`).
 */
import type { Attributes, Json } from "../../model/dataset.ts";
import type { DType } from "../../model/dtype.ts";
import type { Compressor, Plan, PlannedArray } from "../../plan/plan.ts";

type Document = Record<string, Json>;

const ELEMENT_BYTES: Partial<Record<DType, number>> = { complex64: 8, complex128: 16 };

function elementBytes(dtype: DType): number {
  const bits = /(\d+)$/.exec(dtype);
  return ELEMENT_BYTES[dtype] ?? (dtype === "bool" ? 1 : Number(bits?.[1] ?? 8) / 8);
}

/** Numeric codecs that turn elements into bytes and compress them, outermost last. */
function bytesCodecs(dtype: DType, compressor: Compressor): Json[] {
  const bytes: Json = elementBytes(dtype) === 1
    ? { name: "bytes" }
    : { name: "bytes", configuration: { endian: "little" } };
  switch (compressor.id) {
    case "none":
      return [bytes];
    case "zstd":
      return [bytes, { name: "zstd", configuration: { level: compressor.level, checksum: false } }];
    case "gzip":
      return [bytes, { name: "gzip", configuration: { level: compressor.level } }];
    case "blosc-lz4": {
      const typesize = elementBytes(dtype);
      return [bytes, {
        name: "blosc",
        configuration: {
          cname: "lz4",
          clevel: 5,
          shuffle: compressor.filter === "none" ? "noshuffle" : "bitshuffle",
          typesize,
          blocksize: 0,
        },
      }];
    }
  }
}

/** The `zarr.json` of an array. */
export function arrayDocument(array: PlannedArray, shape: number[]): Document {
  const text = array.dtype === "string";
  const inner = text ? [{ name: "vlen-utf8" }] : bytesCodecs(array.dtype, array.compressor);
  const codecs: Json[] = array.shards && !text
    ? [{
      name: "sharding_indexed",
      configuration: {
        chunk_shape: array.chunks,
        codecs: inner,
        index_codecs: [{ name: "bytes", configuration: { endian: "little" } }, { name: "crc32c" }],
        index_location: "end",
      },
    }]
    : inner;
  const complex = array.dtype.startsWith("complex");
  return {
    zarr_format: 3,
    node_type: "array",
    shape,
    data_type: array.dtype,
    chunk_grid: {
      name: "regular",
      configuration: { chunk_shape: array.shards && !text ? array.shards : array.chunks },
    },
    chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
    fill_value: text ? "" : array.dtype === "bool" ? false : complex ? [0, 0] : 0,
    codecs,
    dimension_names: array.dims,
    attributes: array.attributes,
  };
}

/** The `zarr.json` of a group. */
export function groupDocument(attributes: Attributes): Document {
  return { zarr_format: 3, node_type: "group", attributes };
}

const V2_TYPES: Partial<Record<DType, string>> = {
  bool: "|b1",
  int8: "|i1",
  uint8: "|u1",
  float16: "<f2",
  complex64: "<c8",
  complex128: "<c16",
  string: "|O",
};

function v2Type(dtype: DType): string {
  return V2_TYPES[dtype] ?? `<${dtype[0]}${elementBytes(dtype)}`;
}

/** The `.zarray` of an array. `fill_value` is null, because xarray would mask values equal to it. */
export function zarrayDocument(array: PlannedArray, shape: number[]): Document {
  const { compressor: c } = array;
  const text = array.dtype === "string";
  const compressor: Json = text || c.id === "none" ? null : c.id === "blosc-lz4"
    ? {
      id: "blosc",
      cname: "lz4",
      clevel: 5,
      shuffle: c.filter === "none" ? 0 : 2,
      blocksize: 0,
    }
    : { id: c.id, level: c.level };
  return {
    zarr_format: 2,
    shape,
    chunks: array.chunks,
    dtype: v2Type(array.dtype),
    compressor,
    filters: text ? [{ id: "vlen-utf8" }] : null,
    fill_value: text ? "" : null,
    order: "C",
    dimension_separator: "/",
  };
}

const encoder = new TextEncoder();
const json = (value: Json): Uint8Array => encoder.encode(JSON.stringify(value, finite, 1));

/** JSON has no NaN or infinities: they are written as strings. */
function finite(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** Every metadata document of a store, the root's last: it is what makes the store openable. */
export function* metadataDocuments(
  plan: Plan,
  shapes: number[][],
): Generator<{ key: string; bytes: Uint8Array }> {
  const groups = [...plan.groups].sort((a, b) => (a.path < b.path ? -1 : 1));
  const at = (path: string, file: string) => (path ? `${path}/${file}` : file);
  for (const [key, text] of Object.entries(plan.documents)) {
    yield { key, bytes: encoder.encode(text) };
  }
  if (plan.zarrFormat === 3) {
    const nodes: [string, Document][] = [
      ...groups.map((
        { path, attributes },
      ): [string, Document] => [path, groupDocument(attributes)]),
      ...plan.arrays.map((a, i): [string, Document] => [a.path, arrayDocument(a, shapes[i])]),
    ];
    const root = nodes.shift()![1];
    for (const [path, document] of nodes) {
      yield { key: at(path, "zarr.json"), bytes: json(document) };
    }
    const metadata = Object.fromEntries(nodes.sort(([a], [b]) => (a < b ? -1 : 1)));
    root.consolidated_metadata = { kind: "inline", must_understand: false, metadata };
    yield { key: "zarr.json", bytes: json(root) };
    return;
  }
  const all: [string, Document][] = [];
  plan.arrays.forEach((array, i) => {
    all.push([at(array.path, ".zarray"), zarrayDocument(array, shapes[i])]);
    all.push([at(array.path, ".zattrs"), { _ARRAY_DIMENSIONS: array.dims, ...array.attributes }]);
  });
  for (const { path, attributes } of groups.reverse()) {
    all.push([at(path, ".zattrs"), attributes]);
    all.push([at(path, ".zgroup"), { zarr_format: 2 }]);
  }
  const root = all.splice(-2);
  for (const [key, document] of all) yield { key, bytes: json(document) };
  const metadata = Object.fromEntries([...all, ...root].sort(([a], [b]) => (a < b ? -1 : 1)));
  yield { key: ".zattrs", bytes: json(root[0][1]) };
  yield { key: ".zmetadata", bytes: json({ zarr_consolidated_format: 1, metadata }) };
  yield { key: ".zgroup", bytes: json(root[1][1]) };
}

/** Key of an object (chunk or shard) of an array. */
export function objectKey(
  plan: Pick<Plan, "zarrFormat">,
  array: PlannedArray,
  cell: number[],
): string {
  return plan.zarrFormat === 3
    ? `${array.path}/c/${cell.join("/")}`
    : `${array.path}/${cell.join("/")}`;
}
