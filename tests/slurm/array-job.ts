/**
 * Runs the README's array job, word for word, on a real Slurm of this one machine, and compares the
 * store with that of a single process, byte for byte. A task is killed and queued again on the way, and
 * one that has ended is run once more.
 *
 *   deno run -A tests/slurm/array-job.ts
 *
 * Exit status 77, and a line that says why, where Slurm cannot be started.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { experiment } from "../support/blackrock-files.ts";
import { storeDigest } from "../support/store-digest.ts";
import { arrayJobOf } from "./readme.ts";
import { NoSlurm, OneMachineSlurm, pause } from "./one-machine.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What a checkout needs to run the program; links to it make a folder where the README's lines work. */
const CHECKOUT = ["cli.ts", "deno.json", "deno.lock", "src", "decoders"];

/** Small shards, so that each of the four has several tasks. */
const SMALL = "--chunk-bytes 64KiB --shard-bytes 128KiB";

/** Seconds the whole array may take. */
const PATIENCE_SECONDS = 180;

let checks = 0;
function passed(what: string): void {
  checks++;
  console.log(`ok   ${what}`);
}

/** State of each task of an array, as `squeue` shows it: id in the array -> state. */
async function states(slurm: OneMachineSlurm, job: string, folder: string) {
  const text = await slurm.shell(
    `squeue --noheader --array --states=all --jobs=${job} --format='%K %T'`,
    folder,
  );
  return new Map(
    text.split("\n").filter((line) => line).map((line) => {
      const [id, state] = line.trim().split(/\s+/);
      return [id, state];
    }),
  );
}

/** Waits until `done` says so of the states of a job. */
async function until(
  slurm: OneMachineSlurm,
  job: string,
  folder: string,
  done: (states: Map<string, string>) => boolean,
): Promise<Map<string, string>> {
  const limit = performance.now() + PATIENCE_SECONDS * 1000;
  for (;;) {
    const now = await states(slurm, job, folder);
    if (done(now)) return now;
    if (performance.now() > limit) {
      throw new Error(`job ${job} takes too long: ${JSON.stringify([...now])}\n${slurm.logs()}`);
    }
    await pause(100);
  }
}

const ended = (states: Map<string, string>) =>
  [...states.values()].every((state) => /^(COMPLETED|FAILED|CANCELLED|TIMEOUT)/.test(state));

async function main(slurm: OneMachineSlurm, folder: string): Promise<void> {
  const { script, plan, submit, finish } = arrayJobOf(
    Deno.readTextFileSync(join(ROOT, "README.md")),
  );
  for (const name of CHECKOUT) symlinkSync(join(ROOT, name), join(folder, name));
  for (
    const [name, bytes] of Object.entries(experiment({ base: "big", seconds: 6, channels: 24 }))
  ) {
    writeFileSync(join(folder, name), bytes);
  }
  writeFileSync(join(folder, "array.sh"), script);
  // `deno` of the README is the one that runs this test.
  const env = { PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`, NO_COLOR: "1" };
  const run = (line: string) => slurm.shell(line, folder, env);

  await run(`deno run -A cli.ts big.ns5 -o alone --quiet ${SMALL}`);
  console.log(await run(`${plan} ${SMALL}`));
  const [, job] = /^(\d+)$/.exec(await run(`${submit}; echo $job`))!;

  // The first task is taken off its node as soon as it has finished something, and queued again.
  const journal = join(folder, "out/big.ns5.zarr.partial/.journal");
  const recorded = () =>
    readdirSync(journal).filter((name) => /^task-\d+\.json$/.test(name)).length;
  await until(
    slurm,
    job,
    folder,
    (now) => now.get("0") === "RUNNING" && recorded() > 0 || ended(now),
  );
  const before = await states(slurm, job, folder);
  await run(`scontrol requeue ${job}_0`);
  passed(`a task was killed while ${before.get("0")} (${recorded()} tasks done) and queued again`);

  const end = await until(slurm, job, folder, ended);
  assert.deepEqual([...end].sort(), ["0", "1", "2", "3"].map((id) => [id, "COMPLETED"]));
  const log = await run(`cat slurm-${job}_*.out`);
  assert.match(log, /task \d+: .* written/);
  passed("all four tasks of the array ended well");

  await run(`scontrol requeue ${job}_1`);
  const again = await until(slurm, job, folder, ended);
  assert.equal(again.get("1"), "COMPLETED");
  passed("a task that had ended was run once more");

  const wrapped = await run(`job=${job}; ${finish.replace("sbatch ", "sbatch --parsable ")}`);
  assert.deepEqual([...(await until(slurm, wrapped, folder, ended)).values()], ["COMPLETED"]);
  passed("finish ran when the array had ended");

  const parts = await storeDigest(join(folder, "out/big.ns5.zarr"));
  assert.deepEqual(parts, await storeDigest(join(folder, "alone/big.ns5.zarr")));
  assert.ok(parts.size > 20, `${parts.size} objects`);
  assert.deepEqual(
    readdirSync(join(folder, "out")).sort(),
    ["big.ns5.zarr", "big.ns5.zarr.plan.json"],
  );
  passed(`the store is that of one process, byte for byte (${parts.size} objects)`);
}

const folder = mkdtempSync(join(tmpdir(), "sparc-fuse-array-"));
try {
  const slurm = await OneMachineSlurm.start();
  try {
    await main(slurm, folder);
    console.log(`${checks} passed, 0 failed`);
  } catch (error) {
    console.error(error);
    console.log(slurm.logs());
    for (const name of readdirSync(folder).filter((name) => name.endsWith(".out"))) {
      console.log(`${name}:\n${Deno.readTextFileSync(join(folder, name))}`);
    }
    console.log(`${checks} passed, 1 failed`);
    Deno.exitCode = 1;
  } finally {
    await slurm.stop();
  }
} catch (error) {
  if (!(error instanceof NoSlurm)) throw error;
  if (error.logs) console.log(error.logs);
  console.log(`no Slurm here: ${error.message}`);
  Deno.exitCode = 77;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
