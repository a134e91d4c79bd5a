/** European Data Format and its relatives: EDF, EDF+, BioSemi's BDF and BDF+. */
import { type FormatDescriptor, NOT_MINE, type ProbeInput } from "../format.ts";
import { fieldText } from "./ansi-text.ts";
import { isBdf, isEdf } from "./edf-header.ts";

/** EDF and EDF+ (16 bits), BDF and BDF+ (24 bits), continuous and discontinuous. */
export const edf: FormatDescriptor = {
  id: "edf",
  name: "EDF, EDF+, BDF, BDF+",
  kind: "time-series",
  extensions: [".edf", ".bdf", ".rec"],
  needs: "random",
  reads:
    "signals of any rates, pauses of EDF+D, annotations, triggers and flags of BioSemi's status channel",
  missing: "",
  references: [
    "Kemp et al. 1992, A simple format for exchange of digitized polygraphic recordings",
    "Kemp and Olivan 2003, European data format 'plus' (EDF+); edfplus.info",
    "BioSemi, Which file format does BioSemi use (BDF, 24-bit status channel)",
    "compared with pyedflib 0.1.42 and mne 1.13.2",
  ],
  probe,
  load: async () => (await import("./edf-reader.ts")).reader,
};

function probe({ head, name }: ProbeInput) {
  const kind = isBdf(head) ? "BDF" : isEdf(head) ? "EDF" : undefined;
  if (kind && head.length >= 256) {
    const signals = Number(fieldText(head.subarray(252, 256)));
    const bytes = Number(fieldText(head.subarray(184, 192)));
    const plus = /^[EB]DF\+[CD]/.exec(fieldText(head.subarray(192, 236)))?.[0];
    if (Number.isInteger(signals) && signals > 0 && bytes === 256 * (signals + 1)) {
      return { score: 250, why: `${plus ?? kind} header of ${signals} signals` };
    }
    const isDated = /^\d\d\D\d\d\D\d\d/.test(fieldText(head.subarray(168, 176)));
    if (isDated || plus || kind === "BDF") {
      return { score: 150, why: `${kind} header, its length is odd` };
    }
  }
  const extension = edf.extensions.find((e) => name.endsWith(e));
  return extension ? { score: 20, why: `extension ${extension}` } : NOT_MINE;
}
