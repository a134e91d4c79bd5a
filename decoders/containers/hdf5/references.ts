/** References to objects, regions and attributes (File Format Specification, VIII). */
import type { Cursor } from "./cursor.ts";
import type { ReferenceKind } from "./datatype.ts";
import type { GlobalHeap } from "./global-heap.ts";

/** A reference. */
export interface Reference {
  /** What it refers to. */
  kind: "object" | "region" | "attribute";
  /** Address of the object's header; undefined for a reference to nothing. */
  address?: number;
  /** Other file the object is in. */
  file?: string;
  /** The part of a dataset, in the manner of array slices: "[0:10, 5]", "[(1, 2), (3, 4)]". */
  selection?: string;
  /** Name of the attribute. */
  attribute?: string;
}

/** True for a {@link Reference}. */
export function isReference(value: unknown): value is Reference {
  return typeof value === "object" && value !== null && "kind" in value &&
    ["object", "region", "attribute"].includes((value as Reference).kind) &&
    !Array.isArray(value);
}

/** Reads one stored reference. */
export async function readReference(
  cursor: Cursor,
  kind: ReferenceKind,
  heap: GlobalHeap,
): Promise<Reference> {
  if (kind === "object") {
    const address = cursor.address();
    return { kind: "object", ...(address ? { address } : {}) };
  }
  if (kind === "region") {
    const object = await heapObject(cursor, heap);
    if (!object) return { kind: "region" };
    const address = object.someAddress("an object");
    return { kind: "region", address, selection: readSelection(object) };
  }
  return await readRevised(cursor, heap);
}

async function heapObject(cursor: Cursor, heap: GlobalHeap): Promise<Cursor | undefined> {
  const address = cursor.address();
  const index = cursor.u32();
  return address ? await heap.object(address, index) : undefined;
}

/** References of HDF5 1.12 and later: a header, then the reference or its place in the heap. */
async function readRevised(cursor: Cursor, heap: GlobalHeap): Promise<Reference> {
  const code = cursor.u8();
  const flags = cursor.u8();
  if (code === 0) return { kind: "object" };
  const external = (flags & 1) !== 0;
  let body = cursor;
  if (code !== 2 || external) {
    cursor.skip(4); // bytes of the block
    const object = await heapObject(cursor, heap);
    if (!object) return { kind: code === 3 ? "region" : code === 4 ? "attribute" : "object" };
    body = object;
  }
  const token = body.part(body.u8());
  const address = token.uint(Math.min(8, token.left));
  const file = external ? text(body, body.u16()) : undefined;
  const common = { address, ...(file === undefined ? {} : { file }) };
  if (code === 2) return { kind: "object", ...common };
  if (code === 3) {
    body.skip(4 + 4); // size, rank
    return { kind: "region", ...common, selection: readSelection(body) };
  }
  if (code === 4) return { kind: "attribute", ...common, attribute: text(body, body.u16()) };
  throw cursor.unsupported("a kind of reference that is not read", code);
}

function text(cursor: Cursor, length: number): string {
  return cursor.part(length).text();
}

/** Most blocks or points written out. */
const MOST_PARTS = 1000;

/** Reads a dataspace selection as text. */
export function readSelection(cursor: Cursor): string {
  const type = cursor.u32();
  const version = cursor.u32();
  if (type === 0) return "[]";
  if (type === 3) return "[...]";
  if (type === 1) return points(cursor, version);
  if (type === 2) return slabs(cursor, version);
  throw cursor.unsupported("a kind of selection that is not read", type);
}

function points(cursor: Cursor, version: number): string {
  let width = 4;
  if (version === 2) width = cursor.u8();
  else cursor.skip(8);
  const rank = cursor.u32();
  const count = cursor.uint(version === 2 ? width : 4);
  const read = () => Array.from({ length: rank }, () => cursor.uint(width)).join(", ");
  return list(count, () => `(${read()})`);
}

function slabs(cursor: Cursor, version: number): string {
  let width = 4, regular = false;
  if (version >= 2) {
    regular = (cursor.u8() & 1) === 1;
    width = 8;
    if (version === 2) cursor.skip(4);
    else width = cursor.u8();
  } else cursor.skip(8);
  const rank = cursor.u32();
  if (rank > 32) throw cursor.corrupt("impossible number of dimensions", rank);
  const number = () => cursor.uint(width);
  if (regular) {
    const axes = Array.from({ length: rank }, () => {
      const start = number(), stride = number(), count = number(), block = number();
      if (count === 1) return range(start, start + block);
      const step = block === 1 ? `:${stride}` : ` in blocks of ${block} every ${stride}`;
      return `${start}:${start + (count - 1) * stride + block}${step}`;
    });
    return `[${axes.join(", ")}]`;
  }
  const count = cursor.uint(version === 1 ? 4 : width);
  const block = () => {
    const low = Array.from({ length: rank }, number);
    const high = Array.from({ length: rank }, number);
    return `[${low.map((from, i) => range(from, high[i] + 1)).join(", ")}]`;
  };
  return count === 1 ? block() : list(count, block);
}

function range(from: number, to: number): string {
  return to === from + 1 ? String(from) : `${from}:${to}`;
}

function list(count: number, read: () => string): string {
  const parts = Array.from({ length: Math.min(count, MOST_PARTS) }, read);
  if (count > MOST_PARTS) parts.push(`... ${count - MOST_PARTS} more`);
  return `[${parts.join(", ")}]`;
}
