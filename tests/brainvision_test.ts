import assert from "node:assert/strict";
import { parseNumber } from "../decoders/ephys/brainvision-ascii.ts";
import { segmentsBetween } from "../decoders/ephys/brainvision-markers.ts";
import { dateOf } from "../decoders/ephys/brainvision-text.ts";
import { brainvision } from "../decoders/ephys/brainvision.ts";
import { convertFile, MemoryTarget } from "../mod.ts";
import { identify } from "../src/identify.ts";
import { isFuseError } from "../src/errors.ts";
import { checkDataset } from "../src/model/check.ts";
import type { Dataset } from "../src/model/dataset.ts";
import {
  type BrainVisionSet,
  type BrainVisionSpec,
  buildBrainVision,
  latin1,
  memberOf,
  packed,
} from "./support/brainvision-files.ts";
import { channelSamples } from "./support/materialize.ts";
import { readArray } from "./support/read-store.ts";

const reader = await brainvision.load();

async function open(set: BrainVisionSet, name = "rec.vhdr"): Promise<Dataset> {
  const dataset = await reader.open(memberOf(set, name), {});
  checkDataset(dataset);
  return dataset;
}

const build = (spec: Partial<BrainVisionSpec>) =>
  buildBrainVision({ channels: ["a,,1,mV", "b,,1,mV"], data: new Uint8Array(0), ...spec });

const ramp = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);

async function column(dataset: Dataset, name: string): Promise<unknown[]> {
  const { layout } = dataset.events[0].columns.find((c) => c.name === name)!;
  if (layout.kind === "values") return [...layout.values];
  assert.equal(layout.kind, "stream");
  const { stream, field } = layout as { stream: string; field: string };
  const out: unknown[] = [];
  for await (const block of dataset.openStream!(stream, {})) {
    if (block.field === field) { for (const value of block.values) out.push(value); }
  }
  return out;
}

Deno.test("BrainVision: channels with their units, and markers of every kind", async () => {
  const dataset = await open(build({
    channels: ["Fp1,,0.5,\u00b5V", "A\\1B,Cz,0.1,", "GSR,,,\u00b5S", "bare"],
    data: packed(ramp(40, -20), "Int16"),
    markers: [
      "New Segment,,1,1,0,20210317142536789012",
      "Stimulus,S  1,3,1,0",
      "Comment,one\\1 two,5,4,2",
      "Marker,Impedance,0,1,0",
      "nonsense",
    ],
    common: { SamplingInterval: "1953.125" },
  }));
  const [recording] = dataset.recordings;
  assert.equal(recording.samplingFrequency, 512);
  assert.equal(recording.sampleCount, 10);
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units, c.gain]), [
    ["Fp1", "\u00b5V", 0.5],
    ["A,B", "\u00b5V", 0.1],
    ["GSR", "\u00b5S", 1],
    ["bare", "\u00b5V", 1],
  ]);
  assert.equal(recording.channels[1].attributes!.reference, "Cz");
  assert.deepEqual((await channelSamples(dataset, recording, 1)).slice(0, 3), [-19, -15, -11]);
  assert.equal(dataset.metadata.startTime, "2021-03-17T14:25:36.789012");
  assert.deepEqual(await column(dataset, "label"), [
    "New Segment/",
    "Stimulus/S  1",
    "Comment/one, two",
    "Marker/Impedance",
  ]);
  assert.deepEqual(await column(dataset, "time"), [0, 2 / 512, 4 / 512, -1 / 512]);
  assert.deepEqual(await column(dataset, "duration"), [1 / 512, 1 / 512, 4 / 512, 1 / 512]);
  assert.deepEqual(await column(dataset, "channel"), [0, 0, 2, 0]);
  assert.deepEqual(await column(dataset, "sample"), [0n, 2n, 4n, -1n]);
  assert.match(dataset.warnings.join("\n"), /1 lines of the marker file/);
});

