/**
 * Where bytes come from. A ByteSource is read by ranges; everything above it (readers, tasks) is the
 * same whether the bytes lie on a disk, behind a URL, in a bucket, in a zip or in memory.
 */
import { FuseError } from "../errors.ts";

/** Plain data from which a worker can open the same source again. */
export type SourceSpec =
  | { kind: "file"; path: string; name?: string }
  | {
    kind: "http";
    url: string;
    headers?: Record<string, string>;
    size?: number;
    /** Name for the user where the URL's last segment is not it. */
    name?: string;
    /** ETag the bytes must still have. */
    tag?: string;
    /** Where to ask for a fresh URL when this one has run out. */
    renewal?: UrlRenewal;
  }
  | {
    kind: "s3";
    bucket: string;
    key: string;
    versionId?: string;
    size?: number;
    s3: S3Options;
    /** Name for the user where the key's last segment is not it. */
    name?: string;
    /** ETag the bytes must still have. */
    tag?: string;
  }
  | { kind: "zip"; archive: SourceSpec; member: string }
  | { kind: "memory"; name: string; bytes: Uint8Array }
  | { kind: "blob"; blob: Blob; name: string };

/** How to reach an S3 service. */
export interface S3Options {
  /** Endpoint URL for services other than AWS. */
  endpoint?: string;
  /** "us-east-1" unless given; redirects to other regions are followed. */
  region?: string;
  /** Sign requests with the environment's credentials; unsigned otherwise. */
  signed?: boolean;
  /** Accept the bill of a requester-pays bucket. */
  requesterPays?: boolean;
}

/** A file of a published dataset whose signed URL can be asked for again. */
export interface UrlRenewal {
  /** Base of the Discover API. */
  discoverUrl: string;
  /** Number of the dataset. */
  datasetId: number;
  /** Number of its version. */
  version: number;
  /** Key path of the file below the dataset's root: "files/primary/sub-1/20_1021.acq". */
  keyPath: string;
}

/** What reading a source has cost so far. */
export interface SourceStats {
  /** Requests sent, repeated ones included. */
  requests: number;
  /** Body bytes received, discarded ones included. */
  bytes: number;
  /** Requests repeated after a failure or a cut body. */
  retries: number;
}

/** Options of one read. */
export interface ReadOptions {
  /** Cancels the read. */
  signal?: AbortSignal;
  /** "header" reads are small, repeated and cached in blocks; "bulk" reads go past that cache. */
  purpose?: "header" | "bulk";
}

/** A sequence of bytes that can be read by ranges (`random`) or only once, in order (`forward`). */
export interface ByteSource {
  /** File name with its extension, as the user knows it. */
  readonly name: string;
  /** Path or URI, for messages and provenance. */
  readonly uri: string;
  /** Length in bytes; undefined when unknown (a pipe). */
  readonly size: number | undefined;
  /** Whether ranges can be read in any order, or bytes only come once, in order. */
  readonly access: "random" | "forward";
  /** Local reads are cheap and synchronous inside; remote reads have latency and should be few. */
  readonly distance: "local" | "remote";
  /** How a worker opens it again; undefined when it cannot be. */
  readonly spec: SourceSpec | undefined;
  /** ETag or similar, when the service gives one. */
  readonly tag?: string;
  /**
   * The file whose bytes these are, as they are, from byte `offset` on: an address for other programs.
   * Null when no file holds them so (they are compressed); absent where {@link ByteSource.uri} is that file.
   */
  readonly place?: { uri: string; offset: number } | null;
  /** Counters of remote sources, live; wrappers show those of the source below them. */
  readonly stats?: SourceStats;
  /**
   * Reads exactly `length` bytes.
   * @throws FuseError `Truncated` when the source ends before them, `Network` after failed retries.
   */
  read(offset: number, length: number, options?: ReadOptions): Promise<Uint8Array>;
  /** Reads up to `length` bytes: fewer only at the end of the source. */
  readUpTo(offset: number, length: number, options?: ReadOptions): Promise<Uint8Array>;
  /**
   * Fills `target` exactly. Local sources complete it without yielding to other code, so `target` may
   * be a view of wasm memory there.
   */
  readInto(offset: number, target: Uint8Array, options?: ReadOptions): Promise<void>;
  /** Bytes `[offset, offset + length)` as a byte-counted Web Stream (to the end when length is absent). */
  stream(offset: number, length?: number, options?: ReadOptions): ReadableStream<Uint8Array>;
  /** Another file of the same set, by path relative to this one's folder; null when it is not there. */
  sibling(relativePath: string): Promise<ByteSource | null>;
  /** Names in the same folder, or null when the place cannot be listed. */
  siblingNames(): Promise<string[] | null>;
  /** Frees handles, connections and caches; reads after it fail. */
  close(): Promise<void>;
}

/** The error every source throws when a read passes its end. */
export function truncated(
  source: { name: string; size?: number },
  offset: number,
  length: number,
  available: number,
): FuseError {
  return new FuseError("Truncated", "the file ends too early", {
    source: source.name,
    offset,
    found: `${Math.max(0, available)} bytes`,
    expected: `${length} bytes`,
  });
}

/** A DataView over bytes, whatever buffer they lie in. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
