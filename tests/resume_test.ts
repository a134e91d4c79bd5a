/** Interrupted and divided conversions give the bytes of an undisturbed one. */
import assert from "node:assert/strict";
import { storeDigest } from "./support/store-digest.ts";
import { waveFile } from "./support/wave-file.ts";

const CLI = new URL("../cli.ts", import.meta.url).pathname;

async function fuse(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", CLI, ...args],
    stdin: "null",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** A recording large enough for the worker pool, in many small shards. */
async function recording(folder: string): Promise<string> {
  const path = `${folder}/rec 1.wav`;
  const samples = new Int16Array(8 * 600_000);
  let state = 1;
  for (let i = 0; i < samples.length; i++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    samples[i] = (state >> 18) - 4096;
  }
  await Deno.writeFile(path, waveFile(samples, 8, 30_000));
  return path;
}

const SMALL = ["--chunk-bytes", "64KiB", "--shard-bytes", "256KiB"];

Deno.test("killed at any moment, --resume ends with the bytes of an undisturbed run", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const input = await recording(folder);
    const started = performance.now();
    const whole = await fuse(input, "-o", `${folder}/whole`, ...SMALL);
    assert.equal(whole.code, 0, whole.text);
    let duration = performance.now() - started;
    const expected = await storeDigest(`${folder}/whole/rec 1.wav.zarr`);
    const rounds = Number(Deno.env.get("SPARC_FUSE_KILLS") ?? 4);
    let interrupted = 0;
    for (let round = 0; round < rounds || (interrupted === 0 && round < 5 * rounds); round++) {
      const begun = performance.now();
      const out = `${folder}/out-${round}`;
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", CLI, input, "-o", out, ...SMALL, "--quiet"],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      // Between the start of the program and the end of its work.
      await new Promise((resolve) => setTimeout(resolve, duration * (0.2 + 0.8 * Math.random())));
      try {
        child.kill("SIGKILL");
      } catch {
        // It ended before the kill came: an undisturbed run once more.
      }
      await child.status;
      const lasted = performance.now() - begun;
      const store = `${out}/rec 1.wav.zarr`;
      const finished = await Deno.stat(store).then(() => true, () => false);
      if (!finished) {
        interrupted++;
        const again = await fuse(input, "-o", out, ...SMALL, "--resume");
        assert.equal(again.code, 0, again.text);
      } else {
        // The first run was the slow one: the next kill comes earlier.
        duration = Math.min(duration, lasted);
      }
      assert.deepEqual(await storeDigest(store), expected);
      await assert.rejects(Deno.stat(`${store}.partial`));
    }
    assert.ok(interrupted > 0, "no run was interrupted: the kills came too late");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("plan, run-tasks in several processes, finish: the same store", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const input = await recording(folder);
    assert.equal((await fuse(input, "-o", `${folder}/whole`, ...SMALL)).code, 0);
    const planned = await fuse("plan", input, "-o", `${folder}/parts`, ...SMALL);
    assert.equal(planned.code, 0, planned.text);
    const plan = `${folder}/parts/rec 1.wav.zarr.plan.json`;
    const early = await fuse("finish", plan);
    assert.equal(early.code, 2);
    assert.match(early.text, /have not run yet/);
    // The last share twice at once, as when a task is queued again while its first run still lives.
    const shares = await Promise.all(
      [0, 1, 2, 2].map((k) => fuse("run-tasks", plan, "--part", `${k}/3`, "--jobs", "1")),
    );
    for (const share of shares) assert.equal(share.code, 0, share.text);
    // A task that has run already is left alone; one that runs again does no harm.
    assert.equal((await fuse("run-tasks", plan, "--tasks", "0-1")).code, 0);
    const finished = await fuse("finish", plan);
    assert.equal(finished.code, 0, finished.text);
    assert.deepEqual(
      await storeDigest(`${folder}/parts/rec 1.wav.zarr`),
      await storeDigest(`${folder}/whole/rec 1.wav.zarr`),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
