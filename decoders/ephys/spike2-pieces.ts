/** Several ranges of a file at once, with as few reads as their places allow. */
import type { ByteSource } from "../../src/source/source.ts";

/** Byte offset and length. */
export type Range = readonly [number, number];

/** Bytes between ranges that are read along with them. */
const SLACK_BYTES = 65_536;

/** The bytes of each range: one read where the ranges lie side by side, else one each. */
export async function readPieces(
  source: ByteSource,
  ranges: Range[],
  signal?: AbortSignal,
): Promise<Uint8Array[]> {
  const options = { signal, purpose: "bulk" } as const;
  const wanted = ranges.reduce((sum, [, length]) => sum + length, 0);
  const start = Math.min(...ranges.map(([at]) => at));
  const span = Math.max(...ranges.map(([at, length]) => at + length)) - start;
  if (span <= 2 * wanted + SLACK_BYTES) {
    const bytes = await source.read(start, span, options);
    return ranges.map(([at, length]) => bytes.subarray(at - start, at - start + length));
  }
  if (source.distance === "remote") {
    return await Promise.all(ranges.map(([at, length]) => source.read(at, length, options)));
  }
  const pieces: Uint8Array[] = [];
  for (const [at, length] of ranges) pieces.push(await source.read(at, length, options));
  return pieces;
}
