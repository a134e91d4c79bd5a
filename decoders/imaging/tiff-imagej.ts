/**
 * ImageJ's TIFF dialect: `key=value` lines in the description, planes in the order c, z, t (fastest
 * first), and labels, display ranges and lookup tables in tags 50838 and 50839.
 *
 * Source: ImageJ's ij.io.TiffDecoder, FileInfo and FileOpener, as documented in the ImageJ
 * developer guide.
 */
import type { Attributes, ImageSeries } from "../../src/model/dataset.ts";
import { viewOf } from "../../src/source/source.ts";
import type { Dimension } from "./tiff-dimensions.ts";
import type { Ifd } from "./tiff-ifd.ts";
import { Tag } from "./tiff-tags.ts";
import { micrometresPer } from "./units.ts";

/** Lines of the description. */
export type ImageJKeys = Record<string, string>;

/** The description's keys, or undefined when ImageJ did not write it. */
export function parseImageJ(description: string | undefined): ImageJKeys | undefined {
  if (!description?.startsWith("ImageJ=")) return undefined;
  const keys: ImageJKeys = {};
  for (const line of description.split(/[\r\n\0]+/)) {
    const at = line.indexOf("=");
    if (at > 0) keys[line.slice(0, at).trim()] ??= line.slice(at + 1).trim();
  }
  return keys;
}

function count(keys: ImageJKeys, key: string): number {
  const n = Number(keys[key]);
  return Number.isInteger(n) && n > 0 ? n : 1;
}

/** Planes the description announces; undefined when it does not say. */
export function announcedPlanes(keys: ImageJKeys): number | undefined {
  return keys.images === undefined ? undefined : count(keys, "images");
}

/**
 * The dimensions of `planes` planes of `samples` samples, slowest first: t, z, c.
 * A stack of images without further description is one along z.
 */
export function imageJDimensions(
  keys: ImageJKeys,
  planes: number,
  samples: number,
  warn: (text: string) => void,
): Dimension[] {
  let c = count(keys, "channels");
  const z = count(keys, "slices"), t = count(keys, "frames");
  // Colour images count their samples as channels in some versions.
  if (samples > 1 && c % samples === 0 && c * z * t === planes * samples) c /= samples;
  const make = (tt: number, zz: number, cc: number): Dimension[] => [
    { axis: "t", size: tt },
    { axis: "z", size: zz },
    { axis: "c", size: cc },
  ];
  if (c * z * t === planes) return make(t, z, c);
  if (c * z * t > 1) {
    warn(
      `ImageJ's description says ${c} channels, ${z} slices and ${t} frames, but there are ` +
        `${planes} images: they are kept as one stack`,
    );
  }
  return make(1, planes, 1);
}

/** Pixel sizes in micrometres and the time step in seconds, where the description states units. */
export async function imageJScales(
  keys: ImageJKeys,
  ifd: Ifd,
): Promise<Pick<ImageSeries, "pixelSizeMicrometres" | "timeStepSeconds">> {
  const size: { x?: number; y?: number; z?: number } = {};
  const unit = micrometresPer(keys.unit);
  const believable = (step: number) => !/^(inch|in|cm)/.test(keys.unit ?? "") || step < 20;
  const set = (axis: "x" | "y" | "z", perUnit: number, step: number) => {
    const value = step * perUnit;
    if (Number.isFinite(value) && value > 0 && believable(value)) size[axis] = value;
  };
  const x = await ifd.reciprocal(Tag.XResolution), y = await ifd.reciprocal(Tag.YResolution);
  if (unit && x) set("x", unit, x);
  if (y) set("y", micrometresPer(keys.yunit) ?? unit ?? NaN, y);
  const depth = Math.abs(Number(keys.spacing));
  if (depth > 0) set("z", micrometresPer(keys.zunit) ?? unit ?? NaN, depth);
  const seconds = Number(keys.finterval) * (TIME_UNITS[(keys.tunit ?? "s").toLowerCase()] ?? NaN);
  return {
    ...(Object.keys(size).length ? { pixelSizeMicrometres: size } : {}),
    ...(seconds > 0 && Number.isFinite(seconds) ? { timeStepSeconds: seconds } : {}),
  };
}

const TIME_UNITS: Record<string, number> = {
  s: 1,
  sec: 1,
  secs: 1,
  second: 1,
  seconds: 1,
  ms: 1e-3,
  msec: 1e-3,
  min: 60,
  minute: 60,
  minutes: 60,
  h: 3600,
  hour: 3600,
  hours: 3600,
};

