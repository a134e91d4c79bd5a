/** Opens a TIFF file: finds which dialect describes its pages and maps them to images. */
import type { OpenOptions } from "../format.ts";
import { type Dataset, emptyDataset, type ImageSeries } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import {
  dateTime,
  keepPalette,
  paletteOf,
  pixelSize,
  sampleChannels,
  tagAttributes,
} from "./tiff-attributes.ts";
import { findDialect } from "./tiff-dialects.ts";
import { readTiff, type TiffFile } from "./tiff-file.ts";
import { readIfd } from "./tiff-ifd.ts";
import type { TiffPage } from "./tiff-page.ts";
import { groupPages, seriesOfGroup } from "./tiff-series.ts";

/** Reads a plain, ImageJ or tifffile-written TIFF, or the dialect of a maker. */
export async function openTiff(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const dialect = await findDialect(source, options.signal);
  if (dialect) return await dialect(source, options);
  const tiff = await readTiff(source, {
    signal: options.signal,
    chunkBytes: options.limits?.chunkBytes,
  });
  const dataset = emptyDataset("tiff", [source]);
  const groups = groupPages(tiff.pages);
  for (const group of groups) {
    const series = seriesOfGroup(tiff, group);
    dataset.images.push(series);
    await describe(dataset, tiff, series, group.pages[0]);
  }
  await finish(dataset, tiff);
  return dataset;
}

/** Adds what the first page of an image says of it. */
async function describe(
  dataset: Dataset,
  tiff: TiffFile,
  series: ImageSeries,
  page: TiffPage,
): Promise<void> {
  const ifd = page.offset === tiff.first.offset
    ? tiff.first
    : await readIfd(tiff.bytes, page.offset);
  series.attributes = { ...series.attributes, tiff: await tagAttributes(ifd) };
  series.channels ??= sampleChannels(page.kind);
  series.pixelSizeMicrometres ??= await pixelSize(ifd);
  const palette = await paletteOf(ifd, page.kind);
  const array = palette && keepPalette(palette, series);
  if (array && !dataset.arrays.some((a) => a.path === array.path)) dataset.arrays.push(array);
}

async function finish(dataset: Dataset, tiff: TiffFile): Promise<void> {
  dataset.warnings.push(...tiff.warnings);
  dataset.leftOut.push(...tiff.leftOut);
  dataset.metadata.startTime ??= await dateTime(tiff.first);
}
