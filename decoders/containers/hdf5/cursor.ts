/** Reads the little-endian fields of HDF5 metadata one after the other, never past their end. */
import { FuseError } from "../../../src/errors.ts";
import { viewOf } from "../../../src/source/source.ts";

/** Whose bytes a cursor reads, and how wide the file's addresses and lengths are. */
export interface CursorPlace {
  /** Name of the file, for messages. */
  source: string;
  /** Byte of the file at which the bytes begin. */
  offset: number;
  /** "Size of Offsets" of the superblock. */
  offsetBytes: number;
  /** "Size of Lengths" of the superblock. */
  lengthBytes: number;
}

const TEXT = new TextDecoder();

/** Bytes of a metadata structure, read front to back. */
export class Cursor {
  /** Next byte, from the start of {@link Cursor.bytes}. */
  at = 0;
  readonly #view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    readonly place: CursorPlace,
    /** What the bytes are, for messages: "object header". */
    readonly what: string,
  ) {
    this.#view = viewOf(bytes);
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.bytes.length - this.at;
  }

  /** Byte of the file that is read next. */
  get offset(): number {
    return this.place.offset + this.at;
  }

  /** An error about the structure at the present byte. */
  corrupt(statement: string, found?: unknown, expected?: unknown): FuseError {
    return new FuseError("Corrupt", `${this.what}: ${statement}`, {
      source: this.place.source,
      offset: this.offset,
      ...(found === undefined ? {} : { found }),
      ...(expected === undefined ? {} : { expected }),
    });
  }

  /** An error about something well-formed that is not read. */
  unsupported(statement: string, found?: unknown): FuseError {
    return new FuseError("Unsupported", `${this.what}: ${statement}`, {
      source: this.place.source,
      offset: this.offset,
      ...(found === undefined ? {} : { found }),
    });
  }

  #step(count: number): number {
    if (!(count >= 0 && count <= this.left)) {
      throw this.corrupt("ends too early", `${this.left} bytes`, `${count} bytes`);
    }
    const { at } = this;
    this.at += count;
    return at;
  }

  /** Skips bytes. */
  skip(count: number): void {
    this.#step(count);
  }

  /** The next bytes, as a view. */
  take(count: number): Uint8Array {
    const at = this.#step(count);
    return this.bytes.subarray(at, at + count);
  }

  /** A cursor over the next bytes. */
  part(count: number, what = this.what): Cursor {
    const place = { ...this.place, offset: this.offset };
    return new Cursor(this.take(count), place, what);
  }

  u8(): number {
    return this.bytes[this.#step(1)];
  }

  u16(): number {
    return this.#view.getUint16(this.#step(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#step(4), true);
  }

  /** An unsigned integer of `width` bytes; beyond 2^53 it is Infinity. */
  uint(width: number): number {
    const at = this.#step(width);
    let high = 0, low = 0;
    for (let i = width - 1; i >= 0; i--) {
      if (i >= 4) high = high * 256 + this.bytes[at + i];
      else low = low * 256 + this.bytes[at + i];
    }
    const value = high * 2 ** 32 + low;
    return Number.isSafeInteger(value) ? value : Infinity;
  }

  /** A length; "unlimited" and anything beyond 2^53 is Infinity. */
  length(): number {
    return this.uint(this.place.lengthBytes);
  }

  /** An address relative to the file's base; undefined when it says "nowhere" (all bits set). */
  address(): number | undefined {
    const bytes = this.take(this.place.offsetBytes);
    if (bytes.every((b) => b === 0xff)) return undefined;
    this.at -= bytes.length;
    const value = this.uint(bytes.length);
    if (value === Infinity) throw this.corrupt("an impossible address");
    return value;
  }

  /** An address that must be there. */
  someAddress(of: string): number {
    const value = this.address();
    if (value === undefined) throw this.corrupt(`no address of ${of}`);
    return value;
  }

  /** Checks the next bytes against an ASCII signature. */
  signature(text: string): void {
    const found = this.take(text.length);
    for (let i = 0; i < text.length; i++) {
      if (found[i] !== text.charCodeAt(i)) {
        this.at -= text.length;
        const letters = String.fromCharCode(...found);
        throw this.corrupt("another signature", JSON.stringify(letters), JSON.stringify(text));
      }
    }
  }

  /** Checks a version number. */
  version(...known: number[]): number {
    const version = this.u8();
    if (known.includes(version)) return version;
    this.at--;
    throw this.unsupported("a version that is not read", version);
  }

  /** Text up to the next zero byte, or to the end; the zero is read too. */
  text(): string {
    const rest = this.bytes.subarray(this.at);
    const end = rest.indexOf(0);
    const length = end < 0 ? rest.length : end;
    this.skip(end < 0 ? length : length + 1);
    return TEXT.decode(rest.subarray(0, length));
  }

  /** Goes on to the next multiple of eight bytes from `start`. */
  align(start = 0): void {
    const over = (this.at - start) % 8;
    if (over) this.skip(Math.min(8 - over, this.left));
  }
}
