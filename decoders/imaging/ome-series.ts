/** OME images: from the XML's TiffData blocks to planes, axes, scales and channels. */
import { FuseError } from "../../src/errors.ts";
import type { Attributes, Dataset, ImageSeries } from "../../src/model/dataset.ts";
import type { OmeFile, OmeFileSet } from "./ome-files.ts";
import type { OmeImage, OmeTiffData } from "./ome-xml.ts";
import { sampleChannels } from "./tiff-attributes.ts";
import { type OuterSizes, type Plane, sameShape } from "./tiff-layout.ts";
import { chunkCount, type PageKind } from "./tiff-page.ts";
import { buildLevels } from "./tiff-series.ts";

/** What became of one Image of the XML. */
export interface OmeSeries {
  series: ImageSeries;
  /** The first page that holds some of it. */
  first: Plane;
}

interface Placed {
  planes: (Plane | null)[];
  outer: OuterSizes;
  kind: PageKind;
  /** Planes whose file is not there. */
  inMissingFiles: number;
}

/**
 * Maps an image to chunks.
 * @param crop leave out the time points, channels and slices that lie wholly in files that are not there,
 * instead of filling them.
 * @returns undefined when none of its planes is there.
 */
export async function buildOmeImage(
  image: OmeImage,
  set: OmeFileSet,
  dataset: Dataset,
  crop: boolean,
): Promise<OmeSeries | undefined> {
  const blocks: OmeTiffData[] = image.tiffData.length > 0
    ? image.tiffData
    : [{ ifd: 0, firstC: 0, firstZ: 0, firstT: 0 }];
  await set.open(blocks);
  const label = image.name ?? image.id;
  let placed = placePlanes(
    image,
    blocks,
    set,
    (text) => dataset.warnings.push(`${label}: ${text}`),
  );
  if (!placed) return undefined;
  if (crop && placed.inMissingFiles > 0) placed = cropPlanes(placed);
  const { planes, outer, kind } = placed;
  const absent = planes.filter((p) => p === null).length;
  if (absent > 0) {
    dataset.warnings.push(
      `${label}: ${absent} of ${planes.length} planes are not in the files and are filled with 0`,
    );
  }
  const { axes, levels } = buildLevels(planes, outer);
  const series: ImageSeries = { name: image.name ?? "", axes, dtype: kind.dtype, levels };
  if (Object.keys(image.physicalSize).length > 0) {
    series.pixelSizeMicrometres = { ...image.physicalSize };
  }
  const step = image.timeIncrement ?? steadyStep(image);
  if (step !== undefined && outer.t > 1) series.timeStepSeconds = step;
  series.channels = omeChannels(image, kind, outer.c);
  // Not `ome`: that is where OME-Zarr 0.5 keeps its own metadata.
  series.attributes = { ome_image: omeAttributes(image) };
  return { series, first: planes.find((p) => p !== null)! };
}

function placePlanes(
  image: OmeImage,
  blocks: OmeTiffData[],
  set: OmeFileSet,
  warn: (text: string) => void,
): Placed | undefined {
  const kind = referenceKind(image, blocks, set);
  if (!kind) return undefined;
  // SizeC counts samples: three for one RGB plane.
  const c = image.sizeC % kind.samples === 0 ? image.sizeC / kind.samples : image.sizeC;
  const outer: OuterSizes = { t: image.sizeT, c, z: image.sizeZ };
  const order = image.dimensionOrder.slice(2).toLowerCase() as unknown as Iterable<
    keyof OuterSizes
  >;
  const fastestFirst = [...order].map((axis) => ({ axis, size: outer[axis] }));
  const total = outer.t * outer.c * outer.z;
  checkPromise(image, total, blocks, set);
  const planes: (Plane | null)[] = new Array(total).fill(null);
  let inMissingFiles = 0, outside = 0, unlike = 0;
  for (const block of blocks) {
    const file = set.fileOf(block);
    const place: OuterSizes = {
      t: block.firstT,
      c: block.firstC < c ? block.firstC : Math.floor(block.firstC / kind.samples),
      z: block.firstZ,
    };
    if (place.t >= outer.t || place.c >= outer.c || place.z >= outer.z) {
      outside++;
      continue;
    }
    let start = 0, stride = 1;
    for (const { axis, size } of fastestFirst) {
      start += place[axis] * stride;
      stride *= size;
    }
    const count = Math.min(block.planeCount ?? file?.pages.size ?? total, total - start);
    if (!file) {
      inMissingFiles += count;
      continue;
    }
    for (let i = 0; i < count; i++) {
      const page = file.pages.get(block.ifd + i);
      if (!page) continue;
      if (!sameShape(page.kind, kind)) {
        unlike++;
        continue;
      }
      planes[slot(start + i, fastestFirst, outer)] = planeOf(file, block.ifd + i);
    }
  }
  if (outside > 0) warn(`${outside} TiffData blocks name planes outside of the image`);
  if (unlike > 0) warn(`${unlike} pages differ from the others in size or type and are left out`);
  return planes.some((p) => p !== null) ? { planes, outer, kind, inMissingFiles } : undefined;
}

/** Planes that may be missing whatever the files hold, and planes a plane in the files may stand for. */
const FREE_PLANES = 1 << 20, PLANES_EACH = 256;

