/** Reading stores: keys over files, zips, URLs and buckets, counted, for slices and checks. */
import { FuseError, isFuseError } from "../errors.ts";
import { openSource, type SourceOptions } from "../source/open.ts";
import type { ByteSource, SourceStats } from "../source/source.ts";
import { ZipArchive } from "../source/zip.ts";

/** A range of an object, as zarrita asks for it. */
export type KeyRange = { offset: number; length: number } | { suffixLength: number };

/** Read access to the objects of a store. */
export class StoreReader {
  readonly #sources = new Map<string, Promise<ByteSource | null>>();
  readonly #remote = new Set<SourceStats>();
  readonly #own = { bytes: 0, reads: 0 };

  constructor(
    readonly uri: string,
    readonly openKey: (key: string) => Promise<ByteSource | null>,
    readonly closeAll: () => Promise<void>,
  ) {}

  /** Bytes that were read, and reads (of remote stores: requests) that were needed. */
  get stats(): { bytes: number; reads: number } {
    const sum = { ...this.#own };
    for (const { bytes, requests } of this.#remote) {
      sum.bytes += bytes;
      sum.reads += requests;
    }
    return sum;
  }

  #source(key: string): Promise<ByteSource | null> {
    const clean = key.replace(/^\/+/, "");
    let source = this.#sources.get(clean);
    if (!source) {
      source = this.openKey(clean);
      this.#sources.set(clean, source);
    }
    return source;
  }

  /** A whole object; undefined when there is none. */
  async get(key: string): Promise<Uint8Array | undefined> {
    const source = await this.#source(key);
    if (!source) return undefined;
    return await this.#read(source, 0, source.size ?? 0);
  }

  /** A range of an object; undefined when there is none. */
  async getRange(key: string, range: KeyRange): Promise<Uint8Array | undefined> {
    const source = await this.#source(key);
    if (!source) return undefined;
    const size = source.size ?? 0;
    if ("suffixLength" in range) {
      const length = Math.min(size, range.suffixLength);
      return await this.#read(source, size - length, length);
    }
    return await this.#read(source, range.offset, range.length);
  }

  async #read(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
    if (source.stats) this.#remote.add(source.stats);
    else {
      this.#own.bytes += length;
      this.#own.reads++;
    }
    return (await source.read(offset, length, { purpose: "bulk" })).slice();
  }

  /** Length of an object; undefined when there is none. */
  async size(key: string): Promise<number | undefined> {
    return (await this.#source(key))?.size;
  }

  /** Closes what was opened. */
  async close(): Promise<void> {
    for (const source of this.#sources.values()) await (await source.catch(() => null))?.close();
    this.#sources.clear();
    await this.closeAll();
  }
}

/** True for names of stores: `.zarr` folders and prefixes, `.zarr.zip` and `.ozx` files. */
export function isStoreName(input: string): boolean {
  return /\.(zarr|zarr\.zip|ozx)\/?$/i.test(input);
}

/**
 * Opens a store: a folder, a zip, an `http(s)://` or `s3://` prefix.
 * @throws FuseError `Usage` when there is no store.
 */
export async function openStore(input: string, options: SourceOptions = {}): Promise<StoreReader> {
  const base = input.replace(/\/+$/, "");
  const store = /\.(zip|ozx)$/i.test(base) ? await zipStore(base, options) : new StoreReader(
    base,
    async (key) => {
      try {
        return await openSource(`${base}/${key}`, { ...options, cache: false });
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    () => Promise.resolve(),
  );
  let found = false;
  try {
    for (const key of ["zarr.json", ".zgroup", ".zarray"]) {
      found ||= await store.size(key) !== undefined;
    }
  } catch (error) {
    await store.close();
    throw error;
  }
  if (!found) {
    await store.close();
    throw new FuseError(
      "Usage",
      "is not a zarr store (no zarr.json, .zgroup or .zarray in its root)",
      {
        source: input,
      },
    );
  }
  return store;
}

/** What sources say of objects that are not there. */
function isMissing(error: unknown): boolean {
  if (isFuseError(error, "Usage")) return true;
  return isFuseError(error, "Network") && !/NoSuchBucket/.test(String(error.details.found)) &&
    /\b(404|not found|NoSuchKey|no such)\b/i.test(error.message);
}

async function zipStore(path: string, options: SourceOptions): Promise<StoreReader> {
  const archive = await ZipArchive.open(await openSource(path, options));
  return new StoreReader(path, async (key) => {
    try {
      return await archive.open(key);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }, () => archive.source.close());
}
