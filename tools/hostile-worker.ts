/** One case of `tools/hostile.ts`: damages its members one at a time and judges each conversion. */
import "../src/platform/node.ts";
import { basename, extname, join } from "node:path";
import { planFile } from "../src/convert.ts";
import { identify, OPEN_SCORE } from "../src/identify.ts";
import { FileSource } from "../src/source/file.ts";
import type { ByteSource } from "../src/source/source.ts";
import { WrappedSource } from "../src/source/wrapped.ts";
import { hostileVariants, type Variant } from "../tests/support/hostile.ts";
import { judge, type Verdict } from "../tests/support/hostile-judge.ts";

/** What a process is asked to do. */
export interface WorkerJob {
  folder: string;
  /** Variants of each damaged member. */
  variants: number;
  seed: number;
  /** Variants before this one are skipped: an earlier process ran them. */
  first: number;
}

/** What a process says, one JSON object a line. */
export type WorkerLine =
  | { type: "start"; index: number; file: string; variant: string }
  | { type: "verdict"; verdict: Verdict }
  | { type: "done" };

/** Members of a set that are damaged beside the file that is opened. */
const MEMBERS = 6;

/** Bytes a compressed byte may become. */
const COMPRESSED = 1 << 16;

function say(line: WorkerLine): void {
  console.log(JSON.stringify(line));
}

function* filesBelow(folder: string, below = ""): Generator<string> {
  for (const entry of Deno.readDirSync(join(folder, below))) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (entry.isDirectory) yield* filesBelow(folder, path);
    else if (path !== "expected.json") yield path;
  }
}

/** Files below `folder` this process has open; 0 where the system does not tell. */
function openHandles(folder: string): number {
  let count = 0;
  try {
    for (const { name } of Deno.readDirSync("/proc/self/fd")) {
      try {
        if (Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(folder)) count++;
      } catch {
        // The listing's own handle is gone by now.
      }
    }
  } catch {
    // Not Linux.
  }
  return count;
}

/** A source that remembers which files of its set were opened, for their values or only for a look. */
class Followed extends WrappedSource {
  constructor(inner: ByteSource, readonly opened: Set<string>) {
    super(inner);
  }
  override async sibling(relativePath: string): Promise<ByteSource | null> {
    const sibling = await super.sibling(relativePath);
    if (sibling) this.opened.add(sibling.uri);
    return sibling;
  }
  protected override rewrap(sibling: ByteSource): ByteSource {
    return new Followed(sibling, this.opened);
  }
}

/** At most {@link MEMBERS}, of as many kinds as there are. */
function varied(members: string[]): string[] {
  const seen = new Set<string>();
  const [first, more]: [string[], string[]] = [[], []];
  for (const member of members) {
    (seen.has(extname(member)) ? more : first).push(member);
    seen.add(extname(member));
  }
  return [...first, ...more].slice(0, MEMBERS);
}

/** The member is not there at all. */
const MISSING: Variant = { name: "missing", bytes: () => new Uint8Array(0) };

/** Paths of the members a reader would open, each with the members it drew on; and what they become. */
async function openable(folder: string, files: string[]) {
  const found: { main: string; members: string[]; expansion: number }[] = [];
  const claimed = new Set<string>();
  for (const main of files) {
    const opened = new Set<string>();
    const source = new Followed(FileSource.open(join(folder, main)), opened);
    try {
      const [best] = await identify(source);
      if (!best || best.score < OPEN_SCORE || claimed.has(main)) continue;
      const entry = { main, members: [main], expansion: 16 };
      found.push(entry);
      const { plan, dataset } = await planFile(source);
      const drawn = dataset.sources.slice(1).map((s) => s.uri);
      const pathOf = (uri: string) => files.find((f) => join(folder, f) === uri) ?? basename(uri);
      const members = [...new Set([...drawn, ...opened])].map(pathOf)
        .filter((m) => m !== main && files.includes(m));
      drawn.forEach((uri) => claimed.add(pathOf(uri)));
      entry.members.push(...varied([...new Set(members)]));
      const bytes = dataset.sources.reduce((n, s) => n + (s.size ?? 0), 0);
      entry.expansion += 2 * plan.outputBytes / Math.max(1, bytes);
      // Compressed pixels: an image of another size is planned before its tiles are decoded.
      if (dataset.images.length) entry.expansion += COMPRESSED;
      for (const member of dataset.sources.slice(1)) await member.close();
    } catch {
      // A case that is refused whole is damaged further all the same.
    } finally {
      await source.close();
    }
  }
  return found;
}

async function runCase(job: WorkerJob): Promise<void> {
  const copy = await Deno.makeTempDir({ prefix: "sparc-fuse-hostile-" });
  try {
    const files = [...filesBelow(job.folder)].sort();
    for (const file of files) {
      await Deno.mkdir(join(copy, file, ".."), { recursive: true });
      await Deno.copyFile(join(job.folder, file), join(copy, file));
      // Corpus files may be read-only.
      await Deno.chmod(join(copy, file), 0o644);
    }
    let index = 0;
    for (const { main, members, expansion } of await openable(copy, files)) {
      for (const member of members) {
        const place = join(copy, member);
        const good = await Deno.readFile(place);
        const variants = hostileVariants(basename(member), good, {
          count: Math.max(4, Math.round(job.variants / (member === main ? 1 : 2))),
          seed: job.seed,
        });
        if (member !== main) variants.push(MISSING);
        for (const variant of variants) {
          if (index++ < job.first || files.includes(variant.rename ?? "")) continue;
          const file = `${basename(job.folder)}/${member}${member === main ? "" : ` of ${main}`}`;
          say({ type: "start", index: index - 1, file, variant: variant.name });
          const renamed = variant.rename === undefined ? place : join(place, "..", variant.rename);
          await Deno.remove(place);
          if (variant !== MISSING) await Deno.writeFile(renamed, variant.bytes());
          const inputBytes = files.reduce((n, f) => {
            if (f === member && variant === MISSING) return n;
            const path = f === member ? renamed : join(copy, f);
            return n + Deno.statSync(path).size;
          }, 0);
          const opened = member === main ? renamed : join(copy, main);
          const handles = openHandles(copy);
          const verdict = await judge(FileSource.open(opened), {
            inputBytes,
            expansion,
            members: files.map((f) => basename(f)),
          });
          const left = openHandles(copy) - handles;
          if (left > 0) verdict.complaint ??= `${left} file handles left open`;
          say({ type: "verdict", verdict });
          if (variant !== MISSING) await Deno.remove(renamed);
          await Deno.writeFile(place, good);
        }
      }
    }
    say({ type: "done" });
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

if (import.meta.main) await runCase(JSON.parse(Deno.args[0]));
