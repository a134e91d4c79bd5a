/** Where outputs that are single files go: a folder, a bucket, or standard output. */
import { existsSync } from "node:fs";
import type { ByteOutput } from "../sinks/ordered/output.ts";
import { FileOutput } from "../sinks/targets/file-output.ts";
import { StdoutOutput } from "../sinks/targets/stdout.ts";
import type { S3Options } from "../source/source.ts";
import { temporaryFolder } from "./table-pass.ts";

/** A place that takes files by path. */
export interface OutputPlace {
  /** True where an output of this path is there already. */
  exists(path: string): Promise<boolean>;
  /** Begins an output; it appears when it is finished. */
  open(path: string, signal?: AbortSignal): Promise<ByteOutput>;
  /** A folder for the chunk files an output is joined from. */
  workFolder(path: string): string;
  /** The output's name in reports. */
  nameOf(path: string): string;
}

/** The file system. */
export const LOCAL: OutputPlace = {
  exists: (path) => Promise.resolve(existsSync(path)),
  open: (path) => Promise.resolve(new FileOutput(path)),
  workFolder: (path) => `${path}.partial`,
  nameOf: (path) => path,
};

/** Standard output, which is never there already. */
export const STDOUT: OutputPlace = {
  exists: () => Promise.resolve(false),
  open: () => Promise.resolve(new StdoutOutput()),
  workFolder: temporaryFolder,
  nameOf: () => "-",
};

/** The objects of a bucket, by key. Chunk files are collected among the local temporary files. */
export function bucketPlace(bucket: string, s3: S3Options): OutputPlace {
  const writer = async () => {
    const { S3Bucket } = await import("../sinks/targets/s3-bucket.ts");
    return await S3Bucket.of(bucket, s3);
  };
  return {
    exists: async (key) => await (await writer()).size(key) !== undefined,
    open: async (key, signal) => {
      const { S3Output } = await import("../sinks/targets/s3-output.ts");
      return new S3Output(await writer(), key, signal);
    },
    workFolder: temporaryFolder,
    nameOf: (key) => `s3://${bucket}/${key}`,
  };
}
