/** Objects of S3 and services that speak its protocol, read by ranges and listed. */
import { FuseError, isFuseError } from "../errors.ts";
import { newStats, RangeSource, type RangeTransport } from "./ranges.ts";
import { checkAborted, DEFAULT_RETRY, retry, type RetryPolicy, TransientFailure } from "./retry.ts";
import { cleanKeyPath } from "../sparc/keys.ts";
import { s3Access } from "./s3-access.ts";
import { s3Failure } from "./s3-failures.ts";
import { s3Request } from "./s3-requests.ts";
import { parseXml } from "./s3-xml.ts";
import type { ByteSource, ReadOptions, S3Options, SourceSpec, SourceStats } from "./source.ts";
import { baseName, joinKey } from "./urls.ts";

/** The `s3` kind of a {@link SourceSpec}. */
export type S3Spec = Extract<SourceSpec, { kind: "s3" }>;

/** Bytes asked for by the request that opens an object of unknown size. */
const OPENING_BYTES = 64 << 10;

/** What an object's answer says of it. */
interface ObjectAnswer {
  body: ReadableStream<Uint8Array>;
  /** First byte of the answer. */
  start: number;
  /** Length of the whole object; undefined where the service does not tell. */
  total: number | undefined;
  tag: string | undefined;
}

class S3Transport implements RangeTransport {
  size: number | undefined;
  tag: string | undefined;
  readonly uri: string;

  constructor(readonly spec: S3Spec, readonly access: S3Options) {
    this.size = spec.size;
    this.tag = spec.tag;
    this.uri = s3Uri(spec);
  }

  /** Sends a ranged GET; what may pass is thrown as TransientFailure, the rest as FuseError. */
  async get(start: number, end: number, signal?: AbortSignal): Promise<ObjectAnswer> {
    const { bucket, key, versionId } = this.spec;
    try {
      const answer = await s3Request(this.access, {
        bucket,
        key,
        query: { versionId },
        headers: { range: `bytes=${start}-${end - 1}`, "if-match": this.tag },
        signal,
      });
      const { headers } = answer;
      const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "");
      const length = headers.get("content-length");
      return {
        body: answer.body ?? new Blob().stream(),
        start: Number(range?.[1] ?? 0),
        total: range ? Number(range[2]) : length === null ? undefined : Number(length),
        tag: headers.get("etag") ?? undefined,
      };
    } catch (error) {
      throw s3Failure(error, this.uri, this.access, start > 0 ? { offset: start } : {});
    }
  }

  async open(start: number, end: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { body, start: first, total, tag } = await this.get(start, end, signal);
    if (total !== undefined && this.size !== undefined && total !== this.size) {
      await body.cancel();
      throw new FuseError("Network", "the object has another size than expected", {
        source: this.uri,
        found: `${total} bytes`,
        expected: `${this.size} bytes`,
      });
    }
    if (first !== start) {
      await body.cancel();
      throw new FuseError("Network", "the service answers another range", {
        source: this.uri,
        offset: start,
        found: `from byte ${first}`,
      });
    }
    this.tag ??= tag;
    return body;
  }

  /** Size, ETag and first bytes of an object, by one ranged GET (and a HEAD for an empty object). */
  async opening(stats: SourceStats, signal?: AbortSignal): Promise<Uint8Array> {
    stats.requests++;
    let answer: ObjectAnswer;
    try {
      answer = await this.get(0, OPENING_BYTES, signal);
    } catch (error) {
      if (!isFuseError(error) || !String(error.details.found).includes("416")) throw error;
      // No byte satisfies any range of an empty object.
      this.size = 0;
      return new Uint8Array(0);
    }
    const head = await firstBytes(answer.body, OPENING_BYTES);
    stats.bytes += head.length;
    const { total } = answer;
    if (total === undefined || head.length < Math.min(total, OPENING_BYTES)) {
      throw new TransientFailure(`${head.length} bytes of an object of ${total}`);
    }
    this.size = total;
    this.tag ??= answer.tag;
    return head;
  }
}

/** Up to `most` bytes of a body, which may go on: a service may know no ranges. */
async function firstBytes(body: ReadableStream<Uint8Array>, most: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(most);
  let length = 0;
  for await (const piece of body) {
    const taken = piece.subarray(0, most - length);
    bytes.set(taken, length);
    length += taken.length;
    if (length === most) break;
  }
  return bytes.subarray(0, length);
}

/** One object, read by byte ranges. */
export class S3Source extends RangeSource {
  readonly name: string;
  readonly size: number;
  protected readonly transport: S3Transport;
  readonly #head: Uint8Array;

  private constructor(
    transport: S3Transport,
    head: Uint8Array,
    policy: RetryPolicy,
    stats: SourceStats,
  ) {
    super(policy, stats);
    this.transport = transport;
    this.size = transport.size!;
    this.name = transport.spec.name ?? baseName(transport.spec.key.replaceAll("%", "%25"));
    this.#head = head;
  }

