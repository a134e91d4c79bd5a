/** Keeps some channels and some of the time of a dataset, before anything is read. */
import { FuseError } from "../errors.ts";
import { cropGrid } from "./crop-grid.ts";
import type { ChannelPart, Dataset, Recording } from "./dataset.ts";
import type { FrameTable, Layout, Segment } from "./layout.ts";
import { frameTable, runOf, totalFrames } from "./layout.ts";

/** What to keep. */
export interface Selection {
  /** Channel names or 0-based numbers; all when absent. */
  channels?: (string | number)[];
  /** Seconds since the recording's start; inclusive. */
  fromSeconds?: number;
  /** Seconds since the recording's start; exclusive. */
  untilSeconds?: number;
}

/**
 * A view of `dataset` with only the selected channels and times in its recordings. Other arrays and
 * events are left as they are when only channels are selected, and left out when a time is.
 * @throws FuseError `Usage` when nothing matches, `Unsupported` for sequential formats.
 */
export function selectFrom(dataset: Dataset, selection: Selection): Dataset {
  const timed = selection.fromSeconds !== undefined || selection.untilSeconds !== undefined;
  const tables = [...dataset.frameTables];
  /** Trimmed tables, so that recordings in the same frames still share theirs. */
  const trimmed = new Map<string, number>();
  let recordings = dataset.recordings;
  if (selection.channels) {
    recordings = recordings.map((r) => selectChannels(r, selection.channels!)).filter((r) =>
      r !== null
    );
    if (recordings.length === 0) {
      throw new FuseError("Usage", "no channel matches", {
        source: dataset.sources[0].name,
        found: selection.channels.join(", "),
        expected: dataset.recordings.flatMap((r) => r.channels.map((c) => c.name)).slice(0, 20)
          .join(", "),
      });
    }
  }
  if (timed) {
    recordings = recordings.map((r) => selectTime(r, dataset, tables, trimmed, selection)).filter((
      r,
    ) => r !== null);
  }
  const leftOut = [...dataset.leftOut];
  if (timed) {
    if (recordings.length === 0) {
      throw new FuseError("Usage", "no samples lie in this time", {
        source: dataset.sources[0].name,
      });
    }
    const kept = dataset.events.length + dataset.digital.length + dataset.arrays.length;
    if (kept) {
      leftOut.push({
        what: "events and other arrays",
        why: "only a part of the time was asked for",
      });
    }
  }
  return {
    ...dataset,
    frameTables: tables,
    recordings,
    leftOut,
    ...(timed ? { events: [], digital: [], arrays: [] } : {}),
    openStream: dataset.openStream?.bind(dataset),
  };
}

function selectChannels(recording: Recording, wanted: (string | number)[]): Recording | null {
  const keep = recording.channels.map((c, i) =>
    wanted.includes(i) || wanted.includes(c.name) || wanted.includes(String(i))
  );
  if (!keep.includes(true)) return null;
  const parts: ChannelPart[] = [];
  let count = 0;
  for (const part of recording.parts) {
    const own = keep.slice(part.firstChannel, part.firstChannel + part.channelCount);
    const rows = own.flatMap((k, i) => (k ? [i] : []));
    if (rows.length === 0) continue;
    if (part.layout.kind === "chunks") {
      for (const run of gridRuns(part, rows)) {
        parts.push({ ...run, firstChannel: count });
        count += run.channelCount;
      }
      continue;
    }
    const layout = rows.length === part.channelCount ? part.layout : pickLayout(part.layout, rows);
    const tail = part.tail && pickTail(part, rows);
    parts.push({
      firstChannel: count,
      channelCount: rows.length,
      layout,
      ...(tail ? { tail } : {}),
    });
    count += rows.length;
  }
  return { ...recording, channels: recording.channels.filter((_, i) => keep[i]), parts };
}

function pickLayout(layout: Layout, rows: number[]): Layout {
  switch (layout.kind) {
    case "frames":
      return { ...layout, channelOffsets: rows.map((i) => layout.channelOffsets[i]) };
    case "stream":
      return { ...layout, rows: rows.map((i) => layout.rows?.[i] ?? i) };
    default:
      throw new FuseError("Unsupported", "channels cannot be picked from this layout", {
        remedy: "Convert all channels",
      });
  }
}

/** Neighbouring rows of a stored grid, a part for each run of them. */
function gridRuns(part: ChannelPart, rows: number[]): ChannelPart[] {
  const runs: ChannelPart[] = [];
  let end = -1;
  for (const row of rows) {
    const run = runs.at(-1);
    if (run && row === end) run.channelCount++;
    else {
      const firstChannel = (part.grid?.firstChannel ?? 0) + row;
      runs.push({ ...part, channelCount: 1, grid: part.grid && { ...part.grid, firstChannel } });
    }
    end = row + 1;
  }
  return runs;
}

