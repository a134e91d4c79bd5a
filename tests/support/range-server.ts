/** A loopback file server that answers byte ranges, and misbehaves on request. */

/** How the server misbehaves; every request sees the current values. */
export interface Misbehaviour {
  /** Statuses to answer with first, one per request, before behaving. */
  statuses?: number[];
  headersOfStatus?: Record<string, string>;
  /** Break the connection after this many body bytes, this many times. */
  cutAfterBytes?: number;
  cuts?: number;
  /** Ignore Range: answer 200 with everything. */
  noRanges?: boolean;
  /** Leave out Content-Length (chunked). */
  noLength?: boolean;
  /** Content-Range total as "*". */
  hideTotal?: boolean;
  /** Answer ranges from another place. */
  shiftBytes?: number;
  /** End bodies early without an error, this many times. */
  shortBodies?: number;
  /** Send nothing, this many times. */
  stalls?: number;
  etag?: string;
  noHead?: boolean;
  disposition?: string;
}

/** A running server over one file, at any path that does not contain "missing". */
export interface RangeServer {
  url: string;
  misbehave: Misbehaviour;
  requests: { method: string; path: string; range: string | null; headers: Headers }[];
  /** Replaces the bytes, as when a file is published anew. */
  replace(bytes: Uint8Array, etag: string): void;
  stop(): Promise<void>;
}

/** Starts a server on a free port. */
export function startRangeServer(content: Uint8Array, misbehave: Misbehaviour = {}): RangeServer {
  let bytes = content;
  const controller = new AbortController();
  const requests: RangeServer["requests"] = [];
  const stalled: (() => void)[] = [];
  const result = { misbehave, requests } as RangeServer;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: controller.signal, onListen() {} },
    async (request) => {
      const m = result.misbehave;
      const path = new URL(request.url).pathname;
      const range = request.headers.get("Range");
      requests.push({ method: request.method, path, range, headers: request.headers });
      if (path.includes("missing")) return new Response("gone", { status: 404 });
      if (m.stalls && m.stalls-- > 0) {
        await new Promise<void>((resolve) => stalled.push(resolve));
      }
      const status = m.statuses?.shift();
      if (status) return new Response("trouble", { status, headers: m.headersOfStatus });
      const headers = new Headers({ ETag: m.etag ?? '"v1"' });
      if (m.disposition) headers.set("Content-Disposition", m.disposition);
      if (request.method === "HEAD") {
        if (m.noHead) return new Response(null, { status: 405 });
        headers.set("Content-Length", String(bytes.length));
        return new Response(null, { headers });
      }
      let body = bytes;
      let answer = 200;
      const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? "");
      const ifRange = request.headers.get("If-Range");
      if (match && !m.noRanges && (!ifRange || ifRange === headers.get("ETag"))) {
        const start = Number(match[1]) + (m.shiftBytes ?? 0);
        const end = Math.min(Number(match[2]) + 1, bytes.length);
        if (start >= bytes.length) {
          headers.set("Content-Range", `bytes */${bytes.length}`);
          return new Response(null, { status: 416, headers });
        }
        const total = m.hideTotal ? "*" : bytes.length;
        headers.set("Content-Range", `bytes ${start}-${end - 1}/${total}`);
        body = bytes.subarray(start, end);
        answer = 206;
      }
      const cut = m.cuts && m.cuts-- > 0 ? m.cutAfterBytes ?? 0 : undefined;
      const short = m.shortBodies && m.shortBodies-- > 0;
      if (!m.noLength && !short) headers.set("Content-Length", String(body.length));
      if (cut === undefined && !m.noLength && !short) {
        return new Response(body.slice(), { status: answer, headers });
      }
      const sent = cut !== undefined
        ? body.slice(0, cut)
        : short
        ? body.slice(0, body.length >> 1)
        : body.slice();
      let done = 0;
      return new Response(
        new ReadableStream<Uint8Array>({
          async pull(stream) {
            if (done < sent.length) {
              stream.enqueue(sent.subarray(done, done += Math.min(8192, sent.length - done)));
            } else {
              // Let what was sent arrive before the connection breaks: fewer bytes than the promised
              // length make the server close it.
              if (cut !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
              if (cut !== undefined && m.noLength) stream.error(new Error("a broken connection"));
              else stream.close();
            }
          },
        }),
        { status: answer, headers },
      );
    },
  );
  result.url = `http://127.0.0.1:${server.addr.port}/data/rec 1.bin`.replaceAll(" ", "%20");
  result.replace = (next, etag) => {
    bytes = next;
    result.misbehave.etag = etag;
  };
  result.stop = async () => {
    for (const release of stalled) release();
    controller.abort();
    await server.finished;
  };
  return result;
}

/** Bytes that tell their place: every byte differs from its neighbours in a known way. */
export function patterned(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = seed;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

/** All bytes of a stream. */
export async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
}

/** Retries without waiting, for tests. */
export const QUICK_RETRY = { baseMillis: 1, capMillis: 2, stallMillis: 5000 };
