/** HDF5 behind a web server: a slice costs its bytes, not the file's. */
import assert from "node:assert/strict";
import { Dataset5 } from "../decoders/containers/hdf5/dataset.ts";
import { openHdf5 } from "../decoders/containers/hdf5/file.ts";
import { openDataset } from "../src/identify.ts";
import { MemorySource } from "../src/source/memory.ts";
import { openSource } from "../src/source/open.ts";
import { smallHdf5 } from "./support/hdf5-writer.ts";
import { QUICK_RETRY, startRangeServer } from "./support/range-server.ts";

const ROWS = 1 << 20, COLUMNS = 4;
const BYTES = smallHdf5({
  first: {
    shape: [ROWS, COLUMNS],
    values: Int16Array.from({ length: ROWS * COLUMNS }, (_, i) => i),
  },
  second: { shape: [3], values: Int16Array.of(7, 8, -9) },
});

/** Bytes that all requests together asked for. */
function asked(requests: { range: string | null }[]): number {
  return requests.reduce((sum, { range }) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    return sum + (to === undefined ? BYTES.length : Number(to) - Number(from) + 1);
  }, 0);
}

Deno.test("opening a file and reading a slice asks for a small part of it, in few requests", async () => {
  const server = startRangeServer(BYTES);
  try {
    const source = await openSource(`${server.url}/a.h5`, { retry: QUICK_RETRY });
    const file = await openHdf5(source);
    const data = await file.get("/first");
    assert(data instanceof Dataset5);
    const values = await data.read([700_000, 0], [1000, COLUMNS]);
    assert.deepEqual([...values].slice(0, 3), [0, 1, 2].map((i) => (2_800_000 + i) << 16 >> 16));
    const bytes = asked(server.requests);
    assert(bytes < BYTES.length / 10, `${bytes} of ${BYTES.length} bytes`);
    assert(server.requests.length <= 6, `${server.requests.length} requests`);
    await source.close();
  } finally {
    await server.stop();
  }
});

Deno.test("finding out what a file holds does not read its samples", async () => {
  const server = startRangeServer(BYTES);
  try {
    const source = await openSource(`${server.url}/a.h5`, { retry: QUICK_RETRY });
    const { dataset } = await openDataset(source);
    assert.deepEqual(dataset.arrays.map((a) => [a.path, a.shape]), [
      ["first", [ROWS, COLUMNS]],
      ["second", [3]],
    ]);
    const bytes = asked(server.requests);
    assert(bytes < BYTES.length / 10, `${bytes} of ${BYTES.length} bytes`);
    await source.close();
  } finally {
    await server.stop();
  }
});

Deno.test("parts of a matrix in one piece are the same however they are read", async () => {
  const shape = [3000, 40, 30];
  const values = Int16Array.from({ length: 3000 * 40 * 30 }, (_, i) => i % 32_749);
  const file = await openHdf5(new MemorySource("a.h5", smallHdf5({ a: { shape, values } })));
  const data = await file.get("/a");
  assert(data instanceof Dataset5);
  for (
    const [start, size] of [
      [[5, 0, 0], [3, 40, 30]],
      [[8, 3, 7], [2, 5, 11]],
      [[1746, 0, 29], [4, 40, 1]],
      [[0, 39, 0], [3000, 1, 2]],
      [[2999, 39, 29], [1, 1, 1]],
    ]
  ) {
    const found = await data.read(start, size);
    let at = 0;
    for (let i = 0; i < size[0]; i++) {
      for (let j = 0; j < size[1]; j++) {
        for (let k = 0; k < size[2]; k++) {
          const place = ((start[0] + i) * 40 + start[1] + j) * 30 + start[2] + k;
          if (found[at++] !== values[place]) assert.fail(`${start} + ${i}, ${j}, ${k}`);
        }
      }
    }
  }
});
