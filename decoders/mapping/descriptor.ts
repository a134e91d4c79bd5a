/**
 * Mapping descriptors: small JSON files that say what the columns of a table, the arrays of a container or
 * the bytes of a flat file mean. They name things and state constants; nothing in them is evaluated.
 * `schemas/mapping.schema.json` is made of the schemas below (`tools/mapping-schema.ts`).
 */
import * as v from "valibot";
import { FuseError } from "../../src/errors.ts";
import type { MappingDescriptor, MappingUse } from "./descriptor-types.ts";

const text = (most = 1000) => v.pipe(v.string(), v.minLength(1), v.maxLength(most));
const unit = v.pipe(v.string(), v.maxLength(100));
const whole = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const positive = v.pipe(v.number(), v.gtValue(0));
const described = <T extends v.GenericSchema>(schema: T, description: string) =>
  v.pipe(schema, v.description(description));

const TIME_UNITS = ["s", "ms", "us", "ns", "min", "h", "d"] as const;
const timeUnit = described(v.picklist(TIME_UNITS), "unit of the times");

const byRate = v.strictObject({
  rate_hz: described(positive, "samples per second"),
  start_s: v.optional(described(v.number(), "time of the first sample, seconds")),
});
const byIndex = v.strictObject({
  index: described(v.literal(true), "nothing gives the time: the sample index stands for it"),
});

const metadata = v.strictObject({
  species: v.optional(text()),
  anatomical_location: v.optional(text()),
  modality: v.optional(text()),
  experimenter: v.optional(text()),
  institution: v.optional(text()),
  notes: v.optional(text(10_000)),
});

/** What every descriptor may say. */
const common = {
  $schema: v.optional(text()),
  name: described(text(200), "what the descriptor is called in outputs"),
  about: v.optional(described(text(10_000), "what it is for, and where its facts come from")),
  datasets: v.optional(described(v.array(whole), "SPARC datasets whose files it is for")),
  files: v.optional(
    described(v.array(text()), "file name patterns (*, **, ?) it is for; all files when absent"),
  ),
  start_time: v.optional(
    described(
      v.pipe(
        v.string(),
        v.regex(/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/),
      ),
      "start of the recording, ISO 8601",
    ),
  ),
  metadata: v.optional(metadata),
};

const column = described(
  v.union([text(), whole]),
  "header of a column as it stands, its name without the unit, or its number from 0",
);

const columnRange = v.strictObject({
  from: described(whole, "number of the first column"),
  to: v.optional(described(whole, "number of the last one; the last of the table when absent")),
});

const tableSignal = v.strictObject({
  column,
  name: v.optional(text()),
  unit: v.optional(unit),
  gain: v.optional(v.number()),
  offset: v.optional(v.number()),
});

/** Columns of delimited text. */
const table = v.strictObject({
  ...common,
  kind: v.literal("table"),
  separator: v.optional(v.picklist([",", ";", "\t", "|", "blanks"])),
  decimal: v.optional(v.picklist([".", ","])),
  skip_rows: v.optional(described(whole, "records above the header")),
  header_rows: v.optional(described(whole, "records of the header; 0: none")),
  time: v.optional(v.union([
    v.strictObject({
      column: v.union([column, v.pipe(v.array(column), v.minLength(1), v.maxLength(2))]),
      unit: v.optional(timeUnit),
      dates: v.optional(described(
        v.picklist(["day-first", "month-first"]),
        "order of day and month where dates could be read either way",
      )),
    }),
    byRate,
    byIndex,
  ])),
  signals: v.optional(described(
    v.union([v.array(tableSignal), columnRange]),
    "columns that are channels, or the columns of numbers of a range; all columns of numbers when absent",
  )),
  events: v.optional(
    described(v.array(column), "columns filled now and then, whose cells are events"),
  ),
  group_by: v.optional(
    described(v.array(column), "long format: columns that tell rows of different channels apart"),
  ),
  shape: v.optional(
    described(v.picklist(["series", "events", "table"]), "what the rows are; series when absent"),
  ),
});

const pattern = described(
  text(),
  "path of an array, segments joined by /: {name} stands for any one segment, * for any part of one",
);
const reference = v.union([
  v.strictObject({ variable: pattern }),
  v.strictObject({
    attribute: text(),
    of: described(v.optional(pattern), "array or group the attribute is on; the root when absent"),
  }),
]);
const texts = v.union([
  v.array(v.string()),
  v.strictObject({
    numbered: described(text(), "one name, with a number from 1 behind it where there are several"),
  }),
  reference,
]);

const arraySignal = v.strictObject({
  variable: pattern,
  names: v.optional(texts),
  units: v.optional(v.union([unit, texts])),
  time_axis: v.optional(
    described(whole, "axis of the samples: 0 for rows; the longest when absent"),
  ),
  gain: v.optional(v.number()),
  offset: v.optional(v.number()),
});

const arrayTime = v.union([
  v.strictObject({
    variable: pattern,
    unit: v.optional(timeUnit),
    column: v.optional(
      described(whole, "of a matrix, the column (or row) that holds the times, from 0"),
    ),
  }),
  byRate,
  v.strictObject({
    rate: reference,
    unit: v.optional(v.picklist(["Hz", "kHz", "MHz"])),
    start_s: v.optional(v.number()),
  }),
  v.strictObject({
    interval: reference,
    unit: v.optional(timeUnit),
    start_s: v.optional(v.number()),
  }),
  byIndex,
]);

