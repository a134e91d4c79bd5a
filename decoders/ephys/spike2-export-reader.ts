/** Opens a Spike2 text export. */
import { FuseError } from "../../src/errors.ts";
import { type Dataset, emptyDataset } from "../../src/model/dataset.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { streamOf } from "./biopac-streams.ts";
import { levelEvents, rowEvents } from "./spike2-export-events.ts";
import { readLines } from "./spike2-export-lines.ts";
import {
  type ExportDocument,
  type ExportSection,
  parseSections,
} from "./spike2-export-sections.ts";
import {
  type ExportWave,
  groupExports,
  labelOf,
  readWave,
  streamName,
  waveOf,
} from "./spike2-export-waves.ts";
import { waveMarkEvents } from "./spike2-export-wavemarks.ts";
import { buildTables, type EventSource, streamEvents } from "./spike2-tables.ts";

const FORMAT = "spike2_text";

/** The reader of the format "spike2_text". */
export const reader: Reader = { open: openFile };

async function openFile(source: ByteSource, { signal }: OpenOptions): Promise<Dataset> {
  const { size } = source;
  if (source.access !== "random" || size === undefined) {
    throw new FuseError("NeedsRandomAccess", "the channels of a Spike2 export come one by one", {
      source: source.name,
      remedy: "Give the file itself, not a pipe",
    });
  }
  const dataset = emptyDataset(FORMAT, [source]);
  const document = parseSections(await readLines(source, size, signal));
  const { sections } = document;
  if (sections.length === 0) {
    throw new FuseError("Corrupt", "a Spike2 export without channels", {
      source: source.name,
      expected: 'lines "CHANNEL" and a number',
    });
  }
  const waves = new Map<string, ExportWave>();
  const events: EventSource[] = [];
  for (const section of merged(sections, dataset.warnings)) {
    if (isWave(section)) {
      waves.set(streamName(section), waveOf(section, source.name, dataset.warnings));
    } else events.push(await eventsOf(source, section, dataset.warnings, signal));
  }
  dataset.recordings = groupExports([...waves.values()], dataset.leftOut);
  const { tables, streams } = await buildTables(events, signal);
  dataset.events = tables;
  dataset.openStream = (id, streamOptions) => {
    const wave = waves.get(id), stream = streams.get(id);
    if (wave) return streamOf(readWave(source, wave, streamOptions.signal));
    if (stream) return streamEvents(stream, streamOptions.signal);
    throw new FuseError("Usage", `no stream "${id}"`, { source: source.name, format: FORMAT });
  };
  describe(dataset, document);
  return dataset;
}

/** Sections of one channel, where a file has several, one after another. */
function merged(sections: ExportSection[], warnings: string[]): ExportSection[] {
  const byNumber = new Map<number, ExportSection>();
  for (const section of sections) {
    const before = byNumber.get(section.number);
    if (!before) byNumber.set(section.number, section);
    else {
      before.body = before.body.concat(section.body);
      warnings.push(`${labelOf(before)} comes several times; its parts are joined`);
    }
  }
  return [...byNumber.values()];
}

/** By its kind; where the file names none, by what the body has. */
function isWave({ kind, body }: ExportSection): boolean {
  if (/wave(?:form)?$/i.test(kind)) return true;
  return body.some(({ word }) => word === "START");
}

function eventsOf(
  source: ByteSource,
  section: ExportSection,
  warnings: string[],
  signal?: AbortSignal,
): EventSource | Promise<EventSource> {
  const words = section.body.map(({ word }) => word);
  if (words.includes("WAVMK")) return waveMarkEvents(source, section, warnings, signal);
  const levels = section.body.some(({ word, line }) =>
    word === "" && /^(?:HIGH|LOW|ON|OFF)$/i.test(line.fields[0] ?? "")
  );
  return levels ? levelEvents(section, warnings) : rowEvents(source, section, warnings, signal);
}

function describe(dataset: Dataset, { file, comments, sections }: ExportDocument): void {
  dataset.metadata = {
    ...(comments.length > 0 ? { notes: comments.join("\n") } : {}),
    header: {
      ...(file ? { exported_from: file } : {}),
      ...(comments.length > 0 ? { file_comments: comments } : {}),
      channels: sections.length,
    },
  };
}
