/** Which files of a split recording hold which signals, and how they are named. */
import type { Attributes } from "../../src/model/dataset.ts";
import type { FrameLayout } from "../../src/model/layout.ts";
import type { FileSet } from "./intan-files.ts";
import { enabledChannels, type IntanChannel, type IntanHeader } from "./intan-model.ts";
import {
  AMPLIFIER,
  amplifierAttributes,
  ANALOG_OUT,
  analogInScale,
  AUXILIARY,
  DC_AMPLIFIER,
  type Scale,
  STIMULATION_CURRENT,
  stimulationScale,
  SUPPLY,
} from "./intan-signals.ts";

/** One kind of signal and the files that may hold it. */
export interface StreamFiles {
  name: string;
  channels: IntanChannel[];
  scale: Scale;
  stored: "int16" | "uint16";
  /** File of all channels together. */
  together: string;
  /** Names of the file of one channel, the first one usual. */
  single: (channel: IntanChannel) => string[];
  decode?: Pick<FrameLayout, "signMagnitude">;
  /** Samples may be thinned out: lowpass waveforms. */
  decimated?: boolean;
  /** Saved or not at the user's wish, which the header does not record. */
  optional?: boolean;
  attributes?: Attributes;
}

/** All kinds of signal a split recording with this header may have saved. */
export function streamsOf(header: IntanHeader): StreamFiles[] {
  const amplifiers = enabledChannels(header, "amplifier");
  const amplifier = (name: string, together: string, prefix: string): StreamFiles => ({
    name,
    channels: amplifiers,
    scale: AMPLIFIER,
    stored: "int16",
    together,
    single: (c) => [`${prefix}-${c.nativeName}.dat`],
    attributes: amplifierAttributes(header),
  });
  const low = { decimated: true, optional: true };
  const streams = [
    amplifier("amplifier", "amplifier.dat", "amp"),
    { ...amplifier("amplifier_lowpass", "lowpass.dat", "low"), ...low },
    { ...amplifier("amplifier_highpass", "highpass.dat", "high"), optional: true },
  ];
  const words = (
    name: string,
    channels: IntanChannel[],
    scale: Scale,
    together: string,
    single: StreamFiles["single"],
    more: Partial<StreamFiles> = {},
  ) => streams.push({ name, channels, scale, stored: "uint16", together, single, ...more });
  const of = (kind: IntanChannel["kind"]) => enabledChannels(header, kind);
  const prefixed = (prefix: string) => (c: IntanChannel) => [`${prefix}-${c.nativeName}.dat`];
  if (header.rhs) {
    words("dc_amplifier", amplifiers, DC_AMPLIFIER, "dcamplifier.dat", prefixed("dc"), {
      optional: true,
    });
    words(
      "stimulation",
      amplifiers,
      stimulationScale(header).scale,
      "stim.dat",
      prefixed("stim"),
      { optional: true, decode: { signMagnitude: STIMULATION_CURRENT } },
    );
  } else {
    words("auxiliary", of("auxiliary"), AUXILIARY, "auxiliary.dat", prefixed("aux"));
    words("supply", of("supply"), SUPPLY, "supply.dat", prefixed("vdd"));
  }
  words("analog_in", of("analog_in"), analogInScale(header).scale, "analogin.dat", boardFiles);
  if (header.rhs) words("analog_out", of("analog_out"), ANALOG_OUT, "analogout.dat", boardFiles);
  return streams;
}

/** Board channels, whose files have gone by two sets of names. */
export function boardFiles(channel: IntanChannel): string[] {
  const native = channel.nativeName, n = channel.nativeOrder;
  const two = (k: number) => String(k).padStart(2, "0");
  const other = {
    analog_in: [`ADC-${two(n)}`, `ANALOG-IN-${n + 1}`, `ANALOG-IN-${two(n + 1)}`],
    analog_out: [`DAC-${two(n)}`, `ANALOG-OUT-${n + 1}`, `ANALOG-OUT-${two(n + 1)}`],
    digital_in: [`DIN-${two(n)}`, `DIGITAL-IN-${two(n + 1)}`, `DIGITAL-IN-${n + 1}`],
    digital_out: [`DOUT-${two(n)}`, `DIGITAL-OUT-${two(n + 1)}`, `DIGITAL-OUT-${n + 1}`],
  }[channel.kind as string] ?? [];
  return [...new Set([native, ...other])].map((name) => `board-${name}.dat`);
}

/** Files of the digital words of all lines together. */
export const DIGITAL = [
  { name: "digital_in", together: "digitalin.dat" },
  { name: "digital_out", together: "digitalout.dat" },
] as const;

/** Opens the files of the one-file-per-channel layout that are there. */
export async function lookForSingles(
  files: FileSet,
  header: IntanHeader,
  streams: StreamFiles[],
): Promise<void> {
  const amplifiers = enabledChannels(header, "amplifier");
  const lines = DIGITAL.flatMap(({ name }) => enabledChannels(header, name));
  const sets = streams.map((s) => ({
    channels: s.channels,
    names: s.single,
    allOrNone: s.optional === true && s.name !== "stimulation",
  }));
  sets.push(
    { channels: lines, names: boardFiles, allOrNone: false },
    { channels: amplifiers, names: (c) => [`spike-${c.nativeName}.dat`], allOrNone: true },
  );
  for (const { channels, names, allOrNone } of sets) {
    if (!channels.length) continue;
    // Where a folder cannot be listed every name costs a request: ask for one channel's file first.
    if (allOrNone) await files.look(names(channels[0]));
    if (allOrNone && !files.first(names(channels[0]))) continue;
    await files.look(channels.map((c) => names(c)[0]));
    await files.look(channels.filter((c) => !files.first(names(c))).flatMap(names));
  }
}

/** One sample of each channel in a row. */
export function rowLayout(
  table: number,
  stored: FrameLayout["stored"],
  channelOffsets: number[],
  decode: Pick<FrameLayout, "signMagnitude" | "bit"> = {},
): FrameLayout {
  return {
    kind: "frames",
    table,
    stored,
    littleEndian: true,
    ...decode,
    samplesPerFrame: 1,
    channelOffsets,
    sampleStride: 0,
  };
}
