/**
 * Arrays written by tifffile: the first page's description is JSON with the array's shape, and its
 * axes where the writer named them. The planes are pages, or follow the only page uncompressed.
 */
import type { Json } from "../../src/model/dataset.ts";
import { type Dimension, followingPlanes, unnamedAxes } from "./tiff-dimensions.ts";
import { type Plane, sameShape } from "./tiff-layout.ts";
import type { TiffFile } from "./tiff-file.ts";
import type { TiffPage } from "./tiff-page.ts";

/** An array found in consecutive pages. */
export interface ShapedStack {
  planes: Plane[];
  dimensions: Dimension[];
  /** Pages used, from the one with the description on. */
  pageCount: number;
  metadata: Record<string, Json>;
}

const AXES: Record<string, Dimension["axis"]> = { t: "t", c: "c", z: "z" };

/** The shape and metadata of a description, or undefined when it is not one of tifffile's. */
export function parseShaped(
  description: string,
): { shape: number[]; metadata: Record<string, Json> } | undefined {
  const old = /^shape=\(([\d, ]+)\)/.exec(description);
  if (old) {
    return {
      shape: old[1].split(",").map((s) => s.trim()).filter((s) => s).map(Number),
      metadata: {},
    };
  }
  if (!description.startsWith("{")) return undefined;
  let metadata: Record<string, Json>;
  try {
    metadata = JSON.parse(description);
  } catch {
    return undefined;
  }
  const { shape } = metadata;
  const sizes = Array.isArray(shape) && shape.length > 0 &&
    shape.every((n) => typeof n === "number" && Number.isInteger(n) && n > 0);
  return sizes ? { shape: shape as number[], metadata } : undefined;
}

/** The array that begins at `pages[from]`; undefined when shape and pages do not fit. */
export function findShaped(
  tiff: TiffFile,
  pages: TiffPage[],
  from: number,
  description: string,
): ShapedStack | undefined {
  const parsed = parseShaped(description);
  if (!parsed) return undefined;
  const { shape, metadata } = parsed;
  const page = pages[from];
  const { width, height, depth, samples } = page.kind;
  const pageSize = width * height * depth * samples;
  let inner = 1, lead = shape.length;
  while (lead > 0 && inner < pageSize) inner *= shape[--lead];
  if (inner !== pageSize) return undefined;
  const leading = shape.slice(0, lead);
  const count = leading.reduce((a, b) => a * b, 1);
  const axes = typeof metadata.axes === "string" && metadata.axes.length === shape.length
    ? metadata.axes.toLowerCase()
    : "";
  const planes = pagePlanes(tiff, pages, from, count) ??
    (metadata.truncated === true ? followingPlanes(tiff, page, count) : undefined);
  if (!planes) return undefined;
  return {
    planes,
    dimensions: nameDimensions(leading, axes, depth > 1 || axes.slice(lead).includes("z")),
    pageCount: planes[0].shift === undefined ? count : 1,
    metadata,
  };
}

function pagePlanes(
  tiff: TiffFile,
  pages: TiffPage[],
  from: number,
  count: number,
): Plane[] | undefined {
  const used = pages.slice(from, from + count);
  if (used.length < count || used.some((p) => !sameShape(p.kind, used[0].kind))) return undefined;
  return used.map((page) => ({ tiff, source: 0, page }));
}

/** Axes of the leading dimensions: the named ones as named, the others in what is left. */
function nameDimensions(sizes: number[], axes: string, zTaken: boolean): Dimension[] {
  const unnamed = unnamedAxes(sizes.filter((n) => n > 1).length);
  const named = sizes.map((_, i) => AXES[axes[i] ?? ""]);
  const free = (["z", "t", "c"] as const).filter((a) =>
    !named.includes(a) && !(a === "z" && zTaken)
  );
  const anyNamed = named.some((a) => a !== undefined) || zTaken;
  let next = 0;
  return sizes.map((size, i) => {
    if (named[i]) return { axis: named[i], size };
    if (size === 1) return { axis: "t", size };
    return { axis: anyNamed ? free[next++] ?? "t" : unnamed[next++], size };
  });
}
