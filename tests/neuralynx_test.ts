import assert from "node:assert/strict";
import { blackrock } from "../decoders/ephys/blackrock.ts";
import { reader } from "../decoders/ephys/neuralynx-reader.ts";
import { neuralynx } from "../decoders/ephys/neuralynx.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import type { ReadOptions } from "../src/source/source.ts";
import { WrappedSource } from "../src/source/wrapped.ts";
import { channelSamples } from "./support/materialize.ts";

const ZERO = 1_698_932_395_972_475n;

/** A file of the header and records of `recordBytes` that `fill` writes. */
function file(
  lines: string[],
  recordBytes: number,
  records: ((view: DataView, bytes: Uint8Array) => void)[],
): Uint8Array {
  const bytes = new Uint8Array(16_384 + recordBytes * records.length);
  const text = ["######## Neuralynx Data File Header", ...lines].join("\r\n");
  bytes.set(new TextEncoder().encode(text));
  records.forEach((fill, i) => {
    const at = 16_384 + i * recordBytes;
    fill(new DataView(bytes.buffer, at, recordBytes), bytes.subarray(at, at + recordBytes));
  });
  return bytes;
}

/** A signal at 2000 Hz; each record is `[microseconds after ZERO, valid samples]`. */
function ncs(records: [number, number][], lines: string[] = []): Uint8Array {
  let sample = 0;
  return file(
    [
      "-SamplingFrequency 2000",
      "-ADBitVolts 0.0000001",
      "-AcqEntName CSC1",
      "-InputInverted True",
      "-RecordSize 1044",
      ...lines,
    ],
    1044,
    records.map(([after, valid]) => (view) => {
      view.setBigUint64(0, ZERO + BigInt(after), true);
      view.setUint32(12, 2000, true);
      view.setUint32(16, valid, true);
      for (let k = 0; k < 512; k++) view.setInt16(20 + 2 * k, k < valid ? sample++ : -9999, true);
    }),
  );
}

const open = (files: Record<string, Uint8Array>, alone = false): Promise<Dataset> => {
  const [name] = Object.keys(files);
  const { [name]: main, ...siblings } = files;
  return reader.open(new MemorySource(name, main, siblings), { alone });
};

const count = (n: number) => Array.from({ length: n }, (_, i) => i);

Deno.test("the text header is sure, and .nev of Neuralynx is not Blackrock's", () => {
  const input = { head: file([], 184, []), name: "events.nev", size: 16_384 };
  assert.equal(neuralynx.probe(input).score, 250);
  assert.equal(blackrock.probe(input).score, 0);
  assert.equal(neuralynx.probe({ ...input, head: new Uint8Array(9) }).score, 0);
});

Deno.test("stamps rounded by a microsecond are no pause; real ones and a short last record are kept", async () => {
  const dataset = await open({
    "a.ncs": ncs([[0, 512], [256_001, 512], [512_000 + 3_499, 512], [768_000 + 3_499, 100]]),
  });
  const [recording] = dataset.recordings;
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 1024, startSeconds: 0 },
    { startIndex: 1024, length: 612, startSeconds: 0.515499 },
  ]);
  assert.equal(recording.samplingFrequency, 2000);
  assert.deepEqual([recording.channels[0].gain, recording.channels[0].units], [-1e-7, "V"]);
  assert.deepEqual(await channelSamples(dataset, recording, 0), count(1636));
});

Deno.test("short records inside a file give no filler samples", async () => {
  const dataset = await open({ "a.ncs": ncs([[0, 512], [256_000, 10], [900_000, 512]]) });
  const [recording] = dataset.recordings;
  assert.equal(recording.sampleCount, 1034);
  assert.deepEqual(recording.segments.map((s) => s.startIndex), [0, 522]);
  assert.deepEqual(await channelSamples(dataset, recording, 0), count(1034));
});

Deno.test("stamps that follow another rate than the header's are believed", async () => {
  const records = count(20).map((i): [number, number] => [i * 250_000, 512]);
  const dataset = await open({ "a.ncs": ncs(records) });
  assert.equal(dataset.recordings[0].samplingFrequency, 2048);
  assert.equal(dataset.recordings[0].segments.length, 1);
  assert.match(dataset.warnings[0], /follow 2048 Hz/);
});

Deno.test("a session: channels of one clock together, events and spikes on the same zero", async () => {
  const session = "-SessionUUID one";
  const event = file([session], 184, [(view, bytes) => {
    view.setBigUint64(6, ZERO + 1_500_000n, true);
    view.setInt16(14, 11, true);
    view.setUint16(16, 0x8001, true);
    bytes.set(new TextEncoder().encode("TTL Input"), 56);
  }]);
  const spike = file([session, "-ADBitVolts 1e-8 1e-8 1e-8 1e-8", "-AcqEntName TT1"], 304, [
    (view) => {
      view.setBigUint64(0, ZERO + 250_000n, true);
      view.setUint32(12, 3, true);
      for (let k = 0; k < 128; k++) view.setInt16(48 + 2 * k, k, true);
    },
  ]);
  const position = file([session], 1828, [(view) => {
    view.setBigUint64(6, ZERO + 40n, true);
    [17, 23, 90].forEach((v, i) => view.setInt32(1616 + 4 * i, v, true));
  }]);
  const dataset = await open({
    "CSC1.ncs": ncs([[0, 512]], [session]),
    "CSC2.ncs": ncs([[0, 512]], [session]),
    "CSC3.ncs": ncs([[0, 512]], ["-SessionUUID other"]),
    "Events.nev": event,
    "TT1.ntt": spike,
    "VT1.nvt": position,
  });
  assert.equal(dataset.recordings.length, 1);
  assert.equal(dataset.recordings[0].channels.length, 2);
  const table = (name: string) =>
    Object.fromEntries(
      dataset.events.find((t) => t.name === name)!.columns.map((c) => [
        c.name,
        (c.layout as { values: ArrayLike<unknown> }).values,
      ]),
    );
  const events = table("events");
  assert.deepEqual([events.time[0], events.label[0], events.ttl[0]], [1.5, "TTL Input", 0x8001]);
  assert.equal(events.timestamp[0], ZERO + 1_500_000n);
  const spikes = table("spikes_TT1");
  assert.deepEqual([spikes.time[0], spikes.unit[0], spikes.waveform[127]], [0.25, 3, 127]);
  const waveform = dataset.events.find((t) => t.name === "spikes_TT1")!.columns.at(-1)!;
  assert.deepEqual([waveform.innerShape, waveform.attributes?.scale_factor], [[32, 4], 1e-8]);
  const seen = table("positions");
  assert.deepEqual([seen.x[0], seen.y[0], seen.angle[0]], [17, 23, 90]);
  assert.equal(
    (await open({ "a.ncs": ncs([[0, 1]]), "Events.nev": event }, true)).events.length,
    0,
  );
});

