/** One forward pass through a file that feeds every array drawing on it. */
import { FuseError } from "../errors.ts";
import type { Dataset, StreamBlock } from "../model/dataset.ts";
import type { NumericArray } from "../model/dtype.ts";
import type { Plan, SignalPart, TaskSet } from "../plan/plan.ts";
import type { TaskResult } from "../pool/task-result.ts";
import type { ChunkEncoder } from "../sinks/zarr/chunk-encoder.ts";
import { GrowingArray } from "../sinks/zarr/growing-array.ts";
import { pickRows } from "./pick-rows.ts";
import type { TaskTarget } from "../sinks/targets/open.ts";

/** Field under which a stream reports what it found doubtful on the way. */
export const WARNINGS_FIELD = "warnings";

interface Feed {
  growing: GrowingArray;
  index: number;
  calibration?: SignalPart["calibration"];
  /** Channels of a block that are wanted; all when absent. */
  rows?: number[];
}

/** Runs a stream's only task. */
export async function runStreamTask(
  plan: Plan,
  set: Extract<TaskSet, { kind: "stream" }>,
  dataset: Dataset,
  target: TaskTarget,
  encoder: ChunkEncoder,
  result: TaskResult,
): Promise<void> {
  if (!dataset.openStream) {
    throw new FuseError("Unsupported", "the reader has no stream", { found: set.stream });
  }
  const feeds = collectFeeds(plan, set, target, encoder);
  try {
    for await (const block of dataset.openStream(set.stream, {})) {
      if (block.field === WARNINGS_FIELD) {
        result.warnings.push(...(block.values as string[]));
        continue;
      }
      for (const feed of feeds.get(block.field) ?? []) {
        feed.growing.append(calibrated(pickRows(block, feed.rows), feed));
      }
      await target.drain?.();
    }
    result.bytesRead += plan.input.size ?? 0;
    for (const { growing, index } of [...feeds.values()].flat()) {
      const final = growing.finish();
      checkLength(plan, index, final.shape);
      result.shapes.push(final);
      result.bytesWritten += growing.bytesWritten;
      result.written.push(...growing.written);
    }
  } catch (error) {
    [...feeds.values()].flat().forEach((f) => f.growing.abort());
    throw error;
  }
}

function collectFeeds(
  plan: Plan,
  set: Extract<TaskSet, { kind: "stream" }>,
  target: TaskTarget,
  encoder: ChunkEncoder,
): Map<string, Feed[]> {
  const feeds = new Map<string, Feed[]>();
  const add = (field: string, feed: Feed) => feeds.set(field, [...(feeds.get(field) ?? []), feed]);
  for (const index of set.arrays) {
    const { origin } = plan.arrays[index];
    if (origin.kind === "stream") {
      add(origin.field, { growing: new GrowingArray(plan, index, target, encoder), index });
    } else if (origin.kind === "signals") {
      for (const { layout, firstChannel, channelCount, calibration } of origin.parts) {
        if (layout.kind !== "stream" || layout.stream !== set.stream) continue;
        const part = { rows: channelCount, firstRow: firstChannel, channels: true };
        const growing = new GrowingArray(plan, index, target, encoder, part);
        add(layout.field, { growing, index, calibration, rows: layout.rows });
      }
    }
  }
  return feeds;
}

/** Physical values of a block where the plan multiplies them out. */
function calibrated(block: StreamBlock, feed: Feed): NumericArray | string[] {
  const { values, count } = block;
  if (!feed.calibration || Array.isArray(values)) return values;
  const { gain, offset } = feed.calibration;
  const out = feed.growing.array.dtype === "float32"
    ? new Float32Array(values.length)
    : new Float64Array(values.length);
  for (let c = 0; c < gain.length; c++) {
    for (let i = c * count; i < (c + 1) * count; i++) {
      out[i] = Number(values[i]) * gain[c] + offset[c];
    }
  }
  return out;
}

/** A length the header promised must be the length the pass found. */
function checkLength(plan: Plan, index: number, shape: number[]): void {
  const { shape: promised, path } = plan.arrays[index];
  const axis = promised.findIndex((n, i) => n !== null && n !== shape[i]);
  if (axis < 0) return;
  throw new FuseError("Truncated", "the file holds fewer values than its header says", {
    source: plan.input.name,
    array: path,
    found: shape[axis],
    expected: promised[axis],
  });
}
