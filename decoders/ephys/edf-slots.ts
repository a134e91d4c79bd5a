/** The bytes some signals have in each data record, read without the rest where that pays. */
import type { ByteSource } from "../../src/source/source.ts";

/** A part of every record of a file. */
export interface Slots {
  source: ByteSource;
  dataOffset: number;
  recordBytes: number;
  records: number;
  /** Byte of the part in its record. */
  offset: number;
  length: number;
}

/** Bytes of one read of whole records. */
const BLOCK_BYTES = 1 << 20;
/** Records from this size on are not read whole for a part of them: a seek costs less, a request more. */
const SKIP_LOCAL = 16 << 10, SKIP_REMOTE = 1 << 20;
/** Remote reads of single parts under way at a time. */
const CONCURRENCY = 8;

/** The parts of records `[first, end)`, one after the other; the bytes are valid until the next. */
export async function* readSlots(
  slots: Slots,
  first = 0,
  end = slots.records,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { source, dataOffset, recordBytes, offset, length } = slots;
  const options = { signal, purpose: "bulk" } as const;
  const isLocal = source.distance === "local";
  if (recordBytes - length < (isLocal ? SKIP_LOCAL : SKIP_REMOTE)) {
    const most = Math.max(1, Math.floor(BLOCK_BYTES / recordBytes));
    for (let record = first; record < end; record += most) {
      const count = Math.min(most, end - record);
      // From the first part to the last: what surrounds them is not needed.
      const bytes = await source.read(
        dataOffset + record * recordBytes + offset,
        (count - 1) * recordBytes + length,
        options,
      );
      for (let i = 0; i < count; i++) {
        yield bytes.subarray(i * recordBytes, i * recordBytes + length);
      }
    }
    return;
  }
  const lanes = isLocal ? 1 : CONCURRENCY;
  for (let record = first; record < end; record += lanes) {
    const parts = Array.from(
      { length: Math.min(lanes, end - record) },
      (_, i) => source.read(dataOffset + (record + i) * recordBytes + offset, length, options),
    );
    yield* await Promise.all(parts);
  }
}

/** The parts of all records cut into pieces of at most `most` bytes. */
export async function* readPieces(
  slots: Slots,
  most: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (slots.length <= most) {
    yield* readSlots(slots, 0, slots.records, signal);
    return;
  }
  const { source, dataOffset, recordBytes, records, offset, length } = slots;
  for (let record = 0; record < records; record++) {
    const start = dataOffset + record * recordBytes + offset;
    for (let at = 0; at < length; at += most) {
      const bytes = Math.min(most, length - at);
      yield await source.read(start + at, bytes, { signal, purpose: "bulk" });
    }
  }
}

/** Bytes that a pass over all parts reads. */
export function passBytes({ source, recordBytes, records, length }: Slots): number {
  const skips = recordBytes - length >= (source.distance === "local" ? SKIP_LOCAL : SKIP_REMOTE);
  return records * (skips ? length : recordBytes);
}
