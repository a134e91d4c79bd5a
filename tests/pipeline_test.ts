/** Datasets through plan, tasks and zarr sink, read back with zarrita and compared with the plain reading. */
import assert from "node:assert/strict";
import fc from "fast-check";
import "../src/platform/node.ts";
import type { FuseError } from "../src/errors.ts";
import type { StoredType } from "../src/model/dtype.ts";
import { type FrameLayout, frameTable } from "../src/model/layout.ts";
import { buildPlan, type PlanOptions } from "../src/plan/build.ts";
import { executePlan } from "../src/pool/execute.ts";
import { TaskRunner } from "../src/pool/task-runner.ts";
import { MemoryTarget } from "../src/sinks/targets/memory.ts";
import { MemorySource } from "../src/source/memory.ts";
import { openSpec } from "../src/source/open.ts";
import { interleaved, type InterleavedSpec } from "./support/build-dataset.ts";
import { channelSamples } from "./support/materialize.ts";
import { convertPlanned, PROVENANCE } from "./support/convert-memory.ts";
import { readArray } from "./support/read-store.ts";

const SMALL = { chunkBytes: 2048, shardBytes: 16384 };

async function check(spec: InterleavedSpec, options: PlanOptions = {}): Promise<void> {
  const dataset = interleaved(spec);
  const { target } = await convertPlanned(dataset, options);
  const { data, shape, attrs } = await readArray(target, "signals");
  assert.deepEqual(shape, [spec.channels, spec.samples]);
  const [recording] = dataset.recordings;
  for (let c = 0; c < spec.channels; c++) {
    const raw = await channelSamples(dataset, recording, c);
    const { gain, offset } = recording.channels[c];
    const packed = attrs.scale_factor !== undefined || (gain === 1 && offset === 0);
    for (let i = 0; i < spec.samples; i++) {
      const stored = Number(data[c * spec.samples + i]);
      const value = packed ? Number(raw[i]) : Number(raw[i]) * gain + offset;
      const near = Math.abs(stored - value) <= Math.abs(value) * 1e-7;
      assert.ok(near, `channel ${c} sample ${i}: ${stored}, expected ${value}`);
    }
  }
}

Deno.test("interleaved recordings of every stored type come back sample for sample", async () => {
  const types: StoredType[] = [
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int24",
    "int32",
    "uint32",
    "int64",
    "float32",
    "float64",
    "alaw",
    "mulaw",
  ];
  for (const stored of types) {
    for (const littleEndian of [true, false]) {
      await check({ stored, littleEndian, channels: 3, samples: 1009 }, { targets: SMALL });
    }
  }
  await check({ stored: "uint16", flipSign: true, channels: 5, samples: 777 }, { targets: SMALL });
});

