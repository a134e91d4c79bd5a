/**
 * Writes AcqKnowledge files as the versions 2 to 5 lay them out: for tests, and for the demo's
 * look-alikes of published recordings. Written from the format's description, not from the reader.
 */

/** A channel to write. */
export interface BiopacChannel {
  name: string;
  units?: string;
  /** A sample every so many ticks of the base clock. */
  divider?: number;
  /** Int16Array: converter numbers; Float64Array: values in `units`. */
  values: Int16Array | Float64Array;
  scale?: number;
  offset?: number;
  number?: number;
  /** What markers call the channel; its number unless given. */
  order?: number;
  description?: string;
}

/** A marker to write. */
export interface BiopacMarker {
  /** Tick of the base clock. */
  sample: number;
  text: string;
  /** Order number of a channel; -1 for all. */
  channel?: number;
  style?: string;
  createdMs?: number;
}

/** A file to write. */
export interface BiopacFile {
  /** 30 is AcqKnowledge 2.0, 45 is 3.9, 84 is 4.1, 108 is 4.2, 124 is 4.3, 128 is 4.4, 132 is 5.0. */
  revision: number;
  littleEndian: boolean;
  /** Milliseconds of a tick. */
  sampleTimeMs: number;
  channels: BiopacChannel[];
  markers?: BiopacMarker[];
  journal?: string;
  compressed?: boolean;
  /** 0: seconds, 1: clock, 2: frequency, 3: arbitrary. */
  horizontalAxis?: number;
  firstTimeOffsetMs?: number;
  /** Unknown bytes between the foreign data and the sample types. */
  junkBytes?: number;
  /** 40-byte records before the channel headers, and how many the graph header admits to. */
  paddings?: number;
  statedPaddings?: number;
  /** Type code of floating-point channels: 0 in some files. */
  floatCode?: 0 | 1;
  /** Text encoder; Latin-1 before version 4 and UTF-8 since unless given. */
  encode?: (text: string) => Uint8Array;
}

/** Where the sections of a written file are, for tests that damage them. */
export interface BiopacLayout {
  bytes: Uint8Array<ArrayBuffer>;
  channelHeaders: number[];
  /** The sample types. */
  types: number;
  data: number;
  markers: number;
  journal: number;
  snapshots: number;
}

const isModern = (file: BiopacFile) => file.revision >= 61;

/** Numbers and text in a growing buffer, in the file's byte order. */
class Writer {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  constructor(readonly file: BiopacFile) {}

  #take(count: number): number {
    const at = this.length;
    if (at + count > this.#bytes.length) {
      const grown = new Uint8Array(2 * (at + count));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.length += count;
    return at;
  }

  i16(value: number): void {
    const at = this.#take(2);
    this.#view.setInt16(at, value, this.file.littleEndian);
  }

  i32(value: number): void {
    const at = this.#take(4);
    this.#view.setInt32(at, value, this.file.littleEndian);
  }

  u64(value: number): void {
    const at = this.#take(8);
    this.#view.setBigUint64(at, BigInt(value), this.file.littleEndian);
  }

  f64(value: number): void {
    const at = this.#take(8);
    this.#view.setFloat64(at, value, this.file.littleEndian);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  zeros(count: number): void {
    const at = this.#take(count);
    this.#bytes.fill(0, at, at + count);
  }

  /** Zeros up to `end`. */
  fillTo(end: number): void {
    if (end > this.length) this.zeros(end - this.length);
  }

  /** Text in a field of fixed width; what follows the NUL is left over from other strings. */
  field(text: string, width: number): void {
    const bytes = this.encode(text).subarray(0, width);
    this.raw(bytes);
    if (bytes.length < width) this.zeros(1);
    for (let i = bytes.length + 1; i < width; i++) this.raw(Uint8Array.of(0x41 + i % 26));
  }

  encode(text: string): Uint8Array {
    if (this.file.encode) return this.file.encode(text);
    return isModern(this.file)
      ? new TextEncoder().encode(text)
      : Uint8Array.from(text, (c) => c.charCodeAt(0) & 0xff);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length);
  }
}

/** The bytes of a file. */
export async function biopacFile(file: BiopacFile): Promise<Uint8Array<ArrayBuffer>> {
  return (await biopacLayout(file)).bytes;
}

