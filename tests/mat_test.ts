/** MAT-files of level 4 and 5: what they hold, and what is made of it. */
import assert from "node:assert/strict";
import { openMat } from "../decoders/containers/mat-reader.ts";
import { charRows } from "../decoders/containers/mat-text.ts";
import { mat } from "../decoders/containers/mat.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset, NamedArray } from "../src/model/dataset.ts";
import { buildPlan } from "../src/plan/build.ts";
import { executePlan } from "../src/pool/execute.ts";
import { TaskRunner } from "../src/pool/task-runner.ts";
import { MemoryTarget } from "../src/sinks/targets/memory.ts";
import { MemorySource } from "../src/source/memory.ts";
import { openSpec } from "../src/source/open.ts";
import {
  doubles,
  joinBytes,
  levelFourMatrix,
  matFile,
  type MatFileOptions,
  type MatValue,
  struct,
  text,
  texts,
} from "./support/mat-files.ts";
import { readArray } from "./support/read-store.ts";

const PROVENANCE = { score: 255, why: "test", convertedAt: "2026-01-01T00:00:00Z" };
const WAYS: MatFileOptions[] = [
  {},
  { compress: true },
  { littleEndian: false },
  { littleEndian: false, compress: true },
];

function openBytes(bytes: Uint8Array<ArrayBuffer>): Promise<Dataset> {
  return openMat(new MemorySource("test.mat", bytes), {});
}

async function openVariables(
  variables: Record<string, MatValue>,
  options?: MatFileOptions,
): Promise<Dataset> {
  return await openBytes(await matFile(variables, options));
}

function arrayOf(dataset: Dataset, path: string): NamedArray {
  const found = dataset.arrays.find((a) => a.path === path);
  assert.ok(found, `${path} among ${dataset.arrays.map((a) => a.path)}`);
  return found;
}

function valuesOf(dataset: Dataset, path: string): unknown[] {
  const { layout } = arrayOf(dataset, path);
  assert.equal(layout.kind, "values");
  return Array.from((layout as { values: ArrayLike<unknown> }).values);
}

async function convert(dataset: Dataset): Promise<MemoryTarget> {
  const plan = buildPlan(dataset, {}, PROVENANCE);
  const target = new MemoryTarget();
  const runner = new TaskRunner(plan, {
    create: (key) => target.create(key),
    put: (key, bytes) => target.put(key, bytes),
  }, { openSource: openSpec, dataset });
  await executePlan(plan, target, { concurrency: 1, run: (i) => runner.run(i) });
  await runner.close();
  return target;
}

/** Steps from 0, in MATLAB's order. */
const count = (n: number) => Array.from({ length: n }, (_, i) => i);

