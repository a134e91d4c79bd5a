/** Zeiss LSM: the descriptor. */
import { type FormatDescriptor, NOT_MINE } from "../format.ts";
import { isTiff } from "./tiff.ts";
import { CZ_LSMINFO, headHasField, probeDialect } from "./tiff-probe.ts";

/** Confocal recordings of Zeiss LSM 510, 5, 700 and 710 series. */
export const lsm: FormatDescriptor = {
  id: "lsm",
  name: "Zeiss LSM",
  kind: "image",
  extensions: [".lsm"],
  needs: "random",
  reads:
    "all scan types, spectral channels, positions and tiles, thumbnails, time stamps, events, scan information",
  missing: "drawn overlays and lookup tables are kept as bytes",
  references: [
    "Carl Zeiss: LSM 5/7 image file format description",
    "checked against tifffile 2026.3",
  ],
  probe(input) {
    if (!isTiff(input)) return NOT_MINE;
    if (headHasField(input, CZ_LSMINFO)) return { score: 230, why: "TIFF with CZ_LSMINFO" };
    return probeDialect(input, [], ".lsm", "Zeiss");
  },
  load: () => import("./tiff-dialects.ts").then((m) => ({ open: m.openDialect })),
};
