/** Regions of interest of ScanImage: JSON beside the settings. */
import type { Json } from "../../src/model/dataset.ts";

/**
 * Size of a pixel in micrometres, when all scanfields of the imaging regions agree: `sizeXY` is in
 * degrees of the scan angle, which the objective turns into micrometres.
 */
export function roiPixelSize(
  rois: Json | undefined,
  micrometresPerDegree: number | undefined,
): { x: number; y: number } | undefined {
  if (!micrometresPerDegree) return undefined;
  const group = member(member(rois, "RoiGroups"), "imagingRoiGroup");
  const sizes: { x: number; y: number }[] = [];
  for (const roi of list(member(group, "rois")).slice(0, 4096)) {
    for (const field of list(member(roi, "scanfields")).slice(0, 4096)) {
      const size = pair(member(field, "sizeXY")), pixels = pair(member(field, "pixelResolutionXY"));
      if (!size || !pixels) return undefined;
      sizes.push({
        x: size[0] * micrometresPerDegree / pixels[0],
        y: size[1] * micrometresPerDegree / pixels[1],
      });
    }
  }
  const [first] = sizes;
  const near = (a: number, b: number) => Math.abs(a - b) <= 1e-6 * Math.abs(b);
  return first && sizes.every((s) => near(s.x, first.x) && near(s.y, first.y)) ? first : undefined;
}

function member(value: Json | undefined, key: string): Json | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

/** MATLAB writes a list of one as the item itself. */
function list(value: Json | undefined): Json[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
}

function pair(value: Json | undefined): [number, number] | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [x, y] = value;
  return typeof x === "number" && typeof y === "number" && x > 0 && y > 0 ? [x, y] : undefined;
}
