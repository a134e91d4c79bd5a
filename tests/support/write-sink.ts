/** Writes datasets through the sinks that are no stores, into a folder of their own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import "../../src/platform/node.ts";
import { openSink, sinkPlanning } from "../../src/commands/sinks.ts";
import type { FlagValues } from "../../src/commands/flags.ts";
import type { Dataset } from "../../src/model/dataset.ts";
import { buildPlan, type PlanOptions } from "../../src/plan/build.ts";
import type { Outcome } from "../../src/pool/execute.ts";
import type { SinkName } from "../../src/sinks/names.ts";
import { PROVENANCE } from "./convert-memory.ts";

/** What a sink wrote. */
export interface Written {
  /** Files by what their names add to the input's: ".csv", ".amplifier.csv". */
  files: Map<string, Uint8Array>;
  outcome: Outcome;
}

/** Tasks of a few kilobytes, so that small recordings take many of them. */
const SMALL: PlanOptions = {
  targets: { chunkBytes: 2048, shardBytes: 4096 },
  flatChunkBytes: 2048,
};

/**
 * Writes `dataset`; the folder is gone afterwards.
 * @throws what the sink throws; then `left` holds the names of what it left behind
 */
export async function writeSink(
  sink: SinkName,
  dataset: Dataset,
  flags: FlagValues = {},
  left: string[] = [],
): Promise<Written> {
  const folder = mkdtempSync(`${tmpdir()}/sparc-fuse-sink-`);
  try {
    const { prepare, ...options } = { ...sinkPlanning(sink, flags), ...SMALL };
    const prepared = prepare?.(dataset) ?? dataset;
    const plan = buildPlan(prepared, options, PROVENANCE);
    const planned = { plan, dataset: prepared, opened: undefined as never };
    const place = { base: `${folder}/x`, overwrite: false };
    const destination = (await openSink(sink, flags, planned, place))!;
    const outcome = await destination.run({ onTask: () => {} });
    const files = new Map(
      readdirSync(folder).sort().map((name) => [name.slice(1), readFileSync(`${folder}/${name}`)]),
    );
    return { files, outcome };
  } catch (error) {
    left.push(...readdirSync(folder));
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The only file a sink wrote. */
export async function writeOne(
  sink: SinkName,
  dataset: Dataset,
  flags: FlagValues = {},
): Promise<Uint8Array> {
  const { files } = await writeSink(sink, dataset, flags);
  const bytes = files.get(`.${sink}`);
  if (!bytes || files.size !== 1) throw new Error(`wrote ${[...files.keys()].join(" ")}`);
  return bytes;
}
