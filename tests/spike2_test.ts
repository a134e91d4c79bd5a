import assert from "node:assert/strict";
import { clockOf, rateOf, secondsOf } from "../decoders/ephys/spike2-clock.ts";
import { decodeText } from "../decoders/ephys/spike2-text.ts";
import { spike2 } from "../decoders/ephys/spike2.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset, EventTable } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import type { ByteSource } from "../src/source/source.ts";
import { channelSamples } from "./support/materialize.ts";
import { buildSon, type SonFile } from "./support/spike2-files.ts";

const reader = await spike2.load();
const open = (bytes: Uint8Array, name = "test.smr") =>
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

/** A file with every kind of channel; `file` overrides what the head says. */
function everyKind(file: Partial<SonFile> = {}): SonFile {
  return {
    usPerTime: 2,
    timePerAdc: 5,
    timeBase: 1e-6,
    date: [42, 15, 30, 12, 21, 11, 2026],
    comments: ["first line", "", "third"],
    creator: "FUSETEST",
    ...file,
    channels: [
      {
        number: 1,
        kind: 1,
        title: "Force",
        units: " N",
        scale: 2.5,
        offset: 0.25,
        divide: 100,
        comment: "load cell",
        port: 3,
        idealRate: 5000,
        blocks: [
          { start: 10, samples: ramp(20, -32768) },
          { start: (file.systemId ?? 9) < 6 ? 10 + 20 * 500 : 10 + 20 * 100, samples: [32767, -1] },
        ],
      },
      { number: 2, kind: 2, title: "Fall", blocks: [{ ticks: [5, 6, 5000], low: true }] },
      { number: 3, kind: 3, title: "Rise", blocks: [{ ticks: [1] }, { ticks: [2, 3] }] },
      {
        number: 4,
        kind: 4,
        title: "Both",
        initialLow: true,
        blocks: [{ ticks: [10, 20, 30] }, { ticks: [40, 50] }],
      },
      {
        number: 5,
        kind: 5,
        title: "Keyboard",
        blocks: [{ marks: [{ tick: 7, codes: [99, 1, 2, 255] }, { tick: 8, codes: [1] }] }],
      },
      {
        number: 6,
        kind: 6,
        title: "spikes",
        units: "uV",
        scale: 0.5,
        offset: 1,
        divide: 25,
        traces: 2,
        preTrigger: 1,
        extraBytes: 12,
        blocks: [{
          marks: [
            { tick: 100, codes: [3], values: [1, -1, 2, -2, 3, -3] },
            { tick: 200, codes: [0], values: [4, -4, 5, -5, 6, -32768] },
          ],
        }],
      },
      {
        number: 7,
        kind: 7,
        title: "params",
        units: "au",
        extraBytes: 8,
        scale: -1,
        offset: 1,
        blocks: [{ marks: [{ tick: 11, codes: [9], values: [0.5, -1e30] }] }],
      },
      {
        number: 8,
        kind: 8,
        title: "Notes",
        extraBytes: 12,
        blocks: [{
          marks: [
            { tick: 20, text: new TextEncoder().encode("baseline") },
            { tick: 21, text: new Uint8Array(0) },
            { tick: 22, text: new TextEncoder().encode("full twelve!") },
          ],
        }],
      },
      {
        number: 9,
        kind: 9,
        title: "Real",
        units: "au",
        divide: 200,
        blocks: [{ start: 0, samples: [0.5, -2.5, 1e-3] }],
      },
    ],
  };
}

Deno.test("spike2: probe takes SON by system id and copyright text, leaves SON64 to others", () => {
  const probe = (head: Uint8Array) =>
    spike2.probe({ head, name: "x.smr", size: head.length }).score;
  assert.equal(probe(buildSon({ channels: [] }).bytes), 250);
  assert.equal(probe(buildSon({ channels: [], bigEndian: true, systemId: 4 }).bytes), 250);
  assert.equal(probe(new TextEncoder().encode("S64pl\0\x01\x01" + " ".repeat(100))), 0);
  assert.equal(probe(buildSon({ channels: [], systemId: 10 }).bytes), 0);
  assert.equal(probe(new Uint8Array(4)), 0);
  assert.equal(probe(new Uint8Array(0)), 0);
});

