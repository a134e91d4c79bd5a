/** What a conversion reports while it runs; the command line and `--json` show exactly these. */
import type { ErrorTag } from "./errors.ts";

/** Progress of one file or of a whole job. */
export type ProgressEvent =
  /** A job begins: how many files and bytes it has, as far as known. */
  | { type: "job"; files: number; bytes: number }
  /** A file was identified and planned. */
  | { type: "file-start"; file: string; format: string; bytes: number; tasks: number }
  /** A task of a file is done. */
  | {
    type: "task";
    file: string;
    done: number;
    tasks: number;
    bytesRead: number;
    bytesWritten: number;
  }
  /** A file is finished, one way or another. */
  | { type: "file-end"; file: string; report: FileReport }
  | { type: "warning"; file: string; message: string }
  /** The job is finished. */
  | {
    type: "job-end";
    ok: number;
    failed: number;
    unsupported: number;
    skipped: number;
    seconds: number;
  };

/** Receives events; must not throw. */
export type ProgressListener = (event: ProgressEvent) => void;

/** What became of one file: a row of `report.json`. */
export interface FileReport {
  /** Path below the dataset's primary folder, or the input as given. */
  path: string;
  /** Where the input is: path, URL or `s3://` address. */
  uri: string;
  /** Name of its format; null when unknown. */
  format: string | null;
  /** Id of its format, as `--format` takes it. */
  descriptor: string | null;
  /** How sure the format was of the file, 0 .. 255. */
  score: number | null;
  /** What became of it; "unsupported" is a file no reader takes or takes in full. */
  status: "ok" | "failed" | "unsupported" | "skipped";
  /** Why it failed; null when it did not. */
  error: { tag: ErrorTag; message: string } | null;
  /** Where the output is; null when none was written. */
  output: string | null;
  /** All files of the output, where there are several. */
  outputs?: string[];
  /** Bytes read from the input. */
  bytesIn: number;
  /** Bytes written to the output. */
  bytesOut: number;
  /** Seconds it took. */
  seconds: number;
  /** ETag or sha256 of the input where the service gives one. */
  etag: string | null;
  /** sha256 of the input where the dataset's manifest states it. */
  sha256: string | null;
  /** What was doubtful or repaired. */
  warnings: string[];
}
