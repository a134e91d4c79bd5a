/**
 * A bucket behind a slow line, for measurements on one machine: the files of a folder as objects, each
 * request answered after a delay, all bodies together at a limited rate. It answers what a reader of
 * objects asks: path-style GET with ranges, and a listing. Nothing is checked: requests need no signature.
 *
 *   deno run -A bench/slow-s3.ts FOLDER [LATENCY_MS] [MBIT_PER_SECOND]
 *
 * prints its address, and ends when its standard input does.
 */
import { basename, join } from "node:path";

/** Bytes handed over at a time. */
const PIECE_BYTES = 16 << 10;

/** A line that carries so many bytes a second, whoever sends them. */
class Line {
  #freeAt = 0;
  #bodies = 0;

  constructor(readonly bytesPerSecond: number) {}

  /** A body begins: an idle line saves nothing up. */
  begin(): void {
    if (this.#bodies++ === 0) this.#freeAt = performance.now();
  }

  /** A body ends. */
  end(): void {
    this.#bodies--;
  }

  /** Waits until `bytes` more have gone through; what a late timer lost is made up for. */
  async carry(bytes: number): Promise<void> {
    const now = performance.now();
    this.#freeAt += 1000 * bytes / this.bytesPerSecond;
    // Timers are no finer than a millisecond: short waits add up before they are kept.
    if (this.#freeAt - now > 2) await sleep(this.#freeAt - now);
  }
}

function sleep(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

function bodyOf(path: string, start: number, end: number, line: Line): ReadableStream<Uint8Array> {
  const file = Deno.openSync(path);
  file.seekSync(start, Deno.SeekMode.Start);
  let at = start;
  line.begin();
  const finish = () => {
    file.close();
    line.end();
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, end - at));
      const n = file.readSync(piece) ?? 0;
      await line.carry(n);
      at += n;
      controller.enqueue(piece.subarray(0, n));
      if (at < end && n > 0) return;
      finish();
      controller.close();
    },
    cancel: finish,
  }, { highWaterMark: 0 });
}

const failure = (status: number, code: string) =>
  new Response(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`, {
    status,
    headers: { "content-type": "application/xml" },
  });

/** All objects of the only bucket. */
function listing(folder: string): Response {
  const objects = [...Deno.readDirSync(folder)].filter((entry) => entry.isFile).map(({ name }) =>
    `<Contents><Key>${name}</Key><Size>${Deno.statSync(join(folder, name)).size}</Size></Contents>`
  );
  const text = `<ListBucketResult><IsTruncated>false</IsTruncated>${
    objects.join("")
  }</ListBucketResult>`;
  return new Response(text, { headers: { "content-type": "application/xml" } });
}

async function answer(
  request: Request,
  folder: string,
  latencyMillis: number,
  line: Line,
): Promise<Response> {
  await sleep(latencyMillis);
  const { pathname, searchParams } = new URL(request.url);
  if (searchParams.has("list-type")) return listing(folder);
  const path = join(folder, basename(decodeURIComponent(pathname)));
  const stat = await Deno.stat(path).catch(() => null);
  if (!stat?.isFile) return failure(404, "NoSuchKey");
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  const start = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Math.min(stat.size, Number(range[2]) + 1) : stat.size;
  if (start >= stat.size) return failure(416, "InvalidRange");
  const headers = {
    "accept-ranges": "bytes",
    etag: `"${stat.size}-${stat.mtime?.getTime()}"`,
    "content-length": String(end - start),
    ...(range ? { "content-range": `bytes ${start}-${end - 1}/${stat.size}` } : {}),
  };
  return new Response(bodyOf(path, start, end, line), { status: range ? 206 : 200, headers });
}

if (import.meta.main) {
  const [folder, latency = "20", megabits = "200"] = Deno.args;
  const line = new Line(Number(megabits) * 1e6 / 8);
  const server = Deno.serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
    },
    (request) => answer(request, folder, Number(latency), line),
  );
  for await (const _ of Deno.stdin.readable);
  await server.shutdown();
}
