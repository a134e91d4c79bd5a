/** TIFF: byte orders, strips and tiles, depths, stacks, pyramids, ImageJ and tifffile dialects. */
import assert from "node:assert/strict";
import { openTiff } from "../decoders/imaging/tiff-reader.ts";
import { tiff } from "../decoders/imaging/tiff.ts";
import type { Dataset } from "../src/model/dataset.ts";
import type { FuseError } from "../src/errors.ts";
import { MemorySource } from "../src/source/memory.ts";
import { imageBytes } from "./support/image-bytes.ts";
import {
  makeTiff,
  ramp,
  type TiffFileOptions,
  type TiffPageInput,
  toPlanes,
} from "./support/tiff-files.ts";

const open = (bytes: Uint8Array): Promise<Dataset> =>
  openTiff(new MemorySource("test.tif", bytes), {});

async function openPages(pages: TiffPageInput[], options?: TiffFileOptions): Promise<Dataset> {
  return await open(await makeTiff(pages, options));
}

/** The error of opening a file or reading its first image. */
async function failure(bytes: Uint8Array): Promise<FuseError> {
  try {
    const dataset = await open(bytes);
    for (const series of dataset.images) await imageBytes(dataset, series);
  } catch (error) {
    assert.equal((error as Error).name, "FuseError", String((error as Error).stack));
    return error as FuseError;
  }
  throw new Error("nothing was wrong with the file");
}

Deno.test("every byte order, container, grid and compression gives the same samples", async () => {
  for (const bits of [8, 16, 32]) {
    const data = ramp(53 * 31 * 3, bits);
    const planes = toPlanes(data, 3, bits / 8);
    for (const littleEndian of [true, false]) {
      for (const big of [false, true]) {
        for (const tile of [undefined, [16, 32] as [number, number]]) {
          for (const predictor of [undefined, 1, 2] as const) {
            const compression = predictor ? "deflate" : "none";
            const dataset = await openPages(
              [{
                width: 53,
                height: 31,
                samples: 3,
                bits,
                data,
                tile,
                rowsPerStrip: 7,
                compression,
                predictor,
              }],
              { littleEndian, big },
            );
            const [image] = dataset.images;
            assert.deepEqual([image.axes.join(""), image.dtype], ["cyx", `uint${bits}`]);
            assert.deepEqual(image.levels[0].shape, [3, 31, 53]);
            assert.deepEqual(await imageBytes(dataset, image), planes);
          }
        }
      }
    }
  }
});

Deno.test("separate planes, signed and floating samples keep their bits", async () => {
  const data = ramp(20 * 9 * 2, 16);
  const separate = await openPages([{
    width: 20,
    height: 9,
    samples: 2,
    bits: 16,
    format: 2,
    planar: true,
    data,
    rowsPerStrip: 4,
  }]);
  assert.equal(separate.images[0].dtype, "int16");
  assert.deepEqual(await imageBytes(separate, separate.images[0]), data);
  const floats = new Uint8Array(Float32Array.from({ length: 60 }, (_, i) => i / 7 - 3).buffer);
  const float = await openPages([{ width: 10, height: 6, bits: 32, format: 3, data: floats }], {
    littleEndian: false,
  });
  assert.equal(float.images[0].dtype, "float32");
  assert.deepEqual(await imageBytes(float, float.images[0]), floats);
});

Deno.test("depths that are not whole bytes are widened with their values", async () => {
  const bilevel = await openPages([{
    width: 10,
    height: 2,
    bits: 1,
    data: Uint8Array.of(0xa5, 0x40, 0x0f, 0x80),
  }]);
  assert.deepEqual([...await imageBytes(bilevel, bilevel.images[0])], [
    1,
    0,
    1,
    0,
    0,
    1,
    0,
    1,
    0,
    1,
    0,
    0,
    0,
    0,
    1,
    1,
    1,
    1,
    1,
    0,
  ]);
  const twelve = await openPages([{
    width: 2,
    height: 1,
    bits: 12,
    data: Uint8Array.of(0xab, 0xcd, 0xef),
  }]);
  assert.equal(twelve.images[0].dtype, "uint16");
  assert.deepEqual([...new Uint16Array((await imageBytes(twelve, twelve.images[0])).buffer)], [
    0xabc,
    0xdef,
  ]);
  const signed = await openPages([{
    width: 2,
    height: 1,
    bits: 4,
    format: 2,
    data: Uint8Array.of(0x7f),
  }]);
  assert.deepEqual([...new Int8Array((await imageBytes(signed, signed.images[0])).buffer)], [
    7,
    -1,
  ]);
});