/** The bytes of a file, and where its sections are. */
export async function biopacLayout(file: BiopacFile): Promise<BiopacLayout> {
  const w = new Writer(file);
  writeGraph(w, file);
  const paddings = file.paddings ?? (file.revision >= 124 ? 1 : 0);
  for (let i = 0; i < paddings; i++) {
    w.i32(40);
    w.zeros(36);
  }
  const channelHeaders = file.channels.map((channel, i) => writeChannel(w, file, channel, i));
  writeForeign(w, file);
  for (let i = 0; i < (file.junkBytes ?? 0); i++) w.raw(Uint8Array.of(0x77));
  const types = w.length;
  for (const { values } of file.channels) {
    w.i16(values instanceof Int16Array ? 2 : 8);
    w.i16(values instanceof Int16Array ? 2 : file.floatCode ?? 1);
  }
  const data = w.length;
  if (!file.compressed) w.raw(interleave(file));
  const markers = w.length;
  writeMarkers(w, file);
  const journal = w.length;
  writeJournal(w, file);
  const snapshots = w.length;
  await writeSnapshots(w, file);
  return { bytes: w.finish(), channelHeaders, types, data, markers, journal, snapshots };
}

/** Header lengths of the versions seen; fields a version does not have yet are not written. */
const GRAPH_LENGTHS: [revision: number, bytes: number][] = [
  [128, 2410],
  [124, 2400],
  [108, 1574],
  [61, 1564],
  [45, 13104],
  [43, 2220],
  [41, 1944],
  [39, 1896],
  [38, 1894],
  [36, 886],
  [35, 326],
  [34, 164],
  [30, 150],
];

function writeGraph(w: Writer, file: BiopacFile): void {
  const length = GRAPH_LENGTHS.find(([revision]) => file.revision >= revision)![1];
  w.i16(0);
  w.i32(file.revision);
  w.i32(length);
  w.i16(file.channels.length);
  w.i16(file.horizontalAxis ?? 0);
  w.i16(file.channels[0]?.number ?? 1);
  w.f64(file.sampleTimeMs);
  w.f64(123.5); // where the window is scrolled to: no time of the data
  w.fillTo(78);
  w.f64(file.firstTimeOffsetMs ?? 0);
  const compressedAt = isModern(file) ? 972 : file.revision >= 41 ? 1936 : undefined;
  if (compressedAt !== undefined) {
    w.fillTo(compressedAt);
    w.i32(file.compressed ? 1 : 0);
  }
  if (file.revision >= 124) {
    w.fillTo(2398);
    w.i16(file.statedPaddings ?? file.paddings ?? 1);
  }
  w.fillTo(length);
}

function writeChannel(w: Writer, file: BiopacFile, channel: BiopacChannel, index: number): number {
  const start = w.length;
  const { revision } = file;
  const length = isModern(file)
    ? (revision >= 124 ? 1826 : 1716)
    : revision >= 43
    ? 262
    : revision >= 38
    ? 254
    : revision >= 34
    ? 122
    : 112;
  const number = channel.number ?? index + 1;
  w.i32(length);
  w.i16(number);
  w.field(channel.name, 40);
  w.raw(Uint8Array.of(255, 0, 0, 0));
  w.i16(2);
  w.f64(0);
  w.f64(1);
  w.field(channel.units ?? "", 20);
  w.i32(channel.values.length);
  w.f64(channel.scale ?? 1);
  w.f64(channel.offset ?? 0);
  w.i16(channel.order ?? number);
  w.i16(1092);
  if (isModern(file)) {
    w.fillTo(start + 152);
    w.i16(channel.divider ?? 1);
  } else if (revision >= 38) {
    w.fillTo(start + 122);
    w.field(channel.description ?? "", 128);
    w.i16(channel.divider ?? 1);
  }
  w.fillTo(start + length);
  return start;
}

function writeForeign(w: Writer, file: BiopacFile): void {
  if (isModern(file)) {
    w.i32(8);
    w.zeros(4);
  } else {
    w.i16(200);
    w.i16(100);
    w.zeros(196);
  }
}

/** Tick by tick: each channel that is due and still has samples writes one. */
function interleave({ channels, littleEndian }: BiopacFile): Uint8Array {
  const bytes = new Uint8Array(channels.reduce((n, c) => n + c.values.byteLength, 0));
  const view = new DataView(bytes.buffer);
  const taken = channels.map(() => 0);
  const dividers = channels.map((c) => c.divider ?? 1);
  for (let tick = 0, at = 0; at < bytes.length; tick++) {
    channels.forEach(({ values }, i) => {
      if (tick % dividers[i] !== 0 || taken[i] >= values.length) return;
      const value = values[taken[i]++];
      if (values instanceof Int16Array) view.setInt16(at, value, littleEndian);
      else view.setFloat64(at, value, littleEndian);
      at += values.BYTES_PER_ELEMENT;
    });
  }
  return bytes;
}

