/** Files behind http(s) URLs, read by byte ranges (RFC 9110 section 14). */
import { FuseError } from "../errors.ts";
import { ForwardSource } from "./forward.ts";
import { contentLength, contentRange, type HttpOptions, HttpTransport } from "./http-transport.ts";
import { MemorySource } from "./memory.ts";
import { newStats, RangeSource, readRange } from "./ranges.ts";
import { checkAborted, DEFAULT_RETRY, retry, type RetryPolicy, TransientFailure } from "./retry.ts";
import type { ByteSource, ReadOptions, SourceSpec, SourceStats } from "./source.ts";
import { baseName, resolveSibling } from "./urls.ts";

/** Bytes asked for by the request that opens a file; they stay at hand for the first header read. */
export const OPENING_BYTES = 64 << 10;

/** Files up to this size are held in memory when their server ignores ranges. */
export const SMALL_FILE_BYTES = 8 << 20;

/** A file whose server answers byte ranges. */
export class HttpSource extends RangeSource {
  readonly name: string;
  readonly size: number;
  protected readonly transport: HttpTransport;
  readonly #options: HttpOptions;
  /** The first bytes of the file, received when it was opened. */
  readonly #head: Uint8Array;

  private constructor(
    transport: HttpTransport,
    size: number,
    head: Uint8Array,
    name: string,
    options: HttpOptions,
    stats: SourceStats,
  ) {
    super({ ...DEFAULT_RETRY, ...options.retry }, stats);
    this.transport = transport;
    this.size = size;
    this.name = name;
    this.#head = head;
    this.#options = options;
  }

  /**
   * Opens a URL. One request for the first {@link OPENING_BYTES} tells the size, the ETag and whether
   * the server answers ranges. If it does not, a small file is held in memory and a large one becomes
   * a {@link ForwardSource}.
   * @throws FuseError `Network` with URL, status and attempts.
   */
  static async open(url: string, options: HttpOptions = {}): Promise<ByteSource> {
    const transport = new HttpTransport(url, options);
    const policy: RetryPolicy = { ...DEFAULT_RETRY, ...options.retry };
    const stats = newStats();
    const urlName = options.name ?? baseName(new URL(url).pathname);
    if (options.size !== undefined) {
      return new HttpSource(transport, options.size, new Uint8Array(0), urlName, options, stats);
    }
    return await retry(
      async () => {
        stats.requests++;
        const response = await transport.request(
          "GET",
          { start: 0, end: OPENING_BYTES },
          timeLimit(options.signal, policy.stallMillis),
        );
        const name = options.name ?? fileNameOf(response) ?? urlName;
        transport.tag ??= response.headers.get("ETag") ?? undefined;
        if (response.status === 200) {
          return await openRangeless(transport, response, name, options, policy, stats);
        }
        const sent = contentRange(response);
        if (response.status === 416) {
          await response.body?.cancel();
          if (sent?.total !== 0) throw refused(transport, "HTTP 416 for its first bytes");
          transport.size = 0;
          return new HttpSource(transport, 0, new Uint8Array(0), name, options, stats);
        }
        if (isEncoded(response)) {
          await response.body?.cancel();
          throw refused(transport, "a compressed answer to a byte range");
        }
        const head = new Uint8Array(await response.arrayBuffer());
        stats.bytes += head.length;
        const size = sent?.total ?? await sizeByHead(transport, head, stats, options);
        if (head.length > size || (head.length < Math.min(size, OPENING_BYTES))) {
          throw new TransientFailure(`${head.length} bytes of a file of ${size}`);
        }
        transport.size = size;
        return new HttpSource(transport, size, head, name, options, stats);
      },
      policy,
      { source: transport.uri },
      { signal: options.signal, onRetry: () => stats.retries++ },
    );
  }

  get uri(): string {
    return this.transport.uri;
  }

  get tag(): string | undefined {
    return this.transport.tag;
  }

  get spec(): SourceSpec {
    return {
      kind: "http",
      url: this.transport.url,
      headers: this.#options.headers,
      size: this.size,
      name: this.name,
      tag: this.tag,
      renewal: this.#options.renewal,
    };
  }

  override async readInto(
    offset: number,
    target: Uint8Array,
    options: ReadOptions = {},
  ): Promise<void> {
    const held = this.#head.subarray(Math.max(0, offset), offset + target.length);
    if (held.length < target.length) return await super.readInto(offset, target, options);
    checkAborted(options.signal, { source: this.uri, offset });
    target.set(held);
  }

