/** Where in a bucket an output goes. */
import type { S3Options } from "../../source/source.ts";

/** A prefix of a bucket; plain data. */
export interface S3Place {
  /** Name of the bucket. */
  bucket: string;
  /** Without slashes at its ends. */
  prefix: string;
  /** Service and account. */
  s3: S3Options;
}

/** The full key of a name below a prefix. */
export function keyBelow(prefix: string, name: string): string {
  return [prefix, name].filter((p) => p !== "").join("/");
}