Deno.test("every class of array, in both byte orders, compressed or not", async () => {
  const high = 9223372036854775807n, low = -9223372036854775808n;
  for (const way of WAYS) {
    const dataset = await openVariables({
      d: doubles([2, 3], [1, 2, 3, 4, 5, 6]),
      narrow: {
        kind: "numbers",
        class: "double",
        stored: "uint8",
        shape: [1, 9],
        values: count(9),
      },
      i64: { kind: "numbers", class: "int64", shape: [1, 2], values: [high, low] },
      i16: { kind: "numbers", class: "int16", shape: [3, 1], values: [-1, 0, 32767] },
      yes: { kind: "numbers", class: "uint8", shape: [1, 2], values: [1, 0], logical: true },
      z: { kind: "numbers", class: "double", shape: [1, 2], values: [1, 2], imaginary: [3, -4] },
      none: doubles([0, 3], []),
      s: text("abc", "def"),
      u: { kind: "char", rows: ["µV λ"], utf8: true },
      m: { kind: "sparse", shape: [3, 2], ir: [0, 2], jc: [0, 1, 2], values: [5, 6] },
      truths: {
        kind: "sparse",
        shape: [3, 2],
        ir: [0, 1, 2, 0, 1],
        jc: [0, 3, 5],
        values: [1, 1, 1, 1, 1],
        logical: true,
      },
      // Room for three values of which one is in use.
      roomy: { kind: "sparse", shape: [3, 1], ir: [1, 0, 0], jc: [0, 1], values: [5, 0, 0] },
    }, way);
    assert.deepEqual(valuesOf(dataset, "source/d"), [1, 3, 5, 2, 4, 6]);
    assert.deepEqual(arrayOf(dataset, "source/d").shape, [2, 3]);
    assert.deepEqual(valuesOf(dataset, "source/narrow"), count(9));
    assert.equal(arrayOf(dataset, "source/narrow").dtype, "uint8");
    assert.equal(arrayOf(dataset, "source/narrow").attributes?.matlab_class, "double");
    assert.deepEqual(valuesOf(dataset, "source/i64"), [high, low]);
    assert.deepEqual(valuesOf(dataset, "source/i16"), [-1, 0, 32767]);
    assert.equal(arrayOf(dataset, "source/yes").dtype, "bool");
    assert.equal(arrayOf(dataset, "source/z").dtype, "complex128");
    const bytes = Uint8Array.from(valuesOf(dataset, "source/z") as number[]);
    assert.deepEqual([...new Float64Array(bytes.buffer)], [1, 3, 2, -4]);
    assert.deepEqual(arrayOf(dataset, "source/none").attributes?.matlab_size, [0, 3]);
    assert.deepEqual(valuesOf(dataset, "source/s"), ["abc", "def"]);
    assert.deepEqual(valuesOf(dataset, "source/u"), ["µV λ"]);
    assert.deepEqual(valuesOf(dataset, "source/m/indices"), [0, 2]);
    assert.deepEqual(valuesOf(dataset, "source/m/indptr"), [0, 1, 2]);
    assert.deepEqual(valuesOf(dataset, "source/m/data"), [5, 6]);
    assert.deepEqual(valuesOf(dataset, "source/roomy/data"), [5]);
    assert.equal(arrayOf(dataset, "source/truths/data").dtype, "bool");
    assert.deepEqual(valuesOf(dataset, "source/truths/data"), [1, 1, 1, 1, 1]);
    assert.deepEqual(valuesOf(dataset, "source/roomy/indices"), [1]);
    assert.equal(dataset.recordings.length, 0);
  }
});

Deno.test("structs are groups, cells numbered, cells of texts one array", async () => {
  const dataset = await openVariables({
    S: struct({
      one: doubles([1, 1], [1]),
      inner: struct({ deep: text("x") }),
      c: { kind: "cell", shape: [1, 2], items: [doubles([1, 1], [7]), text("y")] },
      names: texts("a", "b"),
    }),
    A: {
      kind: "struct",
      shape: [1, 2],
      fields: { v: [doubles([1, 1], [1]), doubles([1, 1], [2])] },
    },
  }, { compress: true });
  assert.deepEqual(valuesOf(dataset, "source/S/one"), [1]);
  assert.deepEqual(valuesOf(dataset, "source/S/inner/deep"), ["x"]);
  assert.deepEqual(valuesOf(dataset, "source/S/c/1"), [7]);
  assert.deepEqual(valuesOf(dataset, "source/S/c/2"), ["y"]);
  assert.deepEqual(valuesOf(dataset, "source/S/names"), ["a", "b"]);
  assert.deepEqual(arrayOf(dataset, "source/S/names").shape, [1, 2]);
  assert.deepEqual(valuesOf(dataset, "source/A/2/v"), [2]);
});

Deno.test("functions and objects are named as left out", async () => {
  const dataset = await openVariables({
    f: { kind: "function" },
    t: { kind: "opaque", type: "table" },
  });
  assert.deepEqual(dataset.leftOut.map((l) => l.what), ["f", "t"]);
  assert.match(dataset.leftOut[1].why, /table/);
});

Deno.test("large arrays are planned without being read, and come back element for element", async () => {
  // 3 x 5 x 2000 doubles: too large to be kept in memory uncompressed.
  const shape = [3, 5, 2000], values = count(30000);
  for (const littleEndian of [true, false]) {
    const dataset = await openVariables({ x: doubles(shape, values) }, { littleEndian });
    assert.equal(arrayOf(dataset, "source/x").layout.kind, "chunks");
    const { data, shape: got } = await readArray(await convert(dataset), "source/x");
    assert.deepEqual(got, shape);
    for (const [i, j, k] of [[0, 0, 0], [1, 0, 0], [2, 4, 7], [0, 3, 1999]]) {
      assert.equal(data[(i * 5 + j) * 2000 + k], i + 3 * j + 15 * k);
    }
  }
});

