/**
 * Aperio SVS: the slide with its pyramid, and the thumbnail, label and macro beside it.
 *
 * Sources: Aperio, "Digital Slides and Third-party Data Interchange"; OpenSlide's notes on the format:
 * the first directory is the slide in tiles, the second the thumbnail in strips, further tiled ones are
 * smaller levels or other focal planes, the last ones in strips label and macro.
 */
import type { OpenOptions } from "../format.ts";
import {
  type Attributes,
  type Dataset,
  emptyDataset,
  type ImageSeries,
} from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { pixelSize, sampleChannels, tagAttributes } from "./tiff-attributes.ts";
import { readTiff, type TiffFile } from "./tiff-file.ts";
import { type Ifd, readIfd } from "./tiff-ifd.ts";
import { type PageKind, Photometric, type TiffPage } from "./tiff-page.ts";
import { isReduced, seriesOfGroup } from "./tiff-series.ts";
import { sameShape } from "./tiff-layout.ts";
import { Tag } from "./tiff-tags.ts";

/** Aperio's own codes for JPEG 2000: YCbCr and RGB. */
const APERIO_J2K = [33003, 33005];
const MOST_TEXT = 1 << 20;
const ICC_PROFILE = 34675;
const MOST_ICC = 16 << 20;

/** What an Aperio description says: a header of free text, and `key = value` pairs behind bars. */
export interface AperioText {
  header: string;
  /** Under Aperio's names; numbers where the text is one. */
  values: Attributes;
}

/** Takes an Aperio description apart; a key that comes twice keeps its last value. */
export function parseAperio(text: string): AperioText {
  const [header, ...pairs] = text.split("|");
  const values: [string, string | number][] = [];
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at <= 0) continue;
    const key = pair.slice(0, at).trim(), value = pair.slice(at + 1).trim();
    const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value) ? Number(value) : NaN;
    values.push([key, Number.isFinite(number) ? number : value]);
  }
  return { header: header.trim(), values: Object.fromEntries(values) };
}

interface Described {
  page: TiffPage;
  aperio: AperioText;
}

/** Reads a slide. */
export async function openSvs(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const texts: string[] = [];
  const tiff = await readTiff(source, {
    signal: options.signal,
    chunkBytes: options.limits?.chunkBytes,
    visit: async (ifd, index) => {
      texts[index] = await ifd.text(Tag.ImageDescription, MOST_TEXT) ?? "";
    },
    amend: amendKind,
  });
  const dataset = emptyDataset("svs", [source]);
  dataset.warnings.push(...tiff.warnings);
  dataset.leftOut.push(...tiff.leftOut);
  const pages = tiff.pages.map((page): Described => ({
    page,
    aperio: parseAperio(texts[page.index] ?? ""),
  }));
  const slide = sortPages(pages);
  const series = slideSeries(tiff, slide, dataset);
  const { values } = pages[0].aperio;
  const step = typeof values.MPP === "number" && values.MPP > 0 ? values.MPP : undefined;
  series.pixelSizeMicrometres = {
    ...(step ? { x: step, y: step } : await pixelSize(tiff.first)),
    ...focalStep(slide.planes),
  };
  await describe(series, pages[0], tiff.first);
  dataset.images.push(series);
  for (const [name, other] of slide.others) {
    const image = seriesOfGroup(tiff, { pages: [other.page], levels: [] });
    image.name = name;
    image.role = "auxiliary";
    const { kind } = other.page, full = pages[0].page.kind;
    // The thumbnail shows the whole slide; label and macro are photographs of another kind.
    if (step && name === "thumbnail") {
      image.pixelSizeMicrometres = {
        x: step * full.width / kind.width,
        y: step * full.height / kind.height,
      };
    }
    await describe(image, other, await readIfd(tiff.bytes, other.page.offset));
    dataset.images.push(image);
  }
  const { count = 0 } = tiff.first.entries.get(ICC_PROFILE) ?? {};
  const icc = count <= MOST_ICC ? await tiff.first.bytes(ICC_PROFILE) : undefined;
  if (icc) {
    dataset.arrays.push({
      path: "source/icc_profile",
      dtype: "uint8",
      dims: ["icc_byte"],
      shape: [icc.length],
      layout: { kind: "values", values: icc.slice() },
      attributes: { content: "ICC profile of the slide" },
    });
  }
  dataset.metadata.startTime = scanTime(values);
  if (pages[0].page.kind.samples === 3) {
    dataset.metadata.modality = "brightfield whole slide imaging";
  }
  dataset.metadata.header = { Header: pages[0].aperio.header, ...values };
  return dataset;
}

