/** Outputs as they are compared: by name, the dates of their conversions aside. */
import { Buffer } from "node:buffer";
import { MemorySource } from "../../src/source/memory.ts";
import { ZipArchive } from "../../src/source/zip.ts";

/** The date and time of a conversion. */
const DATE = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;
/** Bytes on both sides of a difference that hold a date, in up to four bytes a character. */
const AROUND = 24 * 4;

/** Files by name, sorted; members of archives are files of their own. */
export async function comparable(files: Map<string, Uint8Array>): Promise<Map<string, Uint8Array>> {
  const all = new Map<string, Uint8Array>();
  for (const [name, bytes] of files) {
    if (!/\.(zip|npz)$/.test(name)) {
      all.set(name, bytes);
      continue;
    }
    const archive = await ZipArchive.open(new MemorySource(name, bytes));
    for (const member of archive.names()) {
      const source = await archive.open(member);
      all.set(`${name}!/${member}`, await source.read(0, source.size!));
    }
  }
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Offset of the first difference that is not between two dates; null where there is none. */
export function difference(a: Uint8Array, b: Uint8Array): number | null {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  if (Buffer.compare(a, b) === 0) return null;
  for (let at = 0; at < a.length; at++) {
    if (a[at] === b[at]) continue;
    const [left, right] = [a, b].map((bytes) => textAround(bytes, at));
    if (left === right || left.replace(DATE, "") !== right.replace(DATE, "")) return at;
    at += AROUND / 2;
  }
  return null;
}

/** What stands around an offset, whatever the width of its characters. */
function textAround(bytes: Uint8Array, at: number): string {
  const near = bytes.subarray(Math.max(0, at - AROUND), at + AROUND);
  return new TextDecoder("latin1").decode(near.filter((b) => b !== 0));
}

/** All files below a local folder, by path. */
export async function localFiles(folder: string, below = ""): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for await (const entry of Deno.readDir(`${folder}/${below}`)) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (entry.isDirectory) (await localFiles(folder, path)).forEach((v, k) => files.set(k, v));
    else files.set(path, await Deno.readFile(`${folder}/${path}`));
  }
  return files;
}
