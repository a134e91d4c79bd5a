/** Small files that promise much, or that would take very long: refused at once, or read in their stride. */
import assert from "node:assert/strict";
import { ChunkBudget } from "../decoders/containers/hdf5/chunk-table.ts";
import type { Storage } from "../decoders/containers/hdf5/storage.ts";
import { MemorySource } from "../src/source/memory.ts";
import { nsxFile, samplePackets } from "./support/blackrock-files.ts";
import { tiffOf } from "./support/hostile-files.ts";
import { judge } from "./support/hostile-judge.ts";

const SECONDS = 3;

async function refused(name: string, bytes: Uint8Array, tag: string, pattern: RegExp) {
  const verdict = await judge(new MemorySource(name, bytes), { inputBytes: bytes.length });
  assert.equal(verdict.complaint, undefined);
  assert.equal(verdict.outcome, tag, verdict.message);
  assert.match(verdict.message ?? "", pattern);
  assert(verdict.seconds < SECONDS, `took ${verdict.seconds} s`);
}

async function converted(name: string, bytes: Uint8Array, files = {}) {
  const verdict = await judge(new MemorySource(name, bytes, files), { inputBytes: bytes.length });
  assert.deepEqual([verdict.outcome, verdict.complaint], ["converted", undefined], verdict.message);
  assert(verdict.seconds < SECONDS, `took ${verdict.seconds} s`);
  return verdict.warnings!;
}

/** An OME-TIFF of one 8 x 8 page. */
function omeTiff(pixels: string, inside = "<TiffData/>"): Uint8Array {
  return tiffOf({
    width: 8,
    height: 8,
    big: false,
    bits: 8,
    samples: 1,
    compression: 1,
    strips: [new Uint8Array(64)],
    description:
      `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">` +
      `<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="8" ` +
      `SizeY="8" ${pixels}>${inside}</Pixels></Image></OME>`,
  });
}

Deno.test("OME-XML that announces millions of planes over one page", async () => {
  const huge = omeTiff('SizeZ="1" SizeC="1" SizeT="60000000"');
  await refused("a.ome.tif", huge, "Truncated", /1 pages, expected 60000000 planes/);
  const more = omeTiff('SizeZ="1" SizeC="1000000000" SizeT="1"');
  await refused("a.ome.tif", more, "Limit", /too many planes/);
});

Deno.test("OME-XML without an end to its elements", async () => {
  const deep = omeTiff('SizeZ="1" SizeC="1" SizeT="1"', "<a>".repeat(200_000));
  await refused("a.ome.tif", deep, "Corrupt", /too many elements inside each other/);
});

Deno.test("OME-XML that names files elsewhere", async () => {
  const planes = ["../secret.tif", "/etc/passwd", "..\\\\secret.tif"].map((name, t) =>
    `<TiffData FirstT="${t}"><UUID FileName="${name}">urn:uuid:${t}</UUID></TiffData>`
  );
  const bytes = omeTiff(
    'SizeZ="1" SizeC="1" SizeT="4"',
    `${planes.join("")}<TiffData FirstT="3"/>`,
  );
  const secret = { "../secret.tif": omeTiff('SizeZ="1" SizeC="1" SizeT="1"') };
  const warnings = await converted("a.ome.tif", bytes, secret);
  assert(warnings.some((w) => /not there/.test(w)), warnings.join("; "));
});

Deno.test("a strip of a hundred bytes that claims 400 MB", async () => {
  for (const compression of [5, 7, 8, 32773]) {
    const bytes = tiffOf({
      width: 20_000,
      height: 20_000,
      rows: 20_000,
      big: false,
      bits: 8,
      samples: 1,
      compression,
      strips: [new Uint8Array(100)],
    });
    await refused("a.tif", bytes, "Truncated", /too short for what it decodes to/);
  }
});

Deno.test("numbers of thousands of digits in a table", async () => {
  const rows = Array.from({ length: 40 }, (_, i) => `1${"0".repeat(400)}${i},2`);
  await converted("a.csv", new TextEncoder().encode(["a,b", ...rows, ""].join("\n")));
});

Deno.test("a time stamp for every sample that follows no clock", async () => {
  let state = 1;
  const chaos = nsxFile({
    version: "3.0",
    timeResolution: 1_000_000_000,
    channels: [{ electrode: 1, label: "a" }],
    packets: samplePackets(
      Array.from({ length: 300_000 }, (_, i) => [i % 100]),
      () => 1_700_000_000_000_000_000n + BigInt(state = (state * 1_103_515_245 + 12_345) % 2 ** 31),
    ),
  });
  await refused("a.ns5", chaos, "Limit", /more interruptions of a recording/);
});

Deno.test("a dataset of millions of chunks in a file of kilobytes", () => {
  const storage = { source: { name: "a.h5", size: 15_000 } } as Storage;
  new ChunkBudget().take(1000, storage, "/x");
  assert.throws(() => new ChunkBudget().take(19_000_000, storage, "/x"), /a\.h5.*far more chunks/);
});
