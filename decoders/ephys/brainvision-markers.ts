/** Marker files: events, and where a recording was begun anew. */
import { FuseError } from "../../src/errors.ts";
import type { EventColumn, EventTable, StreamBlock } from "../../src/model/dataset.ts";
import type { DType, NumericArray } from "../../src/model/dtype.ts";
import type { Segment } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { dateOf, decoderFor, fieldsOf } from "./brainvision-text.ts";

/** Id of the stream of a large marker file. */
export const MARKERS = "markers";
/** Bytes up to which a marker file is held in memory. */
const SMALL_BYTES = 4 << 20;
/** Segments a recording may have. */
export const MOST_SEGMENTS = 1 << 18;
/** Bytes of a piece, and of the longest line. */
const PIECE_BYTES = 1 << 20, LINE_BYTES = 1 << 20;
/** Markers of a block. */
const BLOCK = 4096;

/** One marker. */
export interface Marker {
  type: string;
  description: string;
  /** Sample it lies at, counted from 0; -1 is possible: before the first. */
  sample: number;
  /** Samples it lasts. */
  points: number;
  /** Channel, counted from 1; 0: all. */
  channel: number;
  date: string;
}

/** Where a run of samples was begun. */
export interface NewSegment {
  sample: number;
  date: string;
}

/** What a first look at a marker file finds. */
export interface MarkerSurvey {
  count: number;
  newSegments: NewSegment[];
  /** All markers, where they are few. */
  markers?: Marker[];
  /** Lines that are no markers. */
  damaged: number;
}

/** Markers of a file, line by line. */
async function* readMarkers(
  source: ByteSource,
  signal?: AbortSignal,
): AsyncGenerator<Marker | "damaged"> {
  const options = { signal, purpose: "bulk" } as const;
  const size = source.size ?? 0;
  const head = await source.readUpTo(0, 8192, { signal, purpose: "header" });
  const decode = decoderFor(head);
  let carry = new Uint8Array(0);
  let isInside = false;
  for (let at = 0; at < size; at += PIECE_BYTES) {
    const piece = await source.read(at, Math.min(PIECE_BYTES, size - at), options);
    const isLast = at + PIECE_BYTES >= size;
    const bytes = new Uint8Array(carry.length + piece.length);
    bytes.set(carry);
    bytes.set(piece, carry.length);
    // Lines are cut as bytes: a character of several bytes may lie across two pieces.
    const end = isLast
      ? bytes.length
      : Math.max(bytes.lastIndexOf(0x0a), bytes.lastIndexOf(0x0d)) + 1;
    carry = bytes.slice(end);
    if (carry.length > LINE_BYTES) {
      throw new FuseError("Limit", "a line is longer than allowed", {
        source: source.name,
        offset: at,
        expected: `at most ${LINE_BYTES} bytes`,
      });
    }
    for (const raw of decode(bytes.subarray(0, end)).split(/\r\n|\r|\n/)) {
      const line = raw.trim();
      if (line.startsWith("[")) isInside = /^\[marker infos\]$/i.test(line);
      else if (isInside && /^Mk\d+\s*=/i.test(line)) {
        yield parseMarker(line.slice(line.indexOf("=") + 1)) ?? "damaged";
      }
    }
  }
}

function parseMarker(entry: string): Marker | undefined {
  const [type, description = "", position = "", points = "", channel = "", date = ""] = fieldsOf(
    entry,
  );
  if (!/^-?\d+$/.test(position)) return undefined;
  return {
    type,
    description,
    sample: Number(position) - 1,
    points: /^\d+$/.test(points) ? Number(points) : 0,
    channel: /^\d+$/.test(channel) ? Number(channel) : 0,
    date,
  };
}

const isNewSegment = (marker: Marker) => /^new segment$/i.test(marker.type);

