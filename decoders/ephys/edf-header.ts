/**
 * The header of EDF, EDF+, BDF and BDF+ files: ASCII fields of fixed widths, 256 bytes for the file and 256 for
 * each signal (Kemp et al. 1992, the EDF+ specification of 2003, BioSemi's description of BDF).
 */
import { ensure, FuseError, type Limits } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { fieldText } from "./ansi-text.ts";
import { startOf } from "./edf-start.ts";

/** Bytes of the file's own fields, and of those of each signal. */
export const FIELDS_BYTES = 256;
/** Bytes read at first: the header of 127 signals. */
const HEAD_BYTES = 32_768;

/** One signal of a data record. */
export interface EdfSignal {
  label: string;
  transducer: string;
  units: string;
  physicalMin: number | undefined;
  physicalMax: number | undefined;
  digitalMin: number | undefined;
  digitalMax: number | undefined;
  prefilter: string;
  samplesPerRecord: number;
  reserved: string;
  /** Holds annotations, not samples. */
  isAnnotation: boolean;
  /** Byte of its first sample in the record. */
  offset: number;
}

/** The header, with what the file's size says about it. */
export interface EdfHeader {
  /** 24-bit samples (BDF) take 3 bytes, those of EDF 2. */
  sampleBytes: 2 | 3;
  /** "+C", "+D" or "" for files without the extensions of EDF+. */
  plus: "" | "+C" | "+D";
  patient: string;
  recording: string;
  reserved: string;
  startTime?: string;
  /** Byte of the first data record. */
  dataOffset: number;
  recordBytes: number;
  /** Whole records that are in the file. */
  records: number;
  /** Seconds; 0 where the file states none. */
  recordSeconds: number;
  signals: EdfSignal[];
}

