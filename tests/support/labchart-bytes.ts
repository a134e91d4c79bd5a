/** Bytes written one number after another, and the packing of LabChart's sample blocks. */

/** Bytes that grow; numbers are little-endian unless told. */
export class Bytes {
  #buffer = new Uint8Array(1024);
  #view = new DataView(this.#buffer.buffer);
  length = 0;

  constructor(readonly littleEndian = true) {}

  #room(bytes: number): number {
    const at = this.length;
    this.length += bytes;
    if (this.length > this.#buffer.length) {
      const next = new Uint8Array(Math.max(this.length, 2 * this.#buffer.length));
      next.set(this.#buffer);
      this.#buffer = next;
      this.#view = new DataView(next.buffer);
    }
    return at;
  }

  u8(v: number): this {
    const at = this.#room(1);
    this.#view.setUint8(at, v);
    return this;
  }
  i16(v: number): this {
    const at = this.#room(2);
    this.#view.setInt16(at, v, this.littleEndian);
    return this;
  }
  u16(v: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, v, this.littleEndian);
    return this;
  }
  i32(v: number): this {
    const at = this.#room(4);
    this.#view.setInt32(at, v, this.littleEndian);
    return this;
  }
  u32(v: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, v, this.littleEndian);
    return this;
  }
  i64(v: number | bigint): this {
    const at = this.#room(8);
    this.#view.setBigInt64(at, BigInt(v), this.littleEndian);
    return this;
  }
  f32(v: number): this {
    const at = this.#room(4);
    this.#view.setFloat32(at, v, this.littleEndian);
    return this;
  }
  f64(v: number): this {
    const at = this.#room(8);
    this.#view.setFloat64(at, v, this.littleEndian);
    return this;
  }
  zeros(n: number): this {
    this.#room(n);
    return this;
  }
  raw(bytes: Uint8Array | number[]): this {
    const at = this.#room(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }
  ascii(text: string): this {
    return this.raw(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  }
  /** UTF-16 in a field of `size` bytes. */
  utf16(text: string, size: number): this {
    const at = this.#room(size);
    for (let i = 0; i < text.length; i++) {
      this.#view.setUint16(at + 2 * i, text.charCodeAt(i), true);
    }
    return this;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.length);
  }
}

/** The kinds of bit planes: see the decoder. */
export type PlaneKind = "int16" | "float32" | "mac";

/** Bit planes of the differences of samples, bit by bit as the layout is described. */
export function packedPlanes(samples: number[], kind: PlaneKind): Uint8Array {
  const planes = kind === "int16" ? 17 : 32;
  const width = 4 * Math.ceil(samples.length / 32);
  const out = new Uint8Array(planes * width);
  const float = new DataView(new ArrayBuffer(4));
  let before = 0;
  samples.forEach((sample, i) => {
    let symbol: number;
    if (kind === "float32") {
      const difference = i === 0 ? sample : Math.fround(sample - before);
      float.setFloat32(0, difference);
      symbol = float.getUint32(0);
      before = i === 0 ? Math.fround(sample) : Math.fround(before + difference);
    } else {
      const difference = sample - before;
      symbol = 2 * Math.abs(difference) + (difference < 0 ? 1 : 0);
      before = sample;
    }
    for (let plane = 0; plane < planes; plane++) {
      const bit = kind === "int16"
        ? Math.floor(symbol / 2 ** plane) % 2
        : (symbol >>> (31 - plane)) & 1;
      if (bit === 0) continue;
      const [byte, place] = kind === "int16"
        ? [i >> 3, i & 7]
        : kind === "mac"
        ? [i >> 3, 7 - (i & 7)]
        : [4 * (i >> 5) + 3 - ((i & 31) >> 3), 7 - (i & 7)];
      out[plane * width + byte] |= 1 << place;
    }
  });
  return out;
}

/** PackBits with runs of up to 129, as LabChart writes them. */
export function packPlanes(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let at = 0; at < bytes.length;) {
    let run = 1;
    while (run < 129 && at + run < bytes.length && bytes[at + run] === bytes[at]) run++;
    if (run > 1) {
      out.push(257 - run, bytes[at]);
      at += run;
      continue;
    }
    let end = at + 1;
    while (end < bytes.length && end - at < 128 && bytes[end] !== bytes[end + 1]) end++;
    out.push(end - at - 1, ...bytes.subarray(at, end));
    at = end;
  }
  return Uint8Array.from(out);
}
