/** Opens BrainVision sets. */
import { DEFAULT_LIMITS, FuseError, type Limits, toFuseError } from "../../src/errors.ts";
import {
  type ChannelPart,
  type Dataset,
  emptyDataset,
  type Json,
} from "../../src/model/dataset.ts";
import { decodedType, type DType } from "../../src/model/dtype.ts";
import { type FrameLayout, type FrameRun, frameTable } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { type AsciiData, readAscii, SAMPLES, surveyAscii } from "./brainvision-ascii.ts";
import { type BinaryForm, type BrainVisionHeader, parseBrainVision } from "./brainvision-header.ts";
import {
  type MarkerClock,
  MARKERS,
  type MarkerSurvey,
  markerTable,
  MOST_SEGMENTS,
  segmentsBetween,
  streamMarkers,
  surveyMarkers,
} from "./brainvision-markers.ts";
import { findHeader, findMember, missing } from "./brainvision-set.ts";
import { decoderFor, kindOf } from "./brainvision-text.ts";
import { pullStream } from "./pull-stream.ts";

/** The reader of the format "brainvision". */
export const reader: Reader = {
  async open(source, options) {
    try {
      return await openSet(source, options);
    } catch (error) {
      throw toFuseError(error, "Corrupt", { source: source.name, format: "brainvision" });
    }
  },
};

async function openSet(opened: ByteSource, options: OpenOptions): Promise<Dataset> {
  const { signal, limits = DEFAULT_LIMITS } = options;
  if (opened.access !== "random" || opened.size === undefined) {
    throw new FuseError("NeedsRandomAccess", "a header names the files it belongs to", {
      source: opened.name,
      remedy: "Give the header file itself, not a pipe",
    });
  }
  const head = await opened.readUpTo(0, 256, { signal, purpose: "header" });
  const headerFile = kindOf(head) === "header" ? opened : await findHeader(opened, signal);
  if (!headerFile) throw missing("header (.vhdr) that names this file", opened);
  const header = await readHeader(headerFile, limits, signal);
  const dataset = emptyDataset("brainvision", [opened]);
  dataset.warnings.push(...header.warnings);
  /** The file that was opened is not opened twice. */
  const member = async (stated: string, extensions: string[]): Promise<ByteSource | null> => {
    const found = await findMember(headerFile, { stated, extensions }, dataset.warnings);
    if (found?.uri !== opened.uri) return found;
    await found.close();
    return opened;
  };
  const data = await member(header.dataFile, [".eeg", ".dat", ".avg"]);
  if (!data || data.size === undefined) {
    throw missing("data file", headerFile, { expected: header.dataFile || "a DataFile" });
  }
  const markers = await member(header.markerFile, [".vmrk", ".amrk"]);
  if (!markers && header.markerFile !== "") {
    dataset.warnings.push(`the marker file "${header.markerFile}" is not there`);
  }
  for (const file of [data, headerFile, markers]) {
    if (file && !dataset.sources.includes(file)) dataset.sources.push(file);
  }
  const dataSource = dataset.sources.indexOf(data);
  const survey = markers ? await surveyMarkers(markers, signal) : undefined;
  if (survey?.damaged) {
    dataset.warnings.push(`${survey.damaged} lines of the marker file are no markers: left out`);
  }
  const samples = header.ascii
    ? await addAscii(dataset, header, data, signal)
    : addBinary(dataset, header, header.binary!, dataSource, data);
  if (samples.count === 0) {
    throw new FuseError("Truncated", "the data file holds no samples", {
      source: data.name,
      format: "brainvision",
      offset: 0,
      found: `${data.size} bytes`,
    });
  }
  if (survey?.count === 0) {
    dataset.warnings.push(`the marker file "${markers!.name}" holds no marker`);
  }
  const beyond = survey?.markers?.filter((m) => m.sample >= samples.count).length;
  if (beyond) {
    dataset.warnings.push(
      `${beyond} markers lie past the end of the data: the data file may have been cut short`,
    );
  }
  finish(dataset, header, samples, survey, markers);
  return dataset;
}

async function readHeader(
  source: ByteSource,
  limits: Limits,
  signal?: AbortSignal,
): Promise<BrainVisionHeader> {
  const size = source.size ?? 0;
  if (size > limits.headerBytes) {
    throw new FuseError("Limit", "the header is larger than allowed", {
      source: source.name,
      found: `${size} bytes`,
      expected: `at most ${limits.headerBytes} bytes`,
    });
  }
  const bytes = await source.read(0, size, { signal, purpose: "header" });
  return parseBrainVision(decoderFor(bytes)(bytes), source.name, limits);
}

