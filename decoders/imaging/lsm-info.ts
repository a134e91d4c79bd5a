/**
 * CZ_LSMINFO, the field in which Zeiss LSM files keep what TIFF has no tags for, and the blocks it
 * points to.
 *
 * Source: Carl Zeiss, "LSM 5/7 image file format description" (releases 3.2 to 7.0).
 */
import { isFuseError } from "../../src/errors.ts";
import type { Json } from "../../src/model/dataset.ts";
import { viewOf } from "../../src/source/source.ts";
import type { HeaderWindow } from "./tiff-window.ts";

/** First words of CZ_LSMINFO: release 1.3 and 1.5 and later. */
const MAGIC = [0x0300494c, 0x0400494c];

type FieldType = "u2" | "u4" | "i4" | "f8";

/** The structure, in order; older releases end earlier (StructureSize). */
const FIELDS: [string, FieldType, number?][] = [
  ["MagicNumber", "u4"],
  ["StructureSize", "i4"],
  ["DimensionX", "i4"],
  ["DimensionY", "i4"],
  ["DimensionZ", "i4"],
  ["DimensionChannels", "i4"],
  ["DimensionTime", "i4"],
  ["DataType", "i4"],
  ["ThumbnailX", "i4"],
  ["ThumbnailY", "i4"],
  ["VoxelSizeX", "f8"],
  ["VoxelSizeY", "f8"],
  ["VoxelSizeZ", "f8"],
  ["OriginX", "f8"],
  ["OriginY", "f8"],
  ["OriginZ", "f8"],
  ["ScanType", "u2"],
  ["SpectralScan", "u2"],
  ["TypeOfData", "u4"],
  ["OffsetVectorOverlay", "u4"],
  ["OffsetInputLut", "u4"],
  ["OffsetOutputLut", "u4"],
  ["OffsetChannelColors", "u4"],
  ["TimeInterval", "f8"],
  ["OffsetChannelDataTypes", "u4"],
  ["OffsetScanInformation", "u4"],
  ["OffsetKsData", "u4"],
  ["OffsetTimeStamps", "u4"],
  ["OffsetEventList", "u4"],
  ["OffsetRoi", "u4"],
  ["OffsetBleachRoi", "u4"],
  ["OffsetNextRecording", "u4"],
  ["DisplayAspectX", "f8"],
  ["DisplayAspectY", "f8"],
  ["DisplayAspectZ", "f8"],
  ["DisplayAspectTime", "f8"],
  ["OffsetMeanOfRoisOverlay", "u4"],
  ["OffsetTopoIsolineOverlay", "u4"],
  ["OffsetTopoProfileOverlay", "u4"],
  ["OffsetLinescanOverlay", "u4"],
  ["ToolbarFlags", "u4"],
  ["OffsetChannelWavelength", "u4"],
  ["OffsetChannelFactors", "u4"],
  ["ObjectiveSphereCorrection", "f8"],
  ["OffsetUnmixParameters", "u4"],
  ["OffsetAcquisitionParameters", "u4"],
  ["OffsetCharacteristics", "u4"],
  ["OffsetPalette", "u4"],
  ["TimeDifferenceX", "f8"],
  ["TimeDifferenceY", "f8"],
  ["TimeDifferenceZ", "f8"],
  ["InternalUse1", "u4"],
  ["DimensionP", "i4"],
  ["DimensionM", "i4"],
  ["DimensionsReserved", "i4", 16],
  ["OffsetTilePositions", "u4"],
  ["Reserved", "u4", 9],
  ["OffsetPositions", "u4"],
];

const BYTES: Record<FieldType, number> = { u2: 2, u4: 4, i4: 4, f8: 8 };

/** The numbers of the structure under Zeiss' names; repeated reserved words are left out. */
export type LsmFields = Record<string, number>;

/** The structure, or null when these bytes are none. */
export function parseLsmInfo(bytes: Uint8Array): LsmFields | null {
  const view = viewOf(bytes);
  if (bytes.length < 8 || !MAGIC.includes(view.getUint32(0, true))) return null;
  const stated = view.getInt32(4, true);
  const size = Math.min(bytes.length, stated > 0 ? stated : bytes.length);
  const out: LsmFields = {};
  let at = 0;
  for (const [name, type, repeat = 1] of FIELDS) {
    if (at + BYTES[type] * repeat > size) break;
    if (repeat === 1) out[name] = number(view, at, type);
    at += BYTES[type] * repeat;
  }
  return out;
}

function number(view: DataView, at: number, type: FieldType): number {
  switch (type) {
    case "u2":
      return view.getUint16(at, true);
    case "u4":
      return view.getUint32(at, true);
    case "i4":
      return view.getInt32(at, true);
    default:
      return view.getFloat64(at, true);
  }
}

/** A recorded event: a marker of the user, a trigger, a bleach. */
export interface LsmEvent {
  seconds: number;
  type: number;
  text: string;
}

/** Colours and names of the channels. */
export interface LsmChannels {
  names: string[];
  /** "RRGGBB". */
  colors: string[];
}

/** Reads the blocks CZ_LSMINFO points to; a block that cannot be read is told to `warn` and left out. */
export class LsmBlocks {
  constructor(
    readonly window: HeaderWindow,
    readonly fields: LsmFields,
    readonly warn: (text: string) => void,
  ) {}

