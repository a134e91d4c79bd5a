/** One dataset of an HDF5 file: its type and extent, where its values are, and reading them. */
import { FuseError } from "../../../src/errors.ts";
import type { NumericArray } from "../../../src/model/dtype.ts";
import type { ChunkLayout } from "../../../src/model/layout.ts";
import type { ByteSource } from "../../../src/source/source.ts";
import { truncated } from "../../../src/source/source.ts";
import { copyBox } from "../../../src/stream/boxes.ts";
import type { Attribute, UnreadAttribute } from "./attributes.ts";
import { decodeItems } from "./chunk-codec.ts";
import { readChunkIndex } from "./chunk-index.ts";
import type { ChunkTable } from "./chunk-table.ts";
import { bandShape, BandTable } from "./contiguous.ts";
import type { DataLayout } from "./data-layout.ts";
import { type Dataspace, elementCount } from "./dataspace.ts";
import type { Datatype } from "./datatype.ts";
import { itemCoding, type Leaf } from "./elements.ts";
import type { Hdf5File } from "./file.ts";
import { type Filter, filterName, undoFilters, unknownFilters } from "./filters.ts";
import { storedCodecs } from "./stored-codecs.ts";
import { decodeValues, typedArray, type Values } from "./values.ts";

/** Bytes of fill values any file may stand for, and bytes a stored byte can stand for. */
const FREE_FILL_BYTES = 1 << 30, MOST_EXPANSION = 1 << 16;
/** Chunks up to this size are cached like headers. */
const SMALL_CHUNK = 64 << 10;
/** Part of a band of plain values, as its inverse, up to which only the rows wanted are read. */
const PART_OF_BAND = 4;

/** What a dataset's header says. */
export interface DatasetHeader {
  address: number;
  type: Datatype;
  space: Dataspace;
  layout: DataLayout;
  filters: Filter[];
  /** One element, as stored; absent: zeros. */
  fill?: Uint8Array;
  /** Raw data in other files. */
  external?: { file: string; offset: number; length: number }[];
}

/** Why a dataset's values cannot be had; undefined when they can. */
export type Obstacle = { what: string } | undefined;

/** A dataset. */
export class Dataset5 {
  #chunks: Promise<ChunkTable> | undefined;
  #external: Promise<ByteSource> | undefined;
  readonly #placed = new Map<number, Pick<ChunkLayout, "source" | "offset" | "length">>();

  constructor(
    readonly file: Hdf5File,
    /** Path in its file, starting with "/". */
    readonly path: string,
    readonly header: DatasetHeader,
    readonly readAttributes: (unread?: UnreadAttribute) => Promise<Map<string, Attribute>>,
  ) {}

  /** Address of its object header: its identity. */
  get address(): number {
    return this.header.address;
  }

  /** Elements along each dimension; [] for a scalar. */
  get shape(): number[] {
    return this.header.space.shape;
  }

  /** Type of an element. */
  get type(): Datatype {
    return this.header.type;
  }

  /** "null" when there is no element at all, "scalar" when there is one without dimensions. */
  get kind(): Dataspace["kind"] {
    return this.header.space.kind;
  }

  /** Elements in all. */
  get count(): number {
    return elementCount(this.header.space);
  }

  /** Bytes of all elements as stored, before filters. */
  get bytes(): number {
    return this.count * this.type.size;
  }

  /** Filters its chunks go through, in the order they were applied. */
  get filters(): Filter[] {
    return this.header.filters;
  }

  /** Its attributes; `unread` is told of those that are not read. */
  attributes(unread?: UnreadAttribute): Promise<Map<string, Attribute>> {
    return this.readAttributes(unread);
  }

  /** What keeps its values from being read, in words for a user. */
  obstacle(): Obstacle {
    const { layout, filters, external, space } = this.header;
    const [unknown] = layout.kind === "chunked" ? unknownFilters(filters) : [];
    if (unknown) return { what: `HDF5 filter ${filterName(unknown)} is not read` };
    if (layout.kind === "virtual") return { what: "virtual datasets are not read" };
    if (external && external.length > 1) {
      return { what: `its values are spread over ${external.length} other files` };
    }
    if (!Number.isSafeInteger(elementCount(space) * this.type.size)) {
      return { what: "it has more elements than can be counted" };
    }
    const unwritten = layout.kind === "contiguous" && layout.address === undefined && !external;
    if (unwritten && this.bytes > this.#mostFill()) return { what: this.#onlyFill(this.bytes) };
    return undefined;
  }

  /** Bytes of fill values that are worth writing out for a file of this size. */
  #mostFill(): number {
    return Math.max(FREE_FILL_BYTES, MOST_EXPANSION * this.file.storage.size);
  }

