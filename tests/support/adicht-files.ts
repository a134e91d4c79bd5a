/** Builds small ADInstruments LabChart documents of Windows (.adicht). */
import { Bytes, packedPlanes, packPlanes } from "./labchart-bytes.ts";

/** How stored numbers become values. */
export interface AdichtUnits {
  /** Value of one stored step in the input unit. */
  step?: number;
  input?: string;
  /** Switches the conversion on. */
  slope?: number;
  offset?: number;
  name?: string;
  points?: string[];
}

/** A channel in a record. */
export interface AdichtTrack {
  channel?: number;
  type?: "int16" | "float32";
  units?: AdichtUnits;
  /** Settings XML; version 3 of the structures only. */
  setup?: string;
  /** Samples at the channel's own rate; floats as differences in single precision. */
  samples: number[];
  /** Samples of a full block, where not one a tick. */
  blockSamples?: number;
  /** Blocks stored plainly. */
  plain?: number[];
}

/** An uninterrupted recording. */
export interface AdichtRecord {
  tickRate?: number;
  start?: number;
  utcMinusLocal?: number;
  ticks: number;
  /** Ticks count from the start of the record. */
  comments?: { tick: number; channel?: number; id?: number; text: string }[];
  tracks: AdichtTrack[];
}

/** A whole document. */
export interface AdichtSpec {
  version?: number;
  /** Version of records and channels: 2 in version 26, 3 in 29. */
  structures?: number;
  clusterShift?: number;
  blockTicks?: number;
  titles?: string[];
  /** Clusters of all streams alternate with unused ones. */
  fragmented?: boolean;
  blocksName?: string;
  records: AdichtRecord[];
  /** Streams besides Map and Blocks_0. */
  streams?: Record<string, Uint8Array>;
  noMap?: boolean;
}

const INT16 = 0x80020001, FLOAT32 = 0x80020003;

/** A block of samples as it is stored, head included. */
export function sampleBlock(
  samples: number[],
  type: "int16" | "float32",
  plain = false,
): Uint8Array<ArrayBuffer> {
  const body = new Bytes();
  if (plain) {
    samples.forEach((v) => type === "int16" ? body.i16(v) : body.f32(v));
  } else {
    body.i32(samples.length * (type === "int16" ? 2 : 4));
    body.raw(packPlanes(packedPlanes(samples, type)));
  }
  const length = body.length + 12;
  const flags = plain ? 0x80000100 : 0x104 | (type === "float32" ? 1 : 0);
  return new Bytes().i32(length).i32(plain ? 0x1234 : 0).i32(-length).u32(flags).raw(body.bytes())
    .bytes();
}

function text(out: Bytes, value: string): Bytes {
  const units = value.length + 1;
  out.u32(0x80000001).i32(units).i32(-units);
  for (const c of value) for (let i = 0; i < c.length; i++) out.u16(c.charCodeAt(i));
  return out.u16(0);
}

/** Objects by what they hold: a second time only the number is written. */
class Objects {
  readonly #ids = new Map<string, number>();

  put(out: Bytes, key: string, write: () => void): void {
    const known = this.#ids.get(key);
    if (known !== undefined) return void out.u32(known);
    const id = this.#ids.size + 1;
    this.#ids.set(key, id);
    out.u32(0x80000000 + id);
    write();
  }
}

function putUnits(out: Bytes, units: AdichtUnits): void {
  const { step = 1e-3, input = "V", slope, offset = 0, name = "" } = units;
  out.i32(5).i32(2).f64(step).zeros(8).u8(0).i16(-2).i16(70).i16(-2).i16(1000);
  out.raw([0, 0, 0, 1, 0, 0, 0, 0, 0]);
  text(out, input).f64(slope ?? 1).f64(offset).i32(slope === undefined ? 2 : 1).i32(1)
    .i32(slope === undefined ? 0 : 0x10000).i32(0);
  text(out, name);
  for (let i = 0; i < 4; i++) text(out, units.points?.[i] ?? "");
  out.u8(0);
}

