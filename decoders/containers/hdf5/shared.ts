/**
 * Shared messages: bodies kept in a committed datatype's header, or in the file's table of shared messages
 * (File Format Specification, III.I and IV.A.2: "Shared Message").
 */

import { checkSum } from "./checksum.ts";
import type { Cursor } from "./cursor.ts";
import { FractalHeap } from "./fractal-heap.ts";
import { type Message, openMessage, readObjectHeader, SHARED } from "./object-header.ts";
import type { Storage } from "./storage.ts";

/** Datatypes that are committed to a datatype that is committed ... */
const DEEPEST = 8;
/** Indexes a file may have. */
const MOST_INDEXES = 8;

/** Finds the bodies of shared messages. */
export class SharedMessages {
  readonly #heaps = new Map<number, Promise<FractalHeap>>();
  /** Heap of each index of the table, with the message types it holds. */
  #indexes: { types: number; heap: number }[] = [];

  constructor(readonly storage: Storage) {}

  /** Reads the table the superblock extension points to. */
  async readTable(message: Message): Promise<void> {
    const { storage } = this;
    const cursor = openMessage(storage, message, "shared message table");
    cursor.version(0);
    const address = cursor.someAddress("the table");
    const count = cursor.u8();
    if (count > MOST_INDEXES) throw cursor.corrupt("impossible number of indexes", count);
    const each = 1 + 1 + 2 + 4 + 2 + 2 + 2 + 2 * storage.offsetBytes;
    const table = await storage.cursor(address, 4 + count * each + 4, "shared message table");
    table.signature("SMTB");
    table.at = table.bytes.length - 4;
    checkSum(table);
    table.at = 4;
    for (let i = 0; i < count; i++) {
      table.version(0);
      table.skip(1);
      const types = table.u16();
      table.skip(4 + 2 + 2 + 2);
      table.address();
      const heap = table.address();
      if (heap !== undefined) this.#indexes.push({ types, heap });
    }
  }

  /** The message itself, where `message` only tells where it is. */
  async resolve(message: Message): Promise<Message> {
    let current = message;
    for (let depth = 0; current.flags & SHARED; depth++) {
      const cursor = openMessage(this.storage, current, "shared message");
      if (depth > DEEPEST) throw cursor.corrupt("refers on and on");
      current = await this.#follow(cursor, message.type);
    }
    return current;
  }

  /**
   * A part of a message (the datatype of an attribute) that may be shared.
   * @param shared whether the body at the cursor only tells where the real one is
   */
  async part(cursor: Cursor, type: number, shared: boolean): Promise<Cursor> {
    if (!shared) return cursor;
    const message = await this.resolve({
      type,
      flags: SHARED,
      bytes: cursor.bytes.subarray(cursor.at),
      address: cursor.offset - this.storage.base,
    });
    return openMessage(this.storage, message, cursor.what);
  }

  async #follow(cursor: Cursor, type: number): Promise<Message> {
    const { storage } = this;
    const version = cursor.version(1, 2, 3);
    const kind = cursor.u8();
    if (version === 3 && kind === 1) return await this.fromTable(type, cursor.part(8, "heap id"));
    if (version === 1) cursor.skip(6);
    const address = cursor.someAddress("a shared message");
    const header = await readObjectHeader(storage, address);
    const found = header.messages.find((m) => m.type === type);
    if (!found) throw cursor.corrupt("refers to an object without such a message", type);
    return found;
  }

  /** A message of the file's table. */
  async fromTable(type: number, id: Cursor): Promise<Message> {
    const index = this.#indexes.find((i) => (i.types >> type) & 1);
    if (!index) throw id.corrupt("no table holds such messages", type);
    let heap = this.#heaps.get(index.heap);
    if (!heap) this.#heaps.set(index.heap, heap = FractalHeap.open(this.storage, index.heap));
    const { bytes, address } = await (await heap).get(id);
    return { type, flags: 0, bytes, address };
  }
}
