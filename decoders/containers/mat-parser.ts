/** The grammar of level-5 elements: one array after the other, in the file or in what an element inflates to. */
import { FuseError } from "../../src/errors.ts";
import { viewOf } from "../../src/source/source.ts";
import type { ByteCursor } from "./mat-bytes.ts";
import {
  type MatContext,
  MI,
  readIntegers,
  readPart,
  readPayload,
  readTag,
} from "./mat-elements.ts";
import {
  elementsOf,
  fieldOf,
  type MatNode,
  type MatPart,
  numbersOf,
  type NumericNode,
  type PackedElement,
  textOf,
} from "./mat-model.ts";
import { charRows, decodeChars, plainText } from "./mat-text.ts";

/** Structs in structs, cells in cells. */
const DEEPEST = 64;
/** Variables, cells and fields of one file. */
const MOST_NODES = 1 << 20;
/** Dimensions of an array. */
const MOST_DIMENSIONS = 32;
/** Names, and tables of them. */
export const NAME_BYTES = 4 << 20;
/** Text of one array. */
const TEXT_BYTES = 64 << 20;

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
export class ElementParser {
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
    if (matlabClass === "opaque") return await this.#opaque(depth, end);
    const shape = await readIntegers(cursor, context, MOST_DIMENSIONS * 4);
    if (shape.length < 2) {
      throw context.corrupt("an array of too few dimensions", tag.start, shape.length, 2);
    }
    const count = elementsOf(shape);
    if (!Number.isSafeInteger(count)) {
      throw context.corrupt("impossible size of an array", tag.start, shape.join(" x "));
    }
    const name = await this.#name();
    const base = { name, matlabClass, shape };
    switch (matlabClass) {
      case "function_handle":
        return { ...base, kind: "opaque", why: await this.#handle(depth, end) };
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
    truths?: number,
  ): Promise<NumericNode> {
    const { cursor, context, element } = this;
    const real = await readPart(cursor, context, element, count, truths);
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
    const stored = numbersOf(indptr)?.at(-1);
    const truths = bits & LOGICAL ? stored : undefined;
    const values = await this.#numeric(own, undefined, (bits & COMPLEX) !== 0, truths);
    return {
      ...base,
      kind: "sparse",
      indices: trimmed(indices, stored),
      indptr,
      values: trimmed(values, stored),
    };
  }

  /** The text of a function, which is in a struct of its own. */
  async #handle(depth: number, end: number): Promise<string> {
    if (this.cursor.position + 8 > end) return functionHandle(undefined);
    return functionHandle(await this.matrix(depth + 1, false));
  }

  /** An object of a newer kind: its name, the system that made it, its class, and where its properties are. */
  async #opaque(depth: number, end: number): Promise<MatNode> {
    const name = await this.#name();
    const system = await this.#text(NAME_BYTES);
    const type = await this.#text(NAME_BYTES);
    const base = { name, matlabClass: type || "opaque", shape: [1, 1] };
    const why = `a ${type} object (${system}) can be read by MATLAB only`;
    if (system !== "MCOS" || this.cursor.position + 8 > end) {
      return { ...base, kind: "opaque", why };
    }
    return { ...base, kind: "opaque", why, reference: await this.matrix(depth + 1, false) };
  }

  /** A variable's name: letters, digits and underscores, so UTF-8 is never needed for it. */
  async #name(): Promise<string> {
    const { cursor, context } = this;
    const at = cursor.position;
    const { text, type } = await this.#typedText(NAME_BYTES);
    // deno-lint-ignore no-control-regex
    if (type !== MI.utf8 || /^[\x00-\x7f]*$/.test(text)) return text;
    throw context.corrupt("a name that no variable can have", at, text, "letters and digits");
  }

  async #text(most: number): Promise<string> {
    return (await this.#typedText(most)).text;
  }

  async #typedText(most: number): Promise<{ text: string; type: number }> {
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
    return { text: decodeChars(bytes, coding, context.littleEndian), type: tag.type };
  }
}

/** The values of a sparse matrix that are in use: room for more may have been kept. */
function trimmed(node: NumericNode, count: number | undefined): NumericNode {
  if (count === undefined || count >= elementsOf(node.shape)) return node;
  const cut = (part: MatPart): MatPart =>
    part.kind === "values" ? { ...part, values: part.values.slice(0, count) } : part;
  const { real, imaginary } = node;
  return {
    ...node,
    shape: [count, 1],
    real: cut(real),
    ...(imaginary ? { imaginary: cut(imaginary) } : {}),
  };
}

/** What is said of a function handle, given the struct that describes it. */
export function functionHandle(node: MatNode | undefined): string {
  const text = textOf(fieldOf(fieldOf(node, "function_handle"), "function"));
  // Anonymous functions begin with a mark of the saving program.
  const plain = text?.replace(/^sf%\d+/, "");
  return `a function handle${plain ? ` (${plain})` : ""} holds no data`;
}

/** What fills a cell or a field nothing was put into. */
function empty(): NumericNode {
  const real = { kind: "values" as const, dtype: "float64" as const, values: new Float64Array(0) };
  return { name: "", matlabClass: "double", shape: [0, 0], kind: "numeric", real };
}
