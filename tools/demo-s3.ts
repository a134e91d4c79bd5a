/**
 * A small S3 endpoint for loopback: path-style GET and HEAD with ranges and versions, and ListObjectsV2.
 * It follows the rules that matter to a reader: open buckets refuse nothing, requester-pays buckets
 * refuse unsigned requests and requests without `x-amz-request-payer`.
 */

/** One version of an object. */
export interface DemoObject {
  bytes: Uint8Array;
  versionId?: string;
}

/** A bucket: objects by key, the latest version first. */
export interface DemoBucket {
  objects: Map<string, DemoObject[]>;
  requesterPays: boolean;
}

/** What one request looked like, for tests. */
export interface S3Request {
  method: string;
  bucket: string;
  key: string;
  query: URLSearchParams;
  range: string | null;
  signed: boolean;
}

/** Ways to misbehave; counters are used up. */
export interface S3Misbehaviour {
  /** Answer 503 SlowDown this many times. */
  slowDowns?: number;
  /** End bodies after this many bytes, `cuts` times. */
  cutAfterBytes?: number;
  cuts?: number;
  /** Signed URLs have run out, for this many requests. */
  expirations?: number;
}

/** Buckets behind one handler. */
export class DemoS3 {
  readonly buckets = new Map<string, DemoBucket>();
  readonly requests: S3Request[] = [];
  misbehave: S3Misbehaviour = {};
  /** Most keys of one page of a listing. */
  pageKeys = 1000;

  /** Adds or replaces an object; a new version goes before the older ones. */
  put(bucket: string, key: string, bytes: Uint8Array, versionId?: string): void {
    let place = this.buckets.get(bucket);
    if (!place) this.buckets.set(bucket, place = { objects: new Map(), requesterPays: false });
    const versions = versionId === undefined ? [] : place.objects.get(key) ?? [];
    place.objects.set(key, [{ bytes, versionId }, ...versions]);
  }

  /** Makes the readers of a bucket pay. */
  setRequesterPays(bucket: string): void {
    const place = this.buckets.get(bucket);
    if (place) place.requesterPays = true;
    else this.buckets.set(bucket, { objects: new Map(), requesterPays: true });
  }

