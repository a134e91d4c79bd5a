import assert from "node:assert/strict";
import fc from "fast-check";
import { isFuseError } from "../src/errors.ts";
import { CachedSource } from "../src/source/cache.ts";
import { CoalescedSource } from "../src/source/coalesce.ts";
import { MemorySource } from "../src/source/memory.ts";
import type { ByteSource, ReadOptions } from "../src/source/source.ts";
import { WrappedSource } from "../src/source/wrapped.ts";
import { collect, patterned } from "./support/range-server.ts";

/** Answers late and writes down what it was asked. */
class RecordingSource extends WrappedSource {
  readonly asked: [offset: number, length: number][] = [];
  fail = 0;
  aborted = 0;
  delayMillis = 0;
  bytesInFlight = 0;
  mostInFlight = 0;

  constructor(bytes: Uint8Array) {
    super(new MemorySource("rec.bin", bytes));
  }
  override get distance(): "remote" {
    return "remote";
  }
  override async read(offset: number, length: number, options: ReadOptions = {}) {
    this.asked.push([offset, length]);
    this.bytesInFlight += length;
    this.mostInFlight = Math.max(this.mostInFlight, this.bytesInFlight);
    options.signal?.addEventListener("abort", () => this.aborted++);
    await new Promise((resolve) => setTimeout(resolve, this.delayMillis));
    this.bytesInFlight -= length;
    if (this.fail > 0) {
      this.fail--;
      throw new Error("lost");
    }
    return await this.inner.read(offset, length);
  }
  override async readInto(offset: number, target: Uint8Array, options: ReadOptions = {}) {
    target.set(await this.read(offset, target.length, options));
  }
}

const BYTES = patterned(50_000);
const BUDGET = { blockBytes: 1000, heldBytes: 20_000, readAheadBytes: 8000 };

function cached(bytes = BYTES) {
  const inner = new RecordingSource(bytes);
  return { inner, source: new CachedSource(inner, BUDGET) };
}

const header: ReadOptions = { purpose: "header" };

Deno.test("cache: header reads fetch blocks once, and the read-ahead grows while reads go on in order", async () => {
  const { inner, source } = cached();
  for (let at = 0; at < 12_000; at += 250) {
    assert.deepEqual(await source.read(at, 250, header), BYTES.slice(at, at + 250));
  }
  assert.deepEqual(inner.asked, [[0, 1000], [1000, 2000], [3000, 4000], [7000, 8000]]);
  await source.read(40_500, 10, header);
  assert.deepEqual(inner.asked.at(-1), [40_000, 1000]);
});

Deno.test("cache: bulk reads go past it, large header reads too", async () => {
  const { inner, source } = cached();
  assert.deepEqual(await source.read(5, 20_000, { purpose: "bulk" }), BYTES.slice(5, 20_005));
  assert.deepEqual(await source.read(5, 9000, header), BYTES.slice(5, 9005));
  assert.deepEqual(inner.asked, [[5, 20_000], [5, 9000]]);
  assert.equal(source.heldBytes, 0);
});

Deno.test("cache: holds no more than its budget, and drops the least recently used", async () => {
  const { inner, source } = cached();
  for (let block = 0; block < 40; block++) {
    await source.read(block % 2 ? 500 : (40 - block) * 1000, 10, header);
    assert.ok(source.heldBytes <= BUDGET.heldBytes);
  }
  inner.asked.length = 0;
  await source.read(500, 10, header);
  assert.deepEqual(inner.asked, []);
  await source.read(40_000, 10, header);
  assert.equal(inner.asked.length, 1);
});

Deno.test("cache: readers that want the same blocks share one request", async () => {
  const { inner, source } = cached();
  const reads = Array.from({ length: 20 }, (_, i) => source.read(i * 10, 10, header));
  const pieces = await Promise.all(reads);
  pieces.forEach((piece, i) => assert.deepEqual(piece, BYTES.slice(i * 10, i * 10 + 10)));
  assert.equal(inner.asked.length, 1);
});

Deno.test("cache: a shared request is given up only when the last reader gives up", async () => {
  const { inner, source } = cached();
  inner.delayMillis = 20;
  const one = new AbortController();
  const two = new AbortController();
  const first = source.read(0, 10, { ...header, signal: one.signal });
  const second = source.read(10, 10, { ...header, signal: two.signal });
  one.abort();
  await assert.rejects(first, (error) => isFuseError(error, "Aborted"));
  assert.deepEqual(await second, BYTES.slice(10, 20));
  assert.equal(inner.aborted, 0);
  const third = source.read(30_000, 10, { ...header, signal: two.signal });
  two.abort();
  await assert.rejects(third, (error) => isFuseError(error, "Aborted"));
  assert.equal(inner.aborted, 1);
  assert.deepEqual(await source.read(30_000, 10, header), BYTES.slice(30_000, 30_010));
  // The request given up still has its timer to run out.
  await new Promise((resolve) => setTimeout(resolve, 25));
});

