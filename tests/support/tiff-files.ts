/**
 * Writes small TIFF files for tests: classic and Big, both byte orders, strips and tiles, uncompressed
 * and deflate, pages and SubIFDs.
 */

/** Field values: numbers of a type, or text. */
export interface TiffField {
  tag: number;
  /** 1 BYTE, 2 ASCII, 3 SHORT, 4 LONG, 5 RATIONAL (pairs), 12 DOUBLE, 16 LONG8. */
  type: number;
  values: number[] | string;
  /** Count to state, where a maker counts otherwise than by values. */
  count?: number;
}

/** One page. */
export interface TiffPageInput {
  width: number;
  height: number;
  samples?: number;
  bits?: number;
  /** SampleFormat: 1 unsigned, 2 signed, 3 float. */
  format?: number;
  /** Little-endian samples: pixel by pixel, or plane by plane when `planar`. Absent: no chunk is stored. */
  data?: Uint8Array;
  planar?: boolean;
  /** Width and height of tiles; strips otherwise. */
  tile?: [number, number];
  rowsPerStrip?: number;
  compression?: "none" | "deflate";
  /** Compression number to state instead; the data are stored as they are. */
  compressionCode?: number;
  predictor?: 1 | 2;
  photometric?: number;
  subfile?: number;
  description?: string;
  fields?: TiffField[];
  subPages?: TiffPageInput[];
  /** Chunks left out: their offset and length are 0. */
  sparse?: (chunk: number) => boolean;
}

/** How the file is written. */
export interface TiffFileOptions {
  littleEndian?: boolean;
  big?: boolean;
  /** Bytes to leave free between pages. */
  gap?: number;
}

const SIZES: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 12: 8, 13: 4, 16: 8 };

/** The file's bytes. */
export async function makeTiff(
  pages: TiffPageInput[],
  options: TiffFileOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const file = new Writer(options.littleEndian ?? true, options.big ?? false);
  let link = file.big ? 8 : 4;
  for (const page of pages) {
    const { offset, next } = await file.page(page);
    file.patch(link, offset);
    link = next;
    file.put(new Uint8Array(options.gap ?? 0));
  }
  return file.bytes();
}

class Writer {
  #parts: Uint8Array[] = [];
  #length = 0;
  #patches: { at: number; value: number }[] = [];

  constructor(readonly littleEndian: boolean, readonly big: boolean) {
    const mark = littleEndian ? 0x49 : 0x4d;
    const head = this.numbers(3, [big ? 43 : 42, ...(big ? [8, 0] : [])]);
    this.put(Uint8Array.of(mark, mark, ...head));
    this.put(new Uint8Array(big ? 8 : 4));
  }

  put(bytes: Uint8Array): number {
    const at = this.#length;
    this.#parts.push(bytes);
    this.#length += bytes.length;
    if (this.#length % 2) {
      this.#parts.push(new Uint8Array(1));
      this.#length++;
    }
    return at;
  }

  patch(at: number, value: number): void {
    this.#patches.push({ at, value });
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.length;
    }
    for (const { at, value } of this.#patches) {
      out.set(this.numbers(this.big ? 16 : 4, [value]), at);
    }
    return out;
  }

  numbers(type: number, values: number[]): Uint8Array {
    const width = type === 5 ? 4 : SIZES[type];
    const out = new Uint8Array(values.length * width);
    const view = new DataView(out.buffer);
    values.forEach((v, i) => {
      const at = i * width;
      if (type === 12) view.setFloat64(at, v, this.littleEndian);
      else if (width === 1) view.setUint8(at, v);
      else if (width === 2) view.setUint16(at, v, this.littleEndian);
      else if (width === 4) view.setUint32(at, v, this.littleEndian);
      else view.setBigUint64(at, BigInt(v), this.littleEndian);
    });
    return out;
  }

  async page(page: TiffPageInput): Promise<{ offset: number; next: number }> {
    const { samples = 1, bits = 8, planar = false, tile } = page;
    const offsets: number[] = [], lengths: number[] = [];
    for (const [i, chunk] of chunksOf(page).entries()) {
      if (page.sparse?.(i)) {
        offsets.push(0);
        lengths.push(0);
        continue;
      }
      const stored = await this.#stored(chunk, page);
      offsets.push(this.put(stored));
      lengths.push(stored.length);
    }
    const subOffsets: number[] = [];
    for (const sub of page.subPages ?? []) subOffsets.push((await this.page(sub)).offset);
    const wide = this.big ? 16 : 4;
    const compression = page.compressionCode ?? (page.compression === "deflate" ? 8 : 1);
    const photometric = page.photometric ?? (samples >= 3 ? 2 : 1);
    const fields: TiffField[] = [
      { tag: 254, type: 4, values: [page.subfile ?? 0] },
      { tag: 256, type: 4, values: [page.width] },
      { tag: 257, type: 4, values: [page.height] },
      { tag: 258, type: 3, values: new Array(samples).fill(bits) },
      { tag: 259, type: 3, values: [compression] },
      { tag: 262, type: 3, values: [photometric] },
      { tag: 277, type: 3, values: [samples] },
      { tag: 284, type: 3, values: [planar ? 2 : 1] },
      { tag: 317, type: 3, values: [page.predictor ?? 1] },
      { tag: 339, type: 3, values: new Array(samples).fill(page.format ?? 1) },
      ...(page.description ? [{ tag: 270, type: 2, values: page.description }] : []),
      ...(subOffsets.length ? [{ tag: 330, type: wide, values: subOffsets }] : []),
      ...(tile
        ? [
          { tag: 322, type: 4, values: [tile[0]] },
          { tag: 323, type: 4, values: [tile[1]] },
          { tag: 324, type: wide, values: offsets },
          { tag: 325, type: wide, values: lengths },
        ]
        : [
          { tag: 273, type: wide, values: offsets },
          { tag: 278, type: 4, values: [page.rowsPerStrip ?? page.height] },
          { tag: 279, type: wide, values: lengths },
        ]),
      ...page.fields ?? [],
    ].sort((a, b) => a.tag - b.tag);
    return this.#directory(fields);
  }

  #directory(fields: TiffField[]): { offset: number; next: number } {
    const inline = this.big ? 8 : 4;
    const entries = fields.map(({ tag, type, values, count: stated }) => {
      const bytes = typeof values === "string"
        ? new TextEncoder().encode(`${values}\0`)
        : this.numbers(type, values);
      const count = stated ??
        (typeof values === "string" ? bytes.length : values.length / (type === 5 ? 2 : 1));
      const held = bytes.length > inline ? this.put(bytes) : undefined;
      const value = new Uint8Array(inline);
      if (held === undefined) value.set(bytes);
      else value.set(this.numbers(this.big ? 16 : 4, [held]));
      return [
        ...this.numbers(3, [tag, type]),
        ...this.numbers(this.big ? 16 : 4, [count]),
        ...value,
      ];
    });
    const head = this.numbers(this.big ? 16 : 3, [fields.length]);
    const body = Uint8Array.from([...head, ...entries.flat()]);
    const offset = this.put(Uint8Array.from([...body, ...new Uint8Array(inline)]));
    return { offset, next: offset + body.length };
  }

  async #stored(chunk: Uint8Array, page: TiffPageInput): Promise<Uint8Array> {
    const width = (page.bits ?? 8) / 8;
    const bytes = chunk.slice();
    const across = page.tile?.[0] ?? page.width;
    const samples = page.planar ? 1 : page.samples ?? 1;
    if (page.predictor === 2) difference(bytes, across * samples, samples, width);
    if (!this.littleEndian && width > 1) {
      for (let i = 0; i < bytes.length; i += width) bytes.subarray(i, i + width).reverse();
    }
    return page.compression === "deflate" ? await deflate(bytes) : bytes;
  }
}

