/** Reads the index of a chunked dataset, whatever its kind (File Format Specification, III.A.1 and VII). */
import { FuseError } from "../../../src/errors.ts";
import { readTree2 } from "./btree2.ts";
import { type ChunkBudget, ChunkTable } from "./chunk-table.ts";
import type { Cursor } from "./cursor.ts";
import type { DataLayout } from "./data-layout.ts";
import { readExtensibleArray } from "./extensible-array.ts";
import { readFixedArray } from "./fixed-array.ts";
import { pooled, type Storage } from "./storage.ts";

/** Layout of a chunked dataset. */
export type ChunkedLayout = Extract<DataLayout, { kind: "chunked" }>;

/** A chunked dataset, as far as its index needs to know it. */
export interface ChunkedDataset {
  path: string;
  shape: number[];
  maxShape: number[];
  layout: ChunkedLayout;
  /** True when chunks go through filters. */
  filtered: boolean;
}

/** An entry of an array of chunks: undefined address means no chunk. */
export interface ArrayEntry {
  address: number | undefined;
  length: number;
  mask: number;
}

/** Chunks a dataset may have whatever the size of its file. */
const FREE_CELLS = 1 << 20;
/** Skips all filters. */
const ALL = 0xffff_ffff;
/** Deepest B-tree. */
const DEEPEST = 64;

/**
 * The chunks of a dataset.
 * @throws FuseError `Limit` for more chunks than `budget` has left, `Corrupt` for a damaged index.
 */
export async function readChunkIndex(
  storage: Storage,
  dataset: ChunkedDataset,
  budget: ChunkBudget,
): Promise<ChunkTable> {
  const { layout, shape } = dataset;
  const { chunkShape } = layout;
  if (chunkShape.length !== shape.length) {
    throw corrupt(storage, dataset, "chunks of another rank than the dataset");
  }
  const cells = shape.reduce((n, s, i) => n * Math.ceil(s / chunkShape[i]), 1);
  // Every chunk needs an address in some index: a file cannot hold more of them than it has bytes for.
  if (cells > FREE_CELLS && cells > storage.size / storage.offsetBytes) {
    throw new FuseError("Limit", "far more chunks than the file can hold", {
      source: storage.source.name,
      array: dataset.path,
      found: `${cells} chunks`,
      expected: `at most ${Math.floor(storage.size / storage.offsetBytes)}`,
    });
  }
  budget.take(cells, storage, dataset.path);
  const table = new ChunkTable(shape, chunkShape);
  if (layout.address === undefined || cells === 0) return table;
  const chunkBytes = chunkShape.reduce((n, s) => n * s, layout.elementBytes);
  const enter = (cell: number[], address: number, length: number, mask: number) => {
    const skipped = layout.plainEdges && table.isEdge(cell) ? ALL : mask;
    table.set(cell, storage.base + address, length, skipped);
  };
  switch (layout.index) {
    case "single": {
      const { length, mask } = layout.single ?? { length: chunkBytes, mask: 0 };
      enter(shape.map(() => 0), layout.address, length, mask);
      break;
    }
    case "implicit": {
      const place = linearPlace(dataset);
      place.each(
        table,
        (cell, index) => enter(cell, layout.address! + index * chunkBytes, chunkBytes, 0),
      );
      break;
    }
    case "fixed-array":
    case "extensible-array": {
      const place = linearPlace(dataset);
      const read = layout.index === "fixed-array" ? readFixedArray : readExtensibleArray;
      await read(storage, layout.address, budget.most, (index, cursor, filtered, entryBytes) => {
        const { address, length, mask } = entry(cursor, filtered, entryBytes, chunkBytes);
        if (address !== undefined) enter(place.cell(index), address, length, mask);
      });
      break;
    }
    case "btree1":
      await readTree1(storage, dataset, layout.address, budget.most, enter);
      break;
    case "btree2": {
      const width = chunkShape.length * 8;
      await readTree2(storage, layout.address, budget.most, (record, tree) => {
        const filtered = tree.type === 11;
        if (!filtered && tree.type !== 10) {
          throw record.corrupt("not an index of chunks", tree.type);
        }
        const { address, length, mask } = entry(
          record,
          filtered,
          tree.recordBytes - width,
          chunkBytes,
        );
        const cell = chunkShape.map(() => record.uint(8));
        if (address !== undefined) enter(cell, address, length, mask);
      });
    }
  }
  return table;
}

