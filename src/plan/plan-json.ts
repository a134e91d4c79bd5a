/** Plans and results as JSON: typed arrays travel as base64 of their little-endian bytes. */

import type { Plan } from "./plan.ts";

const TYPES = {
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
};

const KEY = "$typed";

/** JSON text of plain data with typed arrays; numbers JSON lacks (NaN, infinities) are kept too. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item) => {
    if (ArrayBuffer.isView(item) && !(item instanceof DataView)) {
      const name = item.constructor.name;
      const bytes = new Uint8Array(item.buffer, item.byteOffset, item.byteLength);
      return { [KEY]: name, base64: toBase64(bytes) };
    }
    if (typeof item === "number" && !Number.isFinite(item)) {
      return { [KEY]: "number", text: String(item) };
    }
    return item;
  });
}

/** True when two plans do the same work on the same input; only the time they were made may differ. */
export function samePlan(a: Plan, b: Plan): boolean {
  const timeless = (plan: Plan) =>
    toJson({
      ...plan,
      groups: plan.groups.map((g) => ({
        ...g,
        attributes: { ...g.attributes, conversion_date: undefined },
      })),
    });
  return timeless(a) === timeless(b);
}

/** The inverse of {@link toJson}. */
export function fromJson<T>(text: string): T {
  return JSON.parse(text, (_key, item) => {
    if (item === null || typeof item !== "object" || !(KEY in item)) return item;
    if (item[KEY] === "number") return Number(item.text);
    const bytes = fromBase64(item.base64);
    const type = TYPES[item[KEY] as keyof typeof TYPES];
    return new type(bytes.buffer, 0, bytes.byteLength / type.BYTES_PER_ELEMENT);
  });
}

/** Bytes turned into characters at a time: more would overflow the argument list. */
const PIECE = 8192;

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) {
    text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  }
  return btoa(text);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
