/** Datasets of an HDF5 file as arrays of a Dataset: one array a dataset, or one a member of a compound. */
import { FuseError, isFuseError } from "../../src/errors.ts";
import type { Attributes, Dataset, NamedArray, StreamBlock } from "../../src/model/dataset.ts";
import type { DType, NumericArray } from "../../src/model/dtype.ts";
import type { Layout } from "../../src/model/layout.ts";
import { nameOf } from "../mapping/variables.ts";
import { isRaw, type Leaf, leavesOf } from "./hdf5/elements.ts";
import { DimensionNames } from "./hdf5-dimensions.ts";
import { sequenceBlocks, sequenceParts, textBlocks } from "./hdf5-passes.ts";
import type { Tree, TreeDataset } from "./hdf5-tree.ts";

/** One array to be: a leaf of a dataset under its path. */
export interface LeafArray {
  /** Path in the file: the dataset's, with the members of a compound behind it. */
  path: string;
  node: TreeDataset;
  leaf: Leaf;
  /** Shape with the leaf's own dimensions; a scalar has one of length 1. */
  shape: number[];
}

/** Bytes of a dataset that is read when the file is opened. */
const SMALL_BYTES = 4096;
/** Bytes of all such datasets together. */
const SMALL_TOTAL = 16 << 20;
/** Texts of a dataset that is read when the file is opened. */
const SMALL_TEXTS = 256;

/** Makes the arrays of a file, and the passes that some of them need. */
export class ArrayBuilder {
  readonly #dimensions = new DimensionNames();
  readonly #passes = new Map<string, () => AsyncGenerator<StreamBlock>>();
  #smallLeft = SMALL_TOTAL;

  constructor(readonly tree: Tree, readonly dataset: Dataset) {
    dataset.openStream = (id) => this.#open(id);
  }

  /** Gives the dimension scales their names, which other arrays refer to; not those of recordings. */
  nameDimensions(recordings: boolean): void {
    if (recordings) this.#dimensions.reserve("channel", "time", "sweep");
    for (const { path, dataset, scale } of this.tree.datasets) {
      if (scale && dataset.shape.length === 1) this.#dimensions.of(path, dataset.shape, [], true);
    }
  }

  /** Adds a pass that `openStream` gives. */
  addPass(id: string, open: () => AsyncGenerator<StreamBlock>): void {
    this.#passes.set(id, open);
  }

