/**
 * Containers that say nothing about time series (HDF5, MAT): their variables, and what is made of them.
 * A reader fills in {@link VariableTree}; {@link findRecordings} of `map.ts` says which of them are signals.
 */
import type { Attributes, EventTable, Json } from "../../src/model/dataset.ts";
import type { DType, NumericArray } from "../../src/model/dtype.ts";
import type { Segment } from "../../src/model/layout.ts";

/** An array of the container. */
export interface Variable {
  /** Names of the groups and of the array, joined by "/". */
  path: string;
  /** Elements along each axis, in the order the container's own programs show. */
  shape: number[];
  /** Element type; "string" for texts. */
  dtype: DType;
  /** Attributes of the array. */
  attributes: Attributes;
  /** Names of the axes where the container has such (dimension scales): paths of other variables, or "". */
  axes?: string[];
  /** True when its values can be had as chunks of one layout, so that it may become a signal. */
  streamable: boolean;
  /** All values, flattened; asked of small arrays only. */
  values(): Promise<NumericArray | string[]>;
  /** Values `from .. from + count` of an array with one long axis. */
  slice(from: number, count: number): Promise<NumericArray>;
  /** Values at `index` of one axis of a matrix, where they can be had alone. */
  column?(axis: number, index: number): Promise<NumericArray>;
}

/** What a container holds. */
export interface VariableTree {
  /** All arrays, in the order of the container. */
  variables: Variable[];
  /** Attributes of groups by path; "" is the root. */
  groups: Map<string, Attributes>;
  /** Number of the first channel in names that are made up; 0 when absent. */
  firstNumber?: 0 | 1;
  /** Set where nothing was sure enough to be a recording: what came near. */
  unmapped?: Json;
  /** True when samples of different types may stand in one recording. */
  mixedTypes?: boolean;
}

/** An array that becomes channels of a recording. */
export interface MappedSignal {
  /** The variable. */
  variable: Variable;
  /** Axis of the channels; null when the array is one channel. */
  channelAxis: number | null;
  /** Axis of the samples. */
  timeAxis: number;
  /** Name of each channel. */
  names: string[];
  /** Unit of each channel; "" where none is stated. */
  units: string[];
  /** `physical = stored * gain + offset`. */
  gain: number;
  offset: number;
  /** Index of the first channel in the recording. */
  firstChannel: number;
  /** Sample of the recording at which the array begins. */
  startSample: number;
}

/** Arrays that belong together as one recording. */
export interface MappedRecording {
  name: string;
  signals: MappedSignal[];
  channelCount: number;
  sampleCount: number;
  /** Hz; null when it is not known. */
  samplingFrequency: number | null;
  segments: Segment[];
  /** Samples of one sweep, where the arrays are equal sweeps. */
  sweepLength?: number;
  /** Vector of times, with what turns its values into seconds and the value that is second 0. */
  time?: {
    variable: Variable;
    secondsPerUnit: number;
    zero: number | bigint;
    /** The column of a matrix that holds them, with its values. */
    column?: { axis: number; index: number; values: NumericArray };
  };
  /** True when nothing says when samples were taken. */
  timeGenerated: boolean;
  /** Attributes of the stored recording. */
  attributes: Attributes;
  /** How sure, 0 to 100 and more, and why. */
  score: number;
  why: string[];
}

/** What was made of a container. */
export interface Mapping {
  recordings: MappedRecording[];
  /** Paths of variables that are wholly in the recordings. */
  used: Set<string>;
  /** Event tables that a descriptor names. */
  events?: EventTable[];
  /** ISO 8601, when the container tells. */
  startTime?: string;
  warnings: string[];
  /** What was chosen and why, and what came near: for the provenance of the output. */
  explanation: Json;
  /** The known shape it is of, as descriptors call it. */
  layout?: string;
}

/** Last segment of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Path of the group a variable is in; "" for the root. */
export function groupOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "" : path.slice(0, at);
}

/** A group and all groups around it, innermost first. */
export function groupsAround(path: string): string[] {
  const groups = [path];
  while (path !== "") groups.push(path = groupOf(path));
  return groups;
}

/** Elements in all. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
