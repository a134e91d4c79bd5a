/**
 * The header of a 64-bit SON file: clock, channel table and strings.
 *
 * The header is a stream of its own: block 0 of the file whole, then what follows the 16-byte head of
 * each continuation block. Tables are placed by offsets into that stream and may cross its blocks.
 */
import { ensure, type ErrorDetails, FuseError } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { hasText } from "../format.ts";
import { clockOf, type Spike2Clock } from "./spike2-clock.ts";
import { startTimeOf } from "./spike2-header.ts";
import { KINDS, type SonChannel } from "./spike2-model.ts";
import { decodeText } from "./spike2-text.ts";

/** Bytes of a disk block: header, data, or sixteen lookup slots. */
export const BLOCK_BYTES = 65_536;
/** Bytes of the head of a block or a lookup slot. */
export const BLOCK_HEAD_BYTES = 16;

/** Bytes of the fixed part of the header. */
const FIXED_BYTES = 0x800;
/** Continuation blocks the fixed part has room for. */
const MOST_CONTINUATIONS = 128;
/** Bytes of a channel record that mean something. */
const RECORD_BYTES = 0x71;

/** One used entry of the channel table. */
export interface SmrxChannel extends SonChannel {
  /** Channel number in the file, from 0. */
  index: number;
  /** Byte offset of the top lookup slot; 0 for a channel without data. */
  root: number;
  /** Data blocks in use. */
  blocks: number;
  /** How often the channel had been deleted and used again. */
  generation: number;
  /** Bytes from one item to the next. */
  itemBytes: number;
  /** Numbers attached to a marker: points of a WaveMark, values of a RealMark, bytes of a TextMark. */
  rows: number;
  /** Traces of a WaveMark. */
  columns: number;
  /** EventBoth: the level before the first event is low. */
  initialLow: boolean;
}

/** What the header says. */
export interface SmrxHeader {
  /** "1.1" */
  version: string;
  application: string;
  timeBaseSeconds: number;
  clock: Spike2Clock;
  /** Largest time in the file, -1 in an empty one. */
  maxTicks: number;
  /** ISO 8601 without zone, the time of tick 0; undefined when the file has none. */
  startTime: string | undefined;
  comments: string[];
  /** Entries of the channel table, used or not. */
  slots: number;
  channels: SmrxChannel[];
  /** Slots whose channel was deleted but whose blocks are still in the file. */
  deleted: { number: number; title: string; blocks: number }[];
  /** Slots with a kind the format does not define. */
  unknown: { number: number; kind: number }[];
  /** Bytes an application stored between the fixed part and the channel table. */
  extraDataBytes: number;
  /** Where the next block would have been put when the header was last saved. */
  endOffset: number;
}

/** Reads the header. @throws FuseError `Corrupt`, `Truncated` or `Unsupported` */
export async function readHeader(
  source: ByteSource,
  size: number,
  signal?: AbortSignal,
): Promise<SmrxHeader> {
  const options = { signal, purpose: "header" } as const;
  const first = await source.readUpTo(0, BLOCK_BYTES, options);
  checkStart(first, source.name);
  const count = viewOf(first).getUint32(0x3e4, true);
  const fail = (statement: string, details: ErrorDetails) =>
    new FuseError("Corrupt", statement, { source: source.name, ...details });
  if (count > MOST_CONTINUATIONS) {
    throw fail("impossible number of header blocks", {
      offset: 0x3e4,
      found: count,
      expected: `at most ${MOST_CONTINUATIONS}`,
    });
  }
  const offsets = Array.from({ length: count }, (_, i) => wide(viewOf(first), 0x400 + 8 * i));
  offsets.forEach((offset, i) => {
    if (offset >= BLOCK_BYTES && offset + BLOCK_HEAD_BYTES <= size) return;
    throw fail("a header block lies outside the file", {
      offset: 0x400 + 8 * i,
      found: offset,
      expected: `${BLOCK_BYTES} to ${size}`,
    });
  });
  const pieces = [first];
  for (
    const part of await Promise.all(offsets.map((at) => source.readUpTo(at, BLOCK_BYTES, options)))
  ) {
    const at = offsets[pieces.length - 1];
    const channel = viewOf(part).getUint16(8, true);
    if (channel !== 0xffff) {
      throw fail("a header block belongs to a channel", { offset: at + 8, found: channel });
    }
    pieces.push(part.subarray(BLOCK_HEAD_BYTES));
  }
  return parseHeader(joined(pieces), source.name);
}