Deno.test("rows in a strip each become one chunk, and a huge strip becomes bands", async () => {
  const data = ramp(40 * 30, 16);
  const rows = await openPages([{ width: 40, height: 30, bits: 16, data, rowsPerStrip: 1 }]);
  const { layout } = rows.images[0].levels[0];
  assert.deepEqual([layout.chunkShape, layout.codecs[0].id], [[30, 40], "raw"]);
  assert.deepEqual(await imageBytes(rows, rows.images[0]), data);
  const tall = await openPages([{ width: 1024, height: 9000, data: ramp(1024 * 9000, 8) }]);
  const bands = tall.images[0].levels[0].layout;
  assert.deepEqual(bands.chunkShape, [4096, 1024]);
  assert.equal(bands.offset.length, 3);
  assert.equal(bands.length[2], 1024 * (9000 - 2 * 4096));
  assert.deepEqual(await imageBytes(tall, tall.images[0]), ramp(1024 * 9000, 8));
});

Deno.test("tiles that are not stored read as the value GDAL names, or 0", async () => {
  const page: TiffPageInput = {
    width: 32,
    height: 32,
    data: ramp(1024, 8),
    tile: [16, 16],
    sparse: (i) => i === 1,
  };
  const plain = await openPages([page]);
  assert.equal((await imageBytes(plain, plain.images[0]))[16], 0);
  const filled = await openPages([{ ...page, fields: [{ tag: 42113, type: 2, values: "7" }] }]);
  const bytes = await imageBytes(filled, filled.images[0]);
  assert.deepEqual([bytes[15], bytes[16], bytes[32 * 15 + 31]], [page.data![15], 7, 7]);
});

Deno.test("pages of one shape are a stack, others are images or levels", async () => {
  const page = (width: number, height: number, seed: number, subfile = 0): TiffPageInput => ({
    width,
    height,
    data: ramp(width * height, 8, seed),
    subfile,
  });
  const stack = await openPages([page(20, 10, 1), page(20, 10, 2), page(7, 9, 3)]);
  assert.deepEqual(stack.images.map((i) => i.axes.join("")), ["zyx", "yx"]);
  const both = await imageBytes(stack, stack.images[0]);
  assert.deepEqual(both.subarray(200), ramp(200, 8, 2));
  const reduced = await openPages([
    page(41, 31, 1),
    page(21, 16, 2, 1),
    page(10, 8, 3, 1),
    page(3, 8, 4, 1),
  ]);
  assert.deepEqual(reduced.images.map((i) => i.levels.map((l) => l.shape.join("x")).join()), [
    "31x41,16x21,8x10",
    "8x3",
  ]);
  assert.equal(reduced.images[1].role, "auxiliary");
  const below = await openPages([
    { ...page(40, 20, 1), subPages: [page(20, 10, 2, 1), page(10, 5, 3, 1)] },
    { ...page(40, 20, 4), subPages: [page(20, 10, 5, 1), page(10, 5, 6, 1)] },
  ]);
  assert.deepEqual(below.images[0].levels.map((l) => l.shape), [[2, 20, 40], [2, 10, 20], [
    2,
    5,
    10,
  ]]);
  assert.deepEqual((await imageBytes(below, below.images[0], 1)).subarray(200), ramp(200, 8, 5));
});

Deno.test("colours, palettes, resolutions and other tags are kept", async () => {
  const palette = Array.from({ length: 48 }, (_, i) => i * 1000);
  const indexed = await openPages([{
    width: 4,
    height: 1,
    bits: 4,
    photometric: 3,
    data: Uint8Array.of(0x01, 0xef),
    fields: [{ tag: 320, type: 3, values: palette }],
  }]);
  assert.deepEqual([...await imageBytes(indexed, indexed.images[0])], [0, 1, 14, 15]);
  assert.deepEqual((indexed.images[0].attributes?.palette as number[][])[2], [
    2000,
    18_000,
    34_000,
  ]);
  const fields = [
    { tag: 282, type: 5, values: [20_000, 1] },
    { tag: 283, type: 5, values: [40_000, 1] },
    { tag: 296, type: 3, values: [3] },
    { tag: 305, type: 2, values: "microscope 1.0" },
    { tag: 306, type: 2, values: "2021:05:17 14:03:12" },
    { tag: 338, type: 3, values: [2] },
  ];
  const tagged = await openPages([{ width: 2, height: 2, samples: 4, data: ramp(16, 8), fields }]);
  const [image] = tagged.images;
  assert.deepEqual(image.pixelSizeMicrometres, { x: 0.5, y: 0.25 });
  assert.deepEqual(image.channels?.map((c) => c.name), ["Red", "Green", "Blue", "Alpha"]);
  assert.equal((image.attributes?.tiff as Record<string, unknown>).Software, "microscope 1.0");
  assert.equal(tagged.metadata.startTime, "2021-05-17T14:03:12");
  const screen = await openPages([{
    width: 2,
    height: 2,
    data: ramp(4, 8),
    fields: [{ tag: 282, type: 5, values: [72, 1] }, { tag: 283, type: 5, values: [72, 1] }],
  }]);
  assert.equal(screen.images[0].pixelSizeMicrometres, undefined);
});

