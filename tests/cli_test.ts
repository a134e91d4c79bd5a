/** The command line as its users meet it: the real program, in folders of its own. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { inFolder, type Workplace } from "./support/run-cli.ts";
import { sampleFiles, wavFile, writeSilence } from "./support/sample-files.ts";

const TONE = wavFile({ channels: 2, rate: 1000, samples: 3000 });

/** Every path below `folder`, sorted. */
function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String).sort();
}

/** Anything a zarr library would open as a store or an array. */
function openable(folder: string): string[] {
  return tree(folder).filter((p) => /(^|\/)(zarr\.json|\.zgroup|\.zarray|\.zmetadata)$/.test(p));
}

function write(place: Workplace, path: string, bytes: Uint8Array | string = TONE): void {
  mkdirSync(join(place.folder, path, ".."), { recursive: true });
  writeFileSync(join(place.folder, path), bytes);
}

function rootAttributes(store: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(store, "zarr.json"), "utf8")).attributes;
}

/** What became of each file, from the lines of `--json`. */
function statuses(stdout: string): Record<string, string> {
  const events = stdout.trim().split("\n").map((line) => JSON.parse(line));
  return Object.fromEntries(
    events.filter((e) => e.type === "file-end").map((e) => [e.file, e.report.status]),
  );
}

Deno.test("help is printed to stdout with status 0, short and long, for every verb", async () => {
  await inFolder(async ({ cli }) => {
    for (const args of [[], ["-h"], ["--help"], ["help"]]) {
      const { code, stdout, stderr } = await cli(...args);
      assert.deepEqual([code, stderr], [0, ""], args.join(" "));
      for (const word of ["convert", "list", "inspect", "formats", "Examples:"]) {
        assert.ok(stdout.includes(word), `${args} says ${word}`);
      }
    }
    const short = await cli("convert", "-h");
    const long = await cli("convert", "--help");
    const verb = await cli("help", "convert");
    assert.deepEqual([short.code, long.code, verb.code], [0, 0, 0]);
    assert.equal(verb.stdout, long.stdout);
    for (const flag of ["--output-dir", "--overwrite", "--dry-run", "--zarr-format"]) {
      assert.ok(short.stdout.includes(flag) && long.stdout.includes(flag), flag);
    }
    assert.ok(long.stdout.includes("--chunk-bytes"));
    assert.ok(!short.stdout.includes("--chunk-bytes"), "rare flags are for the long help");
    assert.match((await cli("--version")).stdout, /^\d+\.\d+\.\d+\n$/);
  });
});

Deno.test("wrong usage ends with status 2, says what is wrong and writes nothing", async () => {
  await inFolder(async (place) => {
    write(place, "a.wav");
    const cases: [RegExp, ...string[]][] = [
      [/unknown option '--nonsense'/, "convert", "a.wav", "--nonsense"],
      [/--overwrite/, "a.wav", "--overwite"],
      [/'zarr-format|--zarr-format/, "a.wav", "--zarr-format", "4"],
      [/--to/, "a.wav", "--to", "xls"],
      [/no such compressor/, "a.wav", "--compressor", "lzma"],
      [/no such compressor/, "a.wav", "--compressor", "zstd:99"],
      [/--chunk-bytes takes a size/, "a.wav", "--chunk-bytes", "many"],
      [/--from takes seconds/, "a.wav", "--from", "noon"],
      [/--jobs/, "a.wav", "--jobs", "0"],
      [/--memory/, "a.wav", "--memory", "lots"],
      [/argument missing/, "a.wav", "--output-dir"],
      [/nothing to do/, "convert"],
      [/nothing to do/, "inspect"],
      [/no files match/, ".", "--include", "*.nothing"],
      [/missing required argument/, "slice"],
      [/too many arguments/, "slice", "a.wav", "a.wav"],
    ];
    for (const [message, ...args] of cases) {
      const { code, stdout, stderr } = await place.cli(...args);
      assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
      assert.match(stderr, message, args.join(" "));
      assert.doesNotMatch(stderr, /\n +at /, "no stack trace");
      assert.equal(stdout, "");
    }
    assert.deepEqual(tree(place.folder), ["a.wav"]);
  });
});

Deno.test("a file becomes a store of its full name; a second run leaves it, --overwrite replaces it", async () => {
  await inFolder(async (place) => {
    write(place, "a.wav");
    const first = await place.cli("a.wav");
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.stdout, "");
    assert.match(first.stderr, /^ok +a\.wav -> output\/a\.wav\.zarr/m);
    const store = join(place.folder, "output", "a.wav.zarr");
    const made = rootAttributes(store);
    assert.deepEqual([made.source_format, made.original_file_name], ["wav", "a.wav"]);
    assert.deepEqual(
      readdirSync(join(place.folder, "output")),
      ["a.wav.zarr"],
      "nothing beside it",
    );

    const before = statSync(join(store, "zarr.json")).mtimeMs;
    const second = await place.cli("convert", "a.wav", "-o", "output");
    assert.equal(second.code, 0);
    assert.match(second.stderr, /^skipped +a\.wav: .*--overwrite/m);
    assert.equal(statSync(join(store, "zarr.json")).mtimeMs, before);

    writeFileSync(join(place.folder, "a.wav"), wavFile({ channels: 1, rate: 500, samples: 7 }));
    const third = await place.cli("a.wav", "--overwrite", "--quiet");
    assert.deepEqual([third.code, third.stderr, third.stdout], [0, "", ""]);
    assert.equal(rootAttributes(store).sampling_frequency, 500);
    assert.ok(!openable(store).some((p) => p.includes("partial")));
  });
});

