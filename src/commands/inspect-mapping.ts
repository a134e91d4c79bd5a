/** The choice of what a file's columns or arrays mean, as lines of `inspect`. */
import { existsSync, writeFileSync } from "node:fs";
import { FuseError } from "../errors.ts";
import type { Opened } from "../identify.ts";
import type { DatasetMetadata, Json } from "../model/dataset.ts";

/** Name and version of the schema (schemas/mapping.schema.json), as drafts refer to it. */
const SCHEMA = "urn:sparc-fuse:mapping:1";
/** Reasons of one choice that are shown. */
const REASONS = 6;

type Entry = Record<string, Json>;

/** What was chosen, its score, the reasons, and what else would have been possible. */
export function mappingLines({ mapping }: DatasetMetadata): string[] {
  if (!isEntry(mapping)) return [];
  const lines: string[] = [];
  const { by, descriptor } = mapping;
  if (isEntry(descriptor)) {
    const hash = typeof descriptor.sha256 === "string"
      ? `, sha256 ${descriptor.sha256.slice(0, 12)}...`
      : "";
    lines.push(`  mapping    by the descriptor ${descriptor.name} (${descriptor.from}${hash})`);
  } else if (by === "heuristics") lines.push("  mapping    found out from the file");
  else if (typeof by === "string") lines.push(`  mapping    by ${by}`);
  if (by === "heuristics" && entries(mapping.chosen).length === 0) {
    lines.push("             chosen: nothing is sure enough to be a recording");
  }
  for (const choice of entries(mapping.chosen)) lines.push(...choiceLines("chosen", choice));
  for (const rival of entries(mapping.rivals)) lines.push(...choiceLines("rival", rival));
  return lines;
}

/**
 * Writes a descriptor that says what was found out, for a user to correct: to a file, or (true) to
 * standard output.
 */
export function writeDraft({ dataset, candidate }: Opened, file: string | string[] | true): void {
  const draft = dataset.draftMapping?.();
  if (!draft) {
    const mappable = ["csv", "mat", "hdf5", "flat"].includes(candidate.format.id);
    throw new FuseError(
      "Usage",
      mappable
        ? "there is nothing to draft: no recording was found"
        : "there is nothing to describe: the format itself says all",
      {
        source: dataset.sources[0].name,
        format: candidate.format.id,
        ...(mappable ? { remedy: "docs/mapping.md shows descriptors to start from" } : {}),
      },
    );
  }
  const text = JSON.stringify({ $schema: SCHEMA, ...draft }, null, 2) + "\n";
  if (file === true) return console.log(text.trimEnd());
  const path = String(file);
  if (existsSync(path)) throw new FuseError("Usage", "is there already", { source: path });
  writeFileSync(path, text);
  console.error(`${path}: a draft; \`convert --mapping ${path}\` uses it`);
}

function choiceLines(word: string, { what, score, why }: Entry): string[] {
  const reasons = Array.isArray(why) ? why : why === undefined ? [] : [why];
  const more = reasons.length > REASONS ? ", ..." : "";
  const shown = reasons.slice(0, REASONS).join(", ") + more;
  const number = score === undefined || score === null ? "" : ` (score ${score})`;
  return [`             ${word}: ${what}${number}${shown ? `: ${shown}` : ""}`];
}

function isEntry(value: Json | undefined): value is Entry {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entries(value: Json | undefined): Entry[] {
  return Array.isArray(value) ? value.filter(isEntry) : [];
}
