import assert from "node:assert/strict";
import { smrx } from "../decoders/ephys/smrx.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset, EventTable } from "../src/model/dataset.ts";
import { FileSource } from "../src/source/file.ts";
import { MemorySource } from "../src/source/memory.ts";
import type { ByteSource } from "../src/source/source.ts";
import { openBytes } from "./support/convert-memory.ts";
import { channelSamples } from "./support/materialize.ts";
import { buildSmrx, type SmrxChannelSpec, type SmrxSpec } from "./support/smrx-files.ts";

const reader = await smrx.load();
const open = (bytes: Uint8Array, name = "test.smrx") =>
  reader.open(new MemorySource(name, bytes), {});

async function column(dataset: Dataset, table: EventTable, name: string): Promise<unknown[]> {
  const hit = table.columns.find((c) => c.name === name);
  assert.ok(hit, `${table.name} has no column ${name}`);
  if (hit.layout.kind === "values") return [...hit.layout.values];
  assert.equal(hit.layout.kind, "stream");
  const { stream, field } = hit.layout as { stream: string; field: string };
  const out: unknown[] = [];
  for await (const block of dataset.openStream!(stream, {})) {
    if (block.field === field) { for (const value of block.values) out.push(value); }
  }
  return out;
}

function table(dataset: Dataset, name: string): EventTable {
  const hit = dataset.events.find((t) => t.name === name);
  assert.ok(hit, `no table ${name} among ${dataset.events.map((t) => t.name)}`);
  return hit;
}

const ramp = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const utf8 = (text: string) => new TextEncoder().encode(text);

/** A file with every kind of channel. */
const everyKind = (): SmrxSpec => ({
  timeBase: 2e-6,
  date: [42, 15, 30, 12, 21, 11, 2026],
  application: "FUSETEST",
  comments: ["first line", "", "third"],
  maxTicks: 5000,
  channels: [
    {
      index: 0,
      kind: 1,
      title: "Kraft µ",
      units: " N",
      scale: 2.5,
      offset: 0.25,
      divide: 100,
      comment: "load cell",
      port: 3,
      idealRate: 4999,
      blocks: [
        { runs: [{ tick: 10, samples: ramp(21, -32768) }] },
        // A block's edge alone is no pause; one sample missing is.
        { runs: [{ tick: 2110, samples: [32767] }, { tick: 2310, samples: [1, 2, 3] }] },
      ],
    },
    { index: 1, kind: 2, title: "Fall", blocks: [{ items: [{ tick: 5 }, { tick: 5000 }] }] },
    { index: 2, kind: 3, title: "Rise", blocks: [{ items: [{ tick: 2n ** 40n }] }] },
    {
      index: 3,
      kind: 4,
      title: "Both",
      initialHigh: true,
      blocks: [
        { items: [{ tick: 1, codes: [0] }, { tick: 2, codes: [1] }] },
        // An edge is missing: the level stored with each counts.
        { items: [{ tick: 3, codes: [1] }] },
      ],
    },
    {
      index: 4,
      kind: 5,
      title: "Keyboard",
      blocks: [{ items: [{ tick: 7, codes: [99, 1, 2, 255] }, { tick: 8, codes: [1] }] }],
    },
    {
      index: 5,
      kind: 6,
      title: "spikes",
      units: "uV",
      scale: 0.5,
      offset: 1,
      divide: 25,
      rows: 3,
      columns: 2,
      preTrigger: 1,
      blocks: [{
        items: [
          { tick: 100, codes: [3], values: [1, -1, 2, -2, 3, -3] },
          { tick: 200, codes: [0], values: [4, -4, 5, -5, 6, -32768] },
        ],
      }],
    },
    {
      index: 6,
      kind: 7,
      title: "params",
      units: "au",
      rows: 3,
      range: [-5, 5],
      blocks: [{ items: [{ tick: 11, codes: [9], values: [0.5, -1e30, 7] }] }],
    },
    {
      index: 7,
      kind: 8,
      title: "Notes",
      rows: 12,
      blocks: [{
        items: [
          { tick: 20, text: utf8("Ω 10⁻⁶") },
          { tick: 21, text: new Uint8Array(0) },
          { tick: 22, text: utf8("full twelve!") },
        ],
      }],
    },
    {
      index: 9,
      kind: 9,
      title: "Real",
      units: "au",
      divide: 200,
      blocks: [{ runs: [{ tick: 0, samples: [0.5, -2.5, 1e-3] }] }],
    },
  ],
});

