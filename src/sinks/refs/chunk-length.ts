/** How long the chunks of an uncompressed recording are made, so that as few as possible have to be copied. */

/** Bytes of a chunk of samples at most, and at least while the recording is long. */
const MOST_BYTES = 1 << 20, SMALL_BYTES = 64 << 10;
/** Chunks below this size are made only where copying pieces would cost more. */
const TINY_BYTES = 16 << 10;
/** A shorter piece is not worth a reference. */
const LEAST_BYTES = 64;

/** A recording of short pieces up to this size is copied. */
const COPIED_BYTES = 1 << 20;

/** A row of samples and where it breaks. */
export interface SampleRow {
  /** Samples in a row. */
  length: number;
  /** Rows that follow each other in the file (sweeps); borders are counted through all of them. */
  rows: number;
  /** Bytes from a sample of the chunk to the next. */
  stepBytes: number;
  /** Samples that lie together everywhere, when the pieces are equal; 0 when only borders break the row. */
  period: number;
  /** Places where one piece ends and the next begins, ascending; a list for each file. */
  borders: ArrayLike<number>[];
  /** Bytes that may be kept inside the reference file. */
  inlineBytes: number;
}

/** Samples of a chunk; or why there is no good number. */
export function chunkLength(row: SampleRow): number | { reason: string } {
  const { length, stepBytes, period } = row;
  const total = length * row.rows * stepBytes;
  const wanted = Math.min(MOST_BYTES, Math.max(SMALL_BYTES, Math.floor(total / 16)));
  const target = Math.max(1, Math.floor(wanted / stepBytes));
  if (period > 0) {
    const n = largestDivisor(period, target);
    if (n * stepBytes >= LEAST_BYTES || n >= length) return n;
    // Of a short recording, copies are no longer than references would be.
    return total <= COPIED_BYTES ? Math.min(length, target) : tooShort(n * stepBytes);
  }
  let together = 0;
  for (const list of row.borders) {
    for (let i = 0; i < list.length; i++) together = gcd(together, list[i] % length);
  }
  if (together === 0) {
    if (length <= target) return length;
    const exact = largestDivisor(length, target);
    return 2 * exact >= target ? exact : target;
  }
  const exact = largestDivisor(together, target);
  if (exact * stepBytes >= TINY_BYTES) return exact;
  const cheap = Math.min(row.inlineBytes, total / 4);
  const copied = copying(row, target, cheap);
  if (copied) return copied;
  if (exact * stepBytes >= LEAST_BYTES) return exact;
  return copying(row, target, row.inlineBytes) ?? {
    reason:
      "its pauses fall on no border of chunks, and there are too many to copy what is around them",
  };
}

function tooShort(bytes: number): { reason: string } {
  return { reason: `its samples lie in pieces of ${bytes} bytes: references would be longer` };
}

/** The longest chunks for which no more than `bytes` around borders have to be copied. */
function copying(row: SampleRow, target: number, bytes: number): number | undefined {
  for (let n = target; n * row.stepBytes >= TINY_BYTES; n = Math.floor(n / 2)) {
    if (row.borders.every((list) => crossed(list, n, row.length) * n * row.stepBytes <= bytes)) {
      return n;
    }
  }
  return undefined;
}

/** Chunks of `n` samples that a border cuts. */
function crossed(borders: ArrayLike<number>, n: number, length: number): number {
  let count = 0, last = -1;
  for (let i = 0; i < borders.length; i++) {
    const inside = borders[i] % length;
    const chunk = Math.floor(borders[i] / length) * Math.ceil(length / n) + Math.floor(inside / n);
    if (inside % n !== 0 && chunk !== last) {
      count++;
      last = chunk;
    }
  }
  return count;
}

function gcd(a: number, b: number): number {
  while (b) [a, b] = [b, a % b];
  return a;
}

/** The largest divisor of `n` that is at most `limit`. */
export function largestDivisor(n: number, limit: number): number {
  let best = 1;
  for (let d = 1; d * d <= n && d <= limit; d++) {
    if (n % d !== 0) continue;
    best = Math.max(best, d);
    if (n / d <= limit) best = Math.max(best, n / d);
  }
  return best;
}
