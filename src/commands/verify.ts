/**
 * `verify`: reads every chunk of a store again; with `--against` also converts the source once more and
 * compares what that gives with what is stored, object by object, byte by byte.
 */
import * as zarr from "zarrita";
import { chooseExecutor, planFile } from "../convert.ts";
import type { MappingUse } from "../../decoders/mapping/descriptor-types.ts";
import { FuseError, printable, toFuseError } from "../errors.ts";
import type { Attributes, Json } from "../model/dataset.ts";
import { executePlan } from "../pool/execute.ts";
import { cellOf } from "../plan/plan.ts";
import { collect } from "../sinks/targets/collect.ts";
import type { ObjectWriter, Target } from "../sinks/targets/target.ts";
import { openSource } from "../source/open.ts";
import { readNodes, type StoredArray, storedKey, type StoreNodes } from "../store/nodes.ts";
import { openStore, type StoreReader } from "../store/open-store.ts";
import { Kernels } from "../stream/kernels.ts";
import type { FlagValues } from "./flags.ts";
import { sourceOptions } from "./inputs.ts";
import { humanBytes } from "./table.ts";

/** Problems printed before the rest is only counted. */
const LISTED = 20;

interface Findings {
  arrays: number;
  objects: number;
  chunks: number;
  bytes: number;
  problems: string[];
}

/** Runs `verify`. */
export async function verifyCommand(args: string[], flags: FlagValues): Promise<number> {
  if (args.length !== 1) {
    throw new FuseError("Usage", "verify takes one store", { found: args.length });
  }
  const options = sourceOptions(flags);
  const store = await openStore(args[0], options);
  const findings: Findings = { arrays: 0, objects: 0, chunks: 0, bytes: 0, problems: [] };
  try {
    const nodes = await readNodes(store);
    for (const array of nodes.arrays) await checkArray(store, array, findings);
    if (flags.against) {
      await compareWithSource(store, nodes, String(flags.against), flags, findings);
    }
  } finally {
    await store.close();
  }
  const { problems, ...counts } = findings;
  if (flags.json) {
    console.log(JSON.stringify({ store: args[0], ok: problems.length === 0, ...counts, problems }));
  } else {
    for (const problem of problems.slice(0, LISTED)) console.error(printable(problem));
    if (problems.length > LISTED) console.error(`... and ${problems.length - LISTED} more`);
    console.log(
      `${
        args[0]
      }: ${counts.arrays} arrays, ${counts.chunks} chunks in ${counts.objects} objects, ` +
        `${humanBytes(counts.bytes)} read${
          flags.against ? " and compared with the source" : ""
        }: ` +
        (problems.length ? `${problems.length} problems` : "all well"),
    );
  }
  return problems.length ? 1 : 0;
}

/** Decodes every chunk of an array with a reader that is not the writer's. */
async function checkArray(
  store: StoreReader,
  array: StoredArray,
  findings: Findings,
): Promise<void> {
  findings.arrays++;
  const root = zarr.root(store as unknown as zarr.AsyncReadable);
  let opened: zarr.Array<zarr.DataType, zarr.AsyncReadable>;
  try {
    opened = await zarr.open(array.path ? root.resolve(array.path) : root, { kind: "array" });
  } catch (error) {
    findings.problems.push(`${array.path}: cannot be opened: ${(error as Error).message}`);
    return;
  }
  const grid = array.shape.map((n, i) => Math.ceil(n / array.objectShape[i]));
  const total = grid.reduce((a, b) => a * b, 1);
  const inner = array.objectShape.map((n, i) => n / array.chunkShape[i]);
  for (let k = 0; k < total; k++) {
    const cell = cellOf(grid, k);
    const key = storedKey(array, cell);
    const bytes = await store.get(key);
    // An absent object stands for the fill value.
    if (!bytes) continue;
    findings.objects++;
    findings.bytes += bytes.length;
    if (array.sharded) {
      const problem = await shardIndexProblem(bytes, inner.reduce((a, b) => a * b, 1));
      if (problem) {
        findings.problems.push(`${key}: ${problem}`);
        continue;
      }
    }
    const count = inner.reduce((a, b) => a * b, 1);
    for (let c = 0; c < count; c++) {
      const at = cellOf(inner, c).map((n, i) => cell[i] * inner[i] + n);
      if (at.some((n, i) => n * array.chunkShape[i] >= array.shape[i])) continue;
      try {
        const chunk = await opened.getChunk(at);
        const expected = array.chunkShape.reduce((a, b) => a * b, 1);
        const values = chunk.data as { length: number };
        if (values.length !== expected) {
          throw new Error(`${values.length} values, expected ${expected}`);
        }
        findings.chunks++;
      } catch (error) {
        findings.problems.push(`${array.path} chunk ${at.join(",")}: ${(error as Error).message}`);
      }
    }
  }
}

