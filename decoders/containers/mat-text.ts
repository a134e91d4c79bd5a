/** MATLAB's texts: matrices of characters, a row for each line. */

const UTF8 = new TextDecoder();

/**
 * Characters of a char array in MATLAB's order (down the columns) as rows, page by page. Characters that two code units
 * make up are one or two of the array's elements, depending on who wrote it.
 */
export function charRows(text: string, shape: readonly number[]): string[] {
  const [rows = 0, columns = 1, ...rest] = shape;
  const pages = rest.reduce((a, b) => a * b, 1);
  if (rows === 0 || columns === 0 || pages === 0) return [];
  if (rows === 1 && pages === 1) return [text];
  const units = text.length === rows * columns * pages ? text.split("") : [...text];
  return Array.from({ length: rows * pages }, (_, line) => {
    const row = line % rows, page = (line - row) / rows;
    let found = "";
    for (let column = 0; column < columns; column++) {
      found += units[(page * columns + column) * rows + row] ?? " ";
    }
    return found;
  });
}

/** Text of bytes in one of MATLAB's storage types: 8-bit codes, UTF-8, 16-bit or 32-bit code units. */
export function decodeChars(
  bytes: Uint8Array,
  coding: "bytes" | "utf8" | "utf16" | "utf32",
  littleEndian: boolean,
): string {
  if (coding === "utf8") return UTF8.decode(bytes);
  const width = coding === "bytes" ? 1 : coding === "utf16" ? 2 : 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.length / width);
  const parts: string[] = [];
  for (let from = 0; from < count; from += 4096) {
    const codes: number[] = [];
    for (let i = from; i < Math.min(count, from + 4096); i++) {
      const code = width === 1
        ? bytes[i]
        : width === 2
        ? view.getUint16(i * 2, littleEndian)
        : view.getUint32(i * 4, littleEndian);
      codes.push(code <= 0x10ffff ? code : 0xfffd);
    }
    parts.push(
      width === 4 ? String.fromCodePoint(...codes) : String.fromCharCode(...codes),
    );
  }
  return parts.join("");
}

/** ASCII up to the first zero. */
export function plainText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return UTF8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
