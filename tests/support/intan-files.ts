/**
 * Small Intan recordings made from a description, in all three layouts. Every stored word is a plain
 * function of kind, channel and sample ({@link storedWord}), so a test can say what must come out.
 */

/** Kinds of words in the files. */
export type WordKind =
  | "amplifier"
  | "auxiliary"
  | "supply"
  | "temperature"
  | "analog_in"
  | "analog_out"
  | "dc_amplifier"
  | "stimulation"
  | "digital_in"
  | "digital_out";

/** A recording to be written. */
export interface IntanSpec {
  rhs?: boolean;
  version: [major: number, minor: number];
  rate: number;
  /** Data blocks (of 60 or 128 samples); split layouts have the same number of samples. */
  blocks: number;
  /** Amplifier channels listed. */
  amplifiers: number;
  /** Indices of listed amplifier channels that are not enabled. */
  disabled?: number[];
  auxiliary?: number;
  supply?: number;
  temperature?: number;
  analogIn?: number;
  analogOut?: number;
  boardMode?: number;
  /** Native orders, which are the bits, of the enabled digital lines. */
  digitalIn?: number[];
  digitalOut?: number[];
  /** RHS: low-gain samples are saved. */
  dc?: boolean;
  /** RHS: amperes of one stimulation step. */
  stimStep?: number;
  /** Counter of the first sample. */
  firstTimestamp?: number;
  /** Samples skipped (or, below 0, counted again) before a block. */
  jumps?: Record<number, number>;
  notes?: [string, string, string];
  /** A disabled group that counts this many channels, whose records follow or do not. */
  disabledGroup?: { channels: number; listed: boolean };
  /** Bytes of a further block that breaks off. */
  trailingBytes?: number;
  /** Replaces the words of {@link storedWord}. */
  word?: (kind: WordKind, channel: number, sample: number) => number | undefined;
}

/** Samples of a data block. */
export function samplesPerBlock(spec: IntanSpec): number {
  return spec.rhs || spec.version[0] >= 2 ? 128 : 60;
}

/** The word stored for a sample, unsigned; `channel` counts the enabled channels of the kind. */
export function storedWord(
  spec: IntanSpec,
  kind: WordKind,
  channel: number,
  sample: number,
): number {
  const own = spec.word?.(kind, channel, sample);
  if (own !== undefined) return own & 0xffff;
  const wave = (period: number, size: number) =>
    Math.round(size * Math.sin(2 * Math.PI * (sample / period + channel / 7)));
  switch (kind) {
    case "amplifier":
      if (sample < 2) return sample ? 0xffff : 0;
      return 32_768 + wave(50 + 11 * channel, 3000) + (sample * 7919 + channel * 104_729) % 97;
    case "auxiliary":
      return 30_000 + wave(400, 900);
    case "supply":
      return 44_000 + wave(20, 90);
    case "temperature":
      return 2500 + wave(10, 300) - 6000 * (channel % 2) & 0xffff;
    case "analog_in":
      return 32_768 + wave(300, 9000);
    case "analog_out":
      return 32_768 + wave(700, 130);
    case "dc_amplifier":
      return 512 + wave(90, 60);
    case "stimulation": {
      const phase = sample % 200;
      if (phase < 10) return 5 + channel;
      if (phase < 20) return 0x100 | (7 + channel);
      if (phase < 30) return 0x2000;
      if (phase < 40) return 0x4000;
      return phase === 50 && channel === 0 ? 0x8000 : 0;
    }
    case "digital_in":
      return (sample >> 4) & 0xffff;
    case "digital_out":
      return 0xffff & ~(sample >> 5);
  }
}

/** Counter of a sample. */
export function timestampOf(spec: IntanSpec, sample: number): number {
  const block = Math.floor(sample / samplesPerBlock(spec));
  let counter = (spec.firstTimestamp ?? 0) + sample;
  for (const [at, jump] of Object.entries(spec.jumps ?? {})) {
    if (Number(at) <= block) counter += jump;
  }
  return counter;
}

