/**
 * Links of old groups: a version 1 B-tree of symbol table nodes, names in a local heap (File Format
 * Specification, III.A.1, III.B, III.C, III.D).
 */
import { FuseError } from "../../../src/errors.ts";
import type { Link } from "./links.ts";
import { pooled, type Storage } from "./storage.ts";

/** Deepest B-tree. */
const DEEPEST = 64;
const TEXT = new TextDecoder();

/** The names a local heap holds. */
export class LocalHeap {
  private constructor(readonly storage: Storage, readonly bytes: Uint8Array) {}

  /** Reads the heap at an address. */
  static async open(storage: Storage, address: number): Promise<LocalHeap> {
    const { offsetBytes, lengthBytes } = storage;
    const head = await storage.cursor(address, 8 + 2 * lengthBytes + offsetBytes, "local heap");
    head.signature("HEAP");
    head.version(0);
    head.skip(3);
    const length = head.length();
    head.length();
    const data = head.someAddress("its data");
    return new LocalHeap(storage, await storage.read(data, length));
  }

  /** The name at a byte of the heap; undefined outside. */
  text(at: number): string | undefined {
    if (!(at < this.bytes.length)) return undefined;
    const end = this.bytes.indexOf(0, at);
    return TEXT.decode(this.bytes.subarray(at, end < 0 ? undefined : end));
  }
}

/** All links of an old group, by name. */
export async function readSymbolTable(
  storage: Storage,
  tree: number,
  heapAddress: number,
  most: number,
): Promise<Link[]> {
  const heap = await LocalHeap.open(storage, heapAddress);
  const { offsetBytes, lengthBytes } = storage;
  let nodes = [tree];
  let height: number | undefined;
  for (let depth = 0; nodes.length; depth++) {
    const children = await pooled(nodes, async (address) => {
      const head = await storage.cursor(address, 8 + 2 * offsetBytes, "B-tree node");
      head.signature("TREE");
      if (head.u8() !== 0) throw head.corrupt("not a node of a group");
      const level = head.u8();
      const used = head.u16();
      if (depth > DEEPEST || (height !== undefined && level !== height - 1)) {
        throw head.corrupt("impossible level", level);
      }
      const length = (used + 1) * lengthBytes + used * offsetBytes;
      const body = await storage.cursor(address + head.bytes.length, length, "B-tree node");
      const found: number[] = [];
      for (let i = 0; i < used; i++) {
        body.skip(lengthBytes);
        found.push(body.someAddress("a node"));
      }
      return { level, found };
    });
    const levels = new Set(children.map((c) => c.level));
    if (levels.size > 1) throw storageError(storage, tree);
    [height] = levels;
    nodes = children.flatMap((c) => c.found);
    if (nodes.length > most) throw storageError(storage, tree);
    if (height === 0) break;
  }
  const leaves = await pooled(nodes, (address) => readNode(storage, address, heap));
  return leaves.flat();
}

function storageError(storage: Storage, address: number) {
  const cursor = storage.place(address);
  return new FuseError("Corrupt", "B-tree: levels do not fit together", {
    source: storage.source.name,
    offset: cursor.offset,
  });
}

async function readNode(storage: Storage, address: number, heap: LocalHeap): Promise<Link[]> {
  const { offsetBytes } = storage;
  const head = await storage.cursor(address, 8, "symbol table node");
  head.signature("SNOD");
  head.version(1);
  head.skip(1);
  const count = head.u16();
  const each = 2 * offsetBytes + 24;
  const body = await storage.cursor(address + 8, count * each, "symbol table node");
  const links: Link[] = [];
  for (let i = 0; i < count; i++) {
    const name = heap.text(body.uint(offsetBytes));
    const object = body.address();
    const kind = body.u32();
    body.skip(4);
    const scratch = body.part(16);
    if (name === undefined) throw body.corrupt("a name outside its heap");
    if (kind === 2) {
      const target = heap.text(scratch.u32());
      if (target === undefined) throw body.corrupt("a link outside its heap");
      links.push({ name, kind: "soft", target });
    } else if (object !== undefined) {
      links.push({ name, kind: "hard", address: object });
    }
  }
  return links;
}
