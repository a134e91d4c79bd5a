import assert from "node:assert/strict";
import { intanRhd, intanRhs } from "../decoders/ephys/intan.ts";
import { nameStamp } from "../decoders/ephys/intan-signals.ts";
import {
  decimatedSegments,
  findRuns,
  segmentsOf,
  type TimestampTrack,
} from "../decoders/ephys/intan-timestamps.ts";
import type { OpenOptions } from "../decoders/format.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset, Recording } from "../src/model/dataset.ts";
import type { FrameLayout } from "../src/model/layout.ts";
import { MemorySource } from "../src/source/memory.ts";
import {
  filesPerChannel,
  filesPerSignalType,
  intanHeader,
  type IntanSpec,
  repeatedWord,
  samplesPerBlock,
  spikeFile,
  storedWord,
  timestampOf,
  traditionalFile,
  type WordKind,
} from "./support/intan-files.ts";
import { channelSamples, frameChannel } from "./support/materialize.ts";

async function open(
  name: string,
  bytes: Uint8Array,
  siblings: Record<string, Uint8Array> = {},
  options: OpenOptions = {},
): Promise<Dataset> {
  const reader = await (name.endsWith(".rhs") ? intanRhs : intanRhd).load();
  return await reader.open(new MemorySource(name, bytes, siblings), options);
}

function recording(dataset: Dataset, name: string): Recording {
  const found = dataset.recordings.find((r) => r.name === name);
  assert.ok(found, `no recording ${name} in ${dataset.recordings.map((r) => r.name)}`);
  return found;
}

const SIGNED = { amplifier: 0x8000 } as Record<string, number>;

/** The number a word of the traditional layout must become. */
function decoded(kind: WordKind, word: number): number {
  if (kind === "amplifier") return word - SIGNED.amplifier;
  if (kind === "temperature") return word << 16 >> 16;
  if (kind === "stimulation") return word & 0x100 ? 0 - (word & 0xff) : word & 0xff;
  return word;
}

async function checkRecording(
  dataset: Dataset,
  spec: IntanSpec,
  kind: WordKind,
  word: (channel: number, sample: number) => number = (c, k) => storedWord(spec, kind, c, k),
): Promise<Recording> {
  const found = recording(dataset, kind);
  for (let c = 0; c < found.channels.length; c++) {
    const samples = await channelSamples(dataset, found, c);
    assert.equal(samples.length, found.sampleCount);
    samples.forEach((v, k) => assert.equal(v, decoded(kind, word(c, k)), `${kind} ${c} ${k}`));
  }
  const length = found.segments.reduce((n, s) => n + s.length, 0);
  assert.equal(length, found.sampleCount);
  return found;
}

/** Levels of lines must be the bits of their words, in the order of the lines. */
async function checkLevels(
  dataset: Dataset,
  spec: IntanSpec,
  kind: "digital_in" | "digital_out",
): Promise<void> {
  const bits = kind === "digital_in" ? spec.digitalIn! : spec.digitalOut!;
  const levels = recording(dataset, kind);
  assert.equal(levels.channels.length, bits.length);
  assert.equal(levels.rawType, "uint16");
  for (let c = 0; c < bits.length; c++) {
    const samples = await channelSamples(dataset, levels, c);
    assert.equal(samples.length, levels.sampleCount);
    samples.forEach((v, k) => assert.equal(v, (storedWord(spec, kind, 0, k) >> bits[c]) & 1));
  }
}

async function words(dataset: Dataset, path: string): Promise<number[]> {
  const array = dataset.arrays.find((a) => a.path === path);
  assert.ok(array, `no array ${path} in ${dataset.arrays.map((a) => a.path)}`);
  return await frameChannel(dataset, array.layout as FrameLayout, 0, array.shape[0]!) as number[];
}

async function checkTimestamps(dataset: Dataset, spec: IntanSpec): Promise<void> {
  const total = spec.blocks * samplesPerBlock(spec);
  const expected = Array.from({ length: total }, (_, k) => timestampOf(spec, k));
  assert.deepEqual(await words(dataset, "source/timestamps"), expected);
}

const RHD3: IntanSpec = {
  version: [3, 1],
  rate: 30_000,
  blocks: 6,
  amplifiers: 5,
  disabled: [3],
  auxiliary: 3,
  supply: 1,
  temperature: 2,
  analogIn: 2,
  boardMode: 13,
  digitalIn: [0, 2, 7],
  digitalOut: [15],
  firstTimestamp: -256,
};

