/** Opens a SpikeGLX `.bin` or `.meta` file with its partner. */
import { DEFAULT_LIMITS, FuseError, toFuseError } from "../../src/errors.ts";
import { type Attributes, type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import { type FrameLayout, frameTable, type Segment } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { type ChannelKind, type SavedChannel, streamOf } from "./spikeglx-channels.ts";
import { linesOf } from "./spikeglx-lines.ts";
import { numberOf, parseMeta, partnerName, type SpikeglxMeta } from "./spikeglx-meta.ts";

const FORMAT = "spikeglx";
/** Tables of the `.meta` file that are not kept as attributes: thousands of numbers said elsewhere. */
const LONG_VALUE = 4096;

/** The reader of the format "spikeglx". */
export const reader: Reader = {
  async open(source, options) {
    try {
      return await openPair(source, options);
    } catch (error) {
      throw toFuseError(error, "Corrupt", { source: source.name, format: FORMAT });
    }
  },
};

async function openPair(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const isMeta = /\.meta$/i.test(source.name);
  const [metaFile, binary] = isMeta
    ? [source, await partner(source, ".bin")]
    : [await partner(source, ".meta"), source];
  const meta = await readMeta(metaFile, options);
  const dataset = emptyDataset(FORMAT, [source]);
  dataset.sources.push(isMeta ? binary : metaFile);
  const stream = streamOf(meta);
  dataset.warnings.push(...stream.warnings);
  const frameBytes = 2 * stream.channels.length;
  const count = scanCount(meta, binary, frameBytes, dataset);
  dataset.frameTables.push(
    frameTable(frameBytes, [{ source: isMeta ? 1 : 0, offset: 0, frameCount: count }]),
  );
  const segments: Segment[] = [{ startIndex: 0, length: count, startSeconds: 0 }];
  addRecordings(dataset, stream.channels, stream.rate, segments);
  stream.channels.forEach((channel, place) => {
    if (!isWord(channel.kind)) return;
    const array = `digital/${channel.name}`;
    dataset.arrays.push({
      path: array,
      dtype: "uint16",
      dims: ["time"],
      shape: [count],
      layout: layoutOf("uint16", [2 * place]),
      attributes: { sampling_frequency: stream.rate, long_name: `words of ${channel.name}` },
    });
    dataset.digital.push({
      array,
      samplingFrequency: stream.rate,
      segments,
      lines: linesOf(meta, stream, channel),
    });
  });
  dataset.metadata = metadataOf(meta);
  return dataset;
}

/** The other file of the pair. @throws FuseError `Truncated` when it is not there. */
async function partner(source: ByteSource, extension: ".meta" | ".bin"): Promise<ByteSource> {
  const name = partnerName(source.name, extension);
  const found = await source.sibling(name);
  if (found) return found;
  const compressed = extension === ".bin"
    ? await source.sibling(partnerName(source.name, ".cbin"))
    : null;
  await compressed?.close();
  if (compressed) {
    throw new FuseError("Unsupported", "the samples are compressed", {
      source: compressed.name,
      format: FORMAT,
      expected: name,
      remedy: "Decompress them with mtscomp",
    });
  }
  throw new FuseError("Truncated", `${name} is not there`, {
    source: source.name,
    format: FORMAT,
    remedy: "Put the .bin and the .meta file into one folder",
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
  channels: SavedChannel[],
  samplingFrequency: number,
  segments: Segment[],
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
        layout: layoutOf("int16", places.map((i) => 2 * i)),
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
