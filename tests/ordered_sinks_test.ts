/** Outputs that are no stores: what they hold, read back by readers of their own. */
import assert from "node:assert/strict";
import { tableFromIPC } from "apache-arrow";
import fc from "fast-check";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { isFuseError } from "../src/errors.ts";
import {
  type Dataset,
  emptyDataset,
  eventsFromValues,
  type Recording,
  type StreamBlock,
} from "../src/model/dataset.ts";
import { frameTable } from "../src/model/layout.ts";
import { csvCell } from "../src/sinks/ordered/csv.ts";
import { shortestFloat32 } from "../src/sinks/ordered/numbers.ts";
import { MemorySource } from "../src/source/memory.ts";
import { interleaved, type InterleavedSpec } from "./support/build-dataset.ts";
import { channelSamples } from "./support/materialize.ts";
import { readNpy, readNpz, readZip } from "./support/read-npy.ts";
import { writeOne, writeSink } from "./support/write-sink.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Three channels of 16 bits with one scale, a pause, and enough samples for many tasks. */
const SPEC: InterleavedSpec = {
  stored: "int16",
  channels: 3,
  samples: 3000,
  runs: [1000, 2000],
  gains: [0.25, 0.25, 0.25],
  offsets: [1, 1, 1],
};

/** Physical values of every channel. */
async function physical(dataset: Dataset, recording = dataset.recordings[0]): Promise<number[][]> {
  return await Promise.all(
    recording.channels.map(async ({ gain, offset }, c) =>
      (await channelSamples(dataset, recording, c)).map((raw) => Number(raw) * gain + offset)
    ),
  );
}

/** Times of {@link SPEC}: a pause of half a second after the first run. */
const time = (i: number) => (i < 1000 ? i / 1000 : 1.5 + (i - 1000) / 1000);

/** A recording of `rows` rows that only a stream gives, in uneven blocks, with a table of events. */
function streamed(rows: number, known: boolean): Dataset {
  const dataset = emptyDataset("test", [new MemorySource("stream.txt", new Uint8Array(100))]);
  const layout = (field: string) => ({ kind: "stream" as const, stream: "all", field });
  dataset.recordings.push({
    name: "signals",
    channels: ["a", "b"].map((name) => ({ name, units: "V", gain: 1, offset: 0 })),
    samplingFrequency: null,
    sampleCount: known ? rows : null,
    segments: [],
    rawType: "float64",
    parts: [{ firstChannel: 0, channelCount: 2, layout: layout("signals") }],
    time: layout("time"),
  });
  dataset.events.push({
    name: "marks",
    count: null,
    columns: [
      { name: "time", dtype: "float64", units: "s", innerShape: [], layout: layout("marks/time") },
      { name: "label", dtype: "string", innerShape: [], layout: layout("marks/label") },
    ],
  });
  dataset.openStream = () => {
    function* blocks(): Generator<StreamBlock> {
      for (let at = 0; at < rows;) {
        const count = Math.min(rows - at, 1 + (at * 7) % 400);
        const signals = new Float64Array(2 * count), times = new Float64Array(count);
        for (let i = 0; i < count; i++) {
          signals[i] = at + i;
          signals[count + i] = -(at + i) / 8;
          times[i] = (at + i) / 10;
        }
        yield { field: "signals", values: signals, count };
        yield { field: "marks/label", values: [`at ${at}`], count: 1 };
        // Times come after their samples, and the time of a mark after its label.
        yield { field: "time", values: times, count };
        yield { field: "marks/time", values: Float64Array.of(at / 10), count: 1 };
        at += count;
      }
      yield { field: "warnings", values: ["one cell was no number"], count: 1 };
    }
    return ReadableStream.from(blocks());
  };
  return dataset;
}

Deno.test("npy: signals [channel, time] in physical values, or as they are", async () => {
  const dataset = interleaved(SPEC);
  const floats = readNpy(await writeOne("npy", dataset));
  assert.deepEqual([floats.descr, floats.fortranOrder, floats.shape], ["<f4", true, [3, 3000]]);
  assert.deepEqual(floats.values, (await physical(dataset)).flat());
  const raw = readNpy(await writeOne("npy", dataset, { keep: "raw" }));
  assert.equal(raw.descr, "<i2");
  assert.deepEqual(
    raw.values,
    (await Promise.all([0, 1, 2].map((c) => channelSamples(dataset, dataset.recordings[0], c))))
      .flat(),
  );
});