/** Tiles or strips of a page, tiles padded with zeros, in the order they are stored. */
function chunksOf(page: TiffPageInput): Uint8Array[] {
  const { width, height, samples = 1, bits = 8, planar = false, tile, data } = page;
  if (!data) return [];
  const perPixel = planar ? 1 : samples;
  const pixel = perPixel * bits / 8;
  const [tw, th] = tile ?? [width, page.rowsPerStrip ?? height];
  const out: Uint8Array[] = [];
  const planeBytes = Math.ceil(width * pixel) * height;
  for (let plane = 0; plane < (planar ? samples : 1); plane++) {
    for (let y = 0; y < height; y += th) {
      for (let x = 0; x < width; x += tw) {
        const rows = tile ? th : Math.min(th, height - y);
        const line = Math.ceil(tw * pixel);
        const chunk = new Uint8Array(line * rows);
        for (let r = 0; r < rows && y + r < height; r++) {
          const from = plane * planeBytes + (y + r) * Math.ceil(width * pixel) + x * pixel;
          const count = Math.ceil(Math.min(tw, width - x) * pixel);
          chunk.set(data.subarray(from, from + count), r * line);
        }
        out.push(chunk);
      }
    }
  }
  return out;
}

/** Predictor 2 on little-endian samples. */
function difference(bytes: Uint8Array, row: number, stride: number, width: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const get = (i: number) =>
    width === 1
      ? view.getUint8(i)
      : width === 2
      ? view.getUint16(2 * i, true)
      : view.getUint32(4 * i, true);
  const set = (i: number, v: number) =>
    width === 1
      ? view.setUint8(i, v)
      : width === 2
      ? view.setUint16(2 * i, v, true)
      : view.setUint32(4 * i, v, true);
  for (let start = 0; start < bytes.length / width; start += row) {
    for (let i = start + row - 1; i >= start + stride; i--) set(i, get(i) - get(i - stride));
  }
}

async function deflate(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes.slice()]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Samples that tell their place: little-endian, `bits` wide, every value different from its neighbours. */
export function ramp(count: number, bits: number, seed = 1): Uint8Array {
  const out = new Uint8Array(count * bits / 8);
  for (let i = 0; i < count; i++) {
    let v = (i * 2_654_435_761 + seed * 40_503) % 4_294_967_296;
    for (let k = 0; k < bits / 8; k++, v = Math.floor(v / 256)) out[i * bits / 8 + k] = v & 255;
  }
  return out;
}

/** Pixels of `samples` interleaved samples as planes: what a converted image holds. */
export function toPlanes(data: Uint8Array, samples: number, width: number): Uint8Array {
  const out = new Uint8Array(data.length);
  const pixels = data.length / (samples * width);
  for (let p = 0; p < pixels; p++) {
    for (let s = 0; s < samples; s++) {
      const from = (p * samples + s) * width;
      out.set(data.subarray(from, from + width), (s * pixels + p) * width);
    }
  }
  return out;
}
