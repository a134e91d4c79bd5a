/**
 * Zeiss LSM: confocal stacks, time series, spectral series, positions and tiles.
 *
 * Sources: Carl Zeiss, "LSM 5/7 image file format description"; each image is followed by its thumbnail
 * (NewSubfileType 1); channels are planes of a page.
 */
import { isFuseError } from "../../src/errors.ts";
import type { OpenOptions } from "../format.ts";
import {
  type Attributes,
  type Dataset,
  emptyDataset,
  type ImageSeries,
  type Json,
} from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { keepBlocks, keepEvents } from "./lsm-blocks.ts";
import { LsmBlocks, type LsmChannels, type LsmFields, parseLsmInfo } from "./lsm-info.ts";
import { type LsmOrder, mendCompressed, unwrapOffsets, writingOrder } from "./lsm-offsets.ts";
import { channelPage, FLOAT, mendDepths, mendFormat } from "./lsm-pages.ts";
import { readScanInformation } from "./lsm-scan-info.ts";
import { CZ_LSMINFO } from "./tiff-probe.ts";
import { dateTime, keepPalette, paletteOf, tagAttributes } from "./tiff-attributes.ts";
import { readTiff, type TiffFile } from "./tiff-file.ts";
import { type Plane, sameShape } from "./tiff-layout.ts";
import type { PageKind, TiffPage } from "./tiff-page.ts";
import { buildLevels, groupPages, planesOf, seriesOfGroup } from "./tiff-series.ts";

/** What pages count, and what their rows are. */
interface ScanType {
  pages: ("t" | "z")[];
  rows: "y" | "z" | "t";
  name: string;
}

/** ScanType of CZ_LSMINFO. */
const SCAN_TYPES: ScanType[] = [
  { pages: ["z"], rows: "y", name: "x-y-z scan" },
  { pages: [], rows: "z", name: "x-z scan" },
  { pages: [], rows: "t", name: "line scan or time series of a line" },
  { pages: ["t"], rows: "y", name: "time series of x-y" },
  { pages: ["t"], rows: "z", name: "time series of x-z" },
  { pages: [], rows: "t", name: "time series of means of regions" },
  { pages: ["t", "z"], rows: "y", name: "time series of x-y-z" },
  { pages: ["t", "z"], rows: "y", name: "spline scan" },
  { pages: [], rows: "z", name: "spline plane x-z" },
  { pages: ["t"], rows: "z", name: "time series of spline plane x-z" },
  { pages: [], rows: "t", name: "point scan or time series of a point" },
];

/** Everything beside the pixels. */
interface Known {
  fields: LsmFields;
  scan: ScanType;
  stamps: Float64Array;
  channels?: LsmChannels;
}

/** Reads an LSM file. */
export async function openLsm(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const dataset = emptyDataset("lsm", [source]);
  const warn = (text: string) => void dataset.warnings.push(text);
  let fields: LsmFields = {}, types: number[] = [];
  const depths = new Map<number, number[]>();
  const tiff = await readTiff(source, {
    signal: options.signal,
    chunkBytes: options.limits?.chunkBytes,
    visit: async (ifd, index) => {
      if (index === 0) {
        const found = parseLsmInfo(await ifd.bytes(CZ_LSMINFO, 1 << 16) ?? new Uint8Array(0));
        if (!found) warn("CZ_LSMINFO has an unknown magic number: pages are taken as a stack");
        fields = found ?? {};
        types = await new LsmBlocks(ifd.file.window, fields, warn).channelTypes() ?? [];
      }
      const mixed = await mendDepths(ifd);
      if (mixed) depths.set(ifd.offset, mixed);
    },
    amend: (kind, ifd) =>
      mendFormat(kind, ifd, fields.DataType === FLOAT || types.some((t) => t === FLOAT)),
  });
  dataset.warnings.push(...tiff.warnings);
  dataset.leftOut.push(...tiff.leftOut);
  const images = tiff.pages.filter((page) => !(page.subfile & 1));
  const thumbnails = tiff.pages.filter((page) => page.subfile & 1);
  if (images.length === 0) images.push(...thumbnails.splice(0));
  const blocks = new LsmBlocks(tiff.bytes.window, fields, warn);
  const known: Known = {
    fields,
    scan: SCAN_TYPES[fields.ScanType ?? 0] ?? SCAN_TYPES[6],
    stamps: await blocks.timeStamps() ?? new Float64Array(0),
    channels: await blocks.channels(),
  };
  const main = images.filter((page) => sameShape(page.kind, images[0].kind));
  const order = orderOf(main.length, known, warn);
  mendPlaces(tiff, main, thumbnails, order, warn);
  const places = await blocks.positions("Positions"),
    tiles = await blocks.positions("TilePositions");
  for (let p = 0; p < order.positions; p++) {
    const series = imageSeries(tiff, main, order, p, known, depths.get(main[0].offset));
    for (const one of series) place(one, p, order, known, places, tiles);
    dataset.images.push(...series);
  }
  for (const group of groupPages(images.filter((page) => !main.includes(page)))) {
    dataset.images.push({ ...seriesOfGroup(tiff, group), name: "other pages" });
  }
  dataset.images.push(...thumbnailSeries(tiff, thumbnails, main.length, order));
  await describe(dataset, tiff, blocks, known);
  return dataset;
}

