import assert from "node:assert/strict";
import { channelKind, usualUnits } from "../decoders/ephys/openephys-clock.ts";
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
  const [recording, inputs] = dataset.recordings;
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 2, startSeconds: 0.5 },
    { startIndex: 2, length: 1, startSeconds: 0.6 },
  ]);
  assert.deepEqual(
    dataset.recordings.map((r) => [r.name, r.channels.map((c) => [c.gain, c.units])]),
    [["node-1.a", [[0.5, "uV"]]], ["node-1.a_adc", [[0.001, "V"]]]],
  );
  assert.deepEqual(await channelSamples(dataset, recording, 0), [1, 3, 5]);
  assert.deepEqual(await channelSamples(dataset, inputs, 0), [2, 4, 6]);
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
  // The first sample, one second after zero, was taken when recording began.
  assert.equal(dataset.metadata.startTime, "2025-04-03T11:38:44.031Z");
});

Deno.test("binary: units by name, spikes in microvolts, rows of fields, and tables a crash left open", async () => {
  const description = encode(JSON.stringify({
    "GUI version": "0.5.4",
    continuous: [{
      folder_name: "a",
      sample_rate: 1000,
      num_channels: 4,
      source_processor_id: 100,
      channels: ["CH1", "AUX1", "ADC1", "P_SYNC"].map((channel_name) => ({
        channel_name,
        bit_volts: 0.5,
      })),
    }],
    events: [{ folder_name: "m/TEXT_group_1/", sample_rate: 1000 }],
    spikes: [{
      folder: "a/Electrode 1",
      sample_rate: 1000,
      source_channels: [{ channel_name: "CH1", bit_volts: 0.25 }],
    }],
  }));
  const row = new Uint8Array(7);
  row.set([5, 0, 104, 105, 0, 1, 2]);
  const rows = npy("x", row, [1]);
  const structured = "[('n', '<u2'), ('t', '|S3'), ('b', '|u1', (2,))]";
  rows.set(
    encode(
      `{'descr': ${structured}, 'fortran_order': False, 'shape': (1,), }`.padEnd(rows[8] - 1) +
        "\n",
    ),
    10,
  );
  const stamps = npy("<i8", BigInt64Array.of(7n, 9n), [1]);
  const dataset = await open({
    "structure.oebin": description,
    "sync_messages.txt": encode(
      "Software time: 1@3Hz\nProcessor: Rhythm FPGA Id: 100 subProcessor: 0 start time: 250@1000Hz\n",
    ),
    "continuous/a/continuous.dat": new Uint8Array(Int16Array.of(1, 2, 3, 4).buffer),
    "events/m/TEXT_group_1/timestamps.npy": npy("<i8", BigInt64Array.of(4n), [1]),
    "events/m/TEXT_group_1/metadata.npy": rows,
    "spikes/a/Electrode 1/sample_numbers.npy": stamps,
    "spikes/a/Electrode 1/clusters.npy": npy("<u2", Uint16Array.of(3, 4), [1]),
    "spikes/a/Electrode 1/waveforms.npy": npy("<i2", Int16Array.of(1, 2, 3, 4), [1, 1, 2]),
  });
  assert.deepEqual(
    dataset.recordings.map((r) => [r.name, r.channels[0].units, r.segments[0].startSeconds]),
    [["a", "uV", 0.25], ["a_aux", "V", 0.25], ["a_adc", "V", 0.25], ["a_sync", "", 0.25]],
  );
  assert.deepEqual(column(dataset, 0, "metadata"), ['{"n":5,"t":"hi","b":[1,2]}']);
  assert.deepEqual(column(dataset, 1, "time"), [0.007, 0.009]);
  assert.deepEqual(column(dataset, 1, "unit"), [3, 4]);
  const wave = dataset.events[1].columns.find((c) => c.name === "waveform")!;
  assert.deepEqual([wave.units, wave.attributes?.scale_factor], ["uV", 0.25]);
  assert.ok(dataset.warnings.some((w) => /was not closed; 2 rows/.test(w)));
});

Deno.test("kinds and units of channels without a stated unit", () => {
  const kinds = ["CH1", "AP12", "ADC3", "100_ADC1", "AI0", "AUX2", "AP_SYNC", "SYNC", "FAINT"];
  assert.deepEqual(kinds.map((name) => [channelKind(name), usualUnits(name)].join(" ")), [
    " uV",
    " uV",
    "adc V",
    "adc V",
    "adc V",
    "aux V",
    "sync ",
    "sync ",
    " uV",
  ]);
});

Deno.test("binary: times that drift from the sample clock are the time axis", async () => {
  const n = 1000;
  const numbers = BigInt64Array.from({ length: n }, (_, i) => BigInt(i + 5e9));
  const times = Float64Array.from({ length: n }, (_, i) => 3 + i * 0.001002);
  const dataset = await open({
    "structure.oebin": oebin,
    "sync_messages.txt": encode(
      "Software Time (milliseconds since midnight Jan 1st 1970 UTC): 1743680325031\n" +
        "Start Time for a (1) - a @ 1000.0 Hz: 5000000000\n",
    ),
    "continuous/node-1.a/continuous.dat": new Uint8Array(4 * n),
    "continuous/node-1.a/sample_numbers.npy": npy("<i8", numbers, [n]),
    "continuous/node-1.a/timestamps.npy": npy("<f8", times, [n]),
  });
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.segments, [{ startIndex: 0, length: n, startSeconds: 3 }]);
  assert.equal(recording.time?.kind, "stream");
  const { stream } = recording.time as { stream: string };
  const blocks = await Array.fromAsync(dataset.openStream!(stream, {}));
  assert.equal(blocks.flatMap((b) => Array.from(b.values as Float64Array)).at(-1), times[n - 1]);
  assert.equal(dataset.metadata.startTime, "2025-04-03T11:38:42.031Z");
});

