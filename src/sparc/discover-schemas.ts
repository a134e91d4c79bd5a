/** Checks of what the Discover service answers; what passes has the types of discover-types.ts. */
import * as v from "valibot";
import type { BrowseNode, DiscoverDataset, ManifestFile } from "./discover-types.ts";

const text = v.nullish(v.string());
const count = v.nullish(v.number());

/** A dataset version, as `/datasets/{id}` and its versions give it. */
export const datasetSchema: v.GenericSchema<unknown, DiscoverDataset> = v.looseObject({
  id: v.number(),
  name: v.string(),
  version: v.number(),
  uri: v.string(),
  description: text,
  license: text,
  doi: text,
  tags: v.nullish(v.array(v.string())),
  organizationName: text,
  size: count,
  fileCount: count,
  status: text,
  contributors: v.nullish(v.array(v.looseObject({
    firstName: text,
    middleInitial: text,
    lastName: text,
    orcid: text,
  }))),
  pennsieveSchemaVersion: v.nullish(v.union([v.string(), v.number()])),
  firstPublishedAt: text,
  versionPublishedAt: text,
  embargo: v.nullish(v.boolean()),
});

/** A file of the metadata manifest. */
export const manifestFileSchema: v.GenericSchema<unknown, ManifestFile> = v.looseObject({
  path: v.string(),
  name: text,
  size: count,
  fileType: text,
  sourcePackageId: text,
  s3VersionId: text,
  sha256: text,
});

const browseNodeSchema: v.GenericSchema<unknown, BrowseNode> = v.variant("type", [
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
    sourcePackageId: text,
    s3Version: text,
    sha256: text,
  }),
]);

/** One page of a folder. */
export const browsePageSchema = v.looseObject({
  totalCount: v.number(),
  files: v.array(browseNodeSchema),
});

/** The answer of download-manifest. */
export const downloadManifestSchema = v.looseObject({
  data: v.array(v.looseObject({
    fileName: v.string(),
    path: v.array(v.string()),
    url: v.string(),
    size: count,
  })),
});

/** What a withdrawn dataset leaves behind (HTTP 410). */
export const tombstoneSchema = v.looseObject({
  name: text,
  status: text,
  doi: text,
});
