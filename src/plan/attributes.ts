/** The SPARC FUSE vocabulary of root attributes: always present, honest values or "unknown". */
import type { Attributes, Dataset, Json } from "../model/dataset.ts";

/** Version of the program, as written into every output. */
export const VERSION = "0.1.0";

/** What is known of the conversion beyond the file itself. */
export interface Provenance {
  /** Score and reason of the format's probe. */
  score: number;
  /** Why the format was chosen, in words. */
  why: string;
  /** ISO date-time of the conversion. */
  convertedAt: string;
  /** Choices that shaped the output, enough to repeat it. */
  conversion?: Attributes;
  /** What the dataset the file belongs to says of it. */
  dataset?: DatasetContext;
}

/** What a dataset says of one of its files. */
export interface DatasetContext {
  /** Of the vocabulary: doi, subject, species ... */
  attributes: Attributes;
  /** For the `sparc_fuse` attribute: dataset, published address, rows of the subject and sample tables. */
  provenance: Attributes;
}

/** Attributes only the dataset can know; for the others the file's own word comes first. */
const DATASET_KEYS = [
  "database_id",
  "doi",
  "version",
  "upload_date",
  "original_file_name",
  "sparc_subject_id",
];

/** Root attributes of the output of `dataset`. */
export function rootAttributes(dataset: Dataset, provenance: Provenance): Attributes {
  const { metadata: m, recordings } = dataset;
  const [source] = dataset.sources;
  const rates: Json[] = [...new Set(recordings.map((r) => r.samplingFrequency))];
  const known = (value: Json | undefined): Json => value === undefined ? "unknown" : value;
  const own: Attributes = {
    time_units: recordings.length || dataset.events.length ? "s" : "unknown",
    time_auto_generated: recordings.some((r) => r.timeGenerated === true),
    source_format: dataset.format,
    database_id: "unknown",
    sampling_frequency: rates.length === 1
      ? (rates[0] ?? "unknown")
      : rates.length
      ? Object.fromEntries(recordings.map((r) => [r.name, r.samplingFrequency ?? "unknown"]))
      : "unknown",
    channel_names: recordings.flatMap((r) => r.channels.map((c) => c.name)),
    channel_units: recordings.flatMap((r) => r.channels.map((c) => c.units)),
    version: "unknown",
    upload_date: "unknown",
    conversion_date: provenance.convertedAt,
    auto_mapped: m.autoMapped === true,
    doi: "unknown",
    original_file_name: source.name,
    sparc_subject_id: "unknown",
    species: known(m.species),
    anatomical_location: known(m.anatomicalLocation),
    modality: known(m.modality),
    experimenter: known(m.experimenter),
    institution: known(m.institution),
    sweep_mode: known(m.sweepMode),
    notes: m.notes ?? "",
    ...(m.startTime ? { start_time: m.startTime } : {}),
    ...(m.header ? { source_header: m.header } : {}),
  };
  for (const [key, value] of Object.entries(provenance.dataset?.attributes ?? {})) {
    if (DATASET_KEYS.includes(key) || own[key] === undefined || own[key] === "unknown") {
      own[key] = value;
    }
  }
  return {
    ...own,
    sparc_fuse: {
      version: VERSION,
      descriptor: { id: dataset.format, score: provenance.score, why: provenance.why },
      source: {
        uri: source.uri,
        size: source.size ?? "unknown",
        ...(source.tag && source.distance === "remote" ? { etag: source.tag } : {}),
        files: dataset.sources.map((s) => s.name),
      },
      ...(m.mapping === undefined ? {} : { mapping: m.mapping }),
      ...(provenance.conversion ? { conversion: provenance.conversion } : {}),
      ...provenance.dataset?.provenance,
      warnings: dataset.warnings,
      left_out: dataset.leftOut.map(({ what, why }) => ({ what, why })),
    },
  };
}
