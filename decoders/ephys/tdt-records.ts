/** The records of a TDT block index (`.tsq`): 40 bytes for everything that was stored. */
import { FuseError } from "../../src/errors.ts";
import type { DType } from "../../src/model/dtype.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";

/** Bytes of a record. */
export const RECORD_BYTES = 40;
/** Records read at a time. */
const RECORDS_AT_ONCE = 16_384;
/** Bits of a type that say what a record is; the others say where its data are. */
const TYPE_MASK = 0xff0f;

/** What records are. */
export const KINDS = {
  onset: 0x0101,
  offset: 0x0102,
  scalar: 0x0201,
  stream: 0x8101,
  snippet: 0x8201,
  mark: 0x8801,
} as const;

/** Flag of records whose data are in a `.sev` file. */
export const IN_OWN_FILE = 0x10;

/** Sample types by the number in a record. */
export const SAMPLE_TYPES: readonly DType[] = [
  "float32",
  "int32",
  "int16",
  "int8",
  "float64",
  "int64",
];

/** A stretch of the index. */
export class RecordBlock {
  readonly #view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    /** Byte offset of the first record in the index. */
    readonly offset: number,
  ) {
    this.#view = viewOf(bytes);
  }

  /** Records in the stretch. */
  get count(): number {
    return Math.floor(this.bytes.length / RECORD_BYTES);
  }

  /** Size of the record and its data, in words of four bytes. */
  words(i: number): number {
    return this.#view.getInt32(i * RECORD_BYTES, true);
  }

  /** Type with its flags. */
  type(i: number): number {
    return this.#view.getInt32(i * RECORD_BYTES + 4, true);
  }

  /** Type without its flags. */
  kind(i: number): number {
    return this.type(i) & TYPE_MASK;
  }

  /** Name of the store, as a number. */
  code(i: number): number {
    return this.#view.getUint32(i * RECORD_BYTES + 8, true);
  }

  /** Channel, from 1. */
  channel(i: number): number {
    return this.#view.getUint16(i * RECORD_BYTES + 12, true);
  }

  /** Sort code of a snippet. */
  sortCode(i: number): number {
    return this.#view.getUint16(i * RECORD_BYTES + 14, true);
  }

  /** Of an offset's record: the name of the store of its onsets, as a number. */
  buddy(i: number): number {
    return this.#view.getUint32(i * RECORD_BYTES + 12, true);
  }

  /** Seconds since 1970, UTC. */
  time(i: number): number {
    return this.#view.getFloat64(i * RECORD_BYTES + 16, true);
  }

  /** Place of the data. */
  place(i: number): number {
    return Number(this.#view.getBigInt64(i * RECORD_BYTES + 24, true));
  }

  /** Value of an epoc or scalar. */
  value(i: number): number {
    return this.#view.getFloat64(i * RECORD_BYTES + 24, true);
  }

  /** Number of the sample type. */
  format(i: number): number {
    return this.#view.getInt32(i * RECORD_BYTES + 32, true);
  }

  /** Samples a second. */
  rate(i: number): number {
    return this.#view.getFloat32(i * RECORD_BYTES + 36, true);
  }
}

/** All records of an index but the first, which holds the file's size. */
export async function* recordBlocks(
  index: ByteSource,
  signal?: AbortSignal,
): AsyncGenerator<RecordBlock> {
  const end = Math.floor((index.size ?? 0) / RECORD_BYTES) * RECORD_BYTES;
  const most = RECORDS_AT_ONCE * RECORD_BYTES;
  for (let offset = RECORD_BYTES; offset < end; offset += most) {
    const bytes = await index.read(offset, Math.min(most, end - offset), { signal });
    yield new RecordBlock(bytes, offset);
  }
}

/** The four characters of a store's name. */
export function nameOf(code: number): string {
  const letters = [0, 8, 16, 24].map((shift) => String.fromCharCode((code >>> shift) & 255));
  return letters.join("").replaceAll("\0", "").trim();
}

/** Ticks of the clock a second: the highest rate of the processors, 25 MHz / 128. */
const CLOCK_HERTZ = 195_312.5;

/**
 * Seconds since the block's start on the grid of the clock, 5.12 us: times of day as doubles resolve only a
 * quarter of a microsecond, and the maker's own library rounds the same way (halves to even).
 */
export function onGrid(time: number, start: number): number {
  const ticks = (time - start) * CLOCK_HERTZ;
  const below = Math.floor(ticks), rest = ticks - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return (up ? below + 1 : below) / CLOCK_HERTZ + 0;
}

/** The failure of a record that cannot be. */
export function wrongRecord(
  index: ByteSource,
  offset: number,
  field: string,
  found: unknown,
  expected: string,
): FuseError {
  return new FuseError("Corrupt", "a record of the index is wrong", {
    source: index.name,
    format: "tdt",
    offset,
    field,
    found,
    expected,
  });
}