Deno.test("spike2: every channel kind", async () => {
  const dataset = await open(buildSon(everyKind()).bytes);
  assert.deepEqual(dataset.warnings, []);
  assert.equal(dataset.metadata.startTime, "2026-11-21T12:30:15.42");
  assert.equal(dataset.metadata.notes, "first line\nthird");
  assert.equal(dataset.metadata.header!.creator, "FUSETEST");

  const force = dataset.recordings.find((r) => r.name === "waveform_5000hz")!;
  assert.equal(force.samplingFrequency, 5000);
  assert.equal(force.sampleCount, 22);
  assert.deepEqual(force.segments, [{ startIndex: 0, length: 22, startSeconds: 0.00002 }]);
  assert.deepEqual(await channelSamples(dataset, force, 0), [...ramp(20, -32768), 32767, -1]);
  const [channel] = force.channels;
  assert.equal(channel.name, "Force");
  assert.equal(channel.units, "N");
  assert.equal(channel.gain, 2.5 / 6553.6);
  assert.equal(channel.offset, 0.25);
  assert.deepEqual(channel.attributes, {
    spike2_channel: 1,
    kind: "Adc",
    title: "Force",
    comment: "load cell",
    physical_port: 3,
    ideal_rate: 5000,
  });
  const real = dataset.recordings.find((r) => r.name === "waveform_2500hz")!;
  assert.equal(real.rawType, "float32");
  assert.deepEqual(await channelSamples(dataset, real, 0), [0.5, -2.5, Math.fround(1e-3)]);
  assert.equal(real.channels[0].gain, 1);

  assert.deepEqual(await column(dataset, table(dataset, "Fall"), "time"), [1e-5, 1.2e-5, 0.01]);
  assert.equal(table(dataset, "Fall").attributes!.edge, "falling");
  assert.deepEqual(await column(dataset, table(dataset, "Rise"), "time"), [2e-6, 4e-6, 6e-6]);
  const both = table(dataset, "Both");
  assert.equal(both.attributes!.initial_level, "low");
  assert.deepEqual(await column(dataset, both, "label"), ["rise", "fall", "rise", "fall", "rise"]);
  const keyboard = table(dataset, "Keyboard");
  assert.deepEqual(await column(dataset, keyboard, "code"), [99, 1, 2, 255, 1, 0, 0, 0]);
  assert.deepEqual(await column(dataset, keyboard, "label"), ["99", "1"]);
  assert.deepEqual(await column(dataset, keyboard, "character"), ["c", ""]);
  const spikes = table(dataset, "spikes");
  assert.deepEqual(await column(dataset, spikes, "unit"), [3, 0]);
  const waveform = spikes.columns.find((c) => c.name === "waveform")!;
  assert.deepEqual(waveform.innerShape, [3, 2]);
  assert.equal(waveform.attributes!.scale_factor, 0.5 / 6553.6);
  assert.equal(waveform.attributes!.sampling_frequency, 20_000);
  assert.equal(waveform.attributes!.pre_trigger_samples, 1);
  assert.deepEqual(
    await column(dataset, spikes, "waveform"),
    [1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -32768],
  );
  const params = table(dataset, "params");
  assert.deepEqual(await column(dataset, params, "value"), [0.5, Math.fround(-1e30)]);
  assert.deepEqual(params.attributes!.expected_range, [-1, 1]);
  const notes = table(dataset, "Notes");
  assert.deepEqual(await column(dataset, notes, "label"), ["baseline", "", "full twelve!"]);
  assert.equal(notes.count, 3);
});