/** What was made of the data file. */
interface Samples {
  count: number;
  /** Channels whose samples are there. */
  channels: number;
  rawType: DType;
  parts: ChannelPart[];
}

function addBinary(
  dataset: Dataset,
  header: BrainVisionHeader,
  form: BinaryForm,
  source: number,
  data: ByteSource,
): Samples {
  const available = data.size! - form.dataOffset - form.trailerBytes;
  if (available < 0) {
    throw new FuseError("Truncated", "the file ends before its data", {
      source: data.name,
      format: "brainvision",
      offset: form.dataOffset,
      found: `${data.size} bytes`,
    });
  }
  return header.isVectorized
    ? addVectorized(dataset, header, form, source, available)
    : addMultiplexed(dataset, header, form, source, available);
}

function addMultiplexed(
  dataset: Dataset,
  header: BrainVisionHeader,
  form: BinaryForm,
  source: number,
  available: number,
): Samples {
  const { sampleBytes, dataOffset, segmentHeaderBytes } = form;
  const stated = header.channels.length;
  const extra = header.isVAmp && available % (sampleBytes * (stated + 1)) === 0 &&
      available % (sampleBytes * stated) !== 0
    ? 1
    : 0;
  const frameBytes = sampleBytes * (stated + extra);
  const runs: FrameRun[] = [];
  if (segmentHeaderBytes > 0 && header.segmentPoints) {
    const step = segmentHeaderBytes + header.segmentPoints * frameBytes;
    const segments = Math.floor(available / step);
    if (segments > MOST_SEGMENTS) {
      throw new FuseError("Limit", "more segments than allowed", { found: segments });
    }
    for (let i = 0; i < segments; i++) {
      const offset = dataOffset + i * step + segmentHeaderBytes;
      runs.push({ source, offset, frameCount: header.segmentPoints });
    }
  } else {
    runs.push({ source, offset: dataOffset, frameCount: Math.floor(available / frameBytes) });
  }
  const count = runs.reduce((n, r) => n + r.frameCount, 0);
  checkCount(dataset, header, count, available - count * frameBytes, segmentHeaderBytes > 0);
  const table = dataset.frameTables.push(frameTable(frameBytes, runs)) - 1;
  const layoutOf = (first: number, channels: number): FrameLayout => ({
    kind: "frames",
    table,
    stored: form.stored,
    littleEndian: form.littleEndian,
    samplesPerFrame: 1,
    channelOffsets: Array.from({ length: channels }, (_, i) => (first + i) * sampleBytes),
    sampleStride: 0,
  });
  if (extra) {
    dataset.warnings.push(
      `the data have ${
        stated + 1
      } channels and the header names ${stated}: the last one is kept as ` +
        "source/undeclared_channel",
    );
    dataset.arrays.push({
      path: "source/undeclared_channel",
      dtype: decodedType(form.stored),
      dims: ["time"],
      shape: [count],
      layout: layoutOf(stated, 1),
    });
  }
  return {
    count,
    channels: stated,
    rawType: decodedType(form.stored),
    parts: [{ firstChannel: 0, channelCount: stated, layout: layoutOf(0, stated) }],
  };
}

function checkCount(
  dataset: Dataset,
  header: BrainVisionHeader,
  count: number,
  rest: number,
  isSegmented: boolean,
): void {
  const { dataPoints } = header;
  if (dataPoints !== undefined && dataPoints !== count) {
    dataset.warnings.push(
      `the header states ${dataPoints} samples and the data file has ${count}: the file's are taken`,
    );
  }
  if (rest > 0 && !isSegmented) {
    dataset.warnings.push(`the data end with ${rest} bytes of an incomplete sample: left out`);
  }
}

/** Each channel is a run of its own. */
function addVectorized(
  dataset: Dataset,
  header: BrainVisionHeader,
  form: BinaryForm,
  source: number,
  available: number,
): Samples {
  const { sampleBytes, dataOffset, channelOffset } = form;
  const stated = header.channels.length;
  if (form.segmentHeaderBytes > 0) {
    throw new FuseError("Unsupported", "segment headers among vectorized data", {
      field: "SegmentHeaderSize",
      found: form.segmentHeaderBytes,
    });
  }
  const fitting = Math.floor(available / stated / sampleBytes - channelOffset / sampleBytes);
  const count = header.dataPoints ?? fitting;
  const step = channelOffset + count * sampleBytes;
  const whole = step > 0 ? Math.min(stated, Math.floor(available / step)) : 0;
  if (whole < 1 || count < 1) {
    throw new FuseError("Truncated", "the data file has no whole channel", {
      found: `${available} bytes`,
      expected: `${stated} channels of ${count} samples`,
    });
  }
  if (whole < stated) {
    const lost = header.channels.splice(whole).map((c) => c.name);
    dataset.warnings.push(`the data file is cut: it has ${whole} of ${stated} channels`);
    dataset.leftOut.push({ what: `channels ${lost.join(", ")}`, why: "the data file ends before" });
  } else if (available > stated * step) {
    dataset.warnings.push(
      `the data file has ${
        available - stated * step
      } bytes more than ${count} samples of ${stated} ` +
        "channels: left out",
    );
  }
  const parts = Array.from({ length: whole }, (_, i): ChannelPart => {
    const offset = dataOffset + i * step + channelOffset;
    const table = dataset.frameTables.push(
      frameTable(sampleBytes, [{ source, offset, frameCount: count }]),
    ) - 1;
    const layout: FrameLayout = {
      kind: "frames",
      table,
      stored: form.stored,
      littleEndian: form.littleEndian,
      samplesPerFrame: 1,
      channelOffsets: [0],
      sampleStride: 0,
    };
    return { firstChannel: i, channelCount: 1, layout };
  });
  return { count, channels: whole, rawType: decodedType(form.stored), parts };
}

