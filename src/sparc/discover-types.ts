/**
 * What the Pennsieve Discover API says of datasets and files (OpenAPI of discover-service, 3.0.0), as far
 * as a converter needs it. Absent values are null or missing; further fields are kept as they come.
 */

/** A person who contributed to a dataset. */
export interface DiscoverContributor {
  /** Given name. */
  firstName?: string | null;
  /** Letter of a middle name. */
  middleInitial?: string | null;
  /** Family name. */
  lastName?: string | null;
  /** ORCID without an address. */
  orcid?: string | null;
}

/** One version of a published dataset. */
export interface DiscoverDataset {
  /** Number of the dataset: 224. */
  id: number;
  /** Title. */
  name: string;
  /** Number of the version, from 1. */
  version: number;
  /** `s3://bucket/224/1/` (a folder per version) or `s3://bucket/224/` (S3 object versions). */
  uri: string;
  /** Subtitle or abstract. */
  description?: string | null;
  /** Long form: "Creative Commons Attribution". */
  license?: string | null;
  /** DOI without an address: "10.26275/qskp-awpu". */
  doi?: string | null;
  /** Keywords. */
  tags?: string[] | null;
  /** Publisher within Pennsieve: "SPARC Consortium". */
  organizationName?: string | null;
  /** Bytes of all files. */
  size?: number | null;
  /** Number of files. */
  fileCount?: number | null;
  /** PUBLISH_SUCCEEDED and the like. */
  status?: string | null;
  /** Authors, in order. */
  contributors?: DiscoverContributor[] | null;
  /** "4.0", "5.0"; a number before 4. */
  pennsieveSchemaVersion?: string | number | null;
  /** ISO 8601. */
  firstPublishedAt?: string | null;
  /** ISO 8601. */
  versionPublishedAt?: string | null;
  /** True while only some may read the files. */
  embargo?: boolean | null;
}

/** One file of a manifest. */
export interface ManifestFile {
  /** Key below the dataset's root: "files/primary/sub-1/20_1021.acq". */
  path: string;
  /** Name for the user: "20 1021.acq"; absent before schema 4. */
  name?: string | null;
  /** Bytes. */
  size?: number | null;
  /** By the extension alone. */
  fileType?: string | null;
  /** "N:package:<uuid>". */
  sourcePackageId?: string | null;
  /** S3 version of the object. */
  s3VersionId?: string | null;
  /** Hexadecimal. */
  sha256?: string | null;
}

/** A folder of one level of the tree. */
export interface BrowseFolder {
  /** Tells it from a file. */
  type: "Directory";
  /** Last part of the path. */
  name: string;
  /** From the dataset's root, without a leading slash. */
  path: string;
  /** Bytes of everything below. */
  size?: number | null;
}

/** A file of one level of the tree. */
export interface BrowseFile {
  /** Tells it from a folder. */
  type: "File";
  /** Name for the user. */
  name: string;
  /** Folder and name: not the key. */
  path: string;
  /** Bytes. */
  size?: number | null;
  /** `s3://bucket/key`: the authority on where the bytes are. */
  uri: string;
  /** By the extension alone. */
  fileType?: string | null;
  /** "N:package:<uuid>". */
  sourcePackageId?: string | null;
  /** S3 version of the object. */
  s3Version?: string | null;
  /** Hexadecimal. */
  sha256?: string | null;
}

/** One entry of a folder. */
export type BrowseNode = BrowseFolder | BrowseFile;

/** A file with an address that can be read for about an hour. */
export interface SignedFile {
  /** Name for the user. */
  name: string;
  /** Key below the dataset's root, from the answer's folders and the address's last segment. */
  keyPath: string;
  /** The address; its query is a credential. */
  url: string;
  /** Bytes. */
  size: number | undefined;
}
