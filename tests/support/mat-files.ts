/** Writes small MAT-files of level 4 and 5. */

/** An array to be written. */
export type MatValue =
  | {
    kind: "numbers";
    class: keyof typeof CLASSES;
    shape: number[];
    /** Stored type; the class's own when absent. */
    stored?: keyof typeof STORED;
    /** In MATLAB's order. */
    values: (number | bigint)[];
    imaginary?: number[];
    logical?: boolean;
  }
  | { kind: "char"; rows: string[]; utf8?: boolean }
  | { kind: "cell"; shape: number[]; items: MatValue[] }
  | { kind: "struct"; shape?: number[]; fields: Record<string, MatValue[]> }
  | {
    kind: "sparse";
    shape: number[];
    ir: number[];
    jc: number[];
    values: number[];
    /** Truth values: a byte each, though the type stated is that of doubles. */
    logical?: boolean;
  }
  | { kind: "function" }
  | { kind: "opaque"; type: string; reference?: MatValue };

const CLASSES = {
  double: 6,
  single: 7,
  int8: 8,
  uint8: 9,
  int16: 10,
  uint16: 11,
  int32: 12,
  uint32: 13,
  int64: 14,
  uint64: 15,
};

const STORED = {
  int8: [1, 1],
  uint8: [2, 1],
  int16: [3, 2],
  uint16: [4, 2],
  int32: [5, 4],
  uint32: [6, 4],
  single: [7, 4],
  double: [9, 8],
  int64: [12, 8],
  uint64: [13, 8],
} as const;

/** How a file is written. */
export interface MatFileOptions {
  littleEndian?: boolean;
  compress?: boolean;
  /** Cells of the objects' part, at the file's end. */
  objects?: MatValue[];
}

/** A double array from numbers in MATLAB's order. */
export function doubles(shape: number[], values: number[]): MatValue {
  return { kind: "numbers", class: "double", shape, values };
}

/** One text. */
export function text(...rows: string[]): MatValue {
  return { kind: "char", rows };
}

/** A struct with one element. */
export function struct(fields: Record<string, MatValue>): MatValue {
  return {
    kind: "struct",
    fields: Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, [v]])),
  };
}

/** A cell row of texts. */
export function texts(...values: string[]): MatValue {
  return { kind: "cell", shape: [1, values.length], items: values.map((v) => text(v)) };
}

