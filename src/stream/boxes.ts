/** Boxes of C-order values: where they overlap, and copying between them. */

/** Values of a box of an array: `origin` and `shape` in elements, `bytes` in C order of `shape`. */
export interface Box {
  bytes: Uint8Array;
  origin: readonly number[];
  shape: readonly number[];
}

/** Index of a cell in the C-order grid of chunks over `shape`. */
export function gridIndex(
  cell: readonly number[],
  shape: readonly number[],
  chunkShape: readonly number[],
): number {
  let index = 0;
  for (let i = 0; i < cell.length; i++) {
    index = index * Math.max(1, Math.ceil(shape[i] / chunkShape[i])) + cell[i];
  }
  return index;
}

/** Copies what `from` and `to` have in common inside `limits` (the array's shape). */
export function copyBox(from: Box, to: Box, limits: readonly number[], elementBytes: number): void {
  const rank = limits.length;
  const low: number[] = [], high: number[] = [];
  for (let i = 0; i < rank; i++) {
    low.push(Math.max(from.origin[i], to.origin[i]));
    high.push(Math.min(from.origin[i] + from.shape[i], to.origin[i] + to.shape[i], limits[i]));
    if (high[i] <= low[i]) return;
  }
  const rowBytes = (high[rank - 1] - low[rank - 1]) * elementBytes;
  const at = low.slice();
  for (;;) {
    const source = address(from, at) * elementBytes;
    to.bytes.set(from.bytes.subarray(source, source + rowBytes), address(to, at) * elementBytes);
    let axis = rank - 2;
    while (axis >= 0 && ++at[axis] === high[axis]) at[axis] = low[axis--];
    if (axis < 0) return;
  }
}

function address(box: Box, at: readonly number[]): number {
  let index = 0;
  for (let i = 0; i < at.length; i++) index = index * box.shape[i] + (at[i] - box.origin[i]);
  return index;
}
