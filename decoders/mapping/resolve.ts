/** A descriptor laid over the arrays of a container: the recordings and events it names. */
import type { Attributes, EventTable } from "../../src/model/dataset.ts";
import { timeFactor } from "../tables/csv-units.ts";
import type { ArrayMapping, ArrayRecording, Reference } from "./descriptor-types.ts";
import { findScale, findStart, findUnits, readMoment, secondsBetween } from "./evidence.ts";
import { columnVector } from "./column-times.ts";
import { type Captures, isSignal, Lookup } from "./lookup.ts";
import { finish, isEpoch } from "./map.ts";
import { missing } from "./near.ts";
import { agree, filled, type Match, matchesOf } from "./patterns.ts";
import { sweepsInTurn } from "./sweeps.ts";
import { eventsOf } from "./resolve-events.ts";
import { readTimeVector, type TimeVector } from "./time-vectors.ts";
import {
  groupOf,
  type MappedRecording,
  type MappedSignal,
  type Mapping,
  nameOf,
  sizeOf,
  type Variable,
  type VariableTree,
} from "./variables.ts";

/**
 * The recordings and events a descriptor names.
 * @throws FuseError `Usage` that names what is not there, with what is near.
 */
export async function resolveMapping(
  tree: VariableTree,
  mapping: ArrayMapping,
  source: string,
): Promise<Mapping> {
  const resolver = new Resolver(tree, source);
  const plans = (mapping.recordings ?? []).flatMap((spec, i) =>
    resolver.takesOf(spec, `recordings[${i}]`)
  );
  const moments = plans.flatMap((p) => p.takes.flatMap((t) => t.moment ?? []));
  moments.sort((a, b) => secondsBetween(b, a));
  const recordings: MappedRecording[] = [];
  for (const plan of plans) recordings.push(...await resolver.recordingsOf(plan, moments[0]));
  const events: EventTable[] = [];
  for (const [i, spec] of (mapping.events ?? []).entries()) {
    events.push(...await eventsOf(resolver.lookup, spec, `events[${i}]`));
  }
  const start = moments[0]?.iso ?? resolver.startTime();
  const found = finish(recordings, "descriptor", start, [], resolver.warnings);
  return { ...found, events };
}

/** One recording to be: its arrays, in turn where they follow each other in time. */
interface Plan {
  spec: ArrayRecording;
  field: string;
  captures: Captures;
  takes: {
    moment?: NonNullable<ReturnType<typeof readMoment>>;
    group: string;
    matches: Match[][];
  }[];
}

class Resolver {
  readonly warnings: string[] = [];
  readonly #times: TimeVector[] = [];

  readonly lookup: Lookup;

  constructor(readonly tree: VariableTree, readonly source: string) {
    this.lookup = new Lookup(tree, source);
  }

  /** The arrays of a recording: one plan for each set of values its `{names}` take. */
  takesOf(spec: ArrayRecording, field: string): Plan[] {
    const signals = spec.signals.map((signal, i) => {
      const matches = matchesOf(signal.variable, this.tree.variables);
      const fit = matches.filter(({ variable }) => isSignal(variable));
      if (fit.length || spec.optional) return fit;
      const place = { source: this.source, field: `${field}.signals[${i}].variable` };
      if (matches.length === 0) throw missing("array", signal.variable, this.lookup.paths, place);
      const [{ variable }] = matches;
      throw this.lookup.wrong(
        "the array cannot be a signal",
        place.field,
        `${variable.path}: ${variable.dtype} of ${variable.shape.join(" x ")}`,
      );
    });
    const plans = new Map<string, Plan>();
    for (const match of signals.flat()) {
      const own = [...match.captures].filter(([name]) => name !== spec.segments_by);
      const key = JSON.stringify(own);
      if (!plans.has(key)) plans.set(key, { spec, field, captures: new Map(own), takes: [] });
    }
    for (const plan of plans.values()) {
      const mine = signals.map((all) => all.filter((m) => agree(m.captures, plan.captures)));
      if (mine.some((all) => all.length === 0)) {
        if (spec.optional) continue;
        const i = mine.findIndex((all) => all.length === 0);
        throw missing("array", filled(spec.signals[i].variable, plan.captures), this.lookup.paths, {
          source: this.source,
          field: `${field}.signals[${i}].variable`,
        });
      }
      plan.takes = this.#segments(spec, field, mine);
    }
    return [...plans.values()].filter((p) => p.takes.length > 0);
  }

