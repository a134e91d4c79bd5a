/**
 * The header of ABF 1: fields at fixed places, 2048 bytes before version 1.6 and more since, all of it before
 * the data. Places are those of Axon's abfheadr.h; what older headers hold elsewhere is read as
 * ABFH_PromoteHeader does.
 */
import { ensure, FuseError } from "../../src/errors.ts";
import type { Attributes } from "../../src/model/dataset.ts";
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

/** Bytes of the longest header. */
export const V1_HEADER_BYTES = 6144;
/** Bytes of the header before version 1.6. */
const OLD_HEADER_BYTES = 2048;

/** Inputs, outputs with a waveform, and epochs of each: sizes of the header's tables. */
const INPUTS = 16, OUTPUTS = 4, WAVEFORMS = 2, EPOCHS = 10;
const FLOATS = 1;

/** Numbers of the version are stored as 32-bit floats. */
const V13 = Math.fround(1.3), V16 = Math.fround(1.6);

/**
 * Parses the start of an ABF 1 file.
 * @throws FuseError `Corrupt` for numbers that make no sense, `Unsupported` for those of MS-DOS times.
 */
export function parseV1(head: Uint8Array, source: string): AbfHeader {
  const place = { source, format: "abf" };
  const all = new AbfFields(head);
  const version = all.f32(4);
  const dataBlock = all.i32(40);
  ensure(dataBlock > 0, "the data cannot begin in the header", {
    ...place,
    offset: 40,
    field: "lDataSectionPtr",
    found: dataBlock,
  });
  if (all.i16(38) === 1) {
    throw new FuseError("Unsupported", "numbers of the header are in Microsoft Binary Format", {
      ...place,
      offset: 38,
      field: "nMSBinFormat",
    });
  }
  // A short header is followed by samples, not by fields.
  const bytes = head.subarray(0, dataBlock * BLOCK_BYTES);
  const isExtended = version >= V16 && bytes.length > OLD_HEADER_BYTES;
  const f = new AbfFields(isExtended ? bytes : bytes.subarray(0, OLD_HEADER_BYTES));
  const warnings: string[] = [];

  const count = f.i16(120);
  ensure(count >= 1 && count <= INPUTS, "impossible number of channels", {
    ...place,
    offset: 120,
    field: "nADCNumChannels",
    found: count,
    expected: `1 to ${INPUTS}`,
  });
  const format = f.i16(100);
  ensure(format === 0 || format === FLOATS, "unknown kind of samples", {
    ...place,
    offset: 100,
    field: "nDataFormat",
    found: format,
    expected: "0 (integers) or 1 (floats)",
  });
  const mode = f.i16(8);
  // Points that some old digitizers put before gap-free data (ABFFIO, GetDataOffset).
  const ignored = mode === 3 ? Math.max(0, f.i16(14)) : 0;
  const milliseconds = f.i32(24) * 1000 + f.i16(366);
  const startTime = startTimeOf(f.i32(20), milliseconds);
  if (startTime === undefined && f.i32(20) !== 0) {
    warnings.push(`the header's date is none (${f.i32(20)}): no start time is given`);
  }
  const section = (at: number, entryBytes: number): AbfSection => ({
    offset: f.i32(at) * BLOCK_BYTES,
    entryBytes,
    count: f.i32(at) > 0 ? Math.max(0, f.i32(at + 4)) : 0,
  });
  const outputs = isExtended ? readOutputs(f) : readOldOutputs(f);
  const comment = isExtended ? f.text(5154, 128) : f.text(310, 56);
  const samplingFrequency = scanRate(f.f32(122), count);
  return {
    version: version.toFixed(2),
    mode,
    isFloat: format === FLOATS,
    dataOffset: dataBlock * BLOCK_BYTES + ignored * (format === FLOATS ? 4 : 2),
    valueCount: f.i32(10),
    channels: readChannels(f, count, isExtended, warnings),
    adcRange: f.f32(244),
    adcResolution: f.i32(252),
    signalType: f.i16(1410),
    valueInterval: 1e6 / samplingFrequency / count,
    samplingFrequency,
    secondFrequency: f.f32(126) > 0 ? scanRate(f.f32(126), count) : 0,
    clockChange: f.i32(194),
    synchUnit: Math.max(0, f.f32(130)),
    samplesPerEpisode: f.i32(138),
    episodes: f.i32(16),
    startToStart: f.f32(178),
    synch: section(92, 8),
    tags: section(44, 64),
    plainTags: version < V13,
    deltas: section(72, 12),
    stimuli: readStimuli(f, outputs, isExtended),
    ...(startTime ? { startTime } : {}),
    comment,
    fields: known({
      creator: creatorName(f, isExtended),
      modifier: isExtended ? f.text(5318, 16) : undefined,
      protocol_path: isExtended ? f.text(4898, 256) : undefined,
      guid: isExtended ? f.guid(5282) : undefined,
      experiment: ["voltage clamp", "current clamp", "simple acquisition"][f.i16(260)],
      cell_ids: [f.f32(282), f.f32(286), f.f32(290)].some((n) => n !== 0)
        ? [f.f32(282), f.f32(286), f.f32(290)]
        : undefined,
      stopwatch_seconds: f.i32(28) > 0 ? f.i32(28) : undefined,
      sweeps_per_run: f.i32(146),
      runs_per_trial: f.i32(150),
      trials: f.i32(154),
      averaging: f.i16(158) ? "sweeps of the runs are averaged" : undefined,
      pretrigger_samples: f.i32(142),
      trigger_threshold: f.f32(164) || undefined,
      digital_outputs_enabled: f.i16(1436) !== 0,
      outputs: describeOutputs(outputs),
      user_lists: describeUserLists(isExtended ? readUserLists(f) : readOldUserList(f)),
    }),
    warnings,
    leftOut: [
      ...unread("voice tags", Math.max(0, f.i32(84)), "sound, compressed for Axon's own programs"),
      ...unread("annotations", f.i32(108) > 0 ? f.i32(112) : 0, "their form is not described"),
    ],
  };
}