const RHS3: IntanSpec = {
  rhs: true,
  version: [3, 0],
  rate: 30_000,
  blocks: 4,
  amplifiers: 3,
  analogIn: 1,
  analogOut: 2,
  digitalIn: [0, 1],
  digitalOut: [4],
  dc: true,
};

const RHD3_SPLIT: IntanSpec = { ...RHD3, temperature: 0 };

Deno.test("Intan files are known by their first bytes and a plausible version", () => {
  const probe = (bytes: Uint8Array) => {
    const input = { head: bytes, name: "a.dat", size: bytes.length };
    return [intanRhd.probe(input).score, intanRhs.probe(input).score];
  };
  const header = intanHeader(RHD3);
  assert.deepEqual(probe(header), [250, 0]);
  assert.deepEqual(probe(intanHeader(RHS3)), [0, 250]);
  const odd = header.slice();
  odd[4] = 77;
  assert.deepEqual(probe(odd), [120, 0]);
  assert.deepEqual(probe(header.subarray(0, 7)), [0, 0]);
  assert.deepEqual(probe(new Uint8Array(64)), [0, 0]);
});

Deno.test("a full RHD file gives every stream its samples, scale, rate and names", async () => {
  const dataset = await open("x_240229_235958.rhd", traditionalFile(RHD3));
  assert.deepEqual(dataset.warnings, []);
  assert.equal(dataset.frameTables.length, 1);

  const amplifier = await checkRecording(dataset, RHD3, "amplifier");
  assert.deepEqual(
    amplifier.channels.map((c) => c.name),
    ["A-000", "\u00e9lectrode \u00b5", "A-002", "A-004"],
  );
  assert.deepEqual(
    amplifier.channels.map((c) => c.attributes!.native_name),
    ["A-000", "A-001", "A-002", "A-004"],
  );
  assert.equal(amplifier.channels[1].attributes!.electrode_impedance_magnitude, 120_001);
  assert.equal(amplifier.channels[0].gain, 0.195);
  assert.equal(amplifier.channels[0].offset, 0);
  assert.equal(amplifier.channels[0].units, "uV");
  assert.equal(amplifier.rawType, "int16");
  assert.equal(amplifier.samplingFrequency, 30_000);
  assert.deepEqual(amplifier.segments, [
    { startIndex: 0, length: 768, startSeconds: -256 / 30_000 },
  ]);

  const auxiliary = await checkRecording(dataset, RHD3, "auxiliary");
  assert.equal(auxiliary.samplingFrequency, 7500);
  assert.equal(auxiliary.channels[0].gain, 3.74e-5);
  const supply = await checkRecording(dataset, RHD3, "supply");
  assert.equal(supply.samplingFrequency, 234.375);
  assert.equal(supply.channels[0].gain, 7.48e-5);
  const temperature = await checkRecording(dataset, RHD3, "temperature");
  assert.equal(temperature.channels.length, 2);
  assert.equal(temperature.channels[0].gain, 0.01);
  assert.equal(temperature.channels[0].units, "degC");
  const analog = await checkRecording(dataset, RHD3, "analog_in");
  assert.equal(analog.channels[0].gain, 0.0003125);
  assert.equal(analog.channels[0].offset, -10.24);
  assert.equal(analog.rawType, "uint16");

  const total = 768;
  for (const path of ["digital_in", "digital_out"] as const) {
    const expected = Array.from({ length: total }, (_, k) => storedWord(RHD3, path, 0, k));
    assert.deepEqual(await words(dataset, `${path}/words`), expected);
    await checkLevels(dataset, RHD3, path);
  }
  assert.deepEqual(
    dataset.digital.flatMap((d) => d.lines.map((l) => [d.array, l.bit, l.name])),
    [
      ["digital_in/words", 0, "DIGITAL-IN-01"],
      ["digital_in/words", 2, "DIGITAL-IN-03"],
      ["digital_in/words", 7, "DIGITAL-IN-08"],
      ["digital_out/words", 15, "DIGITAL-OUT-16"],
    ],
  );
  await checkTimestamps(dataset, RHD3);
  assert.equal(dataset.metadata.notes, "note one \u00b5V");
  assert.equal(dataset.metadata.startTime, "2024-02-29T23:59:58");
  const header = dataset.metadata.header!;
  assert.equal(header.data_file_version, "3.1");
  assert.equal(header.notch_filter_frequency, 60);
  assert.equal(header.reference_channel, "A-003");
  assert.deepEqual(header.disabled_channels, ["A-003"]);
  assert.equal(amplifier.attributes!.notch_filter_applied, true);
});

