/** Numbers, texts and objects of a serialised LabChart stream, read in order and never past its end. */
import { type ErrorDetails, FuseError } from "../../src/errors.ts";
import { viewOf } from "../../src/source/source.ts";
import { number64 } from "./adicht-container.ts";

const utf16 = new TextDecoder("utf-16le");
/** Tag of a text. */
export const TEXT_TAG = 0x80000001;

/** A place in the stream that moves on with every read. */
export class SerialReader {
  at = 0;
  readonly #view: DataView;
  readonly #objects = new Map<number, unknown>();

  constructor(readonly bytes: Uint8Array, readonly place: ErrorDetails) {
    this.#view = viewOf(bytes);
  }

  /** The error for what does not fit, at the place where it was read. */
  fail(statement: string, details: ErrorDetails = {}): FuseError {
    return new FuseError("Corrupt", statement, {
      ...this.place,
      field: `byte ${this.at} of stream Map`,
      ...details,
    });
  }

  #take(length: number): number {
    const at = this.at;
    if (length < 0 || at + length > this.bytes.length) {
      throw this.fail("the stream of records ends too early", {
        found: `${this.bytes.length - at} bytes`,
        expected: `${length} bytes`,
      });
    }
    this.at += length;
    return at;
  }

  /** Bytes left. */
  get left(): number {
    return this.bytes.length - this.at;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** The next 32 bits, without moving on. */
  peek(): number {
    const found = this.u32();
    this.at -= 4;
    return found;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  i16(): number {
    return this.#view.getInt16(this.#take(2), true);
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i64(): number {
    return number64(this.#view, this.#take(8));
  }

  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** A count and its negative; each item takes at least `itemBytes`. */
  count(what: string, itemBytes: number): number {
    const n = this.i32(), negative = this.i32();
    if (n < 0 || negative !== -n || n * itemBytes > this.left) {
      this.at -= 8;
      throw this.fail(`no list of ${what}`, {
        found: `${n} and ${negative}`,
        expected: "a count and its negative",
      });
    }
    return n;
  }

  /** Fails unless the next 32 bits are `expected`. */
  tag(expected: number, what: string): void {
    const found = this.u32();
    if (found === expected) return;
    this.at -= 4;
    throw this.fail(`no ${what}`, {
      found: `0x${found.toString(16)}`,
      expected: `0x${expected.toString(16)}`,
    });
  }

  /** A tagged text in UTF-16, without the NUL that ends it. */
  text(): string {
    this.tag(TEXT_TAG, "text");
    const units = this.count("characters", 2);
    const at = this.#take(2 * units);
    const text = utf16.decode(this.bytes.subarray(at, at + 2 * units));
    return text.replace(/\0+$/, "");
  }

  /**
   * An object slot: a new object, read by `read`; a reference to an earlier one; or none.
   * Numbers of objects are shared by all kinds.
   */
  object<T>(what: string, read: () => T): T | undefined {
    const slot = this.u32();
    if (slot === 0) return undefined;
    if (slot >= 0x80000000) {
      const made = read();
      this.#objects.set(slot - 0x80000000, made);
      return made;
    }
    if (!this.#objects.has(slot)) {
      this.at -= 4;
      throw this.fail(`a reference to ${what} that does not exist`, { found: `object ${slot}` });
    }
    return this.#objects.get(slot) as T;
  }
}
