/**
 * A store as one `.zarr.zip`: members stored without compression, zip64 where needed, the root's
 * metadata first, so that it opens as a zarr ZipStore and in the SPARC portal's viewer.
 *
 * Objects are collected in a folder first: their number and the root metadata are only known at the
 * end, and the root metadata must come first.
 */
import {
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { makeZip } from "client-zip";
import { PartialDirectory } from "./directory.ts";
import type { Target } from "./target.ts";

/** Metadata files, the root's before all others. */
const FIRST = ["zarr.json", ".zgroup", ".zattrs", ".zmetadata"];

/** A store that becomes the file `path`. */
export class ZipTarget extends PartialDirectory implements Target {
  readonly #zipPath: string;

  /** @param keep goes on with what an earlier run has left, instead of beginning anew */
  constructor(readonly finalPath: string, keep = false) {
    super(`${finalPath}.partial`);
    this.#zipPath = `${finalPath}.writing`;
    if (!keep) rmSync(this.path, { recursive: true, force: true });
  }

  async finish(): Promise<void> {
    const names = [...this.#names("")].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
    const root = this.path;
    const members = function* () {
      for (const name of names) {
        const path = join(root, name);
        const stat = statSync(path);
        yield {
          name,
          size: stat.size,
          lastModified: stat.mtime,
          input: Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>,
        };
      }
    };
    const handle = openSync(this.#zipPath, "w");
    try {
      for await (
        const piece of makeZip(members(), { buffersAreUTF8: true }) as ReadableStream<Uint8Array>
      ) {
        let done = 0;
        while (done < piece.length) done += writeSync(handle, piece, done);
      }
    } finally {
      closeSync(handle);
    }
    renameSync(this.#zipPath, this.finalPath);
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
    rmSync(this.#zipPath, { force: true });
  }
}

function rank(name: string): number {
  const at = FIRST.indexOf(name);
  return at < 0 ? FIRST.length : at;
}
