/** PalmSens (PSTrace, PalmSens SDK) sessions and methods of electrochemical measurements. */
import { type FormatDescriptor, NOT_MINE, type ProbeResult } from "../format.ts";

/** .pssession (JSON) and .psmethod (settings); the older .pss and .pst are named, not read. */
export const palmsens: FormatDescriptor = {
  id: "palmsens",
  name: "PalmSens session and method",
  kind: "table",
  extensions: [".pssession", ".psmethod", ".pss", ".pst"],
  needs: "random",
  reads:
    "sessions: arrays of all measurements, over time where they have a time, curves, impedance " +
    "data, method and device; methods: all settings",
  missing: "the older .pss and .pst, whose layout is not published; peaks and fits of curves",
  references: ["PalmSens SDK documentation, file formats"],
  probe({ head, name }): ProbeResult {
    const text = new TextDecoder(head[0] === 0xff ? "utf-16le" : "utf-8").decode(
      head.subarray(0, 8192),
    );
    if (/PalmSens\.DataFiles\.SessionFile/i.test(text)) {
      return { score: 250, why: "a session file in JSON" };
    }
    if (/^METHOD_ID=/m.test(text) && /^#/.test(text.replace(/^\ufeff/, ""))) {
      return { score: 240, why: "settings of a method" };
    }
    if (/\.psses+ion$|\.psmethod$/.test(name)) return { score: 30, why: "extension of PSTrace" };
    return /\.ps[st]$/.test(name) ? { score: 15, why: "extension of older PSTrace" } : NOT_MINE;
  },
  load: async () => (await import("./palmsens-reader.ts")).reader,
};
