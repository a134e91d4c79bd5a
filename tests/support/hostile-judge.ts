/**
 * Converts a damaged file and says whether the program behaved: either a store that opens and is no
 * larger than the input warrants, or a FuseError that names the file and leaves nothing behind.
 */
import * as zarr from "zarrita";
import { chooseExecutor, planFile, type PlannedFile } from "../../src/convert.ts";
import { type FuseError, isFuseError } from "../../src/errors.ts";
import { sizeOf } from "../../src/model/dtype.ts";
import { executePlan } from "../../src/pool/execute.ts";
import { MemoryTarget } from "../../src/sinks/targets/memory.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { storeOf } from "./read-store.ts";

/** What became of one damaged file. */
export interface Verdict {
  /** The failure's tag, or "converted". */
  outcome: string;
  /** The failure's message. */
  message?: string;
  /** What the program did wrong; undefined when it behaved. */
  complaint?: string;
  /** Warnings of a conversion. */
  warnings?: string[];
  seconds: number;
}

/** What an output may measure. */
export interface Bounds {
  /** Bytes of all members of the input together. */
  inputBytes: number;
  /** Names of the other members: a failure may name the one that is damaged. */
  members?: string[];
  /** Bytes of arrays a byte of input may become; compressed formats give more. */
  expansion?: number;
}

/** Bytes of output any file may have, and bytes for each byte of input unless told otherwise. */
const FREE_BYTES = 1 << 20, EXPANSION = 16;
/** Arrays up to this size are read back whole. */
const READ_BYTES = 64 << 10;
/** Stores with more arrays than this are sampled. */
const CHECKED_ARRAYS = 24;

/** Converts `source` on this thread, into memory; closes it. */
export async function judge(source: ByteSource, bounds: Bounds): Promise<Verdict> {
  const started = performance.now();
  const target = new MemoryTarget();
  const ended = (outcome: string, complaint?: string, message?: string): Verdict => ({
    outcome,
    complaint,
    message,
    seconds: (performance.now() - started) / 1000,
  });
  const names = [source.name, ...bounds.members ?? []];
  let planned: PlannedFile | undefined;
  try {
    planned = await planFile(source);
    const wrong = planFault(planned, bounds);
    if (wrong) return ended("planned", wrong);
    const executor = chooseExecutor(planned, target, undefined);
    const warnings = [...planned.plan.warnings];
    try {
      warnings.push(...(await executePlan(planned.plan, target, executor)).warnings);
    } finally {
      await executor.close();
    }
    return { ...ended("converted", await storeFault(planned, target)), warnings };
  } catch (error) {
    const tag = isFuseError(error) ? error.tag : "leak";
    const text = error instanceof Error ? error.message : String(error);
    return ended(tag, errorFault(error, names, source) ?? leftFault(target), text);
  } finally {
    for (const member of planned?.opened.dataset.sources ?? []) await member.close();
    await source.close();
  }
}

/** What is wrong with a failure, if anything. */
function errorFault(error: unknown, names: string[], source: ByteSource): string | undefined {
  if (!isFuseError(error)) return `leaked ${trace(error)}`;
  if (error.tag === "Usage" || error.tag === "Aborted") {
    return `blamed the caller: ${error.tag} ${error.message}`;
  }
  const leak = leakOf(error);
  if (leak) return leak;
  const folder = source.uri.slice(0, source.uri.lastIndexOf("/") + 1);
  if (
    !names.some((n) => error.message.includes(n)) && !(folder && error.message.includes(folder))
  ) {
    return `message does not name the file: ${error.message}`;
  }
  if (error.message.includes("\n")) return `message of several lines: ${error.message}`;
  if (error.message.length > 600) return `message of ${error.message.length} characters`;
  return undefined;
}

