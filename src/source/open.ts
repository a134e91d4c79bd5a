/** From what a user names (a path, a URL, a file of a page) to an open source. */
import { FuseError } from "../errors.ts";
import { BlobSource } from "./blob.ts";
import { type CacheBudget, CachedSource } from "./cache.ts";
import { type CoalesceBudget, CoalescedSource } from "./coalesce.ts";
import { HttpSource } from "./http.ts";
import { MemorySource } from "./memory.ts";
import type { RetryPolicy } from "./retry.ts";
import type { ByteSource, S3Options, SourceSpec } from "./source.ts";

/** What {@link openSource} opens. */
export type SourceInput = string | URL | Blob | SourceSpec | ByteSource;

/** How to reach the services inputs lie on. Plain data, apart from the last group. */
export interface SourceOptions {
  /** Cancels the opening; each read takes a signal of its own. */
  signal?: AbortSignal;
  /** Name for the user, where the path or URL does not give it. */
  name?: string;
  /** Extra request headers for http(s) inputs. */
  headers?: Record<string, string>;
  /** Service settings for `s3://` inputs. */
  s3?: S3Options;
  /** How persistent reads of remote sources are. */
  retry?: Partial<RetryPolicy>;
  /** Header cache of remote sources; false for none. */
  cache?: Partial<CacheBudget> | false;
  /** Joining of near reads of remote sources; false for none. */
  coalesce?: Partial<CoalesceBudget> | false;
  /** Window of forward sources, bytes. */
  windowBytes?: number;
  /** What sends requests; the platform's fetch by default. */
  fetch?: typeof fetch;
  /** What `-` reads from; standard input by default. */
  stdin?: ReadableStream<Uint8Array>;
}

/**
 * Opens an input: a path, `file://`, `http(s)://`, `s3://bucket/key[?versionId=...]`,
 * `archive.zip!/member` (of any of these), `-` for standard input, a Blob or File, or a spec.
 * Remote sources come with retries, a header cache and joined reads. An open source is returned as is.
 * @throws FuseError `Usage` for an input that does not exist or makes no sense, `Network`.
 */
export async function openSource(
  input: SourceInput,
  options: SourceOptions = {},
): Promise<ByteSource> {
  if (typeof input === "string") {
    if (input !== "-") return await openSpec(parseInput(input, options), options);
    const { pipeSource } = await import("./pipe.ts");
    const stdin = options.stdin ?? (await import("./file.ts")).standardInput();
    return pipeSource(stdin, { name: options.name, windowBytes: options.windowBytes });
  }
  if (input instanceof URL) return await openSource(input.href, options);
  if (input instanceof Blob) return new BlobSource(input, options.name);
  if ("read" in input) return input;
  return await openSpec(input, options);
}

/** Opens a spec, as a worker does with the specs of a task. */
export async function openSpec(
  spec: SourceSpec,
  options: SourceOptions = {},
): Promise<ByteSource> {
  const { signal, retry, fetch, windowBytes } = options;
  switch (spec.kind) {
    case "file":
      return (await import("./file.ts")).FileSource.open(spec.path, { name: spec.name });
    case "http": {
      const { url, headers, size, name, tag, renewal } = spec;
      const signed = renewal && (await import("../sparc/signed-urls.ts"));
      const client = { signal, fetch, retry };
      return wrapRemote(
        await HttpSource.open(url, {
          headers,
          size,
          name,
          tag,
          renewal,
          renewUrl: signed && (() => signed.freshUrl(renewal, client)),
          openSibling: signed && ((path) => signed.openSignedSibling(renewal, path, options)),
          signal,
          retry,
          fetch,
          windowBytes,
        }),
        options,
      );
    }
    case "s3": {
      const { S3Source } = await import("./s3.ts");
      return wrapRemote(await S3Source.open(spec, { signal, retry }), options);
    }
    case "zip": {
      const { openZipMember } = await import("./zip.ts");
      return await openZipMember(await openSpec(spec.archive, options), spec.member, options);
    }
    case "memory":
      return new MemorySource(spec.name, spec.bytes);
    case "blob":
      return new BlobSource(spec.blob, spec.name);
  }
}

