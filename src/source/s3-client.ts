/** The AWS SDK's client, loaded when first needed: for what is written, and for credentials of profiles and roles. */
import type { S3Client } from "@aws-sdk/client-s3";
import { FIRST_REGION } from "./s3-requests.ts";
import type { S3Options } from "./source.ts";

const clients = new Map<string, Promise<S3Client>>();

/** The client of a service, shared by everything that uses it. */
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
    region: access.region ?? (access.signed ? await profileRegion() : FIRST_REGION),
    endpoint: access.endpoint,
    forcePathStyle: access.endpoint !== undefined,
    followRegionRedirects: true,
    // The SDK's own handler under Node's API moves bytes at a third of the speed of fetch.
    requestHandler: new FetchHttpHandler(),
    // Repetition is ours, so that attempts are counted.
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

/** The region of the user's profile; else the first region of all. */
export async function profileRegion(): Promise<string> {
  const { S3Client } = await import("@aws-sdk/client-s3");
  return await new S3Client({}).config.region().catch(() => FIRST_REGION);
}
