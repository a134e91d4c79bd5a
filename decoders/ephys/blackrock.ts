/** Blackrock Neurotech (Cerebus, Gemini) recordings: NSx signals and NEV events. */
import { viewOf } from "../../src/source/source.ts";
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeResult } from "../format.ts";

const EXTENSIONS = [".ns1", ".ns2", ".ns3", ".ns4", ".ns5", ".ns6", ".nev"];

/** Blackrock NSx (.ns1 to .ns6) and NEV (.nev), File Specifications 2.1, 2.2, 2.3 and 3.0. */
export const blackrock: FormatDescriptor = {
  id: "blackrock",
  name: "Blackrock NSx/NEV",
  kind: "time-series",
  extensions: EXTENSIONS,
  needs: "random",
  reads: "signals of .ns1-.ns6 (2.1, 2.2, 2.3, 3.0, PTP) with pauses, spikes and events of .nev",
  missing: "",
  references: [
    "Blackrock Neurotech, NEV/NSx File Format, File Specifications 2.1, 2.2, 2.3 and 3.0",
    "dipterix/readNSx inst/specifications",
    "neo 0.14.6 BlackrockRawIO, mne 1.13.2 read_raw_nsx",
  ],
  probe({ head, name }): ProbeResult {
    const view = viewOf(head);
    const sure = (what: string) => ({ score: 250, why: what });
    const doubtful = (id: string) => ({ score: 100, why: `begins with ${id}` });
    if (hasText(head, 0, "NEURALSG")) {
      return head.length >= 32 && view.getUint32(24, true) > 0 && view.getUint32(28, true) > 0
        ? sure("NSx 2.1 with a period and a channel count")
        : doubtful("NEURALSG");
    }
    for (const id of ["NEURALCD", "BRSMPGRP"]) {
      if (!hasText(head, 0, id)) continue;
      return head.length >= 314 &&
          view.getUint32(10, true) >= 314 + 66 * view.getUint32(310, true)
        ? sure(`NSx ${head[8]}.${head[9]} with the header length of its channel count`)
        : doubtful(id);
    }
    for (const id of ["NEURALEV", "BREVENTS"]) {
      if (!hasText(head, 0, id)) continue;
      return head.length >= 336 &&
          view.getUint32(12, true) >= 336 + 32 * view.getUint32(332, true)
        ? sure(`NEV ${head[8]}.${head[9]} with the header length of its extended headers`)
        : doubtful(id);
    }
    // Neuralynx uses .nev too, with a text header.
    if (hasText(head, 0, "########")) return NOT_MINE;
    const extension = EXTENSIONS.find((e) => name.endsWith(e));
    return extension ? { score: 20, why: `extension ${extension}` } : NOT_MINE;
  },
  load: async () => (await import("./blackrock-reader.ts")).reader,
};
