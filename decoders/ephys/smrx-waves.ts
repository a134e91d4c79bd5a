/** Waveform channels of a 64-bit SON file: their runs, joined where no time lies between them. */
import type { FrameTable } from "../../src/model/layout.ts";
import type { RunList, SmrxBlocks } from "./smrx-blocks.ts";
import type { SmrxChannel } from "./smrx-header.ts";
import { label } from "./spike2-model.ts";
import type { Wave } from "./spike2-recordings.ts";

/** A waveform channel from what its blocks hold; doubts go to `warnings`. */
export function waveOf(channel: SmrxChannel, blocks: SmrxBlocks, warnings: string[]): Wave {
  const runs = blocks.runs!;
  const n = runs.length;
  const table: FrameTable = {
    frameBytes: channel.kind === "Adc" ? 2 : 4,
    source: new Uint16Array(n),
    offset: new Float64Array(n),
    firstFrame: new Float64Array(n),
    frameCount: new Float64Array(n),
  };
  const startIndex: number[] = [], startTick: number[] = [];
  let frame = 0, at = 0, backwards = 0;
  let previous = -1;
  blocks.count.forEach((count, block) => {
    if (count === 0) return;
    for (let k = 0; k < count; k++) {
      const run = runs.firstRun[block] + k;
      const start = k > 0 ? runs.start[run] : startOf(runs, previous, block);
      if (start > 0) {
        startIndex.push(frame);
        startTick.push(runs.tick[run]);
      }
      if (start === 2) backwards++;
      table.offset[at] = runs.offset[run];
      table.firstFrame[at] = frame;
      table.frameCount[at++] = runs.samples[run];
      frame += runs.samples[run];
    }
    previous = block;
  });
  if (backwards > 0) {
    warnings.push(`${label(channel)}: a run of samples begins before the one ahead of it ends`);
  }
  return { channel, divide: channel.divide, samples: frame, startIndex, startTick, table };
}

/** How a block's first run follows the block before it (-1 for none): see {@link RunList.start}. */
function startOf(runs: RunList, previous: number, block: number): number {
  if (previous < 0) return 1;
  const tick = runs.firstTick[block], expected = runs.endTick[previous];
  return tick === expected ? 0 : tick < expected ? 2 : 1;
}
