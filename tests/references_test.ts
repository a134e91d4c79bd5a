/** References say where the bytes are: reading the ranges gives the values. */
import assert from "node:assert/strict";
import { parquetReadObjects } from "hyparquet";
import * as zarr from "zarrita";
import ReferenceStore from "@zarrita/storage/ref";
import { planFile } from "../src/convert.ts";
import { emptyDataset, type Json } from "../src/model/dataset.ts";
import type { DType } from "../src/model/dtype.ts";
import { frameTable } from "../src/model/layout.ts";
import { buildPlan } from "../src/plan/build.ts";
import { MemoryOutput } from "../src/sinks/ordered/output.ts";
import { chunkLength } from "../src/sinks/refs/chunk-length.ts";
import { elementBytes, encodeInline } from "../src/sinks/refs/inline.ts";
import { writeReferenceJson } from "../src/sinks/refs/json.ts";
import { nativeCodec } from "../src/sinks/refs/native-codecs.ts";
import { writeReferenceParquet } from "../src/sinks/refs/parquet.ts";
import { sourcePlace } from "../src/sinks/refs/places.ts";
import type { References } from "../src/sinks/refs/reference.ts";
import { makeReferences } from "../src/sinks/refs/references.ts";
import { MemorySource } from "../src/source/memory.ts";
import { openSource } from "../src/source/open.ts";
import type { ByteSource } from "../src/source/source.ts";
import { SliceSource } from "../src/source/zip.ts";
import { startRangeServer } from "./support/range-server.ts";
import { waveFile } from "./support/wave-file.ts";

/** A prime number of samples: no chunk length divides it. */
const SAMPLES = Int16Array.from({ length: 2 * 299_993 }, (_, i) => (i * 7919) & 0x7fff);
const FILE = waveFile(SAMPLES, 2, 8000);

async function references(url: string, bytes = FILE): Promise<References> {
  const source = new MemorySource("a.wav", bytes);
  const { plan, dataset } = await planFile(source, { zarrFormat: 2 });
  return makeReferences(plan, dataset, [{ url, offset: 0 }]);
}

async function documentOf(made: References): Promise<Record<string, unknown>> {
  const output = new MemoryOutput();
  await writeReferenceJson(made, output);
  return JSON.parse(new TextDecoder().decode(output.bytes())).refs;
}

Deno.test("interleaved scans are referred to as [time, channel], the short end kept inside", async () => {
  const refs = await documentOf(await references("file:///a.wav"));
  const { shape, chunks, dtype, compressor } = JSON.parse(refs["signals/.zarray"] as string);
  assert.deepEqual([shape, dtype, compressor], [[299_993, 2], "<i2", null]);
  const attributes = JSON.parse(refs["signals/.zattrs"] as string);
  assert.deepEqual(attributes._ARRAY_DIMENSIONS, ["time", "channel"]);
  assert.equal(attributes.scale_factor, 1 / 32768);
  const count = Math.ceil(shape[0] / chunks[0]);
  assert.ok(count > 3);
  const values: number[] = [];
  for (let k = 0; k < count; k++) {
    const reference = refs[`signals/${k}.0`];
    let bytes: Uint8Array;
    if (Array.isArray(reference)) {
      const [url, offset, length] = reference;
      assert.equal(url, "file:///a.wav");
      bytes = FILE.slice(offset, offset + length);
    } else {
      assert.equal(k, count - 1);
      bytes = Uint8Array.from(atob((reference as string).slice(7)), (c) => c.charCodeAt(0));
    }
    assert.equal(bytes.length, chunks[0] * 4);
    for (const value of new Int16Array(bytes.buffer as ArrayBuffer)) values.push(value);
  }
  assert.deepEqual(values.slice(0, SAMPLES.length), [...SAMPLES]);
});

Deno.test("zarrita reads the references over http", async () => {
  const server = startRangeServer(FILE);
  try {
    const source = await openSource(`${server.url}/a.wav`);
    const { plan, dataset } = await planFile(source, { zarrFormat: 2 });
    const made = makeReferences(plan, dataset);
    const store = ReferenceStore.fromSpec({ version: 1, refs: await documentOf(made) } as never);
    const root = zarr.root(await store);
    const signals = await zarr.open.v2(root.resolve("signals"), { kind: "array" });
    assert.deepEqual(signals.shape, [299_993, 2]);
    const part = await zarr.get(signals, [zarr.slice(150_000, 150_100), 1]);
    assert.deepEqual(
      [...part.data as Int16Array],
      Array.from({ length: 100 }, (_, i) => SAMPLES[2 * (150_000 + i) + 1]),
    );
    const end = await zarr.get(signals, [zarr.slice(299_990, 299_993), null]);
    assert.deepEqual([...end.data as Int16Array], [...SAMPLES.slice(-6)]);
    const time = await zarr.open.v2(root.resolve("time"), { kind: "array" });
    const times = await zarr.get(time, [zarr.slice(200_000, 200_002)]);
    assert.deepEqual([...times.data as Float64Array], [25, 200_001 / 8000]);
    const names = await zarr.open.v2(root.resolve("channel"), { kind: "array" });
    assert.equal((await zarr.get(names)).data.length, 2);
    await source.close();
  } finally {
    await server.stop();
  }
});

