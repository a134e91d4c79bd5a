/** `refs`: a reference file over the original bytes, which stay where they are. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { planFile } from "../convert.ts";
import { FuseError } from "../errors.ts";
import { parquetReferences } from "../sinks/refs/parquet.ts";
import { makeReferences, referenceJson } from "../sinks/refs/references.ts";
import { openSource } from "../source/open.ts";
import { conversionOptions } from "./convert.ts";
import type { FlagValues } from "./flags.ts";
import { sourceOptions } from "./inputs.ts";

/** Runs `refs`. */
export async function refsCommand(args: string[], flags: FlagValues): Promise<number> {
  if (args.length !== 1) {
    throw new FuseError("Usage", "refs takes one input", { found: args.length });
  }
  const source = await openSource(args[0], sourceOptions(flags));
  try {
    const { plan, dataset } = await planFile(source, {
      ...conversionOptions(flags),
      zarrFormat: 2,
    });
    const references = await makeReferences(plan, dataset, dataset.sources.map((s) => s.uri));
    if (![...references.refs.values()].some((r) => Array.isArray(r))) {
      throw new FuseError("Unsupported", "nothing in the file can be referred to as it lies", {
        source: source.name,
        found: references.leftOut.map((l) => `${l.what}: ${l.why}`).slice(0, 3).join("; "),
        remedy: "Convert it instead",
      });
    }
    const parquet = flags.refsTo === "parquet";
    const folder = String(flags.outputDir ?? "./output");
    const path = join(folder, `${source.name}.refs.${parquet ? "parquet" : "json"}`);
    if (existsSync(path) && !flags.overwrite) {
      throw new FuseError("Usage", "the output is there already (--overwrite replaces it)", {
        source: path,
      });
    }
    mkdirSync(dirname(path), { recursive: true });
    const temporary = `${path}.partial`;
    rmSync(temporary, { recursive: true, force: true });
    if (parquet) {
      for (const [key, bytes] of await parquetReferences(references)) {
        mkdirSync(dirname(join(temporary, key)), { recursive: true });
        writeFileSync(join(temporary, key), bytes);
      }
    } else writeFileSync(temporary, referenceJson(references));
    rmSync(path, { recursive: true, force: true });
    renameSync(temporary, path);
    for (const { what, why } of references.leftOut) console.error(`left out: ${what} (${why})`);
    console.error(
      `${path}: ${
        [...references.refs.values()].filter(Array.isArray).length
      } ranges of ${dataset.sources.length} files`,
    );
    return 0;
  } finally {
    await source.close();
  }
}
