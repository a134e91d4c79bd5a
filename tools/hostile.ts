/**
 * Damages the corpus and converts what is left of it, in processes of their own, so that a crash, a
 * hang or a runaway allocation is caught and named.
 *
 *     deno run -A tools/hostile.ts [--variants N] [--seed N] [--jobs N] [--case NAME] [FORMAT...]
 *
 * The corpus is `$SPARC_FUSE_SHARED/corpus`, or `../shared/corpus`. Every member of a case that a
 * reader opens is damaged in turn, the others lie beside it whole. Ends with `N passed, N failed`;
 * exit status 1 when any failed.
 */
import { parseArgs } from "node:util";
import { basename, join } from "node:path";
import type { Verdict } from "../tests/support/hostile-judge.ts";
import type { WorkerJob, WorkerLine } from "./hostile-worker.ts";

/** Resident bytes at which a process is ended: no damaged file may need so much. */
const MEMORY_BYTES = 1500 << 20;
/** Seconds a variant may take, and seconds of silence after which a process is ended. */
const SLOW_SECONDS = 5, HUNG_SECONDS = 20;
/** Failures of one kind that are printed. */
const SHOWN = 3;

interface Tally {
  variants: number;
  outcomes: Map<string, number>;
  failed: number;
}

const { values: flags, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    variants: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: "2" },
    case: { type: "string" },
    messages: { type: "boolean", default: false },
  },
});

const shared = Deno.env.get("SPARC_FUSE_SHARED") ??
  join(import.meta.dirname!, "..", "..", "shared");
const corpus = join(shared, "corpus");
const names = (folder: string) =>
  [...Deno.readDirSync(folder)].filter((e) => e.isDirectory).map((e) => e.name).sort();
const jobs: { format: string; job: WorkerJob }[] = [];
for (const format of positionals.length ? positionals : names(corpus)) {
  for (const name of names(join(corpus, format))) {
    if (flags.case !== undefined && flags.case !== name) continue;
    const folder = join(corpus, format, name);
    jobs.push({
      format,
      job: { folder, variants: Number(flags.variants), seed: Number(flags.seed), first: 0 },
    });
  }
}

const tallies = new Map<string, Tally>();
const kinds = new Map<string, number>();
let passed = 0, failed = 0;

function count(format: string, file: string, variant: string, verdict: Verdict): void {
  const tally = tallies.get(format) ?? { variants: 0, outcomes: new Map(), failed: 0 };
  tallies.set(format, tally);
  tally.variants++;
  tally.outcomes.set(verdict.outcome, (tally.outcomes.get(verdict.outcome) ?? 0) + 1);
  const complaint = verdict.complaint ??
    (verdict.seconds > SLOW_SECONDS ? `took ${verdict.seconds.toFixed(1)} s` : undefined);
  if (flags.messages && verdict.outcome === "converted") {
    console.log(`${file} [${variant}]: ${verdict.outcome} ${JSON.stringify(verdict.warnings)}`);
  }
  if (flags.messages && verdict.message) console.log(`${file} [${variant}]: ${verdict.message}`);
  if (complaint === undefined) {
    passed++;
    return;
  }
  failed++;
  tally.failed++;
  const kind = `${format} ${complaint.replace(/[0-9]+/g, "#")}`;
  const seen = (kinds.get(kind) ?? 0) + 1;
  kinds.set(kind, seen);
  if (seen <= SHOWN) console.log(`FAIL ${file} [${variant}]: ${complaint}`);
  else if (seen === SHOWN + 1) console.log(`... more of: ${kind}`);
}

/** Resident bytes of a process; 0 where the system does not tell. */
function residentBytes(pid: number): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/VmRSS:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Runs a case in one process; returns the variant to go on with when the process had to be ended. */
async function runProcess(format: string, job: WorkerJob): Promise<number | undefined> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(import.meta.dirname!, "hostile-worker.ts"), JSON.stringify(job)],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let current: { index: number; file: string; variant: string } | undefined;
  let heard = performance.now(), why = "", done = false;
  const watch = setInterval(() => {
    if (performance.now() - heard > HUNG_SECONDS * 1000) why = `hung for ${HUNG_SECONDS} s`;
    const bytes = residentBytes(child.pid);
    if (bytes > MEMORY_BYTES) why = `took more than ${MEMORY_BYTES >> 20} MiB`;
    if (why) {
      clearInterval(watch);
      try {
        child.kill("SIGKILL");
      } catch {
        // It ended by itself meanwhile.
      }
    }
  }, 100);
  const errors = new Response(child.stderr).text();
  let rest = "";
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    heard = performance.now();
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    for (const text of lines) {
      const line: WorkerLine = JSON.parse(text);
      if (line.type === "start") current = line;
      else if (line.type === "verdict") {
        count(format, current!.file, current!.variant, line.verdict);
        current = undefined;
      } else done = true;
    }
  }
  clearInterval(watch);
  const status = await child.status;
  const said = (await errors).trim();
  if (done) return undefined;
  if (!current) {
    count(format, basename(job.folder), "the process itself", {
      outcome: "crashed",
      complaint: `${why || `ended with ${status.code}`}: ${said.slice(0, 400)}`,
      seconds: 0,
    });
    return undefined;
  }
  count(format, current.file, current.variant, {
    outcome: why ? "ended" : "crashed",
    complaint: why || `crashed with ${status.code}: ${said.slice(-400).replaceAll("\n", " | ")}`,
    seconds: 0,
  });
  return current.index + 1;
}

const queue = [...jobs];
await Promise.all(
  Array.from({ length: Number(flags.jobs) }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      let first: number | undefined = 0;
      while (first !== undefined) first = await runProcess(next.format, { ...next.job, first });
    }
  }),
);

for (const [format, { variants, outcomes, failed }] of [...tallies].sort()) {
  const parts = [...outcomes].sort(([, a], [, b]) => b - a).map(([tag, n]) => `${tag} ${n}`);
  console.log(`${format}: ${variants} variants, ${failed} failed (${parts.join(", ")})`);
}
console.log(`${passed} passed, ${failed} failed`);
Deno.exitCode = failed || passed === 0 ? 1 : 0;
