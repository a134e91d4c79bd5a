/**
 * Samples of a SpikeGLX recording that mtscomp compressed: a `.cbin` of chunks, each a zlib stream of differences in
 * time (and between channels), and a `.ch` of JSON that says where the chunks are. Source: int-brain-lab mtscomp,
 * README "Description of the compressed file format", version 1.0.
 */
import { DEFAULT_LIMITS, ensure, FuseError } from "../../src/errors.ts";
import type { StreamBlock } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions } from "../format.ts";

/** Bytes a chunk may have when it is inflated. */
const MOST_CHUNK_BYTES = 256 << 20;
/** Samples of each channel that are given at a time. */
const PIECE_SAMPLES = 1024;
/** Bytes that are inflated at a time. */
const INPUT_BYTES = 64 << 10;

/** What a `.ch` file says. */
export interface CompressedSamples {
  /** The `.cbin` file. */
  source: ByteSource;
  /** Samples of each channel. */
  count: number;
  /** Channels. */
  channels: number;
  /** First sample of each chunk, and the end of the last. */
  bounds: number[];
  /** First byte of each chunk, and the end of the last. */
  offsets: number[];
  /** Differences between samples, and between channels, are stored. */
  timeDiff: boolean;
  /** Whether neighbouring channels were subtracted from each other first. */
  spatialDiff: boolean;
  /** A channel's samples lie together ("F"), or a sample's channels ("C"). */
  byChannel: boolean;
}

/** Reads the `.ch` file of a `.cbin` file. @throws FuseError where it makes no sense of the file beside it */
export async function readCompressed(
  source: ByteSource,
  description: ByteSource,
  { signal, limits = DEFAULT_LIMITS }: OpenOptions,
): Promise<CompressedSamples> {
  const place = { source: description.name, format: "spikeglx" };
  ensure((description.size ?? Infinity) <= limits.headerBytes, "larger than allowed", {
    ...place,
    found: description.size,
  });
  const bytes = await description.read(0, description.size!, { signal, purpose: "header" });
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof fields !== "object" || fields === null) throw new Error("not an object");
  } catch (cause) {
    throw new FuseError("Corrupt", "the description of the chunks is not valid JSON", {
      ...place,
      cause,
    });
  }
  const { algorithm = "zlib", dtype = "int16", chunk_order: order = "C" } = fields;
  if (algorithm !== "zlib" || !/^[<|=]?(int16|i2)$/.test(String(dtype))) {
    throw new FuseError("Unsupported", "samples compressed in another way", {
      ...place,
      found: `${algorithm} of ${dtype}`,
      expected: "zlib of int16",
    });
  }
  const channels = Number(fields.n_channels);
  const bounds = listOf(fields.chunk_bounds), offsets = listOf(fields.chunk_offsets);
  ensure(
    bounds.length >= 2 && bounds.length === offsets.length && bounds.length <= limits.items &&
      bounds[0] === 0 && offsets[0] >= 0,
    "the chunks are not described whole",
    { ...place, found: `${bounds.length} bounds and ${offsets.length} offsets` },
  );
  ensure(Number.isSafeInteger(channels) && channels > 0, "impossible number of channels", {
    ...place,
    field: "n_channels",
    found: String(fields.n_channels),
  });
  for (let i = 0; i + 1 < bounds.length; i++) {
    const samples = bounds[i + 1] - bounds[i], stored = offsets[i + 1] - offsets[i];
    const plain = 2 * samples * channels;
    // What zlib cannot compress grows by a fraction of a per cent.
    ensure(
      samples > 0 && plain <= MOST_CHUNK_BYTES && stored > 0 && stored <= 1.01 * plain + 4096,
      "impossible chunk",
      { ...place, field: `chunk ${i}`, found: `samples ${bounds[i]} to ${bounds[i + 1]}` },
    );
  }
  const end = offsets[offsets.length - 1];
  if (end > source.size!) {
    throw new FuseError("Truncated", "the compressed samples end too early", {
      source: source.name,
      format: "spikeglx",
      found: `${source.size} bytes`,
      expected: `${end} bytes`,
    });
  }
  return {
    source,
    channels,
    count: bounds[bounds.length - 1],
    bounds,
    offsets,
    timeDiff: fields.do_time_diff === true,
    spatialDiff: fields.do_spatial_diff === true,
    byChannel: order === "F",
  };
}

function listOf(value: unknown): number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n)) ? value : [];
}

/** Memory of one pass, for chunks of any size the file has: a chunk after another uses it. */
interface Workspace {
  stored: Uint8Array<ArrayBuffer>;
  plain: Uint8Array<ArrayBuffer>;
  /** For samples that have to be turned around. */
  turned: Int16Array;
}

