/** ScanImage: the descriptor. */
import { type FormatDescriptor, NOT_MINE } from "../format.ts";
import { staticLengths } from "./scanimage-header.ts";
import { isTiff } from "./tiff.ts";
import { probeDialect } from "./tiff-probe.ts";

/** Texts only ScanImage writes: versions 2016 and later, 4 to 5, and 3. */
const TEXTS = ["SI.VERSION_MAJOR", "SI.hChannels.", "scanimage.SI", "state.configName"];

/** Two-photon recordings of ScanImage 3 and later. */
export const scanimage: FormatDescriptor = {
  id: "scanimage",
  name: "ScanImage TIFF",
  kind: "image",
  extensions: [".tif", ".tiff"],
  needs: "random",
  reads:
    "ScanImage 3 to 2023: channels, slices and volumes from interleaved pages, time stamps, settings, regions of interest",
  missing:
    "recordings of several files are read file by file; regions stacked in a page are not cut out",
  references: [
    "ScanImage BigTIFF specification (MBF Bioscience)",
    "checked against tifffile 2026.3; page order as in roiextractors and scanreader",
  ],
  probe(input) {
    if (!isTiff(input)) return NOT_MINE;
    if (staticLengths(input.head)) {
      return { score: 240, why: "BigTIFF with ScanImage's static metadata block" };
    }
    return probeDialect(input, TEXTS, undefined, "ScanImage");
  },
  load: () => import("./tiff-dialects.ts").then((m) => ({ open: m.openDialect })),
};
