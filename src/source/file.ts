/**
 * A file of the local disk. Reads are positional, so one handle serves concurrent readers. Handles are opened at
 * the first read and shared out by use: sets of hundreds of files stay within what the system lets a process open.
 */
import { basename, dirname, join, resolve } from "node:path";
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { FuseError, isFuseError } from "../errors.ts";
import { rangeStream } from "./memory.ts";
import { type ByteSource, type ReadOptions, type SourceSpec, truncated } from "./source.ts";
import { siblingPath } from "./urls.ts";

/** Handles a thread keeps open: few enough for all threads under a limit of 256. */
const MOST_HANDLES = 20;
/** Files whose handle is open, the one used longest ago first. */
const handles = new Set<FileSource>();

function oldestHandle(): FileSource | undefined {
  return handles.values().next().value;
}

/** `C:\\data\\a.smr` as `/C:/data/a.smr`; nothing is escaped, as nothing else reads `file://` so strictly. */
function fileUrlPath(path: string): string {
  return /^[a-z]:\\/i.test(path) ? `/${path.replaceAll("\\", "/")}` : path;
}

/** A regular file, opened for reading. */
export class FileSource implements ByteSource {
  readonly access = "random";
  readonly distance = "local";
  readonly spec: SourceSpec;
  readonly name: string;
  readonly uri: string;
  #handle: number | undefined;
  #closed = false;
  readonly #inode: number;
  readonly #onClose?: () => void;
  readonly place?: { uri: string; offset: number };
  /** Time of the last change: tells a changed file from the one that was planned. */
  readonly tag: string;

  private constructor(
    readonly path: string,
    readonly size: number,
    changedMs: number,
    inode: number,
    options: { name?: string; uri?: string; onClose?: () => void },
  ) {
    this.uri = options.uri ?? path;
    // A copy stands for what it was made of, whose bytes may lie elsewhere in another form.
    if (options.uri === undefined) this.place = { uri: `file://${fileUrlPath(path)}`, offset: 0 };
    this.tag = new Date(changedMs).toISOString();
    this.#inode = inode;
    this.#onClose = options.onClose;
    this.name = options.name ?? basename(path);
    this.spec = { kind: "file", path, ...(options.name ? { name: options.name } : {}) };
  }

  /**
   * Opens a file; `name` and `uri` stand for the user where the path's own do not.
   * @throws FuseError `Usage` when there is no such readable regular file.
   */
  static open(
    path: string,
    options: { name?: string; uri?: string; onClose?: () => void } = {},
  ): FileSource {
    const full = resolve(path);
    try {
      // Asked before opening, which would wait for the writer of a named pipe.
      const stat = statSync(full);
      if (!stat.isFile()) {
        throw new FuseError("Usage", "is not a regular file", { source: path });
      }
      const source = new FileSource(full, stat.size, stat.mtimeMs, stat.ino, options);
      accessSync(full, constants.R_OK);
      return source;
    } catch (cause) {
      if (isFuseError(cause)) throw cause;
      const code = (cause as { code?: string }).code;
      throw new FuseError(
        "Usage",
        code === "ENOENT" ? "no such file" : `cannot be opened (${code})`,
        { source: path, cause },
      );
    }
  }

