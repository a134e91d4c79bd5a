/** Where the bytes of a sink that writes front to back go. */

/** A file being written, or standard output. */
export interface ByteOutput {
  /** Bytes written so far. */
  readonly length: number;
  /** True where {@link ByteOutput.patch} works. */
  readonly seekable: boolean;
  /** Appends bytes; they may be reused when the promise, if there is one, is fulfilled. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** Overwrites bytes at the start of the output. */
  patch(bytes: Uint8Array): void;
  /** Makes the output appear under its name, whole. */
  finish(): void | Promise<void>;
  /** Drops what was written, as far as it can be. */
  abort(): void | Promise<void>;
}

/** Keeps what is written in memory: for tests. */
export class MemoryOutput implements ByteOutput {
  readonly seekable: boolean;
  readonly pieces: Uint8Array[] = [];
  length = 0;
  finished = false;

  constructor(options: { seekable?: boolean } = {}) {
    this.seekable = options.seekable ?? true;
  }

  write(bytes: Uint8Array): void {
    this.pieces.push(bytes.slice());
    this.length += bytes.length;
  }

  patch(bytes: Uint8Array): void {
    const whole = this.bytes();
    whole.set(bytes);
    this.pieces.splice(0, this.pieces.length, whole);
  }

  /** Everything written so far. */
  bytes(): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  finish(): void {
    this.finished = true;
  }

  abort(): void {
    this.pieces.length = 0;
    this.length = 0;
  }
}
