/**
 * Arrays as uncompressed chunk files (zarr v2), read back in any order: the way from chunks, which tasks
 * write in parallel, to outputs that want whole arrays front to back.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { FuseError } from "../../errors.ts";
import type { Attributes } from "../../model/dataset.ts";
import { elementBytes } from "../npy/format.ts";
import { copyBox } from "../../stream/boxes.ts";

/** Bytes of a piece of an array that is read or written at a time. */
export const PIECE_BYTES = 4 << 20;
/** Chunk files kept open. */
const OPEN_FILES = 64;
/** How much more than what is wanted may be read at once rather than in rows. */
const WASTE = 4;

/** An array of the folder, as its `.zarray` and `.zattrs` say. */
export interface StoredArray {
  path: string;
  shape: number[];
  chunks: number[];
  /** NumPy's name of the type; "|O" for strings. */
  descr: string;
  dims: string[];
  attributes: Attributes;
}

interface ZArray {
  shape: number[];
  chunks: number[];
  dtype: string;
}

/** The consolidated metadata of a folder: arrays and groups by path. */
export interface StoredTree {
  arrays: StoredArray[];
  groups: Map<string, Attributes>;
}

/** Arrays and groups of a `.zmetadata` document. */
export function parseTree(document: Uint8Array): StoredTree {
  const { metadata } = JSON.parse(new TextDecoder().decode(document)) as {
    metadata: Record<string, unknown>;
  };
  const tree: StoredTree = { arrays: [], groups: new Map() };
  for (const [key, value] of Object.entries(metadata)) {
    const path = key.replace(/\/?\.z(array|group|attrs)$/, "");
    const attributes = (metadata[path ? `${path}/.zattrs` : ".zattrs"] ?? {}) as Attributes;
    if (key.endsWith(".zgroup")) tree.groups.set(path, attributes);
    if (!key.endsWith(".zarray")) continue;
    const { shape, chunks, dtype } = value as ZArray;
    const { _ARRAY_DIMENSIONS: dims, ...rest } = attributes;
    tree.arrays.push({
      path,
      shape,
      chunks,
      descr: dtype,
      dims: dims as string[],
      attributes: rest,
    });
  }
  return tree;
}

/** A buffer that serves one use after the other: what is taken is valid until the next is. */
export class Scratch {
  #buffer = new ArrayBuffer(0);

  /** `length` bytes, whatever they hold. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (this.#buffer.byteLength < length) this.#buffer = new ArrayBuffer(length);
    return new Uint8Array(this.#buffer, 0, length);
  }
}

/** Reads chunk files below a folder. */
export class ChunkFiles {
  readonly #open = new Map<string, number | null>();
  readonly #slab = new Scratch();

  constructor(readonly folder: string) {}

  /** Handle of a chunk's file; null when there is none, which stands for zeros. */
  #handle(array: StoredArray, cell: number[]): number | null {
    const path = join(this.folder, ...array.path.split("/"), ...cell.map(String));
    let handle = this.#open.get(path);
    if (handle === undefined) {
      if (this.#open.size >= OPEN_FILES) this.#close(this.#open.keys().next().value!);
      handle = existsSync(path) ? openSync(path, "r") : null;
    } else this.#open.delete(path);
    // The last used stand last.
    this.#open.set(path, handle);
    return handle;
  }

  #close(path: string): void {
    const handle = this.#open.get(path);
    if (typeof handle === "number") closeSync(handle);
    this.#open.delete(path);
  }

