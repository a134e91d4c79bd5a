/** Outputs that go to S3: `-o s3://bucket/prefix`. */
import type { PlannedFile, StoreDestination } from "../convert.ts";
import { FuseError } from "../errors.ts";
import type { FileReport } from "../events.ts";
import type { JobInput } from "../job.ts";
import { type S3Place, S3Target } from "../sinks/targets/s3.ts";
import { outputPath } from "./convert.ts";
import type { FlagValues } from "./flags.ts";
import { sourceOptions } from "./inputs.ts";

/** Bucket and prefix of an output root; null for folders and standard output. @throws FuseError `Usage`. */
export function s3Root(root: string): Pick<S3Place, "bucket" | "prefix"> | null {
  const match = /^s3:\/\/([^/]+)\/?(.*)$/i.exec(root);
  if (match) return { bucket: match[1], prefix: match[2].replace(/^\/+|\/+$/g, "") };
  if (/^[a-z0-9]+:\/\//i.test(root)) {
    throw new FuseError("Usage", "outputs go to a folder, to s3:// or to -", { found: root });
  }
  return null;
}

/** The store of one input in the bucket; null when it is there and not to be replaced. */
export async function openBucket(
  root: Pick<S3Place, "bucket" | "prefix">,
  input: JobInput,
  planned: PlannedFile,
  flags: FlagValues,
): Promise<StoreDestination | null> {
  if (flags.to !== "zarr") {
    throw new FuseError("Usage", "only zarr stores are written to S3", { found: flags.to });
  }
  const path = outputPath(".", input, planned, false).replaceAll("\\", "/");
  const prefix = [root.prefix, path].filter((p) => p).join("/");
  const s3 = sourceOptions(flags).s3 ?? {};
  const target = await S3Target.open({ bucket: root.bucket, prefix, s3 }, flags.overwrite === true);
  return target && { target, output: target.uri };
}

/** Puts the report beside the stores. */
export async function uploadReport(
  root: Pick<S3Place, "bucket" | "prefix">,
  title: string,
  files: FileReport[],
  flags: FlagValues,
): Promise<void> {
  const s3 = sourceOptions(flags).s3 ?? {};
  await S3Target.putObject(
    { bucket: root.bucket, prefix: root.prefix, s3 },
    "report.json",
    new TextEncoder().encode(JSON.stringify({ title, files }, null, 2) + "\n"),
  );
}
