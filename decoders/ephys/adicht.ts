/** ADInstruments LabChart documents: .adicht of Windows, and the older form of the Macintosh. */
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeInput } from "../format.ts";

/** LabChart documents. */
export const adicht: FormatDescriptor = {
  id: "adicht",
  name: "ADInstruments LabChart document",
  kind: "time-series",
  extensions: [".adicht"],
  needs: "random",
  reads:
    "Windows documents (versions 26 to 29) and LabChart 7 for Macintosh documents: records with " +
    "pauses, packed and plain samples, recorded and calculated channels, slow channels, comments",
  missing: "settings, macros, data pads and video links; calculated channels where the document " +
    "keeps only their definitions",
  references: [
    "adichtion docs/FORMAT.md and docs/MAC_FORMAT.md (descriptions only)",
    "checked against adichtion 1.0.0",
  ],
  probe,
  load: async () => (await import("./adicht-reader.ts")).reader,
};

/** The title of a compound file, in UTF-16. */
export const COMPOUND_TITLE = "ADInstruments Compound File";
/** The title of a Macintosh document, behind its length. */
export const MAC_TITLE = "ADInst Data Res File";

/** True for the first bytes of a compound file. */
export function isCompound(head: Uint8Array): boolean {
  if (head.length < 2 * COMPOUND_TITLE.length) return false;
  return [...COMPOUND_TITLE].every((c, i) =>
    head[2 * i] === c.charCodeAt(0) && head[2 * i + 1] === 0
  );
}

/** True for the first bytes of a Macintosh document. */
export function isMacDocument(head: Uint8Array): boolean {
  return head[0] === MAC_TITLE.length && hasText(head, 1, MAC_TITLE);
}

function probe({ head }: ProbeInput) {
  if (isCompound(head)) {
    const version = head.length > 0x80 ? `, version ${head[0x80]}` : "";
    return { score: 250, why: `ADInstruments compound file${version}, by its title` };
  }
  if (isMacDocument(head)) return { score: 250, why: "LabChart for Macintosh, by its title" };
  return NOT_MINE;
}
