import assert from "node:assert/strict";
import { spike2 } from "../decoders/ephys/spike2.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { buildSon, type SonChannel } from "./support/spike2-files.ts";

const reader = await spike2.load();

/** Values of a column of the first event table, which is small enough to lie in memory. */
function column(dataset: Dataset, name: string): unknown[] {
  const hit = dataset.events[0].columns.find((c) => c.name === name);
  assert.ok(hit && hit.layout.kind === "values", name);
  return [...hit.layout.values];
}

const text = (s: string) => new TextEncoder().encode(s);

/** Nine bytes of text a marker, in items of `itemBytes`. */
function notes(itemBytes: number): SonChannel {
  return {
    number: 1,
    kind: 8,
    extraBytes: 9,
    itemBytes,
    blocks: [
      { marks: [{ tick: 5, codes: [1, 2, 3, 4], text: text("one") }] },
      {
        marks: [
          { tick: 70, codes: [5, 6, 7, 8], text: text("two") },
          { tick: 300, codes: [9, 0, 0, 255], text: text("nine byte") },
          { tick: 301, codes: [0, 0, 0, 0], text: text("") },
        ],
      },
      { marks: [{ tick: 400, text: text("five") }, { tick: 500, text: text("six") }] },
    ],
  };
}

Deno.test("spike2: markers are found whether or not they are filled up to whole words", async () => {
  for (const itemBytes of [17, 20]) {
    for (const bigEndian of [false, true]) {
      const file = buildSon({
        bigEndian,
        timeBase: 1e-3,
        usPerTime: 1,
        channels: [notes(itemBytes)],
      });
      const dataset = await reader.open(new MemorySource("notes.smr", file.bytes), {});
      assert.deepEqual(column(dataset, "time"), [0.005, 0.07, 0.3, 0.301, 0.4, 0.5]);
      assert.deepEqual(column(dataset, "label"), ["one", "two", "nine byte", "", "five", "six"]);
      assert.deepEqual(column(dataset, "code").slice(4, 12), [5, 6, 7, 8, 9, 0, 0, 255]);
      assert.deepEqual(dataset.warnings, []);
    }
  }
});

Deno.test("spike2: an odd number of points leaves no padding among the points", async () => {
  const points = (from: number) => [from, from + 1, from + 2];
  const file = buildSon({
    timeBase: 1e-3,
    usPerTime: 1,
    channels: [{
      number: 1,
      kind: 6,
      divide: 1,
      traces: 1,
      extraBytes: 6,
      itemBytes: 16,
      blocks: [{ marks: [{ tick: 1, values: points(10) }, { tick: 9, values: points(-3) }] }],
    }],
  });
  const dataset = await reader.open(new MemorySource("spikes.smr", file.bytes), {});
  assert.deepEqual(column(dataset, "time"), [0.001, 0.009]);
  assert.deepEqual(column(dataset, "waveform"), [10, 11, 12, -3, -2, -1]);
});
