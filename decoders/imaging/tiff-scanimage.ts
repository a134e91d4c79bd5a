/** ScanImage recordings: pages of a TIFF or BigTIFF ordered into channels, slices and times. */
import { isFuseError } from "../../src/errors.ts";
import type { OpenOptions } from "../format.ts";
import {
  type Attributes,
  type Dataset,
  emptyDataset,
  type ImageSeries,
  type Json,
  type NamedArray,
} from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { numbersOf } from "./matlab-text.ts";
import { FrameTable } from "./scanimage-frames.ts";
import {
  isoTime,
  readSettings,
  type ScanSettings,
  STATIC_TEXTS,
  staticLengths,
  tryJson,
} from "./scanimage-header.ts";
import { orderPages, type PagePlan } from "./scanimage-layout.ts";
import { roiPixelSize } from "./scanimage-rois.ts";
import { dateTime, pixelSize, tagAttributes } from "./tiff-attributes.ts";
import { readTiff, type TiffFile } from "./tiff-file.ts";
import { decodeText } from "./tiff-ifd.ts";
import { sameShape } from "./tiff-layout.ts";
import type { TiffPage } from "./tiff-page.ts";
import { buildLevels, groupPages, planesOf, seriesOfGroup } from "./tiff-series.ts";
import { Tag } from "./tiff-tags.ts";

/** Largest text of settings or regions that is read. */
const MOST_TEXT = 32 << 20;
/** Where the texts and the table of frames are kept in the store. */
const KEPT = "source/scanimage";
const FRAMES = "source/frames";

/** Reads a ScanImage recording of any version, one file at a time. */
export async function openScanImage(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const frames = new FrameTable();
  const tiff = await readTiff(source, {
    signal: options.signal,
    chunkBytes: options.limits?.chunkBytes,
    visit: (ifd) => frames.add(ifd),
  });
  const dataset = emptyDataset("scanimage", [source]);
  dataset.warnings.push(...tiff.warnings);
  dataset.leftOut.push(...tiff.leftOut);
  const texts = await readTexts(tiff, dataset);
  const settings = readSettings(texts.header, texts.description);
  const [first] = tiff.pages;
  const main = tiff.pages.filter((page) => sameShape(page.kind, first.kind));
  const others = tiff.pages.filter((page) => !sameShape(page.kind, first.kind));
  const plan = planPages(main, settings, frames, dataset);
  const series = mainSeries(tiff, main, plan, settings);
  series.pixelSizeMicrometres = await lateralSize(tiff, settings, texts.rois, plan);
  timeSeries(series, plan, main, settings, frames, dataset);
  dataset.images.push(series, ...extraSeries(tiff, main, plan, settings, series));
  for (const group of groupPages(others)) dataset.images.push(seriesOfGroup(tiff, group));
  dataset.arrays.push(...frames.arrays(FRAMES), ...placeArrays(main, plan, frames.pages));
  const constants = frames.constants();
  dataset.metadata.startTime = isoTime(numbersOf(constants.epoch)) ?? settings.startTime ??
    await dateTime(tiff.first);
  dataset.metadata.header = { ...Object.fromEntries(settings.all), ...constants };
  dataset.metadata.modality = "laser scanning microscopy";
  series.attributes = {
    scanimage: { version: settings.version || "unknown" },
    tiff: await ownTags(tiff),
  };
  return dataset;
}

/** Tags of the first page without the long texts, which are kept as documents. */
async function ownTags(tiff: TiffFile): Promise<Attributes> {
  const tags = await tagAttributes(tiff.first);
  for (const name of ["Software", "Artist", "ImageDescription"]) {
    if (typeof tags[name] === "string" && tags[name].length > 256) delete tags[name];
  }
  return tags;
}

interface Texts {
  /** Settings: the static block, or the Software field. */
  header: string;
  /** The first page's description. */
  description: string;
  /** Regions of interest, parsed. */
  rois: Json | undefined;
}

