/** ADInstruments .adibin: the binary files of LabChart's Translate Binary extension ("CFWB"). */
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeInput } from "../format.ts";

/** LabChart binary files. */
export const adibin: FormatDescriptor = {
  id: "adibin",
  name: "ADInstruments LabChart binary (CFWB)",
  kind: "time-series",
  extensions: [".adibin"],
  needs: "forward",
  reads: "double, float and 16-bit samples, calibration, data before the trigger, the time column",
  missing: "",
  references: [
    "ADInstruments ADIBinaryFormat.h (Translate Binary, 2001-2009)",
    "ADInstruments: Generating LabChart for Windows Binary Files, May 2009",
  ],
  probe,
  load: async () => (await import("./adibin-reader.ts")).reader,
};

function probe({ head }: ProbeInput) {
  if (!hasText(head, 0, "CFWB")) return NOT_MINE;
  const version = head[4] | (head[5] << 8) | (head[6] << 16) | (head[7] << 24);
  return version === 1
    ? { score: 250, why: "LabChart binary file, version 1, by its first bytes" }
    : { score: 120, why: `starts with CFWB, version ${version}` };
}
