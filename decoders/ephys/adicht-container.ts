/**
 * ADInstruments' compound file: fixed-size clusters, a map that chains them, and a tree of storages
 * with named streams.
 */
import { ensure, type ErrorDetails, FuseError, type Limits } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { COMPOUND_TITLE, isCompound } from "./adicht.ts";
import type { Extent } from "./extents.ts";

const HEADER_BYTES = 512;
const ENTRY_BYTES = 160;
const ROOT_ENTRY = 0xb8;
/** Bytes of a map entry: next and previous cluster. */
const MAP_ENTRY_BYTES = 8;
/** The first cluster that exists; 0 and 1 are virtual. */
const FIRST_CLUSTER = 2;
/** Storages inside storages. */
const MOST_DEPTH = 16;

/** A stream of the container. */
export interface CompoundStream {
  /** "Settings/MenuSettings" */
  path: string;
  size: number;
  /** Its places in the file, in order. */
  extents(): Extent[];
}

/** An opened container. */
export interface Compound {
  version: number;
  clusterBytes: number;
  streams: CompoundStream[];
  warnings: string[];
}

/** What reading a container needs. */
export interface CompoundContext {
  source: ByteSource;
  size: number;
  limits: Limits;
  signal?: AbortSignal;
}

/** Reads header, cluster map and directory. @throws FuseError `Corrupt`, `Truncated` or `Limit` */
export async function openCompound(context: CompoundContext): Promise<Compound> {
  const reader = new CompoundReader(context);
  return await reader.open();
}

interface Entry {
  name: string;
  first: number;
  size: number;
  last: number;
  storage: boolean;
}

class CompoundReader {
  readonly #streams: CompoundStream[] = [];
  readonly #warnings: string[] = [];
  #clusterBytes = 0;
  #map: Uint8Array = new Uint8Array(0);
  #entries = 0;

  constructor(readonly context: CompoundContext) {}

