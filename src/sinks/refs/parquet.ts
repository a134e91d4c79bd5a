/**
 * References as a parquet folder (kerchunk's LazyReferenceMapper): `.zmetadata`, and for each array files of
 * `record size` rows, one a chunk, which a reader opens only when it needs them.
 */
import { parquetWriteBuffer } from "hyparquet-writer";
import type { Reference, References } from "./references.ts";

/** Rows of one file. */
const RECORD_SIZE = 10_000;

/** Keys and bytes of the folder. */
export async function parquetReferences({ refs }: References): Promise<Map<string, Uint8Array>> {
  const metadata: Record<string, unknown> = {};
  const chunks = new Map<string, Map<number, Reference>>();
  for (const [key, reference] of refs) {
    const name = key.slice(key.lastIndexOf("/") + 1);
    if (name.startsWith(".z")) {
      metadata[key] = JSON.parse(reference as string);
      continue;
    }
    const path = key.slice(0, key.lastIndexOf("/"));
    const { shape, chunks: size } = JSON.parse(refs.get(`${path}/.zarray`) as string) as {
      shape: number[];
      chunks: number[];
    };
    const grid = shape.map((n, i) => Math.max(1, Math.ceil(n / size[i])));
    const index = name.split(".").reduce((at, part, i) => at * (grid[i] ?? 1) + Number(part), 0);
    const rows = chunks.get(path) ?? new Map<number, Reference>();
    rows.set(index, reference);
    chunks.set(path, rows);
  }
  const files = new Map<string, Uint8Array>();
  files.set(
    ".zmetadata",
    new TextEncoder().encode(JSON.stringify({ metadata, record_size: RECORD_SIZE })),
  );
  for (const [path, rows] of chunks) {
    const last = Math.floor(Math.max(...rows.keys()) / RECORD_SIZE);
    for (let file = 0; file <= last; file++) {
      const bytes = await recordFile(rows, file * RECORD_SIZE);
      files.set(`${path}/refs.${file}.parq`, bytes);
    }
  }
  return files;
}

function recordFile(rows: Map<number, Reference>, first: number): Uint8Array {
  const path: (string | null)[] = [];
  const offset: bigint[] = [];
  const size: bigint[] = [];
  const raw: (Uint8Array | null)[] = [];
  for (let i = first; i < first + RECORD_SIZE; i++) {
    const reference = rows.get(i);
    const range = Array.isArray(reference) ? reference : undefined;
    path.push(range ? range[0] : null);
    offset.push(BigInt(range?.[1] ?? 0));
    size.push(BigInt(range?.[2] ?? 0));
    raw.push(typeof reference === "string" ? bytesOf(reference) : null);
  }
  return new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "path", data: path, type: "STRING", nullable: true },
      { name: "offset", data: offset, type: "INT64", nullable: false },
      { name: "size", data: size, type: "INT64", nullable: false },
      { name: "raw", data: raw, type: "BYTE_ARRAY", nullable: true },
    ],
    codec: "SNAPPY",
    // fastparquet takes integers without statistics for floats.
    statistics: true,
  }));
}

function bytesOf(text: string): Uint8Array {
  return text.startsWith("base64:")
    ? Uint8Array.from(atob(text.slice(7)), (c) => c.charCodeAt(0))
    : new TextEncoder().encode(text);
}