function unread(what: string, count: number, why: string) {
  return count > 0 ? [{ what: `${count} ${what}`, why }] : [];
}

function creatorName(f: AbfFields, isExtended: boolean): string {
  const version = isExtended ? f.list("i16", 5798, 4) : [];
  const name = f.text(294, 16);
  return version.some((n) => n > 0) ? `${name} ${version.join(".")}`.trim() : name;
}

/** The recorded inputs, in the order of their samples. */
function readChannels(
  f: AbfFields,
  count: number,
  isExtended: boolean,
  warnings: string[],
): AbfChannel[] {
  let physical = f.list("i16", 410, INPUTS).slice(0, count);
  const valid = physical.every((n) => n >= 0 && n < INPUTS) && new Set(physical).size === count;
  if (!valid) {
    warnings.push(
      `the sampling sequence (${physical.join(", ")}) names no ${count} different inputs: ` +
        "the first ones are taken",
    );
    physical = physical.map((_, i) => i);
  }
  const autosampled = f.i16(262) !== 0 ? f.i16(264) : -1;
  return physical.map((n): AbfChannel => {
    const float = (at: number) => f.f32(at + 4 * n);
    const telegraph = isExtended
      ? { enable: f.i16(4512 + 2 * n), instrument: f.i16(4544 + 2 * n), at: 4576 + 4 * n, step: 64 }
      : { enable: autosampled === n ? 1 : 0, instrument: f.i16(266), at: 268, step: 4 };
    const attributes: Attributes = {
      physical_channel: n,
      lowpass_hz: float(1178),
      highpass_hz: float(1242),
      ...(telegraph.enable
        ? {
          telegraph_instrument: telegraph.instrument,
          telegraph_gain: f.f32(telegraph.at),
          telegraph_lowpass_hz: f.f32(telegraph.at + telegraph.step),
          telegraph_membrane_capacitance: f.f32(telegraph.at + 2 * telegraph.step),
        }
        : {}),
    };
    return {
      name: f.text(442 + 10 * n, 10),
      units: f.text(602 + 8 * n, 8),
      physical: n,
      instrumentScale: float(922),
      instrumentOffset: float(986),
      programmableGain: float(730),
      signalGain: float(1050),
      signalOffset: float(1114),
      telegraphEnable: telegraph.enable,
      telegraphGain: f.f32(telegraph.at),
      attributes,
    };
  });
}

