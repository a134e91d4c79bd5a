/**
 * The header file of a BrainVision set (Brain Products, BrainVision Core Data Format 1.0; the Generic Data
 * Format of BrainVision Analyzer, which has more of the same).
 */
import { ensure, FuseError, type Limits } from "../../src/errors.ts";
import type { Json } from "../../src/model/dataset.ts";
import type { StoredType } from "../../src/model/dtype.ts";
import { fieldsOf, type IniFile, parseIni } from "./brainvision-text.ts";

/** A channel, by its entries in several sections. */
export interface BrainVisionChannel {
  name: string;
  reference: string;
  /** Units of one step; 1 where none is given. */
  resolution: number;
  units: string;
  /** Radius, theta and phi of the electrode. */
  coordinates?: [number, number, number];
  /** kOhm as written, "???" included. */
  impedance?: string;
}

/** How binary samples lie in the data file. */
export interface BinaryForm {
  stored: StoredType;
  sampleBytes: number;
  littleEndian: boolean;
  /** Bytes before all data, behind them, before each channel, and before each segment. */
  dataOffset: number;
  trailerBytes: number;
  channelOffset: number;
  segmentHeaderBytes: number;
}

/** How numbers lie in a text file. */
export interface AsciiForm {
  decimal: "." | ",";
  skipLines: number;
  skipColumns: number;
}

/** A header file. */
export interface BrainVisionHeader {
  dataFile: string;
  markerFile: string;
  isVectorized: boolean;
  channels: BrainVisionChannel[];
  samplingFrequency: number;
  /** Samples of a channel, where the header says. */
  dataPoints: number | undefined;
  /** Samples of a segment, where all are of one length. */
  segmentPoints: number | undefined;
  binary?: BinaryForm;
  ascii?: AsciiForm;
  /** V-Amp data have one channel more than their header says. */
  isVAmp: boolean;
  comment: string;
  fields: Record<string, Json>;
  warnings: string[];
}

/** Values of BinaryFormat. */
const FORMATS: Record<string, [StoredType, number]> = {
  int_16: ["int16", 2],
  uint_16: ["uint16", 2],
  int_32: ["int32", 4],
  ieee_float_32: ["float32", 4],
  ieee_float_64: ["float64", 8],
};
/** Unit of channels whose entry has none. */
const DEFAULT_UNITS = "\u00b5V";

/**
 * Parses the text of a header file.
 * @throws FuseError `Corrupt` where the samples cannot be found without what is wrong, `Unsupported`.
 */
export function parseBrainVision(text: string, source: string, limits: Limits): BrainVisionHeader {
  const file = parseIni(text);
  const place = { source, format: "brainvision" };
  const common = (key: string) => file.sections.get("common infos")?.entries.get(key.toLowerCase());
  const warnings: string[] = [];
  const dataType = common("DataType") ?? "TIMEDOMAIN";
  if (!/^time_?domain$/i.test(dataType)) {
    throw new FuseError("Unsupported", "data that are no time series", {
      ...place,
      field: "DataType",
      found: dataType,
      expected: "TIMEDOMAIN",
    });
  }
  const count = wholeNumber(common("NumberOfChannels"));
  ensure(
    count !== undefined && count > 0 && count <= limits.items,
    "impossible number of channels",
    {
      ...place,
      field: "NumberOfChannels",
      found: common("NumberOfChannels") ?? "nothing",
    },
  );
  const interval = Number(common("SamplingInterval")?.replace(",", ".") || NaN);
  ensure(interval > 0 && Number.isFinite(interval), "no sampling interval", {
    ...place,
    field: "SamplingInterval",
    found: common("SamplingInterval") ?? "nothing",
    expected: "microseconds above 0",
  });
  const orientation = common("DataOrientation") ?? "MULTIPLEXED";
  ensure(/^(multiplexed|vectorized)$/i.test(orientation), "unknown order of the samples", {
    ...place,
    field: "DataOrientation",
    found: orientation,
    expected: "MULTIPLEXED or VECTORIZED",
  });
  const form = common("DataFormat") ?? "BINARY";
  ensure(/^(binary|ascii)$/i.test(form), "unknown form of the samples", {
    ...place,
    field: "DataFormat",
    found: form,
    expected: "BINARY or ASCII",
  });
  const isAscii = /^ascii$/i.test(form);
  const segmentPoints = wholeNumber(common("SegmentDataPoints"));
  const isSegmented = segmentPoints !== undefined && segmentPoints > 0 &&
    !/^notsegmented$/i.test(common("SegmentationType") ?? "");
  const dataPoints = wholeNumber(common("DataPoints"));
  return {
    dataFile: common("DataFile") ?? "",
    markerFile: common("MarkerFile") ?? "",
    isVectorized: /^vectorized$/i.test(orientation),
    channels: readChannels(file, count, warnings),
    samplingFrequency: 1e6 / interval,
    dataPoints: dataPoints !== undefined && dataPoints > 0 ? dataPoints : undefined,
    segmentPoints: isSegmented ? segmentPoints : undefined,
    ...(isAscii
      ? { ascii: readAsciiForm(file) }
      : { binary: readBinaryForm(file, source, warnings) }),
    isVAmp: /\bV-Amp\b/i.test(file.firstLine),
    comment: file.comment,
    fields: readFields(file),
    warnings,
  };
}

