/** Waveform channels of a 32-bit SON file (kinds Adc and RealWave): where their samples are. */
import { FuseError } from "../../src/errors.ts";
import { type FrameTable, frameTable } from "../../src/model/layout.ts";
import { BLOCK_HEAD_BYTES, type BlockList } from "./spike2-chains.ts";
import type { Spike2Channel, Spike2Header } from "./spike2-header.ts";
import { isWaveform, label } from "./spike2-model.ts";
import { groupWaves, type Wave, type Waves } from "./spike2-recordings.ts";

/**
 * The recordings of a file, from the blocks of its waveform channels.
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
  const waves: Wave[] = [];
  header.channels.forEach((channel, i) => {
    if (!isWaveform(channel.kind)) return;
    const samples = lists[i].total();
    waves.push(
      samples > 0
        ? waveOf(header, channel, lists[i], samples, source, size, warnings)
        : noSamples(channel),
    );
  });
  const { clock, littleEndian } = header;
  return groupWaves(waves, { clock, littleEndian, warnings });
}

function noSamples(channel: Spike2Channel): Wave {
  const table = frameTable(channel.kind === "Adc" ? 2 : 4, []);
  return { channel, divide: 1, samples: 0, startIndex: [], startTick: [], table };
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
