/** Opens a flat recording by what is told of it: a descriptor, a sidecar, or the `params.py` beside it. */
import { DEFAULT_LIMITS, FuseError, type Limits } from "../../src/errors.ts";
import {
  type Attributes,
  type ChannelPart,
  type Dataset,
  emptyDataset,
} from "../../src/model/dataset.ts";
import { sizeOf } from "../../src/model/dtype.ts";
import { type FrameRun, frameTable } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import type { FlatMapping } from "../mapping/descriptor-types.ts";
import { dataFiles, describes, type Params, PARAMS_FILE, readParams } from "./flat-params.ts";
import { type FlatShape, readSidecar, sampleType, shapeOf, SIDECAR } from "./flat-shape.ts";

const FORMAT = "flat";

/** The reader of the format "flat". */
export const reader: Reader = { open: openFlat };

async function openFlat(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const stated = await statedShape(source, options);
  const { shape, params } = stated;
  const dataset = emptyDataset(FORMAT, [source]);
  const members = params ? await membersOf(source, params, options) : [source];
  const { parts, sampleCount } = shape.planar
    ? planarParts(dataset, source, shape)
    : interleavedParts(dataset, members, shape);
  const { names, units, gains, offsets, rate } = shape;
  dataset.recordings.push({
    name: "signals",
    channels: names.map((name, i) => ({
      name,
      units: units[i],
      gain: gains[i],
      offset: offsets[i],
    })),
    samplingFrequency: rate,
    sampleCount,
    segments: [{ startIndex: 0, length: sampleCount, startSeconds: 0 }],
    rawType: shape.type,
    ...(rate === null ? { timeGenerated: true } : {}),
    parts,
  });
  dataset.warnings.push(...stated.warnings);
  dataset.metadata = { modality: "electrophysiology", header: stated.header };
  if (stated.flat) describe(dataset, stated.flat);
  if (stated.by) dataset.metadata.mapping = { by: stated.by };
  return dataset;
}

/** What is known of a file's shape, and from where. */
interface Stated {
  shape: FlatShape;
  header: Attributes;
  warnings: string[];
  /** Name of the file that says it; absent when the caller did. */
  by?: string;
  flat?: FlatMapping;
  params?: Params;
}

/** The shape: of the descriptor that is given, of the sidecar, or of the params.py beside the file. */
async function statedShape(source: ByteSource, options: OpenOptions): Promise<Stated> {
  const { signal, mapping, limits = DEFAULT_LIMITS } = options;
  const from = mapping?.descriptor.kind === "flat"
    ? { from: mapping.from, flat: mapping.descriptor }
    : await readSidecar(source, signal);
  if (from) {
    const { flat } = from;
    if (flat.channels > limits.items) {
      throw new FuseError("Limit", "more channels than allowed", {
        source: from.from,
        found: flat.channels,
        expected: `at most ${limits.items}`,
      });
    }
    const { $schema: _schema, metadata: _metadata, ...header } = flat;
    return {
      shape: shapeOf(flat, from.from),
      header: header as Attributes,
      warnings: [],
      ...(mapping ? {} : { by: from.from, flat }),
    };
  }
  const file = await source.sibling(PARAMS_FILE);
  const params: Params = file ? await readParams(file, signal) : new Map();
  await file?.close();
  if (!describes(params, source.name)) {
    throw new FuseError("UnknownFormat", "nothing tells the shape of this file", {
      source: source.name,
      expected:
        `--dtype and --channels, ${source.name}${SIDECAR}, or a ${PARAMS_FILE} that names it`,
    });
  }
  const header: Attributes = {};
  for (const [key, value] of params) {
    if (key !== "dat_path" && !Number.isNaN(value)) header[key] = value;
  }
  const warnings: string[] = [];
  return {
    shape: shapeOfParams(params, limits, warnings),
    header: { ...header, dat_path: dataFiles(params) },
    warnings,
    by: PARAMS_FILE,
    params,
  };
}

/** What a sidecar says beside the shape. */
function describe({ metadata }: Dataset, flat: FlatMapping): void {
  const { start_time, metadata: more = {} } = flat;
  if (start_time !== undefined) metadata.startTime = start_time.replace(" ", "T");
  const { anatomical_location: anatomicalLocation, ...rest } = more;
  Object.assign(metadata, rest, anatomicalLocation === undefined ? {} : { anatomicalLocation });
}

function shapeOfParams(params: Params, limits: Limits, warnings: string[]): FlatShape {
  const channelCount = wholeNumber(params, "n_channels_dat", 1, limits.items);
  const headerBytes = params.has("offset")
    ? wholeNumber(params, "offset", 0, Number.MAX_SAFE_INTEGER)
    : 0;
  const dtype = params.get("dtype");
  const stated = typeof dtype === "string" ? sampleType(dtype) : undefined;
  if (!stated) throw wrongParameter(params, "dtype", "a NumPy integer or float type such as int16");
  const each = <T>(value: T) => new Array<T>(channelCount).fill(value);
  return {
    type: stated.type,
    littleEndian: stated.littleEndian ?? true,
    channelCount,
    rate: rateOf(params, warnings),
    planar: false,
    headerBytes,
    names: each("").map((_, i) => `ch${i}`),
    units: each(""),
    gains: each(1),
    offsets: each(0),
  };
}