/** What a FuseError wraps that should have been foreseen; undefined when nothing. */
export function leakOf(error: FuseError): string | undefined {
  // A wrapped TypeError is a leak with a coat on; what libraries throw of bad input is not.
  const { cause } = error;
  const foreign = /^[^\n]*\n\s+at [^\n]*\(ext:/.test((cause as Error | undefined)?.stack ?? "");
  if (
    !foreign && (cause instanceof TypeError || cause instanceof RangeError ||
      cause instanceof ReferenceError || cause instanceof WebAssembly.RuntimeError)
  ) return `wrapped ${trace(cause)}`;
  return undefined;
}

function trace(error: unknown): string {
  const stack = error instanceof Error ? error.stack ?? error.message : String(error);
  return stack.split("\n").slice(0, 5).map((line) =>
    line.trim().replace(/file:\/\/.*\/(?=(src|decoders|tests)\/)/, "")
  ).join(" | ");
}

function leftFault(target: MemoryTarget): string | undefined {
  if (target.finished) return "the target was finished after a failure";
  return target.objects.size ? `${target.objects.size} objects left after a failure` : undefined;
}

/** What is wrong with a plan, before time is spent on running it. */
function planFault({ plan, dataset }: PlannedFile, bounds: Bounds): string | undefined {
  const allowed = FREE_BYTES + (bounds.expansion ?? EXPANSION) * bounds.inputBytes;
  let total = 0;
  for (const array of plan.arrays) {
    for (const n of array.shape) {
      if (n !== null && (!Number.isSafeInteger(n) || n < 0)) {
        return `${array.path} has the shape ${array.shape}`;
      }
    }
    for (const n of [...array.chunks, ...array.shards ?? []]) {
      if (!Number.isSafeInteger(n) || n < 1) return `${array.path} has chunks of ${array.chunks}`;
    }
    const element = array.dtype === "string" ? 1 : sizeOf(array.dtype);
    total += array.shape.reduce<number>((n, s) => n * (s ?? 0), element);
  }
  if (total > allowed) return `plans ${total} bytes for ${bounds.inputBytes} of input`;
  for (const recording of dataset.recordings) {
    const rate = recording.samplingFrequency;
    if (rate !== null && !(Number.isFinite(rate) && rate > 0)) {
      return `${recording.name} has the rate ${rate}`;
    }
    for (const segment of recording.segments) {
      if (!Object.values(segment).every(Number.isFinite)) {
        return `${recording.name} has a segment ${JSON.stringify(segment)}`;
      }
    }
  }
  const attributes = JSON.stringify(plan.groups).length +
    JSON.stringify(plan.arrays.map((a) => a.attributes)).length;
  const room = (8 << 20) + 16 * bounds.inputBytes;
  return attributes > room ? `attributes of ${attributes} characters` : undefined;
}

/** What is wrong with a finished store. */
async function storeFault(
  { plan }: PlannedFile,
  target: MemoryTarget,
): Promise<string | undefined> {
  if (!target.finished) return "converted, and the target is not finished";
  for (const key of target.objects.keys()) {
    if (key.startsWith("/") || key.split("/").some((part) => /^(\.{1,2}|)$/.test(part))) {
      return `object under the key ${key}`;
    }
  }
  const root = zarr.root(storeOf(target));
  try {
    await zarr.open(root, { kind: "group" });
    const every = Math.max(1, Math.ceil(plan.arrays.length / CHECKED_ARRAYS));
    for (let i = 0; i < plan.arrays.length; i += every) {
      const planned = plan.arrays[i];
      // zarrita knows no complex numbers.
      if (planned.dtype.startsWith("complex")) continue;
      const array = await zarr.open(root.resolve(planned.path), { kind: "array" });
      const wrong = planned.shape.some((n, axis) => n !== null && n !== array.shape[axis]);
      if (wrong || array.shape.length !== planned.shape.length) {
        return `${planned.path} was planned as ${planned.shape} and is ${array.shape}`;
      }
      const width = planned.dtype === "string" ? 16 : sizeOf(planned.dtype);
      const bytes = array.shape.reduce((n, s) => n * s, width);
      if (bytes > 0 && bytes <= READ_BYTES) await zarr.get(array);
    }
  } catch (error) {
    return `the store does not open: ${trace(error)}`;
  }
  return undefined;
}
