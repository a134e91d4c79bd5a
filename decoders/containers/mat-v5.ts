/**
 * MAT-files of level 5 (MATLAB 5 to 7): a header of 128 bytes, then data elements, one a variable,
 * each as it is or as a zlib stream (MathWorks "MAT-File Format", chapter 1).
 */
import { FuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { viewOf } from "../../src/source/source.ts";
import { type ByteCursor, FileCursor, InflateCursor } from "./mat-bytes.ts";
import { MatContext, MI, readIntegers, readPart, readPayload, readTag } from "./mat-elements.ts";
import {
  elementsOf,
  type MatNode,
  type MatVariables,
  type NumericNode,
  type PackedElement,
} from "./mat-model.ts";
import { charRows, decodeChars, plainText } from "./mat-text.ts";

const HEADER_BYTES = 128;
/** Structs in structs, cells in cells. */
const DEEPEST = 64;
/** Variables, cells and fields of one file. */
const MOST_NODES = 1 << 20;
/** Dimensions of an array. */
const MOST_DIMENSIONS = 32;
/** Names, and tables of them. */
const NAME_BYTES = 4 << 20;
/** Text of one array. */
const TEXT_BYTES = 64 << 20;
/** What is inflated of an element behind the values that are read when needed. */
const VERIFY_BYTES = 8 << 20;

/** Array classes by number. */
const CLASSES: Record<number, string> = {
  1: "cell",
  2: "struct",
  3: "object",
  4: "char",
  5: "sparse",
  6: "double",
  7: "single",
  8: "int8",
  9: "uint8",
  10: "int16",
  11: "uint16",
  12: "int32",
  13: "uint32",
  14: "int64",
  15: "uint64",
  16: "function_handle",
  17: "opaque",
};

/** Storage types of text. */
const TEXTS: Record<number, "bytes" | "utf8" | "utf16" | "utf32"> = {
  [MI.int8]: "bytes",
  [MI.uint8]: "bytes",
  [MI.int16]: "utf16",
  [MI.uint16]: "utf16",
  [MI.utf8]: "utf8",
  [MI.utf16]: "utf16",
  [MI.utf32]: "utf32",
};

const COMPLEX = 0x08, LOGICAL = 0x02;

/** Parses one element after the other from a cursor. */
class ElementParser {
  constructor(
    readonly cursor: ByteCursor,
    readonly context: MatContext,
    readonly element: PackedElement | undefined,
  ) {}

  /** Where the outermost array ends. */
  end = 0;
  /** Where the element after the last numbers begins. */
  #next = 0;

  async #seek(position: number): Promise<void> {
    await this.cursor.skip(position - this.cursor.position);
  }

  /** The array whose tag comes next; `last`: what follows it is of no interest. */
  async matrix(depth: number, last: boolean): Promise<MatNode> {
    const { cursor, context } = this;
    if (depth > DEEPEST) {
      throw context.corrupt("cells or structs inside each other without end", cursor.position);
    }
    if (++context.nodes > MOST_NODES) {
      throw new FuseError("Limit", "more variables, cells and fields than allowed", {
        source: context.source.name,
        found: context.nodes,
        expected: `at most ${MOST_NODES}`,
      });
    }
    const tag = await readTag(cursor, context);
    if (tag.type !== MI.matrix) {
      throw context.corrupt("not an array", tag.start, `element of type ${tag.type}`, MI.matrix);
    }
    if (tag.bytes === 0) return empty();
    const end = cursor.position + tag.bytes;
    if (depth === 0) this.end = end;
    const node = await this.#body(depth, end);
    if (cursor.position > end) {
      throw context.corrupt(
        "an array holds more than its size says",
        tag.start,
        `${cursor.position - tag.start - 8} bytes`,
        tag.bytes,
      );
    }
    if (!last) await this.#seek(end);
    return node;
  }

  async #body(depth: number, end: number): Promise<MatNode> {
    const { cursor, context } = this;
    const { bytes, tag } = await readPayload(cursor, context, 16, MI.uint32, MI.int32);
    if (bytes.length < 8) {
      throw context.corrupt("array flags are cut short", tag.start, bytes.length, 8);
    }
    const flags = viewOf(bytes).getUint32(0, context.littleEndian);
    const matlabClass = CLASSES[flags & 0xff];
    const bits = (flags >>> 8) & 0xff;
    if (!matlabClass) throw context.corrupt("an unknown class of array", tag.start, flags & 0xff);
    if (matlabClass === "opaque") return await this.#opaque();
    const shape = await readIntegers(cursor, context, MOST_DIMENSIONS * 4);
    if (shape.length < 2) {
      throw context.corrupt("an array of too few dimensions", tag.start, shape.length, 2);
    }
    const count = elementsOf(shape);
    if (!Number.isSafeInteger(count)) {
      throw context.corrupt("impossible size of an array", tag.start, shape.join(" x "));
    }
    const name = await this.#text(NAME_BYTES);
    const base = { name, matlabClass, shape };
    switch (matlabClass) {
      case "function_handle":
        return { ...base, kind: "opaque", why: "a function handle holds no data" };
      case "cell":
        return { ...base, kind: "cell", items: await this.#items(count, depth, end) };
      case "struct":
      case "object":
        return await this.#struct(base, depth, end);
      case "char":
        return { ...base, kind: "char", rows: charRows(await this.#text(TEXT_BYTES), shape) };
      case "sparse":
        return await this.#sparse(base, bits);
    }
    const type = bits & LOGICAL ? "logical" : matlabClass;
    return await this.#numeric({ ...base, matlabClass: type }, count, (bits & COMPLEX) !== 0);
  }

  async #numeric(
    base: Pick<NumericNode, "name" | "matlabClass" | "shape">,
    count: number | undefined,
    complex: boolean,
  ): Promise<NumericNode> {
    const { cursor, context, element } = this;
    const real = await readPart(cursor, context, element, count);
    this.#next = real.end;
    const shape = count === undefined ? [real.count, 1] : base.shape;
    if (!complex) return { ...base, shape, kind: "numeric", real: real.part };
    await this.#seek(this.#next);
    const imaginary = await readPart(cursor, context, element, real.count);
    this.#next = imaginary.end;
    return { ...base, shape, kind: "numeric", real: real.part, imaginary: imaginary.part };
  }

  async #items(count: number, depth: number, end: number): Promise<MatNode[]> {
    const { cursor, context } = this;
    // Every item has a tag.
    if (count > (end - cursor.position) / 8) {
      throw context.corrupt("more cells than there is room for", cursor.position, count);
    }
    const items: MatNode[] = [];
    for (let i = 0; i < count; i++) items.push(await this.matrix(depth + 1, false));
    return items;
  }

  async #struct(
    base: { name: string; matlabClass: string; shape: number[] },
    depth: number,
    end: number,
  ): Promise<MatNode> {
    const { cursor, context } = this;
    const objectClass = base.matlabClass === "object" ? await this.#text(NAME_BYTES) : undefined;
    const at = cursor.position;
    const [width = 0] = await readIntegers(cursor, context, 4);
    const { bytes } = await readPayload(cursor, context, NAME_BYTES, MI.int8, MI.uint8, MI.utf8);
    if (bytes.length > 0 && (width === 0 || bytes.length % width !== 0)) {
      throw context.corrupt("a table of field names of another size", at, bytes.length, width);
    }
    const names: string[] = [];
    for (let from = 0; from < bytes.length; from += width) {
      names.push(plainText(bytes.subarray(from, from + width)));
    }
    const items = await this.#items(elementsOf(base.shape) * names.length, depth, end);
    const fields = new Map<string, MatNode[]>(names.map((name) => [name, []]));
    items.forEach((item, i) => fields.get(names[i % names.length])!.push(item));
    return { ...base, kind: "struct", ...(objectClass ? { objectClass } : {}), fields };
  }

  async #sparse(
    base: { name: string; matlabClass: string; shape: number[] },
    bits: number,
  ): Promise<MatNode> {
    const { cursor, context } = this;
    const integers = { name: "", matlabClass: "int32", shape: [] };
    const indices = await this.#numeric(integers, undefined, false);
    await this.#seek(this.#next);
    const indptr = await this.#numeric(integers, undefined, false);
    const columns = elementsOf(base.shape.slice(1));
    if (indptr.shape[0] !== columns + 1) {
      const found = indptr.shape[0] - 1;
      throw context.corrupt("a sparse matrix of other columns", cursor.position, found, columns);
    }
    await this.#seek(this.#next);
    const matlabClass = bits & LOGICAL ? "logical" : "double";
    const own = { name: "", matlabClass, shape: [] };
    const values = await this.#numeric(own, undefined, (bits & COMPLEX) !== 0);
    return { ...base, kind: "sparse", indices, indptr, values };
  }

  /** An object of a newer kind: its name, the system that made it and its class are there, the rest is not. */
  async #opaque(): Promise<MatNode> {
    const name = await this.#text(NAME_BYTES);
    const system = await this.#text(NAME_BYTES);
    const type = await this.#text(NAME_BYTES);
    const base = { name, matlabClass: type || "opaque", shape: [1, 1] };
    const why = `a ${type} object (${system}) can be read by MATLAB only`;
    return { ...base, kind: "opaque", why };
  }

  async #text(most: number): Promise<string> {
    const { cursor, context } = this;
    const at = cursor.position;
    const { bytes, tag } = await readPayload(
      cursor,
      context,
      most,
      ...Object.keys(TEXTS).map(Number),
    );
    const coding = TEXTS[tag.type];
    if (!coding) throw context.corrupt("text of an unknown type", at, tag.type);
    return decodeChars(bytes, coding, context.littleEndian);
  }
}