function workspaceFor({ bounds, offsets, channels, byChannel }: CompressedSamples): Workspace {
  const widest = (list: number[]) =>
    list.reduce((n, v, i) => i ? Math.max(n, v - list[i - 1]) : n, 0);
  const samples = widest(bounds) * channels;
  return {
    stored: new Uint8Array(widest(offsets)),
    plain: new Uint8Array(2 * samples),
    turned: new Int16Array(byChannel ? 0 : samples),
  };
}

/** Inflates `stored` into `out`, which it must fill. @throws FuseError `Corrupt` */
async function inflate(
  stored: Uint8Array<ArrayBuffer>,
  out: Uint8Array,
  place: { source: string; offset: number },
): Promise<void> {
  let filled = 0, at = 0;
  const pieces = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at >= stored.length) return controller.close();
      controller.enqueue(stored.subarray(at, at += INPUT_BYTES));
    },
  }, { highWaterMark: 0 });
  try {
    for await (const piece of pieces.pipeThrough(new DecompressionStream("deflate"))) {
      if (filled + piece.length > out.length) {
        filled = Infinity;
        break;
      }
      out.set(piece, filled);
      filled += piece.length;
    }
  } catch (cause) {
    throw new FuseError("Corrupt", "a chunk is no zlib stream", { ...place, cause });
  }
  ensure(filled === out.length, "a chunk holds other samples than described", {
    ...place,
    found: filled === Infinity ? "more" : `${filled} bytes`,
    expected: `${out.length} bytes`,
  });
}

/** Samples of a chunk in the workspace, C-order `[channel, sample]`; sums wrap as the differences did. */
async function chunkSamples(
  data: CompressedSamples,
  chunk: number,
  space: Workspace,
  signal?: AbortSignal,
): Promise<Int16Array> {
  const { source, channels, bounds, offsets } = data;
  const samples = bounds[chunk + 1] - bounds[chunk], offset = offsets[chunk];
  const stored = space.stored.subarray(0, offsets[chunk + 1] - offset);
  await source.readInto(offset, stored, { signal, purpose: "bulk" });
  const plain = space.plain.subarray(0, 2 * samples * channels);
  await inflate(stored, plain, { source: source.name, offset });
  const values = new Int16Array(plain.buffer, 0, samples * channels);
  let out: Int16Array = values;
  if (!data.byChannel) {
    out = space.turned.subarray(0, values.length);
    for (let k = 0, i = 0; k < samples; k++) {
      for (let c = 0; c < channels; c++) out[c * samples + k] = values[i++];
    }
  }
  if (data.spatialDiff) { for (let i = samples; i < out.length; i++) out[i] += out[i - samples]; }
  if (!data.timeDiff) return out;
  for (let c = 0; c < channels; c++) {
    const end = (c + 1) * samples;
    for (let i = c * samples + 1; i < end; i++) out[i] += out[i - 1];
  }
  return out;
}

/** A bit of the words of a channel whose edges are wanted. */
export interface CompressedLine {
  /** Place of the channel in a scan. */
  channel: number;
  /** Bit of its words. */
  bit: number;
  /** Name of the event table: its fields are `NAME/time` and `NAME/label`. */
  name: string;
}

/**
 * One pass: field "samples" for all channels, `word_<channel>` for those that hold words, and the edges of lines.
 * @param words places of the channels that hold words
 */
export async function* compressedBlocks(
  data: CompressedSamples,
  words: number[],
  lines: CompressedLine[],
  rate: number,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock, undefined> {
  const levels = new Map<CompressedLine, number>();
  const space = workspaceFor(data);
  for (let chunk = 0; chunk + 1 < data.bounds.length; chunk++) {
    const first = data.bounds[chunk], samples = data.bounds[chunk + 1] - first;
    const all = await chunkSamples(data, chunk, space, signal);
    for (let from = 0; from < samples; from += PIECE_SAMPLES) {
      const count = Math.min(PIECE_SAMPLES, samples - from);
      const values = new Int16Array(data.channels * count);
      for (let c = 0; c < data.channels; c++) {
        const at = c * samples + from;
        values.set(all.subarray(at, at + count), c * count);
      }
      yield { field: "samples", values, count };
    }
    for (const channel of words) {
      const values = Uint16Array.from(all.subarray(channel * samples, (channel + 1) * samples));
      yield { field: `word_${channel}`, values, count: samples };
    }
    for (const line of lines) {
      const { channel, bit, name } = line;
      const time: number[] = [], label: string[] = [];
      let level = levels.get(line) ?? (all[channel * samples] >> bit) & 1;
      for (let k = 0; k < samples; k++) {
        const now = (all[channel * samples + k] >> bit) & 1;
        if (now === level) continue;
        level = now;
        time.push((first + k) / rate);
        label.push(now ? "rise" : "fall");
      }
      levels.set(line, level);
      if (!time.length) continue;
      const count = time.length;
      yield { field: `${name}/time`, values: Float64Array.from(time), count };
      yield { field: `${name}/label`, values: label, count };
    }
  }
}
