/**
 * The metadata side of an HDF5 file: small reads at addresses relative to the file's base, kept in pages,
 * so that the many little structures of a file cost few reads.
 */
import { DEFAULT_LIMITS, FuseError, type Limits } from "../../../src/errors.ts";
import { type ByteSource, truncated } from "../../../src/source/source.ts";
import { Cursor, type CursorPlace } from "./cursor.ts";

/** Unit of reading. */
const PAGE_BYTES = 16 << 10;
/** Pages kept. */
const PAGES = 512;
/** Reads from this size on go past the pages. */
const DIRECT_BYTES = 1 << 20;

/** How a file is read. */
export interface StorageOptions {
  /** Stops reading. */
  signal?: AbortSignal;
  /** Bounds on what the file may ask for. */
  limits?: Limits;
}

/** Ranged reads of one file's metadata. */
export class Storage {
  /** Byte of the file that address 0 stands for. */
  base = 0;
  /** "Size of Offsets". */
  offsetBytes = 8;
  /** "Size of Lengths". */
  lengthBytes = 8;
  readonly limits: Limits;
  readonly size: number;
  readonly #pages = new Map<number, Promise<Uint8Array>>();

  constructor(readonly source: ByteSource, readonly options: StorageOptions = {}) {
    if (source.size === undefined || source.access !== "random") {
      throw new FuseError("NeedsRandomAccess", "HDF5 files are read in any order", {
        source: source.name,
      });
    }
    this.size = source.size;
    this.limits = options.limits ?? DEFAULT_LIMITS;
  }

  /** Where bytes at `address` are, for a cursor. */
  place(address: number): CursorPlace {
    const { offsetBytes, lengthBytes, source, base } = this;
    return { source: source.name, offset: base + address, offsetBytes, lengthBytes };
  }

  /**
   * Bytes at an address.
   * @throws FuseError `Truncated` past the end of the file, `Limit` for more than a header may hold.
   */
  async read(address: number, length: number): Promise<Uint8Array> {
    const offset = this.base + address;
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw truncated(this.source, offset, length, this.size - offset);
    }
    if (length > this.limits.headerBytes) {
      throw new FuseError("Limit", "a piece of metadata is larger than allowed", {
        source: this.source.name,
        offset,
        found: `${length} bytes`,
        expected: `at most ${this.limits.headerBytes}`,
      });
    }
    if (length >= DIRECT_BYTES) return await this.#fetch(offset, length);
    const first = Math.floor(offset / PAGE_BYTES);
    const last = Math.floor((offset + Math.max(1, length) - 1) / PAGE_BYTES);
    if (first === last) {
      const page = await this.#page(first);
      const at = offset - first * PAGE_BYTES;
      return page.subarray(at, at + length);
    }
    const out = new Uint8Array(length);
    const pages: Promise<Uint8Array>[] = [];
    for (let p = first; p <= last; p++) pages.push(this.#page(p));
    let p = first;
    for (const page of await Promise.all(pages)) {
      const start = p++ * PAGE_BYTES;
      const from = Math.max(0, offset - start);
      const to = Math.min(page.length, offset + length - start);
      out.set(page.subarray(from, to), start + from - offset);
    }
    return out;
  }

  /** A cursor over bytes at an address. */
  async cursor(address: number, length: number, what: string): Promise<Cursor> {
    return new Cursor(await this.read(address, length), this.place(address), what);
  }

  /** Like {@link Storage.cursor}, but with fewer bytes at the end of the file. */
  cursorUpTo(address: number, length: number, what: string): Promise<Cursor> {
    return this.cursor(address, Math.min(length, this.size - this.base - address), what);
  }

  #fetch(offset: number, length: number): Promise<Uint8Array> {
    const { signal } = this.options;
    return this.source.read(offset, length, { purpose: "header", signal });
  }

  #page(index: number): Promise<Uint8Array> {
    let page = this.#pages.get(index);
    if (page) {
      this.#pages.delete(index);
    } else {
      const start = index * PAGE_BYTES;
      page = this.#fetch(start, Math.min(PAGE_BYTES, this.size - start));
      page.catch(() => this.#pages.delete(index));
      const [oldest] = this.#pages.keys();
      if (this.#pages.size >= PAGES) this.#pages.delete(oldest);
    }
    this.#pages.set(index, page);
    return page;
  }
}

/** Runs `work` over `items`, a few at a time; results in order. */
export async function pooled<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  width = 16,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const run = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index], index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, run));
  return results;
}