function checkStart(bytes: Uint8Array, source: string): void {
  ensure(hasText(bytes, 0, "S64"), "not a 64-bit SON file", {
    source,
    offset: 0,
    found: Array.from(bytes.subarray(0, 6)).join(" "),
    expected: '"S64pl"',
  });
  if (bytes.length < FIXED_BYTES) {
    throw new FuseError("Truncated", "the file ends inside its header", {
      source,
      offset: bytes.length,
      found: `${bytes.length} bytes`,
      expected: `${FIXED_BYTES} bytes`,
    });
  }
  // The letters are the sizes of data and lookup blocks: "a" is 2 bytes, "b" 4 ...
  if (bytes[3] !== 0x70 || bytes[4] !== 0x6c || bytes[5] !== 0) {
    throw new FuseError("Unsupported", "SON64 with other block sizes than any known file", {
      source,
      offset: 3,
      found: Array.from(bytes.subarray(3, 6)).join(" "),
      expected: '"pl" (64 KiB data, 4 KiB lookup)',
    });
  }
  if (bytes[7] > 1) {
    throw new FuseError("Unsupported", "a later version of the SON64 format", {
      source,
      offset: 6,
      field: "version",
      found: `${bytes[7]}.${bytes[6]}`,
      expected: "1.x",
    });
  }
}

