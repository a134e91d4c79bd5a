/** Walks the tree of a file: every object once, however many links lead to it. */
import { FuseError, isFuseError } from "../../../src/errors.ts";
import { Dataset5 } from "./dataset.ts";
import type { Hdf5File } from "./file.ts";
import { Group } from "./group.ts";
import type { Link } from "./links.ts";

/** Deepest group. */
const DEEPEST = 256;
/** Most objects of a file that are walked. */
const MOST_OBJECTS = 1 << 20;

/** What is met on a walk. */
export interface Visitor {
  /** A group before its members; false keeps out of it. */
  group?(group: Group): Promise<boolean | void> | boolean | void;
  /** A dataset. */
  dataset?(dataset: Dataset5): Promise<void> | void;
  /** An object that is well-formed but not read; without this it is an error. */
  unread?(path: string, error: FuseError): void;
  /** Another link to an object that was or will be met under `target`, or a link that is no hard one. */
  link?(path: string, link: Link, target?: string): Promise<void> | void;
}

/**
 * Visits all objects that hard links lead to, members in the order of their group; an object met again is
 * a `link` with the path it was first met under.
 * @throws FuseError `Limit` for trees too deep or too large.
 */
export async function walk(file: Hdf5File, visitor: Visitor): Promise<void> {
  const met = new Map<number, string>([[file.root.address, "/"]]);
  const refuse = (what: string, path: string): never => {
    throw new FuseError("Limit", what, { source: file.source.name, array: path });
  };
  const enter = async (group: Group, depth: number): Promise<void> => {
    if (depth > DEEPEST) refuse("groups inside groups without end", group.path);
    if (await visitor.group?.(group) === false) return;
    for (const [name, link] of await group.links()) {
      const path = group.pathOf(name);
      if (link.kind !== "hard") {
        await visitor.link?.(path, link);
        continue;
      }
      const before = met.get(link.address);
      if (before !== undefined) {
        await visitor.link?.(path, link, before);
        continue;
      }
      if (met.size >= MOST_OBJECTS) refuse("more objects than allowed", path);
      met.set(link.address, path);
      const object = await file.object(link.address, path).catch((error) => {
        if (!visitor.unread || !isFuseError(error, "Unsupported")) throw error;
        visitor.unread(path, error);
      });
      if (object instanceof Group) await enter(object, depth + 1);
      else if (object instanceof Dataset5) await visitor.dataset?.(object);
    }
  };
  await enter(file.root, 0);
}

/** Paths of objects by their addresses, found by one walk when first asked for. */
export class ObjectPaths {
  #paths: Promise<Map<number, string>> | undefined;

  constructor(readonly file: Hdf5File) {}

  async of(address: number): Promise<string | undefined> {
    this.#paths ??= this.#walk();
    return (await this.#paths).get(address);
  }

  async #walk(): Promise<Map<number, string>> {
    const { file } = this;
    const paths = new Map<number, string>([[file.root.address, "/"]]);
    const queue = [file.root];
    // Level by level, so that an object gets its shortest path.
    for (const group of queue) {
      for (const [name, link] of await group.links()) {
        if (link.kind !== "hard" || paths.has(link.address) || paths.size >= MOST_OBJECTS) continue;
        const path = group.pathOf(name);
        paths.set(link.address, path);
        const object = await file.object(link.address, path).catch(() => undefined);
        if (object instanceof Group) queue.push(object);
      }
    }
    return paths;
  }
}
