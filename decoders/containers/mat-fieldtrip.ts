/** FieldTrip raw data: a struct of trials `[channels x samples]`, each with its times. */
import type { Segment } from "../../src/model/layout.ts";
import { rateOfTimes } from "../mapping/time-vectors.ts";
import {
  type CellNode,
  elementsOf,
  type MatNode,
  numberOf,
  numbersOf,
  type NumericNode,
  textsOf,
} from "./mat-model.ts";
import type { PassPiece } from "./mat-passes.ts";
import {
  channel,
  commonType,
  framePart,
  isReal,
  markUsed,
  type MatBuild,
  type MatCandidate,
  matrixOf,
  matrixParts,
  streamPart,
  timeAxis,
  vectorValues,
} from "./mat-recordings.ts";

/** Recognises raw data among the fields of a scope. */
export function fieldTripCandidate(
  scope: ReadonlyMap<string, MatNode>,
  name: string,
): MatCandidate | undefined {
  const trial = scope.get("trial"), time = scope.get("time");
  const labels = textsOf(scope.get("label"));
  if (trial?.kind !== "cell" || time?.kind !== "cell" || !labels?.length) return undefined;
  if (trial.items.length === 0 || trial.items.length !== time.items.length) return undefined;
  const fits = trial.items.every((t, i) =>
    isReal(t) && t.shape.length === 2 && t.shape[0] === labels.length &&
    isReal(time.items[i]) && elementsOf(time.items[i].shape) === t.shape[1]
  );
  if (!fits) return undefined;
  return {
    id: "fieldtrip",
    layout: "FieldTrip raw data",
    score: 95,
    why: [
      `${trial.items.length} trials of ${labels.length} channels, each with as many times as samples`,
    ],
    build: (build) => buildTrials(build, scope, name, trial, time, labels),
  };
}

async function buildTrials(
  build: MatBuild,
  scope: ReadonlyMap<string, MatNode>,
  name: string,
  trial: CellNode,
  time: CellNode,
  labels: string[],
): Promise<void> {
  const { dataset } = build;
  const trials = trial.items as NumericNode[], times = time.items as NumericNode[];
  const first = await vectorValues(build, times[0]);
  const stated = numberOf(scope.get("fsample"));
  const rate = stated && stated > 0 ? stated : first ? rateOfTimes(first) : null;
  const channels = labels.length;
  const name_ = name || "data";
  const base = {
    name: name_,
    channels: labels.map((label) => channel(label)),
    samplingFrequency: rate,
  };
  const rawType = commonType(trials);
  markUsed(build, trials, trials.length > 1);
  if (trials.length === 1) {
    const matrix = matrixOf(trials[0], 1);
    const { parts } = matrixParts(build, name_, [matrix]);
    const startSeconds = first?.[0] ?? 0;
    dataset.recordings.push({
      ...base,
      sampleCount: matrix.samples,
      segments: [{ startIndex: 0, length: matrix.samples, startSeconds }],
      rawType,
      parts,
      time: timeAxis(build, name_, times[0], first, 1),
    });
    return;
  }
  const pieces = trials.map((node): PassPiece => ({
    node,
    first: 0,
    count: elementsOf(node.shape),
  }));
  const part = framePart(build, 0, channels, pieces) ??
    streamPart(build, name_, 0, channels, rawType, pieces);
  const info = sampleInfo(scope.get("sampleinfo"), trials.length);
  const segments: Segment[] = [], zero: number[] = [];
  let startIndex = 0, end = 0;
  const step = 1 / (rate ?? 1);
  for (let i = 0; i < trials.length; i++) {
    const [, length] = trials[i].shape;
    const [begin = 0] = await vectorValues(build, times[i]) ?? [];
    zero.push(begin);
    const startSeconds = info ? (info[i] - 1) * step : i === 0 || begin < end ? end : begin;
    segments.push({ startIndex, length, startSeconds });
    startIndex += length;
    end = startSeconds + length * step;
  }
  if (!info) {
    dataset.warnings.push(
      "trials have no sampleinfo: where their times overlap they are put end to end",
    );
  }
  dataset.metadata.sweepMode = "trials";
  dataset.recordings.push({
    ...base,
    sampleCount: startIndex,
    segments,
    rawType,
    parts: [part],
    attributes: { trial_first_time: zero },
  });
}

/** First samples of the trials in the recording they were cut from, from 1; undefined where they overlap. */
function sampleInfo(node: MatNode | undefined, trials: number): number[] | undefined {
  const values = numbersOf(node);
  if (!values || node!.shape[0] !== trials || values.length < 2 * trials) return undefined;
  const starts = values.slice(0, trials), ends = values.slice(trials, 2 * trials);
  const apart = starts.every((s, i) => s >= 1 && (i === 0 || s > ends[i - 1]));
  return apart ? starts : undefined;
}
