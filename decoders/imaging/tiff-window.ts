/**
 * Small reads of a file's structure, gathered into a few larger ones: a TIFF's directories are
 * followed one by one, and a request for each would cost a round trip for each.
 */
import { FuseError } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";

interface Window {
  start: number;
  bytes: Uint8Array;
}

const LARGEST = 1 << 20;
const SMALLEST = 4096;
/** Windows kept: enough for a directory and its values. */
const KEPT = 12;

/** Reads header bytes through windows that grow while reads are neighbours and shrink while they jump. */
export class HeaderWindow {
  readonly size: number;
  #windows: Window[] = [];
  /** Directories fetched ahead, by where they begin. */
  #ahead = new Map<number, Uint8Array>();
  #grain: number;

  constructor(readonly source: ByteSource, readonly signal?: AbortSignal) {
    if (source.size === undefined) {
      throw new FuseError("NeedsRandomAccess", "this format is read by byte ranges", {
        source: source.name,
        remedy: "Save the file first, then convert it",
      });
    }
    this.size = source.size;
    this.#grain = source.distance === "remote" ? 65_536 : 16_384;
  }

  /** The bytes if they have been read already. */
  peek(offset: number, length: number): Uint8Array | undefined {
    for (let i = this.#windows.length - 1; i >= 0; i--) {
      const { start, bytes } = this.#windows[i];
      if (offset >= start && offset + length <= start + bytes.length) {
        return bytes.subarray(offset - start, offset - start + length);
      }
    }
    const fetched = this.#ahead.get(offset);
    if (!fetched) return undefined;
    this.#ahead.delete(offset);
    this.#keep({ start: offset, bytes: fetched });
    return length <= fetched.length ? fetched.subarray(0, length) : undefined;
  }

  /**
   * Exactly `length` bytes at `offset`; the view stays valid.
   * @throws FuseError `Truncated` when they lie past the end of the file.
   */
  async read(offset: number, length: number, field?: string): Promise<Uint8Array> {
    this.check(offset, length, field);
    const known = this.peek(offset, length);
    if (known) return known;
    const last = this.#windows.at(-1);
    if (last) {
      const gap = offset - (last.start + last.bytes.length);
      const near = gap >= -length && gap <= this.#grain;
      this.#grain = near
        ? Math.min(LARGEST, this.#grain * 2)
        : Math.max(SMALLEST, this.#grain >> 1);
    }
    const bytes = await this.source.readUpTo(offset, Math.max(length, this.#grain), {
      purpose: "header",
      signal: this.signal,
    });
    this.#keep({ start: offset, bytes });
    this.check(offset, length, field);
    return bytes.subarray(0, length);
  }

  /** A view of {@link HeaderWindow.read}. */
  async view(offset: number, length: number, field?: string): Promise<DataView> {
    return viewOf(await this.read(offset, length, field));
  }

  /** Fetches several places at once, for directories whose places can be guessed. */
  async ahead(offsets: number[], length: number): Promise<void> {
    this.#ahead.clear();
    const wanted = offsets.filter((o) => o + 8 < this.size);
    const found = await Promise.all(
      wanted.map((o) => this.source.readUpTo(o, length, { purpose: "bulk", signal: this.signal })),
    );
    wanted.forEach((o, i) => this.#ahead.set(o, found[i]));
  }

  /** Throws unless the range lies in the file. */
  check(offset: number, length: number, field?: string): void {
    if (offset < 0 || !Number.isSafeInteger(offset) || offset + length > this.size) {
      throw new FuseError("Truncated", "the file ends before a part its directory names", {
        source: this.source.name,
        format: "tiff",
        field,
        offset,
        found: `${this.size} bytes in the file`,
        expected: `${length} bytes there`,
      });
    }
  }

  #keep(window: Window): void {
    this.#windows.push(window);
    if (this.#windows.length > KEPT) this.#windows.shift();
  }
}