/** JPEG 2000 tiles come out as RGB whatever the directory says, and carry no chroma of their own. */
function amendKind(kind: PageKind): void {
  if (!APERIO_J2K.includes(kind.compression)) return;
  kind.subsampling = [1, 1];
  if (kind.photometric === Photometric.YCbCr) kind.photometric = Photometric.Rgb;
}

interface Slide {
  /** The slide at full size, one page for each focal plane. */
  planes: Described[];
  /** Smaller levels, largest first. */
  levels: Described[][];
  /** Thumbnail, label, macro and anything else, with their names. */
  others: [string, Described][];
}

/** Tells the pyramid from the images beside it. */
function sortPages(pages: Described[]): Slide {
  const [base, ...rest] = pages;
  const slide: Slide = { planes: [base], levels: [], others: [] };
  const levels: Described[][] = [];
  for (const [i, item] of rest.entries()) {
    const { page } = item;
    const inPyramid = page.kind.tiled && (page.subfile === 0 || page.subfile === 1) &&
      !/^\s*(?:label|macro)\b/m.test(item.aperio.header);
    if (inPyramid && sameShape(page.kind, base.page.kind)) slide.planes.push(item);
    else if (inPyramid && isReduced(page.kind, base.page.kind)) {
      const level = levels.find((l) => sameShape(l[0].page.kind, page.kind));
      if (level) level.push(item);
      else levels.push([item]);
    } else slide.others.push([nameOf(item, i), item]);
  }
  slide.levels = levels.sort((a, b) => b[0].page.kind.width - a[0].page.kind.width);
  return slide;
}

/** Label and macro are named in the second line of their description; else their kind tells them. */
function nameOf({ page, aperio }: Described, place: number): string {
  const named = /^\s*(label|macro|thumbnail)\b/m.exec(aperio.header)?.[1];
  if (named) return named;
  if (place === 0 && page.subfile === 0) return "thumbnail";
  if (page.subfile === 9) return "macro";
  if (page.subfile === 1) return "label";
  return place === 0 ? "thumbnail" : `image ${page.index}`;
}

function slideSeries(tiff: TiffFile, slide: Slide, dataset: Dataset): ImageSeries {
  const whole = slide.levels.filter((level) => level.length === slide.planes.length);
  for (const level of slide.levels) {
    if (whole.includes(level)) continue;
    const { width, height } = level[0].page.kind;
    dataset.warnings.push(
      `the level of ${width} x ${height} pixels has ${level.length} focal planes instead of ${slide.planes.length} and is kept as an image of its own`,
    );
    level.forEach((item, i) => slide.others.push([`level ${width} x ${height}, plane ${i}`, item]));
  }
  const series = seriesOfGroup(tiff, {
    pages: slide.planes.map((p) => p.page),
    levels: whole.map((level) => level.map((p) => p.page)),
  });
  series.name = "slide";
  series.role = "intensity";
  return series;
}

/** Distance of the focal planes, from their heights ("OffsetZ", micrometres). */
function focalStep(planes: Described[]): { z?: number } {
  const heights = planes.map((p) => p.aperio.values.OffsetZ);
  if (heights.length < 2 || !heights.every((h) => typeof h === "number")) return {};
  const steps = heights.slice(1).map((h, i) => h - heights[i]);
  const [step] = steps;
  const even = steps.every((s) => Math.abs(s - step) <= 1e-3 * Math.abs(step));
  return step !== 0 && even ? { z: Math.abs(step) } : {};
}

async function describe(
  series: ImageSeries,
  { page, aperio }: Described,
  ifd: Ifd,
): Promise<void> {
  series.channels ??= sampleChannels(page.kind);
  series.attributes = {
    ...series.attributes,
    aperio: { Header: aperio.header, ...aperio.values },
    tiff: await tagAttributes(ifd),
  };
}

/** "12/29/09" and "09:59:15" with "GMT-05:00" as ISO 8601. */
export function scanTime(values: Attributes): string | undefined {
  const date = /^(\d\d)\/(\d\d)\/(\d{2}|\d{4})$/.exec(String(values.Date ?? ""));
  if (!date) return undefined;
  const year = date[3].length === 4 ? date[3] : `20${date[3]}`;
  if (Number(date[1]) > 12 || Number(date[2]) > 31) return undefined;
  const day = `${year}-${date[1]}-${date[2]}`;
  const time = /^\d\d:\d\d:\d\d$/.exec(String(values.Time ?? ""))?.[0];
  if (!time) return day;
  const zone = /^GMT([+-])(\d\d):?(\d\d)$/.exec(String(values["Time Zone"] ?? ""));
  return `${day}T${time}${zone ? `${zone[1]}${zone[2]}:${zone[3]}` : ""}`;
}
