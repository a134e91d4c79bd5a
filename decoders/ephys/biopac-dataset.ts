/** An AcqKnowledge file's sections as recordings, events and metadata. */
import type {
  Attributes,
  Channel,
  ChannelPart,
  Dataset,
  Recording,
} from "../../src/model/dataset.ts";
import { type FrameLayout, frameTable, type Segment } from "../../src/model/layout.ts";
import { viewOf } from "../../src/source/source.ts";
import { type BiopacHeaders, type ChannelHeader, versionOf } from "./biopac-headers.ts";
import { isoTime } from "./biopac-events.ts";
import type { FrameSplit, TailSplit } from "./biopac-interleave.ts";
import type { JournalSection } from "./biopac-journal.ts";
import type { Marker } from "./biopac-markers.ts";
import { sampleAt, type StreamChannel } from "./biopac-streams.ts";

/** What follows the headers, and where the samples are. */
export interface Body {
  markers: Marker[];
  journal: JournalSection | undefined;
  /** Samples of each channel, by the data's own account. */
  sampleCounts: number[];
  /** Places of the samples; absent for data that only a forward pass takes apart. */
  frames?: { split: FrameSplit; tailBytes: Uint8Array };
  /** Stream of each channel in a forward pass. */
  streamOf: (channel: number) => string;
}

/** Name of the field, and in compressed files of the stream, of channel `index`. */
export const streamName = (index: number): string => `channel-${index + 1}`;

/** Channels of equal divider and length, in file order: one recording each. */
interface Group {
  name: string;
  rate: number;
  sampleCount: number;
  indices: number[];
  rawType: "int16" | "float64";
}

function groupsOf({ channels, graph }: BiopacHeaders, sampleCounts: number[]): Group[] {
  const groups = new Map<string, Group>();
  channels.forEach((channel, i) => {
    const key = `${channel.divider}/${sampleCounts[i]}`;
    let group = groups.get(key);
    if (!group) {
      const rate = 1000 / graph.sampleTimeMs / channel.divider;
      group = { name: "", rate, sampleCount: sampleCounts[i], indices: [], rawType: "int16" };
      groups.set(key, group);
    }
    group.indices.push(i);
    if (channel.stored === "float64") group.rawType = "float64";
  });
  const all = [...groups.values()];
  if (all.length === 1) {
    all[0].name = "signals";
    return all;
  }
  const used = new Map<string, number>();
  for (const group of all) {
    const base = `signals_${String(group.rate).replace(".", "_")}hz`;
    const seen = (used.get(base) ?? 0) + 1;
    used.set(base, seen);
    group.name = seen === 1 ? base : `${base}_${seen}`;
  }
  return all;
}

/** How a forward pass is to yield each channel: in the type of the recording it belongs to. */
export function streamChannels(headers: BiopacHeaders, body: Body): StreamChannel[] {
  const types: StreamChannel["blockType"][] = [];
  for (const group of groupsOf(headers, body.sampleCounts)) {
    for (const index of group.indices) types[index] = group.rawType;
  }
  return headers.channels.map((header, i) => ({
    header,
    field: streamName(i),
    blockType: types[i],
  }));
}

/** Adds one recording per rate and length, and the frame table they share. */
export function addRecordings(dataset: Dataset, headers: BiopacHeaders, body: Body): void {
  const { channels, graph, bodyOffset } = headers;
  const pauses = body.markers.filter((m) => m.style === "apnd" && m.sample > 0);
  if (body.frames) {
    const { pattern, frameCount } = body.frames.split;
    const run = { source: 0, offset: bodyOffset, frameCount };
    dataset.frameTables.push(frameTable(pattern.frameBytes, [run]));
  }
  for (const group of groupsOf(headers, body.sampleCounts)) {
    const own = group.indices.map((i) => channels[i]);
    const recording: Recording = {
      name: group.name,
      channels: own.map(describeChannel),
      samplingFrequency: group.rate,
      sampleCount: group.sampleCount,
      segments: segmentsOf(group, own[0].divider, pauses),
      rawType: group.rawType,
      parts: body.frames
        ? frameParts(group, channels, body.frames, graph.littleEndian)
        : group.indices.map((i, k): ChannelPart => ({
          firstChannel: k,
          channelCount: 1,
          layout: { kind: "stream", stream: body.streamOf(i), field: streamName(i) },
        })),
      ...(pauses.length
        ? { attributes: { resumed: pauses.map(describePause(graph.sampleTimeMs)) } }
        : {}),
    };
    dataset.recordings.push(recording);
  }
  if (pauses.length > 0) {
    dataset.warnings.push(
      `the recording was paused and resumed ${pauses.length} time${
        pauses.length === 1 ? "" : "s"
      }: ` +
        "the file's time axis, kept here, runs on without the pauses",
    );
  }
}

