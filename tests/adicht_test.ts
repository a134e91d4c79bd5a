import assert from "node:assert/strict";
import { adicht } from "../decoders/ephys/adicht.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset, EventTable, Recording } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import type { ByteSource } from "../src/source/source.ts";
import { type AdichtSpec, type AdichtTrack, buildAdicht } from "./support/adicht-files.ts";
import { convertDataset, openBytes } from "./support/convert-memory.ts";
import { channelSamples } from "./support/materialize.ts";

const reader = await adicht.load();
const open = (spec: AdichtSpec) =>
  reader.open(new MemorySource("test.adicht", buildAdicht(spec).bytes), {});

const wave = (n: number, k = 7) =>
  Array.from({ length: n }, (_, i) => Math.round(3000 * Math.sin(i * k / 100)) + (i % 5));
const rough = (n: number) => {
  let state = 99;
  return Array.from({ length: n }, () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    return state >> 16;
  });
};
const floats = (n: number) => {
  let at = 0;
  return Array.from({ length: n }, (_, i) => at = Math.fround(at + Math.fround(Math.sin(i) / 3)));
};

function values(table: EventTable, name: string): unknown[] {
  const { layout } = table.columns.find((c) => c.name === name)!;
  assert.equal(layout.kind, "values");
  return [...(layout as { values: ArrayLike<unknown> & Iterable<unknown> }).values];
}

const events = (dataset: Dataset, name: string) => dataset.events.find((t) => t.name === name)!;

async function samples(dataset: Dataset, title: string): Promise<(number | bigint)[]> {
  const found: (number | bigint)[] = [];
  for (const recording of dataset.recordings) {
    for (const [i, channel] of recording.channels.entries()) {
      if (channel.name === title) found.push(...await channelSamples(dataset, recording, i));
    }
  }
  return found;
}

const withChannel = (dataset: Dataset, title: string): Recording =>
  dataset.recordings.find((r) => r.channels.some((c) => c.name === title))!;

Deno.test("adicht: compound files and Macintosh documents by their titles", () => {
  const probe = (head: Uint8Array) =>
    adicht.probe({ head, name: "x.dat", size: head.length }).score;
  const { bytes } = buildAdicht({ records: [] });
  assert.equal(probe(bytes), 250);
  assert.equal(probe(bytes.subarray(0, 40)), 0);
  assert.equal(probe(new TextEncoder().encode("\x14ADInst Data Res File")), 250);
  assert.equal(probe(new TextEncoder().encode("ADInst Data Res File")), 0);
});

