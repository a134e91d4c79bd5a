/** The filter pipeline message (File Format Specification, IV.A.2.l), and undoing filters. */
import { FuseError } from "../../../src/errors.ts";
import { decodeChunkBytes } from "./chunk-codec.ts";
import type { Cursor, CursorPlace } from "./cursor.ts";

/** One filter with the values it was set up with. */
export interface Filter {
  /** Registered number: 1 deflate, 2 shuffle, 3 fletcher32 ... */
  id: number;
  /** Name kept in the file, where it is. */
  name: string;
  /** Parameters. */
  values: number[];
}

/** Filters that can be undone, with the names people know them by. */
export const FILTER_NAMES: Record<number, string> = {
  1: "deflate",
  2: "shuffle",
  3: "fletcher32",
  4: "szip",
  5: "nbit",
  6: "scaleoffset",
  307: "bzip2",
  32000: "lzf",
  32001: "blosc",
  32004: "lz4",
  32008: "bitshuffle",
  32015: "zstd",
  32022: "bitgroom",
  32023: "granular bitround",
};

/** Names of registered filters that are not undone, for messages. */
const OTHER_NAMES: Record<number, string> = {
  305: "lzo",
  401: "MaxWell",
  32002: "MAFISC",
  32003: "snappy",
  32010: "BLOSC-LZ4",
  32013: "zfp",
  32014: "fpzip",
  32017: "SZ",
  32018: "FCIDECOMP",
  32019: "JPEG",
  32020: "VBZ",
  32024: "SZ3",
  32026: "blosc2",
};

/** The most filters the library allows. */
const MOST_FILTERS = 32;

/** Reads a filter pipeline message. */
export function readFilters(cursor: Cursor): Filter[] {
  const version = cursor.version(1, 2);
  const count = cursor.u8();
  if (count > MOST_FILTERS) throw cursor.corrupt("impossible number of filters", count);
  if (version === 1) cursor.skip(6);
  const filters: Filter[] = [];
  for (let i = 0; i < count; i++) {
    const id = cursor.u16();
    const named = version === 1 || id >= 256;
    const nameBytes = named ? cursor.u16() : 0;
    cursor.skip(2); // optional or not: filters that were skipped are in a chunk's mask
    const valueCount = cursor.u16();
    const padded = version === 1 ? Math.ceil(nameBytes / 8) * 8 : nameBytes;
    const name = nameBytes ? cursor.part(padded).text() : "";
    const values = Array.from({ length: valueCount }, () => cursor.u32());
    if (version === 1 && valueCount % 2) cursor.skip(4);
    filters.push({ id, name, values });
  }
  return filters;
}

/** What a filter is called. */
export function filterName({ id, name }: Filter): string {
  const known = FILTER_NAMES[id] ?? OTHER_NAMES[id] ?? name.split(";")[0];
  return known ? `${known} (${id})` : String(id);
}

/** The filters that cannot be undone. */
export function unknownFilters(filters: Filter[]): Filter[] {
  return filters.filter((f) => !Object.hasOwn(FILTER_NAMES, f.id));
}

/** The filters a chunk went through: those whose bit is not set in its mask. */
export function appliedFilters(filters: Filter[], mask: number): Filter[] {
  return filters.filter((_, i) => ((mask >>> i) & 1) === 0);
}

/** Undoes the filters of a piece of metadata or data of `length` bytes. */
export async function undoFilters(
  filters: Filter[],
  mask: number,
  bytes: Uint8Array,
  length: number,
  place: CursorPlace,
): Promise<Uint8Array> {
  const applied = appliedFilters(filters, mask);
  const [unknown] = unknownFilters(applied);
  if (unknown) {
    throw new FuseError("Unsupported", `HDF5 filter ${filterName(unknown)} is not read`, {
      source: place.source,
      offset: place.offset,
    });
  }
  return await decodeChunkBytes(applied, bytes, length, {
    source: place.source,
    offset: place.offset,
  });
}
