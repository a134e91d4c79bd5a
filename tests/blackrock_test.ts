import assert from "node:assert/strict";
import { blackrock } from "../decoders/ephys/blackrock.ts";
import { reader } from "../decoders/ephys/blackrock-reader.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset, EventTable } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { viewOf } from "../src/source/source.ts";
import * as make from "./support/blackrock-files.ts";
import { channelSamples, frameChannel } from "./support/materialize.ts";

/** Opens `name` of a set of files. */
async function open(
  files: Record<string, Uint8Array>,
  name = Object.keys(files)[0],
  options: { alone?: boolean } = {},
): Promise<Dataset> {
  const { [name]: main, ...siblings } = files;
  return await reader.open(new MemorySource(name, main, siblings), options);
}

function table(dataset: Dataset, name: string): EventTable {
  const found = dataset.events.find((t) => t.name === name);
  assert.ok(found, `no table ${name} among ${dataset.events.map((t) => t.name)}`);
  return found;
}

function values(dataset: Dataset, name: string, column: string): unknown[] {
  const { layout } = table(dataset, name).columns.find((c) => c.name === column)!;
  assert.equal(layout.kind, "values");
  return Array.from((layout as { values: ArrayLike<unknown> }).values);
}

/** A ramp: sample s of channel c is `start + s * 10 + c`. */
function ramp(count: number, channels: number, start = 0): number[][] {
  return Array.from(
    { length: count },
    (_, s) => Array.from({ length: channels }, (_, c) => start + s * 10 + c),
  );
}

const TWO = [{ electrode: 1, label: "chan1" }, {
  electrode: 129,
  label: "ainp1",
  units: "mV",
  digital: [-32767, 32767] as [number, number],
  analog: [-5000, 5000] as [number, number],
}];

async function rejects(promise: Promise<unknown>, tag: string, pattern: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(isFuseError(error), String(error));
    assert.equal(error.tag, tag);
    assert.match(error.message, pattern);
    return true;
  });
}

Deno.test("probe: magic and one header field are sure, an extension is not", () => {
  const probe = (bytes: Uint8Array, name: string) =>
    blackrock.probe({ head: bytes.subarray(0, 16_384), name, size: bytes.length });
  const files = make.experiment({ seconds: 0.1 });
  assert.equal(probe(files["experiment.ns5"], "a.bin").score, 250);
  assert.equal(probe(files["experiment.nev"], "a.bin").score, 250);
  assert.equal(probe(make.oldNsxFile([1], [[1]]), "a.ns2").score, 250);
  assert.equal(probe(new Uint8Array(400), "a.ns5").score, 20);
  assert.equal(probe(new TextEncoder().encode("######## Neuralynx"), "events.nev").score, 0);
  assert.equal(probe(new TextEncoder().encode("NEURALCD"), "a.ns5").score, 100);
  assert.equal(probe(new Uint8Array(0), "a.txt").score, 0);
});

Deno.test("any member opens the set, with one zero for signals and events", async () => {
  const files: Record<string, Uint8Array> = {
    "rec.ns5": make.nsxFile({
      version: "2.3",
      channels: TWO,
      packets: [{ ticks: 30n, samples: ramp(300, 2) }],
    }),
    "rec.NS2": make.nsxFile({
      version: "2.3",
      channels: [TWO[0]],
      period: 30,
      label: "1 kS/s",
      packets: [{ ticks: 30n, samples: ramp(10, 1, 5) }],
    }),
    "rec.nev": make.nevFile({
      version: "2.3",
      electrodes: [{ id: 1, label: "chan1" }],
      packets: [make.spike(60n, 1, 2, [1, -2, 3])],
    }),
    "rec (2).ns4": new Uint8Array(10),
    "other.ns3": new Uint8Array(10),
  };
  for (const name of ["rec.ns5", "rec.NS2", "rec.nev"]) {
    const dataset = await open(files, name);
    assert.equal(dataset.sources[0].name, name);
    assert.deepEqual(dataset.warnings, []);
    assert.deepEqual(dataset.recordings.map((r) => r.name), ["ns2", "ns5"]);
    const [ns2, ns5] = dataset.recordings;
    assert.equal(ns2.samplingFrequency, 1000);
    assert.equal(ns5.samplingFrequency, 30_000);
    assert.deepEqual(ns5.segments, [{ startIndex: 0, length: 300, startSeconds: 0.001 }]);
    assert.deepEqual(await channelSamples(dataset, ns5, 1), ramp(300, 2).map((s) => s[1]));
    assert.deepEqual(await channelSamples(dataset, ns2, 0), ramp(10, 1, 5).map((s) => s[0]));
    assert.deepEqual(values(dataset, "spikes", "time"), [0.002]);
    assert.equal(dataset.metadata.startTime, "2021-03-17T14:25:36.789Z");
  }
  const alone = await open(files, "rec.ns5", { alone: true });
  assert.deepEqual(alone.recordings.map((r) => r.name), ["ns5"]);
  assert.equal(alone.events.length, 0);
});

