/** Half floats where the runtime has none (Node before 24). */
type HalfFloats = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayLike<number>;

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The values of little-endian half floats, as single ones: these hold them all. */
export class WidenedHalfFloats {
  constructor(buffer: ArrayBuffer, offset: number, length: number) {
    return Float32Array.from(new Uint16Array(buffer, offset, length), halfToNumber);
  }
}

/** The runtime's own, else its replacement for reading. */
export const Float16Array: HalfFloats =
  (globalThis as unknown as { Float16Array?: HalfFloats }).Float16Array ??
    WidenedHalfFloats as unknown as HalfFloats;