async function readTexts(tiff: TiffFile, dataset: Dataset): Promise<Texts> {
  const { window } = tiff.bytes;
  let header = "", rois = "";
  try {
    const lengths = staticLengths(await window.read(0, Math.min(STATIC_TEXTS, window.size)));
    if (lengths && lengths.frameData + lengths.rois <= MOST_TEXT) {
      header = decodeText(await window.read(STATIC_TEXTS, lengths.frameData));
      rois = decodeText(await window.read(STATIC_TEXTS + lengths.frameData, lengths.rois));
    }
  } catch (error) {
    if (!isFuseError(error, "Truncated")) throw error;
    dataset.warnings.push(
      "the static metadata block runs past the end of the file and is not used",
    );
  }
  header ||= await tiff.first.text(Tag.Software, MOST_TEXT) ?? "";
  rois ||= await tiff.first.text(ARTIST, MOST_TEXT) ?? "";
  const description = await tiff.first.text(Tag.ImageDescription, MOST_TEXT) ?? "";
  const parsed = rois ? tryJson(rois) : undefined;
  const documents: Record<string, string> = {};
  if (header.includes("SI.")) documents[`${KEPT}/frame_data.txt`] = header;
  if (/(?:^|[\r\n])(?:state|scanimage)\./.test(description)) {
    documents[`${KEPT}/description.txt`] = description;
  }
  if (parsed !== undefined) documents[`${KEPT}/roi_groups.json`] = rois;
  dataset.documents = { ...dataset.documents, ...documents };
  return { header, description, rois: parsed };
}

/** Artist, where ScanImage keeps the regions of interest. */
const ARTIST = 315;

function planPages(
  main: TiffPage[],
  settings: ScanSettings,
  frames: FrameTable,
  dataset: Dataset,
): PagePlan {
  const channels = settings.channels.length;
  const first = frames.firstFrame();
  const plan = orderPages(main.length, {
    channels,
    slices: settings.slices,
    framesPerSlice: settings.framesPerSlice,
    flybackFrames: settings.flybackFrames,
    // Numbers of averaged frames count the frames that went into them.
    framesBefore: first !== undefined && settings.averaged === 1 ? first - 1 : 0,
  });
  if (channels === 0) {
    dataset.warnings.push(
      "the header does not say how many channels are saved: pages are taken as one channel",
    );
  } else if (channels !== plan.c) {
    dataset.warnings.push(
      `the header speaks of ${channels} channels, but the file has only ${main.length} pages`,
    );
  }
  if (plan.unordered) {
    dataset.warnings.push(
      `the header speaks of ${settings.slices} slices, but the file holds no whole slice of one volume: frames are along t`,
    );
  }
  for (const extra of plan.extras) {
    dataset.warnings.push(
      `${extra.pages.length} pages are kept as an image of their own, "${extra.name}": ${extra.why}`,
    );
  }
  return plan;
}

const COLORS: Record<string, string> = {
  red: "FF0000",
  green: "00FF00",
  blue: "0000FF",
  cyan: "00FFFF",
  magenta: "FF00FF",
  yellow: "FFFF00",
  gray: "FFFFFF",
  grey: "FFFFFF",
  white: "FFFFFF",
};

function channelsOf(settings: ScanSettings, count: number): ImageSeries["channels"] {
  return Array.from({ length: count }, (_, i) => {
    const number = settings.channels[i] ?? i + 1;
    const name = settings.channelNames[number - 1] ?? `Channel ${number}`;
    const color = COLORS[(settings.channelColors[number - 1] ?? "").toLowerCase()];
    const range = settings.channelRanges[number - 1];
    const window = range?.length === 2 && range[0] < range[1]
      ? { min: range[0], max: range[1] }
      : undefined;
    return { name, ...(color ? { color } : {}), ...(window ? { window } : {}) };
  });
}

function mainSeries(
  tiff: TiffFile,
  main: TiffPage[],
  plan: PagePlan,
  settings: ScanSettings,
): ImageSeries {
  const planes = planesOf(tiff, Array.from(plan.pages, (i) => main[i]));
  const { axes, levels } = buildLevels(planes, { t: plan.t, c: plan.c, z: plan.z });
  return {
    name: "",
    axes,
    dtype: main[0].kind.dtype,
    levels,
    channels: channelsOf(settings, plan.c * main[0].kind.samples),
  };
}

