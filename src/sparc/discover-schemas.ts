/**
 * Shapes of the Pennsieve Discover API, checked when they arrive (OpenAPI of discover-service, 3.0.0).
 * Absent values come as null; unknown fields are let through.
 */
import * as v from "valibot";

const text = v.nullish(v.string());
const count = v.nullish(v.number());

/** A dataset version, as `/datasets/{id}` and its versions give it. */
export const datasetSchema = v.looseObject({
  id: v.number(),
  name: v.string(),
  version: v.number(),
  /** `s3://bucket/224/1/` (one copy a version) or `s3://bucket/224/` (S3 object versions). */
  uri: v.string(),
  description: text,
  ownerFirstName: text,
  ownerLastName: text,
  organizationName: text,
  license: text,
  tags: v.nullish(v.array(v.string())),
  revision: count,
  size: count,
  fileCount: count,
  status: text,
  doi: text,
  contributors: v.nullish(v.array(v.looseObject({
    firstName: text,
    middleInitial: text,
    lastName: text,
    orcid: text,
  }))),
  collections: v.nullish(v.array(v.looseObject({ name: text }))),
  externalPublications: v.nullish(
    v.array(v.looseObject({ doi: text, relationshipType: text })),
  ),
  pennsieveSchemaVersion: v.nullish(v.union([v.string(), v.number()])),
  createdAt: text,
  updatedAt: text,
  firstPublishedAt: text,
  versionPublishedAt: text,
  embargo: v.nullish(v.boolean()),
  datasetType: text,
});

/** One version of a published dataset. */
export type DiscoverDataset = v.InferOutput<typeof datasetSchema>;

/** A file of the metadata manifest; `path` is the key below the dataset's root. */
export const manifestFileSchema = v.looseObject({
  path: v.string(),
  name: text,
  size: count,
  fileType: text,
  sourcePackageId: text,
  s3VersionId: text,
  sha256: text,
});

/** One file of a manifest. */
export type ManifestFile = v.InferOutput<typeof manifestFileSchema>;

/** A folder or file of one level of the tree; a file's `path` ends in its name, not in its key. */
export const browseNodeSchema = v.variant("type", [
  v.looseObject({
    type: v.literal("Directory"),
    name: v.string(),
    path: v.string(),
    size: count,
  }),
  v.looseObject({
    type: v.literal("File"),
    name: v.string(),
    path: v.string(),
    size: count,
    uri: v.string(),
    fileType: text,
    packageType: text,
    sourcePackageId: text,
    createdAt: text,
    s3Version: text,
    sha256: text,
  }),
]);

/** One entry of a folder. */
export type BrowseNode = v.InferOutput<typeof browseNodeSchema>;

/** One page of a folder. */
export const browsePageSchema = v.looseObject({
  limit: v.number(),
  offset: v.number(),
  totalCount: v.number(),
  files: v.array(browseNodeSchema),
});

/** The answer of download-manifest. */
export const downloadManifestSchema = v.looseObject({
  header: v.nullish(v.looseObject({ count, size: count })),
  data: v.array(v.looseObject({
    fileName: v.string(),
    path: v.array(v.string()),
    url: v.string(),
    size: count,
    sha256: text,
  })),
});

/** What a withdrawn dataset leaves behind (HTTP 410). */
export const tombstoneSchema = v.looseObject({
  id: count,
  version: count,
  name: text,
  status: text,
  doi: text,
  updatedAt: text,
});