  /** The open handle, opened again where it was lent to another file meanwhile. */
  #open(): number {
    if (this.#closed) throw new FuseError("Usage", "source is closed", { source: this.path });
    if (this.#handle !== undefined) {
      handles.delete(this);
      handles.add(this);
      return this.#handle;
    }
    for (;;) {
      const oldest = handles.size >= MOST_HANDLES ? oldestHandle() : undefined;
      if (oldest) oldest.#release();
      try {
        this.#handle = openSync(this.path, "r");
        break;
      } catch (cause) {
        const code = (cause as { code?: string }).code;
        const other = code === "EMFILE" || code === "ENFILE" ? oldestHandle() : undefined;
        if (!other) {
          throw new FuseError("Usage", `cannot be opened (${code})`, { source: this.path, cause });
        }
        other.#release();
      }
    }
    handles.add(this);
    // It may grow (a recording that goes on), but not become another file.
    const { size, ino } = fstatSync(this.#handle);
    if (size < this.size || ino !== this.#inode) {
      this.#release();
      throw new FuseError("Truncated", "the file was replaced while it was read", {
        source: this.path,
        found: `${size} bytes`,
        expected: `${this.size} bytes`,
      });
    }
    return this.#handle;
  }

  #release(): void {
    handles.delete(this);
    if (this.#handle === undefined) return;
    closeSync(this.#handle);
    this.#handle = undefined;
  }

  #fill(offset: number, target: Uint8Array): number {
    const handle = this.#open();
    let done = 0;
    while (done < target.length) {
      const n = readSync(handle, target, done, target.length - done, offset + done);
      if (n === 0) break;
      done += n;
    }
    return done;
  }

  // deno-lint-ignore require-await
  async read(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    if (offset < 0 || (length > 0 && !(offset + length <= this.size))) {
      throw truncated(this, offset, length, this.size - offset);
    }
    const bytes = new Uint8Array(length);
    const n = this.#fill(offset, bytes);
    if (n < length) throw truncated(this, offset, length, n);
    return bytes;
  }

  readUpTo(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    return this.read(offset, Math.max(0, Math.min(length, this.size - offset)), options);
  }

  // deno-lint-ignore require-await
  async readInto(offset: number, target: Uint8Array, options: ReadOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const n = this.#fill(offset, target);
    if (n < target.length) throw truncated(this, offset, target.length, n);
  }

  stream(offset: number, length = Infinity, options: ReadOptions = {}): ReadableStream<Uint8Array> {
    return rangeStream(this, offset, Math.min(length, Math.max(0, this.size - offset)), options);
  }

  // deno-lint-ignore require-await
  async sibling(relativePath: string): Promise<ByteSource | null> {
    const path = siblingPath(relativePath);
    const full = path === undefined ? undefined : join(dirname(this.path), path);
    return full !== undefined && isFile(full) ? FileSource.open(full) : null;
  }

  // deno-lint-ignore require-await
  async siblingNames(): Promise<string[] | null> {
    return readdirSync(dirname(this.path));
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    this.#onClose?.();
  }
}

/** True for a regular file; what cannot be looked at is taken for one, so that opening it says why. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (error) {
    return !["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "EINVAL"].includes(
      (error as { code?: string }).code ?? "",
    );
  }
}

/** Temporary folders to remove when the process ends before their sources are closed. */
const spoolFolders = new Set<string>();
let watchingEnd = false;

function removeSpool(folder: string): void {
  spoolFolders.delete(folder);
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Copies a source that only flows forward into a temporary file, for formats that need random access.
 * The file goes when the returned source is closed, or when the process ends. The forward source is
 * left open; the caller says to the user that a copy is made.
 * @throws FuseError `Sink` when the temporary folder cannot be written.
 */
export async function spoolToFile(
  source: ByteSource,
  options: {
    signal?: AbortSignal;
    /** Where to put it; the system's temporary folder by default. */
    directory?: string;
    onProgress?: (bytes: number) => void;
  } = {},
): Promise<FileSource> {
  const folder = mkdtempSync(join(options.directory ?? tmpdir(), "sparc-fuse-"));
  if (!watchingEnd) {
    watchingEnd = true;
    // Fires on a normal end, on Deno.exit and on an uncaught error alike.
    globalThis.addEventListener("unload", () => {
      for (const left of [...spoolFolders]) removeSpool(left);
    }, { once: true });
  }
  spoolFolders.add(folder);
  const path = join(folder, "spool");
  let handle: number | undefined;
  try {
    handle = openSync(path, "wx", 0o600);
    let total = 0;
    for await (const piece of source.stream(0, undefined, { signal: options.signal })) {
      try {
        for (let done = 0; done < piece.length;) done += writeSync(handle, piece, done);
      } catch (cause) {
        throw new FuseError("Sink", "the temporary copy cannot be written", {
          source: source.name,
          offset: total,
          found: (cause as { code?: string }).code,
          remedy: `Free some space, or set TMPDIR to a folder that has it.`,
          cause,
        });
      }
      total += piece.length;
      options.onProgress?.(total);
    }
    closeSync(handle);
    handle = undefined;
    return FileSource.open(path, {
      name: source.name,
      uri: source.uri,
      onClose: () => removeSpool(folder),
    });
  } catch (error) {
    if (handle !== undefined) closeSync(handle);
    removeSpool(folder);
    throw error;
  }
}

/** Standard input as a stream that is read only as far as it is pulled. */
export function standardInput(): ReadableStream<Uint8Array> {
  const buffer = new Uint8Array(256 << 10);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const n = await Deno.stdin.read(buffer);
      if (n === null) controller.close();
      else controller.enqueue(buffer.slice(0, n));
    },
    // A read under way would keep the program from ending until something comes.
    cancel: () => Deno.stdin.close(),
  }, new ByteLengthQueuingStrategy({ highWaterMark: 0 }));
}