Deno.test("older RHD headers grow with their version, and blocks hold 60 samples", async () => {
  for (const minor of [0, 1, 2, 3, 5]) {
    const spec: IntanSpec = {
      version: [1, minor],
      rate: 20_000,
      blocks: 5,
      amplifiers: 2,
      auxiliary: 3,
      supply: 1,
      temperature: minor >= 1 ? 1 : 0,
      analogIn: 1,
      boardMode: 0,
      digitalIn: [0],
    };
    const dataset = await open("old.rhd", traditionalFile(spec));
    assert.deepEqual(dataset.warnings, [], `1.${minor}`);
    await checkRecording(dataset, spec, "amplifier");
    const auxiliary = await checkRecording(dataset, spec, "auxiliary");
    assert.equal(auxiliary.samplingFrequency, 5000);
    assert.equal(auxiliary.sampleCount, 75);
    const supply = await checkRecording(dataset, spec, "supply");
    assert.equal(supply.samplingFrequency, 20_000 / 60);
    const analog = await checkRecording(dataset, spec, "analog_in");
    assert.equal(analog.channels[0].gain, 50.354e-6);
    assert.equal(analog.channels[0].offset, 0);
    assert.equal(analog.channels[0].name, "ADC-00");
    if (minor) await checkRecording(dataset, spec, "temperature");
    const stamps = dataset.arrays.find((a) => a.path === "source/timestamps")!;
    assert.equal(stamps.dtype, minor < 2 ? "uint32" : "int32");
    assert.equal(recording(dataset, "amplifier").attributes!.notch_filter_applied, false);
  }
});

Deno.test("pauses become segments of every stream, and a start before zero stays", async () => {
  const spec: IntanSpec = {
    ...RHD3,
    version: [2, 0],
    rate: 25_000,
    boardMode: 1,
    jumps: { 2: 640, 5: 7 },
  };
  const dataset = await open("gap.rhd", traditionalFile(spec));
  assert.deepEqual(dataset.warnings, []);
  const at = (sample: number) => timestampOf(spec, sample) / 25_000;
  assert.deepEqual(recording(dataset, "amplifier").segments, [
    { startIndex: 0, length: 256, startSeconds: at(0) },
    { startIndex: 256, length: 384, startSeconds: at(256) },
    { startIndex: 640, length: 128, startSeconds: at(640) },
  ]);
  assert.deepEqual(
    recording(dataset, "auxiliary").segments.map((s) => [s.startIndex, s.length, s.startSeconds]),
    [[0, 64, at(0)], [64, 96, at(256)], [160, 32, at(640)]],
  );
  assert.deepEqual(
    recording(dataset, "supply").segments.map((s) => [s.startIndex, s.length]),
    [[0, 2], [2, 3], [5, 1]],
  );
  assert.deepEqual(dataset.digital[0].segments, recording(dataset, "amplifier").segments);
  assert.equal(recording(dataset, "analog_in").channels[0].offset, -5.00006912);
  await checkTimestamps(dataset, spec);
});

Deno.test("a counter that falls back is kept and said", async () => {
  const spec = { ...RHD3, jumps: { 3: -200 } };
  const dataset = await open("back.rhd", traditionalFile(spec));
  assert.match(dataset.warnings.join(), /falls back/);
  assert.equal(
    recording(dataset, "amplifier").segments[1].startSeconds,
    timestampOf(spec, 384) / 30_000,
  );
});

