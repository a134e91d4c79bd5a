/** How the samples of a flat file lie, whoever says so: a descriptor, a sidecar or a params.py. */
import { FuseError } from "../../src/errors.ts";
import type { Json } from "../../src/model/dataset.ts";
import type { DType } from "../../src/model/dtype.ts";
import { checkDescriptor } from "../mapping/descriptor.ts";
import type { FlatMapping } from "../mapping/descriptor-types.ts";
import type { ByteSource } from "../../src/source/source.ts";

/** The shape of a flat file, complete. */
export interface FlatShape {
  type: Exclude<DType, "string" | "bool">;
  littleEndian: boolean;
  channelCount: number;
  /** Hz; null when nobody says. */
  rate: number | null;
  planar: boolean;
  headerBytes: number;
  names: string[];
  units: string[];
  gains: number[];
  offsets: number[];
}

/** End of a sidecar's name: `rec.dat.json` belongs to `rec.dat`. */
export const SIDECAR = ".json";
/** Bytes of a sidecar that are read. */
const MOST_BYTES = 4 << 20;

const LONG_TYPE = /^(?:u?int(?:8|16|32|64)|float(?:32|64))$/;

/** NumPy's names of types: "int16", "<i2", ">f4"; without a byte order it is not stated. */
export function sampleType(
  name: string,
): { type: FlatShape["type"]; littleEndian?: boolean } | undefined {
  const plain = name.trim().replace(/^(?:np|numpy)\./, "");
  if (LONG_TYPE.test(plain)) return { type: plain as FlatShape["type"] };
  const long = /^([<>=|]?)(u?int(?:8|16|32|64)|float(?:32|64))$/.exec(plain);
  const short = /^([<>=|]?)([iuf])([1248])$/.exec(plain);
  const order = long?.[1] ?? short?.[1] ?? "";
  const type = long?.[2] ??
    (short && `${{ i: "int", u: "uint", f: "float" }[short[2]]}${8 * Number(short[3])}`);
  if (!type || !LONG_TYPE.test(type)) return undefined;
  return {
    type: type as FlatShape["type"],
    ...(order === ">" ? { littleEndian: false } : order === "<" ? { littleEndian: true } : {}),
  };
}

/**
 * The shape a descriptor states.
 * @throws FuseError `Usage` for a type that does not exist and for lists of another length than the channels.
 */
export function shapeOf(flat: FlatMapping, from: string): FlatShape {
  const wrong = (field: string, found: unknown, expected: string) =>
    new FuseError("Usage", "the shape of a flat file is wrong", {
      source: from,
      field,
      found,
      expected,
    });
  const stated = sampleType(flat.dtype);
  if (!stated) {
    throw wrong("dtype", flat.dtype, "int8 to int64, uint8 to uint64, float32, float64, <i2, >f4");
  }
  const { channels } = flat;
  const each = <T>(field: string, value: T | T[] | undefined, fallback: T): T[] => {
    if (!Array.isArray(value)) return new Array<T>(channels).fill(value ?? fallback);
    if (value.length !== channels) throw wrong(field, `${value.length} values`, `${channels}`);
    return value;
  };
  const order = flat.byte_order;
  if (order && stated.littleEndian !== undefined && stated.littleEndian !== (order === "little")) {
    throw wrong("byte_order", `${order} and ${flat.dtype}`, "one order of bytes");
  }
  return {
    type: stated.type,
    littleEndian: stated.littleEndian ?? order !== "big",
    channelCount: channels,
    rate: flat.rate ?? null,
    planar: flat.order === "channel-major",
    headerBytes: flat.header_bytes ?? 0,
    names: flat.names
      ? each("names", flat.names, "")
      : Array.from({ length: channels }, (_, i) => `ch${i}`),
    units: each("units", flat.units, ""),
    gains: each("gain", flat.gain, 1),
    offsets: each("offset", flat.offset, 0),
  };
}

/** Other names of the keys, as programs write them. */
const SYNONYMS: Record<string, string> = {
  n_channels: "channels",
  channel_count: "channels",
  n_channels_dat: "channels",
  rate_hz: "rate",
  sample_rate: "rate",
  sampling_rate: "rate",
  sampling_rate_hz: "rate",
  sampling_frequency: "rate",
  fs: "rate",
  unit: "units",
  channel_names: "names",
  header_offset: "header_bytes",
};
const KEYS = new Set([
  "dtype",
  "channels",
  "rate",
  "order",
  "byte_order",
  "header_bytes",
  "gain",
  "offset",
  "units",
  "names",
  "start_time",
  "metadata",
]);

/**
 * The descriptor in a sidecar, or undefined when the JSON is about something else: a descriptor of kind
 * flat, its keys alone, or the description this program writes beside raw outputs.
 * @throws FuseError `Usage` for one that says something impossible.
 */
export function sidecarMapping(value: unknown, from: string): FlatMapping | undefined {
  if (!value || typeof value !== "object" || Array.isArray(value)) return undefined;
  const given = value as Record<string, Json>;
  if (typeof given.kind === "string") {
    return given.kind === "flat" ? checkDescriptor(given, from) as FlatMapping : undefined;
  }
  if (typeof given.sample_type === "string" && Array.isArray(given.columns)) {
    return checkDescriptor(ownDescription(given), from) as FlatMapping;
  }
  const flat: Record<string, Json> = {};
  for (const [name, item] of Object.entries(given)) {
    const plain = name.toLowerCase().replace(/[-\s]/g, "_");
    const key = SYNONYMS[plain] ?? plain;
    if (KEYS.has(key) && item !== null) flat[key] ??= item;
  }
  if (flat.dtype === undefined || flat.channels === undefined) return undefined;
  return checkDescriptor({ name: from, kind: "flat", ...flat }, from) as FlatMapping;
}

/** What `--to raw` writes beside its samples. */
function ownDescription(given: Record<string, Json>): Json {
  const columns = (given.columns as Record<string, Json>[]).filter((c) => c && c.name !== "time");
  const attributes = (given.attributes ?? {}) as Record<string, Json>;
  const rate = attributes.sampling_frequency;
  return {
    name: "raw output",
    kind: "flat",
    dtype: given.sample_type,
    channels: columns.length,
    names: columns.map((c) => String(c.name)),
    units: columns.map((c) => String(c.units ?? "")),
    ...(typeof rate === "number" && rate > 0 ? { rate } : {}),
  };
}

/** Reads the sidecar of a file; undefined when there is none or it is about something else. */
export async function readSidecar(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<{ from: string; flat: FlatMapping } | undefined> {
  const file = await source.sibling(source.name + SIDECAR);
  if (!file) return undefined;
  const from = file.name;
  try {
    if ((file.size ?? 0) > MOST_BYTES) return undefined;
    const bytes = await file.readUpTo(0, MOST_BYTES, { signal, purpose: "header" });
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      return undefined;
    }
    const flat = sidecarMapping(value, from);
    return flat && { from, flat };
  } finally {
    await file.close();
  }
}
