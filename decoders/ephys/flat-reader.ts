/** Opens a flat recording by the `params.py` beside it. */
import { DEFAULT_LIMITS, FuseError, type Limits, toFuseError } from "../../src/errors.ts";
import { type Attributes, type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import { type DType, sizeOf } from "../../src/model/dtype.ts";
import { type FrameRun, frameTable } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { dataFiles, describes, type Params, PARAMS_FILE, readParams } from "./flat-params.ts";

const FORMAT = "flat";

/** The reader of the format "flat". */
export const reader: Reader = {
  async open(source, options) {
    try {
      return await openFlat(source, options);
    } catch (error) {
      throw toFuseError(error, "Corrupt", { source: source.name, format: FORMAT });
    }
  },
};

async function openFlat(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal, limits = DEFAULT_LIMITS } = options;
  const file = await source.sibling(PARAMS_FILE);
  const params: Params = file ? await readParams(file, signal) : new Map();
  await file?.close();
  if (!describes(params, source.name)) {
    throw new FuseError("UnknownFormat", "nothing tells the shape of this file", {
      source: source.name,
      expected: `${PARAMS_FILE} beside it with dat_path, n_channels_dat and dtype`,
    });
  }
  const channelCount = wholeNumber(params, "n_channels_dat", 1, limits.items);
  const offset = params.has("offset")
    ? wholeNumber(params, "offset", 0, Number.MAX_SAFE_INTEGER)
    : 0;
  const { type, littleEndian } = typeOf(params);
  const width = sizeOf(type), frameBytes = width * channelCount;
  const dataset = emptyDataset(FORMAT, [source]);
  const runs: FrameRun[] = [];
  for (const member of await membersOf(source, params, options, limits)) {
    const at = dataset.sources.indexOf(member);
    const index = at >= 0 ? at : dataset.sources.push(member) - 1;
    runs.push({ source: index, offset, frameCount: framesOf(member, offset, frameBytes, dataset) });
  }
  const sampleCount = runs.reduce((n, run) => n + run.frameCount, 0);
  dataset.frameTables.push(frameTable(frameBytes, runs));
  const samplingFrequency = rateOf(params);
  dataset.recordings.push({
    name: "signals",
    channels: Array.from(
      { length: channelCount },
      (_, i) => ({ name: `ch${i}`, units: "", gain: 1, offset: 0 }),
    ),
    samplingFrequency,
    sampleCount,
    segments: [{ startIndex: 0, length: sampleCount, startSeconds: 0 }],
    rawType: type,
    ...(samplingFrequency === null ? { timeGenerated: true } : {}),
    parts: [{
      firstChannel: 0,
      channelCount,
      layout: {
        kind: "frames",
        table: 0,
        stored: type as Exclude<DType, "string" | "bool">,
        littleEndian,
        samplesPerFrame: 1,
        channelOffsets: Array.from({ length: channelCount }, (_, i) => i * width),
        sampleStride: 0,
      },
    }],
  });
  const header: Attributes = {};
  for (const [key, value] of params) {
    if (key !== "dat_path") header[key] = value;
  }
  dataset.metadata = {
    modality: "electrophysiology",
    header: { ...header, dat_path: dataFiles(params) },
  };
  return dataset;
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

function rateOf(params: Params): number | null {
  const value = params.get("sample_rate");
  if (value === undefined) return null;
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw wrongParameter(params, "sample_rate", "a number above 0");
}

/** NumPy's names of types: "int16", "<i2", ">f4". Without a byte order it is little-endian. */
function typeOf(params: Params): { type: DType; littleEndian: boolean } {
  const value = params.get("dtype");
  const long = /^(?:u?int(?:8|16|32|64)|float(?:32|64))$/;
  if (typeof value === "string") {
    const name = value.trim();
    if (long.test(name)) return { type: name as DType, littleEndian: true };
    const match = /^([<>=|]?)([iuf])([1248])$/.exec(name);
    const type = match &&
      `${{ i: "int", u: "uint", f: "float" }[match[2]]}${8 * Number(match[3])}`;
    if (type && long.test(type)) return { type: type as DType, littleEndian: match[1] !== ">" };
  }
  throw wrongParameter(params, "dtype", "a NumPy integer or float type such as int16");
}

/** The recording's files in the order of time. @throws FuseError `Truncated` when one is not there. */
async function membersOf(
  source: ByteSource,
  params: Params,
  options: OpenOptions,
  limits: Limits,
): Promise<ByteSource[]> {
  const names = dataFiles(params);
  if (options.alone || names.length === 1) return [source];
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

function framesOf(
  file: ByteSource,
  offset: number,
  frameBytes: number,
  dataset: Dataset,
): number {
  const bytes = (file.size ?? 0) - offset;
  if (bytes < 0) {
    throw new FuseError("Truncated", "the file ends before its samples begin", {
      source: file.name,
      format: FORMAT,
      field: "offset",
      found: `${file.size} bytes`,
      expected: `more than ${offset}`,
    });
  }
  if (bytes % frameBytes) {
    dataset.leftOut.push({
      what: `the last ${bytes % frameBytes} bytes of ${file.name}`,
      why: "a scan of all channels that was cut short",
    });
  }
  return Math.floor(bytes / frameBytes);
}
