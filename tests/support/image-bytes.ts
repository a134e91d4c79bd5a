/** Reads a whole level of an image through its chunk table: the yardstick for readers of images. */
import type { Dataset, ImageSeries } from "../../src/model/dataset.ts";
import { sizeOf } from "../../src/model/dtype.ts";
import { chunkBytes, chunkDecoder } from "../../src/stream/chunk-decoders.ts";

/** Little-endian bytes of a level in C order of the image's axes. */
export async function imageBytes(
  dataset: Dataset,
  series: ImageSeries,
  level = 0,
): Promise<Uint8Array> {
  const { shape, layout } = series.levels[level];
  const width = sizeOf(series.dtype);
  const grid = shape.map((n, i) => Math.ceil(n / layout.chunkShape[i]));
  const decoders = await Promise.all(
    layout.codecs.map((codec) => chunkDecoder(codec, series.dtype, layout.chunkShape)),
  );
  const out = new Uint8Array(shape.reduce((a, b) => a * b, width));
  const cells = grid.reduce((a, b) => a * b, 1);
  if (layout.offset.length !== cells) throw new Error("the chunk table does not fit the grid");
  for (let k = 0; k < cells; k++) {
    const cell = unravel(k, grid);
    const start = cell.map((c, i) => c * layout.chunkShape[i]);
    let bytes: Uint8Array;
    if (layout.source[k] < 0) {
      bytes = filled(chunkBytes(series.dtype, layout.chunkShape), width, layout.fill);
    } else {
      const source = dataset.sources[layout.source[k]];
      const encoded = await source.read(layout.offset[k], layout.length[k]);
      bytes = decoders[layout.codec?.[k] ?? 0](encoded, {
        source: source.name,
        offset: layout.offset[k],
      });
    }
    place(bytes, layout.chunkShape, out, shape, start, width);
  }
  return out;
}

function unravel(index: number, grid: number[]): number[] {
  const cell = new Array(grid.length);
  for (let i = grid.length - 1; i >= 0; i--) {
    cell[i] = index % grid[i];
    index = Math.floor(index / grid[i]);
  }
  return cell;
}

function filled(length: number, width: number, fill: number): Uint8Array {
  const out = new Uint8Array(length);
  if (fill !== 0 && width === 1) out.fill(fill);
  else if (fill !== 0 && width === 2) new Uint16Array(out.buffer).fill(fill);
  else if (fill !== 0) new Float32Array(out.buffer).fill(fill);
  return out;
}

function place(
  chunk: Uint8Array,
  chunkShape: number[],
  out: Uint8Array,
  shape: number[],
  start: number[],
  width: number,
): void {
  const last = shape.length - 1;
  const kept = chunkShape.map((n, i) => Math.min(n, shape[i] - start[i]));
  const rows = kept.slice(0, -1).reduce((a, b) => a * b, 1);
  for (let r = 0; r < rows; r++) {
    const at = unravel(r, kept.slice(0, -1));
    let from = 0, to = 0;
    for (let i = 0; i < last; i++) {
      from = (from + at[i]) * chunkShape[i + 1];
      to = (to + start[i] + at[i]) * shape[i + 1];
    }
    from *= width;
    to = (to + start[last]) * width;
    out.set(chunk.subarray(from, from + kept[last] * width), to);
  }
}
