/**
 * `plan`, `run-tasks`, `finish`: one conversion cut over any number of processes that share a disk. Each
 * task writes whole objects and a record of itself; a task that runs twice writes the same bytes.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { planFile } from "../convert.ts";
import { FuseError } from "../errors.ts";
import { fromJson, toJson } from "../plan/plan-json.ts";
import { type Plan, taskCount } from "../plan/plan.ts";
import { executePlan } from "../pool/execute.ts";
import { WorkerPool } from "../pool/pool.ts";
import { DirectoryTarget } from "../sinks/targets/directory.ts";
import { Journal } from "../sinks/targets/journal.ts";
import { ZipTarget } from "../sinks/targets/zip.ts";
import { s3Root } from "./bucket.ts";
import { conversionOptions, outputPath, workers } from "./convert.ts";
import { openDestination } from "./destination.ts";
import { sinkOf } from "./sinks.ts";
import type { FlagValues } from "./flags.ts";
import { resolveInputs } from "./inputs.ts";
import { humanBytes } from "./table.ts";

/** What a plan file holds. */
interface PlanFile {
  program: "sparc-fuse plan";
  output: string;
  zip: boolean;
  plan: Plan;
}

/** Runs `plan`. */
export async function planCommand(args: string[], flags: FlagValues): Promise<number> {
  if (sinkOf(flags)) {
    throw new FuseError("Usage", "array jobs write stores", {
      found: `--to ${flags.to}`,
      expected: "--to zarr or zarr.zip",
    });
  }
  if (s3Root(String(flags.outputDir ?? "./output"))) {
    throw new FuseError("Usage", "array jobs meet on a disk they share, not in a bucket", {
      found: flags.outputDir,
      remedy:
        "Name a folder, and copy the finished store; or convert without `plan`, with --resume",
    });
  }
  const { files } = await resolveInputs(args, flags);
  if (files.length !== 1) {
    throw new FuseError("Usage", "plan takes one file", { found: `${files.length} files` });
  }
  const [input] = files;
  const source = await input.open();
  try {
    const planned = await planFile(source, {
      ...conversionOptions(flags),
      context: input.context,
      ...(input.mapping ? { mapping: input.mapping } : {}),
    });
    const zip = flags.to === "zarr.zip";
    const output = outputPath(String(flags.outputDir ?? "./output"), input, planned, zip);
    const overwrite = flags.overwrite === true;
    const made = openDestination(output, planned, { zip, overwrite, resume: false, journal: true });
    if (!made) {
      throw new FuseError("Usage", "the output is there already (--overwrite replaces it)", {
        source: output,
      });
    }
    const path = String(flags.planFile ?? `${output}.plan.json`);
    const content: PlanFile = { program: "sparc-fuse plan", output, zip, plan: planned.plan };
    writeFileSync(path, toJson(content));
    console.log(
      `${path}: ${taskCount(planned.plan)} tasks, about ${
        humanBytes(planned.plan.outputBytes)
      } before compression`,
    );
    return 0;
  } finally {
    await source.close();
  }
}

function readPlan(args: string[]): PlanFile {
  if (args.length !== 1) throw new FuseError("Usage", "name one plan file", { found: args.length });
  if (!existsSync(args[0])) throw new FuseError("Usage", "no such plan file", { source: args[0] });
  let file: PlanFile;
  try {
    file = fromJson<PlanFile>(readFileSync(args[0], "utf8"));
  } catch (cause) {
    throw new FuseError("Usage", "is not a plan file", { source: args[0], cause });
  }
  if (file?.program !== "sparc-fuse plan") {
    throw new FuseError("Usage", "is not a plan file", { source: args[0] });
  }
  return file;
}

function journalOf(file: PlanFile): Journal {
  const found = Journal.find(`${file.output}.partial`);
  if (!found) {
    throw new FuseError(
      "Usage",
      "the conversion of this plan is not under way (finished, or removed)",
      {
        source: file.output,
      },
    );
  }
  return found.journal;
}

