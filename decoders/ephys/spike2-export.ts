/** Text that CED Spike2 exports: a summary, then channel after channel, one value a line. */
import { type FormatDescriptor, NOT_MINE, type ProbeInput } from "../format.ts";

/** Spike2 text exports. */
export const spike2Export: FormatDescriptor = {
  id: "spike2_text",
  name: "CED Spike2 text export",
  kind: "time-series",
  extensions: [".txt"],
  needs: "random",
  reads:
    "waveforms with pauses, events, levels, markers, text marks, WaveMarks; true rates from the " +
    "summary; with or without information and summary blocks",
  missing: "",
  references: [
    "exports quoted in public analysis scripts (waveforms, GAP lines, WAVMK lines, markers)",
    "CED Spike2 manual, text output of data documents",
  ],
  probe,
  load: async () => (await import("./spike2-export-reader.ts")).reader,
};

const ascii = new TextDecoder("windows-1252");

/** A summary row: number, kind, title. */
const SUMMARY = /^"SUMMARY"\s*\r?\n\s*"\d{1,4}"[\t,; ]+"[A-Z][A-Za-z+-]+"[\t,; ]+"/m;
/** The first line of a channel: its number is quoted. */
const CHANNEL = /^"CHANNEL"[\t,; ]+"\d{1,4}"\s*$/m;

function probe({ head }: ProbeInput) {
  // Other text does not begin with a quote and one of three words.
  if (head[0] !== 0x22 && head[0] !== 0xef) return NOT_MINE;
  const text = ascii.decode(head).replace(/^ï»¿/, "");
  const [, word] = /^"(INFORMATION|SUMMARY|CHANNEL)"/.exec(text) ?? [];
  if (!word) return NOT_MINE;
  const summary = SUMMARY.test(text), channel = CHANNEL.test(text);
  if (!summary && !channel) return NOT_MINE;
  const found = summary ? "a summary of Spike2 channels" : "a Spike2 channel";
  return { score: word === "INFORMATION" ? 240 : 225, why: `text with ${found}, by its words` };
}
