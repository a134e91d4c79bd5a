import assert from "node:assert/strict";
import { join } from "node:path";
import type { FuseError } from "../src/errors.ts";
import { BlobSource } from "../src/source/blob.ts";
import { FileSource } from "../src/source/file.ts";
import { MemorySource } from "../src/source/memory.ts";
import { WrappedSource } from "../src/source/wrapped.ts";
import type { ByteSource } from "../src/source/source.ts";
import { planFile } from "../src/convert.ts";
import { goodFiles } from "./support/hostile-files.ts";
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

/** Counts the siblings that are open. */
class Counted extends WrappedSource {
  constructor(inner: ByteSource, readonly open: Set<ByteSource>) {
    super(inner);
  }
  protected override rewrap(sibling: ByteSource): ByteSource {
    const counted = new Counted(sibling, this.open);
    this.open.add(counted);
    return counted;
  }
  override async close(): Promise<void> {
    this.open.delete(this);
    await super.close();
  }
}

Deno.test("a set that is refused leaves none of its files open", async () => {
  const set = (await goodFiles()).find((f) => f.main === "info.rhd")!;
  const open = new Set<ByteSource>();
  const source = (change: (files: Record<string, Uint8Array>) => void) => {
    const files = { ...set.files };
    change(files);
    return new Counted(new MemorySource(set.main, files[set.main], files), open);
  };
  await assert.rejects(planFile(source((files) => {
    files["amplifier.dat"] = new Uint8Array(2 * files["amplifier.dat"].length);
  })));
  assert.equal(open.size, 0);
  await assert.rejects(planFile(source(() => {}), { selection: { channels: ["none such"] } }));
  assert.equal(open.size, 0);
  const { dataset } = await planFile(source(() => {}));
  assert(open.size > 0);
  assert.equal(dataset.sources.filter((s) => open.has(s)).length, open.size);
});
