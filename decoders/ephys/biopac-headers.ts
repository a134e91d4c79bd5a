/**
 * Graph header, channel headers, foreign data and sample types of an AcqKnowledge file: everything
 * before the data. Field places are those of BIOPAC Application Note 156 (revisions up to 3.9) and of
 * the notes on the format published with bioread (all revisions).
 */
import { ensure, FuseError } from "../../src/errors.ts";
import type { HeaderWindow } from "./biopac-window.ts";

/** First file revision of AcqKnowledge 4, which rearranged most headers. */
export const REVISION_4 = 61;
/** Revisions outside are not taken for AcqKnowledge files (2.0a is 30, 5.0.1 is 132). */
const REVISIONS = { first: 30, last: 4095 };

const REVISION_NAMES: [revision: number, version: string][] = [
  [30, "2.0a"],
  [31, "2.0b"],
  [32, "2.0r"],
  [33, "2.0.7"],
  [34, "3.0r"],
  [35, "3.0.3"],
  [36, "3.5"],
  [37, "3.6"],
  [38, "3.7.0"],
  [39, "3.7.3"],
  [41, "3.8.1"],
  [42, "3.7P"],
  [43, "3.8.2"],
  [44, "3.8P"],
  [45, "3.9.0"],
  [61, "4.0.0B"],
  [68, "4.0.0"],
  [76, "4.0.1"],
  [78, "4.0.2"],
  [80, "4.1a"],
  [83, "4.1.0"],
  [84, "4.1.1"],
  [108, "4.2.0"],
  [121, "4.2.x"],
  [124, "4.3.0"],
  [128, "4.4.0"],
  [132, "5.0.1"],
];

/** AcqKnowledge version that wrote a file revision; a neighbour is named for unknown ones. */
export function versionOf(revision: number): string {
  let last = REVISION_NAMES[0];
  for (const entry of REVISION_NAMES) if (entry[0] <= revision) last = entry;
  return last[0] === revision ? last[1] : `after ${last[1]}`;
}

/** What the first bytes tell: no mark gives the byte order, but only one makes sense. */
export interface Signature {
  littleEndian: boolean;
  revision: number;
}

/** Byte order and revision (bytes 2..5), or undefined when neither order gives a known revision. */
export function signatureOf(head: DataView): Signature | undefined {
  if (head.byteLength < 6) return undefined;
  for (const littleEndian of [true, false]) {
    const revision = head.getInt32(2, littleEndian);
    if (revision >= REVISIONS.first && revision <= REVISIONS.last) {
      return { littleEndian, revision };
    }
  }
  return undefined;
}

/** Bytes of a graph header before the fields that later versions added. */
export const GRAPH_BYTES = 150;
/** Bytes of the shortest channel header (2.0). */
export const CHANNEL_BYTES = 112;

const HORIZONTAL_AXES = ["seconds", "hours:minutes:seconds", "frequency", "arbitrary"];

/** The settings of the whole file. */
export interface GraphHeader extends Signature {
  headerBytes: number;
  channelCount: number;
  /** Milliseconds from one tick of the base clock to the next. */
  sampleTimeMs: number;
  horizontalAxis: string;
  horizontalUnits: string;
  /** Where the file's own axis places the first sample, milliseconds. */
  firstTimeOffsetMs: number;
  compressed: boolean;
  /** Unnamed records between this header and the channel headers (4.3 and later). */
  paddingCount: number;
}

/** One channel. */
export interface ChannelHeader {
  /** Hardware or calculation channel number. */
  number: number;
  name: string;
  units: string;
  sampleCount: number;
  scale: number;
  offset: number;
  /** Display order; markers refer to it. */
  order: number;
  /** A sample every so many ticks of the base clock. */
  divider: number;
  description: string;
  stored: "int16" | "float64";
  sampleBytes: 2 | 8;
}

/** Everything before the data. */
export interface BiopacHeaders {
  graph: GraphHeader;
  channels: ChannelHeader[];
  /** First byte after the sample types: data, or the markers of a compressed file. */
  bodyOffset: number;
  warnings: string[];
}

/**
 * Reads all headers before the data.
 * @throws FuseError `Corrupt`, `Truncated` or `Limit`, with the offset and the field.
 */
