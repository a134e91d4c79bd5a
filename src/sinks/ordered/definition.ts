/** Which tables a plan gives, and where the values of their columns come from. */
import { FuseError } from "../../errors.ts";
import type { Channel, Dataset } from "../../model/dataset.ts";
import { type DType, integerBits } from "../../model/dtype.ts";
import type { ClockLayout, FrameLayout } from "../../model/layout.ts";
import type { Plan, PlannedArray, SignalPart } from "../../plan/plan.ts";
import { packingOf, productType } from "../../plan/calibration.ts";
import { columnType } from "./feed.ts";
import type { ColumnValues, TableColumn, TableHead } from "./table.ts";

/** Where consecutive columns come from. */
export type FeedSource =
  /** Times made from segments. */
  | { kind: "clock"; clock: ClockLayout }
  /** Chunks of array `array` of the plan, which the tasks give; a column a channel. */
  | { kind: "frames"; array: number; samplesPerFrame: number }
  /** Field `field` of stream `stream`: `[channel, rows]`, or `[row, ...inner]`. */
  | {
    kind: "stream";
    stream: string;
    field: string;
    channels: boolean;
    /** Channels of a block that are wanted; all when absent. */
    rows?: number[];
    dtype: DType;
    calibration?: SignalPart["calibration"];
  }
  /** Array `array` of the plan, which is written to chunk files first and read back by rows. */
  | { kind: "stored"; array: number }
  | {
    kind: "values";
    values: ColumnValues;
    dtype: DType;
    calibration?: SignalPart["calibration"];
  };

/** A table with its feeds; the columns of the feeds are those of the head, in order. */
export interface TableDefinition {
  head: TableHead;
  kind: "recording" | "events";
  feeds: { source: FeedSource; width: number }[];
}

/** How tables are made. */
export interface TableOptions {
  /** Give recordings a column of times. */
  time: boolean;
  /**
   * `scaled`: columns of raw integers carry their scale, for a sink that multiplies by itself;
   * `physical`: they are multiplied out; `raw`: they stay as they are.
   */
  values: "scaled" | "physical" | "raw";
}

/** Every table of a plan: recordings first (their arrays come first in the plan), then tables of events. */
export function tablesOf(plan: Plan, dataset: Dataset, options: TableOptions): TableDefinition[] {
  const tables: TableDefinition[] = [];
  const signals = plan.arrays.flatMap((a, i) =>
    a.dims.slice(-2).join() === "channel,time" && /(^|\/)signals$/.test(a.path) ? [i] : []
  );
  dataset.recordings.forEach((recording, i) => {
    // Sweeps are no rows of a table: whoever wants rows has them planned one after the other.
    if (recording.channels.length === 0 || plan.arrays[signals[i]].dims.length !== 2) return;
    tables.push(recordingTable(plan, signals[i], recording.channels, options));
  });
  for (const group of plan.groups) {
    const match = /^events\/[^/]+$/.exec(group.path);
    if (!match) continue;
    const table = eventTable(plan, group.path, options.values);
    if (table) tables.push(table);
  }
  return tables;
}

function groupAttributes(plan: Plan, path: string): TableHead["attributes"] {
  return path === "" ? {} : plan.groups.find((g) => g.path === path)?.attributes ?? {};
}

/** Names that are told apart, also by readers that do not mind upper and lower case. */
class ColumnNames {
  readonly #taken = new Set<string>();

