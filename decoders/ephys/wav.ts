/**
 * WAV: RIFF/WAVE and its relatives RIFX (big-endian), RF64 (EBU Tech 3306) and BW64 (ITU-R BS.2088).
 * Linear PCM, IEEE float, A-law and mu-law; anything compressed is refused by name.
 */
import { DEFAULT_LIMITS, ensure, FuseError } from "../../src/errors.ts";
import { type Channel, type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import { frameTable } from "../../src/model/layout.ts";
import { frameStream } from "../../src/stream/frame-stream.ts";
import type { ByteSource } from "../../src/source/source.ts";
import {
  type FormatDescriptor,
  hasText,
  NOT_MINE,
  type OpenOptions,
  type Reader,
} from "../format.ts";
import { readChunkBytes, type RiffFile, walkRiff } from "./wav-chunks.ts";
import { parseFormat, sampleCoding, speakerNames } from "./wav-format.ts";
import { applyMetadata, cueEvents } from "./wav-metadata.ts";
import { wideSamples } from "./wav-wide.ts";

const FORMAT = "wav";
/** Chunks that hold no information beyond what is used or can be recomputed. */
const SILENT = new Set(["fmt ", "data", "ds64", "fact", "JUNK", "junk", "PAD ", "FLLR", "PEAK"]);

async function open(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const dataset = emptyDataset(FORMAT, [source]);
  const riff = await walkRiff(source, options.signal);
  dataset.warnings.push(...riff.warnings);
  const format = await formatChunk(source, riff, options.signal);
  const data = dataChunk(source, riff, dataset.warnings);
  const coding = sampleCoding(format, source.name, dataset.warnings);

  const streamed = source.access === "forward" || coding.wide === true;
  const unknown = data.available === Infinity;
  const frames = unknown ? 0 : Math.floor(data.available / coding.frameBytes);
  const rest = unknown ? 0 : data.available - frames * coding.frameBytes;
  if (rest && frames === 0) {
    throw new FuseError("Truncated", "the samples end before the first frame does", {
      source: source.name,
      format: FORMAT,
      offset: data.offset,
      found: `${rest} bytes`,
      expected: `${coding.frameBytes} bytes for ${format.channels} channels`,
    });
  }
  if (rest) {
    dataset.warnings.push(
      `the samples end with ${rest} bytes of an incomplete frame, which are left out`,
    );
  }
  const speakers = speakerNames(format);
  const channels = Array.from({ length: format.channels }, (_, i): Channel => ({
    name: `ch${i + 1}`,
    units: "full scale",
    gain: coding.gain,
    offset: coding.offset,
    ...(speakers?.[i] ? { attributes: { speaker: speakers[i] } } : {}),
  }));
  const layout = {
    stored: coding.stored,
    littleEndian: riff.littleEndian,
    samplesPerFrame: 1,
    channelOffsets: channels.map((_, i) => i * coding.sampleBytes),
    sampleStride: 0,
  };
  if (streamed) {
    const { frameBytes, sampleBytes } = coding;
    const { littleEndian } = riff;
    const pass = {
      source,
      offset: data.offset,
      frameCount: unknown ? null : frames,
      field: FORMAT,
    };
    dataset.openStream = (_id, { signal }) =>
      coding.wide
        ? wideSamples({ ...pass, channels: channels.length, sampleBytes, littleEndian, signal })
        : frameStream({ ...pass, frameBytes, layout, signal });
  } else {
    dataset.frameTables.push(
      frameTable(coding.frameBytes, [{ source: 0, offset: data.offset, frameCount: frames }]),
    );
  }
  dataset.recordings.push({
    name: "audio",
    channels,
    samplingFrequency: format.rate,
    sampleCount: unknown ? null : frames,
    segments: unknown ? [] : [{ startIndex: 0, length: frames, startSeconds: 0 }],
    rawType: coding.decoded,
    ...(coding.significantBits ? { significantBits: coding.significantBits } : {}),
    parts: [{
      firstChannel: 0,
      channelCount: format.channels,
      layout: streamed
        ? { kind: "stream", stream: FORMAT, field: FORMAT }
        : { kind: "frames", table: 0, ...layout },
    }],
    attributes: {
      ...(speakers ? { speaker_mask: format.speakerMask } : {}),
      ...(format.validBits && format.validBits !== coding.sampleBytes * 8
        ? { valid_bits: format.validBits }
        : {}),
    },
  });
  dataset.metadata.header = {
    container: riff.id,
    codec: coding.name,
    format_tag: format.tag,
    bits_per_sample: format.bits,
    block_align: format.blockAlign,
    average_bytes_per_second: format.averageBytes,
  };
  if (riff.behindBytes) {
    dataset.leftOut.push({
      what: `chunks behind the samples (${riff.behindBytes} bytes)`,
      why: "a pipe brings them only after the samples",
    });
  }
  const known = await applyMetadata(dataset, source, riff, limits, options.signal);
  const cues = await cueEvents(source, riff, format.rate, limits, dataset, options.signal);
  if (cues) dataset.events.push(cues);
  for (const chunk of riff.chunks) {
    if (SILENT.has(chunk.id) || known.has(chunk)) continue;
    dataset.leftOut.push({
      what: `chunk "${chunk.list ? `LIST ${chunk.list}` : chunk.id}" (${chunk.size} bytes)`,
      why: "not part of the recording, and not understood",
    });
  }
  return dataset;
}

async function formatChunk(source: ByteSource, riff: RiffFile, signal?: AbortSignal) {
  const chunk = riff.chunks.find((c) => c.id === "fmt ");
  ensure(chunk, 'no "fmt " chunk', { source: source.name, offset: 12 });
  return parseFormat(
    await readChunkBytes(source, chunk, 256, signal),
    riff.littleEndian,
    source.name,
    chunk.offset,
  );
}

/** The one data chunk, with the bytes the file really has of it. */
function dataChunk(source: ByteSource, riff: RiffFile, warnings: string[]) {
  const waves = riff.chunks.find((c) => c.list === "wavl");
  if (waves) {
    throw new FuseError("Unsupported", 'samples in a "LIST wavl" of blocks and silences', {
      source: source.name,
      offset: waves.offset,
    });
  }
  const chunks = riff.chunks.filter((c) => c.id === "data");
  if (chunks.length === 0) {
    throw new FuseError("Truncated", 'the file ends before any "data" chunk', {
      source: source.name,
      offset: source.size,
    });
  }
  if (chunks.length > 1) {
    throw new FuseError("Unsupported", "several data chunks in one file", {
      source: source.name,
      offset: chunks[1].offset,
      found: `${chunks.length} data chunks`,
      expected: "one",
    });
  }
  const [data] = chunks;
  if (data.available === Infinity) return data;
  if (data.unknownSize || data.size !== data.available) {
    warnings.push(
      data.unknownSize
        ? `the size of the samples was never written (a stream, or a recorder that was cut off): ` +
          `the ${data.available} bytes up to the end of the file are taken`
        : `the data chunk promises ${data.size} bytes and the file has ${data.available}: ` +
          `truncated, what is there is taken`,
    );
  }
  return data;
}

const reader: Reader = { open };

/** Descriptor of RIFF/RIFX/RF64/BW64 WAVE files. */
export const wav: FormatDescriptor = {
  id: FORMAT,
  name: "WAV (RIFF, RIFX, RF64, BW64)",
  kind: "time-series",
  extensions: [".wav", ".wave", ".bwf", ".rf64", ".bw64"],
  needs: "forward",
  reads: "PCM 8 to 64 bit, float 32/64, A-law, mu-law, cue points with labels, INFO, bext, iXML",
  missing: "compressed codecs (ADPCM, MP3 ...), wavl lists, several data chunks",
  references: [
    "Microsoft/IBM Multimedia Programming Interface and Data Specifications 1.0 (RIFF, WAVE)",
    "Microsoft WAVEFORMATEXTENSIBLE",
    "EBU Tech 3285 (BWF), EBU Tech 3306 (RF64), ITU-R BS.2088 (BW64)",
    "scipy.io.wavfile, libsndfile",
  ],
  probe({ head }) {
    const id = ["RIFF", "RIFX", "RF64", "BW64"].find((text) => hasText(head, 0, text));
    if (!id || !hasText(head, 8, "WAVE")) return NOT_MINE;
    return { score: 250, why: `${id} container of form WAVE` };
  },
  load: () => Promise.resolve(reader),
};
