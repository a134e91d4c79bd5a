/**
 * LabChart's MATLAB export: all samples in one vector `data`, and for every channel and block where they
 * begin and end (ADInstruments, "Export MATLAB": datastart, dataend from 1, -1 for none).
 */
import { eventsFromValues, type Recording } from "../../src/model/dataset.ts";
import { elementsOf, type MatNode, numbersOf, type NumericNode, textsOf } from "./mat-model.ts";
import {
  channel,
  framePart,
  isReal,
  type MatBuild,
  type MatCandidate,
  streamPart,
  vectorValues,
} from "./mat-recordings.ts";

const DAY_SECONDS = 86_400;
/** MATLAB's day number of 1970-01-01. */
const UNIX_EPOCH_DAY = 719_529;

/** One run of one channel. */
interface Run {
  channel: number;
  block: number;
  first: number;
  count: number;
  rate: number;
}

interface Tables {
  data: NumericNode;
  channels: number;
  blocks: number;
  runs: Run[];
  /** Value of a table of channels and blocks. */
  at(name: string, channel: number, block: number): number | undefined;
}

/** Recognises the export among the variables of a file. */
export function labChartCandidate(scope: ReadonlyMap<string, MatNode>): MatCandidate | undefined {
  const tables = readTables(scope);
  if (!tables) return undefined;
  const more = ["titles", "unittext", "blocktimes", "com"].filter((n) => scope.has(n));
  return {
    id: "labchart",
    layout: "LabChart export",
    score: 90 + more.length,
    why: [
      "variables data, datastart, dataend and samplerate fit together",
      ...(more.length ? [`also ${more.join(", ")}`] : []),
    ],
    build: (build) => buildLabChart(build, scope, tables),
  };
}

function readTables(scope: ReadonlyMap<string, MatNode>): Tables | undefined {
  const data = scope.get("data"), start = scope.get("datastart");
  const starts = numbersOf(start), ends = numbersOf(scope.get("dataend"));
  const rates = numbersOf(scope.get("samplerate"));
  if (!isReal(data) || !start || !starts || !ends || !rates || starts.length !== ends.length) {
    return undefined;
  }
  const [channels] = start.shape;
  const blocks = starts.length / channels;
  const at = (name: string, c: number, b: number): number | undefined => {
    const node = scope.get(name), values = numbersOf(node);
    if (!node || !values?.length) return undefined;
    const [rows, columns = 1] = node.shape;
    // One value for all, for each block, or for each channel, are all met.
    const row = rows === channels ? c : rows === 1 ? 0 : undefined;
    const column = columns === blocks ? b : columns === 1 ? 0 : undefined;
    return row === undefined || column === undefined ? undefined : values[column * rows + row];
  };
  const total = elementsOf(data.shape);
  const runs: Run[] = [];
  for (let b = 0; b < blocks; b++) {
    for (let c = 0; c < channels; c++) {
      const first = starts[b * channels + c], last = ends[b * channels + c];
      if (first < 1 || last < first) continue;
      const rate = at("samplerate", c, b);
      if (!Number.isInteger(first) || !Number.isInteger(last) || last > total) return undefined;
      if (!rate || !(rate > 0)) return undefined;
      runs.push({ channel: c, block: b, first: first - 1, count: last - first + 1, rate });
    }
  }
  return runs.length ? { data, channels, blocks, runs, at } : undefined;
}

/** When each block begins, seconds since the first; end to end when the file gives no times. */
function blockStarts({ blocks, runs }: Tables, times: number[] | undefined): number[] {
  if (times && times.length === blocks && times.every(Number.isFinite)) {
    // Day numbers hold about ten microseconds; what is below is noise.
    return times.map((t) => Math.round((t - times[0]) * DAY_SECONDS * 1e5) / 1e5);
  }
  const starts: number[] = [];
  let seconds = 0;
  for (let b = 0; b < blocks; b++) {
    starts.push(seconds);
    seconds += Math.max(0, ...runs.filter((r) => r.block === b).map((r) => r.count / r.rate));
  }
  return starts;
}

