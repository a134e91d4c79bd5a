import assert from "node:assert/strict";
import { isFuseError } from "../src/errors.ts";
import { openDataset } from "../src/identify.ts";
import type { Dataset, StreamBlock } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { convertDataset } from "./support/convert-memory.ts";
import { channelSamples } from "./support/materialize.ts";

interface Item {
  type: number;
  name: string;
  /** Seconds after the block's start. */
  at: number;
  channel?: number;
  sort?: number;
  value?: number;
  place?: number;
  data?: Float32Array | Int16Array | Float64Array;
  format?: number;
  rate?: number;
}

const START = 1_600_000_000.25;
const STREAM = 0x8101, SNIPPET = 0x8201, ONSET = 0x101, OFFSET = 0x102, SCALAR = 0x201;
const BASE = "Tank_Block-1";

/** A block: the data of items follow each other in the `.tev`, unless a place is given. */
function buildBlock(items: Item[], { stopped = true } = {}): Record<string, Uint8Array> {
  const mark = (code: number, at: number): Item => ({
    type: 0x8801,
    name: String.fromCharCode(code),
    at,
  });
  const all = [mark(1, 0), ...items, ...(stopped ? [mark(2, 4)] : [])];
  const tsq = new Uint8Array(40 * (all.length + 1)), view = new DataView(tsq.buffer);
  const data: number[] = [];
  view.setInt32(0, tsq.length, true);
  all.forEach((item, i) => {
    const at = 40 * (i + 1), bytes = item.data ? new Uint8Array(item.data.buffer) : undefined;
    view.setInt32(at, 10 + (bytes?.length ?? 0) / 4, true);
    view.setInt32(at + 4, item.type, true);
    tsq.set(Uint8Array.from(item.name, (c) => c.charCodeAt(0)), at + 8);
    view.setUint16(at + 12, item.channel ?? 0, true);
    view.setUint16(at + 14, item.sort ?? 0, true);
    view.setFloat64(at + 16, START + item.at, true);
    if (item.value !== undefined) view.setFloat64(at + 24, item.value, true);
    else view.setBigInt64(at + 24, BigInt(item.place ?? data.length), true);
    view.setInt32(at + 32, item.format ?? 0, true);
    view.setFloat32(at + 36, item.rate ?? 0, true);
    if (bytes && item.place === undefined) data.push(...bytes);
  });
  return {
    [`${BASE}.tsq`]: tsq,
    [`${BASE}.tev`]: Uint8Array.from(data),
    [`${BASE}.Tbk`]: new Uint8Array(64),
    [`${BASE}.tnt`]: new TextEncoder().encode("NOTEFILE_VERSION[1.0]\r\nnote\r\n"),
  };
}

async function open(files: Record<string, Uint8Array>, main = `${BASE}.tsq`): Promise<Dataset> {
  const { [main]: bytes, ...others } = files;
  return (await openDataset(new MemorySource(main, bytes, others))).dataset;
}

async function columns(dataset: Dataset): Promise<Map<string, number[]>> {
  const out = new Map<string, number[]>();
  for await (const block of dataset.openStream!("tdt events", {}) as AsyncIterable<StreamBlock>) {
    const list = out.get(block.field) ?? [];
    for (const value of block.values) list.push(Number(value));
    out.set(block.field, list);
  }
  return out;
}

const wave = (channel: number, first: number, at: number, more: Partial<Item> = {}): Item => ({
  type: STREAM,
  name: "Wav1",
  at,
  channel,
  data: Float32Array.from({ length: 4 }, (_, k) => channel * 100 + first + k),
  rate: 1000,
  ...more,
});
const row = (channel: number, n: number) => Array.from({ length: n }, (_, k) => channel * 100 + k);