/** ImageJ's binary metadata: labels, ranges and lookup tables. */
function imageJFields(
  labels: string[],
  ranges: number[],
  luts: number[][],
): TiffPageInput["fields"] {
  const utf16 = (text: string) =>
    [...text].flatMap((c) => [c.charCodeAt(0) >> 8, c.charCodeAt(0) & 255]);
  const word = (n: number) => [n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255];
  const parts = [
    ...labels.map(utf16),
    [...new Uint8Array(Float64Array.from(ranges).buffer)],
    ...luts,
  ];
  for (let i = 0; i < ranges.length; i++) {
    parts[labels.length].splice(
      8 * i,
      8,
      ...parts[labels.length].slice(8 * i, 8 * i + 8).reverse(),
    );
  }
  const kind = (name: string, count: number) =>
    [...name].map((c) => c.charCodeAt(0)).concat(word(count));
  const head = [
    ...kind("IJIJ", 0).slice(0, 4),
    ...kind("labl", labels.length),
    ...kind("rang", 1),
    ...kind("luts", luts.length),
  ];
  return [
    { tag: 50838, type: 4, values: [head.length, ...parts.map((p) => p.length)] },
    { tag: 50839, type: 1, values: [...head, ...parts.flat()] },
  ];
}

Deno.test("an ImageJ hyperstack has its axes, scales, labels, windows and colours", async () => {
  const data = (i: number) => ramp(12, 16, i);
  const lut = Array.from({ length: 768 }, (_, i) => i < 256 ? 0 : i % 256);
  const description =
    "ImageJ=1.53t\nimages=12\nchannels=2\nslices=3\nframes=2\nhyperstack=true\nmode=composite\n" +
    "unit=\\u00B5m\nspacing=0.75\nfinterval=0.5\nloop=false\n";
  const dataset = await openPages(
    Array.from({ length: 12 }, (_, i) => ({
      width: 4,
      height: 3,
      bits: 16,
      data: data(i),
      ...(i === 0
        ? {
          description,
          fields: [
            { tag: 282, type: 5, values: [4, 1] },
            { tag: 283, type: 5, values: [4, 1] },
            { tag: 296, type: 3, values: [1] },
            ...imageJFields(["a", "b"], [1, 100, 2, 200], [lut, lut])!,
          ],
        }
        : {}),
    })),
    { littleEndian: false },
  );
  const [image] = dataset.images;
  assert.deepEqual([image.axes.join(""), image.levels[0].shape], ["tczyx", [2, 2, 3, 3, 4]]);
  assert.deepEqual(image.pixelSizeMicrometres, { x: 0.25, y: 0.25, z: 0.75 });
  assert.equal(image.timeStepSeconds, 0.5);
  assert.deepEqual(image.channels, [
    { color: "00FFFF", window: { min: 1, max: 100 } },
    { color: "00FFFF", window: { min: 2, max: 200 } },
  ]);
  assert.deepEqual((image.attributes?.imagej as Record<string, unknown>).Labels, ["a", "b"]);
  // In the file channels run fastest, in the array slices do.
  const bytes = await imageBytes(dataset, image);
  const at = (t: number, c: number, z: number) =>
    bytes.subarray(24 * ((t * 2 + c) * 3 + z)).subarray(0, 24);
  for (let t = 0; t < 2; t++) {
    for (let c = 0; c < 2; c++) {
      for (let z = 0; z < 3; z++) assert.deepEqual(at(t, c, z), data((t * 3 + z) * 2 + c));
    }
  }
});

