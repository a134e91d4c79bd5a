/**
 * Converts the cases of the shared corpus and has independent readers judge every output.
 *
 *   deno task corpus                          every format that is read and has cases
 *   deno task corpus --only wav csv --verbose arguments of run_corpus.py, passed through
 *
 * The corpus lies in `shared/` beside the project, or where SPARC_FUSE_SHARED says.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FORMATS } from "../decoders/registry.ts";
import { pythonWith } from "./python-env.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Folders of cases that are read by a format of another name. */
const FURTHER: Record<string, string[]> = { tiff: ["ome_tiff"] };

const shared = resolve(ROOT, Deno.env.get("SPARC_FUSE_SHARED") ?? "../shared");
const runner = `${shared}/tools/run_corpus.py`;
if (!existsSync(runner)) {
  console.error(
    `no corpus: ${runner} is not there. Put shared/ beside the project, or name its place in ` +
      `SPARC_FUSE_SHARED.`,
  );
  Deno.exit(2);
}

/** Folders of the corpus that hold files of the registered formats. */
function folders(): string[] {
  return FORMATS.flatMap(({ id }) => [id.replaceAll("-", "_"), ...(FURTHER[id] ?? [])])
    .filter((name) => existsSync(`${shared}/corpus/${name}`));
}

const python = await pythonWith([`${shared}/tools/requirements.txt`]);
const only = Deno.args.some((a) => a.startsWith("--only")) ? [] : ["--only", ...folders()];
const { code } = await new Deno.Command(python, {
  args: [
    runner,
    "--corpus",
    `${shared}/corpus`,
    "--cli",
    `${Deno.execPath()} run -A cli.ts`,
    ...Deno.args,
    ...only,
  ],
  cwd: ROOT,
}).spawn().status;
Deno.exit(code);
