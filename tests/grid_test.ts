/** Arrays made of stored chunks: any rank, any axis order, calibrated or not. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { emptyDataset } from "../src/model/dataset.ts";
import { selectFrom } from "../src/model/select.ts";
import { MemorySource } from "../src/source/memory.ts";
import type { ChunkLayout } from "../src/model/layout.ts";
import { noise } from "./support/build-dataset.ts";
import { convertDataset } from "./support/convert-memory.ts";
import { readArray } from "./support/read-store.ts";

const SMALL = { targets: { chunkBytes: 4096, shardBytes: 16384 } };

/** Noise of `width`-byte integers stored in chunks, and how to read element `at`. */
function stored(shape: number[], chunkShape: number[], width: 2 | 4): {
  source: MemorySource;
  layout: ChunkLayout;
  value(at: number[]): number;
} {
  const grid = shape.map((n, i) => Math.ceil(n / chunkShape[i]));
  const cells = grid.reduce((a, b) => a * b, 1);
  const size = chunkShape.reduce((a, b) => a * b, 1);
  const bytes = noise(cells * size * width, 11);
  const values = width === 2 ? new Int16Array(bytes.buffer) : new Int32Array(bytes.buffer);
  return {
    source: new MemorySource("grid.bin", bytes),
    layout: {
      kind: "chunks",
      chunkShape,
      source: new Int32Array(cells),
      offset: Float64Array.from({ length: cells }, (_, i) => i * size * width),
      length: new Float64Array(cells).fill(size * width),
      codecs: [{ id: "raw", params: {} }],
      fill: 0,
    },
    value(at) {
      let cell = 0, inner = 0;
      at.forEach((n, a) => {
        cell = cell * grid[a] + Math.floor(n / chunkShape[a]);
        inner = inner * chunkShape[a] + (n % chunkShape[a]);
      });
      return values[cell * size + inner];
    },
  };
}

function* indexes(shape: number[]): Generator<number[]> {
  const total = shape.reduce((a, b) => a * b, 1);
  for (let i = 0; i < total; i++) {
    let rest = i;
    const at = shape.map(() => 0);
    for (let a = shape.length - 1; a >= 0; a--) {
      at[a] = rest % shape[a];
      rest = Math.floor(rest / shape[a]);
    }
    yield at;
  }
}

