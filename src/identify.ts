/** Which format a file is, by its bytes first and its name second. */
import {
  type FormatDescriptor,
  NOT_MINE,
  type OpenOptions,
  PROBE_BYTES,
  type ProbeInput,
  type ProbeResult,
} from "../decoders/format.ts";
import type { MappingUse } from "../decoders/mapping/descriptor-types.ts";
import { FORMATS } from "../decoders/registry.ts";
import { FuseError, isFuseError, toFuseError } from "./errors.ts";
import { candidateFor, isMisfit, recordMapping, wrongFormat } from "./mapping-choice.ts";
import { checkDataset } from "./model/check.ts";
import type { Dataset } from "./model/dataset.ts";
import { nameSafely } from "./plan/names.ts";
import { ensureRandomAccess } from "./source/open.ts";
import { FilesetSource, unwrapped } from "./source/fileset.ts";
import type { ByteSource } from "./source/source.ts";

/** A format that could read the file. */
export interface Candidate {
  /** The format. */
  format: FormatDescriptor;
  /** 0 .. 255; an extension alone gives at most 40. */
  score: number;
  /** Why, in words. */
  why: string;
}

/** Lowest score at which a file is opened without being told its format. */
export const OPEN_SCORE = 41;

function head(
  source: ByteSource,
  signal?: AbortSignal,
  length = PROBE_BYTES,
): Promise<Uint8Array> {
  return source.readUpTo(0, length, { purpose: "header", signal });
}

/** Bytes of a pipe looked at first: more may be long in coming. */
const FIRST_BYTES = 512;
/** Least score of a format that knows its files by more than what they look like, as text does. */
const MAGIC_SCORE = 150;
/** Score that no further byte can change. */
const CERTAIN_SCORE = 240;

/** A probe that stumbles over strange bytes has not found its own; the other formats still have a say. */
function probed(format: FormatDescriptor, input: ProbeInput): ProbeResult {
  try {
    return format.probe(input);
  } catch {
    return NOT_MINE;
  }
}

/** All formats that claim the file, best first; reads at most {@link PROBE_BYTES} of it. */
export async function identify(source: ByteSource, signal?: AbortSignal): Promise<Candidate[]> {
  if (source.access === "forward") {
    const early = candidatesFor(source, await head(source, signal, FIRST_BYTES));
    if (early.length && early[0].score >= CERTAIN_SCORE && early[0].format.needs === "forward") {
      return early;
    }
  }
  const candidates = candidatesFor(source, await head(source, signal));
  if (candidates.length && candidates[0].score >= MAGIC_SCORE) return candidates;
  const sets = await candidatesOfSets(source, signal);
  return [...sets, ...candidates.filter((c) => !sets.some((s) => s.format === c.format))];
}

/** Formats to whose sets the file belongs, by what lies beside it. */
async function candidatesOfSets(source: ByteSource, signal?: AbortSignal): Promise<Candidate[]> {
  if (source.access !== "random") return [];
  const name = source.name.toLowerCase();
  const candidates: Candidate[] = [];
  for (const format of FORMATS) {
    if (!format.probeSet || !format.memberExtensions?.some((e) => name.endsWith(e))) continue;
    const fileset = new FilesetSource(source);
    try {
      const { score, why } = await format.probeSet(fileset, signal);
      if (score > 0) candidates.push({ format, score, why });
    } catch (error) {
      if (isFuseError(error, "Network", "Aborted")) throw error;
    } finally {
      await fileset.closeSiblings();
    }
  }
  return candidates.sort((a, b) => b.score - a.score);
}

function candidatesFor(source: ByteSource, head: Uint8Array): Candidate[] {
  const input = { head, name: source.name.toLowerCase(), size: source.size };
  const candidates: Candidate[] = [];
  for (const format of FORMATS) {
    const { score, why } = probed(format, input);
    if (score > 0) candidates.push({ format, score, why });
  }
  return candidates.sort((a, b) => b.score - a.score);
}

/** A Dataset with the format it was read by. */
export interface Opened {
  /** What the file holds. */
  dataset: Dataset;
  /** The format it was read by. */
  candidate: Candidate;
  /** Other formats that claimed the file with the same score. */
  ties: Candidate[];
  /** The mapping descriptor it was read by. */
  mapping?: MappingUse;
}

/**
 * Opens a file: identifies it, unless `format` names its format id, and reads its headers. A pipe whose
 * format needs random access is copied to a temporary file first, and `onCopy` told of it.
 * @throws FuseError `UnknownFormat` when no reader recognises it, `Usage` for an unknown format id,
 * and whatever the reader finds wrong.
 */
