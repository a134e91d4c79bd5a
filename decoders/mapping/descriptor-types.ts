/** Mapping descriptors as types; `descriptor.ts` checks JSON against the same shapes (docs/mapping.md). */

/** Unit of times. */
export type TimeUnit = "s" | "ms" | "us" | "ns" | "min" | "h" | "d";

/** Time by a constant rate. */
export interface RateTime {
  /** Samples per second. */
  rate_hz: number;
  /** Time of the first sample, seconds. */
  start_s?: number;
}

/** Nothing gives the time: the sample index stands for it. */
export interface IndexTime {
  /** Always true. */
  index: true;
}

/** What a descriptor says of the recording beside its arrays. */
export interface MappingMetadata {
  /** Species of the subject. */
  species?: string;
  /** Where in the body the data come from. */
  anatomical_location?: string;
  /** Kind of measurement. */
  modality?: string;
  /** Who took the data. */
  experimenter?: string;
  /** Where they were taken. */
  institution?: string;
  /** Comments. */
  notes?: string;
}

/** What every descriptor may say. */
export interface MappingBase {
  /** The schema, for editors. */
  $schema?: string;
  /** What the descriptor is called in outputs. */
  name: string;
  /** What it is for, and where its facts come from. */
  about?: string;
  /** SPARC datasets whose files it is for. */
  datasets?: number[];
  /** File name patterns (`*`, `**`, `?`) it is for; all files when absent. */
  files?: string[];
  /** Start of the recording, ISO 8601. */
  start_time?: string;
  /** Root attributes of the output. */
  metadata?: MappingMetadata;
}

/** A column: its header as it stands, its name without the unit, or its number from 0. */
export type ColumnName = string | number;

/** A column that is a channel. */
export interface TableSignal {
  /** The column. */
  column: ColumnName;
  /** Name of the channel; the column's when absent. */
  name?: string;
  /** Unit; the one in the header when absent. */
  unit?: string;
  /** Physical units of one step. */
  gain?: number;
  /** Physical value of 0. */
  offset?: number;
}

/** Columns of delimited text. */
export interface TableMapping extends MappingBase {
  /** What the descriptor is for. */
  kind: "table";
  /** What is between cells; found out when absent. */
  separator?: "," | ";" | "\t" | "|" | "blanks";
  /** The decimal mark; found out when absent. */
  decimal?: "." | ",";
  /** Records above the header. */
  skip_rows?: number;
  /** Records of the header; 0: none. */
  header_rows?: number;
  /** The time: one column (or a date and a clock), a rate, or nothing; found out when absent. */
  time?:
    | { column: ColumnName | ColumnName[]; unit?: TimeUnit; dates?: "day-first" | "month-first" }
    | RateTime
    | IndexTime;
  /** Channels, or the columns among which those of numbers are channels; all of them when absent. */
  signals?: TableSignal[] | { from: number; to?: number };
  /** Columns filled now and then, whose cells are events. */
  events?: ColumnName[];
  /** Long format: columns that tell rows of different channels apart. */
  group_by?: ColumnName[];
  /** What the rows are; series when absent. */
  shape?: "series" | "events" | "table";
}

/** Where a value of a file is: in a small array, or in an attribute of an array or group (the root). */
export type Reference = { variable: string } | { attribute: string; of?: string };

/** Texts, one name that is numbered, or where the texts are. */
export type Texts = string[] | { numbered: string } | Reference;

/** An array, or the arrays of a pattern, that are channels. */
export interface ArraySignal {
  /** Path; `{name}` stands for any one segment, `*` for any part of one. */
  variable: string;
  /** Name of each channel; made of the array's when absent. */
  names?: Texts;
  /** Unit of each channel. */
  units?: string | Texts;
  /** Axis of the samples; that of the times' length, or the longest, when absent. */
  time_axis?: number;
  /** Physical units of one step. */
  gain?: number;
  /** Physical value of 0. */
  offset?: number;
}

/** A recording among arrays. */
export interface ArrayRecording {
  /** Name; may hold `{names}` of its paths. */
  name?: string;
  /** Its channels, in their order. */
  signals: ArraySignal[];
  /** When its samples were taken. */
  time:
    | { variable: string; unit?: TimeUnit; column?: number }
    | RateTime
    | { rate: Reference; unit?: "Hz" | "kHz" | "MHz"; start_s?: number }
    | { interval: Reference; unit?: TimeUnit; start_s?: number }
    | IndexTime;
  /** Rate to state beside a vector of times. */
  rate_hz?: number;
  /** The `{name}` that is a moment (ISO 8601): its arrays follow each other in time. */
  segments_by?: string;
  /** The arrays that fit a pattern are equal sweeps, one after the other. */
  sweeps?: boolean;
  /** No error when no array has its path. */
  optional?: boolean;
  /** Small arrays to keep as attributes of the recording, by name. */
  attributes?: Record<string, string>;
}

/** Events among arrays. */
export interface ArrayEvents {
  /** What the table is called. */
  name: string;
  /** When its samples were taken. */
  time: { variable: string; unit?: TimeUnit };
  /** A text for each event. */
  labels?: Texts;
  /** No error when no array has its path. */
  optional?: boolean;
}

/** Arrays of a MAT or HDF5 file. */
export interface ArrayMapping extends MappingBase {
  /** What the descriptor is for. */
  kind: "mat" | "hdf5";
  /** A shape the reader knows by itself, instead of recordings: "labchart", "evoked" ... */
  layout?: string;
  /** What becomes a recording. */
  recordings?: ArrayRecording[];
  /** What becomes an event table. */
  events?: ArrayEvents[];
}

/** The bytes of a file without a header of its own. */
export interface FlatMapping extends MappingBase {
  /** What the descriptor is for. */
  kind: "flat";
  /** Type of a sample: "int16", "float32", NumPy's "<i2", ">f4" ... */
  dtype: string;
  /** Number of channels. */
  channels: number;
  /** Samples per second; the sample index is the time when absent. */
  rate?: number;
  /** All channels of a sample, then the next (sample-major), or a channel after the other. */
  order?: "sample-major" | "channel-major";
  /** Byte order; little when absent. */
  byte_order?: "little" | "big";
  /** Bytes before the first sample. */
  header_bytes?: number;
  /** Physical units of one step, for all channels or each. */
  gain?: number | number[];
  /** Physical value of 0, for all channels or each. */
  offset?: number | number[];
  /** Unit of each channel. */
  units?: string | string[];
  /** Name of each channel; made of the array's when absent. */
  names?: string[];
}

/** A format that says all by itself: nothing is overridden. */
export interface FormatMapping extends MappingBase {
  /** What the descriptor is for. */
  kind: "format";
  /** Format id, see `formats`. */
  format: string;
}

/** A mapping descriptor. */
export type MappingDescriptor = TableMapping | ArrayMapping | FlatMapping | FormatMapping;

/** A descriptor in use. */
export interface MappingUse {
  /** What it says. */
  descriptor: MappingDescriptor;
  /** Where it comes from: "file map.json", "shipped", "flags", "rec.dat.json". */
  from: string;
  /** sha256 of the descriptor as JSON, hexadecimal. */
  sha256: string;
  /**
   * What is passed over with a warning: "format" where the file is of another format (the descriptor was
   * given for many files), "all" where it does not fit either (it was chosen by the file's name).
   */
  lenient?: "format" | "all";
}
