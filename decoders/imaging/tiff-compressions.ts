/** TIFF compressions by number: what they are called, and which are decoded. */

/** Compressions that are decoded. */
const DECODED: Record<number, string> = {
  1: "none",
  2: "CCITT modified Huffman",
  3: "CCITT Group 3",
  4: "CCITT Group 4",
  5: "LZW",
  6: "old-style JPEG",
  7: "JPEG",
  8: "deflate",
  32766: "NeXT RLE",
  32771: "CCITT modified Huffman, word-aligned",
  32773: "PackBits",
  32809: "ThunderScan",
  32946: "deflate",
  33003: "Aperio JPEG 2000 YCbCr",
  33004: "JPEG 2000",
  33005: "Aperio JPEG 2000 RGB",
  33007: "JPEG",
  34712: "JPEG 2000",
  34887: "LERC",
  34892: "JPEG (DNG, lossy)",
  34925: "LZMA",
  34926: "zstd",
  34927: "WebP",
  34933: "PNG",
  50000: "zstd",
  50001: "WebP",
  50002: "JPEG XL",
  50013: "deflate",
  52546: "JPEG XL (DNG)",
};

/** Compressions that are known by name only. */
const KNOWN: Record<number, string> = {
  9: "JBIG",
  10: "JBIG colour",
  262: "Kodak 262",
  22610: "JPEG XR (Hamamatsu)",
  32767: "Sony ARW",
  32769: "packed raw",
  32770: "Samsung SRW",
  32895: "IT8 CT padding",
  32896: "IT8 line work",
  32897: "IT8 monochrome picture",
  32898: "IT8 binary line art",
  32908: "Pixar film",
  32909: "Pixar log",
  32947: "Kodak DCS",
  34661: "JBIG",
  34676: "SGI LogLuv",
  34677: "SGI LogLuv 24-bit",
  34713: "Nikon NEF",
  34715: "JBIG2",
  34718: "Microsoft Document Imaging",
  34719: "Microsoft Document Imaging",
  34720: "Microsoft Document Imaging",
  34934: "JPEG XR",
  48124: "Jetraw",
  65000: "Kodak DCR",
  65535: "Pentax PEF",
};

/**
 * The most bytes one stored byte can decode to, where a compression has such a bound: LZW strings grow by
 * a byte a code of up to 12 bits, deflate copies 258 bytes by two bits, PackBits 128 by two bytes, a JPEG
 * block of 64 takes a bit or two (and stands for four times as much of a coarser chroma).
 */
const MOST_EXPANSION: Record<number, number> = {
  1: 1,
  5: 4096,
  6: 4096,
  7: 4096,
  8: 1100,
  32773: 65,
  32946: 1100,
  33007: 4096,
  34892: 4096,
  34933: 1100,
  50013: 1100,
};

/** Bytes that `stored` bytes of a compression can decode to at most. */
export function mostDecoded(compression: number, stored: number): number {
  const most = MOST_EXPANSION[compression];
  return most === undefined ? Infinity : (stored + 64) * most;
}

/** True when chunks of a compression can be decoded. */
export function isDecoded(compression: number): boolean {
  return Object.hasOwn(DECODED, compression);
}

/** The name of a compression with its number. */
export function compressionName(compression: number): string {
  const name = DECODED[compression] ?? KNOWN[compression];
  return name ? `${name} (${compression})` : String(compression);
}
