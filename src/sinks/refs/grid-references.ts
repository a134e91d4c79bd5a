/** References to arrays made of stored grids: HDF5 and MATLAB variables, one or one for each channel. */
import { sizeOf } from "../../model/dtype.ts";
import type { ArrayOrigin, GridPiece } from "../../plan/plan.ts";
import { cellOf, firstRow } from "../../plan/plan.ts";
import { chunkReferences, type Expressed, type ReferencedSources } from "./chunk-references.ts";

type GridOrigin = Extract<ArrayOrigin, { kind: "grid" }>;

/** An expressed array, with the scales of its channels where they are not multiplied out. */
export type ExpressedGrid = Expressed & { scales?: { gain: Float64Array; offset: Float64Array } };

/** Expresses an array of stored grids in the axis order they are stored in; or says why it cannot be. */
export function gridReferences(
  dims: string[],
  shape: number[],
  { stored, pieces }: GridOrigin,
  from: ReferencedSources,
): ExpressedGrid | { reason: string } {
  const made = pieces.length === 1 && pieces[0].permutation.every((axis) => axis >= 0)
    ? single(dims, shape, pieces[0], stored, from)
    : stacked(dims, shape, pieces, stored, from);
  if ("reason" in made) return made;
  if (!pieces.some((p) => p.calibration)) return made;
  const gain = new Float64Array(shape[0]).fill(1), offset = new Float64Array(shape[0]);
  for (const piece of pieces) {
    const { calibration } = piece, first = firstRow(piece);
    calibration?.gain.forEach((g, i) => {
      gain[first + i] = g;
      offset[first + i] = calibration.offset[i];
    });
  }
  return { ...made, scales: { gain, offset } };
}

function single(
  dims: string[],
  shape: number[],
  piece: GridPiece,
  dtype: GridOrigin["stored"],
  from: ReferencedSources,
): Expressed | { reason: string } {
  const { permutation, layout, start } = piece;
  const own = piece.shape.slice();
  if (start.some((s) => s !== 0)) return { reason: "only a part of what is stored belongs to it" };
  const names = own.map(() => "");
  permutation.forEach((axis, i) => {
    if (axis < 0) return;
    names[axis] = dims[i];
    // A longer axis is cut off at the array's end.
    own[axis] = Math.min(own[axis], shape[i]);
  });
  if (permutation.every((axis) => axis < 0) || names.includes("")) {
    return { reason: "only a part of what is stored belongs to it" };
  }
  if (own.some((n, axis) => n !== piece.shape[axis])) {
    return { reason: "only a part of what is stored belongs to it" };
  }
  return chunkReferences({ dims: names, shape: own, dtype, layout }, from);
}

/** Variables of one channel each, stored alike: rows of `[channel, time]`. */
function stacked(
  dims: string[],
  shape: number[],
  pieces: GridPiece[],
  dtype: GridOrigin["stored"],
  from: ReferencedSources,
): Expressed | { reason: string } {
  const apart = { reason: "several stored arrays of different kinds make up this one" };
  const rows: Expressed[] = [];
  for (const [channel, piece] of pieces.entries()) {
    const { start, layout, permutation } = piece;
    const row = start[0] === channel && start[1] === 0 && permutation.length === 2 &&
      permutation[0] === -1 && permutation[1] === 0 && piece.shape.length === 1;
    if (!row || pieces.length !== shape[0] || piece.shape[0] !== shape[1]) return apart;
    const made = chunkReferences({ dims: [dims[1]], shape: piece.shape, dtype, layout }, from);
    if ("reason" in made) return made;
    rows.push(made);
  }
  const [first] = rows;
  const kind = (e: Expressed) => JSON.stringify([e.chunks, e.bigEndian, e.compressor, e.filters]);
  const fills = rows.map((e) => String(e.fill));
  if (rows.some((r) => kind(r) !== kind(first)) || new Set(fills).size > 1) return apart;
  if (first.chunks[0] * sizeOf(dtype) < LEAST_BYTES && rows.length > 1) return apart;
  const grid = [rows.length, first.grid[0]];
  return {
    ...first,
    dims,
    shape,
    chunks: [1, first.chunks[0]],
    grid,
    at: (index) => {
      const [row, chunk] = cellOf(grid, index);
      return rows[row].at(chunk);
    },
  };
}

/** A shorter piece is not worth a reference. */
const LEAST_BYTES = 64;
