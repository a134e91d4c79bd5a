/** Reads NeuroExplorer files: continuous variables as recordings, all others as event tables. */
import { ensure } from "../../src/errors.ts";
import { type Dataset, emptyDataset, type Json } from "../../src/model/dataset.ts";
import { sizeOf } from "../../src/model/dtype.ts";
import { frameTable, type Segment } from "../../src/model/layout.ts";
import type { ByteSource } from "../../src/source/source.ts";
import type { OpenOptions, Reader } from "../format.ts";
import { type NexHeader, type NexVariable, readHeader } from "./neuroexplorer-header.ts";
import { stampsOf, tableOf, within } from "./neuroexplorer-tables.ts";
import { addTable, openPasses, type Passes, uniqueName } from "./record-tables.ts";

/** Samples by which a fragment may be early or late and still continue the one before it. */
const TOLERANCE_SAMPLES = 0.5;

/** Reader of .nex and .nex5 files. */
export const reader: Reader = { open };

async function open(source: ByteSource, { limits, signal }: OpenOptions): Promise<Dataset> {
  const header = await readHeader(source, limits, signal);
  const dataset = emptyDataset("neuroexplorer", [source]);
  const passes: Passes = new Map();
  const names = new Set<string>();
  const waves: Wave[] = [];
  for (const v of header.variables) {
    if (v.kind === "population_vector") {
      addWeights(dataset, v, names);
    } else if (v.kind === "continuous") {
      const wave = await readFragments(source, header, v, signal);
      if (v.points > 0) waves.push(wave);
      else dataset.leftOut.push({ what: `variable ${v.name}`, why: "it holds no samples" });
    } else {
      const table = await tableOf(source, header, v, uniqueName(v.name, names), signal);
      await addTable(dataset, passes, table, signal);
    }
  }
  addRecordings(dataset, waves);
  describe(dataset, header);
  dataset.openStream = openPasses("neuroexplorer", passes);
  return dataset;
}

/** Weights of a population vector: 64-bit floats, one for each of the file's neurons it weighs. */
function addWeights(dataset: Dataset, v: NexVariable, names: Set<string>): void {
  within(dataset.sources[0], v, 8 * v.count);
  if (!v.count) {
    dataset.leftOut.push({ what: `population vector ${v.name}`, why: "it holds no weights" });
    return;
  }
  const run = { source: 0, offset: v.offset, frameCount: v.count };
  dataset.arrays.push({
    path: `population_vectors/${uniqueName(v.name, names).replaceAll("/", "_")}`,
    dtype: "float64",
    dims: ["weight"],
    shape: [v.count],
    layout: {
      kind: "frames",
      table: dataset.frameTables.push(frameTable(8, [run])) - 1,
      stored: "float64",
      littleEndian: true,
      samplesPerFrame: 1,
      channelOffsets: [0],
      sampleStride: 8,
    },
    attributes: { variable: v.name },
  });
}

/** A continuous variable, the place of its samples, and its uninterrupted runs. */
interface Wave {
  variable: NexVariable;
  dataOffset: number;
  segments: Segment[];
}

async function readFragments(
  source: ByteSource,
  { frequency }: NexHeader,
  v: NexVariable,
  signal?: AbortSignal,
): Promise<Wave> {
  const { name } = source;
  const headBytes = v.count * (v.stampBytes + v.indexBytes);
  within(source, v, headBytes + v.points * sizeOf(v.sample));
  ensure(v.points === 0 || v.rate > 0 && Number.isFinite(v.rate), `variable ${v.name}: no rate`, {
    source: name,
    found: v.rate,
  });
  const bytes = await source.read(v.offset, headBytes, { purpose: "header", signal });
  const stamps = stampsOf(bytes, v.count, v.stampBytes);
  const starts = stampsOf(bytes.subarray(v.count * v.stampBytes), v.count, v.indexBytes);
  const segments: Segment[] = [];
  for (let i = 0; i < v.count; i++) {
    const end = i + 1 < v.count ? starts[i + 1] : v.points;
    ensure(
      starts[i] >= 0 && starts[i] <= end && end <= v.points && (i > 0 || starts[0] === 0),
      `the fragments of variable ${v.name} are out of order`,
      { source: name, offset: v.offset, found: `fragment ${i} from ${starts[i]} to ${end}` },
    );
    const length = end - starts[i];
    if (!length) continue;
    const startSeconds = stamps[i] / frequency;
    const last = segments.at(-1);
    const due = last ? last.startSeconds + last.length / v.rate : NaN;
    if (last && Math.abs(startSeconds - due) * v.rate <= TOLERANCE_SAMPLES) last.length += length;
    else segments.push({ startIndex: starts[i], length, startSeconds });
  }
  ensure(v.points === 0 || segments.length > 0, `variable ${v.name} has samples and no fragment`, {
    source: name,
    offset: v.offset,
  });
  return { variable: v, dataOffset: v.offset + headBytes, segments };
}

/** One recording for all variables of one clock. */
function addRecordings(dataset: Dataset, waves: Wave[]): void {
  const groups = new Map<string, Wave[]>();
  for (const wave of waves) {
    const { rate, points, sample } = wave.variable;
    const shape = wave.segments.map((s) => `${s.startIndex}@${s.startSeconds}`).join(" ");
    const key = `${rate} ${points} ${sample} ${shape}`;
    groups.set(key, [...groups.get(key) ?? [], wave]);
  }
  const names = new Set<string>();
  for (const group of groups.values()) {
    const { variable: { rate, points, sample, name }, segments } = group[0];
    dataset.recordings.push({
      name: uniqueName(
        groups.size === 1 ? "continuous" : group.length === 1 ? name : `continuous_${rate}hz`,
        names,
      ),
      channels: group.map(({ variable: v }) => ({
        name: v.name,
        units: v.units,
        gain: v.gain,
        offset: v.zero,
      })),
      samplingFrequency: rate,
      sampleCount: points,
      segments,
      rawType: sample,
      parts: group.map((wave, i) => ({
        firstChannel: i,
        channelCount: 1,
        layout: {
          kind: "frames",
          table: dataset.frameTables.push(
            frameTable(sizeOf(sample), [{
              source: 0,
              offset: wave.dataOffset,
              frameCount: points,
            }]),
          ) - 1,
          stored: sample,
          littleEndian: true,
          samplesPerFrame: 1,
          channelOffsets: [0],
          sampleStride: sizeOf(sample),
        },
      })),
    });
  }
}

function describe(dataset: Dataset, header: NexHeader): void {
  const { metadata } = dataset;
  metadata.modality = "electrophysiology";
  if (header.comment) metadata.notes = header.comment;
  metadata.header = {
    version: header.version,
    timestamp_frequency: header.frequency,
    begin_seconds: header.begin / header.frequency,
    end_seconds: header.end / header.frequency,
  };
  if (!header.metadata) return;
  try {
    metadata.header.metadata = JSON.parse(header.metadata) as Json;
  } catch {
    dataset.warnings.push("the metadata at the end of the file are not valid JSON; kept as text");
    metadata.header.metadata = header.metadata;
  }
}
