/**
 * What LSM files get wrong about where their samples are: byte counts of compressed strips are those of
 * the uncompressed ones, and offsets of files above 4 GiB have lost their upper bits.
 *
 * Source: behaviour of files written by LSM 510 and ZEN, as tifffile's notes describe it.
 */
import type { TiffFile } from "./tiff-file.ts";
import { chunkCount, storedBytes, type TiffPage } from "./tiff-page.ts";

const WRAP = 2 ** 32;

/** Sizes of the outer dimensions, pages in C order of `[position][t][z]`. */
export interface LsmOrder {
  positions: number;
  t: number;
  z: number;
}

/**
 * The order in which pages were written: time before position, though the directories count positions
 * first; a thumbnail beside its image, on the side the first pair shows.
 * @param images places of the images in the list of all pages, `thumbnails` those of the thumbnails
 */
export function writingOrder(
  images: number[],
  thumbnails: number[],
  order: LsmOrder,
  thumbnailFirst: boolean,
): number[] {
  const { positions, t, z } = order;
  const whole = images.length === positions * t * z;
  const sequence: number[] = [];
  if (!whole || positions === 1) { for (let i = 0; i < images.length; i++) sequence.push(i); }
  else {
    for (let ti = 0; ti < t; ti++) {
      for (let p = 0; p < positions; p++) {
        for (let zi = 0; zi < z; zi++) sequence.push((p * t + ti) * z + zi);
      }
    }
  }
  return sequence.flatMap((i) => {
    const pair = [images[i], thumbnails[i]].filter((page) => page !== undefined);
    return thumbnailFirst ? pair.reverse() : pair;
  });
}

/**
 * Adds 2^32 each time offsets, in the order of writing, go back. Absent chunks (offset 0) are passed over.
 * @returns how often offsets were wrapped.
 */
export function unwrapOffsets(tiff: TiffFile, pages: TiffPage[]): number {
  let wraps = 0, previous = 0;
  for (const page of pages) {
    const end = page.firstChunk + chunkCount(page.kind);
    for (let i = page.firstChunk; i < end; i++) {
      const offset = tiff.offsets.at(i);
      if (offset === 0) continue;
      if (offset < previous) wraps++;
      previous = offset;
      const true_ = offset + wraps * WRAP;
      if (true_ + tiff.lengths.at(i) <= tiff.bytes.window.size) tiff.offsets.set(i, true_);
    }
  }
  return wraps;
}

/** Gives compressed strips the bytes up to the next one, for theirs are those of the uncompressed strip. */
export function mendCompressed(tiff: TiffFile, pages: TiffPage[]): void {
  const starts = new Float64Array(tiff.offsets.length);
  for (let i = 0; i < starts.length; i++) starts[i] = tiff.offsets.at(i);
  starts.sort();
  const { size } = tiff.bytes.window;
  for (const { kind, firstChunk } of pages) {
    if (kind.compression === 1) continue;
    // LZW of noise takes up to half as much again as the noise itself; channels may differ in depth.
    const most = 4 * storedBytes(kind, kind.chunkRows) + 1024;
    for (let i = firstChunk; i < firstChunk + chunkCount(kind); i++) {
      const offset = tiff.offsets.at(i);
      if (offset === 0) continue;
      const next = firstAbove(starts, offset) ?? size;
      tiff.lengths.set(i, Math.min(next - offset, most, size - offset));
    }
  }
}

/** The smallest of the sorted `values` above `limit`. */
function firstAbove(values: Float64Array, limit: number): number | undefined {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return values[low];
}