Deno.test("BrainVision: every binary form, both byte orders and both orders of samples", async () => {
  const values = [1, -2, 30_000, -30_000, 5, 6];
  const forms = [
    ["INT_16", "Int16", "int16", values],
    ["UINT_16", "Uint16", "uint16", values.map((v) => v & 0xffff)],
    ["INT_32", "Int32", "int32", values.map((v) => v * 65_537)],
    ["IEEE_FLOAT_32", "Float32", "float32", values.map((v) => v / 4)],
  ] as const;
  for (const [name, write, rawType, numbers] of forms) {
    for (const big of [false, true]) {
      for (const vectorized of [false, true]) {
        const dataset = await open(build({
          data: packed([...numbers], write, !big),
          binary: { BinaryFormat: name, UseBigEndianOrder: big ? "YES" : "NO" },
          common: { DataOrientation: vectorized ? "VECTORIZED" : "multiplexed" },
        }));
        const [recording] = dataset.recordings;
        assert.equal(recording.rawType, rawType);
        assert.deepEqual(
          await channelSamples(dataset, recording, 1),
          vectorized ? numbers.slice(3) : [numbers[1], numbers[3], numbers[5]],
          `${name} ${big ? "big" : "little"}-endian ${vectorized}`,
        );
      }
    }
  }
});

Deno.test("BrainVision: offsets, trailers and headers of channels and segments are passed over", async () => {
  const junk = (n: number) => Array.from({ length: n }, () => -1);
  const data = packed([...junk(3), ...ramp(8), ...junk(2)], "Int16");
  const plain = await open(build({ data, binary: { DataOffset: 6, TrailerSize: 4 } }));
  assert.deepEqual(await channelSamples(plain, plain.recordings[0], 0), [0, 2, 4, 6]);
  const vectorized = await open(build({
    data: packed([...junk(1), ...junk(2), ...ramp(4), ...junk(2), ...ramp(4, 10)], "Int16"),
    binary: { DataOffset: 2, ChannelOffset: 4 },
    common: { DataOrientation: "VECTORIZED", DataPoints: 4 },
  }));
  assert.deepEqual(await channelSamples(vectorized, vectorized.recordings[0], 1), ramp(4, 10));
  const segmented = await open(build({
    data: packed([...junk(2), ...ramp(4), ...junk(2), ...ramp(4, 4)], "Int16"),
    binary: { SegmentHeaderSize: 4 },
    common: { SegmentationType: "FIXTIME", SegmentDataPoints: 2 },
  }));
  assert.deepEqual(await channelSamples(segmented, segmented.recordings[0], 0), [0, 2, 4, 6]);
  assert.equal(segmented.recordings[0].sweepLength, 2);
});

Deno.test("BrainVision: code pages, byte order marks and odd first lines", async () => {
  const names = async (spec: Partial<BrainVisionSpec>) =>
    (await open(build({ data: packed([1], "Int16"), ...spec }))).recordings[0].channels[0];
  const old = await names({
    encode: latin1,
    common: { Codepage: null },
    channels: ["Stra\xdfe,,1,\xb5V"],
  });
  assert.deepEqual([old.name, old.units], ["Stra\u00dfe", "\u00b5V"]);
  const cyrillic = await names({
    encode: latin1,
    common: { Codepage: "Windows-1251" },
    channels: ["\xc0\xc1,,1,mV"],
  });
  assert.equal(cyrillic.name, "\u0410\u0411");
  const marked = await names({
    firstLine: "\ufeffBrainVision Data Exchange Header File Version 2.0",
    channels: ["\u03bc,,1,\u03bcV"],
  });
  assert.equal(marked.units, "\u03bcV");
  const unknown = await names({ common: { Codepage: "klingon" }, channels: ["x,,1,V"] });
  assert.equal(unknown.name, "x");
});

Deno.test("BrainVision: electrodes' places and impedances stay with their channels", async () => {
  const dataset = await open(build({
    data: packed([1, 2], "Int16"),
    coordinates: ["1,-90,-72", "0,0,0"],
    comment: [
      "Amplifier",
      "=0 is no key",
      "Impedance [kOhm] at 16:12:27 :",
      "a:        12",
      "b:        ???",
      "Gnd:          4",
      "",
      "c: 3",
    ].join("\r\n"),
  }));
  const [a, b] = dataset.recordings[0].channels;
  assert.deepEqual(a.attributes, { coordinates: [1, -90, -72], impedance_kohm: "12" });
  assert.deepEqual(b.attributes, { impedance_kohm: "???" });
  assert.deepEqual(dataset.metadata.header!.impedance_kohm, { Gnd: "4" });
  assert.match(dataset.metadata.notes!, /^Amplifier\n=0 is no key/);
});

