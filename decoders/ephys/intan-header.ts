/**
 * The header every Intan recording begins with (`*.rhd`, `*.rhs`, and `info.rhd` / `info.rhs` of the
 * split layouts).
 *
 * Sources: Intan "RHD2000 Application Note: Data File Formats" (2015), "RHS2000 Application Note: Data
 * File Formats" (2017), "RHX Data Acquisition Software: Data File Formats" (2021 and later).
 */
import { type ErrorDetails, FuseError, type Limits } from "../../src/errors.ts";
import { type ByteSource, viewOf } from "../../src/source/source.ts";
import type { IntanChannel, IntanGroup, IntanHeader, SignalKind } from "./intan-model.ts";

/** First four bytes of an RHD header, as a little-endian number. */
export const RHD_MAGIC = 0xc6912702;
/** First four bytes of an RHS header, as a little-endian number. */
export const RHS_MAGIC = 0xd69127ac;

const RHD_KINDS: (SignalKind | null)[] = [
  "amplifier",
  "auxiliary",
  "supply",
  "analog_in",
  "digital_in",
  "digital_out",
];
const RHS_KINDS: (SignalKind | null)[] = [
  "amplifier",
  null,
  null,
  "analog_in",
  "analog_out",
  "digital_in",
  "digital_out",
];

/** Thrown when the bytes at hand end inside the header and the file goes on. */
class MoreBytes extends Error {
  constructor(readonly needed: number) {
    super("more header bytes are needed");
  }
}

/** Bytes of a first header read: the header of 512 channels and the first timestamps. */
const FIRST_READ_BYTES = 65_536;
/** Longest note or name taken for one. */
const MAX_TEXT_BYTES = 1 << 20;
const MAX_GROUPS = 1024;

class Cursor {
  at = 0;
  readonly #view: DataView;
  readonly #text = new TextDecoder("utf-16le", { ignoreBOM: true });

  constructor(readonly bytes: Uint8Array, readonly source: { name: string; size: number }) {
    this.#view = viewOf(bytes);
  }

  #take(length: number, field: string): number {
    const start = this.at;
    if (start + length > this.source.size) {
      throw new FuseError("Truncated", "the file ends inside its header", {
        source: this.source.name,
        offset: start,
        field,
        found: `${this.source.size - start} bytes`,
        expected: `${length} bytes`,
      });
    }
    if (start + length > this.bytes.length) throw new MoreBytes(start + length);
    this.at += length;
    return start;
  }

  int16(field: string): number {
    return this.#view.getInt16(this.#take(2, field), true);
  }
  uint32(field: string): number {
    return this.#view.getUint32(this.#take(4, field), true);
  }
  float32(field: string): number {
    return this.#view.getFloat32(this.#take(4, field), true);
  }

  /** A QString: byte count, then UTF-16; 0xFFFFFFFF stands for none. */
  text(field: string): string {
    const offset = this.at;
    const length = this.uint32(field);
    if (length === 0xffffffff) return "";
    if (length % 2 || length > MAX_TEXT_BYTES) {
      throw this.bad("a text of the header has an impossible length", {
        offset,
        field,
        found: length,
        expected: `an even number up to ${MAX_TEXT_BYTES}`,
      });
    }
    const start = this.#take(length, field);
    return this.#text.decode(this.bytes.subarray(start, start + length)).replace(/\0+$/, "");
  }

  bad(statement: string, details: ErrorDetails): FuseError {
    return new FuseError("Corrupt", statement, { source: this.source.name, ...details });
  }
}

/** True for version numbers Intan's programs have written or may come to write. */
export function plausibleVersion(major: number, minor: number): boolean {
  return major >= 1 && major <= 9 && minor >= 0 && minor <= 99;
}

/**
 * Reads the header at the start of `source`.
 * @param listDisabled take the channels a disabled group counts to be listed all the same
 * @throws FuseError `Corrupt`, `Truncated`, `Unsupported` or `Limit`
 */