Deno.test("arrays of any rank and axis order come back element for element", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 12 })), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.infiniteStream(fc.nat()),
      fc.constantFrom(2 as const, 4 as const),
      async (axes, random, width) => {
        const shape = axes.map(([n]) => n), chunkShape = axes.map(([, c]) => c);
        const permutation = shape.map((_, i) => i);
        for (let i = permutation.length - 1; i > 0; i--) {
          const j = random.next().value % (i + 1);
          [permutation[i], permutation[j]] = [permutation[j], permutation[i]];
        }
        const { source, layout, value } = stored(shape, chunkShape, width);
        const dataset = emptyDataset("test", [source]);
        const outer = permutation.map((axis) => shape[axis]);
        dataset.arrays.push({
          path: "x",
          dtype: width === 2 ? "int16" : "int32",
          dims: outer.map((_, i) => `d${i}`),
          shape: outer,
          layout,
          permutation,
        });
        const { data, shape: got } = await readArray(await convertDataset(dataset, SMALL), "x");
        assert.deepEqual(got, outer);
        let n = 0;
        for (const at of indexes(outer)) {
          const from = shape.map(() => 0);
          permutation.forEach((axis, i) => from[axis] = at[i]);
          assert.equal(data[n++], value(from));
        }
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("signals of a chunked container are turned to [channel, time] and calibrated", async () => {
  const samples = 5000;
  const a = stored([samples, 3], [700, 2], 2);
  const b = stored([1, samples], [1, 512], 2);
  const dataset = emptyDataset("test", [a.source, b.source]);
  b.layout.source.fill(1);
  const channel = (gain: number) => ({ name: `g${gain}`, units: "mV", gain, offset: 1 });
  dataset.recordings.push({
    name: "signals",
    channels: [1, 2, 3, 4].map(channel),
    samplingFrequency: 100,
    sampleCount: samples,
    segments: [{ startIndex: 0, length: samples, startSeconds: 0 }],
    rawType: "int16",
    parts: [
      {
        firstChannel: 0,
        channelCount: 3,
        layout: a.layout,
        grid: { shape: [samples, 3], channelAxis: 1, timeAxis: 0 },
      },
      {
        firstChannel: 3,
        channelCount: 1,
        layout: b.layout,
        grid: { shape: [1, samples], channelAxis: 0, timeAxis: 1 },
      },
    ],
  });
  const target = await convertDataset(dataset, SMALL);
  const { data, shape } = await readArray(target, "signals");
  assert.deepEqual(shape, [4, samples]);
  for (let t = 0; t < samples; t++) {
    for (let c = 0; c < 3; c++) assert.equal(data[c * samples + t], a.value([t, c]) * (c + 1) + 1);
    assert.equal(data[3 * samples + t], b.value([0, t]) * 4 + 1);
  }
  assert.equal((await readArray(target, "time")).data[samples - 1], (samples - 1) / 100);
});

Deno.test("channels and times of a chunked container can be picked, in any combination", async () => {
  const samples = 3000, channels = 9;
  await fc.assert(
    fc.asyncProperty(
      fc.subarray(Array.from({ length: channels }, (_, i) => i), { minLength: 1 }),
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      async (wanted, timed, channelFirst, plain) => {
        const shape = channelFirst ? [channels, samples] : [samples, channels];
        // Whole chunks, or runs of samples in the order of the file, of which parts can be read.
        const chunkShape = plain ? [1, 1400] : [4, 700];
        const { source, layout, value } = stored(
          shape,
          channelFirst ? chunkShape : chunkShape.reverse(),
          2,
        );
        const dataset = emptyDataset("test", [source]);
        dataset.recordings.push({
          name: "signals",
          channels: Array.from({ length: channels }, (_, c) => ({
            name: `c${c}`,
            units: "mV",
            gain: c + 1,
            offset: 0,
          })),
          samplingFrequency: 100,
          sampleCount: samples,
          segments: [{ startIndex: 0, length: samples, startSeconds: 0 }],
          rawType: "int16",
          parts: [{
            firstChannel: 0,
            channelCount: channels,
            layout,
            grid: {
              shape,
              channelAxis: channelFirst ? 0 : 1,
              timeAxis: channelFirst ? 1 : 0,
            },
          }],
        });
        const [first, end] = timed ? [650, 1500] : [0, samples];
        const picked = selectFrom(dataset, {
          channels: wanted,
          ...(timed ? { fromSeconds: first / 100, untilSeconds: end / 100 } : {}),
        });
        const target = await convertDataset(picked, SMALL);
        const { data, shape: out } = await readArray(target, "signals");
        assert.deepEqual(out, [wanted.length, end - first]);
        wanted.forEach((c, row) => {
          for (let t = first; t < end; t++) {
            const raw = value(channelFirst ? [c, t] : [t, c]);
            const gain = wanted.length === 1 ? 1 : c + 1;
            assert.equal(data[row * (end - first) + t - first], raw * gain, `channel ${c} at ${t}`);
          }
        });
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("of uncompressed runs only the wanted samples are read, wherever they lie", async () => {
  const shape = [3, 400_000];
  for (const chunk of [120_000, 2 ** 17, 99_991]) {
    const { source, layout, value } = stored(shape, [1, chunk], 2);
    for (const first of [0, 50_000, chunk - 40, 2 * chunk + 17, shape[1] - 100]) {
      const dataset = emptyDataset("test", [source]);
      dataset.recordings.push({
        name: "signals",
        channels: [0, 1, 2].map((c) => ({ name: `c${c}`, units: "mV", gain: 1, offset: 0 })),
        samplingFrequency: 1,
        sampleCount: shape[1],
        segments: [{ startIndex: 0, length: shape[1], startSeconds: 0 }],
        rawType: "int16",
        parts: [{
          firstChannel: 0,
          channelCount: 3,
          layout,
          grid: { shape, channelAxis: 0, timeAxis: 1 },
        }],
      });
      const picked = selectFrom(dataset, { fromSeconds: first, untilSeconds: first + 100 });
      const cut = picked.recordings[0].parts[0].layout as ChunkLayout;
      const bytes = cut.length.reduce((a, b) => a + b, 0);
      // A prime number of samples cannot be cut evenly: its chunks are read whole.
      if (chunk !== 99_991) assert.ok(bytes <= 3 * 2 * 2 ** 16, `${bytes} bytes to read`);
      const { data } = await readArray(await convertDataset(picked, SMALL), "signals");
      for (let c = 0; c < 3; c++) {
        for (let t = 0; t < 100; t++) assert.equal(data[100 * c + t], value([c, first + t]));
      }
    }
  }
});
