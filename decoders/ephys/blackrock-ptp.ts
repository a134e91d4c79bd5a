/**
 * NSx files whose packets hold one sample each (3.0 files of Gemini and other PTP systems): equal
 * frames of header and samples, each with its own time stamp. Pauses are found without reading the
 * samples: between two packets of an uninterrupted run as much time passes as there are sampling
 * periods, so only stretches where the two differ are looked into, down to blocks that are read whole.
 */
import { checkSegments } from "../../src/model/check.ts";
import type { Segment } from "../../src/model/layout.ts";
import { isFuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { loadWasm, type WasmModule } from "../wasm/instance.ts";
import { sizeOfSource } from "./blackrock-fields.ts";
import type { NsxHeader } from "./blackrock-nsx-header.ts";
import { packetAt } from "./blackrock-packets.ts";

/** Packets of one sample, and where their run is interrupted. */
export interface SamplePackets {
  /** Bytes of a packet: its header and one sample of every channel. */
  stride: number;
  count: number;
  /** Bytes after the last whole packet. */
  restBytes: number;
  /** Index of the first packet of each run; the first is 0. */
  starts: number[];
  /** Time stamp of the first packet of each run. */
  ticks: bigint[];
  /** Furthest a stamp was seen from its place on the run's even clock, in sampling periods. */
  drift: number;
  /** Runs that begin before the one before them has ended. */
  resets: number;
}

/** Packets looked at before a file is taken for one of this kind. */
const PROBED_PACKETS = 64;
/** Files and blocks of this size are read as a whole rather than searched. */
const BLOCK_BYTES = 1 << 20;
/** Packets of a stretch that is read whole: too few to hide a step behind the clock's drift. */
const LEAF_PACKETS = 4096;
/** Reads under way at once while searching. */
const CONCURRENCY = 16;

/** True when the first packets in `head` all hold one sample (and one packet alone is the file). */
export function looksLikeSamplePackets(header: NsxHeader, size: number): boolean {
  const { head, dataOffset, packetHeadBytes, channels } = header;
  if (packetHeadBytes === 0) return false;
  const stride = packetHeadBytes + 2 * channels.length;
  const whole = Math.floor((size - dataOffset) / stride);
  const seen = Math.min(whole, PROBED_PACKETS, Math.floor((head.length - dataOffset) / stride));
  for (let i = 0; i < seen; i++) {
    const { flag, count } = packetAt(head, dataOffset + i * stride, packetHeadBytes);
    if (flag !== 1 || count !== 1) return false;
  }
  return seen >= 2;
}

/** Signals that some packet is not one of a single sample. */
class OtherPacket extends Error {}

/**
 * Finds the runs of a file of single-sample packets.
 * @returns null when a packet of another form is met: the chain must be walked then.
 */
export async function findSampleRuns(
  source: ByteSource,
  header: NsxHeader,
  signal?: AbortSignal,
): Promise<SamplePackets | null> {
  const stride = header.packetHeadBytes + 2 * header.channels.length;
  const bytes = sizeOfSource(source) - header.dataOffset;
  const count = Math.floor(bytes / stride);
  const search = new RunSearch(source, header, stride, count, await loadWasm("ephys"), signal);
  try {
    await search.run();
  } catch (error) {
    if (error instanceof OtherPacket) return null;
    throw error;
  }
  return { stride, count, restBytes: bytes - count * stride, ...search.result() };
}

interface Stretch {
  /** First and last packet. */
  first: number;
  last: number;
}

class RunSearch {
  /** Stamps read so far, by packet. */
  readonly #stamps = new Map<number, bigint>();
  readonly #breaks: number[] = [];
  #backwards = false;

  constructor(
    readonly source: ByteSource,
    readonly header: NsxHeader,
    readonly stride: number,
    readonly count: number,
    readonly wasm: WasmModule,
    readonly signal: AbortSignal | undefined,
  ) {}

  async run(): Promise<void> {
    const last = this.count - 1;
    if (this.count * this.stride <= 4 * BLOCK_BYTES) return await this.#scan({ first: 0, last });
    await this.#each([0, last], (i) => this.#read(i));
    await this.#search([{ first: 0, last }]);
    if (!this.#backwards) return;
    // Where the clock goes back, time gone by says nothing about the packets between.
    this.#breaks.length = 0;
    await this.#scan({ first: 0, last });
  }

  async #search(level: Stretch[]): Promise<void> {
    const leaf = Math.min(LEAF_PACKETS, Math.max(1, Math.floor(BLOCK_BYTES / this.stride)));
    while (level.length) {
      const odd = level.filter((s) => s.last > s.first && !this.#even(s));
      const whole = odd.filter((s) => s.last - s.first <= leaf);
      const split = odd.filter((s) => s.last - s.first > leaf);
      const middle = (s: Stretch) => s.first + ((s.last - s.first) >>> 1);
      await this.#each(split.map(middle), (i) => this.#read(i));
      await this.#each(whole, (s) => this.#scan(s));
      level = split.flatMap((s) => [
        { first: s.first, last: middle(s) },
        { first: middle(s), last: s.last },
      ]);
    }
  }

  /** Whether as much time passes in a stretch as its samples take, to half a sample. */
  #even({ first, last }: Stretch): boolean {
    const elapsed = Number(this.#stamps.get(last)! - this.#stamps.get(first)!);
    const { ticksPerSample } = this.header;
    return Math.abs(elapsed - (last - first) * ticksPerSample) < ticksPerSample / 2;
  }

  async #each<T>(items: T[], body: (item: T) => Promise<void>): Promise<void> {
    for (let i = 0; i < items.length; i += CONCURRENCY) {
      await Promise.all(items.slice(i, i + CONCURRENCY).map(body));
    }
  }

  #place(packet: number): number {
    return this.header.dataOffset + packet * this.stride;
  }

  async #read(packet: number): Promise<void> {
    const bytes = await this.source.read(this.#place(packet), this.header.packetHeadBytes, {
      purpose: "bulk",
      signal: this.signal,
    });
    this.#take(packet, bytes, 0);
  }

  #take(packet: number, bytes: Uint8Array, at: number): void {
    const { flag, ticks, count } = packetAt(bytes, at, this.header.packetHeadBytes);
    if (flag !== 1 || count !== 1) throw new OtherPacket();
    this.#stamps.set(packet, ticks);
  }

  /** Reads a stretch by blocks and looks at every step between packets. */
  async #scan({ first, last }: Stretch): Promise<void> {
    const perBlock = Math.max(2, Math.floor(BLOCK_BYTES / this.stride));
    for (let at = first; at <= last; at += perBlock - 1) {
      const packets = Math.min(perBlock, last - at + 1);
      // The last packet of a block is the first of the next: steps across blocks are seen too.
      if (packets === 1 && at > first) break;
      const bytes = await this.source.read(this.#place(at), packets * this.stride, {
        purpose: "bulk",
        signal: this.signal,
      });
      this.#take(at, bytes, 0);
      this.#take(at + packets - 1, bytes, (packets - 1) * this.stride);
      for (const b of this.#breaksIn(bytes, packets)) {
        this.#take(at + b - 1, bytes, (b - 1) * this.stride);
        this.#take(at + b, bytes, b * this.stride);
        this.#breaks.push(at + b);
        checkSegments(this.#breaks.length, { source: this.source.name, format: "blackrock" });
        if (this.#stamps.get(at + b)! <= this.#stamps.get(at + b - 1)!) this.#backwards = true;
      }
    }
  }

  #breaksIn(bytes: Uint8Array, packets: number): Uint32Array {
    const { wasm, header, stride } = this;
    const out = wasm.alloc(4 * packets);
    try {
      const found = wasm.with(bytes, (data) =>
        wasm.call("blackrock_ptp_breaks", [
          data,
          bytes.length,
          stride,
          header.packetHeadBytes === 13 ? 1 : 0,
          header.ticksPerSample,
          out,
        ]));
      return new Uint32Array(wasm.memory.buffer, out, found).slice();
    } catch (error) {
      if (isFuseError(error, "Corrupt")) throw new OtherPacket();
      throw error;
    } finally {
      wasm.free(out, 4 * packets);
    }
  }

  result(): Pick<SamplePackets, "starts" | "ticks" | "drift" | "resets"> {
    const starts = [0, ...this.#breaks.sort((a, b) => a - b)];
    const ticks = starts.map((s) => this.#stamps.get(s)!);
    const { ticksPerSample } = this.header;
    let drift = 0, resets = 0, run = 0;
    for (const packet of [...this.#stamps.keys()].sort((a, b) => a - b)) {
      while (run + 1 < starts.length && starts[run + 1] <= packet) run++;
      const elapsed = Number(this.#stamps.get(packet)! - ticks[run]);
      drift = Math.max(drift, Math.abs(elapsed / ticksPerSample - (packet - starts[run])));
    }
    for (let i = 1; i < starts.length; i++) {
      if (ticks[i] <= this.#stamps.get(starts[i] - 1)!) resets++;
    }
    return { starts, ticks, drift, resets };
  }
}

/** Segments of single-sample packets; times are seconds after the tick `zero`. */
export function sampleSegments(runs: SamplePackets, header: NsxHeader, zero: bigint): Segment[] {
  return runs.starts.map((startIndex, i) => ({
    startIndex,
    length: (runs.starts[i + 1] ?? runs.count) - startIndex,
    startSeconds: Number(runs.ticks[i] - zero) / header.timeResolution,
  }));
}

/** The time of every packet from its own stamp, in seconds after the tick `zero`, block by block. */
export async function* sampleTimes(
  source: ByteSource,
  header: NsxHeader,
  runs: SamplePackets,
  zero: bigint,
  signal?: AbortSignal,
): AsyncGenerator<Float64Array> {
  const wasm = await loadWasm("ephys");
  const perBlock = Math.max(1, Math.floor(BLOCK_BYTES / runs.stride));
  for (let at = 0; at < runs.count; at += perBlock) {
    const packets = Math.min(perBlock, runs.count - at);
    const offset = header.dataOffset + at * runs.stride;
    const bytes = await source.read(offset, packets * runs.stride, { purpose: "bulk", signal });
    const out = wasm.alloc(8 * packets);
    let times: Float64Array;
    try {
      wasm.with(bytes, (data) =>
        wasm.call("blackrock_ptp_times", [
          data,
          bytes.length,
          runs.stride,
          header.packetHeadBytes === 13 ? 1 : 0,
          header.timeResolution,
          Number(zero & 0xffff_ffffn),
          Number(zero >> 32n),
          out,
        ], { source: source.name, format: "blackrock", offset }));
      times = new Float64Array(wasm.memory.buffer, out, packets).slice();
    } finally {
      wasm.free(out, 8 * packets);
    }
    yield times;
  }
}
