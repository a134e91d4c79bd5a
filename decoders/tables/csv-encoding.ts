/** Which characters the bytes of a text file stand for, decided from its first bytes. */

/** Names as WHATWG spells them. */
export type TextEncodingName = "utf-8" | "utf-16le" | "utf-16be" | "windows-1252";

/** The first part of a text file, with the way back from characters to bytes. */
export interface TextHead {
  encoding: TextEncodingName;
  /** Bytes of the byte order mark. */
  markBytes: number;
  /** UTF-16: the text. Else one character per byte: {@link TextHead.show} makes text of a piece. */
  text: string;
  /** True when this is the whole file. */
  complete: boolean;
  /** Byte offset in the file of a character of `text`. */
  byteOffset(index: number): number;
  /** A piece of `text` as people read it. */
  show(piece: string): string;
}

/** What {@link decodeHead} says of bytes that are no text. */
export interface NotText {
  why: string;
}

/** Share of NULs among even or odd bytes that betrays UTF-16 without a mark. */
const NUL_SHARE = 0.4;

/** Recognises the encoding of `bytes`, the start of a file (`complete`: all of it). */
export function decodeHead(bytes: Uint8Array, complete: boolean): TextHead | NotText {
  const [a, b, c] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return byteHead("utf-8", bytes, 3, complete);
  if (a === 0xff && b === 0xfe) return wideHead("utf-16le", bytes, 2, complete);
  if (a === 0xfe && b === 0xff) return wideHead("utf-16be", bytes, 2, complete);
  const nuls = [0, 0];
  let control = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0) nuls[i & 1]++;
    else if (byte < 9 || (byte > 13 && byte < 32 && byte !== 0x1a) || byte === 127) control++;
  }
  const half = bytes.length / 2;
  if (nuls[1] > NUL_SHARE * half && nuls[0] < nuls[1] / 20) {
    return wideHead("utf-16le", bytes, 0, complete);
  }
  if (nuls[0] > NUL_SHARE * half && nuls[1] < nuls[0] / 20) {
    return wideHead("utf-16be", bytes, 0, complete);
  }
  if (nuls[0] + nuls[1] > 0) return { why: "has NUL bytes" };
  if (control > bytes.length / 1000) return { why: "has control characters" };
  return byteHead(isUtf8(bytes, complete) ? "utf-8" : "windows-1252", bytes, 0, complete);
}

function isUtf8(bytes: Uint8Array, complete: boolean): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !complete });
    return true;
  } catch {
    return false;
  }
}

function byteHead(
  encoding: "utf-8" | "windows-1252",
  bytes: Uint8Array,
  markBytes: number,
  complete: boolean,
): TextHead {
  return {
    encoding,
    markBytes,
    text: binaryString(bytes.subarray(markBytes)),
    complete,
    byteOffset: (index) => markBytes + index,
    show: showBytes,
  };
}

/** One character per byte. */
function binaryString(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  }
  return parts.join("");
}

/** Characters that stand for bytes as text: UTF-8 when they are, else Windows-1252. */
function showBytes(piece: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(piece)) return piece;
  const bytes = Uint8Array.from(piece, (c) => c.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

function wideHead(
  encoding: "utf-16le" | "utf-16be",
  bytes: Uint8Array,
  markBytes: number,
  complete: boolean,
): TextHead | NotText {
  const body = bytes.subarray(markBytes, markBytes + 2 * ((bytes.length - markBytes) >> 1));
  const text = new TextDecoder(encoding, { ignoreBOM: true }).decode(body);
  // deno-lint-ignore no-control-regex
  const odd = text.match(/[\u0000-\u0008\u000e-\u001f\ufffd\ufffe\uffff]/g)?.length ?? 0;
  if (odd > text.length / 100) return { why: "is no text in UTF-16" };
  return {
    encoding,
    markBytes,
    text,
    complete,
    byteOffset: (index) => markBytes + 2 * index,
    show: (piece) => piece.replaceAll("\ufeff", ""),
  };
}
