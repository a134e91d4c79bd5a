/** Columns -> interleaved samples: all channels of a sample, then all of the next. */
import type { NumericArray } from "../../model/dtype.ts";

/** Rows turned at a time, so that what is written stays in the processor's cache. */
const TILE = 128;

/** Fills `out` (`rows * columns.length` elements) with the values of `columns`, converted to its type. */
export function interleave(columns: NumericArray[], rows: number, out: NumericArray): void {
  const width = columns.length;
  const big = typeof out[0] === "bigint", bigColumns = typeof columns[0]?.[0] === "bigint";
  if (big !== bigColumns) {
    columns.forEach((column, c) => {
      for (let r = 0; r < rows; r++) {
        out[r * width + c] = big ? BigInt(column[r]) : Number(column[r]);
      }
    });
    return;
  }
  if (width === 1) {
    (out as Float64Array).set((columns[0] as Float64Array).subarray(0, rows));
    return;
  }
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(rows, top + TILE);
    for (let c = 0; c < width; c++) {
      const column = columns[c];
      for (let r = top, at = top * width + c; r < bottom; r++, at += width) out[at] = column[r];
    }
  }
}