function output(f: AbfFields, number: number): AbfOutput {
  return {
    number,
    name: f.text(1306 + 10 * number, 10),
    units: f.text(1346 + 8 * number, 8),
    holding: f.f32(1394 + 4 * number),
    waveformEnabled: false,
    waveformSource: 0,
    interSweepLevel: 0,
    filePath: "",
    epochs: [],
  };
}

function readOutputs(f: AbfFields): AbfOutput[] {
  return Array.from({ length: OUTPUTS }, (_, n): AbfOutput => {
    const plain = output(f, n);
    if (n >= WAVEFORMS) return plain;
    const epochs = Array.from({ length: EPOCHS }, (_, e): AbfEpoch => {
      const i = n * EPOCHS + e;
      return {
        number: e,
        type: f.i16(2308 + 2 * i),
        level: f.f32(2348 + 4 * i),
        levelIncrement: f.f32(2428 + 4 * i),
        duration: f.i32(2508 + 4 * i),
        durationIncrement: f.i32(2588 + 4 * i),
        pulsePeriod: f.i32(2136 + 4 * i),
        pulseWidth: f.i32(2216 + 4 * i),
        digitalPattern: f.i16(1588 + 2 * e),
        digitalTrain: f.i16(2668 + 2 * e),
      };
    });
    return {
      ...plain,
      waveformEnabled: f.i16(2296 + 2 * n) !== 0,
      waveformSource: f.i16(2300 + 2 * n),
      interSweepLevel: f.i16(2304 + 2 * n),
      filePath: f.text(2736 + 256 * n, 256),
      epochs,
    };
  });
}

/** Before version 1.6 one output only could play a waveform. */
function readOldOutputs(f: AbfFields): AbfOutput[] {
  const active = f.i16(1440);
  const source = f.i16(1438);
  return Array.from({ length: OUTPUTS }, (_, n): AbfOutput => {
    if (n !== active) return output(f, n);
    return {
      ...output(f, n),
      waveformEnabled: source !== 0,
      waveformSource: source,
      interSweepLevel: f.i16(1442),
      filePath: f.text(1634, 84),
      epochs: Array.from({ length: EPOCHS }, (_, e): AbfEpoch => ({
        number: e,
        type: f.i16(1444 + 2 * e),
        level: f.f32(1464 + 4 * e),
        levelIncrement: f.f32(1504 + 4 * e),
        duration: f.i16(1544 + 2 * e),
        durationIncrement: f.i16(1564 + 2 * e),
        pulsePeriod: 0,
        pulseWidth: 0,
        digitalPattern: f.i16(1588 + 2 * e),
      })),
    };
  });
}

function readUserLists(f: AbfFields): AbfUserList[] {
  return [0, 1, 2, 3].filter((i) => f.i16(3360 + 2 * i) !== 0).map((i) => ({
    parameter: f.i16(3368 + 2 * i),
    values: f.text(3376 + 256 * i, 256),
    repeat: f.i16(4400 + 2 * i) !== 0,
  }));
}

function readOldUserList(f: AbfFields): AbfUserList[] {
  if (f.i16(1966) === 0) return [];
  return [{ parameter: f.i16(1762), values: f.text(1764, 80), repeat: false }];
}

/** Waveforms played from a file (EXTENDED GROUP 2; scaled as ABFH_GetDACtoUUFactors does). */
function readStimuli(f: AbfFields, outputs: AbfOutput[], isExtended: boolean): AbfStimulus[] {
  const active = f.i16(1440);
  return outputs.slice(0, WAVEFORMS).flatMap(({ number, name, units, filePath }) => {
    if (!isExtended && number !== active) return [];
    const block = f.i32(isExtended ? 2048 + 4 * number : 60);
    const sweeps = f.i32(isExtended ? 2056 + 4 * number : 64);
    if (block <= 0 || sweeps <= 0) return [];
    const step = f.f32(248) * f.f32(1378 + 4 * number) / f.i32(256);
    const gain = step * (isExtended ? f.f32(2074 + 4 * number) || 1 : 1);
    return [{
      name: name || `output_${number}`,
      units,
      offset: block * BLOCK_BYTES,
      sweeps,
      gain,
      zero: isExtended ? gain * f.f32(2090 + 4 * number) : 0,
      attributes: known({ file: filePath, output: number }),
    }];
  });
}