/** What tags 50838 and 50839 hold. */
export interface ImageJMetadata {
  info?: string;
  labels: string[];
  /** Display minimum and maximum of each channel. */
  ranges: [number, number][];
  /** Colour at the top of each channel's lookup table, "RRGGBB"; undefined for a grey or odd one. */
  colors: (string | undefined)[];
  properties?: string;
  /** Kinds that are not converted: "ROI", "overlay" and the like. */
  others: string[];
}

const KINDS: Record<string, string> = { "roi ": "ROI", over: "overlay", plot: "plot" };

/** Reads ImageJ's binary metadata; undefined when the page has none. */
export async function readImageJMetadata(ifd: Ifd): Promise<ImageJMetadata | undefined> {
  const lengths = await ifd.numbers(Tag.IJMetadataByteCounts, 1 << 20);
  const bytes = await ifd.bytes(Tag.IJMetadata);
  if (!lengths || !bytes || lengths.length < 2) return undefined;
  const le = ifd.file.littleEndian;
  const view = viewOf(bytes);
  const word = (at: number): string => {
    const text = String.fromCharCode(...bytes.subarray(at, at + 4));
    return le ? [...text].reverse().join("") : text;
  };
  const out: ImageJMetadata = { labels: [], ranges: [], colors: [], others: [] };
  if (lengths[0] < 12 || bytes.length < lengths[0] || word(0) !== "IJIJ") return undefined;
  const utf16 = new TextDecoder(le ? "utf-16le" : "utf-16be");
  let at = lengths[0], item = 1;
  for (let head = 4; head + 8 <= lengths[0]; head += 8) {
    const kind = word(head);
    for (let n = view.getUint32(head + 4, le); n > 0 && item < lengths.length; n--) {
      const part = bytes.subarray(at, at + lengths[item]);
      at += lengths[item++];
      if (kind === "info") out.info = utf16.decode(part);
      else if (kind === "labl") out.labels.push(utf16.decode(part));
      else if (kind === "prop") out.properties = `${out.properties ?? ""}${utf16.decode(part)}\n`;
      else if (kind === "rang") out.ranges = readRanges(part, le);
      else if (kind === "luts") out.colors.push(topColor(part));
      else if (!out.others.includes(KINDS[kind] ?? kind)) out.others.push(KINDS[kind] ?? kind);
    }
  }
  return out;
}

function readRanges(part: Uint8Array, le: boolean): [number, number][] {
  const view = viewOf(part);
  return Array.from(
    { length: part.length >> 4 },
    (_, i) => [view.getFloat64(16 * i, le), view.getFloat64(16 * i + 8, le)],
  );
}

/** The last colour of a table of 256 reds, greens and blues that starts at black. */
function topColor(lut: Uint8Array): string | undefined {
  if (lut.length !== 768 || lut[0] + lut[256] + lut[512] > 0) return undefined;
  return [lut[255], lut[511], lut[767]].map((v) => v.toString(16).padStart(2, "0")).join("")
    .toUpperCase();
}

/** Names, colours and display windows of `channels` channels. */
export function imageJChannels(
  keys: ImageJKeys,
  metadata: ImageJMetadata | undefined,
  channels: number,
): ImageSeries["channels"] {
  const ranges = metadata?.ranges.filter(([low, high]) => low < high) ?? [];
  const low = Number(keys.min), high = Number(keys.max);
  const coloured = keys.mode !== "grayscale" && keys.mode !== "gray";
  const out = Array.from({ length: channels }, (_, i) => {
    const [min, max] = ranges.length === channels ? ranges[i] : [low, high];
    const color = coloured ? metadata?.colors[i] : undefined;
    return {
      ...(color ? { color } : {}),
      ...(min < max && Number.isFinite(max - min) ? { window: { min, max } } : {}),
    };
  });
  return out.some((c) => Object.keys(c).length > 0) ? out : undefined;
}

/** Everything the description and the binary metadata say, as attributes. */
export function imageJAttributes(
  keys: ImageJKeys,
  metadata: ImageJMetadata | undefined,
): Attributes {
  return {
    ...keys,
    ...(metadata?.info ? { Info: metadata.info } : {}),
    ...(metadata?.labels.length ? { Labels: metadata.labels } : {}),
    ...(metadata?.properties ? { Properties: metadata.properties } : {}),
  };
}
