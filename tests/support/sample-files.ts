/**
 * Small complete recordings on disk, for tests that run the real program and for readers in other
 * languages: `deno run -A tests/support/sample-files.ts FOLDER` writes them all.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { biopacFile } from "./biopac-files.ts";
import { experiment, nsxFile } from "./blackrock-files.ts";
import { type IntanSpec, traditionalFile } from "./intan-files.ts";
import { buildSon } from "./spike2-files.ts";

/** What a WAV file of 16-bit samples holds. */
export interface WavSpec {
  channels: number;
  rate: number;
  /** Samples per channel. */
  samples: number;
  sample?: (channel: number, index: number) => number;
}

/** The 44 bytes before the samples. */
export function wavHeader({ channels, rate, samples }: WavSpec): Uint8Array {
  const bytes = 2 * channels * samples;
  const view = new DataView(new ArrayBuffer(44));
  const text = (at: number, s: string) =>
    [...s].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * channels * rate, true);
  view.setUint16(32, 2 * channels, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, bytes, true);
  return new Uint8Array(view.buffer);
}

/** A WAV file; a ramp that crosses zero unless `sample` says otherwise. */
export function wavFile(spec: WavSpec): Uint8Array {
  const { channels, samples, sample = (c, i) => (i * (c + 1)) % 2001 - 1000 } = spec;
  const words = new Int16Array(channels * samples);
  words.forEach((_, at) => words[at] = sample(at % channels, Math.floor(at / channels)));
  const file = new Uint8Array(44 + words.byteLength);
  file.set(wavHeader(spec));
  file.set(new Uint8Array(words.buffer), 44);
  return file;
}

/** Writes a WAV file of silence that takes no room on disk: long work from a cheap file. */
export function writeSilence(path: string, spec: WavSpec): void {
  const handle = openSync(path, "w");
  writeSync(handle, wavHeader(spec));
  ftruncateSync(handle, 44 + 2 * spec.channels * spec.samples);
  closeSync(handle);
}

/** Amplifiers, auxiliary and board inputs at their own rates, digital lines, a pause. */
export const INTAN_SAMPLE: IntanSpec = {
  version: [1, 5],
  rate: 20_000,
  blocks: 40,
  amplifiers: 3,
  auxiliary: 2,
  supply: 1,
  analogIn: 1,
  digitalIn: [0, 2],
};

/** All sample files, by path. */
export async function sampleFiles(): Promise<Record<string, Uint8Array>> {
  const [ns5, nev] = Object.entries(experiment({ base: "rec", seconds: 1 }));
  const ramp = (n: number, k: number) =>
    Int16Array.from({ length: n }, (_, i) => (i * k) % 997 - 400);
  return {
    "tone.wav": wavFile({ channels: 2, rate: 8000, samples: 20_000 }),
    "mixed.rhd": traditionalFile(INTAN_SAMPLE),
    [`set/${ns5[0]}`]: ns5[1],
    [`set/${nev[0]}`]: nev[1],
    "pause.ns2": nsxFile({
      version: "2.3",
      channels: [{ electrode: 1, label: "left" }, { electrode: 2, label: "right" }],
      period: 30,
      packets: [
        { ticks: 0n, samples: Array.from({ length: 500 }, (_, i) => [i - 250, -i]) },
        { ticks: 60_000n, samples: Array.from({ length: 700 }, (_, i) => [2 * i, i % 5]) },
      ],
    }),
    "two-rates.acq": await biopacFile({
      revision: 84,
      littleEndian: true,
      sampleTimeMs: 1,
      channels: [
        { name: "ECG", units: "mV", values: ramp(4000, 7), scale: 0.01, offset: 0 },
        { name: "Resp", units: "V", values: ramp(1000, 3), divider: 4, scale: 0.5, offset: -1 },
      ],
      markers: [{ sample: 0, text: "start" }, { sample: 1500, text: "dose 5 µg" }],
    }),
    "events.smr": buildSon({
      timeBase: 1e-5,
      channels: [
        {
          number: 1,
          kind: 1,
          title: "Force",
          units: "N",
          divide: 100,
          scale: 2,
          blocks: [{ start: 0, samples: [...ramp(200, 5)] }],
        },
        { number: 2, kind: 3, title: "Pulse", blocks: [{ ticks: [1000, 52_000, 170_000] }] },
      ],
    }).bytes,
  };
}

/** Writes all sample files below `folder`. */
export async function writeSamples(folder: string): Promise<void> {
  for (const [path, bytes] of Object.entries(await sampleFiles())) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}

if (import.meta.main) await writeSamples(Deno.args[0]);
