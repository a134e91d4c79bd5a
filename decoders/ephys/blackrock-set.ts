/**
 * Blackrock sets: the files of one recording share a base name in one folder (rec001.ns2, rec001.ns5,
 * rec001.nev). Only exactly equal base names belong together; extensions may differ in case.
 */
import { isFuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions } from "../format.ts";

/** Extensions of the members, in the order recordings are given. */
export const MEMBER_EXTENSIONS = ["ns1", "ns2", "ns3", "ns4", "ns5", "ns6", "nev"];

/** Base name and lower-cased extension of a file name; `rec.ns5` gives `["rec", "ns5"]`. */
export function splitName(name: string): [base: string, extension: string] {
  const dot = name.lastIndexOf(".");
  return dot < 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot + 1).toLowerCase()];
}

/** The other members of the set `source` belongs to; those that cannot be opened give a warning. */
export async function otherMembers(
  source: ByteSource,
  options: OpenOptions,
  warnings: string[],
): Promise<ByteSource[]> {
  const [base, own] = splitName(source.name);
  if (options.alone || !MEMBER_EXTENSIONS.includes(own)) return [];
  const listed = await source.siblingNames();
  const names = listed
    ? listed.filter((name) => {
      const [otherBase, extension] = splitName(name);
      return name !== source.name && otherBase === base && extension !== own &&
        MEMBER_EXTENSIONS.includes(extension);
    })
    : guessedNames(source.name, base, own);
  const opened = await Promise.all(names.map(async (name) => {
    try {
      return await source.sibling(name);
    } catch (error) {
      if (isFuseError(error, "Aborted")) throw error;
      warnings.push(`${name}: could not be opened: ${(error as Error).message}`);
      return null;
    }
  }));
  const members = opened.filter((m): m is ByteSource => m !== null);
  return members.sort((a, b) => rank(a) - rank(b));
}

/** Where a folder cannot be listed: the usual extensions, written as the given file's is. */
function guessedNames(name: string, base: string, own: string): string[] {
  const upper = name.slice(base.length + 1) === own.toUpperCase();
  return MEMBER_EXTENSIONS.filter((e) => e !== own).map((e) =>
    `${base}.${upper ? e.toUpperCase() : e}`
  );
}

function rank(source: ByteSource): number {
  return MEMBER_EXTENSIONS.indexOf(splitName(source.name)[1]);
}