Deno.test("tdt: channels whose records change places, and those that keep them", async () => {
  const changing = [wave(2, 0, 0), wave(1, 0, 0), wave(1, 4, 0.004), wave(2, 4, 0.004)];
  const steady = [wave(2, 0, 0), wave(1, 0, 0), wave(2, 4, 0.004), wave(1, 4, 0.004)];
  for (const [items, tables] of [[changing, 2], [steady, 1]] as const) {
    for (const main of [`${BASE}.tsq`, `${BASE}.tev`, `${BASE}.Tbk`]) {
      const dataset = await open(buildBlock([...items]), main);
      assert.deepEqual(dataset.warnings, []);
      assert.equal(dataset.frameTables.length, tables);
      const [recording] = dataset.recordings;
      assert.deepEqual(recording.channels.map((c) => c.name), ["Wav1/1", "Wav1/2"]);
      assert.equal(recording.samplingFrequency, 1000);
      assert.deepEqual(recording.segments, [{ startIndex: 0, length: 8, startSeconds: 0 }]);
      assert.deepEqual(await channelSamples(dataset, recording, 0), row(1, 8));
      assert.deepEqual(await channelSamples(dataset, recording, 1), row(2, 8));
      assert.equal(dataset.metadata.startTime, "2020-09-13T12:26:40.250000Z");
      assert.equal(dataset.metadata.notes, "note");
    }
  }
});

Deno.test("tdt: a pause begins a segment, integers stay integers", async () => {
  const store = { name: "Ain1", format: 2, rate: 1000, type: STREAM, channel: 1 };
  const dataset = await open(
    buildBlock([
      { ...store, at: 0, data: Int16Array.of(1, -2, 3, 4) },
      { ...store, at: 1.024, data: Int16Array.of(5, 6) },
    ], { stopped: false }),
  );
  const [recording] = dataset.recordings;
  assert.equal(recording.rawType, "int16");
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 4, startSeconds: 0 },
    { startIndex: 4, length: 2, startSeconds: 1.024 },
  ]);
  assert.deepEqual(await channelSamples(dataset, recording, 0), [1, -2, 3, 4, 5, 6]);
  assert.match(dataset.warnings[0], /no mark of the block's stop/);
});

Deno.test("tdt: epocs with their ends, scalars, snippets with channel and sort code", async () => {
  const snip = (channel: number, sort: number, at: number): Item => ({
    type: SNIPPET,
    name: "eNe1",
    at,
    channel,
    sort,
    rate: 24414.0625,
    data: Float32Array.of(channel, sort, at),
  });
  const buddy = new DataView(Uint8Array.from("Stm/", (c) => c.charCodeAt(0)).buffer);
  const end = (at: number): Item => ({
    type: OFFSET,
    name: "Stm\\",
    at,
    value: 0,
    channel: buddy.getUint16(0, true),
    sort: buddy.getUint16(2, true),
  });
  const dataset = await open(buildBlock([
    { type: ONSET, name: "Stm/", at: 0.512, value: 7 },
    end(0.768),
    snip(3, 31, 1.024),
    { type: ONSET, name: "Stm/", at: 1, value: 8 },
    { type: SCALAR, name: "Par1", at: 2.048, value: -1.5, channel: 4 },
    snip(1, 2, 3.072),
  ]));
  assert.deepEqual(dataset.events.map((e) => [e.name, e.count]), [["Stm/", 2], ["eNe1", 2], [
    "Par1",
    1,
  ]]);
  const read = await columns(dataset);
  const of = (kind: string, field: string) =>
    [...read].find(([key]) => key.startsWith(kind) && key.endsWith(`/${field}`))![1];
  // 1 s lies between two ticks of the clock.
  assert.deepEqual(of("onset", "time"), [0.512, 0.99999744]);
  assert.deepEqual(of("onset", "timestamp"), [START + 0.512, START + 1]);
  assert.deepEqual(of("onset", "value"), [7, 8]);
  assert.deepEqual(of("scalar", "channel"), [4]);
  assert.deepEqual(of("scalar", "value"), [-1.5]);
  assert.deepEqual(of("snippet", "unit"), [31, 2]);
  assert.deepEqual(of("snippet", "waveform"), [3, 31, 1.024, 1, 2, 3.072].map(Math.fround));
  const duration = dataset.events[0].columns.find((c) => c.name === "duration")!.layout;
  assert.ok(duration.kind === "values");
  assert.ok(Math.abs(Number(duration.values[0]) - 0.256) < 1e-12);
  assert.ok(Number.isNaN(duration.values[1]));
  const target = await convertDataset(dataset);
  assert.ok([...target.objects.keys()].some((key) => key.startsWith("events/eNe1/waveform")));
});