function wholeNumber(text: string | undefined): number | undefined {
  const value = /^\d+$/.test(text ?? "") ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function readChannels(file: IniFile, count: number, warnings: string[]): BrainVisionChannel[] {
  const entries = file.sections.get("channel infos")?.entries;
  const coordinates = file.sections.get("coordinates")?.entries;
  const impedances = readImpedances(file.comment);
  let unnamed = 0;
  const channels = Array.from({ length: count }, (_, i): BrainVisionChannel => {
    const entry = entries?.get(`ch${i + 1}`);
    if (entry === undefined) unnamed++;
    const [name = "", reference = "", resolution = "", units = ""] = fieldsOf(entry ?? "");
    const step = resolution === "" ? 1 : Number(resolution);
    if (!Number.isFinite(step) || step === 0) {
      warnings.push(`channel ${name}: its resolution is no number ("${resolution}"): 1 is taken`);
    }
    const place = coordinates?.get(`ch${i + 1}`)?.split(",").map(Number);
    const impedance = impedances.get(name);
    return {
      name: name || `Ch${i + 1}`,
      reference,
      resolution: Number.isFinite(step) && step !== 0 ? step : 1,
      units: units || DEFAULT_UNITS,
      // A radius of 0 stands for no place on the head.
      ...(place?.length === 3 && place.every(Number.isFinite) && place[0] !== 0
        ? { coordinates: place as [number, number, number] }
        : {}),
      ...(impedance !== undefined ? { impedance } : {}),
    };
  });
  if (unnamed) warnings.push(`${unnamed} of ${count} channels have no entry of their own`);
  const listed = [...entries?.keys() ?? []].filter((key) => /^ch\d+$/.test(key)).length;
  if (listed > count) {
    warnings.push(
      `the header lists ${listed} channels and states ${count}: the first ones are taken`,
    );
  }
  return channels;
}

/** Impedances as BrainVision Recorder writes them into the comment: "Impedance [kOhm] at ... :", a line each. */
function readImpedances(comment: string): Map<string, string> {
  const lines = comment.split("\n");
  const start = lines.findLastIndex((line) => /^Impedance \[k?Ohm\]/i.test(line.trim()));
  const found = new Map<string, string>();
  for (let i = start + 1; start >= 0 && i < lines.length; i++) {
    const [, name, value] = /^(.+?):\s*(\S.*)$/.exec(lines[i].trim()) ?? [];
    if (name === undefined) break;
    found.set(name, value.trim());
  }
  return found;
}

function readBinaryForm(file: IniFile, source: string, warnings: string[]): BinaryForm {
  const entries = file.sections.get("binary infos")?.entries;
  const get = (key: string) => entries?.get(key.toLowerCase());
  const format = get("BinaryFormat");
  if (format === undefined) warnings.push("the header has no BinaryFormat: INT_16 is taken");
  const known = FORMATS[(format ?? "INT_16").toLowerCase()];
  if (!known) {
    throw new FuseError("Unsupported", "unknown binary form of the samples", {
      source,
      format: "brainvision",
      field: "BinaryFormat",
      found: format,
      expected: Object.keys(FORMATS).join(", ").toUpperCase(),
    });
  }
  return {
    stored: known[0],
    sampleBytes: known[1],
    littleEndian: !/^yes$/i.test(get("UseBigEndianOrder") ?? ""),
    dataOffset: wholeNumber(get("DataOffset")) ?? 0,
    trailerBytes: wholeNumber(get("TrailerSize")) ?? 0,
    channelOffset: wholeNumber(get("ChannelOffset")) ?? 0,
    segmentHeaderBytes: wholeNumber(get("SegmentHeaderSize")) ?? 0,
  };
}

function readAsciiForm(file: IniFile): AsciiForm {
  const entries = file.sections.get("ascii infos")?.entries;
  return {
    decimal: entries?.get("decimalsymbol") === "," ? "," : ".",
    skipLines: wholeNumber(entries?.get("skiplines")) ?? 0,
    skipColumns: wholeNumber(entries?.get("skipcolumns")) ?? 0,
  };
}

/** Sections whose entries are channels or keys of a signature, which is of use to its maker only. */
const LEFT_OUT = new Set(["channel infos", "coordinates", "signature"]);

function readFields(file: IniFile): Record<string, Json> {
  const fields: Record<string, Json> = { first_line: file.firstLine };
  for (const [key, { name, entries, keys }] of file.sections) {
    if (LEFT_OUT.has(key) || entries.size === 0) continue;
    fields[name] = Object.fromEntries(keys.map((k) => [k, entries.get(k.toLowerCase())!]));
  }
  const impedances = readImpedances(file.comment);
  const others = [...impedances].filter(([name]) => /^(ref|gnd|ground|reference)$/i.test(name));
  if (others.length) fields.impedance_kohm = Object.fromEntries(others);
  return fields;
}
