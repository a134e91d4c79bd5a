/** Raw chunk bytes -> stored chunk bytes, with work buffers that are made once and reused. */
import type { Compressor } from "../../plan/plan.ts";
import { Kernels, type WasmBuffer } from "../../stream/kernels.ts";
import { nativeCodecs } from "./native-codecs.ts";
import { vlenUtf8 } from "./strings.ts";

/** Encodes chunks of one thread. */
export class ChunkEncoder {
  #input: WasmBuffer | undefined;
  #output: WasmBuffer | undefined;
  /** Bytes of chunks encoded by {@link ChunkEncoder.encodeWith}. */
  bytesWritten = 0;

  constructor(readonly kernels: Kernels) {}

  /** An encoder over this thread's kernels. */
  static async create(): Promise<ChunkEncoder> {
    return new ChunkEncoder(await Kernels.load());
  }

  #room(which: "input" | "output", length: number): WasmBuffer {
    const have = which === "input" ? this.#input : this.#output;
    if (have && have.length >= length) return have;
    have?.free();
    const buffer = this.kernels.alloc(length);
    if (which === "input") this.#input = buffer;
    else this.#output = buffer;
    return buffer;
  }

  /** Encodes `length` bytes of wasm memory; the result is valid until the next call. */
  encodeAt(ptr: number, length: number, elementBytes: number, compressor: Compressor): Uint8Array {
    switch (compressor.id) {
      case "none":
        return this.kernels.wasm.view(ptr, length);
      case "blosc-lz4": {
        const out = this.#room("output", this.kernels.bloscBound(length));
        const filter = compressor.filter ?? "bitshuffle";
        const n = this.kernels.bloscEncode(ptr, length, out.ptr, out.length, {
          typeSize: elementBytes,
          filter,
        });
        return this.kernels.wasm.view(out.ptr, n);
      }
      case "zstd":
        return nativeCodecs().zstd(this.kernels.wasm.view(ptr, length), compressor.level);
      case "gzip":
        return nativeCodecs().gzip(this.kernels.wasm.view(ptr, length), compressor.level);
    }
  }

  /**
   * Encodes `length` bytes that `fill` writes into the work buffer (zeroed before); the result is valid
   * until the next call.
   */
  encodeWith(
    length: number,
    fill: (bytes: Uint8Array<ArrayBuffer>) => void,
    elementBytes: number,
    compressor: Compressor,
  ): Uint8Array {
    const input = this.#room("input", length);
    const bytes = this.kernels.wasm.view(input.ptr, length);
    bytes.fill(0);
    fill(bytes);
    const encoded = this.encodeAt(input.ptr, length, elementBytes, compressor);
    this.bytesWritten += encoded.length;
    return encoded;
  }

  /** A chunk of strings. */
  encodeStrings(values: string[]): Uint8Array {
    const out = vlenUtf8(values);
    this.bytesWritten += out.length;
    return out;
  }

  /** CRC-32C (Castagnoli) of bytes. */
  crc32c(bytes: Uint8Array): number {
    return this.kernels.crc32cBytes(bytes);
  }

  free(): void {
    this.#input?.free();
    this.#output?.free();
    this.#input = this.#output = undefined;
  }
}