/** How many positions, times and slices the pages are; what the file holds wins over what it announces. */
function orderOf(count: number, known: Known, warn: (text: string) => void): LsmOrder {
  const { fields, scan } = known;
  const size = (name: string) => Math.max(1, fields[name] ?? 1);
  const positions = size("DimensionP") * size("DimensionM");
  const t = scan.pages.includes("t") ? size("DimensionTime") : 1;
  const z = scan.pages.includes("z") ? size("DimensionZ") : 1;
  if (positions * t * z === count) return { positions, t, z };
  const found = count % (positions * z) === 0 && scan.pages.includes("t")
    ? { positions, t: count / (positions * z), z }
    : scan.pages.includes("t")
    ? { positions: 1, t: Math.ceil(count / z), z }
    : { positions: 1, t: 1, z: count };
  warn(
    `the file announces ${positions} x ${t} x ${z} images (positions, times, slices) and holds ${count}: ` +
      `read as ${found.positions} x ${found.t} x ${found.z}` +
      (found.positions * found.t * found.z > count ? ", missing ones as zeros" : ""),
  );
  return found;
}

function mendPlaces(
  tiff: TiffFile,
  images: TiffPage[],
  thumbnails: TiffPage[],
  order: LsmOrder,
  warn: (text: string) => void,
): void {
  if (tiff.bytes.window.size >= 2 ** 32) {
    const pages = [...images, ...thumbnails];
    const first = (page: TiffPage | undefined) =>
      page ? tiff.offsets.at(page.firstChunk) : Infinity;
    const sequence = writingOrder(
      images.map((_, i) => i),
      thumbnails.map((_, i) => images.length + i),
      order,
      first(thumbnails[0]) < first(images[0]),
    );
    unwrapOffsets(tiff, sequence.map((i) => pages[i]));
  }
  mendCompressed(tiff, [...images, ...thumbnails]);
  const absent = images.filter((page) => tiff.offsets.at(page.firstChunk) === 0).length;
  if (absent) warn(`${absent} images were announced but never written: they read as zeros`);
}

/** The images of one position: one, or one for each depth of the channels. */
function imageSeries(
  tiff: TiffFile,
  main: TiffPage[],
  order: LsmOrder,
  position: number,
  known: Known,
  depths: number[] | undefined,
): ImageSeries[] {
  const { t, z } = order;
  const from = position * t * z;
  const pages = Array.from({ length: t * z }, (_, i) => main[from + i]);
  const channels = channelsOf(known, main[0].kind.samples);
  if (!depths) {
    const planes = pages.map((page): Plane | null => page ? { tiff, source: 0, page } : null);
    const { axes, levels } = buildLevels(planes, { t, c: 1, z });
    return [{ name: "", axes, dtype: main[0].kind.dtype, levels, channels }];
  }
  const kinds = new Map<string, PageKind>();
  return [...new Set(depths)].map((bits) => {
    const own = depths.flatMap((b, c) => b === bits ? [c] : []);
    // C order of [t][c][z].
    const planes = Array.from({ length: t * own.length * z }, (_, i): Plane | null => {
      const page = pages[Math.floor(i / (own.length * z)) * z + i % z];
      const c = own[Math.floor(i / z) % own.length];
      return page ? { tiff, source: 0, page: channelPage(page, kinds, c, bits) } : null;
    });
    const { axes, levels } = buildLevels(planes, { t, c: own.length, z });
    return {
      name: `${bits}-bit channels`,
      axes,
      dtype: planes.find((p) => p)!.page.kind.dtype,
      levels,
      channels: channels && own.map((c) => channels[c]),
    };
  });
}

