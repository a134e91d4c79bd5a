import assert from "node:assert/strict";
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from "@zip.js/zip.js";
import { type FuseError, isFuseError } from "../src/errors.ts";
import { MemorySource } from "../src/source/memory.ts";
import { openSource, openSpec } from "../src/source/open.ts";
import { pipeSource } from "../src/source/pipe.ts";
import { openZipMember, SMALL_MEMBER_BYTES } from "../src/source/zip.ts";
import { collect, patterned } from "./support/range-server.ts";

interface Member {
  name: string;
  bytes: Uint8Array;
  level: number;
  password?: string;
  zip64?: boolean;
}

async function zipOf(members: Member[]): Promise<Uint8Array> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false });
  for (const { name, bytes, level, password, zip64 } of members) {
    await writer.add(name, new Uint8ArrayReader(bytes), { level, password, zip64 });
  }
  return await writer.close();
}

async function failure(work: Promise<unknown>): Promise<FuseError> {
  const error = await work.then(() => undefined, (error) => error);
  assert.ok(isFuseError(error), `not a FuseError: ${error}`);
  return error;
}

const STORED = patterned(20_000);
const PACKED = patterned(30_000, 5).map((b) => b & 3);

Deno.test("zip: a stored member is a range of the archive", async () => {
  const bytes = await zipOf([
    { name: "sub-1/rec.vhdr", bytes: patterned(100), level: 0 },
    { name: "sub-1/rec.eeg", bytes: STORED, level: 0, zip64: true },
    { name: "sub-1/more/other.eeg", bytes: PACKED, level: 0 },
    { name: "sub-2/rec.eeg", bytes: STORED, level: 0 },
  ]);
  const source = await openZipMember(new MemorySource("set.zip", bytes), "sub-1/rec.eeg");
  assert.equal(source.name, "rec.eeg");
  assert.equal(source.size, STORED.length);
  assert.equal(source.access, "random");
  assert.match(source.uri, /set\.zip!\/sub-1\/rec\.eeg$/);
  assert.deepEqual(await source.read(777, 1000), STORED.slice(777, 1777));
  assert.deepEqual(await collect(source.stream(19_000)), STORED.slice(19_000));
  assert.equal((await failure(source.read(19_999, 2))).tag, "Truncated");
  assert.deepEqual(await source.siblingNames(), ["rec.vhdr", "rec.eeg"]);
  const sibling = await source.sibling("more/other.eeg");
  assert.deepEqual(await sibling!.read(0, 10), PACKED.slice(0, 10));
  assert.equal(await source.sibling("none.eeg"), null);
  assert.equal(await source.sibling("../sub-2/rec.eeg"), null);
  await source.close();
  assert.deepEqual(await sibling!.read(0, 10), PACKED.slice(0, 10));
});

Deno.test("zip: a small compressed member has random access, a large one flows forward", async () => {
  const large = new Uint8Array(SMALL_MEMBER_BYTES + 100_000);
  large.set(STORED, large.length - STORED.length);
  const bytes = await zipOf([
    { name: "small.csv", bytes: PACKED, level: 6 },
    { name: "large.dat", bytes: large, level: 1 },
  ]);
  const archive = new MemorySource("set.zip", bytes);
  const small = await openZipMember(archive, "small.csv");
  assert.equal(small.access, "random");
  assert.deepEqual(await small.read(29_000, 1000), PACKED.slice(29_000));
  assert.deepEqual(await small.read(0, 1000), PACKED.slice(0, 1000));

  const source = await openZipMember(archive, "large.dat", { windowBytes: 100_000 });
  assert.equal(source.access, "forward");
  assert.equal(source.size, large.length);
  const at = large.length - STORED.length;
  assert.deepEqual(await source.read(at, 5000), STORED.slice(0, 5000));
  const back = await failure(source.read(0, 10));
  assert.equal(back.tag, "NeedsRandomAccess");
  assert.match(back.message, /large\.dat.*compressed member.*temporary file/);
  assert.deepEqual(await collect(source.stream(at)), STORED);
  await source.close();
});

Deno.test("zip: damaged archives are refused with a reason", async () => {
  const good = await zipOf([{ name: "a.csv", bytes: PACKED, level: 6 }]);
  const open = (bytes: Uint8Array) => openZipMember(new MemorySource("set.zip", bytes), "a.csv");
  assert.equal((await failure(open(patterned(500)))).tag, "Corrupt");
  assert.equal((await failure(open(new Uint8Array(0)))).tag, "Corrupt");
  const damaged = await failure(open(good.map((byte, i) => i === 3000 ? byte ^ 0xff : byte)));
  assert.equal(damaged.tag, "Corrupt", damaged.message);
  assert.match(damaged.message, /set\.zip/);
  // Wherever a byte is wrong: a refusal, or the right bytes because it did not matter; never others.
  for (let at = 0; at < good.length; at += at < 80 || at > good.length - 120 ? 3 : 307) {
    const bytes = good.slice();
    bytes[at] ^= 0xff;
    try {
      const source = await open(bytes);
      assert.deepEqual(await source.read(0, source.size!), PACKED);
    } catch (error) {
      assert.ok(isFuseError(error), `at ${at}: ${error}`);
    }
  }
});

Deno.test("zip: missing and encrypted members, and archives that only flow", async () => {
  const bytes = await zipOf([
    { name: "secret.csv", bytes: PACKED, level: 0, password: "p" },
  ]);
  const missing = await failure(openZipMember(new MemorySource("set.zip", bytes), "a.csv"));
  assert.equal(missing.tag, "Usage");
  assert.match(missing.message, /secret\.csv/);
  const secret = await failure(openZipMember(new MemorySource("set.zip", bytes), "secret.csv"));
  assert.equal(secret.tag, "Unsupported");
  const pipe = pipeSource(new Blob([bytes.slice()]).stream());
  assert.equal((await failure(openZipMember(pipe, "secret.csv"))).tag, "NeedsRandomAccess");
});

Deno.test("zip: members are named by archive.zip!/member, also inside one another", async () => {
  const inner = await zipOf([{ name: "x/rec.bin", bytes: STORED, level: 0 }]);
  const outer = await zipOf([{ name: "inner.zip", bytes: inner, level: 5 }]);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/outer.zip`, outer);
    const source = await openSource(`${folder}/outer.zip!/inner.zip!/x/rec.bin`);
    assert.deepEqual(await source.read(0, 100), STORED.slice(0, 100));
    const again = await openSpec(structuredClone(source.spec!));
    assert.deepEqual(await again.read(100, 100), STORED.slice(100, 200));
    await again.close();
    await source.close();
    // A folder that merely ends in "!" is no archive.
    await Deno.mkdir(`${folder}/Important!`);
    await Deno.writeFile(`${folder}/Important!/rec.bin`, STORED);
    const plain = await openSource(`${folder}/Important!/rec.bin`);
    assert.equal(plain.size, STORED.length);
    await plain.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
