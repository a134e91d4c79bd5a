/** Objects of S3 and services that speak its protocol, through the AWS SDK, which is loaded when first needed. */
import { FuseError, isFuseError } from "../errors.ts";
import { newStats, RangeSource, type RangeTransport } from "./ranges.ts";
import { checkAborted, DEFAULT_RETRY, retry, type RetryPolicy, TransientFailure } from "./retry.ts";
import { cleanKeyPath } from "../sparc/keys.ts";
import { s3Access } from "./s3-access.ts";
import { s3Failure } from "./s3-failures.ts";
import type { ByteSource, ReadOptions, S3Options, SourceSpec, SourceStats } from "./source.ts";
import { baseName, joinKey } from "./urls.ts";
import type { GetObjectCommandOutput, S3Client } from "@aws-sdk/client-s3";

/** The `s3` kind of a {@link SourceSpec}. */
export type S3Spec = Extract<SourceSpec, { kind: "s3" }>;

/** Bytes asked for by the request that opens an object of unknown size. */
const OPENING_BYTES = 64 << 10;

const clients = new Map<string, Promise<S3Client>>();

/** The client of a service, shared by everything that reads from it. */
export function s3Client(access: S3Options): Promise<S3Client> {
  const key = JSON.stringify([access.endpoint, access.region, access.signed]);
  let client = clients.get(key);
  if (!client) {
    client = makeClient(access);
    clients.set(key, client);
  }
  return client;
}

async function makeClient(access: S3Options): Promise<S3Client> {
  const [{ S3Client }, { FetchHttpHandler }] = await Promise.all([
    import("@aws-sdk/client-s3"),
    import("@smithy/fetch-http-handler"),
  ]);
  return new S3Client({
    region: access.region ?? await profileRegion(access),
    endpoint: access.endpoint,
    forcePathStyle: access.endpoint !== undefined,
    followRegionRedirects: true,
    // The SDK's own handler under Node's API moves bytes at a third of the speed of fetch.
    requestHandler: new FetchHttpHandler(),
    // Repetition is ours, so that attempts are counted and cut bodies resumed.
    maxAttempts: 1,
    responseChecksumValidation: "WHEN_REQUIRED",
    requestChecksumCalculation: "WHEN_REQUIRED",
    ...(access.signed ? {} : {
      // An unsigned request: no credentials are looked for, none are sent.
      signer: { sign: (request) => Promise.resolve(request) },
      credentials: { accessKeyId: "", secretAccessKey: "" },
    }),
  });
}

/** The region of the user's profile, where requests are signed; else the first region of all. */
async function profileRegion(access: S3Options): Promise<string> {
  const { S3Client } = await import("@aws-sdk/client-s3");
  const fallback = "us-east-1";
  return access.signed ? await new S3Client({}).config.region().catch(() => fallback) : fallback;
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
  async get(start: number, end: number, signal?: AbortSignal): Promise<GetObjectCommandOutput> {
    const { GetObjectCommand } = await import("@aws-sdk/client-s3");
    const client = await s3Client(this.access);
    try {
      return await client.send(
        new GetObjectCommand({
          Bucket: this.spec.bucket,
          Key: this.spec.key,
          VersionId: this.spec.versionId,
          Range: `bytes=${start}-${end - 1}`,
          IfMatch: this.tag,
          RequestPayer: this.access.requesterPays ? "requester" : undefined,
        }),
        { abortSignal: signal },
      );
    } catch (error) {
      throw s3Failure(error, this.uri, this.access, start > 0 ? { offset: start } : {});
    }
  }

  async open(start: number, end: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const answer = await this.get(start, end, signal);
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.ContentRange ?? "");
    const body = answer.Body!.transformToWebStream() as ReadableStream<Uint8Array>;
    const total = range ? Number(range[2]) : undefined;
    if (total !== undefined && this.size !== undefined && total !== this.size) {
      await body.cancel();
      throw new FuseError("Network", "the object has another size than expected", {
        source: this.uri,
        found: `${total} bytes`,
        expected: `${this.size} bytes`,
      });
    }
    if (range ? Number(range[1]) !== start : start > 0) {
      await body.cancel();
      throw new FuseError("Network", "the service answers another range", {
        source: this.uri,
        offset: start,
        found: answer.ContentRange ?? "the whole object",
      });
    }
    this.tag ??= answer.ETag;
    return body;
  }

  /** Size, ETag and first bytes of an object, by one ranged GET (and a HEAD for an empty object). */
  async opening(stats: SourceStats, signal?: AbortSignal): Promise<Uint8Array> {
    stats.requests++;
    let answer: GetObjectCommandOutput;
    try {
      answer = await this.get(0, OPENING_BYTES, signal);
    } catch (error) {
      if (!isFuseError(error) || !String(error.details.found).includes("416")) throw error;
      // No byte satisfies any range of an empty object.
      this.size = 0;
      return new Uint8Array(0);
    }
    const head = await answer.Body!.transformToByteArray();
    stats.bytes += head.length;
    const total = /\/(\d+)$/.exec(answer.ContentRange ?? "")?.[1];
    const size = total === undefined ? answer.ContentLength : Number(total);
    if (size === undefined || head.length < Math.min(size, OPENING_BYTES)) {
      throw new TransientFailure(`${head.length} bytes of an object of ${size}`);
    }
    this.size = size;
    this.tag ??= answer.ETag;
    return head.length > size ? head.subarray(0, size) : head;
  }
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
    options: { signal?: AbortSignal; retry?: Partial<RetryPolicy> } = {},
  ): Promise<S3Source> {
    const transport = new S3Transport(spec, s3Access(spec.bucket, spec.s3));
    const policy: RetryPolicy = { ...DEFAULT_RETRY, ...options.retry };
    const stats = newStats();
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
        return await S3Source.open(spec, { retry: this.policy });
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
      for await (const object of listObjects({ bucket, prefix, s3, delimiter: "/" })) {
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
}): AsyncGenerator<S3Listed> {
  const { ListObjectsV2Command } = await import("@aws-sdk/client-s3");
  const { bucket, prefix, delimiter, signal } = options;
  const access = s3Access(bucket, options.s3);
  const client = await s3Client(access);
  const policy: RetryPolicy = { ...DEFAULT_RETRY, ...options.retry };
  const uri = `s3://${bucket}/${prefix}`;
  let token: string | undefined;
  do {
    const page = await retry(
      async () => {
        try {
          return await client.send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: prefix,
              Delimiter: delimiter,
              ContinuationToken: token,
              RequestPayer: access.requesterPays ? "requester" : undefined,
            }),
            { abortSignal: signal },
          );
        } catch (error) {
          throw s3Failure(error, uri, access);
        }
      },
      policy,
      { source: uri },
      { signal },
    );
    for (const folder of page.CommonPrefixes ?? []) {
      yield { key: folder.Prefix!, folder: true, size: 0 };
    }
    for (const object of page.Contents ?? []) {
      yield { key: object.Key!, folder: false, size: object.Size ?? 0, tag: object.ETag };
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (token);
}

/** `s3://bucket/key?versionId=...`. */
export function s3Uri(spec: { bucket: string; key: string; versionId?: string }): string {
  const version = spec.versionId ? `?versionId=${spec.versionId}` : "";
  return `s3://${spec.bucket}/${spec.key}${version}`;
}
