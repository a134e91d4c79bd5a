/** What both versions of the Axon Binary Format say of a recording, under one set of names. */
import type { Attributes } from "../../src/model/dataset.ts";

/** Bytes of a block; sections begin at whole blocks (ABF help, "The ABF File Structure"). */
export const BLOCK_BYTES = 512;

/** Values of nOperationMode. */
export const AbfMode = {
  /** Events of variable length. */
  variable: 1,
  /** Events of fixed length; sweeps may overlap in time. */
  fixed: 2,
  /** One recording without sweeps. */
  gapFree: 3,
  /** High-speed oscilloscope. */
  oscilloscope: 4,
  /** Sweeps of equal length, usually with a stimulus. */
  episodic: 5,
};

/** Names of the operation modes, as pCLAMP calls them. */
export const MODE_NAMES: Record<number, string> = {
  [AbfMode.variable]: "event-driven, variable length",
  [AbfMode.fixed]: "event-driven, fixed length",
  [AbfMode.gapFree]: "gap-free",
  [AbfMode.oscilloscope]: "high-speed oscilloscope",
  [AbfMode.episodic]: "episodic stimulation",
};

/** An analog input that was recorded. */
export interface AbfChannel {
  /** As stored, without the blanks around it; may be empty. */
  name: string;
  units: string;
  /** Number of the input at the digitizer. */
  physical: number;
  /** Volts at the digitizer per unit. */
  instrumentScale: number;
  /** Units at 0 V. */
  instrumentOffset: number;
  programmableGain: number;
  signalGain: number;
  signalOffset: number;
  telegraphEnable: number;
  telegraphGain: number;
  attributes: Attributes;
}

/** A waveform that was played from a file, stored behind the data. */
export interface AbfStimulus {
  name: string;
  units: string;
  /** Byte of its first value. */
  offset: number;
  sweeps: number;
  /** Units of one step of the converter, and at its zero. */
  gain: number;
  zero: number;
  attributes: Attributes;
}

/** Entries of equal size somewhere in the file. */
export interface AbfSection {
  offset: number;
  entryBytes: number;
  count: number;
}

/** The header of either version. */
export interface AbfHeader {
  version: string;
  mode: number;
  /** 32-bit floats in physical units; else 16-bit integers. */
  isFloat: boolean;
  /** Byte of the first value. */
  dataOffset: number;
  /** Values of all channels together, as the header promises. */
  valueCount: number;
  channels: AbfChannel[];
  /** Volts at full scale, and the steps that make them. */
  adcRange: number;
  adcResolution: number;
  /** Zero where no signal conditioner was used: its gains and offsets are then void. */
  signalType: number;
  /** Microseconds from one value to the next, all channels counted. */
  valueInterval: number;
  /** Scans of all channels a second. */
  samplingFrequency: number;
  /** Split clock: the rate from value `clockChange` of each sweep on; 0 when there is none. */
  secondFrequency: number;
  clockChange: number;
  /** Microseconds of a count of the synch array, the tags and the deltas; 0: they count values. */
  synchUnit: number;
  /** Values of all channels in a sweep. */
  samplesPerEpisode: number;
  episodes: number;
  /** Seconds from the start of a sweep to that of the next; 0: as soon as can be. */
  startToStart: number;
  synch: AbfSection;
  tags: AbfSection;
  /** True where tags have no comments: bytes in their place mean nothing. */
  plainTags: boolean;
  deltas: AbfSection;
  stimuli: AbfStimulus[];
  startTime?: string;
  comment: string;
  /** For the attributes of the output. */
  fields: Attributes;
  warnings: string[];
  leftOut: { what: string; why: string }[];
}

/** No entries. */
export const NO_SECTION: AbfSection = { offset: 0, entryBytes: 0, count: 0 };

/**
 * Scans a second, freed from the rounding of their interval to 32-bit floats where what was meant is plain:
 * a whole rate, or the tenths of a microsecond in which pCLAMP keeps intervals (ABFH_GetFirstSampleInterval).
 * Only what rounds to the very number stored is taken.
 * @param stored the interval in the header, microseconds
 * @param parts what the interval between scans was divided by before it was stored
 */
export function scanRate(stored: number, parts: number): number {
  const whole = Math.round(1e6 / (stored * parts));
  if (Math.fround(1e6 / whole / parts) === stored) return whole;
  const tenths = Math.round(stored * parts * 10);
  return Math.fround(tenths / 10 / parts) === stored ? 1e7 / tenths : 1e6 / (stored * parts);
}

/**
 * ISO 8601 local time from a date written as the number YYYYMMDD, or YYMMDD in older files (80 to 99 are
 * in the last century), and milliseconds after midnight; undefined for what is no date.
 */
export function startTimeOf(date: number, milliseconds: number): string | undefined {
  let year = Math.trunc(date / 10_000);
  const month = Math.trunc(date / 100) % 100, day = date % 100;
  if (year >= 0 && year < 100) year += year >= 80 ? 1900 : 2000;
  if (date <= 0 || year < 1980 || year > 2200 || month < 1 || month > 12 || day < 1) {
    return undefined;
  }
  if (!(milliseconds >= 0 && milliseconds < 2 * 86_400_000)) return undefined;
  const midnight = Date.UTC(year, month - 1, day);
  if (new Date(midnight).getUTCDate() !== day) return undefined;
  return new Date(midnight + milliseconds).toISOString().replace("Z", "");
}
