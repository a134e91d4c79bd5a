/** `inspect`: what is inside a file, without converting it. */
import { FuseError, printable, toFuseError } from "../errors.ts";
import { OPEN_SCORE, openDataset, type Opened } from "../identify.ts";
import { identifyAll, inOpeningOrder, type JobInput } from "../job.ts";
import type { Dataset, Recording } from "../model/dataset.ts";
import type { FlagValues } from "./flags.ts";
import { resolveInputs } from "./inputs.ts";
import { mappingLines, writeDraft } from "./inspect-mapping.ts";
import { humanBytes, humanSeconds } from "./table.ts";

/** Channels shown before the rest is only counted. */
const LISTED = 64;
/** Characters of a line: names in files know no bounds. */
const LONGEST = 2000;

/**
 * Prints a description of every input, or the whole datasets as JSON (an array for several inputs).
 * Members of a set are described once. 1 when one could not be read.
 */
export async function inspectCommand(args: string[], flags: FlagValues): Promise<number> {
  const { files, title } = await resolveInputs(args, flags);
  const show = (opened: Opened) =>
    console.log(flags.json ? JSON.stringify(asJson(opened), null, 1) : describe(opened));
  if (files.length === 1) {
    await inspectOne(files[0], flags, (opened) => {
      if (flags.writeDescriptor) writeDraft(opened, flags.writeDescriptor);
      if (flags.writeDescriptor !== true) show(opened);
    });
    return 0;
  }
  if (flags.writeDescriptor) {
    throw new FuseError("Usage", "a descriptor is drafted from one input", {
      source: title,
      found: files.length,
    });
  }
  const described = new Set<string>();
  const found: unknown[] = [];
  let failed = 0;
  for (const { input, candidates, error } of inOpeningOrder(await identifyAll(files))) {
    const isKnown = flags.format !== undefined || (candidates[0]?.score ?? 0) >= OPEN_SCORE;
    if (described.has(input.uri) || (!error && !isKnown)) continue;
    try {
      if (error) throw error;
      await inspectOne(input, flags, (opened) => {
        for (const source of opened.dataset.sources) described.add(source.uri);
        if (flags.json) found.push(asJson(opened));
        else show(opened);
      });
    } catch (failure) {
      const { message } = toFuseError(failure, "Network", { source: input.path });
      console.error(`${input.path}: ${message}`);
      failed++;
    }
  }
  if (flags.json) console.log(JSON.stringify(found, null, 1));
  else if (described.size === 0) console.error(`${title}: nothing in it is read`);
  return failed > 0 || described.size === 0 ? 1 : 0;
}

async function inspectOne(
  input: JobInput,
  flags: FlagValues,
  use: (opened: Opened) => void,
): Promise<void> {
  const source = await input.open();
  const opened = await openDataset(source, {
    format: flags.format as string | undefined,
    mapping: input.mapping ?? flags.mappingUse,
  });
  try {
    use(opened);
  } finally {
    for (const s of opened.dataset.sources) await s.close();
  }
}