/** Runs `run-tasks`. */
export async function runTasksCommand(args: string[], flags: FlagValues): Promise<number> {
  const file = readPlan(args);
  const journal = journalOf(file);
  const total = taskCount(file.plan);
  const wanted = wantedTasks(flags, total).filter((index) => journal.result(index) === null);
  const size = Math.min(workers(flags), Math.max(1, wanted.length));
  const pool = new WorkerPool(size);
  try {
    const job = pool.begin(file.plan, { kind: "directory", path: `${file.output}.partial` });
    let done = 0, next = 0;
    const lane = async () => {
      for (let i = next++; i < wanted.length; i = next++) {
        const result = await pool.run(job, wanted[i]);
        journal.record(result);
        done++;
        const { index, bytesRead, bytesWritten } = result;
        if (flags.json) {
          console.log(
            JSON.stringify({
              type: "task",
              index,
              done,
              tasks: wanted.length,
              bytesRead,
              bytesWritten,
            }),
          );
        } else if (!flags.quiet) {
          console.error(
            `task ${index}: ${humanBytes(bytesRead)} read, ${
              humanBytes(bytesWritten)
            } written (${done} of ${wanted.length})`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: size }, lane));
    return 0;
  } finally {
    pool.close();
  }
}

/** Tasks named by `--tasks` or `--part`; all without either. @throws FuseError `Usage`. */
export function wantedTasks(flags: FlagValues, total: number): number[] {
  const all = Array.from({ length: total }, (_, i) => i);
  if (flags.part !== undefined) {
    const m = /^(\d+)\/(\d+)$/.exec(String(flags.part));
    const [k, n] = [Number(m?.[1]), Number(m?.[2])];
    if (!m || n < 1 || k >= n) {
      throw new FuseError("Usage", "--part takes K/N with K from 0 to N-1", { found: flags.part });
    }
    return all.slice(Math.floor(k * total / n), Math.floor((k + 1) * total / n));
  }
  if (flags.tasks === undefined) return all;
  return String(flags.tasks).split(",").flatMap((range) => {
    const m = /^(\d+)(?:-(\d+))?$/.exec(range.trim());
    const first = Number(m?.[1]), last = Number(m?.[2] ?? m?.[1]);
    if (!m || last < first || last >= total) {
      throw new FuseError("Usage", "--tasks takes numbers and ranges", {
        found: range,
        expected: `0-${total - 1}`,
      });
    }
    return all.slice(first, last + 1);
  });
}

/** Runs `finish`. */
export async function finishCommand(args: string[], flags: FlagValues): Promise<number> {
  const { output, zip, plan } = readPlan(args);
  const journal = journalOf({ output, zip, plan, program: "sparc-fuse plan" });
  const missing = Array.from({ length: taskCount(plan) }, (_, i) => i).filter((i) =>
    journal.result(i) === null
  );
  if (missing.length) {
    throw new FuseError("Usage", "tasks have not run yet", {
      source: args[0],
      found: `${missing.length} of ${taskCount(plan)}: ${missing.slice(0, 20).join(",")}${
        missing.length > 20 ? ",..." : ""
      }`,
      remedy: "`run-tasks` runs what is missing",
    });
  }
  const target = zip ? ZipTarget.file(output, true) : new DirectoryTarget(output, true);
  // Every task is in the journal: nothing is left for an executor to run.
  const none = {
    concurrency: 1,
    run: () => Promise.reject(new FuseError("Sink", "a finished task has gone")),
  };
  const { bytesWritten } = await executePlan(plan, target, none, { journal });
  if (flags.json) console.log(JSON.stringify({ type: "finished", output, bytesWritten }));
  else if (!flags.quiet) console.error(`finished ${output} (${humanBytes(bytesWritten)})`);
  return 0;
}