class Writer {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** Makes room for `bytes` more and gives the view of all and the place of the room. */
  #room(bytes: number): [DataView, number] {
    const at = this.#at;
    if (at + bytes > this.#bytes.length) {
      const larger = new Uint8Array(2 * (at + bytes));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#at += bytes;
    return [this.#view, at];
  }
  #each(width: number, values: number[], put: (view: DataView, at: number, v: number) => void) {
    const [view, at] = this.#room(width * values.length);
    values.forEach((v, i) => put(view, at + i * width, v));
    return this;
  }
  u8(...values: number[]): this {
    return this.#each(1, values, (view, at, v) => view.setUint8(at, v));
  }
  i16(...values: number[]): this {
    return this.#each(2, values, (view, at, v) => view.setInt16(at, v, true));
  }
  u16(...values: number[]): this {
    return this.#each(2, values, (view, at, v) => view.setUint16(at, v, true));
  }
  i32(...values: number[]): this {
    return this.#each(4, values, (view, at, v) => view.setInt32(at, v, true));
  }
  u32(...values: number[]): this {
    return this.#each(4, values, (view, at, v) => view.setUint32(at, v, true));
  }
  f32(...values: number[]): this {
    return this.#each(4, values, (view, at, v) => view.setFloat32(at, v, true));
  }
  text(text: string | null): this {
    if (text === null) return this.u32(0xffffffff);
    this.u32(2 * text.length);
    for (let i = 0; i < text.length; i++) this.u16(text.charCodeAt(i));
    return this;
  }
  ascii(text: string): this {
    return this.u8(...new TextEncoder().encode(text));
  }
  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }
}

interface ListedChannel {
  native: string;
  custom: string;
  order: number;
  type: number;
  enabled: boolean;
}

interface ListedGroup {
  name: string;
  prefix: string;
  channels: ListedChannel[];
}

const two = (n: number) => String(n).padStart(2, "0");

function groupsOf(spec: IntanSpec): ListedGroup[] {
  const old = !spec.rhs && spec.version[0] < 2;
  const types = spec.rhs
    ? { adc: 3, dac: 4, din: 5, dout: 6 }
    : { adc: 3, dac: 4, din: 4, dout: 5 };
  const port = spec.rhs ? "B" : "A";
  const make = (native: string, order: number, type: number, custom = native): ListedChannel => ({
    native,
    custom,
    order,
    type,
    enabled: true,
  });
  const range = (n: number | undefined) => Array.from({ length: n ?? 0 }, (_, i) => i);
  const amplifiers = range(spec.amplifiers).map((i) => ({
    ...make(
      `${port}-${String(i).padStart(3, "0")}`,
      i,
      0,
      i === 1 ? "\u00e9lectrode \u00b5" : undefined,
    ),
    enabled: !spec.disabled?.includes(i),
  }));
  const groups: ListedGroup[] = [{
    name: `Port ${port}`,
    prefix: port,
    channels: [
      ...amplifiers,
      ...range(spec.auxiliary).map((i) => make(`${port}-AUX${i + 1}`, i, 1)),
      ...range(spec.supply).map((i) => make(`${port}-VDD${i + 1}`, i, 2)),
    ],
  }];
  const board = (name: string, prefix: string, channels: ListedChannel[]) => {
    if (channels.length) groups.push({ name, prefix, channels });
  };
  board(
    "Board ADC Inputs",
    "ADC",
    range(spec.analogIn).map((i) =>
      make(old ? `ADC-${two(i)}` : `ANALOG-IN-${i + 1}`, i, types.adc)
    ),
  );
  board(
    "Board DAC Outputs",
    "DAC",
    range(spec.rhs ? spec.analogOut : 0).map((i) => make(`ANALOG-OUT-${i + 1}`, i, types.dac)),
  );
  board(
    "Board Digital Inputs",
    "DIN",
    (spec.digitalIn ?? []).map((bit) =>
      make(old ? `DIN-${two(bit)}` : `DIGITAL-IN-${two(bit + 1)}`, bit, types.din)
    ),
  );
  board(
    "Board Digital Outputs",
    "DOUT",
    (spec.digitalOut ?? []).map((bit) =>
      make(old ? `DOUT-${two(bit)}` : `DIGITAL-OUT-${two(bit + 1)}`, bit, types.dout)
    ),
  );
  return groups;
}

