/** Reference files as an output: what `refs` writes, and `convert --to kerchunk`. */
import { renameSync, rmSync } from "node:fs";
import type { ConvertOptions, OwnDestination, PlannedFile } from "../convert.ts";
import { FuseError } from "../errors.ts";
import { REFERENCE_KINDS, type ReferenceKind } from "../sinks/names.ts";
import { type ReferenceCounts, writeReferenceJson } from "../sinks/refs/json.ts";
import { sourcePlace } from "../sinks/refs/places.ts";
import type { References } from "../sinks/refs/reference.ts";
import { makeReferences } from "../sinks/refs/references.ts";
import { emptyResult } from "../pool/task-result.ts";
import type { FlagValues } from "./flags.ts";
import { LOCAL, type OutputPlace, STDOUT } from "./places.ts";

/** The kind of references the flags of `convert` choose; undefined for other outputs. */
export function referenceKindOf(flags: FlagValues): ReferenceKind | undefined {
  return REFERENCE_KINDS.find((kind) => kind === flags.to);
}

/** How an input is planned whose bytes are to be referred to. */
export function referencePlanning(kind: ReferenceKind): Partial<ConvertOptions> {
  return { to: kind, zarrFormat: 2, compressor: { id: "none" } };
}

/** What references are called: `rec.ns5.refs.json`, `rec.ns5.refs.parquet`. */
export function referencePath(base: string, kind: ReferenceKind): string {
  return `${base}.refs.${kind === "kerchunk" ? "json" : "parquet"}`;
}

/** Where references go. */
export interface ReferenceOutput {
  kind: ReferenceKind;
  /** Path of the output without its extension; null for standard output. */
  base: string | null;
  /** Where that path is: the file system by default. */
  at?: OutputPlace;
  overwrite: boolean;
  /** Address of the folder in which readers find the files, where it is another one. */
  url?: string;
  /** Told of what was written. */
  onWritten?: (path: string, references: References, counts: ReferenceCounts) => void;
}

/**
 * The destination of a planned file; null when the output is there and is not to be replaced.
 * @throws FuseError `Usage` for a folder on standard output.
 */
export async function openReferences(
  planned: PlannedFile,
  { kind, base, at = LOCAL, overwrite, url, onWritten }: ReferenceOutput,
): Promise<OwnDestination | null> {
  if (base === null && kind !== "kerchunk") {
    throw new FuseError("Usage", "a folder cannot go to standard output", {
      expected: "--to kerchunk",
    });
  }
  const path = base === null ? "-" : referencePath(base, kind);
  const place = base === null ? STDOUT : at;
  // A folder in a bucket is there when its last file is.
  const last = kind === "kerchunk" || place === LOCAL ? path : `${path}/.zmetadata`;
  if (!overwrite && await place.exists(last)) return null;
  const output = place.nameOf(path);
  return {
    output,
    tasks: 1,
    run: async ({ onTask, signal }) => {
      const references = refer(planned, url);
      const { counts, bytes } = kind === "kerchunk"
        ? await writeJson(references, place, path, signal)
        : await writeParquet(references, place, path, signal);
      onTask(1, 1, { ...emptyResult(0), bytesWritten: bytes });
      onWritten?.(output, references, counts);
      const known = planned.plan.leftOut.length;
      const warnings = references.leftOut.slice(known).map(({ what, why }) =>
        `${what} is not referred to: ${why}`
      );
      return { bytesRead: 0, bytesWritten: bytes, warnings };
    },
  };
}

/** @throws FuseError `Unsupported` when no byte of the file can be referred to. */
function refer({ plan, dataset }: PlannedFile, url?: string): References {
  const [root] = dataset.sources;
  const places = dataset.sources.map((source) => sourcePlace(source, url, root));
  const references = makeReferences(plan, dataset, places);
  if (references.referred > 0) return references;
  // Small arrays are kept inside: a file of nothing else lacks nothing.
  const whole = references.leftOut.length === plan.leftOut.length;
  if (whole && references.arrays.length > 0) return references;
  throw new FuseError("Unsupported", "nothing in the file can be referred to as it lies", {
    source: plan.input.name,
    found: references.leftOut.map((l) => `${l.what}: ${l.why}`).slice(0, 3).join("; ") ||
      undefined,
    remedy: "Convert it instead",
  });
}

/** What was written, and how much. */
interface Written {
  counts: ReferenceCounts;
  bytes: number;
}

async function writeJson(
  references: References,
  place: OutputPlace,
  path: string,
  signal?: AbortSignal,
): Promise<Written> {
  const output = await place.open(path, signal);
  try {
    const counts = await writeReferenceJson(references, output, signal);
    await output.finish();
    return { counts, bytes: output.length };
  } catch (error) {
    output.abort();
    throw error;
  }
}

/** A folder appears whole; in a bucket, the file it is opened by comes last. */
async function writeParquet(
  references: References,
  place: OutputPlace,
  path: string,
  signal?: AbortSignal,
): Promise<Written> {
  const { writeReferenceParquet } = await import("../sinks/refs/parquet.ts");
  const folder = place === LOCAL ? `${path}.partial` : path;
  if (place === LOCAL) rmSync(folder, { recursive: true, force: true });
  let written = 0;
  try {
    const put = async (key: string, bytes: Uint8Array) => {
      const output = await place.open(`${folder}/${key}`, signal);
      await output.write(bytes);
      await output.finish();
      written += bytes.length;
    };
    const counts = await writeReferenceParquet(references, put, signal);
    if (place === LOCAL) {
      rmSync(path, { recursive: true, force: true });
      renameSync(folder, path);
    }
    return { counts, bytes: written };
  } catch (error) {
    if (place === LOCAL) rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