async function addAscii(
  dataset: Dataset,
  header: BrainVisionHeader,
  source: ByteSource,
  signal?: AbortSignal,
): Promise<Samples> {
  const { isVectorized } = header;
  const data: AsciiData = {
    ...header.ascii!,
    source,
    channels: header.channels.length,
    isVectorized,
  };
  const survey = await surveyAscii(data, signal);
  const { samples } = survey;
  if (isVectorized && survey.lines < data.channels) {
    throw new FuseError("Truncated", "the data file has fewer lines than channels", {
      source: source.name,
      found: survey.lines,
      expected: data.channels,
    });
  }
  if (survey.oddLines) {
    dataset.warnings.push(
      `${survey.oddLines} lines of the data file have another number of values: ` +
        (isVectorized ? "channels are cut to the shortest" : "missing ones are NaN"),
    );
  }
  checkCount(dataset, header, samples, 0, true);
  dataset.openStream = (id, { signal }) => {
    if (id === SAMPLES) return pullStream(readAscii(data, samples, signal));
    throw new FuseError("Usage", `no stream "${id}"`, { source: source.name });
  };
  const layout = (field: string) => ({ kind: "stream", stream: SAMPLES, field }) as const;
  return {
    count: samples,
    channels: data.channels,
    rawType: "float64",
    parts: isVectorized
      ? header.channels.map((_, i) => ({
        firstChannel: i,
        channelCount: 1,
        layout: layout(`channel_${i}`),
      }))
      : [{ firstChannel: 0, channelCount: data.channels, layout: layout("samples") }],
  };
}

/** The recording with its segments, the markers, and what the header says besides. */
function finish(
  dataset: Dataset,
  header: BrainVisionHeader,
  { count, parts, rawType }: Samples,
  survey: MarkerSurvey | undefined,
  markers: ByteSource | null,
): void {
  const { samplingFrequency, segmentPoints } = header;
  const marked = segmentsBetween(
    survey?.newSegments ?? [],
    count,
    samplingFrequency,
    segmentPoints,
    dataset.warnings,
  );
  const { segments } = marked;
  const isEqual = segments.length > 1 && segments.every((s) => s.length === segmentPoints);
  dataset.recordings.push({
    name: "signals",
    channels: header.channels.map((channel) => ({
      name: channel.name,
      units: channel.units,
      gain: channel.resolution,
      offset: 0,
      attributes: {
        ...(channel.reference ? { reference: channel.reference } : {}),
        ...(channel.coordinates ? { coordinates: channel.coordinates } : {}),
        ...(channel.impedance !== undefined ? { impedance_kohm: channel.impedance } : {}),
      },
    })),
    samplingFrequency,
    sampleCount: count,
    segments,
    rawType,
    ...(isEqual ? { sweepLength: segmentPoints } : {}),
    parts,
    ...(segments.length > 1 ? { attributes: { segment_dates: marked.dates } } : {}),
  });
  const clock: MarkerClock = { segments, samplingFrequency, isContinuous: marked.isContinuous };
  const table = survey && markerTable(survey, clock);
  if (table) dataset.events.push(table);
  const samples = dataset.openStream;
  dataset.openStream = (id, options) => {
    if (id === MARKERS && markers) return pullStream(streamMarkers(markers, clock, options.signal));
    if (samples) return samples(id, options);
    throw new FuseError("Usage", `no stream "${id}"`, { source: dataset.sources[0].name });
  };
  dataset.metadata = {
    ...(marked.startTime ? { startTime: marked.startTime } : {}),
    ...(header.comment ? { notes: header.comment } : {}),
    header: header.fields as Record<string, Json>,
  };
}
