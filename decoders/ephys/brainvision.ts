/** BrainVision sets: a header, its markers and its data, each a file (Brain Products). */
import type { ByteSource } from "../../src/source/source.ts";
import { type FormatDescriptor, NOT_MINE, type ProbeInput, type ProbeResult } from "../format.ts";
import { findHeader, HEADER_EXTENSIONS, MEMBER_EXTENSIONS } from "./brainvision-set.ts";
import { kindOf } from "./brainvision-text.ts";

/** BrainVision Core Data Format, Analyzer's Generic Data Format, and the V-Amp variant of it. */
export const brainvision: FormatDescriptor = {
  id: "brainvision",
  name: "BrainVision",
  kind: "time-series",
  extensions: [...HEADER_EXTENSIONS, ...MEMBER_EXTENSIONS],
  memberExtensions: MEMBER_EXTENSIONS,
  needs: "random",
  reads:
    "binary (INT_16, UINT_16, INT_32, floats, both byte orders) and ASCII data, multiplexed and " +
    "vectorized; segments and averages, markers, electrode coordinates, impedances",
  missing: "data in the frequency domain",
  references: [
    "Brain Products, BrainVision Core Data Format 1.0",
    "Brain Products, BrainVision Analyzer User Manual, Generic Data Reader",
    "compared with mne 1.13.2",
  ],
  probe,
  probeSet,
  load: async () => (await import("./brainvision-reader.ts")).reader,
};

function probe({ head, name }: ProbeInput): ProbeResult {
  const kind = kindOf(head);
  if (kind === "header") return { score: 250, why: "a BrainVision header's first line" };
  if (kind === "markers") return { score: 240, why: "a BrainVision marker file's first line" };
  const extension = brainvision.extensions.find((e) => name.endsWith(e));
  return extension ? { score: 20, why: `extension ${extension}` } : NOT_MINE;
}

/** A data file is known by the header that names it. */
async function probeSet(source: ByteSource, signal?: AbortSignal): Promise<ProbeResult> {
  const header = await findHeader(source, signal);
  if (!header) return NOT_MINE;
  await header.close();
  return { score: 200, why: `${header.name} beside it is a BrainVision header` };
}