Deno.test("ImageJ stacks without directories, and ones cut short", async () => {
  const description = "ImageJ=1.53t\nimages=5\nslices=5\n";
  const page: TiffPageInput = { width: 8, height: 5, bits: 16, data: ramp(8 * 5, 16), description };
  // The planes after the first follow its strip; the writer puts the strip first.
  const file = await makeTiff([{ ...page, height: 25, data: ramp(8 * 25, 16), fields: [] }], {
    littleEndian: false,
  });
  const cut = patchTags(file, { 257: 5, 278: 5 });
  const dataset = await open(cut);
  assert.deepEqual(dataset.images[0].levels[0].shape, [5, 5, 8]);
  assert.deepEqual(await imageBytes(dataset, dataset.images[0]), ramp(8 * 25, 16));
  const short = await failure(await makeTiff([page], { littleEndian: false }));
  assert.equal(short.tag, "Truncated");
  const partly = await openPages([page, { ...page, description: undefined }]);
  assert.deepEqual(partly.images[0].levels[0].shape, [5, 5, 8]);
  assert.match(partly.warnings.join(), /announces 5 images, the file holds 2/);
});

/** Overwrites LONG values of tags in the first directory of a big-endian classic file. */
function patchTags(file: Uint8Array, values: Record<number, number>): Uint8Array {
  const out = file.slice();
  const view = new DataView(out.buffer);
  const ifd = view.getUint32(4);
  for (let i = 0; i < view.getUint16(ifd); i++) {
    const at = ifd + 2 + 12 * i;
    const value = values[view.getUint16(at)];
    if (value !== undefined) view.setUint32(at + 8, value);
  }
  return out;
}

Deno.test("arrays of tifffile take their shape and axes from the description", async () => {
  const pages = (n: number, description: string): TiffPageInput[] =>
    Array.from(
      { length: n },
      (_, i) => ({
        width: 4,
        height: 3,
        data: ramp(12, 8, i),
        ...(i === 0 ? { description } : {}),
      }),
    );
  const named = await openPages(pages(6, '{"shape": [2, 3, 3, 4], "axes": "CTYX"}'));
  assert.deepEqual([named.images[0].axes.join(""), named.images[0].levels[0].shape], ["tcyx", [
    3,
    2,
    3,
    4,
  ]]);
  assert.deepEqual((await imageBytes(named, named.images[0])).subarray(12, 24), ramp(12, 8, 3));
  const unnamed = await openPages(pages(6, '{"shape": [2, 3, 3, 4]}'));
  assert.deepEqual([unnamed.images[0].axes.join(""), unnamed.images[0].levels[0].shape], ["tzyx", [
    2,
    3,
    3,
    4,
  ]]);
  const two = await openPages([
    ...pages(2, '{"shape": [2, 3, 4]}'),
    ...pages(3, '{"shape": [3, 3, 4]}'),
  ]);
  assert.deepEqual(two.images.map((i) => i.levels[0].shape), [[2, 3, 4], [3, 3, 4]]);
  const description = '{"shape": [3, 3, 4], "truncated": true}';
  const tall = await makeTiff([{ width: 4, height: 9, data: ramp(36, 8), description }], {
    littleEndian: false,
  });
  const truncated = await open(patchTags(tall, { 257: 3, 278: 3 }));
  assert.deepEqual(truncated.images[0].levels[0].shape, [3, 3, 4]);
  assert.deepEqual(await imageBytes(truncated, truncated.images[0]), ramp(36, 8));
});

Deno.test("a MetaMorph stack has the planes its private field counts", async () => {
  const planes = Array.from(
    { length: 3 },
    (_, i) => [i === 0 ? 0 : 3, 2, 2_459_351, 3_600_000 + 500 * i, 0, 0],
  );
  const tall = await makeTiff([{
    width: 8,
    height: 15,
    data: ramp(120, 8),
    fields: [
      { tag: 33628, type: 4, values: [99, 1], count: 1 },
      { tag: 33629, type: 5, values: planes.flat(), count: 3 },
    ],
  }], { littleEndian: false });
  const dataset = await open(patchTags(tall, { 257: 5, 278: 5 }));
  const [image] = dataset.images;
  assert.deepEqual([image.axes.join(""), image.levels[0].shape], ["zyx", [3, 5, 8]]);
  assert.deepEqual(await imageBytes(dataset, image), ramp(120, 8));
  assert.equal(dataset.metadata.startTime, "2021-05-17T01:00:00.000");
  assert.deepEqual((image.attributes?.metamorph as Record<string, unknown>).plane_distances, [
    0,
    1.5,
    1.5,
  ]);
});

