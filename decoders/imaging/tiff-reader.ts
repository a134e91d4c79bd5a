/** Opens a TIFF file: finds which dialect describes its pages and maps them to images. */
import type { OpenOptions } from "../format.ts";
import { DEFAULT_LIMITS, FuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset, type ImageSeries } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { openOme, readCompanion } from "./ome-tiff-reader.ts";
import { isOmeXml } from "./ome-xml.ts";
import {
  dateTime,
  keepPalette,
  leftOutOf,
  paletteOf,
  pixelSize,
  sampleChannels,
  tagAttributes,
} from "./tiff-attributes.ts";
import { findDialect } from "./tiff-dialects.ts";
import { followingPlanes, outerSizes, reorder } from "./tiff-dimensions.ts";
import { readTiff, type TiffFile } from "./tiff-file.ts";
import { type Ifd, readIfd, readText } from "./tiff-ifd.ts";
import {
  announcedPlanes,
  imageJAttributes,
  imageJChannels,
  imageJDimensions,
  type ImageJKeys,
  imageJScales,
  parseImageJ,
  readImageJMetadata,
} from "./tiff-imagej.ts";
import { type Plane, sameShape } from "./tiff-layout.ts";
import type { TiffPage } from "./tiff-page.ts";
import { buildLevels, groupPages, planesOf, seriesOfGroup } from "./tiff-series.ts";
import { Tag } from "./tiff-tags.ts";
import { findStk, type StkStack } from "./tiff-stk.ts";
import { findShaped, type ShapedStack } from "./tiff-shaped.ts";

/** Bytes of a description worth reading. */
const MOST_DESCRIPTION = 1 << 26;
/** Images whose tags are kept: files with more have the same ones over and over. */
const MOST_DESCRIBED = 1024;

/**
 * Reads plain, ImageJ, tifffile-written and OME-TIFF files, companion files of OME-TIFF sets, and the
 * dialects of makers.
 */
export async function openTiff(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const companion = await readCompanion(source, options);
  if (companion !== undefined) return await openCompanion(source, companion, options);
  const dialect = await findDialect(source, options.signal);
  if (dialect) return await dialect(source, options);
  const tiff = await readTiff(source, {
    signal: options.signal,
    chunkBytes: options.limits?.chunkBytes,
  });
  const dataset = emptyDataset("tiff", [source]);
  const [page] = tiff.pages;
  const description = page.description && page.offset === tiff.first.offset
    ? await readText(tiff.bytes, page.description, MOST_DESCRIPTION)
    : undefined;
  if (isOmeXml(description)) {
    for (const { series, first } of await openOme(dataset, tiff, description, options)) {
      await add(dataset, first.tiff, series, first.page, ["ImageDescription"]);
    }
    if (dataset.images.length > 0) dataset.format = "ome_tiff";
  }
  if (dataset.images.length === 0) {
    const keys = parseImageJ(description);
    const stk = keys ? undefined : await findStk(tiff);
    if (keys) await openImageJ(dataset, tiff, keys);
    else if (stk) await openStk(dataset, tiff, stk);
    else await openPages(dataset, tiff, tiff.pages);
  }
  dataset.warnings.push(...tiff.warnings);
  dataset.leftOut.push(...tiff.leftOut);
  dataset.metadata.startTime ??= await dateTime(tiff.first);
  return dataset;
}

async function openCompanion(
  source: ByteSource,
  xml: string,
  options: OpenOptions,
): Promise<Dataset> {
  const dataset = emptyDataset("ome_tiff", [source]);
  if (!isOmeXml(xml)) {
    throw new FuseError("Corrupt", "this is neither TIFF nor OME-XML", {
      source: source.name,
      format: "tiff",
      offset: 0,
    });
  }
  for (const { series, first } of await openOme(dataset, undefined, xml, options)) {
    await add(dataset, first.tiff, series, first.page, ["ImageDescription"]);
  }
  if (dataset.images.length === 0) {
    const [left] = dataset.leftOut;
    throw new FuseError("Unsupported", "no image of the OME-XML can be read", {
      source: source.name,
      format: "ome_tiff",
      found: left ? `${left.what}: ${left.why}` : "no Image element",
      remedy: "Put the TIFF files of the set beside it",
    });
  }
  return dataset;
}

/** Adds an image with what its first page says of it. */
async function add(
  dataset: Dataset,
  tiff: TiffFile,
  series: ImageSeries,
  page: TiffPage,
  without: string[] = [],
): Promise<void> {
  const ifd = await ifdOf(tiff, page);
  if (dataset.images.length < MOST_DESCRIBED) {
    const tags = await tagAttributes(ifd);
    for (const name of without) delete tags[name];
    series.attributes = { ...series.attributes, tiff: tags };
  }
  series.channels ??= sampleChannels(page.kind);
  for (const left of leftOutOf(ifd)) {
    if (!dataset.leftOut.some((l) => l.what === left.what)) dataset.leftOut.push(left);
  }
  const palette = await paletteOf(ifd, page.kind);
  const array = palette && keepPalette(palette, series);
  if (array && !dataset.arrays.some((a) => a.path === array.path)) dataset.arrays.push(array);
  dataset.images.push(series);
}

async function ifdOf(tiff: TiffFile, page: TiffPage): Promise<Ifd> {
  return page.offset === tiff.first.offset ? tiff.first : await readIfd(tiff.bytes, page.offset);
}

