/** A descriptor that says what was found among the arrays of a container. */
import type { ArrayMapping, ArrayRecording } from "./descriptor-types.ts";
import { groupOf, type MappedRecording, type Mapping, nameOf } from "./variables.ts";

const UNITS: [
  NonNullable<Extract<ArrayRecording["time"], { variable: string }>["unit"]>,
  number,
][] = [
  ["s", 1],
  ["ms", 1e-3],
  ["us", 1e-6],
  ["ns", 1e-9],
  ["min", 60],
  ["h", 3600],
  ["d", 86_400],
];
/** Name of the part of a path that is a moment. */
const MOMENT = "moment";

/** The descriptor of a mapping; `layout`: the known export it is of. */
export function draftArrays(
  kind: "mat" | "hdf5",
  name: string,
  mapping: Mapping | undefined,
  layout?: string,
): ArrayMapping {
  const known = layout ?? mapping?.layout;
  return {
    name,
    kind,
    ...(mapping?.startTime === undefined ? {} : { start_time: mapping.startTime }),
    ...(known ? { layout: known } : { recordings: mapping?.recordings.map(recordingOf) ?? [] }),
  };
}

function recordingOf(recording: MappedRecording): ArrayRecording {
  const { name, signals, samplingFrequency: rate, segments, time, timeGenerated } = recording;
  const swept = recording.sweepLength !== undefined;
  const inTurn = recording.attributes.segment_starts !== undefined;
  const first = inTurn || swept ? signals.filter((s) => s.startSample === 0) : signals;
  return {
    name,
    signals: first.map(({ variable, names, units, timeAxis, gain, offset }) => ({
      variable: inTurn
        ? momentPattern(variable.path)
        : swept
        ? `${groupOf(variable.path)}/*`
        : variable.path,
      names,
      units,
      time_axis: timeAxis,
      gain,
      offset,
    })),
    time: time
      ? {
        variable: time.variable.path,
        unit: unitOf(time.secondsPerUnit),
        ...(time.column ? { column: time.column.index } : {}),
      }
      : rate === null || (timeGenerated && !swept)
      ? { index: true }
      : { rate_hz: rate, start_s: inTurn ? 0 : segments[0]?.startSeconds ?? 0 },
    ...(time && rate !== null ? { rate_hz: rate } : {}),
    ...(inTurn ? { segments_by: MOMENT } : {}),
    ...(swept ? { sweeps: true } : {}),
  };
}

/** "s1/2020-01-01T00:00:00/ecg" -> "s1/{moment}/ecg". */
function momentPattern(path: string): string {
  const parent = groupOf(groupOf(path));
  return `${parent === "" ? "" : `${parent}/`}{${MOMENT}}/${nameOf(path)}`;
}

function unitOf(secondsPerUnit: number): (typeof UNITS)[number][0] {
  return UNITS.find(([, s]) => Math.abs(s / secondsPerUnit - 1) < 1e-9)?.[0] ?? "s";
}
