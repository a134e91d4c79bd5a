/**
 * The older format: a 1024-byte text header and equal records in each file, channels listed in
 * structure.openephys. Source: Open Ephys GUI documentation, "Open Ephys Format".
 */
import { ensure, FuseError, isFuseError } from "../../src/errors.ts";
import { checkSegments } from "../../src/model/check.ts";
import type { Dataset } from "../../src/model/dataset.ts";
import { frameTable, type Segment } from "../../src/model/layout.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import type { OpenOptions } from "../format.ts";
import {
  channelKind,
  COUNTER_BYTES,
  counterSegments,
  momentOfZero,
  usualUnits,
} from "./openephys-clock.ts";
import { addEvents, addMessages, addSpikes } from "./openephys-legacy-tables.ts";
import { describedMembers, settingsOf, undescribedMembers } from "./openephys-legacy-set.ts";
import { type Passes, uniqueName } from "./record-tables.ts";

/** Bytes of the header of a file. */
export const HEADER_BYTES = 1024;
const BLOCK_BYTES = 1 << 20;
/** Bytes before and after the samples of a record; before 0.2 there was no number of the recording. */
const HEAD_BYTES = 12, OLD_HEAD_BYTES = 10, MARKER_BYTES = 10;
/** Most bytes of a description or of messages. */
const MOST_TEXT_BYTES = 64 << 20;

interface LegacyFile {
  headBytes: number;
  kind: string;
  /** Processor and stream, as the file's name has them. */
  stream: string;
  source: ByteSource;
  index: number;
  fields: Map<string, string>;
  records: number;
  recordBytes: number;
  samples: number;
}

/** The text of a small file. @throws FuseError `Corrupt` where it is large */
export async function readText(source: ByteSource, signal?: AbortSignal): Promise<string> {
  ensure((source.size ?? 0) <= MOST_TEXT_BYTES, "too large for a text", { source: source.name });
  const bytes = await source.readUpTo(0, source.size ?? MOST_TEXT_BYTES, {
    purpose: "header",
    signal,
  });
  return new TextDecoder().decode(bytes);
}

/** Fields of a file's header, without quotes. @throws FuseError where it is none */
export async function readFields(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<Map<string, string>> {
  if ((source.size ?? 0) < HEADER_BYTES) {
    throw new FuseError("Truncated", "the file ends inside its header", {
      source: source.name,
      found: `${source.size ?? 0} bytes`,
      expected: `${HEADER_BYTES} bytes`,
    });
  }
  const bytes = await source.read(0, HEADER_BYTES, { purpose: "header", signal });
  const text = new TextDecoder("latin1").decode(bytes);
  ensure(text.startsWith("header.format = 'Open Ephys"), "not an Open Ephys file", {
    source: source.name,
    offset: 0,
  });
  const fields = new Map<string, string>();
  for (const [, key, value] of text.matchAll(/header\.(\w+)\s*=\s*([^;]*);/g)) {
    fields.set(key, value.trim().replace(/^'(.*)'$/, "$1"));
  }
  return fields;
}

/** Fills a dataset from a description or from one file. @throws FuseError where they make no sense */
export async function readLegacy(
  dataset: Dataset,
  passes: Passes,
  { alone, signal }: OpenOptions,
): Promise<void> {
  const [main] = dataset.sources;
  const described = main.name.toLowerCase().endsWith(".openephys");
  const members = described
    ? await describedMembers(dataset, signal)
    : await undescribedMembers(dataset, alone ?? false);
  const signals: LegacyFile[] = [];
  for (const member of members.filter((m) => m.name.endsWith(".continuous"))) {
    const index = dataset.sources.indexOf(member);
    await tolerated(dataset, member, async () => {
      signals.push(await openContinuous(member, index, dataset.warnings, signal));
    });
  }
  await addSignals(dataset, signals, signal);
  const rate = dataset.recordings[0]?.samplingFrequency ?? 0;
  const names = new Set<string>();
  let softwareMs: number | undefined;
  for (const member of members) {
    await tolerated(dataset, member, async () => {
      const name = member.name.replace(/\.\w+$/, "");
      if (member.name.endsWith(".spikes")) {
        await addSpikes(dataset, passes, member, uniqueName(name, names), rate, signal);
      } else if (member.name.endsWith(".timestamps")) {
        addTimestamps(dataset, member, name);
      } else if (member.name.endsWith(".events")) {
        const start = await member.readUpTo(0, 13, { purpose: "header", signal });
        if (new TextDecoder("latin1").decode(start) === "header.format") {
          await addEvents(dataset, passes, member, uniqueName(name, names), rate, signal);
        } else {
          const text = await readText(member, signal);
          softwareMs = addMessages(dataset, text, uniqueName(name, names), rate) ?? softwareMs;
        }
      }
    });
  }
  const lost = dataset.leftOut[0];
  ensure(dataset.recordings.length + dataset.events.length > 0 || !lost, "nothing can be read", {
    source: main.name,
    found: lost && `${lost.what}: ${lost.why}`,
  });
  const { metadata } = dataset;
  metadata.modality = "electrophysiology";
  metadata.header = {
    ...(signals.length ? Object.fromEntries(signals[0].fields) : {}),
    ...(members.length > 1 ? await settingsOf(dataset, signal) : {}),
    ...(softwareMs === undefined ? {} : { software_time_ms: softwareMs }),
  };
  if (softwareMs !== undefined) {
    const first = dataset.recordings.map((r) => r.segments[0]?.startSeconds ?? 0);
    const start = momentOfZero(softwareMs, first.length ? Math.min(...first) : 0);
    if (start) metadata.startTime = start;
  }
}

/** Synchronised times, one for each record of the signals: seconds as 64-bit floats, without a header. */
function addTimestamps(dataset: Dataset, source: ByteSource, name: string): void {
  const count = Math.floor(source.size! / 8);
  if (!count) return;
  const table = dataset.frameTables.push(
    frameTable(8, [{ source: dataset.sources.indexOf(source), offset: 0, frameCount: count }]),
  ) - 1;
  dataset.arrays.push({
    path: `source/${name.replaceAll("/", "_")}_timestamps`,
    dtype: "float64",
    dims: ["record"],
    shape: [count],
    units: "s",
    layout: {
      kind: "frames",
      table,
      stored: "float64",
      littleEndian: true,
      samplesPerFrame: 1,
      channelOffsets: [0],
      sampleStride: 8,
    },
    attributes: { long_name: "synchronised time of each record, as stored" },
  });
}

/** Does `step` with a member of the set; what is wrong with any but the opened file leaves only it out. */
async function tolerated(
  dataset: Dataset,
  member: ByteSource,
  step: () => Promise<void>,
): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (member === dataset.sources[0] || !isFuseError(error, "Corrupt", "Truncated", "Limit")) {
      throw error;
    }
    dataset.warnings.push(error.message);
    dataset.leftOut.push({ what: member.name, why: error.statement });
  }
}

