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

/**
 * Copies what a stored box and an output box have in common, reordering axes: axis `i` of the output is
 * axis `permutation[i]` of the stored array, or has none (-1). `limits` is the stored array's shape.
 */
export function copyPermuted(
  from: Box,
  to: Box,
  limits: readonly number[],
  permutation: readonly number[],
  elementBytes: number,
): void {
  const strides = (shape: readonly number[]) => {
    const out = new Array<number>(shape.length).fill(1);
    for (let i = shape.length - 2; i >= 0; i--) out[i] = out[i + 1] * shape[i + 1];
    return out;
  };
  const fromStrides = strides(from.shape), toStrides = strides(to.shape);
  const axes: { count: number; from: number; to: number }[] = [];
  let source = 0, target = 0;
  for (let i = 0; i < permutation.length; i++) {
    const axis = permutation[i];
    const begin = axis < 0 ? 0 : from.origin[axis];
    const end = axis < 0 ? 1 : Math.min(limits[axis], begin + from.shape[axis]);
    const low = Math.max(begin, to.origin[i]), high = Math.min(end, to.origin[i] + to.shape[i]);
    if (high <= low) return;
    if (axis >= 0) source += (low - begin) * fromStrides[axis];
    target += (low - to.origin[i]) * toStrides[i];
    axes.push({ count: high - low, from: axis < 0 ? 0 : fromStrides[axis], to: toStrides[i] });
  }
  const moved = axes.filter((a) => a.count > 1);
  const last = moved.at(-1);
  if (!last || (last.from === 1 && last.to === 1)) {
    copyRows(from.bytes, to.bytes, moved, source, target, elementBytes);
  } else copyElements(from.bytes, to.bytes, moved, source, target, elementBytes);
}

interface Axis {
  count: number;
  from: number;
  to: number;
}

function copyRows(
  from: Uint8Array,
  to: Uint8Array,
  axes: Axis[],
  source: number,
  target: number,
  width: number,
): void {
  const row = axes.at(-1)?.count ?? 1;
  const outer = axes.slice(0, -1);
  walk(outer, 0, source, target, (s, t) => {
    to.set(from.subarray(s * width, (s + row) * width), t * width);
  });
}

const WORDS: Record<number, typeof Uint8Array | typeof Uint16Array | typeof Uint32Array> = {
  1: Uint8Array,
  2: Uint16Array,
  4: Uint32Array,
  // Pairs: a float64 view would change the bits of some NaNs.
  8: Uint32Array,
};

function copyElements(
  from: Uint8Array,
  to: Uint8Array,
  axes: Axis[],
  source: number,
  target: number,
  width: number,
): void {
  const Words = WORDS[width];
  const aligned = Words && from.byteOffset % width === 0 && to.byteOffset % width === 0;
  const outer = axes.slice(0, -1);
  const { count, from: stepFrom, to: stepTo } = axes[axes.length - 1];
  if (!aligned) {
    walk(axes, 0, source, target, (s, t) => {
      for (let b = 0; b < width; b++) to[t * width + b] = from[s * width + b];
    });
    return;
  }
  if (width === 8) {
    const a = new Uint32Array(from.buffer, from.byteOffset, from.byteLength >> 2);
    const b = new Uint32Array(to.buffer, to.byteOffset, to.byteLength >> 2);
    walk(outer, 0, source, target, (s, t) => {
      for (let i = 0; i < count; i++, s += stepFrom, t += stepTo) {
        b[2 * t] = a[2 * s];
        b[2 * t + 1] = a[2 * s + 1];
      }
    });
    return;
  }
  const a = new Words(
    from.buffer as ArrayBuffer,
    from.byteOffset,
    Math.floor(from.byteLength / width),
  );
  const b = new Words(to.buffer as ArrayBuffer, to.byteOffset, Math.floor(to.byteLength / width));
  walk(outer, 0, source, target, (s, t) => {
    for (let i = 0; i < count; i++, s += stepFrom, t += stepTo) b[t] = a[s];
  });
}

function walk(
  axes: Axis[],
  depth: number,
  source: number,
  target: number,
  body: (s: number, t: number) => void,
): void {
  if (depth === axes.length) return body(source, target);
  const { count, from, to } = axes[depth];
  for (let i = 0; i < count; i++) walk(axes, depth + 1, source + i * from, target + i * to, body);
}
