/** HDF5 files converted: the tree as it is, or the recordings found in it with the rest beside them. */
import assert from "node:assert/strict";
import { DimensionNames } from "../decoders/containers/hdf5-dimensions.ts";
import { openDataset } from "../src/identify.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { convertDataset, convertPlanned } from "./support/convert-memory.ts";
import { hdf5Fixture } from "./support/hdf5-fixtures.ts";
import { readArray } from "./support/read-store.ts";

async function open(name: string): Promise<Dataset> {
  const siblings = { "other.h5": await hdf5Fixture("other") };
  const source = new MemorySource(`${name}.h5`, await hdf5Fixture(name), siblings);
  return (await openDataset(source)).dataset;
}

for (const name of ["old", "new"]) {
  Deno.test(`${name}: every dataset is an array under its own path`, async () => {
    const dataset = await open(name);
    assert.equal(dataset.format, "hdf5");
    assert.deepEqual(dataset.recordings, []);
    const { target, plan } = await convertPlanned(dataset, {
      targets: { chunkBytes: 256, shardBytes: 1024 },
    });
    const read = async (path: string) => {
      const { data, shape } = await readArray(target, path);
      return [[...data], shape];
    };
    const threes = [0, 3, 6, 9, 12];
    for (const type of ["i1", "be_i2", "i4", "u1", "u2", "be_u4", "be_f4", "f8"]) {
      assert.deepEqual(await read(`types/${type}`), [threes, [5]], type);
    }
    assert.deepEqual(await read("types/be_i8"), [threes.map(BigInt), [5]]);
    assert.deepEqual(await read("types/bool"), [[false, true, false, true, false], [5]]);
    assert.deepEqual(await read("types/text"), [["eins", "", "zwölf", "日本"], [4]]);
    assert.deepEqual(await read("types/scalar"), [[2.5], [1]]);
    assert.deepEqual(await read("types/ragged/lengths"), [[0, 3, 0, 1], [4]]);
    assert.deepEqual(await read("types/ragged/values"), [[1, 2, 3, 4], [4]]);
    assert.deepEqual(await read("types/rows/a"), [[0, 1, 2, 3, 4, 5], [6]]);
    assert.deepEqual((await read("types/rows/b"))[1], [6, 2]);
    assert.deepEqual((await read("types/rows/b"))[0], Array.from({ length: 12 }, (_, i) => i / 4));
    assert.deepEqual(await read("types/rows/c"), [new Array(6).fill("word"), [6]]);
    assert.deepEqual(await read("types/rows/d/x"), [new Array(6).fill(7), [6]]);
    assert.deepEqual(await read("types/rows/ok"), [[false, false, false, false, true, true], [6]]);
    assert.deepEqual(await read("types/opaque"), [[1, 2, 3], [1, 3]]);
    assert.deepEqual(await read("types/i24"), [[-1, 8388607, -8388608], [3]]);
    assert.deepEqual((await read("types/empty"))[1], [0, 4]);
    assert.match(String((await read("types/refs"))[0]), /^\/(types\/fixed|links\/hard),\/,$/);
    assert.match(String((await read("types/regions"))[0]), /^\/types\/rows\[2:5\],$/);
    assert.deepEqual(await read("links/external"), [[0, 1, 2, 3], [4]]);
    const gaps = (await read("chunks/gaps"))[0] as bigint[];
    assert.deepEqual(gaps.slice(19, 23), [2n ** 60n + 1n, 5n, 6n, 2n ** 60n + 1n]);
    const colour = await readArray(target, "types/colour");
    assert.deepEqual([[...colour.data], colour.attrs.enum], [[0, 2, 1], {
      red: 0,
      green: 1,
      blue: 2,
    }]);
    const fixed = await readArray(target, "chunks/fixed");
    assert.equal((fixed.data as Int16Array)[19 * 31 + 30], 1930);

    const group = plan.groups.find((g) => g.path === "attributes")!.attributes;
    assert.equal(group.text, "größe");
    assert.deepEqual(group.matrix, [[0, 1, 2], [3, 4, 5]]);
    assert.deepEqual([group.complex, group.large], [[1, 2], "9223372036854775813"]);
    assert.deepEqual((await read("attributes_attributes/list"))[1], [5000]);
    const { hdf5_links } = plan.groups.find((g) => g.path === "links")!.attributes as {
      hdf5_links: Record<string, string>;
    };
    assert.equal(hdf5_links.soft, "/types/fixed");
    assert.equal(hdf5_links.loop, "/");
    const leftOut = dataset.leftOut.map((l) => `${l.what}: ${l.why}`);
    assert(
      leftOut.some((l) => /^links\/missing \(in none.h5\): .* not there/.test(l)),
      leftOut.join(),
    );
    if (name === "new") {
      assert(leftOut.some((l) => /^filters\/zfp: HDF5 filter zfp \(32013\) is not read/.test(l)));
      assert(leftOut.some((l) => /^virtual: virtual datasets are not read/.test(l)));
    }
  });
}

