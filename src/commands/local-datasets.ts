/** Local copies of SPARC datasets: what their tables say of the files below them. */
import { readFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import type { DatasetContext } from "../plan/attributes.ts";
import { sparcAttributes } from "../sparc/attributes.ts";
import { SdsTables } from "../sparc/sds.ts";
import { TABLE_BYTES } from "../sparc/tables.ts";

/** Folders above a file that are looked at for the root of its dataset. */
const LEVELS = 12;
const ROOT_TABLE = /^dataset_description\.(xlsx|csv|tsv|json)$/i;

/**
 * Finds the dataset a local file belongs to: the nearest folder above it with a dataset_description.
 * Folders are listed and tables read once, when the first file asks.
 */
export class LocalDatasets {
  readonly #names = new Map<string, string[]>();
  readonly #tables = new Map<string, SdsTables>();

  /** What the dataset of `file` (an absolute path) tells about it; nothing when it is in none. */
  async contextOf(file: string): Promise<DatasetContext | undefined> {
    const root = this.#rootOf(file);
    if (root === undefined) return undefined;
    const path = relative(root, file).split(sep).join("/");
    return await sparcAttributes({ tables: this.#tablesOf(root), path });
  }

  #rootOf(file: string): string | undefined {
    let folder = dirname(file);
    for (let level = 0; level < LEVELS; level++) {
      if (this.#namesIn(folder).some((name) => ROOT_TABLE.test(name))) return folder;
      const above = dirname(folder);
      if (above === folder) return undefined;
      folder = above;
    }
    return undefined;
  }

  #tablesOf(root: string): SdsTables {
    let tables = this.#tables.get(root);
    if (!tables) {
      tables = new SdsTables({
        find: (path) => {
          const folder = join(root, dirname(path));
          const wanted = basename(path).toLowerCase();
          const name = this.#namesIn(folder).find((n) => n.toLowerCase() === wanted);
          return name && relative(root, join(folder, name));
        },
        read: async (path) => {
          const full = join(root, path);
          const { size } = Deno.statSync(full);
          if (size > TABLE_BYTES) throw new Error(`${size} bytes are more than a table has`);
          return await readFile(full);
        },
      });
      this.#tables.set(root, tables);
    }
    return tables;
  }

  #namesIn(folder: string): string[] {
    let names = this.#names.get(folder);
    if (!names) {
      try {
        names = [...Deno.readDirSync(folder)].map((entry) => entry.name);
      } catch {
        // A folder that may not be listed has no tables to give.
        names = [];
      }
      this.#names.set(folder, names);
    }
    return names;
  }
}
