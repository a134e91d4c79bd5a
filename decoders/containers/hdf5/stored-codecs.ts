/** How the chunks of a dataset are decoded: one codec for every set of filters that chunks went through. */
import { FuseError } from "../../../src/errors.ts";
import type { ChunkCodec } from "../../../src/model/layout.ts";
import type { Hdf5ChunkParams } from "./chunk-codec.ts";
import type { ChunkTable } from "./chunk-table.ts";
import { isRaw, itemCoding, type Leaf } from "./elements.ts";
import { appliedFilters, type Filter } from "./filters.ts";

/**
 * The codecs of a table's chunks for one leaf, and which chunk has which when there are several.
 * @param partial fewer bytes than a whole chunk are its first elements
 */
export function storedCodecs(
  table: ChunkTable,
  filters: Filter[],
  leaf: Leaf,
  elementBytes: number,
  partial: boolean,
): { codecs: ChunkCodec[]; codec?: Uint16Array } {
  const coding = itemCoding(leaf, elementBytes);
  const codecOf = (mask: number): ChunkCodec => {
    const applied = appliedFilters(filters, mask).map(({ id, values }) => ({ id, values }));
    if (applied.length === 0 && isRaw(leaf, elementBytes)) {
      const params: Record<string, unknown> = { littleEndian: coding.order !== "big" };
      if (partial) params.partial = true;
      return { id: "raw", params };
    }
    const params: Hdf5ChunkParams = { filters: applied, coding, ...(partial ? { partial } : {}) };
    return { id: "hdf5", params: { ...params } };
  };
  if (!table.mask) return { codecs: [codecOf(0)] };
  const codecs: ChunkCodec[] = [];
  const numbers = new Map<number, number>();
  const codec = new Uint16Array(table.count);
  table.mask.forEach((mask, i) => {
    let number = numbers.get(mask);
    if (number === undefined) {
      numbers.set(mask, number = codecs.length);
      codecs.push(codecOf(mask));
    }
    codec[i] = number;
  });
  if (codecs.length > 1 << 16) {
    throw new FuseError("Corrupt", "every chunk went through other filters", {
      found: codecs.length,
    });
  }
  return { codecs, codec };
}
