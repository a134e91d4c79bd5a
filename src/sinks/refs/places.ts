/** Under which address readers of references reach the bytes of a source. */
import type { ByteSource } from "../../source/source.ts";

/** Address of the file that holds the bytes, and where in it they begin; or why there is none. */
export type SourcePlace = { url: string; offset: number } | { reason: string };

/**
 * Where a source's bytes lie as they are: local files under an absolute `file://` address, members that a
 * zip archive stores without compression as a range of the archive.
 * @param base address of the folder in which readers find the files, when it is not where they are now
 * @param root the source that was opened: others lie relative to its folder
 */
export function sourcePlace(source: ByteSource, base?: string, root = source): SourcePlace {
  if (source.place === null || (source.place === undefined && source.uri.includes("!/"))) {
    return { reason: `${source.name} is compressed inside an archive` };
  }
  if (source.access !== "random" || source.uri === "-") {
    return { reason: `${source.name} came through a pipe` };
  }
  const { uri, offset } = source.place ?? { uri: source.uri, offset: 0 };
  if (base === undefined) return { url: uri, offset };
  const folder = folderOf(root.place?.uri ?? root.uri);
  const below = uri.startsWith(folder) ? uri.slice(folder.length) : uri.slice(folderOf(uri).length);
  return { url: `${base.replace(/\/+$/, "")}/${below}`, offset };
}

function folderOf(uri: string): string {
  return uri.slice(0, Math.max(uri.lastIndexOf("/"), uri.lastIndexOf("\\")) + 1);
}
