/**
 * Groups pages into images. Pages of one shape and type are a stack; smaller copies are the levels of
 * a pyramid, whether they are marked as reduced, hang below their page as SubIFDs (TIFF Technical
 * Note 1), or just follow it at an exact fraction of its size.
 */
import type { ImageLevel, ImageSeries } from "../../src/model/dataset.ts";
import { axesOf, buildLevel, type OuterSizes, type Plane, sameShape } from "./tiff-layout.ts";
import type { TiffFile } from "./tiff-file.ts";
import { type PageKind, Photometric, pixelBits, subsampled, type TiffPage } from "./tiff-page.ts";

/** Pages that make one image, with the smaller groups that are its pyramid. */
export interface PageGroup {
  pages: TiffPage[];
  levels: TiffPage[][];
}

/** Levels of a pyramid, and images before a page among which the one it reduces is looked for. */
const MOST_LEVELS = 32, NEAR_GROUPS = 256;

/** The photometric kind of what the decoder puts out: YCbCr becomes RGB. */
export function outputPhotometric(kind: PageKind): number {
  const converted = kind.photometric === Photometric.YCbCr && kind.samples === 3 &&
    !kind.separate && (kind.bits === 8 || kind.compression === 7);
  return converted ? Photometric.Rgb : kind.photometric;
}

/** True when both pages hold the same kind of samples. */
function sameSamples(a: PageKind, b: PageKind): boolean {
  return a.dtype === b.dtype && a.samples === b.samples &&
    outputPhotometric(a) === outputPhotometric(b);
}

/**
 * True when `small` is `large` reduced: the same samples and, within a pixel of rounding, the same
 * proportions.
 */
export function isReduced(small: PageKind, large: PageKind): boolean {
  if (!sameSamples(small, large) || small.depth > large.depth) return false;
  if (small.width > large.width || small.height > large.height) return false;
  if (small.width === large.width && small.height === large.height) return false;
  const skew = Math.abs(small.width * large.height - small.height * large.width);
  return skew <= large.width + large.height;
}

/** True when `small` has the size of `large` divided by 2, 3, 4, 8 or 16, rounded either way. */
function isExactFraction(small: PageKind, large: PageKind): boolean {
  return isReduced(small, large) && [2, 3, 4, 8, 16].some((n) => {
    const fits = (a: number, b: number) => a === Math.ceil(b / n) || a === Math.floor(b / n);
    return fits(small.width, large.width) && fits(small.height, large.height);
  });
}

/** A key that is equal for pages that can be stacked in one chunk table. */
function stackKey(page: TiffPage): string {
  const k = page.kind;
  const free = k.compression === 1 && !k.tiled && k.depth === 1 && !subsampled(k);
  const grid = free ? [] : [k.chunkWidth, k.chunkRows, k.chunkDepth];
  return [
    k.width,
    k.height,
    k.depth,
    k.samples,
    k.dtype,
    k.separate,
    free ? pixelBits(k) : "",
    outputPhotometric(k),
    page.subfile & 5,
    ...grid,
  ].join();
}

/** SubIFDs that are smaller copies of their page, largest first. */
export function subLevels(page: TiffPage): TiffPage[] {
  return page.subPages.filter((sub) => isReduced(sub.kind, page.kind))
    .sort((a, b) => b.kind.width - a.kind.width);
}

/** Pages in order, with the SubIFDs that are images of their own after their parents. */
function inOrder(pages: TiffPage[]): TiffPage[] {
  return pages.flatMap((page) => [
    page,
    ...inOrder(page.subPages.filter((sub) => !isReduced(sub.kind, page.kind))),
  ]);
}

/** Groups the pages of a file without further description. */
export function groupPages(pages: TiffPage[]): PageGroup[] {
  const stacks = new Map<string, TiffPage[]>();
  for (const page of inOrder(pages)) {
    const key = stackKey(page);
    const stack = stacks.get(key);
    if (stack) stack.push(page);
    else stacks.set(key, [page]);
  }
  const groups: PageGroup[] = [];
  for (const stack of stacks.values()) {
    const base = groups.slice(-NEAR_GROUPS).findLast((group) => isLevelOf(stack, group));
    if (base) base.levels.push(stack);
    else groups.push({ pages: stack, levels: [] });
  }
  return groups;
}

function isLevelOf(stack: TiffPage[], group: PageGroup): boolean {
  if (stack.length !== group.pages.length) return false;
  const [page] = stack;
  const last = (group.levels.at(-1) ?? group.pages)[0];
  if ((page.subfile & 4) !== (last.subfile & 4)) return false;
  return page.subfile & 1 ? isReduced(page.kind, last.kind) : isExactFraction(page.kind, last.kind);
}

/** Makes planes of pages of one file. */
export function planesOf(tiff: TiffFile, pages: TiffPage[], source = 0): Plane[] {
  return pages.map((page) => ({ tiff, source, page }));
}

/**
 * All resolutions of an image made from planes in C order of `[t][c][z]`: its own, those of its
 * pages' SubIFDs, and those of `more`.
 */
export function buildLevels(
  planes: (Plane | null)[],
  outer: OuterSizes,
  more: (Plane | null)[][] = [],
): { axes: ImageSeries["axes"]; levels: ImageLevel[] } {
  const kind = planes.find((p) => p !== null)!.page.kind;
  const axes = axesOf(outer, kind);
  const levels = [buildLevel(planes, outer, axes)];
  const subs = planes.map((plane) => plane && (plane.shift ? [] : subLevels(plane.page)));
  const count = subs.reduce((n, s) => Math.min(n, s?.length ?? n), MOST_LEVELS);
  const candidates = Array.from(
    { length: count },
    (_, k) => planes.map((plane, i) => plane && { ...plane, page: subs[i]![k] }),
  );
  for (const smaller of [...candidates, ...more]) {
    const present = smaller.filter((p) => p !== null);
    const first = present[0].page.kind;
    // A level some planes lack, or have in another size, is left to be made anew.
    if (present.some((p) => !sameShape(first, p.page.kind)) || first.depth !== kind.depth) continue;
    levels.push(buildLevel(smaller, outer, axes));
  }
  return { axes, levels };
}

/** An image of the pages of one file: a stack along z, or along t when each page is a volume. */
export function seriesOfGroup(tiff: TiffFile, group: PageGroup): ImageSeries {
  const { kind, subfile } = group.pages[0];
  const n = group.pages.length;
  const outer = kind.depth > 1 ? { t: n, c: 1, z: 1 } : { t: 1, c: 1, z: n };
  const { axes, levels } = buildLevels(
    planesOf(tiff, group.pages),
    outer,
    group.levels.map((pages) => planesOf(tiff, pages)),
  );
  const series: ImageSeries = { name: "", axes, dtype: kind.dtype, levels };
  if (subfile & 4) series.role = "label";
  else if (subfile & 1) series.role = "auxiliary";
  else if (kind.photometric === Photometric.Palette || kind.bits === 1) series.role = "label";
  return series;
}
