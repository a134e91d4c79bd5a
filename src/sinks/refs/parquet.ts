/**
 * References as a parquet folder (kerchunk's LazyReferenceMapper): `.zmetadata`, and for each array files of
 * `record_size` rows, one a chunk, which a reader opens only when it needs them.
 */
import { parquetWriteBuffer } from "hyparquet-writer";
import type { Json } from "../../model/dataset.ts";
import type { ReferenceCounts } from "./json.ts";
import {
  chunkCount,
  chunksOf,
  jsonText,
  type Reference,
  type References,
  type ReferenceTable,
} from "./reference.ts";

/** Rows of one file, and of one where an array has very many chunks. */
const RECORD_SIZE = 10_000, LARGE_RECORD_SIZE = 100_000;
/** Chunks from which the larger files are made. */
const MANY_CHUNKS = 1_000_000;

/** Bytes of fill values a file may stand for: it holds them once. */
const FILL_BYTES = 64 << 20;

/** Takes the files of the folder, one by one. */
export type PutFile = (key: string, bytes: Uint8Array) => void | Promise<void>;

/** Writes the folder; holds the rows of one file at a time. @throws FuseError `Aborted`. */
export async function writeReferenceParquet(
  { metadata, arrays }: References,
  put: PutFile,
  signal?: AbortSignal,
): Promise<ReferenceCounts> {
  const counts: ReferenceCounts = { ranges: 0, inside: 0 };
  const many = arrays.some((array) => chunkCount(array) > MANY_CHUNKS);
  const size = many ? LARGE_RECORD_SIZE : RECORD_SIZE;
  for (const array of arrays) {
    const chunks = chunkCount(array);
    let rows: ReferenceRows | undefined, file = 0;
    const flush = async (): Promise<void> => {
      if (!rows) return;
      await rows.fill(array);
      await put(`${array.path}/refs.${file}.parq`, rows.bytes());
      rows = undefined;
    };
    for await (const batch of chunksOf(array, signal)) {
      for (const { index, reference } of batch) {
        const own = Math.floor(index / size);
        if (own !== file) await flush();
        file = own;
        rows ??= new ReferenceRows(Math.min(size, chunks - own * size));
        rows.set(index - own * size, reference);
        if ("bytes" in reference) counts.inside++;
        else counts.ranges++;
      }
    }
    await flush();
  }
  const encoder = new TextEncoder();
  for (const { folder, documents } of foldersOf(metadata)) {
    const index = jsonText({ metadata: documents, record_size: size });
    await put(folder ? `${folder}/.zmetadata` : ".zmetadata", encoder.encode(index));
  }
  return counts;
}

/**
 * The index of every group that has arrays, the root's last. fsspec looks for an address in all that an index
 * names and fails at a group in it, unless it is told the protocol: so a group with arrays of its own is
 * opened by its folder, and its index names nothing below it. A root without arrays names everything.
 */
function* foldersOf(
  metadata: References["metadata"],
): Generator<{ folder: string; documents: { [key: string]: Json } }> {
  const groups = new Map<string, { [key: string]: Json }>();
  for (const key of metadata.keys()) {
    if (/(^|\/)\.zgroup$/.test(key)) groups.set(key.slice(0, -".zgroup".length), {});
  }
  const filled = new Set<string>();
  for (const [key, value] of metadata) {
    const node = key.slice(0, key.lastIndexOf("/") + 1);
    const holder = groups.has(node) ? node : node.slice(0, node.slice(0, -1).lastIndexOf("/") + 1);
    groups.get(holder)![key.slice(holder.length)] = value;
    if (holder !== node) filled.add(holder);
  }
  for (const [path, documents] of groups) {
    if (path !== "" && filled.has(path)) yield { folder: path.slice(0, -1), documents };
  }
  const whole = !filled.has("");
  yield { folder: "", documents: whole ? Object.fromEntries(metadata) : groups.get("")! };
}

/** The rows of one file, as many as there are chunks. */
class ReferenceRows {
  #ranges = 0;
  #inside = 0;
  readonly #path: (string | null)[];
  readonly #offset: BigInt64Array;
  readonly #size: BigInt64Array;
  readonly #raw: (Uint8Array | null)[];

  constructor(readonly count: number) {
    this.#path = new Array(count).fill(null);
    this.#raw = new Array(count).fill(null);
    this.#offset = new BigInt64Array(count);
    this.#size = new BigInt64Array(count);
  }

  set(row: number, reference: Reference): void {
    if ("bytes" in reference) {
      this.#inside++;
      this.#raw[row] = reference.bytes;
      return;
    }
    this.#ranges++;
    this.#path[row] = reference.url;
    this.#offset[row] = BigInt(reference.offset);
    this.#size[row] = BigInt(reference.length);
  }

  /**
   * Gives rows without a chunk one of fill values: a row with neither a path nor bytes is a missing chunk by
   * the specification, but pandas 3 reads its path as NaN, and fsspec takes that for an address.
   */
  async fill(table: ReferenceTable): Promise<void> {
    const absent = this.count - this.#ranges - this.#inside;
    const bytes = absent ? await table.fillChunk?.() : null;
    if (!bytes || bytes.length * absent > FILL_BYTES) return;
    this.#inside += absent;
    this.#raw.forEach((raw, row) => {
      if (raw === null && this.#path[row] === null) this.#raw[row] = bytes;
    });
  }

  bytes(): Uint8Array {
    const raw = { name: "raw", data: this.#raw, type: "BYTE_ARRAY", nullable: true } as const;
    return new Uint8Array(parquetWriteBuffer({
      // Without ranges there are no columns of them, as readers look for an address in every row.
      columnData: this.#ranges === 0 ? [raw] : [
        { name: "path", data: this.#path, type: "STRING", nullable: true },
        { name: "offset", data: this.#offset, type: "INT64", nullable: false },
        { name: "size", data: this.#size, type: "INT64", nullable: false },
        raw,
      ],
      codec: "SNAPPY",
      // fastparquet takes integers without statistics for floats.
      statistics: true,
    }));
  }
}
