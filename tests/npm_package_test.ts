/** The npm package runs under Node, needs no installation for local files, and writes what Deno writes. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { INLINE_BYTES } from "../src/convert.ts";
import { buildPackage } from "../tools/build-npm.ts";
import { Deno as StandIn } from "../tools/npm/deno-shim.ts";
import { Float16Array as HalfFloats, WidenedHalfFloats } from "../tools/npm/half-floats.ts";
import { type CliRun, inFolder, type Workplace } from "./support/run-cli.ts";
import { wavFile } from "./support/sample-files.ts";

/** The oldest version of Node the package promises to run on. */
const LEAST_NODE = 20;

async function nodeVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("node", { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return undefined;
  }
}

const version = await nodeVersion();
const tooOld = version === undefined || parseInt(version.slice(1)) < LEAST_NODE;
if (tooOld) {
  console.log(`npm package: skipped, needs Node ${LEAST_NODE} (found ${version ?? "none"})`);
}

/** Contents by path; the time of the conversion is taken out. */
function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true }).map(String).sort()
    .filter((path) => statSync(join(folder, path)).isFile());
  return new Map(files.map((path) => {
    const bytes = readFileSync(join(folder, path));
    return [
      path,
      path.endsWith(".json")
        ? bytes.toString().replace(/("conversion_date": )"[^"]*"/, '$1""')
        : bytes.toString("base64"),
    ];
  }));
}

/** Runs Node in `folder`. */
async function runNode(folder: string, args: string[]): Promise<CliRun> {
  const { code, stdout, stderr } = await new Deno.Command("node", {
    args,
    cwd: folder,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** What the package's files import, the package's own files left out. */
function imported(home: string): Set<string> {
  const names = new Set<string>();
  for (const file of readdirSync(home).filter((name) => name.endsWith(".js"))) {
    const text = readFileSync(join(home, file), "utf8");
    const statics = text.matchAll(/^(?:import|export)\b[^;'"]*?["']([^"']+)["'];/gm);
    const dynamics = text.matchAll(/\bimport\("([^"]+)"\)/g);
    for (const [, name] of [...statics, ...dynamics]) {
      if (name.startsWith("./")) assert.ok(existsSync(join(home, name)), `${file}: ${name}`);
      else names.add(name);
    }
  }
  return names;
}

async function checkUnderNode(home: string, { folder, cli }: Workplace): Promise<void> {
  const program = join(home, "sparc-fuse.js");
  const node = (...args: string[]) => runNode(folder, [program, ...args]);
  const big = wavFile({
    channels: 2,
    rate: 20000,
    samples: 1_300_000,
    sample: (c, i) => (i * 7919 + c * 31) % 4001 - 2000,
  });
  assert.ok(big.length > INLINE_BYTES, "large enough for the workers");
  writeFileSync(join(folder, "big.wav"), big);
  writeFileSync(join(folder, "small.wav"), wavFile({ channels: 2, rate: 1000, samples: 3000 }));

  const inspect = ["inspect", "small.wav", "--json"];
  for (const args of [["--help"], ["none.wav"], inspect, ["--no-such-flag", "small.wav"]]) {
    assert.deepEqual(await node(...args), await cli(...args), args.join(" "));
  }

  const files = ["small.wav", "big.wav"];
  const there = await node(...files, "-o", "node", "--quiet");
  const here = await cli(...files, "-o", "deno", "--quiet");
  assert.deepEqual([there, here.code], [{ code: 0, stdout: "", stderr: "" }, 0]);
  for (const file of files) {
    const expected = contents(join(folder, "deno", `${file}.zarr`));
    assert.ok(expected.size > 4);
    assert.deepEqual(contents(join(folder, "node", `${file}.zarr`)), expected, file);
  }

  writeFileSync(
    join(folder, "library.mjs"),
    `import { convert, inspect } from ${JSON.stringify(pathToFileURL(join(home, "mod.js")).href)};
     const { recordings } = await inspect("small.wav");
     const { status } = await convert("big.wav", "library.zarr");
     console.log(recordings.length, status, typeof globalThis.Deno);`,
  );
  assert.deepEqual(await runNode(folder, ["library.mjs"]), {
    code: 0,
    stdout: "1 ok undefined\n",
    stderr: "",
  });
}

Deno.test("the npm package", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "sparc-fuse-npm-"));
  try {
    await buildPackage(home);
    await t.step("imports only what it brings, depends on, or Node has", () => {
      const { dependencies } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
      const foreign = [...imported(home)].filter((name) => !isBuiltin(name));
      assert.deepEqual(foreign.sort(), Object.keys(dependencies).sort());
    });
    await t.step({
      name: "gives under Node what the program gives under Deno",
      ignore: tooOld,
      fn: () => inFolder((place) => checkUnderNode(home, place)),
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

Deno.test("every member of Deno the program names is in the package's stand-in", () => {
  const files = readdirSync(new URL("../src/", import.meta.url), { recursive: true }).map(String)
    .filter((path) => path.endsWith(".ts")).map((path) => `../src/${path}`);
  let seen = 0;
  for (const file of ["../cli.ts", ...files]) {
    const code = readFileSync(new URL(file, import.meta.url), "utf8")
      .replace(/\/\*[^]*?\*\/|\/\/.*/g, "");
    // Types begin with a capital.
    for (const [use, ...names] of code.matchAll(/\bDeno\.([a-z]\w*)(?:\??\.(\w+))?/g)) {
      let member: unknown = StandIn;
      for (const name of names.filter(Boolean)) member = (member as Record<string, unknown>)[name];
      assert.notEqual(member, undefined, `${file}: ${use}`);
      seen++;
    }
  }
  assert.ok(seen > 20);
});

Deno.test("half floats are widened as the runtime does it", () => {
  const words = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);
  const own = new WidenedHalfFloats(words.buffer, 0, words.length) as unknown as Float32Array;
  assert.deepEqual([...own], [...new Float16Array(words.buffer)]);
  assert.equal(HalfFloats, Float16Array, "the runtime's own where it has one");
});