Deno.test("smrx: the first bytes decide, not the extension", async () => {
  const { bytes } = buildSmrx(everyKind());
  const probe = (head: Uint8Array) => smrx.probe({ head, name: "x", size: head.length }).score;
  assert.equal(probe(bytes), 250);
  assert.equal(probe(bytes.subarray(0, 3)), 0);
  assert.equal(probe(utf8("S64 is a road near here")), 0);
  for (const name of ["a.smrx", "a.smr", "a"]) {
    assert.equal((await openBytes(name, bytes)).format, "smrx");
  }
});

Deno.test("smrx: every channel kind", async () => {
  const dataset = await open(buildSmrx(everyKind()).bytes);
  assert.deepEqual(dataset.warnings, []);
  assert.deepEqual(dataset.leftOut, []);
  assert.equal(dataset.metadata.startTime, "2026-11-21T12:30:15.42");
  assert.equal(dataset.metadata.notes, "first line\nthird");
  assert.equal(dataset.metadata.header!.creator, "FUSETEST");
  assert.equal(dataset.metadata.header!.max_time_ticks, 5000);

  const force = dataset.recordings.find((r) => r.name === "waveform_5000hz")!;
  assert.equal(force.samplingFrequency, 5000);
  assert.deepEqual(force.segments, [
    { startIndex: 0, length: 22, startSeconds: 0.00002 },
    { startIndex: 22, length: 3, startSeconds: 0.00462 },
  ]);
  assert.deepEqual(await channelSamples(dataset, force, 0), [
    ...ramp(21, -32768),
    32767,
    1,
    2,
    3,
  ]);
  const [channel] = force.channels;
  assert.deepEqual([channel.name, channel.units], ["Kraft µ", "N"]);
  assert.deepEqual([channel.gain, channel.offset], [2.5 / 6553.6, 0.25]);
  assert.deepEqual(channel.attributes, {
    spike2_channel: 1,
    kind: "Adc",
    title: "Kraft µ",
    comment: "load cell",
    physical_port: 3,
    ideal_rate: 4999,
  });
  const real = dataset.recordings.find((r) => r.name === "waveform_2500hz")!;
  assert.deepEqual([real.rawType, real.channels[0].gain], ["float32", 1]);
  assert.deepEqual(await channelSamples(dataset, real, 0), [0.5, -2.5, Math.fround(1e-3)]);

  assert.deepEqual(await column(dataset, table(dataset, "Fall"), "time"), [1e-5, 0.01]);
  assert.equal(table(dataset, "Fall").attributes!.edge, "falling");
  assert.deepEqual(await column(dataset, table(dataset, "Rise"), "time"), [2 ** 40 / 5e5]);
  const both = table(dataset, "Both");
  assert.equal(both.attributes!.initial_level, "high");
  assert.deepEqual(both.columns.map((c) => c.name), ["time", "label"]);
  assert.deepEqual(await column(dataset, both, "label"), ["fall", "rise", "rise"]);
  const keyboard = table(dataset, "Keyboard");
  assert.deepEqual(await column(dataset, keyboard, "code"), [99, 1, 2, 255, 1, 0, 0, 0]);
  assert.deepEqual(await column(dataset, keyboard, "label"), ["99", "1"]);
  assert.deepEqual(await column(dataset, keyboard, "character"), ["c", ""]);
  const spikes = table(dataset, "spikes");
  assert.deepEqual(await column(dataset, spikes, "unit"), [3, 0]);
  const waveform = spikes.columns.find((c) => c.name === "waveform")!;
  assert.deepEqual(waveform.innerShape, [3, 2]);
  assert.deepEqual(waveform.attributes, {
    pre_trigger_samples: 1,
    time_of: "first sample",
    sampling_frequency: 20_000,
    scale_factor: 0.5 / 6553.6,
    add_offset: 1,
  });
  assert.deepEqual(
    await column(dataset, spikes, "waveform"),
    [1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -32768],
  );
  const params = table(dataset, "params");
  assert.deepEqual(await column(dataset, params, "value"), [0.5, Math.fround(-1e30), 7]);
  assert.deepEqual(params.attributes!.expected_range, [-5, 5]);
  const notes = table(dataset, "Notes");
  assert.deepEqual(await column(dataset, notes, "label"), ["Ω 10⁻⁶", "", "full twelve!"]);
});