Deno.test("directories of a remote recording are fetched together", async () => {
  class Remote extends MemorySource {
    override readonly distance = "remote" as "local";
    reads = 0;
    rounds = 0;
    #flying = 0;
    override async readUpTo(offset: number, length: number): Promise<Uint8Array> {
      this.reads++;
      if (this.#flying++ === 0) this.rounds++;
      await Promise.resolve();
      this.#flying--;
      return await super.readUpTo(offset, length);
    }
  }
  const frame = new Uint8Array(80_000);
  const source = new Remote(
    "test.tif",
    await makeTiff(Array.from({ length: 200 }, () => ({ width: 200, height: 400, data: frame }))),
  );
  const dataset = await openTiff(source, {});
  assert.equal(dataset.images[0].levels[0].shape[0], 200);
  assert.ok(source.rounds < 20, `${source.rounds} rounds, ${source.reads} reads`);
});

Deno.test("the probe wants a header with a directory in the file", () => {
  const head = (...bytes: number[]) => ({
    head: Uint8Array.from(bytes),
    name: "a.tif",
    size: 1000,
  });
  assert.equal(tiff.probe(head(0x49, 0x49, 42, 0, 8, 0, 0, 0)).score, 180);
  assert.equal(tiff.probe(head(0x4d, 0x4d, 0, 42, 0, 0, 0, 8)).score, 180);
  assert.equal(tiff.probe(head(0x49, 0x49, 42, 0, 0, 8, 0, 0)).score, 0);
  assert.equal(tiff.probe(head(0x49, 0x49, 42, 0)).score, 0);
  assert.equal(tiff.probe(head(0x89, 0x50, 42, 0, 8, 0, 0, 0)).score, 0);
});

Deno.test("what is wrong with a file is said with its name, place and numbers", async () => {
  const good = await makeTiff([{
    width: 16,
    height: 16,
    data: ramp(256, 8),
    compression: "deflate",
  }]);
  assert.equal((await failure(new TextEncoder().encode("no image at all"))).tag, "Corrupt");
  const cut = await failure(good.subarray(0, good.length - 40));
  assert.equal(cut.tag, "Truncated");
  assert.match(cut.message, /test\.tif.*at byte \d+/);
  const huge = await failure(
    patchTags(
      await makeTiff([{ width: 4, height: 4, data: ramp(16, 8), compression: "deflate" }], {
        littleEndian: false,
      }),
      { 256: 1 << 20, 257: 1 << 20, 278: 1 << 20 },
    ),
  );
  assert.equal(huge.tag, "Limit");
  const unknown = await failure(
    await makeTiff([{ width: 4, height: 4, data: ramp(16, 8), compressionCode: 34_934 }]),
  );
  assert.equal(unknown.tag, "Unsupported");
  assert.match(unknown.message, /JPEG XR/);
  const damaged = good.slice();
  damaged.fill(0xff, 20, 60);
  assert.equal((await failure(damaged)).tag, "Corrupt");
});

Deno.test("a chain of directories that runs in a circle ends with a warning", async () => {
  const file = await makeTiff([{ width: 4, height: 4, data: ramp(16, 8) }, {
    width: 4,
    height: 4,
    data: ramp(16, 8, 2),
  }]);
  const view = new DataView(file.buffer);
  const first = view.getUint32(4, true);
  const second = view.getUint32(first + 2 + 12 * view.getUint16(first, true), true);
  view.setUint32(second + 2 + 12 * view.getUint16(second, true), first, true);
  const dataset = await open(file);
  assert.deepEqual(dataset.images[0].levels[0].shape, [2, 4, 4]);
  assert.match(dataset.warnings.join(), /turns back/);
});

Deno.test("damaged files open, or fail as a FuseError, and never hang", async () => {
  const good = await makeTiff([
    {
      width: 20,
      height: 20,
      samples: 3,
      data: ramp(1200, 8),
      tile: [16, 16],
      compression: "deflate",
      predictor: 2,
      subPages: [{ width: 10, height: 10, samples: 3, data: ramp(300, 8), subfile: 1 }],
    },
    {
      width: 9,
      height: 9,
      bits: 16,
      data: ramp(81, 16),
      description: "ImageJ=1.5\nimages=2\n",
      fields: imageJFields(["x"], [1, 2], []),
    },
  ]);
  let state = 12_345;
  const random = (n: number) => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
  for (let round = 0; round < 400; round++) {
    const bad = good.slice(0, round % 5 === 0 ? random(good.length) : good.length);
    for (let k = 0; k < 1 + round % 4 && bad.length > 0; k++) bad[random(bad.length)] = random(256);
    try {
      const dataset = await open(bad);
      for (const series of dataset.images) {
        const size = series.levels[0].shape.reduce((a, b) => a * b, 1);
        if (size < 1 << 20) await imageBytes(dataset, series);
      }
    } catch (error) {
      assert.equal((error as Error).name, "FuseError", `round ${round}: ${(error as Error).stack}`);
    }
  }
});