export async function readIntanHeader(
  source: ByteSource,
  limits: Limits,
  signal?: AbortSignal,
  listDisabled = false,
): Promise<IntanHeader> {
  const size = source.size;
  if (size === undefined) {
    throw new FuseError("NeedsRandomAccess", "the length of an Intan recording must be known", {
      source: source.name,
      remedy: "Save it to a file first",
    });
  }
  let length = Math.min(size, FIRST_READ_BYTES);
  while (true) {
    const bytes = await source.readUpTo(0, length, { purpose: "header", signal });
    try {
      return parseHeader(new Cursor(bytes, { name: source.name, size }), limits, listDisabled);
    } catch (error) {
      if (!(error instanceof MoreBytes)) throw error;
      if (error.needed > limits.headerBytes) {
        throw new FuseError("Limit", "the header is too long", {
          source: source.name,
          found: `${error.needed} bytes and more`,
          expected: `at most ${limits.headerBytes}`,
        });
      }
      length = Math.min(size, Math.max(error.needed, 2 * length));
    }
  }
}

function parseHeader(c: Cursor, limits: Limits, listDisabled: boolean): IntanHeader {
  const magic = c.uint32("header identifier");
  if (magic !== RHD_MAGIC && magic !== RHS_MAGIC) {
    throw c.bad("not an Intan header", {
      offset: 0,
      field: "header identifier",
      found: `0x${magic.toString(16)}`,
      expected: `0x${RHD_MAGIC.toString(16)} (RHD) or 0x${RHS_MAGIC.toString(16)} (RHS)`,
    });
  }
  const rhs = magic === RHS_MAGIC;
  const major = c.int16("main version"), minor = c.int16("secondary version");
  if (!plausibleVersion(major, minor)) {
    throw c.bad("impossible version number", {
      offset: 4,
      found: `${major}.${minor}`,
      expected: "1.0 to 9.99",
    });
  }
  const since = (wantedMajor: number, wantedMinor: number) =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);

  const rateOffset = c.at;
  const sampleRate = c.float32("sample rate");
  if (!(Number.isFinite(sampleRate) && sampleRate > 0)) {
    throw c.bad("impossible sampling rate", {
      offset: rateOffset,
      found: sampleRate,
      expected: "a positive number of samples per second",
    });
  }
  const dspEnabled = c.int16("DSP enabled") !== 0;
  const actualDspCutoff = c.float32("actual DSP cutoff");
  const actualLowerBandwidth = c.float32("actual lower bandwidth");
  const actualLowerSettleBandwidth = rhs ? c.float32("actual lower settle bandwidth") : undefined;
  const actualUpperBandwidth = c.float32("actual upper bandwidth");
  const desiredDspCutoff = c.float32("desired DSP cutoff");
  const desiredLowerBandwidth = c.float32("desired lower bandwidth");
  const desiredLowerSettleBandwidth = rhs ? c.float32("desired lower settle bandwidth") : undefined;
  const desiredUpperBandwidth = c.float32("desired upper bandwidth");
  const notchMode = c.int16("notch filter mode");
  const desiredImpedanceTestFrequency = c.float32("desired impedance test frequency");
  const actualImpedanceTestFrequency = c.float32("actual impedance test frequency");
  const stimulation = rhs
    ? {
      ampSettleMode: c.int16("amp settle mode"),
      chargeRecoveryMode: c.int16("charge recovery mode"),
      stepAmperes: c.float32("stimulation step size"),
      recoveryCurrentLimitAmperes: c.float32("charge recovery current limit"),
      recoveryTargetVolts: c.float32("charge recovery target voltage"),
    }
    : undefined;
  const notes: [string, string, string] = [c.text("note 1"), c.text("note 2"), c.text("note 3")];
  let temperatureSensors = 0, boardMode = 0, dcSaved = false;
  let reference: string | undefined;
  if (rhs) {
    dcSaved = c.int16("DC amplifier data saved") !== 0;
    boardMode = c.int16("board mode");
    reference = c.text("reference channel");
  } else {
    if (since(1, 1)) {
      const offset = c.at;
      temperatureSensors = c.int16("number of temperature sensors");
      if (temperatureSensors < 0) {
        throw c.bad("impossible number of temperature sensors", {
          offset,
          found: temperatureSensors,
        });
      }
    }
    if (since(1, 3)) boardMode = c.int16("board mode");
    if (since(2, 0)) reference = c.text("reference channel");
  }
  const list = parseGroups(c, limits, rhs, listDisabled);
  return {
    rhs,
    major,
    minor,
    sampleRate,
    dspEnabled,
    actualDspCutoff,
    actualLowerBandwidth,
    actualLowerSettleBandwidth,
    actualUpperBandwidth,
    desiredDspCutoff,
    desiredLowerBandwidth,
    desiredLowerSettleBandwidth,
    desiredUpperBandwidth,
    notchMode,
    desiredImpedanceTestFrequency,
    actualImpedanceTestFrequency,
    stimulation,
    notes,
    temperatureSensors,
    dcSaved,
    boardMode,
    reference,
    ...list,
    samplesPerBlock: rhs || major >= 2 ? 128 : 60,
    signedTimestamps: rhs || since(1, 2),
    headerBytes: c.at,
  };
}

