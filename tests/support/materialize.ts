/**
 * Reads whole arrays out of a Dataset, slowly and plainly, straight from the meaning of the layouts:
 * the yardstick the fast path is compared with.
 */
import type { Dataset, Recording } from "../../src/model/dataset.ts";
import { decodedType, type DType, sizeOf } from "../../src/model/dtype.ts";
import { type FrameLayout, runOf, totalFrames } from "../../src/model/layout.ts";
import { viewOf } from "../../src/source/source.ts";

/** One raw sample as a number (or bigint for 64-bit integers). */
function sample(view: DataView, at: number, l: FrameLayout): number | bigint {
  const le = l.littleEndian;
  if (l.signMagnitude) {
    const word = view.getUint16(at, le);
    const magnitude = word & ((1 << l.signMagnitude.magnitudeBits) - 1);
    return (word >> l.signMagnitude.signBit) & 1 ? 0 - magnitude : magnitude;
  }
  if (l.bit !== undefined) {
    const word = l.stored === "uint8" ? view.getUint8(at) : view.getUint16(at, le);
    return (word >> l.bit) & 1;
  }
  switch (l.stored) {
    case "uint8":
      return l.flipSign ? view.getUint8(at) - 128 : view.getUint8(at);
    case "int8":
      return view.getInt8(at);
    case "uint16":
      return l.flipSign ? view.getUint16(at, le) - 32768 : view.getUint16(at, le);
    case "int16":
      return view.getInt16(at, le);
    case "int24": {
      const [a, b, c] = [0, 1, 2].map((i) => view.getUint8(at + (le ? i : 2 - i)));
      return (a | (b << 8) | (c << 16)) << 8 >> 8;
    }
    case "uint32":
      return l.flipSign ? view.getUint32(at, le) - 2147483648 : view.getUint32(at, le);
    case "int32":
      return view.getInt32(at, le);
    case "int64":
      return view.getBigInt64(at, le);
    case "uint64":
      return view.getBigUint64(at, le);
    case "float32":
      return view.getFloat32(at, le);
    case "float64":
      return view.getFloat64(at, le);
    case "alaw": {
      const v = view.getUint8(at) ^ 0x55;
      const exponent = (v >> 4) & 7, mantissa = v & 15;
      const magnitude = exponent
        ? ((mantissa << 4) + 0x108) << (exponent - 1)
        : (mantissa << 4) + 8;
      return v & 0x80 ? magnitude : -magnitude;
    }
    case "mulaw": {
      const v = ~view.getUint8(at) & 0xff;
      const magnitude = ((((v & 15) << 3) + 0x84) << ((v >> 4) & 7)) - 0x84;
      return v & 0x80 ? -magnitude : magnitude;
    }
    default:
      throw new Error(`materialize: ${l.stored} not covered`);
  }
}

/** Raw samples of one channel of a frame layout. */
export async function frameChannel(
  dataset: Dataset,
  layout: FrameLayout,
  channel: number,
  count: number,
): Promise<(number | bigint)[]> {
  const table = dataset.frameTables[layout.table];
  const frames = totalFrames(table);
  const out: (number | bigint)[] = [];
  const width = sizeOf(layout.stored);
  for (let f = 0; f < frames && out.length < count; f++) {
    const run = runOf(table, f);
    const start = table.offset[run] + (f - table.firstFrame[run]) * table.frameBytes;
    const source = dataset.sources[table.source[run]];
    const bytes = await source.readUpTo(start, table.frameBytes);
    for (let k = 0; k < layout.samplesPerFrame && out.length < count; k++) {
      const at = layout.channelOffsets[channel] +
        (layout.sampleOffsets?.[k] ?? k * layout.sampleStride);
      if (at + width > bytes.length) {
        throw new Error(`sample ${out.length} lies past the frame's bytes`);
      }
      out.push(sample(viewOf(bytes), at, layout));
    }
  }
  return out;
}

/** Raw samples of one channel of a recording, as numbers in its raw type. */
export async function channelSamples(
  dataset: Dataset,
  recording: Recording,
  channel: number,
): Promise<(number | bigint)[]> {
  const part = recording.parts.find((p) =>
    channel >= p.firstChannel && channel < p.firstChannel + p.channelCount
  )!;
  const layout = part.layout;
  if (layout.kind === "frames") {
    const { sampleCount } = recording;
    const framed = part.tail?.firstSample ?? sampleCount!;
    const index = channel - part.firstChannel;
    const out = await frameChannel(dataset, layout, index, framed);
    const inTail = sampleCount! - framed;
    for (let k = 0; k < inTail; k++) out.push(part.tail!.values[index * inTail + k]);
    return out;
  }
  if (layout.kind === "stream") {
    const out: (number | bigint)[] = [];
    for await (const block of dataset.openStream!(layout.stream, {})) {
      if (block.field !== layout.field) continue;
      const from = (channel - part.firstChannel) * block.count;
      for (let i = 0; i < block.count; i++) out.push(block.values[from + i] as number | bigint);
    }
    return out;
  }
  throw new Error(`materialize: ${layout.kind} not covered`);
}

/** Little-endian bytes of numbers in an element type. */
export function toBytes(values: (number | bigint)[], type: DType): Uint8Array {
  const width = sizeOf(type);
  const out = new Uint8Array(values.length * width);
  const view = viewOf(out);
  values.forEach((v, i) => {
    const at = i * width;
    if (type === "int16") view.setInt16(at, Number(v), true);
    else if (type === "uint16") view.setUint16(at, Number(v), true);
    else if (type === "int8") view.setInt8(at, Number(v));
    else if (type === "uint8") view.setUint8(at, Number(v));
    else if (type === "int32") view.setInt32(at, Number(v), true);
    else if (type === "uint32") view.setUint32(at, Number(v), true);
    else if (type === "int64") view.setBigInt64(at, BigInt(v), true);
    else if (type === "uint64") view.setBigUint64(at, BigInt(v), true);
    else if (type === "float32") view.setFloat32(at, Number(v), true);
    else if (type === "float64") view.setFloat64(at, Number(v), true);
    else throw new Error(`materialize: ${type} not covered`);
  });
  return out;
}

export { decodedType };