function describeChannel(header: ChannelHeader): Channel {
  const integer = header.stored === "int16";
  const attributes: Attributes = {
    number: header.number,
    order: header.order,
    frequency_divider: header.divider,
  };
  if (header.description) attributes.description = header.description;
  return {
    name: header.name,
    units: header.units.trim(),
    // Floating-point channels are in units already; their header still has the converter's scale.
    gain: integer ? header.scale : 1,
    offset: integer ? header.offset : 0,
    attributes,
  };
}

/** Runs between append markers, on the file's own axis. */
function segmentsOf(group: Group, divider: number, pauses: Marker[]): Segment[] {
  const starts = new Set([0]);
  for (const { sample } of pauses) {
    const index = Math.ceil(sample / divider);
    if (index < group.sampleCount) starts.add(index);
  }
  const sorted = [...starts].sort((a, b) => a - b);
  return sorted.map((startIndex, i) => ({
    startIndex,
    length: (sorted[i + 1] ?? group.sampleCount) - startIndex,
    startSeconds: startIndex / group.rate,
  }));
}

const describePause = (sampleTimeMs: number) => (marker: Marker): Attributes => ({
  time: marker.sample * sampleTimeMs / 1000,
  clock: isoTime(marker.createdMs) || "unknown",
});

/** Parts of consecutive channels whose samples have the same type and the same places in a frame. */
function frameParts(
  group: Group,
  channels: ChannelHeader[],
  { split, tailBytes }: { split: FrameSplit; tailBytes: Uint8Array },
  littleEndian: boolean,
): ChannelPart[] {
  const parts: ChannelPart[] = [];
  const members: number[][] = [];
  const shapes: string[] = [];
  group.indices.forEach((channel, k) => {
    const places = split.pattern.places[channel];
    const relative = places.map((p) => p - places[0]);
    const shape = `${channels[channel].stored} ${relative.join()}`;
    const last = parts.length - 1;
    if (last >= 0 && shapes[last] === shape) {
      parts[last].channelCount++;
      (parts[last].layout as FrameLayout).channelOffsets.push(places[0]);
      members[last].push(channel);
      return;
    }
    const stride = relative[1] ?? 0;
    const even = relative.every((p, i) => p === i * stride);
    parts.push({
      firstChannel: k,
      channelCount: 1,
      layout: {
        kind: "frames",
        table: 0,
        stored: channels[channel].stored,
        littleEndian,
        samplesPerFrame: places.length,
        channelOffsets: [places[0]],
        sampleStride: stride,
        ...(even ? {} : { sampleOffsets: relative }),
      },
    });
    shapes.push(shape);
    members.push([channel]);
  });
  const { tail } = split;
  if (tail) {
    parts.forEach((part, i) => {
      part.tail = tailOf(members[i], channels, tail, tailBytes, littleEndian);
    });
  }
  return parts;
}

function tailOf(
  members: number[],
  channels: ChannelHeader[],
  tail: TailSplit,
  bytes: Uint8Array,
  littleEndian: boolean,
): ChannelPart["tail"] {
  const view = viewOf(bytes);
  const values = members.flatMap((i) =>
    tail.places[i].map((at) => sampleAt(view, at, channels[i].sampleBytes, littleEndian))
  );
  if (values.length === 0) return undefined;
  return { firstSample: tail.firstSample[members[0]], values: Float64Array.from(values) };
}

/** Keeps what the graph header says of the file and its axis. */
export function describeAxis({ graph }: BiopacHeaders, dataset: Dataset): void {
  dataset.metadata.header = {
    file_revision: graph.revision,
    acqknowledge_version: versionOf(graph.revision),
    byte_order: graph.littleEndian ? "little" : "big",
    compressed: graph.compressed,
    sample_time_ms: graph.sampleTimeMs,
    horizontal_axis: graph.horizontalAxis,
    ...(graph.horizontalUnits ? { horizontal_units: graph.horizontalUnits } : {}),
    ...(Number.isFinite(graph.firstTimeOffsetMs)
      ? { first_time_offset_ms: graph.firstTimeOffsetMs }
      : {}),
  };
  if (graph.horizontalAxis === "frequency" || graph.horizontalAxis === "arbitrary") {
    dataset.warnings.push(
      `the horizontal axis of this graph is ${graph.horizontalAxis}, not time: its steps are taken for milliseconds`,
    );
  }
  if (graph.firstTimeOffsetMs !== 0) {
    dataset.warnings.push(
      `the file's own axis places the first sample at ${graph.firstTimeOffsetMs} ms: times here count from the first sample`,
    );
  }
}

/** Keeps the journal as a document. */
export function addJournal(dataset: Dataset, journal: JournalSection | undefined): void {
  if (!journal) return;
  dataset.warnings.push(...journal.warnings);
  if (journal.text) {
    const path = journal.html ? "journal.html" : "journal.txt";
    dataset.documents = { [path]: journal.text };
    dataset.metadata.notes = `The journal of the recording is kept as ${path}`;
  }
  if (journal.pictureCount > 0) {
    dataset.leftOut.push({
      what: `${journal.pictureCount} picture${
        journal.pictureCount === 1 ? "" : "s"
      } in the journal`,
      why: "only the journal's text is kept",
    });
  }
}
