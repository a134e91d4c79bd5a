/**
 * Puts encoded chunks of one array into objects: shards (zarr v3 `sharding_indexed`, index at the end)
 * or one object a chunk. A shard is written front to back as its chunks come, in any order.
 */
import type { Plan, PlannedArray } from "../../plan/plan.ts";
import type { ObjectWriter, Target } from "../targets/target.ts";
import type { ChunkEncoder } from "./chunk-encoder.ts";
import { objectKey } from "./metadata.ts";

/** Offset and length of a chunk that is not in its shard. */
const ABSENT = 0xffff_ffff_ffff_ffffn;

interface OpenShard {
  writer: ObjectWriter;
  index: BigUint64Array<ArrayBuffer>;
}

/** Extents of the chunks and shards of an array being written. */
export interface Extents {
  chunks: number[];
  shards: number[] | null;
}

/** Collects the chunks of one array. */
export class ObjectSet {
  readonly #open = new Map<string, OpenShard>();
  /** Chunks along each axis of a shard. */
  readonly #perShard: number[] | null;
  bytesWritten = 0;
  /** Objects that are whole, with their lengths. */
  readonly written: { key: string; length: number }[] = [];

  constructor(
    readonly plan: Pick<Plan, "zarrFormat">,
    readonly array: PlannedArray,
    readonly target: Pick<Target, "create">,
    readonly encoder: ChunkEncoder,
    extents: Extents = array,
  ) {
    this.#perShard = extents.shards?.map((n, i) => n / extents.chunks[i]) ?? null;
  }

  /** Writes an encoded chunk at a cell of the chunk grid; `bytes` may be reused afterwards. */
  put(cell: number[], bytes: Uint8Array): void {
    this.bytesWritten += bytes.length;
    if (!this.#perShard) {
      const key = objectKey(this.plan, this.array, cell);
      const writer = this.target.create(key);
      writer.write(bytes);
      writer.close();
      this.written.push({ key, length: bytes.length });
      return;
    }
    const shard = this.#shard(cell);
    let position = 0;
    for (let i = 0; i < cell.length; i++) {
      position = position * this.#perShard[i] + (cell[i] % this.#perShard[i]);
    }
    shard.index[2 * position] = BigInt(shard.writer.length);
    shard.index[2 * position + 1] = BigInt(bytes.length);
    shard.writer.write(bytes);
  }

  #shard(cell: number[]): OpenShard {
    const shardCell = cell.map((n, i) => Math.floor(n / this.#perShard![i]));
    const key = objectKey(this.plan, this.array, shardCell);
    let shard = this.#open.get(key);
    if (!shard) {
      const count = this.#perShard!.reduce((a, b) => a * b, 1);
      shard = {
        writer: this.target.create(key),
        index: new BigUint64Array(2 * count).fill(ABSENT),
      };
      this.#open.set(key, shard);
    }
    return shard;
  }

  /** Writes the indexes; every object appears whole. */
  close(): void {
    for (const [key, { writer, index }] of this.#open) {
      const tail = new Uint8Array(index.byteLength + 4);
      tail.set(new Uint8Array(index.buffer));
      const crc = this.encoder.crc32c(tail.subarray(0, index.byteLength));
      new DataView(tail.buffer).setUint32(index.byteLength, crc, true);
      writer.write(tail);
      this.bytesWritten += tail.length;
      writer.close();
      this.written.push({ key, length: writer.length });
    }
    this.#open.clear();
  }

  /** Drops unfinished objects. */
  abort(): void {
    for (const { writer } of this.#open.values()) writer.abort();
    this.#open.clear();
  }
}