Deno.test("a missing, an empty and an unreadable file fail with status 1 and leave nothing", async () => {
  await inFolder(async (place) => {
    write(place, "empty.rhd", "");
    write(place, "noise.dat", Uint8Array.from({ length: 999 }, (_, i) => (i * i * 31) % 251));
    write(place, "cut.wav", TONE.subarray(0, 30));
    for (
      const [name, message] of [
        ["gone.wav", /gone\.wav.*no such file/],
        ["empty.rhd", /empty\.rhd.*empty/],
        ["cut.wav", /cut\.wav/],
        ["noise.dat", /noise\.dat.*no reader recognises/],
      ] as const
    ) {
      for (const quiet of [[], ["--quiet"]]) {
        const { code, stdout, stderr } = await place.cli(name, "-o", "out", ...quiet);
        assert.equal(code, 1, `${name}: ${stderr}`);
        assert.match(stderr, message);
        assert.doesNotMatch(stderr, /\n +at |TypeError|RangeError/);
        assert.equal(stdout, "");
      }
    }
    assert.ok(
      !existsSync(join(place.folder, "out")) || tree(join(place.folder, "out")).length === 0,
    );
  });
});

Deno.test("names with spaces, quotes and letters of any script", async () => {
  await inFolder(async (place) => {
    const names = [
      "with space.wav",
      "Größe µV 测试.wav",
      "it's #1 100%.wav",
      "emoji 🧠.wav",
      "-dash.wav",
    ];
    for (const name of names) write(place, name);
    const { code, stderr } = await place.cli("-o", "out dir", "--", ...names);
    assert.equal(code, 0, stderr);
    for (const name of names) {
      assert.equal(
        rootAttributes(join(place.folder, "out dir", `${name}.zarr`)).original_file_name,
        name,
      );
    }
  });
});

Deno.test("files of one name from two places keep apart", async () => {
  await inFolder(async (place) => {
    write(place, "one/rec.wav", wavFile({ channels: 1, rate: 100, samples: 10 }));
    write(place, "two/rec.wav", wavFile({ channels: 1, rate: 200, samples: 10 }));
    const { code, stderr } = await place.cli("one/rec.wav", "two/rec.wav", "-o", "out");
    assert.equal(code, 0, stderr);
    const report = JSON.parse(readFileSync(join(place.folder, "out", "report.json"), "utf8"));
    const outputs: string[] = report.files.map((f: { output: string }) => f.output);
    assert.equal(new Set(outputs).size, 2);
    assert.deepEqual(
      outputs.map((o) => rootAttributes(join(place.folder, o)).sampling_frequency),
      [100, 200],
    );
    // One file named twice, by two paths, is one file.
    const twice = await place.cli("one/rec.wav", "./two/../one/rec.wav", "-o", "again", "--json");
    assert.equal(twice.stdout.match(/"type":"file-end"/g)?.length, 1);
  });
});

