/**
 * The files of a published dataset: which there are, how they are called, and where their bytes lie.
 *
 * A file has a name ("20 1021.acq") and a key ("20_1021.acq"), and datasets are laid out in two ways:
 * a folder per version (`224/1/files/...`), or one folder with S3 object versions (`224/files/...`).
 * The dataset's `uri` tells the layout; nothing is guessed from the number of slashes.
 */
import { FuseError, isFuseError } from "../errors.ts";
import type { DiscoverClient } from "./discover.ts";
import type { BrowseFile, DiscoverDataset } from "./discover-types.ts";
import { type PathPattern, pathPattern } from "./path-filter.ts";

/** One published file. */
export interface DatasetFile {
  /** Name for the user. */
  name: string;
  /** Path from the dataset's root, ending in the name: "files/primary/sub-1/20 1021.acq". */
  path: string;
  /** Path below the primary folder, or below the root folder for files outside it. */
  relativePath: string;
  /** Key below the dataset's root: "files/primary/sub-1/20_1021.acq". */
  keyPath: string;
  /** S3 bucket. */
  bucket: string;
  /** Whole S3 key. */
  key: string;
  /** `s3://bucket/key`. */
  uri: string;
  /** Bytes, where the service tells. */
  size: number | undefined;
  /** S3 version of the object. */
  versionId?: string;
  /** Hexadecimal, where published. */
  sha256?: string;
  /** "N:package:<uuid>". */
  sourcePackageId?: string;
  /** Pennsieve's idea of the type, by extension only. */
  fileType?: string;
  /** True for the tables of the dataset structure itself (manifest.xlsx and the like). */
  structural: boolean;
}

/** A dataset version and its files, by path. */
export interface DatasetListing {
  /** The version that is listed. */
  dataset: DiscoverDataset;
  /** False for a version that has a successor; its objects are then read by version id. */
  latest: boolean;
  /** "folders": a key prefix per version; "objects": S3 object versions. */
  versioning: "folders" | "objects";
  /** Folder of the published tree: "files", or "packages" before schema 4. */
  root: string;
  /** All files, ordered by path. */
  files: DatasetFile[];
  /** What was doubtful, in words a user understands. */
  warnings: string[];
}

/** Files that describe a dataset rather than hold its data (SPARC Dataset Structure 2 and 3). */
const STRUCTURAL =
  /^(?:manifest|subjects|samples|sites|performances|resources|submission|dataset_description|code_description|code_parameters|curation|readme|changes|license|banner)\.(?:xlsx|xls|csv|tsv|json|md|txt|jpe?g|png)$|^\.dss$|^(?:CHANGES|LICENSE|README)$/i;

/**
 * Lists a dataset version, from its manifest where there is one, else folder by folder.
 * @throws FuseError `Usage` for an unknown or withdrawn dataset, `Network`.
 */
export async function listDataset(
  client: DiscoverClient,
  id: number,
  version?: number,
): Promise<DatasetListing> {
  const latest = await client.dataset(id).catch((error) => {
    // A version may be visible although the latest is not.
    if (version !== undefined && isFuseError(error, "Usage")) return undefined;
    throw error;
  });
  const dataset = latest && (version === undefined || latest.version === version)
    ? latest
    : await client.datasetVersion(id, version);
  const place = datasetPlace(dataset);
  const listing: DatasetListing = {
    dataset,
    latest: latest?.version === dataset.version,
    versioning: place.versioning,
    root: "files",
    files: [],
    warnings: [],
  };
  try {
    for await (const file of client.manifest(id, dataset.version)) {
      const keyPath = file.path.replace(/^\/+/, "");
      const name = file.name ?? keyPath.slice(keyPath.lastIndexOf("/") + 1);
      listing.files.push(makeFile(place, keyPath, name, {
        size: file.size ?? undefined,
        versionId: file.s3VersionId ?? undefined,
        sha256: file.sha256 ?? undefined,
        sourcePackageId: file.sourcePackageId ?? undefined,
        fileType: file.fileType ?? undefined,
      }));
    }
    await confirmKeys(client, listing);
  } catch (error) {
    // An unpublished manifest is no obstacle as long as the folders can be walked.
    if (!isFuseError(error, "Usage", "Network") || isEmbargo(error)) throw error;
    listing.files = await walkFolders(client, dataset, place);
    listing.warnings.push(`the dataset's manifest cannot be used: ${error.message}`);
  }
  finish(listing);
  return listing;
}

