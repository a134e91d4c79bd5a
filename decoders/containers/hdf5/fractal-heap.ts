/** Fractal heaps (File Format Specification, III.G): the links and attributes of large objects. */
import { checkSum } from "./checksum.ts";
import { bytesFor, readTree2 } from "./btree2.ts";
import type { Cursor } from "./cursor.ts";
import { type Filter, readFilters, undoFilters } from "./filters.ts";
import type { Storage } from "./storage.ts";

/** Decoded blocks kept of a filtered heap. */
const KEPT_BLOCKS = 16;
/** Deepest nesting of indirect blocks: each level at least doubles the space. */
const DEEPEST = 64;

interface Block {
  address: number;
  /** Stored bytes and skipped filters, for filtered heaps. */
  stored?: { length: number; mask: number };
  /** Place in the heap's space. */
  start: number;
  length: number;
}

/** One heap. */
export class FractalHeap {
  readonly #decoded = new Map<number, Promise<Uint8Array>>();
  readonly #huge = new Map<
    number,
    { address: number; length: number; memory: number; mask: number }
  >();
  #hugeRead: Promise<void> | undefined;

  private constructor(
    readonly storage: Storage,
    readonly address: number,
    readonly idBytes: number,
    readonly checked: boolean,
    readonly hugeTree: number | undefined,
    readonly width: number,
    readonly startBytes: number,
    readonly directBytes: number,
    readonly spaceBits: number,
    readonly mostManaged: number,
    readonly root: Block | undefined,
    readonly rootRows: number,
    readonly filters: Filter[],
  ) {}

  /** Reads a heap's header. */
  static async open(storage: Storage, address: number): Promise<FractalHeap> {
    const { offsetBytes: o, lengthBytes: l } = storage;
    const fixed = 22 + 12 * l + 3 * o;
    let head = await storage.cursorUpTo(address, fixed + l + 4 + 4, "fractal heap");
    head.signature("FRHP");
    head.version(0);
    const idBytes = head.u16();
    const filterBytes = head.u16();
    const flags = head.u8();
    const mostManaged = head.u32();
    head.length(); // next huge id
    const hugeTree = head.address();
    head.length(); // free space
    head.address(); // its manager
    for (let i = 0; i < 8; i++) head.length(); // statistics
    const width = head.u16();
    const startBytes = head.length();
    const directBytes = head.length();
    const spaceBits = head.u16();
    head.u16(); // rows at the start
    const root = head.address();
    const rootRows = head.u16();
    let stored: Block["stored"];
    let filters: Filter[] = [];
    if (filterBytes) {
      const at = head.at;
      head = await storage.cursor(address, at + l + 4 + filterBytes + 4, "fractal heap");
      head.at = at;
      stored = { length: head.length(), mask: head.u32() };
      filters = readFilters(head.part(filterBytes, "filter pipeline"));
    }
    checkSum(head);
    const power = (n: number) => Number.isSafeInteger(n) && n > 0 && Number.isInteger(Math.log2(n));
    if (
      width === 0 || !power(width) || !power(startBytes) || !power(directBytes) ||
      directBytes < startBytes || spaceBits === 0 || spaceBits > 64 || idBytes < 2
    ) {
      throw head.corrupt("impossible sizes");
    }
    const block: Block | undefined = root === undefined
      ? undefined
      : { address: root, start: 0, length: startBytes, ...(stored ? { stored } : {}) };
    return new FractalHeap(
      storage,
      address,
      idBytes,
      (flags & 2) !== 0,
      hugeTree,
      width,
      startBytes,
      directBytes,
      spaceBits,
      mostManaged,
      block,
      rootRows,
      filters,
    );
  }

  /** The object an id stands for, and where it is in the file (-1 where it was decoded). */
  async get(id: Cursor): Promise<{ bytes: Uint8Array; address: number }> {
    const head = id.u8();
    if (head >> 6) throw id.unsupported("a version of heap ids that is not read", head >> 6);
    switch ((head >> 4) & 3) {
      case 0: {
        const offset = id.uint(Math.ceil(this.spaceBits / 8));
        const lengthBytes = Math.min(
          Math.ceil(Math.log2(this.directBytes) / 8) || 1,
          bytesFor(this.mostManaged),
        );
        return await this.#managed(id, offset, id.uint(lengthBytes));
      }
      case 1:
        return await this.#hugeObject(id);
      case 2: {
        const long = this.idBytes - 1 > 16;
        const length = (long ? ((head & 15) << 8) | id.u8() : head & 15) + 1;
        const address = id.offset - this.storage.base;
        return { bytes: id.take(length), address };
      }
      default:
        throw id.corrupt("an impossible kind of heap object");
    }
  }

