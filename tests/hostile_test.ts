/**
 * Damaged files of every reader: each must convert to a store that opens and is no larger than its
 * input warrants, or fail with a FuseError that names it, quickly and in bounded memory. The long run
 * over the corpus is `tools/hostile.ts`.
 */
import assert from "node:assert/strict";
import { MemorySource } from "../src/source/memory.ts";
import { hostileVariants } from "./support/hostile.ts";
import { type GoodFile, goodFiles } from "./support/hostile-files.ts";
import { judge } from "./support/hostile-judge.ts";

/** Variants of a set's main file, and of each other member. */
const MAIN_VARIANTS = 100, MEMBER_VARIANTS = 16;
const SECONDS = 5, GROWTH_BYTES = 300 << 20;

function sizeOf(files: Record<string, Uint8Array>): number {
  return Object.values(files).reduce((n, bytes) => n + bytes.length, 0);
}

async function judgeSet(
  { main, files }: GoodFile,
  renamed: string = main,
): Promise<Awaited<ReturnType<typeof judge>>> {
  const { [main]: bytes, ...siblings } = files;
  return await judge(new MemorySource(renamed, bytes, siblings), {
    inputBytes: sizeOf(files),
    members: Object.keys(files),
  });
}

const outcomes = new Map<string, number>();

const all = await goodFiles();
for (const good of all) {
  Deno.test(`damaged ${good.main}`, async () => {
    const whole = await judgeSet(good);
    assert.deepEqual([whole.outcome, whole.complaint], ["converted", undefined], whole.message);
    const before = Deno.memoryUsage().rss;
    const complaints: string[] = [];
    for (const [member, bytes] of Object.entries(good.files)) {
      const count = member === good.main ? MAIN_VARIANTS : MEMBER_VARIANTS;
      for (const variant of hostileVariants(member, bytes, { count })) {
        if (Object.hasOwn(good.files, variant.rename ?? "")) continue;
        const files = { ...good.files, [member]: variant.bytes() };
        let opened = good.main;
        if (variant.rename && member === good.main) opened = variant.rename;
        else if (variant.rename) {
          delete files[member];
          files[variant.rename] = bytes;
        }
        const verdict = await judgeSet({ main: good.main, files }, opened);
        outcomes.set(verdict.outcome, (outcomes.get(verdict.outcome) ?? 0) + 1);
        if (verdict.complaint) complaints.push(`${member} [${variant.name}]: ${verdict.complaint}`);
        if (verdict.seconds > SECONDS) {
          complaints.push(`${member} [${variant.name}]: took ${verdict.seconds.toFixed(1)} s`);
        }
      }
    }
    assert.deepEqual(complaints, []);
    const growth = Deno.memoryUsage().rss - before;
    assert(growth < GROWTH_BYTES, `grew by ${growth >> 20} MiB`);
  });
}

/** File, place of a header field, what is written there, and what it then claims. */
const ABSURD: [file: string, at: number, bytes: number[], claim: string][] = [
  ["tone.wav", 22, [0, 0], "no channels"],
  ["tone.wav", 22, [0xff, 0xff], "65535 channels in frames of 4 bytes"],
  ["tone.wav", 24, [0, 0, 0, 0], "a rate of 0"],
  ["tone.wav", 34, [0xff, 0xff], "65535 bits a sample"],
  ["r84.acq", 10, [0xff, 0x7f], "32767 channels"],
  ["r84.acq", 16, [0, 0, 0, 0, 0, 0, 0, 0], "0 ms a sample"],
  ["r84.acq", 16, [0, 0, 0, 0, 0, 0, 0xf8, 0x7f], "NaN ms a sample"],
  ["r38.acq", 6, [0x7f, 0xff, 0xff, 0xff], "a header of 2 GiB"],
  ["son9.smr", 30, [0xff, 0x7f], "32767 channels"],
  ["son9.smr", 512 + 6, [0xff, 0xff, 0xff, 0x7f], "a first block at 1 TiB"],
  ["all.rhd", 8, [0, 0, 0, 0], "a rate of 0"],
  ["all.rhd", 8, [0, 0, 0xc0, 0x7f], "a rate of NaN"],
  ["old.ns3", 28, [0, 0xca, 0x9a, 0x3b], "1e9 channels"],
  ["old.ns3", 24, [0, 0, 0, 0], "a period of 0"],
  ["ptp.ns6", 310, [0, 0xca, 0x9a, 0x3b], "1e9 channels"],
  ["ptp.ns6", 10, [0xff, 0xff, 0xff, 0x7f], "headers of 2 GiB"],
  ["rec.nev", 12, [0xff, 0xff, 0xff, 0x7f], "headers of 2 GiB"],
  ["rec.nev", 16, [0xff, 0xff, 0xff, 0x7f], "packets of 2 GiB"],
  ["rec.nev", 16, [0, 0, 0, 0], "packets of 0 bytes"],
  ["strips.tif", 4, [0, 0, 0, 0], "a first directory at 0"],
  ["strips.tif", 8, [0xff, 0xff], "65535 entries"],
  ["strips.tif", 10 + 8, [0xff, 0xff], "a width of 65535"],
  ["strips.tif", 10 + 12 + 8, [0, 0], "a height of 0"],
  ["tiles.tif", 10 + 12 + 8, [0xff, 0xff], "a height of 65535 in two tiles"],
  ["tiles.tif", 10 + 7 * 12 + 8, [0, 0], "tiles of width 0"],
  ["tiles.tif", 10 + 6 * 12 + 8, [0, 0x80], "32768 samples a pixel"],
];

for (const [main, at, bytes, claim] of ABSURD) {
  Deno.test(`refused: ${main} with ${claim}`, async () => {
    const good = all.find((f) => f.main === main)!;
    const damaged = new Uint8Array(good.files[main]);
    damaged.set(bytes, at);
    const verdict = await judgeSet({ main, files: { ...good.files, [main]: damaged } });
    assert.equal(verdict.complaint, undefined, verdict.message);
    assert.match(verdict.outcome, /^(Corrupt|Truncated|Limit|Unsupported)$/, verdict.outcome);
    assert(verdict.seconds < 1);
  });
}

/** Set, member, bytes left of it, and what is said. */
const CUT_MEMBERS: [main: string, member: string, left: number, says: RegExp][] = [
  ["rec.vhdr", "rec.eeg", 0, /rec\.eeg.*no samples/],
  ["rec.vhdr", "rec.eeg", 60, /1 markers lie past the end of the data/],
  ["rec.vhdr", "rec.vmrk", 0, /rec\.vmrk.*no marker/],
  ["info.rhd", "amplifier.dat", 0, /amplifier\.dat/],
  ["info.rhs", "dc-B-000.dat", 0, /dc_amplifier/],
  ["info.rhs", "stim-B-001.dat", 1, /stimulation/],
  ["rec.nev", "rec.ns5", 100, /rec\.ns5/],
];

for (const [main, member, left, says] of CUT_MEMBERS) {
  Deno.test(`told: ${member} of ${main} cut to ${left} bytes`, async () => {
    const { files } = all.find((f) => f.main === main)!;
    const verdict = await judgeSet({
      main,
      files: { ...files, [member]: files[member].subarray(0, left) },
    });
    assert.equal(verdict.complaint, undefined);
    assert.match(verdict.message ?? verdict.warnings!.join("\n"), says);
  });
}

Deno.test("the damage told: both conversions and every kind of refusal were seen", () => {
  for (const tag of ["converted", "Truncated", "Corrupt", "UnknownFormat"]) {
    assert((outcomes.get(tag) ?? 0) > 0, `no variant ended as ${tag}`);
  }
});
