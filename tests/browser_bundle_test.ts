/** The library must bundle for the browser: nothing it loads by itself may ask for Deno or Node. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/**
 * Left to the page's own bundler: the AWS SDK swaps files by a `browser` table in its package.json that
 * `deno bundle` does not follow.
 */
const EXTERNAL = ["@aws-sdk/client-s3"];

/** The modules in which `node:` and `Deno.` are at home; each is loaded on demand, by nothing in a browser. */
const HOSTS = [
  "src/source/file.ts",
  "src/sinks/targets/directory.ts",
  "src/sinks/targets/file-output.ts",
  "src/sinks/targets/zip-writer.ts",
  "src/sinks/targets/zip.ts",
];

interface Chunk {
  /** Chunks loaded with this one. */
  loads: string[];
  /** Modules of this chunk that use the host, with the line that does. */
  host: { module: string; line: string }[];
}

/** Bundles `entry` into `folder`, one chunk for each dynamic import. */
async function bundle(entry: string, folder: string): Promise<Map<string, Chunk>> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--platform",
      "browser",
      "--code-splitting",
      ...EXTERNAL.flatMap((name) => ["--external", name]),
      "--outdir",
      folder,
      entry,
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  const chunks = new Map<string, Chunk>();
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith(".js")) continue;
    const lines = readFileSync(`${folder}/${name}`, "utf8").split("\n");
    const statics = lines.join("\n").matchAll(/^(?:import|export)\b[^;]*?["']\.\/([^"']+)["'];/gm);
    chunks.set(name, {
      loads: [...statics].map((m) => m[1]),
      host: hostUses(lines),
    });
  }
  return chunks;
}

/** The bundler writes the path of each module as a comment above its code. */
function hostUses(lines: string[]): Chunk["host"] {
  const uses: Chunk["host"] = [];
  let module = "";
  const comment = /^\/\/ (?:[./]*)((?:src|decoders|tests)\/\S+\.ts|mod\.ts|\S*\/npm\/\S+)$/;
  for (const line of lines) {
    module = comment.exec(line)?.[1] ?? module;
    if (/(from|import|require)\s*\(?\s*["']node:|\bDeno\./.test(line)) uses.push({ module, line });
  }
  return uses;
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(`${Deno.env.get("TMPDIR") ?? "/tmp"}/sparc-fuse-bundle-`);
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

Deno.test("the library bundles for the browser without Deno or Node", async () => {
  await inFolder(async (folder) => {
    const entry = existsSync(`${ROOT}/mod.ts`) ? "mod.ts" : "src/convert.ts";
    const chunks = await bundle(entry, folder);
    const first = basename(entry).replace(/ts$/, "js");
    assert.ok(chunks.has(first), [...chunks.keys()].join(" "));
    const loaded = new Set([first]);
    for (const name of loaded) chunks.get(name)!.loads.forEach((next) => loaded.add(next));
    assert.ok(loaded.size > 1, "an entry that loads nothing is not the library");
    for (const name of loaded) {
      assert.deepEqual(chunks.get(name)!.host, [], `${name} is loaded with the library`);
    }
    const hosts = new Set([...chunks.values()].flatMap((chunk) => chunk.host.map((h) => h.module)));
    assert.deepEqual([...hosts].sort(), HOSTS.sort(), "modules that use Deno or Node");
  });
});

Deno.test("a bundled page converts a file where there is no Deno and no process", async () => {
  await inFolder(async (folder) => {
    await bundle("tests/support/browser-page.ts", folder);
    cpSync(`${ROOT}/decoders/wasm`, folder, { recursive: true });
    writeFileSync(
      `${folder}/run.js`,
      `
      const samples = new Int16Array(3 * 5000).map((_, i) => (i * 7919) % 4001 - 2000);
      const header = new DataView(new ArrayBuffer(44));
      const text = (at, s) => [...s].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
      text(0, "RIFF"); header.setUint32(4, 36 + samples.byteLength, true); text(8, "WAVEfmt ");
      header.setUint32(16, 16, true); header.setUint16(20, 1, true); header.setUint16(22, 3, true);
      header.setUint32(24, 1000, true); header.setUint32(28, 6000, true);
      header.setUint16(32, 6, true); header.setUint16(34, 16, true);
      text(36, "data"); header.setUint32(40, samples.byteLength, true);
      const print = console.log;
      delete globalThis.Deno; delete globalThis.process; delete globalThis.Buffer;
      const page = await import("./browser-page.js");
      print(JSON.stringify(await page.convertOnPage(new Blob([header.buffer, samples]), "three.wav")));
    `,
    );
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-config",
        "--no-lock",
        `--allow-read=${folder}`,
        "--no-prompt",
        `${folder}/run.js`,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder();
    const line = text.decode(stdout).trim();
    assert.ok(line.startsWith("{"), `${line}\n${text.decode(stderr)}`);
    const { status, error, objects } = JSON.parse(line);
    assert.equal(error, null);
    assert.equal(status, "ok");
    assert.ok(objects["zarr.json"] > 500 && objects["signals/zarr.json"] > 100);
    assert.ok(Object.keys(objects).some((key) => key.startsWith("signals/c/")));
  });
});