  async #managed(id: Cursor, offset: number, length: number) {
    const block = await this.#find(id, offset);
    if (!block || offset + length > block.start + block.length) {
      throw id.corrupt("a heap object outside its heap", `${length} bytes from ${offset}`);
    }
    const inside = offset - block.start;
    if (!block.stored) {
      const address = block.address + inside;
      return { bytes: await this.storage.read(address, length), address };
    }
    const bytes = await this.#decode(block);
    if (inside + length > bytes.length) throw id.corrupt("a heap object outside its block");
    return { bytes: bytes.subarray(inside, inside + length), address: -1 };
  }

  /** A direct block of a filtered heap. */
  #decode(block: Block): Promise<Uint8Array> {
    let decoded = this.#decoded.get(block.address);
    if (!decoded) {
      const { length, mask } = block.stored!;
      decoded = this.storage.read(block.address, length).then((bytes) =>
        undoFilters(this.filters, mask, bytes, block.length, this.storage.place(block.address))
      );
      if (this.#decoded.size >= KEPT_BLOCKS) {
        const [oldest] = this.#decoded.keys();
        this.#decoded.delete(oldest);
      }
      this.#decoded.set(block.address, decoded);
    }
    return decoded;
  }

  /** Bytes of a block in a row of a doubling table. */
  #rowBytes(row: number): number {
    return row === 0 ? this.startBytes : this.startBytes * 2 ** (row - 1);
  }

  /** The direct block that covers a byte of the heap's space. */
  async #find(id: Cursor, offset: number): Promise<Block | undefined> {
    if (!this.root) return undefined;
    if (this.rootRows === 0) return this.root;
    const directRows = Math.log2(this.directBytes / this.startBytes) + 2;
    let { address, start } = this.root;
    let rows = this.rootRows;
    for (let depth = 0; depth < DEEPEST; depth++) {
      // The row and the column of the table that cover the byte.
      let row = 0, from = start;
      while (row < rows && offset >= from + this.width * this.#rowBytes(row)) {
        from += this.width * this.#rowBytes(row++);
      }
      if (row >= rows) return undefined;
      const length = this.#rowBytes(row);
      const column = Math.floor((offset - from) / length);
      from += column * length;
      const entry = row * this.width + column;
      const child = await this.#entry(address, rows, Math.min(rows, directRows), entry);
      if (!child) return undefined;
      if (row < directRows) return { ...child, start: from, length };
      address = child.address;
      start = from;
      rows = Math.log2(length / (this.startBytes * this.width)) + 1;
    }
    throw id.corrupt("a heap without end");
  }

  /** Entry `index` of an indirect block of `rows` rows, the first `directRows` of which are direct blocks. */
  async #entry(address: number, rows: number, directRows: number, index: number) {
    const { storage, width, filters } = this;
    const { offsetBytes, lengthBytes } = storage;
    const head = 5 + offsetBytes + Math.ceil(this.spaceBits / 8);
    const filtered = filters.length > 0;
    const directBytes = offsetBytes + (filtered ? lengthBytes + 4 : 0);
    const direct = directRows * width;
    const total = head + direct * directBytes + (rows - directRows) * width * offsetBytes + 4;
    const cursor = await storage.cursor(address, total, "fractal heap indirect block");
    cursor.signature("FHIB");
    cursor.version(0);
    cursor.at = total - 4;
    checkSum(cursor);
    cursor.at = index < direct
      ? head + index * directBytes
      : head + direct * directBytes + (index - direct) * offsetBytes;
    const child = cursor.address();
    if (child === undefined) return undefined;
    return index < direct && filtered
      ? { address: child, stored: { length: cursor.length(), mask: cursor.u32() } }
      : { address: child };
  }

  async #hugeObject(id: Cursor): Promise<{ bytes: Uint8Array; address: number }> {
    const { storage, filters, idBytes } = this;
    const { offsetBytes, lengthBytes } = storage;
    const filtered = filters.length > 0;
    const own = offsetBytes + lengthBytes + (filtered ? 4 + lengthBytes : 0);
    let place;
    if (own <= idBytes - 1) {
      place = hugePlace(id, filtered);
    } else {
      this.#hugeRead ??= this.#readHuge(filtered);
      await this.#hugeRead;
      const key = id.uint(Math.min(lengthBytes, idBytes - 1));
      place = this.#huge.get(key);
      if (!place) throw id.corrupt("a huge heap object that is not there", key);
    }
    const { address, length, memory, mask } = place;
    const bytes = await storage.read(address, length);
    if (!filtered) return { bytes, address };
    const decoded = await undoFilters(filters, mask, bytes, memory, storage.place(address));
    return { bytes: decoded, address: -1 };
  }

  async #readHuge(filtered: boolean): Promise<void> {
    if (this.hugeTree === undefined) return;
    const most = this.storage.limits.items * 16;
    await readTree2(this.storage, this.hugeTree, most, (record) => {
      const place = hugePlace(record, filtered);
      this.#huge.set(record.length(), place);
    });
  }
}

function hugePlace(cursor: Cursor, filtered: boolean) {
  const address = cursor.someAddress("a huge heap object");
  const length = cursor.length();
  const mask = filtered ? cursor.u32() : 0;
  const memory = filtered ? cursor.length() : length;
  return { address, length, memory, mask };
}