Deno.test("the parquet form holds the same references, a folder a group", async () => {
  const made = await references("file:///a.wav");
  const files = new Map<string, Uint8Array>();
  await writeReferenceParquet(made, (key, bytes) => void files.set(key, bytes));
  const { metadata, record_size } = JSON.parse(new TextDecoder().decode(files.get(".zmetadata")));
  assert.equal(record_size, 10_000);
  assert.ok(metadata["signals/.zarray"] && metadata[".zgroup"]);
  const rows = await parquetReadObjects({
    file: files.get("signals/refs.0.parq")!.slice().buffer,
  }) as { path: string | null; offset: bigint; size: bigint; raw: Uint8Array | null }[];
  const refs = await documentOf(made);
  assert.equal(rows.length, Object.keys(refs).filter((k) => /^signals\/\d/.test(k)).length);
  const [url, offset, length] = refs["signals/1.0"] as [string, number, number];
  assert.deepEqual([rows[1].path, Number(rows[1].offset), Number(rows[1].size)], [
    url,
    offset,
    length,
  ]);
  // Readers take the path of every row for an address: where nothing is referred to, there is none.
  const times = await parquetReadObjects({ file: files.get("time/refs.0.parq")!.slice().buffer });
  assert.deepEqual(Object.keys(times[0]), ["raw"]);
});

Deno.test("what cannot be expressed is left out and said", async () => {
  const bytes = FILE.slice();
  // mu-law words need a decoder no plain reader has.
  const view = new DataView(bytes.buffer);
  view.setUint16(20, 7, true);
  view.setUint16(34, 8, true);
  view.setUint16(32, 2, true);
  const { metadata, leftOut, referred } = await references("file:///u.wav", bytes);
  assert.equal(metadata.has("signals/.zarray"), false);
  assert.equal(referred, 0);
  assert.match(leftOut.find((l) => l.what === "signals")!.why, /mulaw/);
});

/** A source of any size that is never read. */
function vast(size: number): ByteSource {
  return {
    name: "vast.bin",
    uri: "s3://bucket/vast.bin",
    size,
    access: "random",
    distance: "remote",
    spec: undefined,
    read: () => assert.fail("nothing has to be read"),
  } as unknown as ByteSource;
}

/** Two million packets of 100 samples of 4 channels, each behind a header. */
function packets(count: number): References {
  const frameBytes = 16 + 800;
  const source = vast(count * frameBytes);
  const dataset = emptyDataset("vast", [source]);
  dataset.frameTables.push(frameTable(frameBytes, [{ source: 0, offset: 0, frameCount: count }]));
  dataset.recordings.push({
    name: "signals",
    channels: Array.from({ length: 4 }, (_, i) => ({
      name: `${i}`,
      id: `${i}`,
      units: "uV",
      gain: 1,
      offset: 0,
    })),
    samplingFrequency: 30_000,
    sampleCount: count * 100,
    segments: [{ startIndex: 0, length: count * 100, startSeconds: 0 }],
    rawType: "int16",
    parts: [{
      firstChannel: 0,
      channelCount: 4,
      layout: {
        kind: "frames",
        table: 0,
        stored: "int16",
        littleEndian: true,
        samplesPerFrame: 100,
        channelOffsets: [16, 216, 416, 616],
        sampleStride: 2,
      },
    }],
  });
  const provenance = { score: 1, why: "", convertedAt: "", conversion: {} };
  const plan = buildPlan(dataset, { zarrFormat: 2 }, provenance);
  return makeReferences(plan, dataset);
}

Deno.test("two million chunks are written in bounded memory", async () => {
  const count = 2_000_000;
  const made = packets(count);
  let bytes = 0, most = 0, last = "";
  const { ranges } = await writeReferenceJson(made, {
    write: (piece) => {
      bytes += piece.length;
      most = Math.max(most, piece.length);
      last = new TextDecoder().decode(piece);
    },
  });
  assert.equal(ranges, count);
  assert.ok(bytes > 100 * count / 2 && most < 1 << 20, `${bytes} bytes, ${most} at once`);
  assert.match(last, /"signals\/0\.1999999":\["s3:\/\/bucket\/vast.bin",1631999200,800\]/);
});

Deno.test("files of the parquet form are made one by one", async () => {
  const made = packets(1_200_000);
  let files = 0;
  let last = new Uint8Array();
  await writeReferenceParquet(made, (key, bytes) => {
    if (key.startsWith("signals/")) {
      files++;
      last = new Uint8Array(bytes);
    }
  });
  assert.equal(files, 12);
  const rows = await parquetReadObjects({
    file: last.buffer,
    columns: ["path", "offset"],
    rowStart: 99_999,
  }) as { offset: bigint }[];
  assert.equal(Number(rows[0].offset), 1_199_999 * 816 + 16);
});

