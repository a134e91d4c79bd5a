/**
 * The npm package: the command and the library for Node, bundled with `deno bundle` from the same sources.
 *
 *   deno task npm               to dist/npm
 *   deno task npm --out DIR     to another folder
 *
 * All npm packages are bundled but the AWS SDK, which is most of their weight and needed for `s3://` only.
 */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Not bundled: dependencies of the package. */
const EXTERNAL = ["@aws-sdk/client-s3"];

const ENTRIES = ["sparc-fuse", "mod", "worker", "deno-shim", "web-worker", "half-floats"];

/** Names the host of the sources has and Node has not: where they are used, and what stands for them. */
const INJECTED: { use: RegExp; name: string; from: string }[] = [
  { use: /\bDeno\.[a-zA-Z]/, name: "Deno", from: "deno-shim" },
  { use: /new Worker\(new URL\("\.\/worker\.ts"/, name: "Worker", from: "web-worker" },
  { use: /new Float16Array\(buffer, byteOffset/, name: "Float16Array", from: "half-floats" },
];

interface Config {
  version: string;
  license: string;
  imports: Record<string, string>;
}

function packageJson({ version, license, imports }: Config) {
  return {
    name: "sparc-fuse",
    version,
    description: "Recordings and images of neuroscience as Zarr and OME-Zarr",
    license,
    type: "module",
    engines: { node: ">=20" },
    bin: { "sparc-fuse": "sparc-fuse.js" },
    exports: { ".": "./mod.js", "./package.json": "./package.json" },
    dependencies: Object.fromEntries(
      EXTERNAL.map((name) => [name, imports[name].slice(`npm:${name}@`.length)]),
    ),
  };
}

async function bundle(folder: string): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--platform",
      "deno",
      "--code-splitting",
      ...EXTERNAL.flatMap((name) => ["--external", name]),
      "--outdir",
      folder,
      ...ENTRIES.map((name) => `tools/npm/${name}.ts`),
    ],
    cwd: ROOT,
  }).spawn().status;
  if (!success) throw new Error("deno bundle failed");
}

/** Gives every file the names it uses and Node has not. @throws Error when a name is used nowhere. */
async function inject(folder: string): Promise<void> {
  const used = new Set<string>();
  for await (const { name: file } of Deno.readDir(folder)) {
    const own = ENTRIES.slice(3).some((entry) => file === `${entry}.js`);
    if (own || !file.endsWith(".js")) continue;
    const text = await Deno.readTextFile(`${folder}/${file}`);
    const found = INJECTED.filter(({ use }) => use.test(text));
    if (found.length === 0) continue;
    found.forEach(({ name }) => used.add(name));
    const lines = found.map(({ name, from }) => `import { ${name} } from "./${from}.js";\n`);
    await Deno.writeTextFile(`${folder}/${file}`, lines.join("") + text);
  }
  for (const { name } of INJECTED) if (!used.has(name)) throw new Error(`${name} is used nowhere`);
}

/** Builds the package into `folder`, which is emptied first. */
export async function buildPackage(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  await bundle(folder);
  await inject(folder);
  const command = `${folder}/sparc-fuse.js`;
  await Deno.writeTextFile(
    command,
    `#!/usr/bin/env node\n${await Deno.readTextFile(command)}`,
  );
  if (Deno.build.os !== "windows") await Deno.chmod(command, 0o755);
  for await (const { name } of Deno.readDir(`${ROOT}/decoders/wasm`)) {
    if (name.endsWith(".wasm")) {
      await Deno.copyFile(`${ROOT}/decoders/wasm/${name}`, `${folder}/${name}`);
    }
  }
  for (const file of ["README.md", "LICENSE"]) {
    await Deno.copyFile(`${ROOT}/${file}`, `${folder}/${basename(file)}`);
  }
  const config = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`)) as Config;
  await Deno.writeTextFile(
    `${folder}/package.json`,
    JSON.stringify(packageJson(config), null, 2) + "\n",
  );
}

if (import.meta.main) {
  const at = Deno.args.indexOf("--out");
  const folder = at >= 0 ? Deno.args[at + 1] : `${ROOT}dist/npm`;
  await buildPackage(folder);
  console.log(`${folder}: try "npx ${folder} --help"`);
}
