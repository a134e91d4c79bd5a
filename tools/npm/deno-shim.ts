/**
 * The members of `Deno` the program uses, on Node. The build imports this into every file of the
 * package that says `Deno.`; nothing global is set, since libraries take a global `Deno` for the runtime.
 */
import {
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  write,
  writeFileSync,
  writeSync,
} from "node:fs";
import { arch, freemem, platform, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { isatty } from "node:tty";

/** The reader of a stream has gone. */
class BrokenPipe extends Error {
  override name = "BrokenPipe";
}

/** Milliseconds between two tries when a pipe is full. */
const RETRY = 5;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** True when a pipe that does not block is full. @throws BrokenPipe, or the error itself. */
function isFull(error: unknown): boolean {
  const { code, message } = error as { code?: string; message: string };
  if (code === "EAGAIN") return true;
  throw code === "EPIPE" || code === "EOF" ? new BrokenPipe(message) : error;
}

function output(fd: 1 | 2) {
  const attempt = (bytes: Uint8Array) =>
    new Promise<number>((resolve, reject) =>
      write(fd, bytes, (error, n) => error ? reject(error) : resolve(n))
    );
  return {
    isTerminal: () => isatty(fd),
    writeSync(bytes: Uint8Array): number {
      for (;;) {
        try {
          return writeSync(fd, bytes);
        } catch (error) {
          if (isFull(error)) Atomics.wait(pause, 0, 0, RETRY);
        }
      }
    },
    async write(bytes: Uint8Array): Promise<number> {
      for (;;) {
        try {
          return await attempt(bytes);
        } catch (error) {
          if (isFull(error)) await new Promise((resolve) => setTimeout(resolve, RETRY));
        }
      }
    },
  };
}

/**
 * Standard input through Node's stream: a read of the descriptor itself could not be given up, and would
 * keep the process from ending.
 */
const stdin = {
  pieces: undefined as AsyncIterator<Uint8Array> | undefined,
  left: new Uint8Array(0) as Uint8Array,
  async read(target: Uint8Array): Promise<number | null> {
    this.pieces ??= process.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    while (this.left.length === 0) {
      const next = await this.pieces.next();
      if (next.done) return null;
      this.left = next.value;
    }
    const n = Math.min(target.length, this.left.length);
    target.set(this.left.subarray(0, n));
    this.left = this.left.subarray(n);
    return n;
  },
  close(): void {
    process.stdin.destroy();
  },
};

function fileInfo(path: string) {
  const stat = statSync(path);
  return { isFile: stat.isFile(), isDirectory: stat.isDirectory(), size: stat.size };
}

function* entries(folder: string) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    yield { name: entry.name, isFile: entry.isFile(), isDirectory: entry.isDirectory() };
  }
}

/** A file of its own, in a folder of its own so that its name cannot be taken. */
function temporaryFile(options: { dir: string; prefix: string }): string {
  const path = mkdtempSync(join(options.dir, options.prefix));
  rmSync(path, { recursive: true });
  writeFileSync(path, "", { flag: "wx" });
  return path;
}

const OS: Record<string, string> = { win32: "windows" };

/** What stands for `Deno` in the package. */
export const Deno = {
  args: process.argv.slice(2),
  get exitCode(): number {
    return Number(process.exitCode ?? 0);
  },
  set exitCode(status: number) {
    process.exitCode = status;
  },
  exit: (status?: number): never => process.exit(status),
  env: { get: (name: string): string | undefined => process.env[name] },
  build: { os: OS[platform()] ?? platform(), target: `${arch()}-${platform()}` },
  errors: { BrokenPipe },
  stdin,
  stdout: output(1),
  stderr: output(2),
  /** @throws Error where no stream is a terminal. */
  consoleSize(): { columns: number; rows: number } {
    const terminal = [process.stdout, process.stderr].find((stream) => stream.isTTY);
    if (!terminal) throw new Error("not a terminal");
    return { columns: terminal.columns, rows: terminal.rows };
  },
  addSignalListener: (name: "SIGINT" | "SIGTERM", listener: () => void) => {
    process.on(name, listener);
  },
  removeSignalListener: (name: "SIGINT" | "SIGTERM", listener: () => void) => {
    process.off(name, listener);
  },
  systemMemoryInfo: () => ({ total: totalmem(), available: freemem() }),
  statSync: fileInfo,
  readDirSync: entries,
  realPathSync: (path: string): string => realpathSync(path),
  writeFileSync: (path: string, bytes: Uint8Array): void => writeFileSync(path, bytes),
  writeTextFileSync: (path: string, text: string): void => writeFileSync(path, text),
  makeTempFileSync: temporaryFile,
  removeSync: (path: string): void => rmSync(path),
};
