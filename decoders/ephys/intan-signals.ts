/**
 * What Intan's words mean: units and scales per kind of signal, names, and the attributes of channels,
 * recordings and digital lines.
 *
 * Scales are those of Intan's "Data File Formats" application notes for RHD2000, RHS2000 and RHX.
 */
import type {
  Attributes,
  Channel,
  ChannelPart,
  DatasetMetadata,
  DigitalLines,
  Json,
  Recording,
} from "../../src/model/dataset.ts";
import type { DType } from "../../src/model/dtype.ts";
import type { Segment } from "../../src/model/layout.ts";
import type { IntanChannel, IntanHeader } from "./intan-model.ts";

/** `physical = raw * gain + offset` in `units`. */
export interface Scale {
  units: string;
  gain: number;
  offset: number;
}

/** A word counted from a middle value: `(raw - middle) * gain`. */
function around(middle: number, gain: number, units: string): Scale {
  return { units, gain, offset: middle === 0 ? 0 : -middle * gain };
}

/** Amplifier samples as signed numbers (offset-binary words with their top bit inverted). */
export const AMPLIFIER: Scale = around(0, 0.195, "uV");
/** Auxiliary inputs of RHD chips. */
export const AUXILIARY: Scale = around(0, 37.4e-6, "V");
/** Auxiliary words that were written as signed numbers into `amplifier.dat`. */
export const AUXILIARY_SIGNED: Scale = around(-32_768, 37.4e-6, "V");
/** Supply voltage of RHD chips. */
export const SUPPLY: Scale = around(0, 74.8e-6, "V");
/** Temperature sensors, hundredths of a degree. */
export const TEMPERATURE: Scale = around(0, 0.01, "degC");
/** Low-gain amplifiers of RHS chips, ten bits around 512; the sign is Intan's own. */
export const DC_AMPLIFIER: Scale = around(512, -0.01923, "V");
/** Analog outputs of the stimulation controller. */
export const ANALOG_OUT: Scale = around(32_768, 312.5e-6, "V");

/** Board modes whose analog inputs reach from -10.24 to 10.24 V. */
const WIDE_MODES = [13, 14, 15];

/**
 * Scale of the controller's analog inputs, by its board mode.
 * @returns the scale, and whether the mode is one that the documents name
 */
export function analogInScale(header: IntanHeader): { scale: Scale; known: boolean } {
  if (header.rhs || WIDE_MODES.includes(header.boardMode)) {
    return { scale: around(32_768, 312.5e-6, "V"), known: true };
  }
  if (header.boardMode === 1) return { scale: around(32_768, 152.59e-6, "V"), known: true };
  return { scale: around(0, 50.354e-6, "V"), known: header.boardMode === 0 };
}

/** Scale of stimulation currents: the header's step; plain steps where it gives none. */
export function stimulationScale(header: IntanHeader): { scale: Scale; known: boolean } {
  const gain = header.stimulation?.stepAmperes ?? NaN;
  const known = Number.isFinite(gain) && gain > 0;
  return { scale: known ? around(0, gain, "A") : around(0, 1, ""), known };
}

/** What is doubtful about the scales of the signals a header lists. */
export function scaleWarnings(header: IntanHeader): string[] {
  const has = (kind: IntanChannel["kind"]) =>
    header.channels.some((c) => c.enabled && c.kind === kind);
  const warnings: string[] = [];
  if (!analogInScale(header).known && has("analog_in")) {
    warnings.push(
      `board mode ${header.boardMode} is not one Intan describes: analog inputs are scaled as in mode 0`,
    );
  }
  if (header.rhs && !stimulationScale(header).known && has("amplifier")) {
    warnings.push("the header gives no stimulation step size: currents are in steps");
  }
  return warnings;
}

/** Current of the low byte of a stimulation word, whose sign is bit 8. */
export const STIMULATION_CURRENT = { magnitudeBits: 8, signBit: 8 };
/** Flags of a stimulation word. */
export const STIMULATION_FLAGS = [
  { bit: 13, name: "amp settle" },
  { bit: 14, name: "charge recovery" },
  { bit: 15, name: "compliance limit" },
];

/** Attributes of an array of stimulation words, in the words of the CF conventions for flags. */
export function stimulationWordAttributes(channel: IntanChannel, header: IntanHeader): Attributes {
  return {
    channel_name: nameOf(channel),
    native_name: channel.nativeName,
    flag_masks: [0x00ff, 0x0100, 0x2000, 0x4000, 0x8000],
    flag_meanings: "magnitude negative amp_settle charge_recovery compliance_limit",
    stim_step_size: finite(header.stimulation?.stepAmperes),
    stim_step_size_units: "A",
  };
}