/** The streams of records and of blocks. */
export function buildStreams(spec: AdichtSpec): { map: Uint8Array; blocks: Uint8Array } {
  const { version = 29, blockTicks = 16_000 } = spec;
  const structures = spec.structures ?? (version >= 29 ? 3 : 2);
  const blocks = new Bytes().raw([0x55, 0x55, 3, 0xaa]);
  const map = new Bytes().raw([0xaa, 0xaa, version >= 29 ? 0x15 : 0x14, 0x55]).i32(2).zeros(8);
  map.u16(25).ascii("ADInstruments Chart Data\0");
  const most = Math.max(0, ...spec.records.map((r) => r.tracks.length));
  map.i16(3).i16(version - 22).i16(most).u8(0);
  const objects = new Objects();
  let before = 0;
  spec.records.forEach((record, number) => {
    const { tickRate = 1000, start = 1_700_000_000 + 3600 * number, ticks } = record;
    const count = Math.ceil(ticks / blockTicks);
    map.i32(number).i32(0).i32(structures).i32(1).i32(0).i64(tickRate).f64(start)
      .f64(record.utcMinusLocal ?? -3600).zeros(12).i32(before).i64(ticks);
    text(map, "");
    if (structures >= 3) map.u32(0);
    else objects.put(map, "extra", () => text(map.i32(1), ""));
    map.u32(structures >= 3 ? 0x30000000 : 0).i32(count).i32(-count);
    const lengths = Array.from(
      { length: count },
      (_, i) => Math.min(blockTicks, ticks - i * blockTicks),
    );
    lengths.forEach((length, i) => {
      const own = (record.comments ?? []).filter((c) => Math.floor(c.tick / blockTicks) === i);
      map.i32(3).i32(length).u32(i > 0 ? 0 : number > 0 ? 0xc0000000 : 0x80000000).i16(0)
        .i16(own.length);
      own.forEach((comment, k) => {
        map.i32(2).i32(0).i32(comment.id ?? k + 1).i16(comment.channel ?? -1)
          .i16(comment.tick - i * blockTicks);
        text(map, comment.text);
      });
    });
    const offsets: number[][] = record.tracks.map(() => []);
    lengths.forEach((_, i) =>
      record.tracks.forEach((track, k) => {
        const full = track.blockSamples ?? blockTicks;
        const samples = track.samples.slice(i * full, (i + 1) * full);
        offsets[k].push(blocks.length);
        blocks.raw(sampleBlock(samples, track.type ?? "int16", track.plain?.includes(i)));
      })
    );
    map.i32(record.tracks.length).i32(-record.tracks.length);
    record.tracks.forEach((track, k) => {
      const tag = track.type === "float32" ? FLOAT32 : INT16;
      const full = track.blockSamples ?? blockTicks;
      map.u8(1).u32(0x801b0000).i32(structures).i32(track.channel ?? k).u32(1).u32(tag)
        .i32(1).i32(0).i32(1).zeros(12).i32(1).i32(0).i64(tickRate);
      const units = track.units ?? {};
      objects.put(map, JSON.stringify([k, units]), () => putUnits(map, units));
      map.i32(1);
      if (structures >= 3) {
        objects.put(map, `source ${k} ${track.setup}`, () => {
          text(text(map.i32(2), "ChannelDataSource"), track.setup ?? "");
        });
      }
      map.i64(ticks).i32(number).i32(blockTicks).i32(full).i32(count).i32(-count);
      lengths.forEach((length, i) => {
        const samples = track.samples.slice(i * full, (i + 1) * full);
        map.u32(tag).i64(0).i32(length).i32(0).f32(Math.min(...samples))
          .f32(Math.max(...samples)).i64(offsets[k][i]);
      });
    });
    before += count;
  });
  const titles = spec.titles ??
    Array.from({ length: 16 }, (_, i) => `Channel ${i + 1}`);
  map.i32(-1).i32(titles.length).i32(-titles.length);
  titles.forEach((title) => text(map, title));
  map.zeros(16);
  return { map: map.bytes(), blocks: blocks.bytes() };
}

/** Where things went in a built document. */
export interface BuiltAdicht {
  bytes: Uint8Array<ArrayBuffer>;
  /** Byte of the file where byte 0 of a stream lies (whole, unless fragmented). */
  streamAt: Record<string, number>;
  mapAt: number;
}

/** A whole document. */
export function buildAdicht(spec: AdichtSpec): BuiltAdicht {
  const { version = 29, clusterShift = 10, fragmented = false } = spec;
  const cluster = 2 ** clusterShift;
  const { map, blocks } = buildStreams(spec);
  const streams: [string, Uint8Array][] = [
    ...Object.entries(spec.streams ?? {}),
    ...(spec.noMap ? [] : [["Map", map], [spec.blocksName ?? "Blocks_0", blocks]] as [
      string,
      Uint8Array,
    ][]),
  ];
  const next: number[] = [0, 0];
  const pieces = new Map<number, Uint8Array>();
  let free = 2;
  const place = (bytes: Uint8Array): [number, number] => {
    let first = 0, last = 0;
    for (let at = 0; at < bytes.length; at += cluster) {
      if (last) next[last] = free;
      else first = free;
      last = free;
      next[free] = 0;
      pieces.set(free++, bytes.subarray(at, at + cluster));
      if (fragmented) next[free++] = 0;
    }
    return [first, last];
  };
  const entry = (
    out: Bytes,
    name: string,
    first: number,
    size: number,
    last: number,
    type: number,
  ) => out.utf16(name, 72).i64(first).i64(size).i64(last).zeros(40).i32(0).i32(type).zeros(16);
  const placed = streams.map(([name, bytes]) => ({ name, bytes, at: place(bytes) }));
  const table = new Bytes().i32(streams.length).i32(-streams.length);
  for (const { name, bytes, at: [first, last] } of placed) {
    entry(table, name, first, bytes.length, last, 2);
  }
  const [root, rootLast] = place(table.bytes());
  const mapFirst = free;
  const perPage = cluster / 8;
  const capacity = Math.ceil((mapFirst + 64) / perPage) * perPage;
  const chain = new Bytes();
  for (let c = 0; c < capacity; c++) chain.i32(next[c] ?? 0).i32(0);
  const head = new Bytes().utf16("ADInstruments Compound File", 0x80).i32(version).i32(512)
    .i32(131_072).i32(0x7fffffff).zeros(8).i32(clusterShift).i64(capacity).i64(-capacity)
    .i64(mapFirst).zeros(4);
  entry(head, "ADIRootStorage", root, table.length, rootLast, 1);
  const offset = (c: number) => 512 + (c - 2) * cluster;
  const bytes = new Uint8Array(offset(mapFirst) + chain.length);
  bytes.set(head.bytes());
  for (const [c, piece] of pieces) bytes.set(piece, offset(c));
  bytes.set(chain.bytes(), offset(mapFirst));
  return {
    bytes,
    streamAt: Object.fromEntries(placed.map(({ name, at }) => [name, offset(at[0])])),
    mapAt: offset(mapFirst),
  };
}
