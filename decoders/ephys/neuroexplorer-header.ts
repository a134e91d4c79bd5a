/**
 * Headers of .nex files (544 bytes, then 208 a variable) and .nex5 files (356 bytes, then 244 a
 * variable). Source: Nex Technologies, ".nex and .nex5 File Format Specification".
 */
import { DEFAULT_LIMITS, ensure, FuseError, type Limits } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { hasText } from "../format.ts";
import { fieldText } from "./ansi-text.ts";

/** Kinds of variables, by their number in the file. */
export const VARIABLE_KINDS = [
  "neuron",
  "event",
  "interval",
  "waveform",
  "population_vector",
  "continuous",
  "marker",
] as const;

/** A variable of a file. */
export interface NexVariable {
  /** What it is. */
  kind: typeof VARIABLE_KINDS[number];
  /** Its name. */
  name: string;
  /** First byte of its data. */
  offset: number;
  /** Time stamps: spikes, events, intervals, markers; fragments of continuous variables. */
  count: number;
  /** Bytes of a time stamp: 4, or 8 for 64-bit stamps. */
  stampBytes: 4 | 8;
  /** Bytes of the index of a fragment's first point. */
  indexBytes: 4 | 8;
  /** How samples are stored. */
  sample: "int16" | "float32";
  /** Samples a second of waveforms and continuous variables. */
  rate: number;
  /** Units of the samples. */
  units: string;
  /** Units of one raw step, and of raw 0. */
  gain: number;
  /** Physical value of raw 0. */
  zero: number;
  /** Points of a waveform, or of the whole continuous variable. */
  points: number;
  /** Seconds of a waveform before its time stamp; 0 when not stated. */
  preThresholdSeconds: number;
  /** Whether markers are 32-bit numbers instead of texts. */
  numericMarkers: boolean;
  /** Fields of each marker. */
  markerFields: number;
  /** Bytes of a marker's text. */
  markerBytes: number;
  /** Electrode and unit, where stated. */
  wire?: number;
  /** Number of the sorted unit. */
  unit?: number;
}

/** What a file says of itself. */
export interface NexHeader {
  /** Whether it is .nex5. */
  wide: boolean;
  /** Version of the format. */
  version: number;
  /** Comment of the file. */
  comment: string;
  /** Time stamps a second. */
  frequency: number;
  /** First and last time stamp of the file. */
  begin: number;
  /** Last time stamp. */
  end: number;
  /** All variables. */
  variables: NexVariable[];
  /** Metadata as JSON text (.nex5); "" when there is none. */
  metadata: string;
}

const NEX_FILE = 544, NEX_VARIABLE = 208, NEX5_FILE = 356, NEX5_VARIABLE = 244;