Deno.test("adicht: records with pauses, calibrations, floats, comments, in both versions", async () => {
  for (const version of [26, 29]) {
    const records = [40_000, 1, 16_001].map((ticks, r) => ({
      ticks,
      start: 1_700_000_000.25 + [0, 60, 3600][r],
      comments: [
        { tick: 0, text: "start", id: 2 * r },
        { tick: ticks - 1, channel: 1, text: "Ωmega – æ", id: 2 * r + 1 },
      ],
      tracks: [
        {
          units: {
            step: 3e-4,
            slope: 2.5,
            offset: -0.5,
            name: " L/s",
            points: ["1 V", "", "", ""],
          },
          samples: wave(ticks),
          setup: "<_ChannelSetup/>",
        },
        { units: { step: 6.25e-6, name: " cmH2O" }, samples: rough(ticks) },
        {
          type: "float32" as const,
          units: { step: 2 ** -15, input: "" },
          samples: floats(ticks),
          plain: [1],
        },
      ],
    }));
    const dataset = await open({ version, titles: ["Flow", "ECG", "RMS", "Channel 4"], records });
    assert.deepEqual(dataset.warnings, []);
    assert.deepEqual(dataset.recordings.map((r) => [r.name, r.rawType]), [
      ["recorded_1000hz", "int16"],
      ["calculated_1000hz", "float32"],
    ]);
    for (const recording of dataset.recordings) {
      assert.equal(recording.samplingFrequency, 1000);
      assert.deepEqual(recording.segments, [
        { startIndex: 0, length: 40_000, startSeconds: 0 },
        { startIndex: 40_000, length: 1, startSeconds: 60 },
        { startIndex: 40_001, length: 16_001, startSeconds: 3600 },
      ]);
    }
    const [flow, ecg] = dataset.recordings[0].channels;
    assert.deepEqual([flow.name, flow.units, flow.gain, flow.offset], [
      "Flow",
      "L/s",
      2.5 * 3e-4,
      -0.5,
    ]);
    // A unit kept from an earlier use, switched off.
    assert.deepEqual([ecg.name, ecg.units, ecg.gain, ecg.offset], ["ECG", "V", 6.25e-6, 0]);
    assert.equal(flow.attributes!.setup, version === 29 ? "<_ChannelSetup/>" : undefined);
    const all = (k: number) => records.flatMap((r) => r.tracks[k].samples as number[]);
    assert.deepEqual(await samples(dataset, "Flow"), all(0));
    assert.deepEqual(await samples(dataset, "ECG"), all(1));
    assert.deepEqual(await samples(dataset, "RMS"), all(2));
    const comments = events(dataset, "comments");
    assert.deepEqual(values(comments, "time"), [0, 39.999, 60, 60, 3600, 3616]);
    assert.deepEqual(values(comments, "label").slice(0, 2), ["start", "Ωmega – æ"]);
    assert.deepEqual(values(comments, "channel").slice(0, 2), [-1, 1]);
    assert.deepEqual(values(comments, "channel_name").slice(0, 2), ["", "ECG"]);
    assert.deepEqual(values(comments, "record"), [0, 0, 1, 1, 2, 2]);
    assert.deepEqual(values(events(dataset, "records"), "duration"), [40, 0.001, 16.001]);
    assert.equal(dataset.metadata.startTime, "2023-11-14T23:13:20.250+01:00");
    assert.equal(dataset.metadata.header!.version, version);
  }
});

Deno.test("adicht: streams in pieces all over the file", async () => {
  const tracks = [{ samples: rough(20_000) }, { samples: wave(20_000) }];
  for (const clusterShift of [10, 12]) {
    const dataset = await open({
      clusterShift,
      fragmented: true,
      blocksName: "blocks_0",
      records: [{ ticks: 20_000, tracks }],
    });
    assert.deepEqual(dataset.recordings.map((r) => r.name), ["signals"]);
    assert.deepEqual(await samples(dataset, "Channel 1"), tracks[0].samples);
    assert.deepEqual(await samples(dataset, "Channel 2"), tracks[1].samples);
  }
});

Deno.test("adicht: a broken chain of clusters is bridged where it can be", async () => {
  const spec: AdichtSpec = { records: [{ ticks: 9000, tracks: [{ samples: rough(9000) }] }] };
  const whole = buildAdicht(spec);
  const cluster = (whole.streamAt.Blocks_0 - 512) / 1024 + 2;
  const view = new DataView(whole.bytes.buffer);
  view.setInt32(whole.mapAt + 8 * (cluster + 1), 0, true);
  const dataset = await reader.open(new MemorySource("x.adicht", whole.bytes), {});
  assert.match(dataset.warnings.join(), /chain of clusters of Blocks_0 breaks off/);
  assert.deepEqual(await samples(dataset, "Channel 1"), spec.records[0].tracks[0].samples);
  const scattered = buildAdicht({ ...spec, fragmented: true });
  new DataView(scattered.bytes.buffer).setInt32(
    scattered.mapAt + 8 * ((scattered.streamAt.Blocks_0 - 512) / 1024 + 2),
    0,
    true,
  );
  await assert.rejects(
    reader.open(new MemorySource("x.adicht", scattered.bytes), {}),
    /x\.adicht: the chain of clusters of Blocks_0 breaks off/,
  );
});