Deno.test("large compressed arrays pass through in blocks", async () => {
  // 2 x 600 000 doubles: more than is kept of an element.
  const n = 600_000;
  const values = Array.from({ length: 2 * n }, (_, i) => i % 1000);
  const dataset = await openVariables({
    S: struct({ x: doubles([2, n], values), after: doubles([1, 1], [3]) }),
  }, { compress: true });
  const array = arrayOf(dataset, "source/S/x");
  assert.equal(array.layout.kind, "stream");
  assert.deepEqual(array.shape, [n, 2]);
  assert.deepEqual(valuesOf(dataset, "source/S/after"), [3]);
  let at = 0;
  const { stream } = array.layout as { stream: string };
  for await (const block of dataset.openStream!(stream, {})) {
    assert.ok(block.values.length * 8 <= 1 << 20);
    for (let i = 0; i < block.values.length; i += 997) {
      assert.equal(block.values[i], values[at + i]);
    }
    at += block.values.length;
  }
  assert.equal(at, 2 * n);
});

Deno.test("level 4: both byte orders, precisions, text, complex and sparse", async () => {
  for (const littleEndian of [true, false]) {
    const dataset = await openBytes(joinBytes([
      levelFourMatrix("a", [2, 2], [1, 2, 3, 4], { littleEndian }),
      levelFourMatrix("b", [1, 3], [-1, 2, 3], { littleEndian, precision: 3 }),
      levelFourMatrix("s", [1, 2], [72, 105], { littleEndian, kind: 1 }),
      levelFourMatrix("z", [1, 1], [1], { littleEndian, imaginary: [2] }),
      levelFourMatrix("m", [3, 3], [2, 1, 3, 1, 2, 2, 8, 9, 0], { littleEndian, kind: 2 }),
    ]));
    assert.deepEqual(valuesOf(dataset, "source/a"), [1, 3, 2, 4]);
    assert.deepEqual(valuesOf(dataset, "source/b"), [-1, 2, 3]);
    assert.equal(arrayOf(dataset, "source/b").dtype, "int16");
    assert.deepEqual(valuesOf(dataset, "source/s"), ["Hi"]);
    assert.equal(arrayOf(dataset, "source/z").dtype, "complex128");
    assert.deepEqual(valuesOf(dataset, "source/m/indices"), [1, 0]);
    assert.deepEqual(valuesOf(dataset, "source/m/indptr"), [0, 1, 2]);
    assert.deepEqual(valuesOf(dataset, "source/m/data"), [8, 9]);
  }
});

Deno.test("times with arrays of their length become recordings, with the times of the file", async () => {
  const t = count(200).map((i) => 5 + i / 250);
  for (const way of WAYS) {
    const dataset = await openVariables({
      t: doubles([200, 1], t),
      v: doubles([200, 2], count(400)),
      labels: texts("left", "right"),
      units: text("mV"),
    }, way);
    const [recording] = dataset.recordings;
    assert.equal(recording.samplingFrequency, 250);
    assert.deepEqual(recording.channels.map((c) => [c.name, c.units]), [
      ["left", "mV"],
      ["right", "mV"],
    ]);
    const target = await convert(dataset);
    assert.deepEqual([...(await readArray(target, "signals")).data], count(400));
    assert.deepEqual([...(await readArray(target, "time")).data], t);
    assert.equal(dataset.metadata.autoMapped, true);
  }
});

Deno.test("uneven times give no rate; several pairs go by the numbers in their names", async () => {
  const beat = count(50).map((i) => i + (i % 3) * 0.2);
  const dataset = await openVariables({
    timePlot05: doubles([1, 50], beat),
    timePlot10: doubles([1, 50], beat.map((b) => 2 * b)),
    RRint10: doubles([1, 50], count(50)),
    RRint05: doubles([1, 50], count(50)),
  });
  assert.deepEqual(
    dataset.recordings.map((r) => Math.max(...(r.time as { values: Float64Array }).values) > 90),
    [true, false],
  );
  assert.deepEqual(dataset.recordings.map((r) => [r.name, r.samplingFrequency]), [
    ["RRint10", null],
    ["RRint05", null],
  ]);
});

