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

Deno.test("acq: very many markers are streamed, and the samples still are", async () => {
  const count = 20_000;
  for (const compressed of [false, true]) {
    const bytes = await biopacFile({
      revision: 132,
      littleEndian: true,
      sampleTimeMs: 0.5,
      compressed,
      channels: [{ name: "ECG", values: Int16Array.of(1, 2, 3), number: 1, order: 1 }],
      markers: Array.from({ length: count }, (_, i) => ({
        sample: i,
        text: `beat ${i}`,
        style: "qrs ",
        channel: 1,
        createdMs: Date.UTC(2020, 0) + i,
      })),
    });
    const dataset = await (await biopac.load()).open(new MemorySource("beats.acq", bytes), {});
    const [table] = dataset.events;
    assert.equal(table.count, count);
    const columns = new Map<string, unknown[]>();
    for (const { layout } of table.columns) assert.equal(layout.kind, "stream");
    for await (const { field, values } of dataset.openStream!("markers", {})) {
      columns.set(field, [...columns.get(field) ?? [], ...values]);
    }
    assert.deepEqual([...columns.keys()], table.columns.map((c) => c.name));
    for (const values of columns.values()) assert.equal(values.length, count);
    assert.equal(columns.get("time")![19_999], 9.9995);
    assert.equal(columns.get("label")![8192], "beat 8192");
    assert.equal(columns.get("channel")![0], "ECG");
    assert.equal(columns.get("created")![1], "2020-01-01T00:00:00.001Z");
    if (compressed) {
      const { stream } = dataset.recordings[0].parts[0].layout as { stream: string };
      for await (const block of dataset.openStream!(stream, {})) {
        assert.deepEqual([...block.values], [1, 2, 3]);
      }
    }
  }
});