Deno.test("channels carry their own unit, gain and offset; labels end at the first NUL", async () => {
  const [first, second] = TWO;
  const dataset = await open({
    "a.ns2": make.nsxFile({
      version: "2.2",
      channels: [
        { ...first, label: "RTMa08\0\x10\0\x02" },
        second,
        { electrode: 3, label: "", digital: [0, 1000], analog: [-5, 5], units: "V" },
        { electrode: 4, label: "flat", digital: [0, 0], analog: [0, 0] },
      ],
      packets: [{ ticks: 0n, samples: [[1, 2, 3, 4]] }],
    }),
  });
  const [a, b, c, d] = dataset.recordings[0].channels;
  assert.deepEqual([a.name, a.units, a.gain, a.offset], ["RTMa08", "uV", 0.25, 0]);
  assert.deepEqual([b.name, b.units, b.gain, b.offset], ["ainp1", "mV", 10000 / 65534, 0]);
  assert.deepEqual([c.name, c.units, c.gain, c.offset], ["chan3", "V", 0.01, -5]);
  assert.deepEqual([d.units, d.gain, d.offset], ["", 1, 0]);
  assert.match(dataset.warnings.join(), /channel flat has no usable range/);
  assert.equal(a.attributes!.high_pass_hz, 0.3);
  assert.equal(a.attributes!.low_pass_hz, 7500);
});

Deno.test("pauses and resets stay; packets that follow on to half a sample join", async () => {
  const part = (start: number) => ramp(4, 1, start);
  const dataset = await open({
    "a.ns2": make.nsxFile({
      version: "2.2",
      channels: [TWO[0]],
      period: 30,
      packets: [
        { ticks: 300n, samples: part(0) },
        { ticks: 420n, samples: part(40) },
        { ticks: 554n, samples: part(80) },
        { ticks: 3000n, samples: part(120) },
        { ticks: 0n, samples: part(160) },
      ],
    }),
  });
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 12, startSeconds: 0.01 },
    { startIndex: 12, length: 4, startSeconds: 0.1 },
    { startIndex: 16, length: 4, startSeconds: 0 },
  ]);
  assert.deepEqual(await channelSamples(dataset, recording, 0), ramp(20, 1).map((s) => s[0]));
  assert.match(dataset.warnings.join(), /go back once/);
  // Each packet a little late: the run is cut before its clock is half a sample off.
  const late = await open({
    "a.ns2": make.nsxFile({
      version: "2.2",
      channels: [TWO[0]],
      period: 30,
      packets: [0n, 130n, 260n, 390n].map((ticks) => ({ ticks, samples: part(0) })),
    }),
  });
  assert.deepEqual(late.recordings[0].segments.map((s) => s.length), [8, 8]);
});

Deno.test("3.0 packets have 64-bit stamps and any resolution", async () => {
  const dataset = await open({
    "a.ns3": make.nsxFile({
      version: "3.0",
      channels: [TWO[0]],
      period: 15,
      timeResolution: 1_000_000_000,
      packets: [
        { ticks: 5_000_000_000n, samples: ramp(3, 1) },
        { ticks: 5_001_500_000n, samples: ramp(3, 1, 30) },
        { ticks: 6_000_000_000n, samples: ramp(2, 1, 60) },
      ],
    }),
  });
  assert.equal(dataset.recordings[0].samplingFrequency, 2000);
  assert.deepEqual(dataset.recordings[0].segments, [
    { startIndex: 0, length: 6, startSeconds: 5 },
    { startIndex: 6, length: 2, startSeconds: 6 },
  ]);
});