function parseGroups(
  c: Cursor,
  limits: Limits,
  rhs: boolean,
  listDisabled: boolean,
): Pick<IntanHeader, "groups" | "channels" | "ambiguousGroups"> {
  const groups: IntanGroup[] = [], channels: IntanChannel[] = [];
  let ambiguousGroups = false;
  const count = (field: string, most: number): number => {
    const offset = c.at;
    const n = c.int16(field);
    if (n >= 0 && n <= most) return n;
    throw c.bad(`impossible ${field}`, { offset, found: n, expected: `0 to ${most}` });
  };
  const groupCount = count("number of signal groups", MAX_GROUPS);
  for (let g = 0; g < groupCount; g++) {
    const group: IntanGroup = {
      name: c.text("signal group name"),
      prefix: c.text("signal group prefix"),
      enabled: c.int16("signal group enabled") !== 0,
      channelCount: count("number of channels in a group", 32_767),
      amplifierCount: count("number of amplifier channels in a group", 32_767),
    };
    groups.push(group);
    if (!group.enabled && group.channelCount > 0) {
      ambiguousGroups = true;
      if (!listDisabled) continue;
    }
    if (channels.length + group.channelCount > limits.items) {
      throw new FuseError("Limit", "too many channels", {
        source: c.source.name,
        offset: c.at,
        found: channels.length + group.channelCount,
        expected: `at most ${limits.items}`,
      });
    }
    for (let i = 0; i < group.channelCount; i++) channels.push(parseChannel(c, group, rhs));
  }
  return { groups, channels, ambiguousGroups };
}

function parseChannel(c: Cursor, group: IntanGroup, rhs: boolean): IntanChannel {
  const nativeName = c.text("native channel name");
  const customName = c.text("custom channel name");
  const orderOffset = c.at;
  const nativeOrder = c.int16("native order"), customOrder = c.int16("custom order");
  const offset = c.at;
  const type = c.int16("signal type");
  const enabled = c.int16("channel enabled") !== 0 && group.enabled;
  const kinds = rhs ? RHS_KINDS : RHD_KINDS;
  const kind = kinds[type];
  if (kind === undefined) {
    throw c.bad("impossible signal type", {
      offset,
      field: nativeName,
      found: type,
      expected: `0 to ${kinds.length - 1}`,
    });
  }
  if (kind === null && enabled) {
    throw new FuseError("Unsupported", "a signal type that no RHS document describes", {
      source: c.source.name,
      offset,
      field: nativeName,
      found: type,
    });
  }
  const digital = kind === "digital_in" || kind === "digital_out";
  if (digital && enabled && (nativeOrder < 0 || nativeOrder > 15)) {
    throw c.bad("impossible number of a digital line", {
      offset: orderOffset,
      field: nativeName,
      found: nativeOrder,
      expected: "0 to 15",
    });
  }
  return {
    kind: kind ?? "auxiliary",
    enabled,
    nativeName,
    customName,
    nativeOrder,
    customOrder,
    chipChannel: c.int16("chip channel"),
    ...(rhs ? { commandStream: c.int16("command stream") } : {}),
    boardStream: c.int16("board stream"),
    spikeTrigger: {
      mode: c.int16("spike trigger mode"),
      thresholdMicrovolts: c.int16("spike trigger threshold"),
      line: c.int16("spike trigger digital line"),
      polarity: c.int16("spike trigger edge polarity"),
    },
    impedanceOhms: c.float32("impedance magnitude"),
    impedancePhaseDegrees: c.float32("impedance phase"),
    groupName: group.name,
    groupPrefix: group.prefix,
  };
}
