/** A virtual environment `.venv` with the Python libraries that judge the project's output. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../", import.meta.url);
const VENV = fileURLToPath(new URL(".venv", ROOT));

/** Path of the environment's interpreter. */
export const PYTHON = Deno.build.os === "windows"
  ? `${VENV}\\Scripts\\python.exe`
  : `${VENV}/bin/python`;

/** Requirements of the project's own Python checks. */
export const OWN_REQUIREMENTS = fileURLToPath(new URL("tests/python/requirements.txt", ROOT));

/**
 * Makes `.venv` when it is missing and installs what the requirement files name; gives its
 * interpreter. Nothing is installed again while the files stay the same.
 * @throws Error when there is no Python, or pip fails.
 */
export async function pythonWith(requirements: string[]): Promise<string> {
  const files = [...new Set([OWN_REQUIREMENTS, ...requirements])].filter((f) => existsSync(f));
  if (!existsSync(PYTHON)) {
    rmSync(VENV, { recursive: true, force: true });
    await run("python3", ["-m", "venv", VENV]);
  }
  const stamps = files.map((file) => {
    const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
    return { file, stamp: `${VENV}/installed-${digest.slice(0, 16)}` };
  });
  const missing = stamps.filter(({ stamp }) => !existsSync(stamp));
  if (missing.length) {
    const args = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    await run(PYTHON, [...args, ...files.flatMap((file) => ["-r", file])]);
    for (const { file, stamp } of missing) writeFileSync(stamp, file);
  }
  return PYTHON;
}

async function run(command: string, args: string[]): Promise<void> {
  let code: number;
  try {
    ({ code } = await new Deno.Command(command, { args, stdin: "null" }).spawn().status);
  } catch {
    throw new Error(`${command} cannot be started: the checks in Python need Python 3.11 or later`);
  }
  if (code !== 0) throw new Error(`${command} ${args.slice(0, 3).join(" ")} ended with ${code}`);
}
