/** Aperio SVS: the pyramid and the images beside it, settings of the scan, JPEG 2000 with chroma. */
import assert from "node:assert/strict";
import { parseAperio, scanTime } from "../decoders/imaging/tiff-svs.ts";
import { FORMATS } from "../decoders/registry.ts";
import { identify } from "../src/identify.ts";
import { MemorySource } from "../src/source/memory.ts";
import { convertDataset, openBytes } from "./support/convert-memory.ts";
import { readArray } from "./support/read-store.ts";
import { type Field, type Page, writeTiff } from "./support/tiff-dialect-files.ts";

const TILE = 16;

const text = (rest: string) => `Aperio Image Library v11.2.1 \r\n${rest}`;
const SETTINGS =
  "|AppMag = 20|ScanScope ID = CP|Date = 12/29/09|Time = 09:59:15|MPP = 0.4990|OriginalWidth = 1|OriginalWidth = 70";

/** RGB of a pixel of an image that starts at `seed`. */
const rgb = (seed: number, x: number, y: number) => [seed + x, seed + y, (seed * 3 + x * y) & 0xff];

function tiled(width: number, height: number, seed: number, fields: Field[]): Page {
  const data: Uint8Array[] = [];
  for (let ty = 0; ty < height; ty += TILE) {
    for (let tx = 0; tx < width; tx += TILE) {
      const tile = new Uint8Array(TILE * TILE * 3);
      for (let i = 0; i < TILE * TILE; i++) {
        tile.set(rgb(seed, tx + i % TILE, ty + Math.floor(i / TILE)), 3 * i);
      }
      data.push(tile);
    }
  }
  return { width, height, bits: [8, 8, 8], tile: [TILE, TILE], data, fields };
}

function striped(width: number, height: number, seed: number, fields: Field[]): Page {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    data.set(rgb(seed, i % width, Math.floor(i / width)), 3 * i);
  }
  return { width, height, bits: [8, 8, 8], data: [data], fields };
}

const described = (rest: string): Field => [270, 2, text(rest)];
const LABEL = striped(10, 12, 7, [described("label 10x12"), [254, 4, [1]]]);
const MACRO = striped(20, 8, 9, [described("macro 20x8"), [254, 4, [9]]]);

Deno.test("slide with its levels, thumbnail, label and macro", async () => {
  const file = writeTiff({
    pages: [
      tiled(70, 50, 1, [described(`70x50 [0,0 70x50] (16x16) RAW${SETTINGS}`)]),
      striped(35, 25, 5, [described("70x50 -> 35x25 - |AppMag = 20")]),
      tiled(17, 12, 3, [described(`70x50 -> 17x12${SETTINGS}`)]),
      tiled(35, 25, 2, [described(`70x50 -> 35x25${SETTINGS}`)]),
      LABEL,
      MACRO,
    ],
  });
  const dataset = await openBytes("slide.svs", file);
  assert.equal(dataset.format, "svs");
  assert.deepEqual(dataset.images.map((i) => [i.name, i.role]), [
    ["slide", "intensity"],
    ["thumbnail", "auxiliary"],
    ["label", "auxiliary"],
    ["macro", "auxiliary"],
  ]);
  const [slide, thumbnail, label] = dataset.images;
  assert.deepEqual(slide.axes, ["c", "y", "x"]);
  assert.deepEqual(slide.levels.map((l) => l.shape), [[3, 50, 70], [3, 25, 35], [3, 12, 17]]);
  assert.deepEqual(slide.pixelSizeMicrometres, { x: 0.499, y: 0.499 });
  assert.deepEqual(thumbnail.pixelSizeMicrometres, { x: 0.998, y: 0.998 });
  assert.equal(label.pixelSizeMicrometres, undefined);
  assert.equal(dataset.metadata.startTime, "2009-12-29T09:59:15");
  const aperio = slide.attributes?.aperio as Record<string, unknown>;
  assert.equal(aperio.AppMag, 20);
  assert.equal(aperio["ScanScope ID"], "CP");
  assert.equal(aperio.OriginalWidth, 70);
  assert.deepEqual(dataset.warnings, []);
  const target = await convertDataset(dataset);
  const seeds: [string, number, number, number][] = [
    ["0/0", 1, 70, 50],
    ["0/1", 2, 35, 25],
    ["0/2", 3, 17, 12],
    ["1/0", 5, 35, 25],
    ["2/0", 7, 10, 12],
    ["3/0", 9, 20, 8],
  ];
  for (const [path, seed, width, height] of seeds) {
    const { data, shape } = await readArray(target, path);
    assert.deepEqual(shape, [3, height, width]);
    for (let i = 0; i < data.length; i++) {
      const x = i % width, y = Math.floor(i / width) % height, c = Math.floor(i / width / height);
      if (data[i] !== rgb(seed, x, y)[c]) assert.fail(`${path} c${c} y${y} x${x}: ${data[i]}`);
    }
  }
});