/** Where a dataset version lies: bucket, key prefix and way of versioning, from its `uri`. */
export function datasetPlace(dataset: DiscoverDataset): {
  bucket: string;
  prefix: string;
  versioning: "folders" | "objects";
} {
  const match = /^s3:\/\/([^/]+)\/(.*)$/.exec(dataset.uri);
  if (!match) {
    throw new FuseError("Network", "the dataset's address is not one of S3", {
      source: `dataset ${dataset.id}`,
      found: dataset.uri,
      expected: "s3://bucket/prefix/",
    });
  }
  const prefix = match[2] === "" || match[2].endsWith("/") ? match[2] : `${match[2]}/`;
  const perVersion = `${dataset.id}/${dataset.version}/`;
  return {
    bucket: match[1],
    prefix,
    versioning: prefix.endsWith(perVersion) ? "folders" : "objects",
  };
}

type Place = ReturnType<typeof datasetPlace>;
type Details = Pick<DatasetFile, "size" | "versionId" | "sha256" | "sourcePackageId" | "fileType">;

function makeFile(place: Place, keyPath: string, name: string, details: Details): DatasetFile {
  const key = place.prefix + keyPath;
  const folder = keyPath.slice(0, keyPath.lastIndexOf("/") + 1);
  return {
    name,
    path: tamePath(folder) + tamePath(name.replaceAll("/", "_")),
    relativePath: "",
    keyPath,
    bucket: place.bucket,
    key,
    uri: `s3://${place.bucket}/${key}`,
    ...details,
    structural: STRUCTURAL.test(name),
  };
}

/**
 * A path that stays below its folder wherever it is written: names come from a service, and "..", "\\"
 * or control characters in them must not choose the place of an output.
 */
function tamePath(path: string): string {
  return path.split("/")
    .map((part) =>
      part === "." || part === ".."
        ? part.replaceAll(".", "%2E")
        // deno-lint-ignore no-control-regex
        : part.replace(/[\\\x00-\x1f\x7f]/g, "_")
    )
    .join("/").replace(/^\/+/, "").replace(/\/{2,}/g, "/");
}

/** Takes the address a browse answer gives, which is the authority on keys. */
function moveTo(file: DatasetFile, uri: string, place: Place): void {
  const match = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri);
  if (!match) return;
  file.bucket = match[1];
  file.key = match[2];
  file.uri = uri;
  if (file.key.startsWith(place.prefix)) file.keyPath = file.key.slice(place.prefix.length);
}

/**
 * Compares the keys made from the manifest with the addresses of one folder of data. If all lie in
 * another place than the dataset's address says, that place is taken; if the keys themselves differ, all
 * folders are asked for theirs.
 */
async function confirmKeys(client: DiscoverClient, listing: DatasetListing): Promise<void> {
  const { dataset } = listing;
  const sample = listing.files.find((f) => f.keyPath.includes("/primary/") && !f.structural) ??
    listing.files.find((f) => f.keyPath.includes("/"));
  if (!sample) return;
  const folders = Map.groupBy(listing.files, (file) => folderOf(file.keyPath));
  const first = folderOf(sample.keyPath);
  const nodes = await folderFiles(client, dataset, first);
  let wrong = differing(nodes, folders.get(first)!);
  if (wrong.length === 0) return;
  const { node, file } = wrong[0];
  if (node.uri.endsWith(`/${file.keyPath}`)) {
    const root = node.uri.slice(0, -file.keyPath.length);
    const place = datasetPlace({ ...dataset, uri: root });
    for (const each of listing.files) moveTo(each, root + each.keyPath, place);
    listing.versioning = place.versioning;
    wrong = differing(nodes, folders.get(first)!);
    if (wrong.length === 0) return;
  }
  listing.warnings.push(
    "the manifest's keys differ from the published addresses, which were taken",
  );
  const place = datasetPlace(dataset);
  for (const [folder, files] of folders) {
    const published = folder === first ? nodes : await folderFiles(client, dataset, folder);
    for (const { node, file } of differing(published, files)) moveTo(file, node.uri, place);
  }
}

/** Files of a folder whose published address is not the expected one. */
function differing(
  nodes: BrowseFile[],
  files: DatasetFile[],
): { node: BrowseFile; file: DatasetFile }[] {
  const expected = new Set(files.map((file) => file.uri.toLowerCase()));
  return nodes.filter((node) => !expected.has(node.uri.toLowerCase())).flatMap((node) => {
    const file = files.find((f) => f.name === node.name && f.size === (node.size ?? f.size));
    return file ? [{ node, file }] : [];
  });
}