function describe({ dataset, candidate, ties }: Opened): string {
  const [source] = dataset.sources;
  const lines = [
    `${source.name}${source.size === undefined ? "" : ` (${humanBytes(source.size)})`}`,
    `  format     ${candidate.format.name} (${candidate.why}; score ${candidate.score})`,
  ];
  for (const tie of ties) lines.push(`  or         ${tie.format.name} (${tie.why})`);
  if (dataset.sources.length > 1) {
    lines.push(`  files      ${dataset.sources.map((s) => s.name).join(", ")}`);
  }
  if (dataset.metadata.startTime) lines.push(`  started    ${dataset.metadata.startTime}`);
  for (const recording of dataset.recordings) lines.push(...describeRecording(recording));
  for (const image of dataset.images) {
    const size = image.pixelSizeMicrometres;
    const axes = (shape: number[]) => image.axes.map((a, i) => `${a} ${shape[i]}`).join(" x ");
    lines.push(
      `  image      ${image.name || "(unnamed)"}: ${axes(image.levels[0].shape)}, ${image.dtype}`,
    );
    if (size?.x) {
      lines.push(
        `             ${size.x} x ${size.y ?? size.x} um a pixel${
          size.z ? `, ${size.z} um a plane` : ""
        }`,
      );
    }
    if (image.levels.length > 1) {
      lines.push(`             pyramid of ${image.levels.length} levels`);
    }
    const names = image.channels?.map((c) => c.name).filter((n) => n);
    if (names?.length) lines.push(`             channels ${names.join(", ")}`);
  }
  for (const table of dataset.events) {
    lines.push(
      `  events     ${table.name}: ${table.count ?? "counted while converting"} (${
        table.columns.map((c) => c.name).join(", ")
      })`,
    );
  }
  for (const digital of dataset.digital) {
    lines.push(
      `  lines      ${digital.lines.map((l) => l.name).join(", ")} (edges found while converting)`,
    );
  }
  for (const array of dataset.arrays) {
    lines.push(
      `  array      ${array.path}: ${array.shape.map((n) => n ?? "?").join(" x ")} ${array.dtype}`,
    );
  }
  lines.push(...mappingLines(dataset.metadata));
  const notes = dataset.metadata.notes?.slice(0, 400).replace(/\s+/g, " ");
  if (notes) lines.push(`  notes      ${notes}`);
  for (const [key, value] of Object.entries(dataset.metadata.header ?? {})) {
    lines.push(`  header     ${key}: ${JSON.stringify(value).slice(0, 160)}`);
  }
  for (const { what, why } of dataset.leftOut) lines.push(`  left out   ${what} (${why})`);
  for (const warning of dataset.warnings) lines.push(`  warning    ${warning}`);
  return lines.map((line) => printable(line, LONGEST)).join("\n");
}

function describeRecording(recording: Recording): string[] {
  const { channels, samplingFrequency: rate, sampleCount, segments } = recording;
  const length = sampleCount === null
    ? "length found while converting"
    : `${sampleCount} samples${rate ? ` (${humanSeconds(sampleCount / rate)})` : ""}`;
  const lines = [
    `  recording  ${recording.name}: ${channels.length} channels, ${
      rate === null ? "irregular or unknown rate" : `${rate} Hz`
    }, ${length}, ${recording.rawType}`,
  ];
  if (segments.length > 1) {
    const shown = segments.slice(0, 6).map((s) => `${s.startSeconds} s + ${s.length}`);
    lines.push(
      `             ${segments.length} segments: ${shown.join(", ")}${
        segments.length > 6 ? ", ..." : ""
      }`,
    );
  }
  for (const channel of channels.slice(0, LISTED)) {
    const scale = channel.gain === 1 && channel.offset === 0
      ? ""
      : `  = raw x ${channel.gain}${channel.offset ? ` + ${channel.offset}` : ""}`;
    lines.push(`             ${channel.name}  [${channel.units || "no unit"}]${scale}`);
  }
  if (channels.length > LISTED) {
    lines.push(`             ... and ${channels.length - LISTED} more channels`);
  }
  return lines;
}

/** The dataset as JSON, without the places of the bytes. */
function asJson({ dataset, candidate }: Opened): unknown {
  const { recordings, events, images, arrays, digital, metadata, warnings, leftOut }: Dataset =
    dataset;
  return {
    name: dataset.sources[0].name,
    uri: dataset.sources[0].uri,
    size: dataset.sources[0].size ?? null,
    files: dataset.sources.map((s) => s.name),
    format: {
      id: candidate.format.id,
      name: candidate.format.name,
      score: candidate.score,
      why: candidate.why,
    },
    recordings: recordings.map(({ parts: _parts, time: _time, ...r }) => r),
    events: events.map((t) => ({
      name: t.name,
      count: t.count,
      columns: t.columns.map((c) => ({
        name: c.name,
        dtype: c.dtype,
        units: c.units ?? null,
        innerShape: c.innerShape,
      })),
      attributes: t.attributes ?? {},
    })),
    digital,
    images: images.map(({ levels, ...image }) => ({
      ...image,
      levels: levels.map((l) => ({ shape: l.shape })),
    })),
    arrays: arrays.map(({ layout: _layout, ...a }) => a),
    metadata,
    warnings,
    leftOut,
  };
}