export async function readHeaders(window: HeaderWindow): Promise<BiopacHeaders> {
  const warnings: string[] = [];
  const graph = await readGraph(window);
  let offset = graph.headerBytes;
  for (let i = 0; i < graph.paddingCount; i++) offset += await recordLength(window, offset, 4);
  const channels: ChannelHeader[] = [];
  for (let i = 0; i < graph.channelCount; i++) {
    let length = await recordLength(window, offset, 4);
    // Padding records are 40 bytes and no channel header is that short: some files hold more of them
    // than the graph header says.
    for (let skipped = 0; i === 0 && length < CHANNEL_BYTES && skipped < 16; skipped++) {
      offset += length;
      length = await recordLength(window, offset, 4);
    }
    ensure(length >= CHANNEL_BYTES, "the channel header is too short", {
      ...window.place(offset, "lChanHeaderLen"),
      found: length,
      expected: `at least ${CHANNEL_BYTES}`,
    });
    await window.need(offset, length, "channel header");
    channels.push(readChannel(window, offset, length, graph, i, warnings));
    offset += length;
  }
  offset += await foreignLength(window, offset, graph.revision);
  const bodyOffset = await readSampleTypes(window, offset, channels, warnings);
  return { graph, channels, bodyOffset, warnings };
}

/** Records longer than this are not taken for cut-off ones but for wrong lengths. */
const RECORD_BYTES = 1 << 20;

async function recordLength(window: HeaderWindow, offset: number, least: number): Promise<number> {
  await window.need(offset, 4, "record length");
  return checkedLength(window, offset, window.i32(offset), least, "record length");
}

function checkedLength(
  window: HeaderWindow,
  offset: number,
  length: number,
  least: number,
  field: string,
): number {
  ensure(length >= least && length <= RECORD_BYTES, "the length of a header is impossible", {
    ...window.place(offset, field),
    found: length,
    expected: `${least}..${RECORD_BYTES}`,
  });
  if (offset + length > window.size) throw window.cut(offset, length, field);
  return length;
}

async function readGraph(window: HeaderWindow): Promise<GraphHeader> {
  await window.need(0, GRAPH_BYTES, "graph header");
  const signature = signatureOf(new DataView(window.bytes(0, 6).slice().buffer));
  if (!signature) {
    throw new FuseError("Corrupt", "not an AcqKnowledge file", {
      ...window.place(2, "lVersion"),
      found: `0x${hex(window.bytes(2, 4))}`,
      expected: `a file revision from ${REVISIONS.first} on, in either byte order`,
    });
  }
  const { littleEndian, revision } = signature;
  window.littleEndian = littleEndian;
  // Big-endian files before version 4 were written by the Macintosh version.
  window.charset = revision >= REVISION_4 ? "utf-8" : littleEndian ? "windows-1252" : "macintosh";
  const headerBytes = window.i32(6);
  ensure(
    headerBytes >= GRAPH_BYTES && headerBytes <= window.size,
    "the length of the graph header is impossible",
    {
      ...window.place(6, "lExtItemHeaderLen"),
      found: headerBytes,
      expected: `${GRAPH_BYTES}..${window.size}`,
    },
  );
  const channelCount = window.i16(10);
  ensure(channelCount > 0, "the file has no channels", {
    ...window.place(10, "nChannels"),
    found: channelCount,
    expected: "at least 1",
  });
  if (channelCount > window.limits.items) {
    throw new FuseError("Limit", "the file has too many channels", {
      ...window.place(10, "nChannels"),
      found: channelCount,
      expected: `at most ${window.limits.items}`,
    });
  }
  if (headerBytes + channelCount * CHANNEL_BYTES > window.size) {
    throw window.cut(headerBytes, channelCount * CHANNEL_BYTES, "channel headers");
  }
  const sampleTimeMs = window.f64(16);
  ensure(Number.isFinite(sampleTimeMs) && sampleTimeMs > 0, "the sample time is impossible", {
    ...window.place(16, "dSampleTime"),
    found: sampleTimeMs,
    expected: "milliseconds above 0",
  });
  await window.need(0, headerBytes, "graph header");
  const compressedAt = revision >= REVISION_4 ? 972 : revision >= 41 ? 1936 : Infinity;
  const paddingAt = revision >= 124 ? 2398 : Infinity;
  const axis = window.i16(12);
  return {
    littleEndian,
    revision,
    headerBytes,
    channelCount,
    sampleTimeMs,
    horizontalAxis: HORIZONTAL_AXES[axis] ?? String(axis),
    horizontalUnits: window.text(88, 40),
    firstTimeOffsetMs: window.f64(78),
    compressed: compressedAt + 4 <= headerBytes && window.i32(compressedAt) !== 0,
    paddingCount: paddingAt + 2 <= headerBytes
      ? Math.min(64, Math.max(0, window.i16(paddingAt)))
      : 0,
  };
}

