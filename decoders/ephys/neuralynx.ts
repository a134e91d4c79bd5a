/** Neuralynx (Cheetah, Pegasus) recordings: signals, spikes, events and tracked positions. */
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeResult } from "../format.ts";

const EXTENSIONS = [".ncs", ".nse", ".nst", ".ntt", ".nev", ".nvt"];

/** Files that begin with a text header of 16 KiB, "######## Neuralynx Data File Header". */
export const neuralynx: FormatDescriptor = {
  id: "neuralynx",
  name: "Neuralynx Cheetah and Pegasus",
  kind: "time-series",
  extensions: EXTENSIONS,
  needs: "random",
  reads:
    "signals (.ncs) with pauses and short records, spikes of single electrodes, stereotrodes and " +
    "tetrodes (.nse, .nst, .ntt), events (.nev), positions (.nvt); the files of a session together",
  missing: "raw data files (.nrd)",
  references: [
    "Neuralynx, Data File Formats",
    "compared with neo 0.14.6 NeuralynxRawIO",
  ],
  probe({ head, name }): ProbeResult {
    if (hasText(head, 0, "######## Neuralynx")) {
      return { score: 250, why: "the text header of Neuralynx files" };
    }
    const extension = EXTENSIONS.find((e) => e !== ".nev" && name.endsWith(e));
    return extension ? { score: 20, why: `extension ${extension}` } : NOT_MINE;
  },
  load: async () => (await import("./neuralynx-reader.ts")).reader,
};
