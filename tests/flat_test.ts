import assert from "node:assert/strict";
import { parseParams } from "../decoders/ephys/flat-params.ts";
import { isFuseError } from "../src/errors.ts";
import { openDataset } from "../src/identify.ts";
import { MemorySource } from "../src/source/memory.ts";
import { channelSamples } from "./support/materialize.ts";

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