/** @throws FuseError `Truncated` when next to nothing of a huge image is in the files. */
function checkPromise(
  image: OmeImage,
  total: number,
  blocks: OmeTiffData[],
  set: OmeFileSet,
): void {
  if (total <= FREE_PLANES) return;
  const files = new Set(blocks.map((block) => set.fileOf(block)));
  const held = [...files].reduce((n, file) => n + (file?.pages.size ?? 0), 0);
  if (total <= PLANES_EACH * held) return;
  throw new FuseError("Truncated", "the files hold next to nothing of what the OME-XML announces", {
    source: set.dataset.sources[0].name,
    format: "ome_tiff",
    field: image.id,
    found: `${held} pages`,
    expected: `${total} planes`,
  });
}

function planeOf(file: OmeFile, index: number): Plane {
  return { tiff: file.tiff, source: file.source, page: file.pages.get(index)! };
}

/** The place in `[t][c][z]` of the n-th plane in the image's own order. */
function slot(
  n: number,
  fastestFirst: { axis: keyof OuterSizes; size: number }[],
  outer: OuterSizes,
): number {
  const place: OuterSizes = { t: 0, c: 0, z: 0 };
  let rest = n;
  for (const { axis, size } of fastestFirst) {
    place[axis] = rest % size;
    rest = Math.floor(rest / size);
  }
  return (place.t * outer.c + place.c) * outer.z + place.z;
}

/** The kind of the first page that has the size the XML states, or else of the first page there is. */
function referenceKind(
  image: OmeImage,
  blocks: OmeTiffData[],
  set: OmeFileSet,
): PageKind | undefined {
  let any: PageKind | undefined;
  for (const block of blocks) {
    const kind = set.fileOf(block)?.pages.get(block.ifd)?.kind;
    if (kind?.width === image.sizeX && kind.height === image.sizeY) return kind;
    any ??= kind;
  }
  return any;
}

/** Keeps the smallest block of time points, channels and slices that holds all planes there are. */
function cropPlanes({ planes, outer, kind, inMissingFiles }: Placed): Placed {
  const used = { t: new Set<number>(), c: new Set<number>(), z: new Set<number>() };
  planes.forEach((plane, i) => {
    if (!plane) return;
    used.z.add(i % outer.z);
    used.c.add(Math.floor(i / outer.z) % outer.c);
    used.t.add(Math.floor(i / (outer.z * outer.c)));
  });
  const range = (set: Set<number>) => {
    let low = Infinity, high = -Infinity;
    for (const n of set) [low, high] = [Math.min(low, n), Math.max(high, n)];
    return { low, size: high - low + 1 };
  };
  const [t, c, z] = [range(used.t), range(used.c), range(used.z)];
  const kept: (Plane | null)[] = [];
  for (let it = 0; it < t.size; it++) {
    for (let ic = 0; ic < c.size; ic++) {
      for (let iz = 0; iz < z.size; iz++) {
        kept.push(planes[((t.low + it) * outer.c + c.low + ic) * outer.z + z.low + iz]);
      }
    }
  }
  return { planes: kept, outer: { t: t.size, c: c.size, z: z.size }, kind, inMissingFiles };
}

/** The step between time points when their times are given one by one and are equidistant to 1 %. */
function steadyStep(image: OmeImage): number | undefined {
  const last = image.sizeT - 1;
  const first = image.deltaT.get(0), end = image.deltaT.get(last);
  if (last < 1 || first === undefined || end === undefined || !(end > first)) return undefined;
  const step = (end - first) / last;
  for (const [t, seconds] of image.deltaT) {
    if (Math.abs(seconds - first - t * step) > 0.01 * step) return undefined;
  }
  return step;
}

function omeChannels(
  image: OmeImage,
  kind: PageKind,
  planes: number,
): ImageSeries["channels"] {
  const samples = sampleChannels(kind);
  const out: NonNullable<ImageSeries["channels"]> = [];
  for (let c = 0; c < planes; c++) {
    const { name, color } = image.channels[c] ?? {};
    if (!samples) out.push({ ...(name ? { name } : {}), ...(color ? { color } : {}) });
    else for (const s of samples) out.push({ ...s, name: name ? `${name} ${s.name}` : s.name });
  }
  return out.some((c) => Object.keys(c).length > 0) ? out : undefined;
}

function omeAttributes(image: OmeImage): Attributes {
  const times = [...image.deltaT].sort((a, b) => a[0] - b[0]);
  return {
    id: image.id,
    ...(image.name ? { name: image.name } : {}),
    ...(image.description ? { description: image.description } : {}),
    ...(image.acquisitionDate ? { acquisition_date: image.acquisitionDate } : {}),
    dimension_order: image.dimensionOrder,
    ...(times.length > 1 && times.length <= 100_000
      ? { delta_t_seconds: times.map(([, seconds]) => seconds) }
      : {}),
  };
}

/** Pages of the opened file that no image uses: they are named, not dropped silently. */
export function unusedPages(file: OmeFile, images: ImageSeries[]): number[] {
  const used = new Set<number>();
  for (const { levels: [{ layout }] } of images) {
    layout.source.forEach((s, i) => s === file.source && used.add(layout.offset[i]));
  }
  return [...file.pages.values()].filter(({ firstChunk, kind }) => {
    const count = chunkCount(kind);
    let stored = false;
    for (let i = firstChunk; i < firstChunk + count; i++) {
      const offset = file.tiff.offsets.at(i);
      if (offset === 0) continue;
      if (used.has(offset)) return false;
      stored = true;
    }
    return stored;
  }).map(({ index }) => index);
}
