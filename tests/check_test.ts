import assert from "node:assert/strict";
import { FuseError, isFuseError, printable } from "../src/errors.ts";
import { openDataset } from "../src/identify.ts";
import { checkDataset } from "../src/model/check.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { frameTable, type Layout } from "../src/model/layout.ts";
import { nameSafely, segmentName, UniqueNames } from "../src/plan/names.ts";
import { MemorySource } from "../src/source/memory.ts";
import { interleaved } from "./support/build-dataset.ts";

const good = () => interleaved({ stored: "int16", channels: 3, samples: 100 });

function refuses(tag: string, pattern: RegExp, change: (dataset: Dataset) => void): void {
  const dataset = good();
  change(dataset);
  assert.throws(() => checkDataset(dataset), (error) => {
    assert(isFuseError(error), String(error));
    assert.equal(error.tag, tag, error.message);
    assert.match(error.message, pattern);
    assert.match(error.message, /test\.bin/);
    return true;
  });
}

Deno.test("a sound dataset passes, and so does one whose last frame is cut short", () => {
  checkDataset(good());
  const cut = good();
  const { bytes } = cut.sources[0] as MemorySource;
  cut.sources[0] = new MemorySource("test.bin", bytes.subarray(0, 7 + 100 * 6 - 3));
  checkDataset(cut);
});

Deno.test("promises beyond the file's end are truncation, not allocations", () => {
  const frames = (frameBytes: number, frameCount: number, offset = 0) => (d: Dataset) => {
    d.frameTables[0] = frameTable(frameBytes, [{ source: 0, offset, frameCount }]);
  };
  refuses("Truncated", /607 bytes, expected 6597069766656 bytes/, frames(6, 2 ** 40));
  refuses("Truncated", /at byte 4000000000/, frames(6, 100, 4e9));
  refuses("Truncated", /fewer samples.*found 50, expected 100/, frames(6, 50));
  refuses("Limit", /a data frame is larger/, frames(2 ** 31, 1));
  for (const bytes of [0, -6, 1.5, NaN]) refuses("Corrupt", /impossible size/, frames(bytes, 1));
  for (const n of [-1, 0.5, Infinity]) refuses("Corrupt", /number of data frames/, frames(6, n));
});

Deno.test("what a forward pass is to find must be possible to find", () => {
  refuses("Truncated", /far larger than the files.*expected 6597069766656 bytes/, (d) => {
    const [recording] = d.recordings;
    recording.sampleCount = 2 ** 40;
    recording.parts[0].layout = { kind: "stream", stream: "all", field: "signals" };
  });
  refuses("Corrupt", /claimed as data over and over/, (d) => {
    d.frameTables[0] = frameTable(6, new Array(9).fill({ source: 0, offset: 0, frameCount: 100 }));
  });
});

Deno.test("absurd counts, rates and times are refused", () => {
  refuses("Limit", /more channels than allowed.*found 70000/, (d) => {
    const [channel] = d.recordings[0].channels;
    d.recordings[0].channels = new Array(70_000).fill(channel);
  });
  for (const rate of [0, -1, NaN, Infinity]) {
    refuses("Corrupt", /impossible sampling rate/, (d) => {
      d.recordings[0].samplingFrequency = rate;
    });
  }
  refuses("Corrupt", /impossible time/, (d) => {
    d.recordings[0].segments[0].startSeconds = NaN;
  });
  refuses("Limit", /interruptions/, (d) => {
    d.recordings[0].segments = new Array(300_000).fill(d.recordings[0].segments[0]);
  });
  refuses("Corrupt", /outside their data frame.*found 4294967298/, (d) => {
    const [{ layout }] = d.recordings[0].parts;
    if (layout.kind === "frames") layout.channelOffsets[1] = 2 ** 32 + 2;
  });
});

Deno.test("tiles outside the file, missing from the table or too large are refused", () => {
  const image =
    (shape: number[], chunkShape: number[], offset: number, entries = 1) => (d: Dataset) => {
      d.images.push({
        name: "image",
        axes: ["y", "x"],
        dtype: "uint16",
        levels: [{
          shape,
          layout: {
            kind: "chunks",
            chunkShape,
            source: new Int32Array(entries),
            offset: new Float64Array(entries).fill(offset),
            length: new Float64Array(entries).fill(100),
            codecs: [{ id: "raw", params: {} }],
            fill: 0,
          },
        }],
      });
    };
  const sound = good();
  image([10, 5], [10, 5], 0)(sound);
  checkDataset(sound);
  refuses("Truncated", /at byte 550/, image([10, 5], [10, 5], 550));
  refuses("Corrupt", /strips or tiles.*found 1, expected 4/, image([20, 10], [10, 5], 0));
  refuses("Limit", /strip or tile/, image([2 ** 16, 2 ** 16], [2 ** 16, 2 ** 16], 0));
  refuses(
    "Truncated",
    /far larger than the files/,
    image([2 ** 20, 2 ** 12], [2 ** 20, 16], 0, 256),
  );
  refuses("Corrupt", /impossible size/, image([2 ** 40, 2 ** 40], [2 ** 12, 2 ** 12], 0));
  refuses("Corrupt", /impossible size/, image([0, 5], [10, 5], 0, 0));
});

