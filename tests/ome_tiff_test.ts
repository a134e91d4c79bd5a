/** OME-TIFF: dimension orders, file sets, companions, missing planes, units, channels, pyramids. */
import assert from "node:assert/strict";
import { omeTiff } from "../decoders/imaging/ome-tiff.ts";
import { parseOmeXml } from "../decoders/imaging/ome-xml.ts";
import { openTiff } from "../decoders/imaging/tiff-reader.ts";
import { isFuseError } from "../src/errors.ts";
import type { Dataset } from "../src/model/dataset.ts";
import { MemorySource } from "../src/source/memory.ts";
import { imageBytes } from "./support/image-bytes.ts";
import { makeTiff, ramp, type TiffPageInput } from "./support/tiff-files.ts";

const NS = "http://www.openmicroscopy.org/Schemas/OME/2016-06";
const W = 6, H = 4;

/** A document around elements. */
function ome(inner: string, attributes = ""): string {
  return `<?xml version="1.0" encoding="UTF-8"?><!-- a comment first -->\n<OME xmlns="${NS}" ${attributes}>${inner}</OME>`;
}

/** An Image of 8-bit planes. */
function image(sizes: string, inner: string, attributes = "", before = ""): string {
  return `<Image ID="Image:0" Name="cells">${before}<Pixels ID="Pixels:0" Type="uint8" SizeX="${W}" SizeY="${H}" ${sizes} ${attributes}>${inner}</Pixels></Image>`;
}

const data = (i: number) => ramp(W * H, 8, i + 1);
const page = (i: number, description?: string): TiffPageInput => ({
  width: W,
  height: H,
  data: data(i),
  description,
});

/** A file of `count` planes, the description in the first. */
function file(count: number, description?: string, first = 0): Promise<Uint8Array> {
  return makeTiff(
    Array.from({ length: count }, (_, i) => page(first + i, i === 0 ? description : undefined)),
  );
}

const open = (
  bytes: Uint8Array,
  siblings: Record<string, Uint8Array> = {},
  name = "a.ome.tif",
): Promise<Dataset> => openTiff(new MemorySource(name, bytes, siblings), {});

/** Number of the plane at each place of the first image, -1 for zeros; the places run t, c, z. */
async function order(dataset: Dataset, total: number): Promise<number[]> {
  const bytes = await imageBytes(dataset, dataset.images[0]);
  const known = new Map(Array.from({ length: 32 }, (_, i) => [data(i).join(), i]));
  return Array.from(
    { length: total },
    (_, k) => known.get(bytes.subarray(k * W * H, (k + 1) * W * H).join()) ?? -1,
  );
}

Deno.test("planes go where the dimension order says", async () => {
  const sizes = 'SizeZ="2" SizeC="3" SizeT="2"';
  // Strides of z, c and t in each order; the array's places run t, c, z.
  for (
    const [name, z, c, t] of [["XYZCT", 1, 2, 6], ["XYCZT", 3, 1, 6], ["XYTCZ", 6, 2, 1], [
      "XYZTC",
      1,
      4,
      2,
    ]] as const
  ) {
    const dataset = await open(
      await file(12, ome(image(sizes, "<TiffData/>", `DimensionOrder="${name}"`))),
    );
    const expected = [];
    for (let it = 0; it < 2; it++) {
      for (let ic = 0; ic < 3; ic++) {
        for (let iz = 0; iz < 2; iz++) expected.push(iz * z + ic * c + it * t);
      }
    }
    assert.deepEqual(await order(dataset, 12), expected, name);
    assert.equal(dataset.images[0].axes.join(""), "tczyx");
    assert.equal(dataset.format, "ome_tiff");
  }
});

Deno.test("TiffData blocks scatter planes, and planes nobody has are zero", async () => {
  const blocks = '<TiffData IFD="2" FirstZ="0"/><TiffData IFD="0" FirstZ="1" PlaneCount="2"/>';
  const dataset = await open(
    await file(3, ome(image('SizeZ="4" SizeC="1" SizeT="1"', blocks, 'DimensionOrder="XYZCT"'))),
  );
  assert.deepEqual(await order(dataset, 4), [2, 0, 1, -1]);
  assert.match(dataset.warnings.join(), /1 of 4 planes are not in the files/);
});