/** A number as JSON can hold it. */
function finite(value: number | undefined): Json {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** The user's name of a channel; the hardware's where there is none. */
export function nameOf(channel: IntanChannel): string {
  return channel.customName || channel.nativeName;
}

/** What the header knows of a channel beyond its name. */
export function channelAttributes(channel: IntanChannel): Attributes {
  const amplifier: Attributes = channel.kind !== "amplifier" ? {} : {
    electrode_impedance_magnitude: finite(channel.impedanceOhms),
    electrode_impedance_phase: finite(channel.impedancePhaseDegrees),
    spike_trigger_mode: channel.spikeTrigger.mode,
    spike_trigger_threshold: channel.spikeTrigger.thresholdMicrovolts,
    spike_trigger_line: channel.spikeTrigger.line,
    spike_trigger_polarity: channel.spikeTrigger.polarity,
  };
  return {
    native_name: channel.nativeName,
    native_order: channel.nativeOrder,
    custom_order: channel.customOrder,
    signal_group: channel.groupName,
    port: channel.groupPrefix,
    chip_channel: channel.chipChannel,
    board_stream: channel.boardStream,
    ...(channel.commandStream === undefined ? {} : { command_stream: channel.commandStream }),
    ...amplifier,
  };
}

/** Channels of a recording in `scale`. */
export function scaledChannels(channels: IntanChannel[], scale: Scale): Channel[] {
  return channels.map((c) => ({
    name: nameOf(c),
    ...scale,
    attributes: channelAttributes(c),
  }));
}

/** Everything a recording needs beside its channels. */
export interface Stream {
  name: string;
  rawType: DType;
  samplingFrequency: number;
  sampleCount: number;
  segments: Segment[];
  parts: ChannelPart[];
  attributes?: Attributes;
}

/** A recording of a stream's channels. */
export function recordingOf(stream: Stream, channels: Channel[]): Recording {
  return { ...stream, channels };
}

/** Filters and reference of the amplifiers. */
export function amplifierAttributes(header: IntanHeader): Attributes {
  return {
    lower_bandwidth_hz: finite(header.actualLowerBandwidth),
    ...(header.rhs ? { lower_settle_bandwidth_hz: finite(header.actualLowerSettleBandwidth) } : {}),
    upper_bandwidth_hz: finite(header.actualUpperBandwidth),
    dsp_highpass_enabled: header.dspEnabled,
    dsp_highpass_hz: finite(header.actualDspCutoff),
    notch_filter_hz: notchHertz(header),
    // Before version 3 the notch filter was for the screen only and is not in the samples.
    notch_filter_applied: header.notchMode > 0 && header.major >= 3,
    ...(header.reference ? { reference_channel: header.reference } : {}),
    electrode_impedance_units: "ohm, degrees",
  };
}

function notchHertz(header: IntanHeader): Json {
  return header.notchMode === 1 ? 50 : header.notchMode === 2 ? 60 : null;
}

/** Digital lines of words, one edge table a line; the bit is the line's native order. */
export function digitalLines(
  array: string,
  channels: IntanChannel[],
  samplingFrequency: number,
  segments: Segment[],
  bitOf: (channel: IntanChannel) => number = (c) => c.nativeOrder,
): DigitalLines {
  return {
    array,
    samplingFrequency,
    segments,
    lines: channels.map((c) => ({
      bit: bitOf(c),
      name: nameOf(c),
      attributes: channelAttributes(c),
    })),
  };
}

/** Channels of digital lines: levels 0 and 1, without a unit. */
export function levelChannels(channels: IntanChannel[]): Channel[] {
  return scaledChannels(channels, { units: "", gain: 1, offset: 0 });
}

/** The three flags of a channel's stimulation words. */
export function stimulationLines(
  array: string,
  channel: IntanChannel,
  samplingFrequency: number,
  segments: Segment[],
): DigitalLines {
  return {
    array,
    samplingFrequency,
    segments,
    lines: STIMULATION_FLAGS.map(({ bit, name }) => ({
      bit,
      name: `${channel.nativeName} ${name}`,
      attributes: { channel_name: nameOf(channel), native_name: channel.nativeName, flag: name },
    })),
  };
}

/** Path of the words of one channel's stimulation: native names are unique, the user's may not be. */
export function stimulationWordsPath(channel: IntanChannel): string {
  return `stimulation/words/${pathSegment(channel.nativeName)}`;
}

/** A native name as one segment of a path. */
export function pathSegment(name: string): string {
  return name.replace(/[^\w.-]+/g, "_").replace(/^[_.]+/, "") || "unnamed";
}

/** The way a recording lies in files. */
export type IntanLayout = "traditional" | "one file per signal type" | "one file per channel";

/** Dataset metadata of a header, under the names of Intan's documents. */
export function metadataOf(
  header: IntanHeader,
  layout: IntanLayout,
  started?: { zero: string; stamp: string },
): DatasetMetadata {
  const notes = header.notes.filter((n) => n !== "").join("\n");
  const s = header.stimulation;
  const disabled = header.channels.filter((c) => !c.enabled).map((c) => c.nativeName);
  return {
    ...(started ? { startTime: started.zero } : {}),
    ...(notes ? { notes } : {}),
    header: {
      file_type: header.rhs ? "RHS" : "RHD",
      data_file_version: `${header.major}.${header.minor}`,
      layout,
      ...(started ? { time_stamp_of_file_name: started.stamp } : {}),
      sample_rate: header.sampleRate,
      samples_per_data_block: header.samplesPerBlock,
      dsp_enabled: header.dspEnabled,
      actual_dsp_cutoff_frequency: finite(header.actualDspCutoff),
      actual_lower_bandwidth: finite(header.actualLowerBandwidth),
      ...(header.rhs
        ? { actual_lower_settle_bandwidth: finite(header.actualLowerSettleBandwidth) }
        : {}),
      actual_upper_bandwidth: finite(header.actualUpperBandwidth),
      desired_dsp_cutoff_frequency: finite(header.desiredDspCutoff),
      desired_lower_bandwidth: finite(header.desiredLowerBandwidth),
      ...(header.rhs
        ? { desired_lower_settle_bandwidth: finite(header.desiredLowerSettleBandwidth) }
        : {}),
      desired_upper_bandwidth: finite(header.desiredUpperBandwidth),
      notch_filter_mode: header.notchMode,
      notch_filter_frequency: notchHertz(header),
      desired_impedance_test_frequency: finite(header.desiredImpedanceTestFrequency),
      actual_impedance_test_frequency: finite(header.actualImpedanceTestFrequency),
      ...(s
        ? {
          amp_settle_mode: s.ampSettleMode,
          charge_recovery_mode: s.chargeRecoveryMode,
          stim_step_size: finite(s.stepAmperes),
          recovery_current_limit: finite(s.recoveryCurrentLimitAmperes),
          recovery_target_voltage: finite(s.recoveryTargetVolts),
          dc_amplifier_data_saved: header.dcSaved,
        }
        : { num_temp_sensor_channels: header.temperatureSensors }),
      board_mode: header.boardMode,
      ...(header.reference === undefined ? {} : { reference_channel: header.reference }),
      note1: header.notes[0],
      note2: header.notes[1],
      note3: header.notes[2],
      signal_groups: header.groups.map((g): Json => ({
        name: g.name,
        prefix: g.prefix,
        enabled: g.enabled,
        channels: g.channelCount,
        amplifier_channels: g.amplifierCount,
      })),
      disabled_channels: disabled,
    },
  };
}

/**
 * The moment Intan's programs put into a file's or folder's name (`name_YYMMDD_HHMMSS`), local time
 * without a zone, and the moment of the counter's zero that follows from it.
 * @param firstSeconds time of the first sample on the recording's clock; negative before a trigger
 */
export function nameStamp(
  name: string,
  firstSeconds: number,
): { zero: string; stamp: string } | undefined {
  const m = /_(\d\d)(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)(?:\.\w+)?$/.exec(name);
  if (!m) return undefined;
  const [year, month, day, hour, minute, second] = m.slice(1).map(Number);
  const at = Date.UTC(2000 + year, month - 1, day, hour, minute, second);
  const stamp = isoOf(at);
  const wanted = `20${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6]}`;
  if (stamp !== wanted) return undefined;
  // Later files of a series go on counting from the first one's start.
  return { stamp, zero: isoOf(at - 1000 * Math.max(0, Math.round(firstSeconds))) };
}

function isoOf(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 19);
}
