/** Small good files of every reader, for tests that damage them. */
import { hdf5Fixture } from "./hdf5-fixtures.ts";
import { goodRecordings } from "./hostile-series.ts";
import { goodSets } from "./hostile-sets.ts";
import { join, le, lsmInfo, type Page, staticBlock, writeTiff } from "./tiff-dialect-files.ts";

/** A file to open, and the others of its set. */
export interface GoodFile {
  main: string;
  files: Record<string, Uint8Array>;
}

/** Every kind of file that is damaged. */
export async function goodFiles(): Promise<GoodFile[]> {
  return [
    ...await goodRecordings(),
    ...await goodSets(),
    ...tableFiles(),
    ...await hdf5Files(),
    ...await tiffFiles(),
    ...dialectFiles(),
  ];
}

/** Recordings in groups and attributes; a tree of small arrays. */
async function hdf5Files(): Promise<GoodFile[]> {
  return await Promise.all(["flat", "trials"].map(async (name) => {
    const main = `${name}.h5`;
    return { main, files: { [main]: await hdf5Fixture(name) } };
  }));
}

function tableFiles(): GoodFile[] {
  const rows = Array.from(
    { length: 200 },
    (_, i) =>
      `${i / 100},${(i * 7) % 13 - 6},${Math.sin(i / 9).toFixed(4)},${i % 50 ? "" : "mark"}`,
  );
  const text = ["time (s),force (N),angle,event", ...rows, ""].join("\r\n");
  return [{ main: "table.csv", files: { "table.csv": new TextEncoder().encode(text) } }];
}

