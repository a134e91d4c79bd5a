/** Version 2 B-trees (File Format Specification, III.A.2): their records, in order. */
import { FuseError } from "../../../src/errors.ts";
import { checkSum } from "./checksum.ts";
import type { Cursor } from "./cursor.ts";
import { pooled, type Storage } from "./storage.ts";

/** Signature, version, type and checksum of a node. */
const NODE_BYTES = 10;
/** Deepest tree: far deeper than any file needs. */
const DEEPEST = 32;

/** What a tree's header says. */
export interface Tree2 {
  /** Type of the records. */
  type: number;
  recordBytes: number;
  /** Records in the whole tree. */
  total: number;
}

interface Child {
  address: number;
  records: number;
}

/** Bytes needed to write numbers up to `limit`. */
export function bytesFor(limit: number): number {
  let bytes = 1;
  while (limit >= 256 ** bytes && bytes < 8) bytes++;
  return bytes;
}

/**
 * Calls `take` with every record of the tree at `address`, a node at a time; records inside a node are
 * in order, nodes come in any.
 * @throws FuseError `Limit` when there are more than `most` records.
 */
export async function readTree2(
  storage: Storage,
  address: number,
  most: number,
  take: (record: Cursor, tree: Tree2) => void,
): Promise<Tree2> {
  const { offsetBytes, lengthBytes } = storage;
  const head = await storage.cursor(address, 22 + offsetBytes + lengthBytes, "B-tree");
  head.signature("BTHD");
  head.version(0);
  const type = head.u8();
  const nodeBytes = head.u32();
  const recordBytes = head.u16();
  const depth = head.u16();
  head.skip(2);
  const root = head.address();
  const rootRecords = head.u16();
  const total = head.length();
  checkSum(head);
  const tree: Tree2 = { type, recordBytes, total };
  if (recordBytes === 0 || nodeBytes <= NODE_BYTES || depth > DEEPEST) {
    throw head.corrupt(
      "impossible sizes",
      `nodes of ${nodeBytes}, records of ${recordBytes} bytes`,
    );
  }
  if (total > most) {
    throw new FuseError("Limit", "an index has more entries than allowed", {
      source: storage.source.name,
      offset: storage.base + address,
      found: total,
      expected: `at most ${most}`,
    });
  }
  if (root === undefined) return tree;

  // How many records and pointers fit a node of each level follows from the node's size.
  const leafRecords = Math.floor((nodeBytes - NODE_BYTES) / recordBytes);
  const countBytes = bytesFor(leafRecords);
  const inSubtree = [leafRecords];
  const totalBytes = [0];
  for (let level = 1; level <= depth; level++) {
    const pointer = offsetBytes + countBytes + totalBytes[level - 1];
    const fits = Math.floor((nodeBytes - NODE_BYTES - pointer) / (recordBytes + pointer));
    if (fits < 1) throw head.corrupt("nodes too small for their records");
    inSubtree.push((fits + 1) * inSubtree[level - 1] + fits);
    totalBytes.push(bytesFor(inSubtree[level]));
  }

  let level: Child[] = [{ address: root, records: rootRecords }];
  let seen = 0;
  for (let height = depth; height >= 0; height--) {
    const next: Child[][] = [];
    await pooled(level, async (node, index) => {
      const cursor = await storage.cursor(node.address, nodeBytes, "B-tree node");
      cursor.signature(height ? "BTIN" : "BTLF");
      cursor.version(0);
      if (cursor.u8() !== type) throw cursor.corrupt("a node of another tree");
      const start = cursor.at;
      const pointer = offsetBytes + countBytes + (height > 1 ? totalBytes[height - 1] : 0);
      const used = node.records * recordBytes + (height ? (node.records + 1) * pointer : 0);
      if (start + used + 4 > nodeBytes) {
        throw cursor.corrupt("more records than fit", node.records);
      }
      cursor.at = start + used;
      checkSum(cursor);
      cursor.at = start;
      seen += node.records;
      if (seen > total) throw cursor.corrupt("more records than the tree has", seen, total);
      for (let i = 0; i < node.records; i++) take(cursor.part(recordBytes, "B-tree record"), tree);
      if (height === 0) return;
      const children: Child[] = [];
      for (let i = 0; i <= node.records; i++) {
        const child = cursor.someAddress("a node");
        const records = cursor.uint(countBytes);
        if (height > 1) cursor.skip(totalBytes[height - 1]);
        children.push({ address: child, records });
      }
      next[index] = children;
    });
    level = next.flat();
  }
  return tree;
}
