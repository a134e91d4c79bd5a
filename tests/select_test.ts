/** Picking channels and times before anything is read. */
import assert from "node:assert/strict";
import type { FuseError } from "../src/errors.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { selectFrom } from "../src/model/select.ts";
import { interleaved } from "./support/build-dataset.ts";
import { channelSamples } from "./support/materialize.ts";

/** 1000 Hz; two runs of 1000 and 2000 samples, the second begins at 1.5 s. */
function paused(): Dataset {
  return interleaved({ stored: "int16", channels: 4, samples: 3000, runs: [1000, 2000] });
}

Deno.test("channels by name and by number keep their samples and their calibration", async () => {
  const dataset = interleaved({ stored: "int16", channels: 4, samples: 50, gains: [1, 2, 3, 4] });
  const picked = selectFrom(dataset, { channels: ["ch4", 1] });
  const [recording] = picked.recordings;
  assert.deepEqual(recording.channels.map((c) => [c.name, c.gain]), [["ch2", 2], ["ch4", 4]]);
  const [whole] = dataset.recordings;
  assert.deepEqual(
    await channelSamples(picked, recording, 0),
    await channelSamples(dataset, whole, 1),
  );
  assert.deepEqual(
    await channelSamples(picked, recording, 1),
    await channelSamples(dataset, whole, 3),
  );
  assert.throws(
    () => selectFrom(dataset, { channels: ["none"] }),
    (e: FuseError) => e.tag === "Usage",
  );
});

Deno.test("a time picks the samples inside it, across a pause", async () => {
  const dataset = paused();
  const picked = selectFrom(dataset, { fromSeconds: 0.9, untilSeconds: 1.6 });
  const [recording] = picked.recordings;
  assert.deepEqual(recording.segments, [
    { startIndex: 0, length: 100, startSeconds: 0.9 },
    { startIndex: 100, length: 100, startSeconds: 1.5 },
  ]);
  const all = await channelSamples(dataset, dataset.recordings[0], 2);
  assert.deepEqual(await channelSamples(picked, recording, 2), all.slice(900, 1100));
  assert.throws(
    () => selectFrom(dataset, { fromSeconds: 99 }),
    (e: FuseError) => e.tag === "Usage",
  );
});

Deno.test("a time inside a frame takes the whole frame", async () => {
  const dataset = interleaved({ stored: "int16", channels: 2, samples: 800 });
  // The same bytes seen as blocks of 8 scans.
  const [recording] = dataset.recordings;
  const [part] = recording.parts;
  if (part.layout.kind !== "frames") throw new Error("frames expected");
  dataset.frameTables[0].frameBytes *= 8;
  dataset.frameTables[0].frameCount[0] /= 8;
  Object.assign(part.layout, { samplesPerFrame: 8, sampleStride: 4 });
  const picked = selectFrom(dataset, { fromSeconds: 0.013, untilSeconds: 0.018 });
  assert.deepEqual(picked.recordings[0].segments, [{
    startIndex: 0,
    length: 16,
    startSeconds: 0.008,
  }]);
  const all = await channelSamples(dataset, recording, 1);
  assert.deepEqual(await channelSamples(picked, picked.recordings[0], 1), all.slice(8, 24));
});

Deno.test("events and other arrays are named as left out when only a time is wanted", () => {
  const dataset = paused();
  dataset.events.push({ name: "e", count: 0, columns: [] });
  const picked = selectFrom(dataset, { untilSeconds: 0.5 });
  assert.equal(picked.events.length, 0);
  assert.equal(picked.leftOut.length, 1);
});
