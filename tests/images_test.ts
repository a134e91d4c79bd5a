/** Image pipeline: cutting stored chunks into store chunks, and the pyramid made in the same pass. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Dataset, emptyDataset, type ImageSeries } from "../src/model/dataset.ts";
import type { PlanOptions } from "../src/plan/build.ts";
import type { Plan } from "../src/plan/plan.ts";
import { MemorySource } from "../src/source/memory.ts";
import { noise } from "./support/build-dataset.ts";
import { convertPlanned } from "./support/convert-memory.ts";
import { readArray } from "./support/read-store.ts";

/** An image of noise stored in chunks of `chunkShape` behind each other; `absent` chunks are not stored. */
function imageDataset(
  shape: number[],
  chunkShape: number[],
  axes: ImageSeries["axes"],
  absent: (cell: number) => boolean = () => false,
): { dataset: Dataset; values: Uint16Array } {
  const grid = shape.map((n, i) => Math.ceil(n / chunkShape[i]));
  const cells = grid.reduce((a, b) => a * b, 1);
  const size = chunkShape.reduce((a, b) => a * b, 1);
  const bytes = noise(cells * size * 2, 7);
  const stored = new Uint16Array(bytes.buffer);
  const values = new Uint16Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < values.length; i++) {
    let rest = i, cell = 0, inner = 0;
    const at = shape.map(() => 0);
    for (let a = shape.length - 1; a >= 0; a--) {
      at[a] = rest % shape[a];
      rest = Math.floor(rest / shape[a]);
    }
    at.forEach((n, a) => {
      cell = cell * grid[a] + Math.floor(n / chunkShape[a]);
      inner = inner * chunkShape[a] + (n % chunkShape[a]);
    });
    values[i] = absent(cell) ? 0 : stored[cell * size + inner];
  }
  const dataset = emptyDataset("test", [new MemorySource("image.bin", bytes)]);
  dataset.images.push({
    name: "test",
    axes,
    dtype: "uint16",
    levels: [{
      shape,
      layout: {
        kind: "chunks",
        chunkShape,
        source: Int32Array.from({ length: cells }, (_, i) => (absent(i) ? -1 : 0)),
        offset: Float64Array.from({ length: cells }, (_, i) => i * size * 2),
        length: new Float64Array(cells).fill(size * 2),
        codecs: [{ id: "raw", params: {} }],
        fill: 0,
      },
    }],
  });
  return { dataset, values };
}

/** Mean of the 2x2 pixels that exist, halves rounded up. */
function halved(
  values: ArrayLike<number>,
  planes: number,
  height: number,
  width: number,
): number[] {
  const out: number[] = [];
  for (let p = 0; p < planes; p++) {
    for (let y = 0; y < height; y += 2) {
      for (let x = 0; x < width; x += 2) {
        let sum = 0, count = 0;
        for (let dy = 0; dy < 2 && y + dy < height; dy++) {
          for (let dx = 0; dx < 2 && x + dx < width; dx++) {
            sum += values[(p * height + y + dy) * width + x + dx];
            count++;
          }
        }
        out.push(Math.floor((2 * sum + count) / (2 * count)));
      }
    }
  }
  return out;
}

async function check(
  shape: number[],
  chunkShape: number[],
  axes: ImageSeries["axes"],
  options: PlanOptions = {},
  absent?: (cell: number) => boolean,
): Promise<Plan> {
  const { dataset, values } = imageDataset(shape, chunkShape, axes, absent);
  const { target, plan } = await convertPlanned(dataset, options);
  const [height, width] = shape.slice(-2);
  const planes = shape.slice(0, -2).reduce((a, b) => a * b, 1);
  let expected: ArrayLike<number> = values;
  let [h, w] = [height, width];
  for (const [level, array] of plan.arrays.entries()) {
    const { data, shape: got } = await readArray(target, array.path);
    assert.deepEqual(got, [...shape.slice(0, -2), h, w], `shape of level ${level}`);
    for (let i = 0; i < expected.length; i++) {
      if (data[i] !== expected[i]) {
        assert.fail(`level ${level} value ${i}: ${data[i]}, expected ${expected[i]}`);
      }
    }
    expected = halved(expected, planes, h, w);
    [h, w] = [Math.ceil(h / 2), Math.ceil(w / 2)];
  }
  return plan;
}

Deno.test("an image in tiles gets its pyramid, bit for bit", async () => {
  const plan = await check([700, 1300], [256, 256], ["y", "x"]);
  assert.ok(plan.arrays.length >= 3);
  assert.deepEqual(plan.arrays[0].chunks, [256, 256]);
});

Deno.test("strips, interleaved samples and planes are cut into chunks of one plane", async () => {
  await check([3, 600, 530], [3, 16, 530], ["c", "y", "x"]);
  await check([5, 2, 90, 80], [1, 1, 90, 80], ["t", "c", "y", "x"]);
  await check([2, 3, 4, 70, 61], [1, 3, 1, 7, 61], ["t", "c", "z", "y", "x"]);
});

Deno.test("absent tiles are zeros, also in the pyramid", async () => {
  await check([600, 600], [128, 128], ["y", "x"], {}, (cell) => cell % 3 === 1);
});

Deno.test("levels that tasks share are joined", async () => {
  // Regions of 4096: three of them along x, so the small levels meet in the joiner.
  const plan = await check([300, 9000], [128, 128], ["y", "x"]);
  assert.ok(plan.arrays.length >= 6);
  await check([2, 260, 4500], [1, 260, 900], ["z", "y", "x"], { zarrFormat: 2 });
});

Deno.test("any shape, any stored chunks, both versions", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 800 }),
      fc.constantFrom(2 as const, 3 as const),
      async (z, height, width, chunkHeight, chunkWidth, zarrFormat) => {
        await check([z, height, width], [1, chunkHeight, chunkWidth], ["z", "y", "x"], {
          zarrFormat,
        });
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("several images use the bioformats2raw layout; versions place their metadata", async () => {
  const { dataset } = imageDataset([300, 300], [300, 300], ["y", "x"]);
  // What a file says of itself never stands in for what a viewer looks for.
  const attributes = { ome: { id: "Image:0" }, kept: "yes" };
  dataset.images.push({ ...dataset.images[0], name: "second", attributes });
  const { plan } = await convertPlanned(dataset);
  const groups = Object.fromEntries(plan.groups.map((g) => [g.path, g.attributes]));
  assert.deepEqual(groups[""].ome, { version: "0.5", "bioformats2raw.layout": 3 });
  assert.deepEqual(groups.OME.ome, { version: "0.5", series: ["0", "1"] });
  assert.ok((groups["1"].ome as { multiscales: unknown[] }).multiscales.length);
  assert.equal(groups["1"].kept, "yes");
  const old = (await convertPlanned(imageDataset([300, 300], [300, 300], ["y", "x"]).dataset, {
    zarrFormat: 2,
  }))
    .plan;
  const [multiscale] = old.groups[0].attributes.multiscales as {
    version: string;
    datasets: unknown[];
  }[];
  assert.equal(multiscale.version, "0.4");
  assert.equal(multiscale.datasets.length, old.arrays.length);
});
