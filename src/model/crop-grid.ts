/** Cuts uncompressed stored arrays to the samples that are wanted, so that only those are read. */
import type { ChannelPart } from "./dataset.ts";
import { type DType, sizeOf } from "./dtype.ts";
import type { ChunkLayout } from "./layout.ts";

/** Bytes a read may be longer than what is wanted: less is not worth a finer grid. */
const SLACK_BYTES = 64 << 10;
/** Entries a cut layout may have. */
const MOST_ENTRIES = 1 << 18;

/**
 * The part with a grid that holds about `count` samples from its `firstSample` on. The part itself where
 * its chunks are compressed, or a run of samples is no run of bytes: then whole chunks are what can be read.
 */
export function cropGrid(part: ChannelPart, dtype: DType, count: number): ChannelPart {
  const { layout, grid } = part;
  if (layout.kind !== "chunks" || !grid || grid.startSample || !isPlain(layout)) return part;
  const axis = layout.chunkShape.findIndex((n) => n > 1);
  if (axis !== grid.timeAxis) return part;
  const stored = layout.chunkShape[axis];
  const rowBytes = layout.chunkShape.slice(axis + 1).reduce((a, b) => a * b, sizeOf(dtype));
  const from = grid.firstSample ?? 0;
  const length = divisorUpTo(stored, Math.max(count, Math.floor(SLACK_BYTES / rowBytes), 1));
  const start = Math.floor(from / length) * length;
  const end = Math.min(grid.shape[axis], Math.ceil((from + count) / length) * length);
  const shape = grid.shape.with(axis, end - start);
  const chunkShape = layout.chunkShape.with(axis, length);
  const cells = shape.map((n, i) => Math.ceil(n / chunkShape[i]));
  const entries = cells.reduce((a, b) => a * b, 1);
  if (length === stored || entries > MOST_ENTRIES || end <= start) return part;

  const old = grid.shape.map((n, i) => Math.ceil(n / layout.chunkShape[i]));
  const out = {
    source: new Int32Array(entries),
    offset: new Float64Array(entries),
    length: new Float64Array(entries),
  };
  for (let k = 0; k < entries; k++) {
    // Cell k of the new grid, and the one of the old grid in which it lies.
    let rest = k, index = 0, stride = 1, inside = 0;
    for (let i = cells.length - 1; i >= 0; i--) {
      let cell = rest % cells[i];
      rest = Math.floor(rest / cells[i]);
      if (i === axis) {
        const row = start + cell * length;
        inside = row % stored;
        cell = Math.floor(row / stored);
      }
      index += cell * stride;
      stride *= old[i];
    }
    const skipped = inside * rowBytes;
    const left = layout.length[index] - skipped;
    out.source[k] = left > 0 ? layout.source[index] : -1;
    out.offset[k] = layout.offset[index] + skipped;
    out.length[k] = Math.max(0, Math.min(left, length * rowBytes));
  }
  return {
    ...part,
    layout: { ...layout, chunkShape, ...out },
    grid: { ...grid, shape, firstSample: from - start },
  };
}

/** True when the bytes of all chunks are the values themselves. */
function isPlain({ codecs, codec }: ChunkLayout): boolean {
  return codecs.length === 1 && codecs[0].id === "raw" && codec === undefined;
}

/** The largest divisor of `n` that is not above `most`. */
function divisorUpTo(n: number, most: number): number {
  let best = 1;
  for (let d = 1; d * d <= n; d++) {
    if (n % d !== 0) continue;
    if (d <= most && d > best) best = d;
    if (n / d <= most && n / d > best) best = n / d;
  }
  return best;
}
