/**
 * The header of ABF 2: a table of sections, each with entries of its own form, and all text in one section.
 * Places of the fields are those of the structures in Axon's AxAbfFio32 (ABF_FileInfo, ABF_ProtocolInfo,
 * ABF_ADCInfo, ABF_DACInfo, ABF_EpochInfo, ABF_EpochInfoPerDAC, ABF_UserListInfo), as the public notes of
 * pyABF and neo give them.
 */
import { ensure, FuseError, type Limits } from "../../src/errors.ts";
import type { ByteSource } from "../../src/source/source.ts";
import { fieldText } from "./ansi-text.ts";
import { AbfFields } from "./abf-fields.ts";
import {
  type AbfChannel,
  type AbfHeader,
  type AbfSection,
  type AbfStimulus,
  BLOCK_BYTES,
  scanRate,
  startTimeOf,
} from "./abf-model.ts";
import {
  type AbfEpoch,
  type AbfOutput,
  type AbfUserList,
  describeOutputs,
  describeUserLists,
  known,
} from "./abf-protocol.ts";

/** Bytes of the file info with the table of sections. */
const FILE_INFO_BYTES = 512;
/** Bytes before the first text of the strings section. */
const STRINGS_HEADER_BYTES = 44;

/** Places in the table of sections. */
const SECTIONS = {
  protocol: 76,
  adc: 92,
  dac: 108,
  epoch: 124,
  epochPerDac: 156,
  userList: 172,
  math: 204,
  strings: 220,
  data: 236,
  tag: 252,
  delta: 284,
  voiceTag: 300,
  synch: 316,
  annotation: 332,
};

/** Reads entries of the sections; those before the data come out of the bytes read first. */
class Sections {
  readonly info: AbfFields;

  constructor(
    readonly head: Uint8Array,
    readonly source: ByteSource,
    readonly size: number,
    readonly limits: Limits,
    readonly warnings: string[],
    readonly signal?: AbortSignal,
  ) {
    this.info = new AbfFields(head.subarray(0, FILE_INFO_BYTES));
  }

  place(name: keyof typeof SECTIONS): AbfSection {
    const at = SECTIONS[name];
    return {
      offset: this.info.u32(at) * BLOCK_BYTES,
      entryBytes: this.info.u32(at + 4),
      count: this.info.u32(at) > 0 ? Math.max(0, this.info.count(at + 8)) : 0,
    };
  }

  /** Bytes of a section that must be there. */
  async bytes(name: keyof typeof SECTIONS, length: number): Promise<Uint8Array> {
    const { offset } = this.place(name);
    const place = { source: this.source.name, format: "abf", offset, field: `${name} section` };
    if (length > this.limits.headerBytes) {
      throw new FuseError("Limit", "the section is larger than the limit for headers", {
        ...place,
        found: `${length} bytes`,
        expected: `at most ${this.limits.headerBytes} bytes`,
      });
    }
    if (offset + length > this.size) {
      throw new FuseError("Truncated", "the file ends before a section of its header", {
        ...place,
        found: `${Math.max(0, this.size - offset)} bytes`,
        expected: `${length} bytes`,
      });
    }
    if (offset + length <= this.head.length) return this.head.subarray(offset, offset + length);
    return await this.source.read(offset, length, { purpose: "header", signal: this.signal });
  }

  async entries(name: keyof typeof SECTIONS): Promise<AbfFields[]> {
    const { entryBytes, count } = this.place(name);
    if (count === 0 || entryBytes === 0) return [];
    const bytes = await this.bytes(name, entryBytes * count);
    return Array.from(
      { length: count },
      (_, i) => new AbfFields(bytes.subarray(i * entryBytes, (i + 1) * entryBytes)),
    );
  }

  /** Entries of a section that only describes the protocol: without them the samples are none the worse. */
  async extras(name: keyof typeof SECTIONS): Promise<AbfFields[]> {
    const { offset, entryBytes, count } = this.place(name);
    const length = entryBytes * count;
    if (offset + length <= this.size && length <= this.limits.headerBytes) {
      return await this.entries(name);
    }
    this.warnings.push(`the ${name} section lies outside the file: it is left out`);
    return [];
  }
}

/**
 * Parses an ABF 2 file from its first bytes, reading on where sections lie further behind.
 * @throws FuseError `Corrupt` and `Truncated` where the samples cannot be understood without what is missing.
 */
