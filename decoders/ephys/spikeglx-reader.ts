/** Opens a SpikeGLX recording: a `.bin` or `.cbin` file with its `.meta`. */
import { DEFAULT_LIMITS, FuseError } from "../../src/errors.ts";
import { type Attributes, type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import {
  type FrameLayout,
  frameTable,
  type Segment,
  type StreamLayout,
} from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { pullStream } from "./pull-stream.ts";
import { type ChannelKind, type SpikeglxStream, streamOf } from "./spikeglx-channels.ts";
import {
  compressedBlocks,
  type CompressedLine,
  type CompressedSamples,
  readCompressed,
} from "./spikeglx-compressed.ts";
import { linesOf } from "./spikeglx-lines.ts";
import { numberOf, parseMeta, partnerName, type SpikeglxMeta } from "./spikeglx-meta.ts";

const FORMAT = "spikeglx";
/** Tables of the `.meta` file that are not kept as attributes: thousands of numbers said elsewhere. */
const LONG_VALUE = 4096;

/** The reader of the format "spikeglx". */
export const reader: Reader = { open: openPair };

async function openPair(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const isMeta = /\.meta$/i.test(source.name);
  const stem = partnerName(source.name, "");
  const metaFile = isMeta ? source : await partner(source, `${stem}.meta`);
  const samples = /\.c?bin$/i.test(source.name)
    ? source
    : await source.sibling(`${stem}.bin`) ?? await partner(source, `${stem}.cbin`, `${stem}.bin`);
  const meta = await readMeta(metaFile, options);
  const dataset = emptyDataset(FORMAT, [source]);
  for (const file of [metaFile, samples]) {
    if (!dataset.sources.includes(file)) dataset.sources.push(file);
  }
  const stream = streamOf(meta);
  dataset.warnings.push(...stream.warnings);
  dataset.metadata = metadataOf(meta);
  if (/\.cbin$/i.test(samples.name)) {
    const description = await partner(source, `${stem}.ch`);
    dataset.sources.push(description);
    const data = await readCompressed(samples, description, options);
    if (data.channels !== stream.channels.length) {
      throw new FuseError("Corrupt", "the .ch file has other channels than the .meta file", {
        source: description.name,
        format: FORMAT,
        found: data.channels,
        expected: stream.channels.length,
      });
    }
    addCompressed(dataset, meta, stream, data);
    return dataset;
  }
  const frameBytes = 2 * stream.channels.length;
  const count = scanCount(meta, samples, frameBytes, dataset);
  const index = dataset.sources.indexOf(samples);
  dataset.frameTables.push(
    frameTable(frameBytes, [{ source: index, offset: 0, frameCount: count }]),
  );
  const segments: Segment[] = [{ startIndex: 0, length: count, startSeconds: 0 }];
  addRecordings(
    dataset,
    stream,
    segments,
    (places) => layoutOf("int16", places.map((i) => 2 * i)),
  );
  stream.channels.forEach((channel, place) => {
    if (!isWord(channel.kind)) return;
    const array = addWords(dataset, stream, place, count, layoutOf("uint16", [2 * place]));
    dataset.digital.push({
      array,
      samplingFrequency: stream.rate,
      segments,
      lines: linesOf(meta, stream, channel),
    });
  });
  return dataset;
}

/** The recordings, words and edges of compressed samples: one pass gives all of them. */
function addCompressed(
  dataset: Dataset,
  meta: SpikeglxMeta,
  stream: SpikeglxStream,
  data: CompressedSamples,
): void {
  const layout = (field: string) => ({ kind: "stream", stream: "samples", field }) as const;
  const segments: Segment[] = [{ startIndex: 0, length: data.count, startSeconds: 0 }];
  addRecordings(dataset, stream, segments, (rows) => ({ ...layout("samples"), rows }));
  const words: number[] = [], lines: CompressedLine[] = [];
  stream.channels.forEach((channel, place) => {
    if (!isWord(channel.kind)) return;
    words.push(place);
    addWords(dataset, stream, place, data.count, layout(`word_${place}`));
    for (const { bit, name } of linesOf(meta, stream, channel)) {
      lines.push({ channel: place, bit, name });
      dataset.events.push({
        name,
        count: null,
        columns: [
          {
            name: "time",
            dtype: "float64",
            units: "s",
            innerShape: [],
            layout: layout(`${name}/time`),
          },
          { name: "label", dtype: "string", innerShape: [], layout: layout(`${name}/label`) },
        ],
        attributes: { bit },
      });
    }
  });
  dataset.openStream = (id, { signal }) => {
    if (id === "samples") {
      return pullStream(compressedBlocks(data, words, lines, stream.rate, signal));
    }
    throw new FuseError("Usage", `no stream "${id}"`, { format: FORMAT });
  };
}

/** Adds the words of a channel; gives the path of the array. */
function addWords(
  dataset: Dataset,
  { channels, rate }: SpikeglxStream,
  place: number,
  count: number,
  layout: FrameLayout | StreamLayout,
): string {
  const { name } = channels[place];
  const path = `digital/${name}`;
  dataset.arrays.push({
    path,
    dtype: "uint16",
    dims: ["time"],
    shape: [count],
    layout,
    attributes: { sampling_frequency: rate, long_name: `words of ${name}` },
  });
  return path;
}

/** Another file of the set. @throws FuseError `Truncated` when it is not there. */
async function partner(source: ByteSource, name: string, usual = name): Promise<ByteSource> {
  const found = await source.sibling(name);
  if (found) return found;
  throw new FuseError("Truncated", `${usual} is not there`, {
    source: source.name,
    format: FORMAT,
    remedy: "Put the files of a recording (.bin and .meta; .cbin, .ch and .meta) into one folder",
  });
}

async function readMeta(source: ByteSource, options: OpenOptions): Promise<SpikeglxMeta> {
  const { signal, limits = DEFAULT_LIMITS } = options;
  if (source.size === undefined || source.size > limits.headerBytes) {
    throw new FuseError("Limit", "the .meta file is larger than allowed", {
      source: source.name,
      found: `${source.size ?? "unknown"} bytes`,
      expected: `at most ${limits.headerBytes}`,
    });
  }
  const bytes = await source.read(0, source.size, { signal, purpose: "header" });
  return parseMeta(new TextDecoder().decode(bytes), source.name);
}

/** Scans in the file. A recording that was not closed has no size in its `.meta` file. */
function scanCount(
  meta: SpikeglxMeta,
  binary: ByteSource,
  frameBytes: number,
  dataset: Dataset,
): number {
  const size = binary.size ?? 0;
  const stated = numberOf(meta, "fileSizeBytes") ?? 0;
  if (stated > size) {
    throw new FuseError("Truncated", "the samples end too early", {
      source: binary.name,
      offset: size,
      field: "fileSizeBytes",
      found: `${size} bytes`,
      expected: `${stated} bytes`,
    });
  }
  if (stated < size) {
    dataset.warnings.push(
      `the .meta file counts ${stated} bytes of samples: the ${size} in ${binary.name} are taken`,
    );
  }
  const count = Math.floor(size / frameBytes);
  if (size % frameBytes) {
    dataset.leftOut.push({
      what: `the last ${size % frameBytes} bytes of ${binary.name}`,
      why: "a scan of all channels that was cut short",
    });
  }
  return count;
}

const isWord = (kind: ChannelKind) => kind === "SY" || kind === "DW";

function layoutOf(stored: "int16" | "uint16", channelOffsets: number[]): FrameLayout {
  return {
    kind: "frames",
    table: 0,
    stored,
    littleEndian: true,
    samplesPerFrame: 1,
    channelOffsets,
    sampleStride: 0,
  };
}

/** One recording for each kind of channel: they differ in unit and gain. */
function addRecordings(
  dataset: Dataset,
  { channels, rate: samplingFrequency }: SpikeglxStream,
  segments: Segment[],
  layout: (places: number[]) => FrameLayout | StreamLayout,
): void {
  const kinds = [...new Set(channels.map((c) => c.kind))].filter((kind) => !isWord(kind));
  for (const kind of kinds) {
    const places = channels.flatMap((c, i) => c.kind === kind ? [i] : []);
    dataset.recordings.push({
      name: kind.toLowerCase(),
      channels: places.map((i) => {
        const { name, units, gain, offset } = channels[i];
        return { name, units, gain, offset };
      }),
      samplingFrequency,
      sampleCount: segments[0].length,
      segments,
      rawType: "int16",
      parts: [{
        firstChannel: 0,
        channelCount: places.length,
        layout: layout(places),
      }],
    });
  }
}

function metadataOf(meta: SpikeglxMeta): Dataset["metadata"] {
  const header: Attributes = {};
  for (const [key, value] of meta.values) {
    if (value.length <= LONG_VALUE) header[key] = value;
  }
  const created = meta.values.get("fileCreateTime") ?? "";
  const notes = meta.values.get("userNotes") ?? "";
  return {
    modality: "electrophysiology",
    ...(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(created) ? { startTime: created } : {}),
    ...(notes ? { notes } : {}),
    header,
  };
}
