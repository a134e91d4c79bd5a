import assert from "node:assert/strict";
import fc from "fast-check";
import { type FuseError, isFuseError } from "../src/errors.ts";
import { spoolToFile } from "../src/source/file.ts";
import { ensureRandomAccess, openSource } from "../src/source/open.ts";
import { pipeSource } from "../src/source/pipe.ts";
import { collect, patterned } from "./support/range-server.ts";

const BYTES = patterned(100_000);

/** A stream that gives pieces of the sizes given, and counts what was pulled. */
function producer(bytes: Uint8Array, pieceBytes: (n: number) => number) {
  let at = 0;
  let piece = 0;
  const state = { pulled: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      const end = Math.min(bytes.length, at + Math.max(1, pieceBytes(piece++)));
      controller.enqueue(bytes.slice(at, end));
      state.pulled = at = end;
    },
    cancel() {
      state.cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { stream, state };
}

async function failure(work: Promise<unknown>): Promise<FuseError> {
  const error = await work.then(() => undefined, (error) => error);
  assert.ok(isFuseError(error), `not a FuseError: ${error}`);
  return error;
}

Deno.test("pipe: reads go forward, back within the window, and no further", async () => {
  const { stream, state } = producer(BYTES, () => 1000);
  const source = pipeSource(stream, { windowBytes: 10_000 });
  assert.equal(source.access, "forward");
  assert.equal(source.size, undefined);
  assert.deepEqual(await source.read(0, 2500), BYTES.slice(0, 2500));
  assert.equal(state.pulled, 3000);
  assert.deepEqual(await source.read(0, 100), BYTES.slice(0, 100));
  assert.deepEqual(await source.read(50_000, 100), BYTES.slice(50_000, 50_100));
  assert.deepEqual(await source.read(42_000, 100), BYTES.slice(42_000, 42_100));
  const error = await failure(source.read(0, 100));
  assert.equal(error.tag, "NeedsRandomAccess");
  assert.match(error.message, /stdin: a pipe flows only forward/);
  assert.deepEqual(await source.readUpTo(99_990, 100), BYTES.slice(99_990));
  assert.equal((await failure(source.read(99_990, 11))).tag, "Truncated");
  await source.close();
  assert.equal((await failure(source.read(99_990, 1))).tag, "Usage");
});

Deno.test("pipe: reads larger than the window are whole", async () => {
  const source = pipeSource(producer(BYTES, () => 700).stream, { windowBytes: 2000 });
  assert.deepEqual(await source.read(1000, 60_000), BYTES.slice(1000, 61_000));
  const target = new Uint8Array(30_000);
  await source.readInto(60_500, target);
  assert.deepEqual(target, BYTES.slice(60_500, 90_500));
});

Deno.test("pipe: a probed head is streamed again, with backpressure, and close cancels the producer", async () => {
  const { stream, state } = producer(BYTES, () => 1000);
  const source = pipeSource(stream);
  await source.readUpTo(0, 5000);
  const reader = source.stream(0).getReader();
  let got = 0;
  while (got < 7000) {
    const { value } = await reader.read();
    assert.deepEqual(value, BYTES.slice(got, got + value!.length));
    got += value!.length;
  }
  assert.ok(state.pulled <= 9000, `${state.pulled}`);
  await source.close();
  assert.ok(state.cancelled);
});

Deno.test("pipe: simultaneous reads keep their order", async () => {
  const source = pipeSource(producer(BYTES, (n) => 1 + n * 37 % 900).stream);
  const reads = await Promise.all([0, 5000, 200, 90_000, 40_000].map((at) => source.read(at, 500)));
  assert.deepEqual(reads.map((b) => b[0]), [0, 5000, 200, 90_000, 40_000].map((at) => BYTES[at]));
});

Deno.test("pipe: bytes are the same however the producer cuts them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 10 }),
      fc.array(fc.tuple(fc.nat(2000), fc.nat(5000)), { maxLength: 12 }),
      fc.integer({ min: 1, max: 4000 }),
      async (pieces, steps, windowBytes) => {
        const bytes = BYTES.subarray(0, 30_000);
        const { stream } = producer(bytes, (n) => pieces[n % pieces.length]);
        const source = pipeSource(stream, { windowBytes });
        let at = 0;
        for (const [skip, length] of steps) {
          at = Math.min(bytes.length, at + skip);
          const got = await source.readUpTo(at, length);
          assert.deepEqual(got, bytes.slice(at, at + length));
          at += got.length;
        }
        assert.deepEqual(await collect(source.stream(at)), bytes.slice(at));
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("spool: a pipe becomes a temporary file with random access, which goes with close", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const source = await openSource("-", {
      name: "rec.abf",
      stdin: producer(BYTES, () => 999).stream,
    });
    await source.read(0, 100);
    let seen = 0;
    const file = await spoolToFile(source, { directory, onProgress: (bytes) => seen = bytes });
    assert.equal(file.name, "rec.abf");
    assert.equal(seen, BYTES.length);
    assert.deepEqual(await file.read(99_000, 1000), BYTES.slice(99_000));
    assert.deepEqual(await file.read(0, 1000), BYTES.slice(0, 1000));
    const again = await openSource(structuredClone(file.spec));
    assert.equal(again.name, "rec.abf");
    await again.close();
    await file.close();
    assert.deepEqual([...Deno.readDirSync(directory)], []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("spool: only a source that flows forward is copied, and it is said", async () => {
  const { stream, state } = producer(BYTES, () => 5000);
  const pipe = pipeSource(stream, { name: "rec.abf" });
  await pipe.readUpTo(0, 20_000);
  const said: string[] = [];
  const copy = await ensureRandomAccess(pipe, { onCopy: (message) => said.push(message) });
  assert.equal(said.length, 1);
  assert.match(said[0], /rec\.abf only flows forward/);
  assert.equal(state.pulled, BYTES.length);
  assert.deepEqual(await copy.read(0, BYTES.length), BYTES);
  assert.equal((await failure(pipe.read(0, 1))).tag, "Usage");
  assert.equal(await ensureRandomAccess(copy), copy);
  await copy.close();
});

Deno.test("spool: a failed copy leaves nothing", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const controller = new AbortController();
    const { stream } = producer(BYTES, () => {
      controller.abort();
      return 1000;
    });
    const source = pipeSource(stream);
    const error = await failure(spoolToFile(source, { directory, signal: controller.signal }));
    assert.equal(error.tag, "Aborted");
    assert.deepEqual([...Deno.readDirSync(directory)], []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("spool: temporary files go when the process ends before close", async () => {
  const directory = await Deno.makeTempDir();
  const script = `
    const { spoolToFile } = await import(${
    JSON.stringify(import.meta.resolve("../src/source/file.ts"))
  });
    const { MemorySource } = await import(${
    JSON.stringify(import.meta.resolve("../src/source/memory.ts"))
  });
    await spoolToFile(new MemorySource("a", new Uint8Array(10)), { directory: ${
    JSON.stringify(directory)
  } });
    console.log([...Deno.readDirSync(${JSON.stringify(directory)})].length);
    Deno.exit(3);`;
  try {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["eval", script],
      cwd: new URL("..", import.meta.url),
    });
    const { code, stdout, stderr } = await command.output();
    assert.equal(code, 3, new TextDecoder().decode(stderr));
    assert.equal(new TextDecoder().decode(stdout).trim(), "1");
    assert.deepEqual([...Deno.readDirSync(directory)], []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