function entry(cursor: Cursor, filtered: boolean, bytes: number, chunkBytes: number): ArrayEntry {
  const address = cursor.address();
  if (!filtered) return { address, length: chunkBytes, mask: 0 };
  const width = bytes - cursor.place.offsetBytes - 4;
  if (width < 1 || width > 8) throw cursor.corrupt("impossible size of an entry", bytes);
  return { address, length: cursor.uint(width), mask: cursor.u32() };
}

/**
 * Numbers of chunks in arrays: C order over the largest extent, an unlimited axis first (H5Dearray.c: the
 * coordinates are "swizzled").
 */
function linearPlace({ layout, shape, maxShape }: ChunkedDataset) {
  const { chunkShape } = layout;
  const order = shape.map((_, i) => i);
  const unlimited = maxShape.findIndex((n) => n === Infinity);
  if (unlimited > 0) order.unshift(...order.splice(unlimited, 1));
  const counts = order.map((axis) => Math.ceil(Math.max(1, maxShape[axis]) / chunkShape[axis]));
  const cell = (index: number) => {
    const out = shape.map(() => 0);
    for (let i = order.length - 1; i > 0; i--) {
      out[order[i]] = index % counts[i];
      index = Math.floor(index / counts[i]);
    }
    out[order[0]] = index;
    return out;
  };
  const each = (table: ChunkTable, visit: (cell: number[], index: number) => void) => {
    for (let k = 0; k < table.count; k++) {
      const at = table.cell(k);
      visit(at, order.reduce((n, axis, i) => n * counts[i] + at[axis], 0));
    }
  };
  return { cell, each };
}

/** Version 1 B-tree with chunks: a level at a time. */
async function readTree1(
  storage: Storage,
  dataset: ChunkedDataset,
  root: number,
  most: number,
  enter: (cell: number[], address: number, length: number, mask: number) => void,
): Promise<void> {
  const { offsetBytes } = storage;
  const { chunkShape } = dataset.layout;
  const headBytes = 8 + 2 * offsetBytes;
  const keyBytes = 8 + 8 * (chunkShape.length + 1);
  let nodes = [root];
  let height = -1;
  let seen = 0;
  for (let depth = 0; nodes.length; depth++) {
    const next = await pooled(nodes, async (address) => {
      const head = await storage.cursor(address, headBytes, "B-tree node");
      head.signature("TREE");
      if (head.u8() !== 1) throw head.corrupt("not an index of chunks");
      const level = head.u8();
      const used = head.u16();
      if (depth === 0) height = level;
      if (level !== height - depth || depth > DEEPEST) {
        throw head.corrupt("impossible level", level);
      }
      seen += used;
      if (seen > 2 * most + 65_536) throw head.corrupt("an index without end");
      const length = used * (keyBytes + offsetBytes);
      const body = await storage.cursor(address + headBytes, length, "B-tree node");
      const children: number[] = [];
      for (let i = 0; i < used; i++) {
        const bytes = body.u32();
        const mask = body.u32();
        const cell = chunkShape.map((extent) => {
          const at = body.uint(8);
          if (at % extent) {
            throw body.corrupt("a chunk beside the grid", at, `multiple of ${extent}`);
          }
          return at / extent;
        });
        body.skip(8);
        const child = body.someAddress(level ? "a node" : "a chunk");
        if (level) children.push(child);
        else enter(cell, child, bytes, mask);
      }
      return children;
    });
    nodes = next.flat();
  }
}

function corrupt(storage: Storage, { path }: ChunkedDataset, statement: string): FuseError {
  return new FuseError("Corrupt", statement, { source: storage.source.name, array: path });
}
