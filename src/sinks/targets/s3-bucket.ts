/**
 * Writing to a bucket: single objects, objects in parts, deletion. Every body goes with its CRC-32C,
 * which the service checks; requests are repeated where the service is busy or the connection is lost.
 */
import { FuseError, isFuseError } from "../../errors.ts";
import { awaitRetry, checkAborted, DEFAULT_RETRY, type RetryPolicy } from "../../source/retry.ts";
import { s3Access } from "../../source/s3-access.ts";
import { s3Failure } from "../../source/s3-failures.ts";
import { refusalOf, type S3Ask, s3Request } from "../../source/s3-requests.ts";
import { parseXml } from "../../source/s3-xml.ts";
import { s3Uri } from "../../source/s3.ts";
import type { S3Options } from "../../source/source.ts";
import { Kernels } from "../../stream/kernels.ts";

/** Keys deleted by one request, the most S3 takes. */
const DELETED = 1000;
/** Longest a request may take, milliseconds, beside the time its body takes at a slow 32 KiB/s. */
const PATIENCE_MILLIS = 120_000;
const SLOWEST_BYTES_PER_MILLI = 32;

/** What is asked of a bucket, without the bucket. */
interface WriteAsk extends Omit<S3Ask, "bucket" | "key"> {
  /** Key the request is for; absent for the bucket itself. */
  key?: string;
  /** Key for messages, where it is another. */
  about?: string;
  /** True when a repeated request failed because the first one, whose answer was lost, did it all. */
  settled?: (failure: unknown) => Promise<boolean>;
}

/** Status and headers of an answer, and its text. */
interface Answer {
  headers: Headers;
  text: string;
}

/** A bucket that is written to. */
export class S3Bucket {
  private constructor(
    readonly bucket: string,
    readonly access: S3Options,
    readonly kernels: Kernels,
    readonly policy: RetryPolicy,
  ) {}

  /** A bucket; nothing is asked of the service. Writes are signed unless the options say otherwise. */
  static async of(bucket: string, s3: S3Options): Promise<S3Bucket> {
    const signed = s3.signed ?? true;
    const access = { ...s3Access(bucket, { ...s3, signed }), signed };
    return new S3Bucket(bucket, access, await Kernels.load(), DEFAULT_RETRY);
  }

  /** The address of a key. */
  uri(key: string): string {
    return s3Uri({ bucket: this.bucket, key });
  }

  /** Writes an object in one request. @throws FuseError `Sink`. */
  async put(key: string, body: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<void> {
    const headers = { "x-amz-checksum-crc32c": this.checksum(body), "content-type": typeOf(key) };
    await this.send({ method: "PUT", key, headers, body, signal });
  }

  /** Begins an object in parts. @throws FuseError `Sink`. */
  async beginParts(key: string, signal?: AbortSignal): Promise<S3Parts> {
    const headers = { "x-amz-checksum-algorithm": "CRC32C", "content-type": typeOf(key) };
    const { text } = await this.send({
      method: "POST",
      key,
      query: { uploads: "" },
      headers,
      signal,
    });
    const uploadId = parseXml(text).value("UploadId");
    if (!uploadId) {
      throw new FuseError("Sink", "the service gives no upload", { source: this.uri(key) });
    }
    return new S3Parts(this, key, uploadId);
  }

  /** Removes objects. @throws FuseError `Sink`. */
  async delete(keys: string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETED) {
      const objects = keys.slice(at, at + DELETED).map((key) =>
        `<Object><Key>${escaped(key)}</Key></Object>`
      );
      const body = bytesOf(
        `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${
          objects.join("")
        }<Quiet>true</Quiet></Delete>`,
      );
      const { text } = await this.send({
        method: "POST",
        about: keys[at],
        query: { delete: "" },
        headers: {
          "x-amz-checksum-crc32c": this.checksum(body),
          "content-type": "application/xml",
        },
        body,
      });
      for (const failed of parseXml(text).all("Error")) {
        const why = failed.value("Message");
        throw new FuseError("Sink", `the object cannot be removed: ${why}`, {
          source: this.uri(failed.value("Key") ?? keys[at]),
          found: failed.value("Code"),
        });
      }
    }
  }

  /** Ends uploads in parts that a killed run left below a prefix, so that they take no room. */
  async endUploads(prefix: string): Promise<void> {
    let listed = "";
    try {
      listed = (await this.send({ about: prefix, query: { uploads: "", prefix } })).text;
    } catch (error) {
      // Not every service lists uploads, nor may every user.
      if (isFuseError(error, "Sink")) return;
      throw error;
    }
    for (const upload of parseXml(listed).all("Upload")) {
      const key = upload.value("Key"), uploadId = upload.value("UploadId");
      if (!key?.startsWith(prefix) || !uploadId) continue;
      await new S3Parts(this, key, uploadId).abort();
    }
  }