Deno.test("units become micrometres and seconds, channels keep names and colours", async () => {
  const pixels =
    'DimensionOrder="XYCTZ" PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5" ' +
    'PhysicalSizeZ="2" PhysicalSizeZUnit="mm" TimeIncrement="500" TimeIncrementUnit="ms"';
  const channels =
    '<Channel ID="Channel:0:0" Name="DAPI" Color="65535"/><Channel ID="Channel:0:1" Name="GFP &amp; more" Color="-16776961"/>';
  const xml = ome(
    `<Experimenter ID="E:0" FirstName="Ada" LastName="Lovelace" Institution="Somewhere"/>` +
      image(
        'SizeZ="1" SizeC="2" SizeT="2"',
        `${channels}<TiffData/>`,
        pixels,
        "<AcquisitionDate>2021-05-17T14:03:12</AcquisitionDate>",
      ),
  );
  const dataset = await open(await file(4, xml));
  const [series] = dataset.images;
  assert.deepEqual(series.pixelSizeMicrometres, { x: 0.25, y: 0.5, z: 2000 });
  assert.equal(series.timeStepSeconds, 0.5);
  assert.deepEqual(series.channels, [{ name: "DAPI", color: "0000FF" }, {
    name: "GFP & more",
    color: "FF0000",
  }]);
  assert.equal(series.name, "cells");
  assert.deepEqual(dataset.metadata, {
    startTime: "2021-05-17T14:03:12",
    experimenter: "Ada Lovelace",
    institution: "Somewhere",
  });
  assert.equal(dataset.documents?.["OME/METADATA.ome.xml"], xml);
  assert.ok(!JSON.stringify(series.attributes).includes("<OME"));
});

Deno.test("times of single planes give the step only when they are steady", async () => {
  const planes = (times: number[]) =>
    times.map((t, i) => `<Plane TheT="${i}" TheZ="0" TheC="0" DeltaT="${t}" DeltaTUnit="ms"/>`)
      .join("");
  const step = async (times: number[]) =>
    (await open(
      await file(3, ome(image('SizeZ="1" SizeC="1" SizeT="3"', `<TiffData/>${planes(times)}`))),
    )).images[0].timeStepSeconds;
  assert.equal(await step([100, 350, 600]), 0.25);
  assert.equal(await step([100, 350, 900]), undefined);
});

const uuid = (n: number) => `urn:uuid:0000000${n}-0000-4000-8000-000000000000`;

/** TiffData of a set of one file a slice. */
const slices = (count: number) =>
  Array.from(
    { length: count },
    (_, z) =>
      `<TiffData IFD="0" FirstZ="${z}" PlaneCount="1"><UUID FileName="z${z}.ome.tif">${
        uuid(z)
      }</UUID></TiffData>`,
  ).join("");

Deno.test("a set is read whole from its master, a part, or the companion file", async () => {
  const inner = image('SizeZ="3" SizeC="1" SizeT="1"', slices(3), 'DimensionOrder="XYZCT"');
  const binaryOnly = (master: string) =>
    ome(`<BinaryOnly MetadataFile="${master}" UUID="${uuid(0)}"/>`);
  const full = ome(inner, `UUID="${uuid(0)}"`);
  const set: Record<string, Uint8Array> = {
    "z0.ome.tif": await file(1, full, 0),
    "z1.ome.tif": await file(
      1,
      binaryOnly("z0.ome.tif").replace("<OME ", `<OME UUID="${uuid(1)}" `),
      1,
    ),
    "z2.ome.tif": await file(1, binaryOnly("z0.ome.tif"), 2),
  };
  for (const name of ["z0.ome.tif", "z1.ome.tif", "z2.ome.tif"]) {
    const { [name]: own, ...others } = set;
    const dataset = await open(own, others, name);
    assert.deepEqual(await order(dataset, 3), [0, 1, 2], name);
    assert.equal(dataset.sources.length, 3);
    assert.equal(dataset.sources[0].name, name);
  }
  const renamed = await open(set["z0.ome.tif"], {
    "z1.ome.tif": set["z1.ome.tif"],
    "z2.ome.tif": set["z2.ome.tif"],
  }, "copy of z0.tif");
  assert.deepEqual(await order(renamed, 3), [0, 1, 2]);
  const companion = new TextEncoder().encode(ome(inner));
  const viaCompanion = await open(companion, set, "set.companion.ome");
  assert.deepEqual(await order(viaCompanion, 3), [0, 1, 2]);
  const part = await file(1, binaryOnly("set.companion.ome"), 1);
  const viaPart = await open(part, {
    "set.companion.ome": companion,
    "z0.ome.tif": set["z0.ome.tif"],
    "z2.ome.tif": set["z2.ome.tif"],
  }, "z1.ome.tif");
  assert.deepEqual(await order(viaPart, 3), [0, 1, 2]);
});

