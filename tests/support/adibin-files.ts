/** Builds small ADInstruments LabChart binary files (.adibin). */

/** One channel of a file. */
export interface AdibinChannelSpec {
  title: string | Uint8Array;
  units?: string | Uint8Array;
  scale?: number;
  offset?: number;
  range?: [number, number];
  samples: number[];
}

/** A whole file. */
export interface AdibinSpec {
  version?: number;
  secondsPerTick?: number;
  /** year, month, day, hour, minute, second */
  trigger?: number[];
  preTrigger?: number;
  /** 1 double, 2 float, 3 16-bit. */
  format?: number;
  /** The first column, in seconds. */
  times?: number[];
  /** What the header counts, where not what there is. */
  samples?: number;
  channels: AdibinChannelSpec[];
  trailingBytes?: number;
}

/** The bytes of a file. */
export function buildAdibin(spec: AdibinSpec): Uint8Array<ArrayBuffer> {
  const { channels, format = 3, times } = spec;
  const width = { 1: 8, 2: 4, 3: 2 }[format] ?? 2;
  const count = channels[0]?.samples.length ?? 0;
  const columns = [...(times ? [times] : []), ...channels.map((c) => c.samples)];
  const start = 68 + 96 * channels.length;
  const bytes = new Uint8Array(start + count * columns.length * width + (spec.trailingBytes ?? 0));
  const view = new DataView(bytes.buffer);
  const put = (at: number, text: string | Uint8Array) =>
    bytes.set(typeof text === "string" ? new TextEncoder().encode(text) : text, at);
  put(0, "CFWB");
  view.setInt32(4, spec.version ?? 1, true);
  view.setFloat64(8, spec.secondsPerTick ?? 1e-3, true);
  const trigger = spec.trigger ?? [2026, 11, 21, 9, 5, 7.25];
  trigger.slice(0, 5).forEach((n, i) => view.setInt32(16 + 4 * i, n, true));
  view.setFloat64(36, trigger[5], true);
  view.setFloat64(44, spec.preTrigger ?? 0, true);
  [channels.length, spec.samples ?? count, times ? 1 : 0, format].forEach((n, i) =>
    view.setInt32(52 + 4 * i, n, true)
  );
  channels.forEach((channel, i) => {
    const at = 68 + 96 * i;
    put(at, channel.title);
    put(at + 32, channel.units ?? "V");
    const [low, high] = channel.range ?? [0, 0];
    [channel.scale ?? 1, channel.offset ?? 0, high, low].forEach((n, k) =>
      view.setFloat64(at + 64 + 8 * k, n, true)
    );
  });
  let at = start;
  for (let k = 0; k < count; k++) {
    for (const column of columns) {
      if (format === 1) view.setFloat64(at, column[k], true);
      else if (format === 2) view.setFloat32(at, column[k], true);
      else view.setInt16(at, column[k], true);
      at += width;
    }
  }
  return bytes;
}