/**
 * The source itself when it has random access; else a temporary copy of it that has, which closes the
 * source with it. `onCopy` is told, once, that a copy is made, and why.
 * @throws FuseError `NeedsRandomAccess` where there is no place for a copy (a browser page), `Sink`.
 */
export async function ensureRandomAccess(
  source: ByteSource,
  options: {
    signal?: AbortSignal;
    directory?: string;
    onCopy?: (message: string) => void;
    onProgress?: (bytes: number) => void;
  } = {},
): Promise<ByteSource> {
  if (source.access === "random") return source;
  let spool: typeof import("./file.ts").spoolToFile;
  try {
    spool = (await import("./file.ts")).spoolToFile;
  } catch (cause) {
    throw new FuseError("NeedsRandomAccess", "the bytes only come in order", {
      source: source.name,
      remedy: "Save it to a file first.",
      cause,
    });
  }
  options.onCopy?.(`${source.name} only flows forward: it is copied to a temporary file first`);
  const copy = await spool(source, options);
  await source.close();
  return copy;
}

/** Adds header cache and joined reads to a remote source with random access. */
export function wrapRemote(source: ByteSource, options: SourceOptions = {}): ByteSource {
  if (source.distance !== "remote" || source.access !== "random") return source;
  let wrapped = source;
  if (options.coalesce !== false) wrapped = new CoalescedSource(wrapped, options.coalesce);
  if (options.cache !== false) wrapped = new CachedSource(wrapped, options.cache);
  return wrapped;
}

/** `archive.zip!/member`; a folder whose name merely ends in "!" is no archive. */
const ZIP_MEMBER = /^(.+\.(?:zip|npz|ozx)(?:\?[^/]*)?)!\/(.+)$/i;

/**
 * The spec an input string names, without touching it.
 * @throws FuseError `Usage` for unknown schemes and addresses with missing parts.
 */
export function parseInput(input: string, options: SourceOptions = {}): SourceSpec {
  const member = ZIP_MEMBER.exec(input);
  if (member) {
    const { name: _name, ...outer } = options;
    return { kind: "zip", archive: parseInput(member[1], outer), member: member[2] };
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(input)?.[1].toLowerCase();
  switch (scheme) {
    case undefined:
      if (input === "") throw new FuseError("Usage", "the input's name is empty");
      return { kind: "file", path: input, ...named(options) };
    case "file":
      return { kind: "file", path: filePath(input), ...named(options) };
    case "http":
    case "https":
      if (!URL.canParse(input)) throw badInput(input, "not a URL");
      return { kind: "http", url: input, headers: options.headers, ...named(options) };
    case "s3":
      return { ...parseS3(input), s3: options.s3 ?? {}, ...named(options) };
    default:
      throw new FuseError("Usage", `unknown kind of address "${scheme}://"`, {
        source: input,
        expected: "a path, file://, http://, https:// or s3://",
      });
  }
}

function named(options: SourceOptions): { name?: string } {
  return options.name === undefined ? {} : { name: options.name };
}

function filePath(url: string): string {
  if (!URL.canParse(url)) throw badInput(url, "not a file URL");
  const path = decodeURIComponent(new URL(url).pathname);
  // file:///C:/data is the path C:/data.
  return /^\/[a-z]:\//i.test(path) ? path.slice(1) : path;
}

/** Bucket, key and version of `s3://bucket/key?versionId=...`; the key is taken literally. */
export function parseS3(
  uri: string,
): { kind: "s3"; bucket: string; key: string; versionId?: string } {
  const match = /^s3:\/\/([^/?#]+)\/(.+)$/i.exec(uri);
  if (!match) throw badInput(uri, "not of the form s3://bucket/key");
  const [key, versionId] = match[2].split(/\?versionId=/);
  return { kind: "s3", bucket: match[1], key, ...(versionId ? { versionId } : {}) };
}

function badInput(input: string, statement: string): FuseError {
  return new FuseError("Usage", statement, { source: input });
}