  #onlyFill(bytes: number): string {
    return `${bytes} bytes of it were never written: far more than a file of ` +
      `${this.file.storage.size} bytes stands for`;
  }

  /** @throws FuseError `Unsupported` when there is an obstacle. */
  #clear(): void {
    const obstacle = this.obstacle();
    if (!obstacle) return;
    throw new FuseError("Unsupported", obstacle.what, {
      source: this.file.source.name,
      array: this.path,
    });
  }

  /** Shape and chunk shape with at least one dimension: a scalar has one of one element. */
  get extent(): number[] {
    return this.shape.length ? this.shape : [1];
  }

  /** The chunk index; read once. @throws FuseError `Limit`, `Corrupt` or `Truncated`. */
  chunks(): Promise<ChunkTable> {
    return this.#chunks ??= this.#readChunks();
  }

  async #readChunks(): Promise<ChunkTable> {
    const { header, file, path } = this;
    const { storage } = file;
    const { layout, space } = header;
    if (layout.kind === "chunked") {
      if (layout.elementBytes !== this.type.size) {
        throw new FuseError("Corrupt", "chunks of other elements than the dataset's", {
          source: file.source.name,
          array: path,
          found: `${layout.elementBytes} bytes`,
          expected: `${this.type.size} bytes`,
        });
      }
      const { shape, maxShape } = space;
      const filtered = header.filters.length > 0;
      const table = await readChunkIndex(
        storage,
        { path, shape, maxShape, layout, filtered },
        file.budget,
      );
      const inside = storage.size;
      table.offset.forEach((at, i) => {
        if (at >= 0 && !(at + table.length[i] <= inside)) {
          throw truncated(file.source, at, table.length[i], inside - at);
        }
      });
      return table;
    }
    const { extent } = this;
    const bands = bandShape(extent, this.type.size);
    const count = extent.reduce((n, s, i) => n * Math.ceil(s / bands[i]), 1);
    file.budget.take(count, storage, path);
    const table = new BandTable(extent, bands, this.type.size);
    if (header.external) {
      const [slot] = header.external;
      const { size = 0 } = await this.#externalFile();
      table.place(slot.offset, Math.min(slot.offset + slot.length, size));
    } else if (layout.kind === "compact") {
      const at = storage.base + layout.address;
      table.place(at, at + layout.bytes.length);
      if (layout.bytes.length < this.bytes) {
        throw truncated(file.source, at, this.bytes, layout.bytes.length);
      }
    } else if (layout.kind === "contiguous" && layout.address !== undefined) {
      const at = storage.base + layout.address;
      if (at + this.bytes > storage.size) {
        throw truncated(file.source, at, this.bytes, storage.size - at);
      }
      table.place(at, at + this.bytes);
    }
    return table;
  }

  /** The file with the raw data, where they are not in this one. */
  #externalFile(): Promise<ByteSource> {
    return this.#external ??= (async () => {
      const [{ file: name }] = this.header.external!;
      const source = this.file.options.alone ? null : await this.file.source.sibling(name);
      if (source?.size !== undefined) return source;
      throw new FuseError(
        "Unsupported",
        `its values are in another file, ${name}, that is not there`,
        {
          source: this.file.source.name,
          array: this.path,
        },
      );
    })();
  }

  /** The file its raw data are in. */
  async dataSource(): Promise<ByteSource> {
    return this.header.external ? await this.#externalFile() : this.file.source;
  }

  /**
   * Where the numbers of one leaf are: the chunk's offsets and how to decode them.
   * @param source index of {@link Dataset5.dataSource} in the Dataset the layout is for
   */
  async layout(leaf: Leaf, source: number): Promise<ChunkLayout> {
    this.#clear();
    const table = await this.chunks();
    const { filters, layout: stored } = this.header;
    const absent = table.offset.reduce((n, at) => (at < 0 ? n + 1 : n), 0);
    const unwritten = absent * table.chunkShape.reduce((n, s) => n * s, this.type.size);
    if (unwritten > this.#mostFill()) {
      throw new FuseError("Limit", this.#onlyFill(unwritten), {
        source: this.file.source.name,
        array: this.path,
      });
    }
    const partial = stored.kind !== "chunked";
    const { codecs, codec } = storedCodecs(table, filters, leaf, this.type.size, partial);
    const fill = await this.#fill(leaf);
    return {
      kind: "chunks",
      chunkShape: [...table.chunkShape, ...leaf.inner],
      ...this.#places(table, source),
      ...(codec ? { codec } : {}),
      codecs,
      fill: 0,
      ...(fill ? { fillBytes: fill } : {}),
    };
  }

  /** Places of the chunks, the same for every leaf. */
  #places(table: ChunkTable, source: number): Pick<ChunkLayout, "source" | "offset" | "length"> {
    let places = this.#placed.get(source);
    if (!places) {
      places = {
        source: Int32Array.from(table.offset, (at) => (at < 0 ? -1 : source)),
        offset: table.offset.map((at) => Math.max(0, at)),
        length: table.length,
      };
      this.#placed.set(source, places);
    }
    return places;
  }

  /** The fill value of one item of a leaf, little-endian; undefined for zeros. */
  async #fill(leaf: Leaf): Promise<Uint8Array | undefined> {
    const { fill } = this.header;
    if (!fill || fill.every((b) => b === 0) || fill.length !== this.type.size) return undefined;
    const place = { source: this.file.source.name, array: this.path };
    const items = await decodeItems(itemCoding(leaf, this.type.size), fill, place);
    const width = leaf.number!.item.outBytes;
    return items.every((b) => b === 0) ? undefined : items.slice(0, width);
  }

  /**
   * Stored bytes of a box of elements, without filters, in C order; absent chunks are filled.
   * @throws FuseError `Limit` when the box is larger than a header may be.
   */
  async readBytes(start: number[], shape: number[]): Promise<Uint8Array> {
    this.#clear();
    const table = await this.chunks();
    const width = this.type.size;
    const total = shape.reduce((n, s) => n * s, width);
    const { storage } = this.file;
    if (total > storage.limits.headerBytes) {
      throw new FuseError("Limit", "more values at once than allowed", {
        source: this.file.source.name,
        array: this.path,
        found: `${total} bytes`,
        expected: `at most ${storage.limits.headerBytes}`,
      });
    }
    const out = this.#filled(total);
    if (total === 0) return out;
    const source = await this.dataSource();
    const low = start.map((s, i) => Math.floor(s / table.chunkShape[i]));
    const high = start.map((s, i) => Math.floor((s + shape[i] - 1) / table.chunkShape[i]));
    const cell = [...low];
    for (;;) {
      const index = cell.reduce((n, c, i) => n * table.grid[i] + c, 0);
      if (table.offset[index] >= 0) {
        const origin = cell.map((c, i) => c * table.chunkShape[i]);
        const box = await this.#rows(source, table, index, origin, start, shape) ??
          { bytes: await this.#chunk(source, table, index), origin, shape: table.chunkShape };
        copyBox(box, { bytes: out, origin: start, shape }, this.extent, width);
      }
      let axis = cell.length - 1;
      while (axis >= 0 && ++cell[axis] > high[axis]) cell[axis] = low[axis--];
      if (axis < 0) return out;
    }
  }

  #filled(bytes: number): Uint8Array {
    const out = new Uint8Array(bytes);
    const { fill } = this.header;
    if (fill && fill.length === this.type.size && fill.some((b) => b !== 0)) {
      for (let at = 0; at < bytes; at += fill.length) out.set(fill, at);
    }
    return out;
  }

  /** Where the last read of some rows of a band ended. */
  #ended?: { index: number; row: number };
  #last: { index: number; bytes: Uint8Array } | undefined;

  /** A chunk without its filters; the last one is kept. */
  /**
   * The rows of a band that are wanted, where the values lie in the file as they are and a small part of the
   * band is enough; undefined where the whole band is read.
   */
  async #rows(
    source: ByteSource,
    table: ChunkTable,
    index: number,
    origin: number[],
    start: number[],
    shape: number[],
  ): Promise<{ bytes: Uint8Array; origin: number[]; shape: number[] } | undefined> {
    const { chunkShape } = table;
    const axis = chunkShape.findIndex((n) => n > 1);
    if (this.header.layout.kind === "chunked" || axis < 0) return undefined;
    if (this.#last?.index === index) return undefined;
    const from = Math.max(start[axis], origin[axis]);
    const to = Math.min(start[axis] + shape[axis], origin[axis] + chunkShape[axis]);
    const rowBytes = chunkShape.slice(axis + 1).reduce((n, s) => n * s, this.type.size);
    const skipped = (from - origin[axis]) * rowBytes, bytes = (to - from) * rowBytes;
    const stored = table.length[index];
    // Who reads on where the last read ended will want the rest as well.
    const goesOn = this.#ended?.index === index && this.#ended.row === from;
    this.#ended = { index, row: to };
    if (goesOn || bytes > stored / PART_OF_BAND || skipped + bytes > stored) return undefined;
    return {
      bytes: await source.read(table.offset[index] + skipped, bytes, {
        purpose: bytes <= SMALL_CHUNK ? "header" : "bulk",
        signal: this.file.storage.options.signal,
      }),
      origin: origin.with(axis, from),
      shape: chunkShape.with(axis, to - from),
    };
  }

  async #chunk(source: ByteSource, table: ChunkTable, index: number): Promise<Uint8Array> {
    if (this.#last?.index === index) return this.#last.bytes;
    const { storage } = this.file;
    const [at, length] = [table.offset[index], table.length[index]];
    const whole = table.chunkShape.reduce((n, s) => n * s, this.type.size);
    if (Math.max(length, whole) > storage.limits.chunkBytes) {
      throw new FuseError("Limit", "a stored chunk is larger than allowed", {
        source: source.name,
        offset: at,
        array: this.path,
        found: `${Math.max(length, whole)} bytes`,
        expected: `at most ${storage.limits.chunkBytes}`,
      });
    }
    const place = { ...storage.place(0), source: source.name, offset: at };
    const purpose = length <= SMALL_CHUNK ? "header" : "bulk";
    const read = await source.read(at, length, { purpose, signal: storage.options.signal });
    let bytes = read;
    if (this.header.layout.kind === "chunked") {
      const mask = table.mask?.[index] ?? 0;
      bytes = await undoFilters(this.header.filters, mask, read, whole, place);
    } else if (read.length < whole) {
      bytes = new Uint8Array(whole);
      bytes.set(read);
    }
    this.#last = { index, bytes };
    return bytes;
  }

  /** Values of a box of elements. @throws FuseError `Limit` when it is too large to be held. */
  async read(start: number[], shape: number[]): Promise<Values> {
    const bytes = await this.readBytes(start, shape);
    const count = shape.reduce((n, s) => n * s, 1);
    return await decodeValues(this.file.values, this.type, bytes, count);
  }

  /**
   * All values, for datasets of at most `limitBytes` (default: what a header may hold).
   * @throws FuseError `Limit` for larger ones.
   */
  async readAll(limitBytes = this.file.storage.limits.headerBytes): Promise<Values> {
    if (this.kind === "null") return [];
    if (this.bytes > limitBytes) {
      throw new FuseError("Limit", "more values at once than allowed", {
        source: this.file.source.name,
        array: this.path,
        found: `${this.bytes} bytes`,
        expected: `at most ${limitBytes}`,
      });
    }
    return await this.read(this.extent.map(() => 0), this.extent);
  }

  /** Numbers of one leaf in a box of elements, C order of the box and the leaf's own dimensions. */
  async readLeaf(leaf: Leaf, start: number[], shape: number[]): Promise<NumericArray> {
    const bytes = await this.readBytes(start, shape);
    const place = { source: this.file.source.name, array: this.path };
    const items = await decodeItems(itemCoding(leaf, this.type.size), bytes, place);
    return typedArray(leaf.number!.dtype, items);
  }

  /** All numbers of one leaf, C order of {@link Dataset5.extent} and the leaf's own dimensions. */
  readNumbers(leaf: Leaf): Promise<NumericArray> {
    return this.readLeaf(leaf, this.extent.map(() => 0), this.extent);
  }
}
