/** Waveform channels of a SON file (kinds Adc and RealWave) as recordings. */
import { FuseError } from "../../src/errors.ts";
import type { Attributes, Channel, Recording } from "../../src/model/dataset.ts";
import type { FrameTable, Segment } from "../../src/model/layout.ts";
import { BLOCK_HEAD_BYTES, type BlockList } from "./spike2-chains.ts";
import { rateOf, secondsOf, type Spike2Clock } from "./spike2-clock.ts";
import type { Spike2Channel, Spike2Header } from "./spike2-header.ts";

/** A waveform channel with what its blocks tell. */
interface Wave {
  channel: Spike2Channel;
  /** Ticks from sample to sample. */
  divide: number;
  samples: number;
  /** Run starts: index of the first sample, and its tick. */
  startIndex: number[];
  startTick: number[];
  table: FrameTable;
}

/** What the recordings of a file consist of. */
export interface Waves {
  recordings: Recording[];
  frameTables: FrameTable[];
  leftOut: { what: string; why: string }[];
}

/**
 * Groups waveform channels that share interval, kind, length and pauses into recordings; the others
 * become recordings of their own.
 * @throws FuseError `Truncated` when samples lie past the end of the file, `Corrupt` when a channel
 * has no sampling interval
 */
export function readWaves(
  header: Spike2Header,
  lists: BlockList[],
  source: string,
  size: number,
  warnings: string[],
): Waves {
  const leftOut: Waves["leftOut"] = [];
  const groups: Wave[][] = [];
  header.channels.forEach((channel, i) => {
    if (channel.kind !== "Adc" && channel.kind !== "RealWave") return;
    const samples = lists[i].total();
    if (samples === 0) {
      leftOut.push({ what: label(channel), why: "the waveform holds no samples" });
      return;
    }
    const wave = waveOf(header, channel, lists[i], samples, source, size, warnings);
    const group = groups.find(([first]) => alike(first, wave));
    if (group) group.push(wave);
    else groups.push([wave]);
  });
  const names = groupNames(groups, header.clock);
  const frameTables: FrameTable[] = [];
  const recordings = groups.map((group, i) =>
    recordingOf(header, names[i], group, frameTables, warnings)
  );
  return { recordings, frameTables, leftOut };
}

function waveOf(
  header: Spike2Header,
  channel: Spike2Channel,
  list: BlockList,
  samples: number,
  source: string,
  size: number,
  warnings: string[],
): Wave {
  const divide = intervalOf(header, channel, list, source, warnings);
  const frameBytes = channel.kind === "Adc" ? 2 : 4;
  let runs = 0;
  for (let i = 0; i < list.count; i++) if (list.items[i] > 0) runs++;
  const table: FrameTable = {
    frameBytes,
    source: new Uint16Array(runs),
    offset: new Float64Array(runs),
    firstFrame: new Float64Array(runs),
    frameCount: new Float64Array(runs),
  };
  const startIndex: number[] = [];
  const startTick: number[] = [];
  let frame = 0, run = 0, expected = NaN, overlaps = false;
  for (let i = 0; i < list.count; i++) {
    const items = list.items[i];
    if (items === 0) continue;
    const offset = list.offset[i] + BLOCK_HEAD_BYTES;
    const end = offset + items * frameBytes;
    if (end > size) {
      throw new FuseError("Truncated", `${label(channel)}: samples lie past the end of the file`, {
        source,
        offset,
        found: `${size} bytes`,
        expected: `${end} bytes`,
      });
    }
    const tick = list.startTick[i];
    if (tick !== expected) {
      startIndex.push(frame);
      startTick.push(tick);
      if (tick < expected) overlaps = true;
    }
    expected = tick + items * divide;
    table.offset[run] = offset;
    table.firstFrame[run] = frame;
    table.frameCount[run++] = items;
    frame += items;
  }
  if (overlaps) {
    warnings.push(`${label(channel)}: a run of samples begins before the one ahead of it ends`);
  }
  return { channel, divide, samples, startIndex, startTick, table };
}

