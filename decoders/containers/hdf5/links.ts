/** The links of a group, however it keeps them (File Format Specification, IV.A.2.c, g, r). */
import { readTree2 } from "./btree2.ts";
import type { Cursor } from "./cursor.ts";
import { FractalHeap } from "./fractal-heap.ts";
import { MESSAGE, type ObjectHeader, openMessage } from "./object-header.ts";
import { pooled, type Storage } from "./storage.ts";
import { readSymbolTable } from "./symbol-table.ts";

/** One link of a group. */
export type Link =
  & {
    name: string;
    /** Number in the order of creation, where the group keeps it. */
    order?: number;
  }
  & (
    /** An object of this file. */
    | { kind: "hard"; address: number }
    /** A path in this file. */
    | { kind: "soft"; target: string }
    /** A path in another file. */
    | { kind: "external"; file: string; target: string }
    /** A kind only the program that made it knows. */
    | { kind: "user"; type: number }
  );

const TEXT = new TextDecoder();

/** True for the header of a group. */
export function isGroup({ messages }: ObjectHeader): boolean {
  return messages.some((m) =>
    m.type === MESSAGE.symbolTable || m.type === MESSAGE.linkInfo || m.type === MESSAGE.link
  );
}

/** Reads a link message. */
export function readLink(cursor: Cursor): Link {
  cursor.version(1);
  const flags = cursor.u8();
  const type = flags & 0x08 ? cursor.u8() : 0;
  const order = flags & 0x04 ? cursor.uint(8) : undefined;
  if (flags & 0x10) cursor.skip(1); // character set: UTF-8 reads both
  const name = TEXT.decode(cursor.take(cursor.uint(1 << (flags & 3))));
  const common = { name, ...(order === undefined ? {} : { order }) };
  if (type === 0) return { ...common, kind: "hard", address: cursor.someAddress("an object") };
  if (type === 1) {
    return { ...common, kind: "soft", target: TEXT.decode(cursor.take(cursor.u16())) };
  }
  if (type === 64) {
    const value = cursor.part(cursor.u16());
    value.skip(1);
    const file = value.text();
    return { ...common, kind: "external", file, target: value.text() };
  }
  return { ...common, kind: "user", type };
}

/**
 * All links of a group: in the order of creation where it is kept, else by name.
 * @throws FuseError `Limit` when there are more than `most`.
 */
export async function readLinks(
  storage: Storage,
  header: ObjectHeader,
  most: number,
): Promise<Link[]> {
  const links: Link[] = [];
  for (const message of header.messages) {
    if (message.type === MESSAGE.link) {
      links.push(readLink(openMessage(storage, message, "link")));
    } else if (message.type === MESSAGE.symbolTable) {
      const cursor = openMessage(storage, message, "symbol table");
      const tree = cursor.someAddress("its B-tree");
      const heap = cursor.someAddress("its heap");
      links.push(...await readSymbolTable(storage, tree, heap, most));
    } else if (message.type === MESSAGE.linkInfo) {
      const cursor = openMessage(storage, message, "link info");
      links.push(...await readDenseLinks(storage, cursor, most));
    }
  }
  const ordered = links.length > 0 && links.every((l) => l.order !== undefined);
  if (ordered) return links.sort((a, b) => a.order! - b.order!);
  return links.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function readDenseLinks(storage: Storage, cursor: Cursor, most: number): Promise<Link[]> {
  cursor.version(0);
  const flags = cursor.u8();
  if (flags & 1) cursor.skip(8);
  const heapAddress = cursor.address();
  const names = cursor.address();
  if (heapAddress === undefined || names === undefined) return [];
  const heap = await FractalHeap.open(storage, heapAddress);
  const ids: Cursor[] = [];
  await readTree2(storage, names, most, (record) => {
    record.skip(4);
    ids.push(record.part(heap.idBytes, "heap id"));
  });
  return await pooled(ids, async (id) => {
    const { bytes, address } = await heap.get(id);
    return readLink(openMessage(storage, { type: MESSAGE.link, flags: 0, bytes, address }, "link"));
  });
}