  async sibling(relativePath: string): Promise<ByteSource | null> {
    return await httpSibling(this.transport.url, relativePath, this.#options);
  }

  siblingNames(): Promise<string[] | null> {
    return Promise.resolve(null);
  }
}

/** A file whose server sent all of it, whatever was asked. */
async function openRangeless(
  transport: HttpTransport,
  response: Response,
  name: string,
  options: HttpOptions,
  policy: RetryPolicy,
  stats: SourceStats,
): Promise<ByteSource> {
  const size = isEncoded(response) ? undefined : contentLength(response);
  transport.size = size;
  if (size !== undefined && size <= SMALL_FILE_BYTES) {
    const bytes = new Uint8Array(await response.arrayBuffer());
    stats.bytes += bytes.length;
    if (bytes.length !== size) throw new TransientFailure(`${bytes.length} of ${size} bytes`);
    return new HeldSource(name, bytes, transport, options, stats);
  }
  await response.body?.cancel();
  const { uri } = transport;
  return new ForwardSource({
    name,
    uri,
    size,
    distance: "remote",
    spec: { kind: "http", url: transport.url, headers: options.headers, name },
    tag: transport.tag,
    stats,
    windowBytes: options.windowBytes,
    again: true,
    why: "the server ignores byte ranges",
    pass: (signal) =>
      size === undefined
        ? unsizedPass(transport, policy, stats, signal)
        : readRange({ transport, source: uri, policy, stats, signal }, 0, size),
    sibling: (path) => httpSibling(transport.url, path, options),
  });
}

/** One pass over a body of unknown length: it ends where the server ends it, so it cannot be resumed. */
async function* unsizedPass(
  transport: HttpTransport,
  policy: RetryPolicy,
  stats: SourceStats,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const response = await retry(
    () => {
      stats.requests++;
      return transport.request("GET", undefined, signal);
    },
    policy,
    { source: transport.uri },
    { signal, onRetry: () => stats.retries++ },
  );
  let at = 0;
  try {
    for await (const piece of response.body ?? new Blob([]).stream()) {
      at += piece.length;
      stats.bytes += piece.length;
      yield piece;
    }
  } catch (cause) {
    checkAborted(signal, { source: transport.uri, offset: at });
    throw new FuseError("Network", "the connection broke, and the server cannot resume", {
      source: transport.uri,
      offset: at,
      cause,
    });
  }
}

/** A small file held whole, because its server cannot give parts of it. */
class HeldSource extends MemorySource {
  readonly #transport: HttpTransport;
  readonly #options: HttpOptions;

  constructor(
    name: string,
    bytes: Uint8Array,
    transport: HttpTransport,
    options: HttpOptions,
    readonly stats: SourceStats,
  ) {
    super(name, bytes);
    this.#transport = transport;
    this.#options = options;
  }

  override get uri(): string {
    return this.#transport.uri;
  }

  get tag(): string | undefined {
    return this.#transport.tag;
  }

  override async sibling(relativePath: string): Promise<ByteSource | null> {
    return await httpSibling(this.#transport.url, relativePath, this.#options);
  }

  override siblingNames(): Promise<string[] | null> {
    return Promise.resolve(null);
  }
}

async function httpSibling(
  url: string,
  relativePath: string,
  options: HttpOptions,
): Promise<ByteSource | null> {
  const { headers, retry, fetch, windowBytes, openSibling } = options;
  if (openSibling) return await openSibling(relativePath);
  const place = resolveSibling(url, relativePath);
  if (place === undefined) return null;
  try {
    return await HttpSource.open(place, {
      headers,
      retry,
      fetch,
      windowBytes,
    });
  } catch (error) {
    const status = /HTTP (\d+)/.exec(String((error as FuseError).details?.found))?.[1];
    if (status && ["401", "403", "404", "410"].includes(status)) return null;
    throw error;
  }
}

async function sizeByHead(
  transport: HttpTransport,
  head: Uint8Array,
  stats: SourceStats,
  options: HttpOptions,
): Promise<number> {
  // A short answer to a range from 0 is the whole file.
  if (head.length < OPENING_BYTES) return head.length;
  stats.requests++;
  const size = contentLength(await transport.request("HEAD", undefined, options.signal));
  if (size === undefined) throw refused(transport, "no length, neither by GET nor by HEAD");
  return size;
}

function refused(transport: HttpTransport, found: string): FuseError {
  return new FuseError("Network", "the server does not tell the file's size", {
    source: transport.uri,
    found,
  });
}

/** True when the body's length and ranges are those of a compressed form. */
function isEncoded(response: Response): boolean {
  return (response.headers.get("Content-Encoding") ?? "identity") !== "identity";
}

function timeLimit(signal: AbortSignal | undefined, millis: number): AbortSignal {
  const limit = AbortSignal.timeout(millis);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

/** File name of a Content-Disposition header (RFC 6266), without any folder. */
function fileNameOf(response: Response): string | undefined {
  const header = response.headers.get("Content-Disposition");
  if (!header) return undefined;
  const extended = /filename\*\s*=\s*(?:UTF-8|utf-8)''([^;]+)/.exec(header)?.[1];
  const plain = /filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]+))/.exec(header);
  let name = plain?.[1]?.replace(/\\(.)/g, "$1") ?? plain?.[2];
  try {
    if (extended) name = decodeURIComponent(extended.trim());
  } catch { /* badly encoded: the plain form stays */ }
  return name?.trim().split(/[\\/]/).pop() || undefined;
}