/** A number of a header field; undefined for text that is none. */
function numberOf(text: string): number | undefined {
  const plain = text.replace(",", ".");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

/**
 * Reads the header of a file of `size` bytes.
 * @throws FuseError `Corrupt` where the records cannot be found without what is wrong, `Truncated`, `Limit`.
 */
export async function readEdfHeader(
  source: ByteSource,
  size: number,
  limits: Limits,
  warnings: string[],
  signal?: AbortSignal,
): Promise<EdfHeader> {
  const place = { source: source.name, format: "edf" };
  let bytes = await source.readUpTo(0, HEAD_BYTES, { signal, purpose: "header" });
  ensure(isEdf(bytes) || isBdf(bytes), "does not begin as an EDF or BDF file", {
    ...place,
    offset: 0,
    expected: '"0       " or 0xFF "BIOSEMI"',
  });
  const field = (at: number, length: number) => fieldText(bytes.subarray(at, at + length));
  const count = bytes.length >= FIELDS_BYTES ? numberOf(field(252, 4)) : undefined;
  if (bytes.length < FIELDS_BYTES) throw cut(source.name, bytes.length, FIELDS_BYTES);
  ensure(
    count !== undefined && Number.isInteger(count) && count > 0,
    "impossible number of signals",
    {
      ...place,
      offset: 252,
      found: field(252, 4),
    },
  );
  const length = FIELDS_BYTES * (count + 1);
  if (length > size) throw cut(source.name, size, length);
  if (length > limits.headerBytes || count > limits.items) {
    throw new FuseError("Limit", "more signals than allowed", {
      ...place,
      offset: 252,
      found: count,
    });
  }
  if (length > bytes.length) {
    bytes = await source.read(0, length, { signal, purpose: "header" });
  }
  const sampleBytes = isBdf(bytes) ? 3 : 2;
  const signals = readSignals(bytes, count, sampleBytes, source.name);
  const recordBytes = signals.reduce((n, s) => n + s.samplesPerRecord * sampleBytes, 0);
  ensure(recordBytes > 0, "data records without samples", { ...place, offset: 256 + 216 * count });
  ensure(Number.isSafeInteger(recordBytes), "impossible size of a data record", {
    ...place,
    offset: 256 + 216 * count,
    found: `${recordBytes} bytes`,
  });
  const stated = numberOf(field(236, 8));
  const dataOffset = findData(field(184, 8), length, recordBytes, stated, size, warnings);
  const records = countRecords(field(236, 8), stated, size - dataOffset, recordBytes, warnings);
  if (records === 0 && (stated !== undefined && stated > 0 || size > dataOffset)) {
    throw new FuseError("Truncated", "the file ends before its first data record does", {
      source: source.name,
      format: "edf",
      offset: dataOffset,
      found: `${Math.max(0, size - dataOffset)} bytes`,
      expected: `${recordBytes} bytes`,
    });
  }
  const duration = numberOf(field(244, 8));
  const hasSamples = signals.some((s) => !s.isAnnotation);
  if (duration === undefined || duration < 0 || (duration === 0 && hasSamples)) {
    warnings.push(
      `the duration of a data record is not given ("${
        field(244, 8)
      }"): the sampling rate is unknown`,
    );
  }
  const reserved = field(192, 44);
  const plus = /^[EB]DF\+([CD])/.exec(reserved)?.[1];
  const recording = field(88, 80);
  const startTime = startOf(field(168, 8), field(176, 8), plus ? recording : "", warnings);
  return {
    sampleBytes,
    plus: plus === "C" ? "+C" : plus === "D" ? "+D" : "",
    patient: field(8, 80),
    recording,
    reserved,
    ...(startTime ? { startTime } : {}),
    dataOffset,
    recordBytes,
    records,
    recordSeconds: duration !== undefined && duration > 0 ? duration : 0,
    signals,
  };
}

/** "0" filled up with blanks. */
export function isEdf(head: Uint8Array): boolean {
  return head.length >= 8 && head[0] === 0x30 &&
    head.subarray(1, 8).every((b) => b === 0x20 || b === 0);
}

/** 0xFF and "BIOSEMI". */
export function isBdf(head: Uint8Array): boolean {
  return head[0] === 0xff && fieldText(head.subarray(1, 8)) === "BIOSEMI";
}

function cut(source: string, found: number, expected: number): FuseError {
  return new FuseError("Truncated", "the file ends inside its header", {
    source,
    format: "edf",
    offset: found,
    found: `${found} bytes`,
    expected: `${expected} bytes`,
  });
}

function readSignals(
  bytes: Uint8Array,
  count: number,
  sampleBytes: number,
  source: string,
): EdfSignal[] {
  let offset = 0;
  return Array.from({ length: count }, (_, i): EdfSignal => {
    // Fields of one kind follow each other for all signals: `before` is the sum of the widths before.
    const at = (before: number, width: number) => FIELDS_BYTES + before * count + i * width;
    const text = (before: number, width: number) =>
      fieldText(bytes.subarray(at(before, width), at(before, width) + width));
    const samples = numberOf(text(216, 8));
    ensure(
      samples !== undefined && Number.isInteger(samples) && samples >= 0,
      "impossible number of samples in a data record",
      {
        source,
        format: "edf",
        offset: at(216, 8),
        field: `signal ${i + 1}`,
        found: text(216, 8),
      },
    );
    const label = text(0, 16);
    const signal: EdfSignal = {
      label,
      transducer: text(16, 80),
      units: text(96, 8),
      physicalMin: numberOf(text(104, 8)),
      physicalMax: numberOf(text(112, 8)),
      digitalMin: numberOf(text(120, 8)),
      digitalMax: numberOf(text(128, 8)),
      prefilter: text(136, 80),
      samplesPerRecord: samples,
      reserved: text(224, 32),
      isAnnotation: /^[EB]DF Annotations$/i.test(label),
      offset,
    };
    offset += samples * sampleBytes;
    return signal;
  });
}

/** Where the records begin: behind the fields, unless the header says otherwise and the size agrees. */
function findData(
  text: string,
  computed: number,
  recordBytes: number,
  records: number | undefined,
  size: number,
  warnings: string[],
): number {
  const stated = numberOf(text);
  if (stated === computed) return computed;
  const agrees = stated !== undefined && Number.isInteger(stated) && stated > computed &&
    records !== undefined && records > 0 && stated + records * recordBytes === size;
  warnings.push(
    `the header states its own length as "${text}" bytes, its fields take ${computed}: ` +
      `${agrees ? stated : computed} is taken`,
  );
  return agrees ? stated : computed;
}

function countRecords(
  text: string,
  stated: number | undefined,
  bytes: number,
  recordBytes: number,
  warnings: string[],
): number {
  const there = Math.floor(bytes / recordBytes);
  const rest = bytes - there * recordBytes;
  const isCount = stated !== undefined && Number.isInteger(stated) && stated >= 0;
  if (isCount && stated === there && rest === 0) return there;
  if (stated === -1) {
    warnings.push(
      `the recording was not closed: its ${there} records are counted by the file's size`,
    );
  } else if (!isCount) {
    warnings.push(`the number of records is not given ("${text}"): the file has ${there}`);
  } else if (stated > there) {
    warnings.push(`the file is cut: it has ${there} of the ${stated} records its header promises`);
  } else if (stated < there) {
    warnings.push(`the header promises ${stated} records and the file has ${there}: all are taken`);
  }
  if (rest > 0) warnings.push(`the file ends with ${rest} bytes of an incomplete record: left out`);
  return there;
}
