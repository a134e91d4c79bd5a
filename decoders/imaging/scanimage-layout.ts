/**
 * Which page of a ScanImage file is which channel, slice and time. Channels follow each other fastest,
 * then frames of one slice, then slices; a volume may end with flyback frames, and volumes repeat.
 */
import type { ScanSettings } from "./scanimage-header.ts";

/** Where pages belong; numbers are places in the list of pages, C order of `[t][c][z]`. */
export interface PagePlan {
  t: number;
  c: number;
  z: number;
  /** Page of each plane. */
  pages: Int32Array;
  /** Pages that make no whole volume, and flyback frames: images of their own, in the file's order. */
  extras: { name: string; why: string; pages: number[] }[];
  /** Frames of one slice follow each other before the next slice (a slow stack). */
  repeated: number;
  /** The header speaks of volumes, but the file holds no whole slice of one: frames are along t. */
  unordered?: boolean;
}

/** Sizes that decide the order of pages. */
export type ScanOrder =
  & Pick<ScanSettings, "slices" | "framesPerSlice" | "flybackFrames">
  & {
    channels: number;
    /** Frames of the recording before the first of this file, when it is one of several. */
    framesBefore: number;
  };

/** Orders `pageCount` pages. A last volume that breaks off is kept apart, so that no plane is made up. */
export function orderPages(pageCount: number, order: ScanOrder): PagePlan {
  const c = order.channels > 0 && order.channels <= pageCount ? order.channels : 1;
  const frames = Math.floor(pageCount / c);
  const plan = order.slices > 1
    ? orderVolumes(frames, c, order)
    : collect(1, c, frames, 1, (t) => t);
  const rest = range(frames * c, pageCount);
  if (rest.length) {
    plan.extras.push({
      name: "incomplete frame",
      why: "the last frame has not all channels",
      pages: rest,
    });
  }
  return plan;
}

function orderVolumes(frames: number, c: number, order: ScanOrder): PagePlan {
  const perSlice = order.framesPerSlice ?? Math.max(1, Math.floor(frames / order.slices));
  const useful = perSlice * order.slices;
  const cycle = useful + order.flybackFrames;
  const before = order.framesBefore % cycle;
  const lead = before === 0 ? 0 : Math.min(frames, cycle - before);
  const volumes = Math.floor((frames - lead) / cycle);
  const end = lead + volumes * cycle;
  // A last volume that lacks nothing but its flyback frames is whole.
  const whole = volumes + (frames - end >= useful ? 1 : 0);
  if (whole === 0) return orderSlices(frames, c, perSlice, order, before + frames <= useful);
  const plan = collect(
    order.slices,
    c,
    whole * perSlice,
    perSlice,
    (t, z) => lead + Math.floor(t / perSlice) * cycle + z * perSlice + (t % perSlice),
  );
  const flyback: number[] = [];
  for (let v = 0; v < whole; v++) {
    const from = lead + v * cycle + useful;
    flyback.push(...range(from * c, Math.min(frames, from + order.flybackFrames) * c));
  }
  if (flyback.length) {
    plan.extras.push({
      name: "flyback frames",
      why: "taken while the focus went back to the first slice",
      pages: flyback,
    });
  }
  part(plan, "incomplete first volume", 0, lead * c);
  if (whole === volumes) part(plan, "incomplete last volume", end * c, frames * c);
  return plan;
}

/** A file that holds less than one volume: the slices that are whole, if they are of one volume. */
function orderSlices(
  frames: number,
  c: number,
  perSlice: number,
  order: ScanOrder,
  oneVolume: boolean,
): PagePlan {
  const before = order.framesBefore % perSlice;
  const lead = before === 0 ? 0 : Math.min(frames, perSlice - before);
  const slices = Math.floor((frames - lead) / perSlice);
  if (slices === 0 || !oneVolume) {
    return { ...collect(1, c, frames, 1, (t) => t), unordered: true };
  }
  const plan = collect(slices, c, perSlice, perSlice, (t, z) => lead + z * perSlice + t);
  part(plan, "incomplete first slice", 0, lead * c);
  part(plan, "incomplete last slice", (lead + slices * perSlice) * c, frames * c);
  return plan;
}

function part(plan: PagePlan, name: string, from: number, to: number): void {
  if (to <= from) return;
  plan.extras.push({ name, why: "the file holds a part of it only", pages: range(from, to) });
}

function collect(
  z: number,
  c: number,
  t: number,
  repeated: number,
  frameOf: (t: number, z: number) => number,
): PagePlan {
  const pages = new Int32Array(t * c * z);
  let at = 0;
  for (let ti = 0; ti < t; ti++) {
    for (let ci = 0; ci < c; ci++) {
      for (let zi = 0; zi < z; zi++) pages[at++] = frameOf(ti, zi) * c + ci;
    }
  }
  return { t, c, z, pages, extras: [], repeated };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
