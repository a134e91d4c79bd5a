/** Strings of SON files: length byte, characters, then whatever was in memory. */

/** How the writing machine coded its characters. */
export type Spike2Charset = "windows-1252" | "macintosh";

const utf8 = new TextDecoder("utf-8", { fatal: true });
const decoders: Record<Spike2Charset, TextDecoder> = {
  "windows-1252": new TextDecoder("windows-1252"),
  "macintosh": new TextDecoder("macintosh"),
};

const isAscii = (byte: number) => byte < 0x80;

/**
 * Text of `bytes` up to the first NUL. SON text is in the code page of its machine, but programs built
 * on later versions of the library store UTF-8; well-formed multi-byte UTF-8 is practically never
 * meant as anything else. A field cut in the middle of a character (`cut`) loses that character.
 */
export function decodeText(bytes: Uint8Array, charset: Spike2Charset, cut = false): string {
  const nul = bytes.indexOf(0);
  const text = nul < 0 ? bytes : bytes.subarray(0, nul);
  if (text.every(isAscii)) return decoders["windows-1252"].decode(text);
  const shortest = cut && nul < 0 ? Math.max(1, text.length - 3) : text.length;
  for (let end = text.length; end >= shortest; end--) {
    const kept = text.subarray(0, end);
    if (kept.every(isAscii)) break;
    try {
      return utf8.decode(kept);
    } catch {
      // Not UTF-8 up to here.
    }
  }
  return decoders[charset].decode(text);
}

/** The Pascal string at `offset` with room for `capacity` characters, without blanks around it. */
export function pascalText(
  bytes: Uint8Array,
  offset: number,
  capacity: number,
  charset: Spike2Charset,
): string {
  const length = Math.min(bytes[offset], capacity);
  const field = bytes.subarray(offset + 1, offset + 1 + length);
  return decodeText(field, charset, length === capacity).trim();
}
