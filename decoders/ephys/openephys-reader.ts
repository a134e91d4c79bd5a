/** Reads Open Ephys recordings of either format. */
import { FuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { readBinary } from "./openephys-binary.ts";
import { readLegacy } from "./openephys-legacy.ts";
import { openPasses, type Passes } from "./record-tables.ts";

/** Reader of structure.oebin, *.openephys and the files of the older format. */
export const reader: Reader = { open };

async function open(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  if (source.size === undefined) {
    throw new FuseError("NeedsRandomAccess", "Open Ephys files are read by byte ranges", {
      source: source.name,
      remedy: "Save the stream to a file first.",
    });
  }
  const dataset = emptyDataset("openephys", [source]);
  const passes: Passes = new Map();
  const head = await source.readUpTo(0, 64, { purpose: "header", signal: options.signal });
  const json = /^\s*\{/.test(new TextDecoder().decode(head));
  await (json ? readBinary : readLegacy)(dataset, passes, options);
  dataset.openStream = openPasses("openephys", passes);
  return dataset;
}