function extraSeries(
  tiff: TiffFile,
  main: TiffPage[],
  plan: PagePlan,
  settings: ScanSettings,
  like: ImageSeries,
): ImageSeries[] {
  return plan.extras.map(({ name, why, pages }) => {
    const c = pages.length % plan.c === 0 ? plan.c : 1;
    // Pages are in the file's order: channels fastest, which is C order of [t][c].
    const { axes, levels } = buildLevels(
      planesOf(tiff, pages.map((i) => main[i])),
      { t: pages.length / c, c, z: 1 },
    );
    return {
      name,
      axes,
      dtype: like.dtype,
      levels,
      channels: channelsOf(settings, c * main[0].kind.samples),
      pixelSizeMicrometres: like.pixelSizeMicrometres && {
        x: like.pixelSizeMicrometres.x,
        y: like.pixelSizeMicrometres.y,
      },
      attributes: { why },
    };
  });
}

/** Size of a pixel: from the field of view, the regions, or the resolution fields. */
async function lateralSize(
  tiff: TiffFile,
  settings: ScanSettings,
  rois: Json | undefined,
  plan: PagePlan,
): Promise<ImageSeries["pixelSizeMicrometres"]> {
  const { width, height } = tiff.pages[0].kind;
  const corners = settings.severalRois ? undefined : settings.fieldOfViewMicrometres;
  const edge = (a: number[], b: number[]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  const size = corners
    ? { x: edge(corners[0], corners[1]) / width, y: edge(corners[1], corners[2]) / height }
    : roiPixelSize(rois, settings.micrometresPerDegree);
  const lateral = size && size.x > 0 && size.y > 0 ? size : await pixelSize(tiff.first);
  const z = plan.z > 1 ? settings.sliceStepMicrometres : undefined;
  return lateral || z ? { ...lateral, ...(z ? { z } : {}) } : undefined;
}

/** Sets the time step from the header, or from the frames' time stamps where they say otherwise. */
function timeSeries(
  series: ImageSeries,
  plan: PagePlan,
  main: TiffPage[],
  settings: ScanSettings,
  frames: FrameTable,
  dataset: Dataset,
): void {
  if (plan.t < 2) return;
  const frame = settings.framePeriodSeconds;
  const nominal = plan.z === 1 || plan.repeated > 1
    ? frame
    : settings.volumePeriodSeconds ?? (frame && frame * (plan.z + settings.flybackFrames));
  const stamps = frames.times();
  const steps = stamps && stepsOf(plan, (page) => stamps[main[page].index]);
  if (!steps) {
    series.timeStepSeconds = nominal;
    return;
  }
  const median = steps.slice().sort()[steps.length >> 1];
  const agrees = nominal !== undefined && Math.abs(nominal - median) <= 0.005 * median;
  series.timeStepSeconds = agrees ? nominal : median;
  if (nominal !== undefined && !agrees) {
    dataset.warnings.push(
      `the frames' time stamps are ${median} s apart, the header says ${nominal} s: the time stamps are used`,
    );
  }
  const step = series.timeStepSeconds;
  if (steps.some((s) => Math.abs(s - step) > 0.05 * step)) {
    dataset.warnings.push(
      `times are irregular: the true ones are in ${FRAMES} (timestamps), ${step} s is their median step`,
    );
  }
}

/** Times between neighbours along t; undefined where time stamps are missing or stand still. */
function stepsOf(plan: PagePlan, timeOf: (page: number) => number): Float64Array | undefined {
  const stride = plan.c * plan.z;
  const steps = new Float64Array(plan.t - 1);
  for (let t = 1; t < plan.t; t++) {
    const step = timeOf(plan.pages[t * stride]) - timeOf(plan.pages[(t - 1) * stride]);
    if (!(step > 0)) return undefined;
    steps[t - 1] = step;
  }
  return steps;
}

/** Where in the first image each page of the file is: -1 for pages that are elsewhere. */
function placeArrays(main: TiffPage[], plan: PagePlan, pages: number): NamedArray[] {
  const places = { t: new Int32Array(pages), c: new Int32Array(pages), z: new Int32Array(pages) };
  Object.values(places).forEach((p) => p.fill(-1));
  plan.pages.forEach((page, at) => {
    const { index } = main[page];
    places.z[index] = at % plan.z;
    places.c[index] = Math.floor(at / plan.z) % plan.c;
    places.t[index] = Math.floor(at / (plan.z * plan.c));
  });
  return Object.entries(places).map(([axis, values]): NamedArray => ({
    path: `${FRAMES}/${axis}`,
    dtype: "int32",
    dims: ["page"],
    shape: [pages],
    layout: { kind: "values", values },
    attributes: { name: `place of the page along ${axis}, -1 where it is not in the first image` },
  }));
}
