/** `refs`: a reference file over the original bytes, which stay where they are. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { planFile } from "../convert.ts";
import { FuseError } from "../errors.ts";
import { parquetReferences } from "../sinks/refs/parquet.ts";
import { makeReferences, referenceJson } from "../sinks/refs/references.ts";
import { keyBelow } from "../sinks/targets/s3.ts";
import { openSource } from "../source/open.ts";
import { bucketFiles, type BucketRoot, s3Root } from "./bucket.ts";
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
    const root = String(flags.outputDir ?? "./output");
    const name = `${source.name}.refs.${parquet ? "parquet" : "json"}`;
    const files = parquet
      ? await parquetReferences(references)
      : new Map([["", new TextEncoder().encode(referenceJson(references))]]);
    const bucket = s3Root(root);
    const path = bucket
      ? await writeToBucket(bucket, name, files, flags)
      : writeToFolder(join(root, name), files, flags);
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

/** Files by their keys below the output; the only file of an output has the key "". */
type ReferenceFiles = Map<string, Uint8Array>;

function writeToFolder(path: string, files: ReferenceFiles, flags: FlagValues): string {
  if (existsSync(path) && !flags.overwrite) throw alreadyThere(path);
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.partial`;
  rmSync(temporary, { recursive: true, force: true });
  for (const [key, bytes] of files) {
    mkdirSync(dirname(join(temporary, key)), { recursive: true });
    writeFileSync(join(temporary, key), bytes);
  }
  rmSync(path, { recursive: true, force: true });
  renameSync(temporary, path);
  return path;
}

/** The metadata of parquet references are what makes them open: they go up last. */
async function writeToBucket(
  root: BucketRoot,
  name: string,
  files: ReferenceFiles,
  flags: FlagValues,
): Promise<string> {
  const at = bucketFiles(root, flags);
  const base = keyBelow(root.prefix, name);
  const isLast = (key: string) => (/(^|\/)\.z(metadata|group|attrs)$/.test(key) ? 1 : 0);
  const ordered = [...files].sort(([a], [b]) => isLast(a) - isLast(b));
  const [last] = ordered[ordered.length - 1];
  if (!flags.overwrite && await at.exists(keyBelow(base, last))) {
    throw alreadyThere(at.nameOf(base));
  }
  for (const [key, bytes] of ordered) {
    const output = await at.open(keyBelow(base, key));
    await output.write(bytes);
    await output.finish();
  }
  return at.nameOf(base);
}

function alreadyThere(path: string): FuseError {
  return new FuseError("Usage", "the output is there already (--overwrite replaces it)", {
    source: path,
  });
}
