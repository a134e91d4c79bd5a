/** BIOPAC AcqKnowledge (.acq). */
import { type FormatDescriptor, NOT_MINE, type ProbeInput, type ProbeResult } from "../format.ts";
import { CHANNEL_BYTES, GRAPH_BYTES, signatureOf, versionOf } from "./biopac-headers.ts";

/** AcqKnowledge recordings of versions 2 to 5. */
export const biopac: FormatDescriptor = {
  id: "acq",
  name: "BIOPAC AcqKnowledge",
  kind: "time-series",
  extensions: [".acq"],
  needs: "random",
  reads: "versions 2 to 5, both byte orders, compressed or not, mixed rates, markers, journal",
  missing:
    "earlier snapshots, pictures in the journal, PDF attachments and analysis settings: no signals",
  references: [
    "BIOPAC Application Note 156",
    "https://github.com/uwmadison-chm/bioread/blob/main/notes/file_format.md",
    "bioread 2025.5.2",
  ],
  probe,
  load: async () => (await import("./biopac-reader.ts")).reader,
};

/** There is no magic number: the revision, the counts and the first channel header must make sense. */
function probe({ head, size }: ProbeInput): ProbeResult {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const signature = signatureOf(view);
  if (!signature || head.length < GRAPH_BYTES) return NOT_MINE;
  const { littleEndian, revision } = signature;
  const headerBytes = view.getInt32(6, littleEndian);
  const channels = view.getInt16(10, littleEndian);
  const axis = view.getInt16(12, littleEndian);
  const sampleTime = view.getFloat64(16, littleEndian);
  const sound = headerBytes >= GRAPH_BYTES && headerBytes < 1 << 20 && channels > 0 &&
    axis >= 0 && axis < 16 && sampleTime >= 1e-6 && sampleTime <= 1e9 &&
    (size === undefined || headerBytes + channels * CHANNEL_BYTES <= size);
  if (!sound) return NOT_MINE;
  const why = `graph header of revision ${revision} (AcqKnowledge ${versionOf(revision)}), ` +
    `${littleEndian ? "little" : "big"}-endian, ${channels} channel${channels === 1 ? "" : "s"}`;
  // Records before the channel headers are 40 bytes long.
  for (const at of [headerBytes, headerBytes + 40]) {
    if (at + 4 > head.length) return { score: 150, why };
    const length = view.getInt32(at, littleEndian);
    if (length >= CHANNEL_BYTES && length <= 1 << 16) return { score: 230, why };
    if (length !== 40) break;
  }
  return NOT_MINE;
}
