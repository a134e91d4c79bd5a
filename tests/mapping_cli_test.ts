/** Mappings through the real program: flags of flat files, descriptors, drafts, and what is recorded. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { inFolder } from "./support/run-cli.ts";
import { lines, wave } from "./support/tables.ts";

Deno.test("cli: a flat file by flags, and the store verified without them", async () => {
  await inFolder(async ({ folder, cli }) => {
    const samples = Float32Array.from({ length: 30 }, (_, i) => i);
    writeFileSync(`${folder}/raw.dat`, new Uint8Array(samples.buffer));
    const shape = ["--dtype", "float32", "--channels", "3", "--rate", "10"];
    const planar = [...shape, "--order", "channel-major", "--units", "mV", "--gain", "2"];
    const [converted, sliced, picked, unknown, half] = await Promise.all([
      cli("raw.dat", ...planar, "-o", "out"),
      cli("slice", "raw.dat", ...planar, "--from", "0", "--until", "0.2", "--to", "csv"),
      cli(
        "slice",
        "raw.dat",
        "--dtype",
        "float32",
        "--channel-count",
        "3",
        "--channels",
        "1",
        "--to",
        "csv",
      ),
      cli("inspect", "raw.dat"),
      cli("inspect", "raw.dat", "--rate", "10"),
    ]);
    assert.equal(converted.code, 0, converted.stderr);
    assert.deepEqual(sliced.stdout.trim().split(/\r?\n/), [
      "time (s),ch0 (mV),ch1 (mV),ch2 (mV)",
      "0,0,20,40",
      "0.1,2,22,42",
    ]);
    assert.match(picked.stdout.split(/\r?\n/)[2], /^1,4$/);
    assert.match(unknown.stderr, /--dtype int16 --channels 8/);
    assert.equal(half.code, 2);
    assert.match(half.stderr, /--rate describes a flat file.*--dtype/);
    const root =
      JSON.parse(readFileSync(`${folder}/out/raw.dat.zarr/zarr.json`, "utf8")).attributes;
    assert.equal(root.auto_mapped, false);
    assert.equal(root.sparc_fuse.mapping.by, "descriptor");
    assert.equal(root.sparc_fuse.conversion.mapping.descriptor.channels, 3);
    const verified = await cli("verify", "out/raw.dat.zarr", "--against", "raw.dat");
    assert.equal(verified.code, 0, verified.stderr);
  });
});

Deno.test("cli: a draft, its conversion, and a descriptor that does not fit", async () => {
  await inFolder(async ({ folder, cli }) => {
    writeFileSync(
      `${folder}/t.csv`,
      "t (ms),EMG (mV),count\n" + lines(50, (i) => `${4 * i},${wave(i)},${i}`),
    );
    const drafted = await cli("inspect", "t.csv", "--write-descriptor", "map.json");
    assert.equal(drafted.code, 0, drafted.stderr);
    assert.match(drafted.stdout, /chosen: time: column "t \(ms\)", ms \(score \d+\)/);
    const draft = JSON.parse(readFileSync(`${folder}/map.json`, "utf8"));
    assert.deepEqual(draft.time, { column: "t (ms)", unit: "ms" });
    writeFileSync(
      `${folder}/wrong.json`,
      JSON.stringify({ ...draft, signals: [{ column: "EMGG" }] }),
    );
    const [found, mapped, wrong, none, json] = await Promise.all([
      cli("t.csv", "-o", "a", "--json"),
      cli("t.csv", "-o", "b", "--mapping", "map.json", "--json"),
      cli("t.csv", "-o", "c", "--mapping", "wrong.json"),
      cli("t.csv", "-o", "d", "--mapping", "sparc-0"),
      cli("inspect", "t.csv", "--json", "--mapping", "map.json"),
    ]);
    assert.deepEqual([found.code, mapped.code, wrong.code, none.code], [0, 0, 1, 2]);
    assert.match(wrong.stderr, /t\.csv.*column that is not there.*"EMGG".*"EMG \(mV\)"/);
    assert.match(none.stderr, /neither a shipped descriptor nor a file.*sparc-0/);
    const chunk = (out: string) => readFileSync(`${folder}/${out}/t.csv.zarr/signals/c/0/0`);
    assert.deepEqual(chunk("b"), chunk("a"));
    const { mapping } = JSON.parse(json.stdout).metadata;
    assert.deepEqual([mapping.by, mapping.descriptor.from], ["descriptor", "file map.json"]);
    const root = (out: string) =>
      JSON.parse(readFileSync(`${folder}/${out}/t.csv.zarr/zarr.json`, "utf8")).attributes;
    assert.deepEqual([root("a").auto_mapped, root("b").auto_mapped], [true, false]);
    assert.equal(root("a").sparc_fuse.mapping.by, "heuristics");
    assert(root("a").sparc_fuse.mapping.rivals.length >= 0);
    assert.equal(root("b").sparc_fuse.mapping.descriptor.sha256.length, 64);
  });
});
