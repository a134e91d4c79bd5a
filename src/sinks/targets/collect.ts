/** An object that is gathered in memory and handed over whole. */
import type { ObjectWriter } from "./target.ts";

/**
 * A writer that calls `take` with all bytes when it is closed.
 * @param room gives a used buffer of exactly so many bytes, if there is one
 */
export function collect(
  take: (bytes: Uint8Array<ArrayBuffer>) => void,
  room?: (length: number) => Uint8Array<ArrayBuffer> | undefined,
): ObjectWriter {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  return {
    get length() {
      return length;
    },
    write(bytes) {
      const used = pieces.length ? undefined : room?.(bytes.length);
      used?.set(bytes);
      pieces.push(used ?? bytes.slice() as Uint8Array<ArrayBuffer>);
      length += bytes.length;
    },
    close() {
      // Most objects are one chunk: nothing is copied twice.
      if (pieces.length === 1) return take(pieces[0]);
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
