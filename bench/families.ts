/**
 * Speed and memory of every family of time series, on generated files: one of 500 MB beside the usual
 * Python reader with zarr-python, then one of 2 GB for the peak memory of all processes.
 *
 *   deno run -A bench/families.ts                     all (about 20 minutes, 5 GB of disk at a time)
 *   deno run -A bench/families.ts --only smr,tdt      these
 *   deno run -A bench/families.ts --megabytes 50 --large 0    a smoke test, without the large files
 *
 * Prints the table of docs/formats.md; the exit status is 1 when a family needs more than 400 MiB.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { table } from "../src/commands/table.ts";
import { pythonWith } from "../tools/python-env.ts";
import { fastest, measure, type Measurement } from "./measure.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const MAKE = join(ROOT, "bench/families/make.py");
const PEERS = join(ROOT, "bench/families/peers.py");
const MOST_BYTES = 400 * 2 ** 20;
const ROUNDS = 2;

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    only: { type: "string", default: "" },
    megabytes: { type: "string", default: "500" },
    large: { type: "string", default: "2000" },
  },
});

const python = await pythonWith([join(ROOT, "bench/families/requirements.txt")]);
const folder = join(ROOT, "bench/data/families");
const input = join(folder, "in"), output = join(folder, "out");

async function run(args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(python, {
    args,
    env: { PYTHONWARNINGS: "ignore" },
  }).output();
  const [text, failure] = [stdout, stderr].map((b) => new TextDecoder().decode(b).trim());
  if (code !== 0 && code !== 3) throw new Error(`${args.join(" ")}: ${failure.slice(-600)}`);
  return { code, text };
}

function bytesBelow(path: string): number {
  const stat = Deno.statSync(path);
  if (!stat.isDirectory) return stat.size;
  return [...Deno.readDirSync(path)].reduce((n, e) => n + bytesBelow(join(path, e.name)), 0);
}

/** Makes a file of the family in an empty folder; gives the path to convert. */
async function make(family: string, megabytes: number): Promise<string> {
  Deno.removeSync(input, { recursive: true });
  return (await run([MAKE, family, input, String(megabytes)])).text.split("\n").at(-1)!;
}

/** Runs a command with an empty output folder, the fastest of `rounds`. */
async function best(command: string[], rounds: number): Promise<Measurement> {
  let known: Measurement | undefined;
  for (let round = 0; round < rounds; round++) {
    Deno.mkdirSync(output, { recursive: true });
    const m = await measure(command, output);
    Deno.removeSync(output, { recursive: true });
    known = known ? fastest(known, m) : m;
  }
  return known!;
}

const fuse = (path: string) => [
  Deno.execPath(),
  "run",
  "-A",
  join(ROOT, "cli.ts"),
  path,
  "-o",
  output,
  "--quiet",
];

const listed = await run([
  "-c",
  `import sys; sys.path.insert(0, "${
    join(ROOT, "bench/families")
  }"); import make; print(" ".join(make.FAMILIES))`,
]);
const families = flags.only ? flags.only.split(",") : listed.text.split(" ");
const rows: string[][] = [];
let over = 0;
Deno.mkdirSync(input, { recursive: true });
for (const family of families) {
  const path = await make(family, Number(flags.megabytes));
  const bytes = bytesBelow(input);
  const own = await best(fuse(path), ROUNDS);
  const peer = await run([PEERS, family, path, "--name"]);
  const other = peer.code === 3
    ? undefined
    : await best([python, "-W", "ignore", PEERS, family, path, join(output, "peer.zarr")], ROUNDS);
  let peak = own.peakBytes;
  if (Number(flags.large) > 0) {
    const large = await make(family, Number(flags.large));
    const m = await best(fuse(large), 1);
    peak = m.peakBytes;
  }
  const mebibytes = (n: number) => `${Math.round(n / 2 ** 20)} MiB`;
  if (peak > MOST_BYTES) over++;
  rows.push([
    family,
    `${(bytes / 1e6).toFixed(0)} MB`,
    `${(bytes / 1e6 / own.seconds).toFixed(0)} MB/s`,
    other ? `${(other.seconds / own.seconds).toFixed(1)}x ${peer.text}` : "no such reader",
    other ? mebibytes(other.peakBytes) : "",
    mebibytes(own.peakBytes),
    mebibytes(peak),
  ]);
  console.error(rows.at(-1)!.join("  "));
}
Deno.removeSync(folder, { recursive: true });
console.log(
  table([
    "family",
    "input",
    "speed",
    "against",
    "its memory",
    "memory",
    `memory at ${flags.large} MB`,
  ], rows),
);
if (over > 0) {
  console.error(`${over} of ${rows.length} need more than ${MOST_BYTES / 2 ** 20} MiB`);
  Deno.exitCode = 1;
}
