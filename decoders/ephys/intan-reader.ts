/** Opens an Intan recording of any layout. */
import { DEFAULT_LIMITS, type FuseError, isFuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { readIntanHeader } from "./intan-header.ts";
import type { IntanHeader } from "./intan-model.ts";
import { metadataOf } from "./intan-signals.ts";
import { openSplit } from "./intan-split.ts";
import { mapBlock, openTraditional, stepsInside } from "./intan-traditional.ts";

/** The reader of `.rhd` and `.rhs` files; the header says which of the two it is. */
export const intanReader: Reader = { open: openIntan };

async function openIntan(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const header = await settledHeader(source, options);
  const dataset = await openLayout(source, header, options);
  if (header.major > 3) {
    dataset.warnings.push(
      `version ${header.major}.${header.minor} is newer than the documents this reader follows`,
    );
  }
  return dataset;
}

function openLayout(
  source: ByteSource,
  header: IntanHeader,
  options: OpenOptions,
): Promise<Dataset> {
  if (header.headerBytes < source.size!) return openTraditional(source, header, options.signal);
  if (!options.alone) return openSplit(source, header, options.signal);
  const dataset = emptyDataset(header.rhs ? "intan_rhs" : "intan_rhd", [source]);
  dataset.metadata = metadataOf(header, "one file per signal type");
  dataset.leftOut.push({ what: "samples", why: "they lie in other files of the folder" });
  return Promise.resolve(dataset);
}

/**
 * The header of a file. Where a disabled group counts channels, Intan's own programs disagree whether
 * their records follow: the way of reading after which the data begin where they should is taken.
 */
async function settledHeader(source: ByteSource, options: OpenOptions): Promise<IntanHeader> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const read = async (listDisabled: boolean): Promise<IntanHeader | FuseError> => {
    try {
      return await readIntanHeader(source, limits, options.signal, listDisabled);
    } catch (error) {
      if (isFuseError(error, "Corrupt", "Truncated", "Limit", "Unsupported")) return error;
      throw error;
    }
  };
  const skipped = await read(false);
  const failed = isFuseError(skipped);
  if (!failed && (!skipped.ambiguousGroups || await fits(source, skipped, options))) return skipped;
  const listed = await read(true);
  if (!isFuseError(listed) && listed.ambiguousGroups && await fits(source, listed, options)) {
    return listed;
  }
  if (failed) throw skipped;
  return skipped;
}

/** True when the file ends with its header, or goes on with a block whose counters count up. */
async function fits(
  source: ByteSource,
  header: IntanHeader,
  options: OpenOptions,
): Promise<boolean> {
  if (header.headerBytes === source.size) return true;
  const map = mapBlock(header);
  if (header.headerBytes + map.blockBytes > source.size!) return false;
  return await stepsInside(source, header, map, 0, options.signal) === 0;
}