function channelsOf(known: Known, count: number): ImageSeries["channels"] {
  const { names = [], colors = [] } = known.channels ?? {};
  if (names.length < count && colors.length < count) return undefined;
  return Array.from({ length: count }, (_, i) => ({
    ...(names[i] ? { name: names[i] } : {}),
    ...(colors[i] && colors[i] !== "000000" ? { color: colors[i] } : {}),
  }));
}

/** Metres, as a file states them, in micrometres, without the noise of the multiplication. */
const micrometres = (metres: number | undefined) =>
  metres !== undefined && metres > 0 && metres < 1
    ? Number((metres * 1e6).toPrecision(15))
    : undefined;

/** Puts an image where it is in space and time. */
function place(
  series: ImageSeries,
  position: number,
  order: LsmOrder,
  known: Known,
  places: number[][] | undefined,
  tiles: number[][] | undefined,
): void {
  const { fields, scan } = known;
  const x = micrometres(fields.VoxelSizeX), y = micrometres(fields.VoxelSizeY);
  const z = micrometres(fields.VoxelSizeZ);
  const { height } = { height: series.levels[0].shape[series.axes.indexOf("y")] };
  const lsm: Attributes = { scan_type: scan.name };
  if (scan.rows === "z" && height === fields.DimensionZ && !series.axes.includes("z")) {
    series.axes = series.axes.map((axis) => axis === "y" ? "z" : axis);
  } else if (scan.rows === "t" && height === fields.DimensionTime) {
    // An image without two axes of space is none: the rows stay y, and say what they are.
    lsm.rows = "time";
    const step = timeStep(known, height);
    if (step !== undefined) lsm.row_step_seconds = step;
  }
  series.pixelSizeMicrometres = {
    ...(x ? { x } : {}),
    ...(y && scan.rows === "y" ? { y } : {}),
    ...(z ? { z } : {}),
  };
  if (order.t > 1) series.timeStepSeconds = timeStep(known, order.t);
  if (order.positions > 1) {
    const m = Math.max(1, fields.DimensionM ?? 1), p = order.positions / m;
    series.name =
      [`position ${position % p + 1}`, m > 1 ? `tile ${Math.floor(position / p) + 1}` : ""]
        .filter((text) => text).join(" ") + (series.name ? ` (${series.name})` : "");
    const at = tiles?.length === order.positions ? tiles[position] : places?.[position % p];
    if (at) lsm.stage_position_micrometres = at.map((v) => Number((v * 1e6).toPrecision(12)));
  }
  series.attributes = { ...series.attributes, lsm };
}

/** Seconds between time points: as announced where the time stamps agree, else their median. */
function timeStep({ fields, stamps }: Known, count: number): number | undefined {
  const stated = fields.TimeInterval > 0 ? fields.TimeInterval : undefined;
  if (stamps.length !== count || count < 2) return stated;
  const steps = stamps.slice(1).map((s, i) => s - stamps[i]).sort();
  const median = steps[steps.length >> 1];
  if (!(median > 0)) return stated;
  return stated !== undefined && Math.abs(stated - median) <= 1e-3 * median ? stated : median;
}

function thumbnailSeries(
  tiff: TiffFile,
  thumbnails: TiffPage[],
  images: number,
  order: LsmOrder,
): ImageSeries[] {
  const alike = thumbnails.every((page) => sameShape(page.kind, thumbnails[0].kind));
  if (!alike || thumbnails.length !== images) {
    return groupPages(thumbnails).map((group) => ({
      ...seriesOfGroup(tiff, group),
      name: "thumbnail",
      role: "auxiliary" as const,
    }));
  }
  const { positions, t, z } = order;
  return Array.from({ length: positions }, (_, p): ImageSeries => {
    const own = thumbnails.slice(p * t * z, (p + 1) * t * z);
    const planes: (Plane | null)[] = planesOf(tiff, own);
    while (planes.length < t * z) planes.push(null);
    const { axes, levels } = buildLevels(planes, { t, c: 1, z });
    return {
      name: positions > 1 ? `thumbnail of position ${p + 1}` : "thumbnail",
      axes,
      dtype: own[0].kind.dtype,
      levels,
      role: "auxiliary",
    };
  });
}

