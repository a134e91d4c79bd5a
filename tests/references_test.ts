/** References say where the bytes are: reading the ranges gives the values. */
import assert from "node:assert/strict";
import { parquetReadObjects } from "hyparquet";
import { planFile } from "../src/convert.ts";
import { parquetReferences } from "../src/sinks/refs/parquet.ts";
import { makeReferences, type References } from "../src/sinks/refs/references.ts";
import { MemorySource } from "../src/source/memory.ts";
import { waveFile } from "./support/wave-file.ts";

const SAMPLES = Int16Array.from({ length: 2 * 300_000 }, (_, i) => (i * 7919) & 0x7fff);
const FILE = waveFile(SAMPLES, 2, 8000);

async function references(): Promise<References> {
  const source = new MemorySource("a.wav", FILE);
  const { plan, dataset } = await planFile(source, { zarrFormat: 2 });
  return await makeReferences(plan, dataset, ["file:///a.wav"]);
}

function chunkBytes(reference: unknown): Uint8Array {
  if (Array.isArray(reference)) {
    const [url, offset, length] = reference as [string, number, number];
    assert.equal(url, "file:///a.wav");
    return FILE.subarray(offset, offset + length);
  }
  return Uint8Array.from(atob((reference as string).slice(7)), (c) => c.charCodeAt(0));
}

Deno.test("interleaved scans are referred to as [time, channel], the short end kept inside", async () => {
  const { refs } = await references();
  const { shape, chunks, dtype, compressor } = JSON.parse(refs.get("signals/.zarray") as string);
  assert.deepEqual([shape, dtype, compressor], [[300_000, 2], "<i2", null]);
  const attributes = JSON.parse(refs.get("signals/.zattrs") as string);
  assert.deepEqual(attributes._ARRAY_DIMENSIONS, ["time", "channel"]);
  assert.equal(attributes.scale_factor, 1 / 32768);
  const count = Math.ceil(shape[0] / chunks[0]);
  const values: number[] = [];
  for (let k = 0; k < count; k++) {
    const bytes = chunkBytes(refs.get(`signals/${k}.0`)).slice();
    assert.equal(bytes.length, chunks[0] * 4);
    for (const value of new Int16Array(bytes.buffer)) values.push(value);
  }
  assert.deepEqual(values.slice(0, SAMPLES.length), [...SAMPLES]);
  assert.ok(typeof refs.get(`signals/${count - 1}.0`) === "string");
});

Deno.test("the parquet form holds the same references", async () => {
  const made = await references();
  const files = await parquetReferences(made);
  const { metadata, record_size } = JSON.parse(new TextDecoder().decode(files.get(".zmetadata")));
  assert.equal(record_size, 10_000);
  assert.ok(metadata["signals/.zarray"]);
  const bytes = files.get("signals/refs.0.parq")!;
  const rows = await parquetReadObjects({ file: bytes.slice().buffer }) as {
    path: string | null;
    offset: bigint;
    size: bigint;
  }[];
  assert.equal(rows.length, 10_000);
  const [url, offset, length] = made.refs.get("signals/0.0") as [string, number, number];
  assert.deepEqual([rows[0].path, Number(rows[0].offset), Number(rows[0].size)], [
    url,
    offset,
    length,
  ]);
});

Deno.test("what cannot be expressed is left out and said", async () => {
  const bytes = FILE.slice();
  // mu-law words need a decoder no plain reader has.
  const view = new DataView(bytes.buffer);
  view.setUint16(20, 7, true);
  view.setUint16(34, 8, true);
  view.setUint16(32, 2, true);
  const source = new MemorySource("u.wav", bytes);
  const { plan, dataset } = await planFile(source, { zarrFormat: 2 });
  const { refs, leftOut } = await makeReferences(plan, dataset, ["file:///u.wav"]);
  assert.equal(refs.has("signals/.zarray"), false);
  assert.match(leftOut.find((l) => l.what === "signals")!.why, /mulaw/);
});
