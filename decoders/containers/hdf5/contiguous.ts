/** Data in one piece, seen as chunks: bands of whole rows, so that they are read and referred to by parts. */
import { ChunkTable } from "./chunk-table.ts";

/** Bytes of a band. */
export const BAND_BYTES = 4 << 20;

/** A chunk table whose chunks lie one behind the other. */
export class BandTable extends ChunkTable {
  constructor(shape: number[], chunkShape: number[], readonly elementBytes: number) {
    super(shape, chunkShape);
  }

  /**
   * Says where the values are: from byte `from` up to byte `end`; what lies behind `end` is not there and
   * stands for the fill value.
   */
  place(from: number, end: number): void {
    const { chunkShape, shape, elementBytes } = this;
    for (let i = 0; i < this.count; i++) {
      const origin = this.cell(i).map((c, axis) => c * chunkShape[axis]);
      let first = 0, elements = 1;
      shape.forEach((n, axis) => {
        first = first * n + origin[axis];
        elements *= Math.min(chunkShape[axis], n - origin[axis]);
      });
      const at = from + first * elementBytes;
      const length = Math.min(elements * elementBytes, end - at);
      if (length <= 0) continue;
      this.offset[i] = at;
      this.length[i] = length;
    }
  }
}

/** Shape of the bands of a dataset that is stored in one piece. */
export function bandShape(extent: number[], elementBytes: number): number[] {
  const chunkShape = extent.map(() => 1);
  let room = Math.max(1, Math.floor(BAND_BYTES / elementBytes));
  // Whole trailing axes, then a part of one: only so is a band one piece of the file.
  for (let axis = extent.length - 1; axis >= 0; axis--) {
    const n = Math.max(1, extent[axis]);
    chunkShape[axis] = Math.min(n, Math.max(1, Math.floor(room)));
    if (chunkShape[axis] < n) break;
    room = Math.floor(room / n);
  }
  return chunkShape;
}
