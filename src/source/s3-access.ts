/** Which buckets are open, which bill their readers, and what the environment says of S3. */
import type { S3Options } from "./source.ts";

/**
 * How a bucket is read: never signed for SPARC's Open Data bucket, signed and requester-pays for
 * Pennsieve's other publish buckets, else as the options say.
 */
export function s3Access(bucket: string, options: S3Options): S3Options {
  if (isOpenDataBucket(bucket)) return { ...options, signed: false, requesterPays: false };
  const requesterPays = options.requesterPays ?? isRequesterPaysBucket(bucket);
  return { ...options, requesterPays, signed: options.signed ?? requesterPays };
}

/** AWS's Open Data copy of SPARC: anonymous reads (Registry of Open Data, `sparc`). */
export function isOpenDataBucket(bucket: string): boolean {
  return bucket.includes("aod-discover");
}

/** Pennsieve's publish and embargo buckets, which bill their readers. */
export function isRequesterPaysBucket(bucket: string): boolean {
  return !isOpenDataBucket(bucket) &&
    /^(?:pennsieve-(?:prod|dev)|prd-sparc|dev-sparc)-?.*discover.*-use1$/.test(bucket);
}

/**
 * S3 options from the usual AWS variables: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION or
 * AWS_DEFAULT_REGION, and whether there are credentials to sign with.
 */
export function s3OptionsFromEnvironment(get: (name: string) => string | undefined): S3Options {
  const endpoint = get("AWS_ENDPOINT_URL_S3") || get("AWS_ENDPOINT_URL");
  const region = get("AWS_REGION") || get("AWS_DEFAULT_REGION");
  const credentials = get("AWS_ACCESS_KEY_ID") || get("AWS_PROFILE") ||
    get("AWS_WEB_IDENTITY_TOKEN_FILE") || get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  return {
    ...(endpoint ? { endpoint } : {}),
    ...(region ? { region } : {}),
    ...(credentials ? { signed: true } : {}),
  };
}
