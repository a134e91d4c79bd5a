/** The files of a TDT block, found from any of them. */
import { type ByteSource, viewOf } from "../../src/source/source.ts";

/** A `.sev` file by its name. */
export interface SevName {
  /** File name. */
  file: string;
  /** What comes before the store's name: tank and block. */
  prefix: string;
  /** Name of the store. */
  store: string;
  /** Channel, from 1. */
  channel: number;
  /** Number of the hour, where a recording was cut into hours. */
  hour: number;
}

/**
 * The parts of `<tank>_<block>_<store>_ch<N>[-<hour>h].sev`, or null for another name. Stores have four
 * characters, an underscore may be among them; where the block's name is known, the store is what follows it.
 */
export function parseSevName(file: string, block?: string): SevName | null {
  const match = /^(.+)_ch(\d{1,5})(?:-(\d{1,5})h)?\.sev$/i.exec(file);
  if (!match) return null;
  const [, stem, channel, hour = "0"] = match;
  const known = block !== undefined && stem.toLowerCase().startsWith(`${block.toLowerCase()}_`);
  const parts = known
    ? [stem, block, stem.slice(block.length + 1)]
    : /^(?:(.*)_)?(.{4})$/.exec(stem) ?? /^(?:(.*)_)?([^_]+)$/.exec(stem);
  if (!parts || !parts[2]) return null;
  return {
    file,
    prefix: known ? stem.slice(0, block.length) : parts[1] ?? "",
    store: parts[2].trim(),
    channel: Number(channel),
    hour: Number(hour),
  };
}

/** True for the first two records of an index: the file's size, and the mark of the block's start. */
export function isIndexHead(head: Uint8Array): boolean {
  if (head.length < 80) return false;
  const view = viewOf(head);
  return view.getInt32(4, true) === 0 && view.getInt32(44, true) === 0x8801 &&
    (head[48] === 1 || head[48] === 2) && head[49] === 0;
}

/** The sibling of the same name with another extension, whatever its case where the folder can be listed. */
export async function withExtension(
  source: ByteSource,
  extension: string,
  names: string[] | null,
): Promise<ByteSource | null> {
  const wanted = source.name.replace(/\.[^.]*$/, "") + extension;
  const listed = names?.find((name) => name === wanted) ??
    names?.find((name) => name.toLowerCase() === wanted.toLowerCase());
  if (names && listed === undefined) return null;
  return await source.sibling(listed ?? wanted);
}

/** The index of the block that `source` is a member of; null where there is none. */
export async function findIndex(source: ByteSource): Promise<ByteSource | null> {
  const names = await source.siblingNames();
  const same = await withExtension(source, ".tsq", names);
  if (same || !/\.sev$/i.test(source.name)) return same;
  const prefix = parseSevName(source.name)?.prefix;
  if (prefix === undefined) return null;
  const wanted = `${prefix}.tsq`;
  const listed = names?.find((name) => name.toLowerCase() === wanted.toLowerCase());
  if (names && listed === undefined) return null;
  return await source.sibling(listed ?? wanted);
}