/** The header alone: the start of a traditional file, or the info file of a split layout. */
export function intanHeader(spec: IntanSpec): Uint8Array<ArrayBuffer> {
  const [major, minor] = spec.version;
  const since = (a: number, b: number) => major > a || (major === a && minor >= b);
  const w = new Writer();
  w.u32(spec.rhs ? 0xd69127ac : 0xc6912702).i16(major, minor).f32(spec.rate).i16(1);
  if (spec.rhs) w.f32(1.17, 0.1, 1000, 7603, 1, 0.1, 1000, 7500);
  else w.f32(1.17, 0.1, 7603, 1, 0.1, 7500);
  w.i16(2).f32(1000, 1000);
  if (spec.rhs) w.i16(0, 0).f32(spec.stimStep ?? 1e-6, 1e-8, 0);
  const notes = spec.notes ?? ["note one \u00b5V", "", ""];
  w.text(notes[0]).text(notes[1] || null).text(notes[2]);
  if (spec.rhs) w.i16(spec.dc ? 1 : 0, 14).text("n/a");
  else {
    if (since(1, 1)) w.i16(spec.temperature ?? 0);
    if (since(1, 3)) w.i16(spec.boardMode ?? 0);
    if (since(2, 0)) w.text("A-003");
  }
  const groups = groupsOf(spec);
  w.i16(groups.length + (spec.disabledGroup ? 1 : 0));
  const list = (group: ListedGroup, enabled: boolean, listed: boolean) => {
    const amplifiers = group.channels.filter((c) => c.type === 0).length;
    w.text(group.name).text(group.prefix).i16(enabled ? 1 : 0, group.channels.length, amplifiers);
    if (!listed) return;
    group.channels.forEach((c, i) => {
      w.text(c.native).text(c.custom).i16(c.order, i, c.type, c.enabled ? 1 : 0, i);
      if (spec.rhs) w.i16(0);
      w.i16(0, 1, -70, 0, 0).f32(120_000 + i, -40);
    });
  };
  if (spec.disabledGroup) {
    const channels = Array.from({ length: spec.disabledGroup.channels }, (_, i): ListedChannel => ({
      native: `C-${String(i).padStart(3, "0")}`,
      custom: `C-${i}`,
      order: i,
      type: 0,
      enabled: true,
    }));
    list({ name: "Port C", prefix: "C", channels }, false, spec.disabledGroup.listed);
  }
  for (const group of groups) list(group, true, true);
  return w.done();
}

/** Enabled amplifier channels. */
function amplifierCount(spec: IntanSpec): number {
  return spec.amplifiers - (spec.disabled?.length ?? 0);
}

/** A file of the traditional layout. */
export function traditionalFile(spec: IntanSpec): Uint8Array<ArrayBuffer> {
  const n = samplesPerBlock(spec);
  const w = new Writer();
  const amplifiers = amplifierCount(spec);
  const block = (b: number) => {
    for (let k = 0; k < n; k++) w.i32(timestampOf(spec, b * n + k));
    const put = (kind: WordKind, channels: number, samples = n) => {
      for (let c = 0; c < channels; c++) {
        for (let k = 0; k < samples; k++) w.u16(storedWord(spec, kind, c, b * samples + k));
      }
    };
    put("amplifier", amplifiers);
    if (spec.rhs) {
      if (spec.dc) put("dc_amplifier", amplifiers);
      put("stimulation", amplifiers);
    } else {
      put("auxiliary", spec.auxiliary ?? 0, n / 4);
      put("supply", spec.supply ?? 0, 1);
      put("temperature", spec.temperature ?? 0, 1);
    }
    put("analog_in", spec.analogIn ?? 0);
    if (spec.rhs) put("analog_out", spec.analogOut ?? 0);
    put("digital_in", spec.digitalIn?.length ? 1 : 0);
    put("digital_out", spec.digitalOut?.length ? 1 : 0);
  };
  w.u8(...intanHeader(spec));
  for (let b = 0; b < spec.blocks; b++) block(b);
  const bytes = w.done();
  if (!spec.trailingBytes) return bytes;
  const longer = new Uint8Array(bytes.length + spec.trailingBytes);
  longer.set(bytes);
  return longer;
}

/** Word of a kind that the split layouts repeat up to the full rate. */
export function repeatedWord(
  spec: IntanSpec,
  kind: "auxiliary" | "supply",
  channel: number,
  sample: number,
): number {
  const every = kind === "auxiliary" ? 4 : samplesPerBlock(spec);
  return storedWord(spec, kind, channel, Math.floor(sample / every));
}