  #open(id: string): ReadableStream<StreamBlock> {
    const open = this.#passes.get(id);
    if (!open) {
      throw new FuseError("Usage", "the file has no such pass", {
        source: this.dataset.sources[0].name,
        found: id,
      });
    }
    const blocks = open();
    return new ReadableStream<StreamBlock>({
      async pull(controller) {
        const { done, value } = await blocks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await blocks.return(undefined);
      },
    }, { highWaterMark: 1 });
  }

  /** The parts of a dataset; what cannot be read is left out with its reason. */
  leaves(node: TreeDataset): LeafArray[] {
    const { dataset, path } = node;
    const obstacle = dataset.obstacle();
    if (obstacle) {
      this.dataset.leftOut.push({ what: path, why: obstacle.what });
      return [];
    }
    const leaves = leavesOf(dataset.type);
    if (!leaves) {
      this.dataset.leftOut.push({ what: path, why: "its elements have more members than allowed" });
      return [];
    }
    return leaves.map((leaf) => ({
      path: [path, ...leaf.names].join("/"),
      node,
      leaf,
      shape: [...(dataset.kind === "null" ? [0] : dataset.extent), ...leaf.inner],
    }));
  }

  /** Index of the source a dataset's values are in; -1 when it cannot be had. */
  async sourceOf({ node, path }: LeafArray): Promise<number> {
    try {
      const source = await node.dataset.dataSource();
      const { sources } = this.dataset;
      const at = sources.indexOf(source);
      return at >= 0 ? at : sources.push(source) - 1;
    } catch (error) {
      if (!isFuseError(error, "Unsupported")) throw error;
      this.dataset.leftOut.push({ what: path, why: error.statement });
      return -1;
    }
  }

  /** Adds the array of a leaf, below `prefix`. */
  async add(array: LeafArray, prefix: string): Promise<void> {
    try {
      await this.#add(array, prefix);
    } catch (error) {
      if (!isFuseError(error, "Limit", "Unsupported")) throw error;
      this.dataset.leftOut.push({ what: array.path, why: error.message });
    }
  }

  async #add(array: LeafArray, prefix: string): Promise<void> {
    const { node, leaf, path, shape } = array;
    const { dataset, scale, axes } = node;
    const attributes: Attributes = {
      ...(leaf.names.length ? {} : node.attributes),
      ...leaf.attributes,
      ...(dataset.kind === "simple" ? {} : { hdf5_space: dataset.kind }),
    };
    const dims = this.#dimensions.of(path, shape, axes, scale);
    const put = (dtype: DType, layout: Layout, own: Partial<NamedArray> = {}) =>
      this.dataset.arrays.push({
        path: prefix + path,
        dtype,
        dims,
        shape,
        layout,
        attributes,
        ...own,
      });
    if (leaf.number) {
      const { dtype, loss } = leaf.number;
      if (loss) this.dataset.warnings.push(`${path}: ${loss}`);
      if (dataset.kind === "null") {
        return void put(dtype, { kind: "values", values: noValues(dtype) });
      }
      const source = await this.sourceOf(array);
      if (source < 0) return;
      const values = await this.#small(array);
      put(dtype, values ? { kind: "values", values } : await dataset.layout(leaf, source));
      return;
    }
    if (await this.sourceOf(array) < 0) return;
    if (leaf.type.class !== "sequence") return void put("string", await this.#texts(array));
    const parts = sequenceParts(leaf);
    if (!parts) {
      const why = "sequences of sequences are not converted";
      this.dataset.leftOut.push({ what: path, why });
      return;
    }
    const stream = `sequences:${path}`;
    this.addPass(stream, () => sequenceBlocks(dataset, leaf, parts));
    const lengths = { path: `${prefix}${path}/lengths`, attributes };
    put("uint32", { kind: "stream", stream, field: "lengths" }, lengths);
    for (const { field, dtype, leaf: part } of parts) {
      const inner = part.inner.map((n, i) =>
        this.#dimensions.take(`${nameOf(path)}_value_dim${i}`, n)
      );
      put(dtype, { kind: "stream", stream, field }, {
        path: `${prefix}${path}/${field}`,
        shape: [null, ...part.inner],
        dims: [`${dims[0]}_values`, ...inner],
        attributes: {
          ...part.attributes,
          long_name: "values of all sequences, one after the other",
        },
      });
    }
  }

  /** Values of a small array; undefined for others. */
  async #small({ node, leaf }: LeafArray): Promise<NumericArray | undefined> {
    const { dataset } = node;
    const { dtype } = leaf.number!;
    const plain = !dtype.startsWith("complex") && dtype !== "float16";
    if (!plain || dataset.bytes > SMALL_BYTES || dataset.count === 0) return undefined;
    if (dataset.header.layout.kind === "chunked" && !isRaw(leaf, dataset.type.size)) {
      return undefined;
    }
    if (dataset.bytes > this.#smallLeft || dataset.header.external) return undefined;
    this.#smallLeft -= dataset.bytes;
    return await dataset.readNumbers(leaf);
  }

  async #texts({ node, leaf, path, shape }: LeafArray): Promise<Layout> {
    const { dataset } = node;
    const count = shape.reduce((a, b) => a * b, 1);
    if (count <= SMALL_TEXTS) {
      const values: string[] = [];
      if (dataset.kind !== "null") {
        for await (const block of textBlocks(dataset, leaf)) {
          values.push(...block.values as string[]);
        }
      }
      return { kind: "values", values };
    }
    const stream = `texts:${path}`;
    this.addPass(stream, () => textBlocks(dataset, leaf));
    return { kind: "stream", stream, field: "values" };
  }
}

function noValues(dtype: DType): NumericArray {
  return dtype === "float32" ? new Float32Array(0) : new Uint8Array(0);
}
