/** Arrays of chunk files as the bytes of `.npy` files, piece by piece. */
import { FuseError } from "../../errors.ts";
import { integerBits, sizeOf } from "../../model/dtype.ts";
import { packingOf, productType } from "../../plan/calibration.ts";
import {
  codePoints,
  dtypeOfNpy,
  elementBytes,
  fixedWidthText,
  npyHeader,
  npyType,
} from "../npy/format.ts";
import { chunkValues } from "../ordered/feed.ts";
import { type ChunkFiles, PIECE_BYTES, Scratch, type StoredArray } from "./chunk-files.ts";

const encoder = new TextEncoder();
/** Bytes up to which texts are padded to one width without a thought. */
const WIDE_BYTES = 64 << 20;
/** How many times the bytes of the texts their rectangle may take. */
const MOST_PADDING = 32;

/**
 * One file of an archive: its name, its exact size, and its bytes, which may be asked for once or more; a
 * piece is valid until the next is asked for.
 */
export interface Member {
  name: string;
  size: number;
  pieces(): Iterable<Uint8Array>;
}

/** Texts held in memory as an array. */
export function textMember(path: string, values: string[], shape: number[]): Member {
  const width = Math.max(1, ...values.map(codePoints));
  const head = npyHeader({ descr: npyType("string", width), fortranOrder: false, shape });
  const text = fixedWidthText(values, width);
  return { name: `${path}.npy`, size: head.length + text.length, pieces: () => [head, text] };
}

/** An array in `.npy` form. Strings take two passes: their width is that of the longest. */
export function npyMember(
  array: StoredArray,
  files: ChunkFiles,
  physical: boolean,
): Omit<Member, "name"> {
  const count = array.shape.reduce((a, b) => a * b, 1);
  const packing = physical ? packingOf(array.attributes) : null;
  if (packing && array.descr !== "|O") return productMember(array, files, packing);
  if (array.descr !== "|O") {
    const head = npyHeader({ descr: array.descr, fortranOrder: false, shape: array.shape });
    return {
      size: head.length + count * elementBytes(array.descr),
      *pieces() {
        yield head;
        yield* files.pieces(array, new Scratch());
      },
    };
  }
  const { width, bytes } = textExtent(array, files);
  const size = count * width * 4;
  if (size > WIDE_BYTES && size > MOST_PADDING * bytes) {
    throw new FuseError("Limit", "one long text would make all of them as wide", {
      array: array.path,
      found: `${size} bytes for ${bytes} bytes of text`,
      remedy: "Use --to npz, which keeps such texts in another way",
    });
  }
  const head = npyHeader({
    descr: npyType("string", width),
    fortranOrder: false,
    shape: array.shape,
  });
  return {
    size: head.length + size,
    *pieces() {
      yield head;
      const rows = Math.max(1, Math.floor(PIECE_BYTES / (4 * width)));
      for (const values of files.strings(array)) {
        for (let at = 0; at < values.length; at += rows) {
          yield fixedWidthText(values.slice(at, at + rows), width);
        }
      }
    },
  };
}

/** Longest text in code points, and all texts in UTF-8 bytes. */
function textExtent(array: StoredArray, files: ChunkFiles): { width: number; bytes: number } {
  const extent = { width: 1, bytes: 0 };
  for (const values of files.strings(array)) {
    for (const value of values) {
      extent.width = Math.max(extent.width, codePoints(value));
      extent.bytes += encoder.encode(value).length;
    }
  }
  return extent;
}

/**
 * Texts of very different lengths: their UTF-8 bytes one after the other, and where each ends, instead of
 * a rectangle that is mostly padding. Null where the rectangle will do.
 */
export function raggedMembers(array: StoredArray, files: ChunkFiles): Member[] | null {
  if (array.descr !== "|O") return null;
  const [count] = array.shape;
  const { width, bytes } = textExtent(array, files);
  const size = count * width * 4;
  if (size <= WIDE_BYTES || size <= MOST_PADDING * bytes) return null;
  const member = (
    name: string,
    descr: string,
    length: number,
    data: () => Iterable<Uint8Array>,
  ) => {
    const head = npyHeader({ descr, fortranOrder: false, shape: [length] });
    return {
      name: `${array.path}/${name}.npy`,
      size: head.length + length * elementBytes(descr),
      *pieces() {
        yield head;
        yield* data();
      },
    };
  };
  return [
    member("utf8", "|u1", bytes, function* () {
      for (const values of files.strings(array)) yield encoder.encode(values.join(""));
    }),
    member("ends", "<i8", count, function* () {
      let end = 0;
      for (const values of files.strings(array)) {
        const ends = BigInt64Array.from(values, (v) => BigInt(end += encoder.encode(v).length));
        yield new Uint8Array(ends.buffer);
      }
    }),
  ];
}

/** Packed values, multiplied out. */
function productMember(
  array: StoredArray,
  files: ChunkFiles,
  packing: { gain: number; offset: number },
): Omit<Member, "name"> {
  const { descr, shape } = array;
  const stored = dtypeOfNpy(descr);
  const dtype = productType(integerBits(stored as never), [packing]);
  const head = npyHeader({ descr: npyType(dtype), fortranOrder: false, shape });
  const count = shape.reduce((a, b) => a * b, 1);
  const { gain, offset } = packing;
  return {
    size: head.length + count * sizeOf(dtype),
    *pieces() {
      yield head;
      const product = new Scratch();
      for (const piece of files.pieces(array, new Scratch())) {
        const raw = chunkValues(stored, piece);
        const bytes = product.take(raw.length * sizeOf(dtype));
        const out = chunkValues(dtype, bytes);
        for (let i = 0; i < out.length; i++) out[i] = Number(raw[i]) * gain + offset;
        yield bytes;
      }
    },
  };
}
