/** Writes small Blackrock files: NSx 2.1 to 3.0, single-sample (PTP) packets, NEV with all packets. */
import { viewOf } from "../../src/source/source.ts";

/** A channel of an NSx file of specification 2.2 or later. */
export interface NsxChannel {
  electrode: number;
  label: string;
  units?: string;
  /** Digital and analog range; -32764..32764 counts for -8191..8191 uV unless given. */
  digital?: [min: number, max: number];
  analog?: [min: number, max: number];
}

/** A data packet: `samples[s][c]`. `count` overrides what the header says (0: not closed). */
export interface NsxPacket {
  ticks: bigint;
  samples: number[][];
  count?: number;
}

/** Contents of an NSx file. */
export interface NsxContents {
  version: "2.2" | "2.3" | "3.0";
  channels: NsxChannel[];
  packets: NsxPacket[];
  /** Ticks of the 30 kHz clock from sample to sample. */
  period?: number;
  timeResolution?: number;
  origin?: Date;
  label?: string;
  comment?: string;
}

/** The date of every file unless another is given. */
export const ORIGIN = new Date("2021-03-17T14:25:36.789Z");

class Writer {
  #bytes = new Uint8Array(1 << 12);
  #view = viewOf(this.#bytes);
  length = 0;

  #room(length: number): number {
    const at = this.length;
    this.length += length;
    if (this.length > this.#bytes.length) {
      const grown = new Uint8Array(2 * this.length);
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    return at;
  }
  /** Writes numbers of `width` bytes; the view is asked for after the bytes may have grown. */
  #put(width: number, values: number[], write: (view: DataView, at: number, v: number) => void) {
    for (const value of values) {
      const at = this.#room(width);
      write(this.#view, at, value);
    }
    return this;
  }
  u8(...values: number[]): this {
    return this.#put(1, values, (view, at, v) => view.setUint8(at, v));
  }
  u16(...values: number[]): this {
    return this.#put(2, values, (view, at, v) => view.setUint16(at, v, true));
  }
  i16(...values: number[]): this {
    return this.#put(2, values, (view, at, v) => view.setInt16(at, v, true));
  }
  u32(...values: number[]): this {
    return this.#put(4, values, (view, at, v) => view.setUint32(at, v, true));
  }
  u64(value: bigint): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, value, true);
    return this;
  }
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }
  /** Latin-1 text in a field of `length` bytes, NUL-padded. */
  text(text: string, length: number): this {
    const at = this.#room(length);
    for (let i = 0; i < Math.min(length, text.length); i++) {
      this.#bytes[at + i] = text.charCodeAt(i);
    }
    return this;
  }
  date(d: Date): this {
    return this.u16(
      d.getUTCFullYear(),
      d.getUTCMonth() + 1,
      d.getUTCDay(),
      d.getUTCDate(),
      d.getUTCHours(),
      d.getUTCMinutes(),
      d.getUTCSeconds(),
      d.getUTCMilliseconds(),
    );
  }
  padTo(length: number): this {
    this.#room(Math.max(0, length - this.length));
    return this;
  }
  done(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}

/** An NSx file of specification 2.2, 2.3 or 3.0. */
export function nsxFile(contents: NsxContents): Uint8Array {
  const { version, channels, packets } = contents;
  const wide = version === "3.0";
  const [major, minor] = version.split(".").map(Number);
  const w = new Writer();
  w.text(wide ? "BRSMPGRP" : "NEURALCD", 8).u8(major, minor).u32(314 + 66 * channels.length)
    .text(contents.label ?? "30 kS/s", 16).text(contents.comment ?? "", 256)
    .u32(contents.period ?? 1, contents.timeResolution ?? 30_000)
    .date(contents.origin ?? ORIGIN).u32(channels.length);
  for (const c of channels) {
    w.text("CC", 2).u16(c.electrode).text(c.label, 16).u8(1, c.electrode & 31)
      .i16(...(c.digital ?? [-32764, 32764]), ...(c.analog ?? [-8191, 8191]))
      .text(c.units ?? "uV", 16)
      .u32(300, 1).u16(1).u32(7_500_000, 3).u16(1);
  }
  for (const { ticks, samples, count } of packets) {
    w.u8(1);
    if (wide) w.u64(ticks);
    else w.u32(Number(ticks));
    w.u32(count ?? samples.length);
    for (const sample of samples) w.i16(...sample);
  }
  return w.done();
}