interface SevSpec {
  samples: number[];
  version?: number;
  store?: string;
}

function buildSev({ samples, version = 1, store = "Wave" }: SevSpec): Uint8Array {
  const bytes = new Uint8Array(40 + 4 * samples.length), view = new DataView(bytes.buffer);
  bytes.set(new Uint8Array(Float32Array.from(samples).buffer), 40);
  if (version === 0) return bytes;
  view.setBigUint64(0, BigInt(bytes.length), true);
  bytes.set(Uint8Array.from(`SEV\u0001${store}`, (c) => c.charCodeAt(0)), 8);
  bytes[11] = version;
  view.setUint16(20, 4, true);
  bytes[25] = 1;
  view.setUint16(26, 2, true);
  return bytes;
}

Deno.test("tdt: .sev files alone, in the order of their numbers, hours joined", async () => {
  const files = {
    "A_Wave_ch10.sev": buildSev({ samples: [10, 11, 12] }),
    "A_Wave_ch2-1h.sev": buildSev({ samples: [22] }),
    "A_Wave_ch2-0h.sev": buildSev({ samples: [20, 21] }),
    "B_Wave_ch1.sev": buildSev({ samples: [99] }),
  };
  const dataset = await open(files, "A_Wave_ch10.sev");
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => c.name), ["Wave/2", "Wave/10"]);
  assert.equal(recording.samplingFrequency, 24414.0625);
  assert.deepEqual(await channelSamples(dataset, recording, 0), [20, 21, 22]);
  assert.deepEqual(await channelSamples(dataset, recording, 1), [10, 11, 12]);
  const empty = await open(
    { "A_Wave_ch1.sev": buildSev({ samples: [1], version: 0 }) },
    "A_Wave_ch1.sev",
  );
  assert.match(empty.warnings[0], /headers .* are empty/);
});

Deno.test("tdt: a block whose stream is in .sev files", async () => {
  const inOwn = { type: STREAM | 0x10, data: new Float32Array(2) };
  const items = [1, 2].map((channel) => wave(channel, 0, 0.512, { ...inOwn, place: 40 }));
  const files = {
    ...buildBlock(items),
    [`${BASE}_Wav1_Ch1.sev`]: buildSev({ samples: [1, 2] }),
    [`${BASE}_Wav1_Ch2.sev`]: buildSev({ samples: [3, 4] }),
    [`${BASE}_Raw2_ch1.sev`]: buildSev({ samples: [5] }),
  };
  for (const main of [`${BASE}.tsq`, `${BASE}_Wav1_Ch2.sev`]) {
    const dataset = await open(files, main);
    assert.deepEqual(dataset.recordings.map((r) => [r.name, r.segments[0].startSeconds]), [
      ["Wav1", 0.512],
      ["Raw2", 0],
    ]);
    assert.deepEqual(await channelSamples(dataset, dataset.recordings[0], 0), [1, 2]);
    assert.deepEqual(await channelSamples(dataset, dataset.recordings[0], 1), [3, 4]);
    assert.match(dataset.warnings[0], /no records of the .sev files of "Raw2"/);
  }
});

Deno.test("tdt: files that are missing, short or wrong", async () => {
  const good = buildBlock([wave(1, 0, 0), { type: ONSET, name: "Tick", at: 0, value: 1 }]);
  const { [`${BASE}.tsq`]: tsq } = good;
  const withoutData = await open({ [`${BASE}.tsq`]: tsq });
  assert.equal(withoutData.recordings.length, 0);
  assert.match(withoutData.leftOut[0].why, /\.tev file is not there/);
  assert.deepEqual((await columns(withoutData)).size, 3);
  const fails = (files: Record<string, Uint8Array>, tag: "Truncated" | "Corrupt") =>
    assert.rejects(open(files), (e) => isFuseError(e, tag));
  await fails({ ...good, [`${BASE}.tev`]: new Uint8Array(8) }, "Truncated");
  const changed = (at: number, bytes: number[]) => {
    const copy = tsq.slice();
    copy.set(bytes, at);
    return { ...good, [`${BASE}.tsq`]: copy };
  };
  await fails(changed(80, [9, 0, 0, 0]), "Corrupt");
  const unread = await open(changed(80 + 32, [6, 0, 0, 0]));
  assert.deepEqual(unread.leftOut, [
    { what: 'the store "Wav1"', why: "samples of type 6 are not read" },
  ]);
  assert.equal(unread.events[0].name, "Tick");
  await fails(changed(80 + 36, [0, 0, 0, 0]), "Corrupt");
  await fails(changed(80 + 16, new Array(8).fill(255)), "Corrupt");
});

