/**
 * Builds every decoder crate to `decoders/wasm/*.wasm` and records what they were built from.
 *
 *   deno task wasm            build and write the manifest
 *   deno task wasm --only imaging   build one crate
 *   deno task wasm --check    fail when the committed files do not come from the present sources
 *   deno task wasm --out DIR  build into another folder (CI compares behaviour, not bytes)
 *
 * Uses rustup's wasm32 target where it is installed; else Debian's rustc-web/cargo-web, building the
 * standard library from rust-web-src.
 */
import { createHash } from "node:crypto";

const ROOT = new URL("../", import.meta.url);
const RUST = new URL("decoders/rust/", ROOT);
const WASM = new URL("decoders/wasm/", ROOT);
const CRATES = [
  "chunk_codecs",
  "containers",
  "ephys",
  "imaging",
  "imaging_jxl",
  "imaging_rare",
  "tables",
];

interface Entry {
  /**
   * sha256 over what the crate is made of: its sources and those of the project's crates it uses, the
   * locked versions of all others, and the build profile.
   */
  sources: string;
  toolchain: string;
  sha256: string;
  bytes: number;
}
type Manifest = Record<string, Entry>;

/** Packages a crate is built from, itself included, as `Cargo.lock` has them. */
function lockedPackages(lock: string, crate: string): string[] {
  const blocks = new Map<string, string>();
  for (const block of lock.split("[[package]]").slice(1)) {
    const [name, version] = ["name", "version"].map((key) =>
      new RegExp(`^${key} = "(.+)"$`, "m").exec(block)![1]
    );
    blocks.set(`${name} ${version}`, block.trim());
    // Dependencies name the version only where several are locked.
    blocks.set(name, block.trim());
  }
  const found = new Set<string>();
  const visit = (name: string) => {
    const block = blocks.get(name.split(" ").slice(0, 2).join(" "));
    if (!block || found.has(block)) return;
    found.add(block);
    const list = /^dependencies = \[([^\]]*)\]/m.exec(block)?.[1] ?? "";
    for (const [, dependency] of list.matchAll(/"(.+?)"/g)) visit(dependency);
  };
  visit(`fuse-${crate.replaceAll("_", "-")}`);
  return [...found].sort();
}

async function sourceHash(crate: string): Promise<string> {
  const files: string[] = [];
  const walk = async (dir: URL) => {
    for await (const entry of Deno.readDir(dir)) {
      if (entry.name === "target" || entry.name === "fuzz") continue;
      const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), dir);
      if (entry.isDirectory) await walk(url);
      else if (/\.(rs|toml)$/.test(entry.name)) files.push(url.pathname);
    }
  };
  const packages = lockedPackages(await Deno.readTextFile(new URL("Cargo.lock", RUST)), crate);
  for (const block of packages) {
    const own = /^name = "fuse-(.+)"$/m.exec(block)?.[1];
    if (own) await walk(new URL(`${own}/`, RUST));
  }
  const hash = createHash("sha256");
  for (const path of files.sort()) {
    hash.update(path.slice(RUST.pathname.length)).update("\0");
    hash.update(await Deno.readFile(path)).update("\0");
  }
  for (const block of packages) hash.update(block).update("\0");
  // Another crate in the workspace changes nothing for this one.
  const workspace = await Deno.readTextFile(new URL("Cargo.toml", RUST));
  hash.update(workspace.replace(/^members = \[[^\]]*\]/m, ""));
  return hash.digest("hex");
}

async function output(command: string, args: string[]): Promise<string | null> {
  try {
    const result = await new Deno.Command(command, { args, stderr: "null" }).output();
    return result.success ? new TextDecoder().decode(result.stdout).trim() : null;
  } catch {
    return null;
  }
}

interface Toolchain {
  cargo: string;
  args: string[];
  env: Record<string, string>;
  name: string;
}

