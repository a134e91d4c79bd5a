/** What a page says beside its pixels: tags kept as attributes, colours, pixel size, times. */
import type { Attributes, ImageSeries, Json, NamedArray } from "../../src/model/dataset.ts";
import { type Ifd, readNumbers, readText } from "./tiff-ifd.ts";
import { type PageKind, Photometric } from "./tiff-page.ts";
import { outputPhotometric } from "./tiff-series.ts";
import { isNamed, Tag, tagName } from "./tiff-tags.ts";

/** Tags that say where and how the samples are stored: of no use once they are converted. */
const STRUCTURE: Set<number> = new Set([
  Tag.StripOffsets,
  Tag.StripByteCounts,
  Tag.TileOffsets,
  Tag.TileByteCounts,
  Tag.SubIFDs,
  Tag.JPEGTables,
  Tag.JPEGProc,
  Tag.JPEGInterchangeFormat,
  Tag.JPEGInterchangeFormatLength,
  Tag.JPEGQTables,
  Tag.JPEGDCTables,
  Tag.JPEGACTables,
  Tag.ColorMap,
  Tag.IJMetadata,
  Tag.IJMetadataByteCounts,
  Tag.LercParameters,
  Tag.ExifIFD,
  Tag.ICCProfile,
]);

/** Values of one tag worth keeping in JSON. */
const MOST_VALUES = 256;
const MOST_TEXT = 1 << 20;

/** Named tags of a directory as attributes, under the names of the specification. */
export async function tagAttributes(ifd: Ifd): Promise<Attributes> {
  const out: Attributes = {};
  for (const entry of [...ifd.entries.values(), ...ifd.repeated]) {
    const { tag, type, count } = entry;
    if (STRUCTURE.has(tag) || (type === 7 && !isNamed(tag)) || tag in out) continue;
    const name = tagName(tag);
    if (name in out) continue;
    if (type === 2 || tag === Tag.XMP || (type === 1 && count > 32)) {
      if (count > MOST_TEXT) continue;
      const text = await readText(ifd.file, entry, MOST_TEXT);
      const legible = type === 2 || tag === Tag.XMP || /^[\t\r\n\x20-\x7e]*$/.test(text);
      if (legible) out[name] = text.replaceAll("\0", "\n");
      continue;
    }
    if (count > MOST_VALUES || type === 7) continue;
    const values = await readNumbers(ifd.file, entry, MOST_VALUES);
    if (values.every(Number.isFinite)) out[name] = values.length === 1 ? values[0] : values;
  }
  return out;
}

/** What a page holds that is not converted, in words. */
export function leftOutOf(ifd: Ifd): { what: string; why: string }[] {
  const profile = ifd.entries.get(Tag.ICCProfile);
  if (!profile) return [];
  return [{
    what: `ICC profile (${profile.count} bytes)`,
    why: "samples are kept as they are stored, no colour is converted",
  }];
}

/** The palette of an indexed image: `[colour, (red, green, blue)]`, 16 bits each. */
export async function paletteOf(ifd: Ifd, kind: PageKind): Promise<Uint16Array | undefined> {
  if (kind.photometric !== Photometric.Palette || kind.bits > 16) return undefined;
  const colours = 2 ** kind.bits;
  const map = await ifd.numbers(Tag.ColorMap, 3 * colours);
  if (!map || map.length < 3 * colours) return undefined;
  const out = new Uint16Array(3 * colours);
  for (let i = 0; i < colours; i++) {
    for (let k = 0; k < 3; k++) out[3 * i + k] = map[k * colours + i];
  }
  return out;
}

/** Puts a palette where it can be found: in the attributes, or as an array when it is long. */
export function keepPalette(palette: Uint16Array, series: ImageSeries): NamedArray | undefined {
  const colours = palette.length / 3;
  if (colours > 256) {
    return {
      path: "source/palette",
      dtype: "uint16",
      dims: ["color", "rgb"],
      shape: [colours, 3],
      layout: { kind: "values", values: palette },
    };
  }
  const rows: Json = [];
  for (let i = 0; i < colours; i++) rows.push([...palette.subarray(3 * i, 3 * i + 3)]);
  series.attributes = { ...series.attributes, palette: rows };
  return undefined;
}

const INKS = ["Cyan", "Magenta", "Yellow", "Black"];
const COLOURS: Record<number, [string, string?][]> = {
  0: [["Gray"]],
  1: [["Gray"]],
  2: [["Red", "FF0000"], ["Green", "00FF00"], ["Blue", "0000FF"]],
  5: INKS.map((ink) => [ink]),
  6: [["Y"], ["Cb"], ["Cr"]],
  8: [["L*"], ["a*"], ["b*"]],
  9: [["L*"], ["a*"], ["b*"]],
  10: [["L*"], ["a*"], ["b*"]],
};

/** Names and colours of the samples of a pixel; undefined for a single sample. */
export function sampleChannels(kind: PageKind): NonNullable<ImageSeries["channels"]> | undefined {
  if (kind.samples < 2) return undefined;
  const known = COLOURS[outputPhotometric(kind)] ?? [];
  const base = kind.samples - kind.extraSamples.length;
  return Array.from({ length: kind.samples }, (_, i) => {
    if (i < known.length) {
      return { name: known[i][0], ...(known[i][1] ? { color: known[i][1] } : {}) };
    }
    const extra = kind.extraSamples[i - base];
    return { name: extra === 1 || extra === 2 ? "Alpha" : `Sample ${i + 1}` };
  });
}

/** Micrometres in the units of ResolutionUnit: 2 inch, 3 centimetre. */
const UNIT_MICROMETRES: Record<number, number> = { 2: 25_400, 3: 10_000 };

/**
 * Pixel size from the resolution tags. Most programs write a printer's or a screen's resolution
 * there (72 dpi), so only sizes below 20 micrometres are believed; the tags themselves are kept in any case.
 */
export async function pixelSize(ifd: Ifd): Promise<ImageSeries["pixelSizeMicrometres"]> {
  const unit = UNIT_MICROMETRES[await ifd.number(Tag.ResolutionUnit, 2)];
  const x = await ifd.reciprocal(Tag.XResolution), y = await ifd.reciprocal(Tag.YResolution);
  if (!unit || x === undefined || y === undefined) return undefined;
  const size = { x: unit * x, y: unit * y };
  return size.x < 20 && size.y < 20 && size.x > 1e-5 && size.y > 1e-5 ? size : undefined;
}

/** DateTime ("2021:05:17 14:03:12") as ISO 8601 without zone, for the file states none. */
export async function dateTime(ifd: Ifd): Promise<string | undefined> {
  const text = await ifd.text(Tag.DateTime, 256);
  const m = text &&
    /^(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d(?:\.\d+)?)/.exec(text.trim());
  if (!m || m[1] === "0000" || m[2] === "00") return undefined;
  return `${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6]}`;
}
