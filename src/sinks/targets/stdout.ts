/** Standard output as the place of an output: bytes go at once, and a slow reader holds back the work. */
import { FuseError, isFuseError } from "../../errors.ts";
import type { ByteOutput } from "../ordered/output.ts";

/** What the reader of the pipe is called in the error that ends the work when it has gone. */
const CLOSED = "the reader of the output has closed it";

/** True when work ended because nobody reads the output any more: no failure. */
export function outputClosed(error: unknown): boolean {
  return isFuseError(error, "Aborted") && error.statement === CLOSED;
}

/** Standard output. */
export class StdoutOutput implements ByteOutput {
  readonly seekable = false;
  length = 0;

  /** @throws FuseError `Aborted` (see {@link outputClosed}) when the reader is gone, `Sink`. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) {
        done += await Deno.stdout.write(done ? bytes.subarray(done) : bytes);
      }
    } catch (cause) {
      if (cause instanceof Deno.errors.BrokenPipe) {
        throw new FuseError("Aborted", CLOSED, { cause });
      }
      throw new FuseError("Sink", `cannot write: ${(cause as Error).message}`, {
        source: "standard output",
        cause,
      });
    }
    this.length += bytes.length;
  }

  patch(): void {
    throw new FuseError("Sink", "standard output cannot be gone back in");
  }

  finish(): void {}

  abort(): void {}
}
