/** Turns what the mapping found among MATLAB variables into recordings. */
import type { Attributes, Channel, ChannelPart, Recording } from "../../src/model/dataset.ts";
import { secondsOf } from "../mapping/time-vectors.ts";
import type { MappedRecording, MappedSignal, Mapping } from "../mapping/variables.ts";
import type { NumericNode } from "./mat-model.ts";
import type { PassPiece } from "./mat-passes.ts";
import {
  commonType,
  framePart,
  markUsed,
  type MatBuild,
  matrixOf,
  matrixParts,
  streamPart,
  timeAxis,
  vectorValues,
} from "./mat-recordings.ts";
import type { MatTree } from "./mat-tree.ts";

/** Adds the recordings of a mapping. */
export async function buildMapped(build: MatBuild, mapping: Mapping, tree: MatTree): Promise<void> {
  const { dataset } = build;
  for (const mapped of mapping.recordings) {
    dataset.recordings.push(await recordingOf(build, mapped, tree));
  }
  dataset.events.push(...mapping.events ?? []);
  dataset.warnings.push(...mapping.warnings);
  if (mapping.startTime !== undefined) dataset.metadata.startTime = mapping.startTime;
}

async function recordingOf(
  build: MatBuild,
  mapped: MappedRecording,
  { nodes }: MatTree,
): Promise<Recording> {
  const id = `${mapped.name} ${build.dataset.recordings.length}`;
  const nodeOf = (signal: MappedSignal) => nodes.get(signal.variable.path)!;
  const all = mapped.signals.map(nodeOf);
  const inTurn = mapped.signals.some((s) => s.startSample > 0);
  const { parts, rawType } = inTurn
    ? turns(build, id, mapped.signals, nodeOf)
    : matrixParts(build, id, mapped.signals.map((s) => matrixOf(nodeOf(s), axisOf(s))));
  markUsed(build, all, all.length > 1);
  const channels = new Array<Channel>(mapped.channelCount);
  for (const { names, units, gain, offset, firstChannel } of mapped.signals) {
    names.forEach((name, i) =>
      channels[firstChannel + i] = { name, units: units[i] ?? "", gain, offset }
    );
  }
  const attributes: Attributes = {
    ...mapped.attributes,
    source_arrays: [...new Set(mapped.signals.map((s) => s.variable.path))],
  };
  return {
    name: mapped.name,
    channels,
    samplingFrequency: mapped.samplingFrequency,
    sampleCount: mapped.sampleCount,
    segments: mapped.segments,
    rawType,
    parts,
    ...(mapped.time ? { time: await timeOf(build, id, mapped.time, nodes) } : {}),
    ...(mapped.timeGenerated ? { timeGenerated: true } : {}),
    attributes,
  };
}

/** The axis of the samples: of further axes than two, all have length 1. */
function axisOf(signal: MappedSignal): 0 | 1 {
  return signal.timeAxis === 0 ? 0 : 1;
}

/** Arrays that follow each other in time, as one pass a channel. */
function turns(
  build: MatBuild,
  id: string,
  signals: readonly MappedSignal[],
  nodeOf: (signal: MappedSignal) => NumericNode,
): { parts: ChannelPart[]; rawType: Recording["rawType"] } {
  const rawType = commonType(signals.map(nodeOf));
  const pieces = new Map<number, PassPiece[]>();
  for (const signal of signals.toSorted((a, b) => a.startSample - b.startSample)) {
    const node = nodeOf(signal);
    const { channels, samples, timeAxis } = matrixOf(node, axisOf(signal));
    for (let c = 0; c < channels; c++) {
      const own = pieces.get(signal.firstChannel + c) ?? [];
      // Sample by sample, a channel's values are apart: each is a run of one.
      if (timeAxis === 1 && channels > 1) {
        for (let i = 0; i < samples; i++) own.push({ node, first: i * channels + c, count: 1 });
      } else own.push({ node, first: c * samples, count: samples });
      pieces.set(signal.firstChannel + c, own);
    }
  }
  const channels = [...pieces].sort((a, b) => a[0] - b[0]);
  const framed = channels.length === 1 ? framePart(build, 0, 1, channels[0][1]) : undefined;
  const parts = framed
    ? [framed]
    : channels.map(([channel, own]) => streamPart(build, id, channel, 1, rawType, own));
  return { parts, rawType };
}

async function timeOf(
  build: MatBuild,
  id: string,
  { variable, secondsPerUnit, zero, column }: NonNullable<MappedRecording["time"]>,
  nodes: MatTree["nodes"],
): Promise<Recording["time"]> {
  if (column) return { kind: "values", values: secondsOf(column.values, secondsPerUnit, zero) };
  const node = nodes.get(variable.path)!;
  const values = await vectorValues(build, node);
  if (!values || (secondsPerUnit === 1 && Number(zero) === 0)) {
    return timeAxis(build, id, node, values, secondsPerUnit);
  }
  return { kind: "values", values: secondsOf(values, secondsPerUnit, zero) };
}