Deno.test("names of dimensions stand for one length in the whole store", async () => {
  const lengths = new Map<string, number>();
  for (const { dims, shape, path } of (await open("new")).arrays) {
    dims.forEach((dim, i) => {
      const length = shape[i];
      if (length === null) return;
      assert.equal(lengths.get(dim) ?? length, length, `${path} ${dim}`);
      lengths.set(dim, length);
    });
    assert.equal(new Set(dims).size, dims.length, path);
  }
});

Deno.test("names of recordings' dimensions are not given to other arrays", () => {
  const names = new DimensionNames();
  names.reserve("channel", "time");
  assert.deepEqual(names.of("a/channel", [12], [], true), ["channel_2"]);
  assert.deepEqual(names.of("a/map", [12, 5], ["a/channel", "b/time"]), ["channel_2", "time_2"]);
  assert.deepEqual(names.of("b/time", [7], [], true), ["time_3"]);
  assert.deepEqual(names.of("square", [4, 4], ["x", "x"]), ["x", "square_dim1"]);
});

Deno.test("signals with a time vector, a scale and names become recordings, the rest is kept", async () => {
  const dataset = await open("flat");
  const { recordings, metadata } = dataset;
  assert.deepEqual(recordings.map((r) => [r.name, r.samplingFrequency, r.sampleCount]), [
    ["raw", 250, 400],
    ["signals", 250, 400],
  ]);
  const [raw, signals] = recordings;
  assert.deepEqual(signals.channels.map((c) => [c.name, c.units, c.gain, c.offset]), [
    ["a", "uV", 0.5, -1],
    ["b", "uV", 0.5, -1],
    ["c", "uV", 0.5, -1],
  ]);
  assert.deepEqual(raw.channels.map((c) => [c.name, c.units]), [["raw", "mV"]]);
  assert.equal(metadata.startTime, "2021-03-17T14:25:36");
  assert.equal(metadata.autoMapped, true);
  assert.deepEqual(dataset.arrays.map((a) => a.path), ["source/electrodes/position"]);
  assert.deepEqual(dataset.arrays[0].dims, ["position_dim0", "position_dim1"]);
  const { target, plan } = await convertPlanned(dataset);
  const { data, shape, attrs } = await readArray(target, "signals/signals");
  assert.deepEqual(shape, [3, 400]);
  const bump = (i: number) => (i * i) % 257 - 100;
  for (let t = 0; t < 400; t++) {
    for (let c = 0; c < 3; c++) assert.equal(data[c * 400 + t], bump(3 * t + c));
  }
  assert.deepEqual([attrs.scale_factor, attrs.add_offset, attrs.units], [0.5, -1, "uV"]);
  const time = await readArray(target, "raw/time");
  assert.equal(time.data[399], 399 / 250);
  const [root] = plan.groups;
  assert.equal(root.attributes.auto_mapped, true);
  const { mapping } = root.attributes.sparc_fuse as {
    mapping: { chosen: { why: string[] }[] };
  };
  assert(mapping.chosen.every((r) => r.why.length > 2));
  assert.deepEqual(plan.groups.find((g) => g.path === "source/electrodes")!.attributes, {
    "made by": "nobody",
  });
});

