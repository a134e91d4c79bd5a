/** `.sev` files: one channel of a stream behind a header of 40 bytes. */
import { FuseError } from "../../src/errors.ts";
import type { DType } from "../../src/model/dtype.ts";
import { sizeOf } from "../../src/model/dtype.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { SAMPLE_TYPES } from "./tdt-records.ts";
import { parseSevName, type SevName } from "./tdt-set.ts";

/** Bytes of the header. */
export const SEV_HEADER_BYTES = 40;
/** Sampling rate of files whose header is empty. */
const USUAL_RATE = 24_414.0625;

/** A `.sev` file and what its header says. */
export interface SevFile {
  /** The file. */
  source: ByteSource;
  /** What its name says. */
  name: SevName;
  /** Element type. */
  type: DType;
  /** Hz. */
  rate: number;
  /** Samples in the file. */
  count: number;
  /** True where the header is empty and type and rate are the usual ones. */
  assumed: boolean;
}

/** Reads the header of a `.sev` file, of a block where its name is known. @throws FuseError for one that cannot be. */
export async function readSev(
  source: ByteSource,
  signal?: AbortSignal,
  block?: string,
): Promise<SevFile> {
  const head = await source.read(0, SEV_HEADER_BYTES, { signal, purpose: "header" });
  const view = viewOf(head);
  const wrong = (offset: number, field: string, found: unknown, expected: string) =>
    new FuseError("Corrupt", "the header of the .sev file is wrong", {
      source: source.name,
      format: "tdt",
      offset,
      field,
      found,
      expected,
    });
  const version = head[11], size = source.size ?? 0;
  const byName = parseSevName(source.name, block);
  const letters = (from: number, to: number) =>
    String.fromCharCode(...head.subarray(from, to)).replaceAll("\0", "").trim();
  const name: SevName = byName ?? {
    file: source.name,
    prefix: "",
    // Before version 3 the store's name in the header is not to be relied on, but better than none.
    store: letters(12, 16) || source.name.replace(/\.sev$/i, ""),
    channel: view.getUint16(16, true) || 1,
    hour: 0,
  };
  if (version === 0) {
    const count = Math.floor((size - SEV_HEADER_BYTES) / 4);
    return { source, name, type: "float32", rate: USUAL_RATE, count, assumed: true };
  }
  if (letters(8, 11) !== "SEV") throw wrong(8, "type", letters(8, 11), "SEV");
  const type = SAMPLE_TYPES[head[24] & 7];
  if (!type) throw wrong(24, "format", head[24] & 7, `0 to ${SAMPLE_TYPES.length - 1}`);
  const width = view.getUint16(20, true);
  if (width !== 0 && width !== sizeOf(type)) {
    throw wrong(20, "bytes per sample", width, `${sizeOf(type)} for ${type}`);
  }
  const decimate = head[25], code = view.getUint16(26, true);
  const rate = 2 ** (code - 12) * 25e6 / decimate;
  if (!(rate > 0) || rate > 1e9) {
    throw wrong(25, "rate", `rate ${code}, decimation ${decimate}`, "a sampling rate");
  }
  const stated = Number(view.getBigUint64(0, true));
  if (stated > size) {
    throw new FuseError("Truncated", "the file ends too early", {
      source: source.name,
      format: "tdt",
      offset: size,
      found: `${size} bytes`,
      expected: `${stated} bytes`,
    });
  }
  const count = Math.floor((size - SEV_HEADER_BYTES) / sizeOf(type));
  return { source, name, type, rate, count, assumed: false };
}
