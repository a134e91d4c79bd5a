import assert from "node:assert/strict";
import { inLanes } from "../src/stream/lanes.ts";

Deno.test("results come in order, with no more than the lanes under way", async () => {
  let running = 0, most = 0;
  const items = Array.from({ length: 20 }, (_, i) => i);
  const results = await Array.fromAsync(inLanes(items, 4, async (i) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, (i * 7) % 5));
    running--;
    return i * i;
  }));
  assert.deepEqual(results, items.map((i) => i * i));
  assert.equal(most, 4);
});

Deno.test("the first failure ends the sequence", async () => {
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (
      const i of inLanes(
        [0, 1, 2, 3],
        2,
        (i) => i === 2 ? Promise.reject(new Error("no")) : Promise.resolve(i),
      )
    ) {
      seen.push(i);
    }
  }, /no/);
  assert.deepEqual(seen, [0, 1]);
});
