/** Numbers and text of an ABF header or of one entry of a section; little-endian. */
import { viewOf } from "../../src/source/source.ts";
import { fieldText } from "./ansi-text.ts";

/**
 * Fields by their offset. What lies past the end reads as 0 or "": older versions have shorter headers,
 * and what follows them in the file is not theirs.
 */
export class AbfFields {
  readonly #view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.#view = viewOf(bytes);
  }

  /** True when `length` bytes from `at` belong to the header. */
  has(at: number, length: number): boolean {
    return at >= 0 && at + length <= this.bytes.length;
  }

  u8(at: number): number {
    return this.has(at, 1) ? this.bytes[at] : 0;
  }

  i16(at: number): number {
    return this.has(at, 2) ? this.#view.getInt16(at, true) : 0;
  }

  i32(at: number): number {
    return this.has(at, 4) ? this.#view.getInt32(at, true) : 0;
  }

  u32(at: number): number {
    return this.has(at, 4) ? this.#view.getUint32(at, true) : 0;
  }

  /** A 64-bit count; more than can be counted exactly is infinite. */
  count(at: number): number {
    const low = this.u32(at), high = this.i32(at + 4);
    return high < 0 ? -1 : high >= 1 << 21 ? Infinity : high * 2 ** 32 + low;
  }

  /** A 32-bit float; 0 in place of what is no number. */
  f32(at: number): number {
    const value = this.has(at, 4) ? this.#view.getFloat32(at, true) : 0;
    return Number.isFinite(value) ? value : 0;
  }

  text(at: number, length: number): string {
    return this.has(at, length) ? fieldText(this.bytes.subarray(at, at + length)) : "";
  }

  /** The GUID at `at`, in the order Windows writes it; undefined when it is all zeros. */
  guid(at: number): string | undefined {
    if (!this.has(at, 16)) return undefined;
    const bytes = this.bytes.subarray(at, at + 16);
    if (bytes.every((b) => b === 0)) return undefined;
    const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    const hex = order.map((i) => bytes[i].toString(16).padStart(2, "0")).join("").toUpperCase();
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  /** `count` numbers of `width` bytes. */
  list(read: "i16" | "i32" | "f32", at: number, count: number): number[] {
    const width = read === "i16" ? 2 : 4;
    return Array.from({ length: count }, (_, i) => this[read](at + i * width));
  }
}