Deno.test("a scale that is no number is dropped with a warning", () => {
  const dataset = good();
  dataset.recordings[0].channels[1].gain = NaN;
  checkDataset(dataset);
  const { gain, offset, units } = dataset.recordings[0].channels[1];
  assert.deepEqual([gain, offset, units], [1, 0, ""]);
  assert.match(dataset.warnings[0], /scale of channel ch2 is no number/);
});

Deno.test("names from files stay one segment of a path, on disk and in a URL", () => {
  assert.equal(segmentName("../../etc/passwd", "x"), ".._.._etc_passwd");
  for (const name of ["", ".", "..", "...", " . "]) assert.equal(segmentName(name, "x"), "x");
  assert.equal(segmentName("a#1?b%20:c\\d", "x"), "a_1_b_20_c_d");
  assert.equal(segmentName("\u001b[2Jred\n", "x"), "_[2Jred_");
  assert.equal(segmentName("zarr.json", "x"), "_zarr.json");
  assert.equal(segmentName("\u00b5V \u96fb\u6975 1", "x"), "\u00b5V \u96fb\u6975 1");
  const long = segmentName("\u96fb".repeat(200), "x");
  assert(new TextEncoder().encode(long).length <= 200 && long.length >= 60);
  assert.equal(segmentName("\ud800", "x"), "\ufffd");
});

Deno.test("a hundred thousand equal names get their numbers at once", () => {
  const names = new UniqueNames();
  const started = performance.now();
  for (let i = 0; i < 100_000; i++) names.take("spikes");
  assert.equal(names.take("Spikes"), "Spikes_100001");
  assert.equal(names.take("spikes_7"), "spikes_7_2");
  assert(performance.now() - started < 2000);
});

Deno.test("paths a reader made of names cannot leave the store or meet", () => {
  const dataset = good();
  const layout: Layout = { kind: "values", values: [""] };
  const array = (path: string) =>
    dataset.arrays.push({ path, dtype: "string", dims: ["x"], shape: [1], layout });
  ["source/../../up", "words/a:b", "words/A_b"].forEach(array);
  dataset.digital.push({ array: "words/A_b", samplingFrequency: 1, segments: [], lines: [] });
  dataset.documents = { "../OME.xml": "" };
  nameSafely(dataset);
  assert.deepEqual(dataset.arrays.map((a) => a.path), [
    "source/unnamed/unnamed/up",
    "words/a_b",
    "words/A_b_2",
  ]);
  assert.equal(dataset.digital[0].array, "words/A_b_2");
  assert.deepEqual(Object.keys(dataset.documents), ["unnamed/OME.xml"]);
});

Deno.test("messages stay on one line and short, whatever a file puts in them", () => {
  const error = new FuseError("Corrupt", `channel "${"\n\u001b[31m".repeat(500)}"`, {
    source: "a\u0007.smr",
    field: "x".repeat(500),
    found: "\u202eab",
  });
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(error.message, /[\u0000-\u001f\u202e]/);
  assert(error.message.length < 700, error.message);
  assert.equal(printable("\u00b5V \u96fb"), "\u00b5V \u96fb");
});

Deno.test("a known name over strange bytes is a failure, an unknown file is not ours", async () => {
  const tagOf = async (name: string, bytes: Uint8Array) => {
    try {
      await openDataset(new MemorySource(name, bytes));
    } catch (error) {
      assert(isFuseError(error));
      assert.match(error.message, new RegExp(name.replace(".", "\\.")));
      return error.tag;
    }
  };
  const noise = Uint8Array.from({ length: 200 }, (_, i) => i * 89 ^ 0xa5);
  assert.equal(await tagOf("a.smr", noise), "Corrupt");
  assert.equal(await tagOf("a.acq", new Uint8Array(0)), "Truncated");
  assert.equal(await tagOf("a.unheard", noise), "UnknownFormat");
  assert.equal(await tagOf("a.unheard", new Uint8Array(0)), "UnknownFormat");
  assert.equal(await tagOf("a.dat", noise), "UnknownFormat");
});
