/**
 * Data packets of NSx files 2.2 to 3.0: a chain of headers (1, time stamp, sample count) with samples
 * between them. A pause or a reset of the clock begins a packet. Source: Blackrock, "NEV/NSx file
 * format", section "data packets".
 */
import { ensure, FuseError } from "../../src/errors.ts";
import { checkSegments } from "../../src/model/check.ts";
import type { FrameTable, Segment } from "../../src/model/layout.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { sizeOfSource } from "./blackrock-fields.ts";
import type { NsxHeader } from "./blackrock-nsx-header.ts";

/** Packets with samples, in file order. */
export interface PacketList {
  /** Byte offset of each packet's first sample. */
  offset: Float64Array;
  /** Samples per channel in each packet. */
  count: Float64Array;
  /** Time stamp of each packet's first sample. */
  ticks: BigUint64Array;
}

/** What the walk found besides packets. */
export interface PacketNotes {
  warnings: string[];
  leftOut: { what: string; why: string }[];
}

/** Most packets kept in one file: a table of them stays below 100 MB. */
const MAX_PACKETS = 1 << 22;
/** Reads while packets are large: one header and what a slow service gives with it anyway. */
const SMALL_READ_BYTES = 4096;
/** Reads while packets are so small that many headers come with one read. */
const LARGE_READ_BYTES = 1 << 20;

/** Header of a packet, from bytes that hold it whole. */
export function packetAt(
  bytes: Uint8Array,
  at: number,
  headBytes: number,
): { flag: number; ticks: bigint; count: number } {
  const view = viewOf(bytes);
  const wide = headBytes === 13;
  return {
    flag: bytes[at],
    ticks: wide ? view.getBigUint64(at + 1, true) : BigInt(view.getUint32(at + 1, true)),
    count: view.getUint32(at + (wide ? 9 : 5), true),
  };
}

/** Bytes of a file through a window that moves forward. */
class Window {
  #start = 0;
  #bytes: Uint8Array;

  constructor(readonly source: ByteSource, head: Uint8Array, readonly signal?: AbortSignal) {
    this.#bytes = head;
  }

  async get(offset: number, length: number, readBytes: number): Promise<Uint8Array> {
    const from = offset - this.#start;
    if (from < 0 || from + length > this.#bytes.length) {
      this.#start = offset;
      this.#bytes = await this.source.readUpTo(offset, Math.max(length, readBytes), {
        purpose: readBytes > SMALL_READ_BYTES ? "bulk" : "header",
        signal: this.signal,
      });
      return this.#bytes.subarray(0, length);
    }
    return this.#bytes.subarray(from, from + length);
  }
}

/**
 * Walks the chain of packets. A count of 0 in the last packet means that the recording was not
 * closed: its samples reach to the end of the file. A cut last packet gives its whole samples.
 * @throws FuseError `Corrupt` when there is no packet where the first one should be.
 */
export async function walkPackets(
  source: ByteSource,
  header: NsxHeader,
  notes: PacketNotes,
  signal?: AbortSignal,
): Promise<PacketList> {
  const size = sizeOfSource(source);
  const headBytes = header.packetHeadBytes;
  const frameBytes = 2 * header.channels.length;
  const list = new PacketBuilder(source.name);
  const window = new Window(source, header.head, signal);
  let position = header.dataOffset;
  let readBytes = SMALL_READ_BYTES;
  const warn = (text: string) => notes.warnings.push(`${source.name}: ${text}`);
  while (position < size) {
    if (size - position < headBytes) {
      warn(`${size - position} bytes after the last packet are no packet`);
      break;
    }
    const { flag, ticks, count } = packetAt(
      await window.get(position, headBytes, readBytes),
      0,
      headBytes,
    );
    if (flag !== 1) {
      ensure(list.length > 0, "no data packet follows the headers", {
        source: source.name,
        format: "blackrock",
        offset: position,
        field: "packet header",
        found: flag,
        expected: 1,
      });
      warn(`what follows the packet before byte ${position} is no packet (begins with ${flag})`);
      notes.leftOut.push({
        what: `${size - position} bytes of ${source.name} from byte ${position}`,
        why: "the chain of data packets breaks off there",
      });
      break;
    }
    const body = position + headBytes;
    const room = Math.floor((size - body) / frameBytes);
    let samples = count;
    if (count === 0) {
      if (await isPacket(window, body, size, headBytes, frameBytes)) {
        position = body;
        continue;
      }
      samples = room;
      if (room > 0) {
        warn(
          `the packet at byte ${position} was not closed (its count is 0): ` +
            `read to the end of the file, ${room} samples`,
        );
      }
    } else if (count > room) {
      samples = room;
      warn(
        `the file ends inside the packet at byte ${position}: ` +
          `${room} of ${count} samples are there`,
      );
    }
    if (samples > 0) list.push(body, samples, ticks);
    const next = body + samples * frameBytes;
    if (samples !== count) break;
    readBytes = next - position < LARGE_READ_BYTES / 16 ? LARGE_READ_BYTES : SMALL_READ_BYTES;
    position = next;
  }
  return list.finish();
}

