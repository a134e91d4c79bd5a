/** The stimulus protocol of an ABF file as attributes: analog outputs, epochs, user lists. */
import type { Attributes, Json } from "../../src/model/dataset.ts";

/** Values of nEpochType. */
const EPOCHS = [
  "off",
  "step",
  "ramp",
  "pulse train",
  "triangle train",
  "cosine train",
  "resistance",
  "biphasic train",
];

/** Values of nWaveformSource. */
const SOURCES = ["none", "epochs", "file"];

/** Values of nULParamToVary (ABF help); epochs A to J follow from 11 on, ten for each. */
const PARAMETERS = [
  "number of conditioning pulses",
  "conditioning baseline duration",
  "conditioning baseline level",
  "conditioning step duration",
  "conditioning step level",
  "post-train duration",
  "post-train level",
  "sweep start to start",
  "inactive holding",
  "digital intersweep holding",
  "number of P/N pulses",
];

/** One epoch of an output's waveform. */
export interface AbfEpoch {
  number: number;
  type: number;
  level: number;
  levelIncrement: number;
  /** Samples, as are the following. */
  duration: number;
  durationIncrement: number;
  pulsePeriod: number;
  pulseWidth: number;
  digitalPattern?: number;
  digitalTrain?: number;
}

/** One analog output. */
export interface AbfOutput {
  number: number;
  name: string;
  units: string;
  holding: number;
  waveformEnabled: boolean;
  waveformSource: number;
  interSweepLevel: number;
  filePath: string;
  epochs: AbfEpoch[];
}

/** A list of values that a parameter takes from sweep to sweep. */
export interface AbfUserList {
  parameter: number;
  values: string;
  repeat: boolean;
}

/** Letter by which pCLAMP calls an epoch. */
function epochName(number: number): string {
  return number >= 0 && number < 26 ? String.fromCharCode(65 + number) : String(number);
}

function describeEpoch(epoch: AbfEpoch): Attributes {
  const train = epoch.type >= 3 && epoch.type !== 6;
  return {
    name: epochName(epoch.number),
    type: EPOCHS[epoch.type] ?? `type ${epoch.type}`,
    level: epoch.level,
    level_increment: epoch.levelIncrement,
    duration_samples: epoch.duration,
    duration_increment_samples: epoch.durationIncrement,
    ...(train
      ? { pulse_period_samples: epoch.pulsePeriod, pulse_width_samples: epoch.pulseWidth }
      : {}),
    ...(epoch.digitalPattern ? { digital_outputs: epoch.digitalPattern } : {}),
    ...(epoch.digitalTrain ? { digital_trains: epoch.digitalTrain } : {}),
  };
}

/** Outputs with a name, a holding level or a waveform; epochs that are off are left out. */
export function describeOutputs(outputs: AbfOutput[]): Json {
  return outputs.filter((o) => o.name || o.holding || o.waveformEnabled).map((output) => ({
    number: output.number,
    name: output.name,
    units: output.units,
    holding_level: output.holding,
    ...(output.waveformEnabled
      ? {
        waveform: SOURCES[output.waveformSource] ?? `source ${output.waveformSource}`,
        between_sweeps: output.interSweepLevel === 1 ? "last epoch's level" : "holding level",
        ...(output.waveformSource === 2 && output.filePath ? { file: output.filePath } : {}),
        ...(output.waveformSource === 1
          ? { epochs: output.epochs.filter((e) => e.type !== 0).map(describeEpoch) }
          : {}),
      }
      : {}),
  }));
}

/** What varies from sweep to sweep. */
export function describeUserLists(lists: AbfUserList[]): Json {
  return lists.map(({ parameter, values, repeat }) => ({
    parameter: parameterName(parameter),
    values,
    repeat,
  }));
}

function parameterName(parameter: number): string {
  if (PARAMETERS[parameter]) return PARAMETERS[parameter];
  const epoch = epochName((parameter - 11) % 10);
  if (parameter >= 11 && parameter <= 20) return `digital pattern of epoch ${epoch}`;
  if (parameter >= 21 && parameter <= 30) return `level of epoch ${epoch}`;
  if (parameter >= 31 && parameter <= 40) return `duration of epoch ${epoch}`;
  if (parameter >= 41 && parameter <= 50) return `pulse period of epoch ${epoch}`;
  if (parameter >= 51 && parameter <= 60) return `pulse width of epoch ${epoch}`;
  return `parameter ${parameter}`;
}

/** Attributes with those of no value taken out. */
export function known(fields: Record<string, Json | undefined>): Attributes {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) =>
      value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0)
    ),
  ) as Attributes;
}
