/** Digital lines in the words of a SpikeGLX stream. */
import type { DigitalLines } from "../../src/model/dataset.ts";
import type { SavedChannel, SpikeglxStream } from "./spikeglx-channels.ts";
import { numberOf, rangesOf, type SpikeglxMeta } from "./spikeglx-meta.ts";

type Line = DigitalLines["lines"][number];

/** Bits of the status word of imec probes (Neuropixels API, electrode packet status). */
const STATUS_BITS: [bit: number, name: string][] = [
  [0, "trigger"],
  [2, "error_count"],
  [3, "error_serdes"],
  [4, "error_lock"],
  [5, "error_pop"],
  [6, "sync"],
  [7, "error_sync"],
];

/** The lines of one word; `wordIndex` counts the DW words of the stream. */
export function linesOf(
  meta: SpikeglxMeta,
  stream: SpikeglxStream,
  channel: SavedChannel,
): Line[] {
  const named = (name: string, bit: number): Line => ({ bit, name: `${channel.name}_${name}` });
  if (channel.kind === "SY") {
    // The status word of Phase 3A is 16 input lines.
    const isPhase3A = stream.type === "imec" && meta.values.has("imProbeOpt");
    if (isPhase3A) return Array.from({ length: 16 }, (_, bit) => named(`line${bit}`, bit));
    return STATUS_BITS.map(([bit, name]) => named(name, bit));
  }
  return inputLines(meta, stream)
    .filter(({ bit }) => bit >> 4 === channel.index)
    .map(({ bit, name }) => named(name, bit & 15));
}

/**
 * Digital inputs of a stream, numbered through all its words. A device's lines take whole bytes, line 0 the lowest
 * bit of the first; those of a second device follow.
 */
function inputLines(meta: SpikeglxMeta, stream: SpikeglxStream): { bit: number; name: string }[] {
  const words = stream.channels.filter((c) => c.kind === "DW");
  const most = 16 * Math.max(0, ...words.map((c) => c.index + 1));
  const all = Array.from({ length: most }, (_, bit) => ({ bit, name: `line${bit}` }));
  if (stream.type !== "nidq" || !meta.values.get("niXDChans1")) return all;
  const first = rangesOf(meta, "niXDChans1", 4096);
  const bytes = numberOf(meta, "niXDBytes1") ?? 1 + (Math.max(-1, ...first) >> 3);
  const second = meta.values.has("niXDChans2") ? rangesOf(meta, "niXDChans2", 4096) : [];
  return [
    ...first.map((line) => ({ bit: line, name: `line${line}` })),
    ...second.map((line) => ({ bit: 8 * bytes + line, name: `device2_line${line}` })),
  ].filter(({ bit }) => bit < most);
}