  #segments(spec: ArrayRecording, field: string, mine: Match[][]): Plan["takes"] {
    const by = spec.segments_by;
    const groupPath = (m: Match) => groupOf(m.variable.path);
    if (spec.sweeps) {
      const count = mine[0].length;
      if (mine.some((all) => all.length !== count)) {
        throw this.lookup.wrong(
          "signals have different numbers of sweeps",
          field,
          mine.map((all) => all.length).join(" and "),
        );
      }
      return Array.from({ length: count }, (_, i) => ({
        group: groupPath(mine[0][i]),
        matches: mine.map((all) => [all[i]]),
      }));
    }
    if (by === undefined) return [{ group: groupPath(mine[0][0]), matches: mine }];
    const values = [...new Set(mine.flat().map((m) => m.captures.get(by)))];
    const takes = values.map((value) => {
      const moment = value === undefined ? undefined : readMoment(value);
      if (!moment) {
        throw this.lookup.wrong(`{${by}} is no moment`, `${field}.segments_by`, value, "ISO 8601");
      }
      const matches = mine.map((all) => all.filter((m) => m.captures.get(by) === value));
      const lacking = matches.findIndex((all) => all.length === 0);
      if (lacking >= 0) {
        throw this.lookup.wrong(
          "an array is not in every segment",
          `${field}.signals[${lacking}]`,
          value,
        );
      }
      return { moment, group: groupPath(matches[0][0]), matches };
    });
    return takes.sort((a, b) => secondsBetween(b.moment, a.moment));
  }

  /** The recordings of a plan: one, or one for each type of samples where these cannot be mixed. */
  async recordingsOf(plan: Plan, start: Plan["takes"][0]["moment"]): Promise<MappedRecording[]> {
    const types = this.tree.mixedTypes
      ? [undefined]
      : [...new Set(plan.takes.flatMap((t) => t.matches.flat().map((m) => m.variable.dtype)))];
    const recordings: MappedRecording[] = [];
    for (const type of types) {
      const made = await this.#recording(plan, start, type);
      recordings.push(types.length > 1 ? { ...made, name: `${made.name}_${type}` } : made);
    }
    return recordings;
  }

  async #recording(
    plan: Plan,
    start: Plan["takes"][0]["moment"],
    type: string | undefined,
  ): Promise<MappedRecording> {
    const { spec, field, captures, takes } = plan;
    const signals: MappedSignal[] = [];
    const lengths: number[] = [];
    let startSample = 0, channelCount = 0;
    const vector = await this.#timeVector(spec, captures, field);
    for (const { matches } of takes) {
      let firstChannel = 0, length: number | undefined;
      for (const [i, all] of matches.entries()) {
        for (const { variable } of all) {
          if (type !== undefined && variable.dtype !== type) continue;
          const signal = await this.#signal(spec, i, variable, captures, vector?.length, field);
          const samples = variable.shape[signal.timeAxis];
          if (length !== undefined && samples !== length) {
            throw this.lookup.wrong(
              "arrays of one recording have different lengths",
              `${field}.signals[${i}]`,
              `${samples} samples in ${variable.path}`,
              `${length}, as before it`,
            );
          }
          length = samples;
          signals.push({ ...signal, firstChannel, startSample });
          firstChannel += signal.names.length;
        }
      }
      if (channelCount && firstChannel !== channelCount) {
        throw this.lookup.wrong(
          "segments have different channels",
          field,
          firstChannel,
          channelCount,
        );
      }
      channelCount = firstChannel;
      lengths.push(length ?? 0);
      startSample += length ?? 0;
    }
    if (vector && vector.length !== startSample) {
      throw this.lookup.wrong(
        "the times are not as many as the samples",
        `${field}.time`,
        `${vector.length} times`,
        `${startSample} samples`,
      );
    }
    const clock = await this.#clock(spec, captures, vector, field);
    const indexOf = (i: number) => lengths.slice(0, i).reduce((a, b) => a + b, 0);
    const inTurn = spec.segments_by !== undefined && clock.rate !== null;
    const paths = signals.map((s) => s.variable.path);
    const [first] = signals;
    return {
      name: this.#name(plan),
      signals,
      channelCount,
      sampleCount: startSample,
      samplingFrequency: clock.rate,
      segments: inTurn
        ? takes.map(({ moment }, i) => ({
          startIndex: indexOf(i),
          length: lengths[i],
          startSeconds: secondsBetween(start!, moment!),
        }))
        : spec.sweeps
        ? sweepsInTurn(takes.length, this.#equal(lengths, field), clock.rate)
        : [{ startIndex: 0, length: startSample, startSeconds: clock.start }],
      ...(spec.sweeps ? { sweepLength: lengths[0] } : {}),
      ...(vector
        ? {
          time: {
            variable: vector.variable,
            secondsPerUnit: vector.secondsPerUnit,
            zero: isEpoch(vector) ? vector.first : 0,
            ...(vector.column ? { column: vector.column } : {}),
          },
        }
        : {}),
      timeGenerated: clock.generated || spec.sweeps === true,
      attributes: {
        ...(spec.segments_by === undefined ? {} : {
          segment_groups: takes.map((t) => t.group),
          segment_starts: takes.map((t) => t.moment!.iso),
        }),
        ...await this.#attributes(spec, captures, field),
      },
      score: 100,
      why: [
        `the mapping names ${paths.length === 1 ? first.variable.path : `${paths.length} arrays`}`,
      ],
    };
  }

  #equal(lengths: number[], field: string): number {
    if (lengths.every((n) => n === lengths[0])) return lengths[0];
    const found = [...new Set(lengths)].slice(0, 6).join(", ");
    throw this.lookup.wrong("sweeps have different lengths", field, found);
  }

  async #signal(
    spec: ArrayRecording,
    index: number,
    variable: Variable,
    captures: Captures,
    times: number | undefined,
    field: string,
  ): Promise<MappedSignal> {
    const { names, units, time_axis, gain, offset } = spec.signals[index];
    const place = `${field}.signals[${index}]`;
    const { shape } = variable;
    const long = shape.flatMap((n, i) => (n > 1 ? [i] : []));
    if (time_axis !== undefined && time_axis >= shape.length) {
      throw this.lookup.wrong(
        "there is no such axis",
        `${place}.time_axis`,
        time_axis,
        shape.join(" x "),
      );
    }
    const fitting = long.filter((axis) => shape[axis] === times);
    const timeAxis = time_axis ?? fitting[0] ??
      long.toSorted((a, b) => shape[b] - shape[a])[0] ?? 0;
    const channelAxis = long.find((axis) => axis !== timeAxis) ?? null;
    const count = channelAxis === null ? 1 : shape[channelAxis];
    const own = nameOf(variable.path), number = this.tree.firstNumber ?? 0;
    const scale = findScale(variable);
    const list = await this.lookup.texts(names, captures, count, `${place}.names`);
    const unitList = typeof units === "string"
      ? new Array<string>(count).fill(units)
      : await this.lookup.texts(units, captures, count, `${place}.units`);
    return {
      variable,
      channelAxis,
      timeAxis,
      names: list ??
        (count === 1 ? [own] : Array.from({ length: count }, (_, i) => `${own}_${i + number}`)),
      units: unitList ?? findUnits(variable.attributes, count),
      gain: gain ?? (offset === undefined ? scale.gain : 1),
      offset: offset ?? (gain === undefined ? scale.offset : 0),
      firstChannel: 0,
      startSample: 0,
    };
  }

  #name({ spec, captures, takes }: Plan): string {
    if (spec.name !== undefined) return filled(spec.name, captures);
    const plain = (text: string) => text.trim().replace(/[/\s]+/g, "_");
    const paths = takes.flatMap((t) => t.matches.flat().map((m) => m.variable.path));
    const last = new Set(paths.map(nameOf));
    const own = last.size === 1 ? nameOf(paths[0]) : nameOf(groupOf(paths[0]));
    const parts = new Set([...captures.values(), own].map(plain).filter((t) => t !== ""));
    return [...parts].join("_") || "signals";
  }

  async #timeVector(
    { time }: ArrayRecording,
    captures: Captures,
    field: string,
  ): Promise<TimeVector | undefined> {
    if (!("variable" in time)) return undefined;
    const place = `${field}.time.variable`;
    const variable = this.lookup.one(time.variable, captures, place);
    const { column, unit: stated } = time;
    if (column !== undefined) {
      // Columns are along the shorter axis.
      const axis = variable.shape[1] <= variable.shape[0] ? 1 : 0;
      const found = variable.column && variable.shape.length === 2 && column < variable.shape[axis]
        ? await columnVector(variable, axis, column, stated ?? "")
        : undefined;
      if (found) return found;
      const size = variable.shape.join(" x ");
      throw this.lookup.wrong("the column holds no times", `${field}.time.column`, column, size);
    }
    const vector = await readTimeVector(variable, { unit: stated });
    if (vector) {
      this.#times.push(vector);
      return vector;
    }
    const length = sizeOf(variable.shape);
    if (!isSignal(variable) || variable.shape.filter((n) => n > 1).length > 1 || length < 1) {
      throw this.lookup.wrong(
        "the array holds no times",
        place,
        `${variable.path}: ${variable.dtype} of ${variable.shape.join(" x ")}`,
      );
    }
    this.warnings.push(`the times ${variable.path} do not ascend: they are kept as they are`);
    const { multiply, divide } = timeFactor(time.unit ?? "s")!;
    const [first] = await variable.slice(0, 1);
    const unit = time.unit ?? "s";
    return { variable, length, secondsPerUnit: multiply / divide, unit, assumed: false, first };
  }

  async #clock(
    { time, rate_hz }: ArrayRecording,
    captures: Captures,
    vector: TimeVector | undefined,
    field: string,
  ): Promise<{ rate: number | null; start: number; generated: boolean }> {
    if (vector) {
      const first = Number(vector.first) * vector.secondsPerUnit;
      const start = isEpoch(vector) || !Number.isFinite(first) ? 0 : first;
      return { rate: rate_hz ?? vector.step?.rateHz ?? null, start, generated: false };
    }
    if ("rate_hz" in time) {
      return { rate: time.rate_hz, start: time.start_s ?? 0, generated: false };
    }
    const stated = (reference: Reference, key: string) =>
      this.lookup.number(reference, captures, `${field}.time.${key}`);
    if ("rate" in time) {
      const factor = { Hz: 1, kHz: 1e3, MHz: 1e6 }[time.unit ?? "Hz"];
      return {
        rate: await stated(time.rate, "rate") * factor,
        start: time.start_s ?? 0,
        generated: false,
      };
    }
    if ("interval" in time) {
      const { multiply, divide } = timeFactor(time.unit ?? "s")!;
      const rate = divide / multiply / await stated(time.interval, "interval");
      const whole = Math.round(rate);
      return {
        rate: Math.abs(rate - whole) <= 1e-9 * rate ? whole : rate,
        start: time.start_s ?? 0,
        generated: false,
      };
    }
    return { rate: null, start: 0, generated: true };
  }

  async #attributes(spec: ArrayRecording, captures: Captures, field: string): Promise<Attributes> {
    const out: Attributes = {};
    for (const [name, pattern] of Object.entries(spec.attributes ?? {})) {
      const value = await this.lookup.value(
        { variable: pattern },
        captures,
        `${field}.attributes.${name}`,
      );
      out[name] = Array.isArray(value) && value.length === 1 ? value[0] : value;
    }
    return out;
  }

  /** When the recording started, as attributes or the times say. */
  startTime(): string | undefined {
    const stated = findStart(this.tree.groups.get("") ?? {});
    if (stated !== undefined) return stated;
    const since = this.#times.find((t) => t.since !== undefined)?.since;
    const moment = since === undefined ? undefined : readMoment(since.replace(/\s+UTC$/i, "Z"));
    const epoch = this.#times.find(isEpoch);
    return moment?.iso ??
      (epoch && new Date(Number(epoch.first) * epoch.secondsPerUnit * 1000).toISOString());
  }
}
