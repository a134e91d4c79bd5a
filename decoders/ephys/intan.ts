/**
 * Intan Technologies recordings: RHD2000 (`.rhd`, recording) and RHS2000 (`.rhs`, stimulation and
 * recording), in the traditional layout and the two split ones.
 */
import { viewOf } from "../../src/source/source.ts";
import { type FormatDescriptor, NOT_MINE, type ProbeInput, type ProbeResult } from "../format.ts";
import { plausibleVersion, RHD_MAGIC, RHS_MAGIC } from "./intan-header.ts";

function probe(input: ProbeInput, magic: number, name: string): ProbeResult {
  if (input.head.length < 8) return NOT_MINE;
  const view = viewOf(input.head);
  if (view.getUint32(0, true) !== magic) return NOT_MINE;
  const version = [view.getInt16(4, true), view.getInt16(6, true)] as const;
  return plausibleVersion(...version)
    ? { score: 250, why: `${name} header, version ${version.join(".")}` }
    : { score: 120, why: `${name} header identifier, impossible version ${version.join(".")}` };
}

const SPLIT = "traditional files, one file per signal type, one file per channel";
const READERS = [
  "neo IntanRawIO (compared)",
  "Intan's own RHX software (its description of files)",
];
const load = async () => (await import("./intan-reader.ts")).intanReader;

/** RHD2000 recordings. */
export const intanRhd: FormatDescriptor = {
  id: "intan_rhd",
  name: "Intan RHD2000",
  kind: "time-series",
  extensions: [".rhd"],
  needs: "random",
  reads:
    `${SPLIT}; amplifiers, lowpass, highpass, auxiliary, supply, temperature, analog and digital ` +
    "lines, spikes, live notes; pauses as segments",
  missing: "",
  references: ["Intan RHD2000 and RHX Application Notes: Data File Formats", ...READERS],
  probe: (input) => probe(input, RHD_MAGIC, "Intan RHD2000"),
  load,
};

/** RHS2000 recordings. */
export const intanRhs: FormatDescriptor = {
  id: "intan_rhs",
  name: "Intan RHS2000",
  kind: "time-series",
  extensions: [".rhs"],
  needs: "random",
  reads:
    `${SPLIT}; amplifiers, DC amplifiers, stimulation currents and flags, analog and digital ` +
    "inputs and outputs, spikes, live notes; pauses as segments",
  missing: "",
  references: ["Intan RHS2000 and RHX Application Notes: Data File Formats", ...READERS],
  probe: (input) => probe(input, RHS_MAGIC, "Intan RHS2000"),
  load,
};