/** MetaMorph's stack: one image. */
async function openStk(dataset: Dataset, tiff: TiffFile, stk: StkStack): Promise<void> {
  const [page] = tiff.pages;
  const outer = { t: 1, c: 1, z: 1, [stk.axis]: stk.planes.length };
  const { axes, levels } = buildLevels(stk.planes, outer);
  const series: ImageSeries = { name: stk.name ?? "", axes, dtype: page.kind.dtype, levels };
  series.pixelSizeMicrometres = stk.pixelSizeMicrometres;
  if (stk.axis === "t") series.timeStepSeconds = stk.timeStepSeconds;
  series.attributes = { metamorph: stk.attributes };
  dataset.metadata.startTime = stk.startTime;
  await add(dataset, tiff, series, page);
}

/** ImageJ's hyperstack, then whatever else the file holds. */
async function openImageJ(dataset: Dataset, tiff: TiffFile, keys: ImageJKeys): Promise<void> {
  const { planes, rest } = imageJPlanes(dataset, tiff, keys);
  const { page } = planes.find((p) => p !== null)!;
  const warn = (text: string) => dataset.warnings.push(text);
  const dimensions = imageJDimensions(keys, planes.length, page.kind.samples, warn);
  const outer = outerSizes(dimensions);
  const { axes, levels } = buildLevels(reorder(planes, dimensions), outer);
  const metadata = await readImageJMetadata(tiff.first);
  const series: ImageSeries = {
    name: "",
    axes,
    dtype: page.kind.dtype,
    levels,
    ...await imageJScales(keys, tiff.first),
    channels: page.kind.samples > 1 ? undefined : imageJChannels(keys, metadata, outer.c),
    attributes: { imagej: imageJAttributes(keys, metadata) },
  };
  if (outer.t === 1) delete series.timeStepSeconds;
  if (series.pixelSizeMicrometres && outer.z === 1) delete series.pixelSizeMicrometres.z;
  for (const what of metadata?.others ?? []) {
    dataset.leftOut.push({
      what: `ImageJ ${what}`,
      why: "shapes drawn on an image are not part of its pixels",
    });
  }
  await add(dataset, tiff, series, page, ["ImageDescription"]);
  if (rest.length > 0) await openPages(dataset, tiff, rest);
}

function imageJPlanes(
  dataset: Dataset,
  tiff: TiffFile,
  keys: ImageJKeys,
): { planes: (Plane | null)[]; rest: TiffPage[] } {
  const { pages } = tiff;
  const announced = announcedPlanes(keys) ?? pages.length;
  if (pages.length === 1 && announced > 1) {
    const following = followingPlanes(tiff, pages[0], announced);
    if (following) return { planes: following, rest: [] };
  }
  let like = 1;
  while (like < pages.length && sameShape(pages[like].kind, pages[0].kind)) like++;
  const used = Math.min(like, announced);
  const planes: (Plane | null)[] = planesOf(tiff, pages.slice(0, used));
  if (used < announced) {
    dataset.warnings.push(
      `ImageJ's description announces ${announced} images, the file holds ${used}: ` +
        "the others are filled with 0",
    );
    while (planes.length < Math.min(announced, 1 << 20)) planes.push(null);
  }
  return { planes, rest: pages.slice(used) };
}

/** Pages without a dialect that covers the whole file: arrays of tifffile, then stacks of equal pages. */
async function openPages(dataset: Dataset, tiff: TiffFile, pages: TiffPage[]): Promise<void> {
  const plain: TiffPage[] = [];
  for (let i = 0; i < pages.length;) {
    const stack = await shapedAt(tiff, pages, i);
    if (!stack) {
      plain.push(pages[i++]);
      continue;
    }
    const { planes, dimensions, metadata, pageCount } = stack;
    const { axes, levels } = buildLevels(reorder(planes, dimensions), outerSizes(dimensions));
    const series: ImageSeries = { name: "", axes, dtype: pages[i].kind.dtype, levels };
    if (Object.keys(metadata).length > 1) series.attributes = { tifffile: metadata };
    series.pixelSizeMicrometres = await pixelSize(await ifdOf(tiff, pages[i]));
    await add(dataset, tiff, series, pages[i]);
    i += pageCount;
  }
  const groups = groupPages(plain);
  if (groups.length > DEFAULT_LIMITS.items) {
    throw new FuseError("Limit", "too many images of different sizes", {
      source: tiff.source.name,
      format: "tiff",
      found: groups.length,
      expected: `at most ${DEFAULT_LIMITS.items}`,
    });
  }
  for (const group of groups) {
    const series = seriesOfGroup(tiff, group);
    const ifd = await ifdOf(tiff, group.pages[0]);
    series.pixelSizeMicrometres = await pixelSize(ifd);
    if (group.pages.length === 1) series.name = await ifd.text(Tag.PageName, 4096) ?? "";
    await add(dataset, tiff, series, group.pages[0]);
  }
}

async function shapedAt(
  tiff: TiffFile,
  pages: TiffPage[],
  from: number,
): Promise<ShapedStack | undefined> {
  const { description } = pages[from];
  // A shape is short; frames of recordings have long descriptions that need not be fetched.
  if (!description || description.type !== 2 || description.count > 65_536) return undefined;
  if (from > 0 && description.count > 4096) return undefined;
  return findShaped(tiff, pages, from, await readText(tiff.bytes, description, 65_536));
}
