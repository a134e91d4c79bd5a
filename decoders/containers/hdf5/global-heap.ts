/** Global heaps: the values of variable length (File Format Specification, III.E). */
import { FuseError } from "../../../src/errors.ts";
import { Cursor } from "./cursor.ts";
import type { Storage } from "./storage.ts";

/** Bytes of collections kept. */
const KEPT_BYTES = 16 << 20;

interface Collection {
  bytes: Uint8Array;
  /** Object number to place and length. */
  objects: Map<number, { at: number; length: number }>;
}

/** Reads objects of a file's global heap, keeping the collections they are in. */
export class GlobalHeap {
  readonly #collections = new Map<number, Promise<Collection>>();
  readonly #lengths = new Map<number, number>();
  #bytes = 0;

  constructor(readonly storage: Storage) {}

  /** The bytes of an object. @throws FuseError `Corrupt` when it is not there. */
  async object(address: number, index: number): Promise<Cursor> {
    const { bytes, objects } = await this.#collection(address);
    const place = this.storage.place(address);
    const found = objects.get(index);
    if (!found) {
      throw new FuseError("Corrupt", "a value of variable length is not in its heap", {
        source: place.source,
        offset: place.offset,
        found: index,
      });
    }
    const { at, length } = found;
    const inside = { ...place, offset: place.offset + at };
    return new Cursor(bytes.subarray(at, at + length), inside, "global heap object");
  }

  #collection(address: number): Promise<Collection> {
    let collection = this.#collections.get(address);
    if (collection) {
      this.#collections.delete(address);
      this.#collections.set(address, collection);
      return collection;
    }
    collection = this.#read(address);
    this.#collections.set(address, collection);
    collection.then(({ bytes }) => {
      this.#lengths.set(address, bytes.length);
      this.#bytes += bytes.length;
      for (const old of this.#collections.keys()) {
        if (this.#bytes <= KEPT_BYTES || old === address) break;
        this.#collections.delete(old);
        this.#bytes -= this.#lengths.get(old) ?? 0;
        this.#lengths.delete(old);
      }
    }, () => this.#collections.delete(address));
    return collection;
  }

  async #read(address: number): Promise<Collection> {
    const { storage } = this;
    const { lengthBytes } = storage;
    const head = await storage.cursor(address, 8 + lengthBytes, "global heap");
    head.signature("GCOL");
    head.version(1);
    head.skip(3);
    const length = head.length();
    const cursor = await storage.cursor(address, length, "global heap");
    // Both the heap's own header and those of its objects are filled up to eight bytes.
    const headBytes = Math.ceil((8 + lengthBytes) / 8) * 8;
    cursor.at = headBytes;
    const objects: Collection["objects"] = new Map();
    while (cursor.left >= headBytes) {
      const index = cursor.u16();
      if (index === 0) break; // free space up to the end
      cursor.skip(6);
      const size = cursor.length();
      cursor.skip(headBytes - 8 - lengthBytes);
      if (size > cursor.left) throw cursor.corrupt("an object reaches past its end", size);
      objects.set(index, { at: cursor.at, length: size });
      cursor.skip(Math.min(cursor.left, Math.ceil(size / 8) * 8));
    }
    return { bytes: cursor.bytes, objects };
  }
}
