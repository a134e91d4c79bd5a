/** Numbers and text out of the header sections of a file, fetched in few reads. */
import { FuseError, type Limits } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";

/** Bytes fetched at least by one read of a header section. */
export const SECTION_BYTES = 65_536;

/** Text encodings met in AcqKnowledge files. */
export type Charset = "windows-1252" | "macintosh" | "utf-8";

/**
 * The part of a file that is held in memory while its headers are read. All positions are byte
 * offsets in the file; reading outside the part asked for by {@link HeaderWindow.need} is an error,
 * never a wrong value.
 */
export class HeaderWindow {
  /** Byte order of all numbers. */
  littleEndian = true;
  /** Encoding of all text. */
  charset: Charset = "windows-1252";
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #view = viewOf(this.#bytes);

  constructor(
    readonly source: ByteSource,
    readonly size: number,
    readonly limits: Limits,
    readonly signal?: AbortSignal,
  ) {}

  /**
   * Makes `[offset, offset + length)` readable; `fetchBytes` is what one read brings at least.
   * @throws FuseError `Truncated` past the end of the file, `Limit` for sections above the limits.
   */
  async need(
    offset: number,
    length: number,
    field: string,
    fetchBytes = SECTION_BYTES,
  ): Promise<void> {
    if (offset + length > this.size) throw this.cut(offset, length, field);
    if (length > this.limits.headerBytes) {
      throw new FuseError("Limit", "the section is larger than the limit for headers", {
        ...this.place(offset, field),
        found: `${length} bytes`,
        expected: `at most ${this.limits.headerBytes} bytes`,
      });
    }
    if (offset >= this.#start && offset + length <= this.#start + this.#bytes.length) return;
    const span = Math.min(Math.max(length, fetchBytes), this.size - offset);
    this.#bytes = await this.source.read(offset, span, { purpose: "header", signal: this.signal });
    this.#view = viewOf(this.#bytes);
    this.#start = offset;
  }

  /** End of the bytes in memory. */
  get end(): number {
    return this.#start + this.#bytes.length;
  }

  /** Where in the file, for messages. */
  place(offset: number, field?: string) {
    return { source: this.source.name, format: "acq", offset, ...(field ? { field } : {}) };
  }

  /** The error for a section that does not fit into the file. */
  cut(offset: number, length: number, field: string): FuseError {
    return new FuseError("Truncated", "the file ends too early", {
      ...this.place(offset, field),
      found: `${Math.max(0, this.size - offset)} bytes`,
      expected: `${length} bytes`,
    });
  }

  #at(offset: number, length: number): number {
    const at = offset - this.#start;
    if (at < 0 || at + length > this.#bytes.length) {
      throw new FuseError("Corrupt", "a header field lies outside its section", {
        ...this.place(offset),
        expected: `${length} bytes before byte ${this.end}`,
      });
    }
    return at;
  }

  /** Signed 16-bit integer. */
  i16(offset: number): number {
    return this.#view.getInt16(this.#at(offset, 2), this.littleEndian);
  }

  /** Unsigned 16-bit integer. */
  u16(offset: number): number {
    return this.#view.getUint16(this.#at(offset, 2), this.littleEndian);
  }

  /** Signed 32-bit integer. */
  i32(offset: number): number {
    return this.#view.getInt32(this.#at(offset, 4), this.littleEndian);
  }

  /** Unsigned 32-bit integer. */
  u32(offset: number): number {
    return this.#view.getUint32(this.#at(offset, 4), this.littleEndian);
  }

  /** Unsigned 64-bit integer, rounded to a double above 2^53. */
  u64(offset: number): number {
    return Number(this.#view.getBigUint64(this.#at(offset, 8), this.littleEndian));
  }

  /** IEEE double. */
  f64(offset: number): number {
    return this.#view.getFloat64(this.#at(offset, 8), this.littleEndian);
  }

  /** Bytes of the section, as a view. */
  bytes(offset: number, length: number): Uint8Array {
    const at = this.#at(offset, length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Text of a fixed field or of a counted string, up to its first NUL. */
  text(offset: number, length: number): string {
    return decodeText(this.bytes(offset, length), this.charset);
  }
}

/** Text up to its first NUL: what follows it in a fixed field is left over from other strings. */
export function decodeText(bytes: Uint8Array, charset: Charset): string {
  const nul = bytes.indexOf(0);
  if (nul >= 0) return decodeAll(bytes.subarray(0, nul), charset);
  return decodeAll(charset === "utf-8" ? wholeCharacters(bytes) : bytes, charset);
}

const decoders: Record<Charset, TextDecoder> = {
  "windows-1252": new TextDecoder("windows-1252"),
  "macintosh": new TextDecoder("macintosh"),
  "utf-8": new TextDecoder("utf-8", { fatal: true }),
};

/** All bytes as text; what should be UTF-8 and is not is read as Windows-1252. */
export function decodeAll(bytes: Uint8Array, charset: Charset): string {
  if (charset !== "utf-8") return decoders[charset].decode(bytes);
  try {
    return decoders[charset].decode(bytes);
  } catch {
    return decoders["windows-1252"].decode(bytes);
  }
}

/** A full field may end inside a UTF-8 character: the bytes without that begun character. */
function wholeCharacters(bytes: Uint8Array): Uint8Array {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}
