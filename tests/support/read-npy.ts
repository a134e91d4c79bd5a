/** Reads `.npy` and `.npz` by their specification, plainly: what the writers are compared with. */
import assert from "node:assert/strict";

/** An array, its values in C order. */
export interface NpyArray {
  descr: string;
  fortranOrder: boolean;
  shape: number[];
  /** Numbers, bigints or strings, in C order of `shape`. */
  values: (number | bigint | string)[];
}

/** The array of an `.npy` file. */
export function readNpy(bytes: Uint8Array): NpyArray {
  assert.deepEqual([...bytes.subarray(0, 6)], [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], "magic");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const start = bytes[6] === 1 ? 10 : 12;
  const length = bytes[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  assert.equal((start + length) % 64, 0, "the data are aligned");
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  assert.ok(header.endsWith("\n"), "the header ends with a line end");
  const descr = /'descr': '([^']+)'/.exec(header)![1];
  const fortranOrder = /'fortran_order': (True|False)/.exec(header)![1] === "True";
  const shape = /'shape': \(([^)]*)\)/.exec(header)![1].split(",").map((s) => s.trim())
    .filter((s) => s !== "").map(Number);
  const count = shape.reduce((a, b) => a * b, 1);
  const stored = Array.from({ length: count }, element(descr, view, start + length));
  const width = descr.startsWith("<U") ? 4 * Number(descr.slice(2)) : Number(descr.slice(2));
  assert.equal(bytes.length, start + length + count * width, "the file ends with the data");
  return { descr, fortranOrder, shape, values: fortranOrder ? cOrder(stored, shape) : stored };
}

function element(descr: string, view: DataView, at: number) {
  const size = Number(descr.slice(2));
  return (_: unknown, i: number): number | bigint | string => {
    const place = at + i * (descr[1] === "U" ? 4 * size : size);
    switch (descr.slice(1)) {
      case "i1":
        return view.getInt8(place);
      case "u1":
      case "b1":
        return view.getUint8(place);
      case "i2":
        return view.getInt16(place, true);
      case "u2":
        return view.getUint16(place, true);
      case "i4":
        return view.getInt32(place, true);
      case "u4":
        return view.getUint32(place, true);
      case "i8":
        return view.getBigInt64(place, true);
      case "u8":
        return view.getBigUint64(place, true);
      case "f4":
        return view.getFloat32(place, true);
      case "f8":
        return view.getFloat64(place, true);
    }
    assert.equal(descr[1], "U", `type ${descr}`);
    let text = "";
    for (let k = 0; k < size; k++) {
      const code = view.getUint32(place + 4 * k, true);
      if (code) text += String.fromCodePoint(code);
    }
    return text;
  };
}

/** Values of an array whose first index varies fastest, with the last one fastest. */
function cOrder<T>(values: T[], shape: number[]): T[] {
  const out = new Array<T>(values.length);
  const at = shape.map(() => 0);
  for (const value of values) {
    out[at.reduce((index, n, axis) => index * shape[axis] + n, 0)] = value;
    for (let axis = 0; axis < shape.length && ++at[axis] === shape[axis]; axis++) at[axis] = 0;
  }
  return out;
}

/** Members of a zip of stored files, by name, read from its central directory. */
export function readZip(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let end = bytes.length - 22;
  while (view.getUint32(end, true) !== 0x06054b50) end--;
  const members = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  for (let n = view.getUint16(end + 10, true); n > 0; n--) {
    assert.equal(view.getUint32(at, true), 0x02014b50, "an entry of the directory");
    assert.equal(view.getUint16(at + 10, true), 0, "stored, not compressed");
    const size = view.getUint32(at + 24, true);
    const [name, extra, comment] = [28, 30, 32].map((k) => view.getUint16(at + k, true));
    const local = view.getUint32(at + 42, true);
    const text = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name));
    const data = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    members.set(text, bytes.subarray(data, data + size));
    at += 46 + name + extra + comment;
  }
  return members;
}

/** The arrays of an `.npz`, by name. */
export function readNpz(bytes: Uint8Array): Map<string, NpyArray> {
  return new Map(
    [...readZip(bytes)].filter(([name]) => name.endsWith(".npy"))
      .map(([name, data]) => [name.slice(0, -4), readNpy(data)]),
  );
}