/** A source far away: what was read is counted. */
class Remote extends WrappedSource {
  bytesRead = 0;
  override get distance() {
    return "remote" as const;
  }
  override read(offset: number, length: number, options?: ReadOptions) {
    this.bytesRead += length;
    return super.read(offset, length, options);
  }
}

Deno.test("large files are not read through, and their pauses, drift and short records are found", async () => {
  const pauses = new Map([[130, 7_000], [131, 500_000], [2000, 300], [2999, 1_000_000]]);
  const records = (step: number, short?: number) => {
    let at = 0;
    return count(3000).map((i): [number, number] => {
      at += pauses.get(i) ?? 0;
      const record: [number, number] = [Math.round(at), i === short ? 17 : i === 2999 ? 40 : 512];
      at += step;
      return record;
    });
  };
  const scanned = async (bytes: Uint8Array, remote: boolean) => {
    const memory = new MemorySource("a.ncs", bytes, {});
    const source = new Remote(memory);
    const dataset = await reader.open(remote ? source : memory, { alone: true });
    const { segments, sampleCount, parts, time } = dataset.recordings[0];
    return { found: { segments, sampleCount, kind: parts[0].layout.kind, time }, source, dataset };
  };
  for (const step of [256_000, 256_000.9]) {
    const bytes = ncs(records(step));
    const near = await scanned(bytes, false), far = await scanned(bytes, true);
    assert.deepEqual(far.found, near.found);
    assert.deepEqual(far.found.segments.map((s) => s.startIndex / 512), [0, 130, 131, 2000, 2999]);
    assert.equal(far.found.kind, "frames");
    assert.ok(far.source.bytesRead < 0.1 * bytes.length, `${far.source.bytesRead} bytes read`);
    assert.equal(far.found.time !== undefined, step !== 256_000);
    if (!far.found.time) continue;
    const { stream } = far.found.time as { stream: string };
    const times: number[] = [];
    for await (const { values } of far.dataset.openStream!(stream, {})) {
      for (const value of values) times.push(value as number);
    }
    assert.equal(times.length, 2999 * 512 + 40);
    assert.equal(times[512 * 100 + 3], records(step)[100][0] / 1e6 + 3 / 2000);
  }
  const short = await scanned(ncs(records(256_000, 1000)), true);
  const last = short.found.segments.at(-1)!;
  assert.equal(short.found.sampleCount, last.startIndex + last.length);
});

Deno.test("dates of every age of the program", async () => {
  const dated = async (line: string) => {
    const bytes = file([line, "-SamplingFrequency 2000"], 1044, []);
    return (await open({ "a.ncs": bytes })).metadata.startTime;
  };
  assert.equal(
    await dated("## Time Opened: (m/d/y): 10/4/2003  At Time: 10:3:0.578"),
    "2003-10-04T10:03:00.578",
  );
  assert.equal(
    await dated("## Time Opened (m/d/y): 11/23/2006  (h:m:s.ms) 12:30:0.25"),
    "2006-11-23T12:30:00.025",
  );
  assert.equal(
    await dated("## Date Opened: (mm/dd/yyy): 12/14/2015 At Time: 15:58:32"),
    "2015-12-14T15:58:32",
  );
  assert.equal(
    await dated("## Time Opened: (m/d/y): 12/11/15  At Time: 11:37:39.000"),
    "2015-12-11T11:37:39.000",
  );
  assert.equal(await dated("-TimeCreated 2019/07/12 13:21:32"), "2019-07-12T13:21:32");
});

Deno.test("damage is named", async () => {
  const cut = (bytes: Uint8Array, tag: string) =>
    assert.rejects(open({ "a.ncs": bytes }), (e) => isFuseError(e) && e.tag === tag);
  await cut(new Uint8Array(20_000), "Corrupt");
  await cut(ncs([[0, 512]]).subarray(0, 900), "Truncated");
  await cut(ncs([[0, 5000]]), "Corrupt");
  const whole = ncs([[0, 512]]);
  const session = await open({ "a.ncs": whole, "b.ncs": ncs([[0, 5000]]), "c.ncs": whole });
  assert.equal(session.recordings[0].channels.length, 2);
  assert.deepEqual(session.leftOut.map((l) => l.what), ["b.ncs"]);
  const dataset = await open({ "a.ncs": ncs([[0, 512], [256_000, 512]]).subarray(0, -7) });
  assert.match(dataset.warnings[0], /ends inside a record \(1037 bytes/);
});
