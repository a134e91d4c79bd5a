/**
 * A look-alike of the Pennsieve Discover service over files in memory, for loopback: the routes a
 * converter uses, both key layouts, and the refusals and accidents the real one has.
 */
import { cleanKeyPath } from "../src/sparc/keys.ts";
import { fileType } from "./demo-files/pennsieve-types.ts";
import type { DemoS3 } from "./demo-s3.ts";

/** A file of a demo dataset, by its path of names below the dataset's root. */
export interface DemoFile {
  path: string;
  bytes: Uint8Array;
  /** Key path where it does not follow from the names (a renamed package). */
  keyPath?: string;
}

/** What is published. */
export interface DemoDataset {
  id: number;
  name: string;
  description: string;
  doi: string;
  license: string;
  tags: string[];
  contributors: { firstName: string; lastName: string; orcid: string | null }[];
  /** Files of each version, the first version first. */
  versions: DemoFile[][];
}

/** Ways to misbehave. */
export interface DiscoverMisbehaviour {
  /** Withdrawn: 410 with a tombstone. */
  withdrawn?: boolean;
  /** Under embargo: 401, or 403. */
  embargo?: 401 | 403;
  /** No manifest: 404. */
  noManifest?: boolean;
  /** Manifests break off after this many bytes, `manifestCuts` times. */
  manifestCutBytes?: number;
  manifestCuts?: number;
  /** Manifest of schema 3: fewer fields, number as schema version, folder "packages". */
  schema3?: boolean;
  /** Largest sum of a download-manifest, bytes. */
  downloadLimitBytes?: number;
  /** Statuses answered first, one per request. */
  statuses?: number[];
  /** Largest page, whatever limit is asked for. */
  pageEntries?: number;
  /** Keys in the manifest that differ from the published ones. */
  wrongManifestKeys?: boolean;
}

/** How the service lays out and misbehaves. */
export interface DiscoverSettings {
  /** "migrated": `{id}/files/...` with object versions; "unmigrated": `{id}/{version}/files/...`. */
  layout?: "migrated" | "unmigrated";
  bucket?: string;
  misbehave?: DiscoverMisbehaviour;
}

/** SPARC's Open Data bucket. */
export const OPEN_BUCKET = "sparc-prod-aod-discover-publish50-use1";
/** A publish bucket whose readers pay. */
export const PAID_BUCKET = "pennsieve-prod-discover-publish-use1";

interface Published {
  path: string;
  keyPath: string;
  name: string;
  size: number;
  uri: string;
  key: string;
  versionId: string | null;
  sha256: string | null;
  packageId: string | null;
}

/** The service: publishes a dataset into `s3` and answers for it. */
export class DemoDiscover {
  misbehave: DiscoverMisbehaviour;
  readonly layout: "migrated" | "unmigrated";
  readonly bucket: string;
  readonly requests: { method: string; path: string; headers: Headers }[] = [];
  /** Base of signed URLs: the S3 endpoint. */
  s3Endpoint = "";
  readonly #versions: Published[][] = [];

  private constructor(
    readonly dataset: DemoDataset,
    readonly s3: DemoS3,
    settings: DiscoverSettings,
  ) {
    this.layout = settings.layout ?? "migrated";
    this.bucket = settings.bucket ?? (this.layout === "migrated" ? OPEN_BUCKET : PAID_BUCKET);
    this.misbehave = settings.misbehave ?? {};
  }

  /** Puts every version's objects in place. */
  static async publish(
    dataset: DemoDataset,
    s3: DemoS3,
    settings: DiscoverSettings = {},
  ): Promise<DemoDiscover> {
    const service = new DemoDiscover(dataset, s3, settings);
    for (let v = 0; v < dataset.versions.length; v++) await service.#publishVersion(v + 1);
    if (service.bucket !== OPEN_BUCKET) s3.setRequesterPays(service.bucket);
    return service;
  }

  async #publishVersion(version: number): Promise<void> {
    const prefix = this.#prefix(version);
    const files: Published[] = [];
    for (const file of this.dataset.versions[version - 1]) {
      const keyPath = file.keyPath ?? cleanKeyPath(file.path);
      const key = prefix + keyPath;
      const digest = await sha256(file.bytes);
      const earlier = this.#versions.flat().find((f) => f.key === key && f.sha256 === digest);
      const versionId = this.layout === "migrated"
        ? earlier?.versionId ?? `v${version}.${digest.slice(0, 12)}`
        : null;
      if (!earlier) this.s3.put(this.bucket, key, file.bytes, versionId ?? undefined);
      files.push({
        path: file.path,
        keyPath,
        name: file.path.split("/").pop()!,
        size: file.bytes.length,
        uri: `s3://${this.bucket}/${key}`,
        key,
        versionId,
        sha256: this.layout === "migrated" ? digest : null,
        packageId: file.path.startsWith("files/") ? `N:package:${packageId(digest)}` : null,
      });
    }
    this.#versions.push(files);
    const manifest = new TextEncoder().encode(JSON.stringify(this.#manifest(version)));
    this.s3.put(this.bucket, `${prefix}manifest.json`, manifest, `manifest-${version}`);
  }

  #prefix(version: number): string {
    return this.layout === "migrated" ? `${this.dataset.id}/` : `${this.dataset.id}/${version}/`;
  }