/** All channels of a sample, then all of the next, in one file or several. */
function interleavedParts(
  dataset: Dataset,
  members: ByteSource[],
  { type, littleEndian, channelCount, headerBytes }: FlatShape,
): { parts: ChannelPart[]; sampleCount: number } {
  const width = sizeOf(type), frameBytes = width * channelCount;
  const runs: FrameRun[] = members.map((member) => {
    const at = dataset.sources.indexOf(member);
    const source = at >= 0 ? at : dataset.sources.push(member) - 1;
    const frameCount = framesOf(member, headerBytes, frameBytes, dataset);
    return { source, offset: headerBytes, frameCount };
  });
  dataset.frameTables.push(frameTable(frameBytes, runs));
  return {
    sampleCount: runs.reduce((n, run) => n + run.frameCount, 0),
    parts: [{
      firstChannel: 0,
      channelCount,
      layout: {
        ...framed(type, littleEndian),
        table: 0,
        channelOffsets: Array.from({ length: channelCount }, (_, i) => i * width),
      },
    }],
  };
}

/** Frames of one sample. */
function framed(type: FlatShape["type"], littleEndian: boolean) {
  return {
    kind: "frames" as const,
    stored: type,
    littleEndian,
    samplesPerFrame: 1,
    sampleStride: 0,
  };
}

/** A channel after the other. @throws FuseError `Corrupt` when the channels would not be of one length. */
function planarParts(
  dataset: Dataset,
  file: ByteSource,
  { type, littleEndian, channelCount, headerBytes }: FlatShape,
): { parts: ChannelPart[]; sampleCount: number } {
  const width = sizeOf(type);
  const bytes = bytesAfter(file, headerBytes);
  if (bytes % (width * channelCount)) {
    throw new FuseError("Corrupt", "the samples cannot be shared among the channels", {
      source: file.name,
      format: FORMAT,
      found: `${bytes} bytes after the header`,
      expected: `a multiple of ${channelCount} channels x ${width} bytes`,
      remedy: "Check the number of channels, the type and --header-bytes",
    });
  }
  const sampleCount = bytes / (width * channelCount);
  if (sampleCount === 0) throw noSamples(file, headerBytes);
  const parts = Array.from({ length: channelCount }, (_, channel): ChannelPart => {
    const offset = headerBytes + channel * sampleCount * width;
    const runs = [{ source: 0, offset, frameCount: sampleCount }];
    const table = dataset.frameTables.push(frameTable(width, runs)) - 1;
    return {
      firstChannel: channel,
      channelCount: 1,
      layout: { ...framed(type, littleEndian), table, channelOffsets: [0] },
    };
  });
  return { sampleCount, parts };
}

function wrongParameter(params: Params, field: string, expected: string): FuseError {
  return new FuseError("Corrupt", "a parameter is missing or wrong", {
    source: PARAMS_FILE,
    format: FORMAT,
    field,
    found: params.get(field) ?? "nothing",
    expected,
  });
}

function wholeNumber(params: Params, field: string, least: number, most: number): number {
  const value = params.get(field);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) {
    return value;
  }
  throw wrongParameter(params, field, `a whole number from ${least} to ${most}`);
}

function rateOf(params: Params, warnings: string[]): number | null {
  const value = params.get("sample_rate");
  if (value === undefined) return null;
  if (Number.isNaN(value)) {
    warnings.push(`${PARAMS_FILE} gives no sampling rate (nan): the sample index is the time`);
    return null;
  }
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw wrongParameter(params, "sample_rate", "a number above 0");
}

/** The recording's files in the order of time. @throws FuseError `Truncated` when one is not there. */
async function membersOf(
  source: ByteSource,
  params: Params,
  { alone, limits = DEFAULT_LIMITS }: OpenOptions,
): Promise<ByteSource[]> {
  const names = dataFiles(params);
  if (alone || names.length === 1) return [source];
  if (names.length > limits.items) throw wrongParameter(params, "dat_path", "fewer files");
  const members: ByteSource[] = [];
  for (const name of names) {
    const isOpened = name.toLowerCase() === source.name.toLowerCase();
    const member = isOpened ? source : await source.sibling(name);
    if (!member) {
      throw new FuseError("Truncated", `${name} is not there`, {
        source: source.name,
        format: FORMAT,
        remedy: `Put the files that ${PARAMS_FILE} names into one folder`,
      });
    }
    members.push(member);
  }
  return members;
}

/** Bytes of samples. @throws FuseError `Truncated` when the header is not even there. */
function bytesAfter(file: ByteSource, headerBytes: number): number {
  const bytes = (file.size ?? 0) - headerBytes;
  if (bytes < 0) throw noSamples(file, headerBytes);
  return bytes;
}

function noSamples(file: ByteSource, headerBytes: number): FuseError {
  return new FuseError("Truncated", "the file ends before its samples begin", {
    source: file.name,
    format: FORMAT,
    field: "offset",
    found: `${file.size} bytes`,
    expected: `more than ${headerBytes}`,
  });
}

function framesOf(
  file: ByteSource,
  headerBytes: number,
  frameBytes: number,
  dataset: Dataset,
): number {
  const bytes = bytesAfter(file, headerBytes);
  const rest = bytes % frameBytes;
  if (rest) {
    dataset.leftOut.push({
      what: `the last ${rest} bytes of ${file.name}`,
      why: "a scan of all channels that was cut short",
    });
    dataset.warnings.push(
      `${file.name}: ${bytes} bytes are no multiple of ${frameBytes} (all channels of a sample): ` +
        "the file was cut short, or its shape is another",
    );
  }
  return Math.floor(bytes / frameBytes);
}