Deno.test("npy: the type is the narrowest that keeps the converter's integers", async () => {
  const cases: [Partial<InterleavedSpec>, string][] = [
    [{ stored: "int16", gains: [1, 1, 1], offsets: [0, 0, 0] }, "<i2"],
    [{ stored: "int64", gains: [1, 1, 1], offsets: [0, 0, 0] }, "<i8"],
    [{ stored: "int16", gains: [0.25, 0.1, 7] }, "<f4"],
    // Powers of two scale 24 bits exactly into a float's 24; 0.1 does not.
    [{ stored: "int24", gains: Array(3).fill(2 ** -23), offsets: [0, 0, 0] }, "<f4"],
    [{ stored: "int24", gains: Array(3).fill(0.1), offsets: [0, 0, 0] }, "<f8"],
    [{ stored: "int32", gains: [0.5, 0.5, 0.5] }, "<f8"],
    [{ stored: "float32", gains: [1, 1, 1], offsets: [0, 0, 0] }, "<f4"],
  ];
  for (const [part, descr] of cases) {
    const dataset = interleaved({ ...SPEC, ...part });
    // The test's integers of 24 bits say so, as readers do.
    if (part.stored === "int24") dataset.recordings[0].significantBits = 24;
    const found = readNpy(await writeOne("npy", dataset));
    assert.equal(found.descr, descr, JSON.stringify(part));
    const expected = (await physical(dataset)).flat();
    found.values.forEach((v, i) => {
      const near = Object.is(v, expected[i]) ||
        Math.abs(Number(v) - expected[i]) <= Math.abs(expected[i]) * 6e-8;
      assert.ok(near, `${part.stored} ${i}: ${v}, expected ${expected[i]}`);
    });
  }
});

Deno.test("npy: the header of a stream is completed at its end", async () => {
  for (const rows of [0, 1, 5000]) {
    const found = readNpy(await writeOne("npy", streamed(rows, false)));
    assert.deepEqual(found.shape, [2, rows]);
    assert.equal(found.values[rows - 1], rows ? rows - 1 : undefined);
    assert.equal(found.values[2 * rows - 1], rows ? -(rows - 1) / 8 : undefined);
  }
});

Deno.test("npy: any array by its name; without a name, the choices are named", async () => {
  const dataset = interleaved(SPEC);
  const { files } = await writeSink("npy", dataset, { array: "time" });
  assert.deepEqual([...files.keys()], [".time.npy"]);
  assert.deepEqual(
    readNpy(files.get(".time.npy")!).values,
    Array.from({ length: 3000 }, (_, i) => time(i)),
  );
  const names = await writeSink("npy", dataset, { array: "channel" });
  assert.deepEqual(readNpy(names.files.get(".channel.npy")!).values, ["ch1", "ch2", "ch3"]);
  dataset.recordings.push({ ...dataset.recordings[0], name: "copy" });
  await assert.rejects(
    writeSink("npy", dataset),
    (e) => isFuseError(e, "Usage") && /signals\/signals, copy\/signals/.test(e.message),
  );
  const copy = await writeSink("npy", dataset, { array: "copy" });
  assert.deepEqual([...copy.files.keys()], [".copy.npy"]);
  await assert.rejects(
    writeSink("npy", dataset, { array: "nothing" }),
    (e) => isFuseError(e, "Usage") && /copy\/time/.test(e.message),
  );
});

