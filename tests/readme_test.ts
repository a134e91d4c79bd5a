/** The README keeps what it promises in words that can be checked. */
import assert from "node:assert/strict";
import { FORMATS } from "../decoders/registry.ts";
import { arrayJobOf } from "./slurm/readme.ts";
import { PLACES, withTable } from "../tools/readme-formats.ts";

const README = new URL("../README.md", import.meta.url);

Deno.test("the tables of formats are the registry's", async () => {
  for (const place of PLACES) {
    const text = await Deno.readTextFile(new URL(`../${place.file}`, import.meta.url));
    assert.equal(withTable(text, place), text, "run tools/readme-formats.ts");
  }
});

Deno.test("links of the README and the docs lead somewhere", async () => {
  const files = [README];
  for await (const entry of Deno.readDir(new URL("../docs/", import.meta.url))) {
    if (entry.name.endsWith(".md")) files.push(new URL(`../docs/${entry.name}`, import.meta.url));
  }
  for (const file of files) {
    for (const [, target] of (await Deno.readTextFile(file)).matchAll(/\]\(([^)#:]+)\)/g)) {
      await assert.doesNotReject(
        Deno.stat(new URL(target, file)),
        `${file.pathname} links to ${target}`,
      );
    }
  }
});

Deno.test("the array job is one that shares all tasks, whatever their number", async () => {
  const { script, plan, submit, finish } = arrayJobOf(await Deno.readTextFile(README));
  assert.match(script, /^#!\/bin\/bash\n#SBATCH .*--array=0-3/);
  assert.match(script, /--part "\$SLURM_ARRAY_TASK_ID\/\$SLURM_ARRAY_TASK_COUNT"/);
  assert.ok(plan && submit.startsWith("job=$(sbatch ") && finish.includes("afterok:$job"));
});

Deno.test("every format says what it reads, and its extensions are its own", () => {
  for (const format of FORMATS) {
    assert.match(format.id, /^[a-z0-9_]+$/);
    assert.ok(format.reads.length > 10 && format.references.length > 0, format.id);
    for (const extension of format.extensions) assert.match(extension, /^\.[a-z0-9.]+$/, format.id);
  }
});

Deno.test("every package the project imports says why it is there", async () => {
  const root = new URL("../", import.meta.url);
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const said = await Deno.readTextFile(new URL("docs/dependencies.md", root));
  for (const target of Object.values<string>(imports)) {
    const name = /^npm:(@?[^@]+)@/.exec(target)?.[1];
    assert.ok(name && said.includes(`| ${name} |`), `${target} is not in docs/dependencies.md`);
  }
});
