/** Runs the real program in a folder of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../cli.ts", import.meta.url));

/** What a run left: exit status and what was printed. */
export interface CliRun {
  code: number;
  stdout: string;
  stderr: string;
}

/** A folder for one test; `cli` runs in it. */
export interface Workplace {
  folder: string;
  cli(...args: string[]): Promise<CliRun>;
  /** Starts the program and leaves it running. */
  start(...args: string[]): Deno.ChildProcess;
  /** Starts the program with a pipe on standard input; its temporary files go to the folder, too. */
  piped(...args: string[]): Deno.ChildProcess;
}

/** Gives `body` an empty folder and removes it afterwards. */
export async function inFolder(body: (place: Workplace) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(`${tmpdir()}/sparc-fuse-cli-`);
  const command = (args: string[], stdin: "null" | "piped" = "null") =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", CLI, ...args],
      cwd: folder,
      env: { NO_COLOR: "1", ...(stdin === "piped" ? { TMPDIR: folder } : {}) },
      stdin,
      stdout: "piped",
      stderr: "piped",
    });
  const text = new TextDecoder();
  try {
    await body({
      folder,
      start: (...args) => command(args).spawn(),
      piped: (...args) => command(args, "piped").spawn(),
      cli: async (...args) => {
        const { code, stdout, stderr } = await command(args).output();
        return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
      },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