Deno.test("RHS: DC amplifiers, stimulation currents, their flags, analog outputs", async () => {
  for (const dc of [true, false]) {
    const spec = { ...RHS3, dc, version: [dc ? 3 : 1, dc ? 0 : 0] as [number, number] };
    const dataset = await open("stim.rhs", traditionalFile(spec));
    assert.deepEqual(dataset.warnings, []);
    await checkRecording(dataset, spec, "amplifier");
    if (dc) {
      const low = await checkRecording(dataset, spec, "dc_amplifier");
      assert.equal(low.channels[0].gain, -0.01923);
      assert.equal(low.channels[0].offset, 9.84576);
    } else assert.ok(!dataset.recordings.some((r) => r.name === "dc_amplifier"));
    const stimulation = await checkRecording(dataset, spec, "stimulation");
    assert.equal(stimulation.rawType, "int16");
    assert.equal(stimulation.channels[0].units, "A");
    assert.equal(stimulation.channels[0].gain, Math.fround(1e-6));
    const output = await checkRecording(dataset, spec, "analog_out");
    assert.deepEqual(output.channels.map((c) => c.name), ["ANALOG-OUT-1", "ANALOG-OUT-2"]);
    await checkRecording(dataset, spec, "analog_in");
    assert.deepEqual(
      await words(dataset, "stimulation/words/B-002"),
      Array.from({ length: 512 }, (_, k) => storedWord(spec, "stimulation", 2, k)),
    );
    const flags = dataset.digital.find((d) => d.array === "stimulation/words/B-001")!;
    assert.deepEqual(
      flags.lines.map((l) => [l.bit, l.name]),
      [
        [13, "B-001 amp settle"],
        [14, "B-001 charge recovery"],
        [15, "B-001 compliance limit"],
      ],
    );
  }
});

Deno.test("an RHS header without a step size leaves currents in steps and says so", async () => {
  const dataset = await open("stim.rhs", traditionalFile({ ...RHS3, stimStep: 0 }));
  assert.equal(recording(dataset, "stimulation").channels[0].gain, 1);
  assert.match(dataset.warnings.join(), /step size/);
});

Deno.test("split layouts: the same samples as the traditional one, slow signals at the full rate", async () => {
  for (const [spec, name] of [[RHD3_SPLIT, "info.rhd"], [RHS3, "info.rhs"]] as const) {
    for (const files of [filesPerSignalType(spec), filesPerChannel(spec)]) {
      const dataset = await open(name, intanHeader(spec), files);
      assert.deepEqual(dataset.warnings, []);
      assert.deepEqual(dataset.leftOut, []);
      const kinds: WordKind[] = spec.rhs
        ? ["amplifier", "dc_amplifier", "stimulation", "analog_in", "analog_out"]
        : ["amplifier", "analog_in"];
      for (const kind of kinds) await checkRecording(dataset, spec, kind);
      if (!spec.rhs) {
        for (const kind of ["auxiliary", "supply"] as const) {
          const slow = await checkRecording(
            dataset,
            spec,
            kind,
            (c, k) => repeatedWord(spec, kind, c, k),
          );
          assert.equal(slow.samplingFrequency, 30_000);
        }
      }
      await checkTimestamps(dataset, spec);
      for (const path of ["digital_in", "digital_out"] as const) {
        const bits = path === "digital_in" ? spec.digitalIn! : spec.digitalOut!;
        await checkLevels(dataset, spec, path);
        for (const bit of bits) {
          const line = `DIGITAL-${path === "digital_in" ? "IN" : "OUT"}-${
            String(bit + 1).padStart(2, "0")
          }`;
          const lines = dataset.digital.find((d) => d.lines.some((l) => l.name === line))!;
          const { bit: shift } = lines.lines.find((l) => l.name === line)!;
          assert.equal(
            lines.array,
            "digitalin.dat" in files ? `${path}/words` : `${path}/words/${line}`,
          );
          const levels = (await words(dataset, lines.array)).map((w) => (w >> shift) & 1);
          assert.deepEqual(
            levels,
            Array.from(levels, (_, k) => (storedWord(spec, path, 0, k) >> bit) & 1),
          );
        }
      }
      assert.equal(
        recording(dataset, "amplifier").segments[0].startSeconds,
        (spec.firstTimestamp ?? 0) / 30_000,
      );
    }
  }
});

Deno.test("split layouts: a jump inside time.dat is found to the sample", async () => {
  const spec: IntanSpec = { ...RHD3_SPLIT, jumps: { 4: 1000 } };
  const dataset = await open("info.rhd", intanHeader(spec), filesPerSignalType(spec));
  for (const name of ["amplifier", "auxiliary", "supply"]) {
    assert.deepEqual(recording(dataset, name).segments, [
      { startIndex: 0, length: 512, startSeconds: -256 / 30_000 },
      { startIndex: 512, length: 256, startSeconds: 1256 / 30_000 },
    ]);
  }
});

