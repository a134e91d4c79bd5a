/** A file of the local disk. Reads are positional, so one handle serves concurrent readers. */
import { basename, dirname, join, resolve } from "node:path";
import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { FuseError } from "../errors.ts";
import { rangeStream } from "./memory.ts";
import { type ByteSource, type ReadOptions, type SourceSpec, truncated } from "./source.ts";

/** A regular file, opened for reading. */
export class FileSource implements ByteSource {
  readonly access = "random";
  readonly distance = "local";
  readonly spec: SourceSpec;
  readonly name: string;
  #handle: number | undefined;

  private constructor(readonly path: string, handle: number, readonly size: number) {
    this.#handle = handle;
    this.name = basename(path);
    this.spec = { kind: "file", path };
  }

  /** @throws FuseError `Usage` when there is no such readable regular file. */
  static open(path: string): FileSource {
    const full = resolve(path);
    let handle: number;
    try {
      handle = openSync(full, "r");
    } catch (cause) {
      const code = (cause as { code?: string }).code;
      throw new FuseError(
        "Usage",
        code === "ENOENT" ? "no such file" : `cannot be opened (${code})`,
        {
          source: path,
          cause,
        },
      );
    }
    const stat = fstatSync(handle);
    if (!stat.isFile()) {
      closeSync(handle);
      throw new FuseError("Usage", "is not a regular file", { source: path });
    }
    return new FileSource(full, handle, stat.size);
  }

  get uri(): string {
    return this.path;
  }

  #fill(offset: number, target: Uint8Array): number {
    if (this.#handle === undefined) {
      throw new FuseError("Usage", "source is closed", { source: this.path });
    }
    let done = 0;
    while (done < target.length) {
      const n = readSync(this.#handle, target, done, target.length - done, offset + done);
      if (n === 0) break;
      done += n;
    }
    return done;
  }

  // deno-lint-ignore require-await
  async read(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    if (offset < 0 || offset + length > this.size) {
      throw truncated(this, offset, length, this.size - offset);
    }
    const bytes = new Uint8Array(length);
    const n = this.#fill(offset, bytes);
    if (n < length) throw truncated(this, offset, length, n);
    return bytes;
  }

  readUpTo(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    return this.read(offset, Math.max(0, Math.min(length, this.size - offset)), options);
  }

  // deno-lint-ignore require-await
  async readInto(offset: number, target: Uint8Array, options: ReadOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const n = this.#fill(offset, target);
    if (n < target.length) throw truncated(this, offset, target.length, n);
  }

  stream(offset: number, length = Infinity, options: ReadOptions = {}): ReadableStream<Uint8Array> {
    return rangeStream(this, offset, Math.min(length, Math.max(0, this.size - offset)), options);
  }

  // deno-lint-ignore require-await
  async sibling(relativePath: string): Promise<ByteSource | null> {
    try {
      return FileSource.open(join(dirname(this.path), relativePath));
    } catch {
      return null;
    }
  }

  // deno-lint-ignore require-await
  async siblingNames(): Promise<string[] | null> {
    return readdirSync(dirname(this.path));
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    if (this.#handle !== undefined) closeSync(this.#handle);
    this.#handle = undefined;
  }
}
