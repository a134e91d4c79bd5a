/** What a WAVE file says besides its samples: INFO texts, broadcast header, iXML, cue points. */
import type { Limits } from "../../src/errors.ts";
import {
  type Attributes,
  type Dataset,
  eventsFromValues,
  type EventTable,
} from "../../src/model/dataset.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import { readChunkBytes, type RiffChunk, type RiffFile, text } from "./wav-chunks.ts";

/** XML chunks kept as documents. */
const DOCUMENTS: Record<string, string> = {
  "iXML": "iXML.xml",
  "axml": "axml.xml",
  "_PMX": "xmp.xml",
};

/**
 * Puts INFO, bext and XML chunks into the metadata and documents of `dataset`.
 * @returns the chunks it understood (cue points and their labels included).
 */
export async function applyMetadata(
  dataset: Dataset,
  source: ByteSource,
  riff: RiffFile,
  limits: Limits,
  signal?: AbortSignal,
): Promise<Set<RiffChunk>> {
  const known = new Set<RiffChunk>();
  const header = dataset.metadata.header ??= {};
  for (const chunk of riff.chunks) {
    if (chunk.id === "cue " || chunk.list === "adtl") {
      known.add(chunk);
      continue;
    }
    const document = DOCUMENTS[chunk.id];
    if (chunk.list !== "INFO" && chunk.id !== "bext" && !document) continue;
    if (chunk.available > limits.headerBytes) continue;
    known.add(chunk);
    const bytes = await readChunkBytes(source, chunk, limits.headerBytes, signal);
    if (chunk.list === "INFO") {
      const info = parseInfo(bytes, riff.littleEndian);
      header.info = { ...(header.info as Attributes | undefined), ...info };
      if (typeof info.ICMT === "string") dataset.metadata.notes ??= info.ICMT;
    } else if (chunk.id === "bext") {
      const bext = parseBroadcast(bytes, riff.littleEndian);
      header.bext = bext;
      dataset.metadata.startTime ??= isoTime(bext.origination_date, bext.origination_time);
      if (bext.description) dataset.metadata.notes ??= String(bext.description);
    } else {
      const content = decodeText(bytes);
      dataset.documents = { ...dataset.documents, [document]: content };
      if (chunk.id === "iXML") {
        dataset.metadata.startTime ??= isoTime(
          element(content, "BWF_ORIGINATION_DATE"),
          element(content, "BWF_ORIGINATION_TIME"),
        );
      }
    }
  }
  if (dataset.metadata.startTime === undefined) delete dataset.metadata.startTime;
  return known;
}

/** Text sub-chunks of LIST INFO, by their ids ("INAM", "ICMT"). */
function parseInfo(bytes: Uint8Array, littleEndian: boolean): Attributes {
  const info: Attributes = {};
  for (const { id, payload } of subChunks(bytes, littleEndian)) {
    const value = decodeText(payload);
    if (value) info[id] = value;
  }
  return info;
}

/** Broadcast audio extension (EBU Tech 3285, bext). */
function parseBroadcast(bytes: Uint8Array, littleEndian: boolean): Attributes {
  const field = (from: number, to: number) => decodeText(bytes.subarray(from, to));
  const bext: Attributes = {};
  const put = (name: string, value: string) => {
    if (value) bext[name] = value;
  };
  put("description", field(0, 256));
  put("originator", field(256, 288));
  put("originator_reference", field(288, 320));
  put("origination_date", field(320, 330));
  put("origination_time", field(330, 338));
  if (bytes.length >= 348) {
    const view = viewOf(bytes);
    const low = view.getUint32(338, littleEndian), high = view.getUint32(342, littleEndian);
    bext.time_reference_samples = low + high * 2 ** 32;
    bext.version = view.getUint16(346, littleEndian);
  }
  put("coding_history", field(602, bytes.length));
  return bext;
}

