/** Builds small Axon Binary Format files of both versions. */

/** One analog input. */
export interface AbfInput {
  name?: string;
  units?: string;
  /** Number at the digitizer; its place in the list by default. */
  physical?: number;
  scale?: number;
  offset?: number;
  programmableGain?: number;
  signalGain?: number;
  signalOffset?: number;
  telegraph?: number;
  telegraphGain?: number;
}

/** A tag: time in synch units, comment, type. */
export type AbfTag = [time: number, comment: string, type: number];

/** What both versions can say. */
export interface AbfFile {
  version?: number;
  mode: number;
  inputs: AbfInput[];
  /** Values of all channels in turn. */
  values: number[];
  isFloat?: boolean;
  /** Microseconds: between values of all channels (version 1), between scans (version 2). */
  interval: number;
  secondInterval?: number;
  clockChange?: number;
  synchUnit?: number;
  /** Start and length of sweeps. */
  synch?: [start: number, length: number][];
  samplesPerEpisode?: number;
  episodes?: number;
  startToStart?: number;
  tags?: AbfTag[];
  /** Time, parameter, value; `int`: an integer. */
  deltas?: [time: number, id: number, value: number, int?: boolean][];
  date?: number;
  /** Milliseconds after midnight. */
  milliseconds?: number;
  signalType?: number;
  range?: number;
  resolution?: number;
  comment?: string;
  protocol?: string;
  /** Values played at output 0, as many as sweeps times the samples of one channel of a sweep. */
  stimulus?: { sweeps: number; values: number[]; units: string; scale: number };
  /** Overrides the stated number of values. */
  valueCount?: number;
}

const BLOCK = 512;

class Writer {
  bytes = new Uint8Array(0);
  view = new DataView(this.bytes.buffer);

  /** Makes room up to `end`. */
  reach(end: number): void {
    if (end <= this.bytes.length) return;
    const next = new Uint8Array(end);
    next.set(this.bytes);
    this.bytes = next;
    this.view = new DataView(next.buffer);
  }

  i16(at: number, ...values: number[]): void {
    this.reach(at + 2 * values.length);
    values.forEach((v, i) => this.view.setInt16(at + 2 * i, v, true));
  }

  i32(at: number, ...values: number[]): void {
    this.reach(at + 4 * values.length);
    values.forEach((v, i) => this.view.setInt32(at + 4 * i, v, true));
  }

  f32(at: number, ...values: number[]): void {
    this.reach(at + 4 * values.length);
    values.forEach((v, i) => this.view.setFloat32(at + 4 * i, v, true));
  }

  /** Windows-1252 text, for which Latin-1 will do here. */
  text(at: number, text: string, length = text.length, fill = 0): void {
    this.reach(at + length);
    this.bytes.fill(fill, at, at + length);
    for (let i = 0; i < Math.min(length, text.length); i++) this.bytes[at + i] = text.charCodeAt(i);
  }

  /** The first whole block behind everything. */
  nextBlock(): number {
    return Math.ceil(this.bytes.length / BLOCK);
  }

  values(at: number, values: number[], isFloat: boolean): void {
    if (isFloat) this.f32(at, ...values);
    else this.i16(at, ...values);
  }
}

/** Sections behind the data, shared by both versions; gives the block and the number of entries of each. */
function putSections(w: Writer, file: AbfFile) {
  const place = (count: number, put: (at: number) => void): [number, number] => {
    if (count === 0) return [0, 0];
    const block = w.nextBlock();
    put(block * BLOCK);
    return [block, count];
  };
  const { tags = [], synch = [], deltas = [] } = file;
  return {
    tags: place(tags.length, (at) =>
      tags.forEach(([time, comment, type], i) => {
        w.i32(at + 64 * i, time);
        w.text(at + 64 * i + 4, comment, 56, 32);
        w.i16(at + 64 * i + 60, type, 0);
      })),
    synch: place(synch.length, (at) => w.i32(at, ...synch.flat())),
    deltas: place(deltas.length, (at) =>
      deltas.forEach(([time, id, value, int], i) => {
        w.i32(at + 12 * i, time, id);
        if (int) w.i32(at + 12 * i + 8, value);
        else w.f32(at + 12 * i + 8, value);
      })),
    stimulus: place(
      file.stimulus?.sweeps ?? 0,
      (at) => w.i16(at, ...file.stimulus!.values),
    ),
  };
}