Deno.test("a rate and a matrix: the long axis is time, a stated rate explains milliseconds", async () => {
  const plain = await openVariables({
    data: doubles([2, 50], count(100)),
    fs: doubles([1, 1], [1000]),
  });
  assert.equal(plain.recordings[0].samplingFrequency, 1000);
  assert.deepEqual(plain.recordings[0].channels.length, 2);
  const target = await convert(plain);
  const { data } = await readArray(target, "signals");
  assert.deepEqual([...data].slice(0, 3), [0, 2, 4]);
  const timed = await openVariables({
    time: doubles([1, 50], count(50)),
    ecg: doubles([1, 50], count(50)),
    fs: doubles([1, 1], [1000]),
  });
  const { time } = timed.recordings[0] as { time: { values: Float64Array } };
  assert.equal(timed.recordings[0].samplingFrequency, 1000);
  assert.ok(Math.abs(time.values[49] - 0.049) < 1e-12);
});

Deno.test("LabChart: blocks are segments at their times, rates are recordings, comments events", async () => {
  const dataset = await openVariables({
    data: doubles([1, 1150], count(1150)),
    datastart: doubles([2, 2], [1, 401, 601, -1]),
    dataend: doubles([2, 2], [400, 600, 1150, -1]),
    samplerate: doubles([2, 2], [1000, 500, 1000, 500]),
    titles: text("ECG  ", "Press"),
    unittext: text("mV  ", "mmHg"),
    unittextmap: doubles([2, 2], [1, 2, 1, 2]),
    tickrate: doubles([1, 2], [1000, 1000]),
    blocktimes: doubles([1, 2], [738232.5, 738232.5 + 10 / 86400]),
    com: doubles([2, 5], [-1, 1, 1, 2, 100, 50, 1, 2, 1, 2]),
    comtext: text("start", "stim "),
  });
  const [ecg, pressure] = dataset.recordings;
  assert.deepEqual(ecg.segments, [
    { startIndex: 0, length: 400, startSeconds: 0 },
    { startIndex: 400, length: 550, startSeconds: 10 },
  ]);
  assert.deepEqual([ecg.channels[0].name, ecg.channels[0].units], ["ECG", "mV"]);
  assert.deepEqual([pressure.samplingFrequency, pressure.sampleCount], [500, 200]);
  assert.equal(pressure.channels[0].units, "mmHg");
  assert.equal(dataset.metadata.startTime, "2021-03-17T12:00:00.000");
  const [comments] = dataset.events;
  const column = (name: string) =>
    (comments.columns.find((c) => c.name === name)!.layout as { values: ArrayLike<unknown> })
      .values;
  assert.deepEqual([...(column("time") as Float64Array)], [0.1, 10.05]);
  assert.deepEqual(column("label"), ["start", "stim"]);
  const target = await convert(dataset);
  const { data } = await readArray(target, `${ecg.name}/signals`);
  assert.deepEqual([data[0], data[399], data[400], data[949]], [0, 399, 600, 1149]);
});

Deno.test("Spike2: a struct a channel, waves and events", async () => {
  const wave = (title: string, from: number) =>
    struct({
      title: text(title),
      units: text(" volt"),
      interval: doubles([1, 1], [0.001]),
      start: doubles([1, 1], [0.5]),
      values: doubles([20, 1], count(20).map((i) => from + i)),
    });
  const dataset = await openVariables({
    a_Ch1: wave("EMG", 0),
    a_Ch2: wave("ECG", 100),
    a_Ch31: struct({
      title: text("Stim"),
      resolution: doubles([1, 1], [1e-5]),
      times: doubles([2, 1], [0.6, 0.7]),
    }),
  });
  const [recording] = dataset.recordings;
  assert.equal(dataset.recordings.length, 1);
  assert.equal(recording.samplingFrequency, 1000);
  assert.equal(recording.segments[0].startSeconds, 0.5);
  assert.deepEqual(recording.channels.map((c) => c.name), ["EMG", "ECG"]);
  assert.equal(recording.channels[0].units, "volt");
  assert.equal(dataset.events[0].name, "Stim");
  const { data } = await readArray(await convert(dataset), "signals");
  assert.deepEqual([data[0], data[19], data[20]], [0, 19, 100]);
});