Deno.test("--dry-run prints the plan and writes nothing", async () => {
  await inFolder(async (place) => {
    write(place, "a.wav");
    const plain = await place.cli("a.wav", "--dry-run");
    assert.equal(plain.code, 0, plain.stderr);
    assert.match(plain.stdout, /a\.wav -> output\/a\.wav\.zarr/);
    assert.match(plain.stdout, /peak memory about/);
    assert.match(plain.stdout, /signals +channel 2 x time 3000 +int16/);
    const { code, stdout } = await place.cli("a.wav", "--dry-run", "--json");
    assert.equal(code, 0);
    const { plan, output, peakMemoryBytes } = JSON.parse(stdout);
    assert.equal(output, join("output", "a.wav.zarr"));
    assert.ok(peakMemoryBytes > 1 << 20);
    assert.ok(plan.arrays.some((a: { path: string }) => a.path === "signals"));
    assert.equal((await place.cli("gone.wav", "--dry-run")).code, 1);
    assert.deepEqual(tree(place.folder), ["a.wav"]);
  });
});

Deno.test("--json: every line of stdout is one object, the report comes with the file's end", async () => {
  await inFolder(async (place) => {
    write(place, "in/a.wav");
    write(place, "in/bad.wav", TONE.subarray(0, 30));
    const { code, stdout } = await place.cli("in", "-o", "out", "--json");
    assert.equal(code, 1);
    const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.equal(events[0].type, "job");
    assert.equal(events.at(-1).type, "job-end");
    assert.deepEqual([events.at(-1).ok, events.at(-1).failed], [1, 1]);
    const ends = events.filter((e) => e.type === "file-end").map((e) => e.report);
    const [good, bad] = ["a.wav", "bad.wav"].map((p) => ends.find((r) => r.path === p));
    assert.equal(good.status, "ok");
    assert.equal(good.descriptor, "wav");
    assert.ok(good.bytesIn > 0 && good.bytesOut > 0 && existsSync(join(place.folder, good.output)));
    assert.equal(bad.status, "failed");
    assert.equal(bad.output, null);
    assert.match(bad.error.message, /bad\.wav/);
    assert.ok(["Truncated", "Corrupt"].includes(bad.error.tag));
    for (const verb of ["list", "formats"]) {
      const { stdout } = await place.cli(verb, ...(verb === "list" ? ["in"] : []), "--json");
      stdout.trimEnd().split("\n").forEach((line) => JSON.parse(line));
    }
    const inspected = JSON.parse((await place.cli("inspect", "in/a.wav", "--json")).stdout);
    assert.equal(inspected.recordings[0].samplingFrequency, 1000);
  });
});

Deno.test("a folder: one bad file costs that file only, paths stay, report.json has them all", async () => {
  await inFolder(async (place) => {
    write(place, "in/sub-1/a.wav");
    write(place, "in/sub-2/a.wav");
    write(place, "in/sub-2/bad.rhd", new Uint8Array([0x02, 0x27, 0x91, 0xc6, 1, 0, 5, 0]));
    write(place, "in/noise.dat", new Uint8Array(500).fill(7));
    write(place, "in/manifest.csv", "filename,timestamp\n");
    write(place, "in/.hidden/a.wav");
    const { code, stderr } = await place.cli("in", "-o", "out");
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^failed +sub-2\/bad\.rhd: (?!.*bad\.rhd)/m, "the name is said once");
    assert.match(stderr, /2 converted, 1 failed, 1 not supported, 1 skipped/);
    for (const sub of ["sub-1", "sub-2"]) {
      rootAttributes(join(place.folder, "out", sub, "a.wav.zarr"));
    }
    const { files } = JSON.parse(readFileSync(join(place.folder, "out", "report.json"), "utf8"));
    const byPath = Object.fromEntries(
      files.map((f: { path: string; status: string }) => [f.path, f.status]),
    );
    assert.deepEqual(byPath, {
      "manifest.csv": "skipped",
      "noise.dat": "unsupported",
      "sub-1/a.wav": "ok",
      "sub-2/a.wav": "ok",
      "sub-2/bad.rhd": "failed",
    });
    assert.equal(openable(join(place.folder, "out")).filter((p) => p.includes("bad")).length, 0);

    const some = await place.cli(
      "in",
      "-o",
      "some",
      "--include",
      "sub-*/*.wav",
      "--exclude",
      "sub-1/**",
    );
    assert.equal(some.code, 0, some.stderr);
    assert.deepEqual(readdirSync(join(place.folder, "some")).sort(), ["report.json", "sub-2"]);
    // Only files nobody reads: nothing was converted, so it is no success.
    assert.equal((await place.cli("in", "-o", "none", "--include", "*.dat")).code, 1);
  });
});