/** "2021-03-17" (any separator) and "14:25:36" as ISO 8601; undefined unless both are dates. */
function isoTime(date: unknown, time: unknown): string | undefined {
  const d = /^(\d{4})\D(\d{2})\D(\d{2})/.exec(String(date ?? ""));
  if (!d || d[1] === "0000" || d[2] === "00") return undefined;
  const t = /^(\d{2})\D(\d{2})\D(\d{2})/.exec(String(time ?? ""));
  return `${d[1]}-${d[2]}-${d[3]}${t ? `T${t[1]}:${t[2]}:${t[3]}` : ""}`;
}

function element(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>\\s*([^<]*?)\\s*</${name}>`).exec(xml)?.[1];
}

interface Labels {
  label?: string;
  note?: string;
  /** Samples of the region an ltxt names. */
  length?: number;
  region?: string;
}

/**
 * Cue points with their labels as the event table "cues", times from the sample offsets; null when
 * there are none.
 */
export async function cueEvents(
  source: ByteSource,
  riff: RiffFile,
  rate: number,
  limits: Limits,
  dataset: Dataset,
  signal?: AbortSignal,
): Promise<EventTable | null> {
  const cues: { id: number; sample: number }[] = [];
  const labels = new Map<number, Labels>();
  const cap = limits.headerBytes;
  for (const chunk of riff.chunks) {
    if (chunk.id === "cue ") {
      const bytes = await readChunkBytes(source, chunk, cap, signal);
      if (bytes.length < 4) continue;
      const view = viewOf(bytes);
      const count = view.getUint32(0, riff.littleEndian);
      const room = Math.floor((bytes.length - 4) / 24);
      if (count > room) {
        dataset.warnings.push(`the cue chunk promises ${count} points and holds ${room}`);
      }
      for (let i = 0; i < Math.min(count, room); i++) {
        const u32 = (at: number) => view.getUint32(4 + i * 24 + at, riff.littleEndian);
        // Some writers fill only one of dwPosition and dwSampleOffset.
        cues.push({ id: u32(0), sample: u32(20) || u32(4) });
      }
    } else if (chunk.list === "adtl") {
      readLabels(await readChunkBytes(source, chunk, cap, signal), riff.littleEndian, labels);
    }
  }
  if (cues.length === 0) return null;
  cues.sort((a, b) => a.sample - b.sample);
  const of = (id: number): Labels => labels.get(id) ?? {};
  const has = (key: keyof Labels) => cues.some(({ id }) => of(id)[key] !== undefined);
  return eventsFromValues("cues", Float64Array.from(cues, (c) => c.sample / rate), {
    ...(has("length")
      ? { duration: Float64Array.from(cues, ({ id }) => (of(id).length ?? 0) / rate) }
      : {}),
    label: cues.map(({ id }) => of(id).label ?? of(id).region ?? ""),
    ...(has("note") ? { note: cues.map(({ id }) => of(id).note ?? "") } : {}),
    code: Uint32Array.from(cues, (c) => c.id),
  });
}

function readLabels(bytes: Uint8Array, littleEndian: boolean, into: Map<number, Labels>): void {
  for (const { id, payload } of subChunks(bytes, littleEndian)) {
    if (payload.length < 4) continue;
    const view = viewOf(payload);
    const cue = view.getUint32(0, littleEndian);
    const entry = into.get(cue) ?? {};
    if (id === "labl") entry.label = decodeText(payload.subarray(4));
    else if (id === "note") entry.note = decodeText(payload.subarray(4));
    else if (id === "ltxt" && payload.length >= 20) {
      entry.length = view.getUint32(4, littleEndian);
      entry.region = decodeText(payload.subarray(20)) || undefined;
    }
    into.set(cue, entry);
  }
}

function* subChunks(bytes: Uint8Array, littleEndian: boolean) {
  const view = viewOf(bytes);
  for (let at = 0; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, littleEndian);
    const payload = bytes.subarray(at + 8, Math.min(bytes.length, at + 8 + size));
    yield { id: text(bytes, at), payload };
    at += 8 + size + (size % 2);
  }
}

/** UTF-8 when it is, else Windows-1252 (RIFF names no encoding); ends at the first NUL. */
function decodeText(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  const body = nul < 0 ? bytes : bytes.subarray(0, nul);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body).trim();
  } catch {
    return new TextDecoder("windows-1252").decode(body).trim();
  }
}
