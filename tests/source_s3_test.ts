import assert from "node:assert/strict";
import { type FuseError, isFuseError } from "../src/errors.ts";
import { openSource, openSpec, parseInput } from "../src/source/open.ts";
import {
  isRequesterPaysBucket,
  s3Access,
  s3OptionsFromEnvironment,
} from "../src/source/s3-access.ts";
import { listObjects } from "../src/source/s3.ts";
import { cleanKeySegment } from "../src/sparc/keys.ts";
import { DemoS3 } from "../tools/demo-s3.ts";
import { collect, patterned, QUICK_RETRY } from "./support/range-server.ts";

const BYTES = patterned(300_000);
const OPEN = "sparc-prod-aod-discover-publish50-use1";
const PAID = "prd-sparc-discover50-use1";

async function withS3(
  test: (s3: DemoS3, options: Parameters<typeof openSource>[1]) => Promise<void>,
) {
  const s3 = new DemoS3();
  const controller = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: controller.signal, onListen() {} },
    (request) => s3.handle(request),
  );
  try {
    const endpoint = `http://127.0.0.1:${server.addr.port}`;
    await test(s3, { s3: { endpoint }, retry: QUICK_RETRY });
  } finally {
    controller.abort();
    await server.finished;
  }
}

async function failure(work: Promise<unknown>): Promise<FuseError> {
  const error = await work.then(() => undefined, (error) => error);
  assert.ok(isFuseError(error), `not a FuseError: ${error}`);
  return error;
}

Deno.test("s3: objects of the open bucket are read unsigned, by ranges, and resumed when cut", () =>
  withS3(async (s3, options) => {
    const key = "224/files/primary/sub 1/ré(1)'!*.acq";
    s3.put(OPEN, key, BYTES);
    const source = await openSource(`s3://${OPEN}/${key}`, { ...options, cache: false });
    assert.equal(source.name, "ré(1)'!*.acq");
    assert.equal(source.size, BYTES.length);
    assert.equal(source.uri, `s3://${OPEN}/${key}`);
    assert.deepEqual(await source.read(5, 100), BYTES.slice(5, 105));
    assert.equal(s3.requests.length, 1);
    Object.assign(s3.misbehave, { cuts: 2, cutAfterBytes: 40_000, slowDowns: 1 });
    assert.deepEqual(await source.read(100_000, 150_000), BYTES.slice(100_000, 250_000));
    assert.deepEqual(await collect(source.stream(70_000)), BYTES.slice(70_000));
    assert.ok(s3.requests.every((request) => !request.signed));
    assert.equal(source.stats!.retries, 3);
    const again = await openSpec(structuredClone(source.spec!), { retry: QUICK_RETRY });
    assert.deepEqual(await again.read(299_000, 1000), BYTES.slice(299_000));
    await source.close();
    await again.close();
  }));

Deno.test("s3: versions, replaced objects, empty and missing ones", () =>
  withS3(async (s3, options) => {
    s3.put(OPEN, "224/a.bin", BYTES, "v1");
    s3.put(OPEN, "224/a.bin", patterned(200_000, 9), "v2");
    s3.put(OPEN, "224/empty", new Uint8Array(0));
    const old = await openSource(`s3://${OPEN}/224/a.bin?versionId=v1`, options);
    assert.deepEqual(await old.read(250_000, 10), BYTES.slice(250_000, 250_010));
    assert.match(old.uri, /versionId=v1$/);
    const latest = await openSource(`s3://${OPEN}/224/a.bin`, options);
    assert.equal(latest.size, 200_000);
    s3.put(OPEN, "224/a.bin", patterned(200_000, 10), "v3");
    const changed = await failure(latest.read(150_000, 10, { purpose: "bulk" }));
    assert.match(changed.message, /changed while it was read.*HTTP 412/);
    assert.equal((await openSource(`s3://${OPEN}/224/empty`, options)).size, 0);
    const missing = await failure(openSource(`s3://${OPEN}/224/none`, options));
    assert.equal(missing.tag, "Network");
    assert.match(missing.message, /no such object.*HTTP 404 \(NoSuchKey\)/);
  }));

