/** A LabChart document as recordings, segments, comments and metadata. */
import {
  type Attributes,
  type Dataset,
  eventsFromValues,
  type Recording,
} from "../../src/model/dataset.ts";
import type { Segment } from "../../src/model/layout.ts";
import type {
  Calibration,
  LabChartDocument,
  LabChartRecord,
  SampleBlock,
  SampleType,
} from "./adicht-model.ts";
import type { SampleField } from "./adicht-samples.ts";

/** The stream that feeds all recordings. */
export const SAMPLES = "samples";

/** A channel as long as nothing about it changes: type, rate and calibration. */
interface Phase {
  channel: number;
  type: SampleType;
  rate: number | null;
  calibration: Calibration;
  segments: Segment[];
  samples: number;
  blocks: SampleBlock[];
}

/** Fills the dataset and gives the fields of its stream. */
export function fillDataset(dataset: Dataset, document: LabChartDocument): SampleField[] {
  const { records, titles } = document;
  const phases = findPhases(records);
  warnOfChanges(phases, titles, dataset.warnings);
  warnOfOverlaps(records, dataset.warnings);
  const groups: Phase[][] = [];
  for (const phase of phases) {
    const group = groups.find(([first]) => alike(first, phase));
    if (group) group.push(phase);
    else groups.push([phase]);
  }
  const fields: SampleField[] = [];
  const names = groupNames(groups, titles);
  groups.forEach((group, i) => {
    const own = group.map((phase, k): SampleField => ({
      field: `${i}/${k}`,
      label: `channel ${phase.channel + 1} "${titleOf(titles, phase.channel)}"`,
      type: phase.type,
      blocks: phase.blocks,
    }));
    fields.push(...own);
    dataset.recordings.push(recordingOf(names[i], group, own, titles));
  });
  addRecords(dataset, document);
  addComments(dataset, document);
  describe(dataset, document);
  return fields;
}

const titleOf = (titles: string[], channel: number) => titles[channel] || `Channel ${channel + 1}`;

/** Seconds from the first record's start, which clocks since 1970 resolve to a microsecond. */
function secondsOf(records: LabChartRecord[], record: number, tick: number): number {
  const { start, tickRate } = records[record];
  const since = Math.round((start - records[0].start) * 1e6) / 1e6;
  return tickRate === null ? since : since + tick / tickRate;
}

function findPhases(records: LabChartRecord[]): Phase[] {
  const phases = new Map<string, Phase>();
  records.forEach(({ tracks, tickRate }, record) => {
    for (const { channel, type, ticksPerSample, calibration, blocks } of tracks) {
      if (blocks.length === 0) continue;
      const rate = tickRate === null ? null : tickRate / ticksPerSample;
      const { gain, offset, units } = calibration;
      const key = JSON.stringify([channel, type, rate, gain, offset, units]);
      let phase = phases.get(key);
      if (!phase) {
        phase = { channel, type, rate, calibration, segments: [], samples: 0, blocks: [] };
        phases.set(key, phase);
      }
      let expected = NaN;
      for (const block of blocks) {
        if (block.samples === 0) continue;
        // A slow channel's grid need not go on from block to block.
        if (!(Math.abs(block.tick - expected) < 1e-6)) {
          phase.segments.push({
            startIndex: phase.samples,
            length: 0,
            startSeconds: secondsOf(records, record, block.tick),
          });
        }
        phase.segments[phase.segments.length - 1].length += block.samples;
        phase.samples += block.samples;
        phase.blocks.push(block);
        expected = block.tick + block.samples * ticksPerSample;
      }
    }
  });
  return [...phases.values()].filter((phase) => phase.samples > 0)
    .sort((a, b) => a.channel - b.channel);
}

function alike(a: Phase, b: Phase): boolean {
  return a.type === b.type && a.rate === b.rate && a.channel !== b.channel &&
    a.samples === b.samples && a.segments.length === b.segments.length &&
    a.segments.every((segment, i) =>
      segment.length === b.segments[i].length && segment.startSeconds === b.segments[i].startSeconds
    );
}

/** "signals" for one group; else by kind and rate, and by first channel where that occurs twice. */
function groupNames(groups: Phase[][], titles: string[]): string[] {
  if (groups.length === 1) return ["signals"];
  const plain = groups.map(([{ type, rate }]) => {
    const kind = type === "float32" ? "calculated" : "recorded";
    return rate === null ? kind : `${kind}_${Number(rate.toPrecision(7))}hz`;
  });
  const used = new Set<string>();
  return groups.map(([first], i) => {
    let name = plain[i];
    if (plain.filter((other) => other === name).length > 1) {
      const title = titleOf(titles, first.channel).replace(/[^A-Za-z0-9]+/g, "_");
      name += `_${title.replace(/^_+|_+$/g, "") || `channel_${first.channel + 1}`}`;
    }
    const base = name;
    for (let k = 2; used.has(name.toLowerCase()); k++) name = `${base}_${k}`;
    used.add(name.toLowerCase());
    return name;
  });
}

