import assert from "node:assert/strict";
import { wav } from "../decoders/ephys/wav.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { channelSamples } from "./support/materialize.ts";

type Bytes = number[] | Uint8Array;

const ascii = (text: string) => [...text].map((c) => c.charCodeAt(0));
const u16 = (n: number, le = true) => le ? [n & 255, n >> 8 & 255] : [n >> 8 & 255, n & 255];
const u32 = (n: number, le = true) => {
  const b = [n & 255, n >>> 8 & 255, n >>> 16 & 255, n >>> 24];
  return le ? b : b.reverse();
};
const u64 = (n: number) => [...u32(n >>> 0), ...u32(Math.floor(n / 2 ** 32))];

function chunk(id: string, payload: Bytes, { le = true, size = payload.length } = {}): number[] {
  return [...ascii(id), ...u32(size, le), ...payload, ...(payload.length % 2 ? [0] : [])];
}

function riff(chunks: number[][], { id = "RIFF", size = undefined as number | undefined } = {}) {
  const body = chunks.flat();
  const le = id !== "RIFX";
  return Uint8Array.from([
    ...ascii(id),
    ...u32(size ?? body.length + 4, le),
    ...ascii("WAVE"),
    ...body,
  ]);
}

function fmt(
  { tag = 1, channels = 1, rate = 1000, bits = 16, bytes = Math.ceil(bits / 8), le = true } = {},
): number[] {
  const align = bytes * channels;
  return [
    ...u16(tag, le),
    ...u16(channels, le),
    ...u32(rate, le),
    ...u32(rate * align, le),
    ...u16(align, le),
    ...u16(bits, le),
  ];
}

