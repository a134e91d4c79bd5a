/** The chunks of a dataset: one entry a cell of the grid of chunks, in C order. */
import { FuseError } from "../../../src/errors.ts";
import type { Storage } from "./storage.ts";

/** Most chunks of all datasets of a file together, unless a caller allows more. */
export const MOST_CHUNKS = 20_000_000;
/** Chunks a dataset may have whatever the file's size; beyond them a chunk needs a byte of the file at least. */
const FREE_CHUNKS = 1 << 20;

/** Counts the chunks of a file against a limit. */
export class ChunkBudget {
  #left: number;

  constructor(readonly most = MOST_CHUNKS) {
    this.#left = most;
  }

  /** @throws FuseError `Limit` when there are not so many left, `Truncated` when the file is too small for them. */
  take(count: number, storage: Storage, path: string): void {
    const size = storage.source.size ?? Infinity;
    if (count > Math.max(FREE_CHUNKS, size)) {
      throw new FuseError("Truncated", "an array has far more chunks than the file can hold", {
        source: storage.source.name,
        array: path,
        found: `${size} bytes`,
        expected: `${count} chunks`,
      });
    }
    if (count > this.#left) {
      throw new FuseError("Limit", "more chunks than allowed", {
        source: storage.source.name,
        array: path,
        found: count,
        expected: `at most ${this.most} in a file`,
      });
    }
    this.#left -= count;
  }
}

/** Where the chunks of a dataset are. */
export class ChunkTable {
  /** Chunks along each axis. */
  readonly grid: number[];
  /** Cells of the grid. */
  readonly count: number;
  /** Byte of the file of each chunk; -1 where there is none. */
  readonly offset: Float64Array;
  /** Stored bytes of each chunk. */
  readonly length: Float64Array;
  /** Filters each chunk skipped; absent while no chunk skipped any. */
  mask: Uint32Array | undefined;

  constructor(readonly shape: number[], readonly chunkShape: number[]) {
    this.grid = shape.map((n, i) => Math.ceil(n / chunkShape[i]));
    this.count = this.grid.reduce((a, b) => a * b, 1);
    this.offset = new Float64Array(this.count).fill(-1);
    this.length = new Float64Array(this.count);
  }

  /** Enters a chunk at a cell; what lies outside the grid (the dataset shrank) is ignored. */
  set(cell: number[], offset: number, length: number, mask: number): void {
    let index = 0;
    for (let i = 0; i < cell.length; i++) {
      if (!(cell[i] >= 0 && cell[i] < this.grid[i])) return;
      index = index * this.grid[i] + cell[i];
    }
    this.offset[index] = offset;
    this.length[index] = length;
    if (mask) {
      this.mask ??= new Uint32Array(this.count);
      this.mask[index] = mask;
    }
  }

  /** The cell of an entry. */
  cell(index: number): number[] {
    const cell = this.grid.map(() => 0);
    for (let i = this.grid.length - 1; i >= 0; i--) {
      cell[i] = index % this.grid[i];
      index = Math.floor(index / this.grid[i]);
    }
    return cell;
  }

  /** True when the chunk of a cell reaches past the edge of the dataset. */
  isEdge(cell: number[]): boolean {
    return cell.some((c, i) => (c + 1) * this.chunkShape[i] > this.shape[i]);
  }
}
