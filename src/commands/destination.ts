/** Opens the place an output goes to: a folder or a zip, fresh or as an interrupted run left it. */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { INLINE_BYTES, type PlannedFile, type StoreDestination } from "../convert.ts";
import { FuseError, toFuseError } from "../errors.ts";
import { samePlan } from "../plan/plan-json.ts";
import { DirectoryTarget } from "../sinks/targets/directory.ts";
import { Journal } from "../sinks/targets/journal.ts";
import { ZipTarget } from "../sinks/targets/zip.ts";

/** How a destination is opened. */
export interface DestinationOptions {
  zip: boolean;
  /** Replace what is there. */
  overwrite: boolean;
  /** Go on with an interrupted run of the same conversion, if there is one. */
  resume: boolean;
  /** Keep a journal however small the conversion is. */
  journal?: boolean;
}

/**
 * The destination at `path`; null when a finished output is there and is not to be replaced. Going on
 * with an earlier run puts that run's plan into `planned`.
 * @throws FuseError `Sink` when the place cannot be written.
 */
export function openDestination(
  path: string,
  planned: PlannedFile,
  options: DestinationOptions,
): StoreDestination | null {
  if (existsSync(path) && !options.overwrite) return null;
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw toFuseError(error, "Sink", { source: path });
  }
  const partial = `${path}.partial`;
  const earlier = options.resume ? Journal.find(partial) : null;
  const goOn = earlier !== null && samePlan(earlier.plan, planned.plan);
  if (earlier && !goOn) {
    throw new FuseError(
      "Usage",
      "the interrupted run was another conversion (input or flags differ)",
      {
        source: partial,
        remedy: "Run without --resume to begin anew",
      },
    );
  }
  const target = options.zip ? ZipTarget.file(path, goOn) : new DirectoryTarget(path, goOn);
  if (goOn) {
    planned.plan = earlier.plan;
    return { target, output: path, journal: earlier.journal };
  }
  const bytes = Math.max(planned.plan.outputBytes, planned.plan.input.size ?? Infinity);
  const worthwhile = options.journal || bytes > INLINE_BYTES;
  return {
    target,
    output: path,
    ...(worthwhile ? { journal: Journal.begin(target.path, planned.plan) } : {}),
  };
}