Deno.test("unclosed, cut, empty and foreign packets", async () => {
  const file = (packets: make.NsxPacket[]) =>
    make.nsxFile({ version: "2.3", channels: TWO, packets });
  const whole = { ticks: 0n, samples: ramp(5, 2) };

  let dataset = await open({ "a.ns5": file([{ ...whole, count: 0 }]) });
  assert.equal(dataset.recordings[0].sampleCount, 5);
  assert.match(dataset.warnings.join(), /not closed .* 5 samples/);

  dataset = await open({ "a.ns5": file([whole]).slice(0, -6) });
  assert.equal(dataset.recordings[0].sampleCount, 3);
  assert.match(dataset.warnings.join(), /3 of 5 samples/);

  dataset = await open({
    "a.ns5": file([{ ticks: 0n, samples: [] }, { ticks: 30_000n, samples: ramp(5, 2) }]),
  });
  assert.deepEqual(dataset.recordings[0].segments, [
    { startIndex: 0, length: 5, startSeconds: 1 },
  ]);

  const junk = new Uint8Array([...file([whole]), ...new Uint8Array(40)]);
  dataset = await open({ "a.ns5": junk });
  assert.equal(dataset.recordings[0].sampleCount, 5);
  assert.match(dataset.leftOut[0].what, /40 bytes of a\.ns5/);

  dataset = await open({ "a.ns5": file([]) });
  assert.equal(dataset.recordings.length, 0);
  assert.match(dataset.leftOut[0].why, /no samples/);
});

Deno.test("2.1 signals behind a packet header, as some programs write them", async () => {
  const samples = ramp(7, 2);
  const plain = make.oldNsxFile([1, 2], samples, 30);
  const headerBytes = plain.length - 7 * 4;
  const packet = new Uint8Array(9);
  packet[0] = 1;
  viewOf(packet).setUint32(1, 3000, true);
  viewOf(packet).setUint32(5, 7, true);
  const dataset = await open({
    "old.ns2": Uint8Array.from([
      ...plain.subarray(0, headerBytes),
      ...packet,
      ...plain.subarray(headerBytes),
    ]),
  });
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.segments, [{ startIndex: 0, length: 7, startSeconds: 0.1 }]);
  assert.deepEqual(await channelSamples(dataset, recording, 1), samples.map((s) => s[1]));
});

Deno.test("2.1 signals are raw without a NEV file and calibrated with one", async () => {
  const samples = ramp(7, 3);
  const ns2 = make.oldNsxFile([1, 130, 2], samples, 30, "LFP Low");
  let dataset = await open({ "old.ns2": new Uint8Array([...ns2, 9]) });
  let [recording] = dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units, c.gain]), [
    ["chan1", "", 1],
    ["ainp2", "", 1],
    ["chan2", "", 1],
  ]);
  assert.equal(recording.sampleCount, 7);
  assert.equal(recording.samplingFrequency, 1000);
  assert.deepEqual(await channelSamples(dataset, recording, 2), samples.map((s) => s[2]));
  assert.match(dataset.warnings.join("\n"), /no NEV file/);
  assert.match(dataset.warnings.join("\n"), /ends inside a sample/);

  dataset = await open({
    "old.ns2": ns2,
    "old.nev": make.nevFile({
      version: "2.1",
      electrodes: [{ id: 1, factor: 250 }, { id: 130, factor: 21516, label: "trigger" }],
      packets: [],
    }),
  });
  [recording] = dataset.recordings;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.units, c.gain]), [
    ["chan1", "uV", 0.25],
    ["trigger", "uV", 152.592547],
    ["chan2", "", 1],
  ]);
  assert.equal(dataset.metadata.startTime, "2021-03-17T14:25:36.789Z");
  assert.match(dataset.warnings.join(), /none for chan2/);
});

const PTP_START = 1_615_991_137_000_000_000n; // 0.211 s after the headers' time origin

