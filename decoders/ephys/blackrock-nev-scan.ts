/**
 * One pass over the data packets of a NEV file. Packets are read by blocks and sorted into tables in
 * wasm, one call a block; memory does not grow with the file.
 */
import type { ByteSource } from "../../src/source/source.ts";
import { viewOf } from "../../src/source/source.ts";
import { loadWasm, type WasmModule } from "../wasm/instance.ts";
import { sizeOfSource } from "./blackrock-fields.ts";
import type { NevHeader } from "./blackrock-nev-header.ts";

/** Tables of the decoder, in its order. */
export const NEV_TABLES = [
  "spikes",
  "stimulation",
  "digital",
  "serial",
  "other",
  "comments",
  "video",
  "tracking",
  "button",
  "log",
  "configuration",
  "recording",
  "unknown",
] as const;

/** Name of a table of the decoder. */
export type NevTable = typeof NEV_TABLES[number];

/** Values of one table in one block; typed arrays are copies. */
export interface NevRows {
  count: number;
  /** Seconds after the zero tick. */
  time(): Float64Array;
  /** Seconds on the file's own clock. */
  clock(): Float64Array;
  /** One of up to four numbers a packet has. */
  number(column: number): Uint32Array;
  /** Fixed-size rows of all events, one after the other. */
  rows(): Uint8Array;
  /** Text number `part` of `parts` of each event. */
  text(part?: number, parts?: number): Uint8Array[];
}

/** How waveforms are laid out in the rows of spikes and stimulation. */
export interface WaveformShape {
  samples: number;
  bytesPerSample: 1 | 2 | 4;
}

/** Ripple's stimulation channels have their own electrode ids in files of specification 2.2. */
export function hasStimulationIds(header: NevHeader): boolean {
  return header.version === "2.2";
}

/** Analog inputs stored with a digital packet: only before 2.3, as far as packets are long enough. */
export function analogInputs(header: NevHeader): number {
  if (Number(header.version) >= 2.3) return 0;
  return Math.min(5, Math.max(0, Math.floor((header.packetBytes - 10) / 2)));
}

/** The row all waveforms fit in. */
export function waveformShape(header: NevHeader): WaveformShape {
  const electrodes = [...header.electrodes.values()].filter((e) => e.bytesPerSample !== null);
  const widths = electrodes.map((e) => e.bytesPerSample!);
  if (!widths.length) return header.otherWaveform;
  return {
    samples: electrodes.reduce((n, e) => Math.max(n, e.samples), 0),
    bytesPerSample: widths.reduce((a, b) => (a > b ? a : b)),
  };
}

const CONFIG_BYTES = 56;
const ELECTRODE_BYTES = 8;
const BLOCK_BYTES = 2 << 20;
const MAX_ROW_BYTES = 16 << 20;
const DESCRIPTOR_WORDS = 12;

/** The decoder's configuration, laid out as `blackrock_nev_scan` documents it. */
function configuration(header: NevHeader, zero: bigint): Uint8Array {
  const electrodes = [...header.electrodes.values()].filter((e) => e.bytesPerSample !== null);
  const bytes = new Uint8Array(CONFIG_BYTES + ELECTRODE_BYTES * electrodes.length);
  const view = viewOf(bytes);
  const row = waveformShape(header);
  const flags = (header.wide ? 1 : 0) | (hasStimulationIds(header) ? 2 : 0) | (header.wide ? 4 : 0);
  [
    header.packetBytes,
    flags,
    analogInputs(header),
    row.samples,
    row.bytesPerSample,
    header.otherWaveform.bytesPerSample,
    header.otherWaveform.samples,
  ].forEach((word, i) => view.setUint32(4 * i, word, true));
  view.setFloat64(32, header.timeResolution, true);
  view.setBigUint64(40, zero, true);
  electrodes.forEach((e, i) => {
    const at = CONFIG_BYTES + ELECTRODE_BYTES * i;
    view.setUint16(at, e.id, true);
    view.setUint8(at + 2, e.bytesPerSample!);
    view.setUint32(at + 4, e.samples, true);
  });
  return bytes;
}

/** Bytes of data packets: whole packets, and what is left after the last. */
export function nevExtent(source: ByteSource, header: NevHeader): {
  packets: number;
  restBytes: number;
} {
  const bytes = sizeOfSource(source) - header.dataOffset;
  const packets = Math.floor(bytes / header.packetBytes);
  return { packets, restBytes: bytes - packets * header.packetBytes };
}

/**
 * Reads all packets in order and yields what `collect` makes of the tables of each block. `collect`
 * must copy what it keeps at once: the tables' memory belongs to the decoder.
 */
export async function* scanNev<T>(
  source: ByteSource,
  header: NevHeader,
  zero: bigint,
  collect: (tables: Map<NevTable, NevRows>) => T,
  signal?: AbortSignal,
): AsyncGenerator<T> {
  const wasm = await loadWasm("ephys");
  const config = configuration(header, zero);
  const { packetBytes } = header;
  const { samples, bytesPerSample } = waveformShape(header);
  const perBlock = Math.max(
    2,
    Math.min(
      Math.floor(BLOCK_BYTES / packetBytes),
      Math.floor(MAX_ROW_BYTES / Math.max(1, samples * bytesPerSample)),
    ),
  );
  const end = header.dataOffset + nevExtent(source, header).packets * packetBytes;
  try {
    for (let at = header.dataOffset; at < end;) {
      const length = Math.min(perBlock * packetBytes, end - at);
      const bytes = await source.read(at, length, { purpose: "bulk", signal });
      const place = { source: source.name, format: "blackrock", offset: at };
      const scan = (last: boolean) =>
        wasm.with(config, (c) =>
          wasm.with(bytes, (data) =>
            wasm.call("blackrock_nev_scan", [
              c,
              config.length,
              data,
              bytes.length,
              last ? 1 : 0,
            ], place)));
      const last = at + length >= end;
      // A block of nothing but one packet and its continuations is taken as it is.
      at += scan(last) || scan(true) || length;
      yield collect(tablesOf(wasm));
    }
  } finally {
    wasm.exports.blackrock_nev_release();
  }
}

function tablesOf(wasm: WasmModule): Map<NevTable, NevRows> {
  const at = wasm.exports.blackrock_nev_tables() >>> 0;
  const words = new Uint32Array(wasm.memory.buffer, at, NEV_TABLES.length * DESCRIPTOR_WORDS)
    .slice();
  const tables = new Map<NevTable, NevRows>();
  NEV_TABLES.forEach((name, i) => {
    const d = words.subarray(i * DESCRIPTOR_WORDS, (i + 1) * DESCRIPTOR_WORDS);
    if (d[0] > 0) tables.set(name, rowsOf(wasm, d));
  });
  return tables;
}

function rowsOf(wasm: WasmModule, d: Uint32Array): NevRows {
  const [count, time, clock] = d;
  const [rows, rowBytes, text, textBytes, ends] = d.subarray(7);
  const { buffer } = wasm.memory;
  return {
    count,
    time: () => new Float64Array(buffer, time, count).slice(),
    clock: () => new Float64Array(buffer, clock, count).slice(),
    number: (column) => new Uint32Array(buffer, d[3 + column], count).slice(),
    rows: () => new Uint8Array(buffer, rows, rowBytes).slice(),
    text: (part = 0, parts = 1) => {
      const all = new Uint8Array(buffer, text, textBytes);
      const end = new Uint32Array(buffer, ends, count * parts);
      return Array.from({ length: count }, (_, i) => {
        const k = i * parts + part;
        return all.slice(k > 0 ? end[k - 1] : 0, end[k]);
      });
    },
  };
}
