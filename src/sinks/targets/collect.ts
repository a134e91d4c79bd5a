/** An object that is gathered in memory and handed over whole. */
import type { ObjectWriter } from "./target.ts";

/** A writer that calls `take` with all bytes when it is closed. */
export function collect(take: (bytes: Uint8Array<ArrayBuffer>) => void): ObjectWriter {
  const pieces: Uint8Array[] = [];
  let length = 0;
  return {
    get length() {
      return length;
    },
    write(bytes) {
      pieces.push(bytes.slice());
      length += bytes.length;
    },
    close() {
      const whole = new Uint8Array(length);
      let at = 0;
      for (const piece of pieces) {
        whole.set(piece, at);
        at += piece.length;
      }
      take(whole);
    },
    abort() {
      pieces.length = 0;
    },
  };
}