const GUID_TAIL = [0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

function extensible(sub: number, bits: number, valid: number, mask: number, channels: number) {
  return [
    ...fmt({ tag: 0xfffe, channels, bits }),
    ...u16(22),
    ...u16(valid),
    ...u32(mask),
    ...u32(sub),
    ...GUID_TAIL,
  ];
}

async function open(bytes: Uint8Array): Promise<Dataset> {
  return await (await wav.load()).open(new MemorySource("test.wav", bytes), {});
}

async function samples(bytes: Uint8Array, channel = 0) {
  const dataset = await open(bytes);
  return await channelSamples(dataset, dataset.recordings[0], channel);
}

async function refuses(bytes: Uint8Array, tag: string, pattern: RegExp) {
  await assert.rejects(open(bytes), (error) => {
    assert(isFuseError(error));
    assert.equal(error.tag, tag);
    assert.match(error.message, pattern);
    assert.match(error.message, /test\.wav/);
    return true;
  });
}

Deno.test("wav: every PCM width keeps its integers and scales to full scale", async () => {
  const cases: [number, number[], (number | bigint)[], number, number][] = [
    [8, [0, 128, 255], [0, 128, 255], 2 ** -7, -1],
    [16, [0, 0x80, 0xff, 0x7f], [-32768, 32767], 2 ** -15, 0],
    [24, [0, 0, 0x80, 1, 0, 0], [-8388608, 1], 2 ** -23, 0],
    [32, [0, 0, 0, 0x80, 1, 0, 0, 0], [-2147483648, 1], 2 ** -31, 0],
    // 36 bits left-justified in five bytes.
    [36, [0, 0, 0, 0, 0x80, 0x10, 0, 0, 0, 0], [-(2n ** 39n), 16n], 2 ** -39, 0],
    [45, [0, 0, 0, 0, 0, 0x80, 8, 0, 0, 0, 0, 0], [-(2n ** 47n), 8n], 2 ** -47, 0],
    [56, [1, 2, 3, 4, 5, 6, 0xff], [-0x00f9fafbfcfdffn], 2 ** -55, 0],
    [64, [0, 0, 0, 0, 0, 0, 0, 0x80], [-(2n ** 63n)], 2 ** -63, 0],
    // 12 bits left-justified in 16: full scale stays the container's.
    [12, [0xf0, 0x7f], [0x7ff0], 2 ** -15, 0],
  ];
  for (const [bits, data, expected, gain, offset] of cases) {
    const bytes = riff([chunk("fmt ", fmt({ bits })), chunk("data", data)]);
    assert.deepEqual(await samples(bytes), expected, `${bits} bits`);
    const [channel] = (await open(bytes)).recordings[0].channels;
    assert.deepEqual([channel.gain, channel.offset], [gain, offset], `${bits} bits`);
    assert.equal(channel.units, "full scale");
  }
});

Deno.test("wav: floats, A-law and mu-law", async () => {
  const f32 = new Uint8Array(Float32Array.of(0.5, -1.25).buffer);
  const f64 = new Uint8Array(Float64Array.of(0.1).buffer);
  const file = (tag: number, bits: number, data: Bytes) =>
    riff([chunk("fmt ", fmt({ tag, bits })), chunk("data", data)]);
  assert.deepEqual(await samples(file(3, 32, f32)), [0.5, -1.25]);
  assert.deepEqual(await samples(file(3, 64, f64)), [0.1]);
  assert.deepEqual(await samples(file(6, 8, [0xd5, 0x55, 0xaa])), [8, -8, 32256]);
  assert.deepEqual(await samples(file(7, 8, [0xff, 0x80, 0x00])), [0, 32124, -32124]);
  assert.equal((await open(file(7, 8, [0]))).recordings[0].channels[0].gain, 2 ** -15);
});

Deno.test("wav: RIFX is read big-endian throughout", async () => {
  const bytes = riff([
    chunk("fmt ", fmt({ channels: 2, rate: 500, le: false }), { le: false }),
    chunk("data", [0x01, 0x02, 0xff, 0xfe, 0x03, 0x04, 0x00, 0x05], { le: false }),
  ], { id: "RIFX" });
  const dataset = await open(bytes);
  assert.equal(dataset.recordings[0].samplingFrequency, 500);
  assert.deepEqual(await samples(bytes, 0), [0x0102, 0x0304]);
  assert.deepEqual(await samples(bytes, 1), [-2, 5]);
  assert.deepEqual(dataset.recordings[0].channels.map((c) => c.name), ["ch1", "ch2"]);
});

Deno.test("wav: wide integers come frame by frame, from either end", async () => {
  const data = [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0xff];
  const little = riff([chunk("fmt ", fmt({ bits: 40, channels: 2 })), chunk("data", data)]);
  assert.deepEqual(await samples(little, 0), [1n, 3n]);
  assert.deepEqual(await samples(little, 1), [2n, -4n]);
  const le = false;
  const big = riff([
    chunk("fmt ", fmt({ bits: 40, channels: 2, le }), { le }),
    chunk("data", [0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xfe], { le }),
  ], { id: "RIFX" });
  assert.deepEqual(await samples(big, 0), [5n]);
  assert.deepEqual(await samples(big, 1), [-2n]);
});

Deno.test("wav: RF64 and BW64 take sizes from ds64, its table included", async () => {
  for (const id of ["RF64", "BW64"]) {
    const ds64 = [...u64(0), ...u64(4), ...u64(2), ...u32(1), ...ascii("abcd"), ...u64(6)];
    const bytes = riff([
      chunk("ds64", ds64),
      chunk("abcd", [1, 2, 3, 4, 5, 6], { size: 0xffffffff }),
      chunk("fmt ", fmt()),
      chunk("data", [1, 0, 2, 0], { size: 0xffffffff }),
      chunk("LIST", [...ascii("INFO"), ...chunk("INAM", ascii("name\0"))]),
    ], { id, size: 0xffffffff });
    const dataset = await open(bytes);
    assert.deepEqual(await samples(bytes), [1, 2]);
    assert.deepEqual(dataset.metadata.header?.info, { INAM: "name" });
    assert.deepEqual(dataset.warnings, []);
    assert.deepEqual(dataset.leftOut.map((l) => l.what), ['chunk "abcd" (6 bytes)']);
  }
});

Deno.test("wav: WAVE_FORMAT_EXTENSIBLE gives codec, valid bits and speakers", async () => {
  const bytes = riff([
    chunk("fmt ", extensible(1, 24, 20, 0b101, 3)),
    chunk("data", [0x10, 0, 0, 0xf0, 0xff, 0xff, 0, 0, 0x80]),
  ]);
  const { recordings: [recording] } = await open(bytes);
  assert.deepEqual(recording.attributes, { speaker_mask: 5, valid_bits: 20 });
  assert.deepEqual(
    recording.channels.map((c) => c.attributes?.speaker),
    ["front left", "front center", undefined],
  );
  assert.equal(recording.significantBits, 24);
  assert.deepEqual(await samples(bytes, 1), [-16]);
});

Deno.test("wav: sizes that were never written mean: up to the end of the file", async () => {
  for (const size of [0, 0xffffffff]) {
    const bytes = riff([chunk("fmt ", fmt()), chunk("data", [1, 0, 2, 0, 3], { size })]);
    const dataset = await open(bytes);
    assert.deepEqual(await samples(bytes), [1, 2, 3], `size ${size}`);
    assert.match(dataset.warnings.join(), /never written/);
  }
  const cut = riff([chunk("fmt ", fmt()), chunk("data", [1, 0, 2], { size: 100 })]).slice(0, -1);
  assert.deepEqual(await samples(cut), [1]);
  assert.match((await open(cut)).warnings.join(), /100 bytes.*truncated/);
  assert.match((await open(cut)).warnings.join(), /incomplete frame/);
});

Deno.test("wav: a data chunk of size 0 before another chunk is an empty recording", async () => {
  const list = chunk("LIST", [...ascii("INFO"), ...chunk("INAM", ascii("empty"))]);
  const dataset = await open(riff([chunk("fmt ", fmt()), chunk("data", []), list]));
  assert.equal(dataset.recordings[0].sampleCount, 0);
  assert.deepEqual(dataset.metadata.header?.info, { INAM: "empty" });
});

Deno.test("wav: a missing pad byte is noticed and survived", async () => {
  const odd = [...ascii("data"), ...u32(3), 7, 8, 9];
  const list = chunk("LIST", [...ascii("INFO"), ...chunk("INAM", ascii("ab"))]);
  const dataset = await open(riff([chunk("fmt ", fmt({ bits: 8 })), odd, list]));
  assert.equal(dataset.recordings[0].sampleCount, 3);
  assert.deepEqual(dataset.metadata.header?.info, { INAM: "ab" });
  assert.match(dataset.warnings.join(), /pad byte/);
});

Deno.test("wav: cue points carry labels, notes and durations in time order", async () => {
  const cue = (id: number, sample: number) => [
    ...u32(id),
    ...u32(sample),
    ...ascii("data"),
    ...u32(0),
    ...u32(0),
    ...u32(sample),
  ];
  const ltxt = [...u32(2), ...u32(500), ...ascii("rgn "), ...new Array(8).fill(0)];
  const adtl = [
    ...ascii("adtl"),
    ...chunk("labl", [...u32(2), ...ascii("on\0")]),
    ...chunk("note", [...u32(1), ...ascii("caf\xe9\0")]),
    ...chunk("ltxt", ltxt),
  ];
  const dataset = await open(riff([
    chunk("JUNK", [1, 2, 3]),
    chunk("cue ", [...u32(2), ...cue(1, 700), ...cue(2, 100)]),
    chunk("LIST", adtl),
    chunk("fmt ", fmt()),
    chunk("data", new Uint8Array(2000)),
  ]));
  const [cues] = dataset.events;
  const column = (name: string) => {
    const layout = cues.columns.find((c) => c.name === name)!.layout;
    assert(layout.kind === "values");
    return [...layout.values];
  };
  assert.equal(cues.name, "cues");
  assert.deepEqual(column("time"), [0.1, 0.7]);
  assert.deepEqual(column("label"), ["on", ""]);
  assert.deepEqual(column("duration"), [0.5, 0]);
  assert.deepEqual(column("note"), ["", "café"]);
  assert.deepEqual(column("code"), [2, 1]);
  assert.deepEqual(dataset.leftOut, []);
});

Deno.test("wav: bext and iXML give the start time", async () => {
  const bext = new Uint8Array(602);
  bext.set(ascii("a recording"), 0);
  bext.set(ascii("2021-03-17"), 320);
  bext.set(ascii("14:25:36"), 330);
  bext.set(u32(42), 338);
  const data = chunk("data", [0, 0]);
  const broadcast = await open(riff([chunk("bext", bext), chunk("fmt ", fmt()), data]));
  assert.equal(broadcast.metadata.startTime, "2021-03-17T14:25:36");
  assert.equal(broadcast.metadata.notes, "a recording");
  assert.equal(
    (broadcast.metadata.header?.bext as Record<string, unknown>).time_reference_samples,
    42,
  );
  const xml = "<BWFXML><BEXT><BWF_ORIGINATION_DATE>2020-01-02</BWF_ORIGINATION_DATE>" +
    "<BWF_ORIGINATION_TIME>03:04:05</BWF_ORIGINATION_TIME></BEXT></BWFXML>";
  const ixml = await open(riff([chunk("fmt ", fmt()), data, chunk("iXML", ascii(xml))]));
  assert.equal(ixml.metadata.startTime, "2020-01-02T03:04:05");
  assert.equal(ixml.documents?.["iXML.xml"], xml);
});

Deno.test("wav: what cannot be read is refused by name", async () => {
  const data = chunk("data", [0, 0]);
  await refuses(riff([chunk("fmt ", fmt({ tag: 0x55 })), data]), "Unsupported", /MP3.*0x0055/);
  await refuses(riff([chunk("fmt ", fmt({ tag: 2 })), data]), "Unsupported", /ADPCM/);
  await refuses(riff([chunk("fmt ", fmt({ tag: 3, bits: 16 })), data]), "Unsupported", /floats/);
  await refuses(riff([chunk("fmt ", fmt()), data, data]), "Unsupported", /several data chunks/);
  const wavl = chunk("LIST", [...ascii("wavl"), ...data]);
  await refuses(riff([chunk("fmt ", fmt()), wavl]), "Unsupported", /wavl/);
  await refuses(riff([chunk("fmt ", fmt({ channels: 0 })), data]), "Corrupt", /no channels/);
  await refuses(riff([chunk("fmt ", fmt({ rate: 0 })), data]), "Corrupt", /sample rate/);
  await refuses(riff([chunk("fmt ", fmt())]), "Truncated", /before any "data"/);
  await refuses(riff([data]), "Corrupt", /no "fmt "/);
  await refuses(riff([[...ascii("f")]]), "Truncated", /inside a chunk header at byte 12/);
  await refuses(
    riff([chunk("fmt ", [1, 0], { size: 16 })]),
    "Truncated",
    /inside the chunk "fmt "/,
  );
  await refuses(
    riff([chunk("fmt ", extensible(0x12345678, 16, 16, 0, 1)), data]),
    "Unsupported",
    /GUID/,
  );
  await refuses(Uint8Array.from(ascii("RIFF\0\0\0\0AVI LIST")), "Corrupt", /not a WAVE/);
});

Deno.test("wav: probe knows all four containers and nothing else", () => {
  const probe = (head: Uint8Array) => wav.probe({ head, name: "x.wav", size: head.length }).score;
  for (const id of ["RIFF", "RIFX", "RF64", "BW64"]) assert(probe(riff([], { id })) > 200, id);
  assert.equal(probe(Uint8Array.from(ascii("RIFF\0\0\0\0AVI "))), 0);
  assert.equal(probe(new Uint8Array(4)), 0);
});