/**
 * Ticks between samples as the channel table says; the times of a block must agree. Where the table
 * is known not to say it plainly (ids 1 and 2) or says nothing, the blocks decide.
 */
function intervalOf(
  header: Spike2Header,
  channel: Spike2Channel,
  list: BlockList,
  source: string,
  warnings: string[],
): number {
  let observed = 0;
  for (let i = 0; i < list.count && observed === 0; i++) {
    if (list.items[i] > 1) {
      observed = (list.endTick[i] - list.startTick[i]) / (list.items[i] - 1);
    }
  }
  const usable = Number.isInteger(observed) && observed > 0;
  const stated = channel.divide;
  if (stated > 0 && (!usable || observed === stated)) return stated;
  if (usable && (stated <= 0 || header.systemId <= 2)) {
    if (stated <= 0) {
      warnings.push(`${label(channel)}: no sampling interval stated; taken from the block times`);
    }
    return observed;
  }
  if (stated > 0) {
    warnings.push(
      `${
        label(channel)
      }: block times tell ${observed} ticks a sample, the channel table ${stated}; ` +
        "the table is followed",
    );
    return stated;
  }
  throw new FuseError("Corrupt", `${label(channel)}: no sampling interval`, {
    source,
    offset: 512 + 140 * (channel.number - 1) + (header.systemId >= 6 ? 102 : 138),
    field: header.systemId >= 6 ? "lChanDvd" : "divide",
    found: stated,
    expected: "a positive number of ticks",
  });
}

function alike(a: Wave, b: Wave): boolean {
  return a.channel.kind === b.channel.kind && a.divide === b.divide && a.samples === b.samples &&
    a.startTick.length === b.startTick.length &&
    a.startTick.every((tick, i) => tick === b.startTick[i] && a.startIndex[i] === b.startIndex[i]);
}

/** "waveforms" for one group; else by rate, and by first channel where a rate occurs twice. */
function groupNames(groups: Wave[][], clock: Spike2Clock): string[] {
  if (groups.length === 1) return ["waveforms"];
  const byRate = groups.map(([first]) =>
    `waveform_${Number(rateOf(clock, first.divide).toPrecision(7))}hz`
  );
  const used = new Set<string>();
  return groups.map(([first], i) => {
    let name = byRate[i];
    if (byRate.filter((other) => other === name).length > 1) {
      const title = first.channel.title.replace(/[^A-Za-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
      name += `_${title || `channel_${first.channel.number}`}`;
    }
    if (used.has(name.toLowerCase())) name += `_${first.channel.number}`;
    used.add(name.toLowerCase());
    return name;
  });
}

function recordingOf(
  header: Spike2Header,
  name: string,
  group: Wave[],
  frameTables: FrameTable[],
  warnings: string[],
): Recording {
  const [first] = group;
  const segments: Segment[] = first.startIndex.map((startIndex, i) => ({
    startIndex,
    length: (first.startIndex[i + 1] ?? first.samples) - startIndex,
    startSeconds: secondsOf(header.clock, first.startTick[i]),
  }));
  const adc = first.channel.kind === "Adc";
  return {
    name,
    channels: group.map((wave) => channelOf(wave.channel, warnings)),
    samplingFrequency: rateOf(header.clock, first.divide),
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
        littleEndian: header.littleEndian,
        samplesPerFrame: 1,
        channelOffsets: [0],
        sampleStride: wave.table.frameBytes,
      },
    })),
  };
}

function channelOf(channel: Spike2Channel, warnings: string[]): Channel {
  let gain = 1, offset = 0;
  if (channel.kind === "Adc") {
    // Full scale of the 16 bits is 5 V at scale 1: 32768 / 5 = 6553.6 steps a volt.
    gain = channel.scale / 6553.6;
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
export function channelAttributes(channel: Spike2Channel): Attributes {
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

/** How messages name a channel. */
export function label(channel: Spike2Channel): string {
  return `channel ${channel.number} "${channel.title}"`;
}
