/** Waveform channels of either SON filing system as recordings. */
import type { Attributes, Channel, Recording } from "../../src/model/dataset.ts";
import type { FrameTable, Segment } from "../../src/model/layout.ts";
import { rateOf, secondsOf, type Spike2Clock } from "./spike2-clock.ts";
import { label, type SonChannel, STEPS_PER_VOLT } from "./spike2-model.ts";

/** A waveform channel with what its blocks tell. */
export interface Wave {
  channel: SonChannel;
  /** Ticks from sample to sample. */
  divide: number;
  samples: number;
  /** Run starts: index of the first sample, and its tick. */
  startIndex: number[];
  startTick: number[];
  /** Frames of one sample each. */
  table: FrameTable;
}

/** What the recordings of a file consist of. */
export interface Waves {
  recordings: Recording[];
  frameTables: FrameTable[];
  leftOut: { what: string; why: string }[];
}

/** How the samples of a file are stored, and its clock. */
export interface WaveContext {
  clock: Spike2Clock;
  littleEndian: boolean;
  /** Takes what was doubtful or repaired. */
  warnings: string[];
}

/**
 * Groups waveform channels that share interval, kind, length and pauses into recordings; the others
 * become recordings of their own, and those without samples are left out.
 */
export function groupWaves(waves: Wave[], context: WaveContext): Waves {
  const leftOut: Waves["leftOut"] = [];
  const groups: Wave[][] = [];
  for (const wave of waves) {
    if (wave.samples === 0) {
      leftOut.push({ what: label(wave.channel), why: "the waveform holds no samples" });
      continue;
    }
    const group = groups.find(([first]) => alike(first, wave));
    if (group) group.push(wave);
    else groups.push([wave]);
  }
  const names = recordingNames(groups.map(([{ divide, channel }]) => ({
    rate: rateOf(context.clock, divide),
    number: channel.number,
    title: channel.title,
  })));
  const frameTables: FrameTable[] = [];
  const recordings = groups.map((group, i) => recordingOf(names[i], group, frameTables, context));
  return { recordings, frameTables, leftOut };
}

function alike(a: Wave, b: Wave): boolean {
  return a.channel.kind === b.channel.kind && a.divide === b.divide && a.samples === b.samples &&
    a.startTick.length === b.startTick.length &&
    a.startTick.every((tick, i) => tick === b.startTick[i] && a.startIndex[i] === b.startIndex[i]);
}

/** "waveforms" for one group; else by rate, and by first channel where a rate occurs twice. */
export function recordingNames(
  groups: { rate: number; number: number; title: string }[],
): string[] {
  if (groups.length === 1) return ["waveforms"];
  const byRate = groups.map(({ rate }) => `waveform_${Number(rate.toPrecision(7))}hz`);
  const used = new Set<string>();
  return groups.map(({ number, title }, i) => {
    let name = byRate[i];
    if (byRate.filter((other) => other === name).length > 1) {
      const plain = title.replace(/[^A-Za-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
      name += `_${plain || `channel_${number}`}`;
    }
    if (used.has(name.toLowerCase())) name += `_${number}`;
    used.add(name.toLowerCase());
    return name;
  });
}

function recordingOf(
  name: string,
  group: Wave[],
  frameTables: FrameTable[],
  { clock, littleEndian, warnings }: WaveContext,
): Recording {
  const [first] = group;
  const segments: Segment[] = first.startIndex.map((startIndex, i) => ({
    startIndex,
    length: (first.startIndex[i + 1] ?? first.samples) - startIndex,
    startSeconds: secondsOf(clock, first.startTick[i]),
  }));
  const adc = first.channel.kind === "Adc";
  return {
    name,
    channels: group.map((wave) => channelOf(wave.channel, warnings)),
    samplingFrequency: rateOf(clock, first.divide),
    sampleCount: first.samples,
    segments,
    rawType: adc ? "int16" : "float32",
    parts: group.map((wave, i) => ({
      firstChannel: i,
      channelCount: 1,
      layout: {
        kind: "frames",
        table: frameTables.push(wave.table) - 1,
        stored: adc ? "int16" : "float32",
        littleEndian,
        samplesPerFrame: 1,
        channelOffsets: [0],
        sampleStride: wave.table.frameBytes,
      },
    })),
  };
}

function channelOf(channel: SonChannel, warnings: string[]): Channel {
  let gain = 1, offset = 0;
  if (channel.kind === "Adc") {
    gain = channel.scale / STEPS_PER_VOLT;
    offset = channel.offset;
    if (!Number.isFinite(gain) || !Number.isFinite(offset)) {
      warnings.push(`${label(channel)}: scale or offset is not a number; raw values are kept`);
      gain = 1;
      offset = 0;
    }
  }
  return {
    name: channel.title || `channel_${channel.number}`,
    units: channel.units,
    gain,
    offset,
    attributes: channelAttributes(channel),
  };
}

/** What the channel table says of a channel beyond name, unit and calibration. */
export function channelAttributes(channel: SonChannel): Attributes {
  const attributes: Attributes = {
    spike2_channel: channel.number,
    kind: channel.kind,
    title: channel.title,
    comment: channel.comment,
    physical_port: channel.port,
  };
  if (Number.isFinite(channel.idealRate)) attributes.ideal_rate = channel.idealRate;
  if (Number.isFinite(channel.minimum) && Number.isFinite(channel.maximum)) {
    attributes.expected_range = [channel.minimum, channel.maximum];
  }
  return attributes;
}
