import assert from "node:assert/strict";
import { openephys } from "../decoders/ephys/openephys.ts";
import { reader } from "../decoders/ephys/openephys-reader.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { channelSamples } from "./support/materialize.ts";

const encode = (s: string) => new TextEncoder().encode(s);

/** A .npy file of version 1. */
function npy(descr: string, values: ArrayBufferView, shape: number[]): Uint8Array {
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const header = dict.padEnd(117) + "\n";
  const out = new Uint8Array(10 + header.length + values.byteLength);
  out.set(encode("\x93NUMPY\x01\x00").subarray(1));
  out.set([0x93, ...encode("NUMPY"), 1, 0, header.length, 0]);
  out.set(encode(header), 10);
  out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 10 + header.length);
  return out;
}

/** A file of the older format: its header and body. */
function legacy(fields: Record<string, string>, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(1024 + body.length).fill(32, 0, 1024);
  const lines = Object.entries(fields).map(([k, v]) => `header.${k} = ${v};\n`).join("");
  out.set(encode(`header.format = 'Open Ephys Data Format'; \n${lines}`));
  out.set(body, 1024);
  return out;
}

/** A channel: records of 1024 ramp samples that begin at the given sample numbers. */
function continuous(channel: string, stamps: number[]): Uint8Array {
  const body = new Uint8Array(2070 * stamps.length), view = new DataView(body.buffer);
  stamps.forEach((stamp, r) => {
    view.setBigInt64(2070 * r, BigInt(stamp), true);
    view.setUint16(2070 * r + 8, 1024, true);
    for (let k = 0; k < 1024; k++) view.setInt16(2070 * r + 12 + 2 * k, 1024 * r + k - 900, false);
  });
  return legacy(
    { channel: `'${channel}'`, sampleRate: "1000", blockLength: "1024", bitVolts: "0.195" },
    body,
  );
}

const open = (files: Record<string, Uint8Array>): Promise<Dataset> => {
  const [name] = Object.keys(files);
  const { [name]: main, ...siblings } = files;
  return reader.open(new MemorySource(name, main, siblings), {});
};

const column = (dataset: Dataset, table: number, name: string) => {
  const { layout } = dataset.events[table].columns.find((c) => c.name === name)!;
  return Array.from((layout as { values: ArrayLike<unknown> }).values);
};

const oebin = encode(JSON.stringify({
  "GUI version": "0.6.4",
  continuous: [{
    folder_name: "node-1.a/",
    sample_rate: 1000,
    channels: [
      { channel_name: "CH1", bit_volts: 0.5, units: "uV" },
      { channel_name: "ADC1", bit_volts: 0.001, units: "V" },
    ],
  }],
  events: [{ folder_name: "node-1.a/TTL/", sample_rate: 1000, channel_name: "TTL" }],
  spikes: [],
}));

Deno.test("descriptions and headers are known by their content", () => {
  const score = (head: Uint8Array, name: string) =>
    openephys.probe({ head, name, size: head.length }).score;
  assert.ok(score(oebin, "structure.oebin") > 200);
  assert.ok(score(encode('<?xml?>\n<EXPERIMENT number="1">'), "structure.openephys") > 200);
  assert.equal(score(continuous("CH1", []), "a.bin"), 250);
  assert.equal(score(encode("{}"), "a.json"), 0);
});

Deno.test("binary: channels with their units, gaps by sample numbers, synchronised times, events", async () => {
  const dataset = await open({
    "structure.oebin": oebin,
    "continuous/node-1.a/continuous.dat": new Uint8Array(Int16Array.of(1, 2, 3, 4, 5, 6).buffer),
    "continuous/node-1.a/sample_numbers.npy": npy("<i8", BigInt64Array.of(100n, 101n, 200n), [3]),
    "continuous/node-1.a/timestamps.npy": npy("<f8", Float64Array.of(0.5, 0.501, 0.6), [3]),
    "events/node-1.a/TTL/states.npy": npy("<i2", Int16Array.of(1, -1), [2]),
    "events/node-1.a/TTL/sample_numbers.npy": npy("<i8", BigInt64Array.of(100n, 200n), [2]),
    "events/node-1.a/TTL/timestamps.npy": npy("<f8", Float64Array.of(0.5, -1), [2]),
  });
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 2, startSeconds: 0.5 },
    { startIndex: 2, length: 1, startSeconds: 0.6 },
  ]);
  assert.deepEqual(recording.channels.map((c) => [c.gain, c.units]), [[0.5, "uV"], [0.001, "V"]]);
  assert.deepEqual(await channelSamples(dataset, recording, 1), [2, 4, 6]);
  assert.deepEqual(column(dataset, 0, "time"), [0.5, 0.2]);
  assert.deepEqual(column(dataset, 0, "state"), [1, -1]);
});

