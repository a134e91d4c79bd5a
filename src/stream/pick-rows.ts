/** Some channels of a block that holds them all. */
import type { StreamBlock } from "../model/dataset.ts";
import type { NumericArray } from "../model/dtype.ts";

/** The rows `rows` of a block of channels (C-order `[channel, count]`), in that order; all when absent. */
export function pickRows(block: StreamBlock, rows?: number[]): StreamBlock {
  const { values, count } = block;
  if (!rows || Array.isArray(values)) return block;
  const picked = new (values.constructor as new (n: number) => NumericArray)(rows.length * count);
  rows.forEach((row, i) => {
    (picked as Float64Array).set(
      (values as Float64Array).subarray(row * count, (row + 1) * count),
      i * count,
    );
  });
  return { ...block, values: picked };
}
