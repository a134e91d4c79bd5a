/** Builds small 64-bit SON files (CED Spike2 .smrx). */

/** An event or marker. */
export interface SmrxItem {
  tick: number | bigint;
  codes?: number[];
  /** WaveMark points (traces interleaved) or RealMark numbers. */
  values?: number[];
  text?: Uint8Array;
}

/** One 64 KiB data block. */
export interface SmrxBlock {
  /** Waveforms: runs of samples behind the tick of their first. */
  runs?: { tick: number | bigint; samples: number[] }[];
  items?: SmrxItem[];
  /** What the block's head says instead of the channel's own. */
  generation?: number;
  channel?: number;
}

/** One channel of a file. */
export interface SmrxChannelSpec {
  /** From 0. */
  index: number;
  /** 1 Adc ... 9 RealWave. */
  kind: number;
  /** The channel was deleted: its kind moves to the second place. */
  deleted?: boolean;
  title?: string;
  units?: string;
  comment?: string;
  port?: number;
  divide?: number | bigint;
  idealRate?: number;
  scale?: number;
  offset?: number;
  range?: [number, number];
  rows?: number;
  columns?: number;
  preTrigger?: number;
  generation?: number;
  initialHigh?: boolean;
  /** Bytes of an item, where other than what the kind needs. */
  itemBytes?: number;
  /** Blocks in use, where fewer than the index lists. */
  inUse?: number;
  blocks: SmrxBlock[];
}

/** A whole file. */
export interface SmrxSpec {
  timeBase?: number;
  application?: string;
  comments?: string[];
  /** hundredths, second, minute, hour, day, month, year */
  date?: number[];
  slots?: number;
  extraBytes?: number;
  maxTicks?: number;
  /** Entries of a lookup slot: fewer than 255 make high trees of few blocks. */
  fanOut?: number;
  /** Bytes after the place where the header says the next block goes. */
  trailingBytes?: number;
  channels: SmrxChannelSpec[];
}

/** The bytes of a file and where its parts went. */
export interface BuiltSmrx {
  bytes: Uint8Array;
  /** Data blocks by channel index. */
  blocks: Map<number, number[]>;
  /** Lookup slots by channel index, the top one last. */
  slots: Map<number, number[]>;
  /** Header continuation blocks. */
  headers: number[];
  /** Offset of each channel's record in the logical header. */
  recordOffset(index: number): number;
}

const BLOCK = 65_536, SLOT = 4096, RECORD = 0x110;
const ELEMENT: Record<number, number> = { 6: 2, 7: 4, 8: 1 };

function itemBytesOf({ kind, rows = 0, columns = 1, itemBytes }: SmrxChannelSpec): number {
  if (itemBytes !== undefined) return itemBytes;
  if (kind === 1) return 2;
  if (kind === 9) return 4;
  if (kind <= 3) return 8;
  if (kind <= 5) return 16;
  return 16 + Math.ceil(rows * columns * ELEMENT[kind] / 8) * 8;
}

/** The strings of a header: equal ones share an id. */
class Strings {
  readonly #texts: string[] = [];

  id(text = ""): number {
    if (text === "") return 0;
    const at = this.#texts.indexOf(text);
    return at >= 0 ? at + 1 : this.#texts.push(text);
  }

  bytes(): Uint8Array {
    const out: number[] = new Array(8).fill(0);
    for (const text of this.#texts) {
      out.push(1, 0, 0, 0, ...new TextEncoder().encode(text), 0);
      while (out.length % 4) out.push(0);
    }
    const bytes = Uint8Array.from(out);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length / 4, true);
    view.setUint32(4, this.#texts.length, true);
    return bytes;
  }
}

function head(
  view: DataView,
  at: number,
  back: bigint,
  channel: number,
  generation: number,
  n: number,
) {
  view.setBigUint64(at, back, true);
  view.setUint16(at + 8, channel, true);
  view.setUint16(at + 10, generation, true);
  view.setUint32(at + 12, n, true);
}

