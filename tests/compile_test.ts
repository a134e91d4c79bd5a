/** What a compiled program needs is there, and nothing in it starts workers or modules it would not have. */
import assert from "node:assert/strict";
import { INCLUDED } from "../tools/compile.ts";

const ROOT = new URL("../", import.meta.url);

async function* sources(folder: URL): AsyncGenerator<[string, string]> {
  for await (const entry of Deno.readDir(folder)) {
    if (["target", "rust", "wasm"].includes(entry.name)) continue;
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* sources(url);
    else if (entry.name.endsWith(".ts")) {
      yield [url.pathname.slice(ROOT.pathname.length), await Deno.readTextFile(url)];
    }
  }
}

Deno.test("every file the compiled program loads by URL is included", async () => {
  for (const file of INCLUDED) await Deno.stat(new URL(file, ROOT));
  const seam = await Deno.readTextFile(new URL("decoders/wasm/instance.ts", ROOT));
  for (const [, name] of seam.matchAll(/new URL\("\.\/([a-z_]+\.wasm)"/g)) {
    assert.ok(INCLUDED.includes(`decoders/wasm/${name}`), `${name} is not included`);
  }
});

Deno.test("workers start from file URLs and dynamic imports name their module", async () => {
  for (const folder of ["src/", "decoders/"]) {
    for await (const [path, text] of sources(new URL(folder, ROOT))) {
      assert.ok(!/createObjectURL/.test(text), `${path} makes a Blob URL`);
      for (const [, argument] of text.matchAll(/(?<![\w.])import\(([^)]*)\)/g)) {
        assert.match(argument.trim(), /^"[^"]+"$/, `${path} imports a computed name`);
      }
    }
  }
});
