/** A plan in words, for `--dry-run`. */
import type { PlannedFile } from "../convert.ts";
import { printable } from "../errors.ts";
import { taskCount } from "../plan/plan.ts";
import { humanBytes, table } from "./table.ts";

/** Arrays listed before the rest is only counted. */
const LISTED = 40;

/** What a conversion would do, with sizes, memory, and what is left out and why. */
export function planText(
  path: string,
  output: string,
  planned: PlannedFile,
  peakBytes: number,
): string {
  const { plan, opened } = planned;
  const lines = [
    `${path} -> ${output}`,
    `  read as ${opened.candidate.format.name} (${opened.candidate.why}; score ${opened.candidate.score})`,
    `  ${plan.arrays.length} arrays, about ${humanBytes(plan.outputBytes)} before compression, in ${
      taskCount(plan)
    } tasks; ` +
    `peak memory about ${humanBytes(peakBytes)}`,
  ];
  const shown = plan.arrays.slice(0, LISTED);
  const rows = shown.map((a) => [
    `    ${a.path}`,
    a.dims.map((d, i) => `${d} ${a.shape[i] ?? "?"}`).join(" x "),
    a.dtype,
    `chunks ${a.chunks.join("x")}${a.shards ? ` in shards ${a.shards.join("x")}` : ""}`,
    a.dtype === "string" ? "" : a.compressor.id,
  ]);
  lines.push(table(["    array", "shape", "type", "stored in", "codec"], rows));
  if (plan.arrays.length > LISTED) lines.push(`    ... and ${plan.arrays.length - LISTED} more`);
  for (const { what, why } of plan.leftOut) lines.push(printable(`  left out: ${what} (${why})`));
  for (const warning of plan.warnings) lines.push(printable(`  warning: ${warning}`));
  return lines.join("\n");
}