const adc = (index: number, title: string, starts: number[]): SmrxChannelSpec => ({
  index,
  kind: 1,
  title,
  divide: 100,
  blocks: starts.map((tick, i) => ({ runs: [{ tick, samples: ramp(5, 10 * i) }] })),
});

Deno.test("smrx: equal channels share a recording, others do not", async () => {
  const dataset = await open(
    buildSmrx({
      timeBase: 1e-5,
      channels: [
        adc(0, "a", [0, 500, 1050]),
        adc(1, "b", [0, 500, 1050]),
        adc(2, "c", [0, 500, 1000]),
        { index: 3, kind: 9, title: "empty", divide: 100, blocks: [] },
        { index: 4, kind: 2, title: "none", blocks: [] },
        { ...adc(5, "gone", [0, 500]), deleted: true },
      ],
    }).bytes,
  );
  assert.deepEqual(dataset.recordings.map((r) => [r.name, r.channels.map((c) => c.name)]), [
    ["waveform_1000hz_a", ["a", "b"]],
    ["waveform_1000hz_c", ["c"]],
  ]);
  assert.deepEqual(dataset.recordings[0].segments, [
    { startIndex: 0, length: 10, startSeconds: 0 },
    // Half a sample late: a pause need not keep to the grid.
    { startIndex: 10, length: 5, startSeconds: 0.0105 },
  ]);
  assert.equal(table(dataset, "none").count, 0);
  assert.deepEqual(dataset.leftOut.map((l) => `${l.what}: ${l.why}`), [
    'channel 4 "empty": the waveform holds no samples',
    'channel 6 "gone": deleted; 2 data blocks of it are left in the file',
  ]);
});

Deno.test("smrx: several index levels, and blocks left over from an earlier life", async () => {
  const starts = ramp(11).map((i) => 500 * i);
  const built = buildSmrx({
    fanOut: 3,
    channels: [
      adc(0, "long", starts),
      { ...adc(1, "reused", starts), generation: 2, inUse: 4 },
      { ...adc(2, "marked", starts.slice(0, 2)), generation: 1 },
    ],
  });
  assert.equal(built.slots.get(0)!.length, 4 + 2 + 1);
  new DataView(built.bytes.buffer).setUint16(built.blocks.get(2)![1] + 10, 0, true);
  const dataset = await open(built.bytes);
  const [long, reused, marked] = dataset.recordings;
  const values = starts.flatMap((_, i) => ramp(5, 10 * i));
  assert.deepEqual(await channelSamples(dataset, long, 0), values);
  assert.equal(long.segments.length, 1);
  assert.deepEqual(await channelSamples(dataset, reused, 0), values.slice(0, 20));
  assert.deepEqual(await channelSamples(dataset, marked, 0), values.slice(0, 10));
  assert.match(dataset.warnings.join(), /channel 3 "marked": 1 data blocks bear the mark/);
});

