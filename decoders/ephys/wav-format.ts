/** The "fmt " chunk: WAVEFORMAT, WAVEFORMATEX and WAVEFORMATEXTENSIBLE, and how samples are stored. */
import { ensure, FuseError } from "../../src/errors.ts";
import { decodedType, type DType, type StoredType } from "../../src/model/dtype.ts";
import { viewOf } from "../../src/source/source.ts";

/** Fields of the "fmt " chunk; `tag` is the sub-format's for WAVE_FORMAT_EXTENSIBLE. */
export interface WaveFormat {
  tag: number;
  extensible: boolean;
  channels: number;
  /** Samples per second and channel. */
  rate: number;
  averageBytes: number;
  /** Bytes of one sample of all channels. */
  blockAlign: number;
  /** Bits of a sample, or of its container when `extensible`. */
  bits: number;
  /** Bits of the container that carry information; 0 when not stated. */
  validBits: number;
  speakerMask: number;
}

/** How one frame of samples is stored and scaled. */
export interface SampleCoding {
  stored: StoredType;
  decoded: DType;
  /** Integers of more bytes than 32 bits and fewer than 64: `stored` is what they are widened to. */
  wide?: boolean;
  sampleBytes: number;
  frameBytes: number;
  significantBits?: number;
  gain: number;
  offset: number;
  /** "PCM", "IEEE float", "A-law", "mu-law". */
  name: string;
}

const PCM = 1, FLOAT = 3, ALAW = 6, MULAW = 7, EXTENSIBLE = 0xfffe;

/** By their bytes, less one. */
const INTEGERS = [
  "uint8",
  "int16",
  "int24",
  "int32",
  "int64",
  "int64",
  "int64",
  "int64",
] as const;

/** Registered format tags met in the wild (RFC 2361, mmreg.h). */
const CODECS: Record<number, string> = {
  0x0000: "unknown codec",
  0x0002: "Microsoft ADPCM",
  0x0005: "IBM CVSD",
  0x0010: "OKI ADPCM",
  0x0011: "IMA ADPCM",
  0x0014: "G.723 ADPCM",
  0x0016: "Dialogic OKI ADPCM",
  0x0020: "Yamaha ADPCM",
  0x0022: "TrueSpeech",
  0x0031: "GSM 6.10",
  0x0040: "G.721 ADPCM",
  0x0045: "G.726 ADPCM",
  0x0050: "MPEG layer 1/2",
  0x0055: "MP3",
  0x0064: "G.726 ADPCM",
  0x0065: "G.722 ADPCM",
  0x0069: "IMA ADPCM (Xbox)",
  0x0092: "AC-3 over S/PDIF",
  0x00ff: "AAC",
  0x0160: "Windows Media Audio 1",
  0x0161: "Windows Media Audio 2",
  0x0162: "Windows Media Audio Pro",
  0x0163: "Windows Media Audio Lossless",
  0x0200: "Creative ADPCM",
  0x2000: "AC-3",
  0x2001: "DTS",
  0x566f: "Ogg Vorbis",
  0x674f: "Ogg Vorbis",
  0x704f: "Opus",
  0xf1ac: "FLAC",
};

/** Bits of dwChannelMask, lowest first (WAVEFORMATEXTENSIBLE). */
const SPEAKERS = [
  "front left",
  "front right",
  "front center",
  "low frequency",
  "back left",
  "back right",
  "front left of center",
  "front right of center",
  "back center",
  "side left",
  "side right",
  "top center",
  "top front left",
  "top front center",
  "top front right",
  "top back left",
  "top back center",
  "top back right",
];

/** Parses the payload of a "fmt " chunk that starts at file offset `offset`. */
export function parseFormat(
  bytes: Uint8Array,
  littleEndian: boolean,
  source: string,
  offset: number,
): WaveFormat {
  const place = { source, offset, field: "fmt" };
  ensure(bytes.length >= 14, "the format chunk is too short", {
    ...place,
    found: `${bytes.length} bytes`,
    expected: "at least 14",
  });
  const view = viewOf(bytes);
  const u16 = (at: number) => at + 2 <= bytes.length ? view.getUint16(at, littleEndian) : 0;
  const u32 = (at: number) => at + 4 <= bytes.length ? view.getUint32(at, littleEndian) : 0;
  const format: WaveFormat = {
    tag: u16(0),
    extensible: false,
    channels: u16(2),
    rate: u32(4),
    averageBytes: u32(8),
    blockAlign: u16(12),
    bits: u16(14),
    validBits: 0,
    speakerMask: 0,
  };
  ensure(format.channels > 0, "no channels", { ...place, found: 0, expected: "1 or more" });
  ensure(format.rate > 0, "no sample rate", { ...place, found: 0, expected: "1 Hz or more" });
  if (format.tag === EXTENSIBLE) {
    ensure(bytes.length >= 40, "the extensible format chunk is too short", {
      ...place,
      found: `${bytes.length} bytes`,
      expected: "40",
    });
    format.extensible = true;
    format.validBits = u16(18);
    format.speakerMask = u32(20);
    format.tag = subFormat(bytes, u32(24), place);
  }
  return format;
}

