/** NeuroExplorer data files: neurons, events, intervals, waveforms, continuous variables and markers. */
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeResult } from "../format.ts";

/** Files that begin with "NEX1" (.nex, 32-bit) or "NEX5" (.nex5, 64-bit). */
export const neuroexplorer: FormatDescriptor = {
  id: "neuroexplorer",
  name: "NeuroExplorer (.nex, .nex5)",
  kind: "time-series",
  extensions: [".nex", ".nex5"],
  needs: "random",
  reads:
    "neurons, events, intervals, waveforms, continuous variables with pauses, markers, population " +
    "vectors, metadata; integers and floats, 32- and 64-bit stamps",
  missing: "",
  references: [
    "Nex Technologies, .nex and .nex5 File Format Specification",
    "compared with nex5file 0.1.3 and neo 0.14.6 NeuroExplorerRawIO",
  ],
  probe({ head, name }): ProbeResult {
    for (const id of ["NEX1", "NEX5"]) {
      if (hasText(head, 0, id)) return { score: 250, why: `begins with ${id}` };
    }
    return /\.nex5?$/.test(name) ? { score: 20, why: "extension .nex" } : NOT_MINE;
  },
  load: async () => (await import("./neuroexplorer-reader.ts")).reader,
};