function pickTail(part: ChannelPart, rows: number[]): NonNullable<ChannelPart["tail"]> {
  const { firstSample, values } = part.tail!;
  const length = values.length / part.channelCount;
  const picked = new Float64Array(rows.length * length);
  rows.forEach((row, i) =>
    picked.set(values.subarray(row * length, (row + 1) * length), i * length)
  );
  return { firstSample, values: picked };
}

function selectTime(
  recording: Recording,
  dataset: Dataset,
  tables: FrameTable[],
  trimmed: Map<string, number>,
  selection: Selection,
): Recording | null {
  const rate = recording.samplingFrequency;
  if (rate === null || recording.sampleCount === null || recording.time) {
    throw new FuseError(
      "Unsupported",
      "a time cannot be picked from an irregular or sequential recording",
      {
        source: dataset.sources[0].name,
      },
    );
  }
  const { fromSeconds: from = -Infinity, untilSeconds: until = Infinity } = selection;
  const step = wholeFrames(recording, dataset);
  const segments: Segment[] = [];
  for (const s of recording.segments) {
    const low = Math.max(0, Math.ceil((from - s.startSeconds) * rate - 1e-9));
    const high = Math.min(s.length, Math.ceil((until - s.startSeconds) * rate - 1e-9));
    if (high <= low) continue;
    // Samples of one frame come together: a time inside a frame takes the whole of it.
    const first = Math.floor((s.startIndex + low) / step) * step;
    const end = Math.min(s.startIndex + s.length, Math.ceil((s.startIndex + high) / step) * step);
    const startSeconds = s.startSeconds + (first - s.startIndex) / rate;
    segments.push({ startIndex: first, length: end - first, startSeconds });
  }
  if (segments.length === 0) return null;
  const parts = recording.parts.map((part): ChannelPart => {
    if (part.layout.kind === "chunks" && part.grid && segments.length === 1) {
      const firstSample = (part.grid.firstSample ?? 0) + segments[0].startIndex;
      const from = { ...part, grid: { ...part.grid, firstSample } };
      return cropGrid(from, recording.rawType, segments[0].length);
    }
    if (part.layout.kind !== "frames") throw notPickable(dataset);
    const key = `${part.layout.table}/${step}/${JSON.stringify(segments)}`;
    let table = trimmed.get(key);
    if (table === undefined) {
      const whole = dataset.frameTables[part.layout.table];
      tables.push(trimTable(whole, segments, part.layout.samplesPerFrame));
      table = tables.length - 1;
      trimmed.set(key, table);
    }
    return { ...part, layout: { ...part.layout, table } };
  });
  let index = 0;
  const packed = segments.map((s) => {
    const segment = { ...s, startIndex: index };
    index += s.length;
    return segment;
  });
  return { ...recording, parts, segments: packed, sampleCount: index, sweepLength: undefined };
}

function notPickable(dataset: Dataset): FuseError {
  return new FuseError("Unsupported", "a time cannot be picked from this layout", {
    source: dataset.sources[0].name,
  });
}

/** Samples that can only be had together: those of one frame. */
function wholeFrames(recording: Recording, dataset: Dataset): number {
  const steps = new Set(recording.parts.map((part) => {
    if (part.tail) throw notPickable(dataset);
    return part.layout.kind === "frames" ? part.layout.samplesPerFrame : 1;
  }));
  if (steps.size > 1) throw notPickable(dataset);
  return [...steps][0] ?? 1;
}

/** The frames of a table that hold the given runs of samples, which begin at frames. */
function trimTable(table: FrameTable, segments: Segment[], samplesPerFrame: number): FrameTable {
  const runs = [];
  for (const { startIndex, length } of segments) {
    const first = startIndex / samplesPerFrame;
    const end = Math.min(Math.ceil((startIndex + length) / samplesPerFrame), totalFrames(table));
    for (
      let run = runOf(table, first);
      run < table.firstFrame.length && table.firstFrame[run] < end;
      run++
    ) {
      const low = Math.max(first, table.firstFrame[run]);
      const high = Math.min(end, table.firstFrame[run] + table.frameCount[run]);
      if (high <= low) continue;
      runs.push({
        source: table.source[run],
        offset: table.offset[run] + (low - table.firstFrame[run]) * table.frameBytes,
        frameCount: high - low,
      });
    }
  }
  return frameTable(table.frameBytes, runs);
}
