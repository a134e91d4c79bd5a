/** Services of Deno and Node the core uses where they exist. Imported by their entry points only. */
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { setNativeCodecs } from "../sinks/zarr/native-codecs.ts";

setNativeCodecs({
  zstd: (bytes, level) =>
    zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } }),
  gzip: (bytes, level) => gzipSync(bytes, { level }),
});