/** A spike of one wire and two samples in a version of the older format. */
function oldSpike(version: number): Uint8Array {
  const head = version >= 0.4 ? 42 : version >= 0.3 ? 27 : 15;
  const gain = version >= 0.4 ? 4 : 2;
  const out = new Uint8Array(head + 4 + gain + 2 + (version >= 0.2 ? 2 : 0));
  const view = new DataView(out.buffer);
  view.setBigInt64(version >= 0.3 && version < 0.4 ? 13 : 1, 500n, true);
  const counts = version >= 0.4 ? 19 : head - 4;
  view.setUint16(counts, 1, true);
  view.setUint16(counts + 2, 2, true);
  view.setUint16(head, 32_768, true);
  view.setUint16(head + 2, 32_778, true);
  if (gain === 4) view.setFloat32(head + 4, 2000, true);
  else view.setUint16(head + 4, 2000, true);
  view.setUint16(head + 4 + gain, 77, true);
  if (version >= 0.2) view.setUint16(head + 6 + gain, 6, true);
  return out;
}

Deno.test("legacy: spikes and events of every version, several experiments, files no description names", async () => {
  for (const version of [0.1, 0.2, 0.3, 0.4, 0.6]) {
    const fields = { version: String(version), sampleRate: "1000" };
    const dataset = await open({ "SE0.spikes": legacy(fields, oldSpike(version)) });
    assert.deepEqual(column(dataset, 0, "time"), [0.5], `${version}`);
    assert.deepEqual(column(dataset, 0, "waveform"), [0, 5], `${version}`);
    assert.deepEqual(column(dataset, 0, "threshold"), [77]);
  }
  const event = new Uint8Array(14);
  new DataView(event.buffer).setBigInt64(0, 2000n, true);
  event.set([3, 100, 1, 4], 10);
  const old = await open({
    "all_channels.events": legacy({ version: "0.1", sampleRate: "1000" }, event),
  });
  assert.deepEqual([column(old, 0, "time"), column(old, 0, "channel")], [[2], [4]]);

  const events = legacy({ version: "0.4", sampleRate: "1000" }, new Uint8Array([...event, 0, 0]));
  const files = {
    "Continuous_Data_2.openephys": encode(
      '<EXPERIMENT><CHANNEL filename="100_ADC1_2.continuous"/>',
    ),
    "Continuous_Data.openephys": encode('<EXPERIMENT><CHANNEL filename="100_ADC1.continuous"/>'),
    "100_ADC1.continuous": continuous("ADC1", [0]),
    "100_ADC1_2.continuous": continuous("ADC1", [5000]),
    "all_channels.events": events,
    "all_channels_2.events": events,
    "SE_0.spikes": legacy({ version: "0.4", sampleRate: "1000" }, oldSpike(0.4)),
    "SE_0_2.spikes": legacy({ version: "0.4", sampleRate: "1000" }, oldSpike(0.4)),
    "settings_2.xml": encode("<SETTINGS><INFO><VERSION>0.4.6</VERSION></INFO></SETTINGS>"),
  };
  const second = await open(files);
  assert.equal(second.recordings[0].channels[0].units, "V");
  assert.equal(second.recordings[0].segments[0].startSeconds, 5);
  assert.deepEqual(second.events.map((e) => e.name), ["all_channels_2", "SE_0_2"]);
  assert.deepEqual(second.metadata.header?.settings, { version: "0.4.6" });
});

Deno.test("legacy: folders without a description are joined by experiment; damaged members are left out", async () => {
  const header = { version: "0.4", sampleRate: "1000" };
  const odd = continuous("CH3", [0]);
  odd[1024 + 8] = 5;
  const files: Record<string, Uint8Array> = {
    "100_CH2.continuous": continuous("CH2", [0]),
    "100_CH10.continuous": continuous("CH10", [0]),
    "100_CH3.continuous": odd,
    "104_CH2.continuous": continuous("CH2", [0]),
    "100_CH2_2.continuous": continuous("CH2", [7000]),
    "SE_0.spikes": legacy(header, oldSpike(0.4)),
    "SE_0_2.spikes": legacy(header, oldSpike(0.4)),
    "messages.events": encode("100 Start Time for Rhythm FPGA (100) @ 1000 Hz\n"),
  };
  const first = await open(files);
  assert.deepEqual(
    first.recordings.map((r) => [r.name, r.channels.map((c) => c.name)]),
    [["continuous_100", ["CH2", "CH10"]], ["continuous_104", ["CH2"]]],
  );
  assert.deepEqual(first.events.map((e) => e.name), ["SE_0", "messages"]);
  assert.deepEqual(first.leftOut.map((l) => l.what), ["100_CH3.continuous"]);
  const second = await open({ "SE_0_2.spikes": files["SE_0_2.spikes"], ...files });
  assert.equal(second.recordings[0].segments[0].startSeconds, 7);
  assert.deepEqual(second.events.map((e) => e.name), ["SE_0_2"]);
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
