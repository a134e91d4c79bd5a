/** HDF5: any tree of arrays (HDF Group, HDF5 File Format Specification 4.0). */
import { type FormatDescriptor, NOT_MINE, type ProbeInput } from "../format.ts";
import { hasSignature } from "./hdf5/superblock.ts";

const EXTENSIONS = [".h5", ".hdf5", ".he5"];

/** HDF5 files that no more specific format claims. */
export const hdf5: FormatDescriptor = {
  id: "hdf5",
  name: "HDF5",
  kind: "time-series",
  extensions: EXTENSIONS,
  needs: "random",
  reads:
    "superblock 0-3, old and new groups, all datatypes, all layouts and chunk indexes, deflate, shuffle, " +
    "fletcher32, szip, N-bit, scale-offset, LZF, Blosc, LZ4, bitshuffle, Zstandard, bzip2; recordings are " +
    "found by names, attributes and sizes",
  missing:
    "virtual datasets, other filters (Blosc2, LZO, zfp, SZ, MaxWell ...), files in several parts",
  references: [
    "HDF Group: HDF5 File Format Specification 4.0",
    "Registered filter plugins: github.com/HDFGroup/hdf5_plugins",
    "h5py 3.16 (HDF5 2.0) with hdf5plugin 7.1",
  ],
  probe,
  load: async () => (await import("./hdf5-reader.ts")).reader,
};

function probe({ head, name }: ProbeInput) {
  for (let offset = 0; offset < head.length; offset = offset === 0 ? 512 : offset * 2) {
    if (!hasSignature(head, offset)) continue;
    const version = head[offset + 8];
    const where = offset ? ` at byte ${offset}` : "";
    return { score: 160, why: `HDF5 signature${where}, superblock version ${version}` };
  }
  const extension = EXTENSIONS.find((e) => name.endsWith(e));
  return extension ? { score: 20, why: `extension ${extension}` } : NOT_MINE;
}
