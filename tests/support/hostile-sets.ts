/** Small good files of TDT, PalmSens, flat, MATLAB and OME-TIFF, for tests that damage them. */
import type { GoodFile } from "./hostile-files.ts";
import {
  doubles,
  levelFourMatrix,
  matFile,
  objectReference,
  objectTable,
  struct,
  text,
} from "./mat-files.ts";
import { utf16 } from "./tables.ts";
import { makeTiff, ramp as pixels } from "./tiff-files.ts";

const encode = (s: string) => new TextEncoder().encode(s);
const bytesOf = (v: ArrayBufferView) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
const int16 = (n: number, k: number) =>
  Int16Array.from({ length: n }, (_, i) => (i * k) % 997 - 400);

/** Files of these formats. */
export async function goodSets(): Promise<GoodFile[]> {
  const mat = await matFile({
    data: doubles([2, 60], Array.from({ length: 120 }, (_, i) => Math.sin(i))),
    fs: doubles([1, 1], [250]),
    info: struct({ label: text("Fp1", "Fp2"), when: text("2024-01-02") }),
  }, { compress: true });
  const objects = await matFile({
    when: { kind: "opaque", type: "datetime", reference: objectReference(1, 1) },
    data: doubles([2, 60], Array.from({ length: 120 }, (_, i) => Math.sin(i))),
  }, {
    objects: [
      objectTable({
        names: ["datetime", "data", "tz"],
        classes: [1],
        objects: [[1, 0, 1]],
        saved: [],
        own: [[[2, 1, 0], [3, 1, 1]]],
      }),
      doubles([0, 0], []),
      doubles([1, 3], [1e12, 2e12, 3e12]),
      text("UTC"),
    ],
  });
  const four = levelFourMatrix("trace", [1, 40], [...int16(40, 7)]);
  return [
    tdt(),
    palmsens(),
    {
      main: "x.dat",
      files: {
        "x.dat": bytesOf(int16(600, 7)),
        "params.py": encode(
          "dat_path = 'x.dat'\nn_channels_dat = 2\ndtype = 'int16'\noffset = 0\nsample_rate = 25000.\n",
        ),
      },
    },
    { main: "level5.mat", files: { "level5.mat": mat } },
    { main: "objects.mat", files: { "objects.mat": objects } },
    { main: "level4.mat", files: { "level4.mat": four } },
    await omeTiff(),
  ];
}

/** A TDT block: two channels of a stream, snippets, epocs. */
function tdt(): GoodFile {
  const [start, base] = [1_600_000_000.25, "Tank_Block-1"];
  const stream = (channel: number, at: number) => ({
    type: 0x8101,
    name: "Wav1",
    at,
    channel,
    rate: 1000,
    data: Float32Array.from(int16(64, channel)),
  });
  const items: {
    type: number;
    name: string;
    at: number;
    channel?: number;
    rate?: number;
    data?: Float32Array;
    value?: number;
  }[] = [
    { type: 0x8801, name: "\x01", at: 0 },
    ...[0, 1, 2].flatMap((i) => [stream(1, i * 0.064), stream(2, i * 0.064)]),
    {
      type: 0x8201,
      name: "eNe1",
      at: 0.02,
      channel: 1,
      rate: 24_000,
      data: new Float32Array(16).fill(3),
    },
    { type: 0x101, name: "Tick", at: 0.05, value: 1 },
    { type: 0x201, name: "Freq", at: 0.06, value: 440 },
    { type: 0x8801, name: "\x02", at: 4 },
  ];
  const tsq = new Uint8Array(40 * (items.length + 1)), view = new DataView(tsq.buffer);
  const data: number[] = [];
  view.setInt32(0, tsq.length, true);
  items.forEach((item, i) => {
    const at = 40 * (i + 1), bytes = item.data ? bytesOf(item.data) : undefined;
    view.setInt32(at, 10 + (bytes?.length ?? 0) / 4, true);
    view.setInt32(at + 4, item.type, true);
    tsq.set(encode(item.name), at + 8);
    view.setUint16(at + 12, item.channel ?? 0, true);
    view.setFloat64(at + 16, start + item.at, true);
    if (item.value !== undefined) view.setFloat64(at + 24, item.value, true);
    else view.setBigInt64(at + 24, BigInt(data.length), true);
    view.setFloat32(at + 36, item.rate ?? 0, true);
    if (bytes) data.push(...bytes);
  });
  return {
    main: `${base}.tsq`,
    files: {
      [`${base}.tsq`]: tsq,
      [`${base}.tev`]: Uint8Array.from(data),
      [`${base}.Tbk`]: new Uint8Array(64),
      [`${base}.tnt`]: encode("NOTEFILE_VERSION[1.0]\r\nnote\r\n"),
    },
  };
}

function palmsens(): GoodFile {
  const array = (description: string, type: number, unit: string, values: unknown[]) => ({
    Description: description,
    ArrayType: type,
    Unit: { Type: `PalmSens.Units.${unit}`, S: "A", Q: "quantity" },
    DataValues: values.map((V) => ({ V })),
  });
  const session = JSON.stringify({
    Type: "PalmSens.DataFiles.SessionFile",
    CoreVersion: "5.11",
    Measurements: [{
      Title: "noise",
      UTCTimeStamp: 1,
      DataSet: {
        Values: [
          array("time", 0, "Time", [0, 0.5, 1.5, 2]),
          array("current", 2, "MicroAmpere", [1, "NaN", -3, 4e-3]),
          array("other", 2, "Volt", [7]),
        ],
      },
      Curves: [{
        Title: "curve",
        XAxisDataArray: array("potential", 1, "Volt", [1, 2]),
        YAxisDataArray: array("current", 2, "NanoAmpere", [3, 4]),
      }],
    }],
  });
  return { main: "run.pssession", files: { "run.pssession": utf16(session + "\ufeff") } };
}

/** Two planes in a file of their own each, and what lies in them in the first. */
async function omeTiff(): Promise<GoodFile> {
  const [width, height] = [12, 8];
  const data = ["a.ome.tif", "b.ome.tif"].map((name, i) =>
    `<TiffData FirstC="${i}" IFD="0" PlaneCount="1"><UUID FileName="${name}">urn:uuid:${i}</UUID></TiffData>`
  ).join("");
  const xml = `<?xml version="1.0" encoding="UTF-8"?>` +
    `<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0">` +
    `<Image ID="Image:0" Name="cells"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" ` +
    `SizeX="${width}" SizeY="${height}" SizeC="2" SizeZ="1" SizeT="1" PhysicalSizeX="0.5">` +
    `<Channel ID="Channel:0:0" Name="DAPI"/><Channel ID="Channel:0:1" Name="GFP"/>${data}` +
    `</Pixels></Image></OME>`;
  const file = (i: number) =>
    makeTiff([{
      width,
      height,
      data: pixels(width * height, 8, i + 1),
      description: i === 0 ? xml : undefined,
    }]);
  return { main: "a.ome.tif", files: { "a.ome.tif": await file(0), "b.ome.tif": await file(1) } };
}
