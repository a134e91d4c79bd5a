/** One output file, written front to back under a temporary name. */
import { closeSync, mkdirSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { FuseError } from "../../errors.ts";
import type { ByteOutput } from "../ordered/output.ts";

/** Bytes gathered before they are written: text comes in small pieces. */
const BUFFER_BYTES = 256 << 10;

/** A file that gets its name when it is complete. */
export class FileOutput implements ByteOutput {
  readonly seekable = true;
  length = 0;
  #handle: number | undefined;
  readonly #temporary: string;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #held = 0;

  /** @throws FuseError `Sink` when it cannot be made. */
  constructor(readonly path: string) {
    this.#temporary = `${path}.writing`;
    this.#guarded(() => {
      mkdirSync(dirname(path), { recursive: true });
      this.#handle = openSync(this.#temporary, "w");
    });
  }

  #guarded<T>(body: () => T): T {
    try {
      return body();
    } catch (cause) {
      throw new FuseError("Sink", `cannot write: ${(cause as Error).message}`, {
        source: this.path,
        cause,
      });
    }
  }

  #put(bytes: Uint8Array): void {
    this.#guarded(() => {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(this.#handle!, bytes, done, bytes.length - done);
      }
    });
  }

  #flush(): void {
    if (this.#held) this.#put(this.#buffer.subarray(0, this.#held));
    this.#held = 0;
  }

  write(bytes: Uint8Array): void {
    this.length += bytes.length;
    if (this.#held + bytes.length > BUFFER_BYTES) this.#flush();
    if (bytes.length > BUFFER_BYTES) return this.#put(bytes);
    this.#buffer.set(bytes, this.#held);
    this.#held += bytes.length;
  }

  patch(bytes: Uint8Array): void {
    this.#flush();
    this.#guarded(() => {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(this.#handle!, bytes, done, bytes.length - done, done);
      }
    });
  }

  finish(): void {
    this.#flush();
    this.#guarded(() => {
      closeSync(this.#handle!);
      this.#handle = undefined;
      renameSync(this.#temporary, this.path);
    });
  }

  abort(): void {
    if (this.#handle === undefined) return;
    closeSync(this.#handle);
    this.#handle = undefined;
    unlinkSync(this.#temporary);
  }
}