/** The index of a shard must fit its object and its checksum. */
async function shardIndexProblem(bytes: Uint8Array, chunks: number): Promise<string | null> {
  const length = 16 * chunks + 4;
  if (bytes.length < length) return `${bytes.length} bytes are too few for the index of a shard`;
  const index = bytes.subarray(bytes.length - length);
  const view = new DataView(index.buffer, index.byteOffset, length);
  const kernels = await Kernels.load();
  const crc = kernels.crc32cBytes(index.subarray(0, length - 4));
  if (crc !== view.getUint32(length - 4, true)) return "the checksum of the shard's index is wrong";
  for (let i = 0; i < chunks; i++) {
    const offset = view.getBigUint64(16 * i, true), size = view.getBigUint64(16 * i + 8, true);
    if (offset === 0xffff_ffff_ffff_ffffn) continue;
    if (offset + size > BigInt(bytes.length - length)) return `chunk ${i} lies outside its shard`;
  }
  return null;
}

/** Converts the source again, with the choices the store records, into a comparison. */
async function compareWithSource(
  store: StoreReader,
  nodes: StoreNodes,
  input: string,
  flags: FlagValues,
  findings: Findings,
): Promise<void> {
  const root = nodes.groups.get("") ?? {};
  const own = root.sparc_fuse as Attributes | undefined;
  const choices = own?.conversion as { [key: string]: Json } | undefined;
  if (!choices) {
    throw new FuseError(
      "Usage",
      "the store does not say how it was made, so it cannot be compared",
      {
        source: store.uri,
      },
    );
  }
  const source = await openSource(input, sourceOptions(flags));
  const channels = choices.channels as string[] | undefined;
  const selected = channels || choices.from !== undefined || choices.until !== undefined;
  try {
    const planned = await planFile(source, {
      zarrFormat: nodes.zarrFormat,
      compressor: choices.compressor as never,
      targets: {
        chunkBytes: choices.chunk_bytes as number,
        shardBytes: choices.shard_bytes as number,
      },
      keepRaw: choices.keep === "raw",
      format: choices.format as string | undefined,
      mapping: flags.mappingUse ?? choices.mapping as unknown as MappingUse | undefined,
      ...(selected
        ? {
          selection: {
            channels,
            fromSeconds: choices.from as number | undefined,
            untilSeconds: choices.until as number | undefined,
          },
        }
        : {}),
    });
    const target = new Comparison(store);
    const executor = chooseExecutor(planned, target, undefined);
    try {
      await executePlan(planned.plan, target, executor);
    } finally {
      await executor.close();
    }
    await target.settle();
    findings.problems.push(...target.problems);
  } catch (error) {
    throw toFuseError(error, "Corrupt", { source: input });
  } finally {
    await source.close();
  }
}

/** Metadata carry the date and the dataset of their conversion: their arrays' documents are compared as values. */
const METADATA = /(^|\/)(zarr\.json|\.zattrs|\.zmetadata|\.zgroup)$/;

/** A target that writes nothing: each object is compared with the one that is stored. */
class Comparison implements Target {
  readonly spec = { kind: "owner" } as const;
  readonly problems: string[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(readonly store: StoreReader) {}

  create(key: string): ObjectWriter {
    return collect((bytes) => this.#later(key, bytes));
  }

  put(key: string, bytes: Uint8Array): void {
    this.#later(key, bytes.slice());
  }

  #later(key: string, bytes: Uint8Array): void {
    this.#last = this.#last.then(() => this.#compare(key, bytes));
  }

  async #compare(key: string, made: Uint8Array): Promise<void> {
    if (METADATA.test(key)) return;
    const stored = await this.store.get(key);
    if (!stored) return void this.problems.push(`${key}: is missing`);
    const length = Math.min(stored.length, made.length);
    let at = 0;
    while (at < length && stored[at] === made[at]) at++;
    if (at < length || stored.length !== made.length) {
      this.problems.push(
        `${key}: differs from the source at byte ${at} (${stored.length} bytes, expected ${made.length})`,
      );
    }
  }

  /** Waits for the comparisons under way. */
  async settle(): Promise<void> {
    await this.#last;
  }

  async finish(): Promise<void> {
    await this.#last;
  }

  abort(): Promise<void> {
    return Promise.resolve();
  }
}
