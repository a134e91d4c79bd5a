/** Opens a store in memory with zarrita, a reader the project did not write. */
import * as zarr from "zarrita";
import type { MemoryTarget } from "../../src/sinks/targets/memory.ts";

/** Read access to the objects of a target. */
export function storeOf(target: MemoryTarget): zarr.AsyncReadable {
  return {
    get: (key: string) => Promise.resolve(target.objects.get(key.replace(/^\//, ""))),
    getRange: (
      key: string,
      range: { offset: number; length: number } | { suffixLength: number },
    ) => {
      const bytes = target.objects.get(key.replace(/^\//, ""));
      if (!bytes) return Promise.resolve(undefined);
      const from = "suffixLength" in range ? bytes.length - range.suffixLength : range.offset;
      const to = "suffixLength" in range ? bytes.length : range.offset + range.length;
      return Promise.resolve(bytes.slice(from, to));
    },
  } as zarr.AsyncReadable;
}

/** A whole array of a store: its shape and its values in C order. */
export async function readArray(
  target: MemoryTarget,
  path: string,
): Promise<
  {
    shape: number[];
    data: ArrayLike<number | bigint | string> & Iterable<number | bigint | string>;
    attrs: Record<string, unknown>;
  }
> {
  const root = zarr.root(storeOf(target));
  const array = await zarr.open(root.resolve(path), { kind: "array" });
  // zarrita cannot iterate over an empty selection.
  if (array.shape.includes(0)) {
    return { shape: [...array.shape], data: [], attrs: array.attrs as Record<string, unknown> };
  }
  const { data, shape } = await zarr.get(array);
  const values = data as unknown as Float64Array;
  return {
    shape,
    data: "get" in values ? [...values] : values,
    attrs: array.attrs as Record<string, unknown>,
  };
}
