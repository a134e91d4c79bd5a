/**
 * A store as a folder. Everything is written under `<name>.partial`, each object under a temporary
 * name until it is whole; the folder gets its own name when the last byte is there.
 */
import { dirname, join } from "node:path";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { FuseError } from "../../errors.ts";
import type { ObjectWriter, Target, TargetSpec } from "./target.ts";

class FileWriter implements ObjectWriter {
  length = 0;
  #handle: number | undefined;
  readonly #temporary: string;

  constructor(readonly path: string) {
    this.#temporary = `${path}.writing`;
    this.#handle = openSync(this.#temporary, "w");
  }

  write(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) done += writeSync(this.#handle!, bytes, done, bytes.length - done);
    this.length += bytes.length;
  }

  close(): void {
    closeSync(this.#handle!);
    this.#handle = undefined;
    renameSync(this.#temporary, this.path);
  }

  abort(): void {
    if (this.#handle === undefined) return;
    closeSync(this.#handle);
    this.#handle = undefined;
    unlinkSync(this.#temporary);
  }
}

/** Turns a failed write (full disk, no rights) into a `Sink` error that names the place. */
function guarded<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw new FuseError("Sink", `cannot write: ${(cause as Error).message}`, {
      source: path,
      cause,
    });
  }
}

/** The folder being written; workers write into it too. */
export class PartialDirectory implements Pick<Target, "create" | "put"> {
  readonly #made = new Set<string>();

  constructor(readonly path: string) {}

  get spec(): TargetSpec {
    return { kind: "directory", path: this.path };
  }

  #prepare(key: string): string {
    const path = join(this.path, ...key.split("/"));
    const parent = dirname(path);
    if (!this.#made.has(parent)) {
      mkdirSync(parent, { recursive: true });
      this.#made.add(parent);
    }
    return path;
  }

  create(key: string): ObjectWriter {
    return guarded(this.path, () => {
      const writer = new FileWriter(this.#prepare(key));
      return {
        get length() {
          return writer.length;
        },
        write: (bytes) => guarded(writer.path, () => writer.write(bytes)),
        close: () => guarded(writer.path, () => writer.close()),
        abort: () => writer.abort(),
      };
    });
  }

  put(key: string, bytes: Uint8Array): void {
    const writer = this.create(key);
    writer.write(bytes);
    writer.close();
  }
}

/** A store that becomes the folder `path`. */
export class DirectoryTarget extends PartialDirectory implements Target {
  /** @param keep goes on with what an earlier run has left, instead of beginning anew */
  constructor(readonly finalPath: string, keep = false) {
    super(`${finalPath}.partial`);
    guarded(finalPath, () => {
      if (!keep) rmSync(this.path, { recursive: true, force: true });
      mkdirSync(this.path, { recursive: true });
    });
  }

  // deno-lint-ignore require-await
  async finish(): Promise<void> {
    guarded(this.finalPath, () => {
      if (existsSync(this.finalPath)) rmSync(this.finalPath, { recursive: true });
      renameSync(this.path, this.finalPath);
    });
  }

  // deno-lint-ignore require-await
  async abort(): Promise<void> {
    rmSync(this.path, { recursive: true, force: true });
  }
}