Deno.test("BrainVision: any file of a set opens it", async () => {
  const set = build({
    data: packed(ramp(8), "Int16"),
    markers: ["Stimulus,S1,2,1,0"],
    common: { DataFile: "$b.eeg", MarkerFile: "C:\\data\\$b.vmrk" },
  });
  for (const name of ["rec.vhdr", "rec.eeg", "rec.vmrk"]) {
    const dataset = await open(set, name);
    assert.equal(dataset.sources[0].name, name);
    assert.deepEqual(dataset.sources.map((s) => s.name).sort(), [
      "rec.eeg",
      "rec.vhdr",
      "rec.vmrk",
    ]);
    assert.deepEqual(await channelSamples(dataset, dataset.recordings[0], 1), [1, 3, 5, 7]);
    const [best] = await identify(memberOf(set, name));
    assert.equal(best.format.id, "brainvision");
    assert.ok(best.score >= 200);
    assert.deepEqual(dataset.warnings, []);
  }
  // A data file of another name is found by the header that names it.
  const other = build({
    data: packed(ramp(8), "Int16"),
    dataName: "Data.DAT",
    common: { DataFile: "data.dat" },
  });
  assert.equal((await open(other, "Data.DAT")).recordings[0].sampleCount, 4);
  assert.equal((await identify(memberOf(other, "Data.DAT")))[0].score, 200);
  // One that no header names is not.
  const { "Data.DAT": alone } = other;
  const [none] = await identify(memberOf({ "Data.DAT": alone }, "Data.DAT"));
  assert.ok(none === undefined || none.score <= 40);
});

Deno.test("BrainVision: a set that was renamed is found by its new name", async () => {
  const dataset = await open(build({
    data: packed(ramp(8), "Int16"),
    markers: ["Stimulus,S1,2,1,0"],
    common: { DataFile: "before.eeg", MarkerFile: "before.vmrk" },
  }));
  assert.equal(dataset.recordings[0].sampleCount, 4);
  assert.equal(dataset.events[0].count, 1);
  assert.match(dataset.warnings.join("\n"), /"before.eeg" is not there: "rec.eeg"/);
  const { "rec.eeg": _, ...bare } = build({ data: packed([1], "Int16") });
  await assert.rejects(
    open(bare),
    (e) => isFuseError(e, "Truncated") && /no data file.*rec\.eeg/.test(e.message),
  );
});

Deno.test("BrainVision: dates of new segments tell the pauses", async () => {
  const set = build({
    data: packed(ramp(20), "Int16"),
    markers: [
      "New Segment,,1,1,0,20210317142536000000",
      "Stimulus,S1,4,1,0",
      "New Segment,,6,1,0,20210317142538500000",
      "Stimulus,S2,7,1,0",
    ],
  });
  const dataset = await open(set);
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 5, startSeconds: 0 },
    { startIndex: 5, length: 5, startSeconds: 2.5 },
  ]);
  assert.deepEqual(recording.attributes!.segment_dates, [
    "2021-03-17T14:25:36.000000",
    "2021-03-17T14:25:38.500000",
  ]);
  assert.deepEqual(await column(dataset, "time"), [0, 0.003, 2.5, 2.501]);
  assert.deepEqual(await column(dataset, "time_without_pauses"), [0, 0.003, 0.005, 0.006]);
});

Deno.test("BrainVision: dates that cannot be true leave segments one after the other", () => {
  const warnings: string[] = [];
  const marked = segmentsBetween(
    [{ sample: 0, date: "20070716122240937454" }, { sample: 1, date: "20070716122240937455" }],
    251,
    250,
    undefined,
    warnings,
  );
  assert.deepEqual(marked.segments, [
    { startIndex: 0, length: 1, startSeconds: 0 },
    { startIndex: 1, length: 250, startSeconds: 0.004 },
  ]);
  assert.equal(marked.isContinuous, true);
  assert.match(warnings.join(), /before the end of the one before/);
  assert.equal(dateOf("00000000000000000000"), undefined);
  assert.equal(dateOf("20210230142536000000"), undefined);
});

Deno.test("BrainVision: marker-based segments of one length are sweeps", async () => {
  const set = build({
    data: packed(ramp(24), "Int16"),
    common: { SegmentationType: "MARKERBASED", SegmentDataPoints: 4, DataPoints: 12 },
    markers: [
      "New Segment,,1,1,0",
      "New Segment,,5,1,0",
      "New Segment,,9,1,0",
      "Stimulus,S1,6,1,0",
    ],
  });
  const target = new MemoryTarget();
  const report = await convertFile(
    memberOf(set, "rec.vhdr"),
    () => Promise.resolve({ target, output: "x" }),
  );
  assert.equal(report.status, "ok", report.error?.message);
  const { shape, data } = await readArray(target, "signals");
  assert.deepEqual(shape, [3, 2, 4]);
  assert.deepEqual([...data].slice(8, 12), [8, 10, 12, 14]);
  assert.deepEqual([...(await readArray(target, "sweep_start")).data], [0, 0.004, 0.008]);
});

