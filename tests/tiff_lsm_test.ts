/** Zeiss LSM: dimensions by scan type, positions, the writers' mistakes, and what lies beside the pixels. */
import assert from "node:assert/strict";
import { unwrapOffsets, writingOrder } from "../decoders/imaging/lsm-offsets.ts";
import { NumberList, type TiffFile } from "../decoders/imaging/tiff-file.ts";
import type { TiffPage } from "../decoders/imaging/tiff-page.ts";
import { oleTime } from "../decoders/imaging/tiff-lsm.ts";
import type { Dataset, NamedArray } from "../src/model/dataset.ts";
import { convertDataset, openBytes } from "./support/convert-memory.ts";
import { readArray } from "./support/read-store.ts";
import { join, le, lsmInfo, type Page, writeTiff } from "./support/tiff-dialect-files.ts";

const W = 12, H = 7;

/** Sample at (page, channel, y, x) of the files here. */
const sample = (page: number, c: number, i: number) => (page * 31 + c * 101 + i * 3) & 0xff;

/** Channels of a page, each a strip. */
function strips(page: number, channels: number, type = "u1", size = W * H): Uint8Array[] {
  return Array.from(
    { length: channels },
    (_, c) => le(type, ...Array.from({ length: size }, (_, i) => sample(page, c, i))),
  );
}

interface LsmSpec {
  fields: Record<string, number>;
  pages: number;
  channels?: number;
  thumbnails?: boolean;
  blocks?: Record<string, Uint8Array>;
  page?: Partial<Page>;
  bits?: number;
  height?: number;
}

function lsmFile(spec: LsmSpec): Uint8Array {
  const { pages, channels = 1, thumbnails = true, bits = 8, height = H } = spec;
  const info = {
    DimensionX: W,
    DimensionY: height,
    DimensionZ: 1,
    DimensionTime: 1,
    DimensionChannels: channels,
    DataType: 1,
    VoxelSizeX: 1.1e-7,
    VoxelSizeY: 1.3e-7,
    VoxelSizeZ: 5e-7,
    ...spec.fields,
  };
  return writeTiff({
    blocks: spec.blocks,
    pages: (offsets) =>
      Array.from({ length: pages }, (_, i): Page[] => {
        const image: Page = {
          width: W,
          height,
          bits: new Array(channels).fill(bits),
          data: strips(i, channels, bits === 16 ? "u2" : "u1", W * height),
          ...spec.page,
          fields: [
            [254, 4, [0]],
            [284, 3, [2]],
            ...(i === 0 ? [[34412, 1, lsmInfo(info, offsets)] as const] : []),
            ...(spec.page?.fields ?? []),
          ] as Page["fields"],
        };
        const thumbnail: Page = {
          width: 3,
          height: 2,
          bits: new Array(channels).fill(8),
          data: Array.from({ length: channels }, (_, c) => new Uint8Array(6).fill(i + 10 * c)),
          fields: [[254, 4, [1]], [284, 3, [2]]],
        };
        return thumbnails ? [image, thumbnail] : [image];
      }).flat(),
  });
}

async function values(dataset: Dataset, image = 0) {
  const target = await convertDataset(dataset);
  return await readArray(target, dataset.images.length > 1 ? `${image}/0` : "0");
}

function column(dataset: Dataset, path: string): NamedArray & { values: ArrayLike<unknown> } {
  const array = dataset.arrays.find((a) => a.path === path);
  assert.ok(array && array.layout.kind === "values", `array ${path}`);
  return { ...array, values: array.layout.values };
}

/** Checks that plane (t, c, z) of the first image is the page `pageOf` says. */
async function checkPlanes(
  dataset: Dataset,
  sizes: { t: number; c: number; z: number },
  pageOf: (t: number, z: number) => number,
  image = 0,
  count = W * H,
) {
  const { data } = await values(dataset, image);
  let at = 0;
  for (let t = 0; t < sizes.t; t++) {
    for (let c = 0; c < sizes.c; c++) {
      for (let z = 0; z < sizes.z; z++) {
        for (let i = 0; i < count; i++, at++) {
          const expected = sample(pageOf(t, z), c, i);
          if (data[at] !== expected) assert.fail(`t${t} c${c} z${z} [${i}]: ${data[at]}`);
        }
      }
    }
  }
  assert.equal(at, data.length);
}

const COLORS = join(
  le("u4", 24 + 8 + 14, 2, 2, 24, 32, 0),
  [255, 128, 0, 0, 0, 0, 255, 0],
  le("u4", 3),
  [65, 49, 0],
  le("u4", 3),
  [66, 50, 0],
);
const stamps = (...seconds: number[]) =>
  join(le("i4", 8 + 8 * seconds.length, seconds.length), le("f8", ...seconds));