Deno.test("npz: every array under its name, text without pickle, metadata as JSON", async () => {
  const dataset = interleaved(SPEC);
  dataset.events.push(
    eventsFromValues("marks", Float64Array.of(0.5, 2), { label: ["start", "dose 5 µg 🧠"] }),
    {
      name: "spikes",
      count: 2,
      columns: [{
        name: "waveform",
        dtype: "int16",
        innerShape: [3],
        layout: { kind: "values", values: Int16Array.of(4, 8, -4, 1, 2, 3) },
        attributes: { scale_factor: 0.25 },
      }],
    },
  );
  dataset.documents = { "notes.txt": "kept as it is" };
  dataset.metadata.notes = "a note";
  const bytes = await writeOne("npz", dataset);
  const arrays = readNpz(bytes);
  assert.deepEqual([...arrays.keys()].sort(), [
    "channel",
    "events/marks/label",
    "events/marks/time",
    "events/spikes/waveform",
    "metadata",
    "signals",
    "time",
  ]);
  assert.deepEqual(arrays.get("signals")!.shape, [3, 3000]);
  assert.deepEqual(arrays.get("signals")!.values, (await physical(dataset)).flat());
  assert.equal(arrays.get("time")!.values[1000], 1.5);
  assert.deepEqual(arrays.get("channel")!.values, ["ch1", "ch2", "ch3"]);
  assert.equal(arrays.get("events/marks/label")!.descr, "<U11");
  assert.deepEqual(arrays.get("events/marks/label")!.values, ["start", "dose 5 µg 🧠"]);
  // Packed columns are multiplied out like the signals.
  assert.deepEqual(arrays.get("events/spikes/waveform")!.values, [1, 2, -1, 0.25, 0.5, 0.75]);
  const metadata = JSON.parse(String(arrays.get("metadata")!.values[0]));
  assert.equal(metadata.attributes.notes, "a note");
  assert.equal(metadata.attributes.sampling_frequency, 1000);
  assert.deepEqual(metadata.arrays.signals, {
    dims: ["channel", "time"],
    attributes: { units: "uV" },
  });
  assert.equal(text(readZip(bytes).get("notes.txt")!), "kept as it is");
  const raw = readNpz(await writeOne("npz", dataset, { keep: "raw" }));
  assert.equal(raw.get("signals")!.descr, "<i2");
  assert.deepEqual(raw.get("gain")!.values, [0.25, 0.25, 0.25]);
  assert.equal(raw.get("events/spikes/waveform")!.descr, "<i2");
});

Deno.test("npz: streams of unknown length, and one text among many that is long", async () => {
  const dataset = streamed(5000, false);
  const arrays = readNpz(await writeOne("npz", dataset));
  assert.deepEqual(arrays.get("signals")!.shape, [2, 5000]);
  assert.equal(arrays.get("signals")!.values[5001], -1 / 8);
  assert.equal(arrays.get("time")!.values[4999], 499.9);
  const marks = arrays.get("events/marks/label")!;
  assert.equal(marks.shape[0], arrays.get("events/marks/time")!.shape[0]);
  assert.equal(marks.values[0], "at 0");
  const labels = ["é", "x".repeat(100_000), ...Array.from({ length: 300 }, (_, i) => `${i}`)];
  const long = emptyDataset("test", [new MemorySource("long", new Uint8Array(8))]);
  long.events.push(eventsFromValues("marks", new Float64Array(labels.length), { label: labels }));
  const ragged = readNpz(await writeOne("npz", long));
  const utf8 = Uint8Array.from(ragged.get("events/marks/label/utf8")!.values, Number);
  const ends = ragged.get("events/marks/label/ends")!.values.map(Number);
  assert.deepEqual(labels, ends.map((end, i) => text(utf8.subarray(ends[i - 1] ?? 0, end))));
});

Deno.test("npz and npy: images in C order, sweeps in a dimension of their own", async () => {
  const shape = [2, 70, 90], chunk = [1, 32, 64];
  const cells = 2 * 3 * 2, bytes = new Uint8Array(cells * 32 * 64).map((_, i) => (i * 31) % 251);
  const dataset = emptyDataset("test", [new MemorySource("image", bytes)]);
  dataset.images.push({
    name: "image",
    axes: ["c", "y", "x"],
    dtype: "uint8",
    levels: [{
      shape,
      layout: {
        kind: "chunks",
        chunkShape: chunk,
        source: new Int32Array(cells),
        offset: Float64Array.from({ length: cells }, (_, i) => i * 2048),
        length: new Float64Array(cells).fill(2048),
        codecs: [{ id: "raw", params: {} }],
        fill: 0,
      },
    }],
  });
  const expected: number[] = [];
  for (let c = 0; c < 2; c++) {
    for (let y = 0; y < 70; y++) {
      for (let x = 0; x < 90; x++) {
        const cell = c * 6 + Math.floor(y / 32) * 2 + Math.floor(x / 64);
        expected.push(bytes[cell * 2048 + (y % 32) * 64 + x % 64]);
      }
    }
  }
  for (
    const found of [
      readNpz(await writeOne("npz", dataset)).get("0")!,
      readNpy(await writeOne("npy", dataset)),
    ]
  ) {
    assert.deepEqual([found.shape, found.fortranOrder], [shape, false]);
    assert.deepEqual(found.values, expected);
  }
  await assert.rejects(
    writeSink("csv", dataset),
    (e) => isFuseError(e, "Unsupported") && /1 image/.test(e.message),
  );
  const sweeps = interleaved({ ...SPEC, runs: [1000, 1000, 1000] });
  sweeps.recordings[0].sweepLength = 1000;
  const values = await physical(sweeps);
  const array = readNpy(await writeOne("npy", sweeps));
  assert.deepEqual(array.shape, [3, 3, 1000]);
  assert.deepEqual(
    array.values,
    [0, 1, 2].flatMap((s) => values.flatMap((v) => v.slice(s * 1000, (s + 1) * 1000))),
  );
  // In a table, sweeps follow each other.
  const lines = text(await writeOne("csv", sweeps)).split("\r\n");
  assert.equal(lines.length, 3002);
  assert.equal(Number(lines[2001].split(",")[2]), values[1][2000]);
});

