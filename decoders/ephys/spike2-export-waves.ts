/** Waveform channels of a Spike2 export as recordings, and the passes over their numbers. */
import { FuseError } from "../../src/errors.ts";
import type { Attributes, Recording, StreamBlock } from "../../src/model/dataset.ts";
import type { Segment } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { parseTable, type TableConfig, type TableReport } from "../tables/csv-parser.ts";
import { clockOf, rateOf } from "./spike2-clock.ts";
import { numberOf, type NumberRange } from "./spike2-export-lines.ts";
import type { ExportSection } from "./spike2-export-sections.ts";
import { recordingNames } from "./spike2-recordings.ts";

/** Field of a waveform's stream. */
const FIELD = "samples";
/** Field under which a pass tells what it found doubtful. */
const WARNINGS = "warnings";

/** A waveform channel. */
export interface ExportWave {
  section: ExportSection;
  rate: number;
  segments: Segment[];
  samples: number;
  ranges: NumberRange[];
}

/** How messages name a channel. */
export const labelOf = ({ number, title }: ExportSection) => `channel ${number} "${title}"`;

/** Stream id of a channel. */
export const streamName = ({ number }: ExportSection) => `channel-${number}`;

/**
 * A waveform's runs and rate.
 * @throws FuseError `Corrupt` when nothing tells the rate, or a run has no time
 */
export function waveOf(section: ExportSection, source: string, warnings: string[]): ExportWave {
  const starts = section.body.filter(({ word }) => word === "START" || word === "GAP");
  const [, , interval] = starts.find(({ word }) => word === "START")?.line.fields ?? [];
  const rate = waveRate(section, interval, source, warnings);
  const wave: ExportWave = { section, rate, segments: [], samples: 0, ranges: [] };
  let strangers = 0, expected = NaN;
  for (const { line, word } of section.body) {
    let start = expected;
    if (word === "START" || word === "GAP") {
      start = numberOf(line.fields[1]);
      if (!Number.isFinite(start)) {
        throw new FuseError("Corrupt", `${labelOf(section)}: a run of samples without its time`, {
          source,
          offset: line.offset,
          found: line.fields.join(" "),
          expected: `"${word}" and a time in seconds`,
        });
      }
    } else if (word !== "HEAD") strangers++;
    if (!line.numbers) continue;
    // Where samples follow no time they follow the samples before, or begin the recording.
    if (Number.isNaN(start)) start = 0;
    const printed = resolutionOf(line.fields[1] ?? "");
    if (!(Math.abs(start - expected) <= 0.6 * printed)) {
      wave.segments.push({ startIndex: wave.samples, length: 0, startSeconds: start });
    }
    const segment = wave.segments[wave.segments.length - 1];
    segment.length += line.numbers.lines;
    wave.samples += line.numbers.lines;
    wave.ranges.push(line.numbers);
    expected = segment.startSeconds + segment.length / rate;
  }
  if (strangers > 0) {
    warnings.push(`${labelOf(section)}: ${strangers} lines among its samples are no numbers`);
  }
  if (wave.samples > 0 && starts.length === 0) {
    warnings.push(`${labelOf(section)}: no line tells when it begins; zero is taken`);
  }
  return wave;
}

/** Half the last printed digit is what a printed number may be off by. */
function resolutionOf(printed: string): number {
  const digits = /^[+-]?\d*\.?(\d*)(?:e([+-]?\d+))?$/i.exec(printed.trim());
  return digits ? 10 ** (Number(digits[2] ?? 0) - digits[1].length) : 1e-9;
}

/**
 * The true rate of the summary; else what the interval of the START line means, which is printed to few
 * decimals: then a rate asked for that prints the same interval is nearer the truth.
 */
