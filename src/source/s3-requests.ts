/**
 * Requests to S3 by the platform's fetch: signed where there are credentials to sign with, in the
 * addressing style of the service. The SDK, which takes longer to load than a slice takes to read, and
 * hashes bodies at a quarter of the speed they are sent with, is only asked for credentials that are not in
 * the environment.
 */
import { FuseError } from "../errors.ts";
import { parseXml } from "./s3-xml.ts";
import type { S3Options } from "./source.ts";

/** What signs a request. */
interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** What is asked of an object or a bucket. */
export interface S3Ask {
  /** "GET" unless given. */
  method?: string;
  bucket: string;
  /** Absent for the bucket itself. */
  key?: string;
  query?: Record<string, string | undefined>;
  headers?: Record<string, string | undefined>;
  /** Checked by a checksum in the headers, not by the signature. */
  body?: Uint8Array<ArrayBuffer>;
  signal?: AbortSignal;
}

/** A refusal, in the shape the SDK gives them. */
export class S3Refusal extends Error {
  readonly $metadata: { httpStatusCode: number };
  readonly $response: { headers: Record<string, string> };

  constructor(override readonly name: string, message: string, status: number, headers: Headers) {
    super(message);
    this.$metadata = { httpStatusCode: status };
    this.$response = { headers: Object.fromEntries(headers) };
  }
}

/** Region in which requests are signed unless something says otherwise. */
export const FIRST_REGION = "us-east-1";

/** Regions of buckets, as services told them. */
const regions = new Map<string, string>();

/**
 * Sends a request, to the bucket's own region where it is another than the one asked.
 * @throws S3Refusal for any answer but success, FuseError `Network` without credentials, and what fetch throws
 */
export async function s3Request(access: S3Options, ask: S3Ask): Promise<Response> {
  const told = `${access.endpoint ?? ""} ${ask.bucket}`;
  const region = regions.get(told) ?? access.region ?? await usualRegion(access);
  const answer = await send(access, ask, region);
  if (answer.ok) return answer;
  const own = answer.headers.get("x-amz-bucket-region");
  if (own && own !== region && [301, 307, 400, 403].includes(answer.status)) {
    await answer.body?.cancel();
    regions.set(told, own);
    const again = await send(access, ask, own);
    if (again.ok) return again;
    throw await refusal(again);
  }
  throw await refusal(answer);
}

async function send(access: S3Options, ask: S3Ask, region: string): Promise<Response> {
  const { method = "GET", body, signal } = ask;
  const url = addressOf(access, ask, region);
  const headers = new Headers();
  for (const [name, value] of Object.entries(ask.headers ?? {})) {
    if (value !== undefined) headers.set(name, value);
  }
  if (access.requesterPays) headers.set("x-amz-request-payer", "requester");
  if (!access.signed) return await fetch(url, { method, headers, body, signal });
  const { AwsV4Signer } = await import("aws4fetch");
  const signer = new AwsV4Signer({
    ...await credentials(),
    method,
    url: url.href,
    headers,
    service: "s3",
    region,
  });
  const signed = await signer.sign();
  return await fetch(signed.url, { method, headers: signed.headers, body, signal });
}

/** Path style for services with an endpoint, and for names TLS certificates do not cover. */
function addressOf(
  { endpoint }: S3Options,
  { bucket, key = "", query }: S3Ask,
  region: string,
): URL {
  const path = key.split("/").map(encodeSegment).join("/");
  const domain = `s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
  const base = endpoint !== undefined
    ? `${endpoint.replace(/\/+$/, "")}/${bucket}`
    : bucket.includes(".")
    ? `https://${domain}/${bucket}`
    : `https://${bucket}.${domain}`;
  const text = `${base}/${path}`;
  if (!URL.canParse(text)) {
    throw new FuseError("Usage", "the address of the service is not a URL", { found: endpoint });
  }
  const url = new URL(text);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

/** RFC 3986, as signatures want it; a segment of dots would be taken for a step up. */
function encodeSegment(segment: string): string {
  if (segment === "." || segment === "..") return segment.replaceAll(".", "%2E");
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function refusal(answer: Response): Promise<S3Refusal> {
  return refusalOf(answer, await answer.text());
}

/** What an answer with an error document says; services may only notice after they said 200. */
export function refusalOf(answer: Response, text: string): S3Refusal {
  const document = parseXml(text);
  const code = document.value("Code") ?? (answer.status === 404 ? "NotFound" : "Unknown");
  const status = answer.ok ? 500 : answer.status;
  return new S3Refusal(code, document.value("Message") ?? code, status, answer.headers);
}

/** Credentials of the environment; a profile that is named there goes before them. */
function environmentCredentials(): Credentials | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const env = process?.env ?? {};
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE } = env;
  if (AWS_PROFILE || !AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return undefined;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN || undefined,
  };
}

async function credentials(): Promise<Credentials> {
  const own = environmentCredentials();
  if (own) return own;
  const { accessKeyId, secretAccessKey, sessionToken } = await (await import("./s3-client.ts"))
    .profileCredentials();
  return { accessKeyId, secretAccessKey, sessionToken };
}

/** The region of the user's profile, where that signs the requests; else the first region of all. */
async function usualRegion(access: S3Options): Promise<string> {
  if (!access.signed || environmentCredentials()) return FIRST_REGION;
  return await (await import("./s3-client.ts")).profileRegion() ?? FIRST_REGION;
}
