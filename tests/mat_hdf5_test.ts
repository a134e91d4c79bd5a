/** MAT-files of version 7.3: variables in HDF5, as MATLAB lays them out. */
import assert from "node:assert/strict";
import { openMat } from "../decoders/containers/mat-reader.ts";
import { mat } from "../decoders/containers/mat.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { hdf5Fixture } from "./support/hdf5-fixtures.ts";

/** The file with MATLAB's own first bytes. */
async function file(): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = (await hdf5Fixture("matlab")).slice();
  bytes.fill(32, 0, 116);
  bytes.set(new TextEncoder().encode("MATLAB 7.3 MAT-file, Platform: TEST"));
  bytes.set([0, 2, 0x49, 0x4d], 124);
  return bytes as Uint8Array<ArrayBuffer>;
}

const open = async (): Promise<Dataset> => openMat(new MemorySource("a.mat", await file()), {});

function valuesAt(dataset: Dataset, path: string): unknown[] {
  const found = dataset.arrays.find((a) => a.path === `source/${path}`);
  assert.ok(found, `${path} among ${dataset.arrays.map((a) => a.path)}`);
  assert.equal(found.layout.kind, "values");
  return Array.from((found.layout as { values: ArrayLike<unknown> }).values);
}

Deno.test("7.3: the probe takes the file before HDF5 does", async () => {
  const head = await file();
  assert.equal(mat.probe({ head, name: "a.mat", size: head.length }).score, 250);
});

Deno.test("7.3: numbers, truth values, text, nothing, cells, struct arrays, sparse matrices", async () => {
  const dataset = await open();
  assert.deepEqual(dataset.warnings, []);
  assert.deepEqual(dataset.leftOut, []);
  const shapeOf = (path: string) => dataset.arrays.find((a) => a.path === `source/${path}`)?.shape;
  assert.deepEqual(shapeOf("d"), [3, 2]);
  assert.deepEqual(valuesAt(dataset, "d"), [0, 3, 1, 4, 2, 5]);
  assert.deepEqual(valuesAt(dataset, "yes"), [1, 0, 1]);
  assert.equal(dataset.arrays.find((a) => a.path === "source/yes")?.dtype, "bool");
  assert.deepEqual(valuesAt(dataset, "words"), ["größe"]);
  assert.deepEqual(shapeOf("nothing"), [0]);
  assert.deepEqual(valuesAt(dataset, "cell/1"), [1]);
  assert.deepEqual(valuesAt(dataset, "cell/2"), ["two"]);
  assert.deepEqual(valuesAt(dataset, "s/2/x"), [1]);
  assert.deepEqual(valuesAt(dataset, "sparse/data"), [1, 1]);
  assert.equal(dataset.arrays.find((a) => a.path === "source/sparse/data")?.dtype, "bool");
  assert.deepEqual(valuesAt(dataset, "sparse/indices").map(Number), [0, 3]);
});

Deno.test("7.3: objects are found behind their references", async () => {
  const dataset = await open();
  assert.deepEqual(valuesAt(dataset, "point/x"), [2.5]);
});

Deno.test("7.3: complex integers have their parts side by side", async () => {
  const dataset = await open();
  const { dtype, layout } = dataset.arrays.find((a) => a.path === "source/z")!;
  assert.equal(dtype, "complex128");
  assert.ok(layout.kind === "stream");
  const found: number[] = [];
  for await (const block of dataset.openStream!(layout.stream, {})) {
    if (block.field !== layout.field) continue;
    found.push(...new Float64Array((block.values as Uint8Array).slice().buffer));
  }
  assert.deepEqual(found, [1, -5, 2, -5, 3, -5, 4, -5]);
});
