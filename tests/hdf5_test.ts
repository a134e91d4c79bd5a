/** HDF5: files made by h5py (see `tests/python/hdf5_fixtures.py`), read back value for value. */
import assert from "node:assert/strict";
import { Dataset5 } from "../decoders/containers/hdf5/dataset.ts";
import { leavesOf } from "../decoders/containers/hdf5/elements.ts";
import { type Hdf5File, openHdf5 } from "../decoders/containers/hdf5/file.ts";
import { Group } from "../decoders/containers/hdf5/group.ts";
import { walk } from "../decoders/containers/hdf5/walk.ts";
import { lookup3 } from "../decoders/containers/hdf5/checksum.ts";
import { type FuseError, isFuseError } from "../src/errors.ts";
import { identify } from "../src/identify.ts";
import { chunkDecoder } from "../src/stream/chunk-decoders.ts";
import { MemorySource } from "../src/source/memory.ts";
import { hdf5Fixture } from "./support/hdf5-fixtures.ts";

/** Element i of the arrays of `filters`. */
const bump = (i: number) => (i * i) % 257 - 100;
/** Row i, column j of the arrays of `chunks`. */
const cell = (i: number, j: number) => 100 * i + j;

async function source(name: string): Promise<MemorySource> {
  return new MemorySource(`${name}.h5`, await hdf5Fixture(name), {
    "other.h5": await hdf5Fixture("other"),
  });
}

async function dataset(file: Hdf5File, path: string): Promise<Dataset5> {
  const object = await file.get(path);
  assert(object instanceof Dataset5, path);
  return object;
}

async function values(file: Hdf5File, path: string): Promise<unknown[]> {
  return [...await (await dataset(file, path)).readAll()];
}

const BOTH = ["old", "new"];