/** An NSx file of specification 2.1: samples after the headers, nothing else. */
export function oldNsxFile(
  electrodes: number[],
  samples: number[][],
  period = 1,
  label = "30 kS/s",
): Uint8Array {
  const w = new Writer().text("NEURALSG", 8).text(label, 16).u32(period, electrodes.length)
    .u32(...electrodes);
  for (const sample of samples) w.i16(...sample);
  return w.done();
}

/** One packet a sample, with time stamps from `stamp`: as PTP and Gemini systems write them. */
export function samplePackets(samples: number[][], stamp: (index: number) => bigint): NsxPacket[] {
  return samples.map((sample, i) => ({ ticks: stamp(i), samples: [sample] }));
}

/** An electrode of a NEV file. */
export interface NevElectrodeContents {
  id: number;
  label?: string;
  /** Nanovolts per count. */
  factor?: number;
  bytesPerSample?: number;
  spikeWidth?: number;
}

/** A data packet of a NEV file: what follows time stamp and id. */
export interface NevPacketContents {
  ticks: bigint;
  id: number;
  body: Uint8Array;
}

/** Contents of a NEV file. */
export interface NevContents {
  version: "2.1" | "2.2" | "2.3" | "3.0";
  packetBytes?: number;
  electrodes?: NevElectrodeContents[];
  packets: NevPacketContents[];
  /** Bit 0: all waveforms are 16-bit; set unless told otherwise. */
  flags?: number;
  timeResolution?: number;
  origin?: Date;
  comment?: string;
  /** Further extended headers: eight characters and up to 24 bytes each. */
  extended?: { id: string; bytes: Uint8Array }[];
}

/** A NEV file. */
export function nevFile(contents: NevContents): Uint8Array {
  const { version, packets } = contents;
  const wide = version === "3.0";
  const [major, minor] = version.split(".").map(Number);
  const packetBytes = contents.packetBytes ?? 104;
  const extended = new Writer();
  for (const e of contents.electrodes ?? []) {
    const room = Math.floor((packetBytes - (wide ? 12 : 8)) / Math.max(1, e.bytesPerSample ?? 2));
    extended.text("NEUEVWAV", 8).u16(e.id).u8(1, e.id & 31).u16(e.factor ?? 250, 0).i16(0, -200)
      .u8(2, e.bytesPerSample ?? 2).u16(e.spikeWidth ?? Math.min(48, room)).padTo(
        extended.length + 8,
      );
    if (e.label !== undefined) {
      extended.text("NEUEVLBL", 8).u16(e.id).text(e.label, 16).padTo(extended.length + 6);
    }
    extended.text("NEUEVFLT", 8).u16(e.id).u32(250_000, 4).u16(1).u32(7_500_000, 3).u16(1)
      .padTo(extended.length + 2);
  }
  for (const { id, bytes } of contents.extended ?? []) {
    const end = extended.length + 32;
    extended.text(id, 8).raw(bytes).padTo(end);
  }
  const w = new Writer();
  w.text(wide ? "BREVENTS" : "NEURALEV", 8).u8(major, minor).u16(contents.flags ?? 1)
    .u32(336 + extended.length, packetBytes, contents.timeResolution ?? 30_000, 30_000)
    .date(contents.origin ?? ORIGIN).text("test writer", 32).text(contents.comment ?? "", 256)
    .u32(extended.length / 32).raw(extended.done());
  for (const { ticks, id, body } of packets) {
    const end = w.length + packetBytes;
    if (wide) w.u64(ticks);
    else w.u32(Number(ticks));
    w.u16(id).raw(body.subarray(0, end - w.length)).padTo(end);
  }
  return w.done();
}

/** A spike with a 16-bit waveform. */
export function spike(
  ticks: bigint,
  electrode: number,
  unit: number,
  waveform: number[],
): NevPacketContents {
  return { ticks, id: electrode, body: new Writer().u8(unit, 0).i16(...waveform).done() };
}

/** A change of the parallel (`reason` 1) or serial (129) input, with analog inputs before 2.3. */
export function digital(
  ticks: bigint,
  value: number,
  reason = 1,
  analog: number[] = [],
): NevPacketContents {
  return { ticks, id: 0, body: new Writer().u8(reason, 0).u16(value).i16(...analog).done() };
}

/** A comment; UTF-16 where `utf16` is set. */
export function comment(
  ticks: bigint,
  text: string,
  color = 0,
  utf16 = false,
): NevPacketContents {
  const w = new Writer().u8(utf16 ? 1 : 0, 0).u32(color);
  if (utf16) { for (let i = 0; i < text.length; i++) w.u16(text.charCodeAt(i)); }
  else w.text(text, text.length);
  return { ticks, id: 0xffff, body: w.done() };
}

