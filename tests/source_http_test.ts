import assert from "node:assert/strict";
import { type FuseError, isFuseError } from "../src/errors.ts";
import { ForwardSource } from "../src/source/forward.ts";
import { HttpSource, OPENING_BYTES } from "../src/source/http.ts";
import { openSource } from "../src/source/open.ts";
import type { ByteSource } from "../src/source/source.ts";
import {
  collect,
  type Misbehaviour,
  patterned,
  QUICK_RETRY,
  type RangeServer,
  startRangeServer,
} from "./support/range-server.ts";

const BYTES = patterned(300_000);

async function withServer(
  misbehave: Misbehaviour,
  test: (server: RangeServer) => Promise<void>,
  bytes = BYTES,
): Promise<void> {
  const server = startRangeServer(bytes, misbehave);
  try {
    await test(server);
  } finally {
    await server.stop();
  }
}

const options = { retry: QUICK_RETRY };

async function failure(work: Promise<unknown>): Promise<FuseError> {
  try {
    await work;
  } catch (error) {
    assert.ok(isFuseError(error), `not a FuseError: ${error}`);
    return error;
  }
  throw new Error("no failure");
}

Deno.test("http: one request tells size, tag and first bytes; reads are ranges", async () => {
  await withServer({}, async (server) => {
    const source = await HttpSource.open(server.url, options);
    assert.equal(source.size, BYTES.length);
    assert.equal(source.name, "rec 1.bin");
    assert.equal(source.tag, '"v1"');
    assert.equal(source.access, "random");
    assert.deepEqual(await source.read(0, 100), BYTES.slice(0, 100));
    assert.equal(server.requests.length, 1);
    assert.deepEqual(await source.read(100_000, 5000), BYTES.slice(100_000, 105_000));
    assert.equal(server.requests[1].range, "bytes=100000-104999");
    assert.equal(server.requests[1].headers.get("If-Range"), '"v1"');
    assert.equal(server.requests[1].headers.get("Accept-Encoding"), "identity");
    assert.deepEqual(source.stats, { requests: 2, bytes: OPENING_BYTES + 5000, retries: 0 });
    assert.deepEqual(await collect(source.stream(70_000)), BYTES.slice(70_000));
    assert.deepEqual(await source.readUpTo(299_990, 100), BYTES.slice(299_990));
    assert.equal((await failure(source.read(299_990, 100))).tag, "Truncated");
    await source.close();
    assert.equal((await failure(source.read(200_000, 1))).tag, "Usage");
  });
});

Deno.test("http: a spec with the size opens without a request", async () => {
  await withServer({}, async (server) => {
    const first = await openSource(server.url, options);
    const again = await openSource(structuredClone(first.spec!), options);
    assert.equal(server.requests.length, 1);
    assert.deepEqual(await again.read(250_000, 10), BYTES.slice(250_000, 250_010));
    await first.close();
    await again.close();
  });
});

Deno.test("http: an empty file answers 416 and has size 0", async () => {
  await withServer({}, async (server) => {
    const source = await HttpSource.open(server.url, options);
    assert.equal(source.size, 0);
    assert.equal((await source.readUpTo(0, 10)).length, 0);
    assert.equal((await collect(source.stream(0))).length, 0);
  }, new Uint8Array(0));
});

Deno.test("http: 503 then OK is retried, and counted", async () => {
  await withServer({ statuses: [503, 429] }, async (server) => {
    const source = await HttpSource.open(server.url, options);
    server.misbehave.statuses = [500];
    assert.deepEqual(await source.read(150_000, 10), BYTES.slice(150_000, 150_010));
    assert.equal(source.stats!.retries, 3);
  });
});

Deno.test("http: a status that stays ends in Network with URL, status and attempts", async () => {
  await withServer({ statuses: Array(9).fill(503) }, async (server) => {
    const error = await failure(
      HttpSource.open(server.url, { retry: { ...QUICK_RETRY, attempts: 3 } }),
    );
    assert.equal(error.tag, "Network");
    assert.match(error.message, /http:\/\/127\.0\.0\.1:\d+\/data\/rec%201\.bin/);
    assert.match(error.message, /3 attempts/);
    assert.match(error.message, /HTTP 503/);
    assert.equal(server.requests.length, 3);
  });
});