Deno.test("smrx: channels and strings cross the blocks of a continued header", async () => {
  const many = 300;
  const channels: SmrxChannelSpec[] = ramp(many).map((index) => ({
    index,
    kind: 3,
    title: `Kanal ${index} ${"ß".repeat(index % 70)}`,
    blocks: index % 37 === 0 ? [{ items: [{ tick: index }] }] : [],
  }));
  const built = buildSmrx({ slots: 400, extraBytes: 7, comments: ["é".repeat(9000)], channels });
  assert.ok(built.headers.length >= 2 && built.recordOffset(240) > 65_536);
  const dataset = await open(built.bytes);
  assert.equal(dataset.events.length, many);
  dataset.events.forEach((t, i) => assert.equal(t.name, channels[i].title!.trim()));
  assert.deepEqual(await column(dataset, dataset.events[259], "time"), [259e-6]);
  assert.equal(dataset.metadata.notes, "é".repeat(9000));
  assert.match(JSON.stringify(dataset.leftOut), /extra data area/);
  const wrong = built.bytes.slice();
  wrong[built.headers[1] + 8] = 0;
  await assert.rejects(open(wrong), /test\.smrx: a header block belongs to a channel/);
});

Deno.test("smrx: a file that was not closed gives what its header knows, and says so", async () => {
  const dataset = await open(
    buildSmrx({ trailingBytes: 3 * 65_536, channels: [adc(0, "a", [0, 500])] }).bytes,
  );
  assert.deepEqual(await channelSamples(dataset, dataset.recordings[0], 0), [
    ...ramp(5),
    ...ramp(5, 10),
  ]);
  assert.match(dataset.warnings.join(), /not closed properly/);
  assert.equal(dataset.leftOut[0].what, "3 blocks at the end of the file");
  await assert.rejects(
    open(buildSmrx({ trailingBytes: 65_536, channels: [] }).bytes),
    /test\.smrx: the file was never closed, and its channel table never saved/,
  );
});

Deno.test("smrx: many events are streamed in bounded pieces", async () => {
  const perBlock = 4095, blocks = 70;
  const built = buildSmrx({
    timeBase: 1e-5,
    channels: [
      { index: 0, kind: 3, title: "small", blocks: [{ items: [{ tick: 1 }] }] },
      {
        index: 1,
        kind: 4,
        title: "large",
        blocks: ramp(blocks).map((k) => ({
          items: ramp(perBlock, k * perBlock).map((tick) => ({ tick, codes: [(tick + 1) % 2] })),
        })),
      },
    ],
  });
  const path = await Deno.makeTempFile({ suffix: ".smrx" });
  try {
    await Deno.writeFile(path, built.bytes);
    const source = await FileSource.open(path);
    const dataset = await reader.open(source, {});
    const large = table(dataset, "large");
    assert.equal(large.count, perBlock * blocks);
    assert.equal(table(dataset, "small").columns[0].layout.kind, "values");
    const { stream } = large.columns[0].layout as { stream: string };
    for (let pass = 0; pass < 2; pass++) {
      let at = 0, rises = 0;
      for await (const block of dataset.openStream!(stream, {})) {
        assert.ok(block.count <= 1 << 16);
        if (block.field === "label") {
          rises += (block.values as string[]).filter((v) => v === "rise").length;
          continue;
        }
        assert.equal((block.values as Float64Array)[0], at / 1e5);
        at += block.count;
      }
      assert.deepEqual([at, rises], [large.count, at / 2]);
    }
    assert.throws(() => dataset.openStream!("channel-1", {}), /no stream/);
    await source.close();
  } finally {
    await Deno.remove(path);
  }
});

/** A source that counts its requests and is far away. */
function remote(bytes: Uint8Array): { source: ByteSource; requests: () => number } {
  const inner = new MemorySource("far.smrx", bytes);
  let requests = 0;
  const source = new Proxy(inner, {
    get(target, key) {
      if (key === "distance") return "remote";
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (key === "read" || key === "readUpTo") requests++;
        return value.apply(target, args);
      };
    },
  });
  return { source, requests: () => requests };
}

Deno.test("smrx: a remote file takes few requests and gives the same", async () => {
  const { bytes } = buildSmrx({
    channels: [adc(0, "a", ramp(40).map((i) => 500 * i + (i > 20 ? 7 : 0))), adc(1, "b", [0])],
  });
  const { source, requests } = remote(bytes);
  const far = await reader.open(source, {});
  const near = await open(bytes);
  assert.deepEqual(far.recordings, near.recordings);
  assert.deepEqual(far.frameTables, near.frameTables);
  assert.ok(requests() < 10, `${requests()} requests`);
});

