/** A WAV file: 16-bit PCM. */

/** Bytes of a PCM file; `samples[channel]` hold values in -1..1. */
export function wavFile(samples: Float64Array[], rate: number): Uint8Array {
  const channels = samples.length;
  const frames = samples[0].length;
  const dataBytes = frames * channels * 2;
  const bytes = new Uint8Array(44 + dataBytes);
  const view = new DataView(bytes.buffer);
  const text = (at: number, value: string) => bytes.set(new TextEncoder().encode(value), at);
  text(0, "RIFF");
  view.setUint32(4, 36 + dataBytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels * 2, true);
  view.setUint16(32, channels * 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, dataBytes, true);
  for (let i = 0; i < frames; i++) {
    for (let c = 0; c < channels; c++) {
      const value = Math.max(-1, Math.min(1, samples[c][i]));
      view.setInt16(44 + (i * channels + c) * 2, Math.round(value * 32767), true);
    }
  }
  return bytes;
}
