/**
 * The little of HDF5 a MAT-file of version 7.3 needs (HDF5 File Format Specification 3.0): superblock 2,
 * groups with links in their headers, contiguous data sets, attributes of strings and numbers. Data are
 * written first, headers behind them, and the superblock, which points to the root, is put in last.
 */
import type { ByteOutput } from "../ordered/output.ts";

const UNDEFINED = 0xffff_ffff_ffff_ffffn;
const SIGNED = 0x08;

/** An attribute: fixed text, or a 32-bit number. */
export type Hdf5Attribute = [name: string, value: string | number];

/** Element types by MATLAB's classes. */
const TYPES: Record<string, { float?: boolean; signed?: boolean; bytes: number }> = {
  double: { float: true, bytes: 8 },
  single: { float: true, bytes: 4 },
  int8: { signed: true, bytes: 1 },
  uint8: { bytes: 1 },
  logical: { bytes: 1 },
  int16: { signed: true, bytes: 2 },
  uint16: { bytes: 2 },
  char: { bytes: 2 },
  int32: { signed: true, bytes: 4 },
  uint32: { bytes: 4 },
  int64: { signed: true, bytes: 8 },
  uint64: { bytes: 8 },
};

/** Growing bytes, little endian. */
class Bytes {
  #bytes = new Uint8Array(256);
  length = 0;

  #room(count: number): DataView {
    if (this.length + count > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.length + count, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    const view = new DataView(this.#bytes.buffer, this.length, count);
    this.length += count;
    return view;
  }

  u8(...values: number[]): this {
    for (const v of values) this.#room(1).setUint8(0, v);
    return this;
  }

  u16(value: number): this {
    this.#room(2).setUint16(0, value, true);
    return this;
  }

  u32(value: number): this {
    this.#room(4).setUint32(0, value, true);
    return this;
  }

  u64(value: bigint | number): this {
    this.#room(8).setBigUint64(0, BigInt(value), true);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const view = this.#room(bytes.length);
    new Uint8Array(view.buffer, view.byteOffset, bytes.length).set(bytes);
    return this;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}

function datatype(type: string): Uint8Array {
  const { float, signed, bytes } = TYPES[type];
  const b = new Bytes();
  if (!float) return b.u8(0x10, signed ? SIGNED : 0, 0, 0).u32(bytes).u16(0).u16(8 * bytes).done();
  const [exponent, mantissa, bias] = bytes === 8 ? [11, 52, 1023] : [8, 23, 127];
  return b.u8(0x11, 0x20, 8 * bytes - 1, 0).u32(bytes).u16(0).u16(8 * bytes)
    .u8(mantissa, exponent, 0, mantissa).u32(bias).done();
}

function textType(length: number): Uint8Array {
  return new Bytes().u8(0x13, 0, 0, 0).u32(length).done();
}

/** Object references: addresses of object headers. */
function referenceType(): Uint8Array {
  return new Bytes().u8(0x17, 0, 0, 0).u32(8).done();
}

function dataspace(dims: number[]): Uint8Array {
  const b = new Bytes().u8(2, dims.length, 0, dims.length ? 1 : 0);
  for (const n of dims) b.u64(n);
  return b.done();
}

function attribute([name, value]: Hdf5Attribute): Uint8Array {
  const label = new TextEncoder().encode(name + "\0");
  const text = typeof value === "string" ? new TextEncoder().encode(value) : undefined;
  const type = text ? textType(text.length) : datatype("int32");
  const space = dataspace([]);
  const b = new Bytes().u8(3, 0).u16(label.length).u16(type.length).u16(space.length).u8(0)
    .raw(label).raw(type).raw(space);
  return (text ? b.raw(text) : b.u32(value as number)).done();
}

function message(type: number, body: Uint8Array): Uint8Array {
  return new Bytes().u8(type).u16(body.length).u8(0).raw(body).done();
}

/** A version 2 object header of one block. */
function objectHeader(messages: Uint8Array[]): Uint8Array {
  const size = messages.reduce((n, m) => n + m.length, 0);
  const b = new Bytes().raw(new TextEncoder().encode("OHDR")).u8(2, 0x02).u32(size);
  for (const m of messages) b.raw(m);
  const body = b.done();
  return new Bytes().raw(body).u32(lookup3(body)).done();
}

/** Writes objects to an output that holds `base` bytes of something else first. */
export class Hdf5Writer {
  /** Addresses count from behind the user block. */
  constructor(readonly output: ByteOutput, readonly base: number) {}

  get #here(): number {
    return this.output.length - this.base;
  }

  /** Room for the superblock. */
  async begin(): Promise<void> {
    await this.output.write(new Uint8Array(48));
  }

  async #align(): Promise<void> {
    const rest = this.output.length % 8;
    if (rest) await this.output.write(new Uint8Array(8 - rest));
  }