/** Lays the file out: header, data blocks of all channels in turn, lookup slots, rest of the header. */
export function buildSmrx(spec: SmrxSpec): BuiltSmrx {
  const slotCount = spec.slots ?? 32;
  const blocks = new Map<number, number[]>(spec.channels.map((c) => [c.index, []]));
  let end = BLOCK;
  const longest = Math.max(0, ...spec.channels.map((c) => c.blocks.length));
  for (let k = 0; k < longest; k++) {
    for (const channel of spec.channels) {
      if (k >= channel.blocks.length) continue;
      blocks.get(channel.index)!.push(end);
      end += BLOCK;
    }
  }
  // Slots, sixteen to a block, level by level.
  const fanOut = spec.fanOut ?? 255;
  const trees = new Map<number, { at: number; level: number; children: [bigint, number][] }[]>();
  let slotAt = end;
  for (const channel of spec.channels) {
    const tree: { at: number; level: number; children: [bigint, number][] }[] = [];
    let below = blocks.get(channel.index)!.map((at, i): [bigint, number] => [
      firstTick(channel.blocks[i]),
      at,
    ]);
    for (let level = 1; below.length > 0 && (level === 1 || below.length > 1); level++) {
      const next: [bigint, number][] = [];
      for (let i = 0; i < below.length; i += fanOut) {
        const children = below.slice(i, i + fanOut);
        tree.push({ at: slotAt, level, children });
        next.push([children[0][0], slotAt]);
        slotAt += SLOT;
      }
      below = next;
    }
    trees.set(channel.index, tree);
  }
  if (slotAt > end) end += Math.ceil((slotAt - end) / BLOCK) * BLOCK;

  // The logical header.
  const strings = new Strings();
  const extra = spec.extraBytes ?? 0;
  const tableAt = 0x800 + extra;
  const stringsAt = tableAt + slotCount * RECORD;
  const fixed = new Uint8Array(stringsAt);
  const view = new DataView(fixed.buffer);
  fixed.set(new TextEncoder().encode("S64pl\0"));
  fixed.set([1, 1, 0xff, 0xff], 6);
  fixed.set(new TextEncoder().encode(spec.application ?? ""), 0x10);
  if (spec.date) {
    fixed.set(spec.date.slice(0, 6), 0x18);
    view.setUint16(0x1e, spec.date[6], true);
  }
  view.setFloat64(0x20, spec.timeBase ?? 1e-6, true);
  [extra, 0x800, tableAt, stringsAt, slotCount, RECORD].forEach((n, i) =>
    view.setUint32(0x28 + 4 * i, n, true)
  );
  (spec.comments ?? []).forEach((text, i) => view.setUint32(0x40 + 4 * i, strings.id(text), true));
  fixed.fill(0xab, 0x800, tableAt);
  const recordOffset = (index: number) => tableAt + index * RECORD;
  for (let i = 0; i < slotCount; i++) {
    const at = recordOffset(i);
    view.setBigInt64(at + 8, -1n, true);
    view.setInt32(at + 0x30, -1, true);
    view.setFloat64(at + 0x50, 1, true);
    view.setFloat64(at + 0x60, -1, true);
    view.setFloat64(at + 0x68, 1, true);
  }
  for (const channel of spec.channels) {
    const root = trees.get(channel.index)!.at(-1)?.at ?? 0;
    putRecord(view, recordOffset(channel.index), channel, root, strings);
  }
  view.setBigInt64(0x3f8, BigInt(spec.maxTicks ?? -1), true);
  const texts = strings.bytes();
  const logical = new Uint8Array(stringsAt + texts.length);
  logical.set(fixed);
  logical.set(texts, stringsAt);
  const headers: number[] = [];
  for (let at = BLOCK; at < logical.length; at += BLOCK - 16) {
    headers.push(end);
    end += BLOCK;
  }
  const top = new DataView(logical.buffer);
  top.setUint32(0x3e4, headers.length, true);
  headers.forEach((at, i) => top.setBigUint64(0x400 + 8 * i, BigInt(at), true));
  top.setBigUint64(0x3e8, BigInt(end), true);

  const bytes = new Uint8Array(end + (spec.trailingBytes ?? 0));
  const file = new DataView(bytes.buffer);
  bytes.set(logical.subarray(0, BLOCK));
  headers.forEach((at, i) => {
    head(file, at, 0n, 0xffff, 0, 0);
    const from = BLOCK + i * (BLOCK - 16);
    bytes.set(logical.subarray(from, from + BLOCK - 16), at + 16);
  });
  for (const channel of spec.channels) {
    putTree(file, channel, trees.get(channel.index)!);
    channel.blocks.forEach((block, i) =>
      putBlock(file, blocks.get(channel.index)![i], channel, block)
    );
  }
  const slots = new Map([...trees].map(([index, tree]) => [index, tree.map((slot) => slot.at)]));
  return { bytes, blocks, slots, headers, recordOffset };
}