  async open(): Promise<Compound> {
    const { source, size, signal } = this.context;
    const head = await source.readUpTo(0, HEADER_BYTES, { signal, purpose: "header" });
    if (head.length < HEADER_BYTES) {
      throw this.#fail("Truncated", "the file ends inside its header", {
        offset: head.length,
        found: `${head.length} bytes`,
        expected: `${HEADER_BYTES} bytes`,
      });
    }
    const view = viewOf(head);
    const place = { source: source.name };
    ensure(isCompound(head), "not an ADInstruments compound file", {
      ...place,
      offset: 0,
      expected: `"${COMPOUND_TITLE}"`,
    });
    const headerBytes = view.getInt32(0x84, true);
    ensure(headerBytes === HEADER_BYTES, "impossible size of the header", {
      ...place,
      offset: 0x84,
      found: headerBytes,
      expected: HEADER_BYTES,
    });
    const shift = view.getInt32(0x98, true);
    ensure(shift >= 8 && shift <= 20, "impossible size of clusters", {
      ...place,
      offset: 0x98,
      found: `2^${shift} bytes`,
      expected: "2^10 or 2^12 bytes",
    });
    this.#clusterBytes = 2 ** shift;
    const mapAt = this.#offsetOf(number64(view, 0xac), "cluster map", 0xac);
    await this.#readMap(mapAt, size);
    const root = entryAt(head, ROOT_ENTRY);
    await this.#walk(root, "", 0);
    return {
      version: view.getInt32(0x80, true),
      clusterBytes: this.#clusterBytes,
      streams: this.#streams,
      warnings: this.#warnings,
    };
  }

  /** The map runs from its first cluster to the end of the file; clusters beyond it do not exist. */
  async #readMap(mapAt: number, size: number): Promise<void> {
    const { source, signal } = this.context;
    const clusters = Math.ceil((mapAt - HEADER_BYTES) / this.#clusterBytes) + FIRST_CLUSTER;
    const length = Math.min(clusters * MAP_ENTRY_BYTES, size - mapAt);
    this.#limit(length, "the cluster map", mapAt);
    this.#map = await source.read(mapAt, length, { signal, purpose: "header" });
  }

  async #walk(storage: Entry, path: string, depth: number): Promise<void> {
    if (depth > MOST_DEPTH) {
      throw this.#fail("Corrupt", "storages inside each other without end", {});
    }
    // An empty storage has no table.
    if (storage.first === 0) return;
    const table = await this.#readTable(storage, path);
    const view = viewOf(table);
    const count = view.getInt32(0, true);
    if (count < 0 || view.getInt32(4, true) !== -count || 8 + ENTRY_BYTES * count > table.length) {
      throw this.#fail("Corrupt", `the directory of ${path || "the root"} is no directory`, {
        offset: this.#offsetOf(storage.first, path, 0),
        found: `${count} and ${view.getInt32(4, true)} entries in ${table.length} bytes`,
        expected: "a count and its negative",
      });
    }
    this.#entries += count;
    if (this.#entries > this.context.limits.items) {
      throw this.#fail("Limit", "more entries in its directory than allowed", {
        found: this.#entries,
        expected: `at most ${this.context.limits.items}`,
      });
    }
    for (let i = 0; i < count; i++) {
      const entry = entryAt(table, 8 + ENTRY_BYTES * i);
      const own = path ? `${path}/${entry.name}` : entry.name;
      if (entry.storage) await this.#walk(entry, own, depth + 1);
      else {
        this.#streams.push({
          path: own,
          size: entry.size,
          extents: () => this.#extents(entry, own),
        });
      }
    }
  }

  async #readTable(storage: Entry, path: string): Promise<Uint8Array> {
    const { source, signal } = this.context;
    const name = path || "the root directory";
    const length = Math.max(8, storage.size);
    this.#limit(length, name, 0);
    const pieces = this.#extents({ ...storage, size: length }, name);
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const { offset, length } of pieces) {
      bytes.set(await source.read(offset, length, { signal, purpose: "header" }), at);
      at += length;
    }
    return bytes;
  }

  /** Follows the chain of an entry's clusters. */
  #extents(entry: Entry, name: string): Extent[] {
    const { size } = this.context;
    const extents: Extent[] = [];
    if (entry.size < 0 || entry.size > size) {
      throw this.#fail("Corrupt", `${name} is larger than the file`, {
        found: `${entry.size} bytes`,
        expected: `at most ${size}`,
      });
    }
    const view = viewOf(this.#map);
    let cluster = entry.first, left = entry.size, logical = 0;
    while (left > 0) {
      const offset = this.#offsetOf(cluster, name, 0);
      const length = Math.min(left, this.#clusterBytes);
      if (offset + length > size) {
        throw this.#fail("Truncated", `${name} lies past the end of the file`, {
          offset,
          found: `${size} bytes`,
          expected: `at least ${offset + length} bytes`,
        });
      }
      const last = extents.at(-1);
      if (last && last.offset + last.length === offset) last.length += length;
      else extents.push({ start: logical, offset, length });
      logical += length;
      left -= length;
      if (left === 0) break;
      const at = cluster * MAP_ENTRY_BYTES;
      const next = at + 4 <= this.#map.length ? view.getInt32(at, true) : 0;
      if (next >= FIRST_CLUSTER) cluster = next;
      else return this.#contiguous(entry, name, logical);
    }
    return extents;
  }

  /** Where a chain breaks off, a stream whose first and last cluster lie as far apart as it is long. */
  #contiguous(entry: Entry, name: string, reached: number): Extent[] {
    const clusters = Math.ceil(entry.size / this.#clusterBytes);
    const offset = this.#offsetOf(entry.first, name, 0);
    if (
      entry.last - entry.first !== clusters - 1 || offset + entry.size > this.context.size
    ) {
      throw this.#fail("Corrupt", `the chain of clusters of ${name} breaks off`, {
        offset,
        found: `${reached} bytes`,
        expected: `${entry.size} bytes`,
      });
    }
    this.#warnings.push(
      `the chain of clusters of ${name} breaks off; its clusters are taken side by side`,
    );
    return [{ start: 0, offset, length: entry.size }];
  }

  #offsetOf(cluster: number, what: string, field: number): number {
    const offset = HEADER_BYTES + (cluster - FIRST_CLUSTER) * this.#clusterBytes;
    if (cluster >= FIRST_CLUSTER && offset < this.context.size) return offset;
    throw this.#fail("Corrupt", `${what} begins outside the file`, {
      ...(field ? { offset: field } : {}),
      found: `cluster ${cluster}`,
      expected: `${FIRST_CLUSTER} to ${Math.floor(this.context.size / this.#clusterBytes) + 1}`,
    });
  }

  #limit(length: number, what: string, offset: number): void {
    const { headerBytes } = this.context.limits;
    if (length <= headerBytes) return;
    throw this.#fail("Limit", `${what} is larger than allowed`, {
      offset,
      found: `${length} bytes`,
      expected: `at most ${headerBytes}`,
    });
  }

  #fail(tag: "Corrupt" | "Truncated" | "Limit", text: string, details: ErrorDetails): FuseError {
    return new FuseError(tag, text, { source: this.context.source.name, ...details });
  }
}

/** A signed 64-bit number; one beyond 2^53 is rounded, and no place in any file. */
export function number64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getInt32(at + 4, true) * 2 ** 32;
}

const utf16 = new TextDecoder("utf-16le");

function entryAt(bytes: Uint8Array, at: number): Entry {
  const view = viewOf(bytes.subarray(at, at + ENTRY_BYTES));
  const [name] = utf16.decode(bytes.subarray(at, at + 72)).split("\0");
  return {
    name,
    first: number64(view, 0x48),
    size: number64(view, 0x50),
    last: number64(view, 0x58),
    storage: view.getInt32(0x8c, true) === 1,
  };
}