export async function openDataset(
  source: ByteSource,
  options: OpenOptions & { format?: string; onCopy?: (message: string) => void } = {},
): Promise<Opened> {
  let candidates: Candidate[];
  let { mapping } = options;
  const doubts: string[] = [];
  if (options.format) {
    const format = FORMATS.find((f) => f.id === options.format);
    if (!format) {
      throw new FuseError("Usage", "there is no such format", {
        found: options.format,
        expected: FORMATS.map((f) => f.id).join(", "),
      });
    }
    candidates = [{ format, score: 255, why: "as told" }];
  } else {
    candidates = await identify(source, options.signal);
    if (mapping) {
      const fitting = candidateFor(mapping, candidates, source.name);
      if (fitting) candidates = [fitting];
    }
    if (!candidates.length || candidates[0].score < OPEN_SCORE) {
      throw unknownFormat(source, await head(source, options.signal));
    }
  }
  const [best] = candidates;
  if (mapping && !candidateFor(mapping, candidates, source.name)) {
    const failure = wrongFormat(mapping, source.name, best);
    if (!mapping.lenient) throw failure;
    doubts.push(failure.statement);
    mapping = undefined;
  }
  const place = { source: source.name, format: best.format.id };
  let copy: ByteSource | undefined;
  let fileset: FilesetSource | undefined;
  try {
    const reader = await best.format.load();
    if (source.access === "forward" && best.format.needs === "random") {
      source = copy = await ensureRandomAccess(source, options);
    }
    fileset = new FilesetSource(source);
    let dataset: Dataset;
    try {
      dataset = await reader.open(fileset, { ...options, mapping });
    } catch (error) {
      if (mapping?.lenient !== "all" || !isMisfit(error)) throw error;
      doubts.push(
        `the mapping ${mapping.descriptor.name} does not fit: ${(error as Error).message}`,
      );
      mapping = undefined;
      dataset = await reader.open(fileset, { ...options, mapping });
    }
    if (mapping) recordMapping(dataset, mapping);
    dataset.warnings.push(...doubts);
    dataset.sources = dataset.sources.map(unwrapped);
    await fileset.closeSiblings(dataset.sources);
    checkDataset(dataset, options.limits);
    nameSafely(dataset);
    return {
      dataset,
      candidate: best,
      ties: candidates.slice(1).filter((c) => c.score === best.score),
      ...(mapping ? { mapping } : {}),
    };
  } catch (error) {
    await fileset?.closeSiblings();
    await copy?.close();
    throw toFuseError(error, "Corrupt", place);
  }
}

/** Extensions that say nothing of what is inside. */
const VAGUE = /\.(txt|csv|tsv|dat|bin|raw|rec|log|xml|json|img|data|info)$/i;

/**
 * A file that bears a known format's name and not its bytes is damaged or mislabelled, and a failure;
 * any other unknown file is merely not ours.
 */
function unknownFormat(source: ByteSource, head: Uint8Array): FuseError {
  const name = source.name.toLowerCase();
  const claimed = VAGUE.test(name) ? undefined : FORMATS.find((f) =>
    // Members of sets have extensions that others use, too.
    f.extensions.some((e) => name.endsWith(e) && !f.memberExtensions?.includes(e))
  );
  if (source.size === 0) {
    return new FuseError(claimed ? "Truncated" : "UnknownFormat", "the file is empty", {
      source: source.name,
      ...(claimed ? { offset: 0, expected: claimed.name } : {}),
    });
  }
  const flat = FORMATS.find((f) => f.id === "flat")?.extensions.some((e) => name.endsWith(e));
  const found = head.length === 0
    ? "no bytes"
    : [...head.subarray(0, 8)].map((b) => b.toString(16).padStart(2, "0")).join(" ");
  if (claimed) {
    return new FuseError("Corrupt", "its bytes are not what its name says", {
      source: source.name,
      offset: 0,
      found,
      expected: claimed.name,
      remedy: "See `formats` for what is read; `--format ID` insists on one",
    });
  }
  return new FuseError("UnknownFormat", "no reader recognises these bytes", {
    source: source.name,
    offset: 0,
    found,
    remedy: flat
      ? "If it is samples without a header, say how they lie: --dtype int16 --channels 8 --rate 20000 " +
        "[--order, --byte-order, --header-bytes, --gain, --units], or the same in " +
        `${source.name}.json or a params.py beside it`
      : "See `formats` for what is read; `--format ID` insists on one",
  });
}
