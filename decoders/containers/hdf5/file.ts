/** An open HDF5 file: its objects by path, by address and by reference. */
import { FuseError } from "../../../src/errors.ts";
import type { ByteSource } from "../../../src/source/source.ts";
import { readAttributes, type UnreadAttribute } from "./attributes.ts";
import { ChunkBudget } from "./chunk-table.ts";
import { readDataLayout, readFillValue } from "./data-layout.ts";
import { Dataset5, type DatasetHeader } from "./dataset.ts";
import { readDataspace } from "./dataspace.ts";
import { readDatatype } from "./datatype.ts";
import { readFilters } from "./filters.ts";
import { GlobalHeap } from "./global-heap.ts";
import { Group } from "./group.ts";
import { isGroup } from "./links.ts";
import {
  MESSAGE,
  type Message,
  type ObjectHeader,
  openMessage,
  readObjectHeader,
} from "./object-header.ts";
import { readExternalFiles } from "./external.ts";
import { SharedMessages } from "./shared.ts";
import { Storage, type StorageOptions } from "./storage.ts";
import { readSuperblock, type Superblock } from "./superblock.ts";
import type { ValueContext } from "./values.ts";
import { ObjectPaths } from "./walk.ts";

/** How a file is opened. */
export interface Hdf5Options extends StorageOptions {
  /** Most chunks of all datasets whose layout is asked for. */
  chunks?: number;
  /** Do not look for other files that links and raw data may be in. */
  alone?: boolean;
}

/** A committed datatype: a name for a type, without values. */
export interface NamedType {
  /** Tells it from groups and datasets. */
  kind: "type";
  /** Path in its file. */
  path: string;
}

/** An object of a file. */
export type Object5 = Group | Dataset5 | NamedType;

/** Soft links on the way to one object. */
const MOST_LINKS = 64;
/** Object headers kept. */
const KEPT_HEADERS = 4096;

/** An open file. */
export class Hdf5File {
  /** What decoding values needs. */
  readonly values: ValueContext;
  /** Messages that several objects share. */
  readonly shared: SharedMessages;
  /** Chunks that may still be asked for. */
  readonly budget: ChunkBudget;
  /** The root group. */
  readonly root: Group;
  readonly #headers = new Map<number, Promise<ObjectHeader>>();
  readonly #others = new Map<string, Promise<Hdf5File | null>>();
  readonly #paths: ObjectPaths;

  constructor(
    readonly storage: Storage,
    readonly superblock: Superblock,
    readonly options: Hdf5Options,
  ) {
    this.shared = new SharedMessages(storage);
    this.values = { storage, heap: new GlobalHeap(storage) };
    this.budget = new ChunkBudget(options.chunks);
    this.root = new Group(this, "/", superblock.root);
    this.#paths = new ObjectPaths(this);
  }

  /** The bytes it is read from. */
  get source(): ByteSource {
    return this.storage.source;
  }

  /** The header at an address; the last ones are kept. */
  header(address: number): Promise<ObjectHeader> {
    let header = this.#headers.get(address);
    if (!header) {
      header = readObjectHeader(this.storage, address);
      if (this.#headers.size >= KEPT_HEADERS) {
        const [oldest] = this.#headers.keys();
        this.#headers.delete(oldest);
      }
      this.#headers.set(address, header);
    }
    return header;
  }