/** A frame of a video, from source `source`. */
export function videoSync(
  ticks: bigint,
  file: number,
  frame: number,
  elapsedMilliseconds: number,
  source: number,
): NevPacketContents {
  const body = new Writer().u16(file).u32(frame, elapsedMilliseconds, source).done();
  return { ticks, id: 0xfffe, body };
}

/** Places of a tracked object. */
export function tracking(ticks: bigint, node: number, points: number[]): NevPacketContents {
  const body = new Writer().u16(0, node, 1, points.length / 2, ...points).done();
  return { ticks, id: 0xfffd, body };
}

/** A packet of a 16-bit code and text: button 0xfffc, log 0xfffb, configuration 0xfffa, ... */
export function coded(ticks: bigint, id: number, code: number, text = ""): NevPacketContents {
  return { ticks, id, body: new Writer().u16(code).text(text, text.length).done() };
}

/** What a packet could not hold, for the packet of the same id before it. */
export function continuation(id: number, body: Uint8Array, wide = false): NevPacketContents {
  return { ticks: wide ? (1n << 64n) - 1n : 0xffff_ffffn, id, body };
}

/** Numbers between 0 and 1 that are the same on every run. */
function randomNumbers(seed: number): () => number {
  return () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
}

/** Shape of a spike, 48 samples at 30 kHz, peak -1. */
const SPIKE = Array.from({ length: 48 }, (_, i) => {
  const bump = (centre: number, width: number) => Math.exp(-(((i - centre) / width) ** 2));
  return 0.35 * bump(20, 6) - bump(11, 2.5);
});

/**
 * A set of specification 2.3 as an experiment would leave it: `<base>.ns5` with noise and spikes of
 * two units on every electrode and a pause after two thirds, `<base>.nev` with those spikes, their
 * waveforms, stimuli on the digital port and comments.
 */
export function experiment(
  options: { base?: string; seconds?: number; channels?: number } = {},
): Record<string, Uint8Array> {
  const { base = "experiment", seconds = 2, channels = 4 } = options;
  const random = randomNumbers(7);
  const count = Math.round(seconds * 30_000);
  const pauseAt = Math.floor(count * 2 / 3), pauseTicks = 15_000;
  const ticksOf = (sample: number) => BigInt(sample + (sample >= pauseAt ? pauseTicks : 0));
  const signals = Array.from({ length: channels }, () => {
    let low = 0;
    return Int16Array.from({ length: count }, (_, i) => {
      low += 0.05 * (random() - 0.5 - 0.02 * low);
      return Math.round(40 * (random() + random() - 1) + 400 * low + 60 * Math.sin(i / 600));
    });
  });
  const packets: NevPacketContents[] = [];
  for (let c = 0; c < channels; c++) {
    for (let at = 300 + 97 * c; at + 48 < count; at += 600 + Math.floor(900 * random())) {
      const unit = random() < 0.6 ? 1 : 2;
      if (at < pauseAt && at + 48 >= pauseAt) continue;
      SPIKE.forEach((v, i) => signals[c][at + i] += Math.round(v * (unit === 1 ? 480 : 260)));
      packets.push(spike(ticksOf(at + 11), c + 1, unit, [...signals[c].subarray(at, at + 48)]));
    }
  }
  for (let at = 7500; at < count; at += 15_000) {
    packets.push(digital(ticksOf(at), 1), digital(ticksOf(at) + 150n, 0));
  }
  packets.push(comment(3000n, "baseline", 0xff), comment(ticksOf(pauseAt), "stimulation", 0xff00));
  packets.sort((a, b) => Number(a.ticks - b.ticks));
  const samples = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => signals.map((s) => s[from + i]));
  const labels = Array.from({ length: channels }, (_, c) => `elec${c + 1}`);
  return {
    [`${base}.ns5`]: nsxFile({
      version: "2.3",
      channels: labels.map((label, c) => ({ electrode: c + 1, label })),
      packets: [
        { ticks: 0n, samples: samples(0, pauseAt) },
        { ticks: ticksOf(pauseAt), samples: samples(pauseAt, count) },
      ],
      comment: "synthetic recording",
    }),
    [`${base}.nev`]: nevFile({
      version: "2.3",
      electrodes: labels.map((label, c) => ({ id: c + 1, label })),
      packets,
      comment: "synthetic recording",
    }),
  };
}
