/** Builds small EDF, EDF+, BDF and BDF+ files. */

/** A signal: its header fields and its samples, all records one after the other. */
export interface EdfSignalSpec {
  label: string;
  samplesPerRecord: number;
  samples?: number[];
  units?: string;
  transducer?: string;
  prefilter?: string;
  /** As text where a number would not do. */
  physical?: [number | string, number | string];
  digital?: [number | string, number | string];
  /** For annotation signals: the bytes of each record, NULs follow. */
  tals?: (string | Uint8Array)[];
}

/** A file. */
export interface EdfFileSpec {
  bdf?: boolean;
  reserved?: string;
  patient?: string;
  recording?: string;
  date?: string;
  time?: string;
  records: number;
  recordSeconds?: number | string;
  signals: EdfSignalSpec[];
  /** Overrides of stated numbers. */
  statedRecords?: number | string;
  statedHeaderBytes?: number | string;
  /** Bytes between the header and the records. */
  padding?: number;
}

/** A time-stamped annotation list. */
export function tal(onset: string, texts: string[], duration?: string): string {
  return `${onset}${duration === undefined ? "" : `\x15${duration}`}\x14${
    texts.map((t) => `${t}\x14`).join("")
  }\0`;
}

/** The bytes of a file. */
export function buildEdf(spec: EdfFileSpec): Uint8Array<ArrayBuffer> {
  const { signals, records, bdf = false } = spec;
  const width = bdf ? 3 : 2;
  const headerBytes = 256 * (signals.length + 1);
  const recordBytes = signals.reduce((n, s) => n + s.samplesPerRecord * width, 0);
  const dataOffset = headerBytes + (spec.padding ?? 0);
  const bytes = new Uint8Array(dataOffset + records * recordBytes);
  bytes.fill(0x20, 0, headerBytes);
  let at = 0;
  const put = (value: string | number, length: number) => {
    const text = new TextEncoder().encode(String(value));
    bytes.set(text.subarray(0, length), at);
    at += length;
  };
  put(bdf ? "" : "0", 8);
  if (bdf) bytes.set([0xff, ...new TextEncoder().encode("BIOSEMI")], 0);
  put(spec.patient ?? "X X X X", 80);
  put(spec.recording ?? "Startdate 17-MAR-2021 X X X", 80);
  put(spec.date ?? "17.03.21", 8);
  put(spec.time ?? "14.25.36", 8);
  put(spec.statedHeaderBytes ?? headerBytes, 8);
  put(spec.reserved ?? (bdf ? "24BIT" : ""), 44);
  put(spec.statedRecords ?? records, 8);
  put(spec.recordSeconds ?? 1, 8);
  put(signals.length, 4);
  const most = bdf ? 8388607 : 32767;
  signals.forEach((s) => put(s.label, 16));
  signals.forEach((s) => put(s.transducer ?? "", 80));
  signals.forEach((s) => put(s.units ?? "uV", 8));
  signals.forEach((s) => put((s.physical ?? [-most - 1, most])[0], 8));
  signals.forEach((s) => put((s.physical ?? [-most - 1, most])[1], 8));
  signals.forEach((s) => put((s.digital ?? [-most - 1, most])[0], 8));
  signals.forEach((s) => put((s.digital ?? [-most - 1, most])[1], 8));
  signals.forEach((s) => put(s.prefilter ?? "", 80));
  signals.forEach((s) => put(s.samplesPerRecord, 8));
  const view = new DataView(bytes.buffer);
  at = dataOffset;
  for (let r = 0; r < records; r++) {
    for (const { samplesPerRecord: n, samples, tals } of signals) {
      if (tals) {
        const list = tals[r] ?? "";
        bytes.set(typeof list === "string" ? new TextEncoder().encode(list) : list, at);
      }
      for (let i = 0; samples && i < n; i++) {
        const value = samples[r * n + i] ?? 0;
        if (bdf) {
          bytes.set([value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff], at + 3 * i);
        } else view.setInt16(at + 2 * i, value, true);
      }
      at += n * width;
    }
  }
  return bytes;
}