Deno.test("http: refusals are not retried; nobody answering is", async () => {
  await withServer({ statuses: [403] }, async (server) => {
    const denied = await failure(HttpSource.open(server.url, options));
    assert.equal(denied.tag, "Network");
    assert.match(denied.message, /HTTP 403/);
    const missing = await failure(HttpSource.open(new URL("/missing", server.url).href, options));
    assert.match(missing.message, /no such file.*HTTP 404/);
    assert.equal(server.requests.length, 2);
  });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const nobody = await failure(HttpSource.open(`http://127.0.0.1:${port}/x`, options));
  assert.equal(nobody.tag, "Network");
  assert.match(nobody.message, /5 attempts/);
});

Deno.test("http: a body cut in the middle goes on from where it stopped", async () => {
  await withServer({}, async (server) => {
    const source = await HttpSource.open(server.url, options);
    Object.assign(server.misbehave, { cutAfterBytes: 50_000, cuts: 3 });
    const before = server.requests.length;
    assert.deepEqual(await source.read(70_000, 220_000), BYTES.slice(70_000, 290_000));
    const starts = server.requests.slice(before).map((r) => Number(/\d+/.exec(r.range!)![0]));
    assert.deepEqual(starts, [70_000, 120_000, 170_000, 220_000]);
    Object.assign(server.misbehave, { cutAfterBytes: 9000, cuts: 2 });
    assert.deepEqual(await collect(source.stream(66_000)), BYTES.slice(66_000));
  });
});

Deno.test("http: a body that ends early without an error is resumed too", async () => {
  await withServer({}, async (server) => {
    const source = await HttpSource.open(server.url, options);
    server.misbehave.shortBodies = 2;
    assert.deepEqual(await source.read(70_000, 200_000), BYTES.slice(70_000, 270_000));
    server.misbehave.shortBodies = 1;
    const again = await HttpSource.open(server.url, options);
    assert.deepEqual(await again.read(0, 10), BYTES.slice(0, 10));
    assert.equal(again.stats!.retries, 1);
  });
});

Deno.test("http: cuts without progress give up", async () => {
  await withServer({}, async (server) => {
    const source = await HttpSource.open(server.url, options);
    Object.assign(server.misbehave, { cutAfterBytes: 0, cuts: 99 });
    const error = await failure(source.read(70_000, 100));
    assert.equal(error.tag, "Network");
    assert.equal(error.where.offset, 70_000);
  });
});

Deno.test("http: a silent server counts as a lost request", async () => {
  await withServer({}, async (server) => {
    const source = await HttpSource.open(server.url, {
      retry: { ...QUICK_RETRY, stallMillis: 60 },
    });
    server.misbehave.stalls = 1;
    assert.deepEqual(await source.read(70_000, 100), BYTES.slice(70_000, 70_100));
    assert.equal(source.stats!.retries, 1);
  });
});

Deno.test("http: a file replaced while it is read is noticed", async () => {
  await withServer({}, async (server) => {
    const source = await HttpSource.open(server.url, options);
    server.replace(patterned(300_000, 7), '"v2"');
    const error = await failure(source.read(100_000, 10));
    assert.equal(error.tag, "Network");
    assert.match(error.message, /changed while it was read.*"v2".*"v1"/);
  });
});

Deno.test("http: another range than asked for is refused, and a hidden total is asked by HEAD", async () => {
  await withServer({}, async (server) => {
    const source = await HttpSource.open(server.url, options);
    server.misbehave.shiftBytes = 3;
    const error = await failure(source.read(100_000, 10));
    assert.match(error.message, /another range/);
  });
  await withServer({ hideTotal: true }, async (server) => {
    const source = await HttpSource.open(server.url, options);
    assert.equal(source.size, BYTES.length);
    assert.equal(server.requests[1].method, "HEAD");
  });
  await withServer({ hideTotal: true, noHead: true }, async (server) => {
    assert.equal((await failure(HttpSource.open(server.url, options))).tag, "Network");
  });
});

