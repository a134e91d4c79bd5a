import assert from "node:assert/strict";
import { join } from "node:path";
import type { FuseError } from "../src/errors.ts";
import { BlobSource } from "../src/source/blob.ts";
import { FileSource } from "../src/source/file.ts";
import { MemorySource } from "../src/source/memory.ts";
import { joinKey, resolveSibling, siblingPath } from "../src/source/urls.ts";

const OUTSIDE = [
  "..",
  "../a.dat",
  "../../etc/passwd",
  "x/../../a.dat",
  "..\\a.dat",
  "/etc/passwd",
  "\\\\host\\share\\a.dat",
  "C:\\a.dat",
  "c:/a.dat",
  "//host/a.dat",
  "a\0.dat",
  "",
  ".",
  "x/..",
];

Deno.test("paths read from files stay in their folder", () => {
  for (const path of OUTSIDE) {
    assert.equal(siblingPath(path), undefined, path);
    assert.equal(joinKey("set/rec.vhdr", path), undefined, path);
    assert.equal(resolveSibling("http://host/set/rec.vhdr", path), undefined, path);
  }
  assert.equal(siblingPath("./a//b\\c.dat"), "a/b/c.dat");
  assert.equal(siblingPath("a/../b.dat"), "b.dat");
  assert.equal(siblingPath("sub:1 \u96fb..dat"), "sub:1 \u96fb..dat");
  assert.equal(joinKey("set/rec.vhdr", "rec.eeg"), "set/rec.eeg");
  assert.equal(joinKey("rec.vhdr", "rec.eeg"), "rec.eeg");
  const inside = (path: string) => resolveSibling("http://host/set/rec.vhdr?sig=1", path);
  assert.equal(inside("a b#1.dat"), "http://host/set/a%20b%231.dat");
  assert.equal(inside("http://evil/x.dat"), "http://host/set/http%3A/evil/x.dat");
});

Deno.test("a file opens no other folder's files, and nothing but files", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(join(folder, "set/deep"), { recursive: true });
    for (const name of ["up.dat", "set/rec.dat", "set/deep/x.dat"]) {
      Deno.writeTextFileSync(join(folder, name), name);
    }
    const source = FileSource.open(join(folder, "set/rec.dat"));
    for (const path of [...OUTSIDE, "../up.dat", join(folder, "up.dat"), "deep", "none.dat"]) {
      assert.equal(await source.sibling(path), null, path);
    }
    const sibling = await source.sibling("deep\\x.dat");
    assert.equal(sibling!.name, "x.dat");
    await sibling!.close();
    await source.close();
    if (Deno.build.os !== "windows") {
      await new Deno.Command("mkfifo", { args: [join(folder, "pipe")] }).output();
      assert.throws(
        () => FileSource.open(join(folder, "pipe")),
        (error: FuseError) => /not a regular file/.test(error.message),
      );
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("sources in memory know only the names they were given", async () => {
  const memory = new MemorySource("rec.dat", new Uint8Array(1), { "a/x.dat": new Uint8Array(2) });
  assert.equal((await memory.sibling("a/./x.dat"))!.size, 2);
  const blob = new BlobSource(new Blob(["a"]), "rec.dat", new Map([["x.dat", new Blob(["bc"])]]));
  assert.equal((await blob.sibling("./x.dat"))!.size, 2);
  for (const path of [...OUTSIDE, "constructor", "__proto__", "toString"]) {
    assert.equal(await memory.sibling(path), null);
    assert.equal(await blob.sibling(path), null);
  }
});
