/**
 * `slice`: a part of a recording or of a stored array, reading only the bytes it needs: from an original
 * file or a store, on a disk, behind a URL or on S3.
 */
import { FuseError } from "../errors.ts";
import { openSource } from "../source/open.ts";
import { isStoreName } from "../store/open-store.ts";
import type { FlagValues } from "./flags.ts";
import { sourceOptions } from "./inputs.ts";
import { outputClosed } from "../sinks/targets/stdout.ts";
import { humanBytes } from "./table.ts";

/** Runs `slice`. */
export async function sliceCommand(args: string[], given: FlagValues): Promise<number> {
  if (args.length !== 1) {
    throw new FuseError("Usage", "slice takes one input", { found: args.length });
  }
  const flags = { ...given, to: given.sliceTo ?? (Deno.stdout.isTerminal() ? "csv" : "npy") };
  const started = performance.now();
  let stats: SliceStats;
  try {
    stats = isStoreName(args[0])
      ? await (await import("./slice-store.ts")).sliceStore(args[0], flags)
      : await sliceOpening(args[0], flags);
  } catch (error) {
    if (outputClosed(error)) return 0;
    throw error;
  }
  if (flags.stats) {
    const seconds = (performance.now() - started) / 1000;
    console.error(
      `${humanBytes(stats.bytes)} read in ${stats.reads} requests, ${seconds.toFixed(3)} s`,
    );
  }
  return 0;
}

/** What a slice has cost. */
export interface SliceStats {
  bytes: number;
  reads: number;
}

/** Asks for the first bytes before the rest of the program is loaded: what is far away answers meanwhile. */
async function sliceOpening(input: string, flags: FlagValues): Promise<SliceStats> {
  const opening = openSource(input, sourceOptions(flags));
  opening.catch(() => {});
  return await (await import("./slice-original.ts")).sliceOriginal(opening, flags);
}
