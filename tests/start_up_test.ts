/** Help and version come at once: what they load is kept small. */
import assert from "node:assert/strict";

const ROOT = new URL("../", import.meta.url);

/** Modules of the project that `entry` loads before it does anything. */
function loadedAtOnce(entry: string): string[] {
  const found = new Set<string>();
  const visit = (url: URL) => {
    if (found.has(url.href)) return;
    found.add(url.href);
    const text = Deno.readTextFileSync(url);
    for (
      const [, kind, target] of text.matchAll(/^(import|export)(?! type)[^;(]*?"(\.[^"]+)";/gm)
    ) {
      assert.ok(kind);
      visit(new URL(target, url));
    }
  };
  visit(new URL(entry, ROOT));
  return [...found].map((href) => href.slice(ROOT.href.length)).sort();
}

Deno.test("the command line loads its flags and nothing else until a verb works", () => {
  assert.deepEqual(loadedAtOnce("cli.ts"), [
    "cli.ts",
    "src/commands/flags.ts",
    "src/commands/program.ts",
    "src/errors.ts",
    "src/plan/attributes.ts",
    "src/sinks/names.ts",
  ]);
});

Deno.test("modules that are imported when needed are not read before", () => {
  const config = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  assert.ok(config.unstable.includes("lazy-dynamic-imports"));
});