function columnsOf(spec: IntanSpec): { kind: WordKind; together: string; names: string[] }[] {
  const groups = groupsOf(spec);
  const types: [WordKind, string, string, number][] = spec.rhs
    ? [
      ["amplifier", "amplifier.dat", "amp-", 0],
      ...(spec.dc ? [["dc_amplifier", "dcamplifier.dat", "dc-", 0] as const] : []),
      ["stimulation", "stim.dat", "stim-", 0],
      ["analog_in", "analogin.dat", "board-", 3],
      ["analog_out", "analogout.dat", "board-", 4],
      ["digital_in", "digitalin.dat", "board-", 5],
      ["digital_out", "digitalout.dat", "board-", 6],
    ] as [WordKind, string, string, number][]
    : [
      ["amplifier", "amplifier.dat", "amp-", 0],
      ["auxiliary", "auxiliary.dat", "aux-", 1],
      ["supply", "supply.dat", "vdd-", 2],
      ["analog_in", "analogin.dat", "board-", 3],
      ["digital_in", "digitalin.dat", "board-", 4],
      ["digital_out", "digitalout.dat", "board-", 5],
    ];
  return types.map(([kind, together, prefix, type]) => ({
    kind,
    together,
    names: groups.flatMap((g) => g.channels.filter((c) => c.enabled && c.type === type))
      .map((c) => `${prefix}${c.native}.dat`),
  })).filter((t) => t.names.length);
}

/** A stored word of a split layout: amplifier samples signed, slow signals repeated. */
function splitWord(spec: IntanSpec, kind: WordKind, channel: number, sample: number): number {
  if (kind === "auxiliary" || kind === "supply") return repeatedWord(spec, kind, channel, sample);
  const word = storedWord(spec, kind, channel, sample);
  return kind === "amplifier" ? word ^ 0x8000 : word;
}

function timeFile(spec: IntanSpec): Uint8Array<ArrayBuffer> {
  const w = new Writer();
  const total = spec.blocks * samplesPerBlock(spec);
  for (let k = 0; k < total; k++) w.i32(timestampOf(spec, k));
  return w.done();
}

/** The files beside the info file in the one-file-per-signal-type layout. */
export function filesPerSignalType(spec: IntanSpec): Record<string, Uint8Array<ArrayBuffer>> {
  const total = spec.blocks * samplesPerBlock(spec);
  const files: Record<string, Uint8Array<ArrayBuffer>> = { "time.dat": timeFile(spec) };
  for (const { kind, together, names } of columnsOf(spec)) {
    const digital = kind === "digital_in" || kind === "digital_out";
    const w = new Writer();
    for (let k = 0; k < total; k++) {
      for (let c = 0; c < (digital ? 1 : names.length); c++) w.u16(splitWord(spec, kind, c, k));
    }
    files[together] = w.done();
  }
  return files;
}

/** The files beside the info file in the one-file-per-channel layout. */
export function filesPerChannel(spec: IntanSpec): Record<string, Uint8Array<ArrayBuffer>> {
  const total = spec.blocks * samplesPerBlock(spec);
  const files: Record<string, Uint8Array<ArrayBuffer>> = { "time.dat": timeFile(spec) };
  for (const { kind, names } of columnsOf(spec)) {
    names.forEach((name, c) => {
      const bits = kind === "digital_in"
        ? spec.digitalIn
        : kind === "digital_out"
        ? spec.digitalOut
        : undefined;
      const w = new Writer();
      for (let k = 0; k < total; k++) {
        w.u16(bits ? (storedWord(spec, kind, 0, k) >> bits[c]) & 1 : splitWord(spec, kind, c, k));
      }
      files[name] = w.done();
    });
  }
  return files;
}

/** A spike as the acquisition software saves it. */
export interface SavedSpike {
  channel: string;
  timestamp: number;
  id: number;
  /** Offset-binary words. */
  snapshot: number[];
}

/** `spike.dat` of all channels, or `spike-A-000.dat` when `channels` is one name. */
export function spikeFile(
  channels: string[],
  rate: number,
  spikes: SavedSpike[],
  before: number,
  after: number,
  single = false,
): Uint8Array<ArrayBuffer> {
  const w = new Writer();
  w.u32(single ? 0x18f88c00 : 0x18f8474b).u16(1).ascii("base_240102_030405").u8(0);
  w.ascii(channels.join(",")).u8(0).ascii(channels.join(",")).u8(0);
  w.f32(rate).u32(before, after);
  for (const spike of spikes) {
    if (!single) w.ascii(spike.channel);
    w.i32(spike.timestamp).u8(spike.id).u16(...spike.snapshot);
  }
  return w.done();
}
