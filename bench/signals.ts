/** Made-up data of the kinds that are converted most, the same in every run. */

/** A generator of uniform numbers in [0, 1). */
export function uniform(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

/** A generator of numbers near a normal distribution with unit deviation. */
export function normal(seed: number): () => number {
  const next = uniform(seed);
  return () => (next() + next() + next() + next() - 2) * Math.sqrt(3);
}

/** Interleaved int16 frames like an extracellular recording at 30 kHz: noise, slow waves, spikes. */
export function neuralFrames(channels: number, samples: number): Int16Array<ArrayBuffer> {
  const noise = normal(1), when = uniform(2);
  const out = new Int16Array(channels * samples);
  const spike = new Float64Array(channels);
  for (let t = 0; t < samples; t++) {
    const slow = 180 * Math.sin(2 * Math.PI * 6 * t / 30_000) + 60 * Math.sin(t / 211);
    for (let c = 0; c < channels; c++) {
      if (when() < 0.0008) spike[c] = -260;
      out[t * channels + c] = Math.round(slow * (1 + c / channels) + 14 * noise() + spike[c]);
      spike[c] *= 0.82;
    }
  }
  return out;
}

/** A smooth int16 signal: blood pressure, breathing, a filtered potential. */
export function smoothSignal(samples: number): Int16Array<ArrayBuffer> {
  const noise = normal(3);
  return Int16Array.from(
    { length: samples },
    (_, t) => Math.round(9000 * Math.sin(t / 900) + 2500 * Math.sin(t / 70) + noise()),
  );
}

/** A uint16 fluorescence image: dim background with shot noise and bright blobs. */
export function fluorescence(width: number, height: number): Uint16Array<ArrayBuffer> {
  const noise = normal(4), place = uniform(5);
  const out = new Uint16Array(width * height);
  const blobs = Array.from(
    { length: Math.ceil(width * height / 4000) },
    () => [place() * width, place() * height, 4 + 8 * place(), 3000 * place()],
  );
  const light = new Float64Array(width * height).fill(220);
  for (const [x, y, radius, peak] of blobs) {
    const reach = Math.ceil(3 * radius);
    for (let j = Math.max(0, y - reach | 0); j < Math.min(height, y + reach); j++) {
      for (let i = Math.max(0, x - reach | 0); i < Math.min(width, x + reach); i++) {
        light[j * width + i] += peak *
          Math.exp(-((i - x) ** 2 + (j - y) ** 2) / (2 * radius * radius));
      }
    }
  }
  for (let i = 0; i < out.length; i++) out[i] = light[i] + Math.sqrt(light[i]) * 0.6 * noise();
  return out;
}

/** Seconds since the start at 30 kHz. */
export function timeAxis(samples: number): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: samples }, (_, i) => i / 30_000);
}