/** What fills a cell or a field nothing was put into. */
function empty(): NumericNode {
  const real = { kind: "values" as const, dtype: "float64" as const, values: new Float64Array(0) };
  return { name: "", matlabClass: "double", shape: [0, 0], kind: "numeric", real };
}

/** The byte order and version a header states; null when it is none. */
export function levelFive(head: Uint8Array): { littleEndian: boolean; version: number } | null {
  if (head.length < HEADER_BYTES) return null;
  const mark = String.fromCharCode(head[126], head[127]);
  if (mark !== "IM" && mark !== "MI") return null;
  const littleEndian = mark === "IM";
  return { littleEndian, version: viewOf(head).getUint16(124, littleEndian) };
}

/** The text at the head of a file. */
export function headerText(head: Uint8Array): string {
  return plainText(head.subarray(0, 116)).trimEnd();
}

/**
 * Reads the variables of a level-5 file. Of large arrays only the place is taken down.
 * @throws FuseError `Corrupt`, `Truncated` or `Limit`.
 */
export async function readLevelFive(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<MatVariables> {
  const cursor = new FileCursor(source, 0, signal);
  const head = (await cursor.read(HEADER_BYTES)).slice();
  const level = levelFive(head);
  if (!level) {
    throw new FuseError("Corrupt", "no mark of the byte order", {
      source: source.name,
      format: "mat",
      offset: 126,
      expected: "IM or MI",
    });
  }
  const context = new MatContext(source, level.littleEndian, signal);
  const subsystem = subsystemOffset(head, level.littleEndian);
  const found: MatVariables = {
    version: "5",
    header: headerText(head),
    variables: [],
    warnings: [],
  };
  const size = source.size ?? Infinity;
  while (cursor.position + 8 <= size) {
    const start = cursor.position;
    const tag = await readTag(cursor, context);
    if (tag.type === 0 && tag.bytes === 0) {
      found.warnings.push(`zeros from byte ${start} on where a variable was expected: not read`);
      break;
    }
    if (tag.small || (tag.type !== MI.matrix && tag.type !== MI.compressed)) {
      throw context.corrupt("not a variable", start, `element of type ${tag.type}`);
    }
    const end = start + 8 + tag.bytes;
    if (end > size) {
      throw new FuseError("Truncated", "the file ends inside a variable", {
        source: source.name,
        format: "mat",
        offset: start,
        found: `${size - start - 8} bytes`,
        expected: tag.bytes,
      });
    }
    // Data of the objects' own system lie in a variable without a name.
    if (start !== subsystem) {
      const node = tag.type === MI.compressed
        ? await packedVariable(context, { offset: start + 8, length: tag.bytes })
        : await plainVariable(cursor, context, start);
      if (node.name !== "" || node.kind === "opaque") found.variables.push(node);
    }
    await cursor.skip(end - cursor.position);
  }
  return found;
}

function subsystemOffset(head: Uint8Array, littleEndian: boolean): number | undefined {
  const at = Number(viewOf(head).getBigUint64(116, littleEndian));
  return at >= HEADER_BYTES && Number.isSafeInteger(at) ? at : undefined;
}

async function plainVariable(
  cursor: FileCursor,
  context: MatContext,
  start: number,
): Promise<MatNode> {
  await cursor.skip(start - cursor.position);
  return await new ElementParser(cursor, context, undefined).matrix(0, true);
}

async function packedVariable(context: MatContext, element: PackedElement): Promise<MatNode> {
  const cursor = new InflateCursor(context.source, element, context.signal);
  try {
    const parser = new ElementParser(cursor, context, element);
    const node = await parser.matrix(0, true);
    const promised = parser.end;
    if (await cursor.drain(VERIFY_BYTES) && cursor.position > promised + 7) {
      throw context.corrupt(
        "the zlib data of a variable are damaged",
        element.offset,
        `${cursor.position} bytes in them`,
        promised,
      );
    }
    return node;
  } finally {
    await cursor.close();
  }
}