Deno.test("spike2: a Macintosh file gives what its PC twin gives", async () => {
  for (const systemId of [5, 6]) {
    const pc = await open(buildSon(everyKind({ systemId })).bytes);
    const mac = await open(buildSon(everyKind({ systemId, bigEndian: true })).bytes);
    for (const [i, recording] of pc.recordings.entries()) {
      const other = mac.recordings[i];
      assert.deepEqual({ ...other, parts: [] }, { ...recording, parts: [] });
      assert.deepEqual(
        await channelSamples(mac, other, 0),
        await channelSamples(pc, recording, 0),
      );
    }
    assert.deepEqual(mac.events, pc.events);
    assert.equal(mac.metadata.startTime, pc.metadata.startTime);
    assert.equal(mac.metadata.header!.byte_order, "big");
  }
});

Deno.test("spike2: intervals of all system ids", async () => {
  for (const systemId of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
    const old = systemId < 6;
    // Ids 1 and 2 count interrupts that serve one Adc channel at a time.
    const ticks = old ? 10 * 4 * (systemId <= 2 ? 2 : 1) : 10;
    const adc = (number: number) => ({
      number,
      kind: 1,
      divide: 10,
      blocks: [{ start: 0, samples: [1, 2, 3] }, { start: 3 * ticks, samples: [4] }],
    });
    const built = buildSon({
      systemId,
      usPerTime: 5,
      timePerAdc: 4,
      timeBase: 1e-5,
      osFormat: systemId <= 3 ? 0x5a5a : 0,
      channels: [adc(1), adc(2)],
    });
    const view = new DataView(built.bytes.buffer);
    for (const offsets of built.blocks.values()) view.setInt32(offsets[0] + 12, 2 * ticks, true);
    if (old) view.setFloat64(44, 123, true);
    if (systemId < 4) view.setUint16(512 + 16, 0xdead, true);
    const dataset = await open(built.bytes);
    assert.deepEqual(dataset.warnings, [], `id ${systemId}`);
    assert.equal(dataset.recordings.length, 1, `id ${systemId}`);
    const [recording] = dataset.recordings;
    assert.equal(recording.name, "waveforms");
    assert.equal(recording.segments.length, 1, `id ${systemId}`);
    const tickSeconds = old ? 5e-6 : 5e-5;
    assert.equal(recording.samplingFrequency, Math.round(1 / (ticks * tickSeconds)));
    assert.deepEqual(await channelSamples(dataset, recording, 1), [1, 2, 3, 4]);
  }
});

Deno.test("spike2: pauses make segments, equal channels share a recording", async () => {
  const adc = (number: number, title: string, starts: number[]) => ({
    number,
    kind: 1,
    title,
    divide: 100,
    blocks: starts.map((start, i) => ({ start, samples: ramp(5, 10 * i) })),
  });
  const dataset = await open(
    buildSon({
      timeBase: 1e-5,
      channels: [
        adc(1, "a", [0, 500, 1050, 1550]),
        adc(2, "b", [0, 500, 1050, 1550]),
        adc(3, "c/d", [0, 500, 1000, 1500]),
        adc(7, "c d", [1, 501, 1001, 1501]),
        { number: 9, kind: 1, title: "empty", divide: 100, blocks: [] },
        { number: 10, kind: 2, title: "none", blocks: [] },
      ],
    }).bytes,
  );
  assert.deepEqual(dataset.recordings.map((r) => [r.name, r.channels.map((c) => c.name)]), [
    ["waveform_1000hz_a", ["a", "b"]],
    ["waveform_1000hz_c_d", ["c/d"]],
    ["waveform_1000hz_c_d_7", ["c d"]],
  ]);
  const [first] = dataset.recordings;
  assert.deepEqual(first.segments, [
    { startIndex: 0, length: 10, startSeconds: 0 },
    // Half a sample late: a pause need not keep to the grid.
    { startIndex: 10, length: 10, startSeconds: 0.0105 },
  ]);
  assert.equal(first.parts.length, 2);
  assert.deepEqual(
    await channelSamples(dataset, first, 1),
    [...ramp(5), ...ramp(5, 10), ...ramp(5, 20), ...ramp(5, 30)],
  );
  assert.deepEqual(dataset.leftOut.map((l) => l.what), ['channel 9 "empty"']);
  assert.equal(table(dataset, "none").count, 0);
});