Deno.test("focal planes are slices; a level that lacks some is an image of its own", async () => {
  const plane = (seed: number, z: number) =>
    tiled(40, 32, seed, [described(`40x32${SETTINGS}|OffsetZ = ${z}`)]);
  const level = (seed: number) => tiled(20, 16, seed, [described(`40x32 -> 20x16${SETTINGS}`)]);
  const thumbnail = striped(10, 8, 4, [described("40x32 -> 10x8 - ")]);
  const whole = await openBytes(
    "z.svs",
    writeTiff({ pages: [plane(1, 0), thumbnail, plane(2, 1.5), level(3), level(4)] }),
  );
  assert.deepEqual(whole.images[0].axes, ["c", "z", "y", "x"]);
  assert.deepEqual(whole.images[0].levels.map((l) => l.shape), [[3, 2, 32, 40], [3, 2, 16, 20]]);
  assert.equal(whole.images[0].pixelSizeMicrometres?.z, 1.5);
  const lacking = await openBytes(
    "z.svs",
    writeTiff({ pages: [plane(1, 0), thumbnail, plane(2, 1.5), level(3)] }),
  );
  assert.equal(lacking.images[0].levels.length, 1);
  assert.deepEqual(lacking.images.map((i) => i.name), [
    "slide",
    "thumbnail",
    "level 20 x 16, plane 0",
  ]);
  assert.match(lacking.warnings[0], /1 focal planes instead of 2/);
});

Deno.test("label and macro without a description are told by their kind", async () => {
  const bare = (page: Page, fields: Field[]): Page => ({ ...page, fields });
  const dataset = await openBytes(
    "a.svs",
    writeTiff({
      pages: [
        tiled(70, 50, 1, [described(`70x50${SETTINGS}`)]),
        tiled(35, 25, 2, [described(`70x50 -> 35x25${SETTINGS}`)]),
        bare(LABEL, [[254, 4, [1]]]),
        bare(MACRO, [[254, 4, [9]]]),
      ],
    }),
  );
  assert.deepEqual(dataset.images.map((i) => i.name), ["slide", "label", "macro"]);
  assert.equal(dataset.images[0].levels.length, 2);
});

/** 16 x 16 pixels: luma 100 + 4x, chroma 100 and 160 at half the width (lossless, no transform of its own). */
const CHROMA_422 =
  "/0//UQAvAAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAADBwEBBwIBBwIB/1IADAAAAAEAAAQEAAH/XAAEQED/ZAAl" +
  "AAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjD/kAAKAAAAAAB1AAH/k8fUlF+nwD9oijGP0YvoSj7KHURm7RH2FDQ+" +
  "w6NYvNhTrC+bCNMANLhQgRxXiCtuv42npdNituvvNh0umxW3X3mw6XTYqBsAYSD0mP9/w+ccEVBUrdD0cUAAAAGEhL/H1AwUAFyv" +
  "Lnf/2Q==";

Deno.test("JPEG 2000 of kind 33003 is luma and chroma, which may be coarser", async () => {
  const tile = Uint8Array.from(atob(CHROMA_422), (c) => c.charCodeAt(0));
  for (const photometric of [2, 6]) {
    const file = writeTiff({
      pages: [{
        width: 16,
        height: 16,
        bits: [8, 8, 8],
        tile: [16, 16],
        data: [tile],
        fields: [described("16x16 J2K"), [259, 3, [33003]], [262, 3, [photometric]]],
      }],
    });
    const { data } = await readArray(await convertDataset(await openBytes("a.svs", file)), "0");
    for (const x of [0, 7, 15]) {
      const luma = 100 + 4 * x;
      const expected = [
        luma + 1.402 * 32,
        luma - 0.344136 * -28 - 0.714136 * 32,
        luma + 1.772 * -28,
      ];
      expected.forEach((value, c) => {
        const got = Number(data[c * 256 + 5 * 16 + x]);
        assert.ok(Math.abs(got - value) <= 1, `x${x} c${c}: ${got}, expected ${value}`);
      });
    }
  }
});

Deno.test("dialects are told by content and by extension", async () => {
  const best = async (name: string, bytes: Uint8Array) => {
    const [candidate] = await identify(new MemorySource(name, bytes));
    return candidate.format.id;
  };
  const slide = writeTiff({ pages: [tiled(20, 20, 1, [described("20x20")])] });
  assert.equal(await best("a.svs", slide), "svs");
  assert.equal(await best("a.tif", slide), "svs");
  const plain = writeTiff({ pages: [striped(4, 4, 1, [])] });
  assert.equal(await best("a.tif", plain), "tiff");
  // The extension alone is believed of the name, not of the content.
  assert.equal(await best("a.svs", plain), "svs");
  assert.equal((await openBytes("a.svs", plain)).format, "tiff");
  assert.deepEqual(
    FORMATS.filter((f) => ["svs", "lsm", "scanimage"].includes(f.id)).map((f) => f.id).sort(),
    ["lsm", "scanimage", "svs"],
  );
});

Deno.test("Aperio descriptions", () => {
  const { header, values } = parseAperio(
    "Aperio x\r\n1x1|A = 1|B=-0.5|C = 1 = 2|nothing|__proto__ = 3|E =",
  );
  assert.equal(header, "Aperio x\r\n1x1");
  assert.deepEqual(Object.entries(values), [
    ["A", 1],
    ["B", -0.5],
    ["C", "1 = 2"],
    ["__proto__", 3],
    ["E", ""],
  ]);
  assert.equal(
    scanTime({ Date: "03/04/2019", Time: "10:11:12", "Time Zone": "GMT-05:00" }),
    "2019-03-04T10:11:12-05:00",
  );
  assert.equal(scanTime({ Date: "03/04/19" }), "2019-03-04");
  assert.equal(scanTime({ Date: "2019" }), undefined);
});
