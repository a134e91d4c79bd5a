/** Spike2's MATLAB export: a struct for each channel (CED, Spike2 "Export As, MATLAB data"). */
import { eventsFromValues, type EventTable } from "../../src/model/dataset.ts";
import type { NumericArray } from "../../src/model/dtype.ts";
import {
  elementsOf,
  fieldOf,
  type MatNode,
  numberOf,
  type NumericNode,
  textOf,
  textsOf,
} from "./mat-model.ts";
import {
  channel,
  isReal,
  markUsed,
  type MatBuild,
  type MatCandidate,
  matrixOf,
  matrixParts,
  vectorValues,
} from "./mat-recordings.ts";

/** A waveform channel. */
interface Wave {
  node: MatNode;
  values: NumericNode;
  interval: number;
  start: number;
}

/** Recognises the export among the variables of a file. */
export function spike2Candidate(scope: ReadonlyMap<string, MatNode>): MatCandidate | undefined {
  const waves: Wave[] = [], events: [string, MatNode][] = [];
  for (const [name, node] of scope) {
    if (fieldOf(node, "title")?.kind !== "char") continue;
    const values = fieldOf(node, "values"), interval = numberOf(fieldOf(node, "interval"));
    const times = fieldOf(node, "times");
    if (isReal(times) && fieldOf(node, "resolution")) events.push([name, node]);
    else if (isReal(values) && interval !== undefined && interval > 0) {
      waves.push({ node, values, interval, start: numberOf(fieldOf(node, "start")) ?? 0 });
    }
  }
  const count = waves.length + events.length;
  if (count === 0) return undefined;
  return {
    id: "spike2",
    layout: "Spike2 export",
    score: 92,
    why: [
      `${waves.length} structs with title, interval and values, ` +
      `${events.length} with title, resolution and times`,
    ],
    build: async (build) => {
      buildWaves(build, waves);
      for (const [name, node] of events) {
        build.dataset.events.push(await eventTable(build, name, node));
      }
    },
  };
}

function buildWaves(build: MatBuild, waves: Wave[]): void {
  const groups = new Map<string, Wave[]>();
  for (const wave of waves) {
    const { values, interval, start } = wave;
    const key = [interval, start, elementsOf(values.shape), values.real.dtype].join();
    groups.set(key, [...(groups.get(key) ?? []), wave]);
  }
  for (const members of groups.values()) {
    const [{ interval, start, values: { shape } }] = members;
    const rate = 1 / interval;
    const whole = Math.round(rate);
    const name = groups.size === 1
      ? "recording"
      : textOf(fieldOf(members[0].node, "title")) || "recording";
    const sampleCount = elementsOf(shape);
    const { parts, rawType } = matrixParts(
      build,
      `${name} ${build.dataset.recordings.length}`,
      members.map((m) => matrixOf({ ...m.values, shape: [sampleCount, 1] }, 0)),
    );
    markUsed(build, members.map((m) => m.values), members.length > 1);
    build.dataset.recordings.push({
      name,
      channels: members.map(({ node, values }) => {
        const own = channel(
          textOf(fieldOf(node, "title")) || node.name,
          textOf(fieldOf(node, "units")) ?? "",
        );
        // Exported as the converter's integers, values need the channel's scale.
        const raw = values.matlabClass === "int16";
        const gain = raw ? numberOf(fieldOf(node, "scale")) ?? 1 : 1;
        const offset = raw ? numberOf(fieldOf(node, "offset")) ?? 0 : 0;
        return { ...own, gain, offset };
      }),
      samplingFrequency: Math.abs(rate - whole) < 1e-9 * rate ? whole : rate,
      sampleCount,
      segments: [{ startIndex: 0, length: sampleCount, startSeconds: start }],
      rawType,
      parts,
    });
  }
}

async function eventTable(build: MatBuild, name: string, node: MatNode): Promise<EventTable> {
  const times = fieldOf(node, "times") as NumericNode;
  const time = await vectorValues(build, times) ?? new Float64Array(0);
  if (time.length < elementsOf(times.shape)) {
    build.dataset.warnings.push(`${name}: too many events for a table, they are kept in source`);
  } else if (times.real.dtype === "float64") build.used.add(times);
  const columns: Record<string, NumericArray | string[]> = {};
  const codes = fieldOf(node, "codes");
  const all = isReal(codes) ? await vectorValues(build, codes) : undefined;
  // Four codes an event, the first of which is the one in use.
  if (all && codes!.shape[0] === time.length) {
    columns.code = Int32Array.from(all.slice(0, time.length));
  }
  const texts = textsOf(fieldOf(node, "text"));
  if (texts?.length === time.length) columns.label = texts;
  const levels = fieldOf(node, "level");
  const level = isReal(levels) ? await vectorValues(build, levels) : undefined;
  if (level?.length === time.length && !columns.label) {
    columns.label = Array.from(level, (l) => (l ? "rise" : "fall"));
  }
  const title = textOf(fieldOf(node, "title")) || name;
  const table = eventsFromValues(title, time, columns, { channel: name });
  await addWaveforms(build, table, node, time.length);
  return table;
}

/** Shapes of sorted spikes: a row of `values` for each event. */
async function addWaveforms(
  build: MatBuild,
  table: EventTable,
  node: MatNode,
  count: number,
): Promise<void> {
  const values = fieldOf(node, "values");
  const [rows = 0, points = 0] = values?.shape ?? [];
  const numbers = isReal(values) ? await vectorValues(build, values) : undefined;
  if (!numbers || count === 0 || rows !== count || values!.shape.length !== 2) return;
  const waveform = new Float64Array(numbers.length);
  for (let e = 0; e < count; e++) {
    for (let p = 0; p < points; p++) waveform[e * points + p] = numbers[p * count + e];
  }
  const interval = numberOf(fieldOf(node, "interval"));
  table.columns.push({
    name: "waveform",
    dtype: "float64",
    units: textOf(fieldOf(node, "units")) || undefined,
    innerShape: [points],
    innerDims: ["sample"],
    layout: { kind: "values", values: waveform },
    attributes: interval ? { sampling_frequency: 1 / interval } : {},
  });
}
