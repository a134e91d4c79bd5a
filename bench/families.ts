/**
 * Speed and memory of every family of time series, on generated files: one of 500 MB beside the usual
 * Python reader with zarr-python, then one of 2 GB for the peak memory of all processes.
 *
 *   deno run -A bench/families.ts                     all (about 20 minutes, 5 GB of disk at a time)
 *   deno run -A bench/families.ts --only smr,tdt      these
 *   deno run -A bench/families.ts --megabytes 50 --large 0    a smoke test, without the large files
 *
 *   deno run -A bench/families.ts --record            and keep the figures in bench/families.json, from
 *                                                     which tools/readme-formats.ts makes the docs' table
 *
 * Prints a table; the exit status is 1 when a family needs more than 400 MiB.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { table } from "../src/commands/table.ts";
import { pythonWith } from "../tools/python-env.ts";
import { type FamilyFigures, FIGURES, readFigures } from "./family-figures.ts";
import { fastest, measure, type Measurement } from "./measure.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const MAKE = join(ROOT, "bench/families/make.py");
const PEERS = join(ROOT, "bench/families/peers.py");
const MOST_MEBIBYTES = 400;
const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);
const ROUNDS = 2;

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    only: { type: "string", default: "" },
    megabytes: { type: "string", default: "500" },
    large: { type: "string", default: "2000" },
    record: { type: "boolean", default: false },
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
const figures: FamilyFigures[] = [];
Deno.mkdirSync(input, { recursive: true });
for (const family of families) {
  const path = await make(family, Number(flags.megabytes));
  const bytes = bytesBelow(input);
  const own = await best(fuse(path), ROUNDS);
  const peer = await run([PEERS, family, path, "--name"]);
  const other = peer.code === 3
    ? undefined
    : await best([python, "-W", "ignore", PEERS, family, path, join(output, "peer.zarr")], ROUNDS);
  const large = Number(flags.large) > 0
    ? await best(fuse(await make(family, Number(flags.large))), 1)
    : own;
  figures.push({
    family,
    megabytes: Math.round(bytes / 1e6),
    megabytesPerSecond: Math.round(bytes / 1e6 / own.seconds),
    peer: peer.code === 3 ? null : peer.text,
    timesPeer: other ? Number((other.seconds / own.seconds).toFixed(1)) : null,
    peerPeakMebibytes: other ? mebibytes(other.peakBytes) : null,
    peakMebibytes: mebibytes(own.peakBytes),
    largePeakMebibytes: mebibytes(large.peakBytes),
  });
  console.error(JSON.stringify(figures.at(-1)));
}
Deno.removeSync(folder, { recursive: true });
console.log(table(
  ["family", "input", "speed", "against", "its memory", "memory", `memory at ${flags.large} MB`],
  figures.map((f) => [
    f.family,
    `${f.megabytes} MB`,
    `${f.megabytesPerSecond} MB/s`,
    f.peer ? `${f.timesPeer}x ${f.peer}` : "no such reader",
    f.peer ? `${f.peerPeakMebibytes} MiB` : "",
    `${f.peakMebibytes} MiB`,
    `${f.largePeakMebibytes} MiB`,
  ]),
));
if (flags.record) {
  const known = readFigures().filter((f) => !figures.some((g) => g.family === f.family));
  const all = [...known, ...figures].sort((a, b) => a.family < b.family ? -1 : 1);
  Deno.writeTextFileSync(FIGURES, JSON.stringify(all, null, 2) + "\n");
}
const over = figures.filter((f) => f.largePeakMebibytes > MOST_MEBIBYTES).length;
if (over > 0) {
  console.error(`${over} of ${figures.length} need more than ${MOST_MEBIBYTES} MiB`);
  Deno.exitCode = 1;
}
