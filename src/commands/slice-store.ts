/** A slice of a stored array: the chunks it touches, and no more. */
import * as zarr from "zarrita";
import { FuseError } from "../errors.ts";
import type { NumericArray } from "../model/dtype.ts";
import { readNodes, type StoredArray, type StoreNodes } from "../store/nodes.ts";
import { openStore } from "../store/open-store.ts";
import { conversionOptions } from "./convert.ts";
import type { FlagValues } from "./flags.ts";
import { sourceOptions } from "./inputs.ts";
import type { SliceStats } from "./slice.ts";
import { writeSlice } from "./slice-output.ts";

/** Largest slice of a store, bytes: it is held in memory. */
const SLICE_BYTES = 512 << 20;

/** Writes a slice of the store `input` to standard output. @throws FuseError `Usage`, `Limit`. */
export async function sliceStore(input: string, flags: FlagValues): Promise<SliceStats> {
  const store = await openStore(input, sourceOptions(flags));
  try {
    const nodes = await readNodes(store);
    const array = chooseArray(nodes, flags.array as string | undefined);
    const opened = await zarr.open(
      zarr.root(store as unknown as zarr.AsyncReadable).resolve(array.path),
      { kind: "array" },
    );
    const ranges = selection(array, nodes, flags);
    const count = ranges.reduce<number>((n, r) => n * (typeof r === "number" ? 1 : r[1] - r[0]), 1);
    if (count * 8 > SLICE_BYTES) {
      throw new FuseError("Limit", "this is more than a slice", {
        found: `${count} values`,
        expected: `at most ${SLICE_BYTES / 8}`,
        remedy: "Ask for less time or fewer channels",
      });
    }
    const { data, shape } = await zarr.get(
      opened,
      ranges.map((r) => typeof r === "number" ? r : zarr.slice(r[0], r[1])),
    );
    await writeSlice(physical(data as NumericArray, array), shape, array, flags);
    return store.stats;
  } finally {
    await store.close();
  }
}

function chooseArray(nodes: StoreNodes, wanted: string | undefined): StoredArray {
  const arrays = nodes.arrays.filter((a) => a.dtype !== "string");
  const found = wanted === undefined
    ? arrays.find((a) => a.path === "signals") ?? (arrays.length === 1 ? arrays[0] : undefined)
    : arrays.find((a) => a.path === wanted.replace(/^\/|\/$/g, ""));
  if (found) return found;
  throw new FuseError(
    "Usage",
    wanted === undefined ? "name the array with --array" : "no such array",
    {
      found: wanted,
      expected: arrays.map((a) => a.path).slice(0, 30).join(", "),
    },
  );
}

/** Index range of each axis; channels and times by their names where the store has them. */
function selection(
  array: StoredArray,
  nodes: StoreNodes,
  flags: FlagValues,
): ([number, number] | number)[] {
  const group = nodes.groups.get(
    array.path.includes("/") ? array.path.slice(0, array.path.lastIndexOf("/")) : "",
  ) ?? {};
  const { selection: wanted } = conversionOptions({ ...flags, to: undefined });
  return array.shape.map((length, axis): [number, number] | number => {
    if (
      array.dims[axis] === "time" &&
      (wanted?.fromSeconds !== undefined || wanted?.untilSeconds !== undefined)
    ) {
      return timeRange(group, length, wanted.fromSeconds, wanted.untilSeconds);
    }
    if (array.dims[axis] === "channel" && wanted?.channels) {
      const names = (group.channel_names ?? []) as string[];
      const picked = wanted.channels.map((c) => {
        const named = names.indexOf(String(c));
        return named >= 0 ? named : Number(c);
      });
      const low = Math.min(...picked), high = Math.max(...picked);
      if (!picked.every((n) => Number.isInteger(n) && n >= 0 && n < length)) {
        throw new FuseError("Usage", "no such channel", {
          found: wanted.channels.join(","),
          expected: names.slice(0, 30).join(", "),
        });
      }
      if (high - low + 1 !== new Set(picked).size) {
        throw new FuseError("Usage", "channels of a slice from a store must be neighbours", {
          found: wanted.channels.join(","),
        });
      }
      return [low, high + 1];
    }
    return [0, length];
  });
}

function timeRange(
  group: Record<string, unknown>,
  length: number,
  from = -Infinity,
  until = Infinity,
): [number, number] {
  const rate = Number(group.sampling_frequency);
  const segments = (group.segments ?? []) as {
    start_index: number;
    length: number;
    start_time: number;
  }[];
  if (!(rate > 0) || segments.length === 0) {
    throw new FuseError("Usage", "the array has no regular time axis to pick a time from");
  }
  let low = Infinity, high = 0;
  for (const s of segments) {
    const first = Math.max(0, Math.ceil((from - s.start_time) * rate - 1e-9));
    const end = Math.min(s.length, Math.ceil((until - s.start_time) * rate - 1e-9));
    if (end <= first) continue;
    low = Math.min(low, s.start_index + first);
    high = Math.max(high, s.start_index + end);
  }
  if (low >= Math.min(high, length)) throw new FuseError("Usage", "no samples lie in this time");
  return [low, high];
}

/** Values in physical units, by the array's CF packing. */
function physical(data: NumericArray, array: StoredArray): NumericArray {
  const scale = array.attributes.scale_factor as number | undefined;
  const offset = array.attributes.add_offset as number | undefined;
  if (scale === undefined && offset === undefined) return data;
  return Float64Array.from(data as Float64Array, (v) => Number(v) * (scale ?? 1) + (offset ?? 0));
}
