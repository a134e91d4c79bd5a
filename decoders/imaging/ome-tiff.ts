/** OME-TIFF: the descriptor; the reader is that of TIFF, which follows the OME-XML where there is one. */
import { type FormatDescriptor, NOT_MINE, type ProbeInput } from "../format.ts";
import { isTiff } from "./tiff.ts";

/** Bytes of `text` in the head of a file. */
function contains(head: Uint8Array, text: string): boolean {
  const first = text.charCodeAt(0);
  for (let i = head.indexOf(first); i >= 0; i = head.indexOf(first, i + 1)) {
    let k = 1;
    while (k < text.length && head[i + k] === text.charCodeAt(k)) k++;
    if (k === text.length) return true;
  }
  return false;
}

function isOme({ head }: ProbeInput): boolean {
  return contains(head, "<OME ") || contains(head, "<OME:OME ");
}

/** Whether the file is XML itself, rather than text that quotes some. */
function isXml({ head }: ProbeInput): boolean {
  const start = new TextDecoder().decode(head.subarray(0, 64)).replace(/^\ufeff/, "").trimStart();
  return start.startsWith("<?xml") || start.startsWith("<OME");
}

/** TIFF files with OME-XML, single or in sets, and the companion files of such sets. */
export const omeTiff: FormatDescriptor = {
  id: "ome_tiff",
  name: "OME-TIFF",
  kind: "image",
  extensions: [
    ".ome.tif",
    ".ome.tiff",
    ".ome.tf2",
    ".ome.tf8",
    ".ome.btf",
    ".companion.ome",
  ],
  needs: "random",
  reads: "several images, all dimension orders, file sets with master or companion, pyramids",
  missing: "pixels inside the XML (BinData)",
  references: [
    "OME-TIFF specification and OME schema 2016-06",
    "checked against tifffile 2026.3 and the sample sets of Bio-Formats",
  ],
  probe(input) {
    const named = /\.ome\.(tiff?|tf[28]|btf)$/.test(input.name);
    if (isTiff(input)) {
      if (isOme(input)) return { score: 230, why: "TIFF header and OME-XML" };
      return named ? { score: 200, why: "TIFF header in a file named as OME-TIFF" } : NOT_MINE;
    }
    if (isXml(input) && isOme(input)) {
      return input.name.endsWith(".companion.ome")
        ? { score: 230, why: "OME-XML of a file set" }
        : { score: 120, why: "OME-XML" };
    }
    return NOT_MINE;
  },
  load: () => import("./tiff-reader.ts").then((m) => ({ open: m.openTiff })),
};