Deno.test("BrainVision: the channel that V-Amp data have and their header does not", async () => {
  const set = build({
    firstLine: "Brain Vision V-Amp Data Header File Version 1.0",
    data: packed(ramp(15), "Float32"),
    binary: { BinaryFormat: "IEEE_FLOAT_32" },
  });
  const dataset = await open(set);
  assert.deepEqual(await channelSamples(dataset, dataset.recordings[0], 1), [1, 4, 7, 10, 13]);
  assert.equal(dataset.arrays[0].path, "source/undeclared_channel");
  assert.match(dataset.warnings.join("\n"), /3 channels and the header names 2/);
});

Deno.test("BrainVision: files that are cut or longer than their header says", async () => {
  const short = await open(build({
    data: packed(ramp(9), "Int16"),
    common: { DataPoints: 8 },
  }));
  assert.equal(short.recordings[0].sampleCount, 4);
  assert.match(short.warnings.join("\n"), /states 8 samples .* has 4/);
  assert.match(short.warnings.join("\n"), /2 bytes of an incomplete sample/);
  const vectorized = await open(build({
    data: packed(ramp(15), "Int16"),
    common: { DataPoints: 10, DataOrientation: "VECTORIZED" },
  }));
  assert.deepEqual(vectorized.recordings[0].channels.map((c) => c.name), ["a"]);
  assert.match(vectorized.leftOut[0].what, /channels b/);
  await assert.rejects(
    open(build({
      data: packed(ramp(5), "Int16"),
      common: { DataPoints: 10, DataOrientation: "VECTORIZED" },
    })),
    (e) => isFuseError(e, "Truncated"),
  );
});

Deno.test("BrainVision: large marker files stream", async () => {
  const count = 12_000;
  const long = "x".repeat(400);
  const dataset = await open(build({
    data: packed(ramp(2 * 1000), "Int16"),
    markers: [
      "New Segment,,1,1,0,20210317142536000000",
      "New Segment,,501,1,0,20210317142546000000",
    ]
      .concat(ramp(count).map((i) => `Stimulus,S\u00e9ance ${i} ${long},${i + 1},1,0`)),
  }));
  assert.equal(dataset.events[0].count, count + 2);
  assert.equal(dataset.events[0].columns[0].layout.kind, "stream");
  assert.equal(dataset.recordings[0].segments[1].startSeconds, 10);
  const times = await column(dataset, "time");
  assert.deepEqual([times.length, times[2], times[502]], [count + 2, 0, 10]);
  const labels = await column(dataset, "description");
  assert.equal(labels.at(-1), `S\u00e9ance ${count - 1} ${long}`);
});

const ascii = (text: string, spec: Partial<BrainVisionSpec>): BrainVisionSet =>
  build({ ascii: {}, ...spec, data: new TextEncoder().encode(text) });

Deno.test("BrainVision: text data of both orders, decimal commas, names and gaps", async () => {
  const multiplexed = await open(ascii("a b c\r\n1,5 -2 3e2\r\n\r\n4 5\r\n7 x 9", {
    channels: ["a,,0.5", "b", "c"],
    ascii: { DecimalSymbol: ",", SkipLines: 1, SkipColumns: 0 },
  }));
  const [recording] = multiplexed.recordings;
  assert.equal(recording.sampleCount, 3);
  assert.deepEqual(await channelSamples(multiplexed, recording, 0), [1.5, 4, 7]);
  assert.deepEqual(await channelSamples(multiplexed, recording, 1), [-2, 5, NaN]);
  assert.deepEqual(await channelSamples(multiplexed, recording, 2), [300, NaN, 9]);
  assert.match(multiplexed.warnings.join("\n"), /1 lines of the data file/);
  const vectorized = await open(ascii("Fp1\t1.25;2\t3\nFp2 4 5 6\n", {
    channels: ["Fp1", "Fp2"],
    ascii: { DecimalSymbol: ".", SkipLines: 0, SkipColumns: 1 },
    common: { DataOrientation: "VECTORIZED", DataPoints: 3 },
  }));
  assert.deepEqual(await channelSamples(vectorized, vectorized.recordings[0], 0), [1.25, 2, 3]);
  assert.deepEqual(await channelSamples(vectorized, vectorized.recordings[0], 1), [4, 5, 6]);
  assert.deepEqual(vectorized.warnings, []);
  await assert.rejects(
    open(ascii("1 2 3\n", {
      channels: ["x", "y"],
      common: { DataOrientation: "VECTORIZED" },
    })),
    (e) => isFuseError(e, "Truncated"),
  );
});