Deno.test("raw: interleaved floats or integers, described in a file beside them", async () => {
  const dataset = interleaved(SPEC);
  const values = await physical(dataset);
  const { files } = await writeSink("raw", dataset);
  assert.deepEqual([...files.keys()], [".raw", ".raw.json"]);
  const bytes = files.get(".raw")!;
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  assert.equal(floats.length, 9000);
  floats.forEach((v, i) => assert.equal(v, values[i % 3][Math.floor(i / 3)]));
  const described = JSON.parse(text(files.get(".raw.json")!));
  assert.deepEqual([described.sample_type, described.rows], ["<f4", 3000]);
  assert.deepEqual(described.columns.map((c: { name: string }) => c.name), ["ch1", "ch2", "ch3"]);
  assert.equal(described.attributes.segments ?? described.file.segments, described.file.segments);
  const integers = await writeSink("i16le", dataset);
  const raw = await channelSamples(dataset, dataset.recordings[0], 1);
  const words = new DataView(
    integers.files.get(".i16le")!.buffer,
    integers.files.get(".i16le")!.byteOffset,
  );
  raw.forEach((v, i) => assert.equal(words.getInt16(2 * (3 * i + 1), true), v));
  const column = JSON.parse(text(integers.files.get(".i16le.json")!)).columns[1];
  assert.deepEqual([column.gain, column.offset, column.physical_units], [0.25, 1, "uV"]);
  await assert.rejects(
    writeSink("i16le", interleaved({ ...SPEC, stored: "int32" })),
    (e) => isFuseError(e, "Unsupported") && /int32/.test(e.message),
  );
});

Deno.test("csv: RFC 4180, names with units, and text from which the same numbers are read", async () => {
  const dataset = interleaved({ ...SPEC, gains: [0.1, 0.25, 1e-7], offsets: [0, -3, 0] });
  const [recording] = dataset.recordings;
  Object.assign(recording.channels[0], { name: 'the "first", left', units: "µV" });
  Object.assign(recording.channels[1], { name: "line\nend", units: "" });
  Object.assign(recording.channels[2], { name: "Time" });
  const values = await physical(dataset);
  const csv = text(await writeOne("csv", dataset));
  const head = 'time (s),"the ""first"", left (µV)","line\nend",Time_2 (uV)\r\n';
  assert.ok(csv.startsWith(head), csv.slice(0, 100));
  const rows = csv.slice(head.length).split("\r\n");
  assert.equal(rows.pop(), "");
  assert.equal(rows.length, 3000);
  rows.forEach((row, i) => {
    assert.deepEqual(row.split(",").map(Number), [time(i), ...values.map((v) => v[i])]);
  });
  const raw = text(await writeOne("csv", dataset, { keep: "raw" }));
  const integers = await channelSamples(dataset, recording, 0);
  assert.equal(raw.split("\r\n")[1].split(",")[1], String(integers[0]));
  assert.ok(raw.startsWith('time (s),"the ""first"", left"'), "raw integers have no unit");
  assert.equal(csvCell(" a"), '" a"');
  assert.equal(csvCell("a b"), "a b");
});