Deno.test("inspect describes every file of a folder, and says which cannot be read", async () => {
  await inFolder(async (place) => {
    write(place, "in/a.wav");
    write(place, "in/b.wav");
    write(place, "in/noise.dat", new Uint8Array(500).fill(7));
    const good = await place.cli("inspect", "in");
    assert.equal(good.code, 0, good.stderr);
    assert.deepEqual(good.stdout.match(/^\S+\.wav/gm), ["a.wav", "b.wav"]);
    write(place, "in/bad.rhd", new Uint8Array([0x02, 0x27, 0x91, 0xc6, 1, 0, 5, 0]));
    const some = await place.cli("inspect", "in", "--json");
    assert.equal(some.code, 1);
    assert.match(some.stderr, /bad\.rhd/);
    assert.deepEqual(JSON.parse(some.stdout).map((d: { name: string }) => d.name), [
      "a.wav",
      "b.wav",
    ]);
  });
});

Deno.test("a folder may hold its own output, links, and links that lead nowhere", async () => {
  await inFolder(async (place) => {
    write(place, "a.wav");
    write(place, "other.bin", new Uint8Array(500).fill(7));
    for (const flags of [[], ["--to", "zarr.zip"]]) {
      const first = await place.cli(".", ...flags);
      assert.equal(first.code, 0, first.stderr);
      const again = await place.cli(".", ...flags, "--json");
      assert.equal(again.code, 0, "what is there already is no failure");
      assert.deepEqual(Object.keys(statuses(again.stdout)).sort(), ["a.wav", "other.bin"]);
    }
    // As git-annex keeps files: links into a store, several to one content, one to content not here.
    write(place, "annex/objects/x", TONE);
    mkdirSync(join(place.folder, "set", "sub-1"), { recursive: true });
    const link = (to: string, path: string) => symlinkSync(to, join(place.folder, "set", path));
    link("../../annex/objects/x", "sub-1/one.wav");
    link("../../annex/objects/x", "sub-1/two.wav");
    link("sub-1", "linked");
    link("../..", "sub-1/up");
    link("../../annex/objects/gone", "sub-1/zero.wav");
    const { code, stdout } = await place.cli("set", "-o", "out", "--json", "--include", "*.wav");
    assert.equal(code, 1);
    const byPath = statuses(stdout);
    for (const folder of ["sub-1", "linked"]) {
      assert.equal(byPath[`${folder}/one.wav`], "ok");
      assert.equal(byPath[`${folder}/two.wav`], "ok");
      assert.equal(byPath[`${folder}/zero.wav`], "failed");
    }
  });
});

Deno.test("a set of files is converted once, whichever member is named", async () => {
  await inFolder(async (place) => {
    const files = await sampleFiles();
    write(place, "in/rec.ns5", files["set/rec.ns5"]);
    write(place, "in/rec.nev", files["set/rec.nev"]);
    const { code, stderr } = await place.cli("in", "-o", "out");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /skipped +rec\.nev: converted as part of rec\.ns5/);
    assert.deepEqual(readdirSync(join(place.folder, "out")).sort(), [
      "rec.ns5.zarr",
      "report.json",
    ]);
    const store = join(place.folder, "out", "rec.ns5.zarr");
    assert.ok(existsSync(join(store, "signals", "zarr.json")));
    assert.ok(existsSync(join(store, "events", "spikes", "time", "zarr.json")));
    const named = await place.cli("in/rec.nev", "in/rec.ns5", "-o", "named");
    assert.equal(named.code, 0, named.stderr);
    assert.deepEqual(readdirSync(join(place.folder, "named")).sort(), [
      "rec.ns5.zarr",
      "report.json",
    ]);
  });
});

