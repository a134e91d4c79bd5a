/** Stores written to S3: checksums the service can check, parts, order, and clean ends. */
import assert from "node:assert/strict";
import { planFile } from "../src/convert.ts";
import type { FuseError } from "../src/errors.ts";
import { executePlan } from "../src/pool/execute.ts";
import { TaskRunner } from "../src/pool/task-runner.ts";
import { S3Bucket } from "../src/sinks/targets/s3-bucket.ts";
import { partBytes, S3Output } from "../src/sinks/targets/s3-output.ts";
import { S3Target } from "../src/sinks/targets/s3.ts";
import { MemorySource } from "../src/source/memory.ts";
import { openSpec } from "../src/source/open.ts";
import { Kernels } from "../src/stream/kernels.ts";
import { DemoS3 } from "../tools/demo-s3.ts";
import { waveFile } from "./support/wave-file.ts";

Deno.env.set("AWS_ACCESS_KEY_ID", "test");
Deno.env.set("AWS_SECRET_ACCESS_KEY", "test");

const BUCKET = "outputs";

/** An S3 endpoint that also takes objects, checks their checksums, and can fail. */
class WritableS3 {
  readonly store = new DemoS3();
  readonly order: string[] = [];
  parts = 0;
  begun = 0;
  aborted = 0;
  busy = 0;
  refuse: string | undefined;
  readonly #uploads = new Map<string, Uint8Array[]>();

  constructor(readonly kernels: Kernels) {
    this.store.put(BUCKET, "other/keep", new Uint8Array(1));
  }

  keys(): string[] {
    return [...this.store.buckets.get(BUCKET)!.objects.keys()];
  }

