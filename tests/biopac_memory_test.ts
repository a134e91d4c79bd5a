import assert from "node:assert/strict";
import { biopac } from "../decoders/ephys/biopac.ts";
import { MemorySource } from "../src/source/memory.ts";
import { biopacFile } from "./support/biopac-files.ts";

Deno.test("acq: a stretch of silence, compressed a thousandfold, comes in bounded pieces", async () => {
  const count = 12_000_000;
  const bytes = await biopacFile({
    revision: 132,
    littleEndian: true,
    sampleTimeMs: 1,
    compressed: true,
    channels: [{ name: "silence", values: new Int16Array(count), number: 1 }],
  });
  assert.ok(bytes.length < 64_000);
  const dataset = await (await biopac.load()).open(new MemorySource("silence.acq", bytes), {});
  const { stream } = dataset.recordings[0].parts[0].layout as { stream: string };
  let samples = 0;
  for await (const block of dataset.openStream!(stream, {})) {
    assert.ok(block.count * 2 <= 9 << 20, `${block.count} samples at once`);
    samples += block.count;
  }
  assert.equal(samples, count);
});
