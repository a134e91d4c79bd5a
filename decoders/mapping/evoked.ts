/**
 * Evoked potentials, a group a trial: waveforms `w_...`, the stimulus levels and responses they belong to and
 * a threshold. The shape of SPARC dataset 391 (`EPs/date/region/trial/{w_..., w_Level, w_Response,
 * v_Threshold}`), exported from Igor Pro.
 */
import type { Attributes, Json } from "../../src/model/dataset.ts";
import { findRate, findUnits, type Neighbours } from "./evidence.ts";
import { groupOf, type MappedRecording, nameOf, type Variable } from "./variables.ts";

/** Recordings of such trials, a group each; empty when there are none. */
export async function findEvoked(
  variables: Variable[],
  groups: Map<string, Attributes>,
  neighbours: Neighbours,
): Promise<MappedRecording[]> {
  const trials = new Map<string, Variable[]>();
  for (const variable of variables) {
    const group = groupOf(variable.path);
    const list = trials.get(group);
    if (list) list.push(variable);
    else trials.set(group, [variable]);
  }
  const recordings: MappedRecording[] = [];
  for (const [group, all] of trials) {
    const named = (name: string) => all.find((v) => nameOf(v.path) === name);
    if (!named("w_Level") || !(named("w_Response") ?? named("v_Threshold"))) continue;
    const waves = all.filter((v) => {
      const name = nameOf(v.path);
      return name.startsWith("w_") && name !== "w_Level" && name !== "w_Response" && v.streamable &&
        v.shape.length === 1 && v.shape[0] > 1 && /^(?:u?int|float)/.test(v.dtype);
    });
    // Waves of one length and type are channels of one recording.
    const kinds = Map.groupBy(waves, (v) => `${v.shape[0]} ${v.dtype}`);
    let number = 0;
    for (const waves of kinds.values()) {
      const name = trialName(group) + (number++ ? `_${number}` : "");
      recordings.push(await trial(name, group, waves, all, groups, neighbours));
    }
  }
  return recordings;
}

/** "EPs/20200108/E1R2 /E1R2  001" -> "20200108_E1R2_001". */
function trialName(group: string): string {
  const parts = group.split("/").map((p) => p.trim().replace(/\s+/g, "_")).filter((p) => p !== "");
  if (/^eps?$/i.test(parts[0] ?? "")) parts.shift();
  const last = parts.length - 1;
  if (last > 0 && parts[last].startsWith(`${parts[last - 1]}_`)) parts.splice(last - 1, 1);
  return parts.join("_") || "trial";
}

async function trial(
  name: string,
  group: string,
  waves: Variable[],
  all: Variable[],
  groups: Map<string, Attributes>,
  neighbours: Neighbours,
): Promise<MappedRecording> {
  const [first] = waves;
  const [length] = first.shape;
  const rate = await findRate(first, groups, neighbours);
  const attributes: Attributes = { ...groups.get(group), source_group: group };
  for (
    const [key, of] of [["levels", "w_Level"], ["responses", "w_Response"], [
      "threshold",
      "v_Threshold",
    ]]
  ) {
    const variable = all.find((v) => nameOf(v.path) === of);
    if (!variable || variable.shape.some((n) => n > 10_000)) continue;
    const values = Array.from(await variable.values() as ArrayLike<number>, (v): Json => Number(v));
    attributes[key] = key === "threshold" && values.length === 1 ? values[0] : values;
  }
  return {
    name,
    signals: waves.map((variable, i) => ({
      variable,
      channelAxis: null,
      timeAxis: 0,
      names: [nameOf(variable.path)],
      units: findUnits(variable.attributes, 1),
      gain: 1,
      offset: 0,
      firstChannel: i,
      startSample: 0,
    })),
    channelCount: waves.length,
    sampleCount: length,
    samplingFrequency: rate?.value ?? null,
    segments: [{ startIndex: 0, length, startSeconds: 0 }],
    timeGenerated: rate === undefined,
    attributes,
    score: 100,
    why: [
      "waveforms beside w_Level, w_Response and v_Threshold are a trial of evoked potentials",
      ...(rate ? [`${rate.value} Hz by ${rate.where}`] : ["the file states no sampling rate"]),
    ],
  };
}
