/** Writes one object of a time axis, generated chunk by chunk from its segments. */
import type { ClockLayout } from "../model/layout.ts";
import type { Plan } from "../plan/plan.ts";
import type { TaskResult } from "../pool/task-result.ts";
import type { ChunkEncoder } from "../sinks/zarr/chunk-encoder.ts";
import { ObjectSet } from "../sinks/zarr/object-set.ts";
import type { TaskTarget } from "../sinks/targets/open.ts";

/** Fills `out` with the times of samples `first ..` of a clock. */
export function fillTimes(clock: ClockLayout, first: number, out: Float64Array): void {
  const { segments, samplingFrequency } = clock;
  let s = 0;
  while (s + 1 < segments.length && segments[s + 1].startIndex <= first) s++;
  for (let i = 0; i < out.length; i++) {
    const sample = first + i;
    while (s + 1 < segments.length && segments[s + 1].startIndex <= sample) s++;
    const segment = segments[s];
    out[i] = segment
      ? segment.startSeconds + (sample - segment.startIndex) / samplingFrequency
      : sample / samplingFrequency;
  }
}

/** Runs task `k` of a clock's task set. */
export function runClockTask(
  plan: Plan,
  index: number,
  k: number,
  target: TaskTarget,
  encoder: ChunkEncoder,
  result: TaskResult,
): void {
  const array = plan.arrays[index];
  const clock = array.origin as ClockLayout;
  const length = array.shape[0]!;
  const [chunk] = array.chunks;
  const span = (array.shards ?? array.chunks)[0];
  const objects = new ObjectSet(plan, array, target, encoder);
  const values = new Float64Array(chunk);
  for (let first = k * span; first < Math.min(length, (k + 1) * span); first += chunk) {
    const count = Math.min(chunk, length - first);
    fillTimes(clock, first, values.subarray(0, count));
    const encoded = encoder.encodeWith(
      chunk * 8,
      (bytes) => bytes.set(new Uint8Array(values.buffer, 0, count * 8)),
      8,
      array.compressor,
    );
    objects.put([first / chunk], encoded);
  }
  objects.close();
  result.bytesWritten += objects.bytesWritten;
  result.written.push(...objects.written);
}
