/** One group of an HDF5 file. */
import type { Attribute, UnreadAttribute } from "./attributes.ts";
import type { Hdf5File, Object5 } from "./file.ts";
import { type Link, readLinks } from "./links.ts";

/** Most links of one group. */
const MOST_LINKS = 1 << 20;

/** A group. */
export class Group {
  #links: Promise<Map<string, Link>> | undefined;

  constructor(
    readonly file: Hdf5File,
    /** Path in its file, starting with "/". */
    readonly path: string,
    /** Address of its object header: its identity. */
    readonly address: number,
  ) {}

  /** Its links, in the order of creation where the file keeps it, else by name. */
  links(): Promise<Map<string, Link>> {
    return this.#links ??= this.#readLinks();
  }

  async #readLinks(): Promise<Map<string, Link>> {
    const header = await this.file.header(this.address);
    const links = await readLinks(this.file.storage, header, MOST_LINKS);
    return new Map(links.map((link) => [link.name, link]));
  }

  /** Its attributes; `unread` is told of those that are not read. */
  attributes(unread?: UnreadAttribute): Promise<Map<string, Attribute>> {
    return this.file.attributes(this.address, unread);
  }

  /** The path of a member. */
  pathOf(name: string): string {
    return this.path === "/" ? `/${name}` : `${this.path}/${name}`;
  }

  /** The object at a path relative to this group; null when there is none. */
  get(path: string): Promise<Object5 | null> {
    return this.file.find(path, this, 0);
  }

  /** A member by its name; `links` counts the soft links that led here. */
  async child(name: string, links = 0): Promise<Object5 | null> {
    const link = (await this.links()).get(name);
    if (!link) return null;
    switch (link.kind) {
      case "hard":
        return await this.file.object(link.address, this.pathOf(name));
      case "soft":
        return await this.file.find(link.target, this, links + 1);
      case "external": {
        const other = await this.file.other(link.file);
        return other && await other.find(link.target, other.root, links + 1);
      }
      default:
        return null;
    }
  }
}
