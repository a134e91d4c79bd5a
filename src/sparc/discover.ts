/**
 * The Pennsieve Discover service, which publishes SPARC datasets. Only public reads: nothing is ever
 * sent that could identify the user.
 */
import { JSONParser } from "@streamparser/json";
import * as v from "valibot";
import { FuseError, isFuseError } from "../errors.ts";
import { streamPieces } from "../source/pipe.ts";
import { baseName } from "../source/urls.ts";
import {
  awaitRetry,
  checkAborted,
  DEFAULT_RETRY,
  isTransientStatus,
  parseRetryAfter,
  retry,
  type RetryPolicy,
  TransientFailure,
} from "../source/retry.ts";
import {
  browsePageSchema,
  datasetSchema,
  downloadManifestSchema,
  manifestFileSchema,
  tombstoneSchema,
} from "./discover-schemas.ts";
import type { BrowseNode, DiscoverDataset, ManifestFile, SignedFile } from "./discover-types.ts";

/** Where Discover is, unless a caller says otherwise. */
export const DISCOVER_URL = "https://api.pennsieve.io/discover";

/** Settings of a {@link DiscoverClient}. */
export interface DiscoverOptions {
  /** Base of the API, without a trailing slash. */
  baseUrl?: string;
  /** Cancels everything under way. */
  signal?: AbortSignal;
  /** How persistent to be. */
  retry?: Partial<RetryPolicy>;
  /** What sends requests; the platform's fetch by default. */
  fetch?: typeof fetch;
  /** Entries asked for per page of a folder. */
  pageSize?: number;
}

/** A client of one Discover service. */
export class DiscoverClient {
  /** Base of the API, without a trailing slash. */
  readonly baseUrl: string;
  /** The settings it was made with, for clients of the same kind. */
  readonly options: DiscoverOptions;
  readonly #policy: RetryPolicy;

  /** Makes a client; no request is sent yet. */
  constructor(options: DiscoverOptions = {}) {
    this.baseUrl = (options.baseUrl ?? DISCOVER_URL).replace(/\/+$/, "");
    this.options = options;
    this.#policy = { ...DEFAULT_RETRY, ...options.retry };
  }

  /** The latest visible version of a dataset. */
  async dataset(id: number): Promise<DiscoverDataset> {
    const path = `/datasets/${id}`;
    return this.#check(datasetSchema, await this.#json(path, { what: `dataset ${id}` }), path);
  }

  /** One version of a dataset; the latest when none is given. */
  async datasetVersion(id: number, version?: number): Promise<DiscoverDataset> {
    if (version === undefined) return await this.dataset(id);
    const path = `/datasets/${id}/versions/${version}`;
    const what = `dataset ${id} version ${version}`;
    return this.#check(datasetSchema, await this.#json(path, { what }), path);
  }

