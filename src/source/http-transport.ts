/** HTTP requests for byte ranges of one file: what they say, and what answers are believed. */
import { FuseError } from "../errors.ts";
import type { RangeTransport } from "./ranges.ts";
import { isTransientStatus, parseRetryAfter, type RetryPolicy, TransientFailure } from "./retry.ts";
import type { ByteSource, UrlRenewal } from "./source.ts";
import { publicUrl } from "./urls.ts";

/** How to open a URL. */
export interface HttpOptions {
  headers?: Record<string, string>;
  /** Size, when it is known from elsewhere; then opening costs no request. */
  size?: number;
  name?: string;
  /** ETag the file must have, when known from elsewhere. */
  tag?: string;
  retry?: Partial<RetryPolicy>;
  signal?: AbortSignal;
  fetch?: typeof fetch;
  /** How to get a fresh URL when the service refuses this one (an expired signature). */
  renewUrl?: () => Promise<string>;
  /** The same as plain data, for workers. */
  renewal?: UrlRenewal;
  /** How to open other files of the set; by the URL's folder when absent. */
  openSibling?: (relativePath: string) => Promise<ByteSource | null>;
  windowBytes?: number;
}

/** One file's address and what must stay true of it. */
export class HttpTransport implements RangeTransport {
  url: string;
  tag: string | undefined;
  size: number | undefined;
  readonly uri: string;
  readonly #fetch: typeof fetch;
  readonly #options: HttpOptions;
  #renewing: Promise<void> | undefined;
  #renewedAt = -Infinity;

  constructor(url: string, options: HttpOptions) {
    this.url = url;
    this.uri = publicUrl(url);
    this.tag = options.tag;
    this.size = options.size;
    this.#options = options;
    this.#fetch = options.fetch ?? fetch;
  }

  /** Sends a request; refused statuses become errors, 200, 206 and 416 are returned. */
  async request(
    method: "GET" | "HEAD",
    range: { start: number; end: number } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const headers = new Headers(this.#options.headers);
    // Ranges count bytes of the encoded form: a compressed answer would be another file.
    headers.set("Accept-Encoding", "identity");
    if (range) {
      headers.set("Range", `bytes=${range.start}-${range.end - 1}`);
      if (range.start > 0 && this.tag && !this.tag.startsWith("W/") && !inBrowser()) {
        headers.set("If-Range", this.tag);
      }
    }
    const fetchFile = this.#fetch;
    const sentAt = performance.now();
    const response = await fetchFile(this.url, { method, headers, signal });
    const { status } = response;
    if (status === 200 || status === 206 || status === 416) return response;
    await response.body?.cancel();
    if (isTransientStatus(status)) {
      throw new TransientFailure(
        `HTTP ${status}`,
        parseRetryAfter(response.headers.get("Retry-After")),
      );
    }
    if ((status === 401 || status === 403) && await this.#renew(sentAt)) {
      throw new TransientFailure(`HTTP ${status}`);
    }
    throw new FuseError("Network", refusal(status), {
      source: this.uri,
      found: `HTTP ${status} after 1 attempt`,
      remedy: status === 401 || status === 403
        ? "The service wants credentials, or the address has expired."
        : undefined,
    });
  }

  /** Asks for a fresh URL; false when there is nobody to ask, or the refused URL was already fresh. */
  async #renew(sentAt: number): Promise<boolean> {
    const renewUrl = this.#options.renewUrl;
    if (!renewUrl) return false;
    if (sentAt < this.#renewedAt) return true;
    if (this.#renewedAt > -Infinity && performance.now() - this.#renewedAt < 30_000) return false;
    this.#renewing ??= (async () => {
      try {
        this.url = await renewUrl();
        this.#renewedAt = performance.now();
      } finally {
        this.#renewing = undefined;
      }
    })();
    await this.#renewing;
    return true;
  }

  async open(start: number, end: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.request("GET", { start, end }, signal);
    const body = response.body ?? new Blob([]).stream();
    const refuse = async (statement: string, found: string, expected: string): Promise<never> => {
      await body.cancel();
      throw new FuseError("Network", statement, {
        source: this.uri,
        offset: start,
        found,
        expected,
      });
    };
    const tag = response.headers.get("ETag");
    if (this.tag && tag && !sameTag(tag, this.tag)) {
      return await refuse("the file changed while it was read", `ETag ${tag}`, this.tag);
    }
    this.tag ??= tag ?? undefined;
    const encoding = response.headers.get("Content-Encoding");
    if (encoding && encoding !== "identity") {
      return await refuse("the server answers a byte range", `${encoding} encoding`, "the bytes");
    }
    const sent = contentRange(response);
    if (sent && sent.total !== undefined && this.size !== undefined && sent.total !== this.size) {
      const statement = "the file changed while it was read";
      return await refuse(statement, `${sent.total} bytes`, `${this.size} bytes`);
    }
    if (response.status === 416) {
      return await refuse("the server has no such bytes", "HTTP 416", `bytes ${start}-${end - 1}`);
    }
    if (response.status === 206) {
      if (sent?.start !== undefined && sent.start !== start) {
        return await refuse(
          "the server answers another range",
          `bytes from ${sent.start}`,
          `${start}`,
        );
      }
      return body;
    }
    const length = contentLength(response);
    if (length !== undefined && this.size !== undefined && length !== this.size) {
      const statement = "the file changed while it was read";
      return await refuse(statement, `${length} bytes`, `${this.size} bytes`);
    }
    return start === 0 ? body : body.pipeThrough(skipBytes(start), { signal });
  }
}

function refusal(status: number): string {
  if (status === 404 || status === 410) return "there is no such file";
  if (status === 401 || status === 403) return "access is denied";
  return "the server refuses the read";
}

function skipBytes(count: number): TransformStream<Uint8Array, Uint8Array> {
  let left = count;
  return new TransformStream({
    transform(piece, controller) {
      if (left >= piece.length) left -= piece.length;
      else {
        controller.enqueue(left > 0 ? piece.subarray(left) : piece);
        left = 0;
      }
    },
  });
}

/** Content-Length of an answer, when it says one. */
export function contentLength(response: Response): number | undefined {
  const text = response.headers.get("Content-Length");
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The parts of a Content-Range header that are there: `bytes 0-9/100`, `bytes 0-9/*`, `bytes * /100`. */
export function contentRange(response: Response): { start?: number; total?: number } | undefined {
  const match = /^bytes\s+(?:(\d+)-\d+|\*)\/(\d+|\*)$/i.exec(
    response.headers.get("Content-Range")?.trim() ?? "",
  );
  if (!match) return undefined;
  return {
    start: match[1] === undefined ? undefined : Number(match[1]),
    total: match[2] === "*" ? undefined : Number(match[2]),
  };
}

function sameTag(a: string, b: string): boolean {
  return a.replace(/^W\//, "") === b.replace(/^W\//, "");
}

/** In a page If-Range would cost a CORS preflight; there the ETag of each answer is compared instead. */
function inBrowser(): boolean {
  return /Mozilla/.test(globalThis.navigator?.userAgent ?? "");
}