async function buildLabChart(
  build: MatBuild,
  scope: ReadonlyMap<string, MatNode>,
  tables: Tables,
): Promise<void> {
  const { dataset } = build;
  const { data, runs, at } = tables;
  const blockTimes = numbersOf(scope.get("blocktimes"));
  const starts = blockStarts(tables, blockTimes);
  if (blockTimes?.length && Number.isFinite(blockTimes[0])) {
    const started = new Date((blockTimes[0] - UNIX_EPOCH_DAY) * DAY_SECONDS * 1000);
    // Local time of the recording computer: no zone is known.
    if (!Number.isNaN(started.getTime())) {
      dataset.metadata.startTime = started.toISOString().replace("Z", "");
    }
  } else if (tables.blocks > 1) {
    dataset.warnings.push("the blocks have no times: they are put end to end");
  }
  const titles = textsOf(scope.get("titles")) ?? [], units = textsOf(scope.get("unittext")) ?? [];
  const groups = groupRuns(tables);
  let held = 0;
  groups.forEach((members, g) => {
    const [model] = members;
    const segments: Recording["segments"] = [];
    let sampleCount = 0;
    for (const { block, count } of model) {
      segments.push({ startIndex: sampleCount, length: count, startSeconds: starts[block] });
      sampleCount += count;
    }
    const name = groups.length === 1 ? "recording" : `recording_${g + 1}_${model[0].rate}Hz`;
    const rawType = data.real.dtype;
    const channels = members.map(([{ channel: c, block }]) => {
      const unit = at("unittextmap", c, block) ?? (units.length === 1 ? 1 : -1);
      const gain = at("scaleunits", c, block) ?? 1;
      const offset = (at("scaleoffset", c, block) ?? 0) * gain;
      const own = channel(titles[c] || `channel ${c + 1}`, units[unit - 1] ?? "");
      return { ...own, gain, offset };
    });
    const pieces = members.map((rows) =>
      rows.map(({ first, count }) => ({ node: data, first, count }))
    );
    const framed = pieces.map((own, i) => framePart(build, i, 1, own));
    const parts = framed.every((p) => p !== undefined)
      ? framed
      : pieces.map((own, i) => streamPart(build, name, i, 1, rawType, own));
    held += sampleCount * members.length;
    dataset.recordings.push({
      name,
      channels,
      samplingFrequency: model[0].rate,
      sampleCount,
      segments,
      rawType,
      parts,
      attributes: { blocks: model.map((r) => r.block + 1) },
    });
  });
  const inOrder = runs.toSorted((a, b) => a.channel - b.channel || a.block - b.block);
  let end = 0;
  const whole = groups.length === 1 && held === elementsOf(data.shape) &&
    inOrder.every((r) => r.first === end && (end += r.count));
  if (whole) build.used.add(data);
  await addComments(build, scope, tables, starts);
}

/** Channels that share rates and lengths in all blocks: each entry holds the runs of one channel. */
function groupRuns({ runs }: Tables): Run[][][] {
  const byChannel = new Map<string, Run[]>();
  for (const run of runs) {
    const key = `${run.channel}/${run.rate}`;
    byChannel.set(key, [...(byChannel.get(key) ?? []), run]);
  }
  const groups = new Map<string, Run[][]>();
  for (const own of byChannel.values()) {
    const key = JSON.stringify(own.map((r) => [r.block, r.count, r.rate]));
    groups.set(key, [...(groups.get(key) ?? []), own]);
  }
  return [...groups.values()];
}

/** `com`: channel (-1 all), block, position in ticks, kind (1 user, 2 event marker), number of its text. */
async function addComments(
  build: MatBuild,
  scope: ReadonlyMap<string, MatNode>,
  { at }: Tables,
  starts: number[],
): Promise<void> {
  const { dataset } = build;
  const node = scope.get("com"), texts = textsOf(scope.get("comtext"));
  if (!isReal(node)) return;
  const values = await vectorValues(build, node);
  if (!values?.length || node.shape.length !== 2 || node.shape[1] < 3) return;
  const [rows, columns] = node.shape;
  const cell = (row: number, column: number) =>
    column < columns ? values[column * rows + row] : undefined;
  const comments: { time: number; channel: number; block: number; kind: string; label: string }[] =
    [];
  for (let row = 0; row < rows; row++) {
    const block = cell(row, 1)! - 1, rate = at("tickrate", 0, block) ?? at("samplerate", 0, block);
    if (!(block in starts) || !rate) {
      dataset.warnings.push(
        `comment ${row + 1} belongs to no block: it is kept in source/com only`,
      );
      continue;
    }
    comments.push({
      time: starts[block] + cell(row, 2)! / rate,
      channel: cell(row, 0)!,
      block: block + 1,
      kind: cell(row, 3) === 2 ? "event marker" : "user",
      label: texts?.[(cell(row, 4) ?? 0) - 1] ?? "",
    });
  }
  comments.sort((a, b) => a.time - b.time);
  dataset.events.push(eventsFromValues("comments", Float64Array.from(comments, (c) => c.time), {
    label: comments.map((c) => c.label),
    channel: Int32Array.from(comments, (c) => c.channel),
    block: Int32Array.from(comments, (c) => c.block),
    kind: comments.map((c) => c.kind),
  }, { channel_meaning: "number from 1; -1: all channels" }));
}