Deno.test("files of board channels go by old and new names", async () => {
  const spec: IntanSpec = { ...RHD3_SPLIT, digitalOut: [], auxiliary: 0, supply: 0 };
  const files = filesPerChannel(spec);
  files["board-ADC-00.dat"] = files["board-ANALOG-IN-1.dat"];
  files["board-DIN-07.dat"] = files["board-DIGITAL-IN-08.dat"];
  delete files["board-ANALOG-IN-1.dat"];
  delete files["board-DIGITAL-IN-08.dat"];
  const dataset = await open("info.rhd", intanHeader(spec), files);
  assert.deepEqual(dataset.warnings, []);
  await checkRecording(dataset, spec, "analog_in");
  assert.equal(dataset.digital.length, 3);
});

Deno.test("auxiliary inputs saved as columns of amplifier.dat are told apart", async () => {
  const spec: IntanSpec = { ...RHD3_SPLIT };
  const files = filesPerSignalType(spec);
  const [amplifier, auxiliary] = [files["amplifier.dat"], files["auxiliary.dat"]];
  const rows = 768, wide = new Uint8Array(rows * 2 * 7);
  for (let k = 0; k < rows; k++) {
    wide.set(amplifier.subarray(8 * k, 8 * k + 8), 14 * k);
    for (let c = 0; c < 3; c++) {
      wide[14 * k + 8 + 2 * c] = auxiliary[6 * k + 2 * c];
      wide[14 * k + 9 + 2 * c] = auxiliary[6 * k + 2 * c + 1] ^ 0x80;
    }
  }
  delete files["auxiliary.dat"];
  const dataset = await open("info.rhd", intanHeader(spec), { ...files, "amplifier.dat": wide });
  assert.deepEqual(dataset.warnings, []);
  await checkRecording(dataset, spec, "amplifier");
  const slow = recording(dataset, "auxiliary");
  const volts = (await channelSamples(dataset, slow, 2)).map((v) =>
    Number(v) * slow.channels[2].gain + slow.channels[2].offset
  );
  volts.forEach((v, k) =>
    assert.ok(Math.abs(v - 37.4e-6 * repeatedWord(spec, "auxiliary", 2, k)) < 1e-12)
  );
});

Deno.test("lowpass, highpass, spikes, live notes and settings of a split recording", async () => {
  const spec: IntanSpec = { ...RHD3_SPLIT, jumps: { 2: 64 } };
  const files: Record<string, Uint8Array> = filesPerSignalType(spec);
  const amplifier = files["amplifier.dat"];
  const low = new Uint8Array(amplifier.length / 8);
  for (let k = 0; k < 768 / 8; k++) low.set(amplifier.subarray(64 * k, 64 * k + 8), 8 * k);
  files["lowpass.dat"] = low;
  files["highpass.dat"] = amplifier;
  const names = ["A-000", "A-001", "A-002", "A-004"];
  const spikes = [
    { channel: "A-001", timestamp: -5, id: 1, snapshot: [32_768, 32_778, 0, 65_535] },
    { channel: "A-004", timestamp: 70, id: 0x40, snapshot: [1, 2, 3, 32_767] },
  ];
  files["spike.dat"] = spikeFile(names, spec.rate, spikes, 1, 3);
  files["notes.txt"] = new TextEncoder().encode(
    "0, 00:00:00, note one\r\n300, 00:00:00, second, with comma\r\n",
  );
  files["settings.xml"] = new TextEncoder().encode("<IntanRHX/>");
  files["strange.dat"] = new Uint8Array(8);
  const dataset = await open("info.rhd", intanHeader(spec), files);
  assert.deepEqual(dataset.warnings, []);
  assert.deepEqual(dataset.leftOut.map((l) => l.what), ["strange.dat"]);
  assert.deepEqual(dataset.documents, { "source/settings.xml": "<IntanRHX/>" });

  const thin = recording(dataset, "amplifier_lowpass");
  assert.equal(thin.samplingFrequency, 3750);
  assert.deepEqual(
    await channelSamples(dataset, thin, 1),
    Array.from({ length: 96 }, (_, k) => storedWord(spec, "amplifier", 1, 8 * k) - 32_768),
  );
  assert.deepEqual(
    thin.segments.map((s) => [s.startIndex, s.length, s.startSeconds]),
    [[0, 32, -256 / 30_000], [32, 64, 64 / 30_000]],
  );
  await checkRecording(
    {
      ...dataset,
      recordings: [{ ...recording(dataset, "amplifier_highpass"), name: "amplifier" }],
    },
    spec,
    "amplifier",
  );

  const table = dataset.events.find((e) => e.name === "spikes")!;
  assert.equal(table.count, 2);
  const got = new Map<string, unknown[]>();
  const stream = (table.columns[0].layout as { stream: string }).stream;
  for await (const block of dataset.openStream!(stream, {})) {
    got.set(block.field, [...block.values]);
  }
  const column = (name: string) =>
    got.get((table.columns.find((c) => c.name === name)!.layout as { field: string }).field);
  assert.deepEqual(column("time"), [-5 / 30_000, 70 / 30_000]);
  assert.deepEqual(column("unit"), [1, 64]);
  assert.deepEqual(column("channel"), ["\u00e9lectrode \u00b5", "A-004"]);
  assert.deepEqual(
    column("waveform"),
    spikes.flatMap((s) => s.snapshot.map((v) => v - 32_768)),
  );
  const notes = dataset.events.find((e) => e.name === "live_notes")!;
  const values = (name: string) =>
    (notes.columns.find((c) => c.name === name)!.layout as { values: unknown }).values;
  assert.deepEqual(values("time"), Float64Array.of(-256 / 30_000, 108 / 30_000));
  assert.deepEqual(values("label"), ["note one", "second, with comma"]);
});

