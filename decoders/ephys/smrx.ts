/** CED Spike2 .smrx: the 64-bit SON filing system. */
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeInput } from "../format.ts";

/** 64-bit SON files, whatever their extension: some are called `.smr`. */
export const smrx: FormatDescriptor = {
  id: "smrx",
  name: "CED Spike2 (64-bit SON)",
  kind: "time-series",
  extensions: [".smrx"],
  needs: "random",
  reads: "all channel kinds, pauses, 64-bit times, several index levels, files not closed",
  missing:
    "an application's private extra data area; deleted channels; data not yet indexed when " +
    "a file was not closed",
  references: [
    "own description of the layout, from files of known contents written by CED's sonpy 1.9.5",
    "checked against sonpy 1.9.5",
  ],
  probe,
  load: async () => (await import("./smrx-reader.ts")).reader,
};

function probe({ head }: ProbeInput) {
  if (!hasText(head, 0, "S64") || head[5] !== 0) return NOT_MINE;
  const version = `${head[7]}.${head[6]}`;
  return { score: 250, why: `SON64 file, version ${version}, by its first bytes` };
}