Deno.test("spike2: levels of both edges come from the blocks where events are missing", async () => {
  const both = (blocks: { ticks: number[]; low?: boolean }[]) =>
    buildSon({
      channels: [{ number: 300, kind: 4, title: "x", initialLow: true, blocks }],
      slots: 451,
    });
  const kept = await open(
    both([{ ticks: [1, 2, 3], low: true }, { ticks: [4], low: true }]).bytes,
  );
  assert.deepEqual(await column(kept, kept.events[0], "label"), ["rise", "fall", "rise", "rise"]);
  assert.equal(kept.warnings.length, 1);
  // A writer that never sets the bit: the channel table's level and alternation decide.
  const unset = await open(
    both([{ ticks: [1, 2, 3], low: false }, { ticks: [4], low: false }]).bytes,
  );
  assert.deepEqual(await column(unset, unset.events[0], "label"), ["rise", "fall", "rise", "fall"]);
  assert.deepEqual(unset.warnings, []);
});

Deno.test("spike2: names are unique, texts keep their characters", async () => {
  const event = (number: number, title: string | Uint8Array) => ({
    number,
    kind: 2,
    title,
    blocks: [{ ticks: [number] }],
  });
  const dataset = await open(
    buildSon({
      channels: [
        event(1, "untitled"),
        event(2, "a/b"),
        event(3, "Untitled"),
        event(4, ""),
        event(5, "untitled_"),
        event(6, Uint8Array.of(0xb5, 0x56)),
        event(7, new TextEncoder().encode("µV, café")),
      ],
    }).bytes,
  );
  assert.deepEqual(dataset.events.map((t) => t.name), [
    "untitled_1",
    "a_b",
    "Untitled_3",
    "channel_4",
    "untitled_",
    "µV",
    "µV, caf",
  ]);
  assert.equal(dataset.events[1].attributes!.title, "a/b");
  assert.equal(decodeText(Uint8Array.of(0x8e, 0x41), "macintosh"), "éA");
  assert.equal(decodeText(Uint8Array.of(0x49, 0xe9), "windows-1252", true), "Ié");
});

Deno.test("spike2: many events are streamed in bounded pieces", async () => {
  const perBlock = 16_000, blocks = 70;
  const built = buildSon({
    blockBytes: 65_024,
    timeBase: 1e-5,
    channels: [
      { number: 1, kind: 3, title: "small", blocks: [{ ticks: [1, 2] }] },
      {
        number: 2,
        kind: 4,
        title: "large",
        initialLow: true,
        blocks: Array.from({ length: blocks }, (_, k) => ({ ticks: ramp(perBlock, k * perBlock) })),
      },
      { number: 3, kind: 3, title: "after", blocks: [{ ticks: [3] }] },
    ],
  });
  const dataset = await open(built.bytes);
  const large = table(dataset, "large");
  assert.equal(large.count, perBlock * blocks);
  assert.equal(large.columns[0].layout.kind, "stream");
  assert.equal(table(dataset, "after").columns[0].layout.kind, "values");
  const { stream } = large.columns[0].layout as { stream: string };
  for (let pass = 0; pass < 2; pass++) {
    let at = 0, rises = 0;
    for await (const block of dataset.openStream!(stream, {})) {
      assert.ok(block.count <= 1 << 18);
      if (block.field === "label") {
        rises += (block.values as string[]).filter((v) => v === "rise").length;
        continue;
      }
      const times = block.values as Float64Array;
      assert.equal(times[0], at / 1e5);
      at += block.count;
      assert.equal(times[block.count - 1], (at - 1) / 1e5);
    }
    assert.equal(at, large.count);
    assert.equal(rises, at / 2);
  }
  assert.throws(() => dataset.openStream!("channel-1", {}), /no stream/);
});

