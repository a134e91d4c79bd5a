/** Input ranges (`Gain`) and units (`UntA`) of a Macintosh document. */
import type { Attributes } from "../../src/model/dataset.ts";
import { viewOf } from "../../src/source/source.ts";
import type { Calibration } from "./adicht-model.ts";

const RANGE_BYTES = 72, UNIT_BYTES = 130;
/** Counts of full scale. */
const FULL_SCALE = 32_768;
/** Bit of a unit's flags: the conversion is switched on. */
const CONVERTED = 0x100;

const macRoman = new TextDecoder("macintosh");

/** The calibration for a range and a unit, both counted from 1; unit 0 is none. */
export type MacScales = (range: number, unit: number) => Calibration | undefined;

/** Reads both chunks. */
export function parseScales(gain: Uint8Array, units: Uint8Array): MacScales {
  return (range, unit) => {
    const base = rangeAt(gain, range);
    if (!base) return undefined;
    if (unit === 0) return base;
    const conversion = unitAt(units, unit);
    if (!conversion) return undefined;
    const { slope, offset, name, converted, points } = conversion;
    const attributes: Attributes = { ...base.attributes, converted };
    if (!converted) return { ...base, attributes };
    Object.assign(attributes, { slope, offset });
    if (points.some((point) => point !== "")) attributes.calibration_points = points;
    // The slope is by the volt, whatever the unit of the range.
    const volts = base.units === "mV" ? base.gain / 1000 : base.gain;
    return { gain: slope * volts, offset, units: name, attributes };
  };
}

function rangeAt(bytes: Uint8Array, number: number): Calibration | undefined {
  const at = (number - 1) * RANGE_BYTES;
  if (number < 1 || at + RANGE_BYTES > bytes.length) return undefined;
  const units = pascal(bytes, at, 33);
  const step = viewOf(bytes).getFloat64(at + 34) / FULL_SCALE;
  return {
    gain: step,
    offset: 0,
    units,
    attributes: { step, input_units: units, converted: false },
  };
}

function unitAt(bytes: Uint8Array, number: number) {
  const at = (number - 1) * UNIT_BYTES;
  if (at + UNIT_BYTES > bytes.length) return undefined;
  const view = viewOf(bytes);
  return {
    converted: (view.getUint16(at + 4) & CONVERTED) !== 0,
    offset: extended(view, at + 6),
    slope: extended(view, at + 16),
    name: pascal(bytes, at + 26, 7),
    points: [0, 1, 2, 3].map((i) => pascal(bytes, at + 0x52 + 12 * i, 11)),
  };
}

/** The classic 80-bit float: sign and exponent, then a mantissa with its integer bit. */
export function extended(view: DataView, at: number): number {
  const head = view.getUint16(at);
  const mantissa = view.getBigUint64(at + 2);
  const sign = head & 0x8000 ? -1 : 1;
  const exponent = head & 0x7fff;
  if (mantissa === 0n) return 0;
  if (exponent === 0x7fff) return mantissa << 1n & 0xffffffffffffffffn ? NaN : sign * Infinity;
  // Two steps, so that neither power leaves the range of doubles before the other brings it back.
  const power = exponent - 16_383 - 63;
  const half = Math.trunc(power / 2);
  return sign * Number(mantissa) * 2 ** half * 2 ** (power - half);
}

/** A Pascal string with room for `capacity` characters; no-break spaces in front are layout. */
function pascal(bytes: Uint8Array, at: number, capacity: number): string {
  const length = Math.min(bytes[at], capacity);
  return macRoman.decode(bytes.subarray(at + 1, at + 1 + length)).trim();
}
