/**
 * The whole gate: everything a change must pass before it is committed.
 *
 *   deno task ok                 every step
 *   deno task ok format lint     these steps only
 *
 * One line a step, the output of a step only where it fails, and a summary `N passed, N failed`
 * (`, N skipped` where a tool is missing); the exit status is 1 when a step failed.
 */
import { existsSync } from "node:fs";

const ROOT = new URL("../", import.meta.url);
const RUST = new URL("decoders/rust/", ROOT);

interface Step {
  name: string;
  command: string;
  args: string[];
  cwd?: URL;
}

function step(name: string, args: string[], command = Deno.execPath(), cwd = ROOT): Step {
  return { name, command, args, cwd };
}

/** Paths that exist: the public module and the benchmarks may be absent from a partial checkout. */
function present(...paths: string[]): string[] {
  return paths.filter((path) => existsSync(new URL(path, ROOT)));
}

const STEPS: Step[] = [
  step("format", ["fmt", "--check"]),
  step("lint", ["lint"]),
  step("types", [
    "check",
    ...present("cli.ts", "mod.ts", "src/pool/worker.ts", "tools", "tests", "bench"),
  ]),
  ...present("mod.ts").map((path) => step("doc-lint", ["doc", "--lint", path])),
  step("wasm", ["run", "-A", "tools/build-wasm.ts", "--check"]),
  step("rustfmt", ["fmt", "--all", "--check"], "cargo", RUST),
  step("clippy", ["clippy", "--all-targets", "--", "-D", "warnings"], "cargo", RUST),
  step("cargo-test", ["test", "--quiet"], "cargo", RUST),
  step("test", ["task", "test"]),
];

async function exists(command: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

async function run({ command, args, cwd }: Step): Promise<{ success: boolean; output: string }> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { success, output: text.decode(stdout) + text.decode(stderr) };
}

const unknown = Deno.args.filter((name) => !STEPS.some((s) => s.name === name));
if (unknown.length) {
  console.error(`no such step: ${unknown.join(" ")} (${STEPS.map((s) => s.name).join(" ")})`);
  Deno.exit(2);
}
const chosen = Deno.args.length ? STEPS.filter((s) => Deno.args.includes(s.name)) : STEPS;
const haveCargo = await exists("cargo");
const count = { passed: 0, failed: 0, skipped: 0 };
for (const next of chosen) {
  const name = next.name.padEnd(12);
  if (next.command === "cargo" && !haveCargo) {
    console.log(`skip ${name} cargo is not installed: the Rust decoders are not checked`);
    count.skipped++;
    continue;
  }
  const started = performance.now();
  const { success, output } = await run(next);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${success ? "ok  " : "FAIL"} ${name} ${seconds} s`);
  if (!success) console.log(output.trimEnd().replace(/^/gm, "    "));
  count[success ? "passed" : "failed"]++;
}
console.log(
  `${count.passed} passed, ${count.failed} failed` +
    (count.skipped ? `, ${count.skipped} skipped` : ""),
);
Deno.exit(count.failed ? 1 : 0);
