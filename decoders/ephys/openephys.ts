/** Open Ephys recordings: the binary format and the older one with a file for each channel. */
import { type FormatDescriptor, hasText, NOT_MINE, type ProbeResult } from "../format.ts";

const MEMBERS = [".continuous", ".events", ".spikes", ".timestamps"];

/** Folders opened through structure.oebin or *.openephys, and single files of the older format. */
export const openephys: FormatDescriptor = {
  id: "openephys",
  name: "Open Ephys (binary and legacy)",
  kind: "time-series",
  extensions: [".oebin", ".openephys", ...MEMBERS],
  memberExtensions: MEMBERS,
  needs: "random",
  reads:
    "binary (0.4 to 1.x): all streams of a recording with pauses and synchronised times, TTL and text " +
    "events, metadata, spikes; legacy (0.1 to 0.6): channels of a recording together or a file alone, " +
    "events, messages, spikes",
  missing:
    "each recording folder is opened on its own, without the settings.xml above it; kwik files",
  references: [
    "Open Ephys GUI documentation, Binary Format and Open Ephys Format",
    "compared with neo 0.14.6 OpenEphysBinaryRawIO and OpenEphysRawIO",
  ],
  probe({ head, name }): ProbeResult {
    if (hasText(head, 0, "header.format = 'Open Ephys Data Format'")) {
      return { score: 250, why: "the text header of Open Ephys files" };
    }
    const text = new TextDecoder("latin1").decode(head.subarray(0, 4096));
    if (/^\s*\{/.test(text) && (name.endsWith(".oebin") || text.includes('"GUI version"'))) {
      return { score: 245, why: "a JSON description of an Open Ephys recording" };
    }
    if (name.endsWith(".openephys") && /<EXPERIMENT\b/.test(text)) {
      return { score: 245, why: "an XML description of an Open Ephys experiment" };
    }
    if (/messages(_\d+)?\.events$/.test(name) && /^\s*\d+,?\s+(Software|Start) Time/i.test(text)) {
      return { score: 240, why: "messages of an Open Ephys recording" };
    }
    return name.endsWith(".oebin") ? { score: 30, why: "extension .oebin" } : NOT_MINE;
  },
  load: async () => (await import("./openephys-reader.ts")).reader,
};
