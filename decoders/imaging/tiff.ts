/** TIFF and BigTIFF: the descriptor; the reader is loaded when a file is opened. */
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeInput } from "../format.ts";

/** True for the header of a classic or Big TIFF whose first directory lies behind it. */
export function isTiff({ head, size }: ProbeInput): boolean {
  if (head.length < 8) return false;
  const le = hasText(head, 0, "II");
  if (!le && !hasText(head, 0, "MM")) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const version = view.getUint16(2, le);
  if (version === 43) return head.length >= 16 && view.getUint16(4, le) === 8;
  const first = view.getUint32(4, le);
  return version === 42 && first >= 8 && (size === undefined || first < size);
}

/** Baseline and extended TIFF, with the dialects of ImageJ and tifffile. */
export const tiff: FormatDescriptor = {
  id: "tiff",
  name: "TIFF, BigTIFF, ImageJ TIFF",
  kind: "image",
  extensions: [".tif", ".tiff", ".btf", ".tf8", ".tf2", ".stk"],
  needs: "random",
  reads:
    "all sample types, strips and tiles, page stacks, pyramids, ImageJ hyperstacks, MetaMorph stacks",
  missing: "JPEG XR, JBIG, SGI LogLuv and makers' raw compressions",
  references: [
    "TIFF Revision 6.0 (1992) and Technical Notes 1-3",
    "BigTIFF design",
    "checked against tifffile 2026.3, GDAL 3.10 and Pillow 13",
  ],
  probe(input) {
    return isTiff(input) ? { score: 180, why: "TIFF header with a first directory" } : NOT_MINE;
  },
  load: () => import("./tiff-reader.ts").then((m) => ({ open: m.openTiff })),
};
