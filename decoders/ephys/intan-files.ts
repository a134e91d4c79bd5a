/** The files that lie beside an info file: found by listing the folder where that can be done. */
import type { ByteSource } from "../../src/source/source.ts";

/** Files opened at once. */
const CONCURRENCY = 16;

/** The members of a recording's folder, opened by name. */
export class FileSet {
  readonly #open = new Map<string, ByteSource>();

  private constructor(readonly info: ByteSource, readonly names: string[] | null) {}

  /** Lists the folder and opens those of `wanted` that are there. */
  static async open(info: ByteSource, wanted: string[]): Promise<FileSet> {
    const set = new FileSet(info, await info.siblingNames());
    await set.look(wanted);
    return set;
  }

  /** Opens those of `wanted` that are there and not open yet. */
  async look(wanted: string[]): Promise<void> {
    const listed = this.names && new Set(this.names);
    const missing = [...new Set(wanted)].filter((name) =>
      !this.#open.has(name) && (!listed || listed.has(name))
    );
    for (let i = 0; i < missing.length; i += CONCURRENCY) {
      await Promise.all(
        missing.slice(i, i + CONCURRENCY).map(async (name) => {
          const source = await this.info.sibling(name);
          if (source?.size !== undefined) this.#open.set(name, source);
          else await source?.close();
        }),
      );
    }
  }

  /** True when a file of this name was found. */
  has(name: string): boolean {
    return this.#open.has(name);
  }

  /** The file of this name, if it was found. */
  get(name: string): ByteSource | undefined {
    return this.#open.get(name);
  }

  /** The first of several names that is there. */
  first(names: string[]): ByteSource | undefined {
    const name = names.find((n) => this.#open.has(n));
    return name === undefined ? undefined : this.#open.get(name);
  }

  /** Names in the folder that were not asked for; empty where it cannot be listed. */
  unknown(): string[] {
    return (this.names ?? []).filter((name) => name !== this.info.name && !this.#open.has(name));
  }

  /** Closes the files nothing points into. */
  async closeUnused(used: ByteSource[]): Promise<void> {
    for (const [name, source] of this.#open) {
      if (used.includes(source)) continue;
      this.#open.delete(name);
      await source.close();
    }
  }
}
