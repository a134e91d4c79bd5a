/** Verbs that look rather than convert: slice, verify, plot, doctor, completions. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inFolder } from "./support/run-cli.ts";
import { waveFile } from "./support/wave-file.ts";

const RATE = 1000;
/** Two channels of 3 s: sample i of channel c is i + 10000 c. */
const SAMPLES = Int16Array.from({ length: 6000 }, (_, i) => (i >> 1) + 10_000 * (i & 1));

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name));
}

Deno.test("slice gives the same samples from the original and from its store", async () => {
  await inFolder(async (place) => {
    writeFileSync(join(place.folder, "a.wav"), waveFile(SAMPLES, 2, RATE));
    assert.equal((await place.cli("a.wav", "-o", "out")).code, 0);
    const range = ["--from", "1", "--until", "1.005", "--to", "csv"];
    const original = await place.cli("slice", "a.wav", ...range, "--stats");
    assert.equal(original.code, 0, original.stderr);
    assert.match(original.stderr, /read in \d+ requests/);
    const rows = original.stdout.trim().split("\n").slice(1).map((l) => l.split(",").map(Number));
    assert.deepEqual(rows.map((r) => Math.round(r[1] * 32768)), [1000, 1001, 1002, 1003, 1004]);
    const stored = await place.cli("slice", "out/a.wav.zarr", ...range);
    assert.equal(stored.code, 0, stored.stderr);
    const values = stored.stdout.trim().split("\n").map((l) => l.split(",").map(Number));
    assert.deepEqual(values, rows.map((r) => r.slice(1)));
    const nothing = await place.cli("slice", "a.wav", "--from", "99", "--to", "csv");
    assert.equal(nothing.code, 2);
  });
});

Deno.test("verify finds a damaged chunk, a missing object and another source", async () => {
  await inFolder(async (place) => {
    writeFileSync(join(place.folder, "a.wav"), waveFile(SAMPLES, 2, RATE));
    assert.equal(
      (await place.cli("a.wav", "-o", "out", "--chunk-bytes", "1KiB", "--shard-bytes", "4KiB"))
        .code,
      0,
    );
    const store = "out/a.wav.zarr";
    const well = await place.cli("verify", store, "--against", "a.wav");
    assert.equal(well.code, 0, well.stderr + well.stdout);
    const other = SAMPLES.slice();
    other[4000] ^= 1;
    writeFileSync(join(place.folder, "b.wav"), waveFile(other, 2, RATE));
    const different = await place.cli("verify", store, "--against", "b.wav");
    assert.equal(different.code, 1);
    assert.match(different.stderr, /signals.*differs from the source/);
    const [shard] = files(join(place.folder, store, "signals", "c")).filter((f) =>
      statSync(f).size > 200
    );
    const bytes = readFileSync(shard);
    bytes[bytes.length - 10] ^= 0xff;
    writeFileSync(shard, bytes);
    const damaged = await place.cli("verify", store, "--json");
    assert.equal(damaged.code, 1);
    assert.match(JSON.parse(damaged.stdout).problems[0], /index/);
    await Deno.remove(shard);
    assert.match((await place.cli("verify", store, "--against", "a.wav")).stderr, /is missing/);
  });
});

Deno.test("plot draws text, SVG and PNG", async () => {
  await inFolder(async (place) => {
    writeFileSync(join(place.folder, "a.wav"), waveFile(SAMPLES, 2, RATE));
    const text = await place.cli("plot", "a.wav");
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, /[\u2801-\u28ff]/);
    assert.equal((await place.cli("plot", "a.wav", "--picture", "p.svg")).code, 0);
    const svg = readFileSync(join(place.folder, "p.svg"), "utf8");
    assert.match(svg, /<svg[\s\S]*<path d="M[\s\S]*ch2[\s\S]*<\/svg>/);
    assert.equal((await place.cli("plot", "a.wav", "--picture", "p.png")).code, 0);
    assert.deepEqual([...readFileSync(join(place.folder, "p.png")).subarray(1, 4)], [
      0x50,
      0x4e,
      0x47,
    ]);
    assert.equal((await place.cli("plot", "a.wav", "--picture", "p.gif")).code, 2);
  });
});

Deno.test("doctor and completions speak", async () => {
  await inFolder(async (place) => {
    const doctor = await place.cli("doctor", "--json", "--discover-url", "http://127.0.0.1:9");
    assert.equal(doctor.code, 0, doctor.stderr);
    const checks = JSON.parse(doctor.stdout) as { what: string; state: string }[];
    assert.equal(checks.find((c) => c.what === "workers")?.state, "ok");
    assert.equal(checks.find((c) => c.what === "Pennsieve Discover")?.state, "missing");
    for (const shell of ["bash", "zsh", "fish"]) {
      const { code, stdout } = await place.cli("completions", shell);
      assert.equal(code, 0);
      for (const word of ["run-tasks", "zarr-format", "overwrite"]) {
        assert.ok(stdout.includes(word), `${shell}: ${word}`);
      }
    }
    assert.equal((await place.cli("completions", "tcsh")).code, 2);
  });
});
