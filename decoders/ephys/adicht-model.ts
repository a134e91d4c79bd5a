/** What Windows and Macintosh documents of LabChart have in common. */
import type { Attributes } from "../../src/model/dataset.ts";

/** How a stored sample is had from its block. */
export type BlockKind =
  /** A block of a Windows document with 16-bit samples or floats: head, then packed or plain. */
  | "int16"
  | "float32"
  /** Packed planes of a Macintosh document. */
  | "mac-packed"
  /** Big-endian floats of a Macintosh document, as fractions of full scale. */
  | "mac-float";

/** Element type of a channel's samples after decoding. */
export type SampleType = "int16" | "int32" | "float32";

/** One stored block of samples. */
export interface SampleBlock {
  kind: BlockKind;
  /** Byte offset in the stream of blocks (Windows) or in the file (Macintosh). */
  offset: number;
  /** Bytes of the block; null where only its head tells. */
  bytes: number | null;
  samples: number;
  /** Ticks from the start of the record to the block's first sample. */
  tick: number;
}

/** How stored numbers become physical values: `gain * stored + offset`. */
export interface Calibration {
  gain: number;
  offset: number;
  units: string;
  /** What else the document says of it. */
  attributes: Attributes;
}

/** A channel in one record. */
export interface Track {
  /** Channel number, from 0. */
  channel: number;
  type: SampleType;
  /** Ticks from sample to sample. */
  ticksPerSample: number;
  calibration: Calibration;
  blocks: SampleBlock[];
}

/** An uninterrupted recording: LabChart's "block". */
export interface LabChartRecord {
  /** Seconds since 1970; in UTC where `utcMinusLocal` is known, else by the local clock. */
  start: number;
  /** Seconds; null where the document does not know. */
  utcMinusLocal: number | null;
  /** Ticks a second; null where nothing tells. */
  tickRate: number | null;
  ticks: number;
  tracks: Track[];
}

/** A comment. */
export interface LabChartComment {
  record: number;
  /** Ticks since the start of the record. */
  tick: number;
  id: number;
  /** Channel number, from 0; -1 for all. */
  channel: number;
  text: string;
}

/** A whole document. */
export interface LabChartDocument {
  records: LabChartRecord[];
  comments: LabChartComment[];
  /** Titles of the channels, by number. */
  titles: string[];
  header: Attributes;
  leftOut: { what: string; why: string }[];
}
