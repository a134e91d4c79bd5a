/** What the first bytes of a file tell of the dialect of TIFF it is written in. */
import { NOT_MINE, type ProbeInput, type ProbeResult } from "../format.ts";

/** Zeiss' private field. */
export const CZ_LSMINFO = 34412;

/** True when `head` holds the ASCII `text` anywhere. */
function contains(head: Uint8Array, text: string): boolean {
  const first = text.charCodeAt(0);
  for (let at = head.indexOf(first); at >= 0; at = head.indexOf(first, at + 1)) {
    let k = 1;
    while (k < text.length && head[at + k] === text.charCodeAt(k)) k++;
    if (k === text.length) return true;
  }
  return false;
}

/** Probe by a text near the start, or by the extension of a TIFF file. */
export function probeDialect(
  input: ProbeInput,
  texts: string[],
  extension: string | undefined,
  maker: string,
): ProbeResult {
  const text = texts.find((t) => contains(input.head, t));
  if (text !== undefined) return { score: 220, why: `TIFF with ${maker}'s "${text.trim()}"` };
  if (extension !== undefined && input.name.endsWith(extension)) {
    return { score: 190, why: `TIFF header and the extension ${extension}` };
  }
  return NOT_MINE;
}

/** True when the first directory lies in `head` and has the field `tag`. */
export function headHasField({ head }: ProbeInput, tag: number): boolean {
  if (head.length < 8 || head[0] !== 0x49 || head[2] !== 42) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const at = view.getUint32(4, true);
  if (at + 2 > head.length) return false;
  const count = view.getUint16(at, true);
  for (let i = 0; i < count && at + 14 + 12 * i <= head.length; i++) {
    if (view.getUint16(at + 2 + 12 * i, true) === tag) return true;
  }
  return false;
}