  /** All visible versions of a dataset, the latest first. */
  async versions(id: number): Promise<DiscoverDataset[]> {
    const path = `/datasets/${id}/versions`;
    const all = this.#check(
      v.array(datasetSchema),
      await this.#json(path, { what: `dataset ${id}` }),
      path,
    );
    return all.sort((a, b) => b.version - a.version);
  }

  /**
   * The files of a version's manifest, as they arrive: manifests of large datasets are tens of
   * megabytes. Older schemas (metadata.json) have the same list with fewer fields.
   */
  async *manifest(id: number, version: number): AsyncGenerator<ManifestFile> {
    const path = `/datasets/${id}/versions/${version}/metadata`;
    const source = this.baseUrl + path;
    const { signal } = this.options;
    // A manifest cut in the middle is asked for again, and what was given out already is skipped.
    let given = 0;
    for (let failures = 1;; failures++) {
      const response = await this.#response(path, { what: `the file list of dataset ${id}` });
      const ready: unknown[] = [];
      const parser = new JSONParser({ paths: ["$.files.*"], keepStack: false });
      parser.onValue = ({ value }) => void ready.push(value);
      let at = 0;
      let received = 0;
      try {
        for await (const piece of streamPieces(response.body ?? new Blob([]).stream(), signal)) {
          received += piece.length;
          try {
            parser.write(piece);
          } catch (cause) {
            throw this.#badAnswer(source, "not JSON", received, cause);
          }
          for (const value of ready.splice(0)) {
            if (at++ < given) continue;
            given++;
            yield this.#check(manifestFileSchema, value, path);
          }
        }
        if (!parser.isEnded) throw new TransientFailure("the file list is cut off");
        return;
      } catch (error) {
        const place = { source, offset: received };
        await awaitRetry(error, failures, this.#policy, place, signal);
      }
    }
  }

  /** The entries of one folder (key or name path without a leading slash; "" is the root), all pages. */
  async *browse(id: number, version: number, folder = ""): AsyncGenerator<BrowseNode> {
    const limit = this.options.pageSize ?? 500;
    let offset = 0;
    for (;;) {
      const query = new URLSearchParams({ limit: String(limit), offset: String(offset) });
      if (folder !== "") query.set("path", folder);
      const path = `/datasets/${id}/versions/${version}/files/browse?${query}`;
      const what = folder === "" ? `dataset ${id}` : `folder ${folder} of dataset ${id}`;
      const page = this.#check(browsePageSchema, await this.#json(path, { what }), path);
      yield* page.files;
      offset += page.files.length;
      // A page may be shorter than asked for; only an empty one or the total ends the list.
      if (page.files.length === 0 || offset >= page.totalCount) return;
    }
  }

  /**
   * Signed addresses of files or folders, by key path. When the service finds the request too large
   * (403), it is split.
   * @throws FuseError `Network` when even one path alone is refused.
   */
  async signedUrls(id: number, version: number, keyPaths: string[]): Promise<SignedFile[]> {
    const path = `/datasets/${id}/versions/${version}/files/download-manifest`;
    let answer: unknown;
    try {
      answer = await this.#json(path, {
        what: `files of dataset ${id}`,
        body: { paths: keyPaths },
      });
    } catch (error) {
      const refused = isFuseError(error) && /^HTTP 403/.test(String(error.details.found));
      if (!refused || keyPaths.length < 2) throw error;
      const half = keyPaths.length >> 1;
      return [
        ...await this.signedUrls(id, version, keyPaths.slice(0, half)),
        ...await this.signedUrls(id, version, keyPaths.slice(half)),
      ];
    }
    return this.#check(downloadManifestSchema, answer, path).data.map((file) => {
      if (!URL.canParse(file.url)) {
        throw new FuseError("Network", "the service gives an address that is none", {
          source: this.baseUrl + path,
          found: file.url,
        });
      }
      return {
        name: file.fileName,
        keyPath: [...file.path, baseName(new URL(file.url).pathname)].join("/"),
        url: file.url,
        size: file.size ?? undefined,
      };
    });
  }

  async #json(path: string, request: { what: string; body?: unknown }): Promise<unknown> {
    const source = this.baseUrl + path;
    return await retry(
      async () => {
        const response = await this.#send(path, request);
        const text = await response.text();
        try {
          return JSON.parse(text);
        } catch (cause) {
          // A body cut in the middle: the length it promised tells it from one that never was JSON.
          const promised = Number(response.headers.get("Content-Length") ?? NaN);
          if (promised > new TextEncoder().encode(text).length) {
            throw new TransientFailure("the answer is cut off", undefined, cause);
          }
          throw this.#badAnswer(source, text.slice(0, 80), 0, cause);
        }
      },
      this.#policy,
      { source },
      { signal: this.options.signal },
    );
  }

  async #response(path: string, request: { what: string }): Promise<Response> {
    return await retry(
      () => this.#send(path, request),
      this.#policy,
      { source: this.baseUrl + path },
      { signal: this.options.signal },
    );
  }

  async #send(path: string, request: { what: string; body?: unknown }): Promise<Response> {
    const { signal } = this.options;
    const source = this.baseUrl + path;
    checkAborted(signal, { source });
    const send = this.options.fetch ?? fetch;
    const response = await send(source, {
      method: request.body === undefined ? "GET" : "POST",
      headers: {
        Accept: "application/json",
        ...(request.body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      body: request.body === undefined ? undefined : JSON.stringify(request.body),
      // Public data: no cookie, token or referrer has any business here.
      credentials: "omit",
      referrerPolicy: "no-referrer",
      signal,
    });
    if (response.ok) return response;
    throw await this.#refusal(response, source, request.what);
  }

  /** What a refusal means; the body is a bare JSON string, or a tombstone for 410. */
  async #refusal(response: Response, source: string, what: string): Promise<Error> {
    const { status } = response;
    const text = (await response.text().catch(() => "")).slice(0, 4096);
    if (isTransientStatus(status)) {
      return new TransientFailure(
        `HTTP ${status}`,
        parseRetryAfter(response.headers.get("Retry-After")),
      );
    }
    let body: unknown = text;
    try {
      body = JSON.parse(text);
    } catch { /* plain text: shown as it is */ }
    const said = typeof body === "string" ? body : "";
    const details = { source, found: `HTTP ${status}${said ? ` "${said}"` : ""}` };
    if (status === 404) {
      return new FuseError("Usage", `${what} is not published`, details);
    }
    if (status === 410) {
      const tombstone = v.safeParse(tombstoneSchema, body);
      const { name, status: state, doi } = tombstone.success ? tombstone.output : {};
      return new FuseError("Usage", `${what} has been withdrawn`, {
        ...details,
        found: `HTTP 410 ${[state, name && `"${name}"`, doi].filter(Boolean).join(", ")}`.trim(),
      });
    }
    if ((status === 401 || status === 403) && /embargo/i.test(said)) {
      return new FuseError("Network", `${what} is under embargo`, {
        ...details,
        remedy: "Embargoed data can be read only through the portal, by those it is shared with.",
      });
    }
    return new FuseError("Network", `the service refuses ${what}`, details);
  }

  #check<S extends v.GenericSchema>(schema: S, value: unknown, path: string): v.InferOutput<S> {
    const result = v.safeParse(schema, value);
    if (result.success) return result.output;
    const issue = result.issues[0];
    throw new FuseError("Network", "the service's answer has an unknown form", {
      source: this.baseUrl + path,
      field: v.getDotPath(issue) ?? undefined,
      found: issue.received,
      expected: issue.expected ?? undefined,
    });
  }

  #badAnswer(source: string, found: string, offset: number, cause: unknown): FuseError {
    return new FuseError("Network", "the service's answer is not JSON", {
      source,
      offset,
      found,
      cause,
    });
  }
}