Deno.test("text: single floats in as few digits as bring them back, and what is no number", async () => {
  fc.assert(fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
    assert.ok(Object.is(Math.fround(Number(shortestFloat32(value))), value));
  }));
  assert.equal(shortestFloat32(Math.fround(0.1)), "0.1");
  const samples = Float32Array.of(NaN, Infinity, -Infinity, -0, 0.1);
  const dataset = interleaved({ stored: "float32", channels: 1, samples: 5 });
  dataset.sources = [new MemorySource("floats", new Uint8Array(samples.buffer))];
  dataset.frameTables = [frameTable(4, [{ source: 0, offset: 0, frameCount: 5 }])];
  const cells = text(await writeOne("csv", dataset)).trim().split("\r\n").slice(1)
    .map((row) => row.split(",")[1]);
  assert.deepEqual(cells, ["NaN", "inf", "-inf", "-0", "0.1"]);
  const rows = text(await writeOne("ndjson", dataset)).trim().split("\n")
    .map((row) => JSON.parse(row).ch1);
  assert.deepEqual(rows, [null, null, null, -0, 0.1]);
});

Deno.test("ndjson: a row is an object, and nothing else is in the way", async () => {
  const dataset = interleaved({ ...SPEC, stored: "int64", gains: [1, 1, 1], offsets: [0, 0, 0] });
  dataset.recordings[0].channels[1].name = 'a "b"';
  const raw = await channelSamples(dataset, dataset.recordings[0], 2);
  const rows = text(await writeOne("ndjson", dataset)).split("\n");
  assert.equal(rows.pop(), "");
  assert.equal(rows.length, 3000);
  assert.deepEqual(Object.keys(JSON.parse(rows[7])), ["time", "ch1", 'a "b"', "ch3"]);
  rows.forEach((row, i) => {
    assert.equal(JSON.parse(row).time, time(i));
    assert.equal(/"ch3":(-?\d+)}$/.exec(row)![1], String(raw[i]));
  });
});

Deno.test("arrow: record batches with units in the fields and the rest in the schema", async () => {
  const dataset = interleaved(SPEC);
  dataset.recordings[0].channels[0].attributes = { filter: "none" };
  const table = tableFromIPC(await writeOne("arrow", dataset));
  assert.equal(table.numRows, 3000);
  assert.ok(table.batches.length > 1);
  const values = await physical(dataset);
  const fields = table.schema.fields;
  assert.deepEqual(fields.map((f) => f.name), ["time", "ch1", "ch2", "ch3"]);
  assert.equal(String(fields[1].type), "Float32");
  assert.equal(fields[1].metadata.get("units"), "uV");
  assert.equal(fields[1].metadata.get("filter"), "none");
  assert.deepEqual([...table.getChildAt(2)!], values[1]);
  assert.equal(table.getChildAt(0)!.get(1000), 1.5);
  const own = JSON.parse(table.schema.metadata.get("sparc_fuse")!);
  assert.equal(own.file.original_file_name, "test.bin");
  assert.equal(own.rows, 3000);
});

Deno.test("parquet: row groups of every type, with the metadata in the footer", async () => {
  for (const stored of ["int8", "uint16", "int32", "uint32", "int64", "float32"] as const) {
    const dataset = interleaved({ stored, channels: 2, samples: 700 });
    const bytes = await writeOne("parquet", dataset, {
      compressor: stored === "int32" ? "none" : "blosc-lz4",
    });
    const file = bytes.slice().buffer as ArrayBuffer;
    const rows = await parquetReadObjects({ file });
    assert.equal(rows.length, 700);
    const expected = await channelSamples(dataset, dataset.recordings[0], 1);
    rows.forEach((row, i) => {
      assert.equal(row.time, i / 1000);
      assert.equal(Number(row.ch2), Number(expected[i]), `${stored} row ${i}`);
    });
    const { key_value_metadata: pairs } = parquetMetadata(file);
    const own = JSON.parse(pairs!.find((p) => p.key === "sparc_fuse")!.value!);
    assert.deepEqual([own.rows, own.columns[1].units], [700, "uV"]);
  }
  const marks = emptyDataset("test", [new MemorySource("m", new Uint8Array(8))]);
  marks.events.push(eventsFromValues("marks", Float64Array.of(1, 2), { label: ["α", ""] }));
  const { files } = await writeSink("parquet", marks);
  const rows = await parquetReadObjects({
    file: files.get(".events.marks.parquet")!.slice().buffer as ArrayBuffer,
  });
  assert.deepEqual(rows, [{ time: 1, label: "α" }, { time: 2, label: "" }]);
});

