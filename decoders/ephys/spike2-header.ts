/**
 * The head and the channel table of a 32-bit SON file.
 *
 * Facts: CED's published structure definitions (sonintl.h, library versions 5 to 9) and what that
 * library does to bring files of older system ids up to date.
 */
import { ensure, FuseError } from "../../src/errors.ts";
import { viewOf } from "../../src/source/source.ts";
import { clockOf, type Spike2Clock } from "./spike2-clock.ts";
import { KINDS, type SonChannel } from "./spike2-model.ts";
import { pascalText, type Spike2Charset } from "./spike2-text.ts";

/** Bytes of the file head. */
export const HEAD_BYTES = 512;
/** Bytes of one entry of the channel table. */
export const CHANNEL_BYTES = 140;
/** Bytes that hold head and channel table of any file. */
export const HEADER_BYTES = 65_536;
/** Most channels the structures allow (CED's SONABSMAXCHANS). */
export const MOST_CHANNELS = 451;

/** One used entry of the channel table. */
export interface Spike2Channel extends SonChannel {
  /** Byte offset of the first and last data block, -1 for none. */
  firstBlock: number;
  lastBlock: number;
  /** Data blocks as counted in the table (modulo 65536 below system id 9). */
  blocks: number;
  /** Bytes a block occupies on disk. */
  blockBytes: number;
  /** Bytes attached to each marker. */
  extraBytes: number;
  /** Interleaved traces of a WaveMark. */
  traces: number;
  /** EventBoth: the level before the first event is low. */
  initialLow: boolean;
}

/** What the head of the file says. */
export interface Spike2Header {
  systemId: number;
  littleEndian: boolean;
  charset: Spike2Charset;
  creator: string;
  usPerTime: number;
  timePerAdc: number;
  timeBaseSeconds: number;
  clock: Spike2Clock;
  maxTicks: number;
  /** ISO 8601 without zone, the time of tick 0; undefined when the file has none. */
  startTime: string | undefined;
  comments: string[];
  /** Entries of the channel table, used or not. */
  slots: number;
  channels: Spike2Channel[];
  /** Slots whose channel was deleted but whose blocks are still in the file. */
  deleted: { number: number; blocks: number }[];
  /** Slots with a kind no version of the format defines. */
  unknown: { number: number; kind: number }[];
  /** Bytes an application stored between channel table and data. */
  extraDataBytes: number;
  /** Bytes of one unit of a block pointer. */
  pointerUnit: number;
  warnings: string[];
}

/** The byte order of a SON file's first word, or null when it is not a system id. */
export function byteOrderOf(head: Uint8Array): "little" | "big" | null {
  if (head.length < 2) return null;
  if (head[1] === 0 && head[0] >= 1 && head[0] <= 9) return "little";
  if (head[0] === 0 && head[1] >= 1 && head[1] <= 9) return "big";
  return null;
}

/**
 * Reads head and channel table from the bytes at the start of the file.
 * @throws FuseError `Corrupt` when they contradict the format.
 */
export function parseHeader(bytes: Uint8Array, source: string): Spike2Header {
  const order = byteOrderOf(bytes);
  const systemId = order === "big" ? bytes[1] : bytes[0];
  ensure(order !== null, "not a SON system id", {
    source,
    offset: 0,
    field: "systemID",
    found: `bytes ${bytes[0]}, ${bytes[1]}`,
    expected: "1 to 9",
  });
  const littleEndian = order === "little";
  const view = viewOf(bytes);
  const charset: Spike2Charset = littleEndian ? "windows-1252" : "macintosh";
  const warnings: string[] = [];

  const usPerTime = view.getUint16(20, littleEndian);
  ensure(usPerTime > 0, "the clock stands still", {
    source,
    offset: 20,
    field: "usPerTime",
    found: 0,
    expected: "1 to 65535",
  });
  let timeBaseSeconds = 1e-6;
  if (systemId >= 6) {
    const stored = view.getFloat64(44, littleEndian);
    if (stored >= 1e-12 && stored < 1e6) timeBaseSeconds = stored;
    else warnings.push(`time base ${stored} s is impossible; a microsecond is taken`);
  }
  const slots = view.getInt16(30, littleEndian);
  ensure(slots >= 1 && slots <= MOST_CHANNELS, "impossible number of channels", {
    source,
    offset: 30,
    field: "channels",
    found: slots,
    expected: `1 to ${MOST_CHANNELS}`,
  });
  if (bytes.length < HEAD_BYTES + CHANNEL_BYTES * slots) {
    throw new FuseError("Truncated", "the file ends inside its channel table", {
      source,
      offset: bytes.length,
      found: `${bytes.length} bytes`,
      expected: `${slots} channels, ${HEAD_BYTES + CHANNEL_BYTES * slots} bytes`,
    });
  }
  const header: Spike2Header = {
    systemId,
    littleEndian,
    charset,
    creator: pureText(bytes.subarray(12, 20)),
    usPerTime,
    timePerAdc: view.getUint16(22, littleEndian),
    timeBaseSeconds,
    clock: clockOf(usPerTime, timeBaseSeconds),
    maxTicks: systemId >= 5 ? view.getInt32(40, littleEndian) : 0,
    startTime: startTimeOf(bytes.subarray(52, 60), littleEndian),
    comments: [0, 1, 2, 3, 4].map((i) => pascalText(bytes, 112 + 80 * i, 79, charset)),
    slots,
    channels: [],
    deleted: [],
    unknown: [],
    // System id 1 has no such field.
    extraDataBytes: systemId === 1 ? 0 : view.getUint16(34, littleEndian),
    pointerUnit: systemId >= 9 ? 512 : 1,
    warnings,
  };
  readTable(bytes, header);
  return header;
}