Deno.test("http: without ranges a small file is held, a large one flows forward", async () => {
  await withServer({ noRanges: true }, async (server) => {
    const source = await HttpSource.open(server.url, options);
    assert.equal(source.access, "random");
    assert.deepEqual(await source.read(200_000, 10), BYTES.slice(200_000, 200_010));
    assert.equal(server.requests.length, 1);
  });
  const large = patterned(9 << 20);
  await withServer({ noRanges: true }, async (server) => {
    const source = await HttpSource.open(server.url, { ...options, windowBytes: 1 << 20 });
    assert.ok(source instanceof ForwardSource);
    assert.equal(source.size, large.length);
    assert.deepEqual(await source.read(0, 1000), large.slice(0, 1000));
    assert.deepEqual(await source.read(5_000_000, 1000), large.slice(5_000_000, 5_001_000));
    const back = await failure(source.read(0, 1000));
    assert.equal(back.tag, "NeedsRandomAccess");
    assert.match(back.message, /ignores byte ranges.*temporary file/);
    Object.assign(server.misbehave, { cutAfterBytes: 3_000_000, cuts: 1 });
    assert.deepEqual(await collect(source.stream(1_000_000)), large.slice(1_000_000));
    await source.close();
  }, large);
});

Deno.test("http: a body of unknown length flows forward to its end", async () => {
  await withServer({ noRanges: true, noLength: true }, async (server) => {
    const source = await HttpSource.open(server.url, options);
    assert.equal(source.access, "forward");
    assert.equal(source.size, undefined);
    assert.deepEqual(await source.readUpTo(0, 1 << 20), BYTES);
    assert.deepEqual(await collect(source.stream(0)), BYTES);
    Object.assign(server.misbehave, { cutAfterBytes: 100_000, cuts: 1 });
    const error = await failure(collect(source.stream(0)));
    assert.match(error.message, /cannot resume/);
    await source.close();
  });
});

Deno.test("http: abort ends a read at once and is not retried", async () => {
  await withServer({}, async (server) => {
    const source = await HttpSource.open(server.url, options);
    server.misbehave.stalls = 1;
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const error = await failure(source.read(100_000, 10, { signal: controller.signal }));
    assert.equal(error.tag, "Aborted");
    assert.equal(server.requests.length, 2);
    const opening = await failure(HttpSource.open(server.url, { signal: controller.signal }));
    assert.equal(opening.tag, "Aborted");
  });
});

Deno.test("http: names, siblings and what messages show of an address", async () => {
  await withServer({ disposition: `attachment; filename*=UTF-8''r%C3%A9c.bin` }, async (server) => {
    const source = await HttpSource.open(
      `${server.url}?X-Amz-Signature=secret&versionId=7`,
      options,
    );
    assert.equal(source.name, "réc.bin");
    assert.match(source.uri, /versionId=7/);
    assert.doesNotMatch(source.uri, /secret/);
    const sibling = await source.sibling("sub 2/other.dat");
    assert.equal(server.requests.at(-1)!.path, "/data/sub%202/other.dat");
    assert.equal(sibling!.size, BYTES.length);
    assert.equal(await source.sibling("missing.dat"), null);
    const asked = server.requests.length;
    for (
      const path of ["../up.dat", "/root.dat", "//other.host/x", "a/../../up.dat", "..\\up.dat"]
    ) {
      assert.equal(await source.sibling(path), null);
    }
    assert.equal(server.requests.length, asked);
    assert.equal(await source.siblingNames(), null);
  });
});

Deno.test("http: an expired address is renewed once, for all reads that wait", async () => {
  await withServer({}, async (server) => {
    let asked = 0;
    const fresh = server.url.replace("rec%201", "fresh");
    const source: ByteSource = await HttpSource.open(server.url, {
      ...options,
      size: BYTES.length,
      renewUrl: () => {
        asked++;
        return Promise.resolve(fresh);
      },
    });
    server.misbehave.statuses = [403, 403];
    const [a, b] = await Promise.all([source.read(0, 10), source.read(90_000, 10)]);
    assert.deepEqual(a, BYTES.slice(0, 10));
    assert.deepEqual(b, BYTES.slice(90_000, 90_010));
    assert.equal(asked, 1);
    assert.equal(server.requests.at(-1)!.path, "/data/fresh.bin");
    server.misbehave.statuses = [403];
    assert.equal((await failure(source.read(0, 10))).tag, "Network");
  });
});