Deno.test("cache: a failed request is not remembered", async () => {
  const { inner, source } = cached();
  inner.fail = 1;
  await assert.rejects(source.read(0, 10, header), /lost/);
  assert.deepEqual(await source.read(0, 10, header), BYTES.slice(0, 10));
  await assert.rejects(source.read(49_999, 2, header), (e) => isFuseError(e, "Truncated"));
  assert.deepEqual(await source.readUpTo(49_999, 2, header), BYTES.slice(49_999));
});

Deno.test("coalesce: near reads of one turn are one request, far ones are not", async () => {
  const inner = new RecordingSource(BYTES);
  const source = new CoalescedSource(inner, {
    gapBytes: 100,
    requestBytes: 4000,
    inFlightBytes: 8000,
  });
  const places = [[3000, 100], [0, 500], [560, 300], [3150, 50], [40_000, 10], [1200, 1500], [
    10_000,
    4000,
  ]];
  const read = await Promise.all(places.map(([at, n]) => source.read(at, n)));
  read.forEach((bytes, i) => {
    const [at, n] = places[i];
    assert.deepEqual(bytes, BYTES.slice(at, at + n));
  });
  // The read as large as a request goes alone, without waiting for the others.
  assert.deepEqual(inner.asked.shift(), [10_000, 4000]);
  assert.deepEqual(inner.asked, [[0, 860], [1200, 1500], [3000, 200], [40_000, 10]]);
});

Deno.test("coalesce: no more than the budget is under way at a time", async () => {
  const inner = new RecordingSource(BYTES);
  inner.delayMillis = 2;
  const source = new CoalescedSource(inner, {
    gapBytes: 0,
    requestBytes: 1500,
    inFlightBytes: 3000,
  });
  await Promise.all(Array.from({ length: 20 }, (_, i) => source.read(i * 2000, 1000)));
  assert.equal(inner.asked.length, 20);
  assert.ok(inner.mostInFlight <= 3000, `${inner.mostInFlight}`);
});

Deno.test("coalesce: one reader's abort leaves the others their bytes; a failure reaches all", async () => {
  const inner = new RecordingSource(BYTES);
  inner.delayMillis = 10;
  const source = new CoalescedSource(inner);
  const controller = new AbortController();
  const first = source.read(0, 10, { signal: controller.signal });
  const second = source.read(20, 10);
  setTimeout(() => controller.abort(), 3);
  await assert.rejects(first, (error) => isFuseError(error, "Aborted"));
  assert.deepEqual(await second, BYTES.slice(20, 30));
  inner.fail = 1;
  const both = await Promise.allSettled([source.read(0, 10), source.read(20, 10)]);
  assert.deepEqual(both.map((r) => r.status), ["rejected", "rejected"]);
});

Deno.test("wrappers read the same bytes as the source, however the reads are cut", async () => {
  const bytes = patterned(5000);
  const reads = fc.array(
    fc.record({
      offset: fc.nat(5000),
      length: fc.nat(1500),
      purpose: fc.constantFrom("header", "bulk", undefined),
      into: fc.boolean(),
      together: fc.boolean(),
    }),
    { minLength: 1, maxLength: 20 },
  );
  const budgets = fc.record({
    blockBytes: fc.integer({ min: 1, max: 700 }),
    heldBytes: fc.integer({ min: 1, max: 4000 }),
    readAheadBytes: fc.integer({ min: 1, max: 4000 }),
    gapBytes: fc.nat(500),
    requestBytes: fc.integer({ min: 1, max: 3000 }),
    inFlightBytes: fc.integer({ min: 1, max: 5000 }),
  });
  await fc.assert(
    fc.asyncProperty(reads, budgets, async (plan, budget) => {
      const inner: ByteSource = new RecordingSource(bytes);
      const source = new CachedSource(new CoalescedSource(inner, budget), budget);
      let open: Promise<void>[] = [];
      for (const { offset, length, purpose, into, together } of plan) {
        const expected = bytes.slice(offset, Math.min(bytes.length, offset + length));
        const check = async () => {
          if (into) {
            const target = new Uint8Array(expected.length);
            await source.readInto(offset, target, { purpose });
            assert.deepEqual(target, expected);
          } else {
            assert.deepEqual(await source.readUpTo(offset, length, { purpose }), expected);
          }
        };
        open.push(check());
        if (!together) {
          await Promise.all(open);
          open = [];
        }
      }
      await Promise.all(open);
      assert.deepEqual(await collect(source.stream(plan[0].offset)), bytes.slice(plan[0].offset));
    }),
    { numRuns: 60 },
  );
});