const chain = (): SonFile => ({
  systemId: 8,
  channels: [
    {
      number: 1,
      kind: 1,
      divide: 1,
      blocks: ramp(6).map((k) => ({ start: 4 * k, samples: ramp(4, 4 * k) })),
    },
    { number: 2, kind: 2, blocks: ramp(3).map((k) => ({ ticks: [k] })) },
  ],
});

Deno.test("spike2: broken chains are repaired where the links allow it", async () => {
  // Fast write leaves forward links to be filled in on closing.
  let built = buildSon(chain());
  let view = new DataView(built.bytes.buffer);
  for (const at of built.blocks.get(1)!) view.setInt32(at + 4, -1, true);
  let dataset = await open(built.bytes);
  assert.deepEqual(await channelSamples(dataset, dataset.recordings[0], 0), ramp(24));
  assert.match(dataset.warnings.join(), /5 data blocks lacked forward links/);

  // The table was not updated after the last blocks were written.
  built = buildSon(chain());
  view = new DataView(built.bytes.buffer);
  view.setInt32(512 + 10, built.blocks.get(1)![3], true);
  view.setUint16(512 + 14, 4, true);
  dataset = await open(built.bytes);
  assert.deepEqual(await channelSamples(dataset, dataset.recordings[0], 0), ramp(24));
  assert.match(dataset.warnings.join(), /2 data blocks follow the last one/);

  // The last block points at space that was never written, or at someone else's.
  for (const vacuum of [1 << 30, built.blocks.get(2)![1], 3]) {
    built = buildSon(chain());
    view = new DataView(built.bytes.buffer);
    view.setInt32(built.blocks.get(1)![5] + 4, vacuum, true);
    dataset = await open(built.bytes);
    assert.equal(dataset.recordings[0].sampleCount, 24);
    assert.deepEqual(dataset.warnings, []);
  }
});

Deno.test("spike2: chains that contradict the format are refused with their place", async () => {
  const cases: [string, RegExp, (view: DataView, blocks: number[], other: number[]) => void][] = [
    ["Corrupt", /circle.*at byte/, (v, b) => v.setInt32(b[4] + 4, b[1], true)],
    ["Corrupt", /block of another channel at byte/, (v, b, o) => v.setInt32(b[2] + 4, o[1], true)],
    ["Truncated", /links past the end of the file/, (v, b) => {
      v.setInt32(512 + 10, -1, true);
      v.setInt32(b[2] + 4, 1 << 24, true);
    }],
    ["Truncated", /samples lie past the end/, (v, b) => v.setUint16(b[5] + 18, 60_000, true)],
    ["Corrupt", /chain of data blocks is broken/, (v, b, o) => {
      v.setInt32(b[2] + 4, -1, true);
      v.setInt32(b[4], o[0], true);
    }],
    ["Corrupt", /no sampling interval/, (v, b) => {
      v.setInt32(512 + 102, 0, true);
      for (const at of b) v.setInt32(at + 12, v.getInt32(at + 8, true), true);
    }],
    ["Corrupt", /the clock stands still/, (v) => v.setUint16(20, 0, true)],
    ["Corrupt", /number of channels/, (v) => v.setInt16(30, 9999, true)],
    ["Corrupt", /cannot hold its items/, (v, _b, o) => v.setUint16(o[0] + 18, 40_000, true)],
  ];
  for (const [tag, message, spoil] of cases) {
    const built = buildSon(chain());
    spoil(new DataView(built.bytes.buffer), built.blocks.get(1)!, built.blocks.get(2)!);
    await assert.rejects(open(built.bytes, "bad.smr"), (error: Error) => {
      assert.ok(isFuseError(error), String(error.stack));
      assert.equal(error.tag, tag, error.message);
      assert.match(error.message, message);
      assert.match(error.message, /^bad\.smr:/);
      return true;
    });
  }
  const son64 = new Uint8Array(1024);
  son64.set(new TextEncoder().encode("S64pl"));
  await assert.rejects(
    open(son64),
    (error) => isFuseError(error, "Unsupported") && /64-bit SON/.test(error.message),
  );
  const whole = buildSon(chain()).bytes;
  for (const length of [0, 100, 600, whole.length - 600]) {
    await assert.rejects(open(whole.slice(0, length)), (error) => isFuseError(error));
  }
});