  /** CRC-32C as S3 writes it: base64 of four bytes, the highest first. */
  checksum(bytes: Uint8Array): string {
    const crc = this.kernels.crc32cBytes(bytes);
    return btoa(String.fromCharCode(crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255));
  }

  /** Sends a request, again where the failure may pass. @throws FuseError `Sink`, `Aborted`. */
  async send({ about, settled, signal, ...ask }: WriteAsk): Promise<Answer> {
    const source = this.uri(about ?? ask.key ?? "");
    const millis = PATIENCE_MILLIS + (ask.body?.length ?? 0) / SLOWEST_BYTES_PER_MILLI;
    for (let failures = 1;; failures++) {
      checkAborted(signal, { source });
      const patience = AbortSignal.timeout(millis);
      try {
        const answer = await s3Request(this.access, {
          ...ask,
          bucket: this.bucket,
          signal: signal ? AbortSignal.any([signal, patience]) : patience,
        });
        const text = await answer.text();
        if (/^(?:<\?xml[^>]*>)?\s*<Error>/.test(text)) throw refusalOf(answer, text);
        return { headers: answer.headers, text };
      } catch (error) {
        const failure = s3Failure(error, source, this.access, {}, "Sink");
        if (settled && failures > 1 && await settled(failure)) {
          return { headers: new Headers(), text: "" };
        }
        try {
          await awaitRetry(failure, failures, this.policy, { source }, signal);
        } catch (final) {
          if (!isFuseError(final, "Network")) throw final;
          throw new FuseError("Sink", final.statement.replace("the read", "the write"), {
            ...final.details,
          });
        }
      }
    }
  }

  /** Length of an object; undefined when there is none. */
  async size(key: string): Promise<number | undefined> {
    try {
      const { headers } = await this.send({ method: "HEAD", key });
      return Number(headers.get("content-length") ?? 0);
    } catch (error) {
      if (isFuseError(error, "Sink") && /HTTP 404/.test(String(error.details.found))) {
        return undefined;
      }
      throw error;
    }
  }
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function escaped(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[&<>"'\u0000-\u001f]/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** What a browser that opens the object is told of it. */
function typeOf(key: string): string {
  if (/\.(json|zattrs|zarray|zgroup|zmetadata)$/.test(key)) return "application/json";
  return /\.(csv|ndjson)$/.test(key) ? "text/plain" : "application/octet-stream";
}

/** An object being written in parts, which may be sent in any order; it appears when completed. */
export class S3Parts {
  readonly #parts = new Map<number, { tag: string; checksum: string; length: number }>();

  /** Made by {@link S3Bucket.beginParts}. */
  constructor(readonly bucket: S3Bucket, readonly key: string, readonly uploadId: string) {}

  /** Sends part `number`, from 1; all but the last must have 5 MiB. @throws FuseError `Sink`. */
  async put(number: number, body: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<void> {
    const checksum = this.bucket.checksum(body);
    const { headers } = await this.bucket.send({
      method: "PUT",
      key: this.key,
      query: { partNumber: String(number), uploadId: this.uploadId },
      headers: { "x-amz-checksum-crc32c": checksum },
      body,
      signal,
    });
    this.#parts.set(number, { tag: headers.get("etag") ?? "", checksum, length: body.length });
  }

  /**
   * Makes the object appear; not to be cancelled, as nobody could say then whether it did.
   * @throws FuseError `Sink`.
   */
  async complete(): Promise<void> {
    const ordered = [...this.#parts].sort(([a], [b]) => a - b);
    const parts = ordered.map(([number, { tag, checksum }]) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${escaped(tag)}</ETag>` +
      `<ChecksumCRC32C>${checksum}</ChecksumCRC32C></Part>`
    );
    const length = ordered.reduce((n, [, part]) => n + part.length, 0);
    await this.bucket.send({
      method: "POST",
      key: this.key,
      query: { uploadId: this.uploadId },
      headers: { "content-type": "application/xml" },
      body: bytesOf(
        `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${
          parts.join("")
        }</CompleteMultipartUpload>`,
      ),
      settled: async (failure) =>
        isFuseError(failure) && /NoSuchUpload/.test(String(failure.details.found)) &&
        await this.bucket.size(this.key) === length,
    });
  }

  /** Ends the upload without an object; what was sent is dropped by the service. */
  async abort(): Promise<void> {
    const query = { uploadId: this.uploadId };
    await this.bucket.send({ method: "DELETE", key: this.key, query }).catch(() => {});
  }
}