Deno.test("chunk lengths follow pauses, and copies stay few", () => {
  const row = { rows: 1, stepBytes: 4, period: 0, inlineBytes: 8 << 20 };
  // Blocks of 16000 samples: chunks that fit them.
  const even = Float64Array.from({ length: 99 }, (_, i) => (i + 1) * 16_000);
  assert.equal(chunkLength({ ...row, length: 1_600_000, borders: [even] }), 16_000);
  // Two odd pauses: what is around them is copied.
  const odd = chunkLength({ ...row, length: 10_000_000, borders: [[1_234_567, 7_654_321]] });
  assert.ok(typeof odd === "number" && odd * 4 >= 64 << 10, String(odd));
  // A pause every few samples: nothing is worth a reference.
  const broken = Float64Array.from({ length: 500_000 }, (_, i) => 7 * i + 7 + (i % 3));
  const none = chunkLength({ ...row, length: 4_000_000, borders: [broken] });
  assert.match((none as { reason: string }).reason, /pauses/);
});

Deno.test("HDF5 filters become the codecs of numcodecs", () => {
  const codec = (filters: { id: number; values: number[] }[]) =>
    nativeCodec({
      id: "hdf5",
      params: {
        filters,
        coding: { elementBytes: 4, offset: 0, arrays: [], itemBytes: 4, outBytes: 4, order: "big" },
      },
    }, "int32");
  assert.deepEqual(codec([{ id: 2, values: [4] }, { id: 1, values: [5] }, { id: 3, values: [] }]), {
    filters: [{ id: "shuffle", elementsize: 4 }],
    compressor: { id: "zlib", level: 5 },
    bigEndian: true,
    trim: 4,
    short: false,
    samples: 1,
  });
  assert.deepEqual(codec([{ id: 3, values: [] }, { id: 1, values: [5] }]), {
    filters: [{ id: "fletcher32" }],
    compressor: { id: "zlib", level: 5 },
    bigEndian: true,
    trim: 0,
    short: false,
    samples: 1,
  });
  assert.match((codec([{ id: 32008, values: [] }]) as { reason: string }).reason, /bitshuffle/);
});

Deno.test("a stored member of an archive is a range of it", () => {
  const archive = new MemorySource("both.zip", new Uint8Array(100));
  const member = new SliceSource(archive, 40, 20, "in.wav");
  assert.deepEqual(sourcePlace(member), { url: archive.uri, offset: 40 });
  const deeper = new SliceSource(member, 5, 10, "part");
  assert.deepEqual(sourcePlace(deeper), { url: archive.uri, offset: 45 });
  assert.deepEqual(sourcePlace(vast(1), "https://example.org/data/"), {
    url: "https://example.org/data/vast.bin",
    offset: 0,
  });
});

Deno.test("elements are written as files hold them", () => {
  const hex = (value: number, dtype: DType) => [...elementBytes(value, dtype)];
  assert.deepEqual(hex(-2, "int16"), [254, 255]);
  assert.deepEqual(hex(258, "uint32"), [2, 1, 0, 0]);
  assert.deepEqual(hex(-129, "int32"), [127, 255, 255, 255]);
  assert.deepEqual(hex(-1, "int64"), new Array(8).fill(255));
  assert.deepEqual(hex(1.5, "float32"), [0, 0, 192, 63]);
  assert.deepEqual(hex(1, "bool"), [1]);
});

Deno.test("what is kept inside is decoded by the codecs of the other chunks", async () => {
  const values = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 7);
  const compressors: (Record<string, Json> | null)[] = [
    null,
    { id: "zlib", level: 6 },
    { id: "zstd", level: 3 },
    { id: "blosc", cname: "lz4", clevel: 5, shuffle: 1, blocksize: 0 },
  ];
  for (const compressor of compressors) {
    const bytes = await encodeInline(values, "int32", {
      compressor,
      filters: [{ id: "shuffle", elementsize: 4 }],
      bigEndian: true,
      trim: 0,
      short: false,
      samples: 1,
    });
    const document = {
      zarr_format: 2,
      shape: [75_000],
      chunks: [75_000],
      dtype: ">i4",
      compressor,
      filters: [{ id: "shuffle", elementsize: 4 }],
      fill_value: null,
      order: "C",
    };
    const keys = new Map<string, Uint8Array>([
      ["/.zarray", new TextEncoder().encode(JSON.stringify(document))],
      ["/0", bytes],
    ]);
    const array = await zarr.open.v2(keys, { kind: "array", attrs: false });
    const { data } = await zarr.get(array);
    assert.deepEqual(
      new Uint8Array((data as Int32Array).buffer),
      values,
      JSON.stringify(compressor),
    );
  }
});