Deno.test("spike2: deleted channels and foreign kinds are left out and named", async () => {
  const built = buildSon({ ...chain(), extraData: 100 });
  const view = new DataView(built.bytes.buffer);
  built.bytes[512 + 140 * 2 + 122] = 77;
  view.setUint16(512 + 140 * 4, 3, true);
  view.setInt32(512 + 140 * 4 + 2, 5120, true);
  const dataset = await open(built.bytes);
  assert.deepEqual(dataset.leftOut.map((l) => l.what), [
    "channel 5",
    "channel 3",
    "extra data area",
  ]);
});

Deno.test("spike2: spoilt bytes never lead to anything but a dataset or a named failure", async () => {
  let seed = 12345;
  const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
  for (const bigEndian of [false, true]) {
    const whole = buildSon(everyKind({ bigEndian })).bytes;
    for (let round = 0; round < 250; round++) {
      const bytes = whole.slice(0, random(4) === 0 ? random(whole.length) : whole.length);
      for (let k = random(6); k >= 0 && bytes.length > 0; k--) {
        // Half of the hits go where the structure is.
        const at = random(2) ? random(bytes.length) : 512 + random(9 * 140);
        if (at < bytes.length) bytes[at] = random(256);
      }
      try {
        const dataset = await open(bytes);
        for (const recording of dataset.recordings) await channelSamples(dataset, recording, 0);
      } catch (error) {
        assert.ok(isFuseError(error), (error as Error).stack);
      }
    }
  }
});

Deno.test("spike2: a remote file takes few requests", async () => {
  const built = buildSon({
    blockBytes: 2048,
    channels: ramp(4, 1).map((number) => ({
      number,
      kind: 1,
      divide: 10,
      blocks: ramp(400).map((k) => ({ start: k * 5000, samples: ramp(500, k) })),
    })),
  });
  const memory = new MemorySource("far.smr", built.bytes);
  let reads = 0;
  const remote: ByteSource = Object.create(memory, {
    distance: { value: "remote" },
    read: {
      value: (offset: number, length: number) => {
        reads++;
        return memory.read(offset, length);
      },
    },
  });
  const dataset = await reader.open(remote, {});
  assert.ok(reads <= 12, `${reads} requests for ${built.bytes.length} bytes`);
  assert.equal(dataset.recordings[0].channels.length, 4);
  assert.equal(dataset.recordings[0].sampleCount, 200_000);
  assert.equal(dataset.recordings[0].segments.length, 1);
  const near = await open(built.bytes);
  assert.deepEqual(dataset.frameTables, near.frameTables);
});

Deno.test("spike2: tick times are rounded once", () => {
  const tenMicro = clockOf(1, 1e-5);
  assert.equal(secondsOf(tenMicro, 350_000), 3.5);
  assert.equal(secondsOf(tenMicro, 2054), 0.02054);
  assert.equal(rateOf(clockOf(2, 1e-6), 20), 25_000);
  assert.equal(secondsOf(clockOf(3, 1e-6), 2 ** 31 - 1), 6442.450941);
  assert.equal(rateOf(clockOf(1, 3.3e-6), 1), 1e7 / 33);
  assert.equal(rateOf(clockOf(1, 1 / 30_000), 3), 10_000);
  assert.equal(secondsOf(clockOf(7, Math.PI * 1e-6), 1000), 1000 * (7 * (Math.PI * 1e-6)));
});
