/** ScanImage: the order of pages in every kind of recording, times, settings of all versions. */
import assert from "node:assert/strict";
import { parseMatlab } from "../decoders/imaging/matlab-text.ts";
import { clockTime, isoTime, readSettings } from "../decoders/imaging/scanimage-header.ts";
import { orderPages } from "../decoders/imaging/scanimage-layout.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { convertDataset, openBytes } from "./support/convert-memory.ts";
import { readArray } from "./support/read-store.ts";
import { join, le, type Page, staticBlock, writeTiff } from "./support/tiff-dialect-files.ts";

const W = 6, H = 4;

/** A page whose samples are all its number. */
function page(index: number, description = ""): Page {
  return {
    width: W,
    height: H,
    bits: [16],
    data: [le("i2", ...new Array(W * H).fill(index))],
    fields: [
      [339, 3, [2]],
      ...(description ? [[270, 2, description] as const] : []),
    ] as Page["fields"],
  };
}

/** Lines of a frame, as ScanImage 2016 and later write them. */
const frameLines = (frame: number, seconds: number, more = "") =>
  `frameNumbers = ${frame}\nacquisitionNumbers = 1\nframeNumberAcquisition = ${frame}\n` +
  `frameTimestamps_sec = ${seconds.toFixed(9)}\nepoch = [2021  5 17 14  3 12.345]\n` +
  `auxTrigger0 = []\n${more}I2CData = {}`;

interface Recording {
  settings: Record<string, string>;
  frames: number;
  channels: number;
  rois?: string;
  period?: number;
  firstFrame?: number;
  seconds?: (frame: number) => number;
  more?: (frame: number) => string;
}

/** A recording of ScanImage 2016 or later. */
function bigTiff(recording: Recording): Uint8Array {
  const { frames, channels, rois = "", period = 0.1, firstFrame = 1 } = recording;
  const header = Object.entries({
    "SI.VERSION_MAJOR": "2020",
    "SI.VERSION_MINOR": "1",
    "SI.hChannels.channelSave": `[${Array.from({ length: channels }, (_, i) => i + 1).join(";")}]`,
    ...recording.settings,
  }).map(([key, value]) => `${key} = ${value}`).join("\n");
  return writeTiff({
    big: true,
    afterHeader: staticBlock(header, rois),
    pages: Array.from({ length: frames * channels }, (_, i) => {
      const frame = Math.floor(i / channels);
      const seconds = recording.seconds?.(frame) ?? (firstFrame - 1 + frame) * period;
      return page(i, frameLines(firstFrame + frame, seconds, recording.more?.(frame)));
    }),
  });
}

/** First sample of every plane of an image, which is the number of the page it came from. */
async function pagesOf(dataset: Dataset, image = 0): Promise<number[]> {
  const target = await convertDataset(dataset);
  const { data } = await readArray(target, dataset.images.length > 1 ? `${image}/0` : "0");
  const values = [...data].map(Number);
  return values.filter((_, i) => i % (W * H) === 0);
}