export async function parseV2(
  head: Uint8Array,
  source: ByteSource,
  size: number,
  limits: Limits,
  signal?: AbortSignal,
): Promise<AbfHeader> {
  const place = { source: source.name, format: "abf" };
  const warnings: string[] = [];
  const sections = new Sections(head, source, size, limits, warnings, signal);
  const { info } = sections;
  const [protocol] = await sections.entries("protocol");
  ensure(protocol && protocol.has(0, 140), "no protocol section", {
    ...place,
    offset: SECTIONS.protocol,
  });
  const adcs = await sections.entries("adc");
  ensure(adcs.length >= 1 && adcs.length <= limits.items, "impossible number of channels", {
    ...place,
    offset: SECTIONS.adc + 8,
    field: "ADC section",
    found: adcs.length,
  });
  const text = await readStrings(sections);
  const data = sections.place("data");
  ensure(data.offset > 0, "no data section", { ...place, offset: SECTIONS.data });
  const format = info.i16(30);
  ensure(format === 0 || format === 1, "unknown kind of samples", {
    ...place,
    offset: 30,
    field: "nDataFormat",
    found: format,
    expected: "0 (integers) or 1 (floats)",
  });
  const sampleBytes = format === 1 ? 4 : 2;
  if (data.entryBytes !== sampleBytes && data.count > 0) {
    warnings.push(
      `the data section states ${data.entryBytes} bytes a value, its kind has ${sampleBytes}`,
    );
  }
  const startTime = startTimeOf(info.u32(16), info.u32(20));
  if (startTime === undefined && info.u32(16) !== 0) {
    warnings.push(`the header's date is none (${info.u32(16)}): no start time is given`);
  }
  const outputs = await readOutputs(sections, text);
  const samplingFrequency = scanRate(protocol.f32(2), 1);
  return {
    version: [7, 6, 5, 4].map((at) => info.u8(at)).join("."),
    mode: protocol.i16(0),
    isFloat: format === 1,
    dataOffset: data.offset,
    valueCount: data.count,
    channels: adcs.map((adc) => readChannel(adc, text)),
    adcRange: protocol.f32(110),
    adcResolution: protocol.i32(118),
    signalType: protocol.i16(138),
    valueInterval: 1e6 / samplingFrequency / adcs.length,
    samplingFrequency,
    secondFrequency: 0,
    clockChange: 0,
    synchUnit: Math.max(0, protocol.f32(14)),
    samplesPerEpisode: protocol.i32(22),
    episodes: info.u32(12),
    startToStart: protocol.f32(62),
    synch: sections.place("synch"),
    tags: sections.place("tag"),
    plainTags: false,
    deltas: sections.place("delta"),
    stimuli: outputs.flatMap(({ stimulus }) => (stimulus ? [stimulus] : [])),
    ...(startTime ? { startTime } : {}),
    comment: text(protocol.i32(132)),
    fields: known({
      creator: program(info, text, 60, 56),
      modifier: program(info, text, 68, 64),
      protocol_path: text(info.u32(72)),
      guid: info.guid(40),
      experiment: ["voltage clamp", "current clamp", "simple acquisition"][protocol.i16(126)],
      cell_ids: protocol.list("f32", 186, 3).some((n) => n !== 0)
        ? protocol.list("f32", 186, 3)
        : undefined,
      stopwatch_seconds: info.u32(24) > 0 ? info.u32(24) / 1000 : undefined,
      sweeps_per_run: protocol.i32(30),
      runs_per_trial: protocol.i32(34),
      trials: protocol.i32(38),
      averaging: protocol.i16(42) ? "sweeps of the runs are averaged" : undefined,
      pretrigger_samples: protocol.i32(26),
      trigger_threshold: protocol.f32(48) || undefined,
      digitizer_type: protocol.i16(206),
      digital_outputs_enabled: protocol.i16(140) !== 0,
      outputs: describeOutputs(outputs),
      user_lists: describeUserLists(await readUserLists(sections, text)),
    }),
    warnings,
    leftOut: await leftOut(sections),
  };
}

type TextOf = (index: number) => string;

/** Text by its number, counted from 1; 0 and numbers beyond the section are "". */
async function readStrings(sections: Sections): Promise<TextOf> {
  const { entryBytes, count } = sections.place("strings");
  if (count === 0) return () => "";
  const bytes = await sections.bytes("strings", entryBytes);
  const texts: string[] = [];
  for (let from = STRINGS_HEADER_BYTES; from < bytes.length;) {
    const nul = bytes.indexOf(0, from);
    const end = nul < 0 ? bytes.length : nul;
    texts.push(fieldText(bytes.subarray(from, end)));
    from = end + 1;
  }
  return (index) => texts[index - 1] ?? "";
}