  /** The object at an address; `path` is what it shall be called. */
  async object(address: number, path: string): Promise<Object5> {
    const header = await this.header(address);
    if (isGroup(header)) return new Group(this, path, address);
    if (header.messages.some((m) => m.type === MESSAGE.layout)) {
      const attributes = (unread?: UnreadAttribute) => this.attributes(address, unread);
      return new Dataset5(this, path, await this.#dataset(header), attributes);
    }
    if (header.messages.some((m) => m.type === MESSAGE.datatype)) return { kind: "type", path };
    // A group of HDF5 1.8 and later without a link has nothing that says so.
    return new Group(this, path, address);
  }

  /** Attributes of the object at an address; `unread` is told of those that are not read. */
  async attributes(address: number, unread?: UnreadAttribute) {
    const context = { ...this.values, shared: this.shared };
    return await readAttributes(context, await this.header(address), unread);
  }

  /**
   * The object at a path ("/a/b"), through soft and external links; null when there is none.
   * @throws FuseError `Corrupt` for links without end.
   */
  get(path: string): Promise<Object5 | null> {
    return this.find(path, this.root, 0);
  }

  /** The object at a path relative to a group. */
  async find(path: string, from: Group, links: number): Promise<Object5 | null> {
    if (links > MOST_LINKS) {
      throw new FuseError("Corrupt", "links refer to each other without end", {
        source: this.source.name,
        array: path,
      });
    }
    let at: Object5 = path.startsWith("/") ? this.root : from;
    for (const name of path.split("/")) {
      if (name === "" || name === ".") continue;
      if (!(at instanceof Group)) return null;
      const next: Object5 | null = await at.child(name, links);
      if (!next) return null;
      at = next;
    }
    return at;
  }

  /** The object a reference points to; null for a reference to nothing. */
  async dereference(reference: { address?: number }): Promise<Object5 | null> {
    const { address } = reference;
    if (address === undefined) return null;
    return await this.object(address, await this.pathOf(address) ?? `#${address}`);
  }

  /** A path to the object at an address, for messages and references; undefined when none leads there. */
  pathOf(address: number): Promise<string | undefined> {
    return this.#paths.of(address);
  }

  /** Another HDF5 file beside this one; null when it is not there. */
  other(name: string): Promise<Hdf5File | null> {
    let other = this.#others.get(name);
    if (!other) {
      const sibling = this.options.alone ? Promise.resolve(null) : this.source.sibling(name);
      other = sibling.then((s) => (s ? openHdf5(s, this.options) : null));
      this.#others.set(name, other);
    }
    return other;
  }

  async #dataset(header: ObjectHeader): Promise<DatasetHeader> {
    const { storage, shared } = this;
    const find = async (type: number): Promise<Message | undefined> => {
      const message = header.messages.find((m) => m.type === type);
      return message && await shared.resolve(message);
    };
    const need = async (type: number, what: string): Promise<Message> => {
      const message = await find(type);
      if (message) return message;
      throw new FuseError("Corrupt", `a dataset without ${what}`, {
        source: this.source.name,
        offset: storage.base + header.address,
      });
    };
    const open = (message: Message, what: string) => openMessage(storage, message, what);
    const type = readDatatype(open(await need(MESSAGE.datatype, "a datatype"), "datatype"));
    const space = readDataspace(open(await need(MESSAGE.dataspace, "an extent"), "dataspace"));
    const layoutMessage = await need(MESSAGE.layout, "a layout");
    const layout = readDataLayout(open(layoutMessage, "data layout"), storage.base);
    const pipeline = await find(MESSAGE.filters);
    const filters = pipeline ? readFilters(open(pipeline, "filter pipeline")) : [];
    const newFill = await find(MESSAGE.fill);
    const oldFill = newFill ? undefined : await find(MESSAGE.oldFill);
    const fill = newFill
      ? readFillValue(open(newFill, "fill value"), false)
      : oldFill && readFillValue(open(oldFill, "fill value"), true);
    const files = await find(MESSAGE.external);
    const external = files && await readExternalFiles(storage, open(files, "external files"));
    return {
      address: header.address,
      type,
      space,
      layout,
      filters,
      ...(fill ? { fill } : {}),
      ...(external?.length ? { external } : {}),
    };
  }
}

/**
 * Opens an HDF5 file. Only the superblock is read; everything else when it is asked for.
 * @throws FuseError `Corrupt` when it is none, `Truncated` when it ends too early, `NeedsRandomAccess` for
 * a source that only flows, `Unsupported` for files in several parts.
 */
export async function openHdf5(source: ByteSource, options: Hdf5Options = {}): Promise<Hdf5File> {
  const storage = new Storage(source, options);
  const superblock = await readSuperblock(storage);
  if (superblock.driver !== undefined) {
    const head = await storage.cursor(superblock.driver, 16, "driver information");
    const driver = String.fromCharCode(...head.bytes.subarray(8, 16)).replace(/\0+$/, "");
    throw head.unsupported("a file in several parts is not read", driver);
  }
  const file = new Hdf5File(storage, superblock, options);
  if (superblock.extension !== undefined) {
    const { messages } = await file.header(superblock.extension);
    const table = messages.find((m) => m.type === MESSAGE.sharedTable);
    if (table) await file.shared.readTable(table);
  }
  return file;
}