function waveRate(
  section: ExportSection,
  printed: string | undefined,
  source: string,
  warnings: string[],
): number {
  const stated = section.summary?.rate ?? NaN;
  if (stated > 0 && stated < Infinity) return stated;
  const interval = numberOf(printed);
  const { idealRate } = section;
  const ideal = idealRate > 0 && idealRate < Infinity;
  if (interval > 0 && interval < Infinity) {
    const exact = rateOf(clockOf(1, interval), 1);
    if (!ideal || Math.abs(exact / idealRate - 1) < 1e-9) return exact;
    if (Math.abs(1 / idealRate - interval) > 0.51 * resolutionOf(printed!)) return exact;
  }
  if (ideal) {
    warnings.push(
      `${labelOf(section)}: its rate is the one asked for, because no summary tells the true one`,
    );
    return idealRate;
  }
  throw new FuseError("Corrupt", `${labelOf(section)}: nothing tells its sampling rate`, {
    source,
    offset: section.offset,
    expected: 'a rate in the summary, or "START", a time and an interval',
  });
}

/** Waveforms that share rate and runs share a recording; empty ones are left out. */
export function groupExports(
  waves: ExportWave[],
  leftOut: { what: string; why: string }[],
): Recording[] {
  const groups: ExportWave[][] = [];
  for (const wave of waves) {
    if (wave.samples === 0) {
      leftOut.push({ what: labelOf(wave.section), why: "the waveform holds no samples" });
      continue;
    }
    const group = groups.find(([first]) => alike(first, wave));
    if (group) group.push(wave);
    else groups.push([wave]);
  }
  const names = recordingNames(groups.map(([{ rate, section }]) => ({
    rate,
    number: section.number,
    title: section.title,
  })));
  return groups.map((group, i): Recording => ({
    name: names[i],
    channels: group.map(({ section }) => ({
      name: section.title || `channel_${section.number}`,
      units: section.units,
      gain: 1,
      offset: 0,
      attributes: sectionAttributes(section),
    })),
    samplingFrequency: group[0].rate,
    sampleCount: group[0].samples,
    segments: group[0].segments,
    rawType: "float64",
    parts: group.map(({ section }, k) => ({
      firstChannel: k,
      channelCount: 1,
      layout: { kind: "stream", stream: streamName(section), field: FIELD },
    })),
  }));
}

function alike(a: ExportWave, b: ExportWave): boolean {
  return a.rate === b.rate && a.samples === b.samples &&
    a.segments.length === b.segments.length &&
    a.segments.every((segment, i) =>
      segment.length === b.segments[i].length && segment.startSeconds === b.segments[i].startSeconds
    );
}

/** What the file says of a channel beyond name and unit. */
export function sectionAttributes(section: ExportSection): Attributes {
  const { number, kind, title, comment, idealRate, summary } = section;
  const attributes: Attributes = { spike2_channel: number, kind, title, comment };
  if (Number.isFinite(idealRate)) attributes.ideal_rate = idealRate;
  if (summary && Number.isFinite(summary.scale)) attributes.scale = summary.scale;
  if (summary && Number.isFinite(summary.offset)) attributes.offset = summary.offset;
  return attributes;
}

const ONE_COLUMN: TableConfig = {
  encoding: "bytes",
  separator: "\t",
  quote: true,
  comments: [],
  columns: [{ kind: "number", decimal: "." }],
  timeFactor: { multiply: 1, divide: 1 },
  fromFirst: false,
};

/** A pass over a waveform's samples. @throws FuseError `Corrupt` for lines of several values */
export async function* readWave(
  source: ByteSource,
  wave: ExportWave,
  signal?: AbortSignal,
): AsyncGenerator<StreamBlock> {
  let strays = 0;
  for (const { start, end, lines } of wave.ranges) {
    const finish: { report?: TableReport } = {};
    const passes = parseTable(
      source,
      { from: start, to: end },
      ONE_COLUMN,
      (parser) => finish.report = parser.report(),
      signal,
    );
    for await (const parser of passes) {
      yield { field: FIELD, values: parser.numberColumn(0), count: parser.rows };
    }
    const { report } = finish;
    if (report && (report.rows !== lines || report.longRows > 0)) {
      throw new FuseError("Corrupt", `${labelOf(wave.section)}: not one sample a line`, {
        source: source.name,
        offset: start,
        found: `${report.rows} lines, ${report.longRows} of several values`,
        expected: `${lines} samples`,
      });
    }
    strays += report?.strayCells ?? 0;
  }
  if (strays > 0) {
    const text = `${labelOf(wave.section)}: ${strays} samples are no numbers; they became NaN`;
    yield { field: WARNINGS, values: [text], count: 1 };
  }
}
