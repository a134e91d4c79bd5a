/** Which plane of a file is which place on the axes t, c and z. */
import { FuseError } from "../../src/errors.ts";
import type { OuterSizes, Plane } from "./tiff-layout.ts";
import type { TiffFile } from "./tiff-file.ts";
import { type PageKind, pixelBits, subsampled, type TiffPage } from "./tiff-page.ts";

/** One outer dimension of a file's planes, slowest first. */
export interface Dimension {
  axis: "t" | "c" | "z";
  size: number;
}

/** Sizes of t, c and z; dimensions that share an axis are multiplied. */
export function outerSizes(dimensions: Dimension[]): OuterSizes {
  const sizes: OuterSizes = { t: 1, c: 1, z: 1 };
  for (const { axis, size } of dimensions) sizes[axis] *= size;
  return sizes;
}

/** Puts planes that lie in the order of `dimensions` into C order of `[t][c][z]`. */
export function reorder<T>(planes: T[], dimensions: Dimension[]): T[] {
  const outer = outerSizes(dimensions);
  const out: T[] = [];
  for (let t = 0; t < outer.t; t++) {
    for (let c = 0; c < outer.c; c++) {
      for (let z = 0; z < outer.z; z++) out.push(planes[planeIndex(dimensions, { t, c, z })]);
    }
  }
  return out;
}

/** Number of the plane at a place: the inverse of the order of the dimensions. */
function planeIndex(dimensions: Dimension[], place: OuterSizes): number {
  const rest = { ...place };
  let index = 0, stride = 1;
  for (let i = dimensions.length - 1; i >= 0; i--) {
    const { axis, size } = dimensions[i];
    index += (rest[axis] % size) * stride;
    rest[axis] = Math.floor(rest[axis] / size);
    stride *= size;
  }
  return index;
}

/** Axes for leading dimensions nothing names, slowest first; more than three meet on t. */
export function unnamedAxes(count: number): Dimension["axis"][] {
  if (count <= 1) return ["z"];
  if (count === 2) return ["t", "z"];
  return [...Array.from({ length: count - 2 }, () => "t" as const), "c", "z"];
}

/** Bytes of one uncompressed plane as it lies in the file. */
function storedPlaneBytes(kind: PageKind): number {
  return Math.ceil(kind.width * pixelBits(kind) / 8) * kind.height *
    (kind.separate ? kind.samples : 1);
}

/**
 * Planes that follow the only directory's own without directories, as ImageJ writes large stacks and
 * tifffile "truncated" ones.
 * @returns undefined when the page is not stored as one uncompressed piece.
 * @throws FuseError `Truncated` when the file ends before the last plane.
 */
export function followingPlanes(
  tiff: TiffFile,
  page: TiffPage,
  count: number,
): Plane[] | undefined {
  const { kind } = page;
  if (kind.compression !== 1 || kind.tiled || kind.depth > 1 || subsampled(kind)) return undefined;
  const chunks = kind.down * (kind.separate ? kind.samples : 1);
  const first = page.firstChunk;
  for (let i = first + 1; i < first + chunks; i++) {
    if (tiff.offsets.at(i) !== tiff.offsets.at(i - 1) + tiff.lengths.at(i - 1)) return undefined;
  }
  const bytes = storedPlaneBytes(kind);
  const start = tiff.offsets.at(first);
  const size = tiff.bytes.window.size;
  if (start + bytes * count > size) {
    throw new FuseError("Truncated", "the file ends before the last plane it announces", {
      source: tiff.source.name,
      format: "tiff",
      offset: start,
      found: `${Math.floor((size - start) / bytes)} planes`,
      expected: count,
    });
  }
  return Array.from({ length: count }, (_, i) => ({ tiff, source: 0, page, shift: i * bytes }));
}