async function openContinuous(
  source: ByteSource,
  index: number,
  warnings: string[],
  signal?: AbortSignal,
): Promise<LegacyFile> {
  const fields = await readFields(source, signal);
  const samples = Number(fields.get("blockLength") ?? 1024);
  ensure(Number.isInteger(samples) && samples > 0 && samples <= 65_535, "impossible block length", {
    source: source.name,
    field: "blockLength",
    found: fields.get("blockLength"),
  });
  const version = versionOf(fields);
  const bytes = source.size! - HEADER_BYTES;
  const fits = (head: number) => bytes % (head + 2 * samples + MARKER_BYTES) === 0;
  const isOld = fields.has("version") ? version < 0.2 : fits(OLD_HEAD_BYTES) && !fits(HEAD_BYTES);
  const headBytes = isOld ? OLD_HEAD_BYTES : HEAD_BYTES;
  if (isOld && version < 0.1) {
    warnings.push(
      `${source.name}: version 0.0 counts time in a unit of its own; times are doubtful`,
    );
  }
  const recordBytes = headBytes + 2 * samples + MARKER_BYTES;
  const rest = bytes % recordBytes;
  if (rest) warnings.push(`${source.name}: the file ends inside a record (${rest} bytes of it)`);
  const records = (bytes - rest) / recordBytes;
  const channel = nameOf({ fields, source });
  const kind = channelKind(channel), stream = streamOf(source.name, channel);
  return { source, index, fields, samples, headBytes, kind, stream, recordBytes, records };
}

/** "100_example-data" of "100_example-data_CH1_2.continuous"; "" where the name is another. */
function streamOf(name: string, channel: string): string {
  const end = name.lastIndexOf(`_${channel}`);
  return end > 0 ? name.slice(0, end) : "";
}

/** Version of a file, 0 where none is stated. */
export function versionOf(fields: Map<string, string>): number {
  return Number(fields.get("version")) || 0;
}

function nameOf({ fields, source }: Pick<LegacyFile, "fields" | "source">): string {
  return fields.get("channel") || source.name.replace(/\.\w+$/, "");
}

