import assert from "node:assert/strict";
import { parseParams } from "../decoders/ephys/flat-params.ts";
import { isFuseError } from "../src/errors.ts";
import { openDataset } from "../src/identify.ts";
import { MemorySource } from "../src/source/memory.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { selectFrom } from "../src/model/select.ts";
import { convertDataset } from "./support/convert-memory.ts";
import { openMapped } from "./support/mapping-use.ts";
import { channelSamples } from "./support/materialize.ts";
import { readArray } from "./support/read-store.ts";
import { wavFile } from "./support/sample-files.ts";

const latin = (text: string) => new TextEncoder().encode(text);
const int16 = (...values: number[]) => new Uint8Array(Int16Array.from(values).buffer);

const open = async (
  params: string | undefined,
  files: Record<string, Uint8Array>,
  main = Object.keys(files)[0],
) => {
  const { [main]: bytes, ...others } = files;
  const siblings = params === undefined ? others : { ...others, "params.py": latin(params) };
  return (await openDataset(new MemorySource(main, bytes, siblings))).dataset;
};

Deno.test("flat: interleaved samples as params.py states them", async () => {
  const params = "dat_path = r'D:\\rec\\x.dat'\nn_channels_dat = 2\ndtype = 'int16'\noffset = 4\n" +
    "sample_rate = 25000.  # Hz\nhp_filtered = False\n";
  const dataset = await open(params, { "x.dat": int16(99, 99, 1, -1, 2, -2, 3) });
  const [recording] = dataset.recordings;
  assert.equal(dataset.format, "flat");
  assert.equal(recording.samplingFrequency, 25000);
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [["ch0", ""], ["ch1", ""]]);
  assert.deepEqual(await channelSamples(dataset, recording, 0), [1, 2]);
  assert.deepEqual(await channelSamples(dataset, recording, 1), [-1, -2]);
  assert.match(dataset.leftOut[0].what, /last 2 bytes/);
  assert.equal((dataset.metadata.header as { hp_filtered: boolean }).hp_filtered, false);
});

Deno.test("flat: several files in a row, big-endian, without a rate", async () => {
  const params = "dat_path = ['b.dat',  # first\n  \"a.dat\"]\nn_channels_dat=1\ndtype='>i2'";
  const files = { "a.dat": Uint8Array.of(0, 3), "b.dat": Uint8Array.of(0, 1, 255, 254) };
  for (const main of ["a.dat", "b.dat"]) {
    const dataset = await open(params, files, main);
    assert.deepEqual(await channelSamples(dataset, dataset.recordings[0], 0), [1, -2, 3]);
    assert.equal(dataset.recordings[0].samplingFrequency, null);
    assert.equal(dataset.recordings[0].timeGenerated, true);
  }
});

Deno.test("flat: nothing is guessed, and nothing wrong is taken", async () => {
  const good = "dat_path='x.dat'\nn_channels_dat=2\ndtype='int16'\nsample_rate=3e4\n";
  const files = { "x.dat": int16(1, 2) };
  const fails = (params: string | undefined, tag: "UnknownFormat" | "Corrupt" | "Truncated") =>
    assert.rejects(open(params, files), (e) => isFuseError(e, tag));
  await fails(undefined, "UnknownFormat");
  await fails(good.replace("x.dat", "y.dat"), "UnknownFormat");
  await fails(good.replace("=2", "=0"), "Corrupt");
  await fails(good.replace("=2", "=1 + 1"), "UnknownFormat");
  await fails(good.replace("int16", "object"), "Corrupt");
  await fails(good.replace("3e4", "'fast'"), "Corrupt");
  await fails(good + "offset = 5000", "Truncated");
  await fails(good.replace("'x.dat'", "['x.dat', 'z.dat']"), "Truncated");
});

Deno.test("flat: literals of params.py", () => {
  const params = parseParams(
    "a = 1_000\nb = -2.5e3 # c = 3\nc = np.int16\nd = True\ne = ('p', 'q',)\nf = open('x')\ng == 2\n" +
      "  h = 4\ni = 'C:\\\\x'\r\nj = ''",
  );
  assert.deepEqual(Object.fromEntries(params), {
    a: 1000,
    b: -2500,
    c: "int16",
    d: true,
    e: ["p", "q"],
    i: "C:\\x",
    j: "",
  });
});

const opened = (mapping: Record<string, unknown>, bytes: Uint8Array, name = "x.dat") =>
  openMapped(name, bytes, { name: "m", kind: "flat", ...mapping });
const samples = async (dataset: Dataset) =>
  await Promise.all(
    dataset.recordings[0].channels.map((_, i) => channelSamples(dataset, dataset.recordings[0], i)),
  );

