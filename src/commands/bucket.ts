/** Outputs that go to S3: `-o s3://bucket/prefix`. */
import type { OwnDestination, PlannedFile, StoreDestination } from "../convert.ts";
import { INLINE_BYTES } from "../convert.ts";
import { FuseError } from "../errors.ts";
import type { FileReport } from "../events.ts";
import { samePlan } from "../plan/plan-json.ts";
import type { Plan } from "../plan/plan.ts";
import { S3Bucket } from "../sinks/targets/s3-bucket.ts";
import { S3Target } from "../sinks/targets/s3.ts";
import { keyBelow, type S3Place } from "../sinks/targets/s3-place.ts";
import type { FlagValues } from "./flags.ts";
import { sourceOptions } from "./inputs.ts";
import { bucketPlace, type OutputPlace } from "./places.ts";
import { zipElsewhere } from "./sinks.ts";

/** Bucket and prefix of an output root. */
export type BucketRoot = Pick<S3Place, "bucket" | "prefix">;

/** Bucket and prefix of an output root; null for folders and standard output. @throws FuseError `Usage`. */
export function s3Root(root: string): BucketRoot | null {
  const match = /^s3:\/\/([^/]+)\/?(.*)$/i.exec(root);
  if (match) return { bucket: match[1], prefix: match[2].replace(/^\/+|\/+$/g, "") };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(root)) {
    throw new FuseError("Usage", "outputs go to a folder, to s3:// or to -", { found: root });
  }
  return null;
}

/** The bucket as a place for files. */
export function bucketFiles({ bucket }: BucketRoot, flags: FlagValues): OutputPlace {
  return bucketPlace(bucket, sourceOptions(flags).s3 ?? {});
}

/** The store of one input in the bucket; null when it is there and not to be replaced. */
export async function openBucket(
  { bucket, prefix: root }: BucketRoot,
  name: string,
  planned: PlannedFile,
  flags: FlagValues,
): Promise<StoreDestination | OwnDestination | null> {
  const prefix = keyBelow(root, name);
  const overwrite = flags.overwrite === true;
  if (flags.to === "zarr.zip") {
    const at = bucketFiles({ bucket, prefix: root }, flags);
    if (!overwrite && await at.exists(prefix)) return null;
    return zipElsewhere(planned, at, prefix);
  }
  const s3 = sourceOptions(flags).s3 ?? {};
  let earlier: Plan | undefined;
  const target = await S3Target.open({ bucket, prefix, s3 }, overwrite, async (journal) => {
    if (flags.resume !== true) return false;
    earlier = await journal.plan();
    if (samePlan(earlier, planned.plan)) return true;
    throw new FuseError(
      "Usage",
      "the interrupted run was another conversion (input or flags differ)",
      { source: journal.bucket.uri(prefix), remedy: "Run without --resume to begin anew" },
    );
  });
  if (!target) return null;
  if (earlier) planned.plan = earlier;
  const { plan } = planned;
  const reopens = plan.sources.every((s) => s !== null && s.kind !== "memory" && s.kind !== "blob");
  const bytes = Math.max(plan.outputBytes, plan.input.size ?? Infinity);
  if (!reopens || bytes <= INLINE_BYTES) return { target, output: target.uri };
  const journal = target.journal();
  if (!earlier) await journal.begin(plan);
  return { target, output: target.uri, journal };
}

/** Puts the report beside the stores. */
export async function uploadReport(
  { bucket, prefix }: BucketRoot,
  title: string,
  files: FileReport[],
  flags: FlagValues,
): Promise<void> {
  const text = JSON.stringify({ title, files }, null, 2) + "\n";
  await (await S3Bucket.of(bucket, sourceOptions(flags).s3 ?? {})).put(
    keyBelow(prefix, "report.json"),
    new TextEncoder().encode(text),
  );
}
