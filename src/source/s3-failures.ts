/** What an S3 service refuses, in words: which bucket and key, why, and what to do about it. */
import { type ErrorDetails, type ErrorTag, FuseError } from "../errors.ts";
import { isTransientStatus, parseRetryAfter, TransientFailure } from "./retry.ts";
import type { S3Options } from "./source.ts";

/** What the SDK throws, and reading does. */
interface ServiceError extends Error {
  $metadata?: { httpStatusCode?: number };
  $response?: { headers?: Record<string, string> };
}

/** Statements by the service's own error codes (S3 API reference, "List of error codes"). */
const STATEMENTS: Record<string, string> = {
  NoSuchBucket: "there is no such bucket",
  NoSuchKey: "there is no such object",
  NoSuchVersion: "there is no such version of the object",
  InvalidAccessKeyId: "the service does not know the access key",
  // Versity's gateway says so.
  XAdminUserNotFound: "the service does not know the access key",
  SignatureDoesNotMatch: "the secret key does not fit the access key",
  ExpiredToken: "the credentials have run out",
  InvalidToken: "the session token is not valid",
  PermanentRedirect: "the bucket lies in another region",
  AuthorizationHeaderMalformed: "the bucket lies in another region",
  InvalidObjectState: "this version of the object is archived",
  EntityTooLarge: "the object is larger than the service takes",
  InvalidBucketName: "this is no name of a bucket",
};

/**
 * What the SDK threw, as a failure that may pass or a final error with a remedy.
 * @param tag "Network" for reads, "Sink" for writes
 */
export function s3Failure(
  error: unknown,
  source: string,
  access: S3Options,
  place: ErrorDetails = {},
  tag: ErrorTag = "Network",
): unknown {
  if (!(error instanceof Error)) return error;
  const { $metadata, $response, name } = error as ServiceError;
  const status = $metadata?.httpStatusCode;
  if (name === "CredentialsProviderError") {
    return new FuseError(tag, "there are no credentials to sign the request with", {
      source,
      cause: error,
      remedy: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" +
        (access.requesterPays ? ": this bucket bills its readers." : "."),
    });
  }
  if (status === undefined) return error;
  if (isTransientStatus(status) || name === "SlowDown") {
    const after = parseRetryAfter($response?.headers?.["retry-after"]);
    return new TransientFailure(`HTTP ${status} (${name})`, after, error);
  }
  const found = `HTTP ${status} (${name}) after 1 attempt`;
  return new FuseError(tag, statement(name, status, tag), {
    source,
    found,
    cause: error,
    ...place,
    remedy: remedy(name, status, tag, access),
  });
}

function statement(name: string, status: number, tag: ErrorTag): string {
  const known = STATEMENTS[name];
  if (known) return known;
  switch (status) {
    case 301:
      return STATEMENTS.PermanentRedirect;
    case 403:
      return "access is denied";
    case 404:
      // An answer to HEAD has no body, and the SDK calls it NotFound.
      if (/^(NotFound|404|UnknownError|Unknown|Error)$/.test(name)) return STATEMENTS.NoSuchKey;
      break;
    case 412:
      return "the object changed while it was read";
  }
  return `the service refuses the ${tag === "Sink" ? "write" : "read"}`;
}

function remedy(
  name: string,
  status: number,
  tag: ErrorTag,
  access: S3Options,
): string | undefined {
  if (name === "NoSuchBucket") {
    return access.endpoint
      ? `Check the name of the bucket and the service (${access.endpoint}).`
      : "Check the name of the bucket; for another service than AWS set --s3-endpoint.";
  }
  if (name === "InvalidObjectState") {
    return "Ask for access to it on the portal, or take the latest version.";
  }
  if (
    /^(InvalidAccessKeyId|XAdminUserNotFound|SignatureDoesNotMatch|ExpiredToken|InvalidToken)$/
      .test(name)
  ) {
    return "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" +
      (access.endpoint ? `, for ${access.endpoint}.` : ".");
  }
  if (status === 301 || name === "AuthorizationHeaderMalformed") {
    return `Set AWS_REGION (asked in ${access.region ?? "us-east-1"}).`;
  }
  if (status !== 403) return undefined;
  if (tag === "Sink") return "Check that the credentials may write there.";
  if (access.requesterPays) return "This bucket bills its readers: check the credentials' rights.";
  return access.signed
    ? "Check the credentials' rights; the bucket may be requester-pays."
    : "The bucket is not open: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";
}