Deno.test("tdt: a recorder that was cut off leaves an index longer than its data", async () => {
  const snippet = {
    type: SNIPPET,
    name: "eNe1",
    channel: 1,
    data: new Float32Array(4),
    rate: 1000,
  };
  const items = [wave(1, 0, 0), wave(2, 0, 0), wave(1, 4, 0.004), wave(2, 4, 0.004)];
  const files = buildBlock([...items, { ...snippet, at: 0.001 }], { stopped: false });
  files[`${BASE}.tev`] = files[`${BASE}.tev`].slice(0, 4 * 14);
  const dataset = await open(files);
  const [recording] = dataset.recordings;
  assert.equal(recording.sampleCount, 6);
  assert.deepEqual(await channelSamples(dataset, recording, 0), row(1, 6));
  assert.deepEqual(await channelSamples(dataset, recording, 1), row(2, 6));
  assert.deepEqual(dataset.leftOut.map((l) => l.what), [
    'the last 2 samples of "Wav1", of all channels together',
    'the last samples of channels 1 of "Wav1"',
    'waveforms of the snippets "eNe1"',
  ]);
  assert.deepEqual((await columns(dataset)).get("snippet 828722789/time"), [0.0009984]);
});

Deno.test("tdt: stores with an underscore in their names, and what recorders and people wrote down", async () => {
  const notes = [
    ...["Experiment: Stim", "Subject: M1", "User: Ada", "Start: 11:59:50pm 02/08/2018", ""],
    ...['Note-1: 11:59:55pm [none] "two', 'lines"', "Note-2: 12:00:10am [Button A]"],
  ].join("\r\n");
  const text = (t: string) => new TextEncoder().encode(t);
  const files = {
    ...buildBlock([{ type: ONSET, name: "Tick", at: 0, value: 1 }]),
    [`${BASE}_LFP__ch1.sev`]: buildSev({ samples: [1, 2, 3, 4, 5] }),
    [`${BASE}_x_1A_ch1.sev`]: buildSev({ samples: [7] }),
    "LFP__log.txt": text(
      "recording started at sample: 1\ngap detected. last saved sample: 2, new saved sample: 12",
    ),
    "Notes.txt": text(notes),
  };
  const dataset = await open(files);
  assert.deepEqual(dataset.recordings.map((r) => r.name), ["LFP_", "x_1A"]);
  const [lfp] = dataset.recordings, rate = lfp.samplingFrequency!;
  assert.deepEqual(lfp.segments, [
    { startIndex: 0, length: 2, startSeconds: 0 },
    { startIndex: 2, length: 3, startSeconds: 11 / rate },
  ]);
  assert.match(dataset.warnings.join(), /"LFP_": the recorder lost 9 samples/);
  const table = dataset.events.find((e) => e.name === "Notes")!;
  const values = table.columns.map((
    c,
  ) => [...(c.layout as { values: ArrayLike<unknown> }).values as unknown[]]);
  assert.deepEqual(values, [[5, 20], ["two\nlines", "Button A"]]);
  assert.equal(dataset.metadata.experimenter, "Ada");
  assert.equal(dataset.metadata.notes, "note\ntwo\nlines\nButton A");
  const alone = await open({ "T_B_x_1A_ch3.sev": buildSev({ samples: [7] }) }, "T_B_x_1A_ch3.sev");
  assert.equal(alone.recordings[0].channels[0].name, "x_1A/3");
});
