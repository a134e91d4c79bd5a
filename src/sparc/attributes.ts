/** Root attributes of a converted file that only its dataset knows: the SPARC FUSE vocabulary. */
import type { Attributes, Json } from "../model/dataset.ts";
import type { DatasetFile, DatasetListing } from "./dataset-files.ts";
import { findAmong, type SdsFacts, SdsTables, type SdsTree } from "./sds.ts";
import { TABLE_BYTES } from "./tables.ts";

/** What a dataset adds to the attributes of one file's store. */
export interface SparcAttributes {
  /**
   * Attributes of the vocabulary that are known: database_id, doi, version, upload_date,
   * original_file_name, sparc_subject_id, species, anatomical_location, modality, experimenter,
   * institution. The file's own metadata win where both speak, except for these ids.
   */
  attributes: Attributes;
  /** For the `sparc_fuse` attribute: dataset, source address, subject and sample rows. */
  provenance: Attributes;
}

/**
 * Attributes of a file of a published dataset, or of a local tree in the SPARC Dataset Structure (then
 * without `listing` and `file`). What is unknown is left out.
 */
export async function sparcAttributes(options: {
  listing?: DatasetListing;
  file?: DatasetFile;
  tables?: SdsTables;
  /** Path below the tree's root folder: "primary/sub-1/rec.acq"; from `file` when absent. */
  path?: string;
}): Promise<SparcAttributes> {
  const { listing, file, tables } = options;
  const path = options.path ??
    (listing && file ? file.path.replace(new RegExp(`^${listing.root}/`), "") : undefined);
  const facts: SdsFacts = tables && path !== undefined ? await tables.facts(path) : {};
  const description = tables ? await tables.description() : new Map<string, string[]>();
  const dataset = listing?.dataset;
  const people = description.get("contributor name") ?? description.get("contributors") ??
    dataset?.contributors?.map((c) => joined([c.lastName, c.firstName], ", ")).filter(Boolean);
  const places = description.get("contributor affiliation");
  const attributes = known({
    database_id: dataset && String(dataset.id),
    doi: dataset?.doi ?? undefined,
    version: dataset && String(dataset.version),
    upload_date: (dataset?.versionPublishedAt ?? dataset?.firstPublishedAt)?.slice(0, 10),
    original_file_name: file?.name,
    sparc_subject_id: facts.subjectId,
    species: facts.subject?.["species"] ?? facts.sample?.["species"],
    anatomical_location: facts.sample?.["sample anatomical location"] ??
      facts.sample?.["anatomical location"] ?? facts.sample?.["sample anatomical location 1"],
    modality: facts.manifest?.["data modality"] ??
      joined(description.get("study approach") ?? [], "; "),
    experimenter: joined(unique(people as string[] ?? []), "; "),
    institution: joined(unique(places ?? []), "; "),
  });
  const provenance = known({
    dataset: dataset && known({
      id: dataset.id,
      version: dataset.version,
      doi: dataset.doi ?? undefined,
      name: dataset.name,
      license: dataset.license ?? undefined,
      uri: dataset.uri,
      organization: dataset.organizationName ?? undefined,
    }),
    file: file && known({
      path: file.path,
      uri: file.uri,
      size: file.size,
      version_id: file.versionId,
      sha256: file.sha256,
      package: file.sourcePackageId,
      timestamp: facts.manifest?.["timestamp"],
      description: facts.manifest?.["description"],
    }),
    subject: facts.subject,
    sample: facts.sample,
    organ_system: joined(description.get("study organ system") ?? [], "; "),
  });
  return { attributes, provenance };
}

/**
 * Attributes for the files of one listing. The dataset's tables are read once, when the first file asks,
 * through `read`.
 */
export function listingAttributes(
  listing: DatasetListing,
  read: (file: DatasetFile) => Promise<Uint8Array>,
): { tables: SdsTables; of(file: DatasetFile): Promise<SparcAttributes> } {
  const tables = new SdsTables(sdsTreeOf(listing, read));
  return { tables, of: (file) => sparcAttributes({ listing, file, tables }) };
}

/** Opens the tables of a listing; they are read when first asked for. */
export function sdsTreeOf(
  listing: DatasetListing,
  read: (file: DatasetFile) => Promise<Uint8Array>,
): SdsTree {
  const root = `${listing.root}/`;
  const tables = new Map(
    listing.files
      .filter((file) => file.structural && file.path.startsWith(root))
      .map((file) => [file.path.slice(root.length), file]),
  );
  return {
    find: findAmong([...tables.keys()]),
    read: (path) => {
      const file = tables.get(path)!;
      if ((file.size ?? 0) > TABLE_BYTES) {
        throw new Error(`${file.size} bytes are more than a table has`);
      }
      return read(file);
    },
  };
}

function known(values: Record<string, Json | undefined>): Attributes {
  const out: Attributes = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") out[name] = value;
  }
  return out;
}

function joined(parts: (string | null | undefined)[], separator: string): string | undefined {
  return parts.filter(Boolean).join(separator) || undefined;
}

function unique(values: string[]): string[] {
  return [...new Set(values)];
}