function readTable(bytes: Uint8Array, header: Spike2Header): void {
  const view = viewOf(bytes);
  const le = header.littleEndian;
  let adcChannels = 0;
  for (let slot = 0; slot < header.slots; slot++) {
    const at = HEAD_BYTES + CHANNEL_BYTES * slot;
    const kind = bytes[at + 122];
    if (kind === 0) {
      const high = header.systemId >= 9 ? bytes[at + 123] : 0;
      const blocks = view.getUint16(at, le) + high * 65536;
      const first = view.getInt32(at + 2, le);
      if (blocks > 0 && first > 0) header.deleted.push({ number: slot + 1, blocks });
    } else if (kind >= KINDS.length) {
      header.unknown.push({ number: slot + 1, kind });
    } else {
      if (kind === 1) adcChannels++;
      header.channels.push(channelAt(bytes, view, at, slot + 1, header));
    }
  }
  // Ids 1 and 2 store the divide of one interrupt per sample: the converter went round the channels.
  if (header.systemId <= 2) {
    for (const channel of header.channels) {
      if (channel.kind === "Adc") channel.divide *= adcChannels;
    }
  }
}

function channelAt(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  number: number,
  header: Spike2Header,
): Spike2Channel {
  const le = header.littleEndian;
  const { systemId, charset, pointerUnit } = header;
  const kind = KINDS[bytes[at + 122]];
  const sampled = kind === "Adc" || kind === "WaveMark" || kind === "RealWave";
  const scaled = kind === "Adc" || kind === "WaveMark";
  const real = kind === "RealMark" || kind === "RealWave";
  const pointer = (field: number) => {
    const value = view.getInt32(at + field, le);
    return value > 0 ? value * pointerUnit : -1;
  };
  const last = view.getUint16(at + 138, le);
  return {
    number,
    kind,
    title: pascalText(bytes, at + 108, 9, charset),
    // Below id 5 the comment also has the eight bytes that later hold times.
    comment: pascalText(bytes, at + 26, systemId < 5 ? 79 : 71, charset),
    units: scaled || real ? pascalText(bytes, at + 132, 5, charset) : "",
    port: view.getInt16(at + 106, le),
    idealRate: view.getFloat32(at + 118, le),
    firstBlock: pointer(6),
    lastBlock: pointer(10),
    blocks: view.getUint16(at + 14, le) +
      (systemId >= 9 ? view.getUint16(at + 20, le) * 65536 : 0),
    blockBytes: view.getUint16(at + 22, le),
    // Garbage before id 4, which brought the markers that use them.
    extraBytes: systemId < 4 ? 0 : view.getUint16(at + 16, le),
    preTrigger: systemId < 4 ? 0 : view.getInt16(at + 18, le),
    divide: !sampled ? 0 : systemId >= 6 ? view.getInt32(at + 102, le) : last * header.timePerAdc,
    traces: kind === "WaveMark" && systemId >= 6 ? Math.max(1, last) : 1,
    scale: scaled ? view.getFloat32(at + 124, le) : 1,
    offset: scaled ? view.getFloat32(at + 128, le) : 0,
    minimum: real ? view.getFloat32(at + 124, le) : NaN,
    maximum: real ? view.getFloat32(at + 128, le) : NaN,
    initialLow: kind === "EventBoth" && bytes[at + 124] !== 0,
  };
}

/** Printable ASCII up to the first NUL; "" when the field holds anything else. */
function pureText(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  const text = nul < 0 ? bytes : bytes.subarray(0, nul);
  return text.every((byte) => byte >= 0x20 && byte < 0x7f)
    ? String.fromCharCode(...text).trim()
    : "";
}

/**
 * The date of either filing system: hundredths, seconds, minutes, hours, day, month, year as 16 bits.
 * Before id 6 the space was padding, so it counts only when it is a date.
 */
export function startTimeOf(field: Uint8Array, littleEndian: boolean): string | undefined {
  const [hundredths, second, minute, hour, day, month] = field;
  const year = viewOf(field).getUint16(6, littleEndian);
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const valid = hundredths < 100 && second < 60 && minute < 60 && hour < 24 && month >= 1 &&
    month <= 12 && day >= 1 && day <= days && year >= 1980 && year < 10_000;
  if (!valid) return undefined;
  const two = (n: number) => String(n).padStart(2, "0");
  return `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}.${
    two(hundredths)
  }`;
}
