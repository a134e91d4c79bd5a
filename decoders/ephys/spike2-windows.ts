/** Windows onto a file for a walk that mostly goes forward: larger while it does, small when it jumps. */
import type { ByteSource } from "../../src/source/source.ts";
import type { WasmModule } from "../wasm/instance.ts";

const LARGEST = 1 << 20;
/** A block head that begins in a window's last bytes must lie in it whole. */
const OVERLAP = 64;
/** Windows asked for ahead of a forward walk through a remote file. */
const AHEAD = 4;

/** A range of the file in wasm memory, valid until the next window is asked for. */
export interface Window {
  ptr: number;
  offset: number;
  length: number;
}

/** Reads windows into one buffer of wasm memory. */
export class WindowReader {
  readonly #smallest: number;
  #span: number;
  #ptr: number;
  #end = 0;
  #pending = new Map<number, Promise<Uint8Array>>();

  constructor(
    readonly source: ByteSource,
    readonly size: number,
    readonly wasm: WasmModule,
    readonly signal?: AbortSignal,
  ) {
    this.#smallest = source.distance === "local" ? 4096 : 65_536;
    this.#span = 65_536;
    this.#ptr = wasm.alloc(LARGEST + OVERLAP);
  }

  /** A window that begins at `offset`. */
  async at(offset: number): Promise<Window> {
    const distance = offset - this.#end;
    const onward = distance > -OVERLAP && distance <= this.#span;
    this.#span = onward
      ? Math.min(this.#span * 4, LARGEST)
      : Math.max(this.#span / 4, this.#smallest);
    const remote = this.source.distance === "remote";
    const length = remote && onward && this.#span === LARGEST
      ? await this.#ahead(offset)
      : await this.#fill(offset);
    this.#end = offset + length;
    return { ptr: this.#ptr, offset, length };
  }

  async #fill(offset: number): Promise<number> {
    this.#pending.clear();
    const length = Math.min(this.#span + OVERLAP, this.size - offset);
    const options = { signal: this.signal, purpose: "bulk" } as const;
    if (this.source.distance === "local") {
      await this.source.readInto(offset, this.wasm.view(this.#ptr, length), options);
    } else {
      this.wasm.view(this.#ptr, length).set(await this.source.read(offset, length, options));
    }
    return length;
  }

  /** Takes the window from a row of requests that are kept going. */
  async #ahead(offset: number): Promise<number> {
    const first = Math.floor(offset / LARGEST);
    for (const cell of this.#pending.keys()) if (cell < first) this.#pending.delete(cell);
    for (let cell = first; cell <= first + AHEAD; cell++) {
      const start = cell * LARGEST;
      if (start >= this.size || this.#pending.has(cell)) continue;
      const length = Math.min(LARGEST + OVERLAP, this.size - start);
      const piece = this.source.read(start, length, { signal: this.signal, purpose: "bulk" });
      piece.catch(() => {});
      this.#pending.set(cell, piece);
    }
    const bytes = await this.#pending.get(first)!;
    const from = offset - first * LARGEST;
    this.wasm.view(this.#ptr, bytes.length - from).set(bytes.subarray(from));
    return bytes.length - from;
  }

  /** Gives the buffer back. */
  close(): void {
    this.#pending.clear();
    this.wasm.free(this.#ptr, LARGEST + OVERLAP);
  }
}
