/** Builds small 32-bit SON files (CED Spike2 .smr) of any system id and byte order. */

/** A marker: tick, four code bytes, and what its channel kind attaches. */
export interface SonMark {
  tick: number;
  codes?: number[];
  /** WaveMark points (traces interleaved) or RealMark numbers. */
  values?: number[];
  text?: Uint8Array;
}

/** The items of one data block. */
export interface SonBlock {
  /** Waveforms: tick of the first sample, and the samples. */
  start?: number;
  samples?: number[];
  /** Events. */
  ticks?: number[];
  marks?: SonMark[];
  /** Overrides bit 8 of the channel word (level low before the first event). */
  low?: boolean;
}

/** One channel of a file. */
export interface SonChannel {
  number: number;
  /** 1 Adc ... 9 RealWave. */
  kind: number;
  title?: string | Uint8Array;
  comment?: string | Uint8Array;
  units?: string | Uint8Array;
  port?: number;
  idealRate?: number;
  scale?: number;
  offset?: number;
  /** As stored: ticks (ids 6 on) or multiples of timePerAdc. */
  divide?: number;
  traces?: number;
  preTrigger?: number;
  extraBytes?: number;
  /** Bytes from one marker to the next, where more than the marker and what is attached to it. */
  itemBytes?: number;
  initialLow?: boolean;
  blocks: SonBlock[];
}

/** A whole file. */
export interface SonFile {
  systemId?: number;
  bigEndian?: boolean;
  usPerTime?: number;
  timePerAdc?: number;
  timeBase?: number;
  osFormat?: number;
  fileState?: number;
  slots?: number;
  creator?: string;
  comments?: string[];
  /** hundredths, second, minute, hour, day, month, year */
  date?: number[];
  /** Bytes a block occupies; a multiple of 512. */
  blockBytes?: number;
  extraData?: number;
  channels: SonChannel[];
}

/** The bytes of a file and where its blocks went, by channel number. */
export interface BuiltSon {
  bytes: Uint8Array;
  blocks: Map<number, number[]>;
}

function put(bytes: Uint8Array, at: number, text: string | Uint8Array, pascal?: number): void {
  const raw = typeof text === "string" ? new TextEncoder().encode(text) : text;
  if (pascal === undefined) return bytes.set(raw, at);
  bytes.fill(0xfe, at + 1, at + 1 + pascal);
  bytes[at] = Math.min(raw.length, pascal);
  bytes.set(raw.subarray(0, pascal), at + 1);
}

/** Lays the file out: head, channel table, extra data, then blocks of all channels in turn. */
export function buildSon(file: SonFile): BuiltSon {
  const id = file.systemId ?? 9;
  const le = !file.bigEndian;
  const unit = id >= 9 ? 512 : 1;
  const slots = file.slots ?? 32;
  const blockBytes = file.blockBytes ?? 512;
  const tableBytes = Math.ceil(140 * slots / 512) * 512;
  const extraData = file.extraData ?? 0;
  const first = 512 + tableBytes + Math.ceil(extraData / 512) * 512;
  const blocks = new Map<number, number[]>(file.channels.map((c) => [c.number, []]));
  let end = first;
  const longest = Math.max(0, ...file.channels.map((c) => c.blocks.length));
  for (let k = 0; k < longest; k++) {
    for (const channel of file.channels) {
      if (k >= channel.blocks.length) continue;
      blocks.get(channel.number)!.push(end);
      end += blockBytes;
    }
  }
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, id, le);
  put(bytes, 2, "(C) CED 87");
  put(bytes, 12, file.creator ?? "00000000");
  view.setUint16(20, file.usPerTime ?? 1, le);
  view.setUint16(22, file.timePerAdc ?? 1, le);
  view.setInt16(24, file.fileState ?? 1, le);
  view.setInt32(26, first / unit, le);
  view.setInt16(30, slots, le);
  view.setUint16(32, tableBytes, le);
  view.setUint16(34, extraData, le);
  view.setUint16(38, file.osFormat ?? (le ? 0 : 0x0101), le);
  if (id >= 6) view.setFloat64(44, file.timeBase ?? 1e-6, le);
  if (file.date) {
    bytes.set(file.date.slice(0, 6), 52);
    view.setUint16(58, file.date[6], le);
  }
  for (let i = 0; i < 5; i++) put(bytes, 112 + 80 * i, file.comments?.[i] ?? "", 79);
  for (let slot = 0; slot < slots; slot++) {
    for (const field of [2, 6, 10]) view.setInt32(512 + 140 * slot + field, -1, le);
  }
  for (const channel of file.channels) {
    putChannel(bytes, view, file, channel, blocks.get(channel.number)!, unit, blockBytes);
    putBlocks(view, file, channel, blocks.get(channel.number)!, unit);
  }
  return { bytes, blocks };
}

