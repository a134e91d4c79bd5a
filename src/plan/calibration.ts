/**
 * How physical values are stored: packed integers where one scale serves all channels (small and
 * lossless), else floats wide enough that the converter's raw numbers can be had back exactly.
 */
import type { Attributes, Recording } from "../model/dataset.ts";
import { decodedType, type DType, integerBits } from "../model/dtype.ts";

/** The storage decided for a recording's signals. */
export interface Storage {
  dtype: DType;
  /** CF packing (`scale_factor`, `add_offset`) when values stay raw. */
  attributes: Attributes;
  /** Values are multiplied out while converting. */
  calibrate: boolean;
}

/** Largest `|raw + offset / gain|` whose float32 rounding stays below half a step of the converter. */
const FLOAT32_STEPS = 2 ** 22;

/** Integers that a float32 holds exactly, and their products with powers of two. */
const FLOAT32_INTEGERS = 2 ** 24;

/**
 * Decides dtype and packing of `recording`; `keepRaw` keeps the converter's numbers as they are,
 * `physical` multiplies out also where a scale would do.
 */
export function decideStorage(
  recording: Recording,
  { keepRaw = false, physical = false }: { keepRaw?: boolean; physical?: boolean } = {},
): Storage {
  const { channels, rawType } = recording;
  const mixed = new Set(recording.parts.map((p) => partType(recording, p.layout))).size > 1;
  const [first] = channels;
  const shared = channels.every((c) => c.gain === first.gain && c.offset === first.offset);
  const unity = channels.every((c) => c.gain === 1 && c.offset === 0);
  if (keepRaw && !mixed) return { dtype: rawType, attributes: {}, calibrate: false };
  if (!mixed && (shared || channels.length === 0) && (!physical || unity)) {
    const attributes: Attributes = {};
    if (first && (first.gain !== 1 || first.offset !== 0)) {
      attributes.scale_factor = first.gain;
      attributes.add_offset = first.offset;
      if (first.offset === 0) delete attributes.add_offset;
    }
    return { dtype: rawType, attributes, calibrate: false };
  }
  const bits = recording.significantBits ?? integerBits(rawType as never);
  return {
    dtype: mixed ? "float64" : productType(bits, channels),
    attributes: {},
    calibrate: true,
  };
}

/** The narrowest float from which integers of so many bits can be had back after `raw * gain + offset`. */
export function productType(
  bits: number | undefined,
  scales: { gain: number; offset: number }[],
): "float32" | "float64" {
  const exact = bits !== undefined &&
    scales.every(({ gain, offset }) =>
      gain !== 0 &&
      (2 ** bits + Math.abs(offset / gain) < FLOAT32_STEPS ||
        (2 ** bits <= FLOAT32_INTEGERS && offset === 0 &&
          Number.isInteger(Math.log2(Math.abs(gain)))))
    );
  return exact ? "float32" : "float64";
}

/** The CF scale of an array's attributes; null when its values are physical as they are. */
export function packingOf(attributes: Attributes): { gain: number; offset: number } | null {
  const { scale_factor: gain = 1, add_offset: offset = 0 } = attributes;
  if (typeof gain !== "number" || typeof offset !== "number") return null;
  return gain === 1 && offset === 0 ? null : { gain, offset };
}

/** Element type the samples of a part decode to. */
export function partType(
  recording: Recording,
  layout: Recording["parts"][number]["layout"],
): DType {
  return layout.kind === "frames" ? decodedType(layout.stored, layout.flipSign) : recording.rawType;
}
