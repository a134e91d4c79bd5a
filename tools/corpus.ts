/**
 * Converts the cases of the shared corpus and has independent readers judge every output.
 *
 *   deno task corpus                          every format that is read and has cases
 *   deno task corpus --only wav csv --verbose arguments of run_corpus.py, passed through
 *   deno task corpus --formats                names these formats and does nothing else
 *
 * The corpus lies in `shared/` beside the project, or where SPARC_FUSE_SHARED says.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FORMATS } from "../decoders/registry.ts";
import { pythonWith } from "./python-env.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

const shared = resolve(ROOT, Deno.env.get("SPARC_FUSE_SHARED") ?? "../shared");
const runner = `${shared}/tools/run_corpus.py`;
if (!existsSync(runner)) {
  console.error(
    `no corpus: ${runner} is not there. Put shared/ beside the project, or name its place in ` +
      `SPARC_FUSE_SHARED.`,
  );
  Deno.exit(2);
}

/** Folders that are not named by the id of their format. */
const OTHER_NAMES: Record<string, string[]> = { edf: ["bdf"], flat: ["flat_dat"] };

/** Folders of the corpus that hold files of registered formats. */
function folders(): string[] {
  return FORMATS.flatMap(({ id }) => [id, ...(OTHER_NAMES[id] ?? [])])
    .filter((name) => existsSync(`${shared}/corpus/${name}`));
}

if (Deno.args[0] === "--formats") {
  console.log(folders().join(" "));
  Deno.exit(0);
}
const python = await pythonWith([`${shared}/tools/requirements.txt`]);
const only = Deno.args.some((a) => a.startsWith("--only")) ? [] : ["--only", ...folders()];
const record = Deno.makeTempFileSync({ suffix: ".json" });
try {
  const { code } = await new Deno.Command(python, {
    args: [
      runner,
      "--corpus",
      `${shared}/corpus`,
      "--cli",
      `${Deno.execPath()} run -A tools/corpus-cli.ts`,
      "--json",
      record,
      ...Deno.args,
      ...only,
    ],
    cwd: ROOT,
  }).spawn().status;
  Deno.exit(judge(code));
} finally {
  Deno.removeSync(record);
}

/** Where the judge and the file disagree, the file wins: such cases are listed with the reason. */
function judge(code: number): number {
  const text = Deno.readTextFileSync(record);
  if (text === "") return code || 1;
  const cases = Object.entries(JSON.parse(text) as Record<string, { held: boolean }>);
  const listed: Record<string, string> = JSON.parse(
    Deno.readTextFileSync(new URL("corpus-disagreements.json", import.meta.url)),
  );
  let passed = 0, failed = 0;
  for (const [name, { held }] of cases) {
    if (listed[name] === undefined) {
      if (held) passed++;
      else {
        failed++;
        console.error(`MISSING ${name} does not hold`);
      }
    } else if (held) {
      failed++;
      console.error(`${name} holds now: take it off tools/corpus-disagreements.json`);
    } else {
      passed++;
      console.log(`${name} disagrees as recorded: ${listed[name]}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed ? 1 : 0;
}