/** Published files of one folder; none when it cannot be asked, which leaves the manifest's word standing. */
async function folderFiles(
  client: DiscoverClient,
  dataset: DiscoverDataset,
  folder: string,
): Promise<BrowseFile[]> {
  const files: BrowseFile[] = [];
  try {
    for await (const node of client.browse(dataset.id, dataset.version, folder)) {
      if (node.type === "File") files.push(node);
    }
  } catch (error) {
    if (!isFuseError(error, "Usage", "Network")) throw error;
  }
  return files;
}

/** All files by browsing, folder by folder. */
async function walkFolders(
  client: DiscoverClient,
  dataset: DiscoverDataset,
  place: Place,
): Promise<DatasetFile[]> {
  const files: DatasetFile[] = [];
  const folders = [""];
  const seen = new Set(folders);
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for await (const node of client.browse(dataset.id, dataset.version, folder)) {
      if (node.type === "Directory") {
        if (!seen.has(node.path)) folders.push(node.path);
        seen.add(node.path);
        continue;
      }
      const file = makeFile(place, node.path, node.name, {
        size: node.size ?? undefined,
        versionId: node.s3Version ?? undefined,
        sha256: node.sha256 ?? undefined,
        sourcePackageId: node.sourcePackageId ?? undefined,
        fileType: node.fileType ?? undefined,
      });
      moveTo(file, node.uri, place);
      files.push(file);
    }
  }
  return files;
}

/** Orders the files, finds the root folder, and makes paths unique. */
function finish(listing: DatasetListing): void {
  const { files } = listing;
  if (
    !files.some((f) => f.path.startsWith("files/")) &&
    files.some((f) => f.path.startsWith("packages/"))
  ) listing.root = "packages";
  // Outputs are named by these paths, also on file systems that ignore case.
  const counts = new Map<string, number>();
  for (const { path } of files) {
    counts.set(path.toLowerCase(), (counts.get(path.toLowerCase()) ?? 0) + 1);
  }
  const taken = new Set<string>();
  for (const file of files) {
    // Two files of one name in one folder: their keys tell them apart.
    if (counts.get(file.path.toLowerCase())! > 1) file.path = tamePath(file.keyPath);
    const { path } = file;
    for (let n = 2; taken.has(file.path.toLowerCase()); n++) file.path = `${path}~${n}`;
    taken.add(file.path.toLowerCase());
    file.relativePath = below(file.path, `${listing.root}/primary/`) ??
      below(file.path, `${listing.root}/`) ?? file.path;
  }
  files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function below(path: string, folder: string): string | undefined {
  return path.startsWith(folder) ? path.slice(folder.length) : undefined;
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function isEmbargo(error: FuseError): boolean {
  return /under embargo/.test(error.statement);
}

/** The files a user means. */
export interface DatasetSelection {
  /** In the order of their paths. */
  files: DatasetFile[];
  /** Patterns nothing matched. */
  unmatched: string[];
}

/**
 * Selects files by paths, folders and globs, by name or by key. A path counts from the dataset's root
 * ("files/primary/..."), from below it ("primary/...", "derivative/...") or from the primary folder
 * ("sub-1/rec.acq"). Without patterns: all of the primary folder except the tables that describe it;
 * a dataset without one gives all its files.
 */
export function selectFiles(listing: DatasetListing, patterns: string[] = []): DatasetSelection {
  const { files, root } = listing;
  const primary = files.filter((file) => file.path.startsWith(`${root}/primary/`));
  if (patterns.length === 0) {
    const all = primary.length > 0 ? primary : files.filter((f) => f.path.startsWith(`${root}/`));
    return { files: all.filter((file) => !file.structural), unmatched: [] };
  }
  const chosen = new Set<DatasetFile>();
  const unmatched: string[] = [];
  for (const text of patterns) {
    const hits = matching(files, root, pathPattern(text)) ??
      matching(files, root, pathPattern(text.toLowerCase()), (path) => path.toLowerCase());
    if (!hits) unmatched.push(text);
    else for (const file of hits) chosen.add(file);
  }
  return { files: files.filter((file) => chosen.has(file)), unmatched };
}

function matching(
  files: DatasetFile[],
  root: string,
  pattern: PathPattern,
  fold: (path: string) => string = (path) => path,
): DatasetFile[] | undefined {
  const starts = [`${root}/primary/`, `${root}/`, ""];
  // The nearest reading wins: below primary first, then below the root folder, then from the root.
  for (const start of starts) {
    const hits = files.filter((file) =>
      [file.path, file.keyPath].some((path) => {
        const rest = below(fold(path), fold(start));
        return rest !== undefined && pattern.matches(rest);
      })
    );
    // A folder or glob does not mean the describing tables in it; naming one does.
    const data = hits.filter((file) => !file.structural);
    if (data.length > 0) return data;
    if (hits.length > 0) return hits;
  }
  return undefined;
}