  /** Answers one request. */
  async handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const [, bucket, ...rest] = url.pathname.split("/");
    const key = rest.map(decodeURIComponent).join("/");
    const query = url.searchParams;
    const presigned = query.has("X-Amz-Signature");
    const signed = request.headers.has("Authorization") || presigned;
    this.requests.push({
      method: request.method,
      bucket,
      key,
      query,
      range: request.headers.get("Range"),
      signed,
    });
    if (request.method !== "GET" && request.method !== "HEAD") {
      return failure(405, "MethodNotAllowed", "The method is not allowed.");
    }
    if (this.misbehave.slowDowns && this.misbehave.slowDowns-- > 0) {
      return failure(503, "SlowDown", "Please reduce your request rate.", { "Retry-After": "0" });
    }
    const place = this.buckets.get(bucket);
    if (!place) return failure(404, "NoSuchBucket", "The specified bucket does not exist.");
    const expired = this.misbehave.expirations && this.misbehave.expirations-- > 0;
    if (presigned && (expired || isExpired(query))) {
      return failure(403, "AccessDenied", "Request has expired");
    }
    const paid = presigned || request.headers.get("x-amz-request-payer") === "requester";
    if (place.requesterPays && !(signed && paid)) {
      return failure(403, "AccessDenied", "Access Denied");
    }
    if (key === "") return this.#list(bucket, place, query);
    return await this.#get(request, place, key, query);
  }

  async #get(
    request: Request,
    place: DemoBucket,
    key: string,
    query: URLSearchParams,
  ): Promise<Response> {
    const versions = place.objects.get(key);
    const wanted = query.get("versionId");
    const object = wanted ? versions?.find((v) => v.versionId === wanted) : versions?.[0];
    if (!object) {
      return wanted && versions
        ? failure(404, "NoSuchVersion", "The specified version does not exist.")
        : failure(404, "NoSuchKey", "The specified key does not exist.");
    }
    const etag = await etagOf(object.bytes);
    const ifMatch = request.headers.get("If-Match");
    if (ifMatch && ifMatch !== etag) {
      return failure(412, "PreconditionFailed", "At least one of the conditions did not hold.");
    }
    const headers = new Headers({
      ETag: etag,
      "Accept-Ranges": "bytes",
      "Content-Type": "application/octet-stream",
      ...(object.versionId ? { "x-amz-version-id": object.versionId } : {}),
    });
    const total = object.bytes.length;
    let body = object.bytes;
    let status = 200;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("Range") ?? "");
    if (range) {
      const start = Number(range[1]);
      const end = range[2] === "" ? total : Math.min(total, Number(range[2]) + 1);
      if (start >= total) {
        return failure(416, "InvalidRange", "The requested range is not satisfiable", {
          "Content-Range": `bytes */${total}`,
        });
      }
      headers.set("Content-Range", `bytes ${start}-${end - 1}/${total}`);
      body = body.subarray(start, end);
      status = 206;
    }
    headers.set("Content-Length", String(body.length));
    if (request.method === "HEAD") return new Response(null, { status, headers });
    if (this.misbehave.cuts && this.misbehave.cuts-- > 0) {
      const sent = body.slice(0, this.misbehave.cutAfterBytes ?? 0);
      // Fewer bytes than promised: the connection breaks.
      return new Response(new Blob([sent]).stream(), { status, headers });
    }
    return new Response(body.slice(), { status, headers });
  }

  #list(bucket: string, place: DemoBucket, query: URLSearchParams): Response {
    if (query.get("list-type") !== "2") {
      return failure(400, "InvalidArgument", "Only ListObjectsV2 is offered.");
    }
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter");
    const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
    const limit = Math.min(this.pageKeys, Number(query.get("max-keys") ?? 1000));
    const entries = new Map<string, DemoObject | undefined>();
    for (const [key, versions] of [...place.objects].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!key.startsWith(prefix)) continue;
      const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      if (cut < 0) entries.set(key, versions[0]);
      else entries.set(key.slice(0, cut + delimiter!.length), undefined);
    }
    const left = [...entries].filter(([name]) => name > after);
    const page = left.slice(0, limit);
    const truncated = page.length < left.length;
    const xml = [
      `<?xml version="1.0" encoding="UTF-8"?>`,
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`,
      `<Name>${escape(bucket)}</Name><Prefix>${escape(prefix)}</Prefix>`,
      `<KeyCount>${page.length}</KeyCount><MaxKeys>${limit}</MaxKeys>`,
      `<IsTruncated>${truncated}</IsTruncated>`,
      truncated
        ? `<NextContinuationToken>${escape(page[page.length - 1][0])}</NextContinuationToken>`
        : "",
      ...page.map(([name, object]) =>
        object
          ? `<Contents><Key>${escape(name)}</Key><Size>${object.bytes.length}</Size></Contents>`
          : `<CommonPrefixes><Prefix>${escape(name)}</Prefix></CommonPrefixes>`
      ),
      `</ListBucketResult>`,
    ].join("");
    return new Response(xml, { headers: { "Content-Type": "application/xml" } });
  }
}

const etags = new WeakMap<Uint8Array, string>();

async function etagOf(bytes: Uint8Array): Promise<string> {
  let etag = etags.get(bytes);
  if (!etag) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice()));
    etag = `"${[...digest.subarray(0, 16)].map((b) => b.toString(16).padStart(2, "0")).join("")}"`;
    etags.set(bytes, etag);
  }
  return etag;
}

function isExpired(query: URLSearchParams): boolean {
  const date = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(query.get("X-Amz-Date") ?? "");
  if (!date) return false;
  const [y, mo, d, h, mi, s] = date.slice(1).map(Number);
  return Date.UTC(y, mo - 1, d, h, mi, s) + Number(query.get("X-Amz-Expires")) * 1000 < Date.now();
}

function failure(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return new Response(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
    { status, headers: { "Content-Type": "application/xml", ...headers } },
  );
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