Deno.test("flat: as a descriptor states it: byte order, header, calibration", async () => {
  const bytes = Uint8Array.of(9, 9, 9, 0, 1, 255, 255, 0, 2, 255, 254);
  const dataset = await opened({
    dtype: "int16",
    channels: 2,
    rate: 100,
    byte_order: "big",
    header_bytes: 3,
    gain: [0.5, 2],
    offset: 1,
    units: "uV",
    names: ["a", "b"],
    start_time: "2020-01-01T00:00:00Z",
  }, bytes);
  assert.deepEqual(await samples(dataset), [[1, 2], [-1, -2]]);
  assert.deepEqual(dataset.recordings[0].channels, [
    { name: "a", units: "uV", gain: 0.5, offset: 1 },
    { name: "b", units: "uV", gain: 2, offset: 1 },
  ]);
  assert.equal(dataset.metadata.startTime, "2020-01-01T00:00:00Z");
  assert.equal(dataset.recordings[0].samplingFrequency, 100);
  const short = await opened({ dtype: ">i2", channels: 2, header_bytes: 3 }, bytes);
  assert.deepEqual(await samples(short), await samples(dataset));
});

Deno.test("flat: a channel after the other, in any type", async () => {
  const planar = { order: "channel-major", channels: 3, rate: 10 };
  const floats = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
  const dataset = await opened({ ...planar, dtype: "float32" }, floats);
  const { data, shape } = await readArray(await convertDataset(dataset), "signals");
  assert.deepEqual([[...data], shape], [[1, 2, 3, 4, 5, 6], [3, 2]]);
  assert.deepEqual(await samples(dataset), [[1, 2], [3, 4], [5, 6]]);
  const picked = selectFrom(dataset, { channels: ["ch2"] });
  assert.deepEqual(await samples(picked), [[5, 6]]);
  const big = await opened(
    { ...planar, dtype: ">u2", header_bytes: 1 },
    Uint8Array.of(7, 0, 1, 0, 2, 1, 0),
  );
  const words = await readArray(await convertDataset(big), "signals");
  assert.deepEqual([...words.data], [1, 2, 256]);
  await assert.rejects(
    opened({ ...planar, dtype: "float32" }, floats.slice(1)),
    /cannot be shared.*23 bytes.*3 channels x 4 bytes/,
  );
});

Deno.test("flat: samples cut short are said", async () => {
  const dataset = await opened({ dtype: "int16", channels: 2, rate: 10 }, int16(1, 2, 3));
  assert.match(dataset.warnings.join(), /6 bytes are no multiple of 4/);
  assert.deepEqual(await samples(dataset), [[1], [2]]);
});

Deno.test("flat: sidecars: keys alone, a descriptor, what --to raw writes, other JSON", async () => {
  const sidecar = async (json: unknown, bytes = int16(1, 2, 3, 4), name = "x.bin") => {
    const side = { [`${name}.json`]: latin(JSON.stringify(json)) };
    const dataset = await openMapped(name, bytes, undefined, side);
    const [{ samplingFrequency, channels }] = dataset.recordings;
    return [await samples(dataset), samplingFrequency, channels.map((c) => c.name + c.units)];
  };
  const plain = { dtype: "int16", "header-bytes": 0, n_channels: 2, sampling_rate_hz: 50 };
  assert.deepEqual(await sidecar(plain), [[[1, 3], [2, 4]], 50, ["ch0", "ch1"]]);
  const whole = { name: "s", kind: "flat", dtype: "int16", channels: 1, units: "mV" };
  assert.deepEqual(await sidecar(whole), [[[1, 2, 3, 4]], null, ["ch0mV"]]);
  const raw = {
    table: "signals",
    sample_type: "<i2",
    columns: [{ name: "EMG", units: "mV" }, { name: "ECG", units: "uV" }],
    attributes: { sampling_frequency: 1000 },
  };
  assert.deepEqual(await sidecar(raw, undefined, "x.raw"), [
    [[1, 3], [2, 4]],
    1000,
    ["EMGmV", "ECGuV"],
  ]);
  await assert.rejects(sidecar({ title: "notes" }), (e) => isFuseError(e, "UnknownFormat"));
  await assert.rejects(sidecar({ ...plain, dtype: "int12" }), /dtype.*int12/);
  await assert.rejects(sidecar({ ...plain, n_channels: 0 }), /x\.bin\.json.*channels/);
});

Deno.test("flat: a rate that is no number is none", async () => {
  for (const nan of ["nan", "float('nan')", "np.nan"]) {
    const params = `dat_path='x.dat'\nn_channels_dat=1\ndtype='int16'\nsample_rate=${nan}\n`;
    const dataset = await open(params, { "x.dat": int16(1, 2) });
    assert.equal(dataset.recordings[0].samplingFrequency, null, nan);
    assert.match(dataset.warnings.join(), /no sampling rate/);
  }
});

Deno.test("flat: without a word about its shape a file says what to give", async () => {
  await assert.rejects(
    openMapped("x.dat", int16(1, 2, 3)),
    /--dtype int16 --channels 8 --rate 20000.*x\.dat\.json.*params\.py/,
  );
  // What another format knows by its marks is not read as samples.
  const wav = wavFile({ channels: 1, rate: 8000, samples: 10 });
  await assert.rejects(opened({ dtype: "int16", channels: 1 }, wav), /not for this file.*WAV/);
});
