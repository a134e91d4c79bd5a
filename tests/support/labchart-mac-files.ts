/** Builds small LabChart for Macintosh documents. */
import { Bytes, packedPlanes, packPlanes } from "./labchart-bytes.ts";

/** One channel. */
export interface MacChannelSpec {
  title: string;
  /** Stores every so-manieth tick; 0: a calculated channel, not stored. */
  step?: number;
  base?: "V" | "mV";
  fullScale?: number;
  units?: { name: string; slope: number; offset: number; on?: boolean };
  /** Storage blocks, counted through the document, kept as floats. */
  plain?: number[];
}

/** One LabChart block. */
export interface MacRecordSpec {
  ticks: number;
  /** Seconds since 1970 by the local clock. */
  start: number;
  /** Counts of each channel at its own rate. */
  samples: number[][];
  comments?: { tick: number; mask?: number; text?: string }[];
}

/** A whole document. */
export interface MacSpec {
  tickRate?: number;
  blockTicks?: number;
  channels: MacChannelSpec[];
  records: MacRecordSpec[];
}

function pascal(out: Bytes, text: string, size: number): Bytes {
  out.u8(text.length).ascii(text);
  return out.zeros(size - 1 - text.length);
}

/** The classic 80-bit float. */
function extended(out: Bytes, value: number): Bytes {
  if (value === 0) return out.zeros(10);
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const mantissa = BigInt(Math.round(Math.abs(value) / 2 ** exponent * 2 ** 52)) << 11n;
  return out.u16((value < 0 ? 0x8000 : 0) | (exponent + 16_383))
    .i64(BigInt.asIntN(64, mantissa));
}

/** The bytes of a document. */
export function buildMacDocument(spec: MacSpec): Uint8Array<ArrayBuffer> {
  const { tickRate = 4000, blockTicks = 16_000 } = spec;
  const out = new Bytes(false).u8(20).ascii("ADInst Data Res File").zeros(11);
  const chunks: [string, number, number, number][] = [];
  const chunk = (type: string, id: number, bytes: Uint8Array) => {
    chunks.push([type, id, out.length, bytes.length]);
    out.raw(bytes);
  };
  const blocks = spec.records.flatMap((record, r) =>
    Array.from({ length: Math.ceil(record.ticks / blockTicks) }, (_, i) => ({
      record,
      number: r + 1,
      start: i * blockTicks,
      ticks: Math.min(blockTicks, record.ticks - i * blockTicks),
    }))
  );
  const list = new Bytes(false), clock = new Bytes(false);
  for (const { record, number, start, ticks } of blocks) {
    const own = (record.comments ?? []).filter((c) => c.tick >= start && c.tick < start + ticks);
    const at = own.length > 0 ? out.length : 0xffffffff;
    if (own.length > 0) putComments(out, own, start);
    const seconds = Math.floor(record.start);
    list.u16(ticks).u16(number).u16(14).u32(start).u32(seconds + 2_082_844_800)
      .f64(record.start - seconds).u16(1).zeros(6).u32(at);
    const micros = Math.round((record.start % 1e6) * 1e6 + start * 1e6 / tickRate);
    clock.i64(micros).f32(0);
  }
  chunk("Alc2", 1, list.bytes());
  chunk("mTim", 1, clock.bytes());
  const gain = new Bytes(false), units = new Bytes(false);
  let unitCount = 0;
  spec.channels.forEach((channel, c) => {
    const { step = 1, base = "V", fullScale = 10.24 } = channel;
    pascal(gain, `\xca${base}`, 34).f64(fullScale).f64(fullScale).f64(1).f64(-1).zeros(6);
    if (channel.units) {
      unitCount++;
      const { name, slope, offset, on = true } = channel.units;
      units.u16(0x205).u16(0).u16(on ? 0x100 : 0);
      extended(extended(units, offset), slope);
      pascal(units, `\xca${name}`, 8).zeros(48);
      for (let i = 0; i < 4; i++) pascal(units, i === 0 ? "1 V" : "", 12);
    }
    const index = new Bytes(false);
    blocks.forEach(({ record, start, ticks }, k) => {
      if (step === 0) return index.zeros(24);
      const samples = record.samples[c].slice(
        Math.ceil(start / step),
        Math.ceil((start + ticks) / step),
      );
      const plain = channel.plain?.includes(k) ?? false;
      const at = out.length;
      if (plain) samples.forEach((v) => out.f32(v / 32_768));
      else out.u8(1).raw(packPlanes(packedPlanes(samples, "mac")));
      index.u32(at).u32(out.length - at).f32(1).f32(-1).u16(c + 1).u16(plain ? 16 : 19)
        .u16(channel.units ? unitCount : 0).u16(step > 1 ? step : 0);
    });
    chunk("Map4", c + 1, index.bytes());
  });
  chunk("Gain", 1, gain.bytes());
  chunk("UntA", 1, units.bytes());
  chunk("vers", 1, Uint8Array.of(7, 0, 0x80, 0));
  spec.channels.forEach(({ title }, c) =>
    chunk("STR ", 1100 + c, new Bytes().u8(title.length).ascii(title).bytes())
  );
  const toc = out.length;
  for (const [type, id, offset, length] of chunks) {
    out.ascii(type).u16(id).u32(offset).u32(length);
  }
  const bytes = out.bytes();
  const view = new DataView(bytes.buffer);
  view.setUint32(24, toc);
  view.setUint32(28, bytes.length - toc);
  return bytes;
}

function putComments(
  out: Bytes,
  comments: { tick: number; mask?: number; text?: string }[],
  start: number,
): void {
  out.u16(comments.length);
  comments.forEach(({ tick, mask = -1, text }, i) => {
    out.u32(text === undefined ? 0 : text.length + 3).u16(tick - start).u32(0).u16(i + 1).i32(mask)
      .u32(text === undefined ? 2 : 1);
  });
  for (const { text } of comments) {
    if (text !== undefined) out.u32(text.length + 3).u16(0).u8(text.length).ascii(text);
  }
}