Deno.test("s3: siblings are found by key, or by the key their name is published under", () =>
  withS3(async (s3, options) => {
    s3.put(OPEN, "1/files/sub-1/my_rec.vhdr", BYTES);
    s3.put(OPEN, "1/files/sub-1/my_rec.eeg", BYTES.subarray(0, 70_000));
    s3.put(OPEN, "1/files/sub-1/deeper/x.eeg", BYTES);
    const source = await openSource(`s3://${OPEN}/1/files/sub-1/my_rec.vhdr`, options);
    assert.deepEqual(await source.siblingNames(), ["my_rec.eeg", "my_rec.vhdr"]);
    const sibling = await source.sibling("my rec.eeg");
    assert.equal(sibling!.size, 70_000);
    assert.equal(sibling!.name, "my rec.eeg");
    assert.equal(await source.sibling("other.eeg"), null);
  }));

Deno.test("s3: listings go on page after page, and folders are told from objects", () =>
  withS3(async (s3, options) => {
    for (let i = 0; i < 7; i++) s3.put(OPEN, `5/files/f${i}&.csv`, BYTES.subarray(0, i));
    s3.put(OPEN, "5/files/sub-1/x.csv", BYTES);
    s3.put(OPEN, "50/files/y.csv", BYTES);
    s3.pageKeys = 3;
    const listed = [];
    const request = { bucket: OPEN, prefix: "5/files/", s3: options!.s3!, delimiter: "/" };
    for await (const object of listObjects(request)) listed.push(object);
    assert.deepEqual(listed.filter((o) => !o.folder).map((o) => [o.key, o.size]), [
      ...Array.from({ length: 7 }, (_, i) => [`5/files/f${i}&.csv`, i]),
    ]);
    assert.deepEqual(listed.filter((o) => o.folder).map((o) => o.key), ["5/files/sub-1/"]);
    assert.equal(s3.requests.length, 3);
  }));

Deno.test("s3: requester-pays buckets want a signature and the payer header", () =>
  withS3(async (s3, options) => {
    s3.put(PAID, "224/1/a.bin", BYTES);
    s3.setRequesterPays(PAID);
    const saved = new Map<string, string | undefined>();
    const set = (name: string, value: string | undefined) => {
      if (!saved.has(name)) saved.set(name, Deno.env.get(name));
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    };
    try {
      set("AWS_ACCESS_KEY_ID", "demo");
      set("AWS_SECRET_ACCESS_KEY", "demo");
      const source = await openSource(`s3://${PAID}/224/1/a.bin`, options);
      assert.deepEqual(await source.read(0, 10), BYTES.slice(0, 10));
      assert.ok(s3.requests.every((request) => request.signed));
      const unsigned = { ...options, s3: { ...options!.s3!, signed: false } };
      const denied = await failure(openSource(`s3://${PAID}/224/1/a.bin`, unsigned));
      assert.match(denied.message, /access is denied.*HTTP 403.*bills its readers/);
    } finally {
      for (const [name, value] of saved) set(name, value);
    }
  }));

Deno.test("s3: how buckets are reached, and what the environment says", () => {
  const signed = { signed: true, requesterPays: true };
  assert.equal(s3Access(OPEN, signed).signed, false);
  assert.equal(s3Access(OPEN, signed).requesterPays, false);
  assert.deepEqual(s3Access(PAID, {}), signed);
  assert.deepEqual(s3Access("pennsieve-prod-discover-publish-use1", {}), signed);
  assert.ok(isRequesterPaysBucket("prd-sparc-discover-use1"));
  assert.ok(isRequesterPaysBucket("pennsieve-prod-discover-embargo-use1"));
  assert.deepEqual(s3Access("lab-data", {}), { signed: false, requesterPays: false });
  const environment: Record<string, string> = {
    AWS_ENDPOINT_URL: "http://127.0.0.1:9000",
    AWS_DEFAULT_REGION: "eu-north-1",
    AWS_ACCESS_KEY_ID: "x",
  };
  assert.deepEqual(s3OptionsFromEnvironment((name) => environment[name]), {
    endpoint: "http://127.0.0.1:9000",
    region: "eu-north-1",
    signed: true,
  });
  assert.deepEqual(s3OptionsFromEnvironment(() => undefined), {});
});

