/** Text of files that name no encoding. */

const utf8 = new TextDecoder("utf-8", { fatal: true });
const ansi = new TextDecoder("windows-1252");

/**
 * Text that is ASCII, UTF-8 or of the Western code page of Windows, without a word on which. Well-formed
 * multi-byte UTF-8 is practically never meant as anything else.
 */
export function decodeAnsi(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return ansi.decode(bytes);
  }
}

/** The text of a fixed field: up to the first NUL, without the blanks that fill it. */
export function fieldText(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  return decodeAnsi(nul < 0 ? bytes : bytes.subarray(0, nul)).trim();
}