Deno.test("a stream fills several tables as it passes, and its warnings are told", async () => {
  for (const known of [true, false]) {
    const { files, outcome } = await writeSink("csv", streamed(3000, known));
    assert.deepEqual([...files.keys()], [".csv", ".events.marks.csv"]);
    const rows = text(files.get(".csv")!).trim().split("\r\n");
    assert.equal(rows[0], "time (s),a (V),b (V)");
    assert.equal(rows.length, 3001);
    rows.slice(1).forEach((row, i) =>
      assert.deepEqual(row.split(",").map(Number), [i / 10, i, i ? -i / 8 : -0].map((v) => v))
    );
    const marks = text(files.get(".events.marks.csv")!).trim().split("\r\n");
    assert.deepEqual(marks.slice(0, 3), ["time (s),label", "0,at 0", "0.1,at 1"]);
    assert.deepEqual(outcome.warnings, ["one cell was no number"]);
  }
});

Deno.test("channels in streams of their own are read in step", async () => {
  const rows = 40_000;
  const dataset = emptyDataset("test", [new MemorySource("s", new Uint8Array(8))]);
  const open = new Map<string, number>();
  let apart = 0;
  dataset.recordings.push({
    name: "signals",
    channels: ["a", "b", "c"].map((name) => ({ name, units: "", gain: 0.5, offset: 0 })),
    samplingFrequency: 10,
    sampleCount: rows,
    segments: [{ startIndex: 0, length: rows, startSeconds: 0 }],
    rawType: "int16",
    parts: ["a", "b", "c"].map((stream, i) => ({
      firstChannel: i,
      channelCount: 1,
      layout: { kind: "stream", stream, field: "samples" },
    })),
  });
  dataset.openStream = (id) => {
    let at = 0;
    const step = { a: 1000, b: 777, c: 4096 }[id]!;
    return new ReadableStream({
      pull(controller) {
        const count = Math.min(step, rows - at);
        if (count === 0) return controller.close();
        const values = Int16Array.from({ length: count }, (_, i) => (at + i) % 30_000);
        at += count;
        open.set(id, at);
        apart = Math.max(apart, Math.max(...open.values()) - Math.min(...open.values()));
        controller.enqueue({ field: "samples", values, count });
      },
    });
  };
  const { values, shape } = readNpy(await writeOne("npy", dataset));
  assert.deepEqual(shape, [3, rows]);
  values.forEach((v, i) => assert.equal(v, (i % rows % 30_000) / 2));
  assert.ok(apart < 3 * 4096, `streams were ${apart} rows apart`);
});

Deno.test("recordings of the same frames go to a file each, in one pass", async () => {
  const dataset = interleaved(SPEC);
  const [all] = dataset.recordings;
  const pick = (name: string, rows: number[]): Recording => ({
    ...all,
    name,
    channels: rows.map((r) => all.channels[r]),
    parts: [{
      firstChannel: 0,
      channelCount: rows.length,
      layout: { ...all.parts[0].layout, channelOffsets: rows.map((r) => 2 * r) } as never,
    }],
  });
  dataset.recordings = [pick("amplifier", [2, 0]), pick("auxiliary", [1])];
  const values = await physical(dataset, all);
  const { files } = await writeSink("npz", dataset);
  const arrays = readNpz(files.get(".npz")!);
  assert.deepEqual(arrays.get("amplifier/signals")!.values, [...values[2], ...values[0]]);
  const tables = await writeSink("csv", dataset);
  assert.deepEqual([...tables.files.keys()], [".amplifier.csv", ".auxiliary.csv"]);
  const row = text(tables.files.get(".auxiliary.csv")!).split("\r\n")[3000];
  assert.deepEqual(row.split(",").map(Number), [time(2999), values[1][2999]]);
  const one = await writeSink("csv", dataset, { array: "auxiliary" });
  assert.deepEqual([...one.files.keys()], [".auxiliary.csv"]);
  await assert.rejects(
    writeSink("csv", dataset, { array: "digital" }),
    (e) => isFuseError(e, "Usage") && /amplifier\/signals, auxiliary\/signals/.test(e.message),
  );
});

