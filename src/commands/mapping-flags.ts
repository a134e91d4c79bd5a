/** `--mapping` and the flags that say how a flat file lies, as one mapping descriptor. */
import {
  checkDescriptor,
  readDescriptor,
  useDescriptor,
} from "../../decoders/mapping/descriptor.ts";
import type { MappingUse } from "../../decoders/mapping/descriptor-types.ts";
import { FuseError } from "../errors.ts";
import { openSource } from "../source/open.ts";
import type { FlagKey, FlagValues } from "./flags.ts";
import { globMatcher } from "./glob.ts";
import { sourceOptions } from "./inputs.ts";

/** Flags that describe a flat file, apart from `--dtype`, which says that it is one. */
const SHAPE: FlagKey[] = [
  "channelCount",
  "rate",
  "order",
  "byteOrder",
  "headerBytes",
  "gain",
  "units",
];
/** Bytes of a descriptor file that are read. */
const MOST_BYTES = 4 << 20;

/**
 * Flags with the mapping they ask for. With `--dtype`, `--channels N` counts the channels of the file;
 * otherwise it picks some.
 * @throws FuseError `Usage` for flags that contradict each other and descriptors that are none.
 */
export async function withMapping(flags: FlagValues): Promise<FlagValues> {
  const shape = SHAPE.filter((key) => flags[key] !== undefined);
  if (flags.mapping !== undefined) {
    if (flags.dtype !== undefined || shape.length) {
      throw new FuseError("Usage", "--mapping says all: no flag beside it describes the file", {
        found: flags.dtype !== undefined ? "--dtype" : flagName(shape[0]),
      });
    }
    return { ...flags, mappingUse: await mappingNamed(String(flags.mapping), flags) };
  }
  if (flags.dtype === undefined) {
    if (shape.length === 0) return flags;
    throw new FuseError("Usage", `${flagName(shape[0])} describes a flat file`, {
      expected: "--dtype and --channels with it",
    });
  }
  return await flatFlags(flags);
}

const flagName = (key: string) => `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

async function flatFlags(flags: FlagValues): Promise<FlagValues> {
  const counted = flags.channelCount === undefined;
  const count = counted ? flags.channels : flags.channelCount;
  const channels = wholeNumber(count, counted ? "--channels" : "--channel-count", 1);
  const rate = flags.rate === undefined ? undefined : Number(flags.rate);
  if (rate !== undefined && !(rate > 0 && Number.isFinite(rate))) {
    throw new FuseError("Usage", "--rate takes samples per second", { found: flags.rate });
  }
  const descriptor = checkDescriptor({
    name: "flags",
    kind: "flat",
    dtype: String(flags.dtype),
    channels,
    ...(rate === undefined ? {} : { rate }),
    ...(flags.order === undefined ? {} : { order: orderOf(String(flags.order)) }),
    ...(flags.byteOrder === undefined ? {} : { byte_order: flags.byteOrder }),
    ...(flags.headerBytes === undefined
      ? {}
      : { header_bytes: wholeNumber(flags.headerBytes, "--header-bytes", 0) }),
    ...(flags.gain === undefined ? {} : { gain: numbers(String(flags.gain)) }),
    ...(flags.units === undefined ? {} : { units: one(String(flags.units).split(",")) }),
  }, "the flags");
  return {
    ...flags,
    ...(counted ? { channels: undefined } : {}),
    mappingUse: await useDescriptor(descriptor, "flags"),
  };
}

function orderOf(order: string): string {
  return order === "planar" ? "channel-major" : order === "interleaved" ? "sample-major" : order;
}

function wholeNumber(value: unknown, flag: string, least: number): number {
  const number = typeof value === "string" && /^\d+$/.test(value.trim()) ? Number(value) : NaN;
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new FuseError("Usage", `with --dtype, ${flag} takes a whole number from ${least}`, {
    found: value ?? "nothing",
    ...(flag === "--channels"
      ? { remedy: "--channel-count says how many there are where --channels picks some" }
      : {}),
  });
}

function numbers(text: string): number | number[] {
  const all = text.split(",").map((t) => (t.trim() === "" ? NaN : Number(t)));
  if (all.every(Number.isFinite)) return one(all);
  throw new FuseError("Usage", "--gain takes a number, or one for each channel", { found: text });
}

const one = <T>(values: T[]): T | T[] => (values.length === 1 ? values[0] : values);

/** A descriptor by the name of a shipped one, or from a file or address. */
async function mappingNamed(name: string, flags: FlagValues): Promise<MappingUse> {
  const { shippedDescriptor } = await import("../../decoders/mapping/shipped.ts");
  const shipped = shippedDescriptor(name);
  if (shipped) return await useDescriptor(shipped, "shipped");
  const source = await openSource(name, sourceOptions(flags)).catch((cause) => {
    throw new FuseError("Usage", "no such mapping: neither a shipped descriptor nor a file", {
      found: name,
      cause,
      remedy: "docs/mapping.md lists the shipped ones",
    });
  });
  try {
    const bytes = await source.readUpTo(0, MOST_BYTES, { purpose: "header" });
    return await readDescriptor(new TextDecoder().decode(bytes), `file ${source.name}`);
  } finally {
    await source.close();
  }
}

/** The mapping for one file of a collection: only where its patterns say so, and only its own format. */
export function mappingForFile(
  mapping: MappingUse | undefined,
  path: string,
): MappingUse | undefined {
  if (!mapping) return undefined;
  const matches = globMatcher(mapping.descriptor.files);
  return !matches || matches(path) ? { ...mapping, lenient: "format" } : undefined;
}