function recordingOf(
  name: string,
  group: Phase[],
  fields: SampleField[],
  titles: string[],
): Recording {
  const [{ type, rate, samples, segments }] = group;
  return {
    name,
    channels: group.map(({ channel, calibration }) => ({
      name: titleOf(titles, channel),
      units: calibration.units,
      gain: calibration.gain,
      offset: calibration.offset,
      attributes: { labchart_channel: channel + 1, ...calibration.attributes },
    })),
    samplingFrequency: rate,
    sampleCount: samples,
    segments: rate === null ? [{ startIndex: 0, length: samples, startSeconds: 0 }] : segments,
    rawType: type,
    ...(rate === null ? { timeGenerated: true } : {}),
    parts: fields.map(({ field }, i) => ({
      firstChannel: i,
      channelCount: 1,
      layout: { kind: "stream", stream: SAMPLES, field },
    })),
  };
}

function warnOfChanges(phases: Phase[], titles: string[], warnings: string[]): void {
  const seen = new Set<number>(), told = new Set<number>();
  for (const { channel } of phases) {
    if (seen.has(channel) && !told.has(channel)) {
      told.add(channel);
      warnings.push(
        `channel ${channel + 1} "${
          titleOf(titles, channel)
        }" changes its rate, range or calibration ` +
          "during the document: each setting has a group of its own",
      );
    }
    seen.add(channel);
  }
}

function warnOfOverlaps(records: LabChartRecord[], warnings: string[]): void {
  const backwards = records.findIndex(({ start }, i) => {
    const before = records[i - 1];
    if (!before || before.tickRate === null) return false;
    // Starts are rounded to a hundredth of a second in some documents.
    return start + 0.02 < before.start + before.ticks / before.tickRate;
  });
  if (backwards < 0) return;
  warnings.push(
    `record ${backwards + 1} begins before the one ahead of it ends: the clock was set back`,
  );
}

/** A table of records, which a blank document has empty. */
function addRecords(dataset: Dataset, { records }: LabChartDocument): void {
  const seconds = ({ ticks, tickRate }: LabChartRecord) =>
    tickRate === null ? NaN : ticks / tickRate;
  dataset.events.push(
    eventsFromValues("records", Float64Array.from(records, (_, i) => secondsOf(records, i, 0)), {
      duration: Float64Array.from(records, seconds),
      label: records.map((record, i) => startOf(record) ?? `record ${i + 1}`),
    }),
  );
}

function addComments(dataset: Dataset, { comments, records, titles }: LabChartDocument): void {
  if (comments.length === 0) return;
  const timed = comments.map((comment) => ({
    ...comment,
    time: secondsOf(records, comment.record, comment.tick),
  })).sort((a, b) => a.time - b.time);
  dataset.events.push(
    eventsFromValues("comments", Float64Array.from(timed, (c) => c.time), {
      label: timed.map((c) => c.text),
      channel: Int32Array.from(timed, (c) => c.channel),
      channel_name: timed.map((c) => c.channel < 0 ? "" : titleOf(titles, c.channel)),
      record: Int32Array.from(timed, (c) => c.record),
      tick: Int32Array.from(timed, (c) => c.tick),
      comment_id: Int32Array.from(timed, (c) => c.id),
    }, { channel: "number of the channel, from 0; -1 for all" }),
  );
}

function describe(dataset: Dataset, { records, titles, header }: LabChartDocument): void {
  const fields: Attributes = { ...header, records: records.length, channel_titles: titles };
  if (records.length > 0) fields.tick_rate = records[0].tickRate ?? "unknown";
  if (records.length > 0 && records.every((r) => r.tickRate === null)) {
    dataset.warnings.push(
      "nothing in the document tells its sampling rate: sample numbers stand for time",
    );
  }
  if (dataset.recordings.length === 0) {
    dataset.warnings.push("the document holds no recorded data");
  }
  const start = records.length > 0 ? startOf(records[0]) : undefined;
  dataset.metadata = { ...(start ? { startTime: start } : {}), header: fields };
}

/** ISO 8601 on the clock of the place of recording, with its zone where that is known. */
function startOf({ start, utcMinusLocal }: LabChartRecord): string | undefined {
  const zone = utcMinusLocal ?? 0;
  const minutes = Math.round(-zone / 60);
  const micros = Math.round((start - zone) * 1e6);
  // Years 1900 to 9999, and zones that exist.
  if (!(micros > -2_208_988_800e6 && micros < 253_402_300_800e6) || Math.abs(minutes) > 16 * 60) {
    return undefined;
  }
  const seconds = Math.floor(micros / 1e6);
  const fraction = String(micros - seconds * 1e6).padStart(6, "0").replace(/0{1,3}$/, "");
  const plain = `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}`;
  if (utcMinusLocal === null) return plain;
  if (minutes === 0) return `${plain}Z`;
  const two = (n: number) => String(n).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${plain}${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
