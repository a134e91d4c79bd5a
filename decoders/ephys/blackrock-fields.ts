/** Fields that NSx and NEV headers have in common: fixed-length text and the 16-byte time origin. */
import { FuseError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { viewOf } from "../../src/source/source.ts";

// "ANSI" text of the Windows programs that write the files.
const ANSI = new TextDecoder("windows-1252");
const UTF16 = new TextDecoder("utf-16le");

/** Decodes text without a length limit of its own; `utf16` for comments of character set 1. */
export function decodeText(bytes: Uint8Array, utf16 = false): string {
  return (utf16 ? UTF16 : ANSI).decode(bytes);
}

/**
 * Text of a fixed-length field, up to its first NUL: writers leave old bytes after it
 * (a label `RTMa08` is stored as `RTMa08\0\x10\0\x02`).
 */
export function textField(bytes: Uint8Array, offset: number, length: number): string {
  const field = bytes.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return decodeText(end < 0 ? field : field.subarray(0, end)).trim();
}

/**
 * The time origin, eight 16-bit words: year, month, day of the week, day, hour, minute, second,
 * millisecond, in UTC. Null when the words are not a date (files made without a clock hold zeros).
 */
export function timeOrigin(bytes: Uint8Array, offset: number): Date | null {
  const view = viewOf(bytes);
  const [year, month, , day, hour, minute, second, millisecond] = Array.from(
    { length: 8 },
    (_, i) => view.getUint16(offset + 2 * i, true),
  );
  if (
    year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
    minute > 59 || second > 60 || millisecond > 999
  ) return null;
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second, millisecond));
}

/** A band edge of a recording's filters, as stored: corner in mHz, order, type. */
export function filterField(view: DataView, offset: number): Record<string, number | string> {
  const type = view.getUint16(offset + 8, true);
  return {
    hz: view.getUint32(offset, true) / 1000,
    order: view.getUint32(offset + 4, true),
    type: ["none", "butterworth", "chebyshev"][type] ?? type,
  };
}

/** The size of a source, which chains of packets need. @throws FuseError `NeedsRandomAccess` */
export function sizeOfSource(source: ByteSource): number {
  if (source.size === undefined) {
    throw new FuseError("NeedsRandomAccess", "Blackrock files are read by byte ranges", {
      source: source.name,
      format: "blackrock",
      remedy: "Save the stream to a file first.",
    });
  }
  return source.size;
}
