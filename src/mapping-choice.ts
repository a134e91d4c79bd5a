/** Bringing a mapping descriptor and a file's format together. */
import type { FormatDescriptor } from "../decoders/format.ts";
import { formatOf } from "../decoders/mapping/descriptor.ts";
import type { MappingUse } from "../decoders/mapping/descriptor-types.ts";
import { FORMATS } from "../decoders/registry.ts";
import { FuseError, isFuseError } from "./errors.ts";
import type { Candidate } from "./identify.ts";
import type { Dataset } from "./model/dataset.ts";

/** Candidates below this score are known by no more than their looks, as text is. */
const KNOWN_SCORE = 150;
/** Lowest score at which a format is believed. */
const BELIEVED_SCORE = 41;

/** The format a descriptor is for. @throws FuseError `Usage` when there is none of its name. */
function formatFor(mapping: MappingUse): FormatDescriptor {
  const id = formatOf(mapping.descriptor);
  const format = FORMATS.find((f) => f.id === id);
  if (format) return format;
  throw new FuseError("Usage", "the descriptor names a format that does not exist", {
    source: mapping.from,
    found: id,
    expected: FORMATS.map((f) => f.id).join(", "),
  });
}

/**
 * The candidate a file is opened by when it comes with a descriptor: that of the descriptor's format, where
 * the bytes do not speak against it. Flat files look like nothing, so only another format's marks do that.
 * Null when the descriptor is for other files.
 */
export function candidateFor(
  mapping: MappingUse,
  candidates: readonly Candidate[],
  name: string,
): Candidate | null {
  const format = formatFor(mapping);
  const own = candidates.find((c) => c.format === format);
  const [best] = candidates;
  if (format.id === "flat") {
    const mine = format.extensions.some((e) => name.toLowerCase().endsWith(e));
    const free = !best || best.format === format || best.score < BELIEVED_SCORE ||
      (mine && best.score < KNOWN_SCORE);
    return free ? { format, score: 255, why: `told by ${mapping.from}` } : null;
  }
  if (own && own.score >= BELIEVED_SCORE) {
    // Formats of arrays are also the containers of others (MAT, NWB): the descriptor decides.
    return own === best ? own : { ...own, why: `${own.why}; chosen by ${mapping.from}` };
  }
  return null;
}

/** The failure of a descriptor that is for another format. */
export function wrongFormat(
  mapping: MappingUse,
  name: string,
  best: Candidate | undefined,
): FuseError {
  const format = formatFor(mapping);
  return new FuseError("Usage", `the mapping ${mapping.descriptor.name} is not for this file`, {
    source: name,
    found: best && best.score >= BELIEVED_SCORE ? best.format.name : "bytes no reader recognises",
    expected: format.name,
    remedy: "`--format ID` insists on a format",
  });
}

/** True for what a descriptor that does not fit its file fails with. */
export function isMisfit(error: unknown): boolean {
  return isFuseError(error, "Usage");
}

/** Notes in a dataset which descriptor it was read by. */
export function recordMapping(dataset: Dataset, mapping: MappingUse): void {
  const { metadata } = dataset;
  const { descriptor, from, sha256 } = mapping;
  const found = metadata.mapping;
  metadata.autoMapped = false;
  metadata.mapping = {
    ...(found && typeof found === "object" && !Array.isArray(found) ? found : {}),
    by: "descriptor",
    descriptor: { name: descriptor.name, kind: descriptor.kind, from, sha256 },
    ...(descriptor.kind === "format" ? { overrides: "nothing" } : {}),
  };
  if (descriptor.start_time !== undefined) {
    metadata.startTime = descriptor.start_time.replace(" ", "T");
  }
  const { species, anatomical_location, modality, experimenter, institution, notes } =
    descriptor.metadata ?? {};
  if (species !== undefined) metadata.species = species;
  if (anatomical_location !== undefined) metadata.anatomicalLocation = anatomical_location;
  if (modality !== undefined) metadata.modality = modality;
  if (experimenter !== undefined) metadata.experimenter = experimenter;
  if (institution !== undefined) metadata.institution = institution;
  if (notes !== undefined) metadata.notes = notes;
}
