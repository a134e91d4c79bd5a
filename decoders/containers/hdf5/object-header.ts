/** Object headers, version 1 and 2, with their continuations (File Format Specification, IV.A). */
import { FuseError } from "../../../src/errors.ts";
import { checkSum } from "./checksum.ts";
import { Cursor } from "./cursor.ts";
import type { Storage } from "./storage.ts";

/** Types of header messages that are read. */
export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  oldFill: 0x04,
  fill: 0x05,
  link: 0x06,
  external: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  sharedTable: 0x0f,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

/** Types up to this one are known to the specification. */
const LAST_KNOWN = 0x18;
/** The reader must give up when it does not know the message. */
const MUST_KNOW = 0x80;
/** The message's body tells where the real one is. */
export const SHARED = 0x02;

/** Blocks of one header. */
const MOST_BLOCKS = 4096;

/** One message of an object header. */
export interface Message {
  /** One of {@link MESSAGE}, or another. */
  type: number;
  /** Its flags; {@link SHARED} matters. */
  flags: number;
  /** Its bytes and their place in the file. */
  bytes: Uint8Array;
  /** Address of its first byte. */
  address: number;
}

/** An object header with all its messages. */
export interface ObjectHeader {
  /** Address of the header: the object's identity. */
  address: number;
  /** Messages in the order of the file. */
  messages: Message[];
}

interface Block {
  address: number;
  length: number;
}

/** A cursor over a message's body. */
export function openMessage(storage: Storage, message: Message, what: string): Cursor {
  return new Cursor(message.bytes, storage.place(message.address), what);
}

/** Reads the object header at an address. @throws FuseError `Corrupt`, `Unsupported` or `Limit`. */
export async function readObjectHeader(storage: Storage, address: number): Promise<ObjectHeader> {
  const head = await storage.cursorUpTo(address, 64, "object header");
  const version2 = head.bytes.length >= 4 && String.fromCharCode(...head.bytes.subarray(0, 4)) ===
      "OHDR";
  const messages: Message[] = [];
  const blocks: Block[] = [];
  let length = 0, timed = false;
  if (version2) {
    head.skip(4);
    head.version(2);
    const flags = head.u8();
    timed = (flags & 0x04) !== 0;
    if (flags & 0x20) head.skip(16);
    if (flags & 0x10) head.skip(4);
    length = head.uint(1 << (flags & 3));
    const prefix = head.at;
    const cursor = await storage.cursor(address, prefix + length + 4, "object header");
    cursor.at = prefix + length;
    checkSum(cursor);
    cursor.at = prefix;
    readMessages(cursor, cursor.at + length, address, true, timed, messages, blocks);
  } else {
    head.version(1);
    head.skip(1 + 2 + 4);
    length = head.u32();
    const cursor = await storage.cursor(address + 16, length, "object header");
    readMessages(cursor, length, address + 16, false, false, messages, blocks);
  }
  const seen = new Set<number>();
  let total = length;
  for (const block of blocks) {
    total += block.length;
    if (seen.has(block.address) || seen.size >= MOST_BLOCKS || total > storage.limits.headerBytes) {
      throw new FuseError("Corrupt", "object header: goes on without end", {
        source: storage.source.name,
        offset: storage.base + block.address,
      });
    }
    seen.add(block.address);
    const cursor = await storage.cursor(block.address, block.length, "object header continuation");
    let end = block.length;
    if (version2) {
      cursor.signature("OCHK");
      end -= 4;
      if (end < 4) throw cursor.corrupt("too short", `${block.length} bytes`);
      cursor.at = end;
      checkSum(cursor);
      cursor.at = 4;
    }
    // New blocks are added to the list that is being walked.
    readMessages(cursor, end, block.address, version2, timed, messages, blocks);
  }
  return { address, messages };
}

function readMessages(
  cursor: Cursor,
  end: number,
  address: number,
  version2: boolean,
  ordered: boolean,
  messages: Message[],
  blocks: Block[],
): void {
  const headBytes = version2 ? (ordered ? 6 : 4) : 8;
  // What is left behind the last message may be too short for one: a gap.
  while (end - cursor.at >= headBytes) {
    const type = version2 ? cursor.u8() : cursor.u16();
    const length = cursor.u16();
    const flags = cursor.u8();
    cursor.skip(headBytes - (version2 ? 4 : 5));
    if (cursor.at + length > end) {
      throw cursor.corrupt("a message reaches past its end", `${length} bytes`);
    }
    const place = address + cursor.at;
    const body = cursor.part(length);
    if (type === MESSAGE.continuation) {
      const next = body.someAddress("a continuation");
      blocks.push({ address: next, length: body.length() });
    } else if (type > LAST_KNOWN && flags & MUST_KNOW) {
      throw body.unsupported("a message that must be understood", type);
    } else if (type !== 0) {
      messages.push({ type, flags, bytes: body.bytes, address: place });
    }
  }
}
