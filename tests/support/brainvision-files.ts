/** Builds small BrainVision sets. */
import { MemorySource } from "../../src/source/memory.ts";

/** A set of files, by name. */
export type BrainVisionSet = Record<string, Uint8Array<ArrayBuffer>>;

/** What a header says; values of `common` and the others are written as they are. */
export interface BrainVisionSpec {
  /** Name of the header without its extension. */
  base?: string;
  firstLine?: string;
  common?: Record<string, string | number | null>;
  binary?: Record<string, string | number>;
  ascii?: Record<string, string | number>;
  /** Entries of the channels. */
  channels: string[];
  coordinates?: string[];
  comment?: string;
  /** Entries of the markers; none: no marker file. */
  markers?: string[];
  data: Uint8Array<ArrayBuffer>;
  /** Turns text into bytes; UTF-8 unless given. */
  encode?: (text: string) => Uint8Array<ArrayBuffer>;
  /** Names the data and marker files really have. */
  dataName?: string;
  markerName?: string;
}

const utf8 = (text: string) => new TextEncoder().encode(text);

/** Text in which every character is a byte. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Numbers as bytes of an element type. */
export function packed(
  values: number[],
  write: "Int16" | "Uint16" | "Int32" | "Float32",
  littleEndian = true,
): Uint8Array<ArrayBuffer> {
  const width = write.endsWith("16") ? 2 : 4;
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  values.forEach((v, i) => view[`set${write}`](i * width, v, littleEndian));
  return bytes;
}

/** The files of a set. */
export function buildBrainVision(spec: BrainVisionSpec): BrainVisionSet {
  const { base = "rec", encode = utf8 } = spec;
  const section = (name: string, entries: [string, string | number | null][]) =>
    entries.length
      ? `\r\n[${name}]\r\n; a remark\r\n${
        entries.filter(([, v]) => v !== null).map(([k, v]) => `${k}=${v}\r\n`).join("")
      }`
      : "";
  const numbered = (prefix: string, list: string[]) =>
    list.map((entry, i): [string, string] => [`${prefix}${i + 1}`, entry]);
  const common = {
    Codepage: "UTF-8",
    DataFile: `${base}.eeg`,
    MarkerFile: spec.markers ? `${base}.vmrk` : null,
    DataFormat: spec.ascii ? "ASCII" : "BINARY",
    DataOrientation: "MULTIPLEXED",
    NumberOfChannels: spec.channels.length,
    SamplingInterval: 1000,
    ...spec.common,
  };
  const header = (spec.firstLine ?? "Brain Vision Data Exchange Header File Version 1.0") +
    "\r\n; made for a test\r\n" +
    section("Common Infos", Object.entries(common)) +
    section(
      "Binary Infos",
      spec.ascii ? [] : Object.entries({
        BinaryFormat: "INT_16",
        ...spec.binary,
      }),
    ) +
    section("ASCII Infos", Object.entries(spec.ascii ?? {})) +
    section("Channel Infos", numbered("Ch", spec.channels)) +
    section("Coordinates", numbered("Ch", spec.coordinates ?? [])) +
    (spec.comment ? `\r\n[Comment]\r\n${spec.comment}\r\n` : "");
  const markers = "Brain Vision Data Exchange Marker File, Version 1.0\r\n" +
    section("Common Infos", [["Codepage", common.Codepage], ["DataFile", common.DataFile]]) +
    section("Marker Infos", numbered("Mk", spec.markers ?? []));
  return {
    [`${base}.vhdr`]: encode(header),
    ...(spec.markers ? { [spec.markerName ?? `${base}.vmrk`]: encode(markers) } : {}),
    [spec.dataName ?? `${base}.eeg`]: spec.data,
  };
}

/** A member of a set, with the others beside it. */
export function memberOf(set: BrainVisionSet, name: string): MemorySource {
  const { [name]: bytes, ...siblings } = set;
  return new MemorySource(name, bytes, siblings);
}
