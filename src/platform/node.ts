/** Services of Deno and Node the core uses where they exist. Imported by their entry points only. */
import * as zlib from "node:zlib";
import { FuseError } from "../errors.ts";
import { setNativeCodecs } from "../sinks/zarr/native-codecs.ts";

setNativeCodecs({
  zstd: (bytes, level) => {
    // Asked for by name when it is needed: Node has it since 22.15 only.
    if (!zlib.zstdCompressSync) {
      throw new FuseError("Unsupported", "this version of Node has no zstd compressor", {
        remedy: "Use Node 22.15 or later, or another compressor (blosc-lz4, gzip, none)",
      });
    }
    const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
    return zlib.zstdCompressSync(bytes, { params });
  },
  gzip: (bytes, level) => zlib.gzipSync(bytes, { level }),
});
