/** Tucker-Davis Technologies tank blocks: an index, its data, and a file for each channel of long streams. */
import type { ByteSource } from "../../src/source/source.ts";
import {
  type FormatDescriptor,
  hasText,
  NOT_MINE,
  type ProbeInput,
  type ProbeResult,
} from "../format.ts";
import { findIndex, isIndexHead } from "./tdt-set.ts";

const MEMBER_EXTENSIONS = [".tev", ".tbk", ".tdx", ".tnt", ".tin"];

/** TDT tank blocks (.tsq and the files beside it) and streamed channels (.sev). */
export const tdt: FormatDescriptor = {
  id: "tdt",
  name: "TDT tank block",
  kind: "time-series",
  extensions: [".tsq", ".sev", ...MEMBER_EXTENSIONS],
  memberExtensions: MEMBER_EXTENSIONS,
  needs: "random",
  reads:
    "streams of all sample types in .tev and .sev files with their pauses, epocs, scalars, snippets with " +
    "channels and sort codes, notes; .sev files without a block, with the gaps their logs tell of",
  missing: "the settings in .tbk and .tin, which no sample depends on",
  references: [
    "TDT, Synapse Manual, data tank format",
    "TDT, tdt 0.7.6 for Python",
    "compared with neo 0.14.6",
  ],
  probe,
  probeSet,
  load: async () => (await import("./tdt-reader.ts")).reader,
};

function probe({ head, name }: ProbeInput): ProbeResult {
  if (isIndexHead(head)) {
    return name.endsWith(".tsq")
      ? { score: 240, why: "the first records of a TDT block index" }
      : { score: 180, why: "records of a TDT block index" };
  }
  if (hasText(head, 8, "SEV")) {
    return name.endsWith(".sev")
      ? { score: 240, why: "the header of a TDT .sev file" }
      : { score: 150, why: '"SEV" where a TDT .sev file has it' };
  }
  // Early recorders left the header empty.
  if (name.endsWith(".sev") && head.length >= 40 && head.subarray(0, 40).every((b) => b === 0)) {
    return { score: 160, why: "a .sev file with an empty header" };
  }
  const extension = tdt.extensions.find((e) => name.endsWith(e));
  return extension ? { score: 30, why: `extension ${extension}` } : NOT_MINE;
}

/** The other files of a block are known by its index. */
async function probeSet(source: ByteSource, signal?: AbortSignal): Promise<ProbeResult> {
  const index = await findIndex(source);
  if (!index) return NOT_MINE;
  try {
    const head = await index.readUpTo(0, 80, { signal, purpose: "header" });
    return isIndexHead(head)
      ? { score: 220, why: `${index.name} beside it is a TDT block index` }
      : NOT_MINE;
  } finally {
    await index.close();
  }
}