Deno.test("single-sample packets: pauses, one lost sample, true nanoseconds", async () => {
  const samples = ramp(100, 2);
  const skipped = (i: number) => i + (i >= 40 ? 1 : 0) + (i >= 70 ? 7500 : 0);
  const stamp = (i: number) => PTP_START + BigInt(Math.round(skipped(i) * 1e9 / 30_000));
  const ns6 = make.nsxFile({
    version: "3.0",
    channels: TWO,
    timeResolution: 1_000_000_000,
    packets: make.samplePackets(samples, stamp),
  });
  const nev = make.nevFile({
    version: "3.0",
    timeResolution: 1_000_000_000,
    electrodes: [{ id: 1, label: "chan1" }],
    packets: [make.digital(stamp(40), 7)],
  });
  const dataset = await open({ "g.ns6": ns6.slice(0, -3), "g.nev": nev });
  const [recording] = dataset.recordings;
  assert.equal(recording.samplingFrequency, 30_000);
  assert.equal(recording.sampleCount, 99);
  assert.match(dataset.warnings.join(), /ends inside a packet/);
  assert.equal(recording.time, undefined);
  assert.deepEqual(recording.segments.map((s) => [s.startIndex, s.length]), [[0, 40], [40, 30], [
    70,
    29,
  ]]);
  // Zero is the time origin, 14:25:36.789.
  assert.deepEqual(recording.segments.map((s) => s.startSeconds), [
    0.211,
    Number(stamp(40) - PTP_START + 211_000_000n) / 1e9,
    Number(stamp(70) - PTP_START + 211_000_000n) / 1e9,
  ]);
  assert.deepEqual(
    await channelSamples(dataset, recording, 1),
    samples.slice(0, 99).map((s) => s[1]),
  );
  assert.deepEqual(values(dataset, "digital_input_port", "time"), [
    recording.segments[1].startSeconds,
  ]);
  assert.deepEqual(values(dataset, "digital_input_port", "unix_time"), [Number(stamp(40)) / 1e9]);
  const [stamps] = dataset.arrays;
  assert.equal(stamps.path, "timestamps");
  assert.ok(stamps.layout.kind === "frames");
  assert.deepEqual(
    await frameChannel(dataset, stamps.layout, 0, 99),
    Array.from({ length: 99 }, (_, i) => stamp(i)),
  );
});

Deno.test("stamps far from the header's date count from the first of the set", async () => {
  const stamp = (i: number) => 1_700_000_000_000_000_000n + BigInt(i) * 33_333n;
  const dataset = await open({
    "g.ns6": make.nsxFile({
      version: "3.0",
      channels: TWO,
      timeResolution: 1_000_000_000,
      packets: make.samplePackets(ramp(3, 2), stamp),
    }),
  });
  assert.equal(dataset.recordings[0].segments[0].startSeconds, 0);
  assert.match(dataset.warnings.join(), /2023-11-14T22:13:20\.000000000Z/);
  const { clock } = dataset.metadata.header as { clock: Record<string, string> };
  assert.equal(clock.zero_nanoseconds_since_1970, "1700000000000000000");
});

/** A source that counts what is read of it. */
class CountingSource extends MemorySource {
  bytesRead = 0;
  override read(offset: number, length: number): Promise<Uint8Array> {
    this.bytesRead += length;
    return super.read(offset, length);
  }
}

/** A 3.0 file of `count` single-sample packets of 8 channels, made fast. */
function longPtp(count: number, stamp: (index: number) => bigint): Uint8Array {
  const channels = Array.from({ length: 8 }, (_, c) => ({ electrode: c + 1, label: `c${c}` }));
  const head = make.nsxFile({
    version: "3.0",
    channels,
    timeResolution: 1_000_000_000,
    packets: [],
  });
  const bytes = new Uint8Array(head.length + count * 29);
  bytes.set(head);
  const view = viewOf(bytes);
  for (let i = 0; i < count; i++) {
    const at = head.length + i * 29;
    bytes[at] = 1;
    view.setBigUint64(at + 1, stamp(i), true);
    view.setUint32(at + 9, 1, true);
    view.setInt16(at + 13, i, true);
  }
  return bytes;
}

Deno.test("a long PTP file is searched for pauses, not read", async () => {
  const count = 300_000;
  const lost = [100_001, 100_002, 250_000, 299_999];
  const stamp = (i: number) =>
    PTP_START + BigInt(Math.round((i + lost.filter((l) => i >= l).length) * 1e9 / 30_000));
  const source = new CountingSource("long.ns6", longPtp(count, stamp));
  const dataset = await reader.open(source, {});
  assert.deepEqual(dataset.recordings[0].segments.map((s) => s.startIndex), [0, ...lost]);
  assert.ok(source.bytesRead < source.size / 10, `${source.bytesRead} of ${source.size} bytes`);
  assert.equal(dataset.recordings[0].time, undefined);
});