Deno.test("spikes of one channel's own file", async () => {
  const spec: IntanSpec = { ...RHD3_SPLIT };
  const files: Record<string, Uint8Array> = filesPerChannel(spec);
  const spike = { channel: "A-002", timestamp: 12, id: 2, snapshot: [] };
  files["spike-A-002.dat"] = spikeFile(["A-002"], spec.rate, [spike], 0, 0, true);
  files["spike-A-000.dat"] = new Uint8Array(40);
  const dataset = await open("info.rhd", intanHeader(spec), files);
  assert.deepEqual(dataset.leftOut.map((l) => l.what), ["spike-A-000.dat"]);
  assert.equal(dataset.events[0].name, "spikes A-002");
  assert.deepEqual(dataset.events[0].columns.map((c) => c.name), ["time", "unit"]);
  assert.equal(dataset.events[0].count, 1);
});

Deno.test("a disabled group may list its channels or only count them", async () => {
  for (const listed of [true, false]) {
    const spec: IntanSpec = { ...RHD3, disabledGroup: { channels: 4, listed } };
    const dataset = await open("x.rhd", traditionalFile(spec));
    assert.deepEqual(dataset.warnings, [], `listed ${listed}`);
    await checkRecording(dataset, spec, "amplifier");
    const split: IntanSpec = { ...spec, temperature: 0 };
    const info = await open("info.rhd", intanHeader(split), filesPerSignalType(split));
    assert.deepEqual(info.warnings, []);
    await checkRecording(info, split, "amplifier");
  }
});

Deno.test("a header without amplifier channels still gives the others", async () => {
  const spec: IntanSpec = {
    version: [3, 2],
    rate: 3333.333,
    blocks: 3,
    amplifiers: 2,
    disabled: [0, 1],
    analogIn: 1,
    boardMode: 13,
    digitalIn: [3],
  };
  const dataset = await open("x.rhd", traditionalFile(spec));
  assert.deepEqual(dataset.recordings.map((r) => r.name), ["analog_in", "digital_in"]);
  const analog = await checkRecording(dataset, spec, "analog_in");
  assert.equal(analog.samplingFrequency, Math.fround(3333.333));
  const lines: IntanSpec = { ...spec, analogIn: 0 };
  const digital = await open("x.rhd", traditionalFile(lines));
  await checkLevels(digital, lines, "digital_in");
  assert.equal(digital.digital[0].lines[0].bit, 3);
});

Deno.test("an incomplete last block is left out and said", async () => {
  const spec = { ...RHD3, trailingBytes: 100 };
  const dataset = await open("x.rhd", traditionalFile(spec));
  assert.match(dataset.warnings.join(), /last data block is incomplete: its 100 bytes/);
  await checkRecording(dataset, spec, "amplifier");
});

