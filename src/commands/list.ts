/** `list`: the files of a dataset or folder, and which of them are read. */
import { identify, OPEN_SCORE } from "../identify.ts";
import { toFuseError } from "../errors.ts";
import { type JobInput, PROBES_AT_A_TIME } from "../job.ts";
import { inLanes } from "../stream/lanes.ts";
import type { FlagValues } from "./flags.ts";
import { resolveInputs } from "./inputs.ts";
import { humanBytes, table } from "./table.ts";

interface Row {
  path: string;
  uri: string;
  size: number | null;
  format: string | null;
  score: number;
  supported: boolean;
  why: string;
  /** The file could not be opened or read; `why` says it. */
  failed: boolean;
}

/** Prints a row a file; 1 when one could not be read at all. */
export async function listCommand(args: string[], flags: FlagValues): Promise<number> {
  const inputs = await resolveInputs(args, flags);
  const rows: Row[] = [];
  for await (const row of inLanes(inputs.files, PROBES_AT_A_TIME, describe)) {
    if (flags.json) console.log(JSON.stringify(row));
    rows.push(row);
  }
  if (!flags.json) {
    console.log(table(
      ["size", "format", "read", "path"],
      rows.map((r) => [
        r.size === null ? "?" : humanBytes(r.size),
        r.format ?? "-",
        r.supported ? "yes" : "no",
        r.supported || r.why === "" ? r.path : `${r.path}  (${r.why})`,
      ]),
    ));
    const read = rows.filter((r) => r.supported);
    const bytes = rows.reduce((n, r) => n + (r.size ?? 0), 0);
    console.error(
      `${inputs.title}: ${rows.length} files, ${humanBytes(bytes)}, ${read.length} of them read`,
    );
  }
  return rows.some((r) => r.failed) ? 1 : 0;
}

async function describe(file: JobInput): Promise<Row> {
  const row: Row = {
    path: file.path,
    uri: file.uri,
    size: file.size ?? null,
    format: null,
    score: 0,
    supported: false,
    why: file.skip ?? "",
    failed: false,
  };
  if (file.skip) return row;
  try {
    const source = await file.open();
    try {
      const [best] = await identify(source);
      row.size ??= source.size ?? null;
      if (best) {
        Object.assign(row, {
          format: best.format.id,
          score: best.score,
          supported: best.score >= OPEN_SCORE,
          why: best.why,
        });
      } else row.why = "unknown bytes";
    } finally {
      await source.close();
    }
  } catch (error) {
    row.failed = true;
    row.why = toFuseError(error, "Network", { source: file.path }).message;
  }
  return row;
}