Deno.test("binary before 0.6: time stamps are sample numbers", async () => {
  const dataset = await open({
    "structure.oebin": oebin,
    "continuous/node-1.a/continuous.dat": new Uint8Array(8),
    "continuous/node-1.a/timestamps.npy": npy("<i8", BigInt64Array.of(50n, 51n), [2]),
    "events/node-1.a/TTL/channel_states.npy": npy("<i2", Int16Array.of(2), [1]),
    "events/node-1.a/TTL/timestamps.npy": npy("<i8", BigInt64Array.of(51n), [1]),
  });
  assert.equal(dataset.recordings[0].segments[0].startSeconds, 0.05);
  assert.deepEqual(column(dataset, 0, "time"), [0.051]);
});

Deno.test("legacy: big-endian records of several files, pauses, events and messages", async () => {
  const body = new Uint8Array(16), view = new DataView(body.buffer);
  view.setBigInt64(0, 1500n, true);
  body.set([3, 108, 1, 7], 10);
  const dataset = await open({
    "structure.openephys": encode(
      '<EXPERIMENT number="1"><CHANNEL filename="a_CH1.continuous"/>' +
        '<CHANNEL filename="a_CH2.continuous"/><EVENTS filename="a.events"/></EXPERIMENT>',
    ),
    "a_CH1.continuous": continuous("CH1", [1000, 2024, 9000]),
    "a_CH2.continuous": continuous("CH2", [1000, 2024, 9000]),
    "a.events": legacy({ channelType: "'Event'" }, body),
    "messages.events": encode(
      "1743680325031, Software Time (milliseconds since midnight Jan 1st 1970 UTC)\n1200, hello\n",
    ),
  });
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units, c.gain]), [
    ["CH1", "uV", 0.195],
    ["CH2", "uV", 0.195],
  ]);
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 2048, startSeconds: 1 },
    { startIndex: 2048, length: 1024, startSeconds: 9 },
  ]);
  const samples = await channelSamples(dataset, recording, 1);
  assert.deepEqual([samples.length, samples[0], samples[3071]], [3072, -900, 2171]);
  assert.deepEqual(column(dataset, 0, "time"), [1.5]);
  assert.deepEqual([column(dataset, 0, "state"), column(dataset, 0, "channel")], [[1], [7]]);
  assert.deepEqual([column(dataset, 1, "time"), column(dataset, 1, "label")], [[1.2], ["hello"]]);
  assert.equal(dataset.metadata.startTime, "2025-04-03T11:38:45.031Z");
});

Deno.test("damage is named", async () => {
  const fails = (files: Record<string, Uint8Array>, tag: string) =>
    assert.rejects(open(files), (e) => isFuseError(e) && e.tag === tag);
  await fails({ "structure.oebin": oebin.subarray(0, 99) }, "Corrupt");
  await fails({ "a.continuous": continuous("CH1", [0]).subarray(0, 700) }, "Truncated");
  const odd = continuous("CH1", [0]);
  odd[1024 + 8] = 5;
  await fails({ "a.continuous": odd }, "Corrupt");
  const cut = npy("<i8", BigInt64Array.of(1n, 2n), [2]).subarray(0, -3);
  await fails({
    "structure.oebin": oebin,
    "continuous/node-1.a/continuous.dat": new Uint8Array(8),
    "continuous/node-1.a/timestamps.npy": cut,
  }, "Truncated");
});