  /** A data set of numbers; gives the address of its header. */
  async dataset(
    type: string,
    dims: number[],
    pieces: Iterable<Uint8Array>,
    attributes: Hdf5Attribute[],
  ): Promise<number> {
    return await this.#data(datatype(type), dims, pieces, attributes);
  }

  /** A data set of references to other objects. */
  async references(
    addresses: number[],
    dims: number[],
    attributes: Hdf5Attribute[],
  ): Promise<number> {
    const bytes = new Uint8Array(BigUint64Array.from(addresses, BigInt).buffer);
    return await this.#data(referenceType(), dims, [bytes], attributes);
  }

  async #data(
    type: Uint8Array,
    dims: number[],
    pieces: Iterable<Uint8Array>,
    attributes: Hdf5Attribute[],
  ): Promise<number> {
    await this.#align();
    const address = this.#here;
    for (const piece of pieces) await this.output.write(piece);
    const size = this.#here - address;
    await this.#align();
    const header = this.#here;
    const layout = new Bytes().u8(3, 1).u64(size ? address : UNDEFINED).u64(size).done();
    await this.output.write(objectHeader([
      message(0x01, dataspace(dims)),
      message(0x03, type),
      message(0x05, new Uint8Array([3, 0x0a])),
      message(0x08, layout),
      ...attributes.map((a) => message(0x0c, attribute(a))),
    ]));
    return header;
  }

  /** A group of links; gives the address of its header. */
  async group(
    links: [name: string, address: number][],
    attributes: Hdf5Attribute[] = [],
  ): Promise<number> {
    await this.#align();
    const header = this.#here;
    await this.output.write(objectHeader([
      message(0x02, new Bytes().u8(0, 0).u64(UNDEFINED).u64(UNDEFINED).done()),
      message(0x0a, new Uint8Array([0, 0])),
      ...links.map(([name, address]) => {
        const label = new TextEncoder().encode(name);
        return message(
          0x06,
          new Bytes().u8(1, 0x01).u16(label.length).raw(label).u64(address).done(),
        );
      }),
      ...attributes.map((a) => message(0x0c, attribute(a))),
    ]));
    return header;
  }

  /** The superblock for a file whose root is at `root`. */
  superblock(root: number): Uint8Array {
    const body = new Bytes().u8(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 2, 8, 8, 0)
      .u64(this.base).u64(UNDEFINED).u64(this.output.length).u64(root).done();
    return new Bytes().raw(body).u32(lookup3(body)).done();
  }
}

/** Bob Jenkins' lookup3, the checksum of HDF5's metadata. */
export function lookup3(bytes: Uint8Array): number {
  const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k));
  let a = (0xdeadbeef + bytes.length) | 0, b = a, c = a;
  const word = (at: number) => {
    let w = 0;
    for (let i = 0; i < 4; i++) w |= (bytes[at + i] ?? 0) << (8 * i);
    return w;
  };
  let at = 0;
  let left = bytes.length;
  while (left > 12) {
    a = (a + word(at)) | 0;
    b = (b + word(at + 4)) | 0;
    c = (c + word(at + 8)) | 0;
    a = ((a - c) ^ rotate(c, 4)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 6)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 8)) | 0;
    b = (b + a) | 0;
    a = ((a - c) ^ rotate(c, 16)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 19)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 4)) | 0;
    b = (b + a) | 0;
    at += 12;
    left -= 12;
  }
  if (left === 0) return c >>> 0;
  a = (a + word(at)) | 0;
  b = (b + word(at + 4)) | 0;
  c = (c + word(at + 8)) | 0;
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  return c >>> 0;
}