Deno.test("missing, short and ill-fitting files of a set", async () => {
  const spec: IntanSpec = { ...RHD3_SPLIT };
  const info = intanHeader(spec);

  const channels = filesPerChannel(spec);
  delete channels["amp-A-001.dat"];
  channels["amp-A-004.dat"] = channels["amp-A-004.dat"].slice(0, 1401);
  const partial = await open("info.rhd", info, channels);
  assert.match(partial.warnings.join("\n"), /no file holds samples of A-001/);
  assert.match(partial.warnings.join("\n"), /differ in length: all end with amp-A-004.dat/);
  const amplifier = recording(partial, "amplifier");
  assert.equal(amplifier.sampleCount, 700);
  assert.deepEqual(
    amplifier.channels.map((c) => c.attributes!.native_name),
    ["A-000", "A-002", "A-004"],
  );
  const third = await channelSamples(partial, amplifier, 2);
  assert.equal(third[50], storedWord(spec, "amplifier", 3, 50) - 32_768);

  const timeless: Record<string, Uint8Array> = filesPerSignalType(spec);
  delete timeless["time.dat"];
  const guessed = await open("info.rhd", info, timeless);
  assert.match(guessed.warnings.join(), /time.dat is missing/);
  assert.equal(recording(guessed, "amplifier").sampleCount, 768);
  assert.equal(recording(guessed, "amplifier").segments[0].startSeconds, 0);

  const short: Record<string, Uint8Array> = filesPerSignalType(spec);
  short["supply.dat"] = new Uint8Array(0);
  short["amplifier.dat"] = short["amplifier.dat"].slice(0, 8 * 700 + 3);
  const cut = await open("info.rhd", info, short);
  assert.match(cut.warnings.join("\n"), /supply.dat is missing or empty/);
  assert.match(cut.warnings.join("\n"), /amplifier.dat ends inside a row of samples/);
  assert.match(cut.warnings.join("\n"), /amplifier.dat holds 700 samples and time.dat 768/);
  await checkRecording(cut, spec, "amplifier");
  assert.equal(recording(cut, "analog_in").sampleCount, 768);

  for (const blocks of [5, 6]) {
    const other: IntanSpec = { ...spec, blocks };
    const files: Record<string, Uint8Array> = filesPerSignalType(other);
    files["amplifier.dat"] = new Uint8Array(2 * 128 * blocks * 5);
    await assert.rejects(
      open("info.rhd", info, files),
      (e) =>
        isFuseError(e, "Corrupt") && /found 5 columns of \d+ samples, expected 4/.test(e.message),
    );
  }
});

Deno.test("a header that stands alone is refused, unless it is asked for alone", async () => {
  const info = intanHeader(RHD3);
  await assert.rejects(open("info.rhd", info), (e) => isFuseError(e, "Truncated"));
  const dataset = await open("info.rhd", info, {}, { alone: true });
  assert.equal(dataset.leftOut.length, 1);
  assert.equal(dataset.metadata.header!.sample_rate, 30_000);
  const block = traditionalFile(RHD3).slice(0, info.length + 50);
  await assert.rejects(
    open("x.rhd", block),
    (e) => isFuseError(e, "Truncated") && /no whole data block/.test(e.message),
  );
});

Deno.test("damaged headers end in a FuseError that names the file, never anything else", async () => {
  const whole = traditionalFile({ ...RHD3, blocks: 2 });
  const headerBytes = intanHeader(RHD3).length;
  for (let cut = 0; cut < headerBytes; cut += 7) {
    await assert.rejects(
      open("cut.rhd", whole.slice(0, cut)),
      (e) => isFuseError(e, "Truncated", "Corrupt") && e.message.startsWith("cut.rhd:"),
    );
  }
  let seed = 1;
  const random = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n;
  for (let round = 0; round < 400; round++) {
    const bytes = whole.slice();
    for (let i = 0; i < 3; i++) bytes[random(headerBytes)] = random(256);
    try {
      await open("bad.rhd", bytes);
    } catch (error) {
      assert.ok(isFuseError(error), `round ${round}: ${error}`);
    }
  }
});

