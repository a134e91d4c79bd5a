/** CED Spike2 .smr: the 32-bit SON filing system. */
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeInput } from "../format.ts";

/** 32-bit SON files; a `.smr` that holds SON64 belongs to another format. */
export const spike2: FormatDescriptor = {
  id: "smr",
  name: "CED Spike2 (32-bit SON)",
  kind: "time-series",
  extensions: [".smr", ".son"],
  needs: "random",
  reads: "all channel kinds of system ids 1 to 9, PC and Macintosh byte order, pauses",
  missing: "an application's private extra data area; deleted channels",
  references: [
    "CED SON filing system, structure definitions sonintl.h (library versions 5 to 9)",
    "checked against sonpy 1.9.5 and neo 0.14.6",
  ],
  probe,
  load: async () => (await import("./spike2-reader.ts")).reader,
};

function probe({ head }: ProbeInput) {
  // The system id is a 16-bit number, so its byte order is that of the file.
  const little = head[1] === 0 && head[0] >= 1 && head[0] <= 9;
  const big = head[0] === 0 && head[1] >= 1 && head[1] <= 9;
  if (!(little || big) || !hasText(head, 2, "(C) CED")) return NOT_MINE;
  const id = little ? head[0] : head[1];
  const order = little ? "" : ", Macintosh byte order";
  return { score: 250, why: `SON system id ${id} and CED's copyright text${order}` };
}