const arrayRecording = v.strictObject({
  name: v.optional(text()),
  signals: v.pipe(v.array(arraySignal), v.minLength(1)),
  time: arrayTime,
  rate_hz: v.optional(described(positive, "rate to state beside a vector of times")),
  segments_by: v.optional(
    described(text(), "the {name} that is a moment (ISO 8601): its arrays follow each other"),
  ),
  sweeps: v.optional(
    described(v.boolean(), "the arrays that fit a pattern are equal sweeps, one after the other"),
  ),
  optional: v.optional(described(v.boolean(), "no error when no array has its path")),
  attributes: v.optional(
    described(v.record(text(), pattern), "small arrays to keep as attributes of the recording"),
  ),
});

const arrayEvents = v.strictObject({
  name: text(),
  time: v.strictObject({ variable: pattern, unit: v.optional(timeUnit) }),
  labels: v.optional(texts),
  optional: v.optional(v.boolean()),
});

const arrays = {
  ...common,
  layout: v.optional(
    described(
      text(),
      "an export the reader knows by itself (labchart, spike2, fieldtrip, eeglab), instead of recordings",
    ),
  ),
  recordings: v.optional(v.array(arrayRecording)),
  events: v.optional(v.array(arrayEvents)),
};

/** Variables of a MAT-file. */
const mat = v.strictObject({ kind: v.literal("mat"), ...arrays });
/** Datasets of an HDF5 file. */
const hdf5 = v.strictObject({ kind: v.literal("hdf5"), ...arrays });

const perChannel = <T extends v.GenericSchema>(schema: T) => v.union([schema, v.array(schema)]);

/** The bytes of a file without a header. */
const flat = v.strictObject({
  ...common,
  kind: v.literal("flat"),
  dtype: described(text(20), "type of a sample: int16, float32, or NumPy's short names (<i2, >f4)"),
  channels: described(v.pipe(whole, v.minValue(1)), "number of channels"),
  rate: v.optional(
    described(positive, "samples per second; the sample index is the time when absent"),
  ),
  order: v.optional(described(
    v.picklist(["sample-major", "channel-major"]),
    "sample-major: all channels of a sample, then the next; channel-major: a channel after the other",
  )),
  byte_order: v.optional(v.picklist(["little", "big"])),
  header_bytes: v.optional(described(whole, "bytes before the first sample")),
  gain: v.optional(described(perChannel(v.number()), "physical units of one step")),
  offset: v.optional(described(perChannel(v.number()), "physical value of 0")),
  units: v.optional(perChannel(unit)),
  names: v.optional(v.array(text())),
});

/** A format that says all by itself: nothing is overridden. */
const plain = v.strictObject({
  ...common,
  kind: v.literal("format"),
  format: described(text(40), "format id, see `formats`"),
});

/** Every kind of descriptor. */
export const descriptorSchema: v.GenericSchema<unknown, MappingDescriptor> = v.variant("kind", [
  table,
  mat,
  hdf5,
  flat,
  plain,
]);

/** Formats by the kind of descriptor that maps them. */
const FORMAT_OF_KIND: Record<string, string> = {
  table: "csv",
  mat: "mat",
  hdf5: "hdf5",
  flat: "flat",
};

/** The id of the format a descriptor is for. */
export function formatOf(descriptor: MappingDescriptor): string {
  return descriptor.kind === "format" ? descriptor.format : FORMAT_OF_KIND[descriptor.kind];
}

/**
 * Checks a descriptor.
 * @throws FuseError `Usage` that names what is wrong and where.
 */
export function checkDescriptor(value: unknown, from: string): MappingDescriptor {
  const result = v.safeParse(descriptorSchema, value);
  if (result.success) return result.output;
  const [issue] = deepest(result.issues);
  throw new FuseError("Usage", `not a mapping descriptor: ${issue.message}`, {
    source: from,
    field: v.getDotPath(issue) ?? undefined,
    remedy: "docs/mapping.md describes descriptors, schemas/mapping.schema.json is their schema",
  });
}

/** Of the readings of a union the one that came furthest says what is meant. */
function deepest(issues: readonly v.BaseIssue<unknown>[]): v.BaseIssue<unknown>[] {
  return issues.flatMap((issue) => {
    const inner = issue.issues;
    if (!inner?.length) return [issue];
    const below = deepest(inner).map((i) => ({
      ...i,
      path: [...(issue.path ?? []), ...(i.path ?? [])],
    }));
    return below as v.BaseIssue<unknown>[];
  }).sort((a, b) => (b.path?.length ?? 0) - (a.path?.length ?? 0));
}

/**
 * Reads the text of a descriptor.
 * @throws FuseError `Usage` for what is no JSON or no descriptor.
 */
export async function readDescriptor(json: string, from: string): Promise<MappingUse> {
  let value: unknown;
  try {
    value = JSON.parse(json.replace(/^\ufeff/, ""));
  } catch (cause) {
    throw new FuseError("Usage", `not JSON: ${(cause as Error).message}`, { source: from, cause });
  }
  return await useDescriptor(checkDescriptor(value, from), from);
}

/** A checked descriptor with its hash. */
export async function useDescriptor(
  descriptor: MappingDescriptor,
  from: string,
): Promise<MappingUse> {
  const bytes = new TextEncoder().encode(JSON.stringify(descriptor));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return {
    descriptor,
    from,
    sha256: [...hash].map((b) => b.toString(16).padStart(2, "0")).join(""),
  };
}
