/** The files of a BrainVision set: header, markers and data, found from any of them. */
import { type ErrorDetails, FuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { decoderFor, kindOf, parseIni } from "./brainvision-text.ts";

/** Extensions of header files, and of files that only a header tells how to read. */
export const HEADER_EXTENSIONS = [".vhdr", ".ahdr"];
/** Members of a set besides its header. */
export const MEMBER_EXTENSIONS = [".vmrk", ".amrk", ".eeg", ".avg", ".dat"];
/** Headers of a folder that are looked into for the one a file belongs to. */
const MOST_HEADERS = 200;
/** Bytes of a header that are looked at for the names of its files. */
const NAMES_BYTES = 4096;

/** Name without its extension, and the extension. */
export function splitName(name: string): [base: string, extension: string] {
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot)];
}

/** The name of a member as its header gives it: "$b" is the header's own, folders of the maker's do not count. */
export function memberName(stated: string, header: string): string {
  const name = stated.split(/[\\/]/).at(-1)!.trim();
  return name.replaceAll("$b", splitName(header)[0]);
}

/** A sibling by its name, whatever its case where the folder can be listed. */
async function siblingLike(
  source: ByteSource,
  name: string,
  listed: string[] | null,
): Promise<ByteSource | null> {
  const same = listed?.find((n) => n === name) ??
    listed?.find((n) => n.toLowerCase() === name.toLowerCase());
  if (listed && same === undefined) return null;
  return await source.sibling(same ?? name);
}

/** Which member of a header's set is looked for. */
export interface MemberQuery {
  /** Name in the header; "" when it has none. */
  stated: string;
  /** Extensions it may have under the header's own name, where the stated one is not there. */
  extensions: string[];
}

/**
 * A member of the set of `header`, or null. A set that was renamed keeps the old names in its header: then the
 * header's own name with a usual extension is taken, and a warning tells.
 */
export async function findMember(
  header: ByteSource,
  { stated, extensions }: MemberQuery,
  warnings: string[],
): Promise<ByteSource | null> {
  const listed = await header.siblingNames();
  const name = stated === "" ? "" : memberName(stated, header.name);
  const named = name === "" ? null : await siblingLike(header, name, listed);
  if (named || name === "") return named;
  const [base] = splitName(header.name);
  for (const extension of extensions) {
    const found = await siblingLike(header, base + extension, listed);
    if (!found) continue;
    warnings.push(`"${name}" is not there: "${found.name}" of the header's own name is taken`);
    return found;
  }
  return null;
}

/**
 * The header of the set `member` belongs to, or null: of the same name, else one of the folder that names it.
 */
export async function findHeader(
  member: ByteSource,
  signal?: AbortSignal,
): Promise<ByteSource | null> {
  const listed = await member.siblingNames();
  const [base] = splitName(member.name);
  for (const extension of HEADER_EXTENSIONS) {
    const found = await siblingLike(member, base + extension, listed);
    if (!found) continue;
    const head = await found.readUpTo(0, NAMES_BYTES, { signal, purpose: "header" });
    if (kindOf(head) === "header") return found;
    await found.close();
  }
  const headers = (listed ?? []).filter((name) =>
    HEADER_EXTENSIONS.includes(splitName(name)[1].toLowerCase())
  );
  for (const name of headers.slice(0, MOST_HEADERS)) {
    const found = await member.sibling(name);
    if (!found) continue;
    const head = await found.readUpTo(0, NAMES_BYTES, { signal, purpose: "header" });
    const common = parseIni(decoderFor(head)(head)).sections.get("common infos")?.entries;
    const members = ["datafile", "markerfile"].map((key) => common?.get(key) ?? "");
    const isMine = members.some((stated) =>
      stated !== "" && memberName(stated, name).toLowerCase() === member.name.toLowerCase()
    );
    if (kindOf(head) === "header" && isMine) return found;
    await found.close();
  }
  return null;
}

/** The failure of a set without one of its files. */
export function missing(what: string, source: ByteSource, details: ErrorDetails = {}): FuseError {
  return new FuseError("Truncated", `the set has no ${what}`, {
    source: source.name,
    format: "brainvision",
    remedy: "Put the files of the set into one folder",
    ...details,
  });
}