  /** Place of a block; 0 without one. */
  offset(name: string): number {
    const at = this.fields[`Offset${name}`] ?? 0;
    return at >= 8 ? at : 0;
  }

  async #read<T>(name: string, body: (at: number) => Promise<T>): Promise<T | undefined> {
    const at = this.offset(name);
    if (!at) return undefined;
    try {
      return await body(at);
    } catch (error) {
      if (!isFuseError(error, "Truncated", "Corrupt", "Limit")) throw error;
      this.warn(`the block ${name} at byte ${at} cannot be read: ${error.statement}`);
      return undefined;
    }
  }

  /** Doubles after a count; `width` of them make one item. */
  async #doubles(at: number, width: number): Promise<Float64Array> {
    const count = (await this.window.view(at, 4)).getInt32(0, true);
    if (count <= 0 || count > 1 << 20) return new Float64Array(0);
    const view = await this.window.view(at + 4, count * width * 8);
    return Float64Array.from({ length: count * width }, (_, i) => view.getFloat64(8 * i, true));
  }

  /** Seconds of each time point, on the microscope's own clock. */
  timeStamps(): Promise<Float64Array | undefined> {
    return this.#read("TimeStamps", async (at) => {
      const head = await this.window.view(at, 8);
      const size = head.getInt32(0, true), count = head.getInt32(4, true);
      if (count <= 0 || size !== 8 + 8 * count) {
        this.warn("the block of time stamps has no sensible size and is not used");
        return new Float64Array(0);
      }
      const view = await this.window.view(at + 8, 8 * count);
      return Float64Array.from({ length: count }, (_, i) => view.getFloat64(8 * i, true));
    });
  }

  /** Events in the file's order, on the clock of the time stamps. */
  events(): Promise<LsmEvent[] | undefined> {
    return this.#read("EventList", async (start) => {
      const count = (await this.window.view(start, 8)).getUint32(4, true);
      const events: LsmEvent[] = [];
      let at = start + 8;
      for (let i = 0; i < Math.min(count, 1 << 16); i++) {
        const head = await this.window.view(at, 16);
        const size = head.getUint32(0, true);
        if (size < 16) break;
        const text = text8(await this.window.read(at + 16, Math.min(size - 16, 1 << 16)));
        events.push({ seconds: head.getFloat64(4, true), type: head.getUint32(12, true), text });
        at += size;
      }
      return events;
    });
  }

  /** Colours and names of the channels as displayed. */
  channels(): Promise<LsmChannels | undefined> {
    return this.#read("ChannelColors", async (at) => {
      const head = await this.window.view(at, 24);
      const [size, colors, names, colorsAt, namesAt] = [0, 4, 8, 12, 16].map((o) =>
        head.getUint32(o, true)
      );
      if (size > 1 << 20 || colors > 4096 || names > 4096) return undefined;
      const bytes = await this.window.read(at, size);
      const out: LsmChannels = { names: [], colors: [] };
      for (let i = 0; i < colors && colorsAt + 4 * i + 4 <= size; i++) {
        out.colors.push(
          [...bytes.subarray(colorsAt + 4 * i, colorsAt + 4 * i + 3)]
            .map((v) => v.toString(16).padStart(2, "0").toUpperCase()).join(""),
        );
      }
      const view = viewOf(bytes);
      for (let i = 0, p = namesAt; i < names && p + 4 <= size; i++) {
        const length = view.getUint32(p, true);
        out.names.push(text8(bytes.subarray(p + 4, Math.min(size, p + 4 + length))));
        p += 4 + length;
      }
      return out;
    });
  }

  /** Data type of each channel: 1 8 bits, 2 12 bits, 5 float. */
  channelTypes(): Promise<number[] | undefined> {
    return this.#read("ChannelDataTypes", async (at) => {
      const count = (await this.window.view(at, 4)).getUint32(0, true);
      if (count === 0 || count > 4096) return [];
      const view = await this.window.view(at + 4, 4 * count);
      return Array.from({ length: count }, (_, i) => view.getUint32(4 * i, true));
    });
  }

  /** First and last wavelength of each channel, metres. */
  wavelengths(): Promise<Json | undefined> {
    return this.#read("ChannelWavelength", async (at) => pairs(await this.#doubles(at, 2), 2));
  }

  /** Places of the stage, x y z in metres: of the positions, or of the tiles of each. */
  positions(name: "Positions" | "TilePositions"): Promise<number[][] | undefined> {
    return this.#read(name, async (at) => pairs(await this.#doubles(at, 3), 3));
  }

  /** A block as it is, when its first word is its size. */
  raw(name: string, most: number): Promise<Uint8Array | undefined> {
    return this.#read(name, async (at) => {
      const size = (await this.window.view(at, 4)).getUint32(0, true);
      return size < 8 || size > most ? undefined : (await this.window.read(at, size)).slice();
    });
  }
}

function pairs(values: Float64Array, width: number): number[][] {
  return Array.from(
    { length: values.length / width },
    (_, i) => [...values.subarray(i * width, (i + 1) * width)],
  );
}

/** Text of one-byte characters (Windows-1252) up to its first NUL. */
export function text8(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder("windows-1252").decode(end < 0 ? bytes : bytes.subarray(0, end)).trim();
}
