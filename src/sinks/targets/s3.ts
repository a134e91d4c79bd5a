/**
 * A store as objects below an S3 prefix. Objects are uploaded as they are finished, large ones in parts,
 * each with its CRC-32C, which the service checks; the root's metadata go last, so that nothing opens
 * before everything is there.
 */
import { FuseError } from "../../errors.ts";
import { s3Access } from "../../source/s3-access.ts";
import { listObjects, s3Client } from "../../source/s3.ts";
import {
  awaitRetry,
  DEFAULT_RETRY,
  isTransientStatus,
  TransientFailure,
} from "../../source/retry.ts";
import type { S3Options } from "../../source/source.ts";
import { Kernels } from "../../stream/kernels.ts";
import { collect } from "./collect.ts";
import type { ObjectWriter, Target, TargetSpec } from "./target.ts";

/** Objects above this are uploaded in parts of this size (S3 takes parts from 5 MiB). */
const PART_BYTES = 16 << 20;
/** Bytes waiting for their upload before the work is held back. */
const WAITING_BYTES = 96 << 20;
/** Uploads under way at a time. */
const UPLOADS = 4;
/** Keys deleted by one request, the most S3 takes. */
const DELETED = 1000;
/** Root metadata in the order they are written: what makes the store openable comes last. */
const ROOT = [".zattrs", ".zmetadata", ".zgroup", "zarr.json"];

/** Where a store goes. */
export interface S3Place {
  bucket: string;
  /** Without slashes at its ends. */
  prefix: string;
  s3: S3Options;
}

/** A store below `s3://bucket/prefix/`. */
export class S3Target implements Target {
  readonly spec: TargetSpec = { kind: "owner" };
  readonly #root = new Map<string, Uint8Array>();
  readonly #queue: { key: string; bytes: Uint8Array<ArrayBuffer> }[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #written: string[] = [];
  #waiting = 0;
  #failure: unknown;

  private constructor(readonly place: S3Place, readonly kernels: Kernels) {}

  /**
   * Opens a prefix; with `overwrite` what lies below it is removed first.
   * @returns null when there is a store already and it is not to be replaced
   * @throws FuseError `Network` when the bucket cannot be reached
   */
  static async open(place: S3Place, overwrite: boolean): Promise<S3Target | null> {
    const target = new S3Target(place, await Kernels.load());
    const keys: string[] = [];
    const { bucket, prefix, s3 } = place;
    for await (const { key } of listObjects({ bucket, prefix: `${prefix}/`, s3 })) keys.push(key);
    if (keys.length && !overwrite) return null;
    await target.#delete(keys);
    return target;
  }

  /** Writes one object below a prefix. */
  static async putObject(
    place: S3Place,
    key: string,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    await new S3Target(place, await Kernels.load()).#upload(key, bytes);
  }

  /** The address of the store. */
  get uri(): string {
    return `s3://${this.place.bucket}/${this.place.prefix}`;
  }

  create(key: string): ObjectWriter {
    return collect((bytes) => this.#enqueue(key, bytes));
  }

  put(key: string, bytes: Uint8Array): void {
    if (ROOT.includes(key)) this.#root.set(key, bytes);
    else this.#enqueue(key, bytes as Uint8Array<ArrayBuffer>);
  }

  #enqueue(key: string, bytes: Uint8Array<ArrayBuffer>): void {
    this.#queue.push({ key, bytes });
    this.#waiting += bytes.length;
    this.#start();
  }