function writeMarkers(w: Writer, file: BiopacFile): void {
  const markers = file.markers ?? [];
  const body = new Writer(file);
  if (isModern(file)) {
    const items: BiopacMarker[] = [{ sample: markers.length, text: "", style: "defl" }, ...markers];
    for (const item of items) {
      const text = body.encode(`${item.text}\0`);
      body.i32(item.sample);
      body.i32(0);
      body.i16(item.channel ?? -1);
      body.raw(body.encode((item.style ?? "defl").padEnd(4)));
      if (file.revision >= 128) body.u64(item.createdMs ?? 0);
      if (file.revision >= 121) body.zeros(8);
      body.i16(text.length);
      body.raw(text);
    }
    w.i32(8 + body.length);
    w.i32(items.length);
    w.raw(body.finish());
    return;
  }
  const late = file.revision >= 36;
  for (const marker of markers) {
    const text = body.encode(`${marker.text}\0`);
    body.i32(marker.sample);
    if (late) body.i16(1);
    body.i16(0);
    body.i16(0);
    body.i16(late ? text.length - 1 : text.length);
    body.raw(text);
  }
  // The Macintosh versions count the section's own header.
  w.i32(body.length + (file.littleEndian ? 0 : 8));
  w.i32(markers.length);
  w.raw(body.finish());
  if (file.revision >= 41) {
    w.raw(Uint8Array.of(2, 32, 16, 8));
    w.i32(0);
    w.zeros(76);
    markers.forEach((_, i) => {
      w.i32(0);
      w.i32(i + 1);
      w.zeros(20);
    });
  }
}

function writeJournal(w: Writer, file: BiopacFile): void {
  const { revision } = file;
  const text = file.journal === undefined ? undefined : w.encode(`${file.journal}\0`);
  if (!isModern(file)) {
    if (revision < 38 && !text) return;
    w.i32(0x11223344);
    w.i16(0);
    w.i32(text?.length ?? 0);
    if (text) w.raw(text);
    return;
  }
  if (!text) {
    w.i32(6);
    w.i16(0);
    return;
  }
  if (revision < 108) {
    w.i32(6 + 554 + text.length);
    w.i16(1);
    w.i32(554);
    w.zeros(256);
    w.i32(text.length);
    w.zeros(290);
    w.raw(text);
    return;
  }
  const settings = revision >= 128 ? 576 : 572;
  w.i32(10 + settings + 12 + text.length + 4);
  w.i16(1);
  w.i32(settings);
  w.zeros(settings);
  w.i32(1);
  w.i32(text.length - 1);
  w.i32(text.length);
  w.raw(text);
  w.i32(0);
}

async function writeSnapshots(w: Writer, file: BiopacFile): Promise<void> {
  const modern = isModern(file);
  if (!modern && file.revision < 41) return;
  const label = w.encode("Feb 09 2016 11:54:29 Central Standard Time");
  const original = w.encode("Original Data");
  if (!modern) {
    w.i32(8);
    w.i32(0);
  }
  w.i32(0);
  w.i32(0xdeaded3d | 0);
  w.i16(file.compressed ? 1 : 0);
  if (!file.compressed) return;
  if (modern) {
    w.i32(file.revision >= 108 ? 48 : 42);
    w.i32(0xdead0003 | 0);
    w.i32(0);
    w.i16(file.channels.length);
    w.i32(label.length);
    w.i32(original.length);
    w.zeros(file.revision >= 108 ? 26 : 20);
    w.raw(label);
    w.raw(original);
  } else {
    w.i32(20);
    w.i32(0x0001dead);
    w.i32(0);
    w.i32(file.channels.length);
    w.i32(label.length);
    w.raw(label);
  }
  for (const [i, channel] of file.channels.entries()) {
    const samples = littleEndian(channel.values);
    const packed = await deflate(samples);
    const name = w.encode(channel.name), units = w.encode(channel.units ?? "");
    const start = w.length;
    w.i32(60);
    w.i32(modern ? 0xb00f0001 | 0 : 0x0001b00f);
    if (!modern) w.i16(0);
    w.i16(channel.number ?? i + 1);
    w.i32(channel.values.length);
    w.i16(channel.divider ?? 1);
    w.f64(file.sampleTimeMs);
    w.i16(channel.values.BYTES_PER_ELEMENT);
    w.f64(channel.scale ?? 1);
    w.f64(channel.offset ?? 0);
    w.fillTo(start + 44);
    w.i32(name.length);
    w.i32(units.length);
    w.i32(samples.length);
    w.i32(packed.length);
    w.raw(name);
    w.raw(units);
    w.raw(packed);
  }
}

/** Compressed samples are little-endian whatever the file is. */
function littleEndian(values: Int16Array | Float64Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.byteLength);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    if (values instanceof Int16Array) view.setInt16(2 * i, value, true);
    else view.setFloat64(8 * i, value, true);
  });
  return bytes;
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