  /** Answers a request whose path below the service's base is `path`. */
  async handle(request: Request, path: string): Promise<Response> {
    const { misbehave } = this;
    this.requests.push({ method: request.method, path, headers: request.headers });
    const status = misbehave.statuses?.shift();
    if (status) return new Response("trouble", { status, headers: { "Retry-After": "0" } });
    if (request.headers.has("Authorization") || request.headers.has("Cookie")) {
      return json("credentials were sent to a public service", 400);
    }
    const [, id, rest] = /^\/datasets\/(\d+)(\/.*)?$/.exec(path) ?? [];
    if (id === undefined) return json(path, 404);
    if (Number(id) !== this.dataset.id) return json(id, 404);
    if (misbehave.withdrawn) return json(this.#tombstone(), 410);
    const count = this.dataset.versions.length;
    if (!rest) return json(this.#describe(count));
    if (rest === "/versions") {
      return json(Array.from({ length: count }, (_, i) => this.#describe(count - i)));
    }
    const [, versionText, call = ""] = /^\/versions\/(\d+)(\/.*)?$/.exec(rest) ?? [];
    const version = Number(versionText);
    if (!(version >= 1 && version <= count)) return json(rest, 404);
    if (misbehave.embargo && call !== "") {
      return json("Dataset is under embargo", misbehave.embargo);
    }
    const query = new URL(request.url).searchParams;
    switch (call) {
      case "":
        return json(this.#describe(version));
      case "/metadata":
        return this.#metadata(version);
      case "/files/browse":
        return this.#browse(version, query);
      case "/files/download-manifest":
        return await this.#downloadManifest(version, request);
      default:
        return json(path, 404);
    }
  }

  #describe(version: number): Record<string, unknown> {
    const { id, name, description, doi, license, tags, contributors } = this.dataset;
    const files = this.#versions[version - 1];
    const uri = `s3://${this.bucket}/${this.#prefix(version)}`;
    return {
      id,
      sourceDatasetId: 1,
      name,
      description,
      ownerId: 1,
      ownerFirstName: contributors.at(-1)?.firstName ?? null,
      ownerLastName: contributors.at(-1)?.lastName ?? null,
      ownerOrcid: contributors.at(-1)?.orcid ?? null,
      organizationName: "SPARC Consortium",
      organizationId: 367,
      license,
      tags,
      version,
      revision: null,
      size: files.reduce((sum, file) => sum + file.size, 0),
      modelCount: [{ modelName: "animal_subject", count: 5 }],
      fileCount: files.length,
      recordCount: 5,
      uri,
      arn: uri.replace("s3://", "arn:aws:s3:::"),
      status: "PUBLISH_SUCCEEDED",
      doi,
      banner: null,
      readme: null,
      changelog: null,
      contributors: contributors.map((c) => ({ ...c, middleInitial: null, degree: null })),
      collections: [],
      externalPublications: [],
      sponsorship: null,
      pennsieveSchemaVersion: this.layout === "migrated" ? "5.0" : "4.0",
      createdAt: "2022-03-24T00:00:00Z",
      updatedAt: "2022-03-24T00:00:00Z",
      firstPublishedAt: "2022-03-24T00:00:00Z",
      versionPublishedAt: `2022-03-2${3 + version}T00:00:00Z`,
      revisedAt: null,
      embargo: this.misbehave.embargo !== undefined,
      embargoReleaseDate: null,
      embargoAccess: null,
      datasetType: "research",
      release: null,
      doiCollection: null,
    };
  }

  #tombstone(): Record<string, unknown> {
    const { id, name, doi, tags } = this.dataset;
    return {
      id,
      version: this.dataset.versions.length,
      name,
      tags,
      status: "UNPUBLISHED",
      doi,
      updatedAt: "2022-03-24T00:00:00Z",
    };
  }

  #manifest(version: number): Record<string, unknown> {
    const { id, name, description, doi, license, tags, contributors } = this.dataset;
    const wrong = this.misbehave.wrongManifestKeys;
    const files = this.#versions[version - 1].map((file) =>
      this.misbehave.schema3
        ? { path: file.keyPath, size: file.size, fileType: fileType(file.name)[0] }
        : {
          name: file.name,
          path: wrong ? file.keyPath.replaceAll("_", "-") : file.keyPath,
          size: file.size,
          fileType: fileType(file.name)[0],
          ...(file.packageId ? { sourcePackageId: file.packageId } : {}),
          ...(file.versionId ? { s3VersionId: file.versionId } : {}),
          ...(file.sha256 ? { sha256: file.sha256 } : {}),
        }
    );
    return {
      "@context": "http://schema.org/",
      "@id": `https://doi.org/${doi}`,
      "@type": "Dataset",
      collections: [],
      contributors: contributors.map((c) => ({
        first_name: c.firstName,
        last_name: c.lastName,
        orcid: c.orcid ?? "",
      })),
      datePublished: "2022-03-24",
      description,
      files,
      keywords: tags,
      license,
      name,
      pennsieveDatasetId: id,
      pennsieveSchemaVersion: this.misbehave.schema3
        ? 3
        : this.layout === "migrated"
        ? "5.0"
        : "4.0",
      publisher: "The University of Pennsylvania",
      schemaVersion: "http://schema.org/version/3.7/",
      sourceOrganization: "SPARC Consortium",
      version,
    };
  }

  #metadata(version: number): Response {
    const { misbehave } = this;
    if (misbehave.noManifest) return json(`${this.dataset.id}/${version}/manifest.json`, 404);
    const bytes = new TextEncoder().encode(JSON.stringify(this.#manifest(version)));
    const headers = { "Content-Type": "application/json", "Content-Length": String(bytes.length) };
    if (misbehave.manifestCuts && misbehave.manifestCuts-- > 0) {
      const sent = bytes.slice(0, misbehave.manifestCutBytes ?? 100);
      return new Response(new Blob([sent]).stream(), { headers });
    }
    return new Response(bytes, { headers });
  }

  #browse(version: number, query: URLSearchParams): Response {
    const asked = (query.get("path") ?? "").replace(/\/+$/, "");
    const limit = Math.min(
      Number(query.get("limit") ?? 100),
      this.misbehave.pageEntries ?? Infinity,
    );
    const offset = Number(query.get("offset") ?? 0);
    const prefix = asked === "" ? "" : `${asked}/`;
    const folders = new Map<string, number>();
    const nodes: Record<string, unknown>[] = [];
    for (const file of this.#versions[version - 1]) {
      const path = [file.path, file.keyPath].find((p) => p.startsWith(prefix));
      if (path === undefined) continue;
      const rest = path.slice(prefix.length);
      const slash = rest.indexOf("/");
      if (slash >= 0) {
        const name = rest.slice(0, slash);
        folders.set(name, (folders.get(name) ?? 0) + file.size);
        continue;
      }
      const [type, packageType, icon] = fileType(file.name);
      nodes.push({
        name: file.name,
        path: prefix + file.name,
        size: file.size,
        fileType: type,
        uri: file.uri,
        packageType,
        icon,
        sourcePackageId: file.packageId,
        createdAt: "2022-03-24T00:00:00Z",
        s3Version: file.versionId,
        sha256: file.sha256,
        type: "File",
      });
    }
    const byName = (a: { name?: unknown }, b: { name?: unknown }) =>
      String(a.name) < String(b.name) ? -1 : 1;
    const all = [
      ...[...folders].map(([name, size]) => ({
        name,
        path: prefix + name,
        size,
        type: "Directory",
      }))
        .sort(byName),
      ...nodes.sort(byName),
    ];
    if (all.length === 0) return json(asked, 404);
    const files = all.slice(offset, offset + limit);
    return json({ limit, offset, totalCount: all.length, files });
  }

  async #downloadManifest(version: number, request: Request): Promise<Response> {
    if (request.method !== "POST") return json("method", 405);
    const { paths } = await request.json() as { paths: string[] };
    const wanted = paths.map((path) => path.replace(/^\/+|\/+$/g, ""));
    // By key path, not by name.
    const files = this.#versions[version - 1].filter((file) =>
      wanted.some((path) =>
        path === "" || file.keyPath === path || file.keyPath.startsWith(`${path}/`)
      )
    );
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (size > (this.misbehave.downloadLimitBytes ?? 1e9)) {
      return json("requested files are too large to download", 403);
    }
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
    const data = files.map((file) => {
      const query = new URLSearchParams({
        ...(file.versionId ? { versionId: file.versionId } : {}),
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Date": date,
        "X-Amz-Expires": "3600",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "demo",
      });
      const key = file.key.split("/").map(encodeURIComponent).join("/");
      return {
        fileName: file.name,
        path: file.keyPath.split("/").slice(0, -1),
        url: `${this.s3Endpoint}/${this.bucket}/${key}?${query}`,
        size: file.size,
        sha256: null,
      };
    });
    return json({ header: { count: data.length, size }, data });
  }
}

function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/json" },
  });
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice()));
  return [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
}

function packageId(digest: string): string {
  return [8, 4, 4, 4, 12].map((n, i) => digest.slice(i * 12, i * 12 + n)).join("-");
}
