/**
 * Writing to a bucket: single objects, objects in parts, deletion. Every body goes with its CRC-32C,
 * which the service checks; requests are repeated where the service is busy or the connection is lost.
 */
import { FuseError, isFuseError } from "../../errors.ts";
import { awaitRetry, checkAborted, DEFAULT_RETRY, type RetryPolicy } from "../../source/retry.ts";
import { s3Access } from "../../source/s3-access.ts";
import { s3Failure } from "../../source/s3-failures.ts";
import { s3Client } from "../../source/s3-client.ts";
import { s3Uri } from "../../source/s3.ts";
import type { S3Options } from "../../source/source.ts";
import { Kernels } from "../../stream/kernels.ts";

/** Keys deleted by one request, the most S3 takes. */
const DELETED = 1000;
/** Longest a request may take, milliseconds, beside the time its body takes at a slow 32 KiB/s. */
const PATIENCE_MILLIS = 120_000;
const SLOWEST_BYTES_PER_MILLI = 32;

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
  async put(
    key: string,
    bytes: Uint8Array<ArrayBuffer>,
    signal?: AbortSignal,
  ): Promise<void> {
    const { PutObjectCommand } = await import("@aws-sdk/client-s3");
    const ChecksumCRC32C = this.#checksum(bytes);
    await this.#send(
      key,
      (to) => new PutObjectCommand({ ...to, Key: key, Body: bytes, ChecksumCRC32C }),
      { bytes: bytes.length, signal },
    );
  }

  /** Begins an object in parts. @throws FuseError `Sink`. */
  async beginParts(key: string, signal?: AbortSignal): Promise<S3Parts> {
    const { CreateMultipartUploadCommand } = await import("@aws-sdk/client-s3");
    const { UploadId } = await this.#send(
      key,
      (to) => new CreateMultipartUploadCommand({ ...to, Key: key, ChecksumAlgorithm: "CRC32C" }),
      { signal },
    ) as { UploadId?: string };
    if (!UploadId) {
      throw new FuseError("Sink", "the service gives no upload", { source: this.uri(key) });
    }
    return new S3Parts(
      this,
      key,
      UploadId,
      (command, options) => this.#send(key, command, options),
      (bytes) => this.#checksum(bytes),
    );
  }

  /** Removes objects. @throws FuseError `Sink`. */
  async delete(keys: string[]): Promise<void> {
    if (keys.length === 0) return;
    const { DeleteObjectsCommand } = await import("@aws-sdk/client-s3");
    for (let at = 0; at < keys.length; at += DELETED) {
      const Objects = keys.slice(at, at + DELETED).map((Key) => ({ Key }));
      const { Errors } = await this.#send(
        keys[at],
        (to) => new DeleteObjectsCommand({ ...to, Delete: { Objects, Quiet: true } }),
      ) as { Errors?: { Key?: string; Code?: string; Message?: string }[] };
      const [failed] = Errors ?? [];
      if (failed) {
        throw new FuseError("Sink", `the object cannot be removed: ${failed.Message}`, {
          source: this.uri(failed.Key ?? keys[at]),
          found: failed.Code,
        });
      }
    }
  }

  /** Ends uploads in parts that a killed run left below a prefix, so that they take no room. */
  async endUploads(prefix: string): Promise<void> {
    const { AbortMultipartUploadCommand, ListMultipartUploadsCommand } = await import(
      "@aws-sdk/client-s3"
    );
    let listed: { Uploads?: { Key?: string; UploadId?: string }[] };
    try {
      listed = await this.#send(
        prefix,
        (to) => new ListMultipartUploadsCommand({ ...to, Prefix: prefix }),
      ) as typeof listed;
    } catch (error) {
      // Not every service lists uploads, nor every user may.
      if (isFuseError(error, "Sink")) return;
      throw error;
    }
    for (const { Key, UploadId } of listed.Uploads ?? []) {
      if (!Key?.startsWith(prefix)) continue;
      await this.#send(Key, (to) => new AbortMultipartUploadCommand({ ...to, Key, UploadId }))
        .catch(() => {});
    }
  }

  /** CRC-32C as S3 writes it: base64 of four bytes, the highest first. */
  #checksum(bytes: Uint8Array): string {
    const crc = this.kernels.crc32cBytes(bytes);
    return btoa(String.fromCharCode(crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255));
  }

  /** Sends a command, again where the failure may pass. */
  async #send(key: string, command: MakeCommand, options: SendOptions = {}): Promise<unknown> {
    const { bytes = 0, signal } = options;
    const source = this.uri(key);
    const client = await s3Client(this.access);
    const to: CommandBase = {
      Bucket: this.bucket,
      ...(this.access.requesterPays ? { RequestPayer: "requester" as const } : {}),
    };
    for (let failures = 1;; failures++) {
      checkAborted(signal, { source });
      const patience = AbortSignal.timeout(PATIENCE_MILLIS + bytes / SLOWEST_BYTES_PER_MILLI);
      const abortSignal = signal ? AbortSignal.any([signal, patience]) : patience;
      try {
        return await client.send(command(to), { abortSignal });
      } catch (error) {
        const failure = s3Failure(error, source, this.access, {}, "Sink");
        if (options.settled && failures > 1 && await options.settled(failure)) return {};
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
    const { HeadObjectCommand } = await import("@aws-sdk/client-s3");
    try {
      const { ContentLength } = await this.#send(
        key,
        (to) => new HeadObjectCommand({ ...to, Key: key }),
      ) as { ContentLength?: number };
      return ContentLength;
    } catch (error) {
      if (isFuseError(error, "Sink") && /HTTP 404/.test(String(error.details.found))) {
        return undefined;
      }
      throw error;
    }
  }
}

