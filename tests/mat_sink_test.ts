/** MAT-files as they are written: elements of version 5, and the checksums and names both versions rest on. */
import assert from "node:assert/strict";
import { lookup3 } from "../src/sinks/mat/hdf5-writer.ts";
import { fitsMat5, writeMat5 } from "../src/sinks/mat/mat5.ts";
import { LegalNames, type Variable } from "../src/sinks/mat/variables.ts";
import { writeMat73 } from "../src/sinks/mat/mat73.ts";
import { MemoryOutput } from "../src/sinks/ordered/output.ts";

function bytesOf(output: MemoryOutput): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(output.pieces.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const piece of output.pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const VARIABLES: Variable[] = [
  {
    kind: "numeric",
    name: "signals",
    type: "int16",
    dims: [2, 3],
    elementBytes: 2,
    pieces: () => [
      new Uint8Array(Int16Array.of(1, 2, 3).buffer),
      new Uint8Array(Int16Array.of(4, 5, 6).buffer),
    ],
  },
  { kind: "text", name: "channel", count: 2, values: () => [["a", "μV"]] },
  { kind: "struct", name: "metadata", fields: [["species", "Rattus"], ["empty", ""]] },
];

Deno.test("version 5: every element is as long as its tag says, values in order", async () => {
  const output = new MemoryOutput();
  await writeMat5(VARIABLES, output, "test");
  const bytes = bytesOf(output);
  const view = new DataView(bytes.buffer);
  assert.equal(view.getUint16(124, true), 0x0100);
  assert.equal(String.fromCharCode(bytes[126], bytes[127]), "IM");
  const names: string[] = [];
  let at = 128;
  while (at < bytes.length) {
    assert.equal(view.getUint32(at, true), 14);
    const end = at + 8 + view.getUint32(at + 4, true);
    const dims = view.getUint32(at + 28, true);
    const name = at + 32 + Math.ceil(dims / 8) * 8;
    const length = view.getUint32(name + 4, true);
    names.push(new TextDecoder().decode(bytes.subarray(name + 8, name + 8 + length)));
    if (names.length === 1) {
      const data = name + 8 + Math.ceil(length / 8) * 8;
      assert.deepEqual([view.getUint32(data, true), view.getUint32(data + 4, true)], [3, 12]);
      assert.deepEqual([...new Int16Array(bytes.slice(data + 8, data + 20).buffer)], [
        1,
        2,
        3,
        4,
        5,
        6,
      ]);
    }
    if (names.length === 3) {
      // Length of the field names: always a small element, which Octave insists on.
      const fields = name + 8 + Math.ceil(length / 8) * 8;
      assert.deepEqual([view.getUint16(fields, true), view.getUint16(fields + 2, true)], [5, 4]);
      assert.equal(view.getUint32(fields + 4, true), 64);
    }
    at = end;
  }
  assert.equal(at, bytes.length);
  assert.deepEqual(names, ["signals", "channel", "metadata"]);
});

Deno.test("version 7.3: a user block, a superblock with its checksum, and headers with theirs", async () => {
  const output = new MemoryOutput({ seekable: true });
  await writeMat73(VARIABLES, output, "test");
  const bytes = bytesOf(output);
  assert.match(new TextDecoder().decode(bytes.subarray(0, 20)), /^MATLAB 7\.3 MAT-file/);
  const view = new DataView(bytes.buffer);
  const superblock = bytes.subarray(512, 512 + 44);
  assert.equal(view.getUint32(512 + 44, true), lookup3(superblock));
  assert.equal(Number(view.getBigUint64(512 + 28, true)), bytes.length);
  let headers = 0;
  for (let at = 560; at + 4 <= bytes.length; at += 8) {
    if (new TextDecoder().decode(bytes.subarray(at, at + 4)) !== "OHDR") continue;
    const length = 10 + view.getUint32(at + 6, true);
    assert.equal(
      view.getUint32(at + length, true),
      lookup3(bytes.subarray(at, at + length)),
      `header at ${at}`,
    );
    headers++;
  }
  // Octave follows no references: it finds the texts of cells by their names.
  const all = new TextDecoder("latin1").decode(bytes);
  assert.ok(all.includes("channel_1") && all.includes("channel_2"));
  // signals, two cells and their list, a struct with two fields, #refs#, the root
  assert.equal(headers, 9);
});

Deno.test("the checksum is Bob Jenkins' lookup3", () => {
  assert.equal(lookup3(new Uint8Array(0)), 0xdeadbeef);
  assert.equal(lookup3(new TextEncoder().encode("Four score and seven years ago")), 0x17770551);
});

Deno.test("names are legal, different, and no longer than MATLAB takes", () => {
  const names = new LegalNames();
  assert.deepEqual(
    [
      "events/DIN 3/time",
      "1 kHz",
      "é µ",
      "end",
      "Signals",
      "signals",
      "x".repeat(80),
      "x".repeat(80),
      "",
    ].map((n) => names.take(n)),
    [
      "events_DIN_3_time",
      "x1_kHz",
      "e",
      "x_end",
      "Signals",
      "signals_2",
      "x".repeat(63),
      "x".repeat(61) + "_2",
      "unnamed",
    ],
  );
});

Deno.test("a variable past 2 GiB does not fit version 5", () => {
  const huge: Variable = {
    kind: "numeric",
    name: "a",
    type: "double",
    dims: [1, 2 ** 28],
    elementBytes: 8,
    pieces: () => [],
  };
  assert.equal(fitsMat5([huge]), false);
  assert.equal(fitsMat5(VARIABLES), true);
});
