/** Opens published files: straight from S3 where that is possible, else by signed URLs. */
import { FuseError, isFuseError } from "../errors.ts";
import { openSpec, type SourceOptions } from "../source/open.ts";
import { isOpenDataBucket, s3Access } from "../source/s3-access.ts";
import type { ByteSource, SourceSpec } from "../source/source.ts";
import { joinKey } from "../source/urls.ts";
import { WrappedSource } from "../source/wrapped.ts";
import type { DatasetFile, DatasetListing } from "./dataset-files.ts";
import type { DiscoverClient } from "./discover.ts";
import { freshUrl } from "./signed-urls.ts";
import { TABLE_BYTES } from "./tables.ts";

/** How to reach the files of a dataset. */
export interface DatasetAccess {
  /** The service that lists and signs. */
  client: DiscoverClient;
  /** The listing the file is of. */
  listing: DatasetListing;
  /** `s3.signed` says that there are AWS credentials to pay requester-pays buckets with. */
  options?: SourceOptions;
}

/**
 * Where a worker finds a file. The open bucket is read unsigned; a requester-pays bucket with the user's
 * credentials when there are any, else through a signed URL of the service. An object version is named
 * only for versions that have a successor.
 */
export async function datasetFileSpec(
  file: DatasetFile,
  access: DatasetAccess,
): Promise<SourceSpec> {
  const { client, listing, options = {} } = access;
  const s3 = options.s3 ?? {};
  const direct = isOpenDataBucket(file.bucket) || s3.signed === true ||
    !s3Access(file.bucket, s3).requesterPays;
  if (direct) {
    const { bucket, key, size, name, versionId } = file;
    const old = listing.versioning === "objects" && !listing.latest && versionId;
    return { kind: "s3", bucket, key, size, name, s3, ...(old ? { versionId } : {}) };
  }
  const renewal = {
    discoverUrl: client.baseUrl,
    datasetId: listing.dataset.id,
    version: listing.dataset.version,
    keyPath: file.keyPath,
  };
  const url = await freshUrl(renewal, client.options).catch((error) => {
    if (!isFuseError(error, "Network")) throw error;
    throw new FuseError("Network", `no signed address is given: ${error.statement}`, {
      ...error.details,
      remedy: `Set AWS credentials: the bucket ${file.bucket} bills its readers, and the service ` +
        "signs no addresses for very large files.",
    });
  });
  return { kind: "http", url, size: file.size, name: file.name, renewal };
}

/** Opens a file of a listing; the other members of its set are found by name in the same listing. */
export async function openDatasetFile(
  file: DatasetFile,
  access: DatasetAccess,
): Promise<ByteSource> {
  const inner = await openSpec(await datasetFileSpec(file, access), access.options);
  return new DatasetFileSource(inner, file, access);
}

/** All bytes of a small published file, such as a table of the dataset's structure. */
export async function readDatasetFile(
  file: DatasetFile,
  access: DatasetAccess,
): Promise<Uint8Array> {
  const source = await openDatasetFile(file, access);
  try {
    return await source.readUpTo(0, source.size ?? TABLE_BYTES, { purpose: "bulk" });
  } finally {
    await source.close();
  }
}

/** A published file with its place in the dataset. */
export class DatasetFileSource extends WrappedSource {
  constructor(
    inner: ByteSource,
    readonly file: DatasetFile,
    private readonly reach: DatasetAccess,
  ) {
    super(inner);
  }

  override get name(): string {
    return this.file.name;
  }

  /** The published address, also when the bytes come through a signed URL. */
  override get uri(): string {
    return this.file.uri;
  }

  override async sibling(relativePath: string): Promise<ByteSource | null> {
    const { files } = this.reach.listing;
    const byName = joinKey(this.file.path, relativePath);
    const byKey = joinKey(this.file.keyPath, relativePath);
    if (byName === undefined || byKey === undefined) return null;
    const hit = files.find((f) => f.path === byName) ?? files.find((f) => f.keyPath === byKey) ??
      files.find((f) => f.path.toLowerCase() === byName.toLowerCase());
    return hit ? await openDatasetFile(hit, this.reach) : null;
  }

  override siblingNames(): Promise<string[] | null> {
    const folder = this.file.path.slice(0, this.file.path.lastIndexOf("/") + 1);
    return Promise.resolve(
      this.reach.listing.files
        .filter((f) => f.path.startsWith(folder) && !f.path.slice(folder.length).includes("/"))
        .map((f) => f.name),
    );
  }
}