  take(name: string): string {
    const base = name.trim() === "" ? "unnamed" : name;
    let candidate = base;
    for (let n = 2; this.#taken.has(candidate.toLowerCase()); n++) candidate = `${base}_${n}`;
    this.#taken.add(candidate.toLowerCase());
    return candidate;
  }
}

function recordingTable(
  plan: Plan,
  index: number,
  channels: Channel[],
  options: TableOptions,
): TableDefinition {
  const array = plan.arrays[index];
  const folder = array.path.replace(/\/?signals$/, "");
  const names = new ColumnNames();
  const columns: TableColumn[] = [];
  const feeds: TableDefinition["feeds"] = [];
  const time = plan.arrays.find((a) => a.path === (folder ? `${folder}/time` : "time"));
  if (options.time && time) {
    columns.push(timeColumn(time, names));
    feeds.push({ source: timeSource(time), width: 1 });
  }
  const { origin } = array;
  const calibrations = origin.kind === "signals"
    ? origin.parts
    : origin.kind === "grid"
    ? origin.pieces
    : [];
  const raw = calibrations.every((p) => !p.calibration);
  for (const channel of channels) {
    columns.push(channelColumn(channel, array, names, raw, options.values === "scaled"));
  }
  feeds.push(...signalFeeds(array, index, channels.length));
  return {
    kind: "recording",
    head: {
      name: array.path,
      columns,
      rows: array.shape[1],
      attributes: groupAttributes(plan, folder),
      root: plan.groups[0].attributes,
    },
    feeds,
  };
}

function signalFeeds(
  { origin, dtype, path }: PlannedArray,
  index: number,
  channels: number,
): TableDefinition["feeds"] {
  if (origin.kind !== "signals") {
    return [{ source: { kind: "stored", array: index }, width: channels }];
  }
  const { parts } = origin;
  if (parts.every((p) => p.layout.kind === "frames")) {
    const { samplesPerFrame } = parts[0].layout as FrameLayout;
    return [{ source: { kind: "frames", array: index, samplesPerFrame }, width: channels }];
  }
  return parts.map(({ layout, channelCount, calibration }) => {
    if (layout.kind !== "stream") {
      throw new FuseError("Unsupported", "frames and streams in one recording", { array: path });
    }
    const { stream, field, rows } = layout;
    const type = columnType(dtype, path);
    return {
      source: { kind: "stream", stream, field, channels: true, rows, dtype: type, calibration },
      width: channelCount,
    };
  });
}

function timeColumn(time: PlannedArray, names: ColumnNames): TableColumn {
  const { units, ...attributes } = time.attributes;
  return {
    name: names.take("time"),
    // "1" says that the numbers only count samples.
    units: units === "s" ? "s" : "",
    dtype: "float64",
    role: "time",
    attributes,
  };
}

function timeSource(time: PlannedArray): FeedSource {
  const { origin } = time;
  if (origin.kind === "stream") return { ...origin, channels: false, dtype: "float64" };
  if (origin.kind === "values") return { kind: "values", values: origin.values, dtype: "float64" };
  return { kind: "clock", clock: origin as ClockLayout };
}

function channelColumn(
  channel: Channel,
  array: PlannedArray,
  names: ColumnNames,
  raw: boolean,
  scaled: boolean,
): TableColumn {
  const { name, units, gain, offset, attributes } = channel;
  const unity = gain === 1 && offset === 0;
  const own = names.take(name);
  // Integers that are not multiplied out are no physical values: their unit is that of the product.
  const kept = raw && !unity && !scaled;
  return {
    name: own,
    units: kept ? "" : units,
    dtype: columnType(array.dtype, array.path),
    role: "channel",
    ...(raw && scaled && !unity ? { scale: { gain, offset } } : {}),
    attributes: {
      ...(own === name ? {} : { channel_name: name }),
      ...(kept ? { gain, offset, physical_units: units } : {}),
      ...attributes,
    },
  };
}

/** The table of an event group; null for lines whose edges are only found on the way. */
function eventTable(
  plan: Plan,
  path: string,
  values: TableOptions["values"],
): TableDefinition | null {
  const arrays = plan.arrays.filter((a) =>
    a.path.startsWith(`${path}/`) && !a.path.slice(path.length + 1).includes("/")
  );
  if (arrays.length === 0 || arrays.some((a) => a.origin.kind === "edges")) return null;
  const names = new ColumnNames();
  const columns: TableColumn[] = [];
  const feeds: TableDefinition["feeds"] = [];
  for (const array of arrays) {
    const { origin, dtype, attributes } = array;
    if (origin.kind !== "stream" && origin.kind !== "values") return null;
    const name = array.path.slice(path.length + 1);
    const width = array.shape.slice(1).reduce<number>((n, s) => n * (s ?? 1), 1);
    if (width === 0) continue;
    const packing = values === "raw" ? null : packingOf(attributes);
    const { units, ...own } = attributes;
    const { scale_factor: _gain, add_offset: _offset, ...unpacked } = own;
    const stored = columnType(dtype, array.path);
    const out = packing && values === "physical"
      ? productType(integerBits(dtype as never), [packing])
      : stored;
    for (let k = 0; k < width; k++) {
      columns.push({
        name: names.take(array.shape.length === 1 ? name : `${name}_${k}`),
        units: typeof units === "string" ? units : "",
        dtype: out,
        role: name === "time" ? "time" : "field",
        ...(packing && values === "scaled" ? { scale: packing } : {}),
        attributes: packing ? unpacked : own,
      });
    }
    const calibration = out === stored || !packing ? undefined : {
      gain: new Float64Array(width).fill(packing.gain),
      offset: new Float64Array(width).fill(packing.offset),
    };
    feeds.push({
      source: origin.kind === "stream"
        ? { ...origin, channels: false, dtype: out, calibration }
        : { kind: "values", values: origin.values, dtype: out, calibration },
      width,
    });
  }
  return {
    kind: "events",
    head: {
      name: path,
      columns,
      rows: arrays[0].shape[0],
      attributes: groupAttributes(plan, path),
      root: plan.groups[0].attributes,
    },
    feeds,
  };
}
