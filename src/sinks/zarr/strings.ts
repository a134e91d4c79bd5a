/** Variable-length UTF-8 (`vlen-utf8` of zarr v2 and v3): the count, then length and bytes of each string. */

/** The bytes of a chunk of strings. */
export function vlenUtf8(values: string[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const encoded = values.map((v) => encoder.encode(v));
  const out = new Uint8Array(4 + encoded.reduce((n, b) => n + 4 + b.length, 0));
  const view = new DataView(out.buffer);
  view.setUint32(0, values.length, true);
  let at = 4;
  for (const bytes of encoded) {
    view.setUint32(at, bytes.length, true);
    out.set(bytes, at + 4);
    at += 4 + bytes.length;
  }
  return out;
}