Deno.test("a PTP clock that drifts gives the time axis itself; one that goes back is read whole", async () => {
  const count = 200_000;
  const slow = (i: number) => PTP_START + BigInt(i) * 33_334n;
  let source = new CountingSource("long.ns6", longPtp(count, slow));
  let dataset = await reader.open(source, {});
  assert.equal(dataset.recordings[0].segments.length, 1);
  assert.ok(source.bytesRead < source.size / 10);
  assert.match(dataset.warnings.join(), /made of the stamps themselves/);
  assert.deepEqual(dataset.recordings[0].time, {
    kind: "stream",
    stream: "ns6.time",
    field: "time",
  });
  let n = 0;
  for await (const block of dataset.openStream!("ns6.time", {})) {
    for (let i = 0; i < block.count; i += 997) {
      assert.equal(block.values[i], Number(slow(n + i) - PTP_START + 211_000_000n) / 1e9);
    }
    n += block.count;
  }
  assert.equal(n, count);

  // The first reset makes up for the pause before it: time gone by alone would not show either.
  const back = (i: number) =>
    PTP_START + BigInt(i) * 33_333n + (i >= 60_000 ? 1_000_000n : 0n) -
    (i >= 120_000 ? 1_000_000n : 0n) - (i >= 150_000 ? 3_000_000_000n : 0n);
  source = new CountingSource("long.ns6", longPtp(count, back));
  dataset = await reader.open(source, {});
  assert.deepEqual(dataset.recordings[0].segments.map((s) => s.startIndex), [
    0,
    60_000,
    120_000,
    150_000,
  ]);
  assert.match(dataset.warnings.join(), /go back 2 times/);
});

Deno.test("single-sample packets with 32-bit stamps", async () => {
  const dataset = await open({
    "a.ns2": make.nsxFile({
      version: "2.3",
      channels: TWO,
      period: 30,
      packets: make.samplePackets(ramp(6, 2), (i) => BigInt(30 * i + (i > 3 ? 600 : 0))),
    }),
  });
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 4, startSeconds: 0 },
    { startIndex: 4, length: 2, startSeconds: 0.024 },
  ]);
  assert.deepEqual(await channelSamples(dataset, recording, 1), ramp(6, 2).map((s) => s[1]));
  assert.equal(dataset.arrays[0].dtype, "uint32");
});

Deno.test("a file that only begins with single-sample packets is walked", async () => {
  const packets = make.samplePackets(ramp(3, 2), (i) => BigInt(i));
  packets.push({ ticks: 100n, samples: ramp(50, 2) });
  const dataset = await open({
    "a.ns5": make.nsxFile({ version: "3.0", channels: TWO, packets }),
  });
  assert.deepEqual(dataset.recordings[0].segments.map((s) => s.length), [3, 50]);
  assert.equal(dataset.arrays.length, 0);
});

Deno.test("every kind of NEV packet has a table", async () => {
  const dataset = await open({
    "e.nev": make.nevFile({
      version: "2.3",
      electrodes: [{ id: 1, label: "left" }, { id: 2, label: "right", spikeWidth: 4 }],
      extended: [
        { id: "DIGLABEL", bytes: new Uint8Array([...new TextEncoder().encode("serial port")]) },
        { id: "ARRAYNME", bytes: new TextEncoder().encode("Utah 96") },
        { id: "ECOMMENT", bytes: new TextEncoder().encode("a comment of more than ") },
        { id: "CCOMMENT", bytes: new TextEncoder().encode("one header") },
        { id: "XYZ", bytes: new Uint8Array([1]) },
      ],
      packets: [
        make.spike(30n, 1, 1, Array.from({ length: 48 }, (_, i) => i - 24)),
        make.spike(60n, 2, 255, [5, 6, 7, 8, 9]),
        make.spike(90n, 300, 0, [1]),
        make.digital(120n, 65535),
        make.digital(150n, 7, 129),
        make.digital(180n, 3, 64),
        make.comment(210n, "stim on", 0x00ff00ff),
        make.comment(240n, "Größe µ", 0, true),
        make.videoSync(270n, 2, 100, 3333, 1),
        make.tracking(300n, 4, [10, 20, 30, 40]),
        make.coded(330n, 0xfffc, 1),
        make.coded(360n, 0xfffb, 1, "threshold changed"),
        make.coded(390n, 0xfff9, 3),
        make.coded(420n, 0x9000, 9),
        make.spike(420n, 1, 16, [-1]),
      ],
    }),
  });
  assert.deepEqual(dataset.warnings, []);
  assert.equal(dataset.recordings.length, 0);
  assert.deepEqual(values(dataset, "spikes", "time"), [0.001, 0.002, 0.003, 0.014]);
  assert.deepEqual(values(dataset, "spikes", "channel"), ["left", "right", "ainp172", "left"]);
  assert.deepEqual(values(dataset, "spikes", "electrode"), [1, 2, 300, 1]);
  assert.deepEqual(values(dataset, "spikes", "unit"), [1, 255, 0, 16]);
  const waveform = table(dataset, "spikes").columns.find((c) => c.name === "waveform")!;
  assert.deepEqual(waveform.innerShape, [48]);
  assert.deepEqual([waveform.units, waveform.attributes!.scale_factor], ["uV", 0.25]);
  const samples = values(dataset, "spikes", "waveform");
  assert.deepEqual(samples.slice(0, 48), Array.from({ length: 48 }, (_, i) => i - 24));
  assert.deepEqual(samples.slice(48, 54), [5, 6, 7, 8, 0, 0]);
  assert.deepEqual(values(dataset, "digital_input_port", "label"), ["65535"]);
  assert.deepEqual(values(dataset, "serial_input_port", "code"), [7]);
  assert.equal(table(dataset, "serial_input_port").attributes!.line_label, "serial port");
  assert.deepEqual(values(dataset, "other_inputs", "reason"), [64]);
  assert.deepEqual(values(dataset, "comments", "label"), ["stim on", "Größe µ"]);
  assert.deepEqual(values(dataset, "comments", "code"), [0x00ff00ff, 0]);
  assert.deepEqual(values(dataset, "video_sync", "frame_number"), [100]);
  assert.deepEqual(values(dataset, "video_sync", "elapsed_time"), [3333]);
  assert.deepEqual(values(dataset, "tracking", "point_count"), [2]);
  assert.deepEqual(values(dataset, "tracking", "points").slice(0, 5), [10, 20, 30, 40, 0]);
  assert.deepEqual(values(dataset, "button_trigger", "label"), ["press"]);
  assert.deepEqual(values(dataset, "configuration", "label"), ["threshold changed"]);
  assert.deepEqual(values(dataset, "recording", "code"), [3]);
  assert.deepEqual(values(dataset, "other_packets", "code"), [0x9000]);
  const { nev } = dataset.metadata.header as { nev: Record<string, unknown> };
  assert.deepEqual(nev.array_names, ["Utah 96"]);
  assert.deepEqual(nev.extra_comments, ["a comment of more than one header"]);
});