for (const name of BOTH) {
  Deno.test(`${name}: every datatype gives the values h5py wrote`, async () => {
    const file = await openHdf5(await source(name));
    const threes = [0, 3, 6, 9, 12];
    for (const type of ["i1", "be_i2", "i4", "u1", "u2", "be_u4", "f2", "be_f4", "f8"]) {
      assert.deepEqual(await values(file, `types/${type}`), threes, type);
    }
    for (const type of ["be_i8", "u8"]) {
      assert.deepEqual(await values(file, `types/${type}`), threes.map(BigInt), type);
    }
    for (const type of ["be_c8", "c16"]) {
      const expected = threes.map((re) => ({ re, im: 0 }));
      assert.deepEqual(await values(file, `types/${type}`), expected, type);
    }
    assert.deepEqual(await values(file, "types/i8_large"), [2n ** 60n + 1n, -(2n ** 60n) - 1n]);
    assert.deepEqual(await values(file, "types/i24"), [-1, 8388607, -8388608]);
    assert.deepEqual(await values(file, "types/bool"), [false, true, false, true, false]);
    assert.deepEqual(await values(file, "types/fixed"), ["abc", "", "defgh"]);
    assert.deepEqual(await values(file, "types/text"), ["eins", "", "zwölf", "日本"]);
    assert.deepEqual(await values(file, "types/colour"), ["red", "blue", "green"]);
    assert.deepEqual(await values(file, "types/ragged"), [[], [1, 2, 3], [], [4]]);
    assert.deepEqual(await values(file, "types/moments"), [10n, -5n]);
    assert.deepEqual(await values(file, "types/scalar"), [2.5]);
    assert.deepEqual(await values(file, "types/word"), ["wörd"]);
    assert.deepEqual(await values(file, "types/nothing"), []);
    assert.deepEqual(await values(file, "types/opaque"), [Uint8Array.of(1, 2, 3)]);
    const [row] = (await values(file, "types/rows")).slice(5);
    assert.deepEqual(row, {
      a: 5,
      b: [2.5, 2.75],
      c: "word",
      d: { x: 7, y: [1.5, 1.5] },
      ok: true,
    });
    const [first, root, none] = await values(file, "types/refs") as { address?: number }[];
    // Both names of one object; either is a path to it.
    assert.match((await file.pathOf(first.address!))!, /^\/(types\/fixed|links\/hard)$/);
    assert.equal(await file.pathOf(root.address!), "/");
    assert.equal(none.address, undefined);
    const referred = await file.dereference(first);
    assert.deepEqual(await (referred as Dataset5).readAll(), ["abc", "", "defgh"]);
    const [region] = await values(file, "types/regions") as { selection: string }[];
    assert.equal(region.selection, "[2:5]");
  });

  Deno.test(`${name}: every layout and chunk index gives its values, and fill values elsewhere`, async () => {
    const file = await openHdf5(await source(name));
    const shapes: Record<string, [number, number]> = {
      whole: [6, 5],
      fixed: [20, 31],
      first: [40, 9],
      second: [9, 40],
      both: [21, 33],
      shrunk: [13, 17],
      implicit: [9, 13],
    };
    for (const [key, [rows, columns]] of Object.entries(shapes)) {
      const data = await dataset(file, `chunks/${key}`);
      assert.deepEqual(data.shape, [rows, columns], key);
      const expected = Array.from(
        { length: rows * columns },
        (_, k) => cell(Math.floor(k / columns), k % columns),
      );
      assert.deepEqual([...await data.readAll()], expected, key);
      // A box across chunks, and through the layout as a conversion reads it.
      const box = await data.read([2, 3], [3, 2]);
      assert.deepEqual([...box], [203, 204, 303, 304, 403, 404], key);
      assert.deepEqual(await throughLayout(data), expected, key);
    }
    assert.deepEqual(await values(file, "chunks/compact"), [0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await throughLayout(await dataset(file, "chunks/compact")), [
      0,
      1,
      2,
      3,
      4,
      5,
      6,
    ]);
    assert.deepEqual(await values(file, "chunks/masks"), Array.from({ length: 40 }, (_, i) => i));
    assert.deepEqual(
      await throughLayout(await dataset(file, "chunks/masks")),
      Array.from({ length: 40 }, (_, i) => i),
    );
    const gaps = Array.from({ length: 50 }, () => 2n ** 60n + 1n);
    [gaps[20], gaps[21]] = [5n, 6n];
    assert.deepEqual(await values(file, "chunks/gaps"), gaps);
    assert.deepEqual(await values(file, "chunks/never"), new Array(10).fill(-1));
    const half = new Array(20).fill(1.5);
    half[7] = 2;
    assert.deepEqual(await values(file, "chunks/gaps_half"), half);
    const paged = new Array(2500).fill(0);
    [paged[3], paged[2400]] = [1, 2];
    assert.deepEqual(await values(file, "chunks/paged"), paged);
  });

  Deno.test(`${name}: links lead where they should, attributes are all there`, async () => {
    const file = await openHdf5(await source(name));
    const links = await file.get("/links");
    assert(links instanceof Group);
    const names = [...(await links.links()).keys()].filter((n) => n.startsWith("member"));
    assert.equal(names.length, 12);
    // Creation order where it is kept, else by name.
    assert.equal(names[1], name === "new" ? "member 5" : "member 1");
    assert.deepEqual(await values(file, "/links/member 10"), [2]);
    assert.deepEqual(await values(file, "/links/soft"), ["abc", "", "defgh"]);
    assert.deepEqual(await values(file, "/links/hard"), ["abc", "", "defgh"]);
    assert.deepEqual(await values(file, "/links/external"), [0, 1, 2, 3]);
    assert.equal(await file.get("/links/dangling"), null);
    assert.equal(await file.get("/links/missing"), null);
    assert.equal(await file.get("/links/loop/links/loop/links/nothing"), null);
    assert.equal((await file.get("/links/loop/types"))!.path, "/links/loop/types");

    const attributes = await (await file.get("/attributes") as Group).attributes();
    assert.equal(attributes.size, 12 + 11);
    for (let i = 0; i < 12; i++) {
      assert.deepEqual([...attributes.get(`number ${i}`)!.values], [i * 1.5]);
    }
    const of = (key: string) => [...attributes.get(key)!.values];
    assert.deepEqual(of("text"), ["größe"]);
    assert.deepEqual(of("texts"), ["a", "", "ccc"]);
    assert.deepEqual(of("bytes"), ["x", "yz"]);
    assert.deepEqual([of("matrix"), attributes.get("matrix")!.shape], [[0n, 1n, 2n, 3n, 4n, 5n], [
      2,
      3,
    ]]);
    assert.equal(attributes.get("empty")!.kind, "null");
    assert.deepEqual(of("large"), [2n ** 63n + 5n]);
    assert.deepEqual(of("complex"), [{ re: 1, im: 2 }]);
    assert.deepEqual(of("flag"), [true]);
    assert.deepEqual(of("pair"), [{ n: 3, s: "ab" }]);
    assert.equal(of("list").length, 5000);
  });

  Deno.test(`${name}: a walk meets every object once, however many links lead to it`, async () => {
    const file = await openHdf5(await source(name));
    const groups: string[] = [], datasets: string[] = [], others: string[] = [];
    await walk(file, {
      group: (g) => void groups.push(g.path),
      dataset: (d) => void datasets.push(d.path),
      link: (path, link, met) => void others.push(`${path} ${link.kind} ${met ?? ""}`.trim()),
    });
    assert.equal(new Set(datasets).size, datasets.length);
    assert(groups.includes("/links") && !groups.includes("/links/loop"));
    assert(others.includes("/links/loop hard /"));
    assert(others.includes("/links/soft soft"));
    assert.equal(datasets.filter((p) => p === "/types/fixed" || p === "/links/hard").length, 1);
  });
}

/** A dataset's numbers, decoded chunk by chunk from its layout. */
async function throughLayout(data: Dataset5): Promise<number[]> {
  const [leaf] = leavesOf(data.type)!;
  const layout = await data.layout(leaf, 0);
  const { dtype, item } = leaf.number!;
  const grid = data.shape.map((n, i) => Math.ceil(n / layout.chunkShape[i]));
  const out: number[] = new Array(data.count).fill(0);
  for (let k = 0; k < layout.offset.length; k++) {
    if (layout.source[k] < 0) continue;
    const decode = await chunkDecoder(
      layout.codecs[layout.codec?.[k] ?? 0],
      dtype,
      layout.chunkShape,
    );
    const stored = await data.file.source.read(layout.offset[k], layout.length[k]);
    const bytes = decode(stored, { source: "test", offset: layout.offset[k] });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const columns = data.shape[1] ?? 1, wide = layout.chunkShape[1] ?? 1;
    const [row, column] = [Math.floor(k / (grid[1] ?? 1)), k % (grid[1] ?? 1)];
    for (let e = 0; e < bytes.length / item.outBytes; e++) {
      const i = row * layout.chunkShape[0] + Math.floor(e / wide), j = column * wide + e % wide;
      if (i >= data.shape[0] || j >= columns) continue;
      const at = e * item.outBytes;
      out[i * columns + j] = item.outBytes === 2
        ? view.getInt16(at, true)
        : view.getInt32(at, true);
    }
  }
  return out;
}

Deno.test("every filter is undone, also in the other byte order; unknown ones are named", async () => {
  const file = await openHdf5(await source("new"));
  const group = await file.get("/filters") as Group;
  const expected = Array.from({ length: 200 }, (_, i) => bump(i));
  let read = 0;
  for (const name of (await group.links()).keys()) {
    const data = await dataset(file, `/filters/${name}`);
    if (name === "zfp") {
      assert.match(data.obstacle()!.what, /zfp \(32013\)/);
      await assert.rejects(data.readAll(), /HDF5 filter zfp \(32013\) is not read/);
      continue;
    }
    assert.deepEqual([...await data.readAll()], expected, name);
    read++;
  }
  assert.equal(read, 19);
});

Deno.test("chunk offsets are those of the file: a stored chunk inflates to its values by itself", async () => {
  const file = await openHdf5(await source("new"));
  const data = await dataset(file, "/chunks/fixed");
  const [leaf] = leavesOf(data.type)!;
  const { offset, length, chunkShape } = await data.layout(leaf, 0);
  assert.deepEqual(chunkShape, [3, 7]);
  assert.equal(offset.length, 7 * 5);
  const stored = await data.file.source.read(offset[6], length[6]);
  const stream = new Blob([stored.slice()]).stream().pipeThrough(
    new DecompressionStream("deflate"),
  );
  const numbers = new Int16Array(await new Response(stream).arrayBuffer());
  assert.equal(numbers[0], cell(3, 7));
  assert.equal(numbers.at(-1), cell(5, 13));
});

Deno.test("a slice reads the index and its chunks, nothing twice", async () => {
  const read: [number, number][] = [];
  const inner = new MemorySource("slice.h5", await hdf5Fixture("new"));
  const counted = Object.assign(Object.create(inner), {
    size: inner.size,
    read: (offset: number, length: number) => {
      read.push([offset, length]);
      return inner.read(offset, length);
    },
  });
  const file = await openHdf5(counted);
  const data = await dataset(file, "/chunks/both");
  await data.read([0, 0], [1, 2]);
  assert.equal(new Set(read.map(String)).size, read.length, "nothing is read twice");
  const pages = read.filter(([, length]) => length > 1000);
  assert(pages.length <= 5, `${pages.length} pages of metadata`);
  // One chunk of 2 x 3 numbers.
  assert.deepEqual(read.filter(([, length]) => length <= 1000).map(([, length]) => length), [12]);
});

async function fails(bytes: Uint8Array, tag: FuseError["tag"], pattern: RegExp): Promise<void> {
  const attempt = async () => {
    const file = await openHdf5(new MemorySource("bad.h5", bytes));
    await walk(file, {
      dataset: async (d) => void (d.obstacle() || await d.readAll()),
      group: async (g) => void await g.attributes(),
    });
  };
  await assert.rejects(attempt, (error) => {
    assert(isFuseError(error), String(error));
    assert.equal(error.tag, tag, error.message);
    assert.match(error.message, pattern);
    assert.match(error.message, /bad\.h5/);
    return true;
  });
}

Deno.test("damage is said with its place: checksums, ends, superblocks", async () => {
  const good = await hdf5Fixture("new");
  const change = (at: number, value: number) => {
    const bytes = good.slice();
    bytes[at] = value;
    return bytes;
  };
  await fails(good.subarray(0, good.length - 100), "Truncated", /ends too early/);
  await fails(good.subarray(0, 30), "Corrupt", /superblock: ends too early/);
  await fails(new Uint8Array(4000), "Corrupt", /no HDF5 superblock/);
  await fails(change(8, 9), "Unsupported", /superblock: a version that is not read.*found 9/);
  await fails(change(9, 3), "Corrupt", /width of addresses/);
  await fails(change(40, good[40] ^ 1), "Corrupt", /checksum does not match/);
  const header = find(good, "OHDR");
  await fails(change(header + 30, good[header + 30] ^ 1), "Corrupt", /object header/);
  const tree = find(good, "BTLF");
  await fails(change(tree + 9, good[tree + 9] ^ 1), "Corrupt", /B-tree node.*checksum/);
});

Deno.test("a damaged chunk is found by its own checksum", async () => {
  const bytes = (await hdf5Fixture("new")).slice();
  const file = await openHdf5(new MemorySource("bad.h5", bytes));
  const data = await dataset(file, "/chunks/first");
  const { offset } = await data.chunks();
  bytes[offset[3] + 5] ^= 0x40;
  await assert.rejects(data.readAll(), /bad\.h5: a chunk does not match its checksum/);
});

Deno.test("limits hold: chunks of a file, values at once", async () => {
  const file = await openHdf5(await source("new"), { chunks: 100 });
  await assert.rejects((await dataset(file, "/chunks/paged")).chunks(), (error) => {
    assert(isFuseError(error, "Limit"));
    assert.match(error.message, /more chunks than allowed - found 2500, expected at most 100/);
    return true;
  });
  await assert.rejects((await dataset(file, "/types/f8")).readAll(16), /more values at once/);
});

Deno.test("the signature is found at its places, and only a file that has it is claimed", async () => {
  const inside = new Uint8Array(2048 + 1920);
  inside.set(await hdf5Fixture("other"), 0);
  assert.equal(inside[0], 0, "a user block comes first");
  const [first] = await identify(new MemorySource("some.bin", inside));
  assert.equal(first.format.id, "hdf5");
  assert.match(first.why, /at byte 512/);
  const file = await openHdf5(new MemorySource("some.bin", inside));
  assert.deepEqual(await values(file, "data"), [0, 1, 2, 3]);
  const none = await identify(new MemorySource("some.h5", new TextEncoder().encode("not HDF5")));
  assert(none.every((c) => c.format.id !== "hdf5" || c.score <= 40));
});

Deno.test("lookup3 gives the values of its author's driver", () => {
  // lookup3.c, driver5: hashlittle("Four score and seven years ago", 30, 0) is 17770551.
  assert.equal(lookup3(new TextEncoder().encode("Four score and seven years ago")), 0x17770551);
  assert.equal(lookup3(new Uint8Array(0)), 0xdeadbeef);
});

function find(bytes: Uint8Array, signature: string): number {
  const at = new TextDecoder("latin1").decode(bytes).indexOf(signature);
  assert(at > 0, signature);
  return at;
}
