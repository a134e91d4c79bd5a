/** Comment lists of a Macintosh document, one a storage block. */
import { FuseError } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";

const HEAD_BYTES = 20, TEXT_HEAD_BYTES = 7;
/** Most comments in a storage block of 16000 ticks that are believed. */
const MOST_COMMENTS = 4096;
/** The comment has a text. */
const TEXT = 1;

const macRoman = new TextDecoder("macintosh");

/** A comment; its tick counts from the start of the storage block. */
export interface MacComment {
  tick: number;
  id: number;
  /** Channel number, from 0; -1 for all. */
  channel: number;
  text: string;
}

/** Reads the list at `offset`. @throws FuseError `Corrupt` or `Truncated` */
export async function readComments(
  source: ByteSource,
  size: number,
  offset: number,
  signal?: AbortSignal,
): Promise<MacComment[]> {
  const options = { signal, purpose: "header" } as const;
  const count = viewOf(await source.read(offset, 2, options)).getUint16(0);
  if (count > MOST_COMMENTS || offset + 2 + count * HEAD_BYTES > size) {
    throw new FuseError("Corrupt", "no list of comments", {
      source: source.name,
      offset,
      found: `${count} comments`,
    });
  }
  const most = 2 + count * (HEAD_BYTES + TEXT_HEAD_BYTES + 255);
  const bytes = await source.readUpTo(offset, most, options);
  const view = viewOf(bytes);
  const comments: MacComment[] = [];
  let text = 2 + count * HEAD_BYTES;
  for (let i = 0; i < count; i++) {
    const at = 2 + i * HEAD_BYTES;
    const kind = view.getUint32(at + 16);
    const comment: MacComment = {
      tick: view.getUint16(at + 4),
      id: view.getUint16(at + 10),
      channel: channelOf(view.getInt32(at + 12)),
      text: "",
    };
    if (kind === TEXT) {
      // The lengths before it are not always right; that of the text itself is.
      const length = bytes[text + TEXT_HEAD_BYTES - 1] ?? 0;
      const from = text + TEXT_HEAD_BYTES;
      comment.text = macRoman.decode(bytes.subarray(from, from + length)).trim();
      text = from + length;
    }
    comments.push(comment);
  }
  return comments;
}

/** The channel of a mask with one bit; several are as good as all. */
function channelOf(mask: number): number {
  const bits = mask >>> 0;
  return bits !== 0 && (bits & (bits - 1)) === 0 ? 31 - Math.clz32(bits) : -1;
}
