/** Dataset -> Plan: names the groups and arrays of the store, sizes them, and cuts the work into tasks. */
import type { Attributes, Dataset, NamedArray } from "../model/dataset.ts";
import { sizeOf } from "../model/dtype.ts";
import type { Provenance } from "./attributes.ts";
import { PlanBuilder, type PlanOptions } from "./builder.ts";
import { planEvents } from "./event-tables.ts";
import { FrameGroups } from "./frame-groups.ts";
import { planGrid } from "./grids.ts";
import { planImages } from "./images.ts";
import { UniqueNames } from "./names.ts";
import type { Plan } from "./plan.ts";
import { planRecording } from "./recordings.ts";

export type { PlanOptions } from "./builder.ts";

/** The plan of a dataset's conversion. */
export function buildPlan(dataset: Dataset, options: PlanOptions, provenance: Provenance): Plan {
  const builder = new PlanBuilder(dataset, options, provenance);
  const names = new UniqueNames();
  for (const reserved of ["events", "source", "OME"]) names.take(reserved);
  const frames = new FrameGroups(builder);
  const single = dataset.recordings.length === 1;
  for (const recording of dataset.recordings) {
    const prefix = single ? "" : `${names.take(recording.name, "recording")}/`;
    planRecording(builder, frames, recording, prefix);
  }
  for (const { path, attributes } of dataset.groups ?? []) builder.group(path, attributes);
  for (const array of dataset.arrays) planNamedArray(builder, frames, array);
  planEvents(builder, dataset);
  frames.finish();
  planStreams(builder);
  planImages(builder, dataset);
  builder.plan.taskMemoryBytes = Math.max(
    builder.plan.taskMemoryBytes,
    ...builder.plan.arrays.map(
      (a) => 2 * a.chunks.reduce((n, s) => n * s, a.dtype === "string" ? 1 : sizeOf(a.dtype)),
    ),
  );
  return builder.plan;
}

function planNamedArray(builder: PlanBuilder, frames: FrameGroups, array: NamedArray): void {
  const attributes: Attributes = {
    ...array.attributes,
    ...(array.units ? { units: array.units } : {}),
  };
  const { layout, path, dtype, dims, shape } = array;
  if (layout.kind === "frames") {
    const index = builder.array({
      path,
      dtype,
      dims,
      shape,
      chunks: [1],
      shards: null,
      attributes,
      compressor: builder.dataset.digital.some((d) => d.array === path)
        ? builder.runsCompressor
        : builder.compressor,
      origin: {
        kind: "signals",
        parts: [{ firstChannel: 0, channelCount: layout.channelOffsets.length, layout }],
      },
    });
    frames.add(index);
  } else if (layout.kind === "chunks") {
    const whole = shape as number[];
    const permutation = array.permutation ?? whole.map((_, i) => i);
    const stored = whole.map(() => 0);
    permutation.forEach((from, i) => stored[from] = whole[i]);
    planGrid(builder, { path, dtype, dims, shape, attributes }, dtype, [
      { layout, shape: stored, permutation, start: whole.map(() => 0) },
    ]);
  } else {
    builder.rows(path, dtype, dims, shape, layout, attributes);
  }
}

/** One task set per stream, feeding every array that draws on it. */
function planStreams(builder: PlanBuilder): void {
  const streams = new Map<string, number[]>();
  builder.plan.arrays.forEach((array, index) => {
    const layouts = array.origin.kind === "stream"
      ? [array.origin]
      : array.origin.kind === "signals"
      ? array.origin.parts.map((p) => p.layout).filter((l) => l.kind === "stream")
      : [];
    for (const { stream } of layouts) {
      const list = streams.get(stream) ?? [];
      if (!list.includes(index)) list.push(index);
      streams.set(stream, list);
    }
  });
  for (const [stream, arrays] of streams) {
    builder.plan.tasks.push({ kind: "stream", stream, arrays, count: 1 });
  }
}
