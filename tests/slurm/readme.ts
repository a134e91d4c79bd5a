/** The array job as the README shows it: the one place where it is written. */

/** The script, and the lines around it. */
export interface ArrayJob {
  /** Text of `array.sh`. */
  script: string;
  /** The line that makes the plan. */
  plan: string;
  /** The line that submits the script and keeps the job's number in `$job`. */
  submit: string;
  /** The line that submits `finish` for when `$job` has ended well. */
  finish: string;
}

/** Finds the script and its lines. @throws Error when the README does not have them. */
export function arrayJobOf(readme: string): ArrayJob {
  const blocks = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((m) => m[2]);
  const script = blocks.find((text) => text.startsWith("#!") && text.includes("#SBATCH"));
  const lines = blocks.find((text) => text.includes("sbatch"))?.trim().split("\n") ?? [];
  const [plan, submit, finish] = ["cli.ts plan ", "array.sh", "cli.ts finish "]
    .map((what) => lines.find((line) => line.includes(what)));
  if (!script || !plan || !submit || !finish) throw new Error("the README shows no array job");
  return { script, plan, submit, finish };
}