function program(info: AbfFields, text: TextOf, nameAt: number, versionAt: number): string {
  const version = [3, 2, 1, 0].map((i) => info.u8(versionAt + i)).join(".");
  const name = text(info.u32(nameAt));
  return name && version !== "0.0.0.0" ? `${name} ${version}` : name;
}

function readChannel(adc: AbfFields, text: TextOf): AbfChannel {
  const telegraph = adc.i16(2);
  return {
    name: text(adc.i32(74)),
    units: text(adc.i32(78)),
    physical: adc.i16(0),
    instrumentScale: adc.f32(40),
    instrumentOffset: adc.f32(44),
    programmableGain: adc.f32(28),
    signalGain: adc.f32(48),
    signalOffset: adc.f32(52),
    telegraphEnable: telegraph,
    telegraphGain: adc.f32(6),
    attributes: {
      physical_channel: adc.i16(0),
      lowpass_hz: adc.f32(56),
      highpass_hz: adc.f32(60),
      ...(telegraph
        ? {
          telegraph_instrument: adc.i16(4),
          telegraph_gain: adc.f32(6),
          telegraph_lowpass_hz: adc.f32(10),
          telegraph_membrane_capacitance: adc.f32(14),
          telegraph_mode: adc.i16(18),
          telegraph_access_resistance: adc.f32(20),
        }
        : {}),
    },
  };
}

async function readOutputs(
  sections: Sections,
  text: TextOf,
): Promise<(AbfOutput & { stimulus?: AbfStimulus })[]> {
  const dacs = await sections.extras("dac");
  const digital = new Map(
    (await sections.extras("epoch")).map((e) => [e.i16(0), [e.i16(2), e.i16(4)]]),
  );
  const epochs = new Map<number, AbfEpoch[]>();
  for (const e of await sections.extras("epochPerDac")) {
    const [pattern, train] = digital.get(e.i16(0)) ?? [];
    const list = epochs.get(e.i16(2)) ?? [];
    list.push({
      number: e.i16(0),
      type: e.i16(4),
      level: e.f32(6),
      levelIncrement: e.f32(10),
      duration: e.i32(14),
      durationIncrement: e.i32(18),
      pulsePeriod: e.i32(22),
      pulseWidth: e.i32(26),
      digitalPattern: pattern,
      digitalTrain: train,
    });
    epochs.set(e.i16(2), list);
  }
  const [protocol] = await sections.entries("protocol");
  return dacs.map((dac) => {
    const number = dac.i16(0);
    const output: AbfOutput = {
      number,
      name: text(dac.i32(24)),
      units: text(dac.i32(28)),
      holding: dac.f32(12),
      waveformEnabled: dac.i16(40) !== 0,
      waveformSource: dac.i16(42),
      interSweepLevel: dac.i16(44),
      filePath: text(dac.i32(118)),
      epochs: (epochs.get(number) ?? []).sort((a, b) => a.number - b.number),
    };
    const block = dac.i32(32), sweeps = dac.i32(36);
    if (block <= 0 || sweeps <= 0) return output;
    const gain = protocol.f32(114) * dac.f32(8) / protocol.i32(122) * (dac.f32(16) || 1);
    const stimulus: AbfStimulus = {
      name: output.name || `output_${number}`,
      units: output.units,
      offset: block * BLOCK_BYTES,
      sweeps,
      gain,
      zero: gain * dac.f32(20),
      attributes: known({ file: output.filePath, output: number }),
    };
    return { ...output, stimulus };
  });
}

async function readUserLists(sections: Sections, text: TextOf): Promise<AbfUserList[]> {
  return (await sections.extras("userList")).filter((u) => u.i16(2) !== 0).map((u) => ({
    parameter: u.i16(4),
    values: text(u.i32(8)),
    repeat: u.i16(6) !== 0,
  }));
}

async function leftOut(sections: Sections): Promise<{ what: string; why: string }[]> {
  const math = (await sections.extras("math")).filter((entry) => entry.i16(0) !== 0).length;
  const found = [
    [sections.place("voiceTag").count, "voice tags", "sound, compressed for Axon's own programs"],
    [sections.place("annotation").count, "annotations", "their form is not described"],
    [math, "math channels", "computed from the recorded ones when shown, never stored"],
  ] as const;
  return found.filter(([count]) => count > 0).map(([count, what, why]) => ({
    what: `${count} ${what}`,
    why,
  }));
}
