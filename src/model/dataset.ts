/**
 * What a reader makes of a file: recordings, events, images and other arrays, with names, units and
 * times, and for every array where its bytes are. No sample is read to build it.
 */
import type { MappingDescriptor } from "../../decoders/mapping/descriptor-types.ts";
import type { ByteSource } from "../source/source.ts";
import { type DType, dtypeOf, type NumericArray } from "./dtype.ts";
import type { ChunkLayout, FrameTable, Layout, Segment, StreamLayout } from "./layout.ts";

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Attributes of a group or an array, as they will be stored. */
export type Attributes = Record<string, Json>;

/** One channel: `physical = raw * gain + offset`, in `units`. */
export interface Channel {
  /** Label as the file gives it. */
  name: string;
  /** Unit of the physical values ("uV", "mV", "degC"); "" when the file states none. */
  units: string;
  /** Units of one raw step. */
  gain: number;
  /** Physical value of raw 0. */
  offset: number;
  /** Anything else known of the channel (filters, electrode id, impedance ...). */
  attributes?: Attributes;
}

/** Consecutive channels of a recording that share one layout. */
export interface ChannelPart {
  /** Index into the recording's channels. */
  firstChannel: number;
  /** Channels of this part. */
  channelCount: number;
  /** Where their samples are. */
  layout: Layout;
  /**
   * For `chunks` layouts: shape of the stored array, and which of its axes are channel and time (null: the
   * array holds one channel). All other axes must have length 1.
   */
  grid?: {
    /** Shape of the stored array. */
    shape: number[];
    /** Axis of the channels. */
    channelAxis: number | null;
    /** Axis of the samples. */
    timeAxis: number;
    /** First sample that is wanted, where only a part is; 0 when absent. */
    firstSample?: number;
    /** First channel of the stored array that is wanted, where only a part is; 0 when absent. */
    firstChannel?: number;
    /** Sample of the recording at which the stored array begins, where arrays follow each other in time. */
    startSample?: number;
  };
  /**
   * The last samples as raw values, C-order `[channelCount, n]`, where the file's frame pattern breaks
   * off before its end; the layout holds the samples before `firstSample`.
   */
  tail?: { firstSample: number; values: Float64Array };
}

/**
 * Channels that share one clock, one length and one kind: neo's "stream". The array has dims
 * `[channel, time]`. Parts may differ in stored type; values are then stored as floats.
 */
export interface Recording {
  /** Group name when the file holds several: "amplifier", "auxiliary", "analog_1000hz". */
  name: string;
  /** Channels in the order of the array's first dimension. */
  channels: Channel[];
  /** Hz, exactly as the file states it; null when the file gives none or the axis is irregular. */
  samplingFrequency: number | null;
  /** Samples per channel; null when only a pass through the file tells (`stream` layouts). */
  sampleCount: number | null;
  /** Uninterrupted runs with their true start times; one segment for a recording without pauses. */
  segments: Segment[];
  /** Raw element type after decoding, the same for all parts. */
  rawType: DType;
  /**
   * Samples of one sweep, when the recording is a row of equal sweeps (each with its segment): the array
   * is then stored as `[sweep, channel, time]`.
   */
  sweepLength?: number;
  /** Bits the raw integers really use, when fewer than the type has (24 in int32, 12 in int16). */
  significantBits?: number;
  /** Where the samples are; together the parts cover all channels. */
  parts: ChannelPart[];
  /** Explicit time values in seconds (irregular sampling, tables); else time comes from segments. */
  time?: StreamLayout | { kind: "values"; values: Float64Array };
  /** True when nothing in the file gives the time and it was made up as a sample index. */
  timeGenerated?: boolean;
  /** Anything else known of the recording (filters, device, mode ...). */
  attributes?: Attributes;
}

/** A column of an event table; the first dimension is the event. */
export interface EventColumn {
  /** "time" (seconds since the recording's start), "duration", "label", "code", "channel", "unit", "waveform" ... */
  name: string;
  /** Element type. */
  dtype: DType;
  /** Unit of the values ("s", "uV"); absent where there is none. */
  units?: string;
  /** Sizes after the event dimension ([48] for waveforms of 48 samples); [] for one value an event. */
  innerShape: number[];
  /** Names of the dimensions after the event dimension. */
  innerDims?: string[];
  /** Where the values are. */
  layout: Layout;
  /** Attributes of the stored array. */
  attributes?: Attributes;
}

/** Things that happened at times: spikes, markers, comments, edges of a digital line. */
export interface EventTable {
  /** Name of the group below `events/`. */
  name: string;
  /** Number of events; null when only a pass through the file tells. */
  count: number | null;
  /** Columns of equal length. */
  columns: EventColumn[];
  /** Attributes of the stored group. */
  attributes?: Attributes;
}

/** Digital words whose bits become `events/<line>/`, found while the words are converted. */
export interface DigitalLines {
  /** Name of the array of {@link Dataset.arrays} that holds the words. */
  array: string;
  /** Words a second, Hz. */
  samplingFrequency: number;
  /** Uninterrupted runs of words. */
  segments: Segment[];
  /** The lines: bit of the word counted from the lowest, and name. */
  lines: { bit: number; name: string; attributes?: Attributes }[];
}

