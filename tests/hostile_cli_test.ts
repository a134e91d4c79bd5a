/** Good and bad files in one folder, through the real program: the good convert, the bad are told. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FileReport } from "../src/events.ts";
import { type GoodFile, goodFiles, tiffOf } from "./support/hostile-files.ts";
import { buildSon } from "./support/spike2-files.ts";
import { inFolder } from "./support/run-cli.ts";
import { wavFile } from "./support/sample-files.ts";

const TONE = wavFile({ channels: 2, rate: 1000, samples: 3000 });

/** A file large enough for workers, one of whose tiles is noise. */
async function badTile(): Promise<Uint8Array> {
  const tile = new Blob([new Uint8Array(1024 * 1024 * 3)]).stream();
  const packed = new Uint8Array(
    await new Response(tile.pipeThrough(new CompressionStream("deflate"))).arrayBuffer(),
  );
  const noise = packed.map((b, i) => (i < 20 ? b : (i * 167) ^ b));
  return tiffOf({
    width: 2048,
    height: 2048,
    big: false,
    bits: 8,
    samples: 3,
    compression: 8,
    tile: 1024,
    strips: [packed, packed, noise, packed],
  });
}

const cut = (bytes: Uint8Array, share: number) =>
  bytes.subarray(0, Math.floor(bytes.length * share));

async function mixedFolder(): Promise<
  { good: string[]; bad: Record<string, string>; files: GoodFile["files"] }
> {
  const of = (main: string, all: GoodFile[]) => all.find((f) => f.main === main)!.files;
  const all = await goodFiles();
  const noise = Uint8Array.from({ length: 3000 }, (_, i) => (i * i * 31) >> 3);
  const split = of("info.rhd", all);
  const files: GoodFile["files"] = {
    "tone.wav": TONE,
    "sub/r84.acq": of("r84.acq", all)["r84.acq"],
    "really-a-wav.tif": TONE,
    "last.smr": of("son9.smr", all)["son9.smr"],
    "cut.acq": cut(of("r84.acq", all)["r84.acq"], 0.5),
    "cut.rhd": cut(of("all.rhd", all)["all.rhd"], 0.01),
    "cut.tif": cut(of("strips.tif", all)["strips.tif"], 0.6),
    "empty.smr": new Uint8Array(0),
    "noise.ns5": noise,
    "tile.tif": await badTile(),
    "README.md": new TextEncoder().encode("# Not data\n\nWords only.\n"),
  };
  for (const [name, bytes] of Object.entries(split)) files[`set/${name}`] = bytes;
  files["set/amplifier.dat"] = new Uint8Array(2 * files["set/amplifier.dat"].length);
  return {
    good: ["tone.wav", "sub/r84.acq", "really-a-wav.tif", "last.smr"],
    bad: {
      "cut.acq": "Truncated",
      "cut.rhd": "Truncated",
      "cut.tif": "Truncated",
      "empty.smr": "Truncated",
      "noise.ns5": "Corrupt",
      "tile.tif": "Corrupt",
      "set/info.rhd": "Corrupt",
    },
    files,
  };
}

for (const sink of ["zarr", "zarr.zip"]) {
  Deno.test(`a folder of good and damaged files, to ${sink}`, async () => {
    await inFolder(async ({ folder, cli }) => {
      const { good, bad, files } = await mixedFolder();
      for (const [path, bytes] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, "in", path)), { recursive: true });
        writeFileSync(join(folder, "in", path), bytes);
      }
      const { code, stderr } = await cli("in", "-o", "out", "--to", sink);
      assert.equal(code, 1, stderr);
      assert.doesNotMatch(stderr, /\n +at |TypeError|RangeError|unreachable|Uncaught/);
      const report = JSON.parse(readFileSync(join(folder, "out", "report.json"), "utf8")) as {
        files: FileReport[];
      };
      assert.equal(report.files.length, Object.keys(files).length);
      const rows = new Map(report.files.map((f) => [f.path, f]));
      for (const path of good) {
        const { status, output, error } = rows.get(path)!;
        assert.deepEqual([status, error], ["ok", null], path);
        assert(
          existsSync(sink === "zarr" ? join(folder, output!, "zarr.json") : join(folder, output!)),
        );
      }
      for (const [path, tag] of Object.entries(bad)) {
        const { status, output, error } = rows.get(path)!;
        assert.deepEqual([status, output, error?.tag], ["failed", null, tag], error?.message);
        assert.match(error!.message, /\d/, path);
        assert(stderr.includes(path.split("/").pop()!), `stderr names ${path}`);
      }
      assert.equal(rows.get("README.md")!.status, "unsupported");
      const left = readdirSync(join(folder, "out"), { recursive: true }).map(String);
      assert.deepEqual(left.filter((p) => /\.(partial|writing)/.test(p)), []);
      const stores = left.filter((p) => /\.zarr(\.zip)?$/.test(p));
      assert.equal(stores.length, good.length, stores.join(" "));
    });
  });
}

Deno.test("a damaged file that is named alone fails with its message and leaves no output", async () => {
  await inFolder(async ({ folder, cli }) => {
    const { bad, files } = await mixedFolder();
    for (const path of ["cut.acq", "empty.smr", "noise.ns5", "tile.tif"]) {
      writeFileSync(join(folder, path), files[path]);
      const { code, stderr, stdout } = await cli(path, "-o", "out", "--quiet");
      assert.equal(code, 1);
      assert.equal(stdout, "");
      assert.match(stderr, new RegExp(`^failed +${path}: `), bad[path]);
      assert.equal(stderr.trim().split("\n").length, 1);
      const left = existsSync(join(folder, "out")) ? readdirSync(join(folder, "out")) : [];
      assert.deepEqual(left, []);
    }
  });
});

Deno.test("names in a file do not reach the terminal as commands", async () => {
  const { bytes } = buildSon({
    channels: [{
      number: 1,
      kind: 1,
      title: "\u001b[2Jx",
      comment: "\u001b]0;title\u0007",
      units: "\u001b[1m",
      divide: 1,
      blocks: [{ start: 0, samples: [1, 2, 3] }],
    }],
  });
  await inFolder(async ({ folder, cli }) => {
    writeFileSync(join(folder, "esc.smr"), bytes);
    for (const args of [["inspect", "esc.smr"], ["esc.smr", "--dry-run"], ["esc.smr"]]) {
      const { code, stdout, stderr } = await cli(...args);
      assert.equal(code, 0, stderr);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    }
  });
});