Deno.test("BrainVision: text data longer than a piece come back number for number", async () => {
  const count = 140_000;
  const value = (c: number, i: number) => Math.round(Math.sin(i + c) * 1e6) / 1e3;
  for (const vectorized of [true, false]) {
    const lines = vectorized
      ? [0, 1].map((c) => `Ch${c} ${ramp(count).map((i) => value(c, i)).join(" ")}`)
      : ramp(count).map((i) => `${value(0, i)}\t${value(1, i)}`);
    const set = ascii(lines.join("\n"), {
      channels: ["a,,0.1,mV", "b,,0.1,mV"],
      ascii: { DecimalSymbol: ".", SkipColumns: vectorized ? 1 : 0 },
      common: { DataOrientation: vectorized ? "VECTORIZED" : "MULTIPLEXED" },
    });
    const target = new MemoryTarget();
    const report = await convertFile(
      memberOf(set, "rec.vhdr"),
      () => Promise.resolve({ target, output: "x" }),
    );
    assert.equal(report.status, "ok", report.error?.message);
    const { shape, data, attrs } = await readArray(target, "signals");
    assert.deepEqual(shape, [2, count]);
    assert.equal(attrs.scale_factor, 0.1);
    for (const i of [0, 1, 65_535, 65_536, 131_071, 131_072, count - 1]) {
      assert.equal(data[i], value(0, i));
      assert.equal(data[count + i], value(1, i));
    }
  }
});

Deno.test("BrainVision: numbers in text are rounded as the language rounds them", () => {
  const parse = (text: string, decimal: "." | "," = ".") =>
    parseNumber(new TextEncoder().encode(text), 0, text.length, decimal);
  for (
    const text of [
      "0",
      "-0.1",
      "+12.625",
      "123456789012345",
      "0.000000000000001",
      "1e-7",
      ".5",
      "5.",
    ]
  ) {
    assert.equal(parse(text), Number(text), text);
  }
  let state = 1;
  for (let i = 0; i < 20_000; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const text = (state / 2 ** 32 * 10 ** (state % 9)).toFixed(state % 11);
    assert.equal(parse(text), Number(text), text);
  }
  assert.equal(parse("1234567890.12345678901"), 1234567890.12345678901);
  assert.equal(parse("3,25", ","), 3.25);
  for (const text of ["", "-", ".", "1.2.3", "abc", "1e", "0x10", "--1"]) {
    assert.ok(Number.isNaN(parse(text)), text);
  }
});

Deno.test("BrainVision: refusals say what the header lacks", async () => {
  const refused = async (
    spec: Partial<BrainVisionSpec>,
    tag: "Corrupt" | "Unsupported",
    text: RegExp,
  ) =>
    await assert.rejects(
      open(build({ data: packed([1, 2], "Int16"), ...spec })),
      (e) => isFuseError(e, tag) && text.test(e.message) && /rec\.vhdr/.test(e.message),
    );
  await refused({ common: { NumberOfChannels: 0 } }, "Corrupt", /channels/);
  await refused({ common: { SamplingInterval: null } }, "Corrupt", /sampling interval/);
  await refused({ common: { DataOrientation: "SIDEWAYS" } }, "Corrupt", /SIDEWAYS/);
  await refused({ common: { DataFormat: "XML" } }, "Corrupt", /XML/);
  await refused({ common: { DataType: "FREQUENCYDOMAIN" } }, "Unsupported", /FREQUENCYDOMAIN/);
  await refused({ binary: { BinaryFormat: "INT_12" } }, "Unsupported", /INT_12/);
  await assert.rejects(
    open({ "lost.eeg": packed([1], "Int16") }, "lost.eeg"),
    (e) => isFuseError(e) && /lost\.eeg/.test(e.message),
  );
});