  close(): void {
    for (const path of [...this.#open.keys()]) this.#close(path);
  }

  /** The values of a box, in C order, in `scratch` if it is given; absent chunks are zeros. */
  readBox(
    array: StoredArray,
    origin: number[],
    extent: number[],
    scratch = new Scratch(),
  ): Uint8Array<ArrayBuffer> {
    const width = elementBytes(array.descr);
    const bytes = scratch.take(extent.reduce((a, b) => a * b, width)).fill(0);
    if (bytes.length === 0) return bytes;
    const { chunks } = array;
    const first = origin.map((o, i) => Math.floor(o / chunks[i]));
    const last = origin.map((o, i) => Math.floor((o + extent[i] - 1) / chunks[i]));
    const cell = [...first];
    for (;;) {
      const handle = this.#handle(array, cell);
      if (handle !== null) {
        const low = cell.map((c, i) => Math.max(0, origin[i] - c * chunks[i]));
        const high = cell.map((c, i) => Math.min(chunks[i], origin[i] + extent[i] - c * chunks[i]));
        this.#readPart(handle, array, cell, low, high, 0, { bytes, origin, shape: extent });
      }
      let axis = cell.length - 1;
      while (axis >= 0 && ++cell[axis] > last[axis]) cell[axis] = first[axis--];
      if (axis < 0) return bytes;
    }
  }

  /** Reads `[low, high)` of a chunk: in one go, or row by row where too much lies between the rows. */
  #readPart(
    handle: number,
    array: StoredArray,
    cell: number[],
    low: number[],
    high: number[],
    axis: number,
    to: { bytes: Uint8Array; origin: number[]; shape: number[] },
  ): void {
    const { chunks } = array;
    const width = elementBytes(array.descr);
    const rank = chunks.length;
    while (axis < rank - 1 && high[axis] - low[axis] === 1) axis++;
    const inner = (from: number) => chunks.slice(from).reduce((a, b) => a * b, 1);
    const count = high[axis] - low[axis];
    const wanted = high.slice(axis).reduce((n, h, i) => n * (h - low[axis + i]), 1);
    if (axis < rank - 1 && count * inner(axis + 1) > WASTE * wanted) {
      for (let i = low[axis]; i < high[axis]; i++) {
        this.#readPart(handle, array, cell, low.with(axis, i), high.with(axis, i + 1), axis, to);
      }
      return;
    }
    let at = 0;
    for (let i = 0; i <= axis; i++) at += low[i] * inner(i + 1);
    const slab = this.#slab.take(count * inner(axis + 1) * width);
    readFully(handle, slab, at * width, array.path);
    const shape = chunks.map((n, i) => (i < axis ? 1 : i === axis ? count : n));
    const origin = cell.map((c, i) => c * chunks[i] + (i <= axis ? low[i] : 0));
    copyBox({ bytes: slab, origin, shape }, to, array.shape, width);
  }

  /** The whole array in C order, in pieces of about {@link PIECE_BYTES}, each in `scratch` if it is given. */
  *pieces(array: StoredArray, scratch?: Scratch): Generator<Uint8Array<ArrayBuffer>> {
    const { shape } = array;
    if (shape.includes(0)) return;
    const extent = pieceExtent(shape, Math.max(1, PIECE_BYTES / elementBytes(array.descr)));
    const origin = shape.map(() => 0);
    for (;;) {
      yield this.readBox(
        array,
        origin,
        extent.map((n, i) => Math.min(n, shape[i] - origin[i])),
        scratch,
      );
      let axis = shape.length - 1;
      while (axis >= 0 && (origin[axis] += extent[axis]) >= shape[axis]) origin[axis--] = 0;
      if (axis < 0) return;
    }
  }

  /** The strings of a one-dimensional array (`vlen-utf8`), a chunk at a time. */
  *strings(array: StoredArray): Generator<string[]> {
    const [length] = array.shape, [rows] = array.chunks;
    const decoder = new TextDecoder();
    for (let at = 0; at < length; at += rows) {
      const path = join(this.folder, ...array.path.split("/"), String(at / rows));
      const count = Math.min(rows, length - at);
      if (!existsSync(path)) {
        yield new Array<string>(count).fill("");
        continue;
      }
      const bytes = readFileSync(path);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const values: string[] = [];
      for (let i = 0, place = 4; i < count; i++) {
        const size = view.getUint32(place, true);
        values.push(decoder.decode(bytes.subarray(place + 4, place + 4 + size)));
        place += 4 + size;
      }
      yield values;
    }
  }
}

/** Extents of pieces that are whole in their last axes, so that they follow each other in C order. */
function pieceExtent(shape: number[], elements: number): number[] {
  const extent = shape.map(() => 1);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    extent[axis] = Math.max(1, Math.min(shape[axis], Math.floor(elements)));
    if (extent[axis] < shape[axis]) break;
    elements /= shape[axis];
  }
  return extent;
}

function readFully(handle: number, bytes: Uint8Array, at: number, path: string): void {
  for (let done = 0; done < bytes.length;) {
    const n = readSync(handle, bytes, done, bytes.length - done, at + done);
    if (n === 0) throw new FuseError("Sink", "a chunk file ends too early", { array: path });
    done += n;
  }
}