/** A big-endian file of strips and a little-endian one of deflated tiles. */
async function tiffFiles(): Promise<GoodFile[]> {
  const [width, height] = [40, 30];
  const strips = [0, 1, 2].map(() => new Uint8Array(width * 10 * 2).map((_, i) => i * 31));
  const tile = new Blob([new Uint8Array(32 * 32 * 3).map((_, i) => i >> 3)]);
  const packed = new Uint8Array(
    await new Response(tile.stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer(),
  );
  const common = { width, height };
  return [
    ["strips.tif", tiffOf({ ...common, big: true, bits: 16, samples: 1, compression: 1, strips })],
    [
      "tiles.tif",
      tiffOf({
        ...common,
        big: false,
        bits: 8,
        samples: 3,
        compression: 8,
        tile: 32,
        strips: [packed, packed],
      }),
    ],
  ].map(([main, bytes]) => ({
    main: main as string,
    files: { [main as string]: bytes as Uint8Array },
  }));
}

/** What a TIFF file of one page holds. */
export interface TiffSpec {
  width: number;
  height: number;
  /** Big-endian. */
  big: boolean;
  bits: number;
  samples: number;
  compression: number;
  /** Edge of square tiles; strips of `rows` (10) without it. */
  tile?: number;
  rows?: number;
  strips: Uint8Array[];
  description?: string;
}

/** A TIFF file of one page, its strips or tiles as they are given. */
export function tiffOf(spec: TiffSpec): Uint8Array {
  const { width, height, big, bits, samples, compression, tile, rows = 10, strips } = spec;
  const text = [...new TextEncoder().encode(spec.description ? `${spec.description}\0` : "")];
  const lengths = strips.map((s) => s.length);
  type Entry = [tag: number, type: 2 | 3 | 4, values: number[]];
  const entries = (offsets: number[]): Entry[] => [
    [256, 3, [width]],
    [257, 3, [height]],
    [258, 3, new Array(samples).fill(bits)],
    [259, 3, [compression]],
    [262, 3, [samples === 3 ? 2 : 1]],
    ...(text.length ? [[270, 2, text]] as Entry[] : []),
    ...(tile ? [] : [[273, 4, offsets]] as Entry[]),
    [277, 3, [samples]],
    ...(tile
      ? [[322, 3, [tile]], [323, 3, [tile]], [324, 4, offsets], [325, 4, lengths]]
      : [[278, 3, [rows]], [279, 4, lengths]]) as Entry[],
  ];
  const sizeOf = (type: number) => [1, 2, 4][type - 2];
  const plain = entries(lengths);
  const extra = plain.map(([, type, v]) => sizeOf(type) * v.length).map((n) => (n > 4 ? n : 0));
  let at = 8 + 2 + 12 * plain.length + 4 + extra.reduce((a, b) => a + b, 0);
  const offsets = lengths.map((n) => (at += n) - n);
  const bytes = new Uint8Array(at);
  const view = new DataView(bytes.buffer);
  bytes.set(big ? [0x4d, 0x4d, 0, 42] : [0x49, 0x49, 42, 0]);
  view.setUint32(4, 8, !big);
  view.setUint16(8, plain.length, !big);
  let beyond = 8 + 2 + 12 * plain.length + 4;
  entries(offsets).forEach(([tag, type, values], i) => {
    const entry = 10 + 12 * i;
    view.setUint16(entry, tag, !big);
    view.setUint16(entry + 2, type, !big);
    view.setUint32(entry + 4, values.length, !big);
    let place = entry + 8;
    if (extra[i]) {
      view.setUint32(place, beyond, !big);
      place = beyond;
      beyond += extra[i];
    }
    values.forEach((v, k) => {
      if (type === 2) bytes[place + k] = v;
      else if (type === 3) view.setUint16(place + 2 * k, v, !big);
      else view.setUint32(place + 4 * k, v, !big);
    });
  });
  strips.forEach((s, i) => bytes.set(s, offsets[i]));
  return bytes;
}

/** Makers' dialects of TIFF, each with the blocks and texts only it has. */
function dialectFiles(): GoodFile[] {
  const [width, height] = [24, 16];
  const plane = (k: number) => new Uint8Array(width * height).map((_, i) => i * k);
  const entry = (id: number, type: number, bytes: Uint8Array = new Uint8Array(0)) =>
    join(le("u4", id, type, bytes.length), bytes);
  const name = new TextEncoder().encode("cell\0");
  const end = entry(0xffffffff, 0);
  const lsm = writeTiff({
    blocks: {
      TimeStamps: join(le("i4", 24, 2), le("f8", 1, 2)),
      ChannelColors: join(le("u4", 45, 2, 2, 24, 32, 0), plane(9).subarray(0, 8), le("u4", 1, 1)),
      EventList: join(le("u4", 29, 1, 21), le("f8", 1.5), le("u4", 0), name),
      ScanInformation: join(
        entry(0x10000000, 0),
        entry(0x10000001, 2, name),
        entry(0x20000000, 0),
        entry(0x40000000, 0),
        entry(0x40000006, 4, le("i4", 1)),
        end,
        end,
        end,
      ),
    },
    pages: (offsets) =>
      [0, 1, 2, 3].map((i): Page => ({
        width,
        height,
        bits: [8, 8],
        data: [plane(i + 1), plane(i + 5)],
        fields: [
          [284, 3, [2]],
          ...(i ? [] : [
            [
              34412,
              1,
              lsmInfo({
                DimensionX: width,
                DimensionY: height,
                DimensionZ: 2,
                DimensionTime: 2,
                DimensionChannels: 2,
                ScanType: 6,
                DataType: 1,
                VoxelSizeX: 1e-7,
              }, offsets),
            ] as const,
          ]),
        ] as Page["fields"],
      })),
  });
  const settings = "SI.hChannels.channelSave = [1;2]\nSI.hStackManager.numSlices = 2\n" +
    "SI.hStackManager.framesPerSlice = 1\nSI.hRoiManager.scanFrameRate = 30";
  const scanimage = writeTiff({
    big: true,
    afterHeader: staticBlock(settings, '{"RoiGroups":{}}'),
    pages: [0, 1, 2, 3, 4].map((i): Page => ({
      width,
      height,
      bits: [8],
      data: [plane(i + 1)],
      fields: [[270, 2, `frameNumbers = ${i >> 1}\nframeTimestamps_sec = ${i / 30}`]],
    })),
  });
  const rgb = new Uint8Array(16 * 16 * 3).map((_, i) => i >> 2);
  const svs = writeTiff({
    pages: [[32, 32, 4], [16, 16, 1]].map(([w, h, tiles]): Page => ({
      width: w,
      height: h,
      bits: [8, 8, 8],
      tile: [16, 16],
      data: new Array(tiles).fill(rgb),
      fields: [[270, 2, "Aperio Image Library v11\r\n32x32|AppMag = 20|MPP = 0.5"]],
    })),
  });
  return Object.entries({ "stack.lsm": lsm, "volumes.tif": scanimage, "slide.svs": svs })
    .map(([main, bytes]) => ({ main, files: { [main]: bytes } }));
}
