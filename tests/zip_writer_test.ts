/** Archives as they are written, opened by a reader of somebody else's. */
import assert from "node:assert/strict";
import {
  configure,
  type FileEntry,
  Uint8ArrayReader,
  Uint8ArrayWriter,
  ZipReader,
} from "@zip.js/zip.js";
import { isFuseError } from "../src/errors.ts";
import { MemoryOutput } from "../src/sinks/ordered/output.ts";
import { crc32, tableCrc32, ZipWriter } from "../src/sinks/targets/zip-writer.ts";

configure({ useWebWorkers: false });

async function members(bytes: Uint8Array): Promise<FileEntry[]> {
  return await new ZipReader(new Uint8ArrayReader(bytes)).getEntries() as FileEntry[];
}

Deno.test("members are found under their names, with their bytes, times and checksums", async () => {
  const output = new MemoryOutput({ seekable: false });
  const zip = new ZipWriter(output);
  const modified = new Date(2024, 1, 29, 13, 45, 58);
  const piece = new Uint8Array(3);
  // One buffer for all pieces: what is written is copied before the next is asked for.
  const pieces = function* () {
    for (let i = 0; i < 4; i++) yield piece.fill(i);
  };
  await zip.add("zarr.json", 2, [new TextEncoder().encode("{}")], modified);
  await zip.add("µ/c/0", 12, pieces(), modified);
  await zip.add("empty", 0, [], modified);
  await zip.finish();
  const found = await members(output.bytes());
  assert.deepEqual(found.map((m) => m.filename), ["zarr.json", "µ/c/0", "empty"]);
  const data = await Promise.all(
    found.map((m) => m.getData(new Uint8ArrayWriter(), { checkSignature: true })),
  );
  assert.deepEqual(data.map((d) => [...d]), [
    [123, 125],
    [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3],
    [],
  ]);
  assert.deepEqual(found[1].lastModDate, modified);
  assert.equal(found[1].compressedSize, 12);
});

Deno.test("more members than the old directory can count", async () => {
  const output = new MemoryOutput();
  const zip = new ZipWriter(output);
  for (let i = 0; i < 65_600; i++) await zip.add(String(i), 0, []);
  await zip.finish();
  const bytes = output.bytes();
  const end = new DataView(bytes.buffer, bytes.length - 22);
  assert.deepEqual([end.getUint32(0, true), end.getUint16(10, true)], [0x06054b50, 0xffff]);
  const view = new DataView(bytes.buffer);
  const locator = bytes.length - 42;
  assert.equal(view.getUint32(locator, true), 0x07064b50);
  const end64 = Number(view.getBigUint64(locator + 8, true));
  assert.equal(view.getUint32(end64, true), 0x06064b50);
  assert.equal(view.getBigUint64(end64 + 32, true), 65_600n);
});

Deno.test("a member of another length than was said is a failure", async () => {
  const zip = new ZipWriter(new MemoryOutput());
  await assert.rejects(
    zip.add("a", 3, [new Uint8Array(2)]),
    (error) => isFuseError(error, "Sink") && /not as long/.test(error.message),
  );
});

Deno.test("both ways to a checksum agree", () => {
  const bytes = new TextEncoder().encode("123456789");
  assert.equal(tableCrc32(bytes, 0), 0xcbf43926);
  assert.equal(crc32(bytes, 0), 0xcbf43926);
  assert.equal(tableCrc32(bytes.subarray(4), tableCrc32(bytes.subarray(0, 4), 0)), 0xcbf43926);
  assert.equal(crc32(bytes.subarray(4), crc32(bytes.subarray(0, 4), 0)), 0xcbf43926);
});