async function addSignals(
  dataset: Dataset,
  files: LegacyFile[],
  signal?: AbortSignal,
): Promise<void> {
  const groups = new Map<string, { files: LegacyFile[]; segments: Segment[]; rate: number }>();
  const sweepBytes = COUNTER_BYTES / Math.max(1, files.length);
  const clocks: Clocks = new Map();
  const add = async (file: LegacyFile) => {
    const rate = Number(file.fields.get("sampleRate"));
    ensure(rate > 0 && Number.isFinite(rate), "the file states no sampling rate", {
      source: file.source.name,
      field: "sampleRate",
      found: file.fields.get("sampleRate") ?? "nothing",
    });
    if (!file.records) {
      dataset.leftOut.push({ what: file.source.name, why: "it holds no samples" });
      return;
    }
    const segments = await segmentsOf(file, rate, { sweepBytes, clocks }, dataset.warnings, signal);
    const shape = segments.map((s) => `${s.startIndex}@${s.startSeconds}`).join(" ");
    const key = `${rate} ${file.records} ${file.samples} ${file.headBytes} ${file.kind} ` +
      `${file.stream} ${shape}`;
    const group = groups.get(key) ?? { files: [], segments, rate };
    group.files.push(file);
    groups.set(key, group);
  };
  for (const file of files) await tolerated(dataset, file.source, () => add(file));
  const names = new Set<string>();
  const rates = new Set([...groups.values()].map((g) => g.rate));
  const streams = new Set([...groups.values()].map((g) => g.files[0].stream));
  for (const { files, segments, rate } of groups.values()) {
    const [{ samples, records, recordBytes, headBytes, kind, stream }] = files;
    const name = `continuous${streams.size > 1 && stream ? `_${stream}` : ""}` +
      (kind && groups.size > 1 ? `_${kind}` : "") +
      (rates.size > 1 ? `_${rate}hz` : "");
    dataset.recordings.push({
      name: uniqueName(name, names),
      channels: files.map((file) => ({
        name: nameOf(file),
        units: usualUnits(nameOf(file)),
        gain: Number(file.fields.get("bitVolts")) || 1,
        offset: 0,
      })),
      samplingFrequency: rate,
      sampleCount: records * samples,
      segments,
      rawType: "int16",
      parts: files.map((file, i) => ({
        firstChannel: i,
        channelCount: 1,
        layout: {
          kind: "frames",
          table: dataset.frameTables.push(
            frameTable(recordBytes, [{
              source: file.index,
              offset: HEADER_BYTES,
              frameCount: records,
            }]),
          ) - 1,
          stored: "int16",
          littleEndian: false,
          samplesPerFrame: samples,
          channelOffsets: [headBytes],
          sampleStride: 2,
        },
      })),
    });
  }
}

/** Segments by the sample numbers at both ends and in the middle of a file, and by its shape. */
type Clocks = Map<string, Segment[]>;

/** Runs of records. Files of many are not read through: jumps of the sample number are searched by halving. */
async function segmentsOf(
  { source, records, recordBytes, samples }: LegacyFile,
  rate: number,
  { sweepBytes, clocks }: { sweepBytes: number; clocks: Clocks },
  warnings: string[],
  signal?: AbortSignal,
): Promise<Segment[]> {
  const offset = HEADER_BYTES, strideBytes = recordBytes;
  const check = (view: DataView, at: number, place: number) =>
    ensure(
      view.getUint16(at + 8, true) === samples,
      "a record of another length than the header states",
      {
        source: source.name,
        offset: place + 8,
        found: view.getUint16(at + 8, true),
        expected: samples,
      },
    );
  if (records * recordBytes > sweepBytes || source.distance !== "local") {
    // Channels are written together: those that agree here have the same pauses.
    let clock = `${records} ${recordBytes} ${rate}`;
    for (const record of new Set([0, records >> 1, records - 1])) {
      const place = offset + record * recordBytes;
      const view = viewOf(await source.read(place, 10, { purpose: "header", signal }));
      check(view, 0, place);
      clock += ` ${view.getBigInt64(0, true)}`;
    }
    const same = clocks.get(clock);
    if (same) return same;
    const counters = { source, offset, strideBytes, count: records, samples, sweepBytes };
    const found = await counterSegments(counters, records * samples, rate, warnings, signal);
    clocks.set(clock, found);
    return found;
  }
  const step = Math.max(1, Math.floor(BLOCK_BYTES / recordBytes));
  const segments: Segment[] = [];
  let due = NaN;
  for (let first = 0; first < records; first += step) {
    const count = Math.min(step, records - first), at = offset + first * recordBytes;
    const view = viewOf(
      await source.read(at, count * recordBytes, { purpose: "bulk", signal }),
    );
    for (let i = 0; i < count; i++) {
      const stamp = Number(view.getBigInt64(i * recordBytes, true));
      check(view, i * recordBytes, at + i * recordBytes);
      if (stamp !== due) {
        const startIndex = (first + i) * samples;
        segments.push({ startIndex, length: 0, startSeconds: stamp / rate });
      }
      segments[segments.length - 1].length += samples;
      due = stamp + samples;
    }
  }
  checkSegments(segments.length, { source: source.name, format: "openephys" });
  return segments;
}