Deno.test("zarr v2, zip files, compressors and selections", async () => {
  await inFolder(async (place) => {
    write(place, "a.wav");
    const two = await place.cli(
      "a.wav",
      "-o",
      "two",
      "--zarr-format",
      "2",
      "--compressor",
      "gzip:1",
    );
    assert.equal(two.code, 0, two.stderr);
    const store = join(place.folder, "two", "a.wav.zarr");
    assert.equal(
      JSON.parse(readFileSync(join(store, "signals", ".zarray"), "utf8")).compressor.id,
      "gzip",
    );
    assert.ok(existsSync(join(store, ".zmetadata")));
    const zip = await place.cli("a.wav", "-o", "zip", "--file-format", "zarr.zip");
    assert.equal(zip.code, 0, zip.stderr);
    assert.deepEqual(readdirSync(join(place.folder, "zip")), ["a.wav.zarr.zip"]);
    const bytes = readFileSync(join(place.folder, "zip", "a.wav.zarr.zip"));
    assert.equal(bytes.readUInt32LE(0), 0x04034b50);
    assert.equal(bytes.subarray(30, 39).toString(), "zarr.json", "the root's metadata comes first");
    const part = await place.cli(
      "a.wav",
      "-o",
      "part",
      "--channels",
      "1",
      "--from",
      "500ms",
      "--until",
      "2s",
    );
    assert.equal(part.code, 0, part.stderr);
    const { shape } = JSON.parse(
      readFileSync(join(place.folder, "part", "a.wav.zarr", "signals", "zarr.json"), "utf8"),
    );
    assert.deepEqual(shape, [1, 1500]);
  });
});

Deno.test("an output that cannot be written fails in words", async () => {
  await inFolder(async (place) => {
    write(place, "a.wav");
    write(place, "out", "a file where the folder should be");
    const { code, stderr } = await place.cli("a.wav", "-o", "out");
    assert.equal(code, 1);
    assert.match(stderr, /out/);
    assert.doesNotMatch(stderr, /unexpected failure|\n +at /);
    assert.deepEqual(tree(place.folder), ["a.wav", "out"]);
  });
});

/** Interrupts a long conversion once it writes; gives the exit status. */
async function interrupt(
  place: Workplace,
  signal: Deno.Signal,
  ...args: string[]
): Promise<number> {
  writeSilence(join(place.folder, "long.wav"), { channels: 8, rate: 30_000, samples: 40_000_000 });
  const child = place.start("long.wav", "-o", "out", ...args);
  const out = join(place.folder, "out");
  const deadline = performance.now() + 20_000;
  const begun = () =>
    existsSync(out) && tree(out).some((p) => p.includes("/c/") || /\/\d+\//.test(p));
  while (!begun() && performance.now() < deadline) await new Promise((r) => setTimeout(r, 10));
  assert.ok(begun(), "the conversion began");
  child.kill(signal);
  const [{ code }] = await Promise.all([
    child.status,
    child.stdout.cancel(),
    child.stderr.cancel(),
  ]);
  return code;
}

Deno.test("Ctrl-C ends with status 130 and leaves only what --resume goes on from", async () => {
  for (const args of [[], ["--to", "zarr.zip"], ["--zarr-format", "2"]]) {
    await inFolder(async (place) => {
      assert.equal(await interrupt(place, "SIGINT", ...args), 130);
      const left = readdirSync(join(place.folder, "out"));
      assert.deepEqual(left.filter((name) => !name.endsWith(".partial")), []);
      assert.deepEqual(openable(join(place.folder, "out")), []);
    });
  }
});

Deno.test("a killed conversion leaves nothing that opens, and the next run succeeds", async () => {
  await inFolder(async (place) => {
    await interrupt(place, "SIGKILL");
    const left = openable(join(place.folder, "out"));
    assert.deepEqual(left.filter((p) => /^long\.wav\.zarr[^/]*\/(zarr\.json|\.z)/.test(p)), []);
    assert.ok(!existsSync(join(place.folder, "out", "long.wav.zarr")));
    write(place, "long.wav");
    const { code, stderr } = await place.cli("long.wav", "-o", "out");
    assert.equal(code, 0, stderr);
    assert.deepEqual(readdirSync(join(place.folder, "out")), ["long.wav.zarr"]);
  });
});

Deno.test("a closed pipe ends quietly", async () => {
  await inFolder(async (place) => {
    for (let i = 0; i < 40; i++) write(place, `in/${"x".repeat(100)}${i}.wav`);
    const child = place.start("list", "in", "--json");
    await child.stdout.cancel();
    const { code } = await child.status;
    const stderr = await new Response(child.stderr).text();
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /error|unexpected|pipe/i);
  });
});
