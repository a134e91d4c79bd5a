/** A WAV file of values: 16-bit PCM. */
import { waveFile } from "../../tests/support/wave-file.ts";

/** Bytes of a PCM file; `samples[channel]` hold values in -1..1. */
export function wavFile(samples: Float64Array[], rate: number): Uint8Array {
  const channels = samples.length;
  const scans = new Int16Array(samples[0].length * channels);
  samples.forEach((values, c) =>
    values.forEach((value, i) => {
      scans[i * channels + c] = Math.round(Math.max(-1, Math.min(1, value)) * 32767);
    })
  );
  return waveFile(scans, channels, rate);
}