function joined(pieces: Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0];
  const all = new Uint8Array(pieces.reduce((n, piece) => n + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** An unsigned 64-bit number; one beyond 2^53 is rounded, and outside every file. */
export function wide(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

function parseHeader(bytes: Uint8Array, source: string): SmrxHeader {
  const view = viewOf(bytes);
  const timeBaseSeconds = view.getFloat64(0x20, true);
  ensure(timeBaseSeconds >= 1e-15 && timeBaseSeconds < 1e6, "impossible time base", {
    source,
    offset: 0x20,
    field: "seconds per tick",
    found: timeBaseSeconds,
    expected: "a positive number",
  });
  const [extraDataBytes, , tableAt, stringsAt, slots, recordBytes] = [0, 1, 2, 3, 4, 5].map((i) =>
    view.getUint32(0x28 + 4 * i, true)
  );
  const place = { source, offset: 0x30, field: "channel table" };
  ensure(recordBytes >= RECORD_BYTES && recordBytes <= BLOCK_BYTES, "impossible channel records", {
    ...place,
    offset: 0x3c,
    found: `${recordBytes} bytes each`,
    expected: "272 bytes",
  });
  if (tableAt + slots * recordBytes > bytes.length || stringsAt + 8 > bytes.length) {
    const cut = bytes.length < BLOCK_BYTES;
    throw new FuseError(
      cut ? "Truncated" : "Corrupt",
      "channels or strings lie outside the header",
      {
        ...place,
        found: `${slots} channels at ${tableAt}, strings at ${stringsAt}`,
        expected: `within ${bytes.length} bytes`,
      },
    );
  }
  const text = readStrings(bytes, stringsAt);
  const header: SmrxHeader = {
    version: `${bytes[7]}.${bytes[6]}`,
    application: applicationOf(bytes.subarray(0x10, 0x18)),
    timeBaseSeconds,
    clock: clockOf(1, timeBaseSeconds),
    maxTicks: Number(view.getBigInt64(0x3f8, true)),
    startTime: startTimeOf(bytes.subarray(0x18, 0x20), true),
    comments: Array.from({ length: 8 }, (_, i) => text(view.getUint32(0x40 + 4 * i, true))),
    slots,
    channels: [],
    deleted: [],
    unknown: [],
    extraDataBytes,
    endOffset: wide(view, 0x3e8),
  };
  for (let index = 0; index < slots; index++) {
    const at = tableAt + index * recordBytes;
    const kind = bytes[at + 0x2e];
    const number = index + 1;
    if (kind >= KINDS.length) header.unknown.push({ number, kind });
    else if (kind > 0) header.channels.push(channelAt(view, at, index, text, source));
    else if (bytes[at + 0x2f] !== 0) {
      const title = text(view.getUint32(at + 0x34, true));
      header.deleted.push({ number, title, blocks: wide(view, at + 0x10) });
    }
  }
  return header;
}

/** The string table as a function of ids, which count from 1; 0 is no text. */
function readStrings(bytes: Uint8Array, start: number): (id: number) => string {
  const view = viewOf(bytes);
  const end = Math.min(bytes.length, start + 4 * view.getUint32(start, true));
  const count = view.getUint32(start + 4, true);
  const texts: string[] = [];
  let at = start + 8;
  while (texts.length < count && at + 4 <= end) {
    // A count of uses stands before each text.
    const from = at + 4;
    const nul = bytes.indexOf(0, from);
    if (nul < 0 || nul >= end) break;
    texts.push(decodeText(bytes.subarray(from, nul), "windows-1252").trim());
    at = start + ((nul + 4 - start) & ~3);
  }
  return (id) => texts[id - 1] ?? "";
}

function channelAt(
  view: DataView,
  at: number,
  index: number,
  text: (id: number) => string,
  source: string,
): SmrxChannel {
  const kind = KINDS[view.getUint8(at + 0x2e)];
  const sampled = kind === "Adc" || kind === "WaveMark" || kind === "RealWave";
  const real = kind === "RealMark" || kind === "RealWave";
  const divide = Number(view.getBigInt64(at + 0x40, true));
  if ((kind === "Adc" || kind === "RealWave") && !(divide >= 1 && divide <= 2 ** 53)) {
    throw new FuseError("Corrupt", `channel ${index + 1}: impossible sampling interval`, {
      source,
      field: "divide",
      found: `${divide} ticks`,
      expected: "a positive number",
    });
  }
  return {
    index,
    number: index + 1,
    kind,
    title: text(view.getUint32(at + 0x34, true)),
    units: text(view.getUint32(at + 0x38, true)),
    comment: text(view.getUint32(at + 0x3c, true)),
    port: view.getInt32(at + 0x30, true),
    idealRate: view.getFloat64(at + 0x48, true),
    preTrigger: view.getUint16(at + 0x28, true),
    divide: sampled ? divide : 0,
    scale: view.getFloat64(at + 0x50, true),
    offset: view.getFloat64(at + 0x58, true),
    minimum: real ? view.getFloat64(at + 0x60, true) : NaN,
    maximum: real ? view.getFloat64(at + 0x68, true) : NaN,
    root: wide(view, at),
    blocks: wide(view, at + 0x10),
    generation: view.getUint16(at + 0x2c, true),
    itemBytes: view.getUint32(at + 0x20, true),
    rows: view.getUint16(at + 0x24, true),
    columns: Math.max(1, view.getUint16(at + 0x26, true)),
    initialLow: view.getUint8(at + 0x70) === 0,
  };
}

/** Printable ASCII up to the first NUL; "" when the field holds anything else. */
function applicationOf(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  const text = nul < 0 ? bytes : bytes.subarray(0, nul);
  return text.every((byte) => byte >= 0x20 && byte < 0x7f)
    ? String.fromCharCode(...text).trim()
    : "";
}
