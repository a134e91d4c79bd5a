/** Aperio SVS: the descriptor. */
import { type FormatDescriptor, NOT_MINE } from "../format.ts";
import { isTiff } from "./tiff.ts";
import { probeDialect } from "./tiff-probe.ts";

/** Whole slides as Aperio and Leica scanners write them. */
export const svs: FormatDescriptor = {
  id: "svs",
  name: "Aperio SVS whole slide",
  kind: "image",
  extensions: [".svs"],
  needs: "random",
  reads:
    "pyramid, focal planes, thumbnail, label and macro; JPEG and JPEG 2000 tiles; scan settings",
  missing: "fluorescence slides of several files (.afi) are read file by file",
  references: [
    "Aperio Digital Slides and Third-party Data Interchange (MAN-0069)",
    "OpenSlide: Aperio format",
    "checked against openslide 4.0 and tifffile 2026.3",
  ],
  probe(input) {
    return isTiff(input) ? probeDialect(input, ["Aperio "], ".svs", "Aperio") : NOT_MINE;
  },
  load: () => import("./tiff-dialects.ts").then((m) => ({ open: m.openDialect })),
};
