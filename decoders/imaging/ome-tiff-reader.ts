/** Opens what OME-XML describes: the XML of the file itself, of its master, or a companion file. */
import type { OpenOptions } from "../format.ts";
import { DEFAULT_LIMITS, FuseError } from "../../src/errors.ts";
import type { Dataset, ImageSeries } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { baseName, OmeFileSet } from "./ome-files.ts";
import { buildOmeImage, type OmeSeries, unusedPages } from "./ome-series.ts";
import { isOmeXml, type OmeDocument, parseOmeXml } from "./ome-xml.ts";
import type { TiffFile } from "./tiff-file.ts";
import { decodeText, readIfd } from "./tiff-ifd.ts";
import { readTiffBytes } from "./tiff-file.ts";
import { Tag } from "./tiff-tags.ts";

/** Path of the XML among a dataset's documents. */
const DOCUMENT = "OME/METADATA.ome.xml";
/** Micro-Manager's tag of a page. */
const MICRO_MANAGER = 51123;

/** The XML text of a whole file, when it is one. */
export async function readCompanion(
  source: ByteSource,
  options: OpenOptions,
): Promise<string | undefined> {
  const head = await source.readUpTo(0, 512, { purpose: "header", signal: options.signal });
  const start = decodeText(head.subarray(0, 512)).replace(/^\ufeff/, "").trimStart();
  if (!start.startsWith("<")) return undefined;
  const limit = (options.limits ?? DEFAULT_LIMITS).headerBytes;
  if ((source.size ?? 0) > limit) {
    throw new FuseError("Limit", "the OME-XML file is too large", {
      source: source.name,
      format: "ome_tiff",
      found: `${source.size} bytes`,
      expected: `at most ${limit}`,
    });
  }
  return decodeText(await source.read(0, source.size ?? 0, { signal: options.signal }));
}

/** The XML of the document a part of a set points to; undefined when that is not there. */
async function readMaster(
  source: ByteSource,
  document: OmeDocument,
  options: OpenOptions,
): Promise<string | undefined> {
  const name = document.binaryOnly?.metadataFile;
  const master = name && !options.alone ? await source.sibling(baseName(name)) : null;
  if (!master) return undefined;
  try {
    const xml = await readCompanion(master, options);
    if (xml !== undefined) return xml;
    const bytes = await readTiffBytes(master, options.signal);
    const text = await (await readIfd(bytes, bytes.firstIfd)).text(Tag.ImageDescription);
    return isOmeXml(text) ? text : undefined;
  } finally {
    await master.close();
  }
}

/**
 * Fills a dataset from OME-XML.
 * @param tiff the opened file, or undefined when that is a companion file.
 * @returns the images made; none when the XML describes none that is there.
 */
export async function openOme(
  dataset: Dataset,
  tiff: TiffFile | undefined,
  xml: string,
  options: OpenOptions,
): Promise<OmeSeries[]> {
  const [source] = dataset.sources;
  let text = xml;
  let document = parseOmeXml(text, source.name);
  const { uuid } = document;
  if (document.binaryOnly && document.images.length === 0) {
    const found = await readMaster(source, document, options);
    if (found === undefined) {
      dataset.warnings.push(
        `the OME-XML of this set is in ${
          document.binaryOnly.metadataFile ?? "another file"
        }, which ` +
          "is not there: only this file's own pages are read",
      );
      return [];
    }
    text = found;
    document = parseOmeXml(text, baseName(document.binaryOnly.metadataFile ?? source.name));
  }
  if (document.problem) {
    dataset.warnings.push(`the OME-XML is not well-formed: ${document.problem}`);
  }
  const set = new OmeFileSet(dataset, tiff, {
    signal: options.signal,
    chunkBytes: options.limits?.chunkBytes,
    alone: options.alone,
  });
  set.setOwnUuid(uuid);
  const crop = options.alone || (tiff?.first.has(MICRO_MANAGER) ?? false);
  const made: OmeSeries[] = [];
  for (const image of document.images) {
    const built = image.noTiffData && image.tiffData.length === 0
      ? undefined
      : await buildOmeImage(image, set, dataset, crop);
    if (built) made.push(built);
    else {
      const why = image.noTiffData && image.tiffData.length === 0
        ? "its pixels are not in a TIFF file"
        : "none of its planes is in the files that are there";
      dataset.leftOut.push({ what: `image ${image.name ?? image.id}`, why });
    }
  }
  reportMissing(dataset, set.missing);
  if (made.length === 0) return made;
  reportUnused(dataset, set, made.map((m) => m.series));
  dataset.documents = { ...dataset.documents, [DOCUMENT]: text };
  describe(dataset, document);
  return made;
}

function reportMissing(dataset: Dataset, missing: string[]): void {
  if (missing.length === 0) return;
  const shown = missing.slice(0, 5).join(", ");
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : "";
  dataset.warnings.push(`files of the set are not there: ${shown}${more}`);
}

function reportUnused(dataset: Dataset, set: OmeFileSet, images: ImageSeries[]): void {
  if (!set.own) return;
  const unused = unusedPages(set.own, images);
  if (unused.length === 0) return;
  const shown = unused.slice(0, 10).join(", ");
  dataset.leftOut.push({
    what: `${unused.length} pages (${shown}${unused.length > 10 ? ", ..." : ""})`,
    why: "no image of the OME-XML names them",
  });
}

function describe(dataset: Dataset, document: OmeDocument): void {
  const { metadata } = dataset;
  const date = document.images.find((image) => image.acquisitionDate)?.acquisitionDate;
  if (date && /^\d{4}-\d\d-\d\dT/.test(date)) metadata.startTime = date;
  if (document.experimenter) metadata.experimenter = document.experimenter;
  if (document.institution) metadata.institution = document.institution;
}