Deno.test("a time series of stacks: order of pages, voxel size, time stamps, channels", async () => {
  const file = lsmFile({
    fields: { ScanType: 6, DimensionZ: 3, DimensionTime: 2, TimeInterval: 0.75 },
    pages: 6,
    channels: 2,
    blocks: { TimeStamps: stamps(1000, 1000.75), ChannelColors: COLORS },
  });
  const dataset = await openBytes("a.lsm", file);
  assert.equal(dataset.format, "lsm");
  const [image, thumbnail] = dataset.images;
  assert.deepEqual(image.axes, ["t", "c", "z", "y", "x"]);
  assert.deepEqual(image.levels[0].shape, [2, 2, 3, H, W]);
  assert.deepEqual(image.pixelSizeMicrometres, { x: 0.11, y: 0.13, z: 0.5 });
  assert.equal(image.timeStepSeconds, 0.75);
  assert.deepEqual(image.channels, [{ name: "A1", color: "FF8000" }, {
    name: "B2",
    color: "0000FF",
  }]);
  assert.equal(thumbnail.role, "auxiliary");
  assert.deepEqual(thumbnail.levels[0].shape, [2, 2, 3, 2, 3]);
  assert.deepEqual(
    column(dataset, "source/lsm/time_stamps").values,
    Float64Array.of(1000, 1000.75),
  );
  assert.deepEqual(dataset.warnings, []);
  await checkPlanes(dataset, { t: 2, c: 2, z: 3 }, (t, z) => 3 * t + z);
  const { data } = await values(dataset, 1);
  assert.deepEqual([...data].slice(0, 7), [0, 0, 0, 0, 0, 0, 1]);
});

Deno.test("time stamps that disagree with the announced interval win", async () => {
  const file = lsmFile({
    fields: { ScanType: 3, DimensionTime: 4, TimeInterval: 0 },
    pages: 4,
    blocks: { TimeStamps: stamps(5, 5.5, 6, 8) },
  });
  const [image] = (await openBytes("a.lsm", file)).images;
  assert.deepEqual(image.axes, ["t", "y", "x"]);
  assert.equal(image.timeStepSeconds, 0.5);
});

Deno.test("x-z scans have rows along z, line scans keep rows and say that they are times", async () => {
  const xz = await openBytes(
    "a.lsm",
    lsmFile({
      fields: { ScanType: 4, DimensionZ: H, DimensionY: 1, DimensionTime: 2 },
      pages: 2,
      channels: 2,
    }),
  );
  assert.deepEqual(xz.images[0].axes, ["t", "c", "z", "x"]);
  assert.deepEqual(xz.images[0].levels[0].shape, [2, 2, H, W]);
  await checkPlanes(xz, { t: 2, c: 2, z: 1 }, (t) => t);
  const line = await openBytes(
    "a.lsm",
    lsmFile({
      fields: { ScanType: 2, DimensionTime: H, DimensionY: 1, TimeInterval: 0.002 },
      pages: 1,
      channels: 3,
    }),
  );
  assert.deepEqual(line.images[0].axes, ["c", "y", "x"]);
  assert.deepEqual(line.images[0].attributes?.lsm, {
    scan_type: "line scan or time series of a line",
    rows: "time",
    row_step_seconds: 0.002,
  });
  assert.equal(line.images[0].pixelSizeMicrometres?.y, undefined);
});

Deno.test("positions and tiles are images of their own, with the places of the stage", async () => {
  const places = join(le("u4", 2), le("f8", 1e-3, 2e-3, 0, 4e-3, 5e-3, 1e-6));
  const dataset = await openBytes(
    "a.lsm",
    lsmFile({
      fields: { ScanType: 6, DimensionZ: 2, DimensionTime: 2, DimensionP: 2 },
      pages: 8,
      blocks: { Positions: places },
    }),
  );
  assert.deepEqual(dataset.images.map((i) => i.name), [
    "position 1",
    "position 2",
    "thumbnail of position 1",
    "thumbnail of position 2",
  ]);
  const lsm = dataset.images[1].attributes?.lsm as { stage_position_micrometres: number[] };
  assert.deepEqual(lsm.stage_position_micrometres, [4000, 5000, 1]);
  await checkPlanes(dataset, { t: 2, c: 1, z: 2 }, (t, z) => 4 + 2 * t + z, 1);
});

