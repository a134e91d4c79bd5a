/** All arrays of a conversion as one MAT-file, joined from chunk files column by column. */
import { FuseError } from "../../errors.ts";
import { integerBits } from "../../model/dtype.ts";
import { packingOf, productType } from "../../plan/calibration.ts";
import { copyPermuted } from "../../stream/boxes.ts";
import { fitsMat5, writeMat5 } from "../mat/mat5.ts";
import { writeMat73 } from "../mat/mat73.ts";
import {
  attributeFields,
  CLASSES,
  LegalNames,
  matlabDims,
  type NumericVariable,
  type Variable,
} from "../mat/variables.ts";
import { dtypeOfNpy, elementBytes, npyType } from "../npy/format.ts";
import { chunkValues } from "../ordered/feed.ts";
import type { ByteOutput } from "../ordered/output.ts";
import { JoinedArrays } from "./arrays.ts";
import {
  type ChunkFiles,
  PIECE_BYTES,
  Scratch,
  type StoredArray,
  type StoredTree,
} from "./chunk-files.ts";

/** Every array as a variable, attributes as structs of chars. */
export class MatTarget extends JoinedArrays {
  /** @param version "7.3" to insist on it; else version 5 as long as every variable fits */
  constructor(
    folder: string,
    makeOutput: () => ByteOutput | Promise<ByteOutput>,
    physical: boolean,
    readonly version: "5" | "7.3" | undefined,
  ) {
    super(folder, makeOutput, physical);
  }

  protected async join(tree: StoredTree, files: ChunkFiles, output: ByteOutput): Promise<void> {
    const variables = variablesOf(tree, files, this.physical);
    const text = "written by SPARC FUSE";
    if (this.version !== "7.3" && fitsMat5(variables)) await writeMat5(variables, output, text);
    else await writeMat73(variables, output, text);
  }
}

function variablesOf(tree: StoredTree, files: ChunkFiles, physical: boolean): Variable[] {
  const names = new LegalNames();
  const variables: Variable[] = [];
  for (const array of tree.arrays) {
    const name = names.take(array.path);
    if (array.descr === "|O") {
      variables.push({
        kind: "text",
        name,
        count: array.shape[0] ?? 1,
        values: () => files.strings(array),
      });
    } else variables.push(numericVariable(name, array, files, physical));
  }
  for (const [path, attributes] of tree.groups) {
    const name = names.take(path === "" ? "metadata" : `${path}_metadata`);
    variables.push({ kind: "struct", name, fields: attributeFields(attributes) });
  }
  return variables;
}

function numericVariable(
  name: string,
  array: StoredArray,
  files: ChunkFiles,
  physical: boolean,
): NumericVariable {
  const packing = physical ? packingOf(array.attributes) : null;
  const stored = dtypeOfNpy(array.descr);
  const descr = packing
    ? npyType(productType(integerBits(stored as never), [packing]))
    : array.descr;
  const type = CLASSES[descr.slice(1)];
  if (!type) {
    throw new FuseError(
      "Unsupported",
      "MAT-files are not written with half floats or complex numbers",
      {
        array: array.path,
        found: descr,
        remedy: "Use --to zarr or --to npz",
      },
    );
  }
  return {
    kind: "numeric",
    name,
    type,
    dims: matlabDims(array),
    elementBytes: elementBytes(descr),
    *pieces() {
      const product = new Scratch();
      for (const piece of columnPieces(array, files)) {
        if (!packing) yield piece;
        else {
          const raw = chunkValues(stored, piece);
          const bytes = product.take(raw.length * elementBytes(descr));
          const out = chunkValues(dtypeOfNpy(descr), bytes);
          for (let i = 0; i < out.length; i++) {
            out[i] = Number(raw[i]) * packing.gain + packing.offset;
          }
          yield bytes;
        }
      }
    },
  };
}

/** Values in column-major order: slabs along the last axis, each turned around, valid until the next. */
function* columnPieces(array: StoredArray, files: ChunkFiles): Generator<Uint8Array> {
  const { shape } = array;
  const boxes = new Scratch(), turned = new Scratch();
  if (shape.length < 2) return yield* files.pieces(array, boxes);
  if (shape.includes(0)) return;
  const width = elementBytes(array.descr);
  const last = shape.length - 1;
  const slice = shape.slice(0, last).reduce((a, b) => a * b, width);
  // Whole chunks of the last axis at a time, so that no chunk is read more often than it must be.
  const step = Math.max(1, Math.min(shape[last], Math.max(Math.floor(PIECE_BYTES / slice), 1)));
  const reversed = shape.map((_, i) => last - i);
  for (let at = 0; at < shape[last]; at += step) {
    const extent = [...shape.slice(0, last), Math.min(step, shape[last] - at)];
    const origins = [...shape.slice(0, last).map(() => 0), at];
    const box = files.readBox(array, origins, extent, boxes);
    const out = turned.take(box.length);
    const origin = extent.map(() => 0);
    copyPermuted(
      { bytes: box, origin, shape: extent },
      { bytes: out, origin, shape: [...extent].reverse() },
      extent,
      reversed,
      width,
    );
    yield out;
  }
}
