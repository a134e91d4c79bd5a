/** Compressors the host provides (zstd and gzip of its standard library); the core brings its own lz4. */
import { FuseError } from "../../errors.ts";

/** Compresses whole chunks, synchronously. */
export interface NativeCodecs {
  /** One zstd frame; `level` 1 .. 22. */
  zstd(bytes: Uint8Array, level: number): Uint8Array;
  /** One gzip member; `level` 1 .. 9. */
  gzip(bytes: Uint8Array, level: number): Uint8Array;
}

let codecs: NativeCodecs | undefined;

/** Installs the host's compressors; called once per thread by the host's entry point. */
export function setNativeCodecs(next: NativeCodecs): void {
  codecs = next;
}

/** @throws FuseError `Unsupported` where the host has none (browsers). */
export function nativeCodecs(): NativeCodecs {
  if (!codecs) {
    throw new FuseError("Unsupported", "this host has no zstd or gzip chunk compressor", {
      remedy: "Use the default compressor (blosc-lz4) or none",
    });
  }
  return codecs;
}
