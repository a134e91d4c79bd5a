/** Axon Binary Format: recordings of pCLAMP (Clampex, AxoScope), versions 1 and 2. */
import { viewOf } from "../../src/source/source.ts";
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeInput } from "../format.ts";

/** ABF 1 (Clampex 6 to 9, and exports of later ones) and ABF 2 (Clampex 10 and later). */
export const abf: FormatDescriptor = {
  id: "abf",
  name: "Axon Binary Format (ABF 1 and 2)",
  kind: "time-series",
  extensions: [".abf"],
  needs: "random",
  reads:
    "gap-free recordings with pauses, sweeps of equal and of variable length, averages, tags, " +
    "changes of parameters, played waveforms, the protocol",
  missing: "voice tags, annotations; CLPX and FTCX files of MS-DOS times",
  references: [
    "Axon Instruments abfheadr.h, abffiles.cpp and the ABF help file (free to use)",
    "pyABF, Unofficial Guide to the ABF File Format",
    "compared with pyabf 2.3.8 and neo 0.14.6",
  ],
  probe,
  load: async () => (await import("./abf-reader.ts")).reader,
};

function probe({ head, name }: ProbeInput) {
  const view = viewOf(head);
  if (hasText(head, 0, "ABF2")) {
    const major = head[7], protocolBlock = head.length >= 80 ? view.getUint32(76, true) : 0;
    return major === 2 && protocolBlock > 0
      ? { score: 250, why: "ABF2 with a protocol section" }
      : { score: 120, why: "begins with ABF2" };
  }
  if (hasText(head, 0, "ABF ") && head.length >= 128) {
    const version = view.getFloat32(4, true), channels = view.getInt16(120, true);
    return version >= 1 && version < 2 && channels >= 1 && channels <= 16
      ? { score: 250, why: `ABF 1 header, version ${version.toFixed(2)}, ${channels} channels` }
      : { score: 100, why: 'begins with "ABF "' };
  }
  return name.endsWith(".abf") ? { score: 20, why: "extension .abf" } : NOT_MINE;
}