function firstTick(block: SmrxBlock): bigint {
  return BigInt(block.runs?.[0]?.tick ?? block.items?.[0]?.tick ?? 0);
}

function putRecord(
  view: DataView,
  at: number,
  channel: SmrxChannelSpec,
  root: number,
  strings: Strings,
): void {
  const { kind, deleted } = channel;
  view.setBigUint64(at, BigInt(root), true);
  view.setBigUint64(at + 0x10, BigInt(channel.inUse ?? channel.blocks.length), true);
  view.setUint32(at + 0x20, itemBytesOf(channel), true);
  view.setUint16(at + 0x24, channel.rows ?? 0, true);
  view.setUint16(at + 0x26, channel.columns ?? (kind >= 6 && kind <= 8 ? 1 : 0), true);
  view.setUint16(at + 0x28, channel.preTrigger ?? 0, true);
  view.setUint16(at + 0x2a, ELEMENT[kind] ?? 0, true);
  view.setUint16(at + 0x2c, channel.generation ?? 0, true);
  view.setUint8(at + 0x2e, deleted ? 0 : kind);
  view.setUint8(at + 0x2f, deleted ? kind : 0);
  view.setInt32(at + 0x30, channel.port ?? -1, true);
  [channel.title ?? `ch${channel.index}`, channel.units, channel.comment].forEach((text, i) =>
    view.setUint32(at + 0x34 + 4 * i, strings.id(text), true)
  );
  view.setBigInt64(at + 0x40, BigInt(channel.divide ?? 0), true);
  view.setFloat64(at + 0x48, channel.idealRate ?? 100, true);
  view.setFloat64(at + 0x50, channel.scale ?? 1, true);
  view.setFloat64(at + 0x58, channel.offset ?? 0, true);
  (channel.range ?? [-1, 1]).forEach((v, i) => view.setFloat64(at + 0x60 + 8 * i, v, true));
  view.setUint8(at + 0x70, channel.initialHigh ? 1 : 0);
}

function putTree(
  view: DataView,
  channel: SmrxChannelSpec,
  tree: { at: number; level: number; children: [bigint, number][] }[],
): void {
  for (const { at, level, children } of tree) {
    head(view, at, BigInt(level << 8), channel.index, channel.generation ?? 0, children.length);
    children.forEach(([tick, child], i) => {
      view.setBigInt64(at + 16 + 16 * i, tick, true);
      view.setBigUint64(at + 24 + 16 * i, BigInt(child), true);
    });
  }
}

function putBlock(view: DataView, at: number, channel: SmrxChannelSpec, block: SmrxBlock): void {
  const { kind } = channel;
  const count = block.runs?.length ?? block.items?.length ?? 0;
  const generation = block.generation ?? channel.generation ?? 0;
  head(view, at, 0n, block.channel ?? channel.index, generation, count);
  let to = at + 16;
  for (const { tick, samples } of block.runs ?? []) {
    view.setBigInt64(to, BigInt(tick), true);
    view.setUint32(to + 8, samples.length, true);
    to += 16;
    for (const value of samples) {
      if (kind === 1) view.setInt16(to, value, true);
      else view.setFloat32(to, value, true);
      to += kind === 1 ? 2 : 4;
    }
    to = at + Math.ceil((to - at) / 8) * 8;
  }
  for (const item of block.items ?? []) {
    putItem(view, to, channel, item);
    to += itemBytesOf(channel);
  }
}

function putItem(view: DataView, at: number, channel: SmrxChannelSpec, item: SmrxItem): void {
  view.setBigInt64(at, BigInt(item.tick), true);
  if (channel.kind <= 3) return;
  // Stale memory wherever nothing is meant, as real files have it.
  for (let i = 12; i < itemBytesOf(channel); i++) view.setUint8(at + i, 0xd0 + i % 8);
  [0, 1, 2, 3].forEach((i) => view.setUint8(at + 8 + i, item.codes?.[i] ?? 0));
  item.values?.forEach((value, i) => {
    if (channel.kind === 6) view.setInt16(at + 16 + 2 * i, value, true);
    else view.setFloat32(at + 16 + 4 * i, value, true);
  });
  item.text?.forEach((byte, i) => view.setUint8(at + 16 + i, byte));
  if (item.text && item.text.length < (channel.rows ?? 0)) {
    view.setUint8(at + 16 + item.text.length, 0);
  }
}