/** Goes through a marker file once; keeps the markers when the file is small. */
export async function surveyMarkers(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<MarkerSurvey> {
  const isSmall = (source.size ?? 0) <= SMALL_BYTES;
  const survey: MarkerSurvey = { count: 0, newSegments: [], damaged: 0 };
  const markers: Marker[] = [];
  for await (const marker of readMarkers(source, signal)) {
    if (marker === "damaged") {
      survey.damaged++;
      continue;
    }
    survey.count++;
    if (isSmall) markers.push(marker);
    if (isNewSegment(marker)) {
      survey.newSegments.push({ sample: marker.sample, date: marker.date });
      if (survey.newSegments.length > MOST_SEGMENTS) {
        throw new FuseError("Limit", "more segments than allowed", { source: source.name });
      }
    }
  }
  return isSmall ? { ...survey, markers } : survey;
}

/** Uninterrupted runs of `count` samples, and when the first was begun. */
export interface MarkedSegments {
  segments: Segment[];
  startTime?: string;
  /** A date for each segment, where the markers have them. */
  dates: string[];
  /** True when all segments follow each other without a pause. */
  isContinuous: boolean;
}

/**
 * Segments between "New Segment" markers and at every multiple of `segmentPoints`. Their dates tell the
 * pauses between them; where they cannot be true (a segment would begin before the end of the one before),
 * segments follow each other.
 */
export function segmentsBetween(
  newSegments: NewSegment[],
  count: number,
  rate: number,
  segmentPoints: number | undefined,
  warnings: string[],
): MarkedSegments {
  const byStart = new Map<number, string>([[0, ""]]);
  if (segmentPoints && count / segmentPoints > MOST_SEGMENTS) {
    warnings.push(`segments of ${segmentPoints} samples would be too many to be told apart`);
  } else if (segmentPoints && count % segmentPoints === 0) {
    for (let at = segmentPoints; at < count; at += segmentPoints) byStart.set(at, "");
  }
  for (const { sample, date } of newSegments) {
    if (sample < count || sample <= 0) byStart.set(Math.max(0, sample), date);
  }
  const starts = [...byStart.keys()].sort((a, b) => a - b);
  const dates = starts.map((s) => byStart.get(s)!);
  const moments = dates.map((text) => dateOf(text));
  const plain = starts.map((s) => s / rate);
  const segmentsAt = (times: number[]): Segment[] =>
    starts.map((startIndex, i) => ({
      startIndex,
      length: (starts[i + 1] ?? count) - startIndex,
      startSeconds: times[i],
    }));
  const startTime = moments[0]?.iso;
  const base = {
    ...(startTime ? { startTime } : {}),
    dates: moments.map((m) => m?.iso ?? "unknown"),
  };
  if (starts.length === 1 || moments.some((m) => m === undefined)) {
    return { ...base, segments: segmentsAt(plain), isContinuous: true };
  }
  const first = moments[0]!.microseconds;
  const times = moments.map((m) => Number(m!.microseconds - first) / 1e6);
  const early = times.findIndex((time, i) =>
    i > 0 && time - times[i - 1] < (starts[i] - starts[i - 1] - 0.5) / rate
  );
  if (early >= 0) {
    warnings.push(
      `segment ${early + 1} would begin before the end of the one before it (${
        base.dates[early]
      }): segments are taken to follow each other`,
    );
    return { ...base, segments: segmentsAt(plain), isContinuous: true };
  }
  return { ...base, segments: segmentsAt(times), isContinuous: false };
}

/** Seconds of a sample by the segment it lies in; samples outside follow the nearest one. */
function secondsOf(segments: Segment[], rate: number, sample: number): number {
  let low = 0, high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (segments[middle].startIndex <= sample) low = middle;
    else high = middle - 1;
  }
  const { startIndex, startSeconds } = segments[low];
  return startSeconds + (sample - startIndex) / rate;
}

/** What the table of markers is made from. */
export interface MarkerClock {
  segments: Segment[];
  samplingFrequency: number;
  isContinuous: boolean;
}

/** Columns of the table; the time without pauses is told where there are pauses. */
function columnsOf({ isContinuous }: MarkerClock): Record<string, DType> {
  return {
    time: "float64",
    duration: "float64",
    label: "string",
    type: "string",
    description: "string",
    channel: "int32",
    sample: "int64",
    ...(isContinuous ? {} : { time_without_pauses: "float64" }),
  };
}

const SECONDS = new Set(["time", "duration", "time_without_pauses"]);

function columnValues(
  name: string,
  markers: Marker[],
  { segments, samplingFrequency: rate }: MarkerClock,
): NumericArray | string[] {
  switch (name) {
    case "time":
      return Float64Array.from(markers, (m) => secondsOf(segments, rate, m.sample));
    case "duration":
      return Float64Array.from(markers, (m) => m.points / rate);
    case "time_without_pauses":
      return Float64Array.from(markers, (m) => m.sample / rate);
    case "type":
      return markers.map((m) => m.type);
    case "description":
      return markers.map((m) => m.description);
    case "channel":
      return Int32Array.from(markers, (m) => m.channel);
    case "sample":
      return BigInt64Array.from(markers, (m) => BigInt(m.sample));
    default:
      // As other programs for this format join them.
      return markers.map((m) => `${m.type}/${m.description}`);
  }
}

/** The table of markers: in memory, or filled by the stream {@link MARKERS}. */
export function markerTable(survey: MarkerSurvey, clock: MarkerClock): EventTable | undefined {
  if (survey.count === 0) return undefined;
  const { markers } = survey;
  return {
    name: MARKERS,
    count: survey.count,
    columns: Object.entries(columnsOf(clock)).map(([name, dtype]): EventColumn => ({
      name,
      dtype,
      innerShape: [],
      layout: markers
        ? { kind: "values", values: columnValues(name, markers, clock) }
        : { kind: "stream", stream: MARKERS, field: name },
      ...(SECONDS.has(name) ? { units: "s" } : {}),
    })),
  };
}

/** Blocks of the columns, in one pass over the file. */
export async function* streamMarkers(
  source: ByteSource,
  clock: MarkerClock,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  let rows: Marker[] = [];
  function* take(): Generator<StreamBlock> {
    for (const field of Object.keys(columnsOf(clock))) {
      yield { field, values: columnValues(field, rows, clock), count: rows.length };
    }
    rows = [];
  }
  for await (const marker of readMarkers(source, signal)) {
    if (marker === "damaged") continue;
    rows.push(marker);
    if (rows.length === BLOCK) yield* take();
  }
  if (rows.length) yield* take();
}