Deno.test("files of a set that are not there are named and their planes are zero", async () => {
  const xml = ome(image('SizeZ="3" SizeC="1" SizeT="1"', slices(3)), `UUID="${uuid(0)}"`);
  const dataset = await open(
    await file(1, xml),
    { "z2.ome.tif": await file(1, undefined, 2) },
    "z0.ome.tif",
  );
  assert.deepEqual(await order(dataset, 3), [0, -1, 2]);
  assert.match(dataset.warnings.join(), /not there: z1\.ome\.tif/);
  const lonely = await open(await file(1, ome('<BinaryOnly MetadataFile="gone.ome.tif"/>'), 4));
  assert.deepEqual([lonely.images[0].axes.join(""), lonely.format], ["yx", "tiff"]);
  assert.match(lonely.warnings.join(), /gone\.ome\.tif/);
  const companion = new TextEncoder().encode(
    ome(image('SizeZ="3" SizeC="1" SizeT="1"', slices(3))),
  );
  await assert.rejects(
    open(companion, {}, "set.companion.ome"),
    (e) => isFuseError(e, "Unsupported") && /beside it/.test(e.message),
  );
});

Deno.test("opened alone, a member gives its own planes only", async () => {
  const xml = ome(image('SizeZ="3" SizeC="1" SizeT="1"', slices(3)), `UUID="${uuid(1)}"`);
  const source = new MemorySource("z1.ome.tif", await file(1, xml, 1), {
    "z0.ome.tif": await file(1),
  });
  const dataset = await openTiff(source, { alone: true });
  assert.deepEqual(dataset.images[0].levels[0].shape, [H, W]);
  assert.deepEqual(await order(dataset, 1), [1]);
});

Deno.test("several images, colour samples in channels, and pyramids below the pages", async () => {
  const two = ome(
    `<Image ID="Image:0" Name="a"><Pixels ID="P:0" DimensionOrder="XYZCT" Type="uint8" SizeX="${W}" SizeY="${H}" SizeZ="2" SizeC="1" SizeT="1"><TiffData IFD="1" PlaneCount="2"/></Pixels></Image>` +
      `<Image ID="Image:1" Name="b"><Pixels ID="P:1" DimensionOrder="XYZCT" Type="uint8" SizeX="${W}" SizeY="${H}" SizeZ="1" SizeC="1" SizeT="1"><TiffData IFD="0"/></Pixels></Image>`,
  );
  const dataset = await open(await file(4, two));
  assert.deepEqual(dataset.images.map((i) => [i.name, i.axes.join("")]), [["a", "zyx"], [
    "b",
    "yx",
  ]]);
  assert.deepEqual(await order(dataset, 2), [1, 2]);
  assert.match(JSON.stringify(dataset.leftOut), /1 pages \(3\)/);

  const rgb = (i: number, description?: string): TiffPageInput => ({
    width: 16,
    height: 8,
    samples: 3,
    data: ramp(384, 8, i),
    description,
    subPages: [{ width: 8, height: 4, samples: 3, data: ramp(96, 8, i + 9), subfile: 1 }],
  });
  const xml = ome(
    `<Image ID="Image:0"><Pixels ID="P:0" DimensionOrder="XYCZT" Type="uint8" SizeX="16" SizeY="8" SizeZ="2" SizeC="6" SizeT="1">` +
      '<Channel ID="C:0" Name="H&amp;E" SamplesPerPixel="3"/><Channel ID="C:1" SamplesPerPixel="3"/><TiffData/></Pixels></Image>',
  );
  const coloured = await open(await makeTiff([rgb(1, xml), rgb(2), rgb(3), rgb(4)]));
  const [series] = coloured.images;
  assert.deepEqual(series.levels.map((l) => l.shape), [[6, 2, 8, 16], [6, 2, 4, 8]]);
  assert.deepEqual(series.channels?.map((c) => c.name), [
    "H&E Red",
    "H&E Green",
    "H&E Blue",
    "Red",
    "Green",
    "Blue",
  ]);
  const bytes = await imageBytes(coloured, series);
  // Sample 1 of channel 1 at slice 1 is sample 1 of the fourth page.
  const plane = bytes.subarray((4 * 2 + 1) * 128, (4 * 2 + 2) * 128);
  assert.deepEqual(plane, Uint8Array.from({ length: 128 }, (_, p) => ramp(384, 8, 4)[3 * p + 1]));
});

