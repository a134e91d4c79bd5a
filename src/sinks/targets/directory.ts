/**
 * A store as a folder. Everything is written under `<name>.partial`, each object under a temporary
 * name until it is whole; the folder gets its own name when the last byte is there. Temporary names are
 * a process's own: two that run the same task at once (a job queued again while its first run is still
 * dying) never write into each other's file, and the last one to finish replaces equal bytes.
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

/** Folder of the objects being written, inside the folder being written. */
const UNFINISHED = ".writing";

class FileWriter implements ObjectWriter {
  length = 0;
  #handle: number | undefined;

  constructor(readonly path: string, readonly temporary: string) {
    this.#handle = openSync(temporary, "w");
  }

  write(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) done += writeSync(this.#handle!, bytes, done, bytes.length - done);
    this.length += bytes.length;
  }

  close(): void {
    closeSync(this.#handle!);
    this.#handle = undefined;
    renameSync(this.temporary, this.path);
  }

  abort(): void {
    if (this.#handle === undefined) return;
    closeSync(this.#handle);
    this.#handle = undefined;
    unlinkSync(this.temporary);
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
  readonly #owner = crypto.randomUUID();
  #writers = 0;

  constructor(readonly path: string) {}

  get spec(): TargetSpec {
    return { kind: "directory", path: this.path };
  }

  #prepare(path: string): string {
    const parent = dirname(path);
    if (!this.#made.has(parent)) {
      mkdirSync(parent, { recursive: true });
      this.#made.add(parent);
    }
    return path;
  }

  create(key: string): ObjectWriter {
    return guarded(this.path, () => {
      const writer = new FileWriter(
        this.#prepare(join(this.path, ...key.split("/"))),
        this.#prepare(join(this.path, UNFINISHED, `${this.#owner}-${this.#writers++}`)),
      );
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

  /** Removes what killed processes have left half-written; only when nobody writes any more. */
  removeUnfinished(): void {
    rmSync(join(this.path, UNFINISHED), { recursive: true, force: true });
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
      this.removeUnfinished();
      if (existsSync(this.finalPath)) rmSync(this.finalPath, { recursive: true });
      renameSync(this.path, this.finalPath);
    });
  }

  // deno-lint-ignore require-await
  async abort(): Promise<void> {
    rmSync(this.path, { recursive: true, force: true });
  }
}