Deno.test("fewer images than announced: the rest of the last stack is zeros, and it is said", async () => {
  const dataset = await openBytes(
    "a.lsm",
    lsmFile({ fields: { ScanType: 6, DimensionZ: 3, DimensionTime: 9 }, pages: 5 }),
  );
  assert.deepEqual(dataset.images[0].levels[0].shape, [2, 3, H, W]);
  assert.match(dataset.warnings[0], /announces 1 x 9 x 3 images.*holds 5.*zeros/);
  const { data } = await values(dataset);
  assert.ok([...data].slice(5 * W * H).every((v) => v === 0));
  assert.equal(data[4 * W * H + 1], sample(4, 0, 1));
});

Deno.test("depths of two channels at an offset or in the field; a predictor without compression", async () => {
  for (const bitsAtOffset of [true, false]) {
    const dataset = await openBytes(
      "a.lsm",
      lsmFile({
        fields: { ScanType: 0, DimensionZ: 2, DataType: 2 },
        pages: 2,
        channels: 2,
        bits: 16,
        page: { bitsAtOffset, fields: [[317, 3, [2]]] },
      }),
    );
    assert.equal(dataset.images[0].dtype, "uint16");
    await checkPlanes(dataset, { t: 1, c: 2, z: 2 }, (_, z) => z);
  }
});

/** LZW that never makes a string: as many codes as bytes, a clear code before the width would grow. */
function lzw(bytes: Uint8Array): Uint8Array {
  const codes: number[] = [];
  bytes.forEach((b, i) => {
    if (i % 200 === 0) codes.push(256);
    codes.push(b);
  });
  codes.push(257);
  const out = new Uint8Array(Math.ceil(codes.length * 9 / 8));
  codes.forEach((code, i) => {
    for (let k = 0; k < 9; k++) {
      const bit = i * 9 + k;
      if (code >> (8 - k) & 1) out[bit >> 3] |= 0x80 >> (bit & 7);
    }
  });
  return out;
}

Deno.test("compressed strips longer than their stated size are read whole", async () => {
  const size = W * H;
  const pages = 3;
  const info = lsmInfo({
    DimensionX: W,
    DimensionY: H,
    DimensionZ: pages,
    DimensionChannels: 2,
    DataType: 1,
    ScanType: 0,
  });
  const file = writeTiff({
    pages: Array.from({ length: pages }, (_, i): Page => ({
      width: W,
      height: H,
      bits: [8, 8],
      data: strips(i, 2).map(lzw),
      statedCounts: [size, size],
      fields: [
        [259, 3, [5]],
        [284, 3, [2]],
        ...(i ? [] : [[34412, 1, info] as const]),
      ] as Page["fields"],
    })),
  });
  assert.ok(lzw(strips(0, 1)[0]).length > size);
  await checkPlanes(await openBytes("a.lsm", file), { t: 1, c: 2, z: pages }, (_, z) => z);
});

Deno.test("channels of different depths become images of their own; floats need no SampleFormat", async () => {
  const floats = [0.5, -1.25, 3e5, 0, 1, 2];
  const file = writeTiff({
    blocks: { ChannelDataTypes: le("u4", 3, 1, 5, 1) },
    pages: (offsets) => [{
      width: 3,
      height: 2,
      bits: [8, 32, 8],
      data: [le("u1", 1, 2, 3, 4, 5, 6), le("f4", ...floats), le("u1", 9, 8, 7, 6, 5, 4)],
      fields: [
        [284, 3, [2]],
        [
          34412,
          1,
          lsmInfo({
            DimensionX: 3,
            DimensionY: 2,
            DimensionZ: 1,
            DimensionChannels: 3,
            ScanType: 0,
          }, offsets),
        ],
      ],
    }],
  });
  const dataset = await openBytes("a.lsm", file);
  assert.deepEqual(dataset.images.map((i) => [i.name, i.dtype]), [
    ["8-bit channels", "uint8"],
    ["32-bit channels", "float32"],
  ]);
  assert.deepEqual([...(await values(dataset, 0)).data], [1, 2, 3, 4, 5, 6, 9, 8, 7, 6, 5, 4]);
  assert.deepEqual([...(await values(dataset, 1)).data], [...Float32Array.from(floats)]);
});

