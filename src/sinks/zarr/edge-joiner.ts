/** Joins the edges that tasks found in their share of digital words into `events/<line>/`. */
import type { Segment } from "../../model/layout.ts";
import type { Plan } from "../../plan/plan.ts";
import type { FinalShape, TaskResult } from "../../pool/task-result.ts";
import type { Target } from "../targets/target.ts";
import type { ChunkEncoder } from "./chunk-encoder.ts";
import { GrowingArray } from "./growing-array.ts";

interface Line {
  time: GrowingArray;
  label: GrowingArray;
}

/** Time in seconds of a sample, by the segment it lies in. */
export function sampleTime(segments: Segment[], samplingFrequency: number, sample: number): number {
  let low = 0, high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (segments[middle].startIndex <= sample) low = middle;
    else high = middle - 1;
  }
  const segment = segments[low];
  if (!segment) return sample / samplingFrequency;
  return segment.startSeconds + (sample - segment.startIndex) / samplingFrequency;
}

/** Takes results in task order and appends their edges. */
export class EdgeJoiner {
  readonly #lines = new Map<string, Line>();
  /** Word at the end of the task before, per digital group. */
  readonly #last = new Map<number, number>();

  constructor(readonly plan: Plan, target: Target, encoder: ChunkEncoder) {
    plan.arrays.forEach((array, index) => {
      const { origin } = array;
      if (origin.kind !== "edges") return;
      const words = plan.arrays[origin.words].path;
      const digital = plan.digital.findIndex((d) =>
        d.array === words && d.lines.some((l) => l.bit === origin.bit)
      );
      const key = `${digital}/${origin.bit}`;
      const line = this.#lines.get(key) ?? {} as Line;
      line[origin.field] = new GrowingArray(plan, index, target, encoder);
      this.#lines.set(key, line);
    });
  }

  /** Results must come in the order of their tasks. */
  take(result: TaskResult): void {
    for (const { digital, firstSample, first, last } of result.bounds) {
      const before = this.#last.get(digital);
      const group = this.plan.digital[digital];
      for (const { bit } of group.lines) {
        const level = (first >>> bit) & 1;
        // The first word of the recording sets the level; from then on a difference is an edge.
        if (before === undefined) this.#initialLevel(digital, bit, level);
        else if (((before >>> bit) & 1) !== level) {
          this.#append(digital, bit, [firstSample], [level]);
        }
      }
      for (const run of result.edges) {
        if (run.digital === digital) this.#append(digital, run.bit, run.samples, run.levels);
      }
      this.#last.set(digital, last);
    }
  }

  #initialLevel(digital: number, bit: number, level: number): void {
    const { array } = this.#lines.get(`${digital}/${bit}`)!.time;
    const path = array.path.replace(/\/time$/, "");
    const group = this.plan.groups.find((g) => g.path === path);
    if (group) group.attributes.initial_level = level;
  }

  #append(
    digital: number,
    bit: number,
    samples: ArrayLike<number>,
    levels: ArrayLike<number>,
  ): void {
    const line = this.#lines.get(`${digital}/${bit}`);
    if (!line || samples.length === 0) return;
    const { segments, samplingFrequency } = this.plan.digital[digital];
    line.time.append(Float64Array.from(samples, (s) => sampleTime(segments, samplingFrequency, s)));
    line.label.append(Array.from(levels, (l) => (l ? "rise" : "fall")));
  }

  finish(): FinalShape[] {
    return [...this.#lines.values()].flatMap((l) => [l.time.finish(), l.label.finish()]);
  }
}
