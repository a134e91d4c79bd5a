import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { FuseError } from "../src/errors.ts";
import { FileSource } from "../src/source/file.ts";

/** Files of `folder` this process has open; null where the system does not tell. */
function openIn(folder: string): number | null {
  try {
    return readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return Deno.readLinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
      } catch {
        return false;
      }
    }).length;
  } catch {
    return null;
  }
}

Deno.test("files: hundreds are read in turns with few handles, and none stays open", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    const sources: FileSource[] = [];
    for (let i = 0; i < 300; i++) {
      const path = join(folder, `${i}.dat`);
      await Deno.writeFile(path, Uint8Array.of(i & 255, i >> 8));
      sources.push(FileSource.open(path));
    }
    const before = openIn(folder);
    if (before !== null) assert.equal(before, 0);
    for (let turn = 0; turn < 2; turn++) {
      for (const [i, source] of sources.entries()) {
        assert.deepEqual([...await source.read(0, 2)], [i & 255, i >> 8]);
      }
    }
    const during = openIn(folder);
    if (during !== null) assert(during > 0 && during <= 32, `${during} open`);
    for (const source of sources) await source.close();
    if (before !== null) assert.equal(openIn(folder), 0);
    await assert.rejects(sources[0].read(0, 1), /closed/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("files: one that was replaced before it is read is not taken for the other", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "a.dat");
    await Deno.writeFile(path, new Uint8Array(8));
    const source = FileSource.open(path);
    await Deno.writeFile(join(folder, "b.dat"), new Uint8Array(8).fill(1));
    await Deno.rename(join(folder, "b.dat"), path);
    await assert.rejects(
      source.read(0, 8),
      (e: FuseError) => e.tag === "Truncated" && /replaced/.test(e.message),
    );
    const grown = FileSource.open(path);
    await Deno.writeFile(path, new Uint8Array(8), { append: true });
    assert.equal((await grown.read(0, 8))[7], 1);
    await grown.close();
    await source.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
