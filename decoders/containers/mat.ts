/** MATLAB MAT-files. */
import {
  type FormatDescriptor,
  hasText,
  NOT_MINE,
  type ProbeInput,
  type ProbeResult,
} from "../format.ts";
import { levelFour } from "./mat-v4.ts";
import { headerText, levelFive } from "./mat-v5.ts";

function probe({ head, name, size }: ProbeInput): ProbeResult {
  const level = levelFive(head);
  if (level && hasText(head, 0, "MATLAB")) {
    // More than HDF5 itself claims: it is both.
    return { score: 250, why: headerText(head).slice(0, 60) };
  }
  const own = name.endsWith(".mat") || name.endsWith(".set");
  if (level && (level.version === 0x0100 || level.version === 0x0200)) {
    return { score: own ? 220 : 120, why: "mark and version of a MAT-file" };
  }
  const matrix = levelFour(head);
  if (!matrix) return NOT_MINE;
  // Level 4 has no mark: the name of the first matrix must be one, and its data must be there.
  const text = head.subarray(20, 19 + matrix.nameBytes);
  const named = text.length > 0 && head[19 + matrix.nameBytes] === 0 &&
    /^[A-Za-z]\w*$/.test(String.fromCharCode(...text));
  const least = 20 + matrix.nameBytes + matrix.rows * matrix.columns;
  if (!named || (size !== undefined && least > size)) return NOT_MINE;
  return { score: own ? 200 : 90, why: "first matrix of a level-4 MAT-file" };
}

/** Descriptor of MAT-files. */
export const mat: FormatDescriptor = {
  id: "mat",
  name: "MATLAB MAT-file (v4, v5 to v7, v7.3) and EEGLAB .set",
  kind: "time-series",
  extensions: [".mat", ".set", ".fdt"],
  memberExtensions: [".fdt"],
  needs: "random",
  reads:
    "all numeric classes, structs, cells, text, sparse and complex, compressed or not, either " +
    "byte order; string, datetime, table, timetable and other objects; LabChart and Spike2 exports, " +
    "EEGLAB (.fdt too), FieldTrip, times or a rate with arrays as recordings, everything else as arrays",
  missing: "function handles, Java objects, EEGLAB .dat files",
  references: [
    "MathWorks MAT-File Format (R2023b)",
    "HDF5 specification 3.0",
    "foreverallama/matio, docs: objects in MAT-files (descriptions only)",
    "compared with scipy 1.17 (all its test files), mat73, and the same variables saved by MATLAB as v7 and v7.3",
  ],
  probe,
  load: async () => {
    const { openMat } = await import("./mat-reader.ts");
    return { open: openMat };
  },
};