Deno.test("groups named by moments become segments, in the order of time", async () => {
  const dataset = await open("moments");
  assert.deepEqual(
    dataset.recordings.map((r) => [r.name, r.samplingFrequency, r.channels.length, r.sampleCount]),
    [["ecg", 1000, 3, 20], ["hr", 500, 2, 10], ["neural", 30000, 1, 600]],
  );
  const [ecg] = dataset.recordings;
  assert.deepEqual(ecg.channels.map((c) => [c.name, c.units]), [
    ["ECG1", "mV"],
    ["ECG2", "mV"],
    ["ECG3", "mV"],
  ]);
  assert.deepEqual(ecg.segments, [
    { startIndex: 0, length: 10, startSeconds: 0 },
    { startIndex: 10, length: 10, startSeconds: 2.25 },
  ]);
  assert.equal(dataset.metadata.startTime, "2022-09-22T18:19:58.250000+00:00");
  assert.match(dataset.warnings.join(), /states no sampling rates.*datasets 349 and 380/);
  const target = await convertDataset(dataset);
  const { data } = await readArray(target, "ecg/signals");
  // The later of the two groups comes first in the file.
  assert.deepEqual([data[0], data[9], data[10], data[20]], [1e6, 1e6 + 900, 0, 1e6 + 1]);
  const time = await readArray(target, "ecg/time");
  assert.deepEqual([time.data[9], time.data[10]], [0.009, 2.25]);
  assert.deepEqual(dataset.arrays, []);
});

Deno.test("trials of evoked potentials are a recording each, with an honest lack of a rate", async () => {
  const dataset = await open("trials");
  assert.deepEqual(dataset.recordings.map((r) => [r.name, r.channels.map((c) => c.name)]), [
    ["20200108_E1R2_001", ["w_E1R2 200CL"]],
    ["20200108_E1R2_002", ["w_E1R2 200CL", "w_E1R2 250CL"]],
  ]);
  const [, second] = dataset.recordings;
  assert.deepEqual([second.samplingFrequency, second.timeGenerated], [null, true]);
  assert.deepEqual([second.attributes!.levels, second.attributes!.threshold], [[200, 250], 200]);
  const target = await convertDataset(dataset);
  const { data } = await readArray(target, "20200108_E1R2_002/signals");
  assert.deepEqual([data[49], data[99]], [49 * 200, 49 * 250]);
  assert(dataset.arrays.some((a) => a.path === "source/EPs/20200108/E1R2/E1R2  002/w_Level"));
});

Deno.test("a damaged file fails as a whole, with the name of what is wrong", async () => {
  const bytes = (await hdf5Fixture("flat")).slice();
  const name = new TextDecoder("latin1").decode(bytes);
  const at = name.indexOf("TREE");
  bytes[at + 4] = 7;
  await assert.rejects(
    openDataset(new MemorySource("flat.h5", bytes)),
    /flat\.h5: B-tree node: not a/,
  );
});

Deno.test("sequences of complex numbers are their values one after the other, with lengths", async () => {
  const dataset = await open("sequences");
  const found = new Map<string, number[]>();
  const { layout } = dataset.arrays.find((a) => a.path === "spectra/values")!;
  assert(layout.kind === "stream");
  for await (const { field, values } of dataset.openStream!(layout.stream, {})) {
    const plain = values instanceof Uint8Array ? new Float32Array(values.slice().buffer) : values;
    found.set(field, [...found.get(field) ?? [], ...[...plain].map(Number)]);
  }
  assert.equal(dataset.arrays.find((a) => a.path === "spectra/values")?.dtype, "complex64");
  assert.deepEqual(found.get("lengths"), [2, 0, 1]);
  assert.deepEqual(found.get("values"), [1, 2, -0, -3, 0.5, 0]);
});