Deno.test("smrx: what contradicts the format is refused with its place", async () => {
  const build = () => buildSmrx({ channels: [adc(0, "a", [0, 500, 1000])], fanOut: 2 });
  const cases: [RegExp, (built: ReturnType<typeof build>, view: DataView) => void][] = [
    [/other block sizes/, (_, view) => view.setUint8(3, 0x71)],
    [/later version.*found 2\.1/, (_, view) => view.setUint8(7, 2)],
    [/impossible time base/, (_, view) => view.setFloat64(0x20, -1, true)],
    [/impossible time base/, (_, view) => view.setFloat64(0x20, NaN, true)],
    [/number of header blocks/, (_, view) => view.setUint32(0x3e4, 4000, true)],
    [/outside the header/, (_, view) => view.setUint32(0x38, 1 << 30, true)],
    [/channel records/, (_, view) => view.setUint32(0x3c, 8, true)],
    [/sampling interval/, (b, view) => view.setBigInt64(b.recordOffset(0) + 0x40, 0n, true)],
    [
      /more data blocks than the file/,
      (b, view) => view.setBigUint64(b.recordOffset(0) + 0x10, 99n, true),
    ],
    [
      /past the end of the file/,
      (b, view) => view.setBigUint64(b.recordOffset(0), 1n << 60n, true),
    ],
    [/index leads to something else/, (b, view) => view.setUint16(b.slots.get(0)![0] + 8, 5, true)],
    [/skips a level/, (b, view) => view.setUint16(b.slots.get(0)![0], 0x300, true)],
    [
      /a data block lies past the end/,
      (b, view) => view.setBigUint64(b.slots.get(0)![0] + 24, 1n << 40n, true),
    ],
    [
      /index leads to something else/,
      (b, view) => view.setUint16(b.blocks.get(0)![2] + 8, 3, true),
    ],
    [/longer than its block/, (b, view) => view.setUint32(b.blocks.get(0)![1] + 24, 40_000, true)],
    [/outside its block/, (b, view) => view.setUint32(b.blocks.get(0)![1] + 12, 60_000, true)],
  ];
  for (const [message, spoil] of cases) {
    const built = build();
    spoil(built, new DataView(built.bytes.buffer));
    await assert.rejects(open(built.bytes), (error) => {
      assert.ok(isFuseError(error));
      assert.match(error.message, message);
      assert.match(error.message, /test\.smrx/);
      return true;
    });
  }
  const circle = build();
  const [low, , top] = circle.slots.get(0)!;
  const view = new DataView(circle.bytes.buffer);
  view.setUint32(low + 12, 0, true);
  for (let i = 0; i < 255; i++) view.setBigUint64(top + 24 + 16 * i, BigInt(low), true);
  view.setUint32(top + 12, 255, true);
  await assert.rejects(open(circle.bytes), /runs in a circle/);
  const cut = build().bytes;
  await assert.rejects(open(cut.subarray(0, 1000)), (e) => isFuseError(e, "Truncated"));
  await assert.rejects(open(cut.subarray(0, 70_000)), (e) => isFuseError(e, "Truncated"));
  const items = buildSmrx({
    channels: [{ index: 0, kind: 8, rows: 80, itemBytes: 24, blocks: [] }],
  });
  await assert.rejects(open(items.bytes), /impossible size of its items/);
});

Deno.test("smrx: fewer listed blocks than counted is said", async () => {
  const built = buildSmrx({ channels: [adc(0, "a", [0, 500]), adc(1, "b", [0, 500])] });
  new DataView(built.bytes.buffer).setUint32(built.slots.get(1)![0] + 12, 1, true);
  const dataset = await open(built.bytes);
  assert.match(dataset.warnings.join(), /channel 2 "b": its index lists 1 data blocks/);
  assert.deepEqual(dataset.recordings.map((r) => r.sampleCount), [10, 5]);
});