Deno.test("nonsense in the XML is said, not obeyed", async () => {
  await assert.rejects(
    open(await file(1, ome(image('SizeZ="0" SizeC="1" SizeT="1"', "<TiffData/>")))),
    (e) => isFuseError(e, "Corrupt") && /SizeZ/.test(e.message),
  );
  await assert.rejects(
    open(await file(1, ome(image('SizeZ="99999" SizeC="99999" SizeT="99999"', "<TiffData/>")))),
    (e) => isFuseError(e, "Limit"),
  );
  await assert.rejects(
    open(await file(1, `<OME xmlns="${NS}"><Image`)),
    (e) => isFuseError(e, "Corrupt"),
  );
  const outside = await open(
    await file(
      1,
      ome(
        image(
          'SizeZ="1" SizeC="1" SizeT="1"',
          '<TiffData IFD="0"/><TiffData IFD="0" FirstT="7"/><TiffData IFD="9"/>',
        ),
      ),
    ),
  );
  assert.match(outside.warnings.join(), /outside of the image/);
  const prefixed = parseOmeXml(
    `<ome:OME xmlns:ome="${NS}"><ome:Image ID="i"><ome:Pixels SizeX="2" SizeY="3" PhysicalSizeX="1" PhysicalSizeXUnit="pixel"/></ome:Image></ome:OME>`,
    "x",
  );
  assert.deepEqual([
    prefixed.images[0].sizeX,
    prefixed.images[0].sizeY,
    prefixed.images[0].physicalSize,
  ], [2, 3, {}]);
});

Deno.test("the probe knows OME-XML by the text or by the name", async () => {
  const bytes = await file(1, ome(image('SizeZ="1" SizeC="1" SizeT="1"', "<TiffData/>")));
  const probe = (head: Uint8Array, name: string) =>
    omeTiff.probe({ head, name, size: head.length }).score;
  assert.equal(probe(bytes, "a.tif"), 230);
  assert.equal(probe(await file(1), "a.ome.tif"), 200);
  assert.equal(probe(await file(1), "a.tif"), 0);
  assert.equal(probe(new TextEncoder().encode(ome("")), "a.companion.ome"), 230);
  assert.equal(probe(new TextEncoder().encode("<html/>"), "a.companion.ome"), 0);
});

Deno.test("a companion is XML from its first byte on: text that quotes OME-XML is none", () => {
  const score = (text: string) =>
    omeTiff.probe({
      name: "set.companion.ome",
      head: new TextEncoder().encode(text),
      size: text.length,
    }).score;
  assert.ok(score(ome("")) > 200);
  assert.ok(score(`\ufeff\n${ome("")}`) > 200);
  assert.equal(score(JSON.stringify({ description: ome("") })), 0);
});
