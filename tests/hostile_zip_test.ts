/** Damaged archives: a member converts, or a FuseError names the archive. */
import assert from "node:assert/strict";
import { makeZip } from "client-zip";
import { isFuseError } from "../src/errors.ts";
import { MemorySource } from "../src/source/memory.ts";
import { openZipMember } from "../src/source/zip.ts";
import { hostileVariants } from "./support/hostile.ts";
import { judge, leakOf } from "./support/hostile-judge.ts";
import { wavFile } from "./support/sample-files.ts";

const SECONDS = 5;
const TONE = wavFile({ channels: 1, rate: 1000, samples: 600 });

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** An archive of one member, stored or deflated. */
async function archiveOf(name: string, bytes: Uint8Array, packed: boolean): Promise<Uint8Array> {
  const zip = new Uint8Array(
    await new Response(makeZip([{ name, input: bytes, lastModified: new Date(0) }])).arrayBuffer(),
  );
  if (!packed) return zip;
  const body = await deflate(new Uint8Array(bytes));
  const crc = new DataView(zip.buffer).getUint32(30 + name.length + bytes.length + 4, true);
  return deflatedZip(name, body, bytes.length, crc);
}

function deflatedZip(name: string, body: Uint8Array, size: number, crc: number): Uint8Array {
  const text = new TextEncoder().encode(name);
  const local = new DataView(new ArrayBuffer(30)), central = new DataView(new ArrayBuffer(46));
  const end = new DataView(new ArrayBuffer(22));
  for (const [view, signature, at] of [[local, 0x04034b50, 4], [central, 0x02014b50, 6]] as const) {
    view.setUint32(0, signature, true);
    view.setUint16(at, 20, true);
    view.setUint16(at + 4, 8, true);
    view.setUint32(at + 10, crc, true);
    view.setUint32(at + 14, body.length, true);
    view.setUint32(at + 18, size, true);
    view.setUint16(at + 22, text.length, true);
  }
  const directory = 30 + text.length + body.length;
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, 1, true);
  end.setUint16(10, 1, true);
  end.setUint32(12, 46 + text.length, true);
  end.setUint32(16, directory, true);
  const parts = [local, text, body, central, text, end].map((p) =>
    p instanceof DataView ? new Uint8Array(p.buffer) : p
  );
  const bytes = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

for (const packed of [false, true]) {
  Deno.test(`damaged archive of a ${packed ? "deflated" : "stored"} member`, async () => {
    const good = await archiveOf("tone.wav", TONE, packed);
    const complaints: string[] = [];
    const outcomes = new Map<string, number>();
    const places = [good.length - 22, good.length - 80];
    for (const variant of hostileVariants("set.zip", good, { count: 400, places })) {
      const started = performance.now();
      const bytes = variant.bytes();
      let outcome = "refused", complaint: string | undefined;
      try {
        const member = await openZipMember(new MemorySource("set.zip", bytes), "tone.wav");
        const verdict = await judge(member, { inputBytes: bytes.length, members: ["set.zip"] });
        [outcome, complaint] = [verdict.outcome, verdict.complaint];
      } catch (error) {
        complaint = isFuseError(error) && error.message.includes("set.zip")
          ? leakOf(error)
          : `${error}`;
        // A name that the damage took away is the caller's to mend.
        if (isFuseError(error, "Usage") && /no such member/.test(error.message)) outcome = "gone";
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (performance.now() - started > SECONDS * 1000) complaint ??= "took too long";
      if (complaint) complaints.push(`${variant.name}: ${complaint}`);
    }
    assert.deepEqual(complaints, []);
    assert((outcomes.get("converted") ?? 0) > 10 && (outcomes.get("refused") ?? 0) > 10);
  });
}

Deno.test("a member that unpacks to more or less than the archive says", async () => {
  const body = await deflate(new Uint8Array(64 << 20));
  for (const size of [100, (64 << 20) - 1, 0xffff_fff0]) {
    const zip = deflatedZip("a.wav", body, size, 0);
    const member = await openZipMember(new MemorySource("bomb.zip", zip), "a.wav").catch((e) => e);
    const verdict = isFuseError(member)
      ? { complaint: leakOf(member), seconds: 0, outcome: member.tag }
      : await judge(member, { inputBytes: zip.length, members: ["bomb.zip"] });
    assert.equal(verdict.complaint, undefined);
    assert.notEqual(verdict.outcome, "converted");
    assert(verdict.seconds < SECONDS);
  }
});