function putChannel(
  bytes: Uint8Array,
  view: DataView,
  file: SonFile,
  channel: SonChannel,
  offsets: number[],
  unit: number,
  blockBytes: number,
): void {
  const le = !file.bigEndian;
  const id = file.systemId ?? 9;
  const at = 512 + 140 * (channel.number - 1);
  if (offsets.length > 0) {
    view.setInt32(at + 6, offsets[0] / unit, le);
    view.setInt32(at + 10, offsets[offsets.length - 1] / unit, le);
  }
  view.setUint16(at + 14, offsets.length & 0xffff, le);
  view.setUint16(at + 16, channel.extraBytes ?? 0, le);
  view.setInt16(at + 18, channel.preTrigger ?? 0, le);
  view.setUint16(at + 22, blockBytes, le);
  put(bytes, at + 26, channel.comment ?? "", id < 5 ? 79 : 71);
  view.setInt16(at + 106, channel.port ?? -1, le);
  if (id >= 6) view.setInt32(at + 102, channel.divide ?? 0, le);
  put(bytes, at + 108, channel.title ?? `ch${channel.number}`, 9);
  view.setFloat32(at + 118, channel.idealRate ?? 100, le);
  bytes[at + 122] = channel.kind;
  if (channel.kind === 4) {
    bytes[at + 124] = channel.initialLow ? 1 : 0;
  } else if ([1, 6, 7, 9].includes(channel.kind)) {
    view.setFloat32(at + 124, channel.scale ?? 1, le);
    view.setFloat32(at + 128, channel.offset ?? 0, le);
    put(bytes, at + 132, channel.units ?? "V", 5);
    view.setUint16(at + 138, id >= 6 ? channel.traces ?? 0 : channel.divide ?? 1, le);
  }
}

function putBlocks(
  view: DataView,
  file: SonFile,
  channel: SonChannel,
  offsets: number[],
  unit: number,
): void {
  const le = !file.bigEndian;
  const link = (k: number) => k < 0 || k >= offsets.length ? -1 : offsets[k] / unit;
  let low = channel.initialLow ?? false;
  channel.blocks.forEach((block, k) => {
    const at = offsets[k];
    const ticks = block.ticks ?? block.marks?.map((mark) => mark.tick) ?? [];
    const items = block.samples?.length ?? ticks.length;
    const divide = (file.systemId ?? 9) >= 6
      ? channel.divide ?? 1
      : (channel.divide ?? 1) * (file.timePerAdc ?? 1);
    const start = block.start ?? ticks[0] ?? 0;
    const end = block.samples
      ? start + (items - 1) * divide
      : ticks.length
      ? ticks[ticks.length - 1]
      : 0;
    view.setInt32(at, link(k - 1), le);
    view.setInt32(at + 4, link(k + 1), le);
    view.setInt32(at + 8, start, le);
    view.setInt32(at + 12, end, le);
    const word = (channel.number & 0xff) | ((channel.number & 0x100) << 1) |
      ((block.low ?? low) ? 0x100 : 0);
    view.setUint16(at + 16, word, le);
    view.setUint16(at + 18, items, le);
    if (channel.kind === 4 && items % 2 === 1) low = !low;
    block.samples?.forEach((value, i) => {
      if (channel.kind === 1) view.setInt16(at + 20 + 2 * i, value, le);
      else view.setFloat32(at + 20 + 4 * i, value, le);
    });
    block.ticks?.forEach((tick, i) => view.setInt32(at + 20 + 4 * i, tick, le));
    block.marks?.forEach((mark, i) => putMark(view, at + 20, i, channel, mark, le));
  });
}

function putMark(
  view: DataView,
  base: number,
  index: number,
  channel: SonChannel,
  mark: SonMark,
  le: boolean,
): void {
  const extra = channel.extraBytes ?? 0;
  const at = base + index * (channel.itemBytes ?? 8 + extra);
  view.setInt32(at, mark.tick, le);
  (mark.codes ?? []).forEach((code, i) => view.setUint8(at + 4 + i, code));
  // Stale memory after a text, as real files have it.
  if (channel.kind === 8) {
    for (let i = 0; i < extra; i++) {
      view.setUint8(at + 8 + i, 0xd0 + i % 8);
    }
  }
  mark.values?.forEach((value, i) => {
    if (channel.kind === 6) view.setInt16(at + 8 + 2 * i, value, le);
    else view.setFloat32(at + 8 + 4 * i, value, le);
  });
  if (mark.text) {
    mark.text.forEach((byte, i) => view.setUint8(at + 8 + i, byte));
    if (mark.text.length < extra) view.setUint8(at + 8 + mark.text.length, 0);
  }
}
