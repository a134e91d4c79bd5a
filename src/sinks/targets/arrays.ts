/**
 * Whole arrays from chunks: tasks write uncompressed chunk files into a folder, and the end joins them to
 * `.npz` (all arrays, in a zip) or `.npy` (one). Nothing is held but a piece of one array.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FuseError } from "../../errors.ts";
import { jsonText } from "../ordered/describe.ts";
import type { ByteOutput } from "../ordered/output.ts";
import { packingOf } from "../../plan/calibration.ts";
import { ChunkFiles, parseTree, type StoredTree } from "./chunk-files.ts";
import { PartialDirectory } from "./directory.ts";
import { type Member, npyMember, raggedMembers, textMember } from "./npy-members.ts";
import type { Target } from "./target.ts";
import { ZipWriter } from "./zip-writer.ts";

/** The metadata document that lists all others. */
const CONSOLIDATED = ".zmetadata";
/** Member of an `.npz` that says what the arrays are. */
const METADATA = "metadata";

/** Chunk files of a conversion, joined into one output when all are there. */
export abstract class JoinedArrays extends PartialDirectory implements Target {
  #tree: StoredTree | undefined;

  /**
   * @param folder where chunks are collected; it is removed at the end
   * @param makeOutput opens the output, when the chunks are complete
   */
  constructor(
    folder: string,
    readonly makeOutput: () => ByteOutput | Promise<ByteOutput>,
    /** Multiply values with a CF scale out: NumPy's formats have no place for one. */
    readonly physical: boolean,
  ) {
    super(folder);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }

  /** Keeps the metadata, which tell the final shapes; everything else is a chunk. */
  override put(key: string, bytes: Uint8Array): void {
    if (key === CONSOLIDATED) this.#tree = parseTree(bytes);
    if (!/(^|\/)\.z(array|group|attrs|metadata)$/.test(key)) super.put(key, bytes);
  }

  async finish(): Promise<void> {
    if (!this.#tree) throw new FuseError("Sink", "the arrays have no metadata");
    const files = new ChunkFiles(this.path);
    const output = await this.makeOutput();
    try {
      await this.join(this.#tree, files, output);
      await output.finish();
    } catch (error) {
      await output.abort();
      throw error;
    } finally {
      files.close();
      rmSync(this.path, { recursive: true, force: true });
    }
  }

  // deno-lint-ignore require-await
  async abort(): Promise<void> {
    rmSync(this.path, { recursive: true, force: true });
  }

  protected abstract join(tree: StoredTree, files: ChunkFiles, output: ByteOutput): Promise<void>;
}

/** One array as `.npy`. */
export class NpyTarget extends JoinedArrays {
  constructor(
    folder: string,
    makeOutput: () => ByteOutput | Promise<ByteOutput>,
    physical: boolean,
    readonly array: string,
  ) {
    super(folder, makeOutput, physical);
  }

  protected async join(tree: StoredTree, files: ChunkFiles, output: ByteOutput): Promise<void> {
    const array = tree.arrays.find((a) => a.path === this.array);
    if (!array) throw new FuseError("Sink", "the array was not written", { array: this.array });
    const { pieces } = npyMember(array, files, this.physical);
    for (const piece of pieces()) await output.write(piece);
  }
}

/** All arrays as `.npz`, with their metadata as JSON in `metadata`. */
export class NpzTarget extends JoinedArrays {
  protected async join(tree: StoredTree, files: ChunkFiles, output: ByteOutput): Promise<void> {
    const zip = new ZipWriter(output);
    for (const { name, size, pieces } of this.#members(tree, files)) {
      await zip.add(name, size, pieces());
    }
    await zip.finish();
  }

  *#members(tree: StoredTree, files: ChunkFiles): Generator<Member> {
    const name = tree.arrays.some((a) => a.path === METADATA) ? `${METADATA}_json` : METADATA;
    yield textMember(name, [jsonText(describeTree(tree, this.physical))], []);
    const known = new Set(tree.arrays.map((a) => a.path));
    // Documents are members without `.npy`, which NumPy gives as bytes.
    for (const path of documents(this.path, "", known)) {
      const bytes = readFileSync(join(this.path, path));
      yield { name: path, size: bytes.length, pieces: () => [bytes] };
    }
    for (const array of tree.arrays) {
      const ragged = raggedMembers(array, files);
      if (ragged) {
        yield* ragged;
        continue;
      }
      const { size, pieces } = npyMember(array, files, this.physical);
      yield { name: `${array.path}.npy`, size, pieces };
    }
  }
}

/** What the metadata member says: attributes of groups and arrays by path. */
function describeTree({ arrays, groups }: StoredTree, physical: boolean) {
  return {
    attributes: groups.get("") ?? {},
    groups: Object.fromEntries([...groups].filter(([path]) => path !== "")),
    arrays: Object.fromEntries(
      arrays.map(({ path, dims, attributes }) => {
        if (!physical || !packingOf(attributes)) return [path, { dims, attributes }];
        const { scale_factor: _gain, add_offset: _offset, ...rest } = attributes;
        return [path, { dims, attributes: rest }];
      }),
    ),
  };
}

/** Files below the folder that belong to no array. */
function* documents(folder: string, below: string, arrays: Set<string>): Generator<string> {
  for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (!entry.isDirectory()) yield path;
    else if (!arrays.has(path)) yield* documents(folder, path, arrays);
  }
}
