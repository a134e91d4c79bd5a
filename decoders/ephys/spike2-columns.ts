/** Columns, attributes and names of event tables of either SON filing system. */
import type { Attributes } from "../../src/model/dataset.ts";
import type { DType, NumericArray } from "../../src/model/dtype.ts";
import { rateOf, type Spike2Clock } from "./spike2-clock.ts";
import { type SonChannel, type Spike2Kind, STEPS_PER_VOLT } from "./spike2-model.ts";
import { channelAttributes } from "./spike2-recordings.ts";

/** A column before it is known where its values are. */
export interface ColumnShape {
  name: string;
  dtype: DType;
  innerShape: number[];
  innerDims?: string[];
  units?: string;
  attributes?: Attributes;
}

/** The numbers attached to each marker: points of a WaveMark by traces, values of a RealMark by one. */
export interface Attached {
  rows: number;
  columns: number;
}

/** The columns of a channel's table; markers without codes (`coded` false) are bare times. */
export function columnsOf(
  channel: SonChannel,
  clock: Spike2Clock,
  coded: boolean,
  attached: Attached,
): ColumnShape[] {
  const columns: ColumnShape[] = [{ name: "time", dtype: "float64", innerShape: [], units: "s" }];
  const text = (name: string) => columns.push({ name, dtype: "string", innerShape: [] });
  if (channel.kind === "EventBoth") text("label");
  if (!coded) return columns;
  columns.push({ name: "code", dtype: "uint8", innerShape: [4], innerDims: ["code_layer"] });
  const values = attached.rows * attached.columns;
  switch (channel.kind) {
    case "Marker":
      text("label");
      text("character");
      break;
    case "TextMark":
      text("label");
      break;
    case "RealMark":
      if (values === 0) break;
      columns.push({
        name: "value",
        dtype: "float32",
        innerShape: [values],
        innerDims: ["item"],
        units: channel.units,
      });
      break;
    case "WaveMark":
      columns.push({ name: "unit", dtype: "uint8", innerShape: [] });
      if (values > 0) columns.push(waveformColumn(channel, clock, attached));
      break;
  }
  return columns;
}

function waveformColumn(channel: SonChannel, clock: Spike2Clock, attached: Attached): ColumnShape {
  const attributes: Attributes = {
    pre_trigger_samples: channel.preTrigger,
    time_of: "first sample",
  };
  if (channel.divide > 0) attributes.sampling_frequency = rateOf(clock, channel.divide);
  if (Number.isFinite(channel.scale) && Number.isFinite(channel.offset)) {
    attributes.scale_factor = channel.scale / STEPS_PER_VOLT;
    attributes.add_offset = channel.offset;
  }
  return {
    name: "waveform",
    dtype: "int16",
    innerShape: [attached.rows, attached.columns],
    innerDims: ["sample", "trace"],
    units: channel.units,
    attributes,
  };
}

/** Attributes of a channel's table; `initialLow`: the level before the first event of an EventBoth. */
export function tableAttributes(
  channel: SonChannel,
  clock: Spike2Clock,
  initialLow?: boolean,
): Attributes {
  const attributes = channelAttributes(channel);
  if (channel.units) attributes.units = channel.units;
  if (channel.kind === "EventFall") attributes.edge = "falling";
  if (channel.kind === "EventRise") attributes.edge = "rising";
  if (initialLow !== undefined) attributes.initial_level = initialLow ? "low" : "high";
  if (channel.kind === "WaveMark" && channel.divide > 0) {
    attributes.sampling_frequency = rateOf(clock, channel.divide);
    attributes.pre_trigger_samples = channel.preTrigger;
  }
  return attributes;
}

/**
 * Values of the columns that come from codes (four a marker) and attached numbers, little-endian and
 * without padding.
 */
export function markValues(
  kind: Spike2Kind,
  codes: Uint8Array,
  attached: ArrayBuffer,
): Record<string, NumericArray | string[]> {
  const n = codes.length / 4;
  const first = (i: number) => codes[i * 4];
  const values: Record<string, NumericArray | string[]> = { code: codes };
  switch (kind) {
    case "Marker":
      values.label = Array.from({ length: n }, (_, i) => String(first(i)));
      values.character = Array.from({ length: n }, (_, i) => printable(first(i)));
      break;
    case "WaveMark":
      values.unit = Uint8Array.from({ length: n }, (_, i) => first(i));
      values.waveform = new Int16Array(attached);
      break;
    case "RealMark":
      values.value = new Float32Array(attached);
      break;
  }
  return values;
}

/** The character of a key as Spike2 records it; "" for codes that are none. */
function printable(code: number): string {
  return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "";
}

/** A name per channel: its title, with the channel number where titles repeat or are missing. */
export function tableNames(channels: Pick<SonChannel, "number" | "title">[]): string[] {
  const plain = channels.map((channel) =>
    // deno-lint-ignore no-control-regex
    channel.title.replace(/[\/\\\x00-\x1f\x7f]+/g, "_").replace(/^\.+/, "_")
  );
  const key = (name: string) => name.toLowerCase();
  const taken = new Set(plain.map(key));
  return plain.map((name, i) => {
    const { number } = channels[i];
    const repeated = plain.filter((other) => key(other) === key(name)).length > 1;
    if (name !== "" && !repeated) return name;
    let full = name === "" ? `channel_${number}` : `${name}_${number}`;
    while (taken.has(key(full))) full += "_";
    taken.add(key(full));
    return full;
  });
}
