/** Files that are converted at the same time on one thread share the decoders' memory, and nothing else. */
import assert from "node:assert/strict";
import type { ChunkLayout } from "../src/model/layout.ts";
import { MemorySource } from "../src/source/memory.ts";
import { ChunkCache } from "../src/stream/chunk-cache.ts";

/** Chunks of 1000 equal bytes each, shuffled as HDF5 does it, so that the decoder has to write them. */
function chunksOf(value: number, count: number): { cache: ChunkCache; count: number } {
  const source = new MemorySource("a.h5", new Uint8Array(count * 1000).fill(value));
  const layout: ChunkLayout = {
    kind: "chunks",
    chunkShape: [250],
    source: new Int32Array(count),
    offset: Float64Array.from({ length: count }, (_, i) => i * 1000),
    length: new Float64Array(count).fill(1000),
    codecs: [{
      id: "hdf5",
      params: {
        filters: [{ id: 2, values: [4] }],
        coding: {
          elementBytes: 4,
          offset: 0,
          arrays: [],
          itemBytes: 4,
          outBytes: 4,
          order: "little",
        },
      },
    }],
    fill: 0,
  };
  const cache = new ChunkCache(layout, "int32", () => Promise.resolve(source), "a", 1 << 20);
  return { cache, count };
}

Deno.test("chunks of several files that are decoded in turn keep apart", async () => {
  const wrong: string[] = [];
  await Promise.all(Array.from({ length: 6 }, async (_, k) => {
    const { cache, count } = chunksOf(k + 1, 50);
    for (let i = 0; i < count; i++) {
      if (i % 10 === 0) cache.prefetch([i, i + 1, i + 2]);
      await cache.use(i, false, (values) => {
        if (values.length !== 1000 || values.some((v) => v !== k + 1)) wrong.push(`${k}: ${i}`);
      });
    }
  }));
  assert.deepEqual(wrong, []);
});