/** An array that is neither a recording nor an image: digital words, a table column, a kept variable. */
export interface NamedArray {
  /** Path in the store: "digital_in/words", "source/comment". */
  path: string;
  /** Element type. */
  dtype: DType;
  /** Name of each dimension. */
  dims: string[];
  /** Null in the first place: length only known after a pass. */
  shape: (number | null)[];
  /** Where the values are. */
  layout: Layout;
  /**
   * For `chunks` layouts stored in another axis order: axis `i` of the array is axis `permutation[i]` of
   * the stored one (MATLAB's columns first: reversed).
   */
  permutation?: number[];
  /** Unit of the values; absent where there is none. */
  units?: string;
  /** Attributes of the stored array. */
  attributes?: Attributes;
}

/** One resolution of an image. */
export interface ImageLevel {
  /** In the order of the image's axes. */
  shape: number[];
  /** Where its chunks are. */
  layout: ChunkLayout;
}

/** One image (series, scene, position): level 0 first, smaller levels after it. */
export interface ImageSeries {
  /** Name as the file gives it; "" when it gives none. */
  name: string;
  /** The ones that exist out of "t", "c", "z", "y", "x", in that order. */
  axes: ("t" | "c" | "z" | "y" | "x")[];
  /** Element type of the pixels. */
  dtype: DType;
  /** Resolutions in the file; where there is one only, smaller ones are made. */
  levels: ImageLevel[];
  /** Micrometres per pixel; undefined where the file does not say. */
  pixelSizeMicrometres?: { x?: number; y?: number; z?: number };
  /** Seconds from one time point to the next. */
  timeStepSeconds?: number;
  /** Name, colour (RRGGBB) and display range of each channel. */
  channels?: { name?: string; color?: string; window?: { min: number; max: number } }[];
  /** "label": nearest-neighbour pyramid; "intensity": mean; "auxiliary": thumbnail or macro. */
  role?: "intensity" | "label" | "auxiliary";
  /** Anything else known of the image. */
  attributes?: Attributes;
}

/** The SPARC FUSE vocabulary of root attributes a reader can know; the rest is "unknown". */
export interface DatasetMetadata {
  /** ISO 8601, with zone when the file gives one. */
  startTime?: string;
  /** Species of the subject. */
  species?: string;
  /** Where in the body the data come from. */
  anatomicalLocation?: string;
  /** Kind of measurement: "electrophysiology", "microscopy" ... */
  modality?: string;
  /** Who took the data. */
  experimenter?: string;
  /** Where they were taken. */
  institution?: string;
  /** How sweeps were taken, where there are sweeps. */
  sweepMode?: string;
  /** Comments and journal of the file. */
  notes?: string;
  /** Header fields worth keeping, under the format's own names. */
  header?: Attributes;
  /** True when nothing in the format says which array is what, and it was found out from names and shapes. */
  autoMapped?: boolean;
  /** How it was found out: what was chosen, why, and what else would have been possible. */
  mapping?: Json;
}

/** A run of values of one field, in order, from a {@link StreamSource}. */
export interface StreamBlock {
  /** The field the values belong to, as layouts name it. */
  field: string;
  /** For channel fields: C-order `[channel, count]`; else `[count, ...inner]`. */
  values: NumericArray | string[];
  /** Samples or rows in this block. */
  count: number;
}

/** What a file holds. */
export interface Dataset {
  /** Format id. */
  format: string;
  /** Every file the layouts point into; index 0 is the file that was opened. */
  sources: ByteSource[];
  /** Frame runs that layouts point to by index. */
  frameTables: FrameTable[];
  /** Time series, one a clock and kind. */
  recordings: Recording[];
  /** Event tables. */
  events: EventTable[];
  /** Digital words whose edges are to be found. */
  digital: DigitalLines[];
  /** Images, each with its resolutions. */
  images: ImageSeries[];
  /** Everything else that is an array. */
  arrays: NamedArray[];
  /** Groups that are kept for their attributes, or for being there: paths as those of {@link Dataset.arrays}. */
  groups?: { path: string; attributes: Attributes }[];
  /** What the file says about itself. */
  metadata: DatasetMetadata;
  /** OME-XML or other document kept beside the data, path -> text. */
  documents?: Record<string, string>;
  /** What was doubtful or repaired, in words a user understands. */
  warnings: string[];
  /** What is in the file and not converted, and why. */
  leftOut: { what: string; why: string }[];
  /** A mapping descriptor that says what was found out of the file, for a user to correct (docs/mapping.md). */
  draftMapping?(): MappingDescriptor;
  /**
   * Opens a forward pass that feeds every array whose layout is `{kind: "stream", stream: id}`.
   * Blocks of different fields may alternate; within a field they are in order.
   */
  openStream?(id: string, options: { signal?: AbortSignal }): ReadableStream<StreamBlock>;
}

/** A Dataset with nothing in it yet, for readers to fill. */
export function emptyDataset(format: string, sources: ByteSource[]): Dataset {
  return {
    format,
    sources,
    frameTables: [],
    recordings: [],
    events: [],
    digital: [],
    images: [],
    arrays: [],
    metadata: {},
    warnings: [],
    leftOut: [],
  };
}

/** An event table held in memory: times in seconds plus columns of the same length. */
export function eventsFromValues(
  name: string,
  time: Float64Array,
  columns: Record<string, NumericArray | string[]> = {},
  attributes?: Attributes,
): EventTable {
  const make = (column: string, values: NumericArray | string[], dtype: DType): EventColumn => ({
    name: column,
    dtype,
    innerShape: [],
    layout: { kind: "values", values },
    ...(column === "time" ? { units: "s" } : {}),
  });
  const all: EventColumn[] = [make("time", time, "float64")];
  for (const [column, values] of Object.entries(columns)) {
    all.push(make(column, values, dtypeOf(values)));
  }
  return { name, count: time.length, columns: all, attributes };
}