Deno.test("any number of channels, samples and runs, any chunk size, every compressor, both zarr versions", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(512, 2048, 65536),
      fc.constantFrom(
        { id: "none" } as const,
        { id: "blosc-lz4" } as const,
        { id: "zstd", level: 1 } as const,
        { id: "gzip", level: 1 } as const,
      ),
      fc.constantFrom(2 as const, 3 as const),
      async (channels, runs, chunkBytes, compressor, zarrFormat) => {
        const samples = runs.reduce((a, b) => a + b, 0);
        await check({ stored: "int16", channels, samples, runs }, {
          targets: { chunkBytes, shardBytes: chunkBytes * 8 },
          compressor,
          zarrFormat,
          flatChunkBytes: chunkBytes,
        });
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("one scale for all channels is packed, different scales are multiplied out", async () => {
  const shared = interleaved({
    stored: "int16",
    channels: 2,
    samples: 50,
    gains: [0.25, 0.25],
    offsets: [1, 1],
  });
  const packed = await readArray((await convertPlanned(shared)).target, "signals");
  assert.deepEqual([packed.attrs.scale_factor, packed.attrs.add_offset], [0.25, 1]);
  assert.ok(packed.data instanceof Int16Array);
  const spec: InterleavedSpec = {
    stored: "int16",
    channels: 2,
    samples: 500,
    gains: [0.25, 0.1],
    offsets: [0, -3],
  };
  await check(spec);
  assert.ok(
    (await readArray((await convertPlanned(interleaved(spec))).target, "signals")).data instanceof
      Float32Array,
  );
  // 32 bits do not fit a float32: float64.
  const wide: InterleavedSpec = { ...spec, stored: "int32" };
  await check(wide);
  assert.ok(
    (await readArray((await convertPlanned(interleaved(wide))).target, "signals")).data instanceof
      Float64Array,
  );
  const raw = await convertPlanned(interleaved(spec), { keepRaw: true });
  assert.ok((await readArray(raw.target, "signals")).data instanceof Int16Array);
  assert.deepEqual([...(await readArray(raw.target, "gain")).data], [0.25, 0.1]);
});

Deno.test("pauses are jumps of the time axis and named as segments", async () => {
  const dataset = interleaved({ stored: "int16", channels: 1, samples: 3000, runs: [1000, 2000] });
  const { target, plan } = await convertPlanned(dataset, { targets: SMALL });
  const { data } = await readArray(target, "time");
  assert.equal(data[0], 0);
  assert.equal(data[999], 0.999);
  assert.equal(data[1000], 1.5);
  assert.equal(data[2999], 1.5 + 1999 / 1000);
  const { segments } = plan.groups[0].attributes as { segments: unknown };
  assert.deepEqual(segments, [
    { start_index: 0, length: 1000, start_time: 0 },
    { start_index: 1000, length: 2000, start_time: 1.5 },
  ]);
});

Deno.test("equal sweeps get a dimension of their own", async () => {
  for (const zarrFormat of [2, 3] as const) {
    const runs = [333, 333, 333, 333, 333];
    const dataset = interleaved({ stored: "int16", channels: 3, samples: 1665, runs });
    const flat = await readArray((await convertPlanned(dataset)).target, "signals");
    dataset.recordings[0].sweepLength = 333;
    const { target } = await convertPlanned(dataset, {
      zarrFormat,
      targets: { chunkBytes: 700, shardBytes: 5000 },
    });
    const { data, shape } = await readArray(target, "signals");
    assert.deepEqual(shape, [5, 3, 333]);
    for (let s = 0; s < 5; s++) {
      for (let c = 0; c < 3; c++) {
        for (let t = 0; t < 333; t++) {
          assert.equal(data[(s * 3 + c) * 333 + t], flat.data[c * 1665 + s * 333 + t]);
        }
      }
    }
    assert.deepEqual([...(await readArray(target, "sweep_start")).data], [
      0,
      0.833,
      1.166,
      1.499,
      1.832,
    ]);
    assert.equal((await readArray(target, "time")).data[332], 0.332);
  }
});

Deno.test("digital words become edges of lines, across chunks and tasks", async () => {
  const samples = 5000;
  const words = new Uint16Array(samples);
  const expected: [number, string][] = [];
  for (let i = 0; i < samples; i++) {
    words[i] = (i % 700 >= 350 ? 4 : 0) | (i & 1);
    if (i > 0 && i % 350 === 0) expected.push([i / 1000, i % 700 === 350 ? "rise" : "fall"]);
  }
  const dataset = interleaved({ stored: "int16", channels: 1, samples });
  dataset.sources.push(new MemorySource("words", new Uint8Array(words.buffer)));
  dataset.frameTables.push(frameTable(2, [{ source: 1, offset: 0, frameCount: samples }]));
  dataset.arrays.push({
    path: "digital_in/words",
    dtype: "uint16",
    dims: ["time"],
    shape: [samples],
    layout: {
      kind: "frames",
      table: 1,
      stored: "uint16",
      littleEndian: true,
      samplesPerFrame: 1,
      channelOffsets: [0],
      sampleStride: 2,
    },
  });
  dataset.digital.push({
    array: "digital_in/words",
    samplingFrequency: 1000,
    segments: [{ startIndex: 0, length: samples, startSeconds: 0 }],
    lines: [{ bit: 2, name: "DIN 3" }],
  });
  const { target, plan } = await convertPlanned(dataset, {
    targets: { chunkBytes: 512, shardBytes: 2048 },
  });
  const time = await readArray(target, "events/DIN 3/time");
  const label = await readArray(target, "events/DIN 3/label");
  assert.deepEqual([...(time.data as Float64Array)], expected.map(([t]) => t));
  assert.deepEqual([...(label.data as string[])], expected.map(([, l]) => l));
  assert.equal(plan.groups.find((g) => g.path === "events/DIN 3")!.attributes.initial_level, 0);
  assert.deepEqual([...((await readArray(target, "digital_in/words")).data as Uint16Array)], [
    ...words,
  ]);
});

Deno.test("a layout that names a bit gives the level of that line", async () => {
  for (const stored of ["uint8", "uint16", "uint32"] as const) {
    for (const bit of [0, 5]) {
      const dataset = interleaved({ stored, channels: 3, samples: 4001 });
      const layout = dataset.recordings[0].parts[0].layout as FrameLayout;
      const words = await channelSamples(dataset, dataset.recordings[0], 1);
      layout.bit = bit;
      const { data } = await readArray(
        (await convertPlanned(dataset, { targets: SMALL })).target,
        "signals",
      );
      const row = [...data].slice(4001, 8002);
      assert.deepEqual(row, words.map((w) => (Number(w) >>> bit) & 1));
      assert.ok(row.includes(0) && row.includes(1));
    }
  }
});

Deno.test("a stream of unknown length grows its arrays, and their time axis", async () => {
  for (const total of [0, 1, 100, 40_000]) {
    const dataset = interleaved({ stored: "int16", channels: 1, samples: 4 });
    dataset.recordings = [{
      name: "signals",
      channels: [{ name: "a", units: "", gain: 1, offset: 0 }, {
        name: "b",
        units: "",
        gain: 1,
        offset: 0,
      }],
      samplingFrequency: 10,
      sampleCount: null,
      segments: [{ startIndex: 0, length: 0, startSeconds: 2 }],
      rawType: "float64",
      parts: [{
        firstChannel: 0,
        channelCount: 2,
        layout: { kind: "stream", stream: "table", field: "signals" },
      }],
    }];
    dataset.openStream = () => {
      let at = 0;
      return new ReadableStream({
        pull(controller) {
          const count = Math.min(777, total - at);
          if (count === 0) return controller.close();
          const values = new Float64Array(2 * count);
          for (let i = 0; i < count; i++) [values[i], values[count + i]] = [at + i, -(at + i)];
          at += count;
          controller.enqueue({ field: "signals", values, count });
        },
      });
    };
    const { target } = await convertPlanned(dataset, { targets: SMALL });
    const { shape, data } = await readArray(target, "signals");
    assert.deepEqual(shape, [2, total]);
    for (let i = 0; i < total; i++) {
      assert.equal(data[i], i);
      assert.equal(data[total + i], i ? -i : -0);
    }
    const time = await readArray(target, "time");
    assert.deepEqual(time.shape, [total]);
    if (total) assert.equal(time.data[total - 1], 2 + (total - 1) / 10);
  }
});

Deno.test("arrays with an inner size of 0 keep their shape", async () => {
  const dataset = interleaved({ stored: "int16", channels: 1, samples: 8 });
  dataset.arrays.push({
    path: "source/empty",
    dtype: "float64",
    dims: ["row", "column"],
    shape: [3, 0],
    layout: { kind: "values", values: new Float64Array(0) },
  });
  const { target } = await convertPlanned(dataset);
  assert.deepEqual((await readArray(target, "source/empty")).shape, [3, 0]);
});

Deno.test("a source that ends early leaves nothing that opens", async () => {
  const dataset = interleaved({ stored: "int16", channels: 2, samples: 1000 });
  const whole = dataset.sources[0] as MemorySource;
  dataset.sources[0] = new MemorySource("cut.bin", whole.bytes.subarray(0, 1000));
  const plan = buildPlan(dataset, { targets: SMALL }, PROVENANCE);
  const target = new MemoryTarget();
  const runner = new TaskRunner(plan, target, { openSource: openSpec, dataset });
  await assert.rejects(
    executePlan(plan, target, { concurrency: 1, run: (i) => runner.run(i) }),
    (error: FuseError) => error.tag === "Truncated" && error.message.includes("cut.bin"),
  );
  assert.equal(target.objects.size, 0);
  assert.equal(target.finished, false);
});