/** Reads the header of a file and of its variables. @throws FuseError for whatever contradicts the specification */
export async function readHeader(
  source: ByteSource,
  limits: Limits = DEFAULT_LIMITS,
  signal?: AbortSignal,
): Promise<NexHeader> {
  const { name, size } = source;
  if (size === undefined) {
    throw new FuseError("NeedsRandomAccess", "NeuroExplorer files are read by byte ranges", {
      source: name,
      remedy: "Save the stream to a file first.",
    });
  }
  const options = { purpose: "header", signal } as const;
  const head = await source.readUpTo(0, 65_536, options);
  const wide = hasText(head, 0, "NEX5");
  ensure(wide || hasText(head, 0, "NEX1"), "not a NeuroExplorer file", {
    source: name,
    offset: 0,
    expected: "NEX1 or NEX5",
  });
  const fileBytes = wide ? NEX5_FILE : NEX_FILE;
  const variableBytes = wide ? NEX5_VARIABLE : NEX_VARIABLE;
  const short = (expected: number) =>
    new FuseError("Truncated", "the file ends inside its header", {
      source: name,
      found: `${size} bytes`,
      expected: `${expected} bytes`,
    });
  if (head.length < fileBytes) throw short(fileBytes);
  const view = viewOf(head);
  const frequency = view.getFloat64(264, true);
  ensure(frequency > 0 && Number.isFinite(frequency), "impossible time stamp frequency", {
    source: name,
    offset: 264,
    found: frequency,
  });
  const count = view.getInt32(280, true);
  ensure(count >= 0, "a negative number of variables", { source: name, offset: 280, found: count });
  if (count > limits.items) {
    throw new FuseError("Limit", "too many variables", {
      source: name,
      offset: 280,
      found: count,
      expected: `at most ${limits.items}`,
    });
  }
  const all = fileBytes + count * variableBytes;
  if (size < all) throw short(all);
  const table = head.length >= all ? head : await source.read(0, all, options);
  const rows = viewOf(table);
  const version = view.getInt32(4, true);
  const variables = Array.from({ length: count }, (_, i) => {
    const at = fileBytes + i * variableBytes;
    const kind = VARIABLE_KINDS[rows.getInt32(at, true)];
    ensure(kind, "a variable of an unknown type", {
      source: name,
      offset: at,
      found: rows.getInt32(at, true),
      expected: "0 to 6",
    });
    const row = new DataView(rows.buffer, rows.byteOffset + at, variableBytes);
    const label = fieldText(table.subarray(at + 8, at + 72)) || `${kind}_${i + 1}`;
    return wide
      ? nex5Variable(row, table, at, kind, label)
      : nexVariable(row, kind, label, version);
  });
  const metaOffset = wide ? Number(view.getBigUint64(284, true)) : 0;
  const metaBytes = size - metaOffset;
  const hasMeta = metaOffset >= all && metaBytes > 0 && metaBytes <= limits.headerBytes;
  return {
    wide,
    version,
    comment: fieldText(head.subarray(8, 264)),
    frequency,
    begin: wide ? Number(view.getBigInt64(272, true)) : view.getInt32(272, true),
    end: wide ? Number(view.getBigInt64(292, true)) : view.getInt32(276, true),
    variables,
    metadata: hasMeta ? fieldText(await source.read(metaOffset, metaBytes, options)) : "",
  };
}

function nexVariable(
  row: DataView,
  kind: NexVariable["kind"],
  name: string,
  fileVersion: number,
): NexVariable {
  const i32 = (at: number) => row.getInt32(at, true),
    f64 = (at: number) => row.getFloat64(at, true);
  const version = i32(4);
  return {
    kind,
    name,
    // Declared signed, but written as the low 32 bits: data past 2 GiB would seem negative.
    offset: row.getUint32(72, true),
    count: i32(76),
    stampBytes: 4,
    indexBytes: 4,
    sample: "int16",
    rate: f64(112),
    units: "mV",
    gain: f64(120),
    // Offsets came with file version 104, whatever the version of the variable.
    zero: (fileVersion >= 104 || version > 100) && Number.isFinite(f64(140)) ? f64(140) : 0,
    points: i32(128),
    preThresholdSeconds: (fileVersion >= 105 || version > 100) && Number.isFinite(f64(148))
      ? f64(148)
      : 0,
    numericMarkers: false,
    markerFields: i32(132),
    markerBytes: i32(136),
    ...(version > 100 && (kind === "neuron" || kind === "waveform")
      ? { wire: i32(80), unit: i32(84) }
      : {}),
  };
}

function nex5Variable(
  row: DataView,
  table: Uint8Array,
  at: number,
  kind: NexVariable["kind"],
  name: string,
): NexVariable {
  const i32 = (o: number) => row.getInt32(o, true), f64 = (o: number) => row.getFloat64(o, true);
  const u64 = (o: number) => Number(row.getBigUint64(o, true));
  const float = i32(92) === 1;
  return {
    kind,
    name,
    offset: u64(72),
    count: u64(80),
    stampBytes: i32(88) === 1 ? 8 : 4,
    indexBytes: i32(180) === 1 ? 8 : 4,
    sample: float ? "float32" : "int16",
    rate: f64(96),
    units: fieldText(table.subarray(at + 104, at + 136)) || "mV",
    // Floats are stored in the unit itself.
    gain: float ? 1 : f64(136),
    zero: float ? 0 : f64(144),
    points: u64(152),
    preThresholdSeconds: Number.isFinite(f64(160)) ? f64(160) : 0,
    numericMarkers: i32(168) === 1,
    markerFields: i32(172),
    markerBytes: i32(176),
  };
}
