/** Where the keys of a store go. A target knows no formats; a sink knows no places. */
import type { S3Place } from "./s3-place.ts";

/** Plain data from which a worker can open the same target. */
export type TargetSpec =
  /** A folder being written; it gets its final name when the conversion is complete. */
  | { kind: "directory"; path: string }
  /** Objects below an S3 prefix. */
  | { kind: "s3"; place: S3Place }
  /** Objects are handed to the thread that owns the target. */
  | { kind: "owner" };

/** One object being written, front to back. */
export interface ObjectWriter {
  /** Bytes written so far. */
  readonly length: number;
  /** Appends bytes; `bytes` may be reused by the caller afterwards. */
  write(bytes: Uint8Array): void;
  /** Makes the object appear under its key, whole. */
  close(): void;
  /** Drops what was written. */
  abort(): void;
}

/** A place for keys. Objects appear whole or not at all. */
export interface Target {
  /** How a worker opens the same target. */
  readonly spec: TargetSpec;
  /** Begins an object; it appears under its key when it is closed. */
  create(key: string): ObjectWriter;
  /** Writes a small object in one go. */
  put(key: string, bytes: Uint8Array): void;
  /** Holds the work back while too much waits to be written; absent where writing is immediate. */
  drain?(): Promise<void>;
  /** Gives the finished store its place; nothing opens as a store before. */
  finish(): Promise<void>;
  /** Removes everything written. */
  abort(): Promise<void>;
  /** Stops writing and leaves what is there, for a run that goes on; absent where there is nothing to stop. */
  suspend?(): Promise<void>;
}