function column(dataset: Dataset, name: string): unknown[] {
  const layout = dataset.arrays.find((a) => a.path === `source/frames/${name}`)?.layout;
  assert.ok(layout?.kind === "values", `column ${name}`);
  return [...layout.values as Iterable<unknown>];
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

Deno.test("two channels in turn: axes, time step, pixel size, names, texts kept", async () => {
  const rois = JSON.stringify({ RoiGroups: { imagingRoiGroup: {} } });
  const dataset = await openBytes(
    "a.tif",
    bigTiff({
      channels: 2,
      frames: 3,
      period: 1 / 30.0137,
      rois,
      settings: {
        "SI.hChannels.channelSave": "[1;3]",
        "SI.hChannels.channelName": "{'Green' 'Red' 'PMT 3' 'Off'}",
        "SI.hChannels.channelMergeColor": "{'green';'red';'blue';'red'}",
        "SI.hChannels.channelLUT": "{[0 100] [0 100] [-17 403] [0 1]}",
        "SI.hRoiManager.scanFrameRate": "30.0137",
        "SI.hRoiManager.imagingFovUm": "[-150 -100;150 -100;150 100;-150 100]",
        "SI.hStackManager.enable": "false",
        "SI.hStackManager.framesPerSlice": "5",
      },
    }),
  );
  assert.equal(dataset.format, "scanimage");
  const [image] = dataset.images;
  assert.deepEqual(image.axes, ["t", "c", "y", "x"]);
  assert.equal(image.dtype, "int16");
  assert.deepEqual(image.pixelSizeMicrometres, { x: 50, y: 50 });
  assert.equal(image.timeStepSeconds, 1 / 30.0137);
  assert.deepEqual(image.channels, [
    { name: "Green", color: "00FF00", window: { min: 0, max: 100 } },
    { name: "PMT 3", color: "0000FF", window: { min: -17, max: 403 } },
  ]);
  assert.deepEqual(await pagesOf(dataset), range(6));
  assert.equal(dataset.metadata.startTime, "2021-05-17T14:03:12.345");
  assert.deepEqual(dataset.metadata.header?.["SI.hChannels.channelSave"], [[1], [3]]);
  assert.equal(dataset.documents?.["source/scanimage/roi_groups.json"], rois);
  assert.match(
    dataset.documents?.["source/scanimage/frame_data.txt"] ?? "",
    /^SI\.VERSION_MAJOR = 2020\n/,
  );
  assert.deepEqual(column(dataset, "frameNumbers"), [1, 1, 2, 2, 3, 3]);
  assert.deepEqual(column(dataset, "t"), [0, 0, 1, 1, 2, 2]);
  assert.deepEqual(column(dataset, "c"), [0, 1, 0, 1, 0, 1]);
  assert.ok(!dataset.arrays.some((a) => /epoch|auxTrigger|I2C/.test(a.path)));
  assert.deepEqual(dataset.warnings, []);
});

const VOLUMES = {
  "SI.hStackManager.enable": "true",
  "SI.hStackManager.numSlices": "3",
  "SI.hStackManager.framesPerSlice": "1",
  "SI.hStackManager.numFramesPerVolume": "3",
  "SI.hStackManager.numFramesPerVolumeWithFlyback": "4",
  "SI.hStackManager.stackZStepSize": "-2.5",
  "SI.hFastZ.enable": "true",
  "SI.hRoiManager.scanFrameRate": "10",
  "SI.hRoiManager.scanVolumeRate": "2.5",
};

Deno.test("volumes: flyback frames and a last volume that breaks off are kept apart", async () => {
  const dataset = await openBytes(
    "a.tif",
    bigTiff({ channels: 2, frames: 10, settings: VOLUMES }),
  );
  const [volumes, flyback, rest] = dataset.images;
  assert.deepEqual(volumes.axes, ["t", "c", "z", "y", "x"]);
  assert.deepEqual(volumes.levels[0].shape, [2, 2, 3, H, W]);
  assert.equal(volumes.timeStepSeconds, 0.4);
  assert.equal(volumes.pixelSizeMicrometres?.z, 2.5);
  assert.deepEqual(await pagesOf(dataset), [0, 2, 4, 1, 3, 5, 8, 10, 12, 9, 11, 13]);
  assert.equal(flyback.name, "flyback frames");
  assert.deepEqual(await pagesOf(dataset, 1), [6, 7, 14, 15]);
  assert.equal(rest.name, "incomplete last volume");
  assert.deepEqual(await pagesOf(dataset, 2), [16, 17, 18, 19]);
  assert.deepEqual(column(dataset, "z").slice(0, 8), [0, 0, 1, 1, 2, 2, -1, -1]);
  assert.equal(dataset.warnings.length, 2);
});

Deno.test("volumes of 2016, whose header has no counts with flyback, and a last one without it", () => {
  const settings = readSettings(
    [
      "SI.hChannels.channelSave = 1",
      "SI.hStackManager.numSlices = 3",
      "SI.hStackManager.framesPerSlice = 1000",
      "SI.hFastZ.enable = true",
      "SI.hFastZ.discardFlybackFrames = true",
      "SI.hFastZ.numDiscardFlybackFrames = 2",
      "SI.hFastZ.numFramesPerVolume = 5",
    ].join("\n"),
    "",
  );
  assert.equal(settings.slices, 3);
  assert.equal(settings.framesPerSlice, 1);
  assert.equal(settings.flybackFrames, 2);
  const plan = orderPages(8, { ...settings, channels: 1, framesBefore: 0 });
  assert.deepEqual([plan.t, plan.z], [2, 3]);
  assert.deepEqual([...plan.pages], [0, 1, 2, 5, 6, 7]);
});

Deno.test("a slow stack: frames of a slice are times, averaged ones count once, an aborted slice is apart", async () => {
  const dataset = await openBytes(
    "a.tif",
    bigTiff({
      channels: 1,
      frames: 7,
      period: 0.2,
      settings: {
        "SI.hStackManager.enable": "true",
        "SI.hStackManager.stackMode": "'slow'",
        "SI.hStackManager.numSlices": "5",
        "SI.hStackManager.framesPerSlice": "4",
        "SI.hScan2D.logAverageFactor": "2",
        "SI.hRoiManager.scanFramePeriod": "0.1",
      },
    }),
  );
  assert.deepEqual(dataset.images[0].axes, ["t", "z", "y", "x"]);
  assert.deepEqual(dataset.images[0].levels[0].shape, [2, 3, H, W]);
  assert.deepEqual(await pagesOf(dataset), [0, 2, 4, 1, 3, 5]);
  assert.equal(dataset.images[0].timeStepSeconds, 0.2);
  assert.equal(dataset.images[1].name, "incomplete last slice");
  assert.deepEqual(await pagesOf(dataset, 1), [6]);
});

Deno.test("a file that begins inside a volume, as one of several does", async () => {
  const dataset = await openBytes(
    "a_00002.tif",
    bigTiff({
      channels: 1,
      frames: 9,
      firstFrame: 7,
      settings: {
        ...VOLUMES,
        "SI.hStackManager.numFramesPerVolumeWithFlyback": "3",
        "SI.hRoiManager.scanVolumeRate": "3.3",
      },
    }),
  );
  assert.deepEqual(await pagesOf(dataset), range(9));
  const shifted = orderPages(8, {
    channels: 1,
    slices: 3,
    framesPerSlice: 1,
    flybackFrames: 0,
    framesBefore: 7,
  });
  assert.deepEqual([...shifted.pages], [2, 3, 4, 5, 6, 7]);
  assert.deepEqual(shifted.extras, [{
    name: "incomplete first volume",
    why: "the file holds a part of it only",
    pages: [0, 1],
  }]);
});

Deno.test("every page is somewhere exactly once, whatever the header says", () => {
  for (const channels of [0, 1, 2, 3]) {
    for (const slices of [1, 2, 4]) {
      for (const framesPerSlice of [null, 1, 3]) {
        for (const flybackFrames of [0, 2]) {
          for (const framesBefore of [0, 1, 5, 13]) {
            for (let pages = 1; pages < 40; pages++) {
              const plan = orderPages(pages, {
                channels,
                slices,
                framesPerSlice,
                flybackFrames,
                framesBefore,
              });
              const all = [...plan.pages, ...plan.extras.flatMap((e) => e.pages)];
              assert.deepEqual(all.sort((a, b) => a - b), range(pages));
              assert.equal(plan.pages.length, plan.t * plan.c * plan.z);
            }
          }
        }
      }
    }
  }
});

Deno.test("time stamps win over the header; irregular ones are said", async () => {
  const dataset = await openBytes(
    "a.tif",
    bigTiff({
      channels: 1,
      frames: 5,
      seconds: (frame) => [0, 0.25, 0.5, 2, 2.25][frame],
      settings: { "SI.hRoiManager.scanFrameRate": "30" },
    }),
  );
  assert.equal(dataset.images[0].timeStepSeconds, 0.25);
  assert.match(dataset.warnings[0], /0\.25 s apart, the header says 0\.0333/);
  assert.match(dataset.warnings[1], /irregular/);
  assert.deepEqual(column(dataset, "frameTimestamps_sec"), [0, 0.25, 0.5, 2, 2.25]);
});

Deno.test("triggers and other changing texts of frames are columns of text", async () => {
  const dataset = await openBytes(
    "a.tif",
    bigTiff({
      channels: 1,
      frames: 3,
      settings: {},
      more: (frame) => frame === 1 ? "auxTrigger1 = [0.101 0.102]\n" : "auxTrigger1 = []\n",
    }),
  );
  assert.deepEqual(column(dataset, "auxTrigger1"), ["", "[0.101 0.102]", ""]);
});

Deno.test("ScanImage 3: lines that end with CR, all pages of the chain, slices", async () => {
  const lines = (more: string) =>
    "state.configName='cfg'\rstate.software.version=3.8\rstate.acq.frameRate=3.2\r" +
    "state.acq.numberOfChannelsSave=2\rstate.acq.savingChannel1=0\rstate.acq.savingChannel2=1\r" +
    `state.acq.savingChannel3=1\r${more}\r` +
    "state.internal.triggerTimeString='5/17/2012 14:03:12.345'";
  const file = (more: string, count: number) =>
    writeTiff({ pages: range(count).map((i) => page(i, lines(more))) });
  const series = await openBytes(
    "a.tif",
    file("state.acq.numberOfFrames=3\rstate.acq.numberOfZSlices=1", 6),
  );
  assert.equal(series.format, "scanimage");
  assert.deepEqual(series.images[0].axes, ["t", "c", "y", "x"]);
  assert.deepEqual(await pagesOf(series), range(6));
  assert.equal(series.images[0].timeStepSeconds, 0.3125);
  assert.deepEqual(series.images[0].channels?.map((c) => c.name), ["Channel 2", "Channel 3"]);
  assert.equal(series.metadata.startTime, "2012-05-17T14:03:12.345");
  assert.ok(series.documents?.["source/scanimage/description.txt"]);
  const stack = await openBytes(
    "a.tif",
    file(
      "state.acq.numberOfFrames=4\rstate.acq.averaging=1\rstate.acq.numberOfZSlices=3\rstate.acq.zStepSize=1.5",
      6,
    ),
  );
  assert.deepEqual(stack.images[0].axes, ["c", "z", "y", "x"]);
  assert.equal(stack.images[0].pixelSizeMicrometres?.z, 1.5);
  assert.deepEqual(await pagesOf(stack), [0, 2, 4, 1, 3, 5]);
});

Deno.test("ScanImage 4 and 5: settings and frame lines in every description", async () => {
  const file = (settings: string) =>
    writeTiff({
      pages: range(8).map((i) => {
        const frame = Math.floor(i / 2);
        return page(
          i,
          `Frame Number = 00000${frame + 1}\nFrame Timestamp(s) = ${(frame * 0.05).toFixed(6)}\n` +
            `DC Overvoltage = 0\n${settings}\nscanimage.SI.padding = '${"x".repeat(3000)}'\n`,
        );
      }),
    });
  for (
    const settings of [
      "scanimage.SI.VERSION_MAJOR = '5.2'\nscanimage.SI.hChannels.channelSave = [1;2]\n" +
      "scanimage.SI.hRoiManager.scanFrameRate = 20\nscanimage.SI.hStackManager.numSlices = 1",
      "scanimage.SI4.versionMajor = 4.2\nscanimage.SI4.channelsSave = [1;2]\n" +
      "scanimage.SI4.scanFrameRate = 20\nscanimage.SI4.stackNumSlices = 1\nscanimage.SI4.fastZEnable = 0",
    ]
  ) {
    const dataset = await openBytes("a.tif", file(settings));
    assert.equal(dataset.format, "scanimage");
    assert.deepEqual(dataset.images[0].levels[0].shape, [4, 2, H, W]);
    assert.equal(dataset.images[0].timeStepSeconds, 0.05);
    assert.deepEqual(column(dataset, "Frame_Number"), [1, 1, 2, 2, 3, 3, 4, 4]);
    assert.deepEqual(dataset.warnings, []);
  }
});

Deno.test("regions of interest give the size of a pixel; JSON headers are read", async () => {
  const field = { sizeXY: [12, 8], pixelResolutionXY: [W, H], centerXY: [0, 0] };
  const rois = {
    RoiGroups: { imagingRoiGroup: { rois: [{ scanfields: field }, { scanfields: [field] }] } },
  };
  const header = JSON.stringify({
    SI: { hChannels: { channelSave: [1] }, objectiveResolution: 15 },
  });
  const file = writeTiff({
    big: true,
    afterHeader: staticBlock(header, JSON.stringify(rois)),
    pages: [page(0), page(1)],
  });
  const dataset = await openBytes("a.tif", file);
  assert.deepEqual(dataset.images[0].pixelSizeMicrometres, { x: 30, y: 30 });
  assert.equal(dataset.metadata.header?.["SI.objectiveResolution"], 15);
});

Deno.test("a static block that runs past the file costs its texts only", async () => {
  const file = writeTiff({
    big: true,
    afterHeader: join(le("u4", 0x07030301, 4, 1 << 20, 0), new Uint8Array(16)),
    pages: [page(0), page(1)],
  });
  const dataset = await openBytes("a.tif", file);
  assert.match(dataset.warnings[0], /static metadata block runs past the end/);
  assert.match(dataset.warnings[1], /does not say how many channels/);
  assert.deepEqual(await pagesOf(dataset), [0, 1]);
});

Deno.test("MATLAB literals", () => {
  const cases: [string, unknown][] = [
    ["[1;2]", [[1], [2]]],
    ["[2021  5 17 14  3 12.345]", [2021, 5, 17, 14, 3, 12.345]],
    ["{'a' 'it''s'; 'b' \"c\"}", [["a", "it's"], ["b", "c"]]],
    ["{[0 100] []}", [[0, 100], []]],
    ["true", true],
    ["-1.5e-3", -0.0015],
    ["Inf", "Inf"],
    ["[NaN 1]", ["NaN", 1]],
    ["<nonscalar struct/object>", "<nonscalar struct/object>"],
    ["'unfinished", "'unfinished"],
    ["[1 2", "[1 2"],
    ["@(x)x+1", "@(x)x+1"],
    ["", ""],
  ];
  for (const [text, value] of cases) assert.deepEqual(parseMatlab(text), value, text);
  assert.equal(typeof parseMatlab("[".repeat(10_000)), "string");
});

Deno.test("clock times", () => {
  assert.equal(clockTime("5/17/2012 14:03:12.345"), "2012-05-17T14:03:12.345");
  assert.equal(clockTime("18-03-2014 01:02:03"), "2014-03-18T01:02:03");
  assert.equal(clockTime("yesterday"), undefined);
  assert.equal(isoTime([2021, 5, 17, 14, 3, 59.9999]), "2021-05-17T14:03:59.999");
  assert.equal(isoTime([2021, 13, 17, 14, 3, 1]), undefined);
});
