/**
 * The text header of Neuralynx files: 16,384 bytes of lines "-Key value", comments after "##", filled
 * with NULs or blanks. Source: Neuralynx, "Data File Formats", section "File Headers".
 */
import { ensure, FuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { hasText } from "../format.ts";
import { fieldText } from "./ansi-text.ts";

/** Bytes before the first record. */
export const HEADER_BYTES = 16_384;

/** What the records of a file are. */
export type NeuralynxKind = "signal" | "spikes" | "events" | "positions";

/** A file of a session with its header. */
export interface NeuralynxFile {
  /** The file. */
  source: ByteSource;
  /** Its place in `Dataset.sources`. */
  index: number;
  /** What its records are. */
  kind: NeuralynxKind;
  /** Bytes of a record. */
  recordBytes: number;
  /** Whole records in the file. */
  records: number;
  /** Name of the acquisition entity: the channel's label. */
  entity: string;
  /** Header values by their lower-cased key without its dash; for repeated keys the first. */
  fields: Map<string, string>;
  /** The same under the keys as they are written. */
  lines: Record<string, string>;
  /** Local date and time the file was created, ISO 8601 without a zone. */
  created?: string;
}

const RECORDS: Record<string, { kind: NeuralynxKind; bytes: number }> = {
  ncs: { kind: "signal", bytes: 1044 },
  nse: { kind: "spikes", bytes: 112 },
  nst: { kind: "spikes", bytes: 176 },
  ntt: { kind: "spikes", bytes: 304 },
  nev: { kind: "events", bytes: 184 },
  nvt: { kind: "positions", bytes: 1828 },
};
/** Extensions of the files of a session. */
export const SESSION_EXTENSIONS = Object.keys(RECORDS);

/** Lower-cased extension without its dot. */
export function extensionOf(name: string): string {
  return /\.([^.]+)$/.exec(name)?.[1].toLowerCase() ?? "";
}

/** A header value by its key, whatever its case. */
export function field(file: Pick<NeuralynxFile, "fields">, key: string): string | undefined {
  return file.fields.get(key.toLowerCase());
}

/** Reads a header. @throws FuseError where the file is none of Neuralynx's or its numbers make no sense */
export async function readHeader(
  source: ByteSource,
  index: number,
  signal?: AbortSignal,
): Promise<NeuralynxFile> {
  if (source.size === undefined) {
    throw new FuseError("NeedsRandomAccess", "Neuralynx files are read by byte ranges", {
      source: source.name,
      remedy: "Save the stream to a file first.",
    });
  }
  const bytes = await source.readUpTo(0, HEADER_BYTES, { purpose: "header", signal });
  ensure(hasText(bytes, 0, "######## Neuralynx"), "not a Neuralynx file", {
    source: source.name,
    offset: 0,
    expected: "######## Neuralynx Data File Header",
  });
  if (bytes.length < HEADER_BYTES) {
    throw new FuseError("Truncated", "the file ends inside its header", {
      source: source.name,
      found: `${bytes.length} bytes`,
      expected: `${HEADER_BYTES} bytes`,
    });
  }
  const text = fieldText(bytes);
  const fields = new Map<string, string>();
  const lines: Record<string, string> = {};
  for (const line of text.split(/\r?\n|\r/)) {
    const m = /^\s*-(\S+?)(?:[\s:=]+(.*))?$/.exec(line);
    if (m && !fields.has(m[1].toLowerCase())) {
      const value = (m[2] ?? "").trim().replace(/^"(.*)"$/, "$1");
      fields.set(m[1].toLowerCase(), value);
      if (m[1] !== "__proto__") lines[m[1]] = value;
    }
  }
  const { kind, bytes: recordBytes } = recordShape(source, fields);
  return {
    source,
    index,
    kind,
    recordBytes,
    records: Math.floor((source.size - HEADER_BYTES) / recordBytes),
    // Cheetah before version 5 has the class's name in its place.
    entity: fields.get("acqentname") || fields.get("nlx_base_class_name") ||
      source.name.replace(/\.[^.]*$/, ""),
    fields,
    lines,
    created: creationTime(text, fields),
  };
}

/** Kind and size of the records: by `-FileType` and `-RecordSize`, else by the extension. */
function recordShape(source: ByteSource, fields: Map<string, string>) {
  const byName = RECORDS[extensionOf(source.name)];
  const type = (fields.get("filetype") ?? "").toLowerCase();
  const stated = Number(fields.get("recordsize"));
  const bySize = Object.values(RECORDS).find((r) => r.bytes === stated);
  const byType: NeuralynxKind | undefined = /^(ncs|csc|continuous)/.test(type)
    ? "signal"
    : /^(nse|nst|ntt|se|st|tt|spike|single|stereo|tetrode)/.test(type)
    ? "spikes"
    : /^(event|nev)/.test(type)
    ? "events"
    : /^(video|nvt)/.test(type)
    ? "positions"
    : undefined;
  const kind = byType ?? bySize?.kind ?? byName?.kind;
  if (!kind) {
    throw new FuseError("Unsupported", "a Neuralynx file of an unknown kind", {
      source: source.name,
      found: `FileType ${type || "absent"}, RecordSize ${stated || "absent"}`,
      expected: `one of ${SESSION_EXTENSIONS.join(", ")}`,
    });
  }
  const usual = byName?.kind === kind
    ? byName.bytes
    : Object.values(RECORDS).find((r) => r.kind === kind)!.bytes;
  const bytes = Number.isInteger(stated) && stated > 0 ? stated : usual;
  const fits = kind === "signal"
    ? bytes > 20 && (bytes - 20) % 2 === 0
    : kind === "spikes"
    ? bytes > 48 && (bytes - 48) % 2 === 0
    : bytes === usual;
  ensure(fits && bytes <= 1 << 20, "records of an impossible size", {
    source: source.name,
    field: "-RecordSize",
    found: bytes,
    expected: usual,
  });
  return { kind, bytes };
}

/**
 * "-TimeCreated 2023/11/02 13:39:27", or one of many such as "## Time Opened (m/d/y): 11/23/2006  (h:m:s.ms) 12:30:0.25"
 * and "## Date Opened: (mm/dd/yyy): 12/14/2015 At Time: 15:58:32"; years of two digits are of this century.
 */
function creationTime(text: string, fields: Map<string, string>): string | undefined {
  const p = (n: string, width = 2) => n.padStart(width, "0");
  const now = /^(\d{4})\/(\d+)\/(\d+)\s+(\d+):(\d+):(\d+)/.exec(fields.get("timecreated") ?? "");
  if (now) {
    return `${now[1]}-${p(now[2])}-${p(now[3])}T${p(now[4])}:${p(now[5])}:${p(now[6])}`;
  }
  const line = /^##\s*(?:Time|Date) Opened.*$/im.exec(text)?.[0] ?? "";
  const old = /(\d+)\/(\d+)\/(\d{4}|\d{2})\b.*?(\d+):(\d+):(\d+)(?:\.(\d+))?/.exec(line);
  if (!old) return undefined;
  const [, month, day, year, hour, minute, second, milli] = old;
  const fraction = milli ? `.${p(milli, 3)}` : "";
  const full = year.length === 2 ? `20${year}` : year;
  return `${full}-${p(month)}-${p(day)}T${p(hour)}:${p(minute)}:${p(second)}${fraction}`;
}