  async handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const key = decodeURIComponent(url.pathname.slice(BUCKET.length + 2));
    const { searchParams: query } = url;
    if (request.method === "GET" || request.method === "HEAD") {
      return await this.store.handle(request);
    }
    assert.match(request.headers.get("authorization") ?? "", /^AWS4-HMAC-SHA256/);
    if (this.busy > 0) {
      this.busy--;
      return new Response("<Error><Code>SlowDown</Code></Error>", { status: 503 });
    }
    const body = new Uint8Array(await request.arrayBuffer());
    const xml = (text: string) =>
      new Response(text, { headers: { "content-type": "application/xml" } });
    if (request.method === "POST" && query.has("delete")) {
      for (const [, gone] of new TextDecoder().decode(body).matchAll(/<Key>([^<]*)<\/Key>/g)) {
        this.store.buckets.get(BUCKET)!.objects.delete(gone);
      }
      return xml("<DeleteResult/>");
    }
    if (request.method === "POST" && query.has("uploads")) {
      this.begun++;
      this.#uploads.set(key, []);
      return xml(
        `<InitiateMultipartUploadResult><UploadId>${key}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    if (request.method === "DELETE" && query.has("uploadId")) {
      this.aborted++;
      return new Response(null, { status: 204 });
    }
    if (request.method === "POST" && query.has("uploadId")) {
      const pieces = this.#uploads.get(query.get("uploadId")!)!;
      const whole = new Uint8Array(pieces.reduce((n, p) => n + p.length, 0));
      pieces.reduce((at, p) => (whole.set(p, at), at + p.length), 0);
      this.#keep(key, whole);
      return xml("<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>");
    }
    if (this.refuse && key.endsWith(this.refuse)) {
      return new Response("<Error><Code>AccessDenied</Code><Message>no</Message></Error>", {
        status: 403,
      });
    }
    const crc = this.kernels.crc32cBytes(body);
    const sent = atob(request.headers.get("x-amz-checksum-crc32c") ?? "");
    assert.equal(
      [...sent].reduce((n, c) => n * 256 + c.charCodeAt(0), 0),
      crc,
      `checksum of ${key}`,
    );
    if (query.has("partNumber")) {
      this.parts++;
      this.#uploads.get(query.get("uploadId")!)![Number(query.get("partNumber")) - 1] = body;
      return new Response(null, { headers: { etag: '"p"' } });
    }
    this.#keep(key, body);
    return new Response(null, { headers: { etag: '"x"' } });
  }

  #keep(key: string, bytes: Uint8Array): void {
    this.order.push(key);
    this.store.put(BUCKET, key, bytes);
  }
}

async function withS3(body: (s3: WritableS3, endpoint: string) => Promise<void>): Promise<void> {
  const s3 = new WritableS3(await Kernels.load());
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (r) => s3.handle(r));
  try {
    await body(s3, `http://127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

const FILE = waveFile(Int16Array.from({ length: 40_000 }, (_, i) => i), 2, 8000);

async function convert(target: S3Target): Promise<void> {
  const source = new MemorySource("a.wav", FILE);
  const { plan, dataset } = await planFile(source, {
    targets: { chunkBytes: 4096, shardBytes: 32768 },
  });
  const runner = new TaskRunner(plan, {
    create: (k) => target.create(k),
    put: (k, b) => target.put(k, b),
  }, { openSource: openSpec, dataset });
  await executePlan(plan, target, { concurrency: 1, run: (i) => runner.run(i) });
  await runner.close();
}

Deno.test("a store goes up whole, its root metadata last, over what was there", async () => {
  await withS3(async (s3, endpoint) => {
    const place = { bucket: BUCKET, prefix: "out/a.wav.zarr", s3: { endpoint, signed: true } };
    s3.store.put(BUCKET, "out/a.wav.zarr/signals/c/9/9", new Uint8Array(3));
    await assert.rejects(S3Target.open(place, false), /objects that are no store lie where/);
    s3.store.put(BUCKET, "out/a.wav.zarr/zarr.json", new Uint8Array(3));
    assert.equal(await S3Target.open(place, false), null);
    s3.busy = 2;
    await convert((await S3Target.open(place, true))!);
    assert.equal(s3.order.at(-1), "out/a.wav.zarr/zarr.json");
    assert.equal(s3.keys().includes("out/a.wav.zarr/signals/c/9/9"), false);
    assert.ok(
      s3.keys().includes("out/a.wav.zarr/signals/c/0/0") && s3.keys().includes("other/keep"),
    );
  });
});

Deno.test("large objects go up in parts", async () => {
  await withS3(async (s3, endpoint) => {
    const place = { bucket: BUCKET, prefix: "big", s3: { endpoint, signed: true } };
    const target = (await S3Target.open(place, false))!;
    const bytes = new Uint8Array(40 << 20).map((_, i) => i >> 12);
    const writer = target.create("c/0");
    writer.write(bytes);
    writer.close();
    await target.finish();
    assert.equal(s3.parts, 3);
    assert.deepEqual(s3.store.buckets.get(BUCKET)!.objects.get("big/c/0")![0].bytes, bytes);
  });
});

Deno.test("a refused object ends the conversion and leaves nothing behind", async () => {
  await withS3(async (s3, endpoint) => {
    s3.refuse = "signals/c/0/1";
    const place = { bucket: BUCKET, prefix: "out/b.zarr", s3: { endpoint, signed: true } };
    const target = (await S3Target.open(place, false))!;
    await assert.rejects(
      convert(target),
      (e: FuseError) => e.tag === "Sink" && /out\/b\.zarr\/signals/.test(e.message),
    );
    assert.deepEqual(s3.keys(), ["other/keep"]);
  });
});

/** Bytes that differ from place to place. */
function varied(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, i) => (i >> 10) ^ i);
}

Deno.test("one output is one object, in parts when it is large, its header put right at the end", async () => {
  await withS3(async (s3, endpoint) => {
    const bucket = await S3Bucket.of(BUCKET, { endpoint });
    const stored = (key: string) => s3.store.buckets.get(BUCKET)!.objects.get(key)![0].bytes;
    const part = partBytes(1);
    for (const length of [0, 1000, part - 1, part, part + 1, 2 * part, 3 * part + 77]) {
      const bytes = varied(length);
      const output = new S3Output(bucket, `x/${length}`);
      s3.begun = s3.parts = 0;
      for (let at = 0; at < length; at += 3_000_001) {
        await output.write(bytes.subarray(at, at + 3_000_001));
      }
      assert.ok(!s3.keys().includes(`x/${length}`));
      if (length) {
        bytes.set([9, 8, 7]);
        output.patch(Uint8Array.of(9, 8, 7));
      }
      await output.finish();
      assert.deepEqual(stored(`x/${length}`), bytes);
      assert.deepEqual(
        [s3.begun, s3.parts],
        length > part ? [1, Math.ceil(length / part)] : [0, 0],
      );
    }
  });
});

Deno.test("a dropped output leaves no object and no upload; parts grow with the object", async () => {
  await withS3(async (s3, endpoint) => {
    const bucket = await S3Bucket.of(BUCKET, { endpoint });
    const output = new S3Output(bucket, "gone");
    await output.write(varied(2 * partBytes(1) + 5));
    await output.abort();
    assert.equal(s3.begun, s3.aborted);
    assert.deepEqual(s3.keys(), ["other/keep"]);
    s3.refuse = "refused";
    const refused = new S3Output(bucket, "refused");
    await assert.rejects(
      (async () => {
        for (let i = 0; i < 4; i++) await refused.write(varied(partBytes(1)));
        await refused.finish();
      })(),
      (e: FuseError) =>
        e.tag === "Sink" && /s3:\/\/outputs\/refused: access is denied/.test(e.message),
    );
    await refused.abort();
    assert.ok(s3.begun > 0);
    assert.equal(s3.begun, s3.aborted);
  });
  let total = 0;
  for (let number = 1; number <= 10_000; number++) total += partBytes(number);
  assert.ok(total > 500e9);
});