Deno.test("3.0 events, log entries with their application", async () => {
  const dataset = await open({
    "e.nev": make.nevFile({
      version: "3.0",
      packets: [
        make.spike(30_000n, 5, 1, [1, 2, 3]),
        make.comment(60_000n, "x"),
        make.coded(90_000n, 0xfffb, 2, "Central\0\0\0\0\0\0\0\0\0started"),
      ],
    }),
  });
  assert.deepEqual(values(dataset, "spikes", "time"), [1]);
  assert.deepEqual(values(dataset, "spikes", "waveform").slice(0, 4), [1, 2, 3, 0]);
  assert.deepEqual(values(dataset, "comments", "time"), [2]);
  assert.deepEqual(values(dataset, "log", "application"), ["Central"]);
  assert.deepEqual(values(dataset, "log", "label"), ["started"]);
});

Deno.test("waveforms longer than packets hold end with the packet", async () => {
  const dataset = await open({
    "e.nev": make.nevFile({
      version: "2.3",
      packetBytes: 24,
      electrodes: [{ id: 1, label: "e1", spikeWidth: 48 }],
      packets: [make.spike(1n, 1, 0, [1, 2, 3, 4, 5, 6, 7, 8]), make.digital(2n, 1)],
    }),
  });
  assert.deepEqual(values(dataset, "spikes", "waveform"), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.match(dataset.warnings.join(), /longer waveforms than packets hold \(e1\)/);
});

Deno.test("2.2: analog inputs, stimulation ids, 8-bit waveforms and mixed gains", async () => {
  const dataset = await open({
    "e.nev": make.nevFile({
      version: "2.2",
      packetBytes: 24,
      flags: 0,
      electrodes: [
        { id: 1, bytesPerSample: 0, factor: 250 },
        { id: 2, bytesPerSample: 2, factor: 500 },
        { id: 5121, bytesPerSample: 2, factor: 0 },
      ],
      packets: [
        { ticks: 1n, id: 1, body: new Uint8Array([1, 0, 0xff, 5]) },
        make.spike(2n, 2, 0, [-300, 300]),
        make.spike(3n, 5121, 0, [100, 200]),
        make.digital(4n, 1, 1, [-5, 4, 3, 2, 1]),
      ],
    }),
  });
  assert.deepEqual(values(dataset, "spikes", "electrode"), [1, 2]);
  const waveform = table(dataset, "spikes").columns.find((c) => c.name === "waveform")!;
  assert.deepEqual([waveform.dtype, waveform.innerShape, waveform.units], [
    "int16",
    [16],
    undefined,
  ]);
  const samples = values(dataset, "spikes", "waveform");
  assert.deepEqual([...samples.slice(0, 3), ...samples.slice(16, 19)], [-1, 5, 0, -300, 300, 0]);
  assert.deepEqual(table(dataset, "spikes").attributes!.electrode_microvolts_per_count, [
    0.25,
    0.5,
  ]);
  assert.deepEqual(values(dataset, "stimulation", "electrode"), [1]);
  assert.deepEqual(values(dataset, "digital_input_port", "analog"), [-5, 4, 3, 2, 1]);
});

Deno.test("continuation packets, UTF-16 with an odd end, a cut last packet", async () => {
  const text = "a comment that does not fit into one packet";
  const bytes = new TextEncoder().encode(text);
  const odd = make.comment(9n, "ab", 0, true);
  odd.body = new Uint8Array([...odd.body, 0, 0, 0x41]);
  const nev = make.nevFile({
    version: "2.3",
    packetBytes: 25,
    electrodes: [{ id: 1, spikeWidth: 12 }],
    packets: [
      make.continuation(7, new Uint8Array([1])),
      make.comment(5n, text.slice(0, 13)),
      make.continuation(0xffff, bytes.slice(13, 32)),
      make.continuation(0xffff, bytes.slice(32)),
      odd,
      make.spike(10n, 1, 1, [1, 2, 3, 4, 5, 6, 7, 8]),
      make.continuation(1, new Uint8Array([0, 9, 0, 10])),
    ],
  });
  const dataset = await open({ "e.nev": new Uint8Array([...nev, 1, 2, 3]) });
  assert.deepEqual(values(dataset, "comments", "label"), [text, "ab"]);
  assert.deepEqual(values(dataset, "comments", "time"), [5 / 30_000, 9 / 30_000]);
  // 17 bytes of waveform in the first packet: the ninth sample goes on in the continuation.
  assert.deepEqual(values(dataset, "spikes", "waveform"), [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 10, 0]);
  assert.deepEqual(values(dataset, "other_packets", "code"), [7]);
  assert.ok(Number.isNaN(values(dataset, "other_packets", "time")[0]));
  assert.match(dataset.warnings.join(), /inside a data packet \(3 bytes/);
});

Deno.test("large NEV files are one pass in bounded blocks with the same events", async () => {
  const count = 60_000;
  const packets: make.NevPacketContents[] = [];
  for (let i = 0; i < count; i++) {
    const ticks = BigInt(i);
    // Comments of two packets everywhere: some lie across the end of a block.
    if (i % 100 === 99) packets.push(make.comment(ticks, `note ${i} `.padEnd(92, ".")));
    if (i % 100 === 99) packets.push(make.continuation(0xffff, new Uint8Array([0x2b, i & 0x7f])));
    packets.push(make.spike(ticks, 1 + i % 3, i % 5, [i & 0x7fff, -i & 0x7fff]));
  }
  const nev = make.nevFile({
    version: "2.3",
    electrodes: [{ id: 1 }, { id: 2 }, { id: 3 }],
    packets,
  });
  assert.ok(nev.length > 4 << 20);
  const dataset = await open({ "e.nev": nev });
  const { columns } = table(dataset, "spikes");
  assert.equal(table(dataset, "spikes").count, null);
  assert.deepEqual(columns[0].layout, { kind: "stream", stream: "nev", field: "spikes.time" });
  const sums = new Map<string, number>();
  const labels: string[] = [];
  let biggest = 0;
  for await (const block of dataset.openStream!("nev", {})) {
    const before = sums.get(block.field) ?? 0;
    if (block.field === "spikes.time") {
      biggest = Math.max(biggest, block.count);
      for (let i = 0; i < block.count; i += 101) {
        assert.equal(block.values[i], (before + i) / 30_000);
      }
    }
    if (block.field === "spikes.waveform") {
      assert.equal(block.values[48], (before + 1) & 0x7fff);
    }
    if (block.field === "comments.label") labels.push(...block.values as string[]);
    sums.set(block.field, before + block.count);
  }
  assert.equal(sums.get("spikes.time"), count);
  assert.equal(sums.get("spikes.waveform"), count);
  assert.equal(labels.length, 600);
  assert.equal(labels[0], `${"note 99 ".padEnd(92, ".")}+${String.fromCharCode(99)}`);
  assert.ok(labels.every((l) => l.length === 94));
  assert.ok(biggest * 104 <= 2 << 20);
  await rejects(
    Promise.resolve().then(() => dataset.openStream!("x", {})),
    "Corrupt",
    /no stream x/,
  );
});

Deno.test("a bad member costs that member only", async () => {
  const files = make.experiment({ seconds: 0.2 });
  const dataset = await open({
    "experiment.ns5": files["experiment.ns5"],
    "experiment.nev": new TextEncoder().encode("######## Neuralynx Data File Header"),
    "experiment.ns2": new Uint8Array(3),
  });
  assert.equal(dataset.recordings.length, 1);
  assert.deepEqual(dataset.leftOut.map((l) => l.what).sort(), ["experiment.nev", "experiment.ns2"]);
});

Deno.test("contradictory headers are errors that name file, place and reason", async () => {
  const good = make.nsxFile({
    version: "2.3",
    channels: TWO,
    packets: [{ ticks: 0n, samples: ramp(3, 2) }],
  });
  const patched = (bytes: Uint8Array, at: number, ...values: number[]) => {
    const copy = bytes.slice();
    copy.set(values, at);
    return copy;
  };
  const bad = (bytes: Uint8Array) => open({ "a.ns5": bytes });
  await rejects(bad(good.slice(0, 100)), "Corrupt", /a\.ns5.*shorter than its basic header/);
  await rejects(bad(patched(good, 8, 9)), "Unsupported", /found 9\.3/);
  await rejects(bad(patched(good, 310, 0, 0, 0, 0)), "Corrupt", /no channels/);
  await rejects(bad(patched(good, 310, 255, 255, 255, 255)), "Limit", /channel count.*4294967295/);
  await rejects(bad(patched(good, 310, 3)), "Corrupt", /bytes in headers.*found 446/);
  await rejects(bad(patched(good, 10, 0, 0, 0, 1)), "Truncated", /16777216/);
  await rejects(bad(patched(good, 286, 0)), "Corrupt", /period/);
  await rejects(bad(patched(good, 314, 0)), "Corrupt", /at byte 314/);
  await rejects(bad(patched(good, 446, 7)), "Corrupt", /at byte 446.*found 7, expected 1/);
  const nev = make.nevFile({ version: "2.3", packets: [make.digital(1n, 1)] });
  const badNev = (bytes: Uint8Array) => open({ "a.nev": bytes });
  await rejects(badNev(nev.slice(0, 300)), "Corrupt", /basic header/);
  await rejects(badNev(patched(nev, 16, 4)), "Corrupt", /bytes in data packets.*found 4/);
  await rejects(badNev(patched(nev, 332, 200)), "Corrupt", /extended headers/);
  await rejects(badNev(patched(nev, 332, 0, 0, 0, 255)), "Limit", /headers longer/);
  await rejects(badNev(patched(nev, 12, 0, 0, 1)), "Truncated", /inside its headers/);
  await rejects(
    open({ "a.nev": new TextEncoder().encode("######## Neuralynx") }),
    "Corrupt",
    /######/,
  );
});

Deno.test("whatever bytes: a dataset or an error of ours", async () => {
  const files = make.experiment({ seconds: 0.02, channels: 2 });
  let seed = 12345;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor(seed / 2 ** 32 * n);
  };
  for (let round = 0; round < 300; round++) {
    const name = round % 2 ? "experiment.ns5" : "experiment.nev";
    const bytes = files[name].slice(0, round % 3 ? undefined : random(files[name].length));
    for (let k = 0; k < 4 && bytes.length; k++) {
      bytes[random(Math.min(bytes.length, round % 5 ? 520 : bytes.length))] = random(256);
    }
    try {
      const dataset = await open({ [name]: bytes });
      for (const r of dataset.recordings) await channelSamples(dataset, r, 0);
    } catch (error) {
      assert.ok(isFuseError(error), String((error as Error).stack));
    }
  }
});

Deno.test("the synthetic experiment is what its NEV file says", async () => {
  const dataset = await open(make.experiment());
  assert.deepEqual(dataset.warnings, []);
  const [recording] = dataset.recordings;
  assert.equal(recording.segments.length, 2);
  assert.equal(recording.segments[1].startSeconds, 40_000 / 30_000 + 0.5);
  const times = values(dataset, "spikes", "time") as number[];
  const first = values(dataset, "spikes", "waveform").slice(0, 48);
  const electrode = values(dataset, "spikes", "electrode")[0] as number;
  const signal = await channelSamples(dataset, recording, electrode - 1);
  const at = Math.round(times[0] * 30_000) - 11;
  assert.deepEqual(signal.slice(at, at + 48), first);
  assert.ok(times.length > 100);
});