  /**
   * Opens an object; costs one request unless the spec tells the size.
   * @throws FuseError `Network`.
   */
  static async open(
    spec: S3Spec,
    options: { signal?: AbortSignal; retry?: Partial<RetryPolicy>; stats?: SourceStats } = {},
  ): Promise<S3Source> {
    const transport = new S3Transport(spec, s3Access(spec.bucket, spec.s3));
    const policy: RetryPolicy = { ...DEFAULT_RETRY, ...options.retry };
    const stats = options.stats ?? newStats();
    const head = spec.size === undefined
      ? await retry(
        () => transport.opening(stats, options.signal),
        policy,
        { source: transport.uri },
        { signal: options.signal, onRetry: () => stats.retries++ },
      )
      : new Uint8Array(0);
    return new S3Source(transport, head, policy, stats);
  }

  get uri(): string {
    return this.transport.uri;
  }

  get tag(): string | undefined {
    return this.transport.tag;
  }

  get spec(): SourceSpec {
    return { ...this.transport.spec, size: this.size, tag: this.tag, name: this.name };
  }

  override async readInto(
    offset: number,
    target: Uint8Array,
    options: ReadOptions = {},
  ): Promise<void> {
    const held = this.#head.subarray(Math.max(0, offset), offset + target.length);
    if (held.length < target.length) return await super.readInto(offset, target, options);
    checkAborted(options.signal, { source: this.uri, offset });
    target.set(held);
  }

  /** Looks for the key as the path says it, then as publishing cleans names. */
  async sibling(relativePath: string): Promise<ByteSource | null> {
    const { bucket, key, s3 } = this.transport.spec;
    const name = relativePath.split(/[\\/]/).pop();
    for (const path of new Set([relativePath, cleanKeyPath(relativePath)])) {
      const place = joinKey(key, path);
      if (place === undefined) return null;
      try {
        const spec: S3Spec = { kind: "s3", bucket, key: place, s3, name };
        // What a set costs is counted as one.
        return await S3Source.open(spec, { retry: this.policy, stats: this.stats });
      } catch (error) {
        // Without the right to list, a missing object is 403 rather than 404.
        if (!isFuseError(error, "Network") || !/HTTP 40[34]/.test(String(error.details.found))) {
          throw error;
        }
      }
    }
    return null;
  }

  async siblingNames(): Promise<string[] | null> {
    const { bucket, key, s3 } = this.transport.spec;
    const prefix = key.slice(0, key.lastIndexOf("/") + 1);
    const names: string[] = [];
    try {
      for await (
        const object of listObjects({ bucket, prefix, s3, delimiter: "/", stats: this.stats })
      ) {
        if (!object.folder) names.push(object.key.slice(prefix.length));
      }
    } catch (error) {
      if (isFuseError(error, "Network")) return null;
      throw error;
    }
    return names;
  }
}

/** An object, or with a delimiter a folder, of a listing. */
export interface S3Listed {
  key: string;
  /** True for a common prefix, which ends with the delimiter. */
  folder: boolean;
  size: number;
  tag?: string;
}

/** Lists the objects below a prefix, page after page (ListObjectsV2). */
export async function* listObjects(options: {
  bucket: string;
  prefix: string;
  s3: S3Options;
  delimiter?: string;
  signal?: AbortSignal;
  retry?: Partial<RetryPolicy>;
  /** Counters the requests are added to. */
  stats?: SourceStats;
}): AsyncGenerator<S3Listed> {
  const { bucket, prefix, delimiter, signal, stats } = options;
  const access = s3Access(bucket, options.s3);
  const policy: RetryPolicy = { ...DEFAULT_RETRY, ...options.retry };
  const uri = `s3://${bucket}/${prefix}`;
  let token: string | undefined;
  do {
    const page: string = await retry(
      async () => {
        if (stats) stats.requests++;
        try {
          const query = { "list-type": "2", prefix, delimiter, "continuation-token": token };
          const text = await (await s3Request(access, { bucket, query, signal })).text();
          if (stats) stats.bytes += text.length;
          return text;
        } catch (error) {
          throw s3Failure(error, uri, access);
        }
      },
      policy,
      { source: uri },
      { signal },
    );
    const listing = parseXml(page);
    if (listing.name !== "ListBucketResult") {
      throw new FuseError("Network", "the service does not list its objects", {
        source: uri,
        found: page.slice(0, 80),
      });
    }
    for (const folder of listing.all("CommonPrefixes")) {
      yield { key: folder.value("Prefix")!, folder: true, size: 0 };
    }
    for (const object of listing.all("Contents")) {
      yield {
        key: object.value("Key")!,
        folder: false,
        size: Number(object.value("Size") ?? 0),
        tag: object.value("ETag"),
      };
    }
    token = listing.value("IsTruncated") === "true"
      ? listing.value("NextContinuationToken")
      : undefined;
  } while (token);
}

/** `s3://bucket/key?versionId=...`. */
export function s3Uri(spec: { bucket: string; key: string; versionId?: string }): string {
  const version = spec.versionId ? `?versionId=${spec.versionId}` : "";
  return `s3://${spec.bucket}/${spec.key}${version}`;
}
