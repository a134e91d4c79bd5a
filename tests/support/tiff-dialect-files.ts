/** Writes small TIFF files of the dialects, with the habits and the mistakes of their makers. */

/** Bytes of a value of each field type used here. */
const SIZES: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 4, 12: 8, 16: 8 };

/** One field: tag, type, values (text for type 2). */
export type Field = [tag: number, type: number, values: string | ArrayLike<number>];

/** One page with its strips, or its tiles when `tile` is given. */
export interface Page {
  width: number;
  height: number;
  bits: number[];
  /** Strips or tiles as stored. */
  data: Uint8Array[];
  tile?: [width: number, height: number];
  rowsPerStrip?: number;
  /** Byte counts the directory states, where they are not those of `data`. */
  statedCounts?: number[];
  /** Keep two depths at an offset although they fit into the field. */
  bitsAtOffset?: boolean;
  /** Further fields; they replace those made from the rest. */
  fields?: Field[];
}

/** A file: blocks lie before the pages' data, and fields may point to them. */
export interface TiffSpec {
  big?: boolean;
  /** Bytes right behind the header (ScanImage's static block without its own offset). */
  afterHeader?: Uint8Array;
  blocks?: Record<string, Uint8Array>;
  pages: Page[] | ((offsets: Record<string, number>) => Page[]);
}

/** Joins pieces of bytes. */
export function join(...parts: ArrayLike<number>[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Little-endian bytes of numbers of one type: "u1", "u2", "i2", "u4", "i4", "f4", "f8". */
export function le(type: string, ...values: number[]): Uint8Array {
  const size = Number(type[1]);
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((v, i) => {
    if (type === "u1") view.setUint8(i, v);
    else if (type === "u2") view.setUint16(2 * i, v, true);
    else if (type === "i2") view.setInt16(2 * i, v, true);
    else if (type === "u4") view.setUint32(4 * i, v, true);
    else if (type === "i4") view.setInt32(4 * i, v, true);
    else if (type === "f4") view.setFloat32(4 * i, v, true);
    else view.setFloat64(8 * i, v, true);
  });
  return new Uint8Array(view.buffer);
}

function fieldBytes(type: number, values: string | ArrayLike<number>): Uint8Array {
  if (typeof values === "string") return new TextEncoder().encode(`${values}\0`);
  const list = Array.from(values);
  if (type === 16) {
    const view = new DataView(new ArrayBuffer(8 * list.length));
    list.forEach((v, i) => view.setBigUint64(8 * i, BigInt(v), true));
    return new Uint8Array(view.buffer);
  }
  return le({ 1: "u1", 3: "u2", 4: "u4", 12: "f8" }[type]!, ...list);
}

/** The bytes of a file. */
export function writeTiff(spec: TiffSpec): Uint8Array {
  const { big = false } = spec;
  const parts: Uint8Array[] = [];
  let length = 0;
  const put = (bytes: Uint8Array): number => {
    const at = length;
    parts.push(bytes);
    length += bytes.length;
    if (length % 2) {
      parts.push(new Uint8Array(1));
      length++;
    }
    return at;
  };
  const header = big
    ? join([0x49, 0x49], le("u2", 43, 8, 0), new Uint8Array(8))
    : join([0x49, 0x49], le("u2", 42), new Uint8Array(4));
  put(header);
  if (spec.afterHeader) put(spec.afterHeader);
  const offsets: Record<string, number> = {};
  for (const [name, block] of Object.entries(spec.blocks ?? {})) offsets[name] = put(block);
  const pages = typeof spec.pages === "function" ? spec.pages(offsets) : spec.pages;
  // The place of the pointer to the next directory.
  let link = { bytes: header, at: big ? 8 : 4 };
  for (const page of pages) {
    const places = page.data.map(put);
    const fields = new Map<number, [number, string | ArrayLike<number>]>([
      [256, [4, [page.width]]],
      [257, [4, [page.height]]],
      [258, [3, page.bits]],
      [259, [3, [1]]],
      [262, [3, [page.bits.length >= 3 ? 2 : 1]]],
      [277, [3, [page.bits.length]]],
    ]);
    const counts = page.statedCounts ?? page.data.map((d) => d.length);
    if (page.tile) {
      fields.set(322, [4, [page.tile[0]]]).set(323, [4, [page.tile[1]]]);
      fields.set(324, [big ? 16 : 4, places]).set(325, [4, counts]);
    } else {
      fields.set(273, [big ? 16 : 4, places]).set(279, [4, counts]);
      fields.set(278, [4, [page.rowsPerStrip ?? page.height]]);
    }
    for (const [tag, type, values] of page.fields ?? []) fields.set(tag, [type, values]);
    const entries = [...fields].sort((a, b) => a[0] - b[0]);
    const inline = big ? 8 : 4;
    const rows = entries.map(([tag, [type, values]]) => {
      const bytes = fieldBytes(type, values);
      const count = bytes.length / SIZES[type];
      const away = bytes.length > inline || (tag === 258 && page.bitsAtOffset);
      const at = away ? put(bytes) : 0;
      const value = new Uint8Array(inline);
      if (away) value.set(big ? fieldBytes(16, [at]) : le("u4", at));
      else value.set(bytes);
      return join(le("u2", tag, type), big ? fieldBytes(16, [count]) : le("u4", count), value);
    });
    const ifd = join(
      big ? fieldBytes(16, [rows.length]) : le("u2", rows.length),
      ...rows,
      new Uint8Array(big ? 8 : 4),
    );
    const at = put(ifd);
    link.bytes.set(big ? fieldBytes(16, [at]) : le("u4", at), link.at);
    link = { bytes: ifd, at: ifd.length - (big ? 8 : 4) };
  }
  return join(...parts);
}

/** CZ_LSMINFO with the fields given; `offsets` are those of blocks by their names. */
export function lsmInfo(
  fields: Record<string, number>,
  offsets: Record<string, number> = {},
): Uint8Array {
  const names: [string, string, number][] = [
    ["DimensionX", "i4", 8],
    ["DimensionY", "i4", 12],
    ["DimensionZ", "i4", 16],
    ["DimensionChannels", "i4", 20],
    ["DimensionTime", "i4", 24],
    ["DataType", "i4", 28],
    ["VoxelSizeX", "f8", 40],
    ["VoxelSizeY", "f8", 48],
    ["VoxelSizeZ", "f8", 56],
    ["ScanType", "u2", 88],
    ["OffsetVectorOverlay", "u4", 96],
    ["OffsetChannelColors", "u4", 108],
    ["TimeInterval", "f8", 112],
    ["OffsetChannelDataTypes", "u4", 120],
    ["OffsetScanInformation", "u4", 124],
    ["OffsetTimeStamps", "u4", 132],
    ["OffsetEventList", "u4", 136],
    ["DimensionP", "i4", 264],
    ["DimensionM", "i4", 268],
    ["OffsetPositions", "u4", 376],
  ];
  const out = new Uint8Array(500);
  out.set(le("u4", 0x0400494c, 500));
  const all = { ...fields };
  for (const [name, at] of Object.entries(offsets)) all[`Offset${name}`] = at;
  for (const [name, type, at] of names) {
    if (all[name] !== undefined) out.set(le(type, all[name]), at);
  }
  return out;
}

/** ScanImage's static metadata block, as it follows the header of a BigTIFF. */
export function staticBlock(frameData: string, rois: string): Uint8Array {
  const [a, b] = [frameData, rois].map((t) => new TextEncoder().encode(`${t}\0`));
  return join(le("u4", 0x07030301, 4, a.length, b.length), a, b);
}
