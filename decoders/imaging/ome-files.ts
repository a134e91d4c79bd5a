/** The files of an OME-TIFF set: opened by the names the OME-XML gives, each once. */
import { isFuseError } from "../../src/errors.ts";
import type { Dataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OmeTiffData } from "./ome-xml.ts";
import { readTiff, type TiffFile } from "./tiff-file.ts";
import type { TiffPage } from "./tiff-page.ts";

/** A file of the set, and its place in `Dataset.sources`. */
export interface OmeFile {
  tiff: TiffFile;
  source: number;
  /** Pages by their place in the chain of directories. */
  pages: Map<number, TiffPage>;
}

/** Files read at once: enough to hide latency, few enough for any server. */
const AT_ONCE = 16;

/** The last part of a path of either kind: sets lie in one folder, whatever the writer's disk was like. */
export function baseName(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? path;
}

/** Opens members of a set and remembers which are not there. */
export class OmeFileSet {
  readonly missing: string[] = [];
  readonly #files = new Map<string, OmeFile | null>();
  readonly #own: OmeFile | undefined;
  #ownUuid: string | undefined;

  constructor(
    readonly dataset: Dataset,
    own: TiffFile | undefined,
    readonly options: { signal?: AbortSignal; chunkBytes?: number; alone?: boolean },
  ) {
    this.#own = own && this.#member(own, 0);
  }

  /** Tells the UUID of the file that was opened, which may have been renamed since. */
  setOwnUuid(uuid: string | undefined): void {
    this.#ownUuid = uuid;
  }

  get own(): OmeFile | undefined {
    return this.#own;
  }

  #member(tiff: TiffFile, source: number): OmeFile {
    return { tiff, source, pages: new Map(tiff.pages.map((page) => [page.index, page])) };
  }

  #isOwn({ fileName, uuid }: OmeTiffData): boolean {
    if (!this.#own) return false;
    if (uuid !== undefined && uuid === this.#ownUuid) return true;
    if (fileName === undefined) return uuid === undefined || this.#ownUuid === undefined;
    return baseName(fileName).toLowerCase() === this.#own.tiff.source.name.toLowerCase();
  }

  /** Opens every file `blocks` name. A set that names only one file, which is not there, is this one. */
  async open(blocks: OmeTiffData[]): Promise<void> {
    const names = new Set<string>();
    for (const block of blocks) {
      if (!this.#isOwn(block) && block.fileName) names.add(baseName(block.fileName));
    }
    const wanted = [...names].filter((name) => !this.#files.has(name));
    for (let i = 0; i < wanted.length; i += AT_ONCE) {
      await Promise.all(wanted.slice(i, i + AT_ONCE).map((name) => this.#open(name)));
    }
    const renamed = wanted.length === 1 && names.size === 1 && this.#own !== undefined &&
      this.#files.get(wanted[0]) === null && !blocks.some((block) => this.#isOwn(block));
    if (renamed) {
      this.#files.set(wanted[0], this.#own);
      this.missing.splice(this.missing.indexOf(wanted[0]), 1);
    }
  }

  async #open(name: string): Promise<void> {
    this.#files.set(name, null);
    const source = this.options.alone ? null : await this.#sibling(name);
    if (!source) {
      this.missing.push(name);
      return;
    }
    try {
      const tiff = await readTiff(source, this.options);
      this.#files.set(name, this.#member(tiff, this.dataset.sources.push(source) - 1));
      this.dataset.warnings.push(...tiff.warnings.map((w) => `${name}: ${w}`));
      this.dataset.leftOut.push(
        ...tiff.leftOut.map(({ what, why }) => ({ what: `${what} of ${name}`, why })),
      );
    } catch (error) {
      if (!isFuseError(error) || error.tag === "Aborted" || error.tag === "Network") throw error;
      await source.close();
      this.missing.push(name);
      this.dataset.warnings.push(`${name} cannot be read: ${error.message}`);
    }
  }

  #sibling(name: string): Promise<ByteSource | null> {
    return this.dataset.sources[0].sibling(name);
  }

  /** The file a block of planes lies in; null when it is not there. */
  fileOf(block: OmeTiffData): OmeFile | null {
    if (this.#isOwn(block)) return this.#own!;
    return block.fileName ? this.#files.get(baseName(block.fileName)) ?? null : this.#own ?? null;
  }
}