Deno.test("inputs are named by path, URL or bucket", () => {
  assert.deepEqual(parseInput("a/b.acq"), { kind: "file", path: "a/b.acq" });
  assert.deepEqual(parseInput("file:///data/a%20b.acq"), { kind: "file", path: "/data/a b.acq" });
  assert.deepEqual(parseInput("s3://b/k/a b?c#d.acq"), {
    kind: "s3",
    bucket: "b",
    key: "k/a b?c#d.acq",
    s3: {},
  });
  assert.deepEqual(parseInput("https://h/x.zip?v=1!/m/n.csv"), {
    kind: "zip",
    archive: { kind: "http", url: "https://h/x.zip?v=1", headers: undefined },
    member: "m/n.csv",
  });
  for (const bad of ["", "ftp://h/x", "s3://bucket", "http://"]) {
    assert.throws(() => parseInput(bad), (error) => isFuseError(error, "Usage"), bad);
  }
});

Deno.test("names become keys as publishing cleans them", () => {
  assert.equal(cleanKeySegment("20 1021.acq"), "20_1021.acq");
  assert.equal(cleanKeySegment("é(1)*_-'!+,%é.tif"), "é(1)*_-'!___é.tif");
  assert.equal(cleanKeySegment(".."), "%2E%2E");
  assert.equal(cleanKeySegment("x".repeat(200)).length, 128);
});

Deno.test("s3: a bucket of another region is asked there, signed for it, and names may hold anything", async () => {
  Deno.env.set("AWS_ACCESS_KEY_ID", "demo");
  Deno.env.set("AWS_SECRET_ACCESS_KEY", "demo");
  const scopes: string[] = [];
  const name = "a&<b>'\"+ é#?.bin";
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const scope = request.headers.get("authorization")!;
    scopes.push(/\d{8}\/([^/]+)\/s3/.exec(scope)![1]);
    if (scopes.at(-1) !== "eu-north-1") {
      return new Response("<Error><Code>AuthorizationHeaderMalformed</Code></Error>", {
        status: 400,
        headers: { "x-amz-bucket-region": "eu-north-1" },
      });
    }
    const url = new URL(request.url);
    if (url.searchParams.has("list-type")) {
      assert.equal(url.searchParams.get("prefix"), "x y+&/");
      return new Response(
        "<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated><Contents>" +
          "<Key>x y+&amp;/a&amp;&lt;b&gt;&#39;&quot;+ &#xE9;#?.bin</Key><Size>3</Size>" +
          "<ETag>&quot;t&quot;</ETag></Contents></ListBucketResult>",
      );
    }
    assert.equal(decodeURIComponent(url.pathname), `/elsewhere/x y+&/${name}`);
    return new Response("abc", {
      status: 206,
      headers: { "content-range": "bytes 0-2/3", etag: '"t"' },
    });
  });
  try {
    const s3 = { endpoint: `http://127.0.0.1:${server.addr.port}`, signed: true };
    const listed = await Array.fromAsync(
      listObjects({ bucket: "elsewhere", prefix: "x y+&/", s3 }),
    );
    assert.deepEqual(listed, [{ key: `x y+&/${name}`, folder: false, size: 3, tag: '"t"' }]);
    const spec = { kind: "s3", bucket: "elsewhere", key: listed[0].key, s3 } as const;
    const source = await openSpec(spec, { retry: QUICK_RETRY });
    assert.deepEqual(await source.read(0, 3), new TextEncoder().encode("abc"));
    assert.deepEqual(scopes, ["us-east-1", "eu-north-1", "eu-north-1"]);
    assert.deepEqual(source.stats, { requests: 1, bytes: 3, retries: 0 });
    await source.close();
  } finally {
    Deno.env.delete("AWS_ACCESS_KEY_ID");
    Deno.env.delete("AWS_SECRET_ACCESS_KEY");
    await server.shutdown();
  }
});