Deno.test("board modes that nobody describes are said", async () => {
  const dataset = await open("x.rhd", traditionalFile({ ...RHD3, boardMode: 5 }));
  assert.match(dataset.warnings.join(), /board mode 5/);
});

/** A source far away whose bytes are the counters of a recording too large to exist. */
class CounterSource extends MemorySource {
  reads = 0;
  override readonly distance = "remote" as unknown as "local";
  constructor(readonly stride: number, readonly counter: (unit: number) => number) {
    super("far.rhd", new Uint8Array(0));
  }
  override read(offset: number, length: number): Promise<Uint8Array> {
    this.reads++;
    const bytes = new Uint8Array(length);
    assert.equal(offset % this.stride, 0);
    new DataView(bytes.buffer).setInt32(0, this.counter(offset / this.stride), true);
    return Promise.resolve(bytes);
  }
}

function farTrack(
  counter: (unit: number) => number,
  units: number,
): [TimestampTrack, CounterSource] {
  const source = new CounterSource(17_920, counter);
  return [
    { source, offset: 0, strideBytes: 17_920, units, samplesPerUnit: 128, signed: true },
    source,
  ];
}

Deno.test("jumps of a far recording of 100 GB are found with few reads", async () => {
  const units = 6_000_000;
  const [whole, quiet] = farTrack((u) => u * 128, units);
  assert.deepEqual((await findRuns(whole)).runs, [{ firstUnit: 0, ticks: 0 }]);
  assert.ok(quiet.reads <= 8, `${quiet.reads} reads`);

  const jumps = [17, 3_141_592, 3_141_593, 5_999_999];
  const [track, source] = farTrack(
    (u) => u * 128 - 900 + jumps.filter((j) => j <= u).length * 1000,
    units,
  );
  const times = await findRuns(track);
  assert.deepEqual(times.runs, [
    { firstUnit: 0, ticks: -900 },
    ...jumps.map((j, i) => ({ firstUnit: j, ticks: j * 128 - 900 + 1000 * (i + 1) })),
  ]);
  assert.ok(source.reads < 120, `${source.reads} reads`);
  assert.equal(times.stepsBack, false);
});

Deno.test("a counter that rolls over is no jump", async () => {
  const [track] = farTrack((u) => (2_147_483_000 + u * 128) | 0, 1000);
  assert.deepEqual((await findRuns(track)).runs, [{ firstUnit: 0, ticks: 2_147_483_000 }]);
  const [jumping] = farTrack((u) => (2_147_483_000 + u * 128 + (u > 500 ? 77 : 0)) | 0, 1000);
  assert.deepEqual((await findRuns(jumping)).runs[1], {
    firstUnit: 501,
    ticks: 2_147_483_000 + 501 * 128 + 77,
  });
  const unsigned = { ...farTrack((u) => (2_147_483_000 + u * 128) | 0, 9)[0], signed: false };
  assert.equal((await findRuns(unsigned)).runs[0].ticks, 2_147_483_000);
});

Deno.test("segments of thinned-out streams begin at the first sample kept", () => {
  const times = {
    runs: [{ firstUnit: 0, ticks: 0 }, { firstUnit: 10, ticks: 110 }],
    units: 20,
    samplesPerUnit: 1,
    stepsBack: false,
    complete: true,
  };
  assert.deepEqual(decimatedSegments(times, 100, 4, 5), [
    { startIndex: 0, length: 3, startSeconds: 0 },
    { startIndex: 3, length: 2, startSeconds: 1.12 },
  ]);
  assert.deepEqual(segmentsOf(times, 100, 1, 6), [{ startIndex: 0, length: 6, startSeconds: 0 }]);
  assert.equal(segmentsOf(times, 100, 1, 25)[1].length, 15);
});

Deno.test("the moment in a name dates the counter's zero", () => {
  assert.deepEqual(nameStamp("rat_240301_000030.rhd", 60.2), {
    stamp: "2024-03-01T00:00:30",
    zero: "2024-02-29T23:59:30",
  });
  assert.equal(nameStamp("rat_240301_000030.rhd", -0.5)!.zero, "2024-03-01T00:00:30");
  assert.equal(nameStamp("rat_231117_052500", 0)!.zero, "2023-11-17T05:25:00");
  assert.equal(nameStamp("rat_241301_000030.rhd", 0), undefined);
  assert.equal(nameStamp("sampledata.rhd", 0), undefined);
});