/** A version 1 file; before 1.6 its header has 2048 bytes. */
export function buildAbf1(file: AbfFile): Uint8Array<ArrayBuffer> {
  const { version = 1.83, inputs } = file;
  const headerBytes = version < 1.6 ? 2048 : 6144;
  const w = new Writer();
  w.reach(headerBytes);
  w.text(0, "ABF ");
  w.f32(4, version);
  w.i16(8, file.mode);
  w.i32(10, file.valueCount ?? file.values.length);
  w.i32(16, file.episodes ?? 1, file.date ?? 20200131, Math.floor((file.milliseconds ?? 0) / 1000));
  w.i16(366, (file.milliseconds ?? 0) % 1000);
  w.i16(36, 1);
  w.i32(40, headerBytes / BLOCK);
  w.i16(100, file.isFloat ? 1 : 0);
  w.i16(120, inputs.length);
  w.f32(122, file.interval, file.secondInterval ?? 0, file.synchUnit ?? 0);
  w.i32(138, file.samplesPerEpisode ?? 0);
  w.f32(178, file.startToStart ?? 0);
  w.i32(194, file.clockChange ?? 0);
  w.f32(244, file.range ?? 10, 10);
  w.i32(252, file.resolution ?? 32768, 32768);
  w.text(294, "Tester 1", 16, 32);
  w.i16(410, ...new Array(16).fill(-1));
  w.i16(1410, file.signalType ?? 0);
  inputs.forEach((input, i) => {
    const n = input.physical ?? i;
    w.i16(410 + 2 * i, n);
    w.text(442 + 10 * n, input.name ?? "", 10, 32);
    w.text(602 + 8 * n, input.units ?? "", 8, 32);
    w.f32(730 + 4 * n, input.programmableGain ?? 1);
    w.f32(922 + 4 * n, input.scale ?? 1);
    w.f32(986 + 4 * n, input.offset ?? 0);
    w.f32(1050 + 4 * n, input.signalGain ?? 1);
    w.f32(1114 + 4 * n, input.signalOffset ?? 0);
    if (headerBytes > 2048) {
      w.i16(4512 + 2 * n, input.telegraph ?? 0);
      w.f32(4576 + 4 * n, input.telegraphGain ?? 1);
    } else if (input.telegraph) {
      w.i16(262, input.telegraph, n);
      w.f32(268, input.telegraphGain ?? 1);
    }
  });
  if (headerBytes > 2048) {
    w.text(4898, file.protocol ?? "", 256, 32);
    w.text(5154, file.comment ?? "", 128, 32);
    w.i32(2034, 6144);
  } else w.text(310, file.comment ?? "", 56, 32);
  w.values(headerBytes, file.values, file.isFloat ?? false);
  const sections = putSections(w, file);
  w.i32(44, ...sections.tags);
  w.i32(72, ...sections.deltas);
  w.i32(92, ...sections.synch);
  if (file.stimulus && headerBytes > 2048) {
    const [block, sweeps] = sections.stimulus;
    w.i32(2048, block, 0, sweeps, 0);
    w.text(1306, "Cmd 0", 10, 32);
    w.text(1346, file.stimulus.units, 8, 32);
    w.f32(1378, file.stimulus.scale);
    w.f32(2074, 1);
  }
  return w.bytes;
}

/** A version 2 file. */
export function buildAbf2(file: AbfFile): Uint8Array<ArrayBuffer> {
  const { inputs } = file;
  const texts: string[] = [];
  const text = (value: string) => value === "" ? 0 : texts.push(value);
  const w = new Writer();
  w.text(0, "ABF2");
  w.bytes.set([], 0);
  w.i32(4, 0x02060000, 512, file.episodes ?? 1, file.date ?? 20200131, file.milliseconds ?? 0);
  w.i16(28, 1, file.isFloat ? 1 : 0);
  w.i32(56, 0x0a070003, text("Tester"));
  w.i32(72, text(file.protocol ?? ""));
  const section = (at: number, block: number, entryBytes: number, count: number) =>
    w.i32(at, block, entryBytes, count, 0);
  // Protocol
  let at = BLOCK;
  w.reach(2 * BLOCK);
  w.i16(at, file.mode);
  w.f32(at + 2, file.interval);
  w.f32(at + 14, file.synchUnit ?? 0);
  w.i32(at + 22, file.samplesPerEpisode ?? 0);
  w.f32(at + 62, file.startToStart ?? 0);
  w.f32(at + 110, file.range ?? 10, 10);
  w.i32(at + 118, file.resolution ?? 32768, 32768);
  w.i32(at + 132, text(file.comment ?? ""));
  w.i16(at + 138, file.signalType ?? 0);
  section(76, 1, 512, 1);
  // ADC
  at = 2 * BLOCK;
  w.reach(at + 128 * inputs.length);
  inputs.forEach((input, i) => {
    const from = at + 128 * i;
    w.i16(from, input.physical ?? i, input.telegraph ?? 0);
    w.f32(from + 6, input.telegraphGain ?? 1);
    w.f32(from + 28, input.programmableGain ?? 1);
    w.f32(from + 40, input.scale ?? 1, input.offset ?? 0);
    w.f32(from + 48, input.signalGain ?? 1, input.signalOffset ?? 0);
    w.i32(from + 74, text(input.name ?? ""), text(input.units ?? ""));
  });
  section(92, 2, 128, inputs.length);
  // DAC, with one step epoch
  const dacBlock = w.nextBlock();
  at = dacBlock * BLOCK;
  w.reach(at + 256);
  w.f32(at + 8, file.stimulus?.scale ?? 20, -70, 1);
  w.i32(at + 24, text("Cmd 0"), text(file.stimulus?.units ?? "mV"));
  w.i16(at + 40, 1, file.stimulus ? 2 : 1);
  section(108, dacBlock, 256, 1);
  const epochBlock = w.nextBlock();
  at = epochBlock * BLOCK;
  w.reach(at + 48);
  w.i16(at, 0, 0, 1);
  w.f32(at + 6, -60, 10);
  w.i32(at + 14, 100, 0);
  section(156, epochBlock, 48, 1);
  // Strings
  const stringsBlock = w.nextBlock();
  at = stringsBlock * BLOCK;
  const joined = texts.map((t) => `${t}\0`).join("");
  w.reach(at + 44);
  w.text(at, "SSCH");
  w.i32(at + 4, 1, texts.length, 0, joined.length);
  w.text(at + 44, joined);
  section(220, stringsBlock, 44 + joined.length, texts.length);
  const dataBlock = w.nextBlock();
  w.values(dataBlock * BLOCK, file.values, file.isFloat ?? false);
  section(236, dataBlock, file.isFloat ? 4 : 2, file.valueCount ?? file.values.length);
  const sections = putSections(w, file);
  section(252, sections.tags[0], 64, sections.tags[1]);
  section(284, sections.deltas[0], 12, sections.deltas[1]);
  section(316, sections.synch[0], 8, sections.synch[1]);
  if (file.stimulus) w.i32(dacBlock * BLOCK + 32, ...sections.stimulus);
  return w.bytes;
}