Deno.test("adicht: slow channels, changed ranges, channels missing from a record", async () => {
  const track = (channel: number, n: number, more: Partial<AdichtTrack> = {}) => ({
    channel,
    samples: wave(n, channel + 3),
    ...more,
  });
  const dataset = await open({
    titles: ["fast", "slow", "ranged"],
    records: [
      {
        ticks: 32_100,
        start: 1000,
        utcMinusLocal: 0,
        tracks: [
          track(0, 32_100),
          // One sample in 40 ticks, the last block not whole.
          track(1, 803, { blockSamples: 400 }),
          track(2, 32_100, { units: { step: 1 } }),
        ],
      },
      {
        ticks: 100,
        start: 1100,
        utcMinusLocal: 18_000,
        tracks: [track(0, 100), track(2, 100, { units: { step: 0.5 } })],
      },
    ],
  });
  const slow = withChannel(dataset, "slow");
  assert.equal(slow.samplingFrequency, 25);
  assert.deepEqual(slow.segments, [{ startIndex: 0, length: 803, startSeconds: 0 }]);
  assert.deepEqual(await samples(dataset, "slow"), wave(803, 4));
  assert.equal(withChannel(dataset, "fast").sampleCount, 32_200);
  assert.deepEqual(await samples(dataset, "ranged"), [...wave(32_100, 5), ...wave(100, 5)]);
  const ranged = dataset.recordings.filter((r) => r.channels.some((c) => c.name === "ranged"));
  assert.deepEqual(ranged.map((r) => [r.channels.at(-1)!.gain, r.segments[0].startSeconds]), [
    [1, 0],
    [0.5, 100],
  ]);
  assert.match(dataset.warnings.join(), /channel 3 "ranged" changes/);
  assert.equal(new Set(dataset.recordings.map((r) => r.name)).size, dataset.recordings.length);
  assert.equal(dataset.metadata.startTime, "1970-01-01T00:16:40.000Z");
  assert.equal(values(events(dataset, "records"), "label")[1], "1969-12-31T19:18:20.000-05:00");
});

Deno.test("adicht: a blank document has no records and still becomes a store", async () => {
  const { bytes } = buildAdicht({ version: 27, records: [], titles: ["Channel 1"] });
  const dataset = await openBytes("blank.adicht", bytes);
  assert.deepEqual(dataset.recordings, []);
  assert.equal(events(dataset, "records").count, 0);
  assert.match(dataset.warnings.join(), /no recorded data/);
  assert.ok((await convertDataset(dataset)).objects.size > 0);
});

Deno.test("adicht: what is not data is named", async () => {
  const dataset = await open({
    records: [{ ticks: 1, tracks: [{ samples: [1] }] }],
    streams: {
      Version: new TextEncoder().encode("no such thing, long enough to look like one"),
      ScopeView: new Uint8Array(9),
    },
  });
  assert.match(dataset.leftOut[0].what, /streams of ScopeView \(1\)/);
  const settings = buildAdicht({ noMap: true, records: [], streams: { A: new Uint8Array(3) } });
  await assert.rejects(
    openBytes("a.adiset", settings.bytes),
    (e) => isFuseError(e, "Unsupported") && /without recorded data.*found A/.test(e.message),
  );
});

/** A source that is far away. */
function remote(bytes: Uint8Array): { source: ByteSource; requests: () => number } {
  const inner = new MemorySource("far.adicht", bytes);
  let requests = 0;
  const source = new Proxy(inner, {
    get(target, key) {
      if (key === "distance") return "remote";
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (/^read/.test(String(key))) requests++;
        return value.apply(target, args);
      };
    },
  });
  return { source, requests: () => requests };
}

