/**
 * One executable: `deno compile` of the command line with its workers and wasm inside.
 *
 *   deno task compile                     for this machine, to dist/sparc-fuse
 *   deno task compile --target TRIPLE     for another one
 *   deno task compile --all               for all platforms of a release
 *
 * `deno compile` downloads the runtime it wraps (denort), so this step needs access to Deno's releases.
 */
const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

const WASM = JSON.parse(
  Deno.readTextFileSync(new URL("../decoders/wasm/manifest.json", import.meta.url)),
) as Record<string, unknown>;

/** What the program loads at run time and the bundler cannot see from its imports. */
export const INCLUDED: string[] = [
  "src/pool/worker.ts",
  ...Object.keys(WASM).map((name) => `decoders/wasm/${name}`),
];

/** Least rights that every verb needs: files, network, environment, workers' system information. */
export const PERMISSIONS: string[] = [
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-sys",
];

function compileArguments(target: string | undefined): string[] {
  const name = target?.includes("windows") ? "sparc-fuse.exe" : "sparc-fuse";
  const output = target ? `dist/${target}/${name}` : `dist/${name}`;
  return [
    "compile",
    ...PERMISSIONS,
    ...INCLUDED.flatMap((file) => ["--include", file]),
    ...(target ? ["--target", target] : []),
    "--output",
    output,
    "cli.ts",
  ];
}

if (import.meta.main) {
  const at = Deno.args.indexOf("--target");
  const targets = Deno.args.includes("--all") ? TARGETS : [at >= 0 ? Deno.args[at + 1] : undefined];
  for (const target of targets) {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: compileArguments(target),
      cwd: new URL("../", import.meta.url).pathname,
    }).spawn().status;
    if (code !== 0) Deno.exit(code);
  }
}