Deno.test("signals in stored chunks become rows, whatever the order of their chunks", async () => {
  const channels = 5, samples = 900, chunk = [2, 100];
  const grid = [3, 9];
  const words = new Int16Array(27 * 200).map((_, i) => (i * 7919) % 30_011 - 15_000);
  const dataset = emptyDataset("test", [
    new MemorySource("grid", new Uint8Array(words.buffer)),
  ]);
  dataset.recordings.push({
    name: "signals",
    channels: Array.from({ length: channels }, (_, c) => ({
      name: `e${c}`,
      units: "uV",
      gain: 0.5 * (c + 1),
      offset: 0,
    })),
    samplingFrequency: 100,
    sampleCount: samples,
    segments: [{ startIndex: 0, length: samples, startSeconds: 0 }],
    rawType: "int16",
    parts: [{
      firstChannel: 0,
      channelCount: channels,
      grid: { shape: [channels, samples], channelAxis: 0, timeAxis: 1 },
      layout: {
        kind: "chunks",
        chunkShape: chunk,
        source: new Int32Array(27),
        offset: Float64Array.from({ length: 27 }, (_, i) => i * 400),
        length: new Float64Array(27).fill(400),
        codecs: [{ id: "raw", params: {} }],
        fill: 0,
      },
    }],
  });
  const value = (c: number, t: number) =>
    words[(Math.floor(c / 2) * grid[1] + Math.floor(t / 100)) * 200 + (c % 2) * 100 + t % 100] *
    0.5 * (c + 1);
  const { files } = await writeSink("csv", dataset);
  assert.deepEqual([...files.keys()], [".csv"]);
  const rows = text(files.get(".csv")!).trim().split("\r\n").slice(1);
  assert.equal(rows.length, samples);
  rows.forEach((row, t) => {
    const expected = Array.from({ length: channels }, (_, c) => value(c, t));
    assert.deepEqual(row.split(",").map(Number), [t / 100, ...expected]);
  });
  const array = readNpy(await writeOne("npy", dataset));
  assert.deepEqual(array.shape, [channels, samples]);
  array.values.forEach((v, i) =>
    assert.equal(v, value(Math.floor(i / samples), i % samples), `element ${i}`)
  );
});

Deno.test("plain columns are a table; what has no place in one is said", async () => {
  const dataset = emptyDataset("test", [new MemorySource("columns.csv", new Uint8Array(8))]);
  const column = (path: string, values: Float64Array | string[]) => ({
    path,
    dtype: Array.isArray(values) ? "string" as const : "float64" as const,
    dims: ["row"],
    shape: [3],
    layout: { kind: "values" as const, values },
  });
  dataset.arrays.push(
    column("dose", Float64Array.of(1, 2, 3)),
    column("drug", ["a", "b,c", ""]),
    { ...column("source/comment", ["x"]), shape: [1], dims: ["line"] },
  );
  const { files } = await writeSink("csv", dataset);
  assert.equal(text([...files.values()][0]), 'dose,drug\r\n1,a\r\n2,"b,c"\r\n3,\r\n');
  assert.match(dataset.warnings.join(), /^$/, "the dataset itself is left as it was");
});

Deno.test("a source that ends early, or columns that do, leave nothing behind", async () => {
  for (const sink of ["npy", "npz", "raw", "csv", "arrow", "parquet"] as const) {
    const dataset = interleaved(SPEC);
    const { bytes } = dataset.sources[0] as MemorySource;
    dataset.sources[0] = new MemorySource("cut.bin", bytes.subarray(0, 10_000));
    const left: string[] = [];
    await assert.rejects(
      writeSink(sink, dataset, {}, left),
      (e) => isFuseError(e, "Truncated") && /cut\.bin/.test(e.message),
    );
    assert.deepEqual(left, [], sink);
  }
  const uneven = streamed(1000, false);
  const inner = uneven.openStream!;
  uneven.openStream = (id, options) =>
    inner(id, options).pipeThrough(
      new TransformStream({
        transform(block, controller) {
          if (block.field !== "time" || Number(block.values[0]) < 50) controller.enqueue(block);
        },
      }),
    );
  const left: string[] = [];
  await assert.rejects(
    writeSink("csv", uneven, {}, left),
    (e) => isFuseError(e, "Corrupt") && /different lengths/.test(e.message),
  );
  assert.deepEqual(left, []);
  const short = streamed(1000, true);
  short.recordings[0].sampleCount = 1001;
  await assert.rejects(writeSink("npy", short), (e) => isFuseError(e, "Truncated"));
});
