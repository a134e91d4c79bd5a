/** A recording of any size that takes no disk: a header, and a hole where the samples are. */
import { join } from "node:path";
import { nsxFile } from "../tests/support/blackrock-files.ts";

const CHANNELS = 96;

/** Path of a Blackrock .ns5 of about `bytes`, 96 channels at 30 kHz, all samples 0; made when missing. */
export function sparseRecording(folder: string, bytes: number): string {
  const path = join(folder, `sparse-${Math.round(bytes / 1e9)}.ns5`);
  const count = Math.floor(bytes / (2 * CHANNELS));
  const channels = Array.from({ length: CHANNELS }, (_, i) => ({
    electrode: i + 1,
    label: `elec${i + 1}`,
  }));
  const packets = [{ ticks: 0n, samples: [], count }];
  const header = nsxFile({ version: "2.3", channels, packets });
  Deno.writeFileSync(path, header);
  Deno.truncateSync(path, header.length + count * 2 * CHANNELS);
  return path;
}
