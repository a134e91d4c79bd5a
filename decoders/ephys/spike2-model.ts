/** What channels of both SON filing systems (32-bit `.smr`, 64-bit `.smrx`) have in common. */

/** Channel kinds by their number in the file; 0 is an unused or deleted slot. */
export const KINDS = [
  "Off",
  "Adc",
  "EventFall",
  "EventRise",
  "EventBoth",
  "Marker",
  "WaveMark",
  "RealMark",
  "TextMark",
  "RealWave",
] as const;

/** What a channel holds. */
export type Spike2Kind = typeof KINDS[number];

/** One used entry of a channel table. */
export interface SonChannel {
  /** Channel number as Spike2 shows it, from 1. */
  number: number;
  kind: Spike2Kind;
  title: string;
  comment: string;
  units: string;
  /** Physical input port, or -1. */
  port: number;
  /** Hz, as the user asked for (waveforms) or expected (events). */
  idealRate: number;
  /** Points before the trigger in a WaveMark. */
  preTrigger: number;
  /** Ticks from sample to sample; 0 for channels without samples. */
  divide: number;
  /** 16-bit samples: `value = raw * scale / 6553.6 + offset`. */
  scale: number;
  offset: number;
  /** Expected range of real values; NaN where there is none. */
  minimum: number;
  maximum: number;
}

/** Full scale of the 16 bits is 5 V at scale 1: 32768 / 5 steps a volt. */
export const STEPS_PER_VOLT = 6553.6;

/** Whether a channel holds a waveform, and not events. */
export function isWaveform(kind: Spike2Kind): boolean {
  return kind === "Adc" || kind === "RealWave";
}

/** How messages name a channel. */
export function label(channel: SonChannel): string {
  return `channel ${channel.number} "${channel.title}"`;
}
