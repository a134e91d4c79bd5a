/**
 * Makers' dialects of TIFF, told by the content of the first directory. Each has a descriptor of its
 * own and a reader that maps its pages.
 */
import type { Dataset } from "../../src/model/dataset.ts";
import { isFuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions } from "../format.ts";
import { isScanImageText, STATIC_TEXTS, staticLengths } from "./scanimage-header.ts";
import { readTiffBytes } from "./tiff-file.ts";
import { decodeText, type Ifd, readBytes, readIfd } from "./tiff-ifd.ts";
import { CZ_LSMINFO } from "./tiff-probe.ts";
import { Tag } from "./tiff-tags.ts";

/** Opens a file whose dialect is known. */
export type OpenDialect = (source: ByteSource, options: OpenOptions) => Promise<Dataset>;

/** Characters of a text field that tell the dialect. */
const TEXT_BYTES = 32_768;

async function textHead(ifd: Ifd, tag: number): Promise<string> {
  const entry = ifd.entries.get(tag);
  if (entry?.type !== 2) return "";
  const count = Math.min(entry.count, TEXT_BYTES);
  return decodeText(await readBytes(ifd.file, { ...entry, count }, TEXT_BYTES));
}

/** The reader of the dialect a file is written in; null for plain TIFF. */
export async function findDialect(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<OpenDialect | null> {
  let ifd: Ifd;
  let head: Uint8Array, description: string, software: string;
  try {
    const bytes = await readTiffBytes(source, signal);
    head = await bytes.window.read(0, Math.min(STATIC_TEXTS, bytes.window.size));
    ifd = await readIfd(bytes, bytes.firstIfd);
    if (ifd.has(CZ_LSMINFO)) return (await import("./tiff-lsm.ts")).openLsm;
    description = await textHead(ifd, Tag.ImageDescription);
    software = await textHead(ifd, Tag.Software);
  } catch (error) {
    // The reader of plain TIFF says what is wrong with the file.
    if (isFuseError(error, "Corrupt", "Truncated", "Limit")) return null;
    throw error;
  }
  if (/^\s*Aperio/.test(description) && ifd.has(Tag.TileWidth)) {
    return (await import("./tiff-svs.ts")).openSvs;
  }
  if (isScanImageText(description) || isScanImageText(software) || staticLengths(head)) {
    return (await import("./tiff-scanimage.ts")).openScanImage;
  }
  return null;
}

/** Opens a file as the dialect its content tells, or as plain TIFF. */
export async function openDialect(source: ByteSource, options: OpenOptions): Promise<Dataset> {
  const open = await findDialect(source, options.signal) ??
    (await import("./tiff-reader.ts")).openTiff;
  return await open(source, options);
}
