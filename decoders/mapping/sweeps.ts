/** Cells of equal arrays that follow each other: sweeps of one recording, as MATLAB programs keep them. */
import type { Attributes } from "../../src/model/dataset.ts";
import type { Neighbours } from "./evidence.ts";
import { type Candidate, judge } from "./signals.ts";
import type { TimeIndex } from "./time-vectors.ts";
import { groupOf, type MappedRecording, nameOf, type Variable } from "./variables.ts";

/** Names of cells that hold sweeps. */
const SWEEPS =
  /sweep|trial|episode|epoch|trace|wave|record|segment|data|signal|raw|e[ce]g|emg|eng|lfp|volt|current|^[viy]$/i;
/** Shortest sweep. */
const LEAST_SAMPLES = 16;

/** Recordings of such cells. */
export async function findSweeps(
  variables: readonly Variable[],
  times: TimeIndex,
  groups: Map<string, Attributes>,
  neighbours: Neighbours,
): Promise<MappedRecording[]> {
  const cells = Map.groupBy(
    variables.filter((v) => /^\d+$/.test(nameOf(v.path))),
    (v) => groupOf(v.path),
  );
  const recordings: MappedRecording[] = [];
  for (const [cell, members] of cells) {
    const [first] = members;
    const alike = members.length > 1 && SWEEPS.test(nameOf(cell)) &&
      members.every((v) =>
        v.streamable && v.dtype === first.dtype && v.shape.join() === first.shape.join()
      );
    // What speaks for a sweep lies beside the cell: rates, names, times.
    const candidate = alike
      ? await judge({ ...first, path: cell }, times, groups, neighbours)
      : null;
    const rate = candidate?.rate?.value ?? candidate?.time?.step?.rateHz;
    if (!candidate || !rate || first.shape[candidate.timeAxis] < LEAST_SAMPLES) continue;
    recordings.push(recordingOf(cell, members, candidate, rate));
  }
  return recordings;
}

function recordingOf(
  cell: string,
  members: readonly Variable[],
  candidate: Candidate,
  rate: number,
): MappedRecording {
  const { timeAxis, channelAxis, units, gain, offset } = candidate;
  const [first] = members;
  const length = first.shape[timeAxis];
  const channelCount = channelAxis === null ? 1 : first.shape[channelAxis];
  const own = nameOf(cell);
  const names = candidate.names?.value ??
    (channelCount === 1
      ? [own]
      : Array.from({ length: channelCount }, (_, i) => `${own}_${i + 1}`));
  return {
    name: cell.replaceAll("/", "_"),
    signals: members.map((variable, i) => ({
      variable,
      channelAxis,
      timeAxis,
      names,
      units,
      gain,
      offset,
      firstChannel: 0,
      startSample: i * length,
    })),
    channelCount,
    sampleCount: length * members.length,
    samplingFrequency: rate,
    segments: sweepsInTurn(members.length, length, rate),
    sweepLength: length,
    timeGenerated: true,
    attributes: {},
    score: 80,
    why: [
      `the cell ${cell} holds ${members.length} equal arrays`,
      ...candidate.why,
      "when each began is not in the file: they are laid one after the other",
    ],
  };
}

/** Sweeps of which nothing says when they began, one after the other. */
export function sweepsInTurn(
  count: number,
  length: number,
  rate: number | null,
): MappedRecording["segments"] {
  return Array.from({ length: count }, (_, i) => ({
    startIndex: i * length,
    length,
    startSeconds: rate === null ? i * length : i * length / rate,
  }));
}
