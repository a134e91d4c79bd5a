/** Chunk files that are read back as soon as they are complete, and then removed. */
import { mkdirSync, rmSync } from "node:fs";
import type { StoredArrays } from "../ordered/sequencer.ts";
import { ChunkFiles, parseTree, type StoredArray } from "./chunk-files.ts";
import { PartialDirectory } from "./directory.ts";
import type { Target } from "./target.ts";

/** A folder of uncompressed chunks. */
export class StagingTarget extends PartialDirectory implements Target, StoredArrays {
  arrays: StoredArray[] = [];
  readonly #files: ChunkFiles;

  constructor(folder: string) {
    super(folder);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    this.#files = new ChunkFiles(folder);
  }

  /** Keeps what the metadata say; everything else is a chunk. */
  override put(key: string, bytes: Uint8Array): void {
    if (key === ".zmetadata") this.arrays = parseTree(bytes).arrays;
    else super.put(key, bytes);
  }

  readBox(array: StoredArray, origin: number[], extent: number[]): Uint8Array {
    return this.#files.readBox(array, origin, extent);
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  // deno-lint-ignore require-await
  async abort(): Promise<void> {
    this.remove();
  }

  /** Removes the folder. */
  remove(): void {
    this.#files.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}