Deno.test("adicht: a remote document takes few requests, and its stream can be read again", async () => {
  const tracks = [0, 1, 2].map((channel) => ({ channel, samples: rough(70_000) }));
  const { bytes } = buildAdicht({ records: [{ ticks: 70_000, tracks }] });
  const { source, requests } = remote(bytes);
  const dataset = await reader.open(source, {});
  const opening = requests();
  assert.ok(opening <= 8, `${opening} requests to open`);
  for (let pass = 0; pass < 2; pass++) {
    assert.deepEqual(await samples(dataset, "Channel 3"), tracks[2].samples);
  }
  assert.ok(requests() - opening <= 6, `${requests() - opening} requests to read twice`);
  assert.throws(() => dataset.openStream!("other", {}), /no stream "other"/);
});

Deno.test("adicht: what contradicts the format is refused with its place", async () => {
  const spec: AdichtSpec = { records: [{ ticks: 50, tracks: [{ samples: rough(50) }] }] };
  type Spoil = (b: ReturnType<typeof buildAdicht>, view: DataView) => void;
  const map = (at: number, value: number): Spoil => (b, v) =>
    v.setInt32(b.streamAt.Map + at, value, true);
  const cases: [RegExp, Spoil, AdichtSpec?][] = [
    [/size of the header/, (_, v) => v.setInt32(0x84, 1024, true)],
    [/size of clusters/, (_, v) => v.setInt32(0x98, 99, true)],
    [/cluster map begins outside/, (_, v) => v.setBigInt64(0xac, -5n, true)],
    [/cluster map begins outside/, (_, v) => v.setBigInt64(0xac, 1n << 50n, true)],
    [
      /directory of the root is no directory/,
      (_, v) => v.setInt32(512 + (v.getInt32(0xb8 + 0x48, true) - 2) * 1024, 1 << 30, true),
    ],
    [/larger than allowed|larger than the file/, (_, v) => v.setInt32(0xb8 + 0x50, 1 << 30, true)],
    [/another title/, map(20, 0x41414141)],
    [/clock of a record/, map(0x46, 0)],
    [/no list of blocks/, map(0x8b, 7)],
    [/no text.*byte 118 of stream Map/, (b, v) => v.setInt32(b.streamAt.Map + 0x8b - 21, 1, true)],
    [/records are not described/, map(0x46, 0), { ...spec, version: 28 }],
  ];
  for (const [message, spoil, other] of cases) {
    const built = buildAdicht(other ?? spec);
    spoil(built, new DataView(built.bytes.buffer));
    await assert.rejects(reader.open(new MemorySource("bad.adicht", built.bytes), {}), (error) => {
      assert.ok(isFuseError(error), String(error));
      assert.match(error.message, message);
      assert.match(error.message, /bad\.adicht/);
      return true;
    });
  }
  for (
    const [message, at, value] of [
      [/impossible length of a block/, 0, 0x7fffff00],
      [/not a block of samples/, 8, 12],
      [/block flags.*another type/, 12, 0x105],
      [/a block of 98 bytes of samples, 100 expected/, 16, 98],
      [/packed samples end/, 20, -1],
    ] as const
  ) {
    const built = buildAdicht(spec);
    new DataView(built.bytes.buffer).setInt32(built.streamAt.Blocks_0 + 4 + at, value, true);
    if (value === -1) {
      built.bytes.fill(0, built.streamAt.Blocks_0 + 24, built.streamAt.Blocks_0 + 140);
    }
    const dataset = await reader.open(new MemorySource("bad.adicht", built.bytes), {});
    await assert.rejects(samples(dataset, "Channel 1"), (error) => {
      assert.ok(isFuseError(error), String(error));
      assert.match(error.message, message);
      assert.equal(error.where.source, "bad.adicht");
      assert.ok(error.where.offset! >= built.streamAt.Blocks_0 + 4);
      return true;
    });
  }
  const { bytes } = buildAdicht(spec);
  for (const end of [100, 600, bytes.length - 1100]) {
    await assert.rejects(
      reader.open(new MemorySource("cut.adicht", bytes.subarray(0, end)), {}),
      (e) => isFuseError(e, "Truncated", "Corrupt"),
    );
  }
});
