/**
 * MetaMorph stacks (.stk): one directory, the planes behind each other without directories of their
 * own, and the number of planes, their heights and times in private fields.
 *
 * Source: Universal Imaging's "MetaMorph Stack (STK) Image File Format" (UIC1 to UIC4 fields).
 */
import type { Attributes, ImageSeries } from "../../src/model/dataset.ts";
import { followingPlanes } from "./tiff-dimensions.ts";
import type { TiffFile } from "./tiff-file.ts";
import { decodeText, type Ifd, readBytes } from "./tiff-ifd.ts";
import type { Plane } from "./tiff-layout.ts";
import { viewOf } from "../../src/source/source.ts";
import { Tag } from "./tiff-tags.ts";
import { micrometresPer } from "./units.ts";

/** Six 32-bit words a plane: height as a fraction, date and time of creation, date and time of change. */
const PLANE_BYTES = 24;
/** Ids of UIC1 whose value is an offset to a fraction, or to a text with its length. */
const CALIBRATION = { x: 4, y: 5, units: 6, name: 7 };

/** What the private fields say of a stack. */
export interface StkStack {
  planes: Plane[];
  axis: "z" | "t";
  name?: string;
  pixelSizeMicrometres?: ImageSeries["pixelSizeMicrometres"];
  timeStepSeconds?: number;
  /** Time of the first plane, without zone. */
  startTime?: string;
  attributes: Attributes;
}

/** The stack of a file, or undefined when it is not one of MetaMorph's. */
export async function findStk(tiff: TiffFile): Promise<StkStack | undefined> {
  const entry = tiff.first.entries.get(Tag.UIC2);
  if (!entry || !tiff.first.has(Tag.UIC1) || tiff.pages.length !== 1) return undefined;
  const planes = followingPlanes(tiff, tiff.pages[0], entry.count);
  if (!planes) return undefined;
  const { heights, seconds } = await readPlanes(tiff, entry.at, entry.count);
  const { name, x, y, unit } = await readCalibration(tiff.first);
  const steps = heights.slice(1).map((h, i) => Math.abs(h - heights[i]));
  const rises = steps.some((s) => s > 0);
  const perUnit = micrometresPer(unit);
  const size: { x?: number; y?: number; z?: number } = {};
  if (perUnit && x && y) [size.x, size.y] = [x * perUnit, y * perUnit];
  // Heights are distances from the plane before, in the units of the calibration.
  const even = heights.slice(1).every((h) => h === heights[1] && h > 0);
  if (perUnit && even && heights.length > 1) size.z = heights[1] * perUnit;
  const along = rises || even ? "z" : "t";
  const span = seconds.at(-1)! - seconds[0];
  const step = span / (planes.length - 1);
  const steady = seconds.every((s, i) => Math.abs(s - seconds[0] - i * step) <= 0.01 * step);
  return {
    planes,
    axis: planes.length > 1 && along === "t" && span > 0 ? "t" : "z",
    name,
    ...(Object.keys(size).length ? { pixelSizeMicrometres: size } : {}),
    ...(steady && step > 0 ? { timeStepSeconds: step } : {}),
    ...(seconds[0] > 0
      ? { startTime: new Date(seconds[0] * 1000).toISOString().slice(0, -1) }
      : {}),
    attributes: {
      ...(unit ? { calibration_units: unit } : {}),
      plane_distances: heights,
      plane_seconds: seconds.map((s) => Math.round((s - seconds[0]) * 1000) / 1000),
    },
  };
}

async function readPlanes(
  tiff: TiffFile,
  at: number,
  count: number,
): Promise<{ heights: number[]; seconds: number[] }> {
  const { window, littleEndian: le } = tiff.bytes;
  const view = await window.view(at, count * PLANE_BYTES, "UIC2tag");
  const heights: number[] = [], seconds: number[] = [];
  for (let i = 0; i < count; i++) {
    const word = (k: number) => view.getUint32(i * PLANE_BYTES + 4 * k, le);
    heights.push(word(1) === 0 ? 0 : word(0) / word(1));
    // Days are Julian days as MetaMorph counts them: one less than the day number of the date's noon,
    // so 1970-01-01 is 2440587. Times are milliseconds since midnight.
    seconds.push(word(2) === 0 ? 0 : (word(2) - 2_440_587) * 86_400 + word(3) / 1000);
  }
  return { heights, seconds };
}

async function readCalibration(
  ifd: Ifd,
): Promise<{ name?: string; x?: number; y?: number; unit?: string }> {
  const { window, littleEndian: le } = ifd.file;
  const entry = ifd.entries.get(Tag.UIC1)!;
  const pairs = viewOf(await readBytes(ifd.file, { ...entry, type: 5 }, 1 << 20));
  const fraction = async (at: number): Promise<number | undefined> => {
    if (at + 8 > window.size) return undefined;
    const view = await window.view(at, 8, "UIC1tag");
    return view.getUint32(4, le) === 0 ? undefined : view.getUint32(0, le) / view.getUint32(4, le);
  };
  const text = async (at: number): Promise<string | undefined> => {
    if (at + 4 > window.size) return undefined;
    const length = (await window.view(at, 4, "UIC1tag")).getUint32(0, le);
    if (length > 4096 || at + 4 + length > window.size) return undefined;
    return decodeText(await window.read(at + 4, length, "UIC1tag")).trim() || undefined;
  };
  const out: { name?: string; x?: number; y?: number; unit?: string } = {};
  for (let i = 0; i + 8 <= pairs.byteLength; i += 8) {
    const id = pairs.getUint32(i, le), value = pairs.getUint32(i + 4, le);
    if (id === CALIBRATION.x) out.x = await fraction(value);
    else if (id === CALIBRATION.y) out.y = await fraction(value);
    else if (id === CALIBRATION.units) out.unit = await text(value);
    else if (id === CALIBRATION.name) out.name = await text(value);
  }
  return out;
}