interface CommandBase {
  Bucket: string;
  RequestPayer?: "requester";
}

// deno-lint-ignore no-explicit-any
type MakeCommand = (to: CommandBase) => any;

interface SendOptions {
  /** Length of the body. */
  bytes?: number;
  signal?: AbortSignal;
  /** True when a repeated request failed because the first one, whose answer was lost, did it all. */
  settled?: (failure: unknown) => Promise<boolean>;
}

type Send = (command: MakeCommand, options?: SendOptions) => Promise<unknown>;

/** An object being written in parts, which may be sent in any order; it appears when completed. */
export class S3Parts {
  readonly #parts = new Map<number, { ETag?: string; ChecksumCRC32C: string; length: number }>();

  /** Made by {@link S3Bucket.beginParts}. */
  constructor(
    readonly bucket: S3Bucket,
    readonly key: string,
    readonly uploadId: string,
    readonly send: Send,
    readonly checksum: (bytes: Uint8Array) => string,
  ) {}

  /** Sends part `number`, from 1; all but the last must have 5 MiB. @throws FuseError `Sink`. */
  async put(number: number, bytes: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<void> {
    const { UploadPartCommand } = await import("@aws-sdk/client-s3");
    const ChecksumCRC32C = this.checksum(bytes);
    const { ETag } = await this.send(
      (to) =>
        new UploadPartCommand({
          ...to,
          Key: this.key,
          UploadId: this.uploadId,
          PartNumber: number,
          Body: bytes,
          ChecksumCRC32C,
        }),
      { bytes: bytes.length, signal },
    ) as { ETag?: string };
    this.#parts.set(number, { ETag, ChecksumCRC32C, length: bytes.length });
  }

  /** Makes the object appear. @throws FuseError `Sink`. */
  async complete(signal?: AbortSignal): Promise<void> {
    const { CompleteMultipartUploadCommand } = await import("@aws-sdk/client-s3");
    const ordered = [...this.#parts].sort(([a], [b]) => a - b);
    const Parts = ordered.map(([PartNumber, { ETag, ChecksumCRC32C }]) => ({
      PartNumber,
      ETag,
      ChecksumCRC32C,
    }));
    const length = ordered.reduce((n, [, part]) => n + part.length, 0);
    await this.send(
      (to) =>
        new CompleteMultipartUploadCommand({
          ...to,
          Key: this.key,
          UploadId: this.uploadId,
          MultipartUpload: { Parts },
        }),
      {
        signal,
        settled: async (failure) =>
          isFuseError(failure) && /NoSuchUpload/.test(String(failure.details.found)) &&
          await this.bucket.size(this.key) === length,
      },
    );
  }

  /** Ends the upload without an object; what was sent is dropped by the service. */
  async abort(): Promise<void> {
    const { AbortMultipartUploadCommand } = await import("@aws-sdk/client-s3");
    await this.send((to) =>
      new AbortMultipartUploadCommand({ ...to, Key: this.key, UploadId: this.uploadId })
    ).catch(() => {});
  }
}