Deno.test("scan information, events and drawings are kept", async () => {
  const entry = (id: number, type: number, bytes: Uint8Array = new Uint8Array(0)) =>
    join(le("u4", id, type, bytes.length), bytes);
  const text = (t: string) => new TextEncoder().encode(`${t}\0`);
  const end = entry(0xffffffff, 0);
  const scan = join(
    entry(0x10000000, 0),
    entry(0x10000001, 2, text("cell 4")),
    entry(0x10000047, 2, text("ada")),
    entry(0x10000036, 5, le("f8", 40_000.5)),
    entry(0x20000000, 0),
    entry(0x40000000, 0),
    entry(0x4000000c, 2, text("Track1")),
    entry(0x40000006, 4, le("i4", -1)),
    entry(0x4fffffff, 4, le("i4", 7)),
    entry(0xc0000000, 0),
    entry(0xd0000000, 0),
    entry(0xd0000006, 4, le("i4", 12)),
    end,
    entry(0xd0000000, 0),
    entry(0xd0000003, 4, le("i4", 0)),
    end,
    end,
    end,
    end,
    end,
  );
  const events = join(
    le("u4", 8 + 16 + 5 + 16, 2),
    le("u4", 21),
    le("f8", 1.5),
    le("u4", 0),
    text("drug"),
    le("u4", 16),
    le("f8", 2.5),
    le("u4", 4),
  );
  const dataset = await openBytes(
    "a.lsm",
    lsmFile({
      fields: { ScanType: 0, DataType: 2 },
      pages: 1,
      bits: 16,
      blocks: {
        ChannelColors: COLORS,
        ScanInformation: scan,
        EventList: events,
        VectorOverlay: le("u4", 12, 1, 2),
      },
    }),
  );
  assert.deepEqual(dataset.warnings, []);
  const { metadata } = dataset;
  assert.equal(metadata.startTime, "2009-07-06T12:00:00.000");
  assert.equal(metadata.experimenter, "ada");
  assert.equal(dataset.images[0].name, "cell 4");
  assert.deepEqual(metadata.header?.ScanInformation, {
    Name: "cell 4",
    User: "ada",
    Sample0time: 40_000.5,
    Tracks: [{
      Name: "Track1",
      Acquire: -1,
      Entry0x4fffffff: 7,
      DataChannels: [{ BitsPerSample: 12 }, { Acquire: 0 }],
    }],
  });
  assert.deepEqual(dataset.images[0].channels?.[0].window, { min: 0, max: 4095 });
  assert.deepEqual(column(dataset, "source/lsm/events/time").values, Float64Array.of(1.5, 2.5));
  assert.deepEqual(column(dataset, "source/lsm/events/label").values, ["drug", "trigger"]);
  assert.equal(column(dataset, "source/lsm/vector_overlay").values.length, 12);
});

Deno.test("blocks that lie elsewhere or do not end cost themselves only", async () => {
  const file = lsmFile({
    fields: { ScanType: 0, OffsetTimeStamps: 0xfffffff0, OffsetScanInformation: 8 },
    pages: 1,
    blocks: {},
  });
  const dataset = await openBytes("a.lsm", file);
  assert.equal(dataset.warnings.length, 2);
  assert.match(dataset.warnings[0], /TimeStamps at byte 4294967280 cannot be read/);
  assert.match(dataset.warnings[1], /scan information is not used/);
});

Deno.test("offsets above 4 GiB are unwrapped in the order of writing", () => {
  // Two positions, two times, one slice: written t0p0 t0p1 t1p0 t1p1, listed position by position.
  const order = writingOrder([0, 2, 4, 6], [1, 3, 5, 7], { positions: 2, t: 2, z: 1 }, false);
  assert.deepEqual(order, [0, 1, 4, 5, 2, 3, 6, 7]);
  const gib = 2 ** 30;
  const truth = [1, 1.5, 6, 6.5, 3, 3.5, 9, 9.5].map((n) => n * gib);
  const offsets = new NumberList(), lengths = new NumberList();
  truth.forEach((o) => {
    offsets.push(o % 2 ** 32);
    lengths.push(1000);
  });
  const tiff = { offsets, lengths, bytes: { window: { size: 10 * gib } } } as unknown as TiffFile;
  const kind = { across: 1, down: 1, deep: 1, separate: false, samples: 1 };
  const pages = truth.map((_, i) => ({ kind, firstChunk: i }) as unknown as TiffPage);
  assert.equal(unwrapOffsets(tiff, order.map((i) => pages[i])), 2);
  assert.deepEqual(truth.map((_, i) => offsets.at(i)), truth);
});

Deno.test("days since 1899 are dates", () => {
  assert.equal(oleTime(40_000), "2009-07-06T00:00:00.000");
  assert.equal(oleTime(0), undefined);
  assert.equal(oleTime("x"), undefined);
});
