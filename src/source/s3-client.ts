/** The AWS SDK, loaded when first needed: it knows where the credentials of profiles and roles come from. */
import type { S3Client } from "@aws-sdk/client-s3";

let client: Promise<S3Client> | undefined;

/** The client of the user's profile or role. */
function profileClient(): Promise<S3Client> {
  return client ??= import("@aws-sdk/client-s3").then(({ S3Client }) => new S3Client({}));
}

/** Credentials of the user's profile or role; renewed when they run out. @throws what the SDK throws without any */
export async function profileCredentials(): Promise<{
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}> {
  return await (await profileClient()).config.credentials();
}

/** The region of the user's profile, if it has one. */
export async function profileRegion(): Promise<string | undefined> {
  return await (await profileClient()).config.region().catch(() => undefined);
}
