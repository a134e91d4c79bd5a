/** Opens ADInstruments LabChart documents. */
import { DEFAULT_LIMITS, FuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { isMacDocument } from "./adicht.ts";
import { fillDataset, SAMPLES } from "./adicht-dataset.ts";
import type { Extent } from "./extents.ts";
import { readMacDocument } from "./adicht-mac.ts";
import type { LabChartDocument } from "./adicht-model.ts";
import { readSamples } from "./adicht-samples.ts";
import { readWindowsDocument } from "./adicht-windows.ts";
import { streamOf } from "./biopac-streams.ts";

const FORMAT = "adicht";

/** The reader of the format "adicht". */
export const reader: Reader = { open: openFile };

async function openFile(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal, limits = DEFAULT_LIMITS } = options;
  const { size } = source;
  if (source.access !== "random" || size === undefined) {
    throw new FuseError("NeedsRandomAccess", "the directory of a LabChart document is at its end", {
      source: source.name,
      remedy: "Give the file itself, not a pipe",
    });
  }
  const dataset = emptyDataset(FORMAT, [source]);
  const context = { source, size, limits, signal, warnings: dataset.warnings };
  const head = await source.readUpTo(0, 64, { signal, purpose: "header" });
  let document: LabChartDocument, extents: Extent[];
  if (isMacDocument(head)) {
    document = await readMacDocument(context);
    extents = [{ start: 0, offset: 0, length: size }];
  } else ({ document, extents } = await readWindowsDocument(context));
  const fields = fillDataset(dataset, document);
  dataset.leftOut = document.leftOut;
  dataset.openStream = (id, streamOptions) => {
    if (id !== SAMPLES) {
      throw new FuseError("Usage", `no stream "${id}"`, { source: source.name, format: FORMAT });
    }
    return streamOf(readSamples({ source, extents }, fields, streamOptions.signal));
  };
  return dataset;
}
