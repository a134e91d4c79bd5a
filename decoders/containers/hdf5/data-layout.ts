/** Where a dataset's raw data are, and what stands for data never written (IV.A.2.e, f, i). */
import type { Cursor } from "./cursor.ts";

/** Index of a chunked dataset. */
export type ChunkIndexKind =
  | "btree1"
  | "single"
  | "implicit"
  | "fixed-array"
  | "extensible-array"
  | "btree2";

/** A data layout message. */
export type DataLayout =
  /** In the message itself. */
  | { kind: "compact"; address: number; bytes: Uint8Array }
  /** In one piece; without an address nothing was written. */
  | { kind: "contiguous"; address?: number; length: number }
  | {
    kind: "chunked";
    /** Version of the message: 5 writes sizes of chunks with as many bytes as addresses. */
    version: number;
    /** Elements along each dimension. */
    chunkShape: number[];
    /** As the message states it. */
    elementBytes: number;
    index: ChunkIndexKind;
    /** Of the index, or of the only chunk; without it nothing was written. */
    address?: number;
    /** Of the only chunk, when it is filtered. */
    single?: { length: number; mask: number };
    /** Chunks that reach past the edge are not filtered. */
    plainEdges: boolean;
    /** Page size of a fixed array, as a power of two. */
    pageBits?: number;
  }
  | { kind: "virtual" };

/** Reads a data layout message. */
export function readDataLayout(cursor: Cursor, base: number): DataLayout {
  const version = cursor.version(1, 2, 3, 4, 5);
  if (version < 3) return readOld(cursor, base);
  const kind = cursor.u8();
  if (kind === 0) {
    const length = cursor.u16();
    const address = cursor.offset - base;
    return { kind: "compact", address, bytes: cursor.take(length) };
  }
  if (kind === 1) {
    const address = cursor.address();
    return {
      kind: "contiguous",
      length: cursor.length(),
      ...(address === undefined ? {} : { address }),
    };
  }
  if (kind === 3 && version > 3) return { kind: "virtual" };
  if (kind !== 2) throw cursor.unsupported("a kind of layout that is not read", kind);
  if (version > 3) return readChunked(cursor, version);
  const rank = cursor.u8();
  const address = cursor.address();
  const shape = Array.from({ length: rank }, () => cursor.u32());
  return chunked(cursor, version, shape, "btree1", address);
}

function chunked(
  cursor: Cursor,
  version: number,
  shape: number[],
  index: ChunkIndexKind,
  address: number | undefined,
) {
  const chunkShape = shape.slice(0, -1);
  const elementBytes = shape.at(-1) ?? 0;
  if (shape.length < 2 || shape.some((n) => !(n > 0 && Number.isSafeInteger(n)))) {
    throw cursor.corrupt("an impossible chunk", shape.join(" x "));
  }
  const common = { kind: "chunked" as const, version, chunkShape, elementBytes, index };
  return { ...common, plainEdges: false, ...(address === undefined ? {} : { address }) };
}

function readChunked(cursor: Cursor, version: number): DataLayout {
  const flags = cursor.u8();
  const rank = cursor.u8();
  const width = cursor.u8();
  if (width < 1 || width > 8) throw cursor.corrupt("impossible width of dimensions", width);
  const shape = Array.from({ length: rank }, () => cursor.uint(width));
  const kinds: (ChunkIndexKind | undefined)[] = [
    undefined,
    "single",
    "implicit",
    "fixed-array",
    "extensible-array",
    "btree2",
  ];
  const code = cursor.u8();
  const index = kinds[code];
  if (!index) throw cursor.unsupported("a chunk index that is not read", code);
  let single: { length: number; mask: number } | undefined;
  let pageBits: number | undefined;
  if (index === "single" && flags & 2) single = { length: cursor.length(), mask: cursor.u32() };
  if (index === "fixed-array") pageBits = cursor.u8();
  if (index === "extensible-array") cursor.skip(5); // its header has them too
  if (index === "btree2") cursor.skip(6);
  const layout = chunked(cursor, version, shape, index, cursor.address());
  return {
    ...layout,
    plainEdges: (flags & 1) !== 0,
    ...(single ? { single } : {}),
    ...(pageBits === undefined ? {} : { pageBits }),
  };
}

/** Versions 1 and 2: dimensions before everything else. */
function readOld(cursor: Cursor, base: number): DataLayout {
  const rank = cursor.u8();
  const kind = cursor.u8();
  cursor.skip(5);
  const address = kind === 0 ? undefined : cursor.address();
  const shape = Array.from({ length: rank }, () => cursor.u32());
  if (kind === 0) {
    const length = cursor.u32();
    const at = cursor.offset - base;
    return { kind: "compact", address: at, bytes: cursor.take(length) };
  }
  if (kind === 1) {
    // The dimensions are those of the dataset; its size follows from them.
    return { kind: "contiguous", length: NaN, ...(address === undefined ? {} : { address }) };
  }
  if (kind !== 2) throw cursor.unsupported("a kind of layout that is not read", kind);
  return chunked(cursor, 3, shape, "btree1", address);
}

/** Reads a fill value message; undefined when it defines none (zeros stand for it then). */
export function readFillValue(cursor: Cursor, old: boolean): Uint8Array | undefined {
  if (old) {
    const length = cursor.u32();
    return length ? cursor.take(length) : undefined;
  }
  const version = cursor.version(1, 2, 3);
  if (version === 3) {
    const flags = cursor.u8();
    if (!(flags & 0x20)) return undefined;
  } else {
    cursor.skip(2);
    const defined = cursor.u8();
    if (version === 2 && !defined) return undefined;
    if (cursor.left < 4) return undefined;
  }
  const length = cursor.u32();
  return length > 0 && length <= cursor.left ? cursor.take(length) : undefined;
}
