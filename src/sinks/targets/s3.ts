/**
 * A store as objects below an S3 prefix. Objects are uploaded as they are finished, large ones in parts,
 * each with its CRC-32C, which the service checks; the root's metadata go last, so that nothing opens
 * before everything is there.
 */
import { FuseError } from "../../errors.ts";
import { listObjects } from "../../source/s3.ts";
import { collect } from "./collect.ts";
import { S3Bucket } from "./s3-bucket.ts";
import { JOURNAL, S3Journal } from "./s3-journal.ts";
import { keyBelow, type S3Place } from "./s3-place.ts";
import type { ObjectWriter, Target, TargetSpec } from "./target.ts";

/** Objects above this are uploaded in parts of this size (S3 takes parts from 5 MiB). */
const PART_BYTES = 16 << 20;
/** Bytes waiting for their upload before the work is held back. */
const WAITING_BYTES = 96 << 20;
/** Uploads under way at a time. */
const UPLOADS = 4;
/** Root metadata in the order they are written: what makes the store openable comes last. */
const ROOT = [".zattrs", ".zmetadata", ".zgroup", "zarr.json"];
/** The last of them, which say that a store is complete. */
const COMPLETE = [".zgroup", "zarr.json"];

/** What lies below a prefix. */
type Present = "nothing" | "store" | "unfinished" | "other";

/** A store below `s3://bucket/prefix/`. */
export class S3Target implements Target {
  readonly spec: TargetSpec;
  readonly #root = new Map<string, Uint8Array>();
  readonly #queue: { key: string; bytes: Uint8Array<ArrayBuffer> }[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #written: string[] = [];
  readonly #stopped = new AbortController();
  #waiting = 0;
  #failure: unknown;

  private constructor(
    readonly place: S3Place,
    readonly bucket: S3Bucket,
    /** What an earlier run has left and this one goes on with: lengths by full key. */
    readonly kept: Map<string, number>,
  ) {
    this.spec = { kind: "s3", place };
  }

  /**
   * Opens a prefix. What an unfinished run has left below it is gone on with where `goOn` says so, else
   * removed; a finished store is only replaced with `overwrite`.
   * @param goOn asked about the journal of an unfinished run
   * @returns null when there is a store already and it is not to be replaced
   * @throws FuseError `Network` when the bucket cannot be reached, `Sink` when other objects are there
   */
  static async open(
    place: S3Place,
    overwrite: boolean,
    goOn: (journal: S3Journal) => Promise<boolean> = () => Promise.resolve(false),
  ): Promise<S3Target | null> {
    const { bucket, prefix, s3 } = place;
    const lengths = new Map<string, number>();
    for await (const { key, size } of listObjects({ bucket, prefix: `${prefix}/`, s3 })) {
      lengths.set(key, size);
    }
    const present = whatIsThere(prefix, [...lengths.keys()]);
    const writer = await S3Bucket.of(bucket, s3);
    if (present === "store" && !overwrite) {
      await writer.delete(journalKeys(prefix, lengths.keys()));
      return null;
    }
    const uri = writer.uri(prefix);
    if (present === "other" && !overwrite) {
      throw new FuseError("Sink", "objects that are no store lie where the output goes", {
        source: uri,
        found: `${lengths.size} objects`,
        remedy: "--overwrite removes them",
      });
    }
    if (present !== "nothing") await writer.endUploads(`${prefix}/`);
    const journal = new S3Journal(place, writer, lengths);
    if (present === "unfinished" && !overwrite && await goOn(journal)) {
      return new S3Target(place, writer, lengths);
    }
    // What makes an old store openable goes first.
    const roots = ROOT.map((name) => keyBelow(prefix, name)).filter((key) => lengths.has(key));
    await writer.delete(roots);
    await writer.delete([...lengths.keys()].filter((key) => !roots.includes(key)));
    return new S3Target(place, writer, new Map());
  }

  /** The address of the store. */
  get uri(): string {
    return this.bucket.uri(this.place.prefix);
  }

  /** The journal of this store. */
  journal(): S3Journal {
    return new S3Journal(this.place, this.bucket, this.kept, this);
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
      const upload = this.upload(key, bytes).catch((error) => {
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
      if (bytes) await this.upload(key, bytes as Uint8Array<ArrayBuffer>);
    }
    // Not before: whatever ends the program meanwhile, there is a journal or a store.
    const keys = new Set([...this.#written, ...this.kept.keys()]);
    await this.bucket.delete(journalKeys(this.place.prefix, keys));
  }

  async suspend(): Promise<void> {
    this.#queue.length = 0;
    this.#failure ??= new FuseError("Aborted", "cancelled", { source: this.uri });
    this.#stopped.abort(this.#failure);
    await Promise.allSettled(this.#running);
  }

  async abort(): Promise<void> {
    await this.suspend();
    const { bucket, prefix, s3 } = this.place;
    // What workers have sent is only known to the bucket.
    const keys: string[] = [];
    try {
      for await (const { key } of listObjects({ bucket, prefix: `${prefix}/`, s3 })) keys.push(key);
      await this.bucket.delete(keys);
    } catch {
      // The failure that led here is the one to tell.
    }
  }

  /** Uploads one object of the store at once. @throws FuseError `Sink`. */
  async upload(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const full = keyBelow(this.place.prefix, key);
    const { signal } = this.#stopped;
    this.#written.push(full);
    if (bytes.length <= PART_BYTES) return await this.bucket.put(full, bytes, signal);
    const parts = await this.bucket.beginParts(full, signal);
    try {
      for (let at = 0, number = 1; at < bytes.length; at += PART_BYTES, number++) {
        await parts.put(number, bytes.subarray(at, at + PART_BYTES), signal);
      }
      await parts.complete();
    } catch (error) {
      await parts.abort();
      throw error;
    }
  }
}

/** The keys of a journal among those below a prefix. */
function journalKeys(prefix: string, keys: Iterable<string>): string[] {
  const journal = keyBelow(prefix, `${JOURNAL}/`);
  return [...keys].filter((key) => key.startsWith(journal));
}

function whatIsThere(prefix: string, keys: string[]): Present {
  if (keys.length === 0) return "nothing";
  if (COMPLETE.some((name) => keys.includes(keyBelow(prefix, name)))) return "store";
  return keys.includes(keyBelow(prefix, `${JOURNAL}/plan.json`)) ? "unfinished" : "other";
}