async function toolchain(): Promise<Toolchain> {
  const home = Deno.env.get("HOME") ?? "";
  const remap = [[RUST.pathname.replace(/\/$/, ""), "decoders"], [`${home}/.cargo`, "cargo"], [
    `${home}/.rustup`,
    "rustup",
  ], ["/usr/src", "rust"]].map(([from, to]) => `--remap-path-prefix=${from}=${to}`).join(" ");
  const flags = `-Ctarget-feature=+simd128,+bulk-memory ${remap}`;
  const targets = await output("rustup", ["target", "list", "--installed"]);
  if (targets?.includes("wasm32-unknown-unknown")) {
    return {
      cargo: "cargo",
      args: [],
      env: { RUSTFLAGS: flags },
      name: (await output("rustc", ["--version"])) ?? "rustc",
    };
  }
  const debian = await output("/usr/bin/rustc", ["--version"]);
  if (!debian) {
    console.error(
      "no Rust for wasm32: run `rustup target add wasm32-unknown-unknown`, or on Debian " +
        "`apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src lld`",
    );
    Deno.exit(1);
  }
  return {
    cargo: "/usr/bin/cargo",
    args: ["-Zbuild-std=std,panic_abort"],
    env: {
      RUSTC: "/usr/bin/rustc",
      RUSTC_BOOTSTRAP: "1",
      RUSTFLAGS: flags,
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: await linker(),
    },
    name: debian,
  };
}

async function linker(): Promise<string> {
  const sysroots = [
    await output("rustc", ["--print", "sysroot"]),
    await output("/usr/bin/rustc", [
      "--print",
      "sysroot",
    ]),
  ];
  for (const root of sysroots) {
    const path = `${root}/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld`;
    if (root && (await output(path, ["-flavor", "wasm", "--version"]))) return path;
  }
  for (const name of ["wasm-ld", "wasm-ld-19", "wasm-ld-18", "wasm-ld-14"]) {
    if (await output(name, ["--version"])) return name;
  }
  console.error("no wasm linker: install rustup's toolchain or Debian's lld");
  Deno.exit(1);
}

async function digest(path: URL): Promise<{ sha256: string; bytes: number }> {
  const bytes = await Deno.readFile(path);
  return { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
}

const MANIFEST = new URL("manifest.json", WASM);

async function readManifest(): Promise<Manifest> {
  try {
    return JSON.parse(await Deno.readTextFile(MANIFEST));
  } catch {
    return {};
  }
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at >= 0 ? Deno.args[at + 1] : undefined;
}

if (Deno.args.includes("--check")) {
  const manifest = await readManifest();
  let wrong = 0;
  for (const crate of CRATES) {
    const recorded = manifest[`${crate}.wasm`];
    if (recorded?.sources !== await sourceHash(crate)) {
      console.error(`${crate}.wasm was not built from these sources: run \`deno task wasm\``);
      wrong++;
    } else if ((await digest(new URL(`${crate}.wasm`, WASM))).sha256 !== recorded.sha256) {
      console.error(`${crate}.wasm is not the file its manifest records`);
      wrong++;
    }
  }
  Deno.exit(wrong ? 1 : 0);
}

const only = option("--only");
const crates = only ? CRATES.filter((c) => c === only.replaceAll("-", "_")) : CRATES;
const folder = option("--out");
const out = folder ? new URL(`file://${await Deno.realPath(folder)}/`) : WASM;
const chain = await toolchain();
const build = await new Deno.Command(chain.cargo, {
  args: [
    "build",
    "--release",
    "--target",
    "wasm32-unknown-unknown",
    "--lib",
    ...crates.flatMap((c) => ["-p", `fuse-${c.replaceAll("_", "-")}`]),
    ...chain.args,
  ],
  cwd: RUST,
  env: chain.env,
}).spawn().status;
if (!build.success) Deno.exit(build.code);
const manifest = folder ? {} : await readManifest();
for (const crate of crates) {
  const name = `${crate}.wasm`;
  const target = new URL(name, out);
  await Deno.copyFile(new URL(`target/wasm32-unknown-unknown/release/fuse_${name}`, RUST), target);
  await Deno.chmod(target, 0o644);
  manifest[name] = {
    sources: await sourceHash(crate),
    toolchain: chain.name,
    ...await digest(target),
  };
}
await Deno.writeTextFile(new URL("manifest.json", out), JSON.stringify(manifest, null, 2) + "\n");
console.log(`built ${crates.join(", ")} with ${chain.name}`);