/** Bytes of numbers in a stored type. */
function numberBytes(
  values: readonly (number | bigint)[],
  type: keyof typeof STORED,
  le: boolean,
): Uint8Array<ArrayBuffer> {
  const width = STORED[type][1];
  const out = new Uint8Array(values.length * width), view = new DataView(out.buffer);
  values.forEach((v, i) => {
    const at = i * width, n = Number(v);
    if (type === "double") view.setFloat64(at, n, le);
    else if (type === "single") view.setFloat32(at, n, le);
    else if (width === 8) view.setBigUint64(at, BigInt.asUintN(64, BigInt(v)), le);
    else if (width === 4) view.setUint32(at, n >>> 0, le);
    else if (width === 2) view.setUint16(at, n & 0xffff, le);
    else view.setUint8(at, n & 0xff);
  });
  return out;
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Elements of level 5 in one byte order. */
class ElementWriter {
  constructor(readonly le: boolean) {}

  /** An element: in its tag when it is small, else behind it and filled up to eight bytes. */
  element(type: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
    if (data.length > 0 && data.length <= 4) {
      const out = new Uint8Array(8);
      new DataView(out.buffer).setUint32(0, (data.length << 16) | type, this.le);
      out.set(data, 4);
      return out;
    }
    const out = new Uint8Array(8 + Math.ceil(data.length / 8) * 8);
    const view = new DataView(out.buffer);
    view.setUint32(0, type, this.le);
    view.setUint32(4, data.length, this.le);
    out.set(data, 8);
    return out;
  }

  numbers(
    values: readonly (number | bigint)[],
    type: keyof typeof STORED,
  ): Uint8Array<ArrayBuffer> {
    return this.element(STORED[type][0], numberBytes(values, type, this.le));
  }

  name(name: string): Uint8Array<ArrayBuffer> {
    return this.element(1, new TextEncoder().encode(name));
  }

  #head(mclass: number, flags: number, shape: number[], name: string): Uint8Array[] {
    return [
      this.numbers([(flags << 8) | mclass, 0], "uint32"),
      this.numbers(shape, "int32"),
      this.name(name),
    ];
  }

  matrix(value: MatValue, name: string): Uint8Array<ArrayBuffer> {
    const inner = this.#body(value, name);
    return this.element(14, join(inner));
  }

  #body(value: MatValue, name: string): Uint8Array[] {
    switch (value.kind) {
      case "numbers": {
        const flags = (value.imaginary ? 8 : 0) | (value.logical ? 2 : 0);
        const type = value.stored ?? value.class;
        return [
          ...this.#head(CLASSES[value.class], flags, value.shape, name),
          this.numbers(value.values, type),
          ...(value.imaginary ? [this.numbers(value.imaginary, type)] : []),
        ];
      }
      case "char": {
        const rows = value.rows.length, columns = value.rows[0]?.length ?? 0;
        let all = "";
        for (let c = 0; c < columns; c++) for (const row of value.rows) all += row[c] ?? " ";
        const codes = [...Array(all.length).keys()].map((i) => all.charCodeAt(i));
        return [
          ...this.#head(4, 0, [rows, columns], name),
          value.utf8
            ? this.element(16, new TextEncoder().encode(all))
            : this.numbers(codes, "uint16"),
        ];
      }
      case "cell":
        return [
          ...this.#head(1, 0, value.shape, name),
          ...value.items.map((item) => this.matrix(item, "")),
        ];
      case "struct": {
        const names = Object.keys(value.fields), width = 32;
        const table = new Uint8Array(names.length * width);
        names.forEach((n, i) => table.set(new TextEncoder().encode(n), i * width));
        const count = value.fields[names[0]]?.length ?? 1;
        const items: Uint8Array[] = [];
        for (let i = 0; i < count; i++) {
          for (const n of names) items.push(this.matrix(value.fields[n][i], ""));
        }
        return [
          ...this.#head(2, 0, value.shape ?? [1, count], name),
          this.numbers([width], "int32"),
          this.element(1, table),
          ...items,
        ];
      }
      case "sparse":
        return [
          ...this.#head(5, value.logical ? 2 : 0, value.shape, name),
          this.numbers(value.ir, "int32"),
          this.numbers(value.jc, "int32"),
          value.logical
            ? this.element(STORED.double[0], Uint8Array.from(value.values))
            : this.numbers(value.values, "double"),
        ];
      case "function":
        return [...this.#head(16, 0, [1, 1], name), this.matrix(text("sin"), "")];
      case "opaque":
        return [
          this.numbers([17, 0], "uint32"),
          this.name(name),
          this.name("MCOS"),
          this.name(value.type),
          this.matrix(value.reference ?? doubles([1, 1], [1]), ""),
        ];
    }
  }
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The variable without a name: the bytes of a file with a header of eight bytes. */
function objectsPart(writer: ElementWriter, cells: MatValue[]): MatValue {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setUint16(0, 0x0100, writer.le);
  new DataView(head.buffer).setUint16(2, 0x4d49, writer.le);
  const reference: MatValue = { kind: "cell", shape: [cells.length, 1], items: cells };
  const system = struct({ MCOS: { kind: "opaque", type: "FileWrapper__", reference } });
  const values = [...head, ...writer.matrix(system, "")];
  return { kind: "numbers", class: "uint8", shape: [1, values.length], values };
}

/** What the table of a file's objects says. */
export interface ObjectTable {
  names: string[];
  /** Index of each class's name, from 1. */
  classes: number[];
  /** Class, block of what the class saved, block of own properties. */
  objects: [number, number, number][];
  /** Properties: index of the name, 1 for a value in a cell, index of the cell. */
  saved: number[][][];
  own: number[][][];
}

/** The first cell of the objects' part. */
export function objectTable(
  { names, classes, objects, saved, own }: ObjectTable,
  littleEndian = true,
): MatValue {
  const text = [...new TextEncoder().encode(names.map((n) => `${n}\0`).join(""))];
  while (text.length % 8) text.push(0);
  const blocks = (all: number[][][]) =>
    all.flatMap((properties) => {
      const words = [properties.length, ...properties.flat()];
      return words.length % 2 ? [...words, 0] : words;
    });
  const regions = [
    [0, 0, 0, 0, ...classes.flatMap((name) => [0, name, 0, 0])],
    blocks([[], ...saved]),
    [0, 0, 0, 0, 0, 0, ...objects.flatMap(([type, s, o], i) => [type, 0, 0, s, o, i + 1])],
    blocks([[], ...own]),
    [0, 0],
  ];
  let at = 40 + text.length;
  const offsets = [at, ...regions.map((words) => at += 4 * words.length), 0, 0].slice(0, 8);
  const values = [
    ...numberBytes([4, names.length, ...offsets], "uint32", littleEndian),
    ...text,
    ...numberBytes(regions.flat(), "uint32", littleEndian),
  ];
  return { kind: "numbers", class: "uint8", shape: [values.length, 1], values };
}

/** What stands for objects of a class, by their numbers from 1. */
export function objectReference(type: number, ...ids: number[]): MatValue {
  const values = [0xdd000000, 2, ids.length, 1, ...ids, type];
  return { kind: "numbers", class: "uint32", shape: [values.length, 1], values };
}

/** A file of level 5. */
export async function matFile(
  variables: Record<string, MatValue>,
  { littleEndian = true, compress = false, objects }: MatFileOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const head = new Uint8Array(128).fill(32, 0, 116);
  head.set(new TextEncoder().encode("MATLAB 5.0 MAT-file, Platform: TEST"));
  const view = new DataView(head.buffer);
  view.setUint16(124, 0x0100, littleEndian);
  view.setUint16(126, 0x4d49, littleEndian);
  const writer = new ElementWriter(littleEndian);
  const parts: Uint8Array[] = [head];
  const all = Object.entries(variables);
  if (objects) all.push(["", objectsPart(writer, objects)]);
  for (const [name, value] of all) {
    const element = writer.matrix(value, name);
    if (objects && name === "") {
      view.setBigUint64(116, BigInt(parts.reduce((n, p) => n + p.length, 0)), littleEndian);
    }
    if (!compress) {
      parts.push(element);
      continue;
    }
    const packed = await deflate(element);
    const tag = new Uint8Array(8);
    new DataView(tag.buffer).setUint32(0, 15, littleEndian);
    new DataView(tag.buffer).setUint32(4, packed.length, littleEndian);
    parts.push(tag, packed);
  }
  return join(parts);
}

/** One matrix of level 4: precision 0 double .. 5 uint8; kind 0 numbers, 1 text, 2 sparse. */
export function levelFourMatrix(
  name: string,
  shape: [number, number],
  values: number[],
  { littleEndian = true, precision = 0, kind = 0, imaginary = undefined as number[] | undefined } =
    {},
): Uint8Array<ArrayBuffer> {
  const types = ["double", "single", "int32", "int16", "uint16", "uint8"] as const;
  const head = [
    (littleEndian ? 0 : 1000) + precision * 10 + kind,
    ...shape,
    imaginary ? 1 : 0,
    name.length + 1,
  ];
  return join([
    numberBytes(head, "uint32", littleEndian),
    new TextEncoder().encode(`${name}\0`),
    numberBytes(values, types[precision], littleEndian),
    ...(imaginary ? [numberBytes(imaginary, types[precision], littleEndian)] : []),
  ]);
}

export { join as joinBytes };