/** Whether a whole packet with samples lies at `at` and another, or the end of the file, after it. */
async function isPacket(
  window: Window,
  at: number,
  size: number,
  headBytes: number,
  frameBytes: number,
): Promise<boolean> {
  if (at + headBytes > size) return false;
  const { flag, count } = packetAt(await window.get(at, headBytes, 0), 0, headBytes);
  const end = at + headBytes + count * frameBytes;
  if (flag !== 1 || count === 0 || end > size) return false;
  return end === size || (await window.get(end, 1, 0))[0] === 1;
}

class PacketBuilder {
  length = 0;
  #offset = new Float64Array(16);
  #count = new Float64Array(16);
  #ticks = new BigUint64Array(16);

  constructor(readonly name: string) {}

  push(offset: number, count: number, ticks: bigint): void {
    const n = this.length;
    if (n === this.#offset.length) {
      if (n >= MAX_PACKETS) {
        throw new FuseError("Limit", "more data packets than can be kept", {
          source: this.name,
          format: "blackrock",
          offset,
          expected: `at most ${MAX_PACKETS}`,
        });
      }
      const grow = <T extends Float64Array | BigUint64Array>(a: T, b: T): T => {
        (b as Float64Array).set(a as Float64Array);
        return b;
      };
      this.#offset = grow(this.#offset, new Float64Array(2 * n));
      this.#count = grow(this.#count, new Float64Array(2 * n));
      this.#ticks = grow(this.#ticks, new BigUint64Array(2 * n));
    }
    this.#offset[n] = offset;
    this.#count[n] = count;
    this.#ticks[n] = ticks;
    this.length++;
  }

  finish(): PacketList {
    const cut = this.length;
    return {
      offset: this.#offset.slice(0, cut),
      count: this.#count.slice(0, cut),
      ticks: this.#ticks.slice(0, cut),
    };
  }
}

/** Frames (one sample of every channel) of a list of packets; one run for each packet. */
export function packetFrames(packets: PacketList, frameBytes: number, source: number): FrameTable {
  const n = packets.count.length;
  const firstFrame = new Float64Array(n);
  for (let i = 1; i < n; i++) firstFrame[i] = firstFrame[i - 1] + packets.count[i - 1];
  return {
    frameBytes,
    source: new Uint16Array(n).fill(source),
    offset: packets.offset,
    firstFrame,
    frameCount: packets.count,
  };
}

/**
 * Uninterrupted runs. A packet continues the run before it when its stamp is where the run's clock
 * says it should be, to half a sample; so the time axis never strays further from the stamps.
 * Times are seconds after the tick `zero`. `resets` counts the packets that begin before the end of
 * the run before them.
 */
export function packetSegments(
  packets: PacketList,
  header: Pick<NsxHeader, "ticksPerSample" | "timeResolution">,
  zero: bigint,
  name: string,
): { segments: Segment[]; resets: number } {
  const segments: Segment[] = [];
  let resets = 0, index = 0, runTicks = 0n;
  for (let i = 0; i < packets.count.length; i++) {
    const run = segments.at(-1);
    const ticks = packets.ticks[i];
    const late = run ? Number(ticks - runTicks) - run.length * header.ticksPerSample : 0;
    if (run && Math.abs(late) <= header.ticksPerSample / 2) run.length += packets.count[i];
    else {
      if (late < 0) resets++;
      segments.push({
        startIndex: index,
        length: packets.count[i],
        startSeconds: Number(ticks - zero) / header.timeResolution,
      });
      runTicks = ticks;
      checkSegments(segments.length, { source: name, format: "blackrock" });
    }
    index += packets.count[i];
  }
  return { segments, resets };
}
