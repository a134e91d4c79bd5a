/**
 * A store as one `.zarr.zip`: members stored without compression, zip64 where needed, the root's
 * metadata first, so that it opens as a zarr ZipStore and in the SPARC portal's viewer.
 *
 * Objects are collected in a folder first: their number and the root metadata are only known at the
 * end, and the root metadata must come first.
 */
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { PartialDirectory } from "./directory.ts";
import type { ByteOutput } from "../ordered/output.ts";
import { FileOutput } from "./file-output.ts";
import type { Target } from "./target.ts";
import { ZipWriter } from "./zip-writer.ts";

/** Bytes of an object that are copied at a time. */
const PIECE_BYTES = 1 << 20;

/** Metadata files, the root's before all others. */
const FIRST = ["zarr.json", ".zgroup", ".zattrs", ".zmetadata"];

/** A store that becomes one zip. */
export class ZipTarget extends PartialDirectory implements Target {
  /**
   * @param folder where the objects are collected; it is removed at the end
   * @param makeOutput opens the output, when the objects are complete
   * @param keep goes on with what an earlier run has left, instead of beginning anew
   */
  constructor(
    folder: string,
    readonly makeOutput: () => ByteOutput | Promise<ByteOutput>,
    keep = false,
  ) {
    super(folder);
    if (!keep) rmSync(folder, { recursive: true, force: true });
  }

  /** A store that becomes the file `path`. */
  static file(path: string, keep = false): ZipTarget {
    return new ZipTarget(`${path}.partial`, () => new FileOutput(path), keep);
  }

  async finish(): Promise<void> {
    this.removeUnfinished();
    const names = [...this.#names("")].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
    const output = await this.makeOutput();
    try {
      const zip = new ZipWriter(output);
      const buffer = new Uint8Array(PIECE_BYTES);
      for (const name of names) {
        const path = join(this.path, name);
        const { size, mtime } = statSync(path);
        await zip.add(name, size, fileBytes(path, buffer), mtime);
      }
      await zip.finish();
      await output.finish();
    } catch (error) {
      await output.abort();
      throw error;
    }
    rmSync(this.path, { recursive: true });
  }

  *#names(folder: string): Generator<string> {
    for (const entry of readdirSync(join(this.path, folder), { withFileTypes: true })) {
      const name = folder ? `${folder}/${entry.name}` : entry.name;
      if (entry.isDirectory()) yield* this.#names(name);
      else yield name;
    }
  }

  // deno-lint-ignore require-await
  async abort(): Promise<void> {
    rmSync(this.path, { recursive: true, force: true });
  }
}

function rank(name: string): number {
  const at = FIRST.indexOf(name);
  return at < 0 ? FIRST.length : at;
}

/** A file's bytes, each piece in `buffer`. */
function* fileBytes(path: string, buffer: Uint8Array): Generator<Uint8Array> {
  const handle = openSync(path, "r");
  try {
    for (let n; (n = readSync(handle, buffer, 0, buffer.length, null)) > 0;) {
      yield buffer.subarray(0, n);
    }
  } finally {
    closeSync(handle);
  }
}