function readChannel(
  window: HeaderWindow,
  offset: number,
  length: number,
  graph: GraphHeader,
  index: number,
  warnings: string[],
): ChannelHeader {
  const { revision } = graph;
  const sampleCount = window.i32(offset + 88);
  ensure(sampleCount >= 0, "the number of samples is negative", {
    ...window.place(offset + 88, "lBufLength"),
    found: sampleCount,
  });
  const name = window.text(offset + 6, 40);
  const dividerAt = revision >= REVISION_4 ? 152 : revision >= 38 ? 250 : Infinity;
  const described = revision >= 38 && revision < REVISION_4 && length >= 250;
  let scale = window.f64(offset + 92), intercept = window.f64(offset + 100);
  if (!Number.isFinite(scale) || scale === 0 || !Number.isFinite(intercept)) {
    warnings.push(
      `channel ${index + 1} "${name}" states no usable scale (${scale}, offset ${intercept}): ` +
        "integer samples are kept as stored",
    );
    [scale, intercept] = [1, 0];
  }
  return {
    number: window.i16(offset + 4),
    name,
    units: window.text(offset + 68, 20),
    sampleCount,
    scale,
    offset: intercept,
    order: window.i16(offset + 108),
    divider: dividerAt + 2 <= length ? window.u16(offset + dividerAt) || 1 : 1,
    description: described ? window.text(offset + 122, 128) : "",
    stored: "int16",
    sampleBytes: 2,
  };
}

/** Bytes of the foreign data with its own header; 2-byte length before version 4, 4-byte since. */
async function foreignLength(
  window: HeaderWindow,
  offset: number,
  revision: number,
): Promise<number> {
  await window.need(offset, 4, "foreign data");
  const length = revision >= REVISION_4 ? window.i32(offset) : window.u16(offset);
  return checkedLength(window, offset, length, 0, "foreign data");
}

/** Farthest the sample types are looked for behind the foreign data, bytes. */
const TYPE_SEARCH_BYTES = 4096;

/**
 * Finds the sample types (size and code of each channel), which some files place a little behind the
 * end of the foreign data, and fills them into `channels`. Returns the offset after them.
 */
async function readSampleTypes(
  window: HeaderWindow,
  start: number,
  channels: ChannelHeader[],
  warnings: string[],
): Promise<number> {
  const length = 4 * channels.length;
  await window.need(start, length, "channel data types");
  const reach = Math.min(TYPE_SEARCH_BYTES, window.size - start - length);
  await window.need(start, length + reach, "channel data types");
  for (let skip = 0; skip <= reach; skip++) {
    const at = start + skip;
    if (!channels.every((_, i) => typeAt(window, at + 4 * i) !== undefined)) continue;
    channels.forEach((channel, i) => {
      channel.sampleBytes = typeAt(window, at + 4 * i)!;
      channel.stored = channel.sampleBytes === 2 ? "int16" : "float64";
    });
    if (skip > 0) warnings.push(`skipped ${skip} unknown bytes before the sample types at ${at}`);
    return at + length;
  }
  throw new FuseError("Corrupt", "no sample types follow the channel headers", {
    ...window.place(start, "channel data types"),
    found: `0x${hex(window.bytes(start, Math.min(length, 8)))}`,
    expected: "size 2 with type 2, or size 8 with type 0 or 1",
  });
}

function typeAt(window: HeaderWindow, offset: number): 2 | 8 | undefined {
  const size = window.i16(offset), type = window.i16(offset + 2);
  if (size === 2 && type === 2) return 2;
  return size === 8 && (type === 0 || type === 1) ? 8 : undefined;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