/** The format tag inside a sub-format GUID: the KSDATAFORMAT family or Ambisonic B-format. */
function subFormat(
  bytes: Uint8Array,
  first: number,
  place: { source: string; offset: number; field: string },
): number {
  const tail = [...bytes.subarray(28, 40)].map((b) => b.toString(16).padStart(2, "0")).join("");
  const families = [
    "00001000800000aa00389b71", // little-endian
    "00000010800000aa00389b71", // as RIFX writers store it
    "2107d3118644c8c1ca000000", // Ambisonic B-format
    "072111d38644c8c1ca000000",
  ];
  if (first > 0xffff || !families.includes(tail)) {
    throw new FuseError("Unsupported", "a sub-format that is no registered codec", {
      ...place,
      found: `GUID ${first.toString(16).padStart(8, "0")}-${tail}`,
    });
  }
  return first;
}

/**
 * Decides how samples are stored. PCM of up to 8 bits is unsigned around 128, wider PCM is signed and
 * left-justified in its container, so full scale is always the container's.
 * @throws FuseError `Unsupported` for compressed codecs and odd widths.
 */
export function sampleCoding(
  format: WaveFormat,
  source: string,
  warnings: string[],
): SampleCoding {
  const { tag, channels, bits } = format;
  const unsupported = (statement: string) =>
    new FuseError("Unsupported", statement, {
      source,
      field: "fmt",
      found: `format tag 0x${tag.toString(16).padStart(4, "0")}, ${bits} bits`,
      expected: "PCM, IEEE float, A-law or mu-law",
    });
  if (![PCM, FLOAT, ALAW, MULAW].includes(tag)) {
    throw unsupported(`samples compressed with ${CODECS[tag] ?? "an unknown codec"}`);
  }
  const stated = tag === ALAW || tag === MULAW ? 8 : bits || (format.blockAlign / channels) * 8;
  const least = Math.ceil(stated / 8);
  let sampleBytes = format.blockAlign / channels;
  if (!Number.isInteger(sampleBytes) || sampleBytes < least) {
    warnings.push(
      `the block size of ${format.blockAlign} bytes does not hold ${channels} channels of ` +
        `${stated} bits: ${least * channels} bytes are taken`,
    );
    sampleBytes = least;
  }
  const frame = { sampleBytes, frameBytes: sampleBytes * channels, offset: 0 };
  if (tag === ALAW || tag === MULAW) {
    if (sampleBytes !== 1) throw unsupported("G.711 samples wider than a byte");
    const stored = tag === ALAW ? "alaw" : "mulaw";
    return {
      ...frame,
      stored,
      decoded: decodedType(stored),
      gain: 2 ** -15,
      name: tag === ALAW ? "A-law" : "mu-law",
    };
  }
  if (tag === FLOAT) {
    const stored = ({ 4: "float32", 8: "float64" } as const)[sampleBytes];
    if (!stored || stated !== sampleBytes * 8) throw unsupported("floats of unusual width");
    return { ...frame, stored, decoded: stored, gain: 1, name: "IEEE float" };
  }
  if (sampleBytes > 8) throw unsupported(`integers of ${sampleBytes} bytes`);
  const stored = INTEGERS[sampleBytes - 1];
  const wide = sampleBytes > 4 && sampleBytes < 8;
  return {
    ...frame,
    stored,
    ...(wide ? { wide } : {}),
    decoded: decodedType(stored),
    ...(sampleBytes === 3 || wide ? { significantBits: sampleBytes * 8 } : {}),
    gain: 2 ** -(sampleBytes * 8 - 1),
    offset: sampleBytes === 1 ? -1 : 0,
    name: "PCM",
  };
}

/** Speaker of each channel, in the order of the mask's bits; undefined when no mask is given. */
export function speakerNames(format: WaveFormat): (string | undefined)[] | undefined {
  if (!format.extensible || format.speakerMask === 0) return undefined;
  const names = SPEAKERS.filter((_, bit) => format.speakerMask & (1 << bit));
  return Array.from({ length: format.channels }, (_, i) => names[i]);
}