  #start(): void {
    while (this.#queue.length && this.#running.size < UPLOADS && this.#failure === undefined) {
      const { key, bytes } = this.#queue.shift()!;
      const upload = this.#upload(key, bytes).catch((error) => {
        this.#failure ??= error;
      }).finally(() => {
        this.#waiting -= bytes.length;
        this.#running.delete(upload);
        this.#start();
      });
      this.#running.add(upload);
    }
  }

  /** Waits until no more than the budget is waiting. */
  async drain(budget = WAITING_BYTES): Promise<void> {
    while (this.#running.size && (this.#waiting > budget || budget === 0)) {
      await Promise.race(this.#running);
      if (this.#failure !== undefined) break;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async finish(): Promise<void> {
    await this.drain(0);
    for (const key of ROOT) {
      const bytes = this.#root.get(key);
      if (bytes) await this.#upload(key, bytes as Uint8Array<ArrayBuffer>);
    }
  }

  async abort(): Promise<void> {
    this.#queue.length = 0;
    this.#failure ??= new FuseError("Aborted", "cancelled");
    await Promise.allSettled(this.#running);
    await this.#delete(this.#written).catch(() => {});
  }

  async #upload(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const full = [this.place.prefix, key].filter((p) => p).join("/");
    this.#written.push(full);
    if (bytes.length > PART_BYTES) return await this.#uploadParts(full, bytes);
    const { PutObjectCommand } = await import("@aws-sdk/client-s3");
    await this.#send(
      full,
      (Bucket) =>
        new PutObjectCommand({
          Bucket,
          Key: full,
          Body: bytes,
          ChecksumCRC32C: this.#checksum(bytes),
        }),
    );
  }

  async #uploadParts(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const s3 = await import("@aws-sdk/client-s3");
    const { UploadId } = await this.#send(
      key,
      (Bucket) =>
        new s3.CreateMultipartUploadCommand({ Bucket, Key: key, ChecksumAlgorithm: "CRC32C" }),
    ) as { UploadId?: string };
    try {
      const parts: { ETag?: string; PartNumber: number; ChecksumCRC32C: string }[] = [];
      for (let at = 0, PartNumber = 1; at < bytes.length; at += PART_BYTES, PartNumber++) {
        const Body = bytes.subarray(at, at + PART_BYTES);
        const ChecksumCRC32C = this.#checksum(Body);
        const { ETag } = await this.#send(
          key,
          (Bucket) =>
            new s3.UploadPartCommand({
              Bucket,
              Key: key,
              UploadId,
              PartNumber,
              Body,
              ChecksumCRC32C,
            }),
        ) as { ETag?: string };
        parts.push({ ETag, PartNumber, ChecksumCRC32C });
      }
      await this.#send(
        key,
        (Bucket) =>
          new s3.CompleteMultipartUploadCommand({
            Bucket,
            Key: key,
            UploadId,
            MultipartUpload: { Parts: parts },
          }),
      );
    } catch (error) {
      await this.#send(
        key,
        (Bucket) => new s3.AbortMultipartUploadCommand({ Bucket, Key: key, UploadId }),
      ).catch(() => {});
      throw error;
    }
  }

  /** CRC-32C as S3 writes it: base64 of four bytes, the highest first. */
  #checksum(bytes: Uint8Array): string {
    const crc = this.kernels.crc32cBytes(bytes);
    return btoa(String.fromCharCode(crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255));
  }

  async #delete(keys: string[]): Promise<void> {
    const { DeleteObjectsCommand } = await import("@aws-sdk/client-s3");
    for (let at = 0; at < keys.length; at += DELETED) {
      const Objects = keys.slice(at, at + DELETED).map((Key) => ({ Key }));
      await this.#send(
        this.place.prefix,
        (Bucket) => new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
      );
    }
  }

  /** Sends a command, again where the service is busy. */
  // deno-lint-ignore no-explicit-any
  async #send(key: string, command: (bucket: string) => any): Promise<unknown> {
    const access = s3Access(this.place.bucket, {
      ...this.place.s3,
      signed: this.place.s3.signed ?? true,
    });
    const client = await s3Client({ ...access, signed: this.place.s3.signed ?? true });
    for (let failures = 1;; failures++) {
      try {
        return await client.send(command(this.place.bucket));
      } catch (error) {
        const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata
          ?.httpStatusCode;
        const source = `s3://${this.place.bucket}/${key}`;
        if (status !== undefined && !isTransientStatus(status)) {
          throw new FuseError(
            "Sink",
            `the object cannot be written: ${(error as Error).message || (error as Error).name}`,
            {
              source,
              found: `status ${status}`,
              cause: error,
            },
          );
        }
        await awaitRetry(new TransientFailure((error as Error).message), failures, DEFAULT_RETRY, {
          source,
        });
      }
    }
  }
}