Deno.test("FieldTrip: trials are segments where sampleinfo puts them", async () => {
  const trial = (from: number) => doubles([2, 10], count(20).map((i) => from + i));
  const time = doubles([1, 10], count(10).map((i) => (i - 2) / 100));
  for (const compress of [false, true]) {
    const dataset = await openVariables({
      data: struct({
        trial: { kind: "cell", shape: [1, 2], items: [trial(0), trial(100)] },
        time: { kind: "cell", shape: [1, 2], items: [time, time] },
        label: texts("Fz", "Cz"),
        fsample: doubles([1, 1], [100]),
        sampleinfo: doubles([2, 2], [1, 51, 10, 60]),
      }),
    }, { compress });
    const [recording] = dataset.recordings;
    assert.deepEqual(recording.segments.map((s) => s.startSeconds), [0, 0.5]);
    assert.equal(recording.samplingFrequency, 100);
    const { data } = await readArray(await convert(dataset), "signals");
    assert.deepEqual([data[1], data[10], data[20]], [2, 100, 1]);
  }
});

Deno.test("EEGLAB: electrodes, events in seconds", async () => {
  const dataset = await openVariables({
    EEG: struct({
      data: { kind: "numbers", class: "single", shape: [2, 30], values: count(60) },
      srate: doubles([1, 1], [10]),
      nbchan: doubles([1, 1], [2]),
      pnts: doubles([1, 1], [30]),
      trials: doubles([1, 1], [1]),
      xmin: doubles([1, 1], [0]),
      chanlocs: { kind: "struct", fields: { labels: [text("Fz"), text("Cz")] } },
      event: {
        kind: "struct",
        fields: {
          type: [text("go"), doubles([1, 1], [7])],
          latency: [doubles([1, 1], [1]), doubles([1, 1], [11.5])],
        },
      },
    }),
  }, { compress: true });
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => c.name), ["Fz", "Cz"]);
  const [time, label] = dataset.events[0].columns.map((c) =>
    (c.layout as { values: ArrayLike<unknown> }).values
  );
  assert.deepEqual([...(time as Float64Array)], [0, 1.05]);
  assert.deepEqual(label, ["go", "7"]);
});

Deno.test("text of several pages is read row by row, page by page", () => {
  assert.deepEqual(charRows("acbdegfh", [2, 2, 2]), ["ab", "cd", "ef", "gh"]);
  assert.deepEqual(charRows("abcdef", [1, 3, 2]), ["abc", "def"]);
  assert.deepEqual(charRows("", [0, 3]), []);
});

Deno.test("damaged files are refused with a place and a reason", async () => {
  const good = await matFile({ x: doubles([2, 3], count(6)) });
  const packed = await matFile({ x: doubles([2, 300], count(600)) }, { compress: true });
  const cases: [string, Uint8Array<ArrayBuffer>, RegExp][] = [
    ["cut", good.slice(0, -9), /ends/],
    ["other type", good.with(128, 9) as Uint8Array<ArrayBuffer>, /not a variable/],
    ["negative size", good.with(128 + 8 + 16 + 8 + 3, 255) as Uint8Array<ArrayBuffer>, /negative/],
    ["zlib", packed.with(180, packed[180] ^ 0xff) as Uint8Array<ArrayBuffer>, /zlib|type|class/],
    ["no file", new Uint8Array(200).fill(7), /not a MAT-file/],
  ];
  for (const [name, bytes, message] of cases) {
    await assert.rejects(openBytes(bytes), (error) => {
      assert.ok(isFuseError(error), name);
      assert.match(error.message, message);
      assert.match(error.message, /test\.mat/);
      return true;
    });
  }
});

Deno.test("the probe knows each version and no other files", async () => {
  const probe = (head: Uint8Array, name = "x.bin") => mat.probe({ head, name, size: head.length });
  assert.ok(probe(await matFile({ x: doubles([1, 1], [1]) })).score > 200);
  assert.ok(probe(levelFourMatrix("abc", [1, 2], [1, 2])).score > 50);
  assert.equal(probe(new Uint8Array(64)).score, 0);
  assert.equal(probe(new TextEncoder().encode("a,b\n1,2\n".repeat(30))).score, 0);
});