/** Bits the acquired channels really use, from the tracks of the scan information; [] where it is silent. */
function usedBits(scan: Attributes): number[] {
  const list = (value: Json | undefined): Attributes[] =>
    Array.isArray(value)
      ? value.filter((v) => v !== null && typeof v === "object") as Attributes[]
      : [];
  const acquired = (block: Attributes) => block.Acquire !== 0;
  return list(scan.Tracks).filter(acquired).flatMap((track) =>
    list(track.DataChannels).filter(acquired).map((channel) => Number(channel.BitsPerSample))
  );
}

/** Shows 12-bit samples over their own range, not that of the 16 bits they are stored in. */
function setWindows(images: ImageSeries[], bits: number[]): void {
  for (const image of images) {
    const { channels } = image;
    if (image.role === "auxiliary" || image.dtype !== "uint16") continue;
    if (channels?.length !== bits.length) continue;
    bits.forEach((b, i) => {
      if (b > 8 && b < 16) channels[i].window = { min: 0, max: 2 ** b - 1 };
    });
  }
}

/** Days since 1899-12-30 as ISO 8601 without zone: the clock of the microscope's computer. */
export function oleTime(days: unknown): string | undefined {
  if (typeof days !== "number" || !(days > 32_874 && days < 73_050)) return undefined;
  return new Date(Math.round((days - 25_569) * 86_400_000)).toISOString().replace("Z", "");
}

async function describe(
  dataset: Dataset,
  tiff: TiffFile,
  blocks: LsmBlocks,
  known: Known,
): Promise<void> {
  let scan: Attributes = {};
  const at = blocks.offset("ScanInformation");
  try {
    if (at) scan = await readScanInformation(tiff.bytes.window, at);
  } catch (error) {
    if (!isFuseError(error, "Corrupt", "Truncated", "Limit")) throw error;
    dataset.warnings.push(`scan information is not used: ${error.message}`);
  }
  const { fields, stamps, channels } = known;
  const plain = Object.entries(fields).filter(([name, value]) =>
    !/^Offset|^MagicNumber|^StructureSize|^InternalUse/.test(name) && Number.isFinite(value)
  );
  const wavelengths = await blocks.wavelengths();
  const types = await blocks.channelTypes();
  dataset.metadata.header = {
    ...Object.fromEntries(plain),
    ...(channels ? { ChannelNames: channels.names, ChannelColors: channels.colors } : {}),
    ...(types?.length ? { ChannelDataTypes: types } : {}),
    ...(wavelengths ? { ChannelWavelengthMetres: wavelengths } : {}),
    ScanInformation: scan,
  };
  const text = (name: string) =>
    typeof scan[name] === "string" && scan[name] ? scan[name] : undefined;
  dataset.metadata.startTime = oleTime(scan.Sample0time) ?? await dateTime(tiff.first);
  dataset.metadata.experimenter = text("User");
  dataset.metadata.notes = [text("Description"), text("Notes")].filter((t) => t).join("\n") ||
    undefined;
  dataset.metadata.modality = "confocal laser scanning microscopy";
  setWindows(dataset.images, usedBits(scan));
  dataset.images[0].name ||= text("Name") ?? "";
  dataset.images[0].attributes = {
    ...dataset.images[0].attributes,
    tiff: await tagAttributes(tiff.first),
  };
  const palette = await paletteOf(tiff.first, tiff.pages[0].kind);
  const colours = palette && keepPalette(palette, dataset.images[0]);
  if (colours) dataset.arrays.push(colours);
  if (stamps.length) {
    dataset.arrays.push({
      path: "source/lsm/time_stamps",
      dtype: "float64",
      dims: ["time_stamp"],
      shape: [stamps.length],
      layout: { kind: "values", values: stamps },
      units: "s",
      attributes: { clock: "the microscope's own: only differences mean something" },
    });
  }
  await keepEvents(dataset, blocks);
  await keepBlocks(dataset, blocks);
}
